"""The API of campaigns under `/api/v1`."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from flask import Response, jsonify, request
from flask.views import MethodView
from sqlalchemy.orm import Session

from core import clock
from core.api import Blueprint, require_match, with_tag
from core.db import current_session, transaction
from core.errors import Invalid, NotFound
from core.guard import current_actor
from core.outlines import outline
from core.policy import guard
from core.words import N_
from inspections.campaign_bodies import (
    CampaignBody,
    CampaignPage,
    CampaignPreviewBody,
    CampaignQuery,
    CampaignRemovalSchema,
    ChangedBody,
    ChosenTowers,
    NewCampaign,
    PlanSchema,
    ProgressBody,
    SharingSchema,
    StateSchema,
    WorkBody,
    work_body,
)
from inspections.campaign_models import Campaign
from inspections.doors import the_campaign
from inspections.queries import campaigns as queries
from inspections.queries.campaigns import Numbers, Wanted
from inspections.rules.campaign import NEXT, Kind, State
from inspections.services import assignments as giving
from inspections.services import campaign_works as works
from inspections.services import campaigns as services
from inspections.services.campaign_plans import Choice, Plan
from towers.queries import understood
from towers.schemas import MOST_CORNERS, TowerFilters, filters_of

campaigns = Blueprint("api_campaigns", __name__, url_prefix="/api/v1/campaigns")


def choice_of(data: dict[str, Any]) -> Choice:
    """The choice in a loaded body; raises `Invalid` for an area that is not sound."""
    session, actor = current_session(), current_actor()
    codes = tuple(dict.fromkeys(data.pop("codes")))
    area = data.pop("area")
    filters = understood(session, actor, filters_of({**data, "area": ""}))
    if area is not None:
        outline(session, area, field="area", most=MOST_CORNERS + 1)
        rings = area.get("geometry", area)["coordinates"]
        if len(rings) > 1:
            message = N_("The area is one outline without holes")
            raise Invalid(message, fields={"area": [message]})
        filters = replace(filters, area=tuple((x, y) for x, y in rings[0][:-1]))
    return Choice(filters, codes)


def plan_of(data: dict[str, Any]) -> Plan:
    return Plan(
        name=data["name"],
        kind=Kind(data["kind"]),
        begins_on=data["begins_on"],
        ends_on=data["ends_on"],
        note=data["note"],
    )


def held_campaign(session: Session, campaign_id: uuid.UUID) -> Campaign:
    """The campaign as it is now, held until the transaction ends, if If-Match names it so."""
    found = the_campaign(campaign_id)
    # The worker holds it for as long as it works: nobody waits for that.
    works.require_free(session, found.id)
    session.refresh(found, with_for_update={"of": Campaign})
    require_match(request.headers.get("If-Match"), found.version)
    return found


def body(campaign: Campaign, numbers: Numbers) -> dict[str, Any]:
    return {
        "id": str(campaign.id),
        "name": campaign.name,
        "kind": campaign.kind,
        "begins_on": campaign.begins_on.isoformat(),
        "ends_on": campaign.ends_on.isoformat(),
        "note": campaign.note,
        "state": campaign.state,
        "possible": [one.value for one in NEXT[State(campaign.state)]],
        "reason": campaign.reason,
        "ended_at": campaign.ended_at.isoformat() if campaign.ended_at else None,
        "created_at": campaign.created_at.isoformat(),
        "progress": vars(numbers),
        "version": campaign.version,
    }


def campaign_body(campaign_id: uuid.UUID) -> tuple[dict[str, Any], int]:
    session, actor = current_session(), current_actor()
    session.expire_all()
    found = the_campaign(campaign_id)
    numbers = queries.progress_of(session, actor, [found.id], today=clock.today())
    return body(found, numbers.get(found.id, Numbers())), found.version


def answer(campaign_id: uuid.UUID, status: int = 200, towers: int | None = None) -> Response:
    said, version = campaign_body(campaign_id)
    response = jsonify(said if towers is None else {"towers": towers, "campaign": said})
    response.status_code = status
    return with_tag(response, version)


def work_answer(campaign_id: uuid.UUID, status: int = 200) -> Response:
    """How the worker stands with it; `NotFound` where it never had anything to do."""
    session = current_session()
    work = works.of_campaign(session, the_campaign(campaign_id).id)
    if work is None:
        raise NotFound()
    response = jsonify(work_body(work, works.progress_of(session, work)))
    response.status_code = status
    if status == 202:
        response.headers["Location"] = f"/api/v1/campaigns/{campaign_id}/work"
    return response


@campaigns.route("")
class Campaigns(MethodView):
    @guard("campaign.view")
    @campaigns.arguments(CampaignQuery, location="query")
    @campaigns.response(200, CampaignPage)
    def get(self, query: dict[str, Any]) -> Response:
        """List campaigns with towers in the reader's territory, the latest begun first."""
        session, actor = current_session(), current_actor()
        page = queries.campaigns(session, actor, **query)
        numbers = queries.progress_of(
            session, actor, [one.id for one in page.rows], today=clock.today()
        )
        items = [body(one, numbers.get(one.id, Numbers())) for one in page.rows]
        return jsonify(items=items, next_cursor=page.next_cursor)

    @guard("campaign.plan")
    @campaigns.arguments(NewCampaign)
    @campaigns.response(201, CampaignBody)
    @campaigns.alt_response(200, schema=CampaignBody, description="Sent before: the same again")
    @campaigns.alt_response(202, schema=WorkBody, description="The worker does it")
    def post(self, data: dict[str, Any]) -> Response:
        """Plan a campaign with its towers, under the id the client made; resending is harmless.

        Many towers follow by the worker: the campaign is there, and `work` says how far it is.
        """
        with transaction() as session:
            _, new = services.create_campaign(
                session,
                data["id"],
                plan_of(data),
                choice_of(data["choice"]),
                by=current_actor(),
                now=clock.now(),
                today=clock.today(),
            )
        session = current_session()
        if works.is_on_its_way(session, works.of_campaign(session, data["id"])):
            return work_answer(data["id"], 202)
        response = answer(data["id"], 201 if new else 200)
        response.headers["Location"] = f"/api/v1/campaigns/{data['id']}"
        return response


