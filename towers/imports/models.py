"""What is kept of imports: the batch, its rows that wait for a person, mappings by name."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from core.model import Base, one_of
from towers.imports.states import DuplicateState, State


class ImportBatch(Base):
    """One list from its upload to its end.

    Its file lies in the folder of uploads under its `id`. `facts` is what is known of the file,
    `counts` are those of the last check or import, `error` is a text to translate with its facts.
    A long list is at work in the job `job_id`.
    """

    __tablename__ = "import_batch"
    __table_args__ = (
        one_of("state", State),
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
    job_id: Mapped[int | None] = mapped_column(BigInteger)
    actor_id: Mapped[str | None]
    actor: Mapped[str]
    created_at: Mapped[datetime]
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
        one_of("state", DuplicateState),
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
    __table_args__ = (CheckConstraint("length(btrim(name)) BETWEEN 1 AND 100", name="name"),)

    name: Mapped[str] = mapped_column(primary_key=True)
    headers_digest: Mapped[str] = mapped_column(index=True)
    mapping: Mapped[dict[str, Any]] = mapped_column(JSONB)
    actor: Mapped[str]
    saved_at: Mapped[datetime]
