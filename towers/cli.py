"""Commands of the register."""

from __future__ import annotations

from pathlib import Path

import click
from flask import Flask
from flask.cli import AppGroup

from core import clock
from core.cli import explained
from core.db import current_session, transaction
from core.i18n import translate
from core.policy import SYSTEM
from towers import moves
from towers.imports import Report, import_towers
from towers.mapping import opened_list

commands = AppGroup("towers", help="The register of towers.")


@commands.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--good-rows", is_flag=True, help="Import the good rows, leave the bad ones out.")
@click.option("--dry-run", is_flag=True, help="Say what would happen and write nothing.")
@click.option("--part", help="The sheet or layer to read, where the file has several.")
def import_file(file: Path, good_rows: bool, dry_run: bool, part: str | None) -> None:
    """Import a list of towers from FILE: CSV, XLSX, GeoJSON, GeoPackage, Shapefile, KML."""
    click.echo(f"Reading {file.name} …", err=True)
    with explained(), opened_list(file, file.name, part=part) as listing:
        if dry_run:
            session = current_session()
            report = import_towers(
                session, listing, good_rows=True, source=file.name, by=SYSTEM, now=clock.now()
            )
            session.rollback()
        else:
            with transaction() as session:
                report = import_towers(
                    session,
                    listing,
                    good_rows=good_rows,
                    source=file.name,
                    by=SYSTEM,
                    now=clock.now(),
                )
    print_report(report)
    if report.bad and not good_rows:
        raise click.ClickException(
            f"{report.bad} of {report.rows} rows are wrong; nothing was written."
            " Mend them, or take --good-rows."
        )


@commands.command("reassign")
@click.option("--dry-run", is_flag=True, help="Say what would move and write nothing.")
def reassign(dry_run: bool) -> None:
    """Assign every tower to its commune, after boundaries or the distance for gaps changed."""
    with explained():
        if dry_run:
            session = current_session()
            made = moves.look(session)
            session.rollback()
        else:
            with transaction() as session:
                made = moves.reassign(session, why="command", by=SYSTEM, now=clock.now())
    for line in made.lines:
        click.echo(line)
    if made.batch:
        click.echo(f"The list: /towers/reassignments/{made.batch}")


def print_report(report: Report) -> None:
    """Every wrong row with its number, column, value and reason, then the counts."""
    for cell in report.problems:
        reason = translate(cell.message, **cell.facts)
        click.echo(f"row {cell.number}, {cell.column}: {cell.value!r}: {reason}", err=True)
    if report.ignored:
        click.echo(f"Columns not imported: {', '.join(report.ignored)}", err=True)
    click.echo(
        f"{report.rows} rows: {report.new} new, {report.changed} changed,"
        f" {report.same} unchanged, {report.bad} wrong"
    )


def init_app(app: Flask) -> None:
    app.cli.add_command(commands)
