"""The messages about deadlines as the outbox lists them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from core import paging, policy
from core.paging import Page
from core.policy import Actor
from inspections.reminder_models import Reminder


def reminder(session: Session, actor: Actor, reminder_id: uuid.UUID) -> Reminder | None:
    return session.scalar(
        select(Reminder).where(Reminder.id == reminder_id, policy.visible(actor, "reminder"))
    )


def reminders(
    session: Session,
    actor: Actor,
    *,
    state: Sequence[str] = (),
    kind: Sequence[str] = (),
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[Reminder]:
    """The messages in the reader's scope, the latest first."""
    limit = paging.clamp(limit)
    statement = (
        select(Reminder)
        .where(policy.visible(actor, "reminder"))
        .options(joinedload(Reminder.tower))
    )
    if state:
        statement = statement.where(Reminder.state.in_(state))
    if kind:
        statement = statement.where(Reminder.kind.in_(kind))
    statement = paging.keyset(
        statement,
        (Reminder.created_at, Reminder.id),
        (paging.moment, uuid.UUID),
        cursor,
        descending=True,
    )
    rows = session.scalars(statement.limit(limit + 1)).all()
    return paging.page_of(rows, limit, lambda row: [row.created_at, row.id])


def count_by_state(session: Session, actor: Actor) -> dict[str, int]:
    rows = session.execute(
        select(Reminder.state, func.count())
        .where(policy.visible(actor, "reminder"))
        .group_by(Reminder.state)
    )
    return {state: number for state, number in rows}
