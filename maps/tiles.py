"""The tiles of the map: vector tiles of the towers, and how many of how many they show."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from threading import Lock
from typing import Any

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
from maps.doors import asked_then, map_filters
from maps.queries import past, tiles
from maps.rules import Tile
from towers.queries import Filters
from towers.queries.past import Then, of_today

blueprint = Blueprint("tiles", __name__)
MEDIA_TYPE = "application/vnd.mapbox-vector-tile"
# What a kept answer weighs beside its bytes.
WRAPPING = 500
# The version of what was made, and its bytes.
Made = tuple[int, bytes]


class Kept:
    """The last answers that were made, each with the version that it was made of; those that nobody
    has asked for longest make room.

    Each goes by its asking, which says by whom, when and for what: nobody gets what was made for
    readers of another scope.
    """

    def __init__(self, most_bytes: int) -> None:
        self._answers: LRUCache[tuple[object, object], Made] = LRUCache(
            most_bytes, getsizeof=lambda made: len(made[1]) + WRAPPING
        )
        self._lock = Lock()

    def get(self, asking: object, name: object) -> Made | None:
        with self._lock:
            return self._answers.get((asking, name))

    def put(self, asking: object, name: object, made: Made) -> None:
        if len(made[1]) + WRAPPING > self._answers.maxsize // 16:
            return
        with self._lock:
            known = self._answers.get((asking, name))
            # Of two that were made at once the newer one stays.
            if known is None or known[0] <= made[0]:
                self._answers[asking, name] = made

    def clear(self) -> None:
        with self._lock:
            self._answers.clear()


@blueprint.record_once
def begin(state: BlueprintSetupState) -> None:
    settings: Settings = state.app.config["SETTINGS"]
    state.app.extensions["kept_tiles"] = Kept(settings.kept_tiles_bytes)


def asking_of(filters: Filters, then: Then | None) -> str:
    """By whom, when and with which filters something is asked, of today or a day that is over.

    The scope is in it, so an answer that somebody else got in the same browser never counts.
    """
    reader = current_actor().alike
    scope = (sorted(reader.roles), reader.communes and sorted(reader.communes))
    day = then.day if then else clock.today()
    return repr((day, then is not None, scope, reader.organisation_id, filters))


def tag_of(version: int, asking: str) -> str:
    """The ETag of what a version of the register shows."""
    return hashlib.sha256(f"{version} {asking}".encode()).hexdigest()[:32]


Make = Callable[[Session, Filters, Then | None], Made]


def answer(name: object, media_type: str, make: Make) -> Response:
    """What `make` makes, made only where neither the reader nor this process has it already."""
    session, filters = current_session(), map_filters()
    then = asked_then(filters)
    if tiles.look_elsewhere(filters):
        _, data = make(session, filters, then)
        response = Response(data, content_type=media_type)
        # Only the bytes tell whether they changed.
        response.add_etag()
        response.make_conditional(request)
        return response
    kept: Kept = current_app.extensions["kept_tiles"]
    asking = asking_of(filters, then)
    known = kept.get(asking, name)
    if known or request.if_none_match:
        version = tiles.version(session)
        tag = tag_of(version, asking)
        if request.if_none_match.contains_weak(tag):
            response = Response(status=304)
            response.set_etag(tag)
            return response
        if known and known[0] != version:
            known = None
    if known is None:
        known = make(session, filters, then)
        kept.put(asking, name, known)
    response = Response(known[1], content_type=media_type)
    response.set_etag(tag_of(known[0], asking))
    return response


@blueprint.get("/tiles/towers/<int:z>/<int:x>/<int:y>.mvt")
@guard("tower.view")
def towers(z: int, x: int, y: int) -> Response:
    """The towers of a tile, as clusters where they are many; the filters of the map narrow them."""
    at = Tile(z, x, y)
    if not at.exists:
        raise NotFound(N_("There is no such tile"))

    def make(session: Session, filters: Filters, then: Then | None) -> Made:
        if then is not None:
            return past.tile(session, current_actor(), filters, at, then)
        return tiles.tile(session, current_actor(), filters, at, today=clock.today())

    return answer(at, MEDIA_TYPE, make)


@blueprint.get("/tiles/towers/counts.json")
@guard("tower.view")
def counts() -> Response:
    """How many towers the filters find of how many there are: N of M."""

    def make(session: Session, filters: Filters, then: Then | None) -> Made:
        # The version first: what is counted after it may be newer, never older.
        version = tiles.version(session)
        found: dict[str, Any]
        if then is None:
            found = {**tiles.counts(session, current_actor(), filters, today=clock.today())}
        else:
            # `by_today` choose among the towers by what only today's register knows.
            found = {
                **past.counts(session, current_actor(), filters, then),
                "on": then.day.isoformat(),
                "by_today": of_today(filters),
            }
        return version, json.dumps(found).encode()

    return answer("counts", "application/json", make)
