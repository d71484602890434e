"""Assigning the towers anew after boundaries changed: which of them move, from where to where.

One statement finds what moves, whatever the number of towers, one writes it, and the history of
each tower says so. What was kept is a batch that can be looked at later.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from areas.places import limit_metres, placing
from areas.services.following import Consequence
from core import audit, policy
from core.audit import AuditEntry
from core.db import allow_long_statements
from core.errors import Forbidden, NotFound
from core.policy import Actor
from core.words import N_

SHOWN = 200

# Where a tower is not assigned to what it would be assigned to now.
FIND = f"""
    CREATE TEMPORARY TABLE moved ON COMMIT DROP AS {placing("tower", "id")}
    SELECT t.id, t.code, t.name, t.commune_id AS from_id, p.commune_id AS to_id,
        t.commune_distance_m AS from_m, p.metres AS to_m
    FROM tower t LEFT JOIN placed p ON p.id = t.id
    WHERE (t.commune_id, t.commune_distance_m) IS DISTINCT FROM (p.commune_id, p.metres)
"""  # noqa: S608 - our own columns
NOW = "moved"
# The same of a batch in the past: its entries lie between two numbers of the history.
PAST = """(
    SELECT t.code, t.name, (e.before->>'commune_id')::integer AS from_id,
        (e.after->>'commune_id')::integer AS to_id,
        (e.after->>'commune_distance_m')::numeric AS to_m
    FROM audit_entry e JOIN tower t ON t.id = e.object_id::uuid
    WHERE e.id BETWEEN :first AND :last AND e.after->>'reassignment' = :batch
) AS moved"""
NAMED = "LEFT JOIN area f ON f.id = moved.from_id LEFT JOIN area n ON n.id = moved.to_id"


@dataclass(frozen=True)
class Place:
    """A commune as history names it; without a code it is outside the territory."""

    code: str | None
    name: str | None

    def __str__(self) -> str:
        return f"{self.code} {self.name}" if self.code else "outside the territory"


@dataclass(frozen=True)
class Flow:
    """How many towers go from one place to another, or stay: their commune was only redrawn, or
    is another distance away."""

    old: Place
    new: Place
    towers: int
    stays: bool


@dataclass(frozen=True)
class Move:
    """One tower that moves; `metres` to its commune, `None` inside."""

    code: str
    name: str
    old: Place
    new: Place
    metres: Any


@dataclass(frozen=True)
class Moves:
    """What moves: where from and to, and the first towers by code. `batch` names what was kept."""

    flows: tuple[Flow, ...]
    first: tuple[Move, ...]
    batch: uuid.UUID | None = None

    @property
    def towers(self) -> int:
        """How many go to another commune, or out of the territory or into it."""
        return sum(flow.towers for flow in self.flows if not flow.stays)

    @property
    def measured(self) -> int:
        """How many stay in their commune, redrawn or at another distance."""
        return sum(flow.towers for flow in self.flows if flow.stays)

    @property
    def outside(self) -> int:
        """How many are outside the territory now."""
        return sum(flow.towers for flow in self.flows if flow.new.code is None)

    @property
    def lines(self) -> tuple[str, ...]:
        """For the console."""
        verb = "were" if self.batch else "would be"
        moving = [flow for flow in self.flows if not flow.stays]
        return (
            *(f"{flow.towers} towers: {flow.old} -> {flow.new}" for flow in moving),
            f"{self.towers} towers {verb} assigned to another commune, {self.outside} of them"
            f" outside the territory; {self.measured} {verb} measured anew",
        )


def look(session: Session) -> Moves:
    """What would move if the towers were assigned anew; the caller rolls back."""
    _find(session)
    return _moves(session, NOW)


def reassign(session: Session, *, why: str, by: Actor, now: datetime) -> Moves:
    """Assign every tower to its commune, and say so in the history of each that moves."""
    policy.require(by, "tower.reassign")
    if by.communes is not None:
        raise Forbidden(N_("Only those who see the whole register can assign it anew"))
    _find(session)
    batch = uuid.uuid4()
    facts = {
        "now": now,
        "actor": by.email,
        "actor_id": str(by.id) if by.id else None,
        "batch": str(batch),
    }
    session.execute(
        text(
            """
            UPDATE tower t SET commune_id = m.to_id, commune_distance_m = m.to_m,
                version = t.version + 1, updated_at = :now
            FROM moved m WHERE m.id = t.id
            """
        ),
        facts,
    )
    first, last = session.execute(
        text(
            """
            WITH written AS (
                INSERT INTO audit_entry
                    (at, actor_id, actor, action, kind, object_id, before, after)
                SELECT :now, :actor_id, :actor, 'tower.reassign', 'tower', m.id::text,
                    jsonb_build_object(
                        'commune_id', m.from_id, 'commune_distance_m', m.from_m::text),
                    jsonb_build_object(
                        'commune_id', m.to_id, 'commune_distance_m', m.to_m::text,
                        'reassignment', cast(:batch AS text))
                FROM moved m ORDER BY m.code
                RETURNING id
            ) SELECT min(id), max(id) FROM written
            """
        ),
        facts,
    ).one()
    session.expire_all()
    if first is None:
        return Moves((), ())
    audit.record(
        session,
        "tower.reassign",
        "reassignment",
        batch,
        by=by,
        now=now,
        after={"why": why, "first": first, "last": last},
    )
    return _moves(session, NOW, batch=batch)


def follow_areas(session: Session, *, keep: bool, by: Actor, now: datetime) -> Consequence | None:
    """Assign the towers anew after areas changed, or say what that would move."""
    moves = reassign(session, why="area.load", by=by, now=now) if keep else look(session)
    if not moves.flows:
        return None
    return Consequence("towers/_moves.html", {"moves": moves}, moves.lines)


def batches(session: Session, *, limit: int = 20) -> Sequence[AuditEntry]:
    """What was assigned anew before, the latest first."""
    return session.scalars(
        select(AuditEntry)
        .where(AuditEntry.kind == "reassignment")
        .order_by(AuditEntry.id.desc())
        .limit(limit)
    ).all()


def batch_of(session: Session, batch: uuid.UUID) -> tuple[AuditEntry, Moves]:
    """One of them with what it moved; raises `NotFound`."""
    entry = _entry(session, batch)
    return entry, _moves(session, PAST, _range(entry), batch=batch)


def every_move(session: Session, batch: uuid.UUID | None) -> list[Move]:
    """All towers of a batch by code, or those that would move now; raises `NotFound`."""
    if batch is None:
        _find(session)
        return _listed(session, NOW)
    return _listed(session, PAST, _range(_entry(session, batch)))


def _entry(session: Session, batch: uuid.UUID) -> AuditEntry:
    entry = session.scalar(
        select(AuditEntry).where(
            AuditEntry.kind == "reassignment", AuditEntry.object_id == str(batch)
        )
    )
    if entry is None:
        raise NotFound()
    return entry


def _range(entry: AuditEntry) -> dict[str, Any]:
    assert entry.after is not None
    return {
        "first": entry.after["first"],
        "last": entry.after["last"],
        "batch": entry.object_id,
    }


def _find(session: Session) -> None:
    allow_long_statements(session)
    session.execute(text("DROP TABLE IF EXISTS pg_temp.moved"))
    session.execute(text(FIND), {"nearest_m": limit_metres(session)})


def _moves(
    session: Session,
    moved: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    batch: uuid.UUID | None = None,
) -> Moves:
    flows = session.execute(
        text(
            f"""
            SELECT f.code, f.name, n.code, n.name, count(*),
                (f.code, f.name) IS NOT DISTINCT FROM (n.code, n.name)
            FROM {moved} {NAMED} GROUP BY f.id, n.id
            ORDER BY count(*) DESC, f.code, f.id, n.code, n.id
            """  # noqa: S608 - our own tables
        ),
        parameters,
    )
    return Moves(
        flows=tuple(
            Flow(Place(row[0], row[1]), Place(row[2], row[3]), row[4], stays=row[5])
            for row in flows
        ),
        first=tuple(_listed(session, moved, parameters, limit=SHOWN)),
        batch=batch,
    )


def _listed(
    session: Session,
    moved: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    limit: int | None = None,
) -> list[Move]:
    rows = session.execute(
        text(
            f"""
            SELECT moved.code, moved.name, f.code, f.name, n.code, n.name, moved.to_m
            FROM {moved} {NAMED} ORDER BY moved.code LIMIT :limit
            """  # noqa: S608 - our own tables
        ),
        {**(parameters or {}), "limit": limit},
    )
    return [
        Move(row[0], row[1], Place(row[2], row[3]), Place(row[4], row[5]), row[6]) for row in rows
    ]
