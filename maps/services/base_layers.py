"""Loading and removing layers of the base map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, text
from sqlalchemy.orm import Session

from core import audit
from core.errors import Invalid, NotFound
from core.policy import Actor
from core.words import N_
from maps.base_models import MapLayer
from maps.rules import LAST, LayerKind

AT_ONCE = 1000
# Points of a piece: a tile clips its pieces, not the whole of a river.
PIECE = 256
LONGEST = 300


@dataclass(frozen=True)
class Terms:
    """What is said of a layer on the map: its name, where it comes from and how it may be used."""

    kind: LayerKind
    name: str
    source: str
    licence: str = ""
    from_zoom: int = 0


_PIECES = text(
    f"""
    INSERT INTO map_feature (layer_id, reach, geom)
    SELECT :layer, reach, ST_Subdivide(geom, {PIECE})
    FROM (
        SELECT ST_Transform(ST_GeomFromWKB(:wkb, 4326), 3857) AS geom
    ) AS given, LATERAL (
        SELECT greatest(ST_XMax(geom) - ST_XMin(geom), ST_YMax(geom) - ST_YMin(geom)) AS reach
    ) AS measured
    """  # noqa: S608 - a number of ours
)
_NAMES = text(
    """
    INSERT INTO map_feature (layer_id, name, reach, geom)
    SELECT :layer, :name, greatest(ST_XMax(geom) - ST_XMin(geom), ST_YMax(geom) - ST_YMin(geom)),
        ST_Transform(ST_GeomFromWKB(:label, 4326), 3857)
    FROM (SELECT ST_Transform(ST_GeomFromWKB(:wkb, 4326), 3857) AS geom) AS given
    """
)


def load_layer(
    session: Session, shapes: Sequence[Any], terms: Terms, *, by: Actor, now: datetime
) -> MapLayer:
    """Keep a layer of `readers.Shape`; raises `Invalid` for terms that nobody could read."""
    layer = _kept(session, len(shapes), terms, by=by, now=now)
    for start in range(0, len(shapes), AT_ONCE):
        rows = [{"layer": layer.id, **vars(one)} for one in shapes[start : start + AT_ONCE]]
        if terms.kind != LayerKind.PLACE:
            session.execute(_PIECES, rows)
        named = [row for row in rows if row["name"]]
        if named:
            session.execute(_NAMES, named)
    return layer


def load_pictures(
    session: Session, pictures: int, terms: Terms, *, by: Actor, now: datetime
) -> MapLayer:
    """Note an archive of so many pictures, whose file the caller keeps by the layer's number."""
    return _kept(session, pictures, terms, by=by, now=now)


def _kept(session: Session, features: int, terms: Terms, *, by: Actor, now: datetime) -> MapLayer:
    for said in (terms.name, terms.source):
        if not said.strip():
            raise Invalid(N_("A layer has a name and a source"))
    if max(len(one) for one in (terms.name, terms.source, terms.licence)) > LONGEST:
        raise Invalid(N_("A name, source or licence has at most %(most)s letters"), most=LONGEST)
    if not 0 <= terms.from_zoom <= LAST:
        raise Invalid(N_("A zoom is a whole number from 0 to %(last)s"), last=LAST)
    layer = MapLayer(
        kind=terms.kind,
        name=terms.name.strip(),
        source=terms.source.strip(),
        licence=terms.licence.strip(),
        from_zoom=terms.from_zoom,
        features=features,
        loaded_at=now,
    )
    session.add(layer)
    session.flush()
    audit.record(session, "layer.load", "layer", layer.id, by=by, now=now, after=facts_of(layer))
    return layer


def remove_layer(session: Session, layer_id: int, *, by: Actor, now: datetime) -> MapLayer:
    """Take a layer off every map; raises `NotFound`."""
    layer = session.get(MapLayer, layer_id)
    if layer is None:
        raise NotFound(N_("There is no layer of the base map with this number"))
    audit.record(session, "layer.remove", "layer", layer.id, by=by, now=now, before=facts_of(layer))
    session.expunge(layer)
    session.execute(delete(MapLayer).where(MapLayer.id == layer_id))
    return layer


def facts_of(layer: MapLayer) -> dict[str, Any]:
    names = ("kind", "name", "source", "licence", "from_zoom", "features")
    return {name: getattr(layer, name) for name in names}
