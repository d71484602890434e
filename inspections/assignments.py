"""Pages of assignments: one's own or everybody's, given to somebody else, taken back."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from core import clock, policy
from core.db import current_session, transaction
from core.errors import BadRequest, DomainError, Invalid, NotFound
from core.geo import Position
from core.guard import current_actor
from core.i18n import gettext as _
from core.policy import guard
from core.words import N_
from inspections.campaign_models import Assignment
from inspections.doors import (
    NO_DAY,
    again,
    given_day,
    given_ids,
    given_kind,
    require_shown_version,
    the_assignment,
)
from inspections.queries import campaigns as queries
from inspections.queries.campaigns import Wanted
from inspections.rules.campaign import OPEN, OPEN_STANDINGS, Kind, Standing
from inspections.services import assignments as giving
from towers.doors import the_tower
from towers.models import Tower


def assignment_routes(blueprint: Blueprint) -> None:
    """Add the pages of assignments to the feature's blueprint."""
    one = "/assignments/<uuid:assignment_id>"
    for rule, view, method in (
        ("/assignments", assignments, "GET"),
        ("/assignments/near", near, "POST"),
        (one, assignment, "GET"),
        (f"{one}/give", give, "POST"),
        (f"{one}/withdraw", withdraw, "POST"),
        ("/towers/<code>/assignments", new_assignment, "GET"),
        ("/towers/<code>/assignments", assign_tower, "POST"),
    ):
        blueprint.add_url_rule(rule, view_func=view, methods=[method])


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


def held_assignment(session: Session, assignment_id: uuid.UUID) -> Assignment:
    """The assignment as the form showed it, held until the transaction ends."""
    found = the_assignment(assignment_id)
    session.refresh(found, with_for_update={"of": Assignment})
    require_shown_version(found.version)
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


def assign_page(
    tower: Tower,
    *,
    errors: Mapping[str, Any] | None = None,
    given: Mapping[str, Any] | None = None,
) -> str:
    given = given or {}
    return render_template(
        "inspections/assign_tower.html",
        tower=tower,
        form={
            "inspectors": queries.inspectors(current_session()),
            "kinds": list(Kind),
            "new_id": given.get("id") or uuid.uuid4(),
        },
        errors=errors,
        given=given,
    )


@guard("assignment.give")
def new_assignment(code: str) -> str:
    """The form that stands on the tower's page too, alone."""
    return assign_page(the_tower(code))


@guard("assignment.give")
def assign_tower(code: str) -> ResponseReturnValue:
    """One tower outside every campaign; what is wrong is said beside what was typed."""
    tower = the_tower(code)
    try:
        assignment_id = uuid.UUID(request.form.get("id", ""))
    except ValueError:
        assignment_id = uuid.uuid4()
    try:
        with transaction() as session:
            due_on, chosen = given_day("due_on"), given_ids("inspectors")
            missing = {}
            if due_on is None:
                missing["due_on"] = [NO_DAY]
            if not chosen:
                missing["inspectors"] = [N_("Choose at least one inspector")]
            if due_on is None or missing:
                raise Invalid(fields=missing)
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
        return again(assign_page, tower, error)
    flash(_("The inspection was assigned."), "success")
    return redirect(url_for("towers.detail", code=code, _anchor="assignments"))
