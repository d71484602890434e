"""The API of assignments under `/api/v1`: who inspects which tower until when."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response, jsonify, request
from flask.views import MethodView
from marshmallow import fields
from sqlalchemy import Row
from sqlalchemy.orm import Session

from core import clock
from core.api import Blueprint, StrictSchema, require_match, with_tag
from core.db import current_session, transaction
from core.errors import Invalid, NotFound
from core.guard import current_actor
from core.policy import guard
from core.validation import between, length, one_of
from core.words import N_
from inspections.campaign_models import Assignment
from inspections.doors import the_assignment
from inspections.queries import campaigns as queries
from inspections.queries.campaigns import Wanted
from inspections.rules.campaign import Kind, Standing
from inspections.schemas import PageQuery
from inspections.services import assignments as giving
from towers.fields import FIRST_DAY, LAST_DAY
from towers.models import Tower
from towers.queries import merges

assignments = Blueprint("api_assignments", __name__, url_prefix="/api/v1/assignments")

DAYS = between(FIRST_DAY, LAST_DAY)
KINDS, STANDINGS = tuple(Kind), tuple(Standing)


class AssignmentQuery(PageQuery):
    """`mine` are one's own of running campaigns, and those outside campaigns."""

    campaign = fields.UUID(load_default=None)
    inspector = fields.UUID(load_default=None)
    mine = fields.Boolean(load_default=False)
    unassigned = fields.Boolean(load_default=False)
    standing = fields.List(fields.String(validate=one_of(STANDINGS)), load_default=list)
    tower = fields.String(load_default=None, validate=length(1, 64))


class NewAssignment(StrictSchema):
    """One tower outside every campaign, under the id that the client made."""

    id = fields.UUID(required=True)
    tower = fields.String(required=True, validate=length(1, 64))
    inspector = fields.UUID(required=True)
    kind = fields.String(required=True, validate=one_of(KINDS))
    due_on = fields.Date(required=True, validate=DAYS)
    note = fields.String(load_default="", validate=length(0, 4000))


class GivenAssignment(StrictSchema):
    """Who has it from now on, and until when; without a day it keeps its own."""

    inspector = fields.UUID(required=True)
    due_on = fields.Date(load_default=None, allow_none=True, validate=DAYS)


class WithdrawalOfAssignmentSchema(StrictSchema):
    reason = fields.String(required=True, validate=length(1, 4000))


class AssignmentBody(StrictSchema):
    """`inspection` is the first one that fulfils it."""

    id = fields.UUID(required=True)
    campaign = fields.UUID(allow_none=True, required=True)
    campaign_name = fields.String(allow_none=True, required=True)
    kind = fields.String(required=True)
    note = fields.String(required=True)
    tower = fields.String(required=True)
    name = fields.String(required=True)
    commune = fields.String(allow_none=True, required=True)
    latitude = fields.Float(required=True)
    longitude = fields.Float(required=True)
    inspector = fields.UUID(allow_none=True, required=True)
    inspector_name = fields.String(allow_none=True, required=True)
    due_on = fields.Date(required=True)
    standing = fields.String(required=True)
    inspection = fields.UUID(allow_none=True, required=True)
    inspected_on = fields.Date(allow_none=True, required=True)
    version = fields.Integer(required=True)