@campaigns.route("/preview")
class CampaignPreview(MethodView):
    @guard("campaign.plan")
    @campaigns.arguments(ChosenTowers)
    @campaigns.response(200, CampaignPreviewBody)
    def post(self, data: dict[str, Any]) -> Response:
        """How many towers a choice finds; nothing is written."""
        number, _ = services.preview(
            current_session(), choice_of(data["choice"]), by=current_actor(), today=clock.today()
        )
        return jsonify(towers=number)


@campaigns.route("/<uuid:campaign_id>")
class CampaignById(MethodView):
    @guard("campaign.view")
    @campaigns.response(200, CampaignBody)
    def get(self, campaign_id: uuid.UUID) -> Response:
        """One campaign with its numbers, as far as the reader sees its towers."""
        return answer(campaign_id)

    @guard("campaign.plan")
    @campaigns.arguments(PlanSchema)
    @campaigns.response(200, CampaignBody)
    @campaigns.alt_response(202, schema=WorkBody, description="The worker does it")
    def put(self, data: dict[str, Any], campaign_id: uuid.UUID) -> Response:
        """Change its name, kind, days or note while it is planned or running. Needs If-Match."""
        with transaction() as session:
            found = held_campaign(session, campaign_id)
            done = services.edit_campaign(
                session, found, plan_of(data), by=current_actor(), now=clock.now()
            )
        return answer(campaign_id) if done else work_answer(campaign_id, 202)


@campaigns.route("/<uuid:campaign_id>/state")
class CampaignState(MethodView):
    @guard("campaign.plan")
    @campaigns.arguments(StateSchema)
    @campaigns.response(200, CampaignBody)
    @campaigns.alt_response(202, schema=WorkBody, description="The worker does it")
    def post(self, data: dict[str, Any], campaign_id: uuid.UUID) -> Response:
        """Start, close, reopen or cancel it. Needs If-Match; an impossible step is a 409.

        Cancelling withdraws the towers that are not done.
        """
        with transaction() as session:
            withdrawn = services.move_campaign(
                session,
                held_campaign(session, campaign_id),
                State(data["state"]),
                reason=data["reason"],
                by=current_actor(),
                now=clock.now(),
                today=clock.today(),
            )
        return answer(campaign_id) if withdrawn is not None else work_answer(campaign_id, 202)


