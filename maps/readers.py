"""Reading a file of rivers, roads, borders or places for the base map, every feature checked; and
what an archive of pictures says of itself.

Everything comes out in EPSG:4326, in the part of the world that the map shows. What is wrong is
said of all features at once, with their numbers in the file.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shapely
from pyproj import Transformer

from areas.naming import unmarked
from areas.readers import (
    MAX_REPORTED,
    MAX_VERTICES,
    Choice,
    in_degrees,
    kind_of,
    on_earth,
    text_of,
    transformer_of,
)
from core.errors import FieldText, Invalid, TooLarge
from core.geofiles import Feature, opened
from core.words import N_
from maps.rules import LINES, POINTS, SHAPES, SURFACES, LayerKind

MAX_FEATURES = 300_000
LONGEST_NAME = 200
# Columns that have names, the most Vietnamese first.
NAME_COLUMNS = ("namevi", "ten", "tendiadanh", "tensong", "tenduong", "name")
# The head of a PMTiles archive, version 3: https://github.com/protomaps/PMTiles/blob/main/spec/v3/spec.md
HEAD = struct.Struct("<7sB11QBBBBBB")
# Its ways to compress directories and pictures that browsers undo: none and gzip; its types of
# pictures: PNG, JPEG, WebP, AVIF.
COMPRESSIONS, PICTURES = (1, 2), (2, 3, 4, 5)
# Where the square world of the map ends.
NORTHERNMOST = 85.05


@dataclass(frozen=True)
class Shape:
    """One feature as it is drawn: `wkb` (EPSG:4326), where its name stands, and its name or ""."""

    wkb: bytes
    label: bytes
    name: str


@dataclass(frozen=True)
class Archive:
    """An archive of pictures: how many there are, and from which zoom to which."""

    pictures: int
    from_zoom: int
    to_zoom: int


def read_archive(path: Path) -> Archive:
    """What a PMTiles archive of pictures is; raises `Invalid` for any other file or for a part."""
    with path.open("rb") as file:
        head = file.read(HEAD.size)
    if len(head) < HEAD.size or not head.startswith(b"PMTiles\x03"):
        raise Invalid(N_("The file is no PMTiles archive of version 3"))
    _, _, *sizes, _, inside, outside, kind, first, last = HEAD.unpack(head)
    ends = [start + length for start, length in zip(sizes[:8:2], sizes[1:8:2], strict=True)]
    if max(ends) > path.stat().st_size:
        raise Invalid(N_("The file ends too early: it was not copied whole"))
    if kind not in PICTURES:
        raise Invalid(N_("The archive has no pictures (PNG, JPEG, WebP or AVIF)"))
    if inside not in COMPRESSIONS or outside not in (0, *COMPRESSIONS):
        raise Invalid(N_("The archive is compressed in a way that browsers do not undo"))
    if not sizes[9] or first > last:
        raise Invalid(N_("The archive is empty"))
    return Archive(min(sizes[8], 2**31 - 1), first, last)


def read_shapes(path: Path, filename: str, kind: LayerKind, choice: Choice) -> list[Shape]:
    """The features of a file that a layer of this kind draws; features without a geometry have
    nothing to draw.

    Raises `Invalid` that names every feature that is wrong, `SystemNeeded`, `SeveralLayers`, and
    whatever `core.geofiles.opened` does.
    """
    with opened(path, filename, layer=choice.layer or None) as file:
        place = _name_place(choice.name, file.layer.columns)
        to_degrees = transformer_of(file.layer, choice.srid)
        found: list[Shape] = []
        wrong: dict[str, list[FieldText]] = {}
        vertices = 0
        for feature in file.features:
            if feature.number > MAX_FEATURES:
                raise TooLarge(N_("The file has more than %(limit)s features"), limit=MAX_FEATURES)
            if feature.wkb is None:
                continue
            shape, problem = _shape(feature, kind, to_degrees)
            if problem is not None:
                if len(wrong) < MAX_REPORTED:
                    wrong[f"feature {feature.number}"] = [problem]
                continue
            vertices += int(shapely.get_num_coordinates(shape))
            if vertices > MAX_VERTICES:
                raise TooLarge(
                    N_("The layer has more than %(limit)s points: simplify it"),
                    limit=MAX_VERTICES,
                )
            if not shape.is_empty:
                name = "" if place is None else text_of(feature.values[place])[:LONGEST_NAME]
                found += _drawn(shape, name, kind)
    if wrong:
        raise Invalid(
            N_("Some features of the file are not right; nothing was loaded"), fields=wrong
        )
    if not found:
        raise Invalid(N_("The file has no features"))
    return found


def _name_place(chosen: str, columns: Sequence[str]) -> int | None:
    if chosen:
        if chosen not in columns:
            raise Invalid(
                N_("The file has no column “%(column)s”, but %(columns)s"),
                column=chosen[:100],
                columns=", ".join(columns),
            )
        return columns.index(chosen)
    plain = [unmarked(one).replace("_", "").replace(" ", "") for one in columns]
    return next((plain.index(one) for one in NAME_COLUMNS if one in plain), None)


def _shape(
    feature: Feature, kind: LayerKind, to_degrees: Transformer | None
) -> tuple[Any, FieldText | None]:
    """The shape in degrees, or what is wrong with it."""
    wkb = feature.wkb or b""
    if kind_of(wkb) not in SHAPES[kind]:
        return None, N_("Its geometry is not one that a layer of this kind draws")
    shape = shapely.from_wkb(wkb, on_invalid="ignore")
    if shape is None:
        return None, N_("A ring of it is not closed")
    shape = shapely.force_2d(shape)
    if shape.is_empty:
        return shape, None
    if to_degrees is not None:
        shape = in_degrees(shape, to_degrees)
    if not on_earth(shape):
        return None, N_(
            "It does not lie on earth: its coordinates are not in the system that the file states"
        )
    return shapely.clip_by_rect(shape, -180, -NORTHERNMOST, 180, NORTHERNMOST), None


def _drawn(shape: Any, name: str, kind: LayerKind) -> list[Shape]:
    """The lines, surfaces or points that are drawn; a border is a line.

    Of several parts the greatest has the name, of several points all.
    """
    whole = shape if shape.is_valid else shapely.make_valid(shape)
    # What mending a surface leaves over is of another kind.
    parts = [one for one in _single(whole) if kind_of(shapely.to_wkb(one)) in SHAPES[kind]]
    greatest = max(parts, key=lambda one: (one.area, one.length), default=None)
    drawn: list[Shape] = []
    for one in parts:
        type_number = kind_of(shapely.to_wkb(one))
        if type_number in POINTS:
            label = one
        elif type_number in LINES:
            label = shapely.line_interpolate_point(one, 0.5, normalized=True)
        else:
            label = shapely.point_on_surface(one)
        edge = one.boundary if kind == LayerKind.BORDER and type_number in SURFACES else one
        said = name if one is greatest or type_number in POINTS else ""
        drawn.append(Shape(shapely.to_wkb(edge), shapely.to_wkb(label), said))
    return drawn


def _single(shape: Any) -> list[Any]:
    """The points, lines and surfaces of which a shape consists."""
    parts = list(shapely.get_parts(shape))
    return parts if parts == [shape] else [one for part in parts for one in _single(part)]
