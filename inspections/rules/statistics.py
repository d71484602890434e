"""Periods and ratios of the statistics: pure values, no number without what it is a part of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from inspections.rules.condition import add_months

# A chart has a pair of bars a month: more cannot be read.
MOST_MONTHS = 60


@dataclass(frozen=True)
class Period:
    """Some days, both ends included. What stands at one moment is counted at the end of the last.

    `start` is never after `end`.
    """

    start: date
    end: date

    @property
    def days(self) -> int:
        return (self.end - self.start).days + 1

    @property
    def whole_months(self) -> bool:
        """Whether the period begins with a month and ends with one."""
        return self.start.day == 1 and (self.end + timedelta(days=1)).day == 1

    @property
    def months(self) -> list[date]:
        """The first days of the months that the period touches."""
        return list(_months(self.start.replace(day=1), self.end))

    @property
    def before(self) -> Period:
        """The period that ends the day before this one: as many whole months, else as many days."""
        last = self.start - timedelta(days=1)
        if self.whole_months:
            return Period(add_months(self.start, -len(self.months)), last)
        return Period(last - timedelta(days=self.days - 1), last)


def _months(first: date, until: date) -> Iterator[date]:
    while first <= until:
        yield first
        first = add_months(first, 1)


def usual_period(today: date) -> Period:
    """The year that ends today."""
    return Period(add_months(today, -12) + timedelta(days=1), today)


def weeks_from(today: date, number: int) -> list[date]:
    """The Mondays of so many weeks, the one of today first."""
    monday = today - timedelta(days=today.weekday())
    return [monday + timedelta(weeks=count) for count in range(number)]


@dataclass(frozen=True)
class Ratio:
    """A part of a whole. `per` is 100 for a share in per cent and for a number per 100 towers."""

    part: int
    whole: int
    per: int = 100

    def value(self, least: int) -> float | None:
        """Per hundred, `None` where the whole is so small that this would mislead, or nothing."""
        if self.whole < max(least, 1):
            return None
        return self.per * self.part / self.whole


@dataclass(frozen=True)
class Median:
    """The middle of some durations in days, with how many there are; `None` of none."""

    days: float | None
    number: int


@dataclass(frozen=True)
class Numbers:
    """What is counted of some towers at the end of a period, and what happened during it.

    `ok`, `dangerous`, `assessment_needed`, `needs_follow_up` and the three of `unchecked` count
    every tower once.
    """

    towers: int = 0
    inspected: int = 0
    open: int = 0
    critical: int = 0
    overdue: int = 0
    dangerous: int = 0
    assessment_needed: int = 0
    needs_follow_up: int = 0
    ok: int = 0
    never: int = 0
    incomplete: int = 0
    out_of_date: int = 0
    found: int = 0
    closed: int = 0
    median_days: float | None = None

    @property
    def unchecked(self) -> int:
        return self.never + self.incomplete + self.out_of_date

    @property
    def ratios(self) -> dict[str, Ratio]:
        """Each share of the statistics by its name."""
        return {
            "inspected": Ratio(self.inspected, self.towers),
            "critical": Ratio(self.critical, self.towers),
            "overdue": Ratio(self.overdue, self.open),
            "unchecked": Ratio(self.unchecked, self.towers),
        }

    @property
    def closure(self) -> Median:
        return Median(self.median_days, self.closed)


# What is counted at the end of the last day, and what happens during a period.
STOCKS = (
    "towers", "inspected", "open", "critical", "overdue", "dangerous", "assessment_needed",
    "needs_follow_up", "ok", "never", "incomplete", "out_of_date",
)  # fmt: skip
FLOWS = ("found", "closed", "median_days")
REASONS = ("never", "incomplete", "out_of_date")
# Those of them that the map shows by commune.
COMMUNE_FIGURES = ("towers", "inspected", "open", "critical", "overdue")
