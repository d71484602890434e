"""The evidence grade: every reason on its own, at its limit and beyond, and what they add up to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from inspections.rules.evidence import (
    Check,
    Grade,
    Limits,
    PhotoSource,
    Reason,
    Shown,
    grade,
)

NOON = datetime(2026, 11, 25, 5, 0, tzinfo=UTC)
LIMITS = Limits(at_tower_m=100, clock_minutes=15)
GOOD = Shown(
    distance_m=12,
    accuracy_m=8,
    started_at=NOON - timedelta(hours=2),
    ended_at=NOON,
    device_at=NOON,
    received_at=NOON,
    photos=(PhotoSource.CAMERA, PhotoSource.CAMERA),
    complete=True,
)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def test_nothing_stands_against_a_good_visit() -> None:
    evidence = grade(GOOD, LIMITS)
    assert (evidence.grade, evidence.reasons) == (Grade.STRONG, ())
    assert evidence.passed == set(Check)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"distance_m": 100}, None),
        ({"distance_m": 100.1}, Reason.FAR_FROM_TOWER),
        ({"distance_m": None, "accuracy_m": None}, Reason.NO_POSITION),
        ({"accuracy_m": 100}, None),
        ({"accuracy_m": 100.1}, Reason.POSITION_INEXACT),
        ({"accuracy_m": None}, Reason.POSITION_INEXACT),
        ({"photos": ()}, Reason.NO_PHOTO),
        ({"photos": (PhotoSource.CAMERA, PhotoSource.FILE)}, Reason.PHOTOS_NOT_TAKEN_THERE),
        ({"device_at": NOON + minutes(15)}, None),
        ({"device_at": NOON - minutes(15)}, None),
        ({"device_at": NOON + minutes(15.1)}, Reason.CLOCK_OFF),
        ({"device_at": NOON - minutes(15.1)}, Reason.CLOCK_OFF),
        ({"device_at": None}, Reason.NO_CLOCK),
        ({"started_at": None}, Reason.NO_TIMES),
        ({"ended_at": None}, Reason.NO_TIMES),
        ({"ended_at": NOON + minutes(15)}, None),
        ({"ended_at": NOON + minutes(16)}, Reason.TIMES_IMPOSSIBLE),
        ({"started_at": NOON}, Reason.TIMES_IMPOSSIBLE),
        ({"complete": False}, Reason.INCOMPLETE),
    ],
)
def test_each_reason_at_its_limit_and_beyond(facts, reason) -> None:
    evidence = grade(replace(GOOD, **facts), LIMITS)
    assert evidence.reasons == (() if reason is None else (reason,))
    assert evidence.grade is (Grade.STRONG if reason is None else Grade.FAIR)
    assert len(evidence.passed) == (4 if reason is None else 3)


def test_two_reasons_of_one_check_count_once() -> None:
    evidence = grade(replace(GOOD, device_at=None, started_at=None), LIMITS)
    assert evidence.reasons == (Reason.NO_CLOCK, Reason.NO_TIMES)
    assert evidence.grade is Grade.FAIR


def test_two_failed_checks_are_weak() -> None:
    evidence = grade(replace(GOOD, photos=(), complete=False), LIMITS)
    assert evidence.grade is Grade.WEAK
    assert evidence.passed == {Check.PLACE, Check.CLOCK}


def test_the_limits_are_the_departments() -> None:
    far = replace(GOOD, distance_m=150, accuracy_m=120)
    assert grade(far, LIMITS).grade is Grade.FAIR
    assert grade(far, Limits(at_tower_m=150, clock_minutes=15)).grade is Grade.STRONG
