"""The tiles of the map: vector tiles of the towers, and how many of how many they show."""

from __future__ import annotations

import hashlib
from typing import Any

from flask import Blueprint, Response, jsonify, request
from sqlalchemy.orm import Session

from core import clock
from core.db import current_session
from core.errors import NotFound
from core.guard import current_actor
from core.policy import guard
from core.words import N_
from maps.doors import asked_then, map_filters
from maps.queries import tiles
from maps.rules import Tile
from towers.queries import Filters
from towers.queries.past import Then, of_today

blueprint = Blueprint("tiles", __name__)
MEDIA_TYPE = "application/vnd.mapbox-vector-tile"


def tag_of(version: int, filters: Filters, then: Then | None) -> str:
    """The ETag of what these filters show to this reader of today or of a day that is over.

    The scope is in it, so an answer that somebody else got in the same browser never counts.
    """
    communes = current_actor().communes
    scope = "all" if communes is None else sorted(communes)
    facts = (version, then.day if then else clock.today(), then is not None, scope, filters)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def unchanged(session: Session, filters: Filters, then: Then | None) -> Response | None:
    """The answer to who has these bytes already; nothing is made for it."""
    if not request.if_none_match or tiles.look_elsewhere(filters):
        return None
    tag = tag_of(tiles.version(session), filters, then)
    if not request.if_none_match.contains_weak(tag):
        return None
    response = Response(status=304)
    response.set_etag(tag)
    return response


def tagged(response: Response, version: int, filters: Filters, then: Then | None) -> Response:
    """With its ETag; where only the bytes tell whether they changed, with theirs."""
    if tiles.look_elsewhere(filters):
        response.add_etag()
        response.make_conditional(request)
    else:
        response.set_etag(tag_of(version, filters, then))
    return response


@blueprint.get("/tiles/towers/<int:z>/<int:x>/<int:y>.mvt")
@guard("tower.view")
def towers(z: int, x: int, y: int) -> Response:
    """The towers of a tile, as clusters where they are many; the filters of the map narrow them.

    With `on=YYYY-MM-DD` as they were at the end of that day.
    """
    at = Tile(z, x, y)
    if not at.exists:
        raise NotFound(N_("There is no such tile"))
    session, filters = current_session(), map_filters()
    then = asked_then(filters)
    known = unchanged(session, filters, then)
    if known is not None:
        return known
    today = then.day if then else clock.today()
    version, data = tiles.tile(session, current_actor(), filters, at, today=today, then=then)
    return tagged(Response(data, content_type=MEDIA_TYPE), version, filters, then)


@blueprint.get("/tiles/towers/counts.json")
@guard("tower.view")
def counts() -> Response:
    """How many towers the filters find of how many there are: N of M.

    With `on=YYYY-MM-DD` at the end of that day; `by_today` are the filters that only today's
    register can answer, which choose among its towers then.
    """
    session, filters = current_session(), map_filters()
    then = asked_then(filters)
    known = unchanged(session, filters, then)
    if known is not None:
        return known
    version = tiles.version(session)
    today = then.day if then else clock.today()
    found: dict[str, Any] = dict(
        tiles.counts(session, current_actor(), filters, today=today, then=then)
    )
    if then is not None:
        found |= {"on": then.day.isoformat(), "by_today": of_today(filters)}
    return tagged(jsonify(found), version, filters, then)
