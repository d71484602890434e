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


def tag_of(session: Session, filters: Filters) -> str | None:
    """The ETag of what these filters show to this reader today, `None` where nothing tells it.

    The scope is in it, so an answer that somebody else got in the same browser never counts.
    """
    if tiles.look_elsewhere(filters):
        return None
    communes = current_actor().communes
    scope = "all" if communes is None else sorted(communes)
    facts = (tiles.version(session), clock.today(), scope, filters)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def known(tag: str | None) -> Response | None:
    """The answer to who has these bytes already."""
    if tag is None or not request.if_none_match.contains_weak(tag):
        return None
    response = Response(status=304)
    response.set_etag(tag)
    return response


def tagged(response: Response, tag: str | None) -> Response:
    """With its ETag; where only the bytes tell whether they changed, with theirs."""
    if tag is None:
        response.add_etag()
        return response.make_conditional(request)  # type: ignore[return-value]
    response.set_etag(tag)
    return response


@blueprint.get("/tiles/towers/<int:z>/<int:x>/<int:y>.mvt")
@guard("tower.view")
def towers(z: int, x: int, y: int) -> Response:
    """The towers of a tile, from afar as clusters; the filters of the map narrow them."""
    at = Tile(z, x, y)
    if not at.exists:
        raise NotFound(N_("There is no such tile"))
    session, filters = current_session(), map_filters()
    tag = tag_of(session, filters)
    return known(tag) or tagged(
        Response(
            tiles.tile(session, current_actor(), filters, at, today=clock.today()),
            content_type=MEDIA_TYPE,
        ),
        tag,
    )


@blueprint.get("/tiles/towers/counts.json")
@guard("tower.view")
def counts() -> Response:
    """How many towers the filters find of how many there are: N of M."""
    session, filters = current_session(), map_filters()
    tag = tag_of(session, filters)
    return known(tag) or tagged(
        jsonify(tiles.counts(session, current_actor(), filters, today=clock.today())), tag
    )
