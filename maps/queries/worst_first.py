"""The towers of a view as a list: what is most dangerous and due first stands first.

Each stretch of the list goes through an index in its order, so that a page of a million towers
costs no more than one of a few.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, or_, select
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
    Tower.condition == Condition.DANGEROUS,
    Tower.condition == Condition.ASSESSMENT_NEEDED,
    and_(Tower.condition == Condition.NEEDS_FOLLOW_UP, Tower.worst_severity == "major"),
    and_(
        Tower.condition == Condition.NEEDS_FOLLOW_UP,
        or_(Tower.worst_severity != "major", Tower.worst_severity.is_(None)),
    ),
)


def page(
    session: Session,
    actor: Actor,
    filters: Filters,
    *,
    today: date,
    limit: int,
    cursor: str | None = None,
) -> Page[Row[Any]]:
    """Some towers of the filters' box as rows with the columns of `SHOWN`, the worst first.

    Raises `BadRequest` for a cursor that this list never gave.
    """
    return paging.page_of_parts(
        list(_parts(today)),
        filtered(select(*SHOWN), actor, filters, today=today),
        lambda asked: session.execute(asked).all(),
        limit=paging.clamp(limit),
        cursor=cursor,
    )


def _parts(today: date) -> Iterator[Part]:
    for urgent in URGENT:
        yield Part(
            (Tower.next_deadline, Tower.code),
            (date.fromisoformat, paging.text_value),
            ("next_deadline", "code"),
            where=urgent & Tower.next_deadline.is_not(None),
        )
        yield _by_code(urgent & Tower.next_deadline.is_(None))
    # What nobody has looked at, or not for too long, may be worse than what is in order.
    yield _by_code(Tower.condition == Condition.UNCHECKED)
    in_order = Tower.condition == Condition.OK
    yield _by_code(in_order & (Tower.ok_until < today))
    yield _by_code(in_order & or_(Tower.ok_until >= today, Tower.ok_until.is_(None)))


def _by_code(where: ColumnElement[bool]) -> Part:
    return Part((Tower.code,), (paging.text_value,), ("code",), where=where)
