"""Pages of a visit: start it, fill in its checklist."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from core import clock
from core.db import current_session, transaction
from core.errors import Conflict, DomainError, Invalid
from core.guard import current_actor
from core.i18n import current_language
from core.i18n import gettext as _
from core.pictures import read_picture
from core.policy import guard
from core.problems import errors_of
from core.words import N_
from inspections.bodies import item_form
from inspections.doors import own_inspection, photo_store, position_of
from inspections.forms import answers_from, circumstances_form, visit_from_form
from inspections.labels import VOCABULARIES
from inspections.models import Inspection
from inspections.queries import lists
from inspections.queries.lines import lines_of
from inspections.rules.catalogue import HOW, Catalogue
from inspections.rules.evaluation import applicable_items
from inspections.rules.evidence import PhotoSource
from inspections.services import checklists, photos, record
from inspections.services.settle import looked_at
from towers.doors import the_tower
from towers.rules import StructureType

KINDS = ("periodic", "campaign", "complaint", "after_storm")


def visit_routes(blueprint: Blueprint) -> None:
    """Add the pages of visits to the feature's blueprint."""
    blueprint.add_url_rule("/inspections", view_func=index)
    blueprint.add_url_rule("/towers/<code>/inspect", view_func=start)
    blueprint.add_url_rule("/towers/<code>/inspect", view_func=begin, methods=["POST"])
    blueprint.add_url_rule("/inspections/<uuid:inspection_id>/edit", view_func=edit)
    blueprint.add_url_rule(
        "/inspections/<uuid:inspection_id>/edit", view_func=save, methods=["POST"]
    )
    blueprint.add_url_rule(
        "/inspections/<uuid:inspection_id>/discard", view_func=discard, methods=["POST"]
    )


@guard("inspection.view")
def index() -> str:
    status = request.args.get("status", "")
    kind = request.args.get("kind", "")
    mine = request.args.get("mine") == "1"
    q = request.args.get("q", "").replace("\x00", "")[:200]
    page = lists.inspections(
        current_session(),
        current_actor(),
        status=[status] if status in VOCABULARIES["inspection_status"] else [],
        kind=[kind] if kind in VOCABULARIES["inspection_kind"] else [],
        mine=mine,
        q=q,
        cursor=request.args.get("cursor"),
    )
    return render_template(
        "inspections/index.html",
        page=page,
        status=status,
        kind=kind,
        mine=mine,
        q=q,
        statuses=list(VOCABULARIES["inspection_status"]),
        kinds=list(VOCABULARIES["inspection_kind"]),
    )


@guard("inspection.create")
def start(code: str) -> str:
    """Choose the kind; determine the structure type where nobody knew it."""
    session, tower = current_session(), the_tower(code)
    drafts = lists.inspections(
        session, current_actor(), tower_id=tower.id, status=["draft"], mine=True
    ).rows
    return render_template(
        "inspections/start.html",
        tower=tower,
        drafts=drafts,
        open_items=record.open_items(session, tower),
        kinds=KINDS,
        # An assignment leads here with the kind that it asks for.
        kind=request.args.get("kind", ""),
        structure_types=[one for one in StructureType if one != StructureType.UNKNOWN],
        new_id=uuid.uuid4(),
        errors=None,
    )


@guard("inspection.create")
def begin(code: str) -> Response | tuple[str, int]:
    tower, today = the_tower(code), clock.today()
    kind = request.form.get("kind", "")
    try:
        inspection_id = uuid.UUID(request.form.get("id", ""))
    except ValueError:
        inspection_id = uuid.uuid4()
    chosen = request.form.get("structure_type") or None
    try:
        if kind not in {*KINDS, "reinspection"}:
            message = N_("Choose one of the kinds")
            raise Invalid(message, fields={"kind": [message]})
        if tower.structure_type == StructureType.UNKNOWN and (
            chosen not in set(StructureType) - {StructureType.UNKNOWN}
        ):
            message = N_("Determine the structure type first")
            raise Invalid(message, fields={"structure_type": [message]})
        with transaction() as session:
            if kind == "reinspection" and not record.open_items(session, tower):
                raise Conflict(N_("This tower has no open violation to re-inspect"))
            visit = record.Visit(
                kind=kind,
                inspected_on=today,
                answers={},
                submit=False,
                structure_type=chosen,
                body={"tower": code, "kind": kind, "structure_type": chosen, "submit": False},
            )
            record.record_inspection(
                session,
                inspection_id,
                tower,
                visit,
                by=current_actor(),
                now=clock.now(),
                zone=clock.zone(),
            )
    except DomainError as error:
        session = current_session()
        return render_template(
            "inspections/start.html",
            tower=the_tower(code),
            drafts=[],
            open_items=record.open_items(session, tower),
            kinds=KINDS,
            structure_types=[one for one in StructureType if one != StructureType.UNKNOWN],
            new_id=uuid.uuid4(),
            errors=errors_of(error),
        ), error.status
    return redirect(url_for("inspections.edit", inspection_id=inspection_id))


