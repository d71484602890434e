"""Pages of imports, step by step: upload, columns, check, import, result."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, flash, jsonify, redirect, render_template, request, send_file, url_for
from flask import Response as FlaskResponse
from flask_babel import format_decimal
from werkzeug.wrappers import Response

from core import clock, jobs
from core.db import current_session, transaction
from core.errors import DomainError, Invalid, NotFound
from core.guard import current_actor
from core.i18n import gettext as _
from core.i18n import translate
from core.pages import large_body
from core.policy import guard
from core.problems import wants_json
from core.words import N_
from towers.column_forms import choices, given_mapping, shown_choice, system_choices
from towers.fields import VOCABULARIES
from towers.import_jobs import uploads
from towers.imports import batches, review, undoing
from towers.imports.models import ImportBatch
from towers.imports.report import explained
from towers.imports.states import AT_WORK, OPEN, State
from towers.readers import ENDINGS, MAX_BYTES

# What stands around the file in its request.
AROUND = 1_000_000


def import_routes(blueprint: Blueprint) -> None:
    """Add the pages of imports to the feature's blueprint."""
    blueprint.add_url_rule("/towers/import", view_func=import_page)
    blueprint.add_url_rule("/towers/import", view_func=upload, methods=["POST"])
    blueprint.add_url_rule("/towers/imports", view_func=imports)
    here = "/towers/imports/<uuid:batch_id>"
    blueprint.add_url_rule(here, view_func=import_batch)
    blueprint.add_url_rule(f"{here}/state.json", view_func=import_state)
    blueprint.add_url_rule(f"{here}/points.json", view_func=import_points)
    blueprint.add_url_rule(f"{here}/report.xlsx", view_func=import_report)
    for name, view in (
        ("part", choose_import_part),
        ("columns", choose_import_columns),
        ("check", check_list),
        ("import", import_list),
        ("cancel", cancel_import),
        ("undo", undo_import),
        ("duplicates/<uuid:duplicate_id>", decide_duplicate),
    ):
        blueprint.add_url_rule(f"{here}/{name}", view_func=view, methods=["POST"])


@guard("tower.import")
def import_page() -> str:
    return upload_form()


def upload_form(error: DomainError | None = None) -> str:
    return render_template(
        "towers/imports/upload.html",
        error=error.text() if error else None,
        endings=ENDINGS,
        max_bytes=MAX_BYTES,
    )


@guard("tower.import")
@large_body(MAX_BYTES + AROUND)
def upload() -> Response | tuple[str, int]:
    file = request.files.get("file")
    try:
        if file is None or not file.filename:
            raise Invalid(N_("Choose a file"))
        with transaction() as session:
            batch = batches.receive(
                session, uploads(), file.filename, file.stream, by=current_actor(), now=clock.now()
            )
    except DomainError as error:
        if wants_json():
            raise
        return upload_form(error), error.status
    address = url_for("towers.import_batch", batch_id=batch.id)
    if wants_json():
        return jsonify(address=address)
    return redirect(address, 303)


@guard("import.view")
def imports() -> str:
    page = batches.listed(current_session(), current_actor(), cursor=request.args.get("cursor"))
    return render_template("towers/imports/index.html", page=page)


def the_batch(batch_id: uuid.UUID) -> ImportBatch:
    return batches.batch_by_id(current_session(), current_actor(), batch_id)


@guard("import.view")
def import_batch(batch_id: uuid.UUID) -> str:
    batch = the_batch(batch_id)
    progress = batches.progress_of(current_session(), batch)
    if batch.state in AT_WORK and (progress is None or progress.ended):
        with transaction() as session:
            batches.release(session, batch)
    return batch_page(batch)


