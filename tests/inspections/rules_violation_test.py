"""The life of a violation from its events, its deadline and when that has passed."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspections.rules.violation import (
    Event,
    EventKind,
    ReinspectionOutcome,
    State,
    deadline_for,
    fold,
    is_overdue,
)

AT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
FIRST, SECOND, CHECK, LATER = (uuid.UUID(int=number) for number in range(1, 5))


def found(by: uuid.UUID, severity: str = "major", deadline: date = date(2026, 12, 1)) -> Event:
    return Event(EventKind.FOUND, AT, by, severity, deadline)


def withdrawn(by: uuid.UUID) -> Event:
    return Event(EventKind.WITHDRAWN, AT, by)


def reinspected(by: uuid.UUID, outcome: str) -> Event:
    return Event(EventKind.REINSPECTED, AT, by, outcome=ReinspectionOutcome(outcome))


def taken_back(by: uuid.UUID) -> Event:
    return Event(EventKind.REINSPECTION_WITHDRAWN, AT, by)


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([found(FIRST)], State.OPEN),
        ([found(FIRST), withdrawn(FIRST)], State.WITHDRAWN),
        ([found(FIRST), withdrawn(FIRST), found(FIRST)], State.OPEN),
        ([found(FIRST), found(SECOND), withdrawn(FIRST)], State.OPEN),
        ([found(FIRST), found(SECOND), withdrawn(FIRST), withdrawn(SECOND)], State.WITHDRAWN),
        ([found(FIRST), reinspected(CHECK, "fixed")], State.CLOSED),
        ([found(FIRST), reinspected(CHECK, "not_fixed")], State.OPEN),
        ([found(FIRST), reinspected(CHECK, "cannot_verify")], State.OPEN),
        ([found(FIRST), reinspected(CHECK, "fixed"), taken_back(CHECK)], State.OPEN),
        (
            [
                found(FIRST),
                reinspected(CHECK, "fixed"),
                taken_back(CHECK),
                reinspected(CHECK, "not_fixed"),
            ],
            State.OPEN,
        ),
        (
            [found(FIRST), reinspected(CHECK, "not_fixed"), reinspected(LATER, "fixed")],
            State.CLOSED,
        ),
        ([found(FIRST), reinspected(CHECK, "fixed"), withdrawn(FIRST)], State.WITHDRAWN),
        ([], State.WITHDRAWN),
    ],
)
def test_the_state_follows_from_the_events(events, state) -> None:
    assert fold(events).state is state


def test_only_a_reinspection_closes() -> None:
    events = st.lists(
        st.builds(
            Event,
            st.sampled_from([EventKind.FOUND, EventKind.WITHDRAWN]),
            st.just(AT),
            st.sampled_from([FIRST, SECOND]),
            st.just("major"),
            st.just(date(2026, 12, 1)),
        )
    )

    @given(events)
    def check(history: list[Event]) -> None:
        assert fold(history).state is not State.CLOSED

    check()


def test_the_deadline_is_the_earliest_and_the_severity_that_of_the_latest_inspection() -> None:
    state = fold(
        [
            found(FIRST, "major", date(2026, 12, 1)),
            found(SECOND, "critical", date(2026, 12, 9)),
        ]
    )
    assert (state.severity, state.deadline) == ("critical", date(2026, 12, 1))


def test_a_corrected_older_inspection_does_not_become_the_latest() -> None:
    """A second visit called it critical; correcting the first one must not make that milder."""
    state = fold(
        [
            found(FIRST, "minor", date(2026, 12, 20)),
            found(SECOND, "critical", date(2026, 12, 9)),
            withdrawn(FIRST),
            found(FIRST, "major", date(2026, 12, 20)),
        ]
    )
    assert (state.severity, state.deadline) == ("critical", date(2026, 12, 9))


def test_what_is_left_counts_when_the_latest_takes_its_finding_back() -> None:
    state = fold(
        [
            found(FIRST, "minor", date(2026, 12, 20)),
            found(SECOND, "critical", date(2026, 12, 9)),
            withdrawn(SECOND),
        ]
    )
    assert (state.state, state.severity, state.deadline) == (
        State.OPEN,
        "minor",
        date(2026, 12, 20),
    )


def test_an_ended_violation_keeps_its_last_severity_and_deadline() -> None:
    state = fold([found(FIRST, "major", date(2026, 12, 1)), withdrawn(FIRST)])
    assert (state.severity, state.deadline) == ("major", date(2026, 12, 1))


@pytest.mark.parametrize(
    ("found_on", "days", "deadline"),
    [
        (date(2026, 11, 23), 0, date(2026, 11, 23)),
        (date(2026, 11, 23), 7, date(2026, 11, 30)),
        (date(2026, 12, 25), 30, date(2027, 1, 24)),
        (date(2028, 2, 27), 3, date(2028, 3, 1)),
    ],
)
def test_the_deadline_counts_calendar_days(found_on, days, deadline) -> None:
    assert deadline_for(found_on, days) == deadline


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(0, 3650))
def test_a_deadline_is_overdue_from_the_day_after_it(found_on, days) -> None:
    deadline = deadline_for(found_on, days)
    assert (deadline - found_on).days == days
    assert not is_overdue(deadline, found_on)
    assert not is_overdue(deadline, deadline)
    assert is_overdue(deadline, deadline + timedelta(days=1))
