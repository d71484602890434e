"""Pages of what came from the field: what staff decide about, the queue of a phone as a file, and
the versions of one inspection."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from core import clock
from core.db import current_session, transaction
from core.errors import DomainError, Invalid, NotFound
from core.guard import current_actor
from core.i18n import current_language
from core.i18n import gettext as _
from core.policy import Actor, guard
from core.problems import errors_of
from core.words import N_
from inspections import operations, queue_files
from inspections.bodies import item_form
from inspections.doors import refused, require_shown_version, the_inspection
from inspections.field_models import ReviewItem
from inspections.labels import VOCABULARIES
from inspections.models import ChecklistVersion
from inspections.queries import field_review as queries
from inspections.rules.sync import Clock, Difference, OperationKind, differences
from inspections.services import checklists
from inspections.services import field_review as services


def field_review_routes(blueprint: Blueprint) -> None:
    """Add these pages to the feature's blueprint."""
    blueprint.add_url_rule("/field/review", view_func=field_review)
    blueprint.add_url_rule("/field/review/<uuid:item_id>", view_func=review_item)
    blueprint.add_url_rule("/field/review/<uuid:item_id>", view_func=decide_item, methods=["POST"])
    blueprint.add_url_rule("/field/import", view_func=field_import)
    blueprint.add_url_rule("/field/import", view_func=import_queue, methods=["POST"])
    blueprint.add_url_rule("/inspections/<uuid:inspection_id>/versions", view_func=versions)


@guard("review_item.view")
def field_review() -> str:
    state = request.args.get("state", "open")
    reason = request.args.get("reason", "")
    page = queries.items(
        current_session(),
        current_actor(),
        state=[state] if state in VOCABULARIES["review_state"] else [],
        reason=[reason] if reason in VOCABULARIES["review_reason"] else [],
        cursor=request.args.get("cursor"),
    )
    return render_template(
        "inspections/field/review.html",
        page=page,
        state=state,
        reason=reason,
        states=list(VOCABULARIES["review_state"]),
        reasons=list(VOCABULARIES["review_reason"]),
    )


def the_item(item_id: uuid.UUID) -> ReviewItem:
    found = queries.item(current_session(), current_actor(), item_id)
    if found is None:
        raise NotFound()
    return found


@guard("review_item.view")
def review_item(item_id: uuid.UUID) -> str:
    return item_page(the_item(item_id))


def item_page(item: ReviewItem, errors: Any = None) -> str:
    session = current_session()
    other = queries.last_body(session, item.other_id) if item.other_id else None
    arrived, named = queries.photos_of(session, item)
    number = item.body.get("checklist_version")
    return render_template(
        "inspections/field/item.html",
        item=item,
        other=other,
        other_seen=item.other_id is not None
        and queries.reaches(session, current_actor(), item.other_id),
        changes=shown(differences(other.body if other else {}, item.body), number),
        arrived=arrived,
        named=named,
        errors=errors,
        clock=Clock(item.device_at, item.received_at),
    )


def shown(found: list[Difference], number: Any) -> list[SimpleNamespace]:
    """Differences as a page shows them: each with its text, and answers with their item."""
    session, language = current_session(), current_language()
    version: ChecklistVersion | None = None
    if isinstance(number, int) and not isinstance(number, bool) and 0 < number < 2**31:
        try:
            version = checklists.by_number(session, number)
        except NotFound:
            version = None
    catalogue = checklists.catalogue_of(session, version or checklists.current(session))
    items = {one.key: one for one in (*catalogue.items, checklists.LOAD_SAFETY_ITEM)}
    made = []
    for one in found:
        item = items.get(one.item)
        made.append(
            SimpleNamespace(
                field=one.field,
                text=item.text(language) if item else one.item,
                item=item_form(item, language) if item else None,
                before=_side(one.before, answer=bool(one.item)),
                after=_side(one.after, answer=bool(one.item)),
                answer=bool(one.item),
            )
        )
    return made


def _side(value: Any, *, answer: bool) -> Any:
    """One side of a difference: an answer as templates show answers, anything else as text."""
    if value is None:
        return None
    if answer and isinstance(value, Mapping):
        # Of a body that nobody has checked only plain values are looked at.
        parts = {name: value[name] for name in ("inputs", "record_also") if _plain(value, name)}
        given = {**parts, "reason": _text(value, "reason"), "note": _text(value, "note")}
        said = value.get("value")
        return SimpleNamespace(
            outcome=str(value.get("outcome")),
            value="" if said is None or isinstance(said, dict | list) else said,
            given=given,
        )
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {one}" for key, one in value.items())
    if isinstance(value, list):
        return "; ".join(
            ", ".join(str(part) for part in one.values() if part)
            if isinstance(one, Mapping)
            else str(one)
            for one in value
        )
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    return str(value)


