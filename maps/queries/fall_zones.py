"""The towers of a view as far as their expected influence zones need them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Row, case, func, select
from sqlalchemy.orm import Session

from core.policy import Actor
from maps.queries import Box
from maps.queries.tiles import WORST
from towers.models import Tower
from towers.queries import Filters, condition_on, filtered

# More rings than this cover one another, and slow a phone down.
MOST = 500


def masts(
    session: Session, actor: Actor, filters: Filters, box: Box, *, today: date
) -> tuple[Sequence[Row[Any]], int]:
    """Place, condition, type and heights of the towers in a box, and how many stand there.

    Those of the worst condition where they are too many.
    """
    condition = condition_on(today)
    rows = session.execute(
        filtered(
            select(
                func.ST_X(Tower.geom).label("x"),
                func.ST_Y(Tower.geom).label("y"),
                condition.label("condition"),
                Tower.structure_type,
                Tower.height_m,
                Tower.host_building_height_m,
                func.count().over().label("total"),
            ),
            actor,
            filters,
            today=today,
        )
        .where(Tower.geom_3857.op("&&")(box.in_mercator()))
        .order_by(case({one: place for place, one in enumerate(WORST)}, value=condition), Tower.id)
        .limit(MOST)
    ).all()
    return rows, rows[0].total if rows else 0
