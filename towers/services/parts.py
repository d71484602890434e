"""Changing what belongs to a tower: each change is one version and one entry of its history."""

from __future__ import annotations

import math
import unicodedata
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from geoalchemy2 import Geometry, WKTElement
from sqlalchemy import func, literal, select
from sqlalchemy.orm import Session

from accounts.models import Organisation
from core import audit, policy, store
from core.errors import Conflict, Invalid
from core.geo import SRID, Position, from_xy, to_point, to_polygon, to_position
from core.policy import Actor
from core.words import N_
from towers.fields import Kind
from towers.models import Antenna, GuyAnchor, Installation, Permit, Tower
from towers.parts import (
    FARTHEST_ANCHOR_M,
    FOOTPRINT,
    INSTALLATION,
    MOST_ANTENNAS,
    MOST_PARTS,
    PartKind,
    key_of,
)
from towers.queries import parts as queries
from towers.queries.parts import MODELS, Part, plain_part
from towers.services import require_inside_envelope, snapshot

MOST_VERTICES = 500
# A polygon farther away from its mast is another one's ground.
FARTHEST_FOOTPRINT_M = 1_000


def state(session: Session, tower: Tower) -> dict[str, Any]:
    """Everything that history keeps of a tower as it is now: its fields, parts and footprint."""
    return {**snapshot(tower), **queries.plain_parts(session, tower.id)}


def add_part(
    session: Session,
    tower: Tower,
    kind: PartKind,
    *,
    values: Mapping[str, Any],
    by: Actor,
    now: datetime,
) -> Part:
    """Add a part to a tower that the caller holds.

    `values` has the fields of the kind by name, organisations as such or `None`; for an anchor
    `position`, for an installation `antennas`, each with the fields of an antenna. Raises
    `Invalid` for values that do not fit each other and `Conflict` for an anchor's known number.
    """
    policy.require(by, "tower.edit", tower)
    if queries.number_of(session, kind, tower.id) >= MOST_PARTS:
        raise Invalid(N_("A tower has at most %(most)s of these"), most=MOST_PARTS)
    part = MODELS[kind.name](id=uuid.uuid4(), tower_id=tower.id)
    _assign(session, tower, kind, part, values)
    session.add(part)
    session.flush()
    _changed(
        session,
        tower,
        f"{kind.name}.add",
        {key_of(kind, part.id): (None, plain_part(kind, part))},
        by=by,
        now=now,
    )
    return part


def change_part(
    session: Session,
    tower: Tower,
    kind: PartKind,
    part: Part,
    *,
    values: Mapping[str, Any],
    by: Actor,
    now: datetime,
) -> None:
    """Change a part; the same values change nothing. Takes and raises the same as `add_part`."""
    policy.require(by, "tower.edit", tower)
    before = plain_part(kind, part)
    _assign(session, tower, kind, part, values)
    after = plain_part(kind, part)
    if after != before:
        _changed(
            session,
            tower,
            f"{kind.name}.edit",
            {key_of(kind, part.id): (before, after)},
            by=by,
            now=now,
        )


def remove_part(
    session: Session, tower: Tower, kind: PartKind, part: Part, *, by: Actor, now: datetime
) -> None:
    """Take a part away; history keeps what it was."""
    policy.require(by, "tower.edit", tower)
    before = plain_part(kind, part)
    session.delete(part)
    _changed(
        session,
        tower,
        f"{kind.name}.remove",
        {key_of(kind, part.id): (before, None)},
        by=by,
        now=now,
    )


def _changed(
    session: Session,
    tower: Tower,
    action: str,
    changes: Mapping[str, tuple[Any, Any]],
    *,
    by: Actor,
    now: datetime,
) -> None:
    tower.version += 1
    tower.updated_at = now
    session.flush()
    audit.record(
        session,
        action,
        "tower",
        tower.id,
        by=by,
        now=now,
        before={key: before for key, (before, _) in changes.items()},
        after={key: after for key, (_, after) in changes.items()},
    )


def _assign(
    session: Session, tower: Tower, kind: PartKind, part: Part, values: Mapping[str, Any]
) -> None:
    for field in kind.columns:
        if field.name not in values:
            continue
        value = values[field.name]
        if field.kind is Kind.ORGANISATION:
            organisation: Organisation | None = value
            setattr(part, field.name, organisation)
            value = organisation.id if organisation else None
        elif isinstance(value, str):
            value = unicodedata.normalize("NFC", value).strip()
        setattr(part, field.column, value)
    if isinstance(part, Installation):
        _require_period(part.since, part.until, "until")
        if "antennas" in values:
            _assign_antennas(part, values["antennas"])
    elif isinstance(part, Permit):
        _require_period(part.issued_on, part.expires_on, "expires_on")
    else:
        _place_anchor(session, tower, part, values)


def _require_period(first: Any, last: Any, field: str) -> None:
    if first is not None and last is not None and last < first:
        message = N_("The end lies before the beginning")
        raise Invalid(message, fields={field: [message]})


def _assign_antennas(part: Installation, antennas: list[dict[str, Any]]) -> None:
    if len(antennas) > MOST_ANTENNAS:
        message = N_("An installation has at most %(most)s rows of antennas")
        raise Invalid(
            message, fields={"antennas": [(message, {"most": MOST_ANTENNAS})]}, most=MOST_ANTENNAS
        )
    wanted = [Antenna(id=uuid.uuid4(), **one) for one in antennas]
    present = plain_part(INSTALLATION, part)["antennas"]
    # The same rows again are not another version.
    if queries.plain_antennas(antennas) != present:
        part.antennas = wanted


