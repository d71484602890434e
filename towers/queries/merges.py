"""What became of towers that were merged into others, and of those that left their codes."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from sqlalchemy import select, union_all
from sqlalchemy.orm import Session, aliased

from core import merging
from core.policy import Actor
from towers import queries
from towers.models import Tower, TowerLeftCode, TowerMerge


def successors(
    session: Session, codes: Sequence[str] | None = None, *, recoded: bool = True
) -> dict[str, str]:
    """For codes that nobody bears any more the code of the tower that each stands for now.

    Merges left them behind or, with `recoded`, towers that got another code; where several did, the
    last one. Of these codes, or of all. A code that a tower bears again stands for that tower and
    is left out.
    """
    chain = select(TowerMerge.old_code, TowerMerge.into_id, TowerMerge.at)
    left = select(TowerLeftCode.old_code, TowerLeftCode.tower_id, TowerLeftCode.at)
    if codes is not None:
        chain = chain.where(TowerMerge.old_code.in_(codes))
        left = left.where(TowerLeftCode.old_code.in_(codes))
    first = union_all(chain, left).subquery() if recoded else chain.subquery()
    steps = select(first.c.old_code, first.c.into_id, first.c.at).cte(recursive=True)
    later = aliased(TowerMerge)
    steps = steps.union(
        select(steps.c.old_code, later.into_id, steps.c.at).join(
            later, later.old_id == steps.c.into_id
        )
    )
    alive = select(Tower.id).where(Tower.code == steps.c.old_code).correlate(steps).exists()
    rows = session.execute(
        select(steps.c.old_code, Tower.code)
        .join(Tower, Tower.id == steps.c.into_id)
        .where(~alive)
        .order_by(steps.c.old_code, steps.c.at, Tower.code)
    )
    return {row[0]: row[1] for row in rows}


def successor(session: Session, actor: Actor, code: str) -> Tower | None:
    """The tower that a code stands for which its own left, if the reader may see it."""
    kept = successors(session, [code]).get(code)
    return queries.by_code(session, actor, kept) if kept else None


def current(session: Session, actor: Actor, code: str) -> Tower | None:
    """The tower with a code, or the one that bore it or was merged with the one that did."""
    return queries.by_code(session, actor, code) or successor(session, actor, code)


def with_predecessors(session: Session, tower: Tower) -> tuple[uuid.UUID, ...]:
    """The tower and all that were merged into it: whose history is also its own."""
    return merging.with_predecessors(session, TowerMerge, tower.id)
