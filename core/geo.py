"""Coordinates change their order here and nowhere else.

People say latitude before longitude; PostGIS, GeoJSON and shapely take x (longitude) first.
Everything stored is EPSG:4326 in degrees.
"""

from __future__ import annotations

import functools
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from geoalchemy2 import WKTElement
from geoalchemy2.elements import WKBElement
from geoalchemy2.shape import to_shape
from pyproj import Geod

SRID = 4326
# How EWKB begins for a point in that system: little-endian, a point with its system's number.
POINT_HEAD = struct.pack("<BII", 1, 0x20000001, SRID)


@dataclass(frozen=True)
class Position:
    """A point in degrees of EPSG:4326."""

    latitude: float
    longitude: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.latitude) and math.isfinite(self.longitude)):
            raise ValueError("a coordinate is not finite")
        if not -90 <= self.latitude <= 90:
            raise ValueError("latitude lies outside -90..90")
        if not -180 <= self.longitude <= 180:
            raise ValueError("longitude lies outside -180..180")


@dataclass(frozen=True)
class Envelope:
    """A box in degrees of EPSG:4326."""

    west: float
    south: float
    east: float
    north: float

    def contains(self, position: Position) -> bool:
        return (
            self.west <= position.longitude <= self.east
            and self.south <= position.latitude <= self.north
        )


def from_xy(x: float, y: float) -> Position:
    """The position of x (longitude) and y (latitude) in degrees of EPSG:4326.

    Raises `ValueError` for what is not finite or no such degree.
    """
    return Position(latitude=y, longitude=x)


def to_xy(position: Position) -> tuple[float, float]:
    """x (longitude) and y (latitude) in degrees of EPSG:4326."""
    return float(position.longitude), float(position.latitude)


def east_first(first: float, second: float, *, north_first: bool) -> tuple[float, float]:
    """Two coordinates as written, in the order of programs: x (east) before y (north).

    Latitude stands before longitude on papers, and on Vietnamese ones X, the northing, before Y.
    """
    return (second, first) if north_first else (first, second)


@functools.cache
def _ellipsoid() -> Geod:
    return Geod(ellps="WGS84")


def metres_between(one: Position, other: Position) -> float:
    """Metres between two positions on the ellipsoid, as `ST_Distance` of geographies says."""
    _, _, metres = _ellipsoid().inv(one.longitude, one.latitude, other.longitude, other.latitude)
    return float(metres)


def to_point(position: Position) -> WKTElement:
    """The position as PostGIS takes it."""
    return WKTElement(f"POINT({position.longitude!r} {position.latitude!r})", srid=SRID)


def to_polygon(rings: Sequence[Sequence[tuple[float, float]]]) -> WKTElement:
    """A polygon as PostGIS takes it; each ring is closed, each corner x (longitude), y (latitude).

    The numbers are finite: whoever calls has looked at them.
    """
    texts = (", ".join(f"{x!r} {y!r}" for x, y in ring) for ring in rings)
    return WKTElement(f"POLYGON({', '.join(f'({text})' for text in texts)})", srid=SRID)


def to_position(point: WKTElement | WKBElement | str) -> Position:
    """The position of a point read from, or meant for, the database."""
    if isinstance(point, WKTElement):
        x, y = point.data.removeprefix("POINT(").removesuffix(")").split()
        return Position(latitude=float(y), longitude=float(x))
    if isinstance(point, str):
        point = WKBElement(point)
    if not isinstance(point.data, str) and bytes(point.data[:9]) == POINT_HEAD:
        # Lists read points by the hundred: the two numbers stand behind a head that we know.
        x, y = struct.unpack_from("<dd", point.data, 9)
        return Position(latitude=y, longitude=x)
    shape = to_shape(point)
    return Position(latitude=shape.y, longitude=shape.x)
