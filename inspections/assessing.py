"""Pages of load-safety assessments: the list of requests, one of them, its answer."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core import clock, store
from core.db import current_session, transaction
from core.errors import DomainError, Invalid
from core.guard import current_actor
from core.i18n import gettext as _
from core.policy import guard
from core.words import N_
from inspections.doors import NO_DAY, given_day, refused, require_shown_version, the_assessment
from inspections.queries import assessments as queries
from inspections.rules.load_safety import SEVERITY_OF, AssessmentOutcome
from inspections.services.assessments import Report, answer_assessment
from towers.doors import arriving_file, document_store
from towers.rules import DocumentKind
from towers.services import documents

SEVERITIES = tuple(SEVERITY_OF.values())


def assessment_routes(blueprint: Blueprint) -> None:
    """Add these pages to the feature's blueprint."""
    blueprint.add_url_rule("/assessments", view_func=assessment_list)
    blueprint.add_url_rule("/assessments/<uuid:assessment_id>", view_func=assessment)
    blueprint.add_url_rule(
        "/assessments/<uuid:assessment_id>/answer", view_func=answer, methods=["POST"]
    )


@guard("assessment.view")
def assessment_list() -> str:
    today = clock.today()
    state = request.args.get("state", "open")
    overdue = request.args.get("overdue") == "1"
    q = request.args.get("q", "").replace("\x00", "")[:200]
    page = queries.assessments(
        current_session(),
        current_actor(),
        state=state if state in queries.STATES else "",
        overdue_on=today if overdue else None,
        q=q,
        cursor=request.args.get("cursor"),
    )
    return render_template(
        "inspections/assessments.html",
        page=page,
        state=state,
        states=queries.STATES,
        overdue=overdue,
        q=q,
        today=today,
    )


@guard("assessment.view")
def assessment(assessment_id: uuid.UUID) -> str:
    return assessment_page(assessment_id)


def assessment_page(
    assessment_id: uuid.UUID, given: Mapping[str, str] | None = None, errors: Any = None
) -> str:
    found = the_assessment(assessment_id)
    session = current_session()
    return render_template(
        "inspections/assessment.html",
        assessment=found,
        violation=queries.touched_by(session, current_actor(), [found]).get(found.id),
        days={one: store.value_of(session, f"load_safety_{one}_days") for one in SEVERITIES},
        tower=found.tower,
        outcomes=list(AssessmentOutcome),
        given=given or {},
        errors=errors,
        new_id=uuid.uuid4(),
        today=clock.today(),
    )


@guard("assessment.answer")
def answer(assessment_id: uuid.UUID) -> ResponseReturnValue:
    """Keep the report with the tower and answer with it, both or neither."""
    found, form, actor, now = (
        the_assessment(assessment_id),
        request.form,
        current_actor(),
        clock.now(),
    )
    try:
        report = _report(form)
        require_shown_version(found.version)
        filename, arriving = arriving_file()
        with arriving as arrival:
            sent = documents.checked(arrival, filename, document_store())
            with transaction() as session:
                document, _new = documents.add_document(
                    session,
                    _number(form),
                    sent,
                    tower=found.tower,
                    kind=DocumentKind.ASSESSMENT,
                    title=form.get("title", ""),
                    store=document_store(),
                    by=actor,
                    now=now,
                )
                answer_assessment(
                    session, found, report, document, by=actor, now=now, today=clock.today()
                )
    except DomainError as error:
        texts = refused(error)
        return assessment_page(assessment_id, form, texts), error.status
    flash(_("The assessment was answered."), "success")
    return redirect(url_for("inspections.assessment", assessment_id=assessment_id))


def _report(form: Mapping[str, str]) -> Report:
    """The report in a form; raises `Invalid`."""
    assessed_on = given_day("assessed_on")
    if assessed_on is None:
        raise Invalid(fields={"assessed_on": [NO_DAY]})
    texts = {
        name: form.get(name, "").replace("\x00", "")
        for name in ("outcome", "assessor", "conclusion")
    }
    return Report(assessed_on=assessed_on, deadline=given_day("deadline"), **texts)


def _number(form: Mapping[str, str]) -> uuid.UUID:
    try:
        return uuid.UUID(form.get("id", ""))
    except ValueError as error:
        raise Invalid(fields={"form": [N_("This is not a UUID.")]}) from error
