"""The towers that somebody takes along with a map."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from accounts.models import Organisation
from areas.models import Area
from core.policy import Actor
from towers.models import Tower
from towers.queries import Filters, condition_on, filtered, overdue_on, reason_on


def towers(
    session: Session, actor: Actor, filters: Filters, *, today: date, most: int
) -> Sequence[Row[Any]]:
    """At most so many of the filtered towers in the reader's scope, in the order of their codes:
    where each stands, and what its popup says."""
    statement = (
        select(
            func.ST_Y(Tower.geom).label("latitude"),
            func.ST_X(Tower.geom).label("longitude"),
            Tower.code,
            Tower.name,
            condition_on(today).label("condition"),
            reason_on(today).label("condition_reason"),
            Tower.open_violations,
            Tower.next_deadline,
            overdue_on(today).label("overdue"),
            Area.name.label("commune"),
            Organisation.name.label("owner"),
        )
        .outerjoin(Area, Area.id == Tower.commune_id)
        .outerjoin(Organisation, Organisation.id == Tower.owner_id)
    )
    found = filtered(statement, actor, filters, today=today)
    return session.execute(found.order_by(Tower.code).limit(most)).all()
