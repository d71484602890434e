"""Polygons that people draw or send as GeoJSON: looked at number by number, then by PostGIS.

Shapely is not asked: hostile input ends it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from geoalchemy2 import WKTElement
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import store
from core.errors import Invalid
from core.geo import from_xy, to_polygon
from core.words import N_

Wrong = Callable[..., Invalid]


def outline(session: Session, given: Any, *, field: str, most: int) -> WKTElement:
    """The polygon of a GeoJSON geometry or feature, as the database takes it.

    Longitude stands before latitude, degrees of EPSG:4326. Raises `Invalid` for `field` with the
    one thing that is wrong: the type, a ring, a number, a height, more than `most` corners, a
    place outside the deployment's envelope, or what PostGIS finds invalid and where.
    """
    wrong = partial(_wrong, field)
    rings = _rings(given, wrong, most)
    envelope = store.envelope(session)
    for ring in rings:
        for x, y in ring:
            inside = -180 <= x <= 180 and -90 <= y <= 90
            if not inside or not envelope.contains(from_xy(x, y)):
                message = N_(
                    "The corner %(x)s, %(y)s lies outside the area of this deployment;"
                    " in GeoJSON the longitude stands before the latitude"
                )
                raise wrong(message, x=x, y=y)
    shape = to_polygon(rings)
    fault = func.ST_IsValidDetail(shape)
    valid, reason, at_x, at_y = session.execute(
        select(
            func.ST_IsValid(shape),
            func.ST_IsValidReason(shape),
            func.ST_X(func.location(fault)),
            func.ST_Y(func.location(fault)),
        )
    ).one()
    if not valid:
        if at_x is not None and "intersection" in reason.lower():
            message = N_("The outline crosses itself at %(x)s, %(y)s")
            raise wrong(message, x=round(at_x, 6), y=round(at_y, 6))
        raise wrong(N_("The polygon is not valid: %(reason)s"), reason=reason)
    return shape


def _wrong(field: str, message: str, **facts: Any) -> Invalid:
    return Invalid(message, fields={field: [(message, facts)]}, **facts)


def _rings(given: Any, wrong: Wrong, most: int) -> list[list[tuple[float, float]]]:
    """The rings of a GeoJSON polygon, each number looked at."""
    if isinstance(given, dict) and given.get("type") == "Feature":
        given = given.get("geometry")
    if not isinstance(given, dict) or given.get("type") != "Polygon":
        raise wrong(N_("This is no GeoJSON geometry of the type Polygon"))
    if set(given) - {"type", "coordinates", "bbox"}:
        raise wrong(N_("Only type and coordinates belong to a polygon, in degrees of WGS 84"))
    rings = given.get("coordinates")
    if not isinstance(rings, list) or not rings:
        raise wrong(N_("The polygon is empty"))
    number = sum(len(ring) for ring in rings if isinstance(ring, list))
    if number > most or len(rings) > most:
        message = N_("The polygon has %(number)s corners; at most %(most)s are kept")
        raise wrong(message, number=max(number, len(rings)), most=most)
    return [_ring(ring, wrong) for ring in rings]


def _ring(ring: Any, wrong: Wrong) -> list[tuple[float, float]]:
    if not isinstance(ring, list) or len(ring) < 4:
        raise wrong(N_("A ring has at least four positions, the last one equal to the first"))
    corners = [_corner(one, wrong) for one in ring]
    if corners[0] != corners[-1]:
        raise wrong(N_("A ring is not closed: its last position must equal its first"))
    return corners


def _corner(given: Any, wrong: Wrong) -> tuple[float, float]:
    if not isinstance(given, list) or len(given) < 2:
        raise wrong(N_("A position is two numbers: longitude, latitude"))
    if len(given) > 2:
        raise wrong(N_("A polygon is flat: positions with heights (Z) or measures (M) are not"))
    for one in given:
        if isinstance(one, bool) or not isinstance(one, int | float):
            raise wrong(N_("A position is two numbers: longitude, latitude"))
        try:
            finite = math.isfinite(one)
        except OverflowError:
            finite = False
        if not finite:
            raise wrong(N_("A coordinate is not a finite number"))
    return float(given[0]), float(given[1])
