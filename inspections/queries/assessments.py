"""Load-safety assessments: those that wait for their answer, and those that have it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from core import paging, policy
from core.paging import Page
from core.policy import Actor
from inspections.models import LoadAssessment, Violation, ViolationEvent
from towers.models import Tower
from towers.search import exactly, matches

STATES = ("open", "answered")


def assessment(session: Session, actor: Actor, assessment_id: uuid.UUID) -> LoadAssessment | None:
    """One assessment, or `None` outside the reader's scope."""
    return session.scalar(
        select(LoadAssessment)
        .join(Tower, Tower.id == LoadAssessment.tower_id)
        .where(LoadAssessment.id == assessment_id, policy.visible(actor, "tower"))
        .options(joinedload(LoadAssessment.tower), joinedload(LoadAssessment.document))
    )


def touched_by(
    session: Session, actor: Actor, assessments: Iterable[LoadAssessment]
) -> dict[uuid.UUID, Violation]:
    """By assessment the violation that it raised, continued or closed, as it goes on today."""
    rows = session.execute(
        select(LoadAssessment.id, Violation)
        .join(ViolationEvent, ViolationEvent.assessment_id == LoadAssessment.id)
        .join(Violation, Violation.id == ViolationEvent.violation_id)
        .where(
            LoadAssessment.id.in_([one.id for one in assessments]),
            Violation.continued_in_id.is_(None),
            policy.visible(actor, "violation"),
        )
    )
    return {number: violation for number, violation in rows}


def assessments(
    session: Session,
    actor: Actor,
    *,
    state: str = "",
    overdue_on: date | None = None,
    tower_id: uuid.UUID | None = None,
    q: str = "",
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[LoadAssessment]:
    """Assessments by their deadlines; `overdue_on` keeps the open ones past that day."""
    limit = paging.clamp(limit)
    statement = (
        select(LoadAssessment)
        .join(Tower, Tower.id == LoadAssessment.tower_id)
        .where(policy.visible(actor, "tower"))
        .options(joinedload(LoadAssessment.tower).joinedload(Tower.commune))
    )
    if state == "open":
        statement = statement.where(LoadAssessment.answered_at.is_(None))
    elif state == "answered":
        statement = statement.where(LoadAssessment.answered_at.is_not(None))
    if overdue_on:
        statement = statement.where(
            LoadAssessment.answered_at.is_(None), LoadAssessment.deadline < overdue_on
        )
    if tower_id:
        statement = statement.where(LoadAssessment.tower_id == tower_id)
    if q.strip():
        found = select(Tower.id).where(matches(exactly(session, q)))
        statement = statement.where(LoadAssessment.tower_id.in_(found))
    statement = paging.keyset(
        statement,
        (LoadAssessment.deadline, LoadAssessment.id),
        (date.fromisoformat, uuid.UUID),
        cursor,
    )
    rows = session.scalars(statement.limit(limit + 1)).all()
    return paging.page_of(rows, limit, lambda row: [row.deadline, row.id])
