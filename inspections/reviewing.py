"""Pages of a visit that was made: look at it, review it."""

from __future__ import annotations

import io
import re
import uuid
from collections.abc import Callable, Mapping

from flask import Blueprint, flash, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from core import clock, policy, store
from core.db import current_session, transaction
from core.errors import Conflict, DomainError, Invalid, NotFound
from core.file_types import OFFICE
from core.guard import current_actor
from core.i18n import current_language
from core.i18n import gettext as _
from core.pictures import read_picture
from core.policy import guard
from core.problems import field_texts
from core.words import N_
from inspections import minutes
from inspections.bodies import item_form
from inspections.doors import (
    own_inspection,
    photo_store,
    position_of,
    refused,
    require_shown_version,
    the_inspection,
)
from inspections.models import Inspection
from inspections.queries import field_review, lists
from inspections.queries.lines import lines_of
from inspections.rules.catalogue import Catalogue, Item
from inspections.rules.evaluation import GivenAnswer, Structure, applicable_items, is_asked
from inspections.rules.evidence import OF_CHECK, Check, SignaturePlace
from inspections.services import checklists, review, signatures
from inspections.services.circumstances import Instrument
from inspections.services.evidence import evidence_of
from inspections.services.settle import looked_at
from inspections.texts import item_texts

# How the official record is made, and what it is then.
RECORDS = {
    "docx": (minutes.docx, f"{OFFICE}.wordprocessingml.document"),
    "pdf": (minutes.pdf, "application/pdf"),
}


def file_name(code: str) -> str:
    """A code as part of a file's name."""
    return re.sub(r"[^\w.-]+", "-", code)[:64]


def review_routes(blueprint: Blueprint) -> None:
    """Add these pages to the feature's blueprint."""
    blueprint.add_url_rule("/inspections/<uuid:inspection_id>", view_func=detail)
    blueprint.add_url_rule(
        "/inspections/<uuid:inspection_id>/review", view_func=decide, methods=["POST"]
    )
    for ending in RECORDS:
        blueprint.add_url_rule(
            f"/inspections/<uuid:inspection_id>/record.{ending}",
            view_func=official_record,
            defaults={"ending": ending},
        )
    blueprint.add_url_rule(
        "/inspections/<uuid:inspection_id>/sign", view_func=sign, methods=["POST"]
    )
    blueprint.add_url_rule(
        "/inspections/<uuid:inspection_id>/void-request", view_func=ask_void, methods=["POST"]
    )
    blueprint.add_url_rule(
        "/inspections/<uuid:inspection_id>/void", view_func=decide_void, methods=["POST"]
    )


@guard("inspection.view")
def detail(inspection_id: uuid.UUID) -> str:
    return detail_page(the_inspection(inspection_id))


def detail_page(
    inspection: Inspection, errors: Mapping[str, list[str]] | None = None, sent: str = ""
) -> str:
    """The page of a visit; `sent` names the form that was sent and whose errors these are."""
    session, language = current_session(), current_language()
    catalogue = checklists.catalogue_of(session, inspection.checklist_version)
    items = {
        item.key: item_form(item, language)
        for item in (*catalogue.items, checklists.LOAD_SAFETY_ITEM)
    }
    order = {item.key: index for index, item in enumerate(catalogue.items)}
    actor = current_actor()
    return render_template(
        "inspections/detail.html",
        inspection=inspection,
        tower=inspection.tower,
        items=items,
        texts=item_texts(session, language),
        not_examined=not_examined(inspection, catalogue),
        answers=sorted(
            inspection.answers,
            key=lambda one: (one.severity is None, order.get(one.item_key, 999)),
        ),
        found=lists.found_by(session, inspection.id),
        lines=lines_of(session, inspection, looked_at(session, inspection)).values()
        if inspection.kind == "reinspection" and inspection.status != "voided"
        else (),
        own=inspection.inspector_id == actor.id
        and inspection.status in {"draft", "submitted", "returned"}
        and policy.may(actor, "inspection.correct", inspection),
        position=position_of(inspection),
        skewed=abs(inspection.clock_offset_s or 0) > int(store.value_of(session, "clock_skew_s")),
        versions=field_review.number_of_versions(session, inspection.id),
        evidence=evidence_of(session, inspection),
        reasons_of=OF_CHECK,
        checks=list(Check),
        signatures=signatures.standing(inspection),
        may_sign=inspection.status == "submitted"
        and inspection.inspector_id == actor.id
        and policy.may(actor, "inspection.sign", inspection),
        signature_places=list(SignaturePlace),
        instruments=[Instrument.from_json(one) for one in inspection.instruments],
        new_id=uuid.uuid4(),
        reused=lists.reused_photos(session, actor, inspection.photos),
        may_review=inspection.status == "submitted"
        and policy.may(actor, "inspection.review", inspection),
        # One who may decide asks as well; an inspector only about a visit of their own.
        may_ask_void=inspection.status in review.VOIDABLE
        and inspection.void_asked_at is None
        and policy.may(actor, "inspection.ask_void", inspection)
        and (inspection.inspector_id == actor.id or policy.may(actor, "inspection.void")),
        may_void=inspection.status in review.VOIDABLE
        and inspection.void_asked_at is not None
        and policy.may(actor, "inspection.void", inspection),
        may_confirm=inspection.void_asked_by_id != actor.id
        or not store.value_of(session, "two_people"),
        errors=errors,
        sent=sent,
        given=request.form,
        today=clock.today(),
    )


