"""Pages of campaigns: plan, choose towers, share them out, see how far it is."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import ngettext
from sqlalchemy.orm import Session

from core import audit, clock, policy
from core.db import current_session, transaction
from core.errors import DomainError, Invalid
from core.guard import current_actor
from core.i18n import gettext as _
from core.policy import guard
from core.problems import field_texts
from core.words import N_
from inspections.campaign_bodies import work_body
from inspections.campaign_models import Campaign
from inspections.doors import (
    NO_DAY,
    again,
    given_day,
    given_ids,
    given_kind,
    require_shown_version,
    the_campaign,
)
from inspections.labels import VOCABULARIES
from inspections.queries import campaigns as queries
from inspections.queries.campaigns import Numbers, Wanted
from inspections.rules.campaign import NEXT, OPEN, Ending, Kind, Standing, State
from inspections.services import assignments as giving
from inspections.services import campaign_works as works
from inspections.services import campaigns as services
from inspections.services.campaign_plans import Choice, Plan
from towers.doors import asked_filters, filter_choices
from towers.queries import Filters

FIELDS = ("name", "kind", "begins_on", "ends_on", "note")


def campaign_routes(blueprint: Blueprint) -> None:
    """Add the pages of campaigns to the feature's blueprint."""
    one = "/campaigns/<uuid:campaign_id>"
    for rule, view, method in (
        ("/campaigns", campaigns, "GET"),
        ("/campaigns/new", new_campaign, "GET"),
        ("/campaigns/new", create, "POST"),
        (one, campaign, "GET"),
        (f"{one}/edit", edit_campaign, "GET"),
        (f"{one}/edit", save_campaign, "POST"),
        (f"{one}/state", move, "POST"),
        (f"{one}/towers", choose_towers, "GET"),
        (f"{one}/towers", add_towers, "POST"),
        (f"{one}/removals", remove, "POST"),
        (f"{one}/assignments", share_out, "POST"),
    ):
        blueprint.add_url_rule(rule, view_func=view, methods=[method])


# What forms say


def given_plan() -> Plan:
    begins_on, ends_on = given_day("begins_on"), given_day("ends_on")
    missing = [
        name for name, value in (("begins_on", begins_on), ("ends_on", ends_on)) if value is None
    ]
    if missing:
        raise Invalid(fields={name: [NO_DAY] for name in missing})
    assert begins_on is not None
    assert ends_on is not None
    name = request.form.get("name", "").strip()
    if not 1 <= len(name) <= 300:
        raise Invalid(fields={"name": [N_("Give the campaign a name")]})
    return Plan(
        name=name,
        kind=given_kind(),
        begins_on=begins_on,
        ends_on=ends_on,
        note=request.form.get("note", "")[:8000],
    )


def held_campaign(session: Session, campaign_id: uuid.UUID) -> Campaign:
    """The campaign as the form showed it, held until the transaction ends."""
    found = the_campaign(campaign_id)
    policy.require(current_actor(), "campaign.plan", found)
    # The worker holds it for as long as it works: nobody waits for that.
    works.require_free(session, found.id)
    session.refresh(found, with_for_update={"of": Campaign})
    require_shown_version(found.version)
    return found


@guard("campaign.view")
def campaigns() -> str:
    session, actor = current_session(), current_actor()
    state, kind = request.args.get("state", ""), request.args.get("kind", "")
    page = queries.campaigns(
        session,
        actor,
        state=[state] if state in VOCABULARIES["campaign_state"] else [],
        kind=[kind] if kind in VOCABULARIES["inspection_kind"] else [],
        cursor=request.args.get("cursor"),
    )
    return render_template(
        "inspections/campaigns.html",
        page=page,
        numbers=queries.progress_of(
            session, actor, [one.id for one in page.rows], today=clock.today()
        ),
        nothing=Numbers(),
        state=state,
        kind=kind,
        states=list(State),
        kinds=list(Kind),
    )


