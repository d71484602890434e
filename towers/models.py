"""The register: one row a structure, its place in EPSG:4326, its condition as last derived."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from geoalchemy2 import Geometry
from geoalchemy2.elements import WKBElement, WKTElement
from sqlalchemy import (
    CheckConstraint,
    Computed,
    ForeignKey,
    Index,
    LargeBinary,
    Numeric,
    SmallInteger,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from accounts.models import Organisation, User
from areas.models import Area
from core.geo import SRID
from core.merging import Merged
from core.model import Base
from towers.rules import overall_height


class StructureKind(Base):
    """What the department sets for a structure type: its inspection interval in months."""

    __tablename__ = "structure_kind"
    __table_args__ = (
        CheckConstraint("interval_months > 0 AND interval_months <= 240", name="interval_months"),
    )

    key: Mapped[str] = mapped_column(primary_key=True)
    interval_months: Mapped[int | None]
    source: Mapped[str] = mapped_column(server_default="")


class Tower(Base):
    """A structure that carries antennas.

    Heights are in metres: `height_m` of the mast itself, `host_building_height_m` of the house
    below a rooftop mast. `condition` and the columns after it are derived and written by
    `towers.services.set_condition` alone.
    """

    __tablename__ = "tower"
    __table_args__ = (
        CheckConstraint("code ~ '^[^[:space:]/?#%\\\\]+$' AND length(code) <= 64", name="code"),
        CheckConstraint("length(btrim(name)) BETWEEN 1 AND 300", name="name"),
        CheckConstraint("height_m > 0 AND height_m <= 1000", name="height_m"),
        CheckConstraint(
            "host_building_height_m >= 0 AND host_building_height_m <= 1000",
            name="host_building_height_m",
        ),
        CheckConstraint("built_year BETWEEN 1900 AND 2200", name="built_year"),
        CheckConstraint(
            "ST_X(geom) BETWEEN -180 AND 180 AND ST_Y(geom) BETWEEN -90 AND 90", name="finite"
        ),
        CheckConstraint(
            "lifecycle IN ('planned', 'built', 'active', 'inactive', 'abandoned', 'dismantled')",
            name="lifecycle",
        ),
        CheckConstraint(
            "condition IN ('dangerous', 'assessment_needed', 'needs_follow_up', 'ok', 'unchecked')",
            name="condition",
        ),
        CheckConstraint("(condition = 'ok') = (ok_until IS NOT NULL)", name="ok_until"),
        Index("ix_tower_geom", "geom", postgresql_using="gist"),
        Index("ix_tower_geom_3857", "geom_3857", postgresql_using="gist"),
        Index(
            "ix_tower_search",
            "search",
            postgresql_using="gin",
            postgresql_ops={"search": "gin_trgm_ops"},
        ),
        Index("ix_tower_name_code", text('name COLLATE "vi-x-icu"'), "code"),
        Index("ix_tower_condition_code", "condition", "code"),
        Index("ix_tower_commune_id_code", "commune_id", "code"),
        Index("ix_tower_owner_id_code", "owner_id", "code"),
        Index(
            "ix_tower_next_deadline",
            "next_deadline",
            postgresql_where=text("next_deadline IS NOT NULL"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(
        primary_key=True, default=uuid.uuid4, server_default=text("gen_random_uuid()")
    )
    code: Mapped[str] = mapped_column(Text(collation="C"), unique=True)
    name: Mapped[str]
    structure_type: Mapped[str] = mapped_column(ForeignKey("structure_kind.key"))
    services: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    height_m: Mapped[Decimal | None] = mapped_column(Numeric(6, 1))
    host_building_height_m: Mapped[Decimal | None] = mapped_column(Numeric(6, 1))
    geom: Mapped[WKBElement | WKTElement] = mapped_column(
        Geometry("POINT", srid=SRID, spatial_index=False)
    )
    geom_3857: Mapped[WKBElement] = mapped_column(
        Geometry("POINT", srid=3857, spatial_index=False),
        Computed("ST_Transform(geom, 3857)", persisted=True),
        deferred=True,
    )
    commune_id: Mapped[int | None] = mapped_column(ForeignKey("area.id"))
    owner_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("organisation.id"))
    address: Mapped[str] = mapped_column(server_default="", default="")
    built_year: Mapped[int | None] = mapped_column(SmallInteger)
    lifecycle: Mapped[str] = mapped_column(server_default="active", default="active")
    note: Mapped[str] = mapped_column(server_default="", default="")
    source: Mapped[str] = mapped_column(server_default="", default="")
    demo: Mapped[bool] = mapped_column(server_default=text("false"), default=False)
    version: Mapped[int] = mapped_column(server_default="1", default=1)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    search: Mapped[str] = mapped_column(
        Computed("search_form(code || ' ' || name)", persisted=True), deferred=True
    )

    condition: Mapped[str] = mapped_column(server_default="unchecked", default="unchecked")
    condition_reason: Mapped[str | None]
    ok_until: Mapped[date | None]
    worst_severity: Mapped[str | None]
    next_deadline: Mapped[date | None]
    open_violations: Mapped[int] = mapped_column(server_default="0", default=0)
    last_inspected_on: Mapped[date | None]

    commune: Mapped[Area | None] = relationship()
    owner: Mapped[Organisation | None] = relationship()

    @property
    def overall_height_m(self) -> Decimal | None:
        """Height above ground in metres, `None` where it is unknown."""
        return overall_height(self.structure_type, self.height_m, self.host_building_height_m)


class TowerMerge(Merged, Base):
    """A tower that was found to be another one; its old code leads to that one."""

    __tablename__ = "tower_merge"

    old_code: Mapped[str] = mapped_column(Text(collation="C"), index=True)
    by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"))


class TowerProposal(Base):
    """What somebody outside the department found: a tower that is missing, or a mistake.

    The id comes from the device; `body_hash` tells a resend from another body. `values` are the
    proposed ones, of a correction those that differ; `base` is what the register said of these
    when it was proposed. `result_id` is the tower that acceptance made or changed.
    """

    __tablename__ = "tower_proposal"
    __table_args__ = (
        CheckConstraint("kind IN ('new', 'correction')", name="kind"),
        CheckConstraint("state IN ('open', 'accepted', 'refused', 'withdrawn')", name="state"),
        CheckConstraint("(kind = 'correction') = (tower_id IS NOT NULL)", name="tower_id"),
        CheckConstraint("kind = 'correction' OR position IS NOT NULL", name="position"),
        CheckConstraint("accuracy_m >= 0", name="accuracy_m"),
        CheckConstraint("(state = 'open') = (decided_at IS NULL)", name="decided_at"),
        CheckConstraint("(state = 'accepted') = (result_id IS NOT NULL)", name="result_id"),
        CheckConstraint("state <> 'refused' OR btrim(reason) <> ''", name="reason"),
        Index("ix_tower_proposal_created_at_id", "created_at", "id"),
        Index(
            "ix_tower_proposal_open",
            "created_at",
            "id",
            postgresql_where=text("state = 'open'"),
        ),
        Index("ix_tower_proposal_position", "position", postgresql_using="gist"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    body_hash: Mapped[bytes] = mapped_column(LargeBinary)
    kind: Mapped[str]
    tower_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("tower.id"), index=True)
    values: Mapped[dict[str, Any]] = mapped_column(JSONB)
    base: Mapped[dict[str, Any]] = mapped_column(JSONB)
    position: Mapped[WKBElement | WKTElement | None] = mapped_column(
        Geometry("POINT", srid=SRID, spatial_index=False)
    )
    accuracy_m: Mapped[Decimal | None] = mapped_column(Numeric(8, 1))
    commune_id: Mapped[int | None] = mapped_column(ForeignKey("area.id"), index=True)
    note: Mapped[str] = mapped_column(server_default="", default="")
    state: Mapped[str] = mapped_column(server_default="open", default="open")
    by_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("user.id"), index=True)
    created_at: Mapped[datetime]
    decided_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"))
    decided_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(server_default="", default="")
    result_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("tower.id"), index=True)
    version: Mapped[int] = mapped_column(server_default="1", default=1)

    tower: Mapped[Tower | None] = relationship(foreign_keys=[tower_id])
    result: Mapped[Tower | None] = relationship(foreign_keys=[result_id])
    commune: Mapped[Area | None] = relationship()
    by: Mapped[User] = relationship(foreign_keys=[by_id])
    decided_by: Mapped[User | None] = relationship(foreign_keys=[decided_by_id])
    documents: Mapped[list[Document]] = relationship(
        back_populates="proposal", order_by="Document.received_at, Document.id"
    )


class Document(Base):
    """A file that is kept with a tower or a proposal; it lies in the store under its hash.

    Evidence: it is added, it follows its tower through a merge, it is marked as removed with a
    reason, and never deleted.
    """

    __tablename__ = "document"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('dossier', 'permit', 'drawing', 'assessment', 'photo', 'contract', 'other')",
            name="kind",
        ),
        CheckConstraint("tower_id IS NOT NULL OR proposal_id IS NOT NULL", name="belongs"),
        CheckConstraint("length(btrim(title)) BETWEEN 1 AND 300", name="title"),
        CheckConstraint("byte_size > 0", name="byte_size"),
        CheckConstraint("length(sha256) = 32", name="sha256"),
        CheckConstraint("(removed_at IS NULL) = (removed_reason = '')", name="removed"),
        Index("ix_document_tower_id", "tower_id", "received_at", "id"),
        Index("ix_document_proposal_id", "proposal_id", "received_at", "id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    tower_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("tower.id"))
    proposal_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("tower_proposal.id"))
    kind: Mapped[str]
    title: Mapped[str]
    filename: Mapped[str]
    media_type: Mapped[str]
    byte_size: Mapped[int]
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"))
    received_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]
    removed_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"))
    removed_reason: Mapped[str] = mapped_column(server_default="", default="")

    tower: Mapped[Tower | None] = relationship()
    proposal: Mapped[TowerProposal | None] = relationship(back_populates="documents")
    by: Mapped[User | None] = relationship(foreign_keys=[by_id])
    removed_by: Mapped[User | None] = relationship(foreign_keys=[removed_by_id])