@campaigns.route("/<uuid:campaign_id>/progress")
class CampaignProgress(MethodView):
    @guard("campaign.view")
    @campaigns.response(200, ProgressBody)
    def get(self, campaign_id: uuid.UUID) -> Response:
        """How far it has come: in all, by inspector and by commune."""
        found = queries.progress(
            current_session(),
            current_actor(),
            the_campaign(campaign_id).id,
            today=clock.today(),
        )
        return jsonify(
            total=vars(found.total),
            inspectors=[
                {"id": str(key) if key else None, "name": name, **vars(numbers)}
                for key, (name, numbers) in found.inspectors.items()
            ],
            communes=[
                {"id": key, "name": name, **vars(numbers)}
                for key, (name, numbers) in found.communes.items()
            ],
        )


@campaigns.route("/<uuid:campaign_id>/towers")
class CampaignTowers(MethodView):
    @guard("campaign.plan")
    @campaigns.arguments(ChosenTowers)
    @campaigns.response(200, ChangedBody)
    @campaigns.alt_response(202, schema=WorkBody, description="The worker does it")
    def post(self, data: dict[str, Any], campaign_id: uuid.UUID) -> Response:
        """Add the towers of a choice that are not in it yet. Needs If-Match."""
        with transaction() as session:
            number = services.add_towers(
                session,
                held_campaign(session, campaign_id),
                choice_of(data["choice"]),
                by=current_actor(),
                now=clock.now(),
                today=clock.today(),
            )
        if number is None:
            return work_answer(campaign_id, 202)
        return answer(campaign_id, towers=number)


@campaigns.route("/<uuid:campaign_id>/removals")
class CampaignRemovals(MethodView):
    @guard("campaign.plan")
    @campaigns.arguments(CampaignRemovalSchema)
    @campaigns.response(200, ChangedBody)
    def post(self, data: dict[str, Any], campaign_id: uuid.UUID) -> Response:
        """Take towers out of it, with a reason that stays beside them. Needs If-Match."""
        with transaction() as session:
            number = services.remove_towers(
                session,
                held_campaign(session, campaign_id),
                data["assignments"],
                reason=data["reason"],
                by=current_actor(),
                now=clock.now(),
            )
        return answer(campaign_id, towers=number)


@campaigns.route("/<uuid:campaign_id>/assignments")
class CampaignSharing(MethodView):
    @guard("campaign.plan")
    @campaigns.arguments(SharingSchema)
    @campaigns.response(200, ChangedBody)
    @campaigns.alt_response(202, schema=WorkBody, description="The worker does it")
    def post(self, data: dict[str, Any], campaign_id: uuid.UUID) -> Response:
        """Give its open towers to an inspector, or to several by communes. Needs If-Match."""
        filters = filters_of({**TowerFilters().load({}), "commune": data["commune"]})
        # A tower stays in a campaign when it is dismantled in the meantime.
        filters = replace(filters, include_dismantled=True)
        with transaction() as session:
            given = giving.share_out(
                session,
                held_campaign(session, campaign_id),
                Wanted(nobody=data["unassigned"], filters=filters),
                data["inspectors"],
                ids=data["assignments"],
                due_on=data["due_on"],
                by=current_actor(),
                now=clock.now(),
                today=clock.today(),
            )
        if given is None:
            return work_answer(campaign_id, 202)
        return answer(campaign_id, towers=sum(given.values()))


@campaigns.route("/<uuid:campaign_id>/work")
class WorkOfCampaign(MethodView):
    @guard("campaign.view")
    @campaigns.response(200, WorkBody)
    def get(self, campaign_id: uuid.UUID) -> Response:
        """What the worker does, or did last, to many of its towers; for who sees all of them."""
        session = current_session()
        if not queries.sees_whole(session, current_actor(), the_campaign(campaign_id)):
            raise NotFound()
        return work_answer(campaign_id)


@campaigns.route("/<uuid:campaign_id>/work/cancel")
class CancelledWork(MethodView):
    @guard("campaign.plan")
    @campaigns.response(200, WorkBody)
    def post(self, campaign_id: uuid.UUID) -> Response:
        """Have the worker leave it: nothing of it is kept. A 409 for what has ended."""
        with transaction() as session:
            found = the_campaign(campaign_id)
            work = works.of_campaign(session, found.id)
            if work is None:
                raise NotFound()
            works.cancel(session, found, work, by=current_actor(), now=clock.now())
        return work_answer(campaign_id)
