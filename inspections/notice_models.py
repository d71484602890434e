"""Notices to owners with their documents and links, and what owners answer through a link."""

from __future__ import annotations

import uuid
from datetime import date, datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    SmallInteger,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from accounts.models import Organisation, User
from core.model import Base, one_of
from inspections.models import Violation
from inspections.rules.notice import DocumentForm, NoticeState, ReplyKind


class Notice(Base):
    """A notice to one owner. It gets its number when it is issued; the id comes from a client."""

    __tablename__ = "notice"
    __table_args__ = (
        one_of("state", NoticeState),
        UniqueConstraint("year", "number"),
        CheckConstraint(
            "(issued_at IS NULL) = (state IN ('draft', 'discarded'))"
            " AND (issued_at IS NULL) = (number IS NULL)"
            " AND (issued_at IS NULL) = (year IS NULL)"
            " AND (issued_at IS NULL) = (issued_on IS NULL)",
            name="issued",
        ),
        CheckConstraint("(served_on IS NULL) = (served_to = '')", name="served"),
        CheckConstraint("served_on IS NULL OR issued_at IS NOT NULL", name="served_issued"),
        CheckConstraint("(state = 'withdrawn') = (withdrawn_at IS NOT NULL)", name="withdrawn"),
        CheckConstraint("length(body_hash) = 32", name="body_hash"),
        Index("ix_notice_drafted_at_id", "drafted_at", "id"),
        Index("ix_notice_owner_id", "owner_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    body_hash: Mapped[bytes] = mapped_column(LargeBinary)
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("organisation.id"))
    state: Mapped[str] = mapped_column(server_default="draft", default="draft")
    note: Mapped[str] = mapped_column(server_default="", default="")
    year: Mapped[int | None] = mapped_column(SmallInteger)
    number: Mapped[int | None]
    # The number as it stands on the document, with the department's symbol of that day.
    reference: Mapped[str] = mapped_column(server_default="", default="")
    drafted_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"))
    drafted_at: Mapped[datetime]
    issued_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"))
    issued_at: Mapped[datetime | None]
    issued_on: Mapped[date | None]
    served_on: Mapped[date | None]
    served_to: Mapped[str] = mapped_column(server_default="", default="")
    served_how: Mapped[str] = mapped_column(server_default="", default="")
    served_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"))
    withdrawn_at: Mapped[datetime | None]
    withdrawn_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"))
    withdrawn_reason: Mapped[str] = mapped_column(server_default="", default="")
    version: Mapped[int] = mapped_column(server_default="1", default=1)

    owner: Mapped[Organisation] = relationship()
    items: Mapped[list[NoticeItem]] = relationship(
        order_by="NoticeItem.place", cascade="all, delete-orphan"
    )
    documents: Mapped[list[NoticeDocument]] = relationship(order_by="NoticeDocument.form")
    links: Mapped[list[NoticeLink]] = relationship(order_by="NoticeLink.made_at, NoticeLink.id")
    replies: Mapped[list[NoticeReply]] = relationship(
        order_by="NoticeReply.received_at, NoticeReply.id"
    )
    drafted_by: Mapped[User | None] = relationship(foreign_keys=[drafted_by_id])
    issued_by: Mapped[User | None] = relationship(foreign_keys=[issued_by_id])
    served_by: Mapped[User | None] = relationship(foreign_keys=[served_by_id])
    withdrawn_by: Mapped[User | None] = relationship(foreign_keys=[withdrawn_by_id])


class NoticeItem(Base):
    """A violation that a notice names, at its place in it."""

    __tablename__ = "notice_item"
    __table_args__ = (Index("ix_notice_item_violation_id", "violation_id"),)

    notice_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("notice.id"), primary_key=True)
    violation_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("violation.id"), primary_key=True)
    place: Mapped[int] = mapped_column(SmallInteger)

    violation: Mapped[Violation] = relationship()


class NoticeNumber(Base):
    """The last number that a year has given out."""

    __tablename__ = "notice_number"

    year: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    last: Mapped[int]


class NoticeDocument(Base):
    """An issued document, as it left: its file lies in the store under its hash."""

    __tablename__ = "notice_document"
    __table_args__ = (
        one_of("form", DocumentForm),
        UniqueConstraint("notice_id", "form"),
        CheckConstraint("length(sha256) = 32", name="sha256"),
        CheckConstraint("byte_size > 0", name="byte_size"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    notice_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("notice.id"))
    form: Mapped[str]
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    byte_size: Mapped[int]


class NoticeTemplate(Base):
    """A DOCX of the department: notices are made from the newest one that is not retired."""

    __tablename__ = "notice_template"
    __table_args__ = (CheckConstraint("length(sha256) = 32", name="sha256"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    filename: Mapped[str]
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    byte_size: Mapped[int]
    uploaded_at: Mapped[datetime]
    uploaded_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"))
    retired_at: Mapped[datetime | None]

    uploaded_by: Mapped[User | None] = relationship()


class NoticeLink(Base):
    """A way to one notice without an account; only the hash of its token is kept."""

    __tablename__ = "notice_link"
    __table_args__ = (
        UniqueConstraint("hash"),
        CheckConstraint("length(hash) = 32", name="hash"),
        Index("ix_notice_link_notice_id", "notice_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    notice_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("notice.id"))
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    made_at: Mapped[datetime]
    made_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"))
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    revoked_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"))

    notice: Mapped[Notice] = relationship(back_populates="links")
    made_by: Mapped[User | None] = relationship(foreign_keys=[made_by_id])


class NoticeReply(Base):
    """What an owner said of one violation, by a link or an account: evidence, only ever added."""

    __tablename__ = "notice_reply"
    __table_args__ = (
        one_of("kind", ReplyKind),
        CheckConstraint("(kind = 'extension') = (wanted_on IS NOT NULL)", name="wanted_on"),
        CheckConstraint("(link_id IS NULL) = (by_id IS NOT NULL)", name="speaker"),
        CheckConstraint("length(body_hash) = 32", name="body_hash"),
        Index("ix_notice_reply_notice_id", "notice_id"),
        Index("ix_notice_reply_violation_id", "violation_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    body_hash: Mapped[bytes] = mapped_column(LargeBinary)
    notice_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("notice.id"))
    link_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("notice_link.id"))
    by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"))
    violation_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("violation.id"))
    event_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("violation_event.id"))
    kind: Mapped[str]
    name: Mapped[str]
    text: Mapped[str]
    wanted_on: Mapped[date | None]
    received_at: Mapped[datetime]

    files: Mapped[list[NoticeReplyFile]] = relationship(order_by="NoticeReplyFile.place")


class NoticeReplyFile(Base):
    """A photo or file that came with a reply: sealed as it came."""

    __tablename__ = "notice_reply_file"
    __table_args__ = (
        UniqueConstraint("reply_id", "place"),
        CheckConstraint("length(sha256) = 32", name="sha256"),
        CheckConstraint("byte_size > 0", name="byte_size"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    reply_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("notice_reply.id"))
    place: Mapped[int] = mapped_column(SmallInteger)
    filename: Mapped[str]
    media_type: Mapped[str]
    byte_size: Mapped[int]
    sha256: Mapped[bytes] = mapped_column(LargeBinary)

    reply: Mapped[NoticeReply] = relationship(back_populates="files")
