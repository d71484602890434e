"""What an inspection means for the violations of its tower: events are added, never changed."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import store
from core.errors import Conflict
from core.i18n import N_
from core.policy import Actor
from inspections.models import Inspection, LoadAssessment, Violation, ViolationEvent
from inspections.queries.facts import COUNTING
from inspections.rules.evaluation import Evaluation, Outcome
from inspections.rules.violation import (
    Event,
    EventKind,
    ReinspectionOutcome,
    State,
    ViolationState,
    deadline_for,
    fold,
)


def settle(
    session: Session,
    inspection: Inspection,
    evaluation: Evaluation | None,
    *,
    by: Actor,
    now: datetime,
    today: date,
    found_on: date,
    new: bool = False,
) -> list[Violation]:
    """Bring the violations in line with what this inspection now says; returns those touched.

    A `new` one has said nothing before.

    `found_on` is the local day of the first submission, from which deadlines count. An
    inspection that does not count (any more) says nothing: what it said is withdrawn.
    """
    counts = inspection.status in COUNTING and evaluation is not None
    judged = evaluation if counts else None
    failing: Mapping[str, Any] = judged.failing if judged else {}
    touched: list[Violation] = []
    if inspection.kind == "reinspection":
        asked = looked_at(session, inspection)
        touched += _settle_reinspection(session, inspection, judged, asked, by=by, now=now)
        # Whatever else it found is a violation of its own.
        failing = {key: one for key, one in failing.items() if key not in asked}
    earlier = [] if new else _touched_by(session, inspection)
    touched += _settle_findings(
        session, inspection, failing, earlier, by=by, now=now, found_on=found_on
    )
    session.flush()
    histories = events_of(session, [violation.id for violation in touched])
    for violation in touched:
        _project(violation, histories[violation.id], today=today)
    session.flush()
    return touched


def events_of(session: Session, violation_ids: list[uuid.UUID]) -> dict[uuid.UUID, list[Event]]:
    """The events of some violations in their order."""
    events: dict[uuid.UUID, list[Event]] = {one: [] for one in violation_ids}
    if not events:
        return events
    for row in session.scalars(
        select(ViolationEvent)
        .where(ViolationEvent.violation_id.in_(violation_ids))
        .order_by(ViolationEvent.place)
    ):
        events[row.violation_id].append(as_event(row))
    return events


def as_event(row: ViolationEvent) -> Event:
    """A stored event as the rules read it."""
    return Event(
        kind=EventKind(row.kind),
        at=row.at,
        inspection_id=row.inspection_id,
        assessment_id=row.assessment_id,
        severity=row.severity,
        deadline=row.deadline,
        outcome=ReinspectionOutcome(row.outcome) if row.outcome else None,
        emergency_by=row.emergency_by,
        detail=row.reason if row.kind == EventKind.FOUND else "",
    )


def add_event(
    session: Session,
    violation: Violation,
    source: Inspection | LoadAssessment,
    kind: EventKind,
    *,
    by: Actor,
    now: datetime,
    **facts: Any,
) -> None:
    """Write down what an inspection or an assessment says of a violation."""
    of_inspection = isinstance(source, Inspection)
    session.add(
        ViolationEvent(
            violation_id=violation.id,
            kind=kind,
            at=now,
            by_id=by.id,
            inspection_id=source.id if of_inspection else None,
            assessment_id=None if of_inspection else source.id,
            **facts,
        )
    )


def _touched_by(session: Session, inspection: Inspection) -> list[Violation]:
    """The violations in whose events this inspection stands; one that another goes on with is
    past, and the other one has its events."""
    return list(
        session.scalars(
            select(Violation).where(
                Violation.continued_in_id.is_(None),
                Violation.id.in_(
                    select(ViolationEvent.violation_id).where(
                        ViolationEvent.inspection_id == inspection.id
                    )
                ),
            )
        )
    )


def _settle_findings(
    session: Session,
    inspection: Inspection,
    failing: Mapping[str, Any],
    earlier: Sequence[Violation],
    *,
    by: Actor,
    now: datetime,
    found_on: date,
) -> list[Violation]:
    histories = events_of(session, [violation.id for violation in earlier])
    touched: list[Violation] = []
    continued: set[str] = set()
    for violation in earlier:
        said = _last_finding(histories[violation.id], inspection.id)
        if said is None:
            continue
        judgement = failing.get(violation.item_key)
        if judgement is None:
            add_event(session, violation, inspection, EventKind.WITHDRAWN, by=by, now=now)
            touched.append(violation)
            continue
        continued.add(violation.item_key)
        deadline = deadline_for(found_on, judgement.remedy_days)
        if (said.severity, said.deadline) != (judgement.severity, deadline):
            add_event(session, violation, inspection, EventKind.WITHDRAWN, by=by, now=now)
            add_event(
                session,
                violation,
                inspection,
                EventKind.FOUND,
                by=by,
                now=now,
                severity=judgement.severity,
                deadline=deadline,
                # A correction does not move the clock that the finding started.
                emergency_by=said.emergency_by
                if judgement.severity == said.severity
                else secured_by(session, judgement.severity, now),
            )
            touched.append(violation)
    if not failing.keys() - continued:
        return touched
    open_ones = {
        violation.item_key: violation
        for violation in session.scalars(
            select(Violation).where(
                Violation.tower_id == inspection.tower_id, Violation.state == "open"
            )
        )
    }
    for item_key, judgement in failing.items():
        if item_key in continued:
            continue
        deadline = deadline_for(found_on, judgement.remedy_days)
        # The same defect found again continues the open violation, it opens no twin.
        known = open_ones.get(item_key)
        emergency_by = secured_by(session, judgement.severity, now)
        violation = known or Violation(
            id=uuid.uuid4(),
            tower_id=inspection.tower_id,
            item_key=item_key,
            checklist_version_id=inspection.checklist_version_id,
            legal_basis=dict(judgement.legal_basis) if judgement.legal_basis else None,
            severity=judgement.severity,
            deadline=deadline,
            found_on=found_on,
            state="open",
            emergency_by=emergency_by,
            ended_on=None,
        )
        session.add(violation)
        add_event(
            session,
            violation,
            inspection,
            EventKind.FOUND,
            by=by,
            now=now,
            severity=judgement.severity,
            deadline=deadline,
            emergency_by=emergency_by,
        )
        # A new one is made as its one event says.
        if known is not None:
            touched.append(violation)
    return touched


def secured_by(session: Session, severity: str, now: datetime) -> datetime | None:
    """By when a critical defect found now must be secured, `None` for others."""
    if severity != "critical":
        return None
    return now + timedelta(hours=int(store.value_of(session, "emergency_hours")))


def _last_finding(events: list[Event], inspection_id: uuid.UUID) -> Event | None:
    """What this inspection last said of a violation, `None` once it has taken that back."""
    said: Event | None = None
    for event in events:
        if event.inspection_id != inspection_id:
            continue
        if event.kind is EventKind.FOUND:
            said = event
        elif event.kind is EventKind.WITHDRAWN:
            said = None
    return said


def looked_at(session: Session, inspection: Inspection) -> dict[str, Violation]:
    """By item the violations that a re-inspection answers for.

    These are the open ones that it did not find itself, and those of which it said something
    that it has not taken back: its own words come first.
    """
    earlier = _touched_by(session, inspection)
    histories = events_of(session, [violation.id for violation in earlier])
    own = {
        violation.id
        for violation in earlier
        if _last_finding(histories[violation.id], inspection.id)
    }
    asked = {
        violation.item_key: violation
        for violation in earlier
        if _last_reinspection(histories[violation.id], inspection.id)
    }
    for violation in session.scalars(
        select(Violation).where(
            Violation.tower_id == inspection.tower_id, Violation.state == "open"
        )
    ):
        if violation.id not in own:
            asked.setdefault(violation.item_key, violation)
    return asked


def _settle_reinspection(
    session: Session,
    inspection: Inspection,
    evaluation: Evaluation | None,
    asked: Mapping[str, Violation],
    *,
    by: Actor,
    now: datetime,
) -> list[Violation]:
    outcomes = reinspection_outcomes(evaluation) if evaluation else {}
    histories = events_of(session, [violation.id for violation in asked.values()])
    touched: list[Violation] = []
    for item_key, violation in asked.items():
        said = _last_reinspection(histories[violation.id], inspection.id)
        outcome = outcomes.get(item_key)
        if said is not None:
            if said.outcome == outcome:
                continue
            taken_back = Event(EventKind.REINSPECTION_WITHDRAWN, now, inspection.id)
            if fold([*histories[violation.id], taken_back]).state is State.OPEN:
                _require_no_successor(session, violation)
            add_event(
                session, violation, inspection, EventKind.REINSPECTION_WITHDRAWN, by=by, now=now
            )
        if outcome is not None:
            add_event(
                session,
                violation,
                inspection,
                EventKind.REINSPECTED,
                by=by,
                now=now,
                outcome=outcome,
            )
        if said is not None or outcome is not None:
            touched.append(violation)
    return touched


def reinspection_outcomes(evaluation: Evaluation) -> dict[str, ReinspectionOutcome]:
    """What each answer of a re-inspection says of the defect it looked at."""
    outcomes: dict[str, ReinspectionOutcome] = {}
    for item_key, judgement in evaluation.judgements.items():
        if judgement.outcome is not Outcome.OK:
            outcomes[item_key] = ReinspectionOutcome.CANNOT_VERIFY
        elif judgement.severity is None:
            outcomes[item_key] = ReinspectionOutcome.FIXED
        else:
            outcomes[item_key] = ReinspectionOutcome.NOT_FIXED
    return outcomes


def _last_reinspection(events: list[Event], inspection_id: uuid.UUID) -> Event | None:
    said: Event | None = None
    for event in events:
        if event.inspection_id != inspection_id:
            continue
        if event.kind is EventKind.REINSPECTED:
            said = event
        elif event.kind is EventKind.REINSPECTION_WITHDRAWN:
            said = None
    return said


def _require_no_successor(session: Session, violation: Violation) -> None:
    """A closed violation cannot come back beside a newer one of the same item."""
    successor = session.scalar(
        select(Violation.id).where(
            Violation.tower_id == violation.tower_id,
            Violation.item_key == violation.item_key,
            Violation.state == "open",
            Violation.id != violation.id,
        )
    )
    if violation.state != "open" and successor is not None:
        raise Conflict(
            N_("The same defect was found again since: the newer violation stands in the way")
        )


def project(session: Session, violation: Violation, *, today: date) -> ViolationState:
    """Write the columns that follow from the events."""
    return _project(violation, events_of(session, [violation.id])[violation.id], today=today)


def _project(violation: Violation, events: list[Event], *, today: date) -> ViolationState:
    state = fold(events)
    if state.severity is not None:
        violation.severity = state.severity
    if state.deadline is not None:
        violation.deadline = state.deadline
    violation.detail = state.detail
    violation.state = state.state
    violation.stage = state.stage
    violation.escalation_level = state.escalation_level
    violation.emergency_by = state.emergency_by if state.state == "open" else None
    if state.state == "open":
        violation.ended_on = None
    elif violation.ended_on is None:
        violation.ended_on = today
    return state