def choice_page(
    found: Campaign | None,
    *,
    errors: Mapping[str, Any] | None = None,
    given: Mapping[str, Any] | None = None,
) -> str:
    """Which towers a new campaign has, or which others are added to one: number and map."""
    session, actor, today = current_session(), current_actor(), clock.today()
    filters = asked_filters()
    wrong: dict[str, Any] = dict(errors or {})
    number = known = 0
    try:
        number, known = services.preview(
            session, Choice(filters), campaign=found, by=actor, today=today
        )
    except Invalid as error:
        wrong |= field_texts(error)
    return render_template(
        "inspections/campaign_towers.html",
        campaign=found,
        filters=filters,
        number=number,
        known=known,
        errors=wrong,
        given=given or {},
        kinds=list(Kind),
        new_id=(given or {}).get("id") or uuid.uuid4(),
        query=request.query_string.decode("ascii", "ignore"),
        today=today,
        **filter_choices(),
    )


@guard("campaign.plan")
def new_campaign() -> str:
    return choice_page(None)


@guard("campaign.plan")
def create() -> ResponseReturnValue:
    try:
        campaign_id = uuid.UUID(request.form.get("id", ""))
    except ValueError:
        campaign_id = uuid.uuid4()
    try:
        with transaction() as session:
            services.create_campaign(
                session,
                campaign_id,
                given_plan(),
                Choice(asked_filters()),
                by=current_actor(),
                now=clock.now(),
                today=clock.today(),
            )
    except DomainError as error:
        return again(choice_page, None, error)
    session = current_session()
    if not works.is_on_its_way(session, works.of_campaign(session, campaign_id)):
        flash(_("The campaign was planned. Assign its towers, then start it."), "success")
    return redirect(url_for("inspections.campaign", campaign_id=campaign_id))


@guard("campaign.plan")
def choose_towers(campaign_id: uuid.UUID) -> str:
    found = the_campaign(campaign_id)
    policy.require(current_actor(), "campaign.plan", found)
    return choice_page(found)


@guard("campaign.plan")
def add_towers(campaign_id: uuid.UUID) -> ResponseReturnValue:
    try:
        with transaction() as session:
            number = services.add_towers(
                session,
                held_campaign(session, campaign_id),
                Choice(asked_filters()),
                by=current_actor(),
                now=clock.now(),
                today=clock.today(),
            )
    except DomainError as error:
        return again(choice_page, the_campaign(campaign_id), error)
    if number is not None:
        said = ngettext("%(num)s tower was added.", "%(num)s towers were added.", number)
        flash(said, "success" if number else "info")
    return redirect(url_for("inspections.campaign", campaign_id=campaign_id))


def wanted_in(found: Campaign) -> Wanted:
    """What the address narrows the towers of a campaign to."""
    standing = request.args.get("standing", "")
    inspector = request.args.get("inspector", "")
    try:
        number = uuid.UUID(inspector)
    except ValueError:
        number = None
    commune = request.args.get("commune", "").replace("\x00", "")[:20]
    q = request.args.get("q", "")
    filters = Filters()
    if commune or q:
        # A tower stays in a campaign when it is dismantled in the meantime.
        filters = replace(asked_filters(), include_dismantled=True)
    return Wanted(
        campaign=found.id,
        inspector=number,
        nobody=inspector == "nobody",
        standing=(standing,) if standing in VOCABULARIES["standing"] else (),
        filters=filters,
    )


def campaign_page(
    found: Campaign,
    *,
    errors: Mapping[str, Any] | None = None,
    given: Mapping[str, Any] | None = None,
) -> str:
    session, actor, today = current_session(), current_actor(), clock.today()
    wanted = wanted_in(found)
    work = works.of_campaign(session, found.id)
    working = works.is_on_its_way(session, work)
    whole = queries.sees_whole(session, actor, found)
    return render_template(
        "inspections/campaign.html",
        work=work_body(work, works.progress_of(session, work)) if work and whole else None,
        working=working,
        campaign=found,
        progress=queries.progress(session, actor, found.id, today=today),
        page=queries.assignments(
            session, actor, wanted, today=today, cursor=request.args.get("cursor")
        ),
        wanted=wanted,
        narrowed=wanted != Wanted(campaign=found.id),
        q=request.args.get("q", ""),
        standings=list(Standing),
        inspectors=queries.inspectors(session),
        withdrawn=queries.ended(session, actor, found.id, Ending.CANCELLED),
        may_plan=policy.may(actor, "campaign.plan", found),
        open=found.state in OPEN and not working,
        possible=() if working else NEXT[State(found.state)],
        history=audit.history(session, "campaign", [found.id]) if whole else (),
        errors=errors,
        given=given or {},
        today=today,
    )


