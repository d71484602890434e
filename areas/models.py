"""Areas with their codes, validity and boundaries (EPSG:4326), and which followed which."""

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
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from areas.rules import Validity
from core.geo import SRID
from core.model import Base


class Area(Base):
    """One province, district or commune during its validity, both days included.

    A code may occur several times, never twice on one day. Nobody may know since when an area of
    the past was there; one of today has no end. `synthetic` boundaries are not real ones.
    """

    __tablename__ = "area"
    __table_args__ = (
        CheckConstraint("level IN ('province', 'district', 'commune')", name="level"),
        CheckConstraint(
            "valid_to >= valid_from AND (valid_from IS NOT NULL OR valid_to IS NOT NULL)",
            name="validity",
        ),
        ExcludeConstraint(
            ("level", "="),
            ("code", "="),
            (text("daterange(valid_from, valid_to, '[]')"), "&&"),
            using="gist",
            name="ex_area_level_code_validity",
        ),
        Index(
            "uq_area_level_code_current",
            "level",
            "code",
            unique=True,
            postgresql_where=text("valid_to IS NULL"),
        ),
        Index("ix_area_code", "code"),
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
    valid_from: Mapped[date | None]
    valid_to: Mapped[date | None]
    area_km2: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    synthetic: Mapped[bool] = mapped_column(server_default=text("false"))
    source: Mapped[str] = mapped_column(server_default="")
    geom: Mapped[WKBElement | None] = mapped_column(
        Geometry("MULTIPOLYGON", srid=SRID, spatial_index=False), deferred=True
    )

    parent: Mapped[Area | None] = relationship(remote_side=[id])

    @property
    def validity(self) -> Validity:
        return Validity(self.valid_from, self.valid_to)

    @property
    def full_name(self) -> str:
        """The name with what lies around it: `Phường 5, Thành phố Mỹ Tho, Tỉnh Tiền Giang`."""
        return ", ".join(one.name for one in (self, *self.ancestors))

    @property
    def ancestors(self) -> tuple[Area, ...]:
        """What lies around it, from near to far."""
        return () if self.parent is None else (self.parent, *self.parent.ancestors)


class AreaSuccession(Base):
    """An area that ended and one that has its land since: all of it (`whole`) or a part.

    One of the heirs is the `main` one: where nobody can look at the map, what was said of the old
    area is taken to be true there.
    """

    __tablename__ = "area_succession"
    __table_args__ = (
        CheckConstraint("old_id <> new_id", name="two"),
        Index("uq_area_succession_main", "old_id", unique=True, postgresql_where=text("main")),
    )

    old_id: Mapped[int] = mapped_column(ForeignKey("area.id"), primary_key=True)
    new_id: Mapped[int] = mapped_column(ForeignKey("area.id"), primary_key=True, index=True)
    whole: Mapped[bool]
    main: Mapped[bool]
