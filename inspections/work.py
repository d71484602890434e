"""Pages of the follow-up list: its filters, those that are kept by a name, who sees to what."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import ngettext
from werkzeug.datastructures import MultiDict

from accounts import queries as accounts
from core import clock, uploads
from core.db import current_session, transaction
from core.downloads import PRINTED_FORMS, Form, form_of
from core.errors import Conflict, DomainError, Invalid, NotFound
from core.formats import texts_of, with_query
from core.guard import current_actor
from core.i18n import current_language, translate
from core.i18n import gettext as _
from core.policy import Actor, guard, may
from core.problems import errors_of, field_texts
from core.words import N_
from inspections import exports
from inspections.queries import campaigns
from inspections.queries import follow_up as follow_ups
from inspections.queries.follow_up import WorkFilters
from inspections.schemas import OPEN_STAGES, FollowUpFilters, work_filters_from
from inspections.services import assign as assigning
from inspections.services import returned, saved_lists
from inspections.texts import item_texts
from towers.doors import filter_choices
from towers.downloads import Taking, filters_in_words, take
from towers.queries import understood

# What an address says that is no filter.
FILTER_NAMES = frozenset(FollowUpFilters().fields)
SHOWN_ROWS = 50


def work_routes(blueprint: Blueprint) -> None:
    """Add the pages of the follow-up list to the feature's blueprint."""
    blueprint.add_url_rule("/follow-up", view_func=follow_up)
    for ending in PRINTED_FORMS:
        blueprint.add_url_rule(
            f"/follow-up.{ending}", view_func=follow_up_export, defaults={"ending": ending}
        )
    blueprint.add_url_rule("/follow-up/assign", view_func=assign, methods=["POST"])
    blueprint.add_url_rule("/follow-up/return", view_func=return_form)
    blueprint.add_url_rule("/follow-up/return", view_func=return_list, methods=["POST"])
    blueprint.add_url_rule("/follow-up/return/<token>", view_func=claim_returned, methods=["POST"])
    blueprint.add_url_rule("/follow-up/saved", view_func=save_list, methods=["POST"])
    saved = "/follow-up/saved/<uuid:saved_id>"
    blueprint.add_url_rule(saved, view_func=saved_list)
    blueprint.add_url_rule(f"{saved}/remove", view_func=remove_list, methods=["POST"])


def asked_work(args: MultiDict[str, str]) -> WorkFilters:
    """The filters in some arguments, their search text understood."""
    return understood(current_session(), current_actor(), work_filters_from(args))


def filter_arguments(args: MultiDict[str, str]) -> dict[str, list[str]]:
    """The arguments that are filters and say something."""
    return {
        name: [value for value in values if value]
        for name, values in sorted(args.lists())
        if name in FILTER_NAMES and any(values)
    }


@guard("violation.view")
def follow_up() -> str:
    return follow_up_page()


def follow_up_page(errors: Any = None, name: str = "") -> str:
    session, actor, today = current_session(), current_actor(), clock.today()
    filters = asked_work(request.args)
    page = follow_ups.follow_up(
        session, actor, filters, today=today, cursor=request.args.get("cursor")
    )
    return render_template(
        "inspections/follow_up.html",
        page=page,
        filters=filters,
        matching=follow_ups.count(session, actor, filters, today=today),
        export_forms=list(PRINTED_FORMS.values()),
        items=item_texts(session, current_language()),
        today=today,
        stages=OPEN_STAGES,
        inspectors=accounts.people_with_role(session, "inspector"),
        campaigns=campaigns.offered(session, actor, filters.campaign),
        saved=saved_lists.lists_of(session, actor),
        chosen_list=request.args.get("saved", ""),
        may_assign=may(actor, "violation.assign"),
        errors=errors,
        name=name,
        **filter_choices(),
    )


