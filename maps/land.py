"""Land against sea as paths of a drawing, from the same outline without borders that maps have."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy
import shapely
from pyogrio.raw import read

from maps.rules import HALF
from maps.sheet import FARTHEST_NORTH, Frame

LAND = Path(__file__).resolve().parents[1] / "core" / "static" / "dist" / "land.json"
# Around a frame, in millimetres, so that the stroke of what is cut off lies outside.
AROUND = 3


@cache
def _land() -> list[Any]:
    """The polygons of land in EPSG:3857, each around its middle; some go on beyond 180 degrees."""
    _, _, (outline,), _ = read(LAND, layer="land", columns=[])
    found: list[Any] = []
    for polygon in shapely.get_parts(shapely.from_wkb(outline)):
        rings = [
            _whole(numpy.array(ring.coords)) for ring in (polygon.exterior, *polygon.interiors)
        ]
        for turn in (-360, 0, 360):
            moved = [numpy.add(ring, (turn, 0)) for ring in rings]
            west, east = moved[0][:, 0].min(), moved[0][:, 0].max()
            if west < 180 and east > -180:
                found.append(shapely.Polygon(_flat(moved[0]), [_flat(one) for one in moved[1:]]))
    # What is not valid cannot be cut; the source has one such coast or two.
    return [one if one.is_valid else shapely.make_valid(one) for one in found]


def _flat(ring: Any) -> Any:
    """Degrees in metres of EPSG:3857."""
    latitudes = numpy.radians(numpy.clip(ring[:, 1], -FARTHEST_NORTH, FARTHEST_NORTH))
    norths = numpy.arcsinh(numpy.tan(latitudes)) / numpy.pi * HALF
    return numpy.stack([ring[:, 0] / 180 * HALF, norths], axis=1)


def _whole(ring: Any) -> Any:
    """A ring that goes on across 180 degrees as one piece; round a pole it goes over the pole."""
    steps = numpy.diff(ring[:, 0])
    turns = numpy.concatenate([[0], numpy.cumsum(-360 * numpy.sign(steps) * (abs(steps) > 180))])
    ring = ring + numpy.stack([turns, numpy.zeros(len(ring))], axis=1)
    if turns[-1]:
        pole = 90 * numpy.sign(ring[0, 1])
        ring = numpy.vstack([ring, [ring[-1, 0], pole], [ring[0, 0], pole], ring[0]])
    return ring - (360 * numpy.round((ring[:, 0].min() + ring[:, 0].max()) / 720), 0)


def land_path(frame: Frame) -> str:
    """The land in a frame as the data of a path in its millimetres, empty where there is none."""
    around = AROUND * frame.unit
    box = (frame.west - around, frame.south - around, frame.east + around, frame.north + around)
    parts: list[str] = []
    for polygon in _land():
        cut = shapely.clip_by_rect(polygon, *box)
        for piece in shapely.get_parts(shapely.simplify(cut, 0.05 * frame.unit)):
            if piece.geom_type != "Polygon":
                continue
            for ring in (piece.exterior, *piece.interiors):
                corners = [frame.at(x, y) for x, y in ring.coords]
                parts.append("M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in corners[:-1]) + "Z")
    return "".join(parts)
