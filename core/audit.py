"""Who changed what: an append-only table, written in the transaction of the change."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Text, TextClause, cast, func, insert, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.model import Base
from core.paging import Behind
from core.policy import Actor

KEY_DIGITS = 19


def _told(name: str) -> TextClause:
    return text(f"coalesce(current_setting('thapcanh.{name}', true), '')")


class AuditEntry(Base):
    """One change. The application may insert and read it, never change or delete it."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_kind_object_id", "kind", "object_id", "id"),
        Index("ix_audit_entry_batch", "batch", postgresql_where=text("batch IS NOT NULL")),
        Index("ix_audit_entry_xid", "xid", postgresql_using="brin"),
        Index("ix_audit_entry_at", "at", postgresql_using="brin"),
        Index("ix_audit_entry_actor", "actor", "id"),
    )

    # Taken after the number of its transaction: see `core.seals`.
    id: Mapped[int] = mapped_column(
        BigInteger,
        server_default=text(
            "CASE WHEN pg_current_xact_id() IS NOT NULL"
            " THEN nextval('audit_entry_id_seq'::regclass) END"
        ),
        primary_key=True,
        autoincrement=True,
    )
    at: Mapped[datetime]
    actor_id: Mapped[str | None]
    actor: Mapped[str]
    action: Mapped[str]
    kind: Mapped[str]
    object_id: Mapped[str]
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    # Everything that one import changed; most entries have none.
    batch: Mapped[uuid.UUID | None]
    # From where: what the door said at the begin of its transaction (`core.db.transaction`).
    address: Mapped[str] = mapped_column(server_default=_told("address"))
    via: Mapped[str] = mapped_column(server_default=_told("via"))
    xid: Mapped[int] = mapped_column(
        BigInteger, server_default=text("pg_current_xact_id()::text::bigint")
    )


def record(
    session: Session,
    action: str,
    kind: str,
    object_id: object,
    *,
    by: Actor,
    now: datetime,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    batch: uuid.UUID | None = None,
) -> None:
    """Write down one change; `before` and `after` hold plain JSON values only."""
    session.execute(
        insert(AuditEntry).values(
            at=now,
            actor_id=str(by.id) if by.id else None,
            actor=by.email,
            action=action,
            kind=kind,
            object_id=str(object_id),
            before=before,
            after=after,
            batch=batch,
        )
    )


def history(
    session: Session, kind: str, ids: Iterable[object], *, limit: int = 50
) -> Sequence[AuditEntry]:
    """The latest changes of a thing and of those that were merged into it, the latest first."""
    return session.scalars(
        select(AuditEntry)
        .where(AuditEntry.kind == kind, AuditEntry.object_id.in_([str(one) for one in ids]))
        .order_by(AuditEntry.id.desc())
        .limit(limit)
    ).all()


def key_of(entry: AuditEntry) -> str:
    """The key of an entry in a timeline: longer numbers come later."""
    return f"{entry.id:0{KEY_DIGITS}d}"


def behind(
    session: Session, kind: str, ids: Iterable[object], place: Behind, *, limit: int
) -> Sequence[AuditEntry]:
    """So many of the changes of some things behind a place in a timeline, the latest first."""
    key = func.lpad(cast(AuditEntry.id, Text), KEY_DIGITS, "0")
    return session.scalars(
        select(AuditEntry)
        .where(AuditEntry.kind == kind, AuditEntry.object_id.in_([str(one) for one in ids]))
        .where(place.before(AuditEntry.at.expression, key))
        .order_by(AuditEntry.at.desc(), AuditEntry.id.desc())
        .limit(limit)
    ).all()
