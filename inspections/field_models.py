"""What phones send: receipts, photos that are on their way, and what waits for staff."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from accounts.models import Device, User
from core.model import Base, one_of
from inspections.rules.evidence import PhotoSource
from inspections.rules.sync import ItemState, Reason
from towers.models import Tower


class DeclaredPhoto(Base):
    """A photo that an inspection says it has; it counts as waiting until it has arrived."""

    __tablename__ = "declared_photo"
    __table_args__ = (
        CheckConstraint("length(sha256) = 32", name="sha256"),
        CheckConstraint("byte_size > 0", name="byte_size"),
        Index("ix_declared_photo_inspection_id", "inspection_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    inspection_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("inspection.id", ondelete="CASCADE")
    )
    item_key: Mapped[str | None]
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    byte_size: Mapped[int]
    arrived_at: Mapped[datetime | None]


class Upload(Base):
    """A photo that comes in pieces, or is whole and waits for its inspection.

    The pieces lie in a file under its id; how many there are is that file's size, never a column.
    """

    __tablename__ = "upload"
    __table_args__ = (
        CheckConstraint("length(sha256) = 32", name="sha256"),
        CheckConstraint("byte_size > 0", name="byte_size"),
        one_of("source", PhotoSource),
        CheckConstraint("(whole_at IS NULL) = (width IS NULL)", name="whole"),
        Index("ix_upload_inspection_id", "inspection_id"),
        Index("ix_upload_partial", "touched_at", postgresql_where=text("whole_at IS NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    # No key: the inspection may come after its photos.
    inspection_id: Mapped[uuid.UUID]
    item_key: Mapped[str | None]
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    byte_size: Mapped[int]
    media_type: Mapped[str] = mapped_column(server_default="", default="")
    source: Mapped[str]
    taken_at: Mapped[datetime | None]
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    accuracy_m: Mapped[float | None]
    by_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("user.id"))
    device_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("device.id"))
    quarantined: Mapped[bool] = mapped_column(server_default=text("false"), default=False)
    begun_at: Mapped[datetime]
    touched_at: Mapped[datetime]
    whole_at: Mapped[datetime | None]
    width: Mapped[int | None]
    height: Mapped[int | None]


class Receipt(Base):
    """What the service promised to keep: one operation with its content; evidence, only added."""

    __tablename__ = "receipt"
    __table_args__ = (
        CheckConstraint("verdict IN ('accepted', 'review', 'quarantined')", name="verdict"),
        CheckConstraint("length(content_sha256) = 32", name="content_sha256"),
        UniqueConstraint("operation_id", "content_sha256", "by_id"),
        Index("ix_receipt_inspection_id", "inspection_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    operation_id: Mapped[uuid.UUID]
    kind: Mapped[str]
    verdict: Mapped[str]
    inspection_id: Mapped[uuid.UUID | None]
    version: Mapped[int | None]
    content_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    # Which photos belong to it: id and hash of each. Whether they arrived is looked up.
    photos: Mapped[list[dict[str, str]]] = mapped_column(JSONB, server_default="[]", default=list)
    by_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("user.id"))
    device_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("device.id"))
    made_at: Mapped[datetime | None]
    device_at: Mapped[datetime | None]
    clock_offset_s: Mapped[int | None] = mapped_column(BigInteger)
    received_at: Mapped[datetime]


class ReviewItem(Base):
    """Something from the field that staff decide about: nothing of it counts until they did."""

    __tablename__ = "review_item"
    __table_args__ = (
        one_of("reason", Reason),
        CheckConstraint("kind IN ('inspection', 'proposal', 'discard', 'photo')", name="kind"),
        one_of("state", ItemState),
        CheckConstraint("(state = 'open') = (decided_at IS NULL)", name="decided"),
        UniqueConstraint("operation_id", "body_hash", "by_id"),
        Index("ix_review_item_open", "received_at", "id", postgresql_where=text("state = 'open'")),
        Index("ix_review_item_received_at_id", "received_at", "id"),
        Index("ix_review_item_inspection_id", "inspection_id"),
        Index("ix_review_item_tower_id", "tower_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(
        primary_key=True, default=uuid.uuid4, server_default=text("gen_random_uuid()")
    )
    reason: Mapped[str]
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="open", default="open")
    operation_id: Mapped[uuid.UUID]
    inspection_id: Mapped[uuid.UUID | None]
    # The inspection that stands in its way.
    other_id: Mapped[uuid.UUID | None]
    tower_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("tower.id"))
    body: Mapped[dict[str, Any]] = mapped_column(JSONB)
    body_hash: Mapped[bytes] = mapped_column(LargeBinary)
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}", default=dict)
    by_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("user.id"))
    device_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("device.id"))
    made_at: Mapped[datetime | None]
    device_at: Mapped[datetime | None]
    received_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"))
    decision_reason: Mapped[str] = mapped_column(server_default="", default="")
    version: Mapped[int] = mapped_column(server_default="1", default=1)

    tower: Mapped[Tower | None] = relationship()
    by: Mapped[User] = relationship(foreign_keys=[by_id])
    decided_by: Mapped[User | None] = relationship(foreign_keys=[decided_by_id])
    device: Mapped[Device | None] = relationship()
