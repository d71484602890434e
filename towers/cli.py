"""Commands of the register."""

from __future__ import annotations

import shutil
import sys
import uuid
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
from towers.coordinates import OUTSIDE
from towers.fields import VOCABULARIES
from towers.import_jobs import uploads
from towers.imports import batches, undoing
from towers.imports.models import ImportBatch
from towers.imports.report import explained as said
from towers.imports.states import State
from towers.imports.watching import STEPS, Told
from towers.mapping import ColumnMapping, corrected

commands = AppGroup("towers", help="The register of towers.")
# As many rows of a kind as are told one by one.
SHOWN = 20


@commands.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--mapping", "name", help="A saved mapping of the columns, by its name.")
@click.option("--part", "--sheet", "--layer", help="The sheet or layer, where there are several.")
@click.option("--srid", type=int, help="The coordinate system (EPSG code) of rows without one.")
@click.option("--good-rows", is_flag=True, help="Import the good rows, leave the bad ones out.")
@click.option("--dry-run", is_flag=True, help="Say what would happen and write nothing.")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write an XLSX file of the rows that something is said about, with the reasons.",
)
def import_file(
    file: Path,
    name: str | None,
    part: str | None,
    srid: int | None,
    good_rows: bool,
    dry_run: bool,
    report: Path | None,
) -> None:
    """Import a list of towers from FILE: CSV, XLSX, GeoJSON, GeoPackage, Shapefile, KML."""
    click.echo(f"Reading {file.name} …", err=True)
    with explained():
        with transaction() as session, file.open("rb") as stream:
            batch = batches.receive(
                session, uploads(), file.name, stream, by=SYSTEM, now=clock.now(), part=part
            )
            choose(batch, name, srid)
        with transaction() as session:
            work = State.CHECKING if dry_run else State.IMPORTING
            batches.start(
                session,
                uploads(),
                batch,
                work,
                options={"good_rows": good_rows},
                at_once=True,
                by=SYSTEM,
                now=clock.now(),
            )
            watch = Told(tell)
            batches.work(session, uploads(), batch, watch=watch, by=SYSTEM, now=clock.now())
            watch.tell("", watch.rows)
    tell_result(batch)
    if report is not None and batch.counts:
        outcome = batches.outcome_of(uploads(), batch)
        with outcome.workbook(VOCABULARIES["tower_field"]) as book, report.open("wb") as out:
            shutil.copyfileobj(book, out)
        click.echo(f"The report: {report}", err=True)
    if batch.state == State.FAILED:
        assert batch.error is not None
        raise click.ClickException(translate(batch.error["message"], **batch.error["facts"]))
    bad = batch.counts["bad"]
    if bad and not good_rows:
        raise click.ClickException(
            f"{bad} of {batch.counts['rows']} rows are wrong; nothing was written."
            " Mend them, or take --good-rows."
        )


def choose(batch: ImportBatch, name: str | None, srid: int | None) -> None:
    """Take the saved mapping of this name, and this coordinate system, for a list."""
    session = current_session()
    if batch.mapping is None:
        raise click.ClickException(
            f"The file has several parts: choose one by --part: {', '.join(batch.facts['parts'])}"
        )
    mapping = batches.mapping_of(batch)
    if name is not None:
        saved = batches.mapping_named(session, name)
        mapping = ColumnMapping.from_json(saved.mapping, batch.facts["headers"])
    if srid is not None:
        mapping = corrected(mapping, srid=srid)
    batches.choose_columns(session, batch, mapping)


def tell(step: str, rows: int) -> None:
    """The step and the rows read so far, on one line of standard error."""
    if not sys.stderr.isatty():
        return
    text = translate(STEPS[step]) if step else ""
    click.echo(f"\r\033[K{text} … {rows:,}" if step else "\r\033[K", nl=False, err=True)


def tell_result(batch: ImportBatch) -> None:
    """The first wrong rows with their number, column, value and reason, then the counts."""
    first = batches.outcome_of(uploads(), batch).first() if batch.counts else {}
    wrong = first.get("wrong", ())
    for row in wrong[:SHOWN]:
        for one in row["reasons"]:
            reason = translate(one["message"], **one["facts"])
            click.echo(f"row {row['row']}, {one['column']}: {one['value']!r}: {reason}", err=True)
    tell_rest("wrong rows", batch.counts.get("bad", 0))
    if any(one["message"] == OUTSIDE for row in wrong for one in row["reasons"]):
        click.echo(
            "A list from elsewhere needs another area of this deployment first:"
            " flask settings set envelope -- WEST,SOUTH,EAST,NORTH",
            err=True,
        )
    for kind in ("duplicate", "suspicious"):
        for row in first.get(kind, ())[:SHOWN]:
            reasons = "; ".join(said(one, VOCABULARIES["tower_field"]) for one in row["reasons"])
            click.echo(f"row {row['row']}: {reasons}", err=True)
        tell_rest(f"{kind} rows", batch.counts.get(kind, 0))
    if batch.facts.get("ignored"):
        click.echo(f"Columns not imported: {', '.join(batch.facts['ignored'])}", err=True)
    if batch.counts:
        counts = batch.counts
        click.echo(
            f"{counts['rows']} rows: {counts['new']} new, {counts['changed']} changed,"
            f" {counts['same']} unchanged, {counts['bad']} wrong"
        )
        if counts["duplicate"]:
            click.echo(
                f"{counts['duplicate']} probable duplicates wait for a decision:"
                f" /towers/imports/{batch.id}"
            )
        if counts["suspicious"]:
            click.echo(f"{counts['suspicious']} positions are to be checked")
    click.echo(f"Import {batch.id}: {batch.state}")


def tell_rest(kind: str, number: int) -> None:
    """How many rows were not told one by one, and where they are."""
    if number > SHOWN:
        click.echo(f"… and {number - SHOWN} more {kind}: --report FILE names them all", err=True)


@commands.command("imports")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True)
def list_imports(limit: int) -> None:
    """List the newest imports with their ids."""
    for batch in batches.listed(current_session(), SYSTEM, limit=limit).rows:
        counts = " ".join(f"{key}={value}" for key, value in batch.counts.items() if value)
        moment = f"{batch.created_at:%Y-%m-%d %H:%M}"
        click.echo(f"{batch.id}  {moment}  {batch.state:<9}  {batch.filename}  {counts}".rstrip())


@commands.command("undo-import")
@click.argument("batch_id", metavar="ID", type=click.UUID)
def undo_import(batch_id: uuid.UUID) -> None:
    """Take the import ID back, while nothing depends on it."""
    with explained(), transaction() as session:
        batch = batches.batch_by_id(session, SYSTEM, batch_id)
        for one in undoing.obstacles(session, batch) if batch.state == State.DONE else ():
            names = one.codes
            if one.kept:
                names = tuple(f"{old} -> {kept}" for old, kept in zip(names, one.kept, strict=True))
            click.echo(f"{one.kind}: {one.number} ({', '.join(names)})", err=True)
        undoing.undo(session, batch, by=SYSTEM, now=clock.now())
    click.echo(f"Import {batch.id}: {batch.state}")


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


def init_app(app: Flask) -> None:
    app.cli.add_command(commands)
