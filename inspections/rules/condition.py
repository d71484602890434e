"""From facts to the condition of a tower, without a calendar: what time changes is read later."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from towers.rules import Condition, ConditionReason


@dataclass(frozen=True)
class Facts:
    """What is known of a tower. A re-inspection is not a full inspection.

    `assessed_dangerous` is what the last answered assessment came to, where no violation carries
    that: one of the time before assessments raised violations.
    """

    open_severities: Sequence[str]
    assessment_pending: bool
    last_full_inspection_on: date | None
    last_full_complete: bool
    interval_months: int | None
    assessed_dangerous: bool = False


def condition(facts: Facts) -> tuple[Condition, ConditionReason | None, date | None]:
    """The condition, why it is unchecked, and the last day on which `ok` holds."""
    if "critical" in facts.open_severities or facts.assessed_dangerous:
        return Condition.DANGEROUS, None, None
    if facts.assessment_pending:
        return Condition.ASSESSMENT_NEEDED, None, None
    if facts.open_severities:
        return Condition.NEEDS_FOLLOW_UP, None, None
    if facts.last_full_inspection_on is None:
        return Condition.UNCHECKED, ConditionReason.NEVER, None
    if not facts.last_full_complete or facts.interval_months is None:
        return Condition.UNCHECKED, ConditionReason.INCOMPLETE, None
    return Condition.OK, None, add_months(facts.last_full_inspection_on, facts.interval_months)


def add_months(day: date, months: int) -> date:
    """The same day some months later, or the last day of a shorter month."""
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def condition_on(
    stored: Condition, reason: ConditionReason | None, ok_until: date | None, today: date
) -> tuple[Condition, ConditionReason | None]:
    """The condition as it counts on a day: `ok` ends when its interval is over."""
    if stored is Condition.OK and ok_until is not None and ok_until < today:
        return Condition.UNCHECKED, ConditionReason.OUT_OF_DATE
    return stored, reason
