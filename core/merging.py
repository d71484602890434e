"""When two rows are found to be one thing: everything that refers to the one follows to the other.

A feature knows nothing of those that refer to its things. They say so here, in `app.py`, and are
asked in the transaction of the merge.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, mapped_column

from core.policy import Actor


class Merged:
    """The columns of a table of things that were found to be others: evidence, only ever added.

    The thing `into_id` may have been merged on since: `successor` follows it. `snapshot` is the
    row that left, as plain JSON.
    """

    old_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    into_id: Mapped[uuid.UUID] = mapped_column(index=True)
    at: Mapped[datetime]
    snapshot: Mapped[dict[str, Any]] = mapped_column(JSONB)


def successor(session: Session, table: type[Merged], old_id: uuid.UUID) -> uuid.UUID | None:
    """What a thing has become, however often it was merged on; `None` where it never was."""
    found: uuid.UUID | None = None
    while record := session.get(table, found or old_id):
        found = record.into_id
    return found


def with_predecessors(
    session: Session, table: type[Merged], thing: uuid.UUID
) -> tuple[uuid.UUID, ...]:
    """A thing and all that were merged into it, over any number of steps."""
    known, fresh = [thing], [thing]
    while fresh:
        fresh = list(session.scalars(select(table.old_id).where(table.into_id.in_(fresh))))
        known.extend(fresh)
    return tuple(known)


@dataclass(frozen=True)
class Merge:
    """What is merged into what: `drop` leaves, `keep` stays. `today` is the local day."""

    keep: uuid.UUID
    drop: uuid.UUID
    by: Actor
    now: datetime
    today: date


Step = Callable[[Session, Merge], None]


@dataclass(frozen=True)
class Follower:
    """A column that refers to a kind of thing.

    `label` names its rows to be counted before a merge. `before` settles what may stand only once
    beside the kept thing, and writes what history needs; then the column is moved.
    """

    label: str
    column: InstrumentedAttribute[Any]
    before: Step | None = None


@dataclass
class Registry:
    followers: dict[str, list[Follower]] = field(default_factory=dict)
    afterwards: dict[str, list[Step]] = field(default_factory=dict)


_registry = Registry()


def follow(kind: str, *followers: Follower, afterwards: Step | None = None) -> None:
    """Have these columns follow when things of this kind are merged, then take a step."""
    known = _registry.followers.setdefault(kind, [])
    known.extend(one for one in followers if one not in known)
    if afterwards and afterwards not in _registry.afterwards.setdefault(kind, []):
        _registry.afterwards[kind].append(afterwards)


def followers(kind: str) -> tuple[Follower, ...]:
    return tuple(_registry.followers.get(kind, ()))


def counts(session: Session, kind: str, thing: uuid.UUID) -> list[tuple[str, int]]:
    """What refers to a thing and would move: labels to be translated, with their numbers."""
    found: dict[str, int] = {}
    for follower in followers(kind):
        number = session.scalar(
            select(func.count()).select_from(follower.column.class_).where(follower.column == thing)
        )
        found[follower.label] = found.get(follower.label, 0) + (number or 0)
    return [(label, number) for label, number in found.items() if number]


def move(session: Session, kind: str, merge: Merge) -> None:
    """Move every reference; the row `merge.drop` can be deleted after it."""
    session.flush()
    for follower in followers(kind):
        if follower.before:
            follower.before(session, merge)
            session.flush()
        session.execute(
            update(follower.column.class_)
            .where(follower.column == merge.drop)
            .values({follower.column: merge.keep})
            .execution_options(synchronize_session=False)
        )
    session.expire_all()


def finish(session: Session, kind: str, merge: Merge) -> None:
    """Take the steps that follow once everything has moved and the row is gone."""
    for step in _registry.afterwards.get(kind, ()):
        step(session, merge)