def batch_page(batch: ImportBatch, error: DomainError | None = None) -> str:
    session = current_session()
    outcome = batches.outcome_of(uploads(), batch)
    mapping, saved = None, []
    has_file = (outcome.folder / "file").exists()
    if batch.mapping is not None:
        mapping = batches.mapping_of(batch)
        saved = list(batches.mappings_for(session, mapping.headers))
        named = request.args.get("mapping")
        chosen = next((one for one in saved if one.name == named), None)
        if chosen is not None:
            mapping = type(mapping).from_json(chosen.mapping, mapping.headers)
    return render_template(
        "towers/imports/batch.html",
        batch=batch,
        error=error.text() if error else None,
        problem=translate(batch.error["message"], **batch.error["facts"]) if batch.error else None,
        step=step_of(batch),
        progress=batches.progress_of(session, batch),
        has_file=has_file,
        editable=batch.state in OPEN and has_file,
        mapping=mapping,
        saved=saved,
        choices=choices(),
        chosen=[shown_choice(mapping, place) for place in range(len(mapping.headers))]
        if mapping
        else [],
        systems=system_choices(mapping) if mapping else [],
        first=outcome.first(),
        notes=[translate(text, **facts) for text, facts in batch.facts.get("notes", ())],
        value_text=value_text,
        said=lambda reason: translate(reason["message"], **reason["facts"]),
        explained=lambda reason: explained(reason, VOCABULARIES["tower_field"]),
        has_points=outcome.points() is not None,
        duplicates=review.waiting(session, batch.id),
        open_duplicates=review.open_number(session, batch.id),
        obstacles=undoing.obstacles(session, batch)
        if batch.state == State.DONE and "undo" in request.args
        else None,
    )


def value_text(value: Any) -> str:
    """A value of a change as people read it."""
    if value is None or value == "" or value == []:
        return "–"
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, int | float):
        return format_decimal(value, "#0.######")
    return ", ".join(value) if isinstance(value, list) else str(value)


def step_of(batch: ImportBatch) -> int:
    """The step at which a list stands, from 1."""
    if batch.state in {State.DONE, State.UNDOING, State.UNDONE}:
        return 5
    if batch.state == State.IMPORTING:
        return 4
    if batch.counts or batch.state == State.CHECKING:
        return 3
    return 2


def given_version() -> int | None:
    """The version of the batch that a form was made from."""
    text = request.form.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def back(batch: ImportBatch) -> Response:
    return redirect(url_for("towers.import_batch", batch_id=batch.id), 303)


@guard("tower.import")
def choose_import_part(batch_id: uuid.UUID) -> Response | tuple[str, int]:
    batch = the_batch(batch_id)
    try:
        with transaction() as session:
            batches.choose_part(
                session,
                uploads(),
                batch,
                request.form.get("part", ""),
                version=given_version(),
            )
    except DomainError as error:
        return batch_page(the_batch(batch_id), error), error.status
    return back(batch)


@guard("tower.import")
def choose_import_columns(batch_id: uuid.UUID) -> Response | tuple[str, int]:
    """Take the columns as chosen, keep them under a name if one is given, and check the list."""
    batch = the_batch(batch_id)
    try:
        with transaction() as session:
            mapping = given_mapping(batches.mapping_of(batch), request.form)
            batches.choose_columns(session, batch, mapping, version=given_version())
            if request.form.get("save_as", "").strip():
                batches.save_mapping(
                    session,
                    request.form["save_as"],
                    mapping,
                    by=current_actor(),
                    now=clock.now(),
                )
        set_to_work(batch, State.CHECKING)
    except DomainError as error:
        return batch_page(the_batch(batch_id), error), error.status
    return back(batch)


def set_to_work(batch: ImportBatch, work: State, **options: Any) -> None:
    """Check or import a list: at once when it is short, else as a job."""
    with transaction() as session:
        at_once = batches.start(
            session, uploads(), batch, work, options=options, by=current_actor(), now=clock.now()
        )
        if at_once:
            batches.work(session, uploads(), batch, by=current_actor(), now=clock.now())


