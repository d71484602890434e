"""Points in geometry files as rows: their attributes, then longitude and latitude."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from core import geofiles
from core.geofiles import Feature
from core.words import N_
from towers.readers.listing import Facts, Listing, Note, Problem, Row, clean, limited

HEIGHTS: Note = (N_("The heights or measures of the points were left out"), {})
NOT_A_POINT = N_("The geometry is not a point")
# WKB of a point: the order of its bytes, its type, and where 2 or more numbers follow.
POINT, DIMENSIONS = 1, {0: 2, 1: 3, 2: 3, 3: 4}
MULTIPOINT = 4
NAMES = {
    2: "LineString", 3: "Polygon", MULTIPOINT: "MultiPoint", 5: "MultiLineString",
    6: "MultiPolygon", 7: "GeometryCollection",
}  # fmt: skip


@contextlib.contextmanager
def opened_geometry(path: Path, filename: str, part: str | None) -> Iterator[Listing]:
    """The points of a layer; raises what `core.geofiles.opened` does, also while rows are read."""
    with geofiles.opened(path, filename, layer=part) as opened:
        layer = opened.layer
        columns = len(layer.columns)
        listing = Listing(
            (*layer.columns, "longitude", "latitude"),
            iter(()),
            Facts(
                opened.format,
                part=layer.name,
                srid=layer.srid,
                system=layer.system,
                projection=layer.projection,
            ),
            points=(columns, columns + 1),
        )
        listing.rows = limited(_rows(opened.features, listing.notes))
        yield listing


def _rows(features: Iterator[Feature], notes: list[Note]) -> Iterator[Row]:
    for feature in features:
        x, y, flat, problem = _point(feature.wkb)
        if not flat and HEIGHTS not in notes:
            notes.append(HEIGHTS)
        cells = clean([written(value) for value in feature.values], protected=False)
        yield Row(feature.number, [*cells, x, y], (problem,) if problem else ())


def _point(wkb: bytes | None) -> tuple[str, str, bool, Problem | None]:
    """x and y as texts, whether there were only these two, and why there are none.

    No library of geometries is asked: one that was made to do harm ends its process.
    """
    if wkb is None:
        return _no_point("null")
    try:
        order = "<" if wkb[0] else ">"
        (kind,) = struct.unpack_from(f"{order}I", wkb, 1)
        if kind % 1000 == POINT and kind // 1000 in DIMENSIONS:
            x, y = struct.unpack_from(f"{order}dd", wkb, 5)
            if x == x and y == y:
                return plain_number(x), plain_number(y), kind < 1000, None
            return _no_point("POINT EMPTY")
        (number,) = struct.unpack_from(f"{order}I", wkb, 5)
        if kind % 1000 == MULTIPOINT and number == 1:
            return _point(wkb[9:])
    except (struct.error, IndexError):
        return _no_point("?")
    return _no_point(NAMES.get(kind % 1000, "?"))


def _no_point(value: str) -> tuple[str, str, bool, Problem | None]:
    return "", "", True, ("_geometry", NOT_A_POINT, {}, value)


def plain_number(value: float) -> str:
    """A number as people write it: 42 and 0.00001, never 42.0 or 1e-05."""
    text = format(Decimal(repr(value)), "f")
    return text.removesuffix(".0")


def written(value: Any) -> str:
    """A value of an attribute as a text; nothing for none."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return plain_number(value)
    if isinstance(value, list):
        return ",".join(written(one) for one in value)
    return str(value)
