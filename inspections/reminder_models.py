"""Messages about deadlines: what is written, to whom, and how it stands."""

from __future__ import annotations

import uuid
from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from core.model import Base, one_of
from inspections.models import Violation
from inspections.rules.reminding import Audience, ReminderKind, ReminderState
from towers.models import Tower


class Reminder(Base):
    """A message about a deadline; it stays here for ever.

    There is one a violation or assessment, kind, deadline and audience; of an emergency, which
    runs out at `due_at`, one a moment. `recipient` is empty while nobody is known who should have
    it. It is tried at `next_try_at` and always under its `message_id`, so that a second copy can be
    told from a second message. A request for an assessment that was taken back leaves its messages.
    """

    __tablename__ = "reminder"
    __table_args__ = (
        one_of("kind", ReminderKind),
        one_of("state", ReminderState),
        one_of("audience", Audience),
        CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name="sent_at"),
        CheckConstraint("violation_id IS NULL OR assessment_id IS NULL", name="subject"),
        CheckConstraint("(kind = 'emergency') = (due_at IS NOT NULL)", name="due_at"),
        UniqueConstraint("message_id"),
        Index(
            "uq_reminder_violation_id_occasion",
            "violation_id",
            "kind",
            "deadline",
            "due_at",
            "audience",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=text("violation_id IS NOT NULL"),
        ),
        Index(
            "uq_reminder_assessment_id_occasion",
            "assessment_id",
            "kind",
            "deadline",
            unique=True,
            postgresql_where=text("assessment_id IS NOT NULL"),
        ),
        Index(
            "ix_reminder_waiting",
            "next_try_at",
            "id",
            postgresql_where=text("state = 'waiting'"),
        ),
        Index("ix_reminder_created_at_id", "created_at", "id"),
        Index("ix_reminder_tower_id", "tower_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    tower_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tower.id"))
    violation_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("violation.id"))
    assessment_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("load_assessment.id", ondelete="SET NULL")
    )
    kind: Mapped[str]
    deadline: Mapped[date]
    due_at: Mapped[datetime | None]
    audience: Mapped[str] = mapped_column(server_default="department", default="department")
    recipient: Mapped[str]
    subject: Mapped[str]
    body: Mapped[str]
    message_id: Mapped[str]
    state: Mapped[str]
    attempts: Mapped[int] = mapped_column(server_default="0", default=0)
    next_try_at: Mapped[datetime]
    error: Mapped[str] = mapped_column(server_default="", default="")
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default="1", default=1)

    tower: Mapped[Tower] = relationship()
    violation: Mapped[Violation | None] = relationship()
