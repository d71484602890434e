"""Changing what belongs to a tower: each change is one version and one entry of its history."""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from geoalchemy2 import Geometry, WKTElement
from sqlalchemy import func, literal, select
from sqlalchemy.orm import Session

from accounts.models import Organisation
from core import audit, policy
from core.errors import Conflict, Invalid
from core.geo import SRID, Position, to_point, to_position
from core.outlines import outline
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


def _polygon(session: Session, tower: Tower, given: Any) -> WKTElement:
    """The polygon as the database takes it, near enough to the mast to be its ground."""
    shape = outline(session, given, field=FOOTPRINT, most=MOST_VERTICES)
    away = _metres_from_mast(session, tower, shape)
    if away > FARTHEST_FOOTPRINT_M:
        message = N_("The polygon lies %(away)s m from the mast, more than %(most)s m")
        facts = {"away": round(away), "most": FARTHEST_FOOTPRINT_M}
        raise Invalid(message, fields={FOOTPRINT: [(message, facts)]}, **facts)
    return shape