@guard("violation.export")
def follow_up_export(ending: str) -> Response:
    """All pages of the follow-up list; `?plain=1` leaves out the mark that CSV has for Excel."""
    return take(taken_follow_up(form_of(ending, PRINTED_FORMS), request.args, current_actor()))


def taken_follow_up(form: Form, query: MultiDict[str, str], actor: Actor) -> Taking:
    """The follow-up list in the actor's scope as an address asks for it."""
    session = current_session()
    filters = understood(session, actor, work_filters_from(query))
    return Taking(
        what="violation",
        form=form,
        query=MultiDict(filter_arguments(query)),
        filters=[*filters_in_words(filters, actor), *_in_words(filters)],
        table=exports.table(
            actor,
            filters,
            today=clock.today(),
            labels={name: texts_of(name) for name in exports.VOCABULARIES},
            items=item_texts(session, current_language()),
            use=exports.USES.get(form.ending, exports.Use.DATA),
        ),
        name="theo-doi",
    )


def _in_words(filters: WorkFilters) -> list[tuple[str, str]]:
    """The filters that only this list has."""
    stages = texts_of("violation_stage")
    found = [(_("State"), ", ".join(stages[one] for one in filters.stage))]
    if filters.assignee:
        named = dict(accounts.names_of(current_session(), [filters.assignee]))
        found.append((_("Inspector"), named.get(filters.assignee, str(filters.assignee))))
    found.append((_("Assigned to nobody"), _("Yes") if filters.unassigned else ""))
    return [(what, value) for what, value in found if value]


@guard("saved_list.save")
def save_list() -> ResponseReturnValue:
    """Keep the filters of the address by a name; under a known name they take its place."""
    session, actor, name = current_session(), current_actor(), request.form.get("name", "")
    query = filter_arguments(request.args)
    known = next(
        (one for one in saved_lists.lists_of(session, actor)
         if one.name.lower() == name.strip().lower()),
        None,
    )  # fmt: skip
    try:
        with transaction():
            if known is None:
                known, _new = saved_lists.save(
                    session, uuid.uuid4(), name, query, by=actor, now=clock.now()
                )
            else:
                saved_lists.change(session, known, name, query, by=actor, now=clock.now())
    except DomainError as error:
        session.expire_all()
        return follow_up_page(errors_of(error), name), error.status
    flash(_("The list was saved as “%(name)s”.", name=known.name), "success")
    return redirect(url_for("inspections.saved_list", saved_id=known.id))


@guard("violation.view")
def saved_list(saved_id: uuid.UUID) -> ResponseReturnValue:
    """The list with the filters that somebody keeps, in the territory of the one who opens it."""
    saved = saved_lists.shared_list(current_session(), saved_id)
    if saved is None:
        raise NotFound(N_("This saved list is not there any more"))
    query = {name: values for name, values in saved.query.items() if name in FILTER_NAMES}
    address = urlencode({"saved": str(saved.id), **query}, doseq=True)
    return redirect(f"{url_for('inspections.follow_up')}?{address}")


@guard("saved_list.save")
def remove_list(saved_id: uuid.UUID) -> ResponseReturnValue:
    session, actor = current_session(), current_actor()
    with transaction():
        saved = saved_lists.own_list(session, actor, saved_id)
        if saved is None:
            raise NotFound()
        name = saved.name
        saved_lists.remove(session, saved, by=actor, now=clock.now())
    flash(_("The saved list “%(name)s” was removed.", name=name), "success")
    return redirect(url_for("inspections.follow_up"))


