"""The tiles of the map: vector tiles of the towers, and how many of how many they show."""

from __future__ import annotations

import hashlib

from flask import Blueprint, Response, jsonify, request
from sqlalchemy.orm import Session

from core import clock
from core.db import current_session
from core.errors import NotFound
from core.guard import current_actor
from core.policy import guard
from core.words import N_
from maps.doors import map_filters
from maps.queries import tiles
from maps.rules import Tile
from towers.queries import Filters

blueprint = Blueprint("tiles", __name__)
MEDIA_TYPE = "application/vnd.mapbox-vector-tile"


def tag_of(version: int, filters: Filters) -> str:
    """The ETag of what these filters show to this reader today.

    The scope is in it, so an answer that somebody else got in the same browser never counts.
    """
    communes = current_actor().communes
    scope = "all" if communes is None else sorted(communes)
    facts = (version, clock.today(), scope, filters)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def unchanged(session: Session, filters: Filters) -> Response | None:
    """The answer to who has these bytes already; nothing is made for it."""
    if not request.if_none_match or tiles.look_elsewhere(filters):
        return None
    tag = tag_of(tiles.version(session), filters)
    if not request.if_none_match.contains_weak(tag):
        return None
    response = Response(status=304)
    response.set_etag(tag)
    return response


def tagged(response: Response, version: int, filters: Filters) -> Response:
    """With its ETag; where only the bytes tell whether they changed, with theirs."""
    if tiles.look_elsewhere(filters):
        response.add_etag()
        response.make_conditional(request)
    else:
        response.set_etag(tag_of(version, filters))
    return response


@blueprint.get("/tiles/towers/<int:z>/<int:x>/<int:y>.mvt")
@guard("tower.view")
def towers(z: int, x: int, y: int) -> Response:
    """The towers of a tile, as clusters where they are many; the filters of the map narrow them."""
    at = Tile(z, x, y)
    if not at.exists:
        raise NotFound(N_("There is no such tile"))
    session, filters = current_session(), map_filters()
    known = unchanged(session, filters)
    if known is not None:
        return known
    version, data = tiles.tile(session, current_actor(), filters, at, today=clock.today())
    return tagged(Response(data, content_type=MEDIA_TYPE), version, filters)


@blueprint.get("/tiles/towers/counts.json")
@guard("tower.view")
def counts() -> Response:
    """How many towers the filters find of how many there are: N of M."""
    session, filters = current_session(), map_filters()
    known = unchanged(session, filters)
    if known is not None:
        return known
    version = tiles.version(session)
    found = tiles.counts(session, current_actor(), filters, today=clock.today())
    return tagged(jsonify(found), version, filters)
