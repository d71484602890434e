"""How much a visit proves: its grade, with every reason against it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Weather(StrEnum):
    CLEAR = "clear"
    CLOUDY = "cloudy"
    RAIN = "rain"
    STRONG_WIND = "strong_wind"


class Verdict(StrEnum):
    """What the inspector thinks of the whole; the condition follows from answers, not from it."""

    OK = "ok"
    NEEDS_FOLLOW_UP = "needs_follow_up"
    ASSESSMENT_NEEDED = "assessment_needed"
    DANGEROUS = "dangerous"


class PhotoSource(StrEnum):
    CAMERA = "camera"
    FILE = "file"


class SignaturePlace(StrEnum):
    INSPECTOR = "inspector"
    REPRESENTATIVE = "representative"
    WITNESS = "witness"


class Check(StrEnum):
    """What a visit must show to be good evidence."""

    PLACE = "place"
    PHOTOS = "photos"
    CLOCK = "clock"
    COMPLETE = "complete"


class Reason(StrEnum):
    """Why a check is not passed."""

    NO_POSITION = "no_position"
    POSITION_INEXACT = "position_inexact"
    FAR_FROM_TOWER = "far_from_tower"
    NO_PHOTO = "no_photo"
    PHOTOS_NOT_TAKEN_THERE = "photos_not_taken_there"
    NO_CLOCK = "no_clock"
    CLOCK_OFF = "clock_off"
    NO_TIMES = "no_times"
    TIMES_IMPOSSIBLE = "times_impossible"
    INCOMPLETE = "incomplete"


class Grade(StrEnum):
    """Strong: nothing stands against it; fair: one check is not passed; weak: more are not."""

    STRONG = "strong"
    FAIR = "fair"
    WEAK = "weak"


OF_CHECK = {
    Reason.NO_POSITION: Check.PLACE,
    Reason.POSITION_INEXACT: Check.PLACE,
    Reason.FAR_FROM_TOWER: Check.PLACE,
    Reason.NO_PHOTO: Check.PHOTOS,
    Reason.PHOTOS_NOT_TAKEN_THERE: Check.PHOTOS,
    Reason.NO_CLOCK: Check.CLOCK,
    Reason.CLOCK_OFF: Check.CLOCK,
    Reason.NO_TIMES: Check.CLOCK,
    Reason.TIMES_IMPOSSIBLE: Check.CLOCK,
    Reason.INCOMPLETE: Check.COMPLETE,
}


@dataclass(frozen=True)
class Shown:
    """What a visit shows: metres to the tower and of accuracy, moments by the device's clock and
    `received_at` by ours, the sources of its photos, whether everything was answered."""

    distance_m: float | None
    accuracy_m: float | None
    started_at: datetime | None
    ended_at: datetime | None
    device_at: datetime | None
    received_at: datetime
    photos: tuple[PhotoSource, ...]
    complete: bool


@dataclass(frozen=True)
class Limits:
    """What counts as at the tower, and by how much a clock may differ from ours."""

    at_tower_m: float
    clock_minutes: int


@dataclass(frozen=True)
class Evidence:
    """The grade, the checks that are passed, and the reasons why others are not."""

    grade: Grade
    passed: frozenset[Check]
    reasons: tuple[Reason, ...]


def grade(shown: Shown, limits: Limits) -> Evidence:
    """How good the evidence of a submitted visit is."""
    reasons = tuple(_reasons(shown, limits))
    failed = {OF_CHECK[reason] for reason in reasons}
    result = (Grade.STRONG, Grade.FAIR, Grade.WEAK)[min(len(failed), 2)]
    return Evidence(result, frozenset(Check) - failed, reasons)


def _reasons(shown: Shown, limits: Limits) -> Iterator[Reason]:
    yield from _of_place(shown, limits.at_tower_m)
    if not shown.photos:
        yield Reason.NO_PHOTO
    elif any(source is not PhotoSource.CAMERA for source in shown.photos):
        yield Reason.PHOTOS_NOT_TAKEN_THERE
    yield from _of_clock(shown, timedelta(minutes=limits.clock_minutes))
    if not shown.complete:
        yield Reason.INCOMPLETE


def _of_place(shown: Shown, at_tower_m: float) -> Iterable[Reason]:
    """A position that is less exact than the circle around the tower proves nothing."""
    if shown.distance_m is None:
        yield Reason.NO_POSITION
        return
    if shown.accuracy_m is None or shown.accuracy_m > at_tower_m:
        yield Reason.POSITION_INEXACT
    if shown.distance_m > at_tower_m:
        yield Reason.FAR_FROM_TOWER


def _of_clock(shown: Shown, leeway: timedelta) -> Iterable[Reason]:
    """`device_at` is read when the visit is sent, so it should be our own time."""
    if shown.device_at is None:
        yield Reason.NO_CLOCK
    elif abs(shown.device_at - shown.received_at) > leeway:
        yield Reason.CLOCK_OFF
    if shown.started_at is None or shown.ended_at is None:
        yield Reason.NO_TIMES
    elif not shown.started_at < shown.ended_at <= shown.received_at + leeway:
        yield Reason.TIMES_IMPOSSIBLE
