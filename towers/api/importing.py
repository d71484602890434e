"""The API of imports under `/api/v1/imports`: upload, look, import, cancel, undo."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response, jsonify, request
from flask.views import MethodView
from marshmallow import fields

from core import clock
from core.api import Blueprint, StrictSchema, require_match, with_tag
from core.db import current_session, transaction
from core.errors import Invalid
from core.guard import current_actor
from core.i18n import translate
from core.pages import large_body
from core.policy import guard
from core.validation import between, length, one_of
from core.words import N_
from towers.fields import VOCABULARIES
from towers.import_jobs import uploads
from towers.imports import batches, review, undoing
from towers.imports.models import ImportBatch
from towers.imports.report import explained
from towers.imports.states import DuplicateState, State
from towers.mapping import ColumnMapping, corrected
from towers.readers import MAX_BYTES

imports = Blueprint("api_imports", __name__, url_prefix="/api/v1/imports")
# What stands around the file in its request.
AROUND = 1_000_000


class ImportQuery(StrictSchema):
    limit = fields.Integer(load_default=50, validate=between(1, 500))
    cursor = fields.String(load_default=None, validate=length(1, 500))


class ColumnsSchema(StrictSchema):
    """What the columns are: for each field its column, counted from 0; a coordinate in degrees,
    minutes, seconds and side has four, null for one that is missing."""

    columns = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.Integer(strict=True, allow_none=True), validate=length(1, 4)),
    )
    srid = fields.Integer(strict=True, validate=between(1, 999_999))
    mapping = fields.String(validate=length(1, 100))
    part = fields.String(validate=length(1, 200))


class ConfirmSchema(StrictSchema):
    good_rows = fields.Boolean(load_default=False, truthy={True}, falsy={False})


class DuplicateDecisionSchema(StrictSchema):
    decision = fields.String(
        required=True,
        validate=one_of(
            (DuplicateState.UPDATED, DuplicateState.REGISTERED, DuplicateState.SKIPPED)
        ),
    )
    code = fields.String(load_default="", validate=length(0, 64))
    move = fields.Boolean(load_default=False, truthy={True}, falsy={False})


class ImportBody(StrictSchema):
    """A list and how far it is. `first` has the first rows that something is said about."""

    id = fields.UUID(required=True)
    filename = fields.String(required=True)
    size = fields.Integer(required=True)
    sha256 = fields.String(required=True)
    state = fields.String(required=True, validate=one_of(tuple(State)))
    counts = fields.Dict(required=True)
    facts = fields.Dict(required=True)
    mapping = fields.Dict(required=True, allow_none=True)
    error = fields.String(required=True, allow_none=True)
    progress = fields.Dict(required=True, allow_none=True)
    created_at = fields.DateTime(required=True)
    finished_at = fields.DateTime(required=True, allow_none=True)
    by = fields.String(required=True)
    version = fields.Integer(required=True)
    first = fields.Dict()
    duplicates = fields.List(fields.Dict())


class ImportPage(StrictSchema):
    items = fields.List(fields.Nested(ImportBody), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


def summary(batch: ImportBatch) -> dict[str, Any]:
    progress = batches.progress_of(current_session(), batch)
    return {
        "id": str(batch.id),
        "filename": batch.filename,
        "size": batch.size,
        "sha256": batch.sha256,
        "state": batch.state,
        "counts": batch.counts,
        "facts": batch.facts,
        "mapping": batch.mapping,
        "error": translate(batch.error["message"], **batch.error["facts"]) if batch.error else None,
        "progress": {
            "state": progress.state,
            "rows": progress.done,
            "text": translate(progress.note, **progress.facts) if progress.note else "",
        }
        if progress
        else None,
        "created_at": batch.created_at.isoformat(),
        "finished_at": batch.finished_at.isoformat() if batch.finished_at else None,
        "by": batch.actor,
        "version": batch.version,
    }


def whole(batch: ImportBatch) -> dict[str, Any]:
    """The batch with the first rows of each kind, their reasons as texts, and its review list."""
    first = batches.outcome_of(uploads(), batch).first() if batch.counts else {}
    labels = VOCABULARIES["tower_field"]
    told = {
        kind: [
            {
                "row": row["row"],
                "cells": row["cells"],
                "reasons": [explained(one, labels) for one in row["reasons"]],
            }
            for row in first.get(kind, ())
        ]
        for kind in ("wrong", "duplicate", "suspicious")
    }
    duplicates = [
        {
            "id": str(one.id),
            "row": one.line,
            "code": one.code,
            "given": one.given,
            "candidates": one.candidates,
            "state": one.state,
        }
        for one in review.waiting(current_session(), batch.id)
    ]
    changes = first.get("changes", [])
    return {**summary(batch), "first": {**told, "changes": changes}, "duplicates": duplicates}


def answer(batch: ImportBatch, status: int = 200) -> Response:
    response = jsonify(whole(batch))
    response.status_code = status
    return with_tag(response, batch.version)


def the_batch(batch_id: uuid.UUID) -> ImportBatch:
    return batches.batch_by_id(current_session(), current_actor(), batch_id)


def changed(batch_id: uuid.UUID) -> ImportBatch:
    """The batch that a request changes; its version must be the one that was seen."""
    batch = the_batch(batch_id)
    require_match(request.headers.get("If-Match"), batch.version)
    return batch


def set_to_work(batch: ImportBatch, work: State, **options: Any) -> None:
    with transaction() as session:
        actor, now = current_actor(), clock.now()
        if batches.start(session, uploads(), batch, work, options=options, by=actor, now=now):
            batches.work(session, uploads(), batch, by=actor, now=now)


@imports.route("")
class Imports(MethodView):
    @guard("import.view")
    @imports.arguments(ImportQuery, location="query")
    @imports.response(200, ImportPage)
    def get(self, query: dict[str, Any]) -> Response:
        """List the imports, the newest first."""
        page = batches.listed(current_session(), current_actor(), **query)
        return jsonify(items=[summary(one) for one in page.rows], next_cursor=page.next_cursor)

    @guard("tower.import")
    @large_body(MAX_BYTES + AROUND)
    @imports.response(201, ImportBody)
    def post(self) -> Response:
        """Upload a list (multipart, its file as `file`) and check it.

        `part` may name a sheet or layer, `mapping` a saved mapping. A long list is checked by a
        job: look at its state.
        """
        file = request.files.get("file")
        if file is None or not file.filename:
            raise Invalid(N_("Choose a file"), fields={"file": [N_("Choose a file")]})
        with transaction() as session:
            batch = batches.receive(
                session,
                uploads(),
                file.filename,
                file.stream,
                part=request.form.get("part") or None,
                by=current_actor(),
                now=clock.now(),
            )
            if request.form.get("mapping"):
                choose(batch, {"mapping": request.form["mapping"]})
        if batch.mapping is not None and batches.mapping_of(batch).is_whole:
            set_to_work(batch, State.CHECKING)
        response = answer(batch, 201)
        response.headers["Location"] = f"/api/v1/imports/{batch.id}"
        return response


def choose(batch: ImportBatch, data: dict[str, Any]) -> None:
    """Take what a body says of the columns of a list."""
    session = current_session()
    if "part" in data:
        batches.choose_part(session, uploads(), batch, data["part"])
    mapping = batches.mapping_of(batch)
    if "mapping" in data:
        saved = batches.mapping_named(session, data["mapping"])
        mapping = ColumnMapping.from_json(saved.mapping, batch.facts["headers"])
    changes: dict[str, Any] = {}
    if "columns" in data:
        changes["columns"] = {name: tuple(places) for name, places in data["columns"].items()}
    if "srid" in data:
        changes["srid"] = data["srid"]
    batches.choose_columns(session, batch, corrected(mapping, **changes) if changes else mapping)


@imports.route("/<uuid:batch_id>")
class ImportById(MethodView):
    @guard("import.view")
    @imports.response(200, ImportBody)
    def get(self, batch_id: uuid.UUID) -> Response:
        """A list: its state, counts, progress, and the first rows that something is said about."""
        return answer(the_batch(batch_id))

    @guard("tower.import")
    @imports.arguments(ColumnsSchema)
    @imports.response(200, ImportBody)
    def patch(self, data: dict[str, Any], batch_id: uuid.UUID) -> Response:
        """Say what the columns are, and check the list again. Needs If-Match."""
        batch = changed(batch_id)
        with transaction():
            choose(batch, data)
        set_to_work(batch, State.CHECKING)
        return answer(batch)


@imports.route("/<uuid:batch_id>/confirm")
class ImportConfirmed(MethodView):
    @guard("tower.import")
    @imports.arguments(ConfirmSchema)
    @imports.response(200, ImportBody)
    def post(self, data: dict[str, Any], batch_id: uuid.UUID) -> Response:
        """Import the list: all of it, or with `good_rows` the good ones. Needs If-Match.

        With a wrong row and without `good_rows` nothing is written, and the state stays `checked`.
        """
        batch = changed(batch_id)
        set_to_work(batch, State.IMPORTING, good_rows=data["good_rows"])
        return answer(batch)


@imports.route("/<uuid:batch_id>/cancel")
class ImportCancelled(MethodView):
    @guard("tower.import")
    @imports.response(200, ImportBody)
    def post(self, batch_id: uuid.UUID) -> Response:
        """Stop the work on a list, or give it up; nothing of it is written."""
        batch = the_batch(batch_id)
        with transaction() as session:
            batches.cancel(session, batch, by=current_actor(), now=clock.now())
        return answer(batch)


@imports.route("/<uuid:batch_id>/undo")
class ImportUndone(MethodView):
    @guard("tower.import")
    @imports.response(200, ImportBody)
    def post(self, batch_id: uuid.UUID) -> Response:
        """Take an import back, while nothing depends on it. Needs If-Match."""
        batch = changed(batch_id)
        with transaction() as session:
            undoing.start(session, batch, by=current_actor(), now=clock.now())
        return answer(batch)


@imports.route("/<uuid:batch_id>/duplicates/<uuid:duplicate_id>")
class DuplicateDecided(MethodView):
    @guard("tower.import")
    @imports.arguments(DuplicateDecisionSchema)
    @imports.response(200, ImportBody)
    def post(self, data: dict[str, Any], batch_id: uuid.UUID, duplicate_id: uuid.UUID) -> Response:
        """Decide about a probable duplicate: update the tower `code`, register it, or skip it."""
        batch = the_batch(batch_id)
        with transaction() as session:
            review.decide(
                session,
                review.one(session, batch.id, duplicate_id),
                data["decision"],
                code=data["code"],
                move=data["move"],
                by=current_actor(),
                now=clock.now(),
            )
        return answer(batch)
