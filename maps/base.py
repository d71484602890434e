"""The doors of what lies below the towers: loaded layers as vector tiles, outlines of provinces."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request, send_file

from areas.api import geojson_answer
from core.db import current_session
from core.errors import BadRequest, NotFound
from core.policy import guard
from core.words import N_
from maps.base_models import MapLayer
from maps.doors import archive_path, tile_server
from maps.queries import base
from maps.rules import Tile

blueprint = Blueprint("base", __name__)
MEDIA_TYPE = "application/vnd.mapbox-vector-tile"
YEAR_S = 365 * 24 * 3600


# A picture or a page of a directory is far smaller; a whole archive may have gigabytes.
MOST_BYTES = 16 * 2**20


def said_of(layer: MapLayer) -> dict[str, Any]:
    return {name: getattr(layer, name) for name in ("id", "kind", "name", "source", "licence")}


def kept_long(response: Response) -> None:
    """What this address answers never changes."""
    response.cache_control.no_cache = None
    response.cache_control.private = True
    response.cache_control.max_age = YEAR_S
    response.cache_control.immutable = True


@blueprint.get("/map/base.json")
@guard("area.view")
def layers() -> Response:
    """What the base map consists of beside what every map has: often nothing."""
    session = current_session()
    found, server = base.layers(session), tile_server(session)
    return jsonify(
        layers=[said_of(one) for one in found],
        version=base.version(found),
        tiles=None if server is None else vars(server),
    )


@blueprint.get("/tiles/base/<int:z>/<int:x>/<int:y>.mvt")
@guard("area.view")
def tile(z: int, x: int, y: int) -> Response:
    """A tile of the loaded layers; asked by their version (`v`), it need never be asked again."""
    at = Tile(z, x, y)
    if not at.exists:
        raise NotFound(N_("There is no such tile"))
    session = current_session()
    version = base.version(base.layers(session))
    response = Response(content_type=MEDIA_TYPE)
    response.set_etag(f"base-{version}")
    if version and request.args.get("v") == version:
        kept_long(response)
    if request.if_none_match.contains_weak(f"base-{version}"):
        response.status_code = 304
    elif version:
        response.set_data(base.tile(session, at))
    return response


@blueprint.get("/map/pictures/<int:layer_id>.pmtiles")
@guard("area.view")
def pictures(layer_id: int) -> Response:
    """A range of bytes of an archive of pictures; all of it only where that is not much."""
    layer = base.archive(current_session(), layer_id)
    if layer is None or not archive_path(layer.id).exists():
        raise NotFound()
    wanted = request.range
    whole = (0, archive_path(layer.id).stat().st_size)
    ranges = wanted.ranges if wanted is not None and wanted.units == "bytes" else [whole]
    if len(ranges) != 1 or ranges[0][1] is None or ranges[0][1] - ranges[0][0] > MOST_BYTES:
        raise BadRequest(N_("Ask for one range of at most %(most)s bytes"), most=MOST_BYTES)
    response = send_file(
        archive_path(layer.id), mimetype="application/vnd.pmtiles", conditional=True
    )
    kept_long(response)
    return response


@blueprint.get("/map/provinces.geojson")
@guard("area.view")
def provinces() -> Response:
    """The outlines of the provinces of today, made to be looked at from afar."""
    return geojson_answer(base.provinces(current_session()))
