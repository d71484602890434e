"""What the time slider of the map asks: which days there are, and how a tower was on one."""

from __future__ import annotations

import uuid

from flask import Blueprint, Response, jsonify

from core import clock
from core.db import current_session
from core.errors import NotFound
from core.guard import current_actor
from core.policy import guard
from maps.doors import asked_then, map_filters
from maps.queries import past
from towers import queries as towers
from towers.api import body
from towers.queries.past import retold_until, told_of

blueprint = Blueprint("map_history", __name__)


@blueprint.get("/map/history.json")
@guard("tower.view")
def days() -> Response:
    """Today, the first day that is known, and until when its history was made afterwards."""
    session, zone, today = current_session(), clock.zone(), clock.today()
    first = past.first_day(session, zone) or today
    retold = retold_until(session, zone)
    return jsonify(
        today=today.isoformat(),
        first=min(first, today).isoformat(),
        retold_until=retold and retold.isoformat(),
    )


@blueprint.get("/map/history/<uuid:tower_id>.json")
@guard("tower.view")
def tower_then(tower_id: uuid.UUID) -> Response:
    """How a tower was at the end of the day `on`, and what it is now, if it is still there."""
    session, actor = current_session(), current_actor()
    then = asked_then(map_filters())
    now = towers.by_id(session, actor, tower_id)
    said = None if now is None else body(now, clock.today())
    if then is not None:
        told = told_of(session, actor, tower_id, then)
        said = told and {"condition": told.condition, "overdue": told.overdue}
    if said is None:
        raise NotFound()
    return jsonify(
        condition=said["condition"],
        overdue=said["overdue"],
        now=None if now is None else body(now, clock.today()),
    )
