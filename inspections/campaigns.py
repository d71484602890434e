"""Pages of campaigns and assignments: plan, choose towers, share them out, see how far it is."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import ngettext
from sqlalchemy.orm import Session

from core import audit, clock, policy
from core.db import current_session, transaction
from core.errors import BadRequest, Conflict, DomainError, Invalid, NotFound
from core.geo import Position
from core.guard import current_actor
from core.i18n import gettext as _
from core.policy import guard
from core.problems import field_texts
from core.words import N_
from inspections.campaign_models import Assignment, Campaign
from inspections.labels import VOCABULARIES
from inspections.queries import campaigns as queries
from inspections.queries.campaigns import Numbers, Wanted
from inspections.rules.campaign import NEXT, OPEN, OPEN_STANDINGS, Ending, Kind, Standing, State
from inspections.services import assignments as giving
from inspections.services import campaigns as services
from inspections.services.campaigns import Choice, Plan
from towers.doors import asked_filters, filter_choices, the_tower
from towers.queries import Filters

FIELDS = ("name", "kind", "begins_on", "ends_on", "note")
DAY = N_("This is not a date (write 2026-12-31).")


def campaign_routes(blueprint: Blueprint) -> None:
    """Add the pages of campaigns and assignments to the feature's blueprint."""
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
        ("/assignments", assignments, "GET"),
        ("/assignments/near", near, "POST"),
        ("/assignments/<uuid:assignment_id>", assignment, "GET"),
        ("/assignments/<uuid:assignment_id>/give", give, "POST"),
        ("/assignments/<uuid:assignment_id>/withdraw", withdraw, "POST"),
        ("/towers/<code>/assignments", assign_tower, "POST"),
    ):
        blueprint.add_url_rule(rule, view_func=view, methods=[method])


# What forms say


def given_day(name: str) -> date | None:
    """A day of a form, `None` for an empty field; raises `Invalid`."""
    text = request.form.get(name, "").strip()
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise Invalid(fields={name: [DAY]}) from error


def given_ids(name: str) -> list[uuid.UUID]:
    try:
        return [uuid.UUID(one) for one in request.form.getlist(name) if one]
    except ValueError as error:
        raise Invalid(fields={name: [N_("Choose one of the answers")]}) from error


def given_kind() -> Kind:
    if request.form.get("kind", "") not in VOCABULARIES["inspection_kind"]:
        raise Invalid(fields={"kind": [N_("Choose one of the kinds")]})
    return Kind(request.form["kind"])


def given_plan() -> Plan:
    begins_on, ends_on = given_day("begins_on"), given_day("ends_on")
    missing = [
        name for name, value in (("begins_on", begins_on), ("ends_on", ends_on)) if value is None
    ]
    if missing:
        raise Invalid(fields={name: [DAY] for name in missing})
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


def the_campaign(campaign_id: uuid.UUID) -> Campaign:
    found = queries.campaign(current_session(), current_actor(), campaign_id)
    if found is None:
        raise NotFound()
    return found


def held_campaign(session: Session, campaign_id: uuid.UUID) -> Campaign:
    """The campaign as the form showed it, held until the transaction ends."""
    found = the_campaign(campaign_id)
    policy.require(current_actor(), "campaign.plan", found)
    session.refresh(found, with_for_update={"of": Campaign})
    _require_version(found.version)
    return found


def _require_version(version: int) -> None:
    if request.form.get("version") != str(version):
        raise Conflict(N_("Somebody changed this in the meantime: look at it first"))


def again(
    page: Callable[..., str], thing: Any, error: DomainError, **options: Any
) -> ResponseReturnValue:
    """The same page with what is wrong; nothing was written."""
    if isinstance(error, NotFound):
        raise error
    current_session().expire_all()
    texts = field_texts(error) or {"form": [error.text()]}
    return page(thing, errors=texts, given=request.form, **options), error.status


