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
from inspections.queries.facts import COUNTING
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


def withdraw_request(session: Session, inspection: Inspection) -> None:
    """Take back what an inspection asked for and nobody answered, when it no longer asks.

    Another inspection that asked in the meantime, and was not given a request of its own
    because this one stood there, takes it over.
    """
    request = session.scalar(
        select(LoadAssessment).where(
            LoadAssessment.inspection_id == inspection.id, LoadAssessment.answered_at.is_(None)
        )
    )
    if request is None:
        return
    heir = session.scalar(
        select(Inspection.id)
        .where(
            Inspection.tower_id == inspection.tower_id,
            Inspection.id != inspection.id,
            Inspection.status.in_(COUNTING),
            Inspection.assessment_requested,
            Inspection.submitted_at >= request.requested_at,
        )
        .order_by(Inspection.submitted_at, Inspection.id)
        .limit(1)
    )
    if heir is None:
        session.delete(request)
    else:
        request.inspection_id = heir
    session.flush()
