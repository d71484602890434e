"""What is kept of imports: the batch, its rows that wait for a person, mappings by name."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from core.model import Base
from towers.imports.states import DuplicateState, State


def _state_of(states: type[StrEnum]) -> CheckConstraint:
    words = ", ".join(f"'{state}'" for state in states)
    return CheckConstraint(f"state IN ({words})", name="state")


class ImportBatch(Base):
    """One list from its upload to its end.

    Its file lies in the folder of uploads under its `id`. `counts` are those of the last check or
    import, `error` is a text to translate with its facts. What the worker says of its progress is
    written outside the import's own transaction.
    """

    __tablename__ = "import_batch"
    __table_args__ = (
        _state_of(State),
        Index("ix_import_batch_created_at_id", "created_at", "id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    filename: Mapped[str]
    sha256: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}", default=dict)
    mapping: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    options: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}", default=dict)
    state: Mapped[str]
    counts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}", default=dict)
    error: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    cancel_requested: Mapped[bool] = mapped_column(server_default=text("false"), default=False)
    step: Mapped[str] = mapped_column(server_default="", default="")
    rows_read: Mapped[int] = mapped_column(server_default="0", default=0)
    rows_total: Mapped[int | None]
    actor_id: Mapped[str | None]
    actor: Mapped[str]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    progress_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default="1", default=1)


class ImportDuplicate(Base):
    """A row that is probably a structure of the register already, or of the same list.

    `given` are its values as the register would keep them, `candidates` the structures it may be:
    `tower_id` or `line`, `metres` away, alike by `likeness`. The same row is asked about once, by
    its `digest`.
    """

    __tablename__ = "import_duplicate"
    __table_args__ = (
        _state_of(DuplicateState),
        UniqueConstraint("batch_id", "line"),
        UniqueConstraint("digest"),
    )

    id: Mapped[uuid.UUID] = mapped_column(
        primary_key=True, default=uuid.uuid4, server_default=text("gen_random_uuid()")
    )
    batch_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("import_batch.id", ondelete="CASCADE"))
    line: Mapped[int]
    code: Mapped[str] = mapped_column(Text(collation="C"))
    digest: Mapped[str]
    given: Mapped[dict[str, Any]] = mapped_column(JSONB)
    candidates: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    state: Mapped[str] = mapped_column(server_default="open", default="open")
    tower_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("tower.id", ondelete="SET NULL"), index=True
    )
    decided_by: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default="1", default=1)

    batch: Mapped[ImportBatch] = relationship()


class ImportMapping(Base):
    """A mapping under a name, for lists with the same headers."""

    __tablename__ = "import_mapping"
    __table_args__ = (
        CheckConstraint("length(btrim(name)) BETWEEN 1 AND 100", name="name"),
    )

    name: Mapped[str] = mapped_column(primary_key=True)
    headers_digest: Mapped[str] = mapped_column(index=True)
    mapping: Mapped[dict[str, Any]] = mapped_column(JSONB)
    actor: Mapped[str]
    saved_at: Mapped[datetime]
