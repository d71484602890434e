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
from accounts.services.organisations import owner_named
from core import clock
from core.api import Blueprint, require_match, version_tag, with_tag
from core.db import current_session, transaction
from core.errors import Invalid, PreconditionFailed
from core.geo import Position, to_position
from core.guard import current_actor
from core.policy import guard
from core.words import N_
from towers import queries, services
from towers.doors import effective, the_tower
from towers.models import Tower
from towers.schemas import (
    NewTower,
    TowerBody,
    TowerFields,
    TowerPage,
    TowerQuery,
    filters_of,
)

towers = Blueprint("api_towers", __name__, url_prefix="/api/v1/towers")
BLUEPRINTS = (towers,)


def body(tower: Tower, today: date) -> dict[str, Any]:
    """A tower as plain JSON values, its condition as it counts today."""
    commune, owner = tower.commune, tower.owner
    return _values(
        tower,
        to_position(tower.geom),
        {"code": commune.code, "name": commune.name} if commune else None,
        {"id": str(owner.id), "name": owner.name} if owner else None,
        today,
    )


def row_body(row: Any, today: date) -> dict[str, Any]:
    """The same of a row of `queries.listed`."""
    return _values(
        row,
        Position(row.latitude, row.longitude),
        {"code": row.commune_code, "name": row.commune_name} if row.commune_code else None,
        {"id": str(row.owner_id), "name": row.owner_name} if row.owner_id else None,
        today,
    )


def _values(
    tower: Any,
    position: Position,
    commune: dict[str, str] | None,
    owner: dict[str, str] | None,
    today: date,
) -> dict[str, Any]:
    condition, reason = effective(tower, today)
    return {
        "id": str(tower.id),
        "code": tower.code,
        "name": tower.name,
        "structure_type": tower.structure_type,
        "services": tower.services,
        "height_m": _number(tower.height_m),
        "host_building_height_m": _number(tower.host_building_height_m),
        "latitude": position.latitude,
        "longitude": position.longitude,
        "commune": commune,
        "owner": owner,
        "address": tower.address,
        "built_year": tower.built_year,
        "lifecycle": tower.lifecycle,
        "note": tower.note,
        "source": tower.source,
        "condition": condition,
        "condition_reason": reason,
        "ok_until": _day(tower.ok_until),
        "worst_severity": tower.worst_severity,
        "next_deadline": _day(tower.next_deadline),
        "overdue": tower.next_deadline is not None and tower.next_deadline < today,
        "open_violations": tower.open_violations,
        "last_inspected_on": _day(tower.last_inspected_on),
        "version": tower.version,
    }


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _day(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def split(data: dict[str, Any]) -> tuple[Position | None, dict[str, Any]]:
    """The position and the other fields of a loaded body."""
    values = dict(data)
    latitude, longitude = values.pop("latitude", None), values.pop("longitude", None)
    values.pop("owner", None)
    for name in ("height_m", "host_building_height_m"):
        if values.get(name) is not None:
            values[name] = Decimal(str(values[name])).quantize(Decimal("0.1"))
    if "services" in values:
        values["services"] = sorted(set(values["services"]))
    position = Position(latitude, longitude) if latitude is not None else None
    return position, values


def owner_from(given: str | None) -> Organisation | None:
    """The owner that a body names by id or by name; a new name makes an organisation."""
    if not given:
        return None
    try:
        wanted = uuid.UUID(given)
    except ValueError:
        return owner_named(current_session(), given, by=current_actor(), now=clock.now())
    found = accounts.organisation(current_session(), current_actor(), wanted)
    if found is None:
        message = N_("There is no organisation with this id")
        raise Invalid(message, fields={"owner": [message]})
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
        position, values = split(data)
        assert position is not None
        with transaction() as session:
            made = services.create_tower(
                session,
                position=position,
                owner=owner_from(data.get("owner")),
                values={"structure_type": "unknown", "services": [], **values},
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
        empty: dict[str, Any] = {
            "structure_type": "unknown",
            "services": [],
            "height_m": None,
            "host_building_height_m": None,
            "owner": None,
            "address": "",
            "built_year": None,
            "lifecycle": "active",
            "note": "",
            "source": "",
        }
        return change(code, {**empty, **data})

    @guard("tower.edit")
    @towers.arguments(TowerFields)
    @towers.response(200, TowerBody)
    def patch(self, data: dict[str, Any], code: str) -> Response:
        """Change some fields of a tower. Needs If-Match."""
        return change(code, data)


def differing(data: dict[str, Any], present: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The fields of a body that say something else than the tower does now."""
    owner = present["owner"] or {"id": "", "name": ""}
    same_owner = (data.get("owner") or "") in owner.values()
    return {
        key: {"yours": data[key], "present": owner["name"] or None if key == "owner" else there}
        for key, there in present.items()
        if key in data and not (same_owner if key == "owner" else data[key] == there)
    }


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
        position, values = split(data)
        services.update_tower(
            session,
            tower,
            position=position,
            owner=owner_from(data.get("owner")) if "owner" in data else None,
            set_owner="owner" in data,
            values=values,
            by=current_actor(),
            now=clock.now(),
        )
        code = tower.code
    return answer(the_tower(code))
