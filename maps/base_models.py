"""Layers of the base map that the department loads itself: rivers, roads, borders, places, and
pictures of which only the name is here."""

from __future__ import annotations

from datetime import datetime

from geoalchemy2 import Geometry
from geoalchemy2.elements import WKBElement
from sqlalchemy import BigInteger, ForeignKey, Identity, Index, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from core.model import Base, one_of
from maps.rules import LayerKind


class MapLayer(Base):
    """A layer as it was loaded, with where it comes from; one that is loaded anew is another one.

    It is drawn from `from_zoom` on, and never changes: its number is in the version of the tiles.
    """

    __tablename__ = "map_layer"
    __table_args__ = (one_of("kind", LayerKind),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    source: Mapped[str]
    licence: Mapped[str] = mapped_column(server_default="")
    from_zoom: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    features: Mapped[int]
    loaded_at: Mapped[datetime]


class MapFeature(Base):
    """A piece of a line or surface in EPSG:3857, or the point at which a name stands.

    `reach` is how far the whole feature reaches in metres of the projection, so that small ones
    are left out from afar.
    """

    __tablename__ = "map_feature"
    __table_args__ = (
        Index("ix_map_feature_layer_id", "layer_id"),
        Index("ix_map_feature_geom", "geom", postgresql_using="gist"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    layer_id: Mapped[int] = mapped_column(ForeignKey("map_layer.id", ondelete="CASCADE"))
    name: Mapped[str | None]
    reach: Mapped[float]
    geom: Mapped[WKBElement] = mapped_column(Geometry("GEOMETRY", srid=3857, spatial_index=False))
