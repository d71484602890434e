"""Pages of the dashboard, violations and the follow-up list with its exports."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core import clock, store
from core.db import current_session, transaction
from core.errors import Conflict, DomainError, Invalid, NotFound
from core.guard import current_actor
from core.i18n import current_language, translate
from core.i18n import gettext as _
from core.policy import SIGNED_IN, allows, guard, may
from core.slots import panels, timeline
from core.words import N_
from inspections.assessing import assessment_routes
from inspections.assignments import assignment_routes
from inspections.campaign_work import campaign_work_routes
from inspections.campaigns import campaign_routes
from inspections.checklist_changes import checklist_change_routes
from inspections.checklist_items import checklist_item_routes
from inspections.checklist_order import checklist_order_routes
from inspections.checklist_pages import checklist_routes
from inspections.doors import given_day, refused
from inspections.field_review import field_review_routes
from inspections.labels import VOCABULARIES
from inspections.outbox import outbox_routes
from inspections.queries import follow_up as follow_ups
from inspections.queries import lists, notices
from inspections.queries.follow_up import WorkFilters
from inspections.reviewing import review_routes
from inspections.rules.violation import EventKind
from inspections.services import condition, steps
from inspections.services.assessments import request_assessment
from inspections.statistics.pages import statistics_routes
from inspections.texts import item_texts
from inspections.visits import visit_routes
from inspections.work import work_routes
from towers import queries as towers
from towers import services as register
from towers.doors import the_tower
from towers.labels import VOCABULARIES as TOWER_VOCABULARIES

LATEST_EVENTS = 30

blueprint = Blueprint("inspections", __name__, template_folder="templates")
visit_routes(blueprint)
review_routes(blueprint)
assessment_routes(blueprint)
statistics_routes(blueprint)
work_routes(blueprint)
outbox_routes(blueprint)
field_review_routes(blueprint)
campaign_routes(blueprint)
campaign_work_routes(blueprint)
assignment_routes(blueprint)
checklist_routes(blueprint)
checklist_item_routes(blueprint)
checklist_order_routes(blueprint)
checklist_change_routes(blueprint)


@blueprint.get("/")
@guard(SIGNED_IN)
def dashboard() -> str:
    session, actor, today = current_session(), current_actor(), clock.today()
    soon = int(store.value_of(session, "due_soon_days"))
    counts = towers.counts_by_condition(session, actor, today=today)
    seen = allows(actor, "violation.view")
    overdue, coming = follow_ups.counts(
        session, actor, WorkFilters(overdue=True), WorkFilters(due_within=soon), today=today
    )
    return render_template(
        "inspections/dashboard.html",
        counts=counts,
        total=sum(counts.values()),
        conditions=list(TOWER_VOCABULARIES["condition"]),
        overdue=overdue,
        soon=coming,
        soon_days=soon,
        urgent=follow_ups.follow_up(session, actor, WorkFilters(), today=today, limit=6).rows
        if seen
        else [],
        latest=lists.latest_inspections(session, actor) if seen else [],
        items=item_texts(session, current_language()),
        panels=panels("dashboard", None),
        today=today,
    )


@blueprint.get("/violations")
@guard("violation.view")
def violations() -> str:
    session, actor, today = current_session(), current_actor(), clock.today()
    state = request.args.get("state", "open")
    severity = request.args.get("severity", "")
    q = request.args.get("q", "").replace("\x00", "")[:200]
    overdue = request.args.get("overdue") == "1"
    dismantled = request.args.get("include_dismantled") == "1"
    page = lists.violations(
        session,
        actor,
        state=[state] if state in VOCABULARIES["violation_state"] else [],
        severity=[severity] if severity in VOCABULARIES["severity"] else [],
        overdue_on=today if overdue else None,
        q=q,
        include_dismantled=dismantled,
        cursor=request.args.get("cursor"),
    )
    return render_template(
        "inspections/violations.html",
        dismantled=dismantled,
        page=page,
        state=state,
        severity=severity,
        q=q,
        overdue=overdue,
        states=list(VOCABULARIES["violation_state"]),
        severities=list(VOCABULARIES["severity"]),
        items=item_texts(session, current_language()),
        today=today,
    )


@blueprint.get("/violations/<uuid:violation_id>")
@guard("violation.view")
def violation(violation_id: uuid.UUID) -> str:
    return violation_page(violation_id)


def violation_page(
    violation_id: uuid.UUID, given: Mapping[str, str] | None = None, errors: Any = None
) -> str:
    session, actor = current_session(), current_actor()
    found = lists.violation(session, actor, violation_id)
    if found is None:
        raise NotFound()
    state = steps.state_of(found.events)
    return render_template(
        "inspections/violation.html",
        violation=found,
        continued=lists.continued_by(session, found),
        timeline=timeline(
            "violation", found, limit=LATEST_EVENTS, cursor=request.args.get("timeline")
        ),
        items=item_texts(session, current_language()),
        notices=notices.notices(session, actor, violation_id=found.id, limit=20).rows,
        today=clock.today(),
        now=clock.now(),
        standing=state,
        possible=[
            kind
            for kind in EventKind
            if kind in state.possible
            and may(actor, steps.ACTIONS.get(kind, "violation.follow_up"), found)
        ],
        needs_reason=steps.NEEDS_REASON,
        needs_party=steps.NEEDS_PARTY,
        given=given or {},
        errors=errors,
    )


@blueprint.post("/violations/<uuid:violation_id>/steps")
@guard("violation.follow_up")
def violation_step(violation_id: uuid.UUID) -> ResponseReturnValue:
    given = {name: request.form.get(name, "") for name in ("kind", "reason", "party", "deadline")}
    try:
        step = given_step(given)
        with transaction() as session:
            found = lists.violation(session, current_actor(), violation_id)
            if found is None:
                raise NotFound()
            if request.form.get("version") != str(found.events[-1].id):
                raise Conflict(
                    N_("Somebody took a step with this violation in the meantime: look at it first")
                )
            steps.take_step(
                session, found, step, by=current_actor(), now=clock.now(), today=clock.today()
            )
    except DomainError as error:
        texts = refused(error)
        return violation_page(violation_id, given, texts), error.status
    flash(translate(VOCABULARIES["violation_event"][step.kind]) + ".", "success")
    return redirect(url_for("inspections.violation", violation_id=violation_id))


def given_step(given: Mapping[str, str]) -> steps.Step:
    """The step in a form; raises `Invalid`."""
    if given["kind"] not in VOCABULARIES["violation_step"]:
        raise Invalid(fields={"kind": [N_("Choose one of the answers")]})
    return steps.Step(
        kind=EventKind(given["kind"]),
        reason=given["reason"],
        party=given["party"],
        deadline=given_day("deadline"),
    )


@blueprint.post("/towers/<code>/assessment")
@guard("assessment.request")
def ask_for_assessment(code: str) -> Response:
    tower = the_tower(code)
    try:
        deadline = given_day("deadline")
        with transaction() as session:
            register.hold(session, tower.id)
            request_assessment(
                session,
                tower,
                reason=request.form.get("reason", "")[:4000],
                deadline=deadline,
                by=current_actor(),
                now=clock.now(),
                today=clock.today(),
            )
            condition.refresh(session, tower)
    except DomainError as error:
        flash(error.text(), "warning")
    else:
        flash(_("The load-safety assessment was requested."), "success")
    return redirect(url_for("towers.detail", code=code))  # type: ignore[return-value]
