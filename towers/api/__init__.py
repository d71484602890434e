"""The API of towers under `/api/v1/towers`."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from flask import Response, json, jsonify, request
from flask.views import MethodView
from sqlalchemy import Row

from core import clock
from core.api import Blueprint, require_match, version_tag, with_tag
from core.db import current_session, transaction
from core.errors import PreconditionFailed
from core.geo import Position, to_position
from core.guard import current_actor
from core.paging import Page
from core.policy import guard
from towers import lists, services
from towers.api import bulk, history, parts, vocabularies
from towers.api.documents import documents
from towers.api.exporting import exports
from towers.api.importing import imports
from towers.api.merge import merges
from towers.api.proposals import proposals
from towers.bodies import as_json, named, organisation_from, split
from towers.doors import effective, place_in, the_tower
from towers.fields import KEPT, ORGANISATIONS
from towers.models import Tower
from towers.queries import Filters
from towers.schemas import (
    NewTower,
    TowerBody,
    TowerCollection,
    TowerFields,
    TowerPage,
    TowerQuery,
    filters_of,
)

towers = Blueprint("api_towers", __name__, url_prefix="/api/v1/towers")
geojson = Blueprint("api_towers_geojson", __name__, url_prefix="/api/v1/towers.geojson")
for below in (parts, history, bulk):
    below.add_to(towers)
BLUEPRINTS = (
    towers,
    geojson,
    documents,
    proposals,
    merges,
    imports,
    exports,
    parts.permits,
    vocabularies.blueprint,
)
GEOJSON = "application/geo+json"
CONTENTS = {
    "application/json": {"schema": {"$ref": "#/components/schemas/TowerPage"}},
    GEOJSON: {"schema": {"$ref": "#/components/schemas/TowerCollection"}},
}
# What a field is that a whole body leaves out.
EMPTY = {field.name: field.empty for field in (*KEPT, *ORGANISATIONS) if not field.required}


def body(tower: Tower, today: date) -> dict[str, Any]:
    """A tower as plain JSON values, its condition as it counts today."""
    commune = tower.commune
    return _values(
        tower,
        to_position(tower.geom),
        {"code": commune.code, "name": commune.name} if commune else None,
        {field.name: named(getattr(tower, field.name)) for field in ORGANISATIONS},
        today,
    )


def row_body(row: Any, today: date) -> dict[str, Any]:
    """The same of a row of `queries.listed`."""
    return _values(
        row,
        Position(row.latitude, row.longitude),
        {"code": row.commune_code, "name": row.commune_name} if row.commune_code else None,
        {
            field.name: {
                "id": str(getattr(row, field.column)),
                "name": getattr(row, f"{field.name}_name"),
            }
            if getattr(row, field.column)
            else None
            for field in ORGANISATIONS
        },
        today,
    )


def _values(
    tower: Any,
    position: Position,
    commune: dict[str, str] | None,
    organisations: dict[str, dict[str, str] | None],
    today: date,
) -> dict[str, Any]:
    condition, reason = effective(tower, today)
    plain = {field.name: as_json(getattr(tower, field.name)) for field in KEPT}
    return {
        "id": str(tower.id),
        **plain,
        "latitude": position.latitude,
        "longitude": position.longitude,
        "source_srid": tower.source_srid,
        "source_x": tower.source_x,
        "source_y": tower.source_y,
        "commune": commune,
        "commune_distance_m": as_json(tower.commune_distance_m),
        **organisations,
        "condition": condition,
        "condition_reason": reason,
        "ok_until": as_json(tower.ok_until),
        "worst_severity": tower.worst_severity,
        "next_deadline": as_json(tower.next_deadline),
        "overdue": tower.next_deadline is not None and tower.next_deadline < today,
        "open_violations": tower.open_violations,
        "last_inspected_on": as_json(tower.last_inspected_on),
        "version": tower.version,
    }


def answer(tower: Tower, status: int = 200) -> Response:
    response = jsonify(body(tower, clock.today()))
    response.status_code = status
    return with_tag(response, tower.version)


def around(query: dict[str, Any], filters: Filters) -> dict[str, Any] | None:
    """What a list answers to a position in its search text, `None` where it has none."""
    today, reading = clock.today(), place_in(filters.q).reading
    if reading is None:
        return None
    found = lists.around(
        current_session(),
        current_actor(),
        replace(filters, q=""),
        reading.position,
        today=today,
        limit=query["limit"],
    )
    near = [{**row_body(one, today), "distance_m": one.metres} for one in found]
    return {"items": near, "next_cursor": None, "nearly": False}


def page(query: dict[str, Any]) -> dict[str, Any]:
    """What a list answers, its towers as `items`."""
    filters = filters_of(query)
    found = around(query, filters)
    if found is not None:
        return found
    listed, beside = searched(lists.listed, query, filters)
    return {"items": [row_body(row, clock.today()) for row in listed.rows], **beside}


def searched(
    page_of: Any, query: dict[str, Any], filters: Filters
) -> tuple[Page[Row[Any]], dict[str, Any]]:
    """A page of `page_of`, and what a list says beside its rows."""
    session, actor, today = current_session(), current_actor(), clock.today()
    filters, listed = lists.searched(
        page_of,
        session,
        actor,
        filters,
        today=today,
        limit=query["limit"],
        cursor=query["cursor"],
        sort=query["sort"],
    )
    beside: dict[str, Any] = {"next_cursor": listed.next_cursor, "nearly": filters.nearly}
    if query["count"]:
        count = lists.counted(session, actor, filters, today=today, at_least=len(listed.rows))
        beside["count"] = {"number": count.number, "more": count.more}
    return listed, beside


def collection(query: dict[str, Any]) -> Response:
    """The same as a FeatureCollection; what is not GeoJSON's stands beside its features."""
    filters = filters_of(query)
    found = around(query, filters)
    if found is None:
        listed, found = searched(lists.features, query, filters)
        features = [row.feature for row in listed.rows]
    else:
        features = [feature(one) for one in found.pop("items")]
    beside = json.dumps({"type": "FeatureCollection", **found})
    text = f'{beside[:-1]},"features":[{",".join(features)}]}}'
    return Response(text, content_type=GEOJSON)


