"""The department's words for a tower, their precedence and what the calendar makes of them."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspections.rules.condition import Facts, add_months, condition, condition_on
from towers.rules import Condition, ConditionReason

DAY = date(2026, 11, 23)


def facts(**known) -> Facts:
    return Facts(
        **{
            "open_severities": (),
            "assessment_pending": False,
            "last_full_inspection_on": DAY,
            "last_full_complete": True,
            "interval_months": 60,
            **known,
        }
    )


@pytest.mark.parametrize(
    ("severities", "pending", "last", "complete"),
    list(
        product(
            [(), ("minor",), ("major", "minor"), ("critical",), ("minor", "critical")],
            [False, True],
            [None, DAY],
            [False, True],
        )
    ),
)
def test_the_order_of_the_words_is_their_precedence(severities, pending, last, complete) -> None:
    state, reason, ok_until = condition(
        facts(
            open_severities=severities,
            assessment_pending=pending,
            last_full_inspection_on=last,
            last_full_complete=complete,
        )
    )
    claims = [
        ("critical" in severities, Condition.DANGEROUS, None),
        (pending, Condition.ASSESSMENT_NEEDED, None),
        (bool(severities), Condition.NEEDS_FOLLOW_UP, None),
        (last is None, Condition.UNCHECKED, ConditionReason.NEVER),
        (not complete, Condition.UNCHECKED, ConditionReason.INCOMPLETE),
        (True, Condition.OK, None),
    ]
    expected = next((word, why) for holds, word, why in claims if holds)
    assert (state, reason) == expected
    assert (ok_until is not None) == (state is Condition.OK)


def test_never_inspected_is_never_safe() -> None:
    state, reason, _ = condition(facts(last_full_inspection_on=None))
    assert (state, reason) == (Condition.UNCHECKED, ConditionReason.NEVER)


def test_a_structure_without_an_interval_is_not_safe() -> None:
    assert condition(facts(interval_months=None))[0] is Condition.UNCHECKED


@pytest.mark.parametrize(
    ("months", "last_good_day"), [(36, date(2029, 11, 23)), (60, date(2031, 11, 23))]
)
def test_ok_ends_with_the_interval_of_the_structure(months, last_good_day) -> None:
    state, reason, ok_until = condition(facts(interval_months=months))
    assert ok_until == last_good_day
    assert condition_on(state, reason, ok_until, last_good_day) == (Condition.OK, None)
    assert condition_on(state, reason, ok_until, last_good_day + timedelta(days=1)) == (
        Condition.UNCHECKED,
        ConditionReason.OUT_OF_DATE,
    )


@pytest.mark.parametrize("state", [one for one in Condition if one is not Condition.OK])
def test_time_alone_never_mends_a_condition(state) -> None:
    far = date(2100, 1, 1)
    assert condition_on(state, None, None, far) == (state, None)


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2024, 2, 29), 36, date(2027, 2, 28)),
        (date(2024, 2, 29), 48, date(2028, 2, 29)),
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2026, 12, 15), 1, date(2027, 1, 15)),
        (date(2026, 11, 30), 12, date(2027, 11, 30)),
    ],
)
def test_months_are_calendar_months(day, months, later) -> None:
    assert add_months(day, months) == later


@given(st.dates(date(2000, 1, 1), date(2080, 1, 1)), st.integers(1, 240))
def test_adding_months_keeps_the_day_or_takes_the_last_of_the_month(day, months) -> None:
    later = add_months(day, months)
    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    assert later.day == day.day or (later.day < day.day and (later + timedelta(days=1)).day == 1)
