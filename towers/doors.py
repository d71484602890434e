"""What the doors of the register share: finding a tower, and its condition as it counts today."""

from __future__ import annotations

from datetime import date

from core.db import current_session
from core.errors import NotFound
from core.guard import current_actor
from core.i18n import N_
from towers import queries
from towers.models import Tower
from towers.rules import Condition, ConditionReason


def effective(tower: Tower, today: date) -> tuple[str, str | None]:
    """The condition of a loaded tower as it counts today."""
    if tower.condition == Condition.OK and tower.ok_until and tower.ok_until < today:
        return Condition.UNCHECKED, ConditionReason.OUT_OF_DATE
    return tower.condition, tower.condition_reason


def the_tower(code: str) -> Tower:
    """The tower with a code in the reader's territory; raises `NotFound`."""
    found = None if "\x00" in code else queries.by_code(current_session(), current_actor(), code)
    if found is None:
        raise NotFound(N_("There is no tower with this code in your territory"))
    return found
