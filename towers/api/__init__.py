"""The API of towers under `/api/v1/towers`."""

from __future__ import annotations

import uuid
from datetime import date
from decimal import Decimal
from typing import Any

from flask import Response, jsonify, request
from flask.views import MethodView

from accounts import queries as accounts
from accounts.models import Organisation
from accounts.services import owner_named
from core import clock
from core.api import Blueprint, require_match, version_tag, with_tag
from core.db import current_session, transaction
from core.errors import Invalid, PreconditionFailed
from core.geo import Position, to_position
from core.guard import current_actor
from core.policy import guard
from core.words import N_
from towers import queries, services
from towers.coordinate_systems import NoSuchPlace, UnknownSystem, system, to_wgs84
from towers.coordinates import Reading
from towers.doors import effective, the_tower
from towers.fields import FIELDS, KEPT, ORGANISATIONS, Kind
from towers.models import Tower
from towers.schemas import (
    ORIGINAL,
    POSITION,
    NewTower,
    TowerBody,
    TowerFields,
    TowerPage,
    TowerQuery,
    filters_of,
)

towers = Blueprint("api_towers", __name__, url_prefix="/api/v1/towers")
BLUEPRINTS = (towers,)
# What a field is that a whole body leaves out.
EMPTY = {field.name: field.empty for field in (*KEPT, *ORGANISATIONS) if not field.required}


def body(tower: Tower, today: date) -> dict[str, Any]:
    """A tower as plain JSON values, its condition as it counts today."""
    commune = tower.commune
    return _values(
        tower,
        to_position(tower.geom),
        {"code": commune.code, "name": commune.name} if commune else None,
        {field.name: _named(getattr(tower, field.name)) for field in ORGANISATIONS},
        today,
    )


def _named(organisation: Organisation | None) -> dict[str, str] | None:
    return {"id": str(organisation.id), "name": organisation.name} if organisation else None


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
    plain = {field.name: _json(getattr(tower, field.name)) for field in KEPT}
    return {
        "id": str(tower.id),
        **plain,
        "latitude": position.latitude,
        "longitude": position.longitude,
        "source_srid": tower.source_srid,
        "source_x": tower.source_x,
        "source_y": tower.source_y,
        "commune": commune,
        "commune_distance_m": _json(tower.commune_distance_m),
        **organisations,
        "condition": condition,
        "condition_reason": reason,
        "ok_until": _json(tower.ok_until),
        "worst_severity": tower.worst_severity,
        "next_deadline": _json(tower.next_deadline),
        "overdue": tower.next_deadline is not None and tower.next_deadline < today,
        "open_violations": tower.open_violations,
        "last_inspected_on": _json(tower.last_inspected_on),
        "version": tower.version,
    }


def _json(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date) else value


def split(data: dict[str, Any]) -> tuple[Reading | None, dict[str, Any]]:
    """The position and the other fields of a loaded body, its organisations looked up.

    Raises `Invalid` for an unknown system or organisation.
    """
    values = {name: value for name, value in data.items() if name not in POSITION | ORIGINAL}
    for field in FIELDS:
        value = values.get(field.name)
        if field.kind is Kind.ORGANISATION and field.name in values:
            values[field.name] = organisation_from(value, field.name)
        elif field.kind is Kind.NUMBER and value is not None:
            values[field.name] = round(Decimal(str(value)), field.digits)
        elif field.kind is Kind.CHOICES and value is not None:
            values[field.name] = sorted(set(value))
    if "source_srid" in data:
        return original(data["source_srid"], data["source_x"], data["source_y"]), values
    if "latitude" in data:
        return Reading.of(Position(data["latitude"], data["longitude"])), values
    return None, values


def original(srid: int, x: float, y: float) -> Reading:
    """The position of x (east) and y (north) in a system; raises `Invalid` for no such place."""
    try:
        of = system(srid)
        return Reading(to_wgs84(x, y, of), of, x, y)
    except UnknownSystem as error:
        message = N_("There is no coordinate system with this EPSG code")
        raise Invalid(message, fields={"source_srid": [message]}) from error
    except NoSuchPlace as error:
        message = N_("These coordinates are no place in their system")
        raise Invalid(message, fields={"source_x": [message], "source_y": [message]}) from error


def organisation_from(given: str | None, field: str) -> Organisation | None:
    """The organisation that a body names by id or by name; a new name makes one."""
    if not given:
        return None
    try:
        wanted = uuid.UUID(given)
    except ValueError:
        return owner_named(current_session(), given, by=current_actor(), now=clock.now())
    found = accounts.organisation(current_session(), current_actor(), wanted)
    if found is None:
        message = N_("There is no organisation with this id")
        raise Invalid(message, fields={field: [message]})
    return found


def answer(tower: Tower, status: int = 200) -> Response:
    response = jsonify(body(tower, clock.today()))
    response.status_code = status
    return with_tag(response, tower.version)


@towers.route("")
class Towers(MethodView):
    @guard("tower.view")
    @towers.arguments(TowerQuery, location="query")
    @towers.response(200, TowerPage)
    def get(self, query: dict[str, Any]) -> Response:
        """List towers with all filters."""
        today = clock.today()
        page = queries.listed(
            current_session(),
            current_actor(),
            filters_of(query),
            today=today,
            limit=query["limit"],
            cursor=query["cursor"],
            sort=query["sort"],
        )
        return jsonify(
            items=[row_body(row, today) for row in page.rows], next_cursor=page.next_cursor
        )

    @guard("tower.create")
    @towers.arguments(NewTower)
    @towers.response(201, TowerBody)
    def post(self, data: dict[str, Any]) -> Response:
        """Register a tower."""
        with transaction() as session:
            reading, values = split(data)
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
        yours = _json(data[key])
        named = key in {field.name for field in ORGANISATIONS}
        same = (yours or "") in (there or {"": ""}).values() if named else yours == there
        if not same:
            found[key] = {"yours": yours, "present": there["name"] if named and there else there}
    return found


def change(code: str, data: dict[str, Any]) -> Response:
    with transaction() as session:
        tower = the_tower(code)
        session.refresh(tower, with_for_update={"of": Tower, "key_share": True})
        try:
            require_match(request.headers.get("If-Match"), tower.version)
        except PreconditionFailed as error:
            present = body(tower, clock.today())
            raise PreconditionFailed(
                current=version_tag(tower.version),
                differing=differing(data, present),
            ) from error
        reading, values = split(data)
        services.update_tower(
            session,
            tower,
            reading=reading,
            values=values,
            by=current_actor(),
            now=clock.now(),
        )
        code = tower.code
    return answer(the_tower(code))
