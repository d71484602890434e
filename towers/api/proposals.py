"""The API of proposals under `/api/v1/proposals`."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response, jsonify, request
from flask.views import MethodView
from marshmallow import fields

from core import clock
from core.api import Blueprint, StrictSchema, require_match, with_tag
from core.db import current_session, transaction
from core.geo import to_position
from core.guard import current_actor
from core.policy import guard
from core.validation import between, length, one_of
from towers import queries as towers
from towers.api.documents import body as document_body
from towers.bodies import split
from towers.doors import held_proposal, the_proposal, the_tower
from towers.fields import BY_NAME
from towers.findings import NewProposal, finding_of, organisation_name
from towers.models import TowerProposal
from towers.queries import proposals as queries
from towers.queries.proposals import ProposalFilters
from towers.rules import ProposalKind, ProposalState
from towers.schemas import TowerFields
from towers.services import proposals as services

proposals = Blueprint("api_proposals", __name__, url_prefix="/api/v1/proposals")


class ProposalQuery(StrictSchema):
    limit = fields.Integer(load_default=50, validate=between(1, 500))
    cursor = fields.String(load_default=None, validate=length(1, 500))
    state = fields.List(fields.String(validate=one_of(tuple(ProposalState))), load_default=list)
    kind = fields.String(load_default="", validate=one_of(tuple(ProposalKind)))
    mine = fields.Boolean(load_default=False)
    tower = fields.String(load_default=None, validate=length(1, 64))


class DecisionSchema(StrictSchema):
    """Accept, with values that staff add (a new tower needs `code` and `name`) and without fields
    that are left out; or refuse with a reason."""

    decision = fields.String(required=True, validate=one_of(("accept", "refuse")))
    reason = fields.String(load_default="", validate=length(0, services.MAX_NOTE))
    values = fields.Nested(TowerFields, load_default=dict)
    leave_out = fields.List(fields.String(validate=one_of(tuple(BY_NAME))), load_default=list)


class PersonBody(StrictSchema):
    name = fields.String(required=True)


class ProposalBody(StrictSchema):
    """A proposal. `base` is what the register said when it was made, `near` what stands nearby."""

    id = fields.UUID(required=True)
    kind = fields.String(required=True)
    state = fields.String(required=True)
    tower = fields.String(allow_none=True, required=True)
    values = fields.Dict(required=True)
    base = fields.Dict(required=True)
    latitude = fields.Float(allow_none=True, required=True)
    longitude = fields.Float(allow_none=True, required=True)
    accuracy_m = fields.Float(allow_none=True, required=True)
    note = fields.String(required=True)
    by = fields.Nested(PersonBody, required=True)
    created_at = fields.DateTime(required=True)
    decided_at = fields.DateTime(allow_none=True, required=True)
    reason = fields.String(required=True)
    result = fields.String(allow_none=True, required=True)
    version = fields.Integer(required=True)
    near = fields.List(fields.Dict())
    documents = fields.List(fields.Dict())


class ProposalPage(StrictSchema):
    items = fields.List(fields.Nested(ProposalBody), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


def body(proposal: TowerProposal) -> dict[str, Any]:
    place = to_position(proposal.position) if proposal.position is not None else None
    return {
        "id": str(proposal.id),
        "kind": proposal.kind,
        "state": proposal.state,
        "tower": proposal.tower.code if proposal.tower else None,
        "values": proposal.values,
        "base": proposal.base,
        "latitude": place.latitude if place else None,
        "longitude": place.longitude if place else None,
        "accuracy_m": float(proposal.accuracy_m) if proposal.accuracy_m is not None else None,
        "note": proposal.note,
        "by": {"name": proposal.by.name or proposal.by.email},
        "created_at": proposal.created_at.isoformat(),
        "decided_at": proposal.decided_at.isoformat() if proposal.decided_at else None,
        "reason": proposal.reason,
        "result": proposal.result.code if proposal.result else None,
        "version": proposal.version,
    }


def answer(proposal_id: uuid.UUID, status: int = 200) -> Response:
    """One proposal with the towers near it and its photos."""
    session, actor = current_session(), current_actor()
    session.expire_all()
    found = the_proposal(proposal_id)
    near = []
    if found.position is not None:
        near = [
            {"code": tower.code, "name": tower.name, "metres": round(away)}
            for tower, away in towers.nearest(
                session, actor, to_position(found.position), metres=services.NEAR_M
            )
        ]
    documents = [document_body(one) for one in found.documents if one.removed_at is None]
    response = jsonify({**body(found), "near": near, "documents": documents})
    response.status_code = status
    return with_tag(response, found.version)


@proposals.route("")
class Proposals(MethodView):
    @guard("proposal.view")
    @proposals.arguments(ProposalQuery, location="query")
    @proposals.response(200, ProposalPage)
    def get(self, query: dict[str, Any]) -> Response:
        """List proposals in the reader's territory and their own, the latest first."""
        page = queries.proposals(
            current_session(),
            current_actor(),
            ProposalFilters(
                state=tuple(query["state"]),
                kind=query["kind"],
                mine=query["mine"],
                tower_id=the_tower(query["tower"]).id if query["tower"] else None,
            ),
            limit=query["limit"],
            cursor=query["cursor"],
        )
        return jsonify(items=[body(row) for row in page.rows], next_cursor=page.next_cursor)

    @guard("proposal.create")
    @proposals.arguments(NewProposal)
    @proposals.response(201, ProposalBody)
    @proposals.alt_response(200, schema=ProposalBody, description="Sent before: the same again")
    def post(self, data: dict[str, Any]) -> Response:
        """Propose a new tower or a correction under the id the device made; resending is harmless.

        Near known towers a new one is answered 409 with their codes until it is `confirmed`.
        """
        finding = finding_of(data)
        with transaction() as session:
            _, new = services.propose(
                session, data["id"], finding, by=current_actor(), now=clock.now()
            )
        response = answer(data["id"], 201 if new else 200)
        response.headers["Location"] = f"/api/v1/proposals/{data['id']}"
        return response


