"""The tiles of the map: vector tiles of the towers, and how many of how many they show."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from threading import Lock

from cachetools import LRUCache
from flask import Blueprint, Response, current_app, json, request
from flask.blueprints import BlueprintSetupState
from sqlalchemy.orm import Session

from core import clock
from core.db import current_session
from core.errors import NotFound
from core.guard import current_actor
from core.policy import guard
from core.settings import Settings
from core.words import N_
from maps.doors import map_filters
from maps.queries import tiles
from maps.rules import Tile
from towers.queries import Filters

blueprint = Blueprint("tiles", __name__)
MEDIA_TYPE = "application/vnd.mapbox-vector-tile"
# What a kept answer weighs beside its bytes.
WRAPPING = 500
# The version of what was made, and its bytes.
Made = tuple[int, bytes]


class Kept:
    """Answers that were made before; those that nobody has asked for longest make room.

    Each goes by its tag, which says for whom, when and of what it was made: nobody gets what was
    made for readers of another scope.
    """

    def __init__(self, most_bytes: int) -> None:
        self._answers: LRUCache[tuple[str, object], bytes] = LRUCache(
            most_bytes, getsizeof=lambda data: len(data) + WRAPPING
        )
        self._lock = Lock()

    def get(self, tag: str, name: object) -> bytes | None:
        with self._lock:
            return self._answers.get((tag, name))

    def put(self, tag: str, name: object, data: bytes) -> None:
        if len(data) + WRAPPING > self._answers.maxsize // 16:
            return
        with self._lock:
            self._answers[tag, name] = data

    def clear(self) -> None:
        with self._lock:
            self._answers.clear()


@blueprint.record_once
def begin(state: BlueprintSetupState) -> None:
    settings: Settings = state.app.config["SETTINGS"]
    state.app.extensions["kept_tiles"] = Kept(settings.kept_tiles_bytes)


def tag_of(version: int, filters: Filters) -> str:
    """The ETag of what these filters show to this reader today.

    The scope is in it, so an answer that somebody else got in the same browser never counts.
    """
    reader = current_actor().alike
    scope = (sorted(reader.roles), reader.communes and sorted(reader.communes))
    facts = (version, clock.today(), scope, reader.organisation_id, filters)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def answer(name: object, media_type: str, make: Callable[[Session, Filters], Made]) -> Response:
    """What `make` makes, made only where neither the reader nor this process has it already."""
    session, filters = current_session(), map_filters()
    if tiles.look_elsewhere(filters):
        _, data = make(session, filters)
        response = Response(data, content_type=media_type)
        # Only the bytes tell whether they changed.
        response.add_etag()
        response.make_conditional(request)
        return response
    kept: Kept = current_app.extensions["kept_tiles"]
    tag = tag_of(tiles.version(session), filters)
    if request.if_none_match.contains_weak(tag):
        response = Response(status=304)
    else:
        known = kept.get(tag, name)
        if known is None:
            version, known = make(session, filters)
            tag = tag_of(version, filters)
            kept.put(tag, name, known)
        response = Response(known, content_type=media_type)
    response.set_etag(tag)
    return response


@blueprint.get("/tiles/towers/<int:z>/<int:x>/<int:y>.mvt")
@guard("tower.view")
def towers(z: int, x: int, y: int) -> Response:
    """The towers of a tile, as clusters where they are many; the filters of the map narrow them."""
    at = Tile(z, x, y)
    if not at.exists:
        raise NotFound(N_("There is no such tile"))

    def make(session: Session, filters: Filters) -> Made:
        return tiles.tile(session, current_actor(), filters, at, today=clock.today())

    return answer(at, MEDIA_TYPE, make)


@blueprint.get("/tiles/towers/counts.json")
@guard("tower.view")
def counts() -> Response:
    """How many towers the filters find of how many there are: N of M."""

    def make(session: Session, filters: Filters) -> Made:
        # The version first: what is counted after it may be newer, never older.
        version = tiles.version(session)
        found = tiles.counts(session, current_actor(), filters, today=clock.today())
        return version, json.dumps(found).encode()

    return answer("counts", "application/json", make)
