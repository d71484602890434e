"""Validity: both days count, an unknown beginning is long ago, no code twice on one day."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from areas.rules import Fate, Validity, fate

JUNE, JULY = date(2025, 6, 30), date(2025, 7, 1)
days = st.dates(min_value=date(2025, 6, 1), max_value=date(2025, 7, 31))
validities = st.builds(Validity, st.none() | days, st.none() | days).filter(
    lambda one: one != Validity(None) and (None in (one.since, one.until) or one.since <= one.until)
)


def test_both_days_count() -> None:
    one = Validity(JULY, date(2025, 7, 31))
    assert one.holds_on(JULY)
    assert one.holds_on(date(2025, 7, 31))
    assert not one.holds_on(JUNE)
    assert not one.holds_on(date(2025, 8, 1))
    assert Validity(None, JUNE).holds_on(date(1900, 1, 1))
    assert Validity(JULY).holds_on(date(2100, 1, 1))


@given(validities, validities)
def test_two_overlap_where_some_day_is_in_both(one: Validity, other: Validity) -> None:
    some_days = [date(2025, 5, 1) + timedelta(days=number) for number in range(140)]
    both = any(one.holds_on(day) and other.holds_on(day) for day in some_days)
    assert one.overlaps(other) == other.overlaps(one) == both


@pytest.mark.parametrize(
    ("known", "given_", "expected"),
    [
        (Validity(None, JUNE), Validity(JULY), Fate.APART),
        (Validity(JULY), Validity(JULY), Fate.SAME),
        (Validity(None, JUNE), Validity(date(2004, 1, 1), JUNE), Fate.SAME),
        (Validity(date(2004, 1, 1), JUNE), Validity(None, JUNE), Fate.SAME),
        (Validity(JULY), Validity(date(2026, 1, 1)), Fate.FOLLOWED),
        (Validity(JULY), Validity(date(2025, 6, 1)), Fate.CLASH),
        (Validity(None, JUNE), Validity(JUNE), Fate.CLASH),
        (Validity(JULY), Validity(JULY, date(2025, 8, 1)), Fate.CLASH),
        (Validity(JULY), Validity(None, JULY), Fate.CLASH),
    ],
)
def test_what_becomes_of_a_known_area(known: Validity, given_: Validity, expected: Fate) -> None:
    assert fate(known, given_) == expected


@given(validities, validities)
def test_a_code_is_never_carried_twice_on_a_day(known: Validity, other: Validity) -> None:
    kind = fate(known, other)
    if kind is Fate.APART:
        assert not known.overlaps(other)
    if kind is Fate.FOLLOWED:
        assert other.since is not None
        ended = Validity(known.since, other.since - timedelta(days=1))
        assert not ended.overlaps(other)
        assert ended.since is None or ended.since <= ended.until
