"""The API of areas under `/api/v1/areas`."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Any

from flask import Response, jsonify, request
from flask.views import MethodView
from marshmallow import fields

from areas import queries
from areas.models import Area
from areas.names import match_area
from areas.queries import Heir
from areas.rules import Level
from core.api import Blueprint, StrictSchema
from core.db import current_session
from core.errors import NotFound
from core.policy import guard
from core.timelines import TimelinePage, TimelineQuery, timeline_answer
from core.validation import between, length, one_of

areas = Blueprint("api_areas", __name__, url_prefix="/api/v1/areas")
BLUEPRINTS = (areas,)
LEVELS = tuple(level.value for level in Level)


class DayQuery(StrictSchema):
    """`on`: the areas as they were on that day; without it those of today."""

    on = fields.Date(load_default=None)


class AreaQuery(DayQuery):
    limit = fields.Integer(load_default=50, validate=between(1, 500))
    cursor = fields.String(load_default=None, validate=length(1, 500))
    level = fields.String(load_default=None, validate=one_of(LEVELS))
    q = fields.String(load_default="", validate=length(0, 100))


class BoundaryQuery(DayQuery):
    level = fields.String(load_default="commune", validate=one_of(LEVELS))


class MatchQuery(StrictSchema):
    """Without `on` the areas of every day are meant."""

    text = fields.String(required=True, validate=length(1, 300))
    level = fields.String(load_default="commune", validate=one_of(LEVELS))
    on = fields.Date(load_default=None)
    within = fields.String(load_default="", validate=length(0, 300))


class NamedArea(StrictSchema):
    """An area by its level, code and name."""

    id = fields.Integer(required=True)
    level = fields.String(required=True)
    code = fields.String(required=True)
    name = fields.String(required=True)


class HeirBody(StrictSchema):
    """An area that has the land of another one: all of it, or the main or another part."""

    area = fields.Nested(NamedArea, required=True)
    whole = fields.Boolean(required=True)
    main = fields.Boolean(required=True)


class AreaBody(NamedArea):
    """An area during its validity; `synthetic` boundaries are not the real ones."""

    valid_from = fields.Date(allow_none=True)
    valid_to = fields.Date(allow_none=True)
    parent = fields.Nested(NamedArea, allow_none=True)
    province = fields.String(allow_none=True)
    area_km2 = fields.Float(allow_none=True)
    synthetic = fields.Boolean(required=True)
    source = fields.String()
    bounds = fields.List(fields.Float(), allow_none=True)
    successors = fields.List(fields.Nested(HeirBody))
    predecessors = fields.List(fields.Nested(HeirBody))


class AreaPage(StrictSchema):
    items = fields.List(fields.Nested(AreaBody), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class MatchBody(StrictSchema):
    """One area, several where the text is ambiguous, or none.

    `exact` is false where marks or the type word had to be overlooked.
    """

    areas = fields.List(fields.Nested(AreaBody), required=True)
    exact = fields.Boolean(required=True)


def named(area: Area) -> dict[str, Any]:
    return {"id": area.id, "level": area.level, "code": area.code, "name": area.name}


def body(area: Area) -> dict[str, Any]:
    province = next((one for one in area.ancestors if one.level == Level.PROVINCE), None)
    return {
        **named(area),
        "valid_from": area.valid_from.isoformat() if area.valid_from else None,
        "valid_to": area.valid_to.isoformat() if area.valid_to else None,
        "parent": named(area.parent) if area.parent else None,
        "province": province.code if province else None,
        "area_km2": float(area.area_km2) if area.area_km2 is not None else None,
        "synthetic": area.synthetic,
        "source": area.source,
    }


def heir_body(heir: Heir) -> dict[str, Any]:
    return {"area": named(heir.area), "whole": heir.whole, "main": heir.main}


@areas.route("")
class Areas(MethodView):
    @guard("area.view")
    @areas.arguments(AreaQuery, location="query")
    @areas.response(200, AreaPage)
    def get(self, query: dict[str, Any]) -> Response:
        """List provinces, communes, and on a day of the past districts."""
        page = queries.listed(current_session(), **query)
        return jsonify(items=[body(area) for area in page.rows], next_cursor=page.next_cursor)


@areas.route("/boundaries")
class Boundaries(MethodView):
    @guard("area.view")
    @areas.arguments(BoundaryQuery, location="query")
    @areas.response(200, {"type": "object"}, content_type="application/geo+json")
    def get(self, query: dict[str, Any]) -> Response:
        """The boundaries of a level as GeoJSON in EPSG:4326."""
        return boundaries_answer(query["level"], on=query["on"])


def boundaries_answer(level: str, *, on: date | None = None) -> Response:
    """The boundaries, or 304 where the reader has them already."""
    return geojson_answer(queries.with_boundaries(current_session(), level, on=on))


def geojson_answer(text: str) -> Response:
    content = text.encode()
    response = Response(content, content_type="application/geo+json")
    response.set_etag(hashlib.sha256(content).hexdigest()[:32])
    response.make_conditional(request)
    return response


@areas.route("/match")
class Match(MethodView):
    @guard("area.view")
    @areas.arguments(MatchQuery, location="query")
    @areas.response(200, MatchBody)
    def get(self, query: dict[str, Any]) -> Response:
        """Which area a text means: a code, or a name with or without marks and type word."""
        found = match_area(
            current_session(),
            query["text"],
            level=query["level"],
            day=query["on"],
            within=query["within"],
        )
        return jsonify(areas=[body(area) for area in found.areas], exact=found.exact)


def the_area(level: str, code: str, on: date | None) -> Area:
    """The area with a code on a day (today without one); raises `NotFound`."""
    if level not in LEVELS or "\x00" in code:
        raise NotFound()
    found = queries.area_by_code(current_session(), level, code, on=on)
    if found is None:
        raise NotFound()
    return found


@areas.route("/<level>/<code>")
class AreaByCode(MethodView):
    @guard("area.view")
    @areas.arguments(DayQuery, location="query")
    @areas.response(200, AreaBody)
    def get(self, query: dict[str, Any], level: str, code: str) -> Response:
        """One area with its bounding box in degrees, and whose land it has or who has its."""
        session, found = current_session(), the_area(level, code, query["on"])
        return jsonify(
            {
                **body(found),
                "bounds": queries.bounds_of(session, found),
                "successors": [heir_body(one) for one in queries.successors(session, found)],
                "predecessors": [heir_body(one) for one in queries.predecessors(session, found)],
            }
        )


class AreaTimelineQuery(TimelineQuery):
    """`on` is a day of the area's validity."""

    on = fields.Date(load_default=None)


@areas.route("/<level>/<code>/timeline")
class AreaTimeline(MethodView):
    @guard("area.view")
    @areas.arguments(AreaTimelineQuery, location="query")
    @areas.response(200, TimelinePage)
    def get(self, query: dict[str, Any], level: str, code: str) -> Response:
        """What happened to an area and to the towers in it."""
        return timeline_answer("area", the_area(level, code, query["on"]), query)
