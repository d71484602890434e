"""What the doors of the map share."""

from __future__ import annotations

from dataclasses import replace

from flask import request

from core.errors import BadRequest
from core.words import N_
from maps.queries import Box
from towers.doors import asked_filters
from towers.queries import Filters
from towers.schemas import BBOX, envelope_of


def map_filters() -> Filters:
    """The filters in the address; its box is what is looked at, not what is looked for."""
    return replace(asked_filters(), bbox=None)


def asked_box() -> Box:
    """The box that is asked for; raises `BadRequest` for one that is no box on earth."""
    try:
        box = envelope_of(request.args.get("bbox", ""))
    except ValueError as error:
        raise BadRequest(BBOX) from error
    return Box(box.west, box.south, box.east, box.north)


def asked_zoom() -> int:
    zoom = request.args.get("zoom", "")
    if not (zoom.isascii() and zoom.isdigit() and len(zoom) < 3 and int(zoom) <= 24):
        raise BadRequest(N_("zoom is a whole number from 0 to 24"))
    return int(zoom)
