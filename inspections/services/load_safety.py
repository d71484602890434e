"""What load-safety assessments mean for the violations of their towers, as `settle` does it for
inspections."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from core import audit, store
from core.policy import Actor
from inspections.models import LoadAssessment, Violation, ViolationEvent
from inspections.rules.catalogue import LOAD_SAFETY
from inspections.rules.load_safety import SEVERITY_OF, AssessmentOutcome
from inspections.rules.violation import EventKind, deadline_for
from inspections.services import condition
from inspections.services.settle import add_event, project, secured_by
from towers import services as towers


def open_violation(session: Session, tower_id: uuid.UUID) -> Violation | None:
    """The open violation of a tower's load safety: there is one at most."""
    return session.scalar(
        select(Violation).where(
            Violation.tower_id == tower_id,
            Violation.item_key == LOAD_SAFETY,
            Violation.state == "open",
        )
    )


def unsafe_since(session: Session, tower_id: uuid.UUID) -> date | None:
    """The day of the last report by which a tower is unsafe now, or `None`."""
    return session.scalar(
        select(func.max(LoadAssessment.assessed_on))
        .join(ViolationEvent, ViolationEvent.assessment_id == LoadAssessment.id)
        .join(Violation, Violation.id == ViolationEvent.violation_id)
        .where(
            Violation.tower_id == tower_id,
            Violation.item_key == LOAD_SAFETY,
            Violation.state == "open",
            ViolationEvent.kind == EventKind.FOUND,
        )
    )


def settle_assessment(
    session: Session,
    assessment: LoadAssessment,
    *,
    deadline: date | None = None,
    by: Actor,
    now: datetime,
    today: date,
) -> Violation | None:
    """Bring the violation of its tower in line with an answered assessment; returns it.

    What is found continues the open one, or begins one that counts from `today`: until the
    `deadline`, or as many days as the setting of its severity says. A safe tower closes the open
    one, with the report as its evidence. `None` where nothing was open and nothing is found.
    """
    outcome = AssessmentOutcome(assessment.outcome or "")
    violation = open_violation(session, assessment.tower_id)
    severity = SEVERITY_OF.get(outcome)
    if severity is None:
        if violation is None:
            return None
        add_event(session, violation, assessment, EventKind.ASSESSED_SAFE, by=by, now=now)
    else:
        days = int(store.value_of(session, f"load_safety_{severity}_days"))
        deadline = deadline or deadline_for(today, days)
        if violation is None:
            violation = Violation(
                id=uuid.uuid4(),
                tower_id=assessment.tower_id,
                item_key=LOAD_SAFETY,
                severity=severity,
                deadline=deadline,
                found_on=today,
                state="open",
                # Who saw to the assessment goes on with what it demands.
                assignee_id=assessment.assignee_id,
            )
            session.add(violation)
            session.flush()
        add_event(
            session,
            violation,
            assessment,
            EventKind.FOUND,
            by=by,
            now=now,
            severity=severity,
            deadline=deadline,
            reason=assessment.conclusion,
            emergency_by=secured_by(session, severity, now),
        )
    session.flush()
    project(session, violation, today=today)
    session.flush()
    return violation


def never_raised(session: Session) -> Sequence[LoadAssessment]:
    """The assessments that found their tower unsafe, count to this day and raised no violation:
    those of the time before assessments did."""
    last = (
        select(LoadAssessment.id)
        .ext(distinct_on(LoadAssessment.tower_id))
        .where(LoadAssessment.answered_at.is_not(None))
        .order_by(
            LoadAssessment.tower_id, LoadAssessment.answered_at.desc(), LoadAssessment.id.desc()
        )
    )
    said = select(ViolationEvent.id).where(ViolationEvent.assessment_id == LoadAssessment.id)
    return session.scalars(
        select(LoadAssessment)
        .where(
            LoadAssessment.id.in_(last),
            LoadAssessment.outcome.in_(list(SEVERITY_OF)),
            ~said.exists(),
        )
        .order_by(LoadAssessment.answered_at, LoadAssessment.id)
    ).all()


def raise_violation(
    session: Session, assessment: LoadAssessment, *, by: Actor, now: datetime, today: date
) -> Violation | None:
    """Raise what an assessment of before found, with a clock that begins today."""
    tower = towers.hold(session, assessment.tower_id)
    violation = settle_assessment(session, assessment, by=by, now=now, today=today)
    condition.refresh(session, tower)
    if violation is not None:
        audit.record(
            session,
            "assessment.raise",
            "tower",
            tower.id,
            by=by,
            now=now,
            after=told(violation),
        )
    return violation


def told(violation: Violation) -> dict[str, str]:
    """What the audit says of a violation that an assessment touched."""
    return {
        "violation": str(violation.id),
        "state": violation.state,
        "severity": violation.severity,
        "deadline": violation.deadline.isoformat(),
    }
