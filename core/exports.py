"""Lists that somebody took along: each has a number, and says what it holds.

A short list leaves at once. A long one is made by a job and waits in a folder for some days; its
row says how far it has come. What a list is made of is known by the feature that owns it.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

from sqlalchemy import BigInteger, Index, delete, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import audit, jobs, paging, policy, store
from core.errors import Conflict, DomainError, NotFound
from core.jobs import Progress
from core.model import Base, one_of
from core.paging import Page
from core.policy import Actor
from core.words import N_

PIECE = 1 << 20
JOB = "exports.make"
CLEAR_JOB = "exports.clear"


class State(StrEnum):
    """A list begins; it is done once its last row has left, or its file lies ready."""

    BEGUN = "begun"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    CLEARED = "cleared"


class Export(Base):
    """One list that was taken along.

    `what` is the list, `query` are the arguments of its address, `filters` and `language` are what
    its reader was told. `rows` is known when it is done. A long one was made by the job `job_id`;
    then `size` is that of its file, which lies in the folder of exports under its `id`, and `scope`
    says for which roles and territory it was made (`scope_of`).
    """

    __tablename__ = "export"
    __table_args__ = (
        one_of("state", State),
        Index("ix_export_actor_id_created_at_id", "actor_id", "created_at", "id"),
        Index("ix_export_created_at_id", "created_at", "id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    what: Mapped[str]
    format: Mapped[str]
    query: Mapped[dict[str, list[str]]] = mapped_column(JSONB)
    filters: Mapped[list[list[str]]] = mapped_column(JSONB)
    language: Mapped[str]
    state: Mapped[str]
    rows: Mapped[int | None]
    size: Mapped[int | None] = mapped_column(BigInteger)
    job_id: Mapped[int | None] = mapped_column(BigInteger)
    error: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    actor_id: Mapped[str | None]
    actor: Mapped[str]
    scope: Mapped[str | None]
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default="1", default=1)

    @property
    def at_work(self) -> bool:
        return self.state == State.WAITING

    @property
    def has_file(self) -> bool:
        return self.state == State.DONE and self.job_id is not None


def scope_of(actor: Actor) -> str:
    """A digest of what decides which rows a reader sees."""
    territory = None if actor.communes is None else sorted(actor.communes)
    said = (sorted(actor.roles), territory, str(actor.organisation_id))
    return hashlib.sha256(repr(said).encode()).hexdigest()


def begin(
    session: Session,
    export_id: uuid.UUID,
    what: str,
    ending: str,
    query: Mapping[str, Sequence[str]],
    filters: Sequence[tuple[str, str]],
    *,
    language: str,
    by: Actor,
    now: datetime,
    facts: Mapping[str, Any],
) -> Export:
    """Write down that somebody takes a list along."""
    made = Export(
        id=export_id,
        what=what,
        format=ending,
        query={name: list(values) for name, values in query.items()},
        filters=[list(pair) for pair in filters],
        language=language,
        state=State.BEGUN,
        actor_id=str(by.id) if by.id else None,
        actor=by.name or by.email,
        created_at=now,
    )
    session.add(made)
    session.flush()
    audit.record(
        session,
        f"{what}.export",
        "export",
        made.id,
        by=by,
        now=now,
        after={**facts, "format": ending, "filters": dict(filters)},
    )
    return made


def put_off(session: Session, export: Export) -> None:
    """Leave the making of a long list to a job."""
    export.state = State.WAITING
    export.job_id = jobs.enqueue(session, JOB, export=str(export.id))
    export.version += 1
    session.flush()


def finish(session: Session, export: Export, rows: int, *, now: datetime) -> None:
    """The list has left whole, or lies ready."""
    export.state, export.rows, export.finished_at = State.DONE, rows, now
    export.version += 1
    session.flush()


def fail(session: Session, export: Export, error: DomainError, *, now: datetime) -> None:
    export.state, export.finished_at = State.FAILED, now
    export.error = {"message": error.message, "facts": error.facts}
    export.version += 1
    session.flush()


def cancel(session: Session, export: Export, *, by: Actor, now: datetime) -> None:
    """Make a list no further; raises `Conflict` for one that is not being made."""
    policy.require(by, "export.view", export)
    if not export.at_work or export.job_id is None:
        raise Conflict(N_("This list is not being made"))
    jobs.cancel(session, export.job_id)
    export.state, export.finished_at = State.CANCELLED, now
    export.version += 1
    session.flush()
    audit.record(session, "export.cancel", "export", export.id, by=by, now=now)


def settle(session: Session, export: Export, *, now: datetime) -> None:
    """Bring the row of a list up to date whose job has ended without it."""
    progress = progress_of(session, export)
    if export.at_work and (progress is None or progress.ended):
        export.state, export.finished_at = State.FAILED, now
        if progress is not None and progress.note:
            export.error = {"message": progress.note, "facts": dict(progress.facts)}
        export.version += 1
        session.flush()


def progress_of(session: Session, export: Export) -> Progress | None:
    return jobs.progress(session, export.job_id) if export.job_id else None


def by_id(session: Session, actor: Actor, export_id: uuid.UUID) -> Export:
    """One export in the reader's scope; raises `NotFound`."""
    found = session.scalar(
        select(Export).where(Export.id == export_id, policy.visible(actor, "export"))
    )
    if found is None:
        raise NotFound()
    return found


def listed(
    session: Session, actor: Actor, *, limit: int | None = None, cursor: str | None = None
) -> Page[Export]:
    """The exports in the reader's scope, the latest first."""
    limit = paging.clamp(limit)
    statement = paging.keyset(
        select(Export).where(policy.visible(actor, "export")),
        (Export.created_at, Export.id),
        (paging.moment, uuid.UUID),
        cursor,
        descending=True,
    )
    rows = session.scalars(statement.limit(limit + 1)).all()
    return paging.page_of(rows, limit, lambda row: [row.created_at, row.id])


def path_of(folder: Path, export: Export) -> Path:
    return folder / f"{export.id}.{export.format}"


def keep(folder: Path, export: Export, file: IO[bytes]) -> int:
    """Put a made file under its name, whole or not at all; returns its size."""
    path = path_of(folder, export)
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        with part.open("wb") as into:
            while piece := file.read(PIECE):
                into.write(piece)
            into.flush()
            os.fsync(into.fileno())
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
    return path.stat().st_size


def clear(session: Session, folder: Path, *, now: datetime) -> int:
    """Remove the files of lists that were made long ago (`export_days`); returns how many."""
    before = now - timedelta(days=int(store.value_of(session, "export_days")))
    old = session.scalars(
        select(Export)
        .where(Export.job_id.is_not(None), Export.state == State.DONE, Export.finished_at < before)
        .with_for_update(skip_locked=True)
    ).all()
    for export in old:
        path_of(folder, export).unlink(missing_ok=True)
        export.state = State.CLEARED
        export.version += 1
    # What a killed job left half-written.
    for part in folder.glob("*.part"):
        if part.stat().st_mtime < (now - timedelta(days=1)).timestamp():
            part.unlink(missing_ok=True)
    session.flush()
    return len(old)


def forget(session: Session, before: datetime, limit: int) -> int:
    """Delete the rows of lists that ended long ago and have no file any more; returns how many."""
    kept_file = (Export.state == State.DONE) & Export.job_id.is_not(None)
    old = (
        select(Export.id)
        .where(Export.created_at < before, Export.state != State.WAITING, ~kept_file)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return len(session.execute(delete(Export).where(Export.id.in_(old)).returning(Export.id)).all())
