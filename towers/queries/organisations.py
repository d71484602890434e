"""The towers of organisations: which they own, manage or operate on, in the reader's scope."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select, union_all
from sqlalchemy.orm import Session

from core import policy
from core.policy import Actor
from towers import queries
from towers.models import Installation, Tower
from towers.queries import Filters


@dataclass(frozen=True)
class Share:
    """The towers that an organisation has in one role: their number and the first of them."""

    role: str
    number: int
    first: Sequence[Tower]


def shares(
    session: Session, actor: Actor, organisation_id: uuid.UUID, *, today: date, limit: int = 5
) -> list[Share]:
    """Its towers as owner, manager and operator; a role without towers is left out."""
    found = []
    for role in ("owner", "manager", "operator"):
        filters = Filters(**{role: organisation_id}, include_dismantled=True)  # type: ignore[arg-type]
        number = queries.count(session, actor, filters, today=today)
        if number:
            page = queries.towers(session, actor, filters, today=today, limit=limit)
            found.append(Share(role, number, page.rows))
    return found


def numbers(
    session: Session, actor: Actor, organisation_ids: Sequence[uuid.UUID]
) -> Mapping[uuid.UUID, int]:
    """How many towers each organisation has to do with, whatever its role; each counts once."""
    columns = (Tower.owner_id, Tower.manager_id)
    parts = [
        select(column.label("organisation"), Tower.id.label("tower")).where(
            column.in_(organisation_ids), policy.visible(actor, "tower")
        )
        for column in columns
    ]
    parts.append(
        select(Installation.operator_id, Installation.tower_id)
        .join(Tower, Tower.id == Installation.tower_id)
        .where(Installation.operator_id.in_(organisation_ids), policy.visible(actor, "tower"))
    )
    each = union_all(*parts).subquery()
    rows = session.execute(
        select(each.c.organisation, func.count(each.c.tower.distinct())).group_by(
            each.c.organisation
        )
    )
    return {row[0]: row[1] for row in rows}
