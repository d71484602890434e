"""The API of exports: ask for a list as a file, see how far it is, fetch it."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response, jsonify
from flask.views import MethodView
from marshmallow import fields

from core import clock
from core import exports as exporting
from core.api import Blueprint, StrictSchema, with_tag
from core.db import current_session, transaction
from core.downloads import FILES, PRINTED_FORMS, is_long
from core.errors import Conflict
from core.exports import Export
from core.guard import current_actor
from core.i18n import translate
from core.policy import guard
from core.validation import between, length, one_of
from core.words import N_
from towers.downloads import begin_export
from towers.export_jobs import file_of, taken, the_export

exports = Blueprint("api_exports", __name__, url_prefix="/api/v1/exports")


class ExportQuery(StrictSchema):
    limit = fields.Integer(load_default=50, validate=between(1, 500))
    cursor = fields.String(load_default=None, validate=length(1, 500))


class AskedExport(StrictSchema):
    """A list to be made as a file: `query` holds the arguments of the list's address."""

    id = fields.UUID(required=True)
    what = fields.String(required=True, validate=one_of(("tower", "violation")))
    format = fields.String(required=True, validate=one_of(sorted(FILES)))
    query = fields.Dict(
        keys=fields.String(validate=length(1, 40)),
        values=fields.List(fields.String(validate=length(0, 200)), validate=length(0, 200)),
        load_default=dict,
    )


class ExportBody(StrictSchema):
    id = fields.UUID(required=True)
    what = fields.String(required=True)
    format = fields.String(required=True)
    query = fields.Dict(required=True)
    state = fields.String(required=True)
    rows = fields.Integer(required=True, allow_none=True)
    size = fields.Integer(required=True, allow_none=True)
    written = fields.Integer(required=True, allow_none=True)
    error = fields.String(required=True, allow_none=True)
    file = fields.String(required=True, allow_none=True)
    created_at = fields.DateTime(required=True)
    finished_at = fields.DateTime(required=True, allow_none=True)
    by = fields.String(required=True)
    version = fields.Integer(required=True)


class ExportPage(StrictSchema):
    items = fields.List(fields.Nested(ExportBody), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


def body(export: Export) -> dict[str, Any]:
    progress = exporting.progress_of(current_session(), export) if export.at_work else None
    error = export.error
    return {
        "id": str(export.id),
        "what": export.what,
        "format": export.format,
        "query": export.query,
        "state": export.state,
        "rows": export.rows,
        "size": export.size,
        "written": progress.done if progress else None,
        "error": translate(error["message"], **error["facts"]) if error else None,
        "file": f"/api/v1/exports/{export.id}/file" if export.has_file else None,
        "created_at": export.created_at.isoformat(),
        "finished_at": export.finished_at.isoformat() if export.finished_at else None,
        "by": export.actor,
        "version": export.version,
    }


def answer(export: Export, status: int = 200) -> Response:
    response = jsonify(body(export))
    response.status_code = status
    return with_tag(response, export.version)


@exports.route("")
class Exports(MethodView):
    @guard("export.view")
    @exports.arguments(ExportQuery, location="query")
    @exports.response(200, ExportPage)
    def get(self, query: dict[str, Any]) -> Response:
        """What you took along, the latest first."""
        page = exporting.listed(current_session(), current_actor(), **query)
        return jsonify(items=[body(one) for one in page.rows], next_cursor=page.next_cursor)

    @guard("export.make")
    @exports.arguments(AskedExport)
    @exports.response(202, ExportBody)
    @exports.alt_response(200, schema=ExportBody, description="Asked for before")
    def post(self, data: dict[str, Any]) -> Response:
        """Have a list made by the worker under an id of yours, then look at its state.

        Sending it again is harmless.
        """
        session, actor = current_session(), current_actor()
        known = session.get(Export, data["id"])
        if known is not None:
            same = (known.what, known.format, known.query) == (
                data["what"],
                data["format"],
                data["query"],
            )
            if not same or known.actor_id != str(actor.id):
                raise Conflict(N_("Another list was asked for under this id"))
            return answer(known)
        taking = taken(data["what"], PRINTED_FORMS[data["format"]], data["query"], actor)
        # Refused before it is written down.
        is_long(session, taking.table, taking.form)
        export = begin_export(taking, put_off=True, export_id=data["id"])
        response = answer(export, 202)
        response.headers["Location"] = f"/api/v1/exports/{export.id}"
        return response


@exports.route("/<uuid:export_id>")
class ExportById(MethodView):
    @guard("export.view")
    @exports.response(200, ExportBody)
    def get(self, export_id: uuid.UUID) -> Response:
        """How a list stands: its rows, its progress, and where its file is."""
        return answer(the_export(export_id))


@exports.route("/<uuid:export_id>/file")
class ExportFile(MethodView):
    @guard("export.view")
    @exports.response(200)
    def get(self, export_id: uuid.UUID) -> Response:
        """The file of a list that the worker made, until it is cleared away."""
        return file_of(the_export(export_id))


@exports.route("/<uuid:export_id>/cancel")
class ExportCancelled(MethodView):
    @guard("export.view")
    @exports.response(200, ExportBody)
    def post(self, export_id: uuid.UUID) -> Response:
        """Make a list no further; a 409 where it is not being made."""
        with transaction() as session:
            export = the_export(export_id)
            exporting.cancel(session, export, by=current_actor(), now=clock.now())
        return answer(export)
