"""What a back-test found: by commune in numbers, and answer by answer."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from areas.models import Area
from core import paging, policy
from core.paging import Page
from core.policy import Actor
from inspections.models import BackTestFinding, Inspection
from towers.models import Tower

# How a judgement can come out otherwise: a violation more, one fewer, or one of another severity.
KINDS: dict[str, ColumnElement[bool]] = {
    "more": BackTestFinding.before.is_(None),
    "fewer": BackTestFinding.after.is_(None),
    "other": BackTestFinding.before.is_not(None) & BackTestFinding.after.is_not(None),
}


@dataclass(frozen=True)
class Count:
    """How many violations would be more, fewer or of another severity, in how many inspections.

    `code` and `commune` are `None` for towers that stand in no commune.
    """

    code: str | None
    commune: str | None
    inspections: int
    more: int
    fewer: int
    other: int


def _found(actor: Actor, version_id: int, *columns: Any) -> Select[Any]:
    return (
        select(*columns)
        .select_from(BackTestFinding)
        .join(Inspection, Inspection.id == BackTestFinding.inspection_id)
        .join(Tower, Tower.id == Inspection.tower_id)
        .outerjoin(Area, Area.id == Tower.commune_id)
        .where(
            BackTestFinding.checklist_version_id == version_id,
            policy.visible(actor, "inspection"),
        )
    )


def by_commune(session: Session, actor: Actor, version_id: int) -> Sequence[Count]:
    """The numbers of each commune that has any, those with the most first."""
    numbers = [func.count().filter(where) for where in KINDS.values()]
    rows = session.execute(
        _found(
            actor,
            version_id,
            Area.code,
            Area.name,
            func.count(BackTestFinding.inspection_id.distinct()),
            *numbers,
        )
        .group_by(Area.id)
        .order_by(func.count().desc(), Area.code.nulls_last())
    )
    return [Count(*row) for row in rows]


def findings(
    session: Session,
    actor: Actor,
    version_id: int,
    *,
    commune: str = "",
    kind: str = "",
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[Any]:
    """The answers that would be judged otherwise, by tower: rows with what was and would be."""
    limit = paging.clamp(limit)
    statement = _found(
        actor,
        version_id,
        Tower.code,
        Tower.name,
        Area.name.label("commune"),
        Inspection.id.label("inspection_id"),
        Inspection.inspected_on,
        Inspection.checklist_version_id,
        BackTestFinding.item_key,
        BackTestFinding.before,
        BackTestFinding.after,
    )
    if commune:
        statement = statement.where(Area.code == commune)
    if kind in KINDS:
        statement = statement.where(KINDS[kind])
    statement = paging.keyset(
        statement,
        (Tower.code, BackTestFinding.inspection_id, BackTestFinding.item_key),
        (paging.text_value, uuid.UUID, paging.text_value),
        cursor,
    )
    rows = session.execute(statement.limit(limit + 1)).all()
    return paging.page_of(rows, limit, lambda row: [row.code, row.inspection_id, row.item_key])