def _plain(value: Mapping[str, Any], name: str) -> bool:
    given = value.get(name)
    return isinstance(given, dict) and all(
        isinstance(one, str | int | float | None) for one in given.values()
    )


def _text(value: Mapping[str, Any], name: str) -> str:
    return value[name] if isinstance(value.get(name), str) else ""


@guard("review_item.decide")
def decide_item(item_id: uuid.UUID) -> ResponseReturnValue:
    item = the_item(item_id)
    decision = request.form.get("decision", "")
    actor, now = current_actor(), clock.now()
    try:
        with transaction() as session:
            services.hold(session, item)
            require_shown_version(item.version)
            if decision == "accept":
                accept(item, by=actor)
            elif decision == "keep":
                services.keep_other(session, item, by=actor, now=now)
            elif decision == "reject":
                reason = request.form.get("reason", "")
                services.reject(session, item, reason=reason, by=actor, now=now)
            else:
                raise Invalid(fields={"decision": [N_("Choose one of the answers")]})
    except DomainError as error:
        texts = refused(error, "decision")
        return item_page(the_item(item_id), texts), error.status
    flash(_("Your decision was saved."), "success")
    return redirect(url_for("inspections.field_review"))


def accept(item: ReviewItem, *, by: Actor) -> None:
    """Take what a phone brought, as its sender; staff see the towers that they decide about."""
    session, now = current_session(), clock.now()
    sender = Actor(
        id=item.by_id,
        email=item.by.email,
        name=item.by.name or item.by.email,
        roles=frozenset({"inspector"}),
        communes=by.communes,
    )
    if item.kind == "photo":
        services.accept_photo(session, item, by=by, now=now)
    elif item.kind == OperationKind.DISCARD:
        services.accept_discard(session, item, sender=sender, by=by, now=now)
    elif item.kind == OperationKind.PROPOSAL:
        number, finding = operations.proposal_of(item.body)
        services.accept_proposal(session, item, number, finding, sender=sender, by=by, now=now)
    else:
        device = Clock(item.device_at, item.received_at)
        tower, visit = operations.visit_of(session, by, item.body, device)
        services.accept_inspection(
            session, item, tower, visit, sender=sender, by=by, now=now, zone=clock.zone()
        )


@guard("field.import")
def field_import() -> str:
    return render_template("inspections/field/import.html", results=None, errors=None)


@guard("field.import")
def import_queue() -> ResponseReturnValue:
    """Take the queue of a phone from a file: each operation as if the phone had sent it."""
    upload = request.files.get("file")
    try:
        if upload is None or not upload.filename:
            raise Invalid(fields={"file": [N_("Choose a file first")]})
        now = clock.now()
        queue = queue_files.read_queue(upload.stream.read(), now=now)
        results = queue_files.process_queue(queue, by=current_actor(), now=now)
    except DomainError as error:
        page = render_template(
            "inspections/field/import.html", results=None, errors=errors_of(error, "file")
        )
        return page, error.status
    return render_template(
        "inspections/field/import.html", results=results, queue=queue, errors=None
    )


@guard("inspection.view")
def versions(inspection_id: uuid.UUID) -> str:
    """What was sent each time, and what differs between two times."""
    inspection = the_inspection(inspection_id)
    sent = queries.submissions(current_session(), inspection_id)
    after = _place("to", len(sent), len(sent))
    before = _place("from", max(after - 1, 1), len(sent))
    changes = []
    if sent and before != after:
        old, new = sent[before - 1], sent[after - 1]
        changes = shown(differences(old.body, new.body), inspection.checklist_version.version)
    return render_template(
        "inspections/field/versions.html",
        inspection=inspection,
        tower=inspection.tower,
        sent=list(enumerate(sent, 1)),
        before=before,
        after=after,
        changes=changes,
    )


def _place(name: str, usual: int, last: int) -> int:
    given = request.args.get(name, "")
    place = int(given) if given.isascii() and given.isdecimal() and len(given) < 6 else usual
    return place if 1 <= place <= last else usual