def _place_anchor(
    session: Session, tower: Tower, anchor: GuyAnchor, values: Mapping[str, Any]
) -> None:
    taken = session.scalar(
        select(GuyAnchor.id).where(
            GuyAnchor.tower_id == tower.id,
            GuyAnchor.number == anchor.number,
            GuyAnchor.id != anchor.id,
        )
    )
    if taken:
        message = N_("This tower has an anchor with the number %(number)s already")
        raise Conflict(message, fields={"number": [message]}, number=anchor.number)
    position: Position | None = values.get("position")
    if position is None or (anchor.geom is not None and position == to_position(anchor.geom)):
        return
    require_inside_envelope(session, position)
    away = _metres_from_mast(session, tower, to_point(position))
    if away > FARTHEST_ANCHOR_M:
        message = N_("The anchor would stand %(away)s m from the mast, more than %(most)s m")
        facts = {"away": round(away), "most": FARTHEST_ANCHOR_M}
        raise Invalid(
            message,
            fields={name: [(message, facts)] for name in ("latitude", "longitude")},
            **facts,
        )
    anchor.geom = to_point(position)


def _metres_from_mast(session: Session, tower: Tower, shape: WKTElement) -> float:
    """How far a shape lies from the mast as the database has it, in metres on the ellipsoid."""
    there = func.geography(literal(shape, Geometry(srid=SRID)))
    away = session.scalar(
        select(func.ST_Distance(func.geography(Tower.geom), there)).where(Tower.id == tower.id)
    )
    return float(away or 0.0)


# Footprint


def set_footprint(
    session: Session, tower: Tower, given: Any, *, by: Actor, now: datetime
) -> dict[str, Any] | None:
    """Draw the ground that a tower stands on: a GeoJSON polygon, or `None` for nothing.

    Longitude stands before latitude, degrees of EPSG:4326. Raises `Invalid` with the one thing
    that is wrong: the type, a ring, a number, a height, too many corners, a place outside, or
    what PostGIS finds invalid and where. Returns the footprint as it is kept.
    """
    policy.require(by, "tower.edit", tower)
    before = queries.footprint(session, tower.id)
    tower.footprint = None if given is None else _polygon(session, tower, given)
    session.flush()
    after = queries.footprint(session, tower.id)
    if after != before:
        action = "footprint.remove" if after is None else "footprint.edit"
        _changed(session, tower, action, {FOOTPRINT: (before, after)}, by=by, now=now)
    return after


def _wrong(message: str, **facts: Any) -> Invalid:
    return Invalid(message, fields={FOOTPRINT: [(message, facts)]}, **facts)


def _polygon(session: Session, tower: Tower, given: Any) -> WKTElement:
    """The polygon as the database takes it. Shapely is not asked: hostile input ends it."""
    rings = _rings(given)
    envelope = store.envelope(session)
    for ring in rings:
        for x, y in ring:
            inside = -180 <= x <= 180 and -90 <= y <= 90
            if not inside or not envelope.contains(from_xy(x, y)):
                message = N_(
                    "The corner %(x)s, %(y)s lies outside the area of this deployment;"
                    " in GeoJSON the longitude stands before the latitude"
                )
                raise _wrong(message, x=x, y=y)
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
            raise _wrong(message, x=round(at_x, 6), y=round(at_y, 6))
        raise _wrong(N_("The polygon is not valid: %(reason)s"), reason=reason)
    away = _metres_from_mast(session, tower, shape)
    if away > FARTHEST_FOOTPRINT_M:
        message = N_("The polygon lies %(away)s m from the mast, more than %(most)s m")
        raise _wrong(message, away=round(away), most=FARTHEST_FOOTPRINT_M)
    return shape


def _rings(given: Any) -> list[list[tuple[float, float]]]:
    """The rings of a GeoJSON polygon, each number looked at."""
    if isinstance(given, dict) and given.get("type") == "Feature":
        given = given.get("geometry")
    if not isinstance(given, dict) or given.get("type") != "Polygon":
        raise _wrong(N_("A footprint is a GeoJSON geometry of the type Polygon"))
    if set(given) - {"type", "coordinates", "bbox"}:
        raise _wrong(N_("Only type and coordinates belong to a footprint, in degrees of WGS 84"))
    rings = given.get("coordinates")
    if not isinstance(rings, list) or not rings:
        raise _wrong(N_("The polygon is empty"))
    number = sum(len(ring) for ring in rings if isinstance(ring, list))
    if number > MOST_VERTICES or len(rings) > MOST_VERTICES:
        message = N_("The polygon has %(number)s corners; at most %(most)s are kept")
        raise _wrong(message, number=max(number, len(rings)), most=MOST_VERTICES)
    return [_ring(ring) for ring in rings]


def _ring(ring: Any) -> list[tuple[float, float]]:
    if not isinstance(ring, list) or len(ring) < 4:
        raise _wrong(N_("A ring has at least four positions, the last one equal to the first"))
    corners = [_corner(one) for one in ring]
    if corners[0] != corners[-1]:
        raise _wrong(N_("A ring is not closed: its last position must equal its first"))
    return corners


def _corner(given: Any) -> tuple[float, float]:
    if not isinstance(given, list) or len(given) < 2:
        raise _wrong(N_("A position is two numbers: longitude, latitude"))
    if len(given) > 2:
        raise _wrong(N_("A footprint is flat: positions with heights (Z) or measures (M) are not"))
    for one in given:
        if isinstance(one, bool) or not isinstance(one, int | float):
            raise _wrong(N_("A position is two numbers: longitude, latitude"))
        try:
            finite = math.isfinite(one)
        except OverflowError:
            finite = False
        if not finite:
            raise _wrong(N_("A coordinate is not a finite number"))
    return float(given[0]), float(given[1])
