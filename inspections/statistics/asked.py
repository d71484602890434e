"""What the statistics are asked for."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from core import clock, store
from core.db import current_session
from core.errors import Invalid
from core.guard import current_actor
from core.words import N_
from inspections.queries.statistics import Scope
from inspections.rules.condition import add_months
from inspections.rules.statistics import MOST_MONTHS, Period, usual_period
from towers.queries import Filters

NOT_A_DATE = N_("This is not a date (write 2026-12-31).")
FIRST = date(1990, 1, 1)


@dataclass(frozen=True)
class Asked:
    """Whose numbers of which period, in groups by what; no percentage of fewer than `least`."""

    scope: Scope
    period: Period
    by: str
    least: int


def asked(
    period: Period,
    *,
    by: str,
    commune: Sequence[str] = (),
    owner: uuid.UUID | None = None,
    structure_type: Sequence[str] = (),
) -> Asked:
    """The reader's numbers of the towers with these communes, this owner and these types."""
    filters = Filters(commune=tuple(commune), owner=owner, structure_type=tuple(structure_type))
    return Asked(
        Scope(current_actor(), filters, clock.today(), clock.zone()),
        period,
        by,
        int(store.value_of(current_session(), "statistics_least")),
    )


def period_of(start: date | None, end: date | None, *, today: date) -> Period:
    """The period between two days, without one of them a year; raises `Invalid`.

    It ends today at the latest, since nobody knows what comes, and has `MOST_MONTHS` at most.
    """
    if end is None and start is None:
        return usual_period(today)
    end = end or today
    if end < FIRST:
        message = N_("Statistics begin in %(year)s")
        raise Invalid(message, fields={"to": [message]}, year=FIRST.year)
    start = start or usual_period(end).start
    if end > today:
        raise Invalid(fields={"to": [N_("The period ends today at the latest")]})
    if start > end:
        raise Invalid(fields={"from": [N_("The period begins after its end")]})
    if start < FIRST or start <= add_months(end, -MOST_MONTHS) - timedelta(days=1):
        message = N_("A period has %(most)s months at most")
        raise Invalid(message, fields={"from": [message]}, most=MOST_MONTHS)
    return Period(start, end)


def day_of(name: str, given: str) -> date | None:
    """The day that was typed into a field, `None` for nothing; raises `Invalid`."""
    try:
        return date.fromisoformat(given) if given else None
    except ValueError as error:
        raise Invalid(fields={name: [NOT_A_DATE]}) from error
