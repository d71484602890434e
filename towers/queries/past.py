"""The register as it was at the end of a day that is over: its towers, their condition, filters.

What a span does not tell of its tower (its height, its name, …) is only known of today, and
filters by it choose among the towers that are still there by what the register says of them now.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Date, Select, Uuid, cast, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from accounts.models import OrganisationMerge
from core.geo import SRID, to_polygon
from core.policy import Actor
from towers.models import Tower
from towers.past_models import tower_span
from towers.policy import counted
from towers.queries import (
    Filters,
    Listed,
    condition_on,
    due_within,
    kept_facts,
    narrowed,
    overdue_on,
)

# The filters by what spans tell.
TOLD = frozenset(
    {
        "condition", "severity", "overdue", "due_within", "owner", "commune", "without_commune",
        "structure_type", "lifecycle", "include_dismantled", "area", "bbox",
    }
)  # fmt: skip
EVERY = Filters()
# Degrees of latitude at the edges of the map.
FARTHEST = 85.06


@dataclass(frozen=True)
class Then:
    """A day that is over; `end` is the first moment after it."""

    day: date
    end: datetime


def then(day: date, zone: ZoneInfo) -> Then:
    """A day of the department's zone."""
    return Then(day, datetime.combine(day + timedelta(days=1), time(), zone))


def of_today(filters: Filters) -> list[str]:
    """The names of the filters that only today's register can answer."""
    return [
        one.name
        for one in fields(filters)
        if one.compare
        and one.name not in TOLD
        and getattr(filters, one.name) != getattr(EVERY, one.name)
    ]


def stood(then: Then) -> ColumnElement[bool]:
    """The spans in which a day ended."""
    of = tower_span.c
    return (of.since < then.end) & or_(of.until.is_(None), of.until >= then.end)


def narrowed_then(actor: Actor, filters: Filters, then: Then) -> list[ColumnElement[bool]]:
    """The filters as predicates on `tower_span`, as they counted on a day."""
    of = tower_span.c
    wanted = kept_facts(filters, of)
    if filters.condition:
        wanted.append(condition_on(then.day, of).in_(filters.condition))
    if filters.overdue:
        wanted.append(overdue_on(then.day, of))
    if filters.due_within is not None:
        wanted.append(due_within(filters.due_within, then.day, of))
    if filters.owner:
        wanted.append(of.owner_id.in_(_owner_under_all_its_names(filters.owner)))
    if filters.structure_type:
        wanted.append(of.structure_type.in_(filters.structure_type))
    if filters.bbox:
        box = filters.bbox
        # As far to the poles as the map goes.
        south, north = (max(-FARTHEST, min(FARTHEST, one)) for one in (box.south, box.north))
        envelope = func.ST_MakeEnvelope(box.west, south, box.east, north, SRID)
        wanted.append(of.geom_3857.op("&&")(func.ST_Transform(envelope, 3857)))
    if filters.area:
        drawn = to_polygon([(*filters.area, filters.area[0])])
        wanted.append(of.geom_3857.op("&&")(func.ST_Transform(func.ST_Envelope(drawn), 3857)))
        wanted.append(func.ST_Covers(drawn, func.ST_Transform(of.geom_3857, SRID)))
    names = of_today(filters)
    if names:
        today = replace(EVERY, include_dismantled=True, wanted=filters.wanted,
                        **{name: getattr(filters, name) for name in names})  # fmt: skip
        wanted.append(of.tower_id.in_(select(Tower.id).where(*narrowed(actor, today, then.day))))
    return wanted


def _owner_under_all_its_names(owner: uuid.UUID) -> Any:
    """The number of an owner and those of the owners that were merged into it."""
    start = select(literal(owner, Uuid).label("id"))
    known = start.cte("owner", recursive=True)
    merged = aliased(OrganisationMerge)
    known = known.union(select(merged.old_id).join(known, merged.into_id == known.c.id))
    return select(known.c.id)


def filtered_then(statement: Listed, actor: Actor, filters: Filters, then: Then) -> Listed:
    """A statement over `tower_span` with the reader's scope, the day and then the filters.

    The scope is that of the communes in which the register had the towers on that day.
    """
    here = counted(actor, tower_span.c.commune_id)
    return statement.where(here, stood(then), *narrowed_then(actor, filters, then))


def told_of(session: Session, actor: Actor, tower_id: uuid.UUID, then: Then) -> Any:
    """The condition of a tower at the end of a day, `None` where there was none in scope.

    A row with `condition`, `overdue` and `retold`.
    """
    of = tower_span.c
    statement: Select[Any] = select(
        condition_on(then.day, of).label("condition"),
        overdue_on(then.day, of).label("overdue"),
        of.retold,
    ).where(of.tower_id == tower_id)
    everything = replace(EVERY, include_dismantled=True)
    return session.execute(filtered_then(statement, actor, everything, then)).first()


def retold_until(session: Session, zone: ZoneInfo) -> date | None:
    """The last day of which the register was told afterwards, `None` where it kept all itself."""
    of = tower_span.c
    last = select(cast(func.timezone(str(zone), func.max(of.until)), Date)).where(of.retold)
    return session.scalar(last)
