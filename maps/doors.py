"""What the doors of the map share."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from flask import request

from core import clock
from core.db import current_session
from core.errors import BadRequest
from core.words import N_
from maps.queries import past
from towers.doors import asked_filters
from towers.queries import Filters
from towers.queries.past import Then, then

FUTURE = N_("This day is still to come: choose today or a day before")
BEFORE_ALL = N_("Nothing is known of this day: the history of the register begins on %(first)s")
NO_DAY = N_("on is a day as in 2026-03-01")
DUE_THEN = N_("When inspections would fall due is not known of days that are over")


def map_filters() -> Filters:
    """The filters in the address; its box is what is looked at, not what is looked for."""
    return replace(asked_filters(), bbox=None)


def asked_then(filters: Filters) -> Then | None:
    """The day that is over of which the address asks, `None` for today.

    Raises `BadRequest` for what is no day, for days to come and days before the history begins,
    and for filters that such a day has no answer to.
    """
    text = request.args.get("on", "")
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise BadRequest(NO_DAY) from error
    today = clock.today()
    if day > today:
        raise BadRequest(FUTURE)
    if day == today:
        return None
    first = past.first_day(current_session(), clock.zone()) or today
    if day < first:
        raise BadRequest(BEFORE_ALL, first=f"{first:%d/%m/%Y}")
    if filters.inspection_due_before is not None:
        raise BadRequest(DUE_THEN)
    return then(day, clock.zone())
