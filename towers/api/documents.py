"""The API of documents under `/api/v1/documents`."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response, jsonify, request, send_file
from flask.views import MethodView
from marshmallow import ValidationError, fields, validates_schema

from core import clock
from core.api import Blueprint, StrictSchema, form_sha256, form_uuid
from core.db import current_session, transaction
from core.errors import Invalid, NotFound
from core.file_types import PICTURES
from core.guard import current_actor
from core.policy import guard
from core.validation import length
from core.words import N_
from towers.doors import arriving_file, document_store, the_document, the_proposal, the_tower
from towers.models import Document, Tower, TowerProposal
from towers.queries import documents as queries
from towers.rules import DocumentKind
from towers.services import documents as services

documents = Blueprint("api_documents", __name__, url_prefix="/api/v1/documents")

# Nothing in a file that somebody sent may run or ask anybody for anything.
SEALED = (
    "default-src 'none'; script-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self';"
    " base-uri 'none'; form-action 'none'; sandbox"
)


class DocumentQuery(StrictSchema):
    """Whose documents: those of a tower or of a proposal."""

    tower = fields.String(validate=length(1, 64))
    proposal = fields.UUID()

    @validates_schema
    def one_place(self, data: dict[str, Any], **kwargs: Any) -> None:
        if len(data) != 1:
            raise ValidationError({"tower": [N_("Name either a tower or a proposal")]})


class RemovalSchema(StrictSchema):
    reason = fields.String(required=True, validate=length(1, 1000))


class DocumentBody(StrictSchema):
    """A document; its file is at `file`. `removed` says when and why, for those who may remove."""

    id = fields.UUID(required=True)
    tower = fields.String(allow_none=True, required=True)
    proposal = fields.UUID(allow_none=True, required=True)
    kind = fields.String(required=True)
    title = fields.String(required=True)
    filename = fields.String(required=True)
    media_type = fields.String(required=True)
    size = fields.Integer(required=True)
    sha256 = fields.String(required=True)
    received_at = fields.DateTime(required=True)
    file = fields.String(required=True)
    thumbnail = fields.String(allow_none=True, required=True)
    removed = fields.Dict(allow_none=True, required=True)


class DocumentPage(StrictSchema):
    items = fields.List(fields.Nested(DocumentBody), required=True)


def body(document: Document) -> dict[str, Any]:
    path = f"/api/v1/documents/{document.id}"
    return {
        "id": str(document.id),
        "tower": document.tower.code if document.tower else None,
        "proposal": str(document.proposal_id) if document.proposal_id else None,
        "kind": document.kind,
        "title": document.title,
        "filename": document.filename,
        "media_type": document.media_type,
        "size": document.byte_size,
        "sha256": document.sha256.hex(),
        "received_at": document.received_at.isoformat(),
        "file": f"{path}/full",
        "thumbnail": f"{path}/thumbnail" if document.media_type in PICTURES else None,
        "removed": {"at": document.removed_at.isoformat(), "reason": document.removed_reason}
        if document.removed_at
        else None,
    }


def form_place() -> tuple[Tower | None, TowerProposal | None]:
    """The tower or the proposal that the form names."""
    code = request.form.get("tower", "")
    if bool(code) == bool(request.form.get("proposal")):
        message = N_("Name either a tower or a proposal")
        raise Invalid(message, fields={"tower": [message]})
    if code:
        return the_tower(code), None
    return None, the_proposal(form_uuid("proposal"))


@documents.route("")
class Documents(MethodView):
    @guard("document.view")
    @documents.arguments(DocumentQuery, location="query")
    @documents.response(200, DocumentPage)
    def get(self, query: dict[str, Any]) -> Response:
        """The documents of a tower or of a proposal, the latest first."""
        tower = the_tower(query["tower"]) if "tower" in query else None
        proposal = the_proposal(query["proposal"]) if "proposal" in query else None
        found = queries.documents(
            current_session(),
            current_actor(),
            tower_id=tower.id if tower else None,
            proposal_id=proposal.id if proposal else None,
        )
        return jsonify(items=[body(one) for one in found])

    @guard("document.add")
    @documents.doc(
        requestBody={
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": ["id", "kind", "file"],
                        "properties": {
                            "id": {"type": "string", "format": "uuid"},
                            "tower": {"type": "string"},
                            "proposal": {"type": "string", "format": "uuid"},
                            "kind": {"type": "string", "enum": list(DocumentKind)},
                            "title": {"type": "string"},
                            "sha256": {"type": "string"},
                            "file": {"type": "string", "format": "binary"},
                        },
                    }
                }
            },
        }
    )
    @documents.response(201, DocumentBody)
    @documents.alt_response(200, schema=DocumentBody, description="Sent before")
    def post(self) -> Response:
        """Add a file under the id its device made; sending it again is harmless."""
        document_id, expected = form_uuid("id"), form_sha256()
        tower, proposal = form_place()
        filename, arriving = arriving_file()
        with arriving as arrival:
            sent = services.checked(arrival, filename, document_store())
            with transaction() as session:
                made, new = services.add_document(
                    session,
                    document_id,
                    sent,
                    tower=tower,
                    proposal=proposal,
                    kind=request.form.get("kind", ""),
                    title=request.form.get("title", ""),
                    sha256=expected,
                    store=document_store(),
                    by=current_actor(),
                    now=clock.now(),
                )
        response = jsonify(body(made))
        response.status_code = 201 if new else 200
        response.headers["Location"] = f"/api/v1/documents/{document_id}"
        return response


@documents.route("/<uuid:document_id>")
class DocumentById(MethodView):
    @guard("document.view")
    @documents.response(200, DocumentBody)
    def get(self, document_id: uuid.UUID) -> Response:
        """What is known of a document."""
        return jsonify(body(the_document(document_id)))


@documents.route("/<uuid:document_id>/<variant>")
class DocumentFile(MethodView):
    @guard("document.view")
    @documents.response(
        200, {"type": "string", "format": "binary"}, content_type="application/octet-stream"
    )
    def get(self, document_id: uuid.UUID, variant: str) -> Response:
        """The file, `full`: a picture to be shown, without hidden data; anything else to be saved.

        `thumbnail` is a small copy of a picture.
        """
        found = the_document(document_id)
        picture = found.media_type in PICTURES
        if variant not in ({"full", "thumbnail"} if picture else {"full"}):
            raise NotFound()
        path = document_store().path(found.sha256, variant if picture else "original")
        if not path.exists():
            raise NotFound(N_("The file of this document is missing: restore it from the backup"))
        stem = found.filename.rpartition(".")[0]
        response = send_file(
            path,
            mimetype="image/jpeg" if picture else found.media_type,
            as_attachment=not picture,
            download_name=f"{stem}.jpg" if picture else found.filename,
            conditional=True,
            max_age=86_400,
        )
        response.headers["Content-Security-Policy"] = SEALED
        response.cache_control.private, response.cache_control.public = True, False
        return response


@documents.route("/<uuid:document_id>/removal")
class DocumentRemoval(MethodView):
    @guard("document.remove")
    @documents.arguments(RemovalSchema)
    @documents.response(200, DocumentBody)
    def post(self, data: dict[str, Any], document_id: uuid.UUID) -> Response:
        """Take a document out of sight, with a reason; its file is kept."""
        with transaction() as session:
            found = the_document(document_id)
            session.refresh(found, with_for_update={"of": Document})
            services.remove_document(
                session, found, reason=data["reason"], by=current_actor(), now=clock.now()
            )
        return jsonify(body(found))