@proposals.route("/<uuid:proposal_id>")
class ProposalById(MethodView):
    @guard("proposal.view")
    @proposals.response(200, ProposalBody)
    def get(self, proposal_id: uuid.UUID) -> Response:
        """One proposal, with the towers near it and its photos."""
        return answer(proposal_id)


@proposals.route("/<uuid:proposal_id>/decision")
class ProposalDecision(MethodView):
    @guard("proposal.decide")
    @proposals.arguments(DecisionSchema)
    @proposals.response(200, ProposalBody)
    def post(self, data: dict[str, Any], proposal_id: uuid.UUID) -> Response:
        """Accept a proposal, which makes or changes the tower, or refuse it. Needs If-Match."""
        actor, now = current_actor(), clock.now()
        with transaction() as session:
            found = held_proposal(session, proposal_id)
            require_match(request.headers.get("If-Match"), found.version)
            if data["decision"] == "refuse":
                services.refuse(session, found, reason=data["reason"], by=actor, now=now)
            else:
                reading, values = split(data["values"], organisation_name)
                added = services.plain(values)
                if reading is not None:
                    added |= services.plain_position(reading)
                services.accept(
                    session,
                    found,
                    values=added,
                    leave_out=data["leave_out"],
                    by=actor,
                    now=now,
                    today=clock.today(),
                )
        return answer(proposal_id)


@proposals.route("/<uuid:proposal_id>/withdrawal")
class ProposalWithdrawal(MethodView):
    @guard("proposal.create")
    @proposals.response(200, ProposalBody)
    def post(self, proposal_id: uuid.UUID) -> Response:
        """Take one's own proposal back while it is open. Needs If-Match."""
        with transaction() as session:
            found = held_proposal(session, proposal_id)
            require_match(request.headers.get("If-Match"), found.version)
            services.withdraw(session, found, by=current_actor(), now=clock.now())
        return answer(proposal_id)
