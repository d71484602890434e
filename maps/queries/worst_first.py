"""The towers of a view as a list: what is most dangerous and due first stands first.

Few towers are sorted; of many each stretch of the list goes through an index in its order, so that
a page of a million towers costs no more than one of a few. Days that are over have no such index:
of them only so many towers are listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Row, Text, and_, cast, func, literal, or_, select, true
from sqlalchemy.orm import Session

from core import paging
from core.geo import SRID
from core.paging import Page, Part
from core.policy import Actor
from towers.models import Tower
from towers.past_models import tower_span
from towers.policy import counted
from towers.queries import Filters, filtered
from towers.queries.past import Then, filtered_then, stood
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
# So many towers are sorted sooner than the stretches of the whole register are walked through.
MOST_SORTED = 1000
# And so many of a day that is over are sorted at all: it takes half a second.
MOST_THEN = 20_000


@dataclass(frozen=True)
class Listed(Page[Row[Any]]):
    """A page, and how many towers there are where they are so few that they were counted.

    Of a day that is over, more than can be sorted have neither rows nor number.
    """

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


def page_then(
    session: Session,
    actor: Actor,
    filters: Filters,
    then: Then,
    *,
    limit: int,
    cursor: str | None = None,
) -> Listed:
    """The same page of the towers as they were at the end of a day.

    Code and name are those of today; where a tower has left the register or the reader's scope,
    the name is missing and the code its number.
    """
    of = tower_span.c
    matching = filtered_then(select(of.tower_id), actor, filters, then)
    few = session.scalars(matching.limit(MOST_THEN + 1)).all()
    if len(few) > MOST_THEN:
        return Listed([], None)
    now = and_(Tower.id == of.tower_id, counted(actor, Tower.commune_id))
    position = func.ST_Transform(of.geom_3857, SRID)
    was = (
        select(
            of.tower_id.label("id"),
            func.coalesce(Tower.code, cast(of.tower_id, Text)).label("code"),
            Tower.name,
            of.condition,
            literal(None, Text).label("condition_reason"),
            of.ok_until,
            of.worst_severity,
            of.next_deadline,
            func.ST_Y(position).label("latitude"),
            func.ST_X(position).label("longitude"),
        )
        .select_from(tower_span)
        .outerjoin(Tower, now)
        .where(of.tower_id.in_(few), stood(then))
        .subquery("was")
    )
    found = paging.page_of_parts(
        list(_parts(filters, then.day, was.c)),
        select(was),
        lambda asked: session.execute(asked).all(),
        limit=paging.clamp(limit),
        cursor=cursor,
    )
    return Listed(found.rows, found.next_cursor, len(few))


def _parts(filters: Filters, today: date, of: Any = Tower) -> Iterator[Part]:
    """The stretches of the list; those of conditions that the filters leave out are no stretch."""
    asked = filters.condition or tuple(Condition)
    # These have deadlines; the others are told apart by their codes alone.
    urgent_ones = (
        (Condition.DANGEROUS, true()),
        (Condition.ASSESSMENT_NEEDED, true()),
        (Condition.NEEDS_FOLLOW_UP, of.worst_severity == "major"),
        (Condition.NEEDS_FOLLOW_UP, func.coalesce(of.worst_severity, "") != "major"),
    )
    for condition, which in urgent_ones:
        if condition in asked:
            urgent = and_(of.condition == condition, which)
            yield Part(
                (of.next_deadline, of.code),
                (date.fromisoformat, paging.text_value),
                ("next_deadline", "code"),
                where=urgent & of.next_deadline.is_not(None),
            )
            yield _by_code(urgent & of.next_deadline.is_(None), of)
    in_order = of.condition == Condition.OK
    # What nobody has looked at, or not for too long, may be worse than what is in order.
    if Condition.UNCHECKED in asked:
        yield _by_code(of.condition == Condition.UNCHECKED, of)
        yield _by_code(in_order & (of.ok_until < today), of)
    if Condition.OK in asked:
        yield _by_code(in_order & or_(of.ok_until >= today, of.ok_until.is_(None)), of)


def _by_code(where: ColumnElement[bool], of: Any) -> Part:
    return Part((of.code,), (paging.text_value,), ("code",), where=where)
