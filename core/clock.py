"""What time it is: asked by doors only, and handed on as `now` and `today`."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from flask import current_app


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


def zone() -> ZoneInfo:
    """The zone in which the department counts its days."""
    return ZoneInfo(current_app.config["TIMEZONE"])


def today() -> date:
    """The local calendar day of the department."""
    return now().astimezone(zone()).date()
