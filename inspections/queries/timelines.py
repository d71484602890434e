"""What inspections and violations tell of a tower, an owner or an area: by day, set by set."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Integer, Select, Text, cast, func, literal, select, union_all
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session, joinedload, lazyload, selectinload

from accounts.models import User
from core import policy
from core.paging import Behind
from core.policy import Actor
from inspections.models import Inspection, Violation
from inspections.notice_models import Notice
from towers.models import Tower

# So many towers are named of those of a day.
MOST_CODES = 4
# What an inspection is once it is no draft.
SUBMITTED = ("submitted", "accepted", "returned", "voided")


@dataclass(frozen=True)
class DayOf:
    """What happened on a day at some towers: how often, how severe, and the first of them."""

    day: date
    what: str
    number: int
    severities: Sequence[str]
    towers: int
    codes: Sequence[str]


def violation_days(
    session: Session,
    actor: Actor,
    wanted: ColumnElement[bool],
    place: Behind,
    *,
    zone: ZoneInfo,
    limit: int,
) -> list[DayOf]:
    """The days on which violations were found (`found`) or ended (`closed`, `withdrawn`).

    Of the towers in the reader's scope that `wanted` says, the latest day first. One that goes on
    in another one is told there.
    """

    def each(day: Any, what: Any, *more: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
        return (
            select(
                day.label("day"), what.label("what"), Violation.severity, Violation.urgency,
                Tower.code,
            )
            .join(Tower, Tower.id == Violation.tower_id)
            .where(
                policy.visible(actor, "violation"),
                wanted,
                Violation.continued_in_id.is_(None),
                place.before_day(day, what, zone),
                *more,
            )
        )  # fmt: skip

    rows = union_all(
        each(Violation.found_on, cast(literal("found"), Text)),
        each(Violation.ended_on, cast(Violation.state, Text), Violation.state != "open"),
    ).subquery()
    severity = func.array_agg(rows.c.severity.distinct())
    return [
        DayOf(row.day, row.what, row.number, row.severities, row.towers, row.codes)
        for row in session.execute(
            select(
                rows.c.day,
                rows.c.what,
                func.count().label("number"),
                severity.label("severities"),
                *towers_of(rows.c.code),
            )
            .group_by(rows.c.day, rows.c.what)
            .order_by(rows.c.day.desc(), rows.c.what.collate("C").desc())
            .limit(limit)
        )
    ]


def visit_days(
    session: Session,
    actor: Actor,
    wanted: ColumnElement[bool],
    place: Behind,
    *,
    zone: ZoneInfo,
    limit: int,
) -> list[DayOf]:
    """The days of inspections that were submitted, by kind (`what`), the latest day first."""
    return [
        DayOf(row.inspected_on, row.kind, row.number, (), row.towers, row.codes)
        for row in session.execute(
            select(
                Inspection.inspected_on,
                Inspection.kind,
                func.count().label("number"),
                *towers_of(Tower.code),
            )
            .join(Tower, Tower.id == Inspection.tower_id)
            .where(
                policy.visible(actor, "inspection"),
                wanted,
                Inspection.status.in_(SUBMITTED),
                place.before_day(
                    Inspection.inspected_on.expression, Inspection.kind.expression, zone
                ),
            )
            .group_by(Inspection.inspected_on, Inspection.kind)
            .order_by(Inspection.inspected_on.desc(), Inspection.kind.collate("C").desc())
            .limit(limit)
        )
    ]


def towers_of(code: Any) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """How many towers these are, and the codes of the first."""
    codes = func.array_agg(aggregate_order_by(code.distinct(), code))
    return (
        func.count(code.distinct()).label("towers"),
        func.trim_array(
            codes, cast(func.greatest(func.count(code.distinct()) - MOST_CODES, 0), Integer)
        ).label("codes"),
    )


def visits(
    session: Session, actor: Actor, tower_id: uuid.UUID, place: Behind, *, limit: int
) -> Sequence[Inspection]:
    """So many submitted inspections of a tower behind a place in its timeline, the latest first."""
    return session.scalars(
        select(Inspection)
        .where(
            Inspection.tower_id == tower_id,
            policy.visible(actor, "inspection"),
            Inspection.status.in_(SUBMITTED),
            place.before(Inspection.submitted_at.expression, cast(Inspection.id, Text)),
        )
        .options(
            joinedload(Inspection.inspector).options(
                lazyload(User.roles), lazyload(User.territories)
            )
        )
        .order_by(Inspection.submitted_at.desc(), Inspection.id.desc())
        .limit(limit)
    ).all()


def issued_notices(
    session: Session, actor: Actor, owner_id: uuid.UUID, place: Behind, *, limit: int
) -> Sequence[Notice]:
    """So many notices to an owner behind a place in the owner's timeline, the last issued first."""
    return session.scalars(
        select(Notice)
        .where(
            policy.visible(actor, "notice"),
            Notice.owner_id == owner_id,
            Notice.issued_at.is_not(None),
            place.before(Notice.issued_at.expression, cast(Notice.id, Text)),
        )
        .options(selectinload(Notice.items))
        .order_by(Notice.issued_at.desc(), Notice.id.desc())
        .limit(limit)
    ).all()
