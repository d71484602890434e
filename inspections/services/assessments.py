"""Load-safety assessments (đánh giá an toàn chịu lực): asked for by inspectors and staff."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import audit, policy, store
from core.errors import Conflict, Invalid
from core.i18n import N_
from core.policy import Actor
from inspections.models import Inspection, LoadAssessment
from towers.models import Tower


def pending(session: Session, tower: Tower) -> LoadAssessment | None:
    """The request that waits for its answer, or `None`."""
    return session.scalar(
        select(LoadAssessment).where(
            LoadAssessment.tower_id == tower.id, LoadAssessment.answered_at.is_(None)
        )
    )


def request_assessment(
    session: Session,
    tower: Tower,
    *,
    inspection: Inspection | None = None,
    reason: str,
    by: Actor,
    now: datetime,
    today: date,
) -> LoadAssessment:
    """Ask for an assessment; a tower has at most one unanswered request, the first stays.

    The deadline is the setting `assessment_days` after today. From staff (without an
    inspection) a second request is a `Conflict` and a missing reason `Invalid`.
    """
    policy.require(by, "assessment.request", tower)
    if not inspection and not reason.strip():
        message = N_("Say why the load-safety assessment is needed")
        raise Invalid(message, fields={"reason": [message]})
    known = pending(session, tower)
    if known is not None:
        if inspection is None:
            raise Conflict(N_("A load-safety assessment has already been requested"))
        return known
    made = LoadAssessment(
        tower_id=tower.id,
        inspection_id=inspection.id if inspection else None,
        requested_by_id=by.id,
        requested_at=now,
        requested_on=today,
        deadline=today + timedelta(days=int(store.value_of(session, "assessment_days"))),
        reason=reason,
    )
    session.add(made)
    session.flush()
    audit.record(
        session,
        "assessment.request",
        "tower",
        tower.id,
        by=by,
        now=now,
        after={"deadline": made.deadline.isoformat(), "reason": reason},
    )
    return made
