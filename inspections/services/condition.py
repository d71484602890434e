"""The condition of towers: derived in the transaction of its cause, and recomputable."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from inspections.queries.facts import TowerFacts, facts
from inspections.rules.condition import Facts, condition
from inspections.rules.violation import SEVERITY_ORDER
from towers import services as towers
from towers.models import Tower

BATCH = 5_000


def refresh(session: Session, tower: Tower) -> bool:
    """Write the condition that follows from the facts; returns whether it differed."""
    session.flush()
    (known,) = facts(session, [tower.id])
    return write(session, tower, known)


def write(session: Session, tower: Tower, known: TowerFacts) -> bool:
    """Derive and store the condition of one tower from its facts."""
    state, reason, ok_until = condition(
        Facts(
            open_severities=known.severities,
            assessment_pending=known.assessment_pending,
            last_full_inspection_on=known.last_on,
            last_full_complete=known.last_complete,
            interval_months=known.interval_months,
            assessed_dangerous=known.assessed_dangerous,
        )
    )
    return towers.set_condition(
        session,
        tower,
        condition=state,
        reason=reason,
        ok_until=ok_until,
        worst_severity=min(known.severities, key=SEVERITY_ORDER.index, default=None),
        next_deadline=known.next_deadline,
        open_violations=len(known.severities),
        last_inspected_on=known.last_on,
    )


def derive_again(session: Session, tower_ids: Sequence[uuid.UUID]) -> None:
    """Derive the condition of some towers again, since what it follows from has changed."""
    for start in range(0, len(tower_ids), BATCH):
        batch = tower_ids[start : start + BATCH]
        towers_of = {
            tower.id: tower
            for tower in session.scalars(
                select(Tower).where(Tower.id.in_(batch)).execution_options(populate_existing=True)
            )
        }
        for known in facts(session, batch):
            write(session, towers_of[known.tower_id], known)
    session.flush()


def recompute(session: Session) -> Iterator[tuple[str, bool]]:
    """Derive every tower's condition again; yields each code with whether it differed."""
    last = ""
    while True:
        batch = session.scalars(
            select(Tower).where(Tower.code > last).order_by(Tower.code).limit(BATCH)
        ).all()
        if not batch:
            return
        known = {one.tower_id: one for one in facts(session, [tower.id for tower in batch])}
        for tower in batch:
            yield tower.code, write(session, tower, known[tower.id])
        last = batch[-1].code
        session.flush()
        session.expunge_all()
