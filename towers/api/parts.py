"""Installations, permits, anchors and the footprint of a tower: below its address, one version."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from flask import Response, jsonify, request
from flask.views import MethodView
from sqlalchemy.orm import Session

from core import clock
from core.api import Blueprint, require_match, with_tag
from core.db import current_session, transaction
from core.errors import NotFound
from core.geo import Position
from core.guard import current_actor
from core.policy import guard
from core.words import N_
from towers import services
from towers.bodies import as_json, named, typed
from towers.doors import soon_days, the_part, the_tower
from towers.fields import Field, Kind
from towers.models import Installation, Permit, Tower
from towers.part_schemas import (
    PART_GIVEN,
    PART_LISTS,
    PART_TAKEN,
    FootprintBody,
    PermitPage,
    PermitQuery,
)
from towers.parts import ANCHOR, ANTENNA_FIELDS, INSTALLATION, PARTS, PERMIT, PartKind
from towers.queries import parts as queries
from towers.queries.parts import Measured, Part, PermitFilters
from towers.rules import permit_state
from towers.services import parts

NEEDS_MATCH = "Needs If-Match with the ETag of the tower."


@contextmanager
def tower_in_hand(code: str) -> Iterator[tuple[Session, Tower]]:
    """A tower held for one change of its parts, in a transaction of its own.

    Raises 428 and 412 as for the tower itself: its parts have its version.
    """
    with transaction() as session:
        tower = the_tower(code)
        services.hold(session, tower.id)
        require_match(request.headers.get("If-Match"), tower.version)
        yield session, tower


def part_bodies(session: Session, tower: Tower, kind: PartKind) -> list[dict[str, Any]]:
    """The parts of one kind as the API gives them."""
    if kind is ANCHOR:
        return [anchor_body(one) for one in queries.anchors(session, tower.id)]
    if kind is PERMIT:
        soon = soon_days(session)
        return [permit_body(one, soon) for one in queries.permits(session, tower.id)]
    return [installation_body(one) for one in queries.installations(session, tower.id)]


def _fields(part: Any, fields: tuple[Field, ...]) -> dict[str, Any]:
    return {
        field.name: named(getattr(part, field.name))
        if field.kind is Kind.ORGANISATION
        else as_json(getattr(part, field.name))
        for field in fields
        if field.kind is not Kind.COORDINATE
    }


def installation_body(one: Installation) -> dict[str, Any]:
    return {
        "id": str(one.id),
        **_fields(one, INSTALLATION.fields),
        "antennas": [_fields(antenna, ANTENNA_FIELDS) for antenna in one.antennas],
    }


def permit_body(one: Permit, soon: int) -> dict[str, Any]:
    state = permit_state(one.expires_on, today=clock.today(), soon_days=soon)
    return {"id": str(one.id), **_fields(one, PERMIT.fields), "state": state}


def anchor_body(one: Measured) -> dict[str, Any]:
    return {
        "id": str(one.anchor.id),
        **_fields(one.anchor, ANCHOR.fields),
        "latitude": one.position.latitude,
        "longitude": one.position.longitude,
        "distance_m": round(one.distance_m, 2),
        "azimuth_deg": None if one.azimuth_deg is None else round(one.azimuth_deg, 1),
    }


def values_of(kind: PartKind, data: Mapping[str, Any]) -> dict[str, Any]:
    """A loaded body as the services take it; what it leaves out is empty."""
    values = {field.name: field.empty for field in kind.columns}
    values |= typed(data, kind.fields)
    if kind is ANCHOR:
        values["position"] = Position(values.pop("latitude"), values.pop("longitude"))
    if kind is INSTALLATION:
        empty = {field.name: field.empty for field in ANTENNA_FIELDS}
        antennas = [{**empty, **typed(one, ANTENNA_FIELDS)} for one in data["antennas"]]
        values["antennas"] = [{**one, "quantity": one["quantity"] or 1} for one in antennas]
    return values


def _answer(session: Session, tower: Tower, kind: PartKind, part: Part, status: int) -> Response:
    session.expire_all()
    found = next(one for one in part_bodies(session, tower, kind) if one["id"] == str(part.id))
    response = jsonify(found)
    response.status_code = status
    return with_tag(response, tower.version)


def part_routes(blueprint: Blueprint, kind: PartKind) -> None:
    """The addresses of one kind of part below a tower."""
    taken, given, listed = (one[kind.name] for one in (PART_TAKEN, PART_GIVEN, PART_LISTS))

    @blueprint.route(f"/<code>/{kind.plural}", endpoint=kind.plural)
    class Parts(MethodView):
        @guard("tower.view")
        @blueprint.response(200, listed)
        @blueprint.doc(summary=f"All {kind.plural} of a tower, with the ETag of the tower.")
        def get(self, code: str) -> Response:
            tower = the_tower(code)
            items = part_bodies(current_session(), tower, kind)
            return with_tag(jsonify(items=items), tower.version)

        @guard("tower.edit")
        @blueprint.arguments(taken)
        @blueprint.response(201, given)
        @blueprint.doc(summary=f"Add to the {kind.plural} of a tower. {NEEDS_MATCH}")
        def post(self, data: dict[str, Any], code: str) -> Response:
            with tower_in_hand(code) as (session, tower):
                part = parts.add_part(
                    session,
                    tower,
                    kind,
                    values=values_of(kind, data),
                    by=current_actor(),
                    now=clock.now(),
                )
            response = _answer(session, tower, kind, part, 201)
            response.headers["Location"] = f"{request.path}/{part.id}"
            return response

    @blueprint.route(f"/<code>/{kind.plural}/<uuid:part_id>", endpoint=kind.name)
    class OnePart(MethodView):
        @guard("tower.view")
        @blueprint.response(200, given)
        @blueprint.doc(summary=f"One of the {kind.plural} of a tower.")
        def get(self, code: str, part_id: uuid.UUID) -> Response:
            session, tower = current_session(), the_tower(code)
            return _answer(session, tower, kind, the_part(session, tower, kind, part_id), 200)

        @guard("tower.edit")
        @blueprint.arguments(taken)
        @blueprint.response(200, given)
        @blueprint.doc(summary=f"Replace one of the {kind.plural} of a tower. {NEEDS_MATCH}")
        def put(self, data: dict[str, Any], code: str, part_id: uuid.UUID) -> Response:
            with tower_in_hand(code) as (session, tower):
                part = the_part(session, tower, kind, part_id)
                parts.change_part(
                    session,
                    tower,
                    kind,
                    part,
                    values=values_of(kind, data),
                    by=current_actor(),
                    now=clock.now(),
                )
            return _answer(session, tower, kind, part, 200)

        @guard("tower.edit")
        @blueprint.response(204)
        @blueprint.doc(summary=f"Remove one of the {kind.plural} of a tower. {NEEDS_MATCH}")
        def delete(self, code: str, part_id: uuid.UUID) -> Response:
            with tower_in_hand(code) as (session, tower):
                part = the_part(session, tower, kind, part_id)
                parts.remove_part(session, tower, kind, part, by=current_actor(), now=clock.now())
            return with_tag(Response(status=204), tower.version)


def footprint_routes(blueprint: Blueprint) -> None:
    """The address of the ground that a tower stands on."""

    @blueprint.route("/<code>/footprint", endpoint="footprint")
    class Footprint(MethodView):
        @guard("tower.view")
        @blueprint.response(200, FootprintBody)
        def get(self, code: str) -> Response:
            """The footprint of a tower as a GeoJSON polygon; 404 where nobody drew it."""
            tower = the_tower(code)
            found = queries.footprint(current_session(), tower.id)
            if found is None:
                raise NotFound(N_("Nobody drew the footprint of this tower"))
            return with_tag(jsonify(found), tower.version)

        @guard("tower.edit")
        @blueprint.arguments(FootprintBody)
        @blueprint.response(200, FootprintBody)
        def put(self, data: dict[str, Any], code: str) -> Response:
            """Draw the footprint of a tower. Needs If-Match with the ETag of the tower."""
            with tower_in_hand(code) as (session, tower):
                kept = parts.set_footprint(
                    session, tower, data, by=current_actor(), now=clock.now()
                )
            return with_tag(jsonify(kept), tower.version)

        @guard("tower.edit")
        @blueprint.response(204)
        def delete(self, code: str) -> Response:
            """Remove the footprint of a tower. Needs If-Match with the ETag of the tower."""
            with tower_in_hand(code) as (session, tower):
                parts.set_footprint(session, tower, None, by=current_actor(), now=clock.now())
            return with_tag(Response(status=204), tower.version)


permits = Blueprint("api_permits", "towers.api.parts", url_prefix="/api/v1/permits")


@permits.route("")
class Permits(MethodView):
    @guard("tower.view")
    @permits.arguments(PermitQuery, location="query")
    @permits.response(200, PermitPage)
    def get(self, query: dict[str, Any]) -> Response:
        """Permits of all towers that are over or soon will be, the nearest end first."""
        session, today = current_session(), clock.today()
        soon = soon_days(session)
        page = queries.expiring(
            session,
            current_actor(),
            PermitFilters(
                kind=query["kind"],
                state=query["state"],
                q=query["q"],
                days=query["days"],
                replaced=query["replaced"],
            ),
            today=today,
            soon_days=soon,
            limit=query["limit"],
            cursor=query["cursor"],
        )
        return jsonify(
            items=[
                {**permit_body(one, soon), "tower": one.tower.code, "tower_name": one.tower.name}
                for one in page.rows
            ],
            next_cursor=page.next_cursor,
        )


def add_to(blueprint: Blueprint) -> None:
    """Add everything that stands below the address of a tower."""
    for kind in PARTS.values():
        part_routes(blueprint, kind)
    footprint_routes(blueprint)