@guard("tower.import")
def check_list(batch_id: uuid.UUID) -> Response | tuple[str, int]:
    batch = the_batch(batch_id)
    try:
        set_to_work(batch, State.CHECKING)
    except DomainError as error:
        return batch_page(the_batch(batch_id), error), error.status
    return back(batch)


@guard("tower.import")
def import_list(batch_id: uuid.UUID) -> Response | tuple[str, int]:
    batch = the_batch(batch_id)
    try:
        batches.require_open(batch, given_version())
        set_to_work(batch, State.IMPORTING, good_rows="good_rows" in request.form)
    except DomainError as error:
        return batch_page(the_batch(batch_id), error), error.status
    if batch.state == State.CHECKED:
        return batch_page(batch), 422
    return back(batch)


@guard("tower.import")
def cancel_import(batch_id: uuid.UUID) -> Response | tuple[str, int]:
    batch = the_batch(batch_id)
    try:
        with transaction() as session:
            batches.cancel(session, batch, by=current_actor(), now=clock.now())
    except DomainError as error:
        return batch_page(the_batch(batch_id), error), error.status
    flash(_("The import was cancelled; nothing was written."), "info")
    return back(batch)


@guard("tower.import")
def undo_import(batch_id: uuid.UUID) -> Response | tuple[str, int]:
    batch = the_batch(batch_id)
    try:
        with transaction() as session:
            undoing.start(session, batch, by=current_actor(), now=clock.now())
    except DomainError as error:
        return batch_page(the_batch(batch_id), error), error.status
    if batch.state == State.UNDONE:
        flash(_("The import was undone: the register is as it was before."), "success")
    return back(batch)


@guard("tower.import")
def decide_duplicate(batch_id: uuid.UUID, duplicate_id: uuid.UUID) -> Response | tuple[str, int]:
    batch = the_batch(batch_id)
    try:
        with transaction() as session:
            review.decide(
                session,
                review.one(session, batch.id, duplicate_id),
                request.form.get("decision", ""),
                code=request.form.get("code", "").strip(),
                move="move" in request.form,
                by=current_actor(),
                now=clock.now(),
            )
    except DomainError as error:
        return batch_page(the_batch(batch_id), error), error.status
    flash(_("The decision was saved."), "success")
    return redirect(url_for("towers.import_batch", batch_id=batch.id, _anchor="review"), 303)


@guard("import.view")
def import_state(batch_id: uuid.UUID) -> FlaskResponse:
    """How far a list is, for the page that waits for it."""
    return jsonify(state_body(the_batch(batch_id)))


def state_body(batch: ImportBatch) -> dict[str, Any]:
    progress = batches.progress_of(current_session(), batch)
    body: dict[str, Any] = {"state": batch.state, "version": batch.version, "working": False}
    if progress is not None and not progress.ended:
        body["working"] = True
        body["rows"] = progress.done
        body["text"] = (
            translate(progress.note, **progress.facts) if progress.note else _("Waiting to begin")
        )
        body["attempt"] = progress.attempts + (progress.state == jobs.State.RUNNING)
    return body


@guard("import.view")
def import_points(batch_id: uuid.UUID) -> FlaskResponse:
    points = batches.outcome_of(uploads(), the_batch(batch_id)).points()
    if points is None:
        raise NotFound()
    return FlaskResponse(points, content_type="application/json")


@guard("import.view")
def import_report(batch_id: uuid.UUID) -> Response:
    batch = the_batch(batch_id)
    outcome = batches.outcome_of(uploads(), batch)
    if outcome.points() is None:
        raise NotFound(N_("The report is gone: upload the list again"))
    stem = batch.filename.rpartition(".")[0] or batch.filename
    return send_file(
        outcome.workbook(VOCABULARIES["tower_field"]),
        mimetype="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        as_attachment=True,
        download_name=f"{stem}-{_('rows')}.xlsx",
    )
