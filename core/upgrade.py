"""`python -m core.upgrade`: back up, stop, migrate, start again, look whether it answers.

`make upgrade` calls it after the new libraries were installed. A step that fails says what is
there and how to go on or back; the backup is made before anything is changed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL, make_url

from core import migrate
from core.cluster import ClusterError, programs, with_database
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
BackUp = Callable[[Settings, Path], Path]


class CannotUpgrade(RuntimeError):
    """The upgrade stopped; the message says where and what to do."""


def main(arguments: list[str] | None = None) -> int:
    """Upgrade what the environment names; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m core.upgrade", description=__doc__)
    parser.add_argument(
        "--restart",
        default=os.environ.get("RESTART", ""),
        help="how a process manager restarts the service, as in 'systemctl restart thap-canh'",
    )
    parser.add_argument("--only-back-up", action="store_true", help="change nothing")
    chosen = parser.parse_args(arguments)
    try:
        settings = read_settings()
        kept = backed_up(settings)
        if not chosen.only_back_up:
            renew(settings, kept, restart=chosen.restart)
    except (CannotRun, CannotUpgrade, ClusterError, OSError) as error:
        say(str(error), sys.stderr)
        return 1
    return 0


def backed_up(settings: Settings, back_up: BackUp | None = None) -> Path:
    """Make the backup, as the user to whom the instance folder belongs; returns its file."""
    folder = settings.instance / "backups"
    owner = settings.instance.stat() if settings.instance.exists() else None
    if owner and os.geteuid() == 0 and owner.st_uid != 0:
        # The private cluster and its files are that user's; root would look for one of its own.
        done = subprocess.run(
            [sys.executable, "-m", "core.upgrade", "--only-back-up"],
            cwd=settings.root,
            user=owner.st_uid,
            group=owner.st_gid,
            extra_groups=[],
            check=False,
        )
        if done.returncode:
            raise CannotUpgrade("The backup failed, nothing was changed: see above")
        return max(folder.glob("*.dump"))
    kept = (back_up or dumped)(with_database(settings), folder)
    say(f"Backed up: {kept} ({kept.stat().st_size / 1e6:.1f} MB)")
    return kept


def renew(settings: Settings, kept: Path, *, restart: str = "") -> None:
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


def dumped(settings: Settings, folder: Path) -> Path:
    """The whole database as one file that `pg_restore` reads; photos are files that never change.

    Raises `CannotUpgrade` where the file is not whole.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    path = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.dump"
    partial = path.with_suffix(".partial")
    owner = make_url(settings.migration_database_url or settings.database_url or "")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with progress("Backing up the database"), os.fdopen(descriptor, "wb") as file:
            made = tool("pg_dump", owner, "--format=custom", stdout=file)
            file.flush()
            os.fsync(file.fileno())
        if made.returncode == 0:
            made = tool("pg_restore", None, "--list", str(partial))
        if made.returncode:
            raise CannotUpgrade(f"The backup failed, nothing was changed: {made.stderr.strip()}")
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def tool(
    name: str, url: URL | None, *arguments: str, stdout: Any = subprocess.DEVNULL
) -> subprocess.CompletedProcess[str]:
    """A program of PostgreSQL; the password goes by its environment, which others cannot read."""
    environment, place = {**os.environ, "LC_ALL": "C.UTF-8"}, []
    if url is not None:
        host = str(url.query.get("host") or url.host or "")
        environment["PGPASSWORD"] = url.password or ""
        place = [f"--dbname={url.database}", f"--username={url.username}"]
        place += [f"--host={host}"] * bool(host) + [f"--port={url.port}"] * bool(url.port)
    return subprocess.run(  # noqa: S603
        [str(programs() / name), *place, *arguments],
        env=environment,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


def way_back(kept: Path) -> str:
    return (
        "Back to before: check the old version out, then put the backup into its database with"
        f" `pg_restore --clean --if-exists … {kept}`"
    )


def migrated(settings: Settings, kept: Path) -> None:
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


def verify(settings: Settings, kept: Path) -> None:
    """Wait until the service and its database answer; raises `CannotUpgrade`."""
    until = time.monotonic() + READY_WITHIN
    with progress("Waiting for the service"):
        while not answers(settings, "/readyz"):
            if time.monotonic() > until:
                raise CannotUpgrade(f"The service does not answer. {way_back(kept)}")
            time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
