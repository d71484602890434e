"""Commands about personal data: the dictionary, what is held of somebody, its removal."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from flask import Flask, current_app
from flask.cli import AppGroup

from accounts.services import privacy
from core import clock, retention
from core.cli import explained
from core.db import allow_long_statements, transaction
from core.dictionary import dictionary
from core.i18n import translate
from core.policy import SYSTEM

commands = AppGroup("privacy", help="Personal data: what is held, of whom, how long.")


@commands.command("dictionary")
@click.argument("table", required=False)
@click.option("--class", "kind", default="", help="Only columns of this class.")
def show(table: str | None, kind: str) -> None:
    """Print what each column is, and how long it is kept."""
    told = dictionary()
    for one in told.tables.values():
        if table not in {None, one.name}:
            continue
        columns = [each for each in one.columns.values() if kind in {"", each.kind}]
        if columns:
            click.echo(f"{one.name}: {one.about}. Kept: {told.retention[one.retention]}")
        for each in columns:
            more = "  names a person" if each.person else ""
            click.echo(f"  {each.name:<24}{each.kind}{'  secret' if each.secret else ''}{more}")


@commands.command("export")
@click.argument("email")
@click.option("--to", type=click.Path(path_type=Path), help="Where; default: personal-data.zip.")
def export(email: str, to: Path | None) -> None:
    """Write everything that is held of a person into a zip: JSON by table, and their files."""
    path = to or Path("personal-data.zip")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    instance: Path = current_app.config["SETTINGS"].instance
    kept: Mapping[str, Sequence[str]] = current_app.extensions["backed_up"]
    try:
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        with explained(), os.fdopen(descriptor, "w+b") as file, transaction() as session:
            allow_long_statements(session)
            person = privacy.person_of(session, email)
            rows = files = 0
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
                for table in dictionary().tables.values():
                    if not table.of_people or not any(
                        True for _ in privacy.rows_of(session, table, person)
                    ):
                        continue
                    with archive.open(f"tables/{table.name}.json", "w", force_zip64=True) as into:
                        into.write(b"[")
                        for number, row in enumerate(privacy.rows_of(session, table, person)):
                            into.write((",\n" if number else "\n").encode() + row.encode())
                            rows += 1
                        into.write(b"\n]\n")
                for folder, tables in kept.items():
                    for name in sorted(
                        {
                            one
                            for table in tables
                            for one in privacy.files_of(session, table, person)
                        }
                    ):
                        original = instance / folder / name[:2] / name
                        if original.exists():
                            archive.write(original, f"files/{folder}/{name}")
                            files += 1
                about = {
                    "of": person.email,
                    "made_at": clock.now().isoformat(),
                    "classes": dict(dictionary().classes),
                    "retention": {
                        one.name: dictionary().retention[one.retention]
                        for one in dictionary().tables.values()
                        if one.of_people
                    },
                }
                archive.writestr("about.json", json.dumps(about, ensure_ascii=False, indent=1))
            file.flush()
            os.fsync(file.fileno())
            privacy.record_export(session, person, by=SYSTEM, now=clock.now())
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
    click.echo(f"{path}: {rows} rows and {files} files about {person.email}")


@commands.command("erase")
@click.argument("email")
@click.option("--confirm", default="", help="The code that the plan printed.")
def erase(email: str, confirm: str) -> None:
    """Print what an erasure would do and why something stays; with the code of the plan, do it."""
    with explained(), transaction() as session:
        allow_long_statements(session)
        person = privacy.person_of(session, email)
        if not confirm:
            plan = privacy.held(session, person)
            _print(plan)
            click.echo(
                "Nothing was changed. To do this:"
                f" flask privacy erase {person.email} --confirm {privacy.code_of(person, plan)}"
            )
            return
        pseudonym, plan = privacy.erase(session, person, confirm, by=SYSTEM, now=clock.now())
    _print(plan)
    click.echo(f"Done: the account and whatever could be changed is {pseudonym} now.")


def _print(plan: Sequence[privacy.Held]) -> None:
    for one in plan:
        where = f"{one.table}.{one.column}"
        click.echo(f"  {where:<36}{one.rows:>8}  {one.fate:<10} {translate(one.why)}")


@commands.command("clean")
def clean() -> None:
    """Remove what is older than the settings say, as the worker does each night."""
    for what, number in retention.remove_now(clock.now()).items():
        click.echo(f"{what}: {number}")


def init_app(app: Flask) -> None:
    app.cli.add_command(commands)
