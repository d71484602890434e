"""The door of the expected influence zones that the map draws round the towers of a view."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from core import clock
from core.db import current_session
from core.errors import BadRequest
from core.guard import current_actor
from core.policy import guard
from core.words import N_
from maps.doors import asked_box, map_filters
from maps.queries import fall_zones
from towers.doors import fall_zone_of

blueprint = Blueprint("fall_zones", __name__)
# A wide screen shows less at the zoom from which the rings are drawn; more would hold others up.
MOST_DEGREES = 0.5


@blueprint.get("/map/fall-zones.json")
@guard("tower.view")
def zones() -> Response:
    """Where the towers of a view may fall: longitude, latitude, metres and condition of each.

    `total` towers stand in the view; of those that were looked at `unknown` have no known height.
    """
    box = asked_box()
    if max(box.east - box.west, box.north - box.south) > MOST_DEGREES:
        raise BadRequest(
            N_("Look at a smaller part of the map: at most %(most)s degrees"), most=MOST_DEGREES
        )
    session = current_session()
    masts, total = fall_zones.masts(
        session, current_actor(), map_filters(), box, today=clock.today()
    )
    found = [(mast, fall_zone_of(session, mast)) for mast in masts]
    return jsonify(
        total=total,
        unknown=sum(radius is None for _, radius in found),
        zones=[
            [round(mast.x, 6), round(mast.y, 6), float(radius), mast.condition]
            for mast, radius in found
            if radius is not None
        ],
    )