@guard("campaign.view")
def campaign(campaign_id: uuid.UUID) -> str:
    return campaign_page(the_campaign(campaign_id))


def edit_page(
    found: Campaign,
    *,
    errors: Mapping[str, Any] | None = None,
    given: Mapping[str, Any] | None = None,
) -> str:
    return render_template(
        "inspections/campaign_form.html",
        campaign=found,
        given=given or {name: getattr(found, name) for name in FIELDS},
        errors=errors,
        kinds=list(Kind) if found.state == State.PLANNED else [found.kind],
    )


@guard("campaign.plan")
def edit_campaign(campaign_id: uuid.UUID) -> str:
    found = the_campaign(campaign_id)
    policy.require(current_actor(), "campaign.plan", found)
    return edit_page(found)


@guard("campaign.plan")
def save_campaign(campaign_id: uuid.UUID) -> ResponseReturnValue:
    try:
        with transaction() as session:
            done = services.edit_campaign(
                session,
                held_campaign(session, campaign_id),
                given_plan(),
                by=current_actor(),
                now=clock.now(),
            )
    except DomainError as error:
        return again(edit_page, the_campaign(campaign_id), error)
    if done:
        flash(_("The campaign was saved."), "success")
    return redirect(url_for("inspections.campaign", campaign_id=campaign_id))


@guard("campaign.plan")
def move(campaign_id: uuid.UUID) -> ResponseReturnValue:
    state = request.form.get("state", "")
    try:
        with transaction() as session:
            held = held_campaign(session, campaign_id)
            if state not in VOCABULARIES["campaign_state"]:
                raise Invalid(N_("Choose one of the answers"))
            withdrawn = services.move_campaign(
                session,
                held,
                State(state),
                reason=request.form.get("reason", "")[:4000],
                by=current_actor(),
                now=clock.now(),
                today=clock.today(),
            )
    except DomainError as error:
        return again(campaign_page, the_campaign(campaign_id), error)
    if withdrawn is not None:
        flash(_("The state of the campaign was saved."), "success")
    return redirect(url_for("inspections.campaign", campaign_id=campaign_id))


@guard("campaign.plan")
def remove(campaign_id: uuid.UUID) -> ResponseReturnValue:
    try:
        with transaction() as session:
            number = services.remove_towers(
                session,
                held_campaign(session, campaign_id),
                given_ids("assignments"),
                reason=request.form.get("reason", "")[:4000],
                by=current_actor(),
                now=clock.now(),
            )
    except DomainError as error:
        return again(campaign_page, the_campaign(campaign_id), error)
    flash(ngettext("%(num)s tower was removed.", "%(num)s towers were removed.", number), "success")
    return redirect(url_for("inspections.campaign", campaign_id=campaign_id))


@guard("campaign.plan")
def share_out(campaign_id: uuid.UUID) -> ResponseReturnValue:
    """All that is open, what nobody has, some communes, or the rows that were chosen."""
    which = request.form.get("which", "chosen")
    communes = tuple(one for one in request.form.getlist("commune") if one and "\x00" not in one)
    filters = Filters(commune=communes, include_dismantled=True) if communes else Filters()
    try:
        with transaction() as session:
            held = held_campaign(session, campaign_id)
            ids = given_ids("assignments") if which == "chosen" else []
            if which == "chosen" and not ids:
                raise Invalid(fields={"assignments": [N_("Choose at least one tower")]})
            given = giving.share_out(
                session,
                held,
                Wanted(nobody=which == "nobody", filters=filters),
                given_ids("inspectors"),
                ids=ids,
                due_on=given_day("due_on"),
                by=current_actor(),
                now=clock.now(),
                today=clock.today(),
            )
    except DomainError as error:
        return again(campaign_page, the_campaign(campaign_id), error)
    if given is not None:
        number = sum(given.values())
        said = ngettext("%(num)s tower was assigned.", "%(num)s towers were assigned.", number)
        flash(said, "success")
    return redirect(url_for("inspections.campaign", campaign_id=campaign_id))