@guard("violation.assign")
def assign() -> ResponseReturnValue:
    """Show what giving rows to an inspector would change; with the digest of that, do it."""
    if request.form.get("for") == "notice":
        chosen = {"violation": request.form.getlist("row")}
        return redirect(f"{url_for('notices.new')}?{urlencode(chosen, doseq=True)}")
    session, actor, today = current_session(), current_actor(), clock.today()
    whole = request.form.get("whole_towers") == "1"
    error: DomainError | None = None
    try:
        person, filters = _chosen_person(), _chosen_rows()
        seen = request.form.get("seen")
        if seen:
            with transaction():
                done = assigning.assign(
                    session, filters, person,
                    whole_towers=whole, seen=seen, by=actor, now=clock.now(), today=today,
                )  # fmt: skip
            flash(_("%(num)s rows were assigned.", num=len(done.changing)), "success")
            return redirect(with_query(url_for("inspections.follow_up")))
    except DomainError as refused:
        session.expire_all()
        error = refused
        if refused.status != 409:
            texts = field_texts(refused) or {"form": [refused.text()]}
            return follow_up_page(texts), refused.status
    plan = assigning.plan(session, filters, person, whole_towers=whole, by=actor, today=today)
    page = render_template(
        "inspections/assign.html",
        plan=plan,
        error=error.text() if error else None,
        whole_towers=whole,
        everything=request.form.get("everything") == "1",
        shown=plan.rows[:SHOWN_ROWS],
        items=item_texts(session, current_language()),
        today=today,
    )
    return page, error.status if error else 200


def _chosen_person() -> uuid.UUID | None:
    given = request.form.get("assignee", "")
    if given == "nobody":
        return None
    try:
        return uuid.UUID(given)
    except ValueError as error:
        message = N_("Choose one of the inspectors")
        raise Invalid(message, fields={"assignee": [message]}) from error


def _chosen_rows() -> WorkFilters:
    """The ticked rows, or all that the filters of the address leave."""
    if request.form.get("everything") == "1":
        return asked_work(request.args)
    try:
        ids = tuple(uuid.UUID(one) for one in request.form.getlist("row"))
    except ValueError:
        ids = ()
    if not ids:
        message = N_("Choose at least one row")
        raise Invalid(message, fields={"row": [message]})
    return WorkFilters(include_dismantled=True, ids=ids[: assigning.MOST_ROWS + 1])


@guard("violation.claim")
def return_form() -> str:
    return render_template("inspections/return.html", error=None)


@guard("violation.claim")
def return_list() -> ResponseReturnValue:
    """Look into a list that came back filled in; nothing is written."""
    upload = None
    try:
        upload = uploads.keep()
        found = returned.preview(
            current_session(), upload.path, upload.filename, by=current_actor(), today=clock.today()
        )
    except DomainError as error:
        if upload is not None:
            upload.discard()
        page = render_template("inspections/return.html", error=error.text())
        return page, error.status
    return _preview_page(found, upload)


def _preview_page(
    found: returned.Preview, upload: uploads.Upload, error: DomainError | None = None
) -> str:
    return render_template(
        "inspections/returned.html",
        preview=found,
        upload=upload,
        error=error.text() if error else None,
        reasons={row.filled.row: translate(row.reason, **row.facts) for row in found.rows},
        items=item_texts(current_session(), current_language()),
    )


@guard("violation.claim")
def claim_returned(token: str) -> ResponseReturnValue:
    """Take the claims of a list over that was looked at."""
    session, actor, today = current_session(), current_actor(), clock.today()
    upload = uploads.kept(token)
    try:
        with transaction():
            found = returned.claim(
                session,
                upload.path,
                upload.filename,
                seen=request.form.get("seen", ""),
                good_rows=request.form.get("good_rows") == "1",
                by=actor,
                now=clock.now(),
                today=today,
            )
    except Conflict as error:
        session.expire_all()
        found = returned.preview(session, upload.path, upload.filename, by=actor, today=today)
        return _preview_page(found, upload, error), error.status
    upload.discard()
    number = len(found.of(returned.Verdict.NEW))
    flash(
        ngettext(
            "%(num)s violation is now reported as fixed. A re-inspection must confirm it.",
            "%(num)s violations are now reported as fixed. Re-inspections must confirm them.",
            number,
        ),
        "success",
    )
    return redirect(url_for("inspections.follow_up", stage="claimed"))
