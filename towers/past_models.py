"""What the register knew of each tower from when until when."""

from __future__ import annotations

from geoalchemy2 import Geometry
from sqlalchemy import Boolean, Column, Date, DateTime, Index, Integer, Table, Text, Uuid, text

from core.model import Base

# Triggers of the register write it, in the statement of the cause: whenever one of these facts
# changes, the span of the tower ends and another begins, and the last one ends with the tower.
# Nothing is changed in it afterwards. `retold` are spans of before there was this table, made
# from what inspections and violations say of that time (`flask history retell`).
tower_span = Table(
    "tower_span",
    Base.metadata,
    Column("tower_id", Uuid, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
    Column("until", DateTime(timezone=True)),
    Column("commune_id", Integer),
    Column("lifecycle", Text, nullable=False),
    Column("condition", Text, nullable=False),
    Column("worst_severity", Text),
    Column("ok_until", Date),
    Column("next_deadline", Date),
    Column("owner_id", Uuid),
    Column("structure_type", Text, nullable=False),
    Column("geom_3857", Geometry("POINT", srid=3857, spatial_index=False), nullable=False),
    Column("retold", Boolean, nullable=False, server_default=text("false")),
    Index("ix_tower_span_tower_id_since", "tower_id", "since"),
    Index("ix_tower_span_geom_3857", "geom_3857", postgresql_using="gist"),
    Index(
        "ix_tower_span_dangerous_since", "since", postgresql_where=text("condition = 'dangerous'")
    ),
    Index("ix_tower_span_retold_until", "until", postgresql_where=text("retold")),
)
