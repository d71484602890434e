"""What belongs to one tower: installations, permits, anchors as measured from the mast, footprint.

Whoever asks has the tower, so its scope was applied; the list of permits of the whole register
applies it itself.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session, aliased, contains_eager, joinedload, selectinload

from core import paging, policy
from core.geo import Position, to_position
from core.paging import Page
from core.policy import Actor
from towers.models import GuyAnchor, Installation, Permit, Tower
from towers.parts import ANCHOR, ANTENNA_FIELDS, INSTALLATION, PERMIT, PartKind, key_of
from towers.rules import PermitKind, PermitState
from towers.search import exactly, matches

Part = Installation | Permit | GuyAnchor
MODELS: Mapping[str, type[Part]] = {
    INSTALLATION.name: Installation,
    PERMIT.name: Permit,
    ANCHOR.name: GuyAnchor,
}
# Digits of a degree in a footprint: about 1 cm.
FOOTPRINT_DIGITS = 7


def installations(session: Session, tower_id: uuid.UUID) -> Sequence[Installation]:
    """The installations of a tower: those in place first, then the removed ones."""
    return session.scalars(
        select(Installation)
        .where(Installation.tower_id == tower_id)
        .options(joinedload(Installation.operator), selectinload(Installation.antennas))
        .order_by(
            Installation.until.desc().nulls_first(),
            Installation.since.nulls_last(),
            Installation.id,
        )
        .execution_options(populate_existing=True)
    ).all()


def permits(session: Session, tower_id: uuid.UUID) -> Sequence[Permit]:
    """The permits of a tower by kind, the one that ends last first."""
    return session.scalars(
        select(Permit)
        .where(Permit.tower_id == tower_id)
        .options(joinedload(Permit.organisation))
        .order_by(
            Permit.kind,
            Permit.expires_on.desc().nulls_first(),
            Permit.issued_on.desc().nulls_last(),
            Permit.id,
        )
    ).all()


@dataclass(frozen=True)
class Measured:
    """An anchor with its distance (metres) and direction (degrees from north) from the mast."""

    anchor: GuyAnchor
    position: Position
    distance_m: float
    azimuth_deg: float | None


def anchors(session: Session, tower_id: uuid.UUID) -> list[Measured]:
    """The guy anchors of a tower by number, measured on the ellipsoid."""
    mast, held = func.geography(Tower.geom), func.geography(GuyAnchor.geom)
    rows = session.execute(
        select(
            GuyAnchor,
            func.ST_Distance(mast, held),
            func.degrees(func.ST_Azimuth(mast, held)),
        )
        .join(Tower, Tower.id == GuyAnchor.tower_id)
        .where(GuyAnchor.tower_id == tower_id)
        .order_by(GuyAnchor.number)
    )
    return [
        Measured(
            anchor, to_position(anchor.geom), float(away), None if turn is None else float(turn)
        )
        for anchor, away, turn in rows
    ]


def footprint(session: Session, tower_id: uuid.UUID) -> dict[str, Any] | None:
    """The ground that a tower stands on as a GeoJSON polygon, `None` where nobody drew it."""
    text = session.scalar(
        select(func.ST_AsGeoJSON(Tower.footprint, FOOTPRINT_DIGITS, 0)).where(Tower.id == tower_id)
    )
    return json.loads(text) if text else None


def ring(session: Session, tower_id: uuid.UUID, metres: float) -> dict[str, Any]:
    """The circle of so many metres round a tower as a GeoJSON polygon, made on the ellipsoid."""
    circle = func.geometry(func.ST_Buffer(func.geography(Tower.geom), metres, "quad_segs=24"))
    text = session.scalar(select(func.ST_AsGeoJSON(circle, 7, 0)).where(Tower.id == tower_id))
    found: dict[str, Any] = json.loads(text or "null")
    return found


def listed(session: Session, kind: PartKind, tower_id: uuid.UUID) -> Sequence[Part]:
    """The parts of one kind, in the order in which they are shown."""
    if kind is INSTALLATION:
        return installations(session, tower_id)
    if kind is PERMIT:
        return permits(session, tower_id)
    return [one.anchor for one in anchors(session, tower_id)]


def part_of(
    session: Session, kind: PartKind, tower_id: uuid.UUID, part_id: uuid.UUID
) -> Part | None:
    """One part of a tower; `None` for another tower's."""
    return next((one for one in listed(session, kind, tower_id) if one.id == part_id), None)


def number_of(session: Session, kind: PartKind, tower_id: uuid.UUID) -> int:
    model: Any = MODELS[kind.name]
    return (
        session.scalar(select(func.count()).select_from(model).where(model.tower_id == tower_id))
        or 0
    )


# As history keeps them


def plain(value: Any) -> Any:
    """A value as JSON has it: numbers with their digits, days and keys as texts."""
    return str(value) if isinstance(value, Decimal | date | uuid.UUID) else value


