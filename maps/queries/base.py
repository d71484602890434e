"""What lies below the towers: layers that the department loaded, and the outline of provinces."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, aliased

from areas.models import Area
from areas.queries import valid_on
from areas.rules import Level
from maps.base_models import MapFeature, MapLayer
from maps.queries import TILE_PIXELS, WORLD_METRES
from maps.queries.tiles import EXTENT, as_layer
from maps.rules import LayerKind, Tile

# Lines are drawn this many pixels beyond the edge of their tile, so that none shows.
BEYOND_PIXELS = 4
# Smaller than this on the screen a line is a dot, and a name has no room beside its own thing.
LEAST_PIXELS = 3
NAMED_PIXELS = 60
MOST_PIECES = 20_000
MOST_NAMES = 60
# Digits and steps of a degree in an outline that is looked at from afar: about 50 m.
OUTLINE_DIGITS, OUTLINE_STEP = 4, 0.0005


def layers(session: Session) -> Sequence[MapLayer]:
    """The layers in the order in which they were loaded, which is that of drawing."""
    return session.scalars(select(MapLayer).order_by(MapLayer.id)).all()


def version(found: Sequence[MapLayer]) -> str:
    """What changes whenever a layer comes or goes: layers themselves never change."""
    return "-".join(str(layer.id) for layer in found)


def archive(session: Session, layer_id: int) -> MapLayer | None:
    """The layer of pictures with a number, `None` where there is none."""
    layer = session.get(MapLayer, layer_id) if layer_id < 2**31 else None
    return layer if layer is not None and layer.kind == LayerKind.PICTURES else None


def tile(session: Session, at: Tile) -> bytes:
    """A vector tile of all layers: `shapes` and `names`, with what is too small left out."""
    made = session.execute(
        select(as_layer(_shapes(at), "shapes"), as_layer(_names(at), "names"))
    ).one()
    return b"".join(bytes(part) for part in made)


def _shapes(at: Tile) -> Select[Any]:
    pixel = WORLD_METRES / (TILE_PIXELS * 2**at.z)
    west, south, east, north = at.bounds
    bounds = func.ST_MakeEnvelope(west, south, east, north, 3857)
    around = func.ST_Expand(bounds, BEYOND_PIXELS * pixel)
    simple = func.ST_Simplify(MapFeature.geom, pixel / 2, True)
    units = BEYOND_PIXELS * EXTENT // TILE_PIXELS
    return (
        select(MapLayer.kind, func.ST_AsMVTGeom(simple, bounds, EXTENT, units, True).label("geom"))
        .join(MapLayer, MapLayer.id == MapFeature.layer_id)
        .where(
            MapFeature.geom.op("&&")(around),
            MapFeature.name.is_(None),
            MapFeature.reach >= LEAST_PIXELS * pixel,
            MapLayer.from_zoom <= at.z,
        )
        .order_by(MapFeature.reach.desc(), MapFeature.id)
        .limit(MOST_PIECES)
    )


def _names(at: Tile) -> Select[Any]:
    pixel = WORLD_METRES / (TILE_PIXELS * 2**at.z)
    bounds = func.ST_MakeEnvelope(*at.bounds, 3857)
    return (
        select(
            MapLayer.kind,
            MapFeature.name,
            func.ST_AsMVTGeom(MapFeature.geom, bounds, EXTENT, 0, False).label("geom"),
        )
        .join(MapLayer, MapLayer.id == MapFeature.layer_id)
        .where(
            MapFeature.geom.op("&&")(bounds),
            MapFeature.name.is_not(None),
            (MapLayer.kind == LayerKind.PLACE) | (MapFeature.reach >= NAMED_PIXELS * pixel),
            MapLayer.from_zoom <= at.z,
        )
        .order_by(MapFeature.reach.desc(), MapFeature.id)
        .limit(MOST_NAMES)
    )


def provinces(session: Session) -> str:
    """The outlines of the provinces of today as GeoJSON text, each with its name and where that
    stands; of one without a boundary of its own, the outline of its communes."""
    commune = aliased(Area)
    step = OUTLINE_STEP
    together = (
        select(func.ST_Union(func.ST_ReducePrecision(commune.geom, step), step))
        .where(
            commune.parent_id == Area.id, commune.level == Level.COMMUNE, valid_on(None, commune)
        )
        .correlate(Area)
        .scalar_subquery()
    )
    own = func.ST_ReducePrecision(Area.geom, step)
    shape = (
        select(Area.code, Area.name, func.coalesce(own, together).label("geom"))
        .where(Area.level == Level.PROVINCE, valid_on(None))
        .subquery()
    )
    rows = session.execute(
        select(
            shape.c.name,
            func.ST_AsGeoJSON(func.ST_Boundary(shape.c.geom), OUTLINE_DIGITS),
            func.ST_X(func.ST_PointOnSurface(shape.c.geom)),
            func.ST_Y(func.ST_PointOnSurface(shape.c.geom)),
        )
        .where(shape.c.geom.is_not(None))
        .order_by(shape.c.code)
    )
    features = [
        {
            "type": "Feature",
            "geometry": json.loads(outline),
            "properties": {"name": name, "label": [round(y, 4), round(x, 4)]},
        }
        for name, outline, x, y in rows
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False)
