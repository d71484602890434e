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
    Column,
    Computed,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from accounts.models import Organisation, User
from areas.models import Area
from core.geo import SRID
from core.merging import Merged
from core.model import Base, one_of
from towers.rules import (
    BtsCategory,
    Condition,
    CoordSource,
    DocumentKind,
    FoundationType,
    Lifecycle,
    ManagingDepartment,
    PermitKind,
    PlanningClass,
    ProposalKind,
    ProposalState,
    Service,
    StructureType,
    overall_height,
)

# The words without marks that towers have, kept by triggers for searches that find nothing.
tower_word = Table(
    "tower_word",
    Base.metadata,
    Column("form", Text, nullable=False),
    Index("ix_tower_word_form", "form"),
)


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
    """A structure that carries antennas; `towers.fields` says what each field means.

    Heights are in metres: `height_m` of the mast itself, `host_building_height_m` of the house
    below a rooftop mast. `geom` is EPSG:4326; `source_x` (east) and `source_y` (north) are the
    coordinates as they were given, in the system `source_srid`, metres or degrees.
    `commune_distance_m` is empty inside the commune; otherwise the commune is the nearest one, so
    many metres away. `condition` and the columns after it are derived and written by
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
        one_of("structure_type", StructureType),
        one_of("lifecycle", Lifecycle),
        one_of("condition", Condition),
        one_of("planning_class", PlanningClass),
        one_of("bts_category", BtsCategory),
        one_of("managing_department", ManagingDepartment),
        one_of("coord_source", CoordSource),
        one_of("foundation_type", FoundationType),
        CheckConstraint("source_srid BETWEEN 1 AND 999999", name="source_srid"),
        CheckConstraint(
            "(source_x IS NULL) = (source_y IS NULL)"
            " AND abs(coalesce(source_x, 0)) < 'Infinity'"
            " AND abs(coalesce(source_y, 0)) < 'Infinity'",
            name="source_position",
        ),
        CheckConstraint("coord_accuracy_m BETWEEN 0 AND 100000", name="coord_accuracy_m"),
        CheckConstraint("commune_distance_m >= 0", name="commune_distance_m"),
        CheckConstraint("elevation_m BETWEEN -500 AND 9000", name="elevation_m"),
        CheckConstraint("ST_IsValid(footprint)", name="footprint"),
        CheckConstraint("host_building_floors BETWEEN 1 AND 200", name="host_building_floors"),
        CheckConstraint("base_width_m > 0 AND base_width_m <= 100", name="base_width_m"),
        CheckConstraint("guy_levels BETWEEN 0 AND 50", name="guy_levels"),
        CheckConstraint("anchor_count BETWEEN 0 AND 100", name="anchor_count"),
        CheckConstraint("anchor_radius_m > 0 AND anchor_radius_m <= 1000", name="anchor_radius_m"),
        CheckConstraint(
            "design_wind_kn_m2 > 0 AND design_wind_kn_m2 <= 10", name="design_wind_kn_m2"
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
        Index("ix_tower_manager_id_code", "manager_id", "code"),
        Index("ix_tower_code_form", text("search_form(code)")),
        Index("ix_tower_next_deadline_code", "next_deadline", "code"),
        Index("ix_tower_height_m_code", "height_m", "code"),
        Index("ix_tower_last_inspected_on_code", "last_inspected_on", "code"),
        Index("ix_tower_updated_at_code", "updated_at", "code"),
    )

    id: Mapped[uuid.UUID] = mapped_column(
        primary_key=True, default=uuid.uuid4, server_default=text("gen_random_uuid()")
    )
    code: Mapped[str] = mapped_column(Text(collation="C"), unique=True)
    name: Mapped[str]
    structure_type: Mapped[str]
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
        Computed(
            "search_words(code || ' ' || name || ' ' || address || ' '"
            " || former_commune || ' ' || former_district || ' '"
            " || regexp_replace(code, '[^[:alnum:]]+', '', 'g'))",
            persisted=True,
        ),
        deferred=True,
    )

    planning_class: Mapped[str | None]
    bts_category: Mapped[str | None]
    lifecycle_since: Mapped[date | None]
    managing_department: Mapped[str | None]
    hardened: Mapped[bool | None]
    manager_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("organisation.id"))
    landowner: Mapped[str] = mapped_column(server_default="", default="")
    landowner_phone: Mapped[str] = mapped_column(server_default="", default="")
    land_contract_end: Mapped[date | None]
    source_srid: Mapped[int | None] = mapped_column(Integer)
    source_x: Mapped[float | None] = mapped_column(Double)
    source_y: Mapped[float | None] = mapped_column(Double)
    coord_source: Mapped[str | None]
    coord_accuracy_m: Mapped[Decimal | None] = mapped_column(Numeric(8, 1))
    commune_distance_m: Mapped[Decimal | None] = mapped_column(Numeric(8, 1))
    former_commune_id: Mapped[int | None] = mapped_column(ForeignKey("area.id"))
    former_commune: Mapped[str] = mapped_column(server_default="", default="")
    former_district: Mapped[str] = mapped_column(server_default="", default="")
    elevation_m: Mapped[Decimal | None] = mapped_column(Numeric(6, 1))
    footprint: Mapped[WKBElement | WKTElement | None] = mapped_column(
        Geometry("POLYGON", srid=SRID, spatial_index=False), deferred=True
    )
    host_building_use: Mapped[str] = mapped_column(server_default="", default="")
    host_building_floors: Mapped[int | None] = mapped_column(SmallInteger)
    base_width_m: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    foundation_type: Mapped[str | None]
    guy_levels: Mapped[int | None] = mapped_column(SmallInteger)
    anchor_count: Mapped[int | None] = mapped_column(SmallInteger)
    anchor_radius_m: Mapped[Decimal | None] = mapped_column(Numeric(6, 1))
    design_standard: Mapped[str] = mapped_column(server_default="", default="")
    design_wind_kn_m2: Mapped[Decimal | None] = mapped_column(Numeric(4, 2))
    last_reinforced_on: Mapped[date | None]
    obstruction_light: Mapped[bool | None]

    condition: Mapped[str] = mapped_column(server_default="unchecked", default="unchecked")
    condition_reason: Mapped[str | None]
    ok_until: Mapped[date | None]
    worst_severity: Mapped[str | None]
    next_deadline: Mapped[date | None]
    open_violations: Mapped[int] = mapped_column(server_default="0", default=0)
    last_inspected_on: Mapped[date | None]

    commune: Mapped[Area | None] = relationship(foreign_keys=[commune_id])
    owner: Mapped[Organisation | None] = relationship(foreign_keys=[owner_id])
    manager: Mapped[Organisation | None] = relationship(foreign_keys=[manager_id])

    @property
    def commune_name(self) -> str | None:
        return self.commune.name if self.commune else None

    @property
    def owner_name(self) -> str | None:
        return self.owner.name if self.owner else None

    @property
    def overall_height_m(self) -> Decimal | None:
        """Height above ground in metres, `None` where it is unknown."""
        return overall_height(self.structure_type, self.height_m, self.host_building_height_m)


class GuyAnchor(Base):
    """Where a guy is held in the ground or on the roof, a point in EPSG:4326."""

    __tablename__ = "guy_anchor"
    __table_args__ = (
        CheckConstraint("number BETWEEN 1 AND 100", name="number"),
        CheckConstraint(
            "ST_X(geom) BETWEEN -180 AND 180 AND ST_Y(geom) BETWEEN -90 AND 90", name="finite"
        ),
        UniqueConstraint("tower_id", "number"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    tower_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tower.id"))
    number: Mapped[int] = mapped_column(SmallInteger)
    geom: Mapped[WKBElement | WKTElement] = mapped_column(
        Geometry("POINT", srid=SRID, spatial_index=False)
    )
    note: Mapped[str] = mapped_column(server_default="", default="")


class Installation(Base):
    """One service of one operator on a structure, with its antennas."""

    __tablename__ = "installation"
    __table_args__ = (
        one_of("service", Service),
        CheckConstraint("until >= since", name="period"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    tower_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tower.id"), index=True)
    operator_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("organisation.id"), index=True)
    service: Mapped[str]
    station_code: Mapped[str] = mapped_column(server_default="", default="")
    since: Mapped[date | None]
    until: Mapped[date | None]
    note: Mapped[str] = mapped_column(server_default="", default="")

    operator: Mapped[Organisation] = relationship()
    antennas: Mapped[list[Antenna]] = relationship(
        order_by="Antenna.height_m.desc(), Antenna.id", cascade="all, delete-orphan"
    )


class Antenna(Base):
    """Antennas of one kind at one height: metres above the ground, azimuth in degrees from north,
    wind area in m² and weight in kg of one of them."""

    __tablename__ = "antenna"
    __table_args__ = (
        CheckConstraint("quantity BETWEEN 1 AND 1000", name="quantity"),
        CheckConstraint("height_m >= 0 AND height_m <= 1000", name="height_m"),
        CheckConstraint("azimuth_deg >= 0 AND azimuth_deg < 360", name="azimuth_deg"),
        CheckConstraint("wind_area_m2 >= 0 AND wind_area_m2 <= 10000", name="wind_area_m2"),
        CheckConstraint("weight_kg >= 0 AND weight_kg <= 100000", name="weight_kg"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    installation_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("installation.id", ondelete="CASCADE"), index=True
    )
    kind: Mapped[str] = mapped_column(server_default="", default="")
    quantity: Mapped[int] = mapped_column(SmallInteger, server_default="1", default=1)
    height_m: Mapped[Decimal | None] = mapped_column(Numeric(6, 1))
    azimuth_deg: Mapped[Decimal | None] = mapped_column(Numeric(4, 1))
    wind_area_m2: Mapped[Decimal | None] = mapped_column(Numeric(7, 2))
    weight_kg: Mapped[Decimal | None] = mapped_column(Numeric(7, 1))


class Permit(Base):
    """A permit, certificate or assessment of a structure, or of one operator's station on it."""

    __tablename__ = "permit"
    __table_args__ = (
        one_of("kind", PermitKind),
        CheckConstraint("expires_on >= issued_on", name="period"),
        Index("ix_permit_expires_on", "expires_on", "id"),
        Index("ix_permit_tower_id_kind", "tower_id", "kind"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    tower_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tower.id"))
    kind: Mapped[str]
    number: Mapped[str] = mapped_column(server_default="", default="")
    issued_on: Mapped[date | None]
    expires_on: Mapped[date | None]
    issuer: Mapped[str] = mapped_column(server_default="", default="")
    organisation_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("organisation.id"), index=True
    )
    result: Mapped[str] = mapped_column(server_default="", default="")
    note: Mapped[str] = mapped_column(server_default="", default="")

    tower: Mapped[Tower] = relationship()
    organisation: Mapped[Organisation | None] = relationship()


class TowerMerge(Merged, Base):
    """A tower that was found to be another one; its old code leads to that one."""

    __tablename__ = "tower_merge"

    old_code: Mapped[str] = mapped_column(Text(collation="C"), index=True)
    by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"))


class TowerLeftCode(Base):
    """A code that a tower left for another one: evidence, only ever added.

    The tower may have been merged into another one since.
    """

    __tablename__ = "tower_left_code"

    old_code: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    tower_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"))


class TowerProposal(Base):
    """What somebody outside the department found: a tower that is missing, or a mistake.

    The id comes from the device; `body_hash` tells a resend from another body. `values` are the
    proposed ones, of a correction those that differ; `base` is what the register said of these
    when it was proposed. `result_id` is the tower that acceptance made or changed.
    """

    __tablename__ = "tower_proposal"
    __table_args__ = (
        one_of("kind", ProposalKind),
        one_of("state", ProposalState),
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
        one_of("kind", DocumentKind),
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
