"""The facts from which a tower's condition follows, for one tower or for many at once."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, select, true
from sqlalchemy.orm import Session

from inspections.models import Inspection, LoadAssessment, Violation, ViolationEvent
from inspections.rules.load_safety import AssessmentOutcome
from towers.models import StructureKind, Tower

# A returned or voided inspection no longer counts, a draft not yet.
COUNTING = ("submitted", "accepted")


@dataclass(frozen=True)
class TowerFacts:
    """What is known of one tower: its open violations, requests and last full inspection."""

    tower_id: uuid.UUID
    interval_months: int | None
    severities: tuple[str, ...]
    next_deadline: date | None
    assessment_pending: bool
    last_on: date | None
    last_complete: bool
    assessed_dangerous: bool


def dangerous_alone(*said: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether an assessment found danger and no violation carries that.

    From when on one does, that one says when the danger is over. `said` narrows its events.
    """
    raised = (
        select(ViolationEvent.id)
        .where(ViolationEvent.assessment_id == LoadAssessment.id, *said)
        .correlate(LoadAssessment)
        .exists()
    )
    return and_(LoadAssessment.outcome == AssessmentOutcome.DANGEROUS, ~raised)


def facts(session: Session, tower_ids: Sequence[uuid.UUID]) -> Iterator[TowerFacts]:
    """The facts of some towers, in no order.

    The last inspection is the latest that counts and is not a re-inspection, which looks at
    single defects only.
    """
    for row in session.execute(_asked(), {"towers": tower_ids}):
        yield TowerFacts(
            tower_id=row[0],
            interval_months=row[1],
            severities=tuple(row[2] or ()),
            next_deadline=row[3],
            assessment_pending=row[4],
            last_on=row[5],
            last_complete=bool(row[6]),
            assessed_dangerous=bool(row[7]),
        )


@cache
def _asked() -> Select[Any]:
    """The statement for `towers`: each check that comes in asks it, and to make it takes longer."""
    opened = (
        select(
            func.array_agg(Violation.severity).label("severities"),
            func.min(Violation.deadline).label("next_deadline"),
        )
        .where(Violation.tower_id == Tower.id, Violation.state == "open")
        .lateral()
    )
    last = (
        select(
            Inspection.inspected_on,
            # What was asked of another type of structure is not every item of this one.
            and_(Inspection.complete, Inspection.structure_type == Tower.structure_type).label(
                "complete"
            ),
        )
        .where(
            Inspection.tower_id == Tower.id,
            Inspection.status.in_(COUNTING),
            Inspection.kind != "reinspection",
        )
        .order_by(
            Inspection.inspected_on.desc(), Inspection.submitted_at.desc(), Inspection.id.desc()
        )
        .limit(1)
        .lateral()
    )
    pending = (
        select(LoadAssessment.id)
        .where(LoadAssessment.tower_id == Tower.id, LoadAssessment.answered_at.is_(None))
        .exists()
    )
    assessed = (
        select(dangerous_alone())
        .where(LoadAssessment.tower_id == Tower.id, LoadAssessment.answered_at.is_not(None))
        .order_by(LoadAssessment.answered_at.desc(), LoadAssessment.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return (
        select(
            Tower.id,
            StructureKind.interval_months,
            opened.c.severities,
            opened.c.next_deadline,
            pending,
            last.c.inspected_on,
            last.c.complete,
            assessed,
        )
        .join(StructureKind, StructureKind.key == Tower.structure_type)
        .join(opened, true())
        .outerjoin(last, true())
        .where(Tower.id.in_(bindparam("towers", expanding=True)))
    )