def plain_part(kind: PartKind, part: Part) -> dict[str, Any]:
    """A part as plain JSON values."""
    found = {field.column: plain(getattr(part, field.column)) for field in kind.columns}
    if isinstance(part, GuyAnchor):
        position = to_position(part.geom)
        found |= {"latitude": position.latitude, "longitude": position.longitude}
    if isinstance(part, Installation):
        found["antennas"] = plain_antennas(
            {field.name: getattr(one, field.name) for field in ANTENNA_FIELDS}
            for one in part.antennas
        )
    return found


def plain_antennas(antennas: Any) -> list[dict[str, Any]]:
    """Antennas as plain JSON values, in one order however they were given."""
    found = [{name: plain(value) for name, value in one.items()} for one in antennas]
    return sorted(found, key=lambda one: json.dumps(one, sort_keys=True))


def plain_parts(session: Session, tower_id: uuid.UUID) -> dict[str, Any]:
    """Every part of a tower as history names and keeps it, with the footprint."""
    found = {
        key_of(kind, part.id): plain_part(kind, part)
        for kind in (INSTALLATION, PERMIT, ANCHOR)
        for part in listed(session, kind, tower_id)
    }
    ground = footprint(session, tower_id)
    return found if ground is None else {**found, "footprint": ground}


# Permits of the whole register


@dataclass(frozen=True)
class PermitFilters:
    """What the list of permits is narrowed to; empty means everything."""

    kind: str = ""
    state: str = ""
    q: str = ""
    days: int = 0
    replaced: bool = False

    @property
    def any(self) -> bool:
        return bool(self.kind or self.state or self.q.strip() or self.replaced)


def replaced(permit: Any = Permit) -> ColumnElement[bool]:
    """Whether a later paper of the same kind and holder took a permit's place."""
    later = aliased(Permit)
    return (
        select(later.id)
        .where(
            later.tower_id == permit.tower_id,
            later.kind == permit.kind,
            later.organisation_id.is_not_distinct_from(permit.organisation_id),
            # Two other papers are two papers.
            permit.kind != PermitKind.OTHER,
            or_(
                later.expires_on > permit.expires_on,
                and_(
                    later.expires_on.is_(None),
                    later.issued_on > func.coalesce(permit.issued_on, permit.expires_on),
                ),
            ),
        )
        .exists()
    )


def _in_state(state: str, today: date, soon_days: int) -> ColumnElement[bool]:
    soon = today + timedelta(days=soon_days)
    if state == PermitState.EXPIRED:
        return Permit.expires_on < today
    if state == PermitState.SOON:
        return Permit.expires_on.between(today, soon)
    if state == PermitState.VALID:
        return Permit.expires_on > soon
    # The follow-up list of papers: what is over and what soon will be.
    return Permit.expires_on <= soon


def _wanted(
    session: Session, actor: Actor, filters: PermitFilters, today: date, soon_days: int
) -> Select[Any]:
    days = filters.days or soon_days
    statement = (
        select(Permit)
        .join(Tower, Tower.id == Permit.tower_id)
        .where(
            policy.visible(actor, "tower"),
            Tower.lifecycle != "dismantled",
            _in_state(filters.state, today, days),
        )
    )
    if filters.kind:
        statement = statement.where(Permit.kind == filters.kind)
    if filters.q.strip():
        statement = statement.where(matches(exactly(session, filters.q)))
    if not filters.replaced:
        statement = statement.where(~replaced())
    return statement


def expiring(
    session: Session,
    actor: Actor,
    filters: PermitFilters,
    *,
    today: date,
    soon_days: int,
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[Permit]:
    """Permits that have an end, the nearest end first: those over and those about to be.

    `filters.state` asks for one state, `filters.days` for another time ahead than `soon_days`.
    """
    limit = paging.clamp(limit)
    statement = _wanted(session, actor, filters, today, soon_days)
    statement = statement.options(
        contains_eager(Permit.tower).joinedload(Tower.commune),
        contains_eager(Permit.tower).joinedload(Tower.owner),
        joinedload(Permit.organisation),
    )
    statement = paging.keyset(
        statement, (Permit.expires_on, Permit.id), (date.fromisoformat, uuid.UUID), cursor
    )
    rows = session.scalars(statement.limit(limit + 1)).all()
    return paging.page_of(rows, limit, lambda row: [row.expires_on, row.id])


def expiring_counts(
    session: Session,
    actor: Actor,
    *several: PermitFilters,
    today: date,
    soon_days: int,
    at_most: int,
) -> list[int]:
    """How many there are with each of these filters, counted no further than `at_most`."""
    numbers = []
    for filters in several:
        wanted = _wanted(session, actor, filters, today, soon_days).with_only_columns(Permit.id)
        counted = select(func.count()).select_from(wanted.limit(at_most).subquery())
        numbers.append(counted.scalar_subquery())
    return list(session.execute(select(*numbers)).one())