def feature(said: dict[str, Any]) -> str:
    """What the API says of a tower as the text of a feature."""
    place = [said.pop("longitude"), said.pop("latitude")]
    return json.dumps(
        {
            "type": "Feature",
            "id": said.pop("id"),
            "geometry": {"type": "Point", "coordinates": place},
            "properties": said,
        }
    )


@geojson.route("")
class TowerFeatures(MethodView):
    @guard("tower.view")
    @geojson.arguments(TowerQuery, location="query")
    @geojson.response(200, TowerCollection, content_type=GEOJSON)
    def get(self, query: dict[str, Any]) -> Response:
        """The list of towers as a GeoJSON FeatureCollection, WGS 84; pages by `next_cursor`."""
        return collection(query)


@towers.route("")
class Towers(MethodView):
    @guard("tower.view")
    @towers.arguments(TowerQuery, location="query")
    @towers.response(200, TowerPage)
    @towers.doc(responses={"200": {"description": "OK", "content": CONTENTS}})
    def get(self, query: dict[str, Any]) -> Response:
        """List towers with all filters, or those round a position in `q`.

        With `Accept: application/geo+json` as a GeoJSON FeatureCollection.
        """
        accepted = request.accept_mimetypes.best_match(["application/json", GEOJSON])
        response = collection(query) if accepted == GEOJSON else jsonify(page(query))
        response.vary.add("Accept")
        return response

    @guard("tower.create")
    @towers.arguments(NewTower)
    @towers.response(201, TowerBody)
    def post(self, data: dict[str, Any]) -> Response:
        """Register a tower."""
        with transaction() as session:
            reading, values = split(data, organisation_from)
            assert reading is not None
            made = services.create_tower(
                session,
                reading=reading,
                values={**EMPTY, **values},
                by=current_actor(),
                now=clock.now(),
            )
        response = answer(the_tower(made.code), 201)
        response.headers["Location"] = f"/api/v1/towers/{made.code}"
        return response


@towers.route("/<code>")
class TowerByCode(MethodView):
    @guard("tower.view")
    @towers.response(200, TowerBody)
    def get(self, code: str) -> Response:
        """One tower."""
        return answer(the_tower(code))

    @guard("tower.edit")
    @towers.arguments(NewTower)
    @towers.response(200, TowerBody)
    def put(self, data: dict[str, Any], code: str) -> Response:
        """Replace the fields of a tower; a field left out is emptied. Needs If-Match."""
        return change(code, {**EMPTY, **data})

    @guard("tower.edit")
    @towers.arguments(TowerFields)
    @towers.response(200, TowerBody)
    def patch(self, data: dict[str, Any], code: str) -> Response:
        """Change some fields of a tower. Needs If-Match."""
        return change(code, data)


def differing(data: dict[str, Any], present: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The fields of a body that say something else than the tower does now."""
    found: dict[str, dict[str, Any]] = {}
    for key, there in present.items():
        if key not in data:
            continue
        yours = as_json(data[key])
        named = key in {field.name for field in ORGANISATIONS}
        same = (yours or "") in (there or {"": ""}).values() if named else yours == there
        if not same:
            found[key] = {"yours": yours, "present": there["name"] if named and there else there}
    return found


def change(code: str, data: dict[str, Any]) -> Response:
    with transaction() as session:
        tower = the_tower(code)
        services.hold(session, tower.id)
        try:
            require_match(request.headers.get("If-Match"), tower.version)
        except PreconditionFailed as error:
            present = body(tower, clock.today())
            raise PreconditionFailed(
                current=version_tag(tower.version),
                differing=differing(data, present),
            ) from error
        reading, values = split(data, organisation_from)
        services.update_tower(
            session,
            tower,
            reading=reading,
            values=values,
            by=current_actor(),
            now=clock.now(),
            today=clock.today(),
        )
        code = tower.code
    return answer(the_tower(code))
