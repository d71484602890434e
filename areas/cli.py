"""Commands that load administrative areas."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

import click
from flask import Flask
from flask.cli import AppGroup

from areas.readers import Choice, read_boundaries
from areas.rules import REFORM, Level, Validity
from areas.services.following import Consequence
from areas.services.loading import Change, Terms, load_areas
from areas.services.reform import ReformReport, load_reform, reform_pairs
from core import clock
from core.cli import explained
from core.db import current_session, transaction
from core.policy import SYSTEM

commands = AppGroup("areas", help="Provinces, districts of the past, and communes.")

DEMO = Path(__file__).resolve().parent / "data" / "dong-thap-communes-synthetic.geojson"


class Day(click.ParamType):
    """A day as 2025-07-01."""

    name = "day"

    def convert(self, value, parameter, context) -> date:
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail("write 2025-07-01", parameter, context)


def load_demo() -> Change:
    """Load Đồng Tháp: its communes with synthetic boundaries, and what was there before."""
    found = read_boundaries(DEMO, DEMO.name, Level.COMMUNE, Choice())
    terms = Terms(
        level=Level.COMMUNE,
        validity=Validity(REFORM),
        province_code="82",
        province_name="Tỉnh Đồng Tháp",
        synthetic=True,
        source="Tháp Canh: synthetic Voronoi cells, real names and codes",
    )
    with transaction() as session:
        change = load_areas(
            session, found.areas, terms, today=clock.today(), by=SYSTEM, now=clock.now()
        )
        load_reform(session, reform_pairs(), by=SYSTEM, now=clock.now())
    return change


@commands.command("load")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--level", type=click.Choice([one.value for one in Level]), default="commune", show_default=True
)
@click.option("--province-code", default="", help="Whose communes or districts they are.")
@click.option("--province-name", default="")
@click.option("--code-column", default="", help="Which column has the codes, if not guessed.")
@click.option("--name-column", default="", help="Which column has the names, if not guessed.")
@click.option("--layer", default="", help="Which layer of a file with several.")
@click.option("--srid", type=int, help="EPSG code, where the file does not state its system.")
@click.option("--valid-from", type=Day(), help="Since when the areas exist.  [2025-07-01]")
@click.option("--valid-to", type=Day(), help="Their last day, for areas of the past.")
@click.option("--complete", is_flag=True, help="End the areas of today that the file has not.")
@click.option("--synthetic", is_flag=True, help="The boundaries are not the real ones.")
@click.option("--source", default="", help="Where the file comes from.")
@click.option("--dry-run", is_flag=True, help="Say what would happen and write nothing.")
def load(
    file: Path,
    level: str,
    province_code: str,
    province_name: str,
    code_column: str,
    name_column: str,
    layer: str,
    srid: int | None,
    valid_from: date | None,
    valid_to: date | None,
    complete: bool,
    synthetic: bool,
    source: str,
    dry_run: bool,
) -> None:
    """Load areas from FILE: GeoJSON, GeoPackage, zipped Shapefile, KML or FlatGeobuf."""
    choice = Choice(code=code_column, name=name_column, layer=layer, srid=srid)
    terms = Terms(
        level=level,
        validity=Validity(valid_from or (None if valid_to else REFORM), valid_to),
        province_code=province_code,
        province_name=province_name,
        synthetic=synthetic,
        source=source or file.name,
        complete=complete,
    )
    with explained():
        found = read_boundaries(file, file.name, level, choice)
        if dry_run:
            session = current_session()
            change = load_areas(
                session, found.areas, terms, keep=False, today=clock.today(), by=SYSTEM,
                now=clock.now(),
            )  # fmt: skip
            session.rollback()
        else:
            with transaction() as session:
                change = load_areas(
                    session, found.areas, terms, today=clock.today(), by=SYSTEM, now=clock.now()
                )
    click.echo(f"Codes from “{found.code}”, names from “{found.name}”.", err=True)
    print_change(change)


def print_change(change: Change) -> None:
    """What begins, changes and ends, then what follows from it."""
    for word, named in (
        ("new", change.new),
        ("changed", change.changed),
        ("redrawn", change.followed),
        ("ended", change.ended),
    ):
        for code, name in named:
            click.echo(f"{word}: {code} {name}")
    click.echo(
        f"{change.areas} areas: {len(change.new)} new, {len(change.changed)} changed,"
        f" {len(change.followed)} redrawn since then, {change.same} unchanged;"
        f" {len(change.ended)} ended"
    )
    print_consequences(change.consequences)


def print_consequences(found: Iterable[Consequence]) -> None:
    for consequence in found:
        for line in consequence.lines:
            click.echo(line)


@commands.command("reform")
def reform() -> None:
    """Load what was there before July 2025 in Đồng Tháp, and who followed."""
    with explained(), transaction() as session:
        report = load_reform(session, reform_pairs(), by=SYSTEM, now=clock.now())
    print_reform(report)


def print_reform(report: ReformReport) -> None:
    click.echo(
        f"{report.provinces} provinces, {report.districts} districts and {report.communes}"
        f" communes of before 1 July 2025, {report.pairs} pairs of old and new."
    )
    if report.doubtful:
        click.echo(f"{report.doubtful} pairs were left out: their source confuses names.")
    print_consequences(report.consequences)


@commands.command("demo")
def demo() -> None:
    """Load Đồng Tháp with synthetic boundaries."""
    click.echo(f"{load_demo().areas} communes are there.")


def init_app(app: Flask) -> None:
    app.cli.add_command(commands)
