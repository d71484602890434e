"""Commands that load administrative areas."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click
from flask import Flask
from flask.cli import AppGroup

from areas import services
from core import clock
from core.cli import explained
from core.db import transaction
from core.policy import SYSTEM

commands = AppGroup("areas", help="Provinces and communes.")


def load_demo() -> int:
    """Load the 102 communes of Đồng Tháp with synthetic boundaries."""
    with transaction() as session:
        return services.load_areas(
            session,
            services.read_features(services.DEMO.read_bytes()),
            province_code="82",
            province_name="Tỉnh Đồng Tháp",
            synthetic=True,
            source="Tháp Canh: synthetic Voronoi cells, real names and codes",
            valid_from=date(2025, 7, 1),
            by=SYSTEM,
            now=clock.now(),
        )


@commands.command("load")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--province-code", required=True)
@click.option("--province-name", required=True)
@click.option("--synthetic", is_flag=True, help="The boundaries are not the real ones.")
@click.option("--source", default="", help="Where the file comes from.")
@click.option("--valid-from", default="2025-07-01", help="Since when the areas exist.")
def load(
    file: Path,
    province_code: str,
    province_name: str,
    synthetic: bool,
    source: str,
    valid_from: str,
) -> None:
    """Load the communes of a province from a GeoJSON FILE (properties code, fullName)."""
    try:
        since = date.fromisoformat(valid_from)
    except ValueError as error:
        raise click.BadParameter("write 2025-07-01", param_hint="--valid-from") from error
    with explained(), transaction() as session:
        number = services.load_areas(
            session,
            services.read_features(file.read_bytes()),
            province_code=province_code,
            province_name=province_name,
            synthetic=synthetic,
            source=source or file.name,
            valid_from=since,
            by=SYSTEM,
            now=clock.now(),
        )
    click.echo(f"{number} communes were loaded.")


@commands.command("demo")
def demo() -> None:
    """Load Đồng Tháp with synthetic boundaries."""
    click.echo(f"{load_demo()} communes were loaded.")


def init_app(app: Flask) -> None:
    app.cli.add_command(commands)
