"""Campaigns with their towers, and who inspects which of them until when."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any

from geoalchemy2 import Geometry
from geoalchemy2.elements import WKBElement, WKTElement
from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from accounts.models import User
from core.geo import SRID
from core.model import Base, one_of
from inspections.rules.campaign import Ending, Kind, State, Work
from towers.models import Tower


class Campaign(Base):
    """A plan: which towers are inspected why, from when to when. Its id comes from the client.

    `area` is what was drawn on the map when it was made; `ended_at` when it was closed or
    cancelled, `reason` why it was cancelled.
    """

    __tablename__ = "campaign"
    __table_args__ = (
        CheckConstraint("length(btrim(name)) BETWEEN 1 AND 300", name="name"),
        one_of("kind", Kind),
        one_of("state", State),
        CheckConstraint("ends_on >= begins_on", name="period"),
        CheckConstraint(
            "(state IN ('closed', 'cancelled')) = (ended_at IS NOT NULL)", name="ended_at"
        ),
        CheckConstraint("state <> 'cancelled' OR btrim(reason) <> ''", name="reason"),
        CheckConstraint("ST_IsValid(area)", name="area"),
        Index("ix_campaign_begins_on_id", "begins_on", "id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    body_hash: Mapped[bytes] = mapped_column(LargeBinary)
    name: Mapped[str]
    kind: Mapped[str]
    begins_on: Mapped[date]
    ends_on: Mapped[date]
    note: Mapped[str] = mapped_column(server_default="", default="")
    state: Mapped[str] = mapped_column(server_default="planned", default="planned")
    area: Mapped[WKBElement | WKTElement | None] = mapped_column(
        Geometry("POLYGON", srid=SRID, spatial_index=False), deferred=True
    )
    ended_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(server_default="", default="")
    by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"))
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(server_default="1", default=1)


class Assignment(Base):
    """A tower that is to be inspected: of a campaign, or alone (then with a kind of its own).

    A row without `ended_at` is what holds now; the others tell who had the tower before, and why
    no longer. Whether it is done is computed from the inspections (`queries.campaigns`). One that
    stands alone counts inspections from the day `counts_from` on.
    """

    __tablename__ = "assignment"
    __table_args__ = (
        one_of("kind", Kind),
        one_of("ending", Ending),
        CheckConstraint(
            "(campaign_id IS NULL) = (kind IS NOT NULL)"
            " AND (campaign_id IS NULL) = (counts_from IS NOT NULL)",
            name="single",
        ),
        CheckConstraint("(inspector_id IS NULL) = (assigned_at IS NULL)", name="assigned_at"),
        CheckConstraint("(ended_at IS NULL) = (ending IS NULL)", name="ended_at"),
        Index(
            "uq_assignment_live_campaign_id_tower_id",
            "campaign_id",
            "tower_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL AND campaign_id IS NOT NULL"),
        ),
        Index(
            "ix_assignment_live_inspector_id",
            "inspector_id",
            "due_on",
            "id",
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index(
            "ix_assignment_live_single",
            "due_on",
            "id",
            postgresql_where=text("ended_at IS NULL AND campaign_id IS NULL"),
        ),
        Index("ix_assignment_campaign_id_due_on", "campaign_id", "due_on", "id"),
        Index("ix_assignment_tower_id", "tower_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(
        primary_key=True, default=uuid.uuid4, server_default=text("gen_random_uuid()")
    )
    body_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    campaign_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("campaign.id"))
    tower_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tower.id"))
    kind: Mapped[str | None]
    counts_from: Mapped[date | None]
    note: Mapped[str] = mapped_column(server_default="", default="")
    inspector_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"))
    due_on: Mapped[date]
    added_at: Mapped[datetime]
    added_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"))
    assigned_at: Mapped[datetime | None]
    assigned_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"))
    ended_at: Mapped[datetime | None]
    ended_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"))
    ending: Mapped[str | None]
    reason: Mapped[str] = mapped_column(server_default="", default="")
    version: Mapped[int] = mapped_column(server_default="1", default=1)

    campaign: Mapped[Campaign | None] = relationship()
    tower: Mapped[Tower] = relationship()
    inspector: Mapped[User | None] = relationship(foreign_keys=[inspector_id])


class CampaignWork(Base):
    """What the worker does, or did last, to the towers of a campaign: one thing at a time.

    `said` is what was asked for, as JSON; `expected` how many towers were found when it was. It
    is done with `finished_at` and the number of `towers` that it touched; until then the job
    `job_id` says how it stands.
    """

    __tablename__ = "campaign_work"
    __table_args__ = (
        one_of("what", Work),
        CheckConstraint("(finished_at IS NULL) = (towers IS NULL)", name="finished"),
    )

    campaign_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("campaign.id"), primary_key=True)
    what: Mapped[str]
    said: Mapped[dict[str, Any]] = mapped_column(JSONB)
    job_id: Mapped[int] = mapped_column(BigInteger)
    by_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("user.id"))
    asked_at: Mapped[datetime]
    expected: Mapped[int]
    towers: Mapped[int | None]
    finished_at: Mapped[datetime | None]
