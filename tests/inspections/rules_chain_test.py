"""The life of a violation from finding to closure: the table, and what never happens."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from inspections.rules.violation import (
    ANSWERS,
    FINDINGS,
    STEPS,
    TAKEN,
    Event,
    EventKind,
    ReinspectionOutcome,
    Stage,
    State,
    fold,
)

AT = datetime(2026, 6, 1, 3, 0, tzinfo=UTC)
DAY = date(2026, 6, 1)
FIRST, SECOND, VISIT = uuid.UUID(int=1), uuid.UUID(int=2), uuid.UUID(int=3)


def found(inspection=FIRST, severity="major", days=30, emergency_by=None) -> Event:
    return Event(
        EventKind.FOUND,
        AT,
        inspection,
        severity=severity,
        deadline=DAY + timedelta(days=days),
        emergency_by=emergency_by,
    )


def step(kind: EventKind, **facts) -> Event:
    return Event(kind, AT, **facts)


def seen(outcome: ReinspectionOutcome, inspection=VISIT) -> Event:
    return Event(EventKind.REINSPECTED, AT, inspection, outcome=outcome)


NOTICE = (step(EventKind.CONFIRMED), step(EventKind.NOTIFIED))


def test_the_way_from_finding_to_closure() -> None:
    events = [found()]
    for event, stage in (
        (None, Stage.FOUND),
        (step(EventKind.CONFIRMED), Stage.CONFIRMED),
        (step(EventKind.NOTIFIED), Stage.NOTIFIED),
        (step(EventKind.SERVED), Stage.SERVED),
        (step(EventKind.CLAIMED_FIXED), Stage.CLAIMED),
        (seen(ReinspectionOutcome.NOT_FIXED), Stage.SERVED),
        (step(EventKind.CLAIMED_FIXED), Stage.CLAIMED),
        (seen(ReinspectionOutcome.CANNOT_VERIFY, uuid.UUID(int=4)), Stage.SERVED),
        (seen(ReinspectionOutcome.FIXED, uuid.UUID(int=5)), Stage.CLOSED),
    ):
        events += [event] if event else []
        assert fold(events).stage is stage
    assert fold(events).state is State.CLOSED
    assert not fold(events).possible


def test_a_withdrawn_notice_leads_back_to_the_confirmed_finding() -> None:
    state = fold([found(), *NOTICE, step(EventKind.SERVED), step(EventKind.NOTICE_WITHDRAWN)])
    assert state.stage is Stage.CONFIRMED
    assert EventKind.NOTIFIED in state.possible


def test_only_a_request_can_be_granted_or_refused() -> None:
    served = [found(), *NOTICE, step(EventKind.SERVED)]
    assert not {EventKind.EXTENDED, EventKind.EXTENSION_REFUSED} & fold(served).possible
    later = DAY + timedelta(days=60)
    asked = [*served, step(EventKind.EXTENSION_REQUESTED, deadline=later)]
    assert {EventKind.EXTENDED, EventKind.EXTENSION_REFUSED} <= fold(asked).possible
    assert EventKind.EXTENSION_REQUESTED not in fold(asked).possible
    assert fold(asked).deadline == DAY + timedelta(days=30)
    granted = fold([*asked, step(EventKind.EXTENDED, deadline=later)])
    assert granted.deadline == later and not granted.waiting
    refused = fold([*asked, step(EventKind.EXTENSION_REFUSED)])
    assert refused.deadline == DAY + timedelta(days=30) and not refused.waiting


def test_what_is_found_after_an_extension_has_a_clock_of_its_own() -> None:
    later = DAY + timedelta(days=90)
    events = [
        found(),
        *NOTICE,
        step(EventKind.EXTENSION_REQUESTED, deadline=later),
        step(EventKind.EXTENDED, deadline=later),
    ]
    assert fold(events).deadline == later
    again = [*events, found(SECOND, "critical", days=7)]
    assert fold(again).deadline == DAY + timedelta(days=7)
    assert fold(again).severity == "critical"
    taken_back = [*again, Event(EventKind.WITHDRAWN, AT, SECOND)]
    assert fold(taken_back).deadline == later


def test_a_corrected_finding_keeps_its_extension() -> None:
    later = DAY + timedelta(days=90)
    events = [
        found(),
        *NOTICE,
        step(EventKind.EXTENSION_REQUESTED, deadline=later),
        step(EventKind.EXTENDED, deadline=later),
        found(FIRST, "minor", days=60),
    ]
    assert fold(events).deadline == later
    assert fold(events).severity == "minor"


def test_a_critical_finding_starts_the_clock_in_hours() -> None:
    by = AT + timedelta(hours=24)
    events = [found(severity="critical", days=3, emergency_by=by)]
    assert fold(events).emergency_by == by
    secured = [*events, step(EventKind.EMERGENCY_MEASURES)]
    assert fold(secured).emergency_by is None
    told = fold([*secured, step(EventKind.AUTHORITY_INFORMED)])
    assert told.authority_informed
    again = [*secured, found(SECOND, "critical", emergency_by=by + timedelta(days=9))]
    assert fold(again).emergency_by == by


def test_escalation_counts_up() -> None:
    state = fold([found(), step(EventKind.ESCALATED), step(EventKind.ESCALATED)])
    assert state.escalation_level == 2 and state.state is State.OPEN


def test_annulment_withdraws_and_a_new_finding_does_not_revive_it() -> None:
    events = [found(), step(EventKind.ANNULMENT_REQUESTED), step(EventKind.ANNULLED)]
    assert fold(events).state is State.WITHDRAWN
    assert fold([*events, found(SECOND)]).state is State.WITHDRAWN


@pytest.mark.parametrize("stage", [Stage.CLOSED, Stage.WITHDRAWN])
def test_nothing_can_be_done_with_what_has_ended(stage) -> None:
    assert STEPS[stage] == frozenset()


def test_the_table_speaks_of_steps_only() -> None:
    for kinds in STEPS.values():
        assert not kinds & FINDINGS
    assert set().union(*STEPS.values()) == TAKEN


def assessed(
    kind: EventKind, by: uuid.UUID, severity: str | None = None, days: int | None = None
) -> Event:
    deadline = DAY + timedelta(days=days) if days else None
    said = "Gỡ hai ăng ten" if severity else ""
    return Event(kind, AT, None, severity, deadline, assessment_id=by, detail=said)


def proves(event: Event) -> bool:
    """Whether an event is evidence that a defect is over."""
    if event.kind is EventKind.ASSESSED_SAFE:
        return event.assessment_id is not None
    return event.kind is EventKind.REINSPECTED and event.outcome is ReinspectionOutcome.FIXED


def test_a_safe_assessment_closes_and_only_what_comes_last_says_how_bad_it_is() -> None:
    first = assessed(EventKind.FOUND, FIRST, "critical", 7)
    again = assessed(EventKind.FOUND, SECOND, "major", 30)
    state = fold([first, again])
    assert (state.state, state.severity, state.detail) == (State.OPEN, "major", "Gỡ hai ăng ten")
    assert state.deadline == DAY + timedelta(days=7), "the clock began with the first report"
    safe = uuid.UUID(int=99)
    closed = fold([first, again, assessed(EventKind.ASSESSED_SAFE, safe)])
    assert (closed.stage, closed.closed_by, closed.possible) == (Stage.CLOSED, safe, frozenset())


class Life(RuleBasedStateMachine):
    """Any sequence of possible steps and inspections."""

    @initialize(severity=st.sampled_from(["critical", "major", "minor"]))
    def begin(self, severity: str) -> None:
        self.events = [found(severity=severity)]
        self.visits = 10

    def add(self, event: Event) -> None:
        before, length = fold(self.events), len(self.events)
        self.events = [*self.events, event]
        after = fold(self.events)
        assert len(self.events) == length + 1
        moves = event.kind in {EventKind.EXTENDED, EventKind.FOUND, EventKind.WITHDRAWN}
        assert moves or after.deadline == before.deadline, "a deadline moved by itself"
        if after.state is State.CLOSED and before.state is not State.CLOSED:
            assert proves(event)

    @precondition(lambda self: fold(self.events).possible)
    @rule(data=st.data(), days=st.integers(1, 400))
    def take_a_step(self, data: st.DataObject, days: int) -> None:
        state = fold(self.events)
        kind = data.draw(st.sampled_from(sorted(state.possible)))
        later = (state.deadline or DAY) + timedelta(days=days)
        with_day = kind in {EventKind.EXTENSION_REQUESTED, EventKind.EXTENDED}
        self.add(step(kind, deadline=later if with_day else None))

    @rule(outcome=st.sampled_from(ReinspectionOutcome))
    def reinspect(self, outcome: ReinspectionOutcome) -> None:
        self.visits += 1
        self.add(seen(outcome, uuid.UUID(int=self.visits)))

    @rule(severity=st.sampled_from(["critical", "major", "minor"]), days=st.integers(1, 90))
    def find_again(self, severity: str, days: int) -> None:
        self.visits += 1
        self.add(found(uuid.UUID(int=self.visits), severity, days))

    @rule(severity=st.sampled_from(["critical", "major"]), days=st.integers(1, 90))
    def assess_it_unsafe(self, severity: str, days: int) -> None:
        self.visits += 1
        self.add(assessed(EventKind.FOUND, uuid.UUID(int=self.visits), severity, days))

    @rule()
    def assess_it_safe(self) -> None:
        self.visits += 1
        self.add(assessed(EventKind.ASSESSED_SAFE, uuid.UUID(int=self.visits)))

    @precondition(lambda self: any(one.kind is EventKind.REINSPECTED for one in self.events))
    @rule(data=st.data())
    def take_a_reinspection_back(self, data: st.DataObject) -> None:
        seen_by = [one.inspection_id for one in self.events if one.kind is EventKind.REINSPECTED]
        self.add(Event(EventKind.REINSPECTION_WITHDRAWN, AT, data.draw(st.sampled_from(seen_by))))

    @invariant()
    def closed_means_shown(self) -> None:
        state = fold(self.events)
        if state.state is State.CLOSED:
            assert proves([one for one in self.events if one.source == state.closed_by][-1])

    @invariant()
    def requests_wait_until_they_are_answered(self) -> None:
        state = fold(self.events)
        for answer, request in ANSWERS.items():
            if answer in state.possible:
                assert request in state.waiting


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
