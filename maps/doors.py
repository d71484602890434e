"""What the doors of the map share."""

from __future__ import annotations

from dataclasses import replace

from flask import request

from core.errors import BadRequest
from core.geo import Envelope
from towers.doors import asked_filters
from towers.queries import Filters
from towers.schemas import BBOX, envelope_of


def map_filters() -> Filters:
    """The filters in the address; its box is what is looked at, not what is looked for."""
    return replace(asked_filters(), bbox=None)


def asked_envelope() -> Envelope:
    """The box that is asked for; raises `BadRequest` for one that is no box on earth."""
    try:
        return envelope_of(request.args.get("bbox", ""))
    except ValueError as error:
        raise BadRequest(BBOX) from error
