"""The API of phones in the field: what they send, under `/api/v1/sync` and `/api/v1/uploads`."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response, jsonify, request
from flask.views import MethodView
from marshmallow import fields
from werkzeug.exceptions import ClientDisconnected

from accounts.rules import SHUT_OUT
from accounts.security import current_device
from accounts.services import devices
from core import clock, store
from core.api import Blueprint, StrictSchema, json_body
from core.db import current_session, transaction
from core.errors import Invalid, TooLarge, UnsupportedMedia
from core.guard import current_actor
from core.policy import guard
from core.validation import length
from core.words import N_
from inspections import operations, photo_uploads
from inspections.doors import ObjectSchema, photo_store
from inspections.field_schemas import moment_of
from inspections.services import sync, uploads
from inspections.services.uploads import Standing, WrongOffset

sync_routes = Blueprint("api_sync", __name__, url_prefix="/api/v1/sync")
upload_routes = Blueprint("api_uploads", __name__, url_prefix="/api/v1/uploads")
receipt_routes = Blueprint("api_receipts", __name__, url_prefix="/api/v1/field/receipts")
BLUEPRINTS = (sync_routes, upload_routes, receipt_routes)
# Where a phone that was revoked, or whose account was disabled, may still bring what it has.
KEPT_FROM_SHUT_OUT = (
    "api_sync.Sync",
    "api_uploads.Uploads",
    "api_uploads.UploadById",
    "api_receipts.Receipts",
)
MOST_RECEIPTS = 200
# The first is that of resumable uploads (tus.io), the second what any program sends.
OCTETS = ("application/offset+octet-stream", "application/octet-stream")


class ResultsSchema(StrictSchema):
    """What became of each operation, in the order in which they were sent."""

    server_time = fields.DateTime(required=True)
    clock_offset_s = fields.Integer(allow_none=True, required=True)
    skewed = fields.Boolean(required=True)
    results = fields.List(fields.Dict(), required=True)


class ReceiptsQuery(StrictSchema):
    """Ids of operations or inspections, with commas between them."""

    ids = fields.String(required=True, validate=length(1, 40 * MOST_RECEIPTS))


class ReceiptsSchema(StrictSchema):
    server_time = fields.DateTime(required=True)
    items = fields.List(fields.Dict(), required=True)


@sync_routes.route("")
class Sync(MethodView):
    @guard("field.send")
    @sync_routes.doc(
        requestBody={
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["operations"],
                        # An operation that is not right is answered as one, beside the others.
                        "properties": {
                            "device_time": {},
                            "app_version": {},
                            "operations": {
                                "type": "array",
                                "maxItems": operations.MOST_OPERATIONS,
                                "items": {},
                            },
                        },
                    }
                }
            },
        }
    )
    @sync_routes.response(200, ResultsSchema)
    def post(self) -> Response:
        """Bring operations home, each in its own transaction; sending them again is harmless."""
        if (request.content_length or 0) > operations.MOST_BYTES:
            raise TooLarge(N_("A batch has at most %(limit)s MB"), limit=2)
        given, now = json_body(request), clock.now()
        if not isinstance(given, dict):
            raise Invalid(fields={"operations": [N_("This is missing.")]})
        sender = operations.sender_of(moment_of(given.get("device_time")), now)
        sent, wrong = operations.read_operations(given.get("operations"))
        if sender.device_id is not None and sender.shut is None:
            version = str(given.get("app_version") or "").replace("\x00", "")
            with transaction() as session:
                devices.seen(session, sender.device_id, app_version=version, now=now)
        results = operations.process(sent, wrong, sender)
        limit = int(store.value_of(current_session(), "clock_skew_s"))
        return jsonify(
            server_time=now.isoformat(),
            clock_offset_s=sender.clock.offset_s,
            skewed=sender.clock.is_skewed(limit),
            results=results,
        )


@receipt_routes.route("")
class Receipts(MethodView):
    @guard("field.send")
    @receipt_routes.arguments(ReceiptsQuery, location="query")
    @receipt_routes.response(200, ReceiptsSchema)
    def get(self, query: dict[str, Any]) -> Response:
        """One's own receipts as they are now: complete once every photo has arrived."""
        try:
            ids = [uuid.UUID(one) for one in query["ids"].split(",") if one]
        except ValueError as error:
            raise Invalid(fields={"ids": [N_("This is not a UUID.")]}) from error
        session = current_session()
        found = sync.receipts_of(session, ids[:MOST_RECEIPTS], by=current_actor())
        safe = sync.safe_photos(session, found)
        return jsonify(
            server_time=clock.now().isoformat(),
            items=[operations.receipt_body(one, safe) for one in found],
        )


