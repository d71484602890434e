"""The API of areas under `/api/v1/areas`."""

from __future__ import annotations

import hashlib
from typing import Any

from flask import Response, jsonify, request
from flask.views import MethodView
from marshmallow import fields

from areas import queries
from areas.models import Area
from areas.rules import Level
from core.api import Blueprint, StrictSchema
from core.db import current_session
from core.errors import NotFound
from core.policy import guard
from core.validation import between, length, one_of

areas = Blueprint("api_areas", __name__, url_prefix="/api/v1/areas")
BLUEPRINTS = (areas,)
LEVELS = tuple(level.value for level in Level)


class AreaQuery(StrictSchema):
    limit = fields.Integer(load_default=50, validate=between(1, 500))
    cursor = fields.String(load_default=None, validate=length(1, 500))
    level = fields.String(load_default=None, validate=one_of(LEVELS))
    q = fields.String(load_default="", validate=length(0, 100))


class BoundaryQuery(StrictSchema):
    level = fields.String(load_default="commune", validate=one_of(LEVELS))


class AreaBody(StrictSchema):
    """A province or commune; `synthetic` boundaries are not the real ones."""

    level = fields.String(required=True)
    code = fields.String(required=True)
    name = fields.String(required=True)
    province = fields.String(allow_none=True)
    area_km2 = fields.Float(allow_none=True)
    synthetic = fields.Boolean(required=True)
    source = fields.String()
    bounds = fields.List(fields.Float(), allow_none=True)


class AreaPage(StrictSchema):
    items = fields.List(fields.Nested(AreaBody), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


def body(area: Area) -> dict[str, Any]:
    return {
        "level": area.level,
        "code": area.code,
        "name": area.name,
        "province": area.parent.code if area.parent else None,
        "area_km2": float(area.area_km2) if area.area_km2 is not None else None,
        "synthetic": area.synthetic,
        "source": area.source,
    }


@areas.route("")
class Areas(MethodView):
    @guard("area.view")
    @areas.arguments(AreaQuery, location="query")
    @areas.response(200, AreaPage)
    def get(self, query: dict[str, Any]) -> Response:
        """List provinces and communes."""
        page = queries.listed(current_session(), **query)
        return jsonify(items=[body(area) for area in page.rows], next_cursor=page.next_cursor)


@areas.route("/boundaries")
class Boundaries(MethodView):
    @guard("area.view")
    @areas.arguments(BoundaryQuery, location="query")
    @areas.response(200, {"type": "object"}, content_type="application/geo+json")
    def get(self, query: dict[str, Any]) -> Response:
        """The boundaries of a level as GeoJSON in EPSG:4326."""
        return boundaries_answer(query["level"])


def boundaries_answer(level: str) -> Response:
    """The boundaries, or 304 where the reader has them already."""
    text = queries.with_boundaries(current_session(), level).encode()
    response = Response(text, content_type="application/geo+json")
    response.set_etag(hashlib.sha256(text).hexdigest()[:32])
    response.make_conditional(request)
    return response


@areas.route("/<level>/<code>")
class AreaByCode(MethodView):
    @guard("area.view")
    @areas.response(200, AreaBody)
    def get(self, level: str, code: str) -> Response:
        """One area with its bounding box in degrees."""
        if level not in LEVELS or "\x00" in code:
            raise NotFound()
        found = queries.area_by_code(current_session(), level, code)
        if found is None:
            raise NotFound()
        return jsonify({**body(found), "bounds": queries.bounds_of(current_session(), found)})
