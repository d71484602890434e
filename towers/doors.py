"""What the doors of the register share: finding a tower or a part of it, what counts today."""

from __future__ import annotations

import uuid
from datetime import date
from decimal import Decimal

from flask import request
from sqlalchemy.orm import Session

from core import store
from core.db import current_session
from core.errors import NotFound
from core.guard import current_actor
from core.i18n import N_
from towers import queries
from towers.models import Tower
from towers.parts import PartKind
from towers.queries import parts
from towers.queries.parts import Part
from towers.rules import Condition, ConditionReason, fall_zone_m

FARTHEST_NEIGHBOUR_M = 20_000


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


def the_part(session: Session, tower: Tower, kind: PartKind, part_id: uuid.UUID) -> Part:
    """One part of a tower; raises `NotFound`."""
    found = parts.part_of(session, kind, tower.id, part_id)
    if found is None:
        raise NotFound(N_("This tower has no such part"))
    return found


def soon_days(session: Session) -> int:
    """How many days before its end a permit counts as about to expire."""
    return int(store.value_of(session, "permit_soon_days"))


def fall_zone_of(session: Session, tower: Tower) -> Decimal | None:
    """The radius in metres of the expected influence zone by the department's factors."""
    factor, building = (
        Decimal(str(store.value_of(session, key)))
        for key in ("fall_zone_factor", "fall_zone_building_factor")
    )
    return fall_zone_m(
        tower.structure_type,
        tower.height_m,
        tower.host_building_height_m,
        factor=factor,
        building_factor=building,
    )


def neighbour_metres(session: Session) -> int:
    """Within how many metres neighbours are named: as asked, else as the department has set."""
    asked = request.args.get("within", "")
    if asked.isascii() and asked.isdigit() and len(asked) < 6 and int(asked):
        return min(int(asked), FARTHEST_NEIGHBOUR_M)
    return int(store.value_of(session, "neighbour_m"))