def form_page(
    inspection: Inspection,
    answers: dict[str, Any],
    errors: Any = None,
    given: Any = None,
    *,
    kept: bool = False,
) -> str:
    """The checklist. `given` is what was typed when something is wrong; `kept` if it is a draft."""
    session, language = current_session(), current_language()
    catalogue = checklists.catalogue_of(session, inspection.checklist_version)
    structure = record.structure_of(inspection.tower, inspection.structure_type)
    lines = {}
    if inspection.kind == "reinspection":
        lines = lines_of(session, inspection, looked_at(session, inspection))
    items = applicable_items(catalogue, structure, checklists.beside(lines))
    labels = {f"answers.{item.key}": item.text(language) for item in items}
    # What is wrong is named in the order in which it stands on the page.
    places = {name: index for index, name in enumerate(labels, 1)}
    errors = dict(sorted((errors or {}).items(), key=lambda one: places.get(one[0], 0)))
    photo_of: dict[str | None, list[Any]] = {}
    for photo in inspection.photos:
        photo_of.setdefault(photo.item_key, []).append(photo)
    forms = {item.key: item_form(item, language) for item in items}
    asked = [(lines[key], forms[key]) for key in lines if key in forms]
    groups = []
    for group in catalogue.groups:
        members = [
            forms[item.key] for item in items if item.group == group.key and item.key not in lines
        ]
        if members:
            groups.append((group.key, group.label.in_language(language), members))
    return render_template(
        "inspections/form.html",
        inspection=inspection,
        tower=inspection.tower,
        asked=asked,
        groups=groups,
        number=len(asked) if inspection.kind == "reinspection" else len(items),
        answers=answers,
        given=given,
        errors=errors,
        kept=kept,
        labels=labels,
        hows=HOW,
        methods=methods_of(inspection, answers, catalogue)
        if given is None
        else given.getlist("methods"),
        photo_of=photo_of,
        position=position_of(inspection),
        said=circumstances_form(inspection, given),
        weathers=list(VOCABULARIES["weather"]),
        verdicts=list(VOCABULARIES["verdict"]),
        assessment_reason=record.sent_before(session, inspection).get("assessment_reason", ""),
        today=clock.today(),
    )


# Nobody climbs without saying so.
USUAL = ("ground", "documents", "instrument")


def methods_of(
    inspection: Inspection, answers: dict[str, Any], catalogue: Catalogue
) -> Collection[str]:
    """How the visit was made as far as it says, else the usual ways and those of its answers."""
    if inspection.methods:
        return inspection.methods
    return {*USUAL, *(item.how for item in catalogue.items if item.key in answers)}


@guard("inspection.correct")
def edit(inspection_id: uuid.UUID) -> str:
    inspection = own_inspection(inspection_id)
    answers = (
        inspection.draft
        if inspection.draft is not None
        else {answer.item_key: answer.given for answer in inspection.answers}
    )
    return form_page(inspection, answers)


@guard("inspection.correct")
def save(inspection_id: uuid.UUID) -> Response | tuple[str, int]:
    """Keep what was typed first (a draft, with its photos), then judge it if it is submitted."""
    inspection = own_inspection(inspection_id)
    session, actor, now = current_session(), current_actor(), clock.now()
    catalogue = checklists.catalogue_of(session, inspection.checklist_version)
    form = request.form
    kept = False
    try:
        if form.get("version", "") != str(inspection.version):
            raise Conflict(
                N_(
                    "This inspection was changed elsewhere in the meantime:"
                    " your input is kept below"
                )
            )
        visit = visit_from_form(
            form,
            catalogue,
            kind=inspection.kind,
            tower=inspection.tower.code,
            today=inspection.inspected_on,
            zone=clock.zone(),
        )
        if inspection.structure_type != StructureType.UNKNOWN and not visit.structure_type:
            visit = record.with_structure_type(visit, inspection.structure_type)
        pictures = [
            (
                name.partition(".")[2] or None,
                upload.filename,
                read_picture(upload.stream, photo_store()),
                # The page's script tells which files the camera made just now.
                PhotoSource.CAMERA
                if f"{name}/{upload.filename}" in form.getlist("camera")
                else PhotoSource.FILE,
            )
            for name, uploads in request.files.lists()
            for upload in uploads
            if name.startswith("photo") and upload.filename
        ]
        if inspection.status == "draft":
            with transaction() as session:
                record.correct_inspection(
                    session,
                    inspection,
                    record.as_draft(visit),
                    by=actor,
                    now=now,
                    zone=clock.zone(),
                )
            kept = True
        with transaction() as session:
            for item_key, filename, picture, source in pictures:
                photos.add_photo(
                    session,
                    uuid.uuid4(),
                    inspection,
                    picture,
                    store=photo_store(),
                    item_key=item_key,
                    original_name=filename or "",
                    sha256=None,
                    by=actor,
                    now=now,
                    source=source,
                )
        if visit.submit or inspection.status != "draft":
            with transaction() as session:
                record.correct_inspection(
                    session,
                    inspection,
                    record.as_submitted(visit),
                    by=actor,
                    now=now,
                    zone=clock.zone(),
                )
    except DomainError as error:
        session = current_session()
        session.expire_all()
        texts = errors_of(error)
        again = own_inspection(inspection_id)
        page = form_page(again, answers_from(form, catalogue), texts, form, kept=kept)
        return page, error.status
    if inspection.status == "draft":
        flash(_("The draft was saved. It counts only when it is submitted."), "info")
        return redirect(url_for("inspections.edit", inspection_id=inspection_id))
    flash(_("The inspection was submitted."), "success")
    return redirect(url_for("inspections.detail", inspection_id=inspection_id))


@guard("inspection.correct")
def discard(inspection_id: uuid.UUID) -> Response:
    inspection = own_inspection(inspection_id)
    code = inspection.tower.code
    with transaction() as session:
        record.discard_draft(session, inspection, by=current_actor(), now=clock.now())
    flash(_("The draft was discarded."), "info")
    return redirect(url_for("towers.detail", code=code))
