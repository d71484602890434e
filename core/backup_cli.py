"""Commands that make, look at and restore backups."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import psycopg
from flask import Flask, current_app
from flask.cli import AppGroup

from core import audit, backup, clock, migrate
from core.backup import Place, shown
from core.backup_file import FOLDER, BackupError, older_than, path_for
from core.cli import urls
from core.db import transaction
from core.policy import SYSTEM

commands = AppGroup("backup", help="Everything of this service as one file, and back.")
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
IDENTITY = click.option(
    "--identity", type=FILE, help="The file with the secret key of age, where it is encrypted."
)


def place() -> Place:
    owner, app = urls()
    kept: Mapping[str, Sequence[str]] = current_app.extensions["backed_up"]
    return Place(owner, app, current_app.config["SETTINGS"].instance, kept)


class Progress:
    """What goes on, on standard error: at once where somebody looks, now and then in a log."""

    def __init__(self) -> None:
        self._every = 0.5 if sys.stderr.isatty() else 10.0
        self._told, self._what = time.monotonic(), ""

    def __call__(self, what: str, number: int) -> None:
        if what != self._what or time.monotonic() - self._told >= self._every:
            amount = f"{number / 1e6:.0f} MB" if what == "database" else f"{number}"
            click.echo(f"{what} … {amount}", err=True)
            self._told, self._what = time.monotonic(), what


def written_down(action: str, number: str, after: dict[str, Any]) -> None:
    """Write into the audit what was done, where the database is of this version.

    An older one, which is about to be migrated, may have another form of audit.
    """
    if migrate.is_current(urls()[0]):
        with transaction() as session:
            audit.record(session, action, "backup", number, by=SYSTEM, now=clock.now(), after=after)


@commands.command("create")
@click.option(
    "--to", type=click.Path(path_type=Path), help="A folder or file; default: instance/backups/."
)
@click.option("--recipient", default="", help="Encrypt for age1…, ssh-… or a key of GnuPG.")
@click.option("--read-back", is_flag=True, help="Then verify it, as the command verify does.")
@IDENTITY
def create(to: Path | None, recipient: str, read_back: bool, identity: Path | None) -> None:
    """Write database, photos, documents, notices, map pictures and secrets into one file.

    The service goes on meanwhile. Exit code 2: the backup is there, but files of rows are missing
    or damaged in the instance folder itself.
    """
    here, now = place(), clock.now()
    to = path_for(here.instance, to, recipient, now=now)
    try:
        if to.parent == here.instance / FOLDER:
            to.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        size = backup.size_of(here)
        free = backup.check_room(size, to)
        click.echo(
            f"Backing up a database of {shown(size.database)} and {size.files} files of"
            f" {shown(size.bytes)} into {to.parent}, which has {shown(free)} left",
            err=True,
        )
        made = backup.create(here, to, recipient, now=now, tell=Progress())
    except (BackupError, psycopg.Error, OSError) as error:
        raise click.ClickException(str(error)) from error
    written_down(
        "backup.create",
        made.id,
        {"file": to.name, "rows": made.rows, "files": made.files, "bytes": made.bytes,
         "encrypted": bool(recipient)},
    )  # fmt: skip
    click.echo(
        f"{to}: {made.rows} rows of {made.tables} tables, {made.files} files,"
        f" {shown(to.stat().st_size)}"
    )
    if not recipient:
        click.echo(
            "It is not encrypted and holds secrets: keep it where nobody reads it.", err=True
        )
    if read_back:
        _read_back(to, identity)
    for what, names in (("missing", made.missing), ("damaged", made.damaged)):
        for name in names[:20]:
            click.echo(f"{name} is {what}", err=True)
    if made.missing or made.damaged:
        click.echo(f"{len(made.missing)} missing, {len(made.damaged)} damaged", err=True)
        sys.exit(2)


@commands.command("verify")
@click.argument("file", type=FILE)
@IDENTITY
def verify(file: Path, identity: Path | None) -> None:
    """Read a whole backup and say whether each byte is as it was written; exit code 1 if not."""
    _read_back(file, identity)


def _read_back(file: Path, identity: Path | None) -> None:
    try:
        about = backup.verify(file, identity, tell=Progress())
    except (BackupError, OSError) as error:
        raise click.ClickException(str(error)) from error
    rows = sum(one[0] for one in about["tables"].values())
    click.echo(
        f"Whole: {about['members']} members, {rows} rows, {about['files']} files,"
        f" made {about['made_at']}, version {about['revision']} of the database"
    )


@commands.command("restore")
@click.argument("file", type=FILE)
@IDENTITY
@click.option("--yes", is_flag=True, help="Do not ask.")
def restore(file: Path, identity: Path | None, yes: bool) -> None:
    """Bring back a backup into an empty database and this instance folder."""
    here = place()
    try:
        backup.check_empty(here)
        if not yes:
            click.confirm(f"Restore {file.name} into {here.instance}?", abort=True)
        about = backup.restore(here, file, identity, tell=Progress())
    except (BackupError, psycopg.Error, OSError) as error:
        raise click.ClickException(str(error)) from error
    written_down("backup.restore", about["id"], {"made_at": about["made_at"], "file": file.name})
    click.echo(
        f"Restored: {sum(one[0] for one in about['tables'].values())} rows, {about['files']} files,"
        f" as of {about['made_at']}. Counts and digests of all tables are equal."
    )
    click.echo("`make run` or `make serve` brings the database to the newest version and serves.")


@commands.command("clean")
@click.argument(
    "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), required=False
)
@click.option("--keep", type=click.IntRange(min=1), required=True, help="So many stay.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def clean(folder: Path | None, keep: int, yes: bool) -> None:
    """Remove old backups of a folder (default: instance/backups/) but the newest ones.

    Backups whose file somebody named otherwise are left alone.
    """
    folder = folder or place().instance / FOLDER
    old = older_than(folder, keep) if folder.exists() else []
    if not old:
        click.echo(f"{folder} has no more than {keep} backups: nothing is removed")
        return
    click.echo("\n".join(str(path) for path in old))
    size = shown(sum(path.stat().st_size for path in old))
    if not yes:
        click.confirm(f"Remove these {len(old)} backups, {size}?", abort=True)
    for path in old:
        path.unlink(missing_ok=True)
    written_down("backup.clean", str(folder), {"removed": [path.name for path in old]})
    click.echo(f"Removed: {len(old)} backups, {size}; {keep} stay")


def init_app(app: Flask, kept: Mapping[str, Sequence[str]]) -> None:
    """Add the commands; `kept` names the tables whose `sha256` names files in each folder."""
    app.extensions["backed_up"] = kept
    app.cli.add_command(commands)
