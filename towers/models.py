"""The register: one row a structure, its place in EPSG:4326, its condition as last derived."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from decimal import Decimal

from geoalchemy2 import Geometry
from geoalchemy2.elements import WKBElement, WKTElement
from sqlalchemy import (
    CheckConstraint,
    Column,
    Computed,
    ForeignKey,
    Index,
    Numeric,
    SmallInteger,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from accounts.models import Organisation
from areas.models import Area
from core.geo import SRID
from core.model import Base
from towers.rules import overall_height

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
        Computed(
            "search_words(code || ' ' || name || ' ' || address || ' '"
            " || regexp_replace(code, '[^[:alnum:]]+', '', 'g'))",
            persisted=True,
        ),
        deferred=True,
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
