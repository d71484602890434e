"""Provinces and communes with their codes, validity and boundaries (EPSG:4326)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from geoalchemy2 import Geometry
from geoalchemy2.elements import WKBElement
from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Numeric,
    func,
    literal_column,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from core.geo import SRID
from core.model import Base


class Area(Base):
    """One province or commune during its validity; `synthetic` boundaries are not real ones."""

    __tablename__ = "area"
    __table_args__ = (
        CheckConstraint("level IN ('province', 'commune')", name="level"),
        Index(
            "uq_area_level_code_current",
            "level",
            "code",
            unique=True,
            postgresql_where=text("valid_to IS NULL"),
        ),
        Index("ix_area_geom", "geom", postgresql_using="gist"),
        Index(
            "ix_area_search",
            func.search_words(literal_column("name")).label("words"),
            postgresql_using="gin",
            postgresql_ops={"words": "gin_trgm_ops"},
        ),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    level: Mapped[str]
    code: Mapped[str]
    name: Mapped[str]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("area.id"), index=True)
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    area_km2: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    synthetic: Mapped[bool] = mapped_column(server_default=text("false"))
    source: Mapped[str] = mapped_column(server_default="")
    geom: Mapped[WKBElement | None] = mapped_column(
        Geometry("MULTIPOLYGON", srid=SRID, spatial_index=False), deferred=True
    )

    parent: Mapped[Area | None] = relationship(remote_side=[id])