def not_examined(inspection: Inspection, catalogue: Catalogue) -> list[Item]:
    """The items that a submitted visit should have answered and did not."""
    if inspection.status == "draft" or inspection.kind == "reinspection":
        return []
    structure = Structure(
        inspection.structure_type,
        frozenset(inspection.tower.services),
        inspection.height_m,
        inspection.overall_height_m,
    )
    given = {one.item_key: GivenAnswer.from_json(one.given) for one in inspection.answers}
    return [
        item
        for item in applicable_items(catalogue, structure)
        if item.key not in given and is_asked(item, given)
    ]


@guard("inspection.view")
def official_record(inspection_id: uuid.UUID, ending: str) -> Response:
    """The record (biên bản) as a file, of programs with a token too; a draft is a 409."""
    inspection = the_inspection(inspection_id)
    made, media_type = RECORDS[ending]
    return send_file(
        io.BytesIO(made(current_session(), inspection, photo_store())),
        mimetype=media_type,
        as_attachment=ending == "docx",
        download_name=f"bien-ban-{file_name(inspection.tower.code)}-{inspection.inspected_on}.{ending}",
    )


def _step(
    inspection_id: uuid.UUID, form: str, done: str, change: Callable[[Session, Inspection], None]
) -> ResponseReturnValue:
    """Decide about the version that was read; what is wrong is said on the page as it is now."""
    try:
        with transaction() as session:
            inspection = the_inspection(inspection_id)
            session.refresh(inspection, with_for_update={"of": Inspection})
            require_shown_version(inspection.version)
            change(session, inspection)
    except DomainError as error:
        errors = refused(error)
        return detail_page(the_inspection(inspection_id), errors, form), error.status
    flash(done, "success")
    return redirect(url_for("inspections.detail", inspection_id=inspection_id))


@guard("inspection.review")
def decide(inspection_id: uuid.UUID) -> ResponseReturnValue:
    by, now, decision = current_actor(), clock.now(), request.form.get("decision")

    def change(session: Session, inspection: Inspection) -> None:
        if decision == "accept":
            review.accept_inspection(session, inspection, by=by, now=now)
        elif decision == "return":
            reason = request.form.get("reason", "")[:4000]
            review.return_inspection(
                session, inspection, reason=reason, by=by, now=now, zone=clock.zone()
            )
        else:
            raise Invalid(N_("Choose one of the answers"))

    return _step(inspection_id, "review", _("The review was saved."), change)


@guard("inspection.sign")
def sign(inspection_id: uuid.UUID) -> Response:
    inspection = own_inspection(inspection_id)
    try:
        if request.form.get("version", "") != str(inspection.version):
            raise Conflict(
                N_("This inspection was changed in the meantime: read it again before it is signed")
            )
        upload, store = request.files.get("file"), photo_store()
        drawn = read_picture(upload.stream, store) if upload and upload.filename else None
        with transaction() as session:
            signatures.sign(
                session,
                posted_uuid("id"),
                inspection,
                place=request.form.get("place", ""),
                name=request.form.get("name", ""),
                drawn=drawn,
                store=store,
                by=current_actor(),
                now=clock.now(),
            )
    except NotFound:
        raise
    except DomainError as error:
        texts = [text for texts in field_texts(error).values() for text in texts]
        for text in texts or [error.text()]:
            flash(text, "warning")
    else:
        flash(_("The signature was saved."), "success")
    return redirect(
        url_for("inspections.detail", inspection_id=inspection_id, _anchor="signatures")
    )


def posted_uuid(name: str) -> uuid.UUID:
    try:
        return uuid.UUID(request.form.get(name, ""))
    except ValueError as error:
        raise Invalid(N_("This is not a UUID.")) from error


@guard("inspection.ask_void")
def ask_void(inspection_id: uuid.UUID) -> ResponseReturnValue:
    by, now, reason = current_actor(), clock.now(), request.form.get("reason", "")
    return _step(
        inspection_id,
        "void",
        _("Your request was saved. Somebody else must confirm it."),
        lambda session, one: review.ask_to_void(session, one, reason=reason, by=by, now=now),
    )


@guard("inspection.void")
def decide_void(inspection_id: uuid.UUID) -> ResponseReturnValue:
    by, now, decision = current_actor(), clock.now(), request.form.get("decision")

    def change(session: Session, inspection: Inspection) -> None:
        if decision not in {"confirm", "refuse"}:
            raise Invalid(N_("Choose one of the answers"))
        confirm = decision == "confirm"
        review.decide_void(session, inspection, confirm=confirm, by=by, now=now, zone=clock.zone())

    return _step(inspection_id, "decide_void", _("The decision was saved."), change)