# Campaigns


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
    return render_template(
        "inspections/campaign.html",
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
        withdrawn=queries.ended(session, found.id, Ending.CANCELLED),
        may_plan=policy.may(actor, "campaign.plan", found),
        open=found.state in OPEN,
        possible=NEXT[State(found.state)],
        history=audit.history(session, "campaign", [found.id]),
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
            services.edit_campaign(
                session,
                held_campaign(session, campaign_id),
                given_plan(),
                by=current_actor(),
                now=clock.now(),
            )
    except DomainError as error:
        return again(edit_page, the_campaign(campaign_id), error)
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
            services.move_campaign(
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
    number = sum(given.values())
    said = ngettext("%(num)s tower was assigned.", "%(num)s towers were assigned.", number)
    flash(said, "success")
    return redirect(url_for("inspections.campaign", campaign_id=campaign_id))


# Assignments


def _list_page(rows: Any, cursor: str | None, *, mine: bool, done: bool, by_distance: bool) -> str:
    session, actor, today = current_session(), current_actor(), clock.today()
    person = actor.id if mine else None
    open_ones = Wanted(inspector=person, running=True)
    overdue = replace(open_ones, standing=(Standing.OVERDUE,))
    return render_template(
        "inspections/assignments.html",
        rows=rows,
        cursor=cursor,
        mine=mine,
        done=done,
        by_distance=by_distance,
        overdue=queries.count_assignments(session, actor, overdue, today=today),
        number=queries.count_assignments(
            session, actor, replace(open_ones, standing=OPEN_STANDINGS), today=today
        ),
        today=today,
    )


@guard("assignment.view")
def assignments() -> str:
    """An inspector's own, or everybody's; what is due first comes first."""
    actor = current_actor()
    mine = policy.allows(actor, "assignment.take") and request.args.get("all") != "1"
    done = request.args.get("done") == "1"
    page = queries.assignments(
        current_session(),
        actor,
        Wanted(
            inspector=actor.id if mine else None,
            running=True,
            standing=(Standing.DONE,) if done else OPEN_STANDINGS,
        ),
        today=clock.today(),
        cursor=request.args.get("cursor"),
    )
    return _list_page(page.rows, page.next_cursor, mine=mine, done=done, by_distance=False)


@guard("assignment.take")
def near() -> str:
    """One's own, the nearest first. The position comes in a form: no address or log keeps it."""
    try:
        latitude, longitude = (float(request.form.get(one, "")) for one in ("lat", "lon"))
        position = Position(latitude, longitude)
    except ValueError as error:
        raise BadRequest(N_("The position is latitude and longitude in degrees")) from error
    actor = current_actor()
    rows = queries.nearest_assignments(
        current_session(),
        actor,
        Wanted(inspector=actor.id, running=True, standing=OPEN_STANDINGS),
        position,
        today=clock.today(),
    )
    return _list_page(rows, None, mine=True, done=False, by_distance=True)


def the_assignment(assignment_id: uuid.UUID) -> Assignment:
    found = queries.assignment(current_session(), current_actor(), assignment_id)
    if found is None:
        raise NotFound()
    return found


def held_assignment(session: Session, assignment_id: uuid.UUID) -> Assignment:
    found = the_assignment(assignment_id)
    session.refresh(found, with_for_update={"of": Assignment})
    _require_version(found.version)
    return found


def assignment_page(
    found: Assignment,
    *,
    errors: Mapping[str, Any] | None = None,
    given: Mapping[str, Any] | None = None,
) -> str:
    session, actor, today = current_session(), current_actor(), clock.today()
    row = queries.assignment_row(session, actor, found.id, today=today)
    if row is None:
        raise NotFound()
    over = row.campaign_state is not None and row.campaign_state not in OPEN
    return render_template(
        "inspections/assignment.html",
        row=row,
        changeable=policy.may(actor, "assignment.give", found)
        and not over
        and row.standing != Standing.DONE,
        inspectors=queries.inspectors(session),
        past=queries.past(session, found),
        errors=errors,
        given=given or {},
        today=today,
    )


@guard("assignment.view")
def assignment(assignment_id: uuid.UUID) -> str:
    return assignment_page(the_assignment(assignment_id))


@guard("assignment.give")
def give(assignment_id: uuid.UUID) -> ResponseReturnValue:
    try:
        with transaction() as session:
            held = held_assignment(session, assignment_id)
            chosen = given_ids("inspectors")
            if not chosen:
                message = N_("Choose at least one inspector")
                raise Invalid(message, fields={"inspectors": [message]})
            giving.give_to(
                session,
                held,
                chosen[0],
                due_on=given_day("due_on"),
                by=current_actor(),
                now=clock.now(),
                today=clock.today(),
            )
    except DomainError as error:
        return again(assignment_page, the_assignment(assignment_id), error)
    flash(_("The assignment was saved."), "success")
    return redirect(url_for("inspections.assignment", assignment_id=assignment_id))


@guard("assignment.give")
def withdraw(assignment_id: uuid.UUID) -> ResponseReturnValue:
    found = the_assignment(assignment_id)
    code = found.tower.code
    try:
        with transaction() as session:
            giving.withdraw(
                session,
                held_assignment(session, assignment_id),
                reason=request.form.get("reason", "")[:4000],
                by=current_actor(),
                now=clock.now(),
            )
    except DomainError as error:
        return again(assignment_page, the_assignment(assignment_id), error)
    flash(_("The assignment was withdrawn."), "info")
    return redirect(url_for("towers.detail", code=code))


@guard("assignment.give")
def assign_tower(code: str) -> ResponseReturnValue:
    """One tower outside every campaign; what is wrong is said on the tower's page."""
    tower = the_tower(code)
    try:
        assignment_id = uuid.UUID(request.form.get("id", ""))
    except ValueError:
        assignment_id = uuid.uuid4()
    try:
        with transaction() as session:
            due_on, chosen = given_day("due_on"), given_ids("inspectors")
            if due_on is None:
                raise Invalid(DAY)
            if not chosen:
                raise Invalid(N_("Choose at least one inspector"))
            giving.assign_tower(
                session,
                assignment_id,
                tower,
                chosen[0],
                kind=given_kind(),
                due_on=due_on,
                note=request.form.get("note", "")[:4000],
                by=current_actor(),
                now=clock.now(),
                today=clock.today(),
            )
    except DomainError as error:
        flash(error.text(), "warning")
    else:
        flash(_("The inspection was assigned."), "success")
    return redirect(url_for("towers.detail", code=code, _anchor="assignments"))
