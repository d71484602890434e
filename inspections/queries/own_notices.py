"""What owners see who sign in: the notices to them, and what those ask for at their towers."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import ScalarSelect, func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from core import paging, policy
from core.paging import Page
from core.policy import Actor
from inspections.models import Violation
from inspections.notice_models import Notice, NoticeItem, NoticeReply
from inspections.queries.notices import told_by
from towers.models import Tower


class Told(NamedTuple):
    """An open violation and the last notice to the owner about it."""

    violation: Violation
    notice: Notice


def own_notice(session: Session, actor: Actor, notice_id: uuid.UUID) -> Notice | None:
    """One notice to the reader's organisation, or `None`."""
    tower = selectinload(Notice.items).joinedload(NoticeItem.violation).joinedload(Violation.tower)
    return session.scalar(
        select(Notice)
        .where(Notice.id == notice_id, policy.visible(actor, "own_notice"))
        .options(
            joinedload(Notice.owner),
            tower.joinedload(Tower.commune),
            selectinload(Notice.items)
            .joinedload(NoticeItem.violation)
            .selectinload(Violation.events),
            selectinload(Notice.documents),
            selectinload(Notice.replies).selectinload(NoticeReply.files),
        )
    )


def own_notices(
    session: Session, actor: Actor, *, limit: int | None = None, cursor: str | None = None
) -> Page[Notice]:
    """The notices in force to the reader's organisation, the last issued first."""
    limit = paging.clamp(limit)
    statement = (
        select(Notice)
        .where(policy.visible(actor, "own_notice"))
        .options(joinedload(Notice.owner), selectinload(Notice.items))
    )
    statement = paging.keyset(
        statement,
        (Notice.issued_at, Notice.id),
        (paging.moment, uuid.UUID),
        cursor,
        descending=True,
    )
    rows = session.scalars(statement.limit(limit + 1)).all()
    return paging.page_of(rows, limit, _place_of)


def _place_of(notice: Notice) -> Sequence[datetime | uuid.UUID]:
    assert notice.issued_at is not None
    return [notice.issued_at, notice.id]


def own_violations(
    session: Session, actor: Actor, *, limit: int | None = None, cursor: str | None = None
) -> Page[Told]:
    """What is open of what the reader's organisation was told, the earliest deadline first."""
    limit = paging.clamp(limit)
    both: tuple[Any, ...] = (Violation, Notice)
    statement = (
        select(*both)
        .join(Tower, Tower.id == Violation.tower_id)
        .join(Notice, Notice.id == told_by())
        .where(policy.visible(actor, "own_violation"), Violation.state == "open")
        .options(joinedload(Violation.tower).joinedload(Tower.commune))
    )
    statement = paging.keyset(
        statement,
        (Violation.deadline, Violation.id),
        (date.fromisoformat, uuid.UUID),
        cursor,
    )
    rows = [Told(*row) for row in session.execute(statement.limit(limit + 1))]
    return paging.page_of(rows, limit, lambda row: [row.violation.deadline, row.violation.id])


def open_number(actor: Actor) -> ScalarSelect[int]:
    """How much is open of what the reader's organisation was told."""
    return (
        select(func.count())
        .select_from(Violation)
        .where(policy.visible(actor, "own_violation"), Violation.state == "open")
        .scalar_subquery()
    )
