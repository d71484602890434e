"""`python -m core.upgrade`: back up, stop, migrate, start again, look whether it answers.

`make upgrade` calls it after the new libraries were installed. A step that fails says what is
there and how to go on or back; the backup is that of `flask backup create`, made and read back
before anything is changed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pwd
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core import migrate
from core.backup_file import older_than, path_for
from core.cluster import ClusterError, with_database
from core.run import (
    CannotRun,
    address,
    answers,
    claim_file,
    end_holder,
    prepare,
    progress,
    read_settings,
    say,
)
from core.settings import Settings

READY_WITHIN = 120.0
# What `BACKUP` says where somebody else sees to backups.
NONE = "none"
# More backups beside one another than this are told of.
MANY = 5
# `flask backup create` says so: the backup is there, the instance lacked files before it.
FILES_MISSING = 2


class CannotUpgrade(RuntimeError):
    """The upgrade stopped; the message says where and what to do."""


def main(arguments: list[str] | None = None) -> int:
    """Upgrade what the environment names; returns the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    chosen = options().parse_args(given)
    try:
        settings = read_settings()
        if owned_by_another(settings.instance) and not chosen.restart:
            # The private cluster, its files and the service are that user's, not root's.
            return as_owner(settings, "core.upgrade", *given)
        kept = backed_up(settings, chosen)
        renew(settings, kept, restart=chosen.restart)
    except (CannotRun, CannotUpgrade, ClusterError, OSError) as error:
        say(str(error), sys.stderr)
        return 1
    return 0


def options() -> argparse.ArgumentParser:
    """What can be chosen: by arguments, or as `make upgrade` does by the environment."""
    made = argparse.ArgumentParser(prog="python -m core.upgrade", description=__doc__)
    for name, variable, about in (
        ("restart", "RESTART", "how a process manager restarts, as in 'systemctl restart …'"),
        ("backup", "BACKUP", f"folder or file of the backup; {NONE!r}: you have one of your own"),
        ("recipient", "BACKUP_RECIPIENT", "encrypt it for age1…, ssh-… or a key of GnuPG"),
        ("identity", "BACKUP_IDENTITY", "the file with the secret key of age, to read it back"),
    ):
        made.add_argument(f"--{name}", default=os.environ.get(variable, ""), help=about)
    return made


def backed_up(settings: Settings, chosen: argparse.Namespace) -> Path | None:
    """Make the backup and read it back, as the user to whom the instance folder belongs.

    Returns its file, `None` where none is wanted. Raises `CannotUpgrade`.
    """
    if chosen.backup == NONE:
        say(
            "No backup is made (BACKUP=none): only one of your own, of the database and of"
            f" {settings.instance}, leads back."
        )
        return None
    place = Path(chosen.backup) if chosen.backup else None
    kept = path_for(settings.instance, place, chosen.recipient, now=datetime.now(UTC))
    made = backup(settings, "create", "--to", str(kept), "--recipient", chosen.recipient)
    if made not in (0, FILES_MISSING):
        raise CannotUpgrade("The backup failed, nothing was changed: see above")
    if len(older_than(kept.parent, 0)) > MANY:
        say(f"Older backups lie there too: `flask backup clean {kept.parent} --keep {MANY}`")
    if chosen.recipient and not chosen.identity:
        say(f"Only {chosen.recipient} can read it: without BACKUP_IDENTITY it was not read back.")
    elif backup(settings, "verify", str(kept), *identity_of(chosen)):
        raise CannotUpgrade("The backup is not whole, nothing was changed: see above")
    return kept


def identity_of(chosen: argparse.Namespace) -> list[str]:
    return ["--identity", chosen.identity] if chosen.identity else []


def backup(settings: Settings, *arguments: str) -> int:
    """One of the commands `flask backup …`; returns its exit code."""
    try:
        return as_owner(settings, "flask", "--app", "wsgi", "backup", *arguments)
    except KeyboardInterrupt as error:
        raise CannotUpgrade("Interrupted while backing up: nothing was changed") from error


def owned_by_another(instance: Path) -> os.stat_result | None:
    """Whose the instance folder is, where root asks and it is somebody else's."""
    if os.geteuid() != 0 or not instance.exists():
        return None
    found = instance.stat()
    return found if found.st_uid != 0 else None


def as_owner(settings: Settings, module: str, *arguments: str) -> int:
    """Run a module of Python as the user to whom the instance folder belongs; its exit code."""
    owner, environment = owned_by_another(settings.instance), dict(os.environ)
    as_user: dict[str, Any] = {}
    if owner:
        as_user = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
        # Where GnuPG looks for keys; not every user has a name.
        with contextlib.suppress(KeyError):
            environment["HOME"] = pwd.getpwuid(owner.st_uid).pw_dir
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", module, *arguments],
        cwd=settings.root,
        env=environment,
        check=False,
        **as_user,
    )
    return done.returncode


def renew(settings: Settings, kept: Path | None, *, restart: str = "") -> None:
    """Stop, migrate, start and look. Raises `CannotUpgrade` where one fails.

    Old code never meets the new database: a service migrates before it serves.
    """
    if restart:
        done = subprocess.run(restart, shell=True, check=False)  # noqa: S602 - the operator's own
        if done.returncode:
            raise CannotUpgrade(f"`{restart}` failed. {way_back(kept)}")
    elif running(settings):
        stop(settings)
        migrated(with_database(settings), kept)
        start(settings)
    else:
        migrated(with_database(settings), kept)
        say("Nothing was running: start it with `make serve`.")
        return
    verify(settings, kept)
    say(f"Tháp Canh is ready again: {address(settings)}")


def way_back(kept: Path | None) -> str:
    """How everything becomes what it was before, for people."""
    begin = (
        "Back to before: check the old version out and `make install`. A database that was not"
        " migrated goes on with it; "
    )
    if kept is None:
        return begin + "else bring back your own backup (BACKUP=none made none here)"
    return begin + (
        "else take an empty one (a new INSTANCE_DIR brings its own; on a server of yours see"
        f" README, “Backup and restore”) and `.venv/bin/flask --app wsgi backup restore {kept}`."
        " What came in since is not in it"
    )


def migrated(settings: Settings, kept: Path | None) -> None:
    """Bring the database to this version; where that fails it stands at a whole one."""
    owner = settings.migration_database_url or settings.database_url or ""
    if migrate.is_current(owner):
        say("The database is at this version already.")
        return
    try:
        prepare(settings)
    except CannotRun as error:
        raise CannotUpgrade(f"{error}\n{way_back(kept)}") from error
    say("The database was migrated.")


def running(settings: Settings) -> bool:
    """Whether a service of this instance folder runs."""
    return claim_file(settings.instance).exists() and answers(settings, "/healthz")


def stop(settings: Settings) -> None:
    with claim_file(settings.instance).open("r") as file:
        end_holder(file)


def start(settings: Settings) -> None:
    """Start the service so that it outlives this command; it writes into `service.log`."""
    log = settings.instance / "service.log"
    with log.open("ab") as file:
        subprocess.Popen(
            [sys.executable, "-m", "core.run", "--production"],
            cwd=settings.root,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    say(f"Started; its log is {log}")


def verify(settings: Settings, kept: Path | None) -> None:
    """Wait until the service and its database answer; raises `CannotUpgrade`."""
    until = time.monotonic() + READY_WITHIN
    with progress("Waiting for the service"):
        while not answers(settings, "/readyz"):
            if time.monotonic() > until:
                raise CannotUpgrade(f"The service does not answer. {way_back(kept)}")
            time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
