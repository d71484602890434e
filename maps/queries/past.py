"""From which day on the map can show how the register was."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy import Date, cast, func, select
from sqlalchemy.orm import Session

from maps.models import tower_change, tower_turn


def first_day(session: Session, zone: ZoneInfo) -> date | None:
    """The first local day at whose end towers are known, `None` where none ever were."""
    of = tower_change.c
    appended = select(func.min(of.at)).where(of.number != 0)
    return session.scalar(
        select(
            func.least(
                select(func.min(tower_turn.c.day)).scalar_subquery(),
                cast(func.timezone(str(zone), appended.scalar_subquery()), Date),
            )
        )
    )