class AssignmentPage(StrictSchema):
    items = fields.List(fields.Nested(AssignmentBody), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


def held_assignment(session: Session, assignment_id: uuid.UUID) -> Assignment:
    """The assignment as it is now, held until the transaction ends, if If-Match names it so."""
    found = the_assignment(assignment_id)
    session.refresh(found, with_for_update={"of": Assignment})
    require_match(request.headers.get("If-Match"), found.version)
    return found


def assignment_body(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "campaign": str(row.campaign_id) if row.campaign_id else None,
        "campaign_name": row.campaign,
        "kind": row.kind,
        "note": row.note,
        "tower": row.code,
        "name": row.name,
        "commune": row.commune,
        "latitude": row.latitude,
        "longitude": row.longitude,
        "inspector": str(row.inspector_id) if row.inspector_id else None,
        "inspector_name": row.inspector,
        "due_on": row.due_on.isoformat(),
        "standing": row.standing,
        "inspection": str(row.inspection_id) if row.inspection_id else None,
        "inspected_on": row.inspected_on.isoformat() if row.inspected_on else None,
        "version": row.version,
    }


def assignment_answer(assignment_id: uuid.UUID, status: int = 200) -> Response:
    session, actor = current_session(), current_actor()
    row = queries.assignment_row(session, actor, assignment_id, today=clock.today())
    if row is None:
        raise NotFound()
    response = jsonify(assignment_body(row))
    response.status_code = status
    return with_tag(response, row.version)


def tower_named(code: str) -> Tower:
    """The tower with a code, or the one that it was merged into."""
    found = None
    if "\x00" not in code:
        found = merges.current(current_session(), current_actor(), code)
    if found is None:
        message = N_("There is no tower with the code %(code)s in your territory")
        raise Invalid(message, fields={"tower": [message]}, code=code)
    return found


@assignments.route("")
class Assignments(MethodView):
    @guard("assignment.view")
    @assignments.arguments(AssignmentQuery, location="query")
    @assignments.response(200, AssignmentPage)
    def get(self, query: dict[str, Any]) -> Response:
        """List what is to be inspected in the reader's territory, the first due first."""
        actor = current_actor()
        wanted = Wanted(
            campaign=query["campaign"],
            inspector=actor.id if query["mine"] else query["inspector"],
            nobody=query["unassigned"],
            standing=tuple(query["standing"]),
            tower=tower_named(query["tower"]).id if query["tower"] else None,
            running=query["mine"],
        )
        page = queries.assignments(
            current_session(),
            actor,
            wanted,
            today=clock.today(),
            limit=query["limit"],
            cursor=query["cursor"],
        )
        items = [assignment_body(row) for row in page.rows]
        return jsonify(items=items, next_cursor=page.next_cursor)

    @guard("assignment.give")
    @assignments.arguments(NewAssignment)
    @assignments.response(201, AssignmentBody)
    @assignments.alt_response(200, schema=AssignmentBody, description="Sent before")
    def post(self, data: dict[str, Any]) -> Response:
        """Have one tower inspected outside every campaign; resending is harmless."""
        with transaction() as session:
            _, new = giving.assign_tower(
                session,
                data["id"],
                tower_named(data["tower"]),
                data["inspector"],
                kind=Kind(data["kind"]),
                due_on=data["due_on"],
                note=data["note"],
                by=current_actor(),
                now=clock.now(),
                today=clock.today(),
            )
        response = assignment_answer(data["id"], 201 if new else 200)
        response.headers["Location"] = f"/api/v1/assignments/{data['id']}"
        return response


@assignments.route("/<uuid:assignment_id>")
class AssignmentById(MethodView):
    @guard("assignment.view")
    @assignments.response(200, AssignmentBody)
    def get(self, assignment_id: uuid.UUID) -> Response:
        """One assignment, with the inspection that fulfils it."""
        return assignment_answer(assignment_id)

    @guard("assignment.give")
    @assignments.arguments(GivenAssignment)
    @assignments.response(200, AssignmentBody)
    def put(self, data: dict[str, Any], assignment_id: uuid.UUID) -> Response:
        """Give it to another inspector, or another day. Needs If-Match."""
        with transaction() as session:
            giving.give_to(
                session,
                held_assignment(session, assignment_id),
                data["inspector"],
                due_on=data["due_on"],
                by=current_actor(),
                now=clock.now(),
                today=clock.today(),
            )
        return assignment_answer(assignment_id)


@assignments.route("/<uuid:assignment_id>/withdrawal")
class AssignmentWithdrawal(MethodView):
    @guard("assignment.give")
    @assignments.arguments(WithdrawalOfAssignmentSchema)
    @assignments.response(204)
    def post(self, data: dict[str, Any], assignment_id: uuid.UUID) -> None:
        """Take it back, with a reason. Needs If-Match."""
        with transaction() as session:
            giving.withdraw(
                session,
                held_assignment(session, assignment_id),
                reason=data["reason"],
                by=current_actor(),
                now=clock.now(),
            )
