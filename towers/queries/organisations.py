"""The towers of organisations: which they own, manage or operate on, in the reader's scope."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

from sqlalchemy import func, select, union_all
from sqlalchemy.orm import Session

from core import policy
from core.policy import Actor
from towers.models import Installation, Tower


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