def arriving(size: int) -> bytes:
    """So many bytes of the request, none where its sender has gone: nobody reads the answer."""
    try:
        piece: bytes = request.stream.read(size)
    except (OSError, ClientDisconnected):
        return b""
    return piece


def said(photo_id: uuid.UUID, standing: Standing, status: int = 200) -> Response:
    response = jsonify(id=str(photo_id), offset=standing.offset, state=standing.state)
    response.status_code = status
    return response


@upload_routes.route("")
class Uploads(MethodView):
    @guard("field.send")
    @upload_routes.doc(
        requestBody={
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["id", "inspection", "sha256", "byte_size"],
                        "properties": {
                            "id": {"type": "string", "format": "uuid"},
                            "inspection": {"type": "string", "format": "uuid"},
                            "item": {"type": "string", "nullable": True},
                            "sha256": {"type": "string"},
                            "byte_size": {"type": "integer"},
                        },
                    }
                }
            },
        }
    )
    @upload_routes.response(201, ObjectSchema)
    @upload_routes.alt_response(200, schema=ObjectSchema, description="Begun before")
    def post(self) -> Response:
        """Begin to send a photo, or ask how far it is; the inspection may come later."""
        facts = photo_uploads.upload_facts(json_body(request))
        actor, device = current_actor(), current_device()
        with transaction() as session:
            standing, new = uploads.begin(
                session,
                facts,
                folder=photo_uploads.pieces(),
                max_bytes=photo_store().max_bytes,
                by=actor,
                now=clock.now(),
                device_id=device.device_id if device else None,
                quarantined=actor.has(SHUT_OUT),
            )
        response = said(facts.id, standing, 201 if new else 200)
        response.headers["Location"] = f"/api/v1/uploads/{facts.id}"
        return response


@upload_routes.route("/<uuid:photo_id>")
class UploadById(MethodView):
    @guard("field.send")
    @upload_routes.response(200, ObjectSchema)
    def get(self, photo_id: uuid.UUID) -> Response:
        """How far a photo has come."""
        standing = uploads.standing(
            current_session(), photo_id, folder=photo_uploads.pieces(), by=current_actor()
        )
        return said(photo_id, standing)

    @guard("field.send")
    @upload_routes.doc(
        parameters=[
            {
                "in": "header",
                "name": "Upload-Offset",
                "required": True,
                "schema": {"type": "integer", "minimum": 0},
            }
        ],
        requestBody={
            "required": True,
            "content": {OCTETS[1]: {"schema": {"type": "string", "format": "binary"}}},
        },
    )
    @upload_routes.response(200, ObjectSchema)
    def patch(self, photo_id: uuid.UUID) -> Response:
        """Go on with a photo where it ended; the last piece makes it whole, and nothing before.

        The wrong place is answered 409 with the right one; a photo that did not arrive as it was
        sent 422, and it begins again.
        """
        # Whose it is comes first: what is wrong with the bytes is nobody else's business.
        self._standing(photo_id)
        if request.mimetype not in OCTETS:
            raise UnsupportedMedia(
                N_("Send the bytes with the header Content-Type: %(kind)s"), kind=OCTETS[0]
            )
        given = request.headers.get("Upload-Offset", "")
        if not (given.isascii() and given.isdecimal() and len(given) < 12):
            raise Invalid(fields={"Upload-Offset": [N_("This is not a whole number.")]})
        actor = current_actor()
        with transaction() as session:
            upload = uploads.touch(
                session, photo_id, by=actor, now=clock.now(), quarantined=actor.has(SHUT_OUT)
            )
        if upload is None:
            return said(photo_id, self._standing(photo_id))
        path = uploads.path_of(photo_uploads.pieces(), photo_id)
        try:
            size = uploads.append(path, int(given), upload.byte_size, arriving)
        except WrongOffset:
            standing = self._standing(photo_id)
            if standing.safe:
                return said(photo_id, standing)
            raise
        if size < upload.byte_size:
            return said(photo_id, Standing(size, False))
        return said(photo_id, photo_uploads.finish(upload, actor))

    def _standing(self, photo_id: uuid.UUID) -> Standing:
        session = current_session()
        session.expire_all()
        return uploads.standing(
            session, photo_id, folder=photo_uploads.pieces(), by=current_actor()
        )
