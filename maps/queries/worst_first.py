"""The towers of a view as a list: what is most dangerous and due first stands first.

Few towers are sorted; of many each stretch of the list goes through an index in its order, so that
a page of a million towers costs no more than one of a few.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, or_, select, true
from sqlalchemy.orm import Session

from core import paging
from core.paging import Page, Part
from core.policy import Actor
from towers.models import Tower
from towers.queries import Filters, filtered
from towers.rules import Condition

SHOWN = (
    Tower.id,
    Tower.code,
    Tower.name,
    Tower.condition,
    Tower.condition_reason,
    Tower.ok_until,
    Tower.worst_severity,
    Tower.next_deadline,
    func.ST_Y(Tower.geom).label("latitude"),
    func.ST_X(Tower.geom).label("longitude"),
)
# These have deadlines; the others are told apart by their codes alone.
URGENT = (
    (Condition.DANGEROUS, true()),
    (Condition.ASSESSMENT_NEEDED, true()),
    (Condition.NEEDS_FOLLOW_UP, Tower.worst_severity == "major"),
    (Condition.NEEDS_FOLLOW_UP, func.coalesce(Tower.worst_severity, "") != "major"),
)
# So many towers are sorted sooner than the stretches of the whole register are walked through.
MOST_SORTED = 1000


@dataclass(frozen=True)
class Listed(Page[Row[Any]]):
    """A page, and how many towers there are where they are so few that they were counted."""

    number: int | None = None


def page(
    session: Session,
    actor: Actor,
    filters: Filters,
    *,
    today: date,
    limit: int,
    cursor: str | None = None,
) -> Listed:
    """Some towers of the filters' box as rows with the columns of `SHOWN`, the worst first.

    Raises `BadRequest` for a cursor that this list never gave.
    """
    matching = filtered(select(Tower.id), actor, filters, today=today)
    few = session.scalars(matching.limit(MOST_SORTED + 1)).all()
    counted = len(few) if len(few) <= MOST_SORTED else None
    statement = filtered(select(*SHOWN), actor, filters, today=today)
    if counted is not None:
        statement = select(*SHOWN).where(Tower.id.in_(few))
    found = paging.page_of_parts(
        list(_parts(filters, today)),
        statement,
        lambda asked: session.execute(asked).all(),
        limit=paging.clamp(limit),
        cursor=cursor,
    )
    return Listed(found.rows, found.next_cursor, counted)


def _parts(filters: Filters, today: date) -> Iterator[Part]:
    """The stretches of the list; those of conditions that the filters leave out are no stretch."""
    asked = filters.condition or tuple(Condition)
    for condition, which in URGENT:
        if condition in asked:
            urgent = and_(Tower.condition == condition, which)
            yield Part(
                (Tower.next_deadline, Tower.code),
                (date.fromisoformat, paging.text_value),
                ("next_deadline", "code"),
                where=urgent & Tower.next_deadline.is_not(None),
            )
            yield _by_code(urgent & Tower.next_deadline.is_(None))
    in_order = Tower.condition == Condition.OK
    # What nobody has looked at, or not for too long, may be worse than what is in order.
    if Condition.UNCHECKED in asked:
        yield _by_code(Tower.condition == Condition.UNCHECKED)
        yield _by_code(in_order & (Tower.ok_until < today))
    if Condition.OK in asked:
        yield _by_code(in_order & or_(Tower.ok_until >= today, Tower.ok_until.is_(None)))


def _by_code(where: ColumnElement[bool]) -> Part:
    return Part((Tower.code,), (paging.text_value,), ("code",), where=where)
