"""Load-safety assessments (đánh giá an toàn chịu lực): asked for, and answered with a report."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import audit, policy, store
from core.errors import Conflict, FieldText, Invalid
from core.i18n import N_
from core.policy import Actor
from inspections.models import Inspection, LoadAssessment
from inspections.queries.facts import COUNTING
from inspections.rules.load_safety import AssessmentOutcome, shows_safety
from inspections.services import condition, load_safety
from towers import services as towers
from towers.models import Document, Tower

EARLIEST = date(1990, 1, 1)
LATEST = timedelta(days=3653)
LONGEST_ASSESSOR = 300
LONGEST_CONCLUSION = 8_000


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
    deadline: date | None = None,
    by: Actor,
    now: datetime,
    today: date,
) -> LoadAssessment:
    """Ask for an assessment; a tower has at most one unanswered request, the first stays.

    Unless it is named, the deadline is the setting `assessment_days` after today. From staff
    (without an inspection) a second request is a `Conflict` and a missing reason `Invalid`.
    """
    policy.require(by, "assessment.request", tower)
    if not inspection and not reason.strip():
        message = N_("Say why the load-safety assessment is needed")
        raise Invalid(message, fields={"reason": [message]})
    if deadline is not None and not today <= deadline <= today + LATEST:
        message = N_("The deadline lies between today and ten years from now")
        raise Invalid(message, fields={"deadline": [message]})
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
        deadline=deadline
        or today + timedelta(days=int(store.value_of(session, "assessment_days"))),
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


@dataclass(frozen=True)
class Report:
    """What a report comes to: by whom it is, of which day, and what it says.

    `deadline` is the local day until which what it demands must be done; without one the setting
    of the severity says it.
    """

    outcome: str
    assessed_on: date
    assessor: str
    conclusion: str = ""
    deadline: date | None = None


def answer_assessment(
    session: Session,
    assessment: LoadAssessment,
    report: Report,
    document: Document,
    *,
    by: Actor,
    now: datetime,
    today: date,
) -> None:
    """Answer a request with its report, a document of the same tower.

    Danger and conditions become a violation, and a safe tower closes it (`load_safety`). Nothing
    else ends `assessment_needed` but the one who asked taking it back. Raises `Conflict`
    for an answered one and `Invalid` for what is missing.
    """
    policy.require(by, "assessment.answer", assessment.tower)
    tower = towers.hold(session, assessment.tower_id)
    session.refresh(assessment, with_for_update={"of": LoadAssessment})
    if assessment.answered_at is not None:
        raise Conflict(N_("This assessment was answered before: request another one"))
    since = load_safety.unsafe_since(session, tower.id)
    _check(report, document, assessment, today, unsafe_since=since)
    assessment.outcome = report.outcome
    assessment.assessed_on = report.assessed_on
    assessment.assessor = report.assessor.strip()
    assessment.conclusion = report.conclusion.strip()
    assessment.document_id = document.id
    assessment.answered_at = now
    assessment.answered_by_id = by.id
    assessment.version += 1
    session.flush()
    violation = load_safety.settle_assessment(
        session, assessment, deadline=report.deadline, by=by, now=now, today=today
    )
    condition.refresh(session, tower)
    audit.record(
        session,
        "assessment.answer",
        "tower",
        tower.id,
        by=by,
        now=now,
        after={
            "outcome": report.outcome,
            "assessed_on": report.assessed_on.isoformat(),
            "assessor": assessment.assessor,
            "conclusion": assessment.conclusion,
            "document": str(document.id),
            **({"violation": load_safety.told(violation)} if violation else {}),
        },
    )


def _check(
    report: Report,
    document: Document,
    assessment: LoadAssessment,
    today: date,
    *,
    unsafe_since: date | None,
) -> None:
    wrong: dict[str, list[FieldText]] = {}
    if report.outcome not in set(AssessmentOutcome):
        wrong["outcome"] = [N_("Choose one of the answers")]
    if not EARLIEST <= report.assessed_on <= today:
        wrong["assessed_on"] = [N_("The day of the report lies in the future or too far back")]
    elif (
        report.outcome == AssessmentOutcome.SAFE
        and unsafe_since is not None
        and not shows_safety(report.assessed_on, unsafe_since)
    ):
        wrong["assessed_on"] = [
            N_("The tower is unsafe by a later report: an older one cannot say that it is safe")
        ]
    if report.deadline is not None:
        if report.outcome == AssessmentOutcome.SAFE:
            wrong["deadline"] = [N_("A safe tower has nothing to be done until a day")]
        elif not today <= report.deadline <= today + LATEST:
            wrong["deadline"] = [N_("The deadline lies between today and ten years from now")]
    if not 1 <= len(report.assessor.strip()) <= LONGEST_ASSESSOR:
        wrong["assessor"] = [N_("Name who made the assessment, in at most 300 characters")]
    if report.outcome != AssessmentOutcome.SAFE and not report.conclusion.strip():
        wrong["conclusion"] = [N_("Say under which conditions it is safe, or what the danger is")]
    if len(report.conclusion) > LONGEST_CONCLUSION:
        wrong["conclusion"] = [N_("This text is too long")]
    if document.tower_id != assessment.tower_id or document.removed_at is not None:
        wrong["document"] = [N_("The report is no document of this tower")]
    if wrong:
        raise Invalid(fields=wrong)


def note_escalation(
    session: Session,
    assessment: LoadAssessment,
    *,
    reason: str,
    party: str,
    by: Actor,
    now: datetime,
) -> None:
    """Write into the history of the tower that the next level is told of a late assessment."""
    audit.record(
        session,
        "assessment.escalate",
        "tower",
        assessment.tower_id,
        by=by,
        now=now,
        after={"deadline": assessment.deadline.isoformat(), "reason": reason, "party": party},
    )


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
