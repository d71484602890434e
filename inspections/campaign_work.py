"""The pages of what the worker does to a large campaign: how far it is, and its end before that."""

from __future__ import annotations

import uuid

from flask import Blueprint, Response, flash, jsonify, redirect, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from core import clock
from core.db import current_session, transaction
from core.errors import Conflict, NotFound
from core.formats import number
from core.guard import current_actor
from core.i18n import gettext as _
from core.policy import guard
from inspections.campaign_bodies import work_body
from inspections.campaign_models import Campaign, CampaignWork
from inspections.doors import the_campaign
from inspections.queries import campaigns as queries
from inspections.services import campaign_works as works


def campaign_work_routes(blueprint: Blueprint) -> None:
    """Add these pages to the feature's blueprint."""
    one = "/campaigns/<uuid:campaign_id>/work"
    blueprint.add_url_rule(f"{one}/state.json", view_func=work_state)
    blueprint.add_url_rule(f"{one}/cancel", view_func=cancel_work, methods=["POST"])


def the_work(session: Session, campaign_id: uuid.UUID) -> tuple[Campaign, CampaignWork]:
    """A campaign with what the worker does or did to it; raises `NotFound`."""
    found = the_campaign(campaign_id)
    work = works.of_campaign(session, found.id)
    if work is None:
        raise NotFound()
    return found, work


@guard("campaign.view")
def work_state(campaign_id: uuid.UUID) -> Response:
    """How far it is, for the page that waits for it."""
    session = current_session()
    found, work = the_work(session, campaign_id)
    if not queries.sees_whole(session, current_actor(), found):
        raise NotFound()
    said = work_body(work, works.progress_of(session, work))
    text = _(
        "%(done)s of %(total)s towers", done=number(said["done"], 0), total=number(said["total"], 0)
    )
    return jsonify({**said, "text": text})


@guard("campaign.plan")
def cancel_work(campaign_id: uuid.UUID) -> ResponseReturnValue:
    try:
        with transaction() as session:
            found, work = the_work(session, campaign_id)
            works.cancel(session, found, work, by=current_actor(), now=clock.now())
    except Conflict as error:
        flash(error.text(), "info")
    else:
        flash(_("It is cancelled: no tower was written."), "info")
    return redirect(url_for("inspections.campaign", campaign_id=campaign_id))
