"""Commands that load and remove layers of the base map."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import click
from flask import Flask
from flask.cli import AppGroup

from areas.readers import Choice
from core import clock
from core.cli import explained
from core.db import current_session, transaction
from core.policy import SYSTEM
from maps.doors import archive_path
from maps.queries import base
from maps.readers import read_archive, read_shapes
from maps.rules import LayerKind
from maps.services.base_layers import Terms, load_layer, load_pictures, remove_layer

commands = AppGroup("maps", help="The base map.")
layers = AppGroup("layer", help="Rivers, roads, borders, places and pictures of your own.")
commands.add_command(layers)


@layers.command("load")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--kind", type=click.Choice([one.value for one in LayerKind]), required=True)
@click.option("--name", default="", help="What it is called on the map.  [the file's name]")
@click.option("--source", required=True, help="Who made it; stands on the map.")
@click.option("--licence", default="", help="How it may be used; stands on the map.")
@click.option("--from-zoom", type=int, default=0, help="Drawn from this zoom on.")
@click.option("--name-column", default="", help="Which column has the names, if not guessed.")
@click.option("--layer", default="", help="Which layer of a file with several.")
@click.option("--srid", type=int, help="EPSG code, where the file does not state its system.")
def load(
    file: Path,
    kind: str,
    name: str,
    source: str,
    licence: str,
    from_zoom: int,
    name_column: str,
    layer: str,
    srid: int | None,
) -> None:
    """Load a layer from FILE: GeoJSON, GeoPackage, zipped Shapefile, KML or FlatGeobuf; pictures
    from a PMTiles archive."""
    choice = Choice(name=name_column, layer=layer, srid=srid)
    terms = Terms(LayerKind(kind), name or file.stem, source, licence, from_zoom)
    if terms.kind == LayerKind.PICTURES:
        load_archive(file, terms)
        return
    with explained():
        shapes = read_shapes(file, file.name, terms.kind, choice)
        with transaction() as session:
            made = load_layer(session, shapes, terms, by=SYSTEM, now=clock.now())
            click.echo(f"{made.id}: {made.features} features of {made.name}")


def load_archive(file: Path, terms: Terms) -> None:
    """Note an archive and keep a copy of it; it is whole before anybody is told of it."""
    with explained():
        archive = read_archive(file)
        with transaction() as session:
            given = replace(terms, from_zoom=max(terms.from_zoom, archive.from_zoom))
            made = load_pictures(session, archive.pictures, given, by=SYSTEM, now=clock.now())
            kept = archive_path(made.id)
            kept.parent.mkdir(parents=True, exist_ok=True)
            copy = kept.with_suffix(".part")
            shutil.copyfile(file, copy)
            copy.replace(kept)
            click.echo(
                f"{made.id}: {archive.pictures} pictures of {made.name}, zoom"
                f" {archive.from_zoom} to {archive.to_zoom}"
            )


@layers.command("list")
def list_layers() -> None:
    """Print every layer with its number, in the order of drawing."""
    for one in base.layers(current_session()):
        licence = f", {one.licence}" if one.licence else ""
        click.echo(
            f"{one.id}: {one.name} ({one.kind}, {one.features} features, from zoom"
            f" {one.from_zoom}): {one.source}{licence}"
        )


@layers.command("remove")
@click.argument("number", type=int)
def remove(number: int) -> None:
    """Take the layer NUMBER off every map."""
    with explained(), transaction() as session:
        removed = remove_layer(session, number, by=SYSTEM, now=clock.now())
    archive_path(number).unlink(missing_ok=True)
    click.echo(f"removed: {removed.name}")


def init_app(app: Flask) -> None:
    app.cli.add_command(commands)
