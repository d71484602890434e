"""The owner's side of the API: by the link of a notice without an account, and with an account."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response, jsonify
from flask.views import MethodView

from core import clock
from core.api import Blueprint
from core.db import current_session
from core.guard import current_actor
from core.i18n import current_language
from core.pages import large_body
from core.policy import PUBLIC, guard
from inspections.doors import ItemsSchema, ObjectSchema, listed, notice_file
from inspections.notice_models import Notice
from inspections.queries import own_notices
from inspections.replying import (
    FILE_LIMIT,
    body_of,
    hidden,
    photo_file,
    said,
    speaker_by_account,
    speaker_by_link,
    take_reply,
)
from inspections.rules.notice import ReplyKind
from inspections.rules.violation import is_overdue
from inspections.schemas import PageQuery
from inspections.services.notice_replies import Speaker
from inspections.texts import item_texts

by_link = Blueprint("api_notice_links", __name__, url_prefix="/api/v1/notice-links")
by_account = Blueprint("api_own_notices", __name__, url_prefix="/api/v1/own-notices")
BLUEPRINTS = (by_link, by_account)
# What answers without sign-in to whoever holds the link.
BY_LINK = tuple(
    f"api_notice_links.{name}" for name in ("Linked", "LinkReplies", "LinkPhoto", "LinkFile")
)
# Nothing but the token in the address is asked for.
WITHOUT_ACCOUNT: dict[str, Any] = {"security": []}
BINARY = {"type": "string", "format": "binary"}
FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["id", "violation", "kind", "name", "text"],
                    "properties": {
                        "id": {"type": "string", "format": "uuid"},
                        "violation": {"type": "string", "format": "uuid"},
                        "kind": {"type": "string", "enum": list(ReplyKind)},
                        "name": {"type": "string", "minLength": 1, "maxLength": 200},
                        "text": {"type": "string", "minLength": 1, "maxLength": 4000},
                        "wanted_on": {"type": "string", "format": "date"},
                        "files": {"type": "array", "items": BINARY, "maxItems": 8},
                    },
                }
            }
        },
    }
}
AGAIN: dict[str, Any] = {"schema": ObjectSchema, "description": "Sent before: the same again"}


def replied(speaker: Speaker) -> Response:
    reply, new = take_reply(speaker)
    response = jsonify(said(reply))
    response.status_code = 201 if new else 200
    return response


@by_link.route("/<token>")
class Linked(MethodView):
    @guard(PUBLIC)
    @by_link.doc(**WITHOUT_ACCOUNT)
    @by_link.response(200, ObjectSchema)
    def get(self, token: str) -> Response:
        """The notice that a link opens, with what can be answered about each violation.

        An unknown link answers as one that has ended or was revoked: 404.
        """
        return hidden(jsonify(body_of(speaker_by_link(token))))


@by_link.route("/<token>/replies")
class LinkReplies(MethodView):
    @guard(PUBLIC)
    @large_body(FILE_LIMIT, known=speaker_by_link)
    @by_link.doc(**WITHOUT_ACCOUNT, **FORM)
    @by_link.response(201, ObjectSchema)
    @by_link.alt_response(200, **AGAIN)
    def post(self, token: str) -> Response:
        """Report that something is fixed (with files), or ask for more time until `wanted_on`.

        The id is made by the client: sending the same again is harmless. It closes nothing.
        """
        return hidden(replied(speaker_by_link(token)))


@by_link.route("/<token>/photos/<uuid:photo_id>")
class LinkPhoto(MethodView):
    @guard(PUBLIC)
    @by_link.doc(**WITHOUT_ACCOUNT)
    @by_link.response(200, BINARY, content_type="image/jpeg")
    def get(self, token: str, photo_id: uuid.UUID) -> Response:
        """A photo of a finding that the notice is about."""
        return hidden(photo_file(speaker_by_link(token), photo_id))


@by_link.route("/<token>/notice.<form>")
class LinkFile(MethodView):
    @guard(PUBLIC)
    @by_link.doc(**WITHOUT_ACCOUNT)
    @by_link.response(200, BINARY, content_type="application/octet-stream")
    def get(self, token: str, form: str) -> Response:
        """The notice as it was issued, `pdf` or `docx`."""
        return hidden(notice_file(speaker_by_link(token).notice, form))


def head(notice: Notice) -> dict[str, Any]:
    assert notice.issued_on is not None
    return {
        "id": str(notice.id),
        "reference": notice.reference,
        "issued_on": notice.issued_on.isoformat(),
        "served_on": notice.served_on.isoformat() if notice.served_on else None,
    }


@by_account.route("")
class OwnNotices(MethodView):
    @guard("own_notice.view")
    @by_account.arguments(PageQuery, location="query")
    @by_account.response(200, ItemsSchema)
    def get(self, query: dict[str, Any]) -> Response:
        """The notices in force to the reader's organisation, the last issued first."""
        page = own_notices.own_notices(current_session(), current_actor(), **query)
        return listed([head(one) for one in page.rows], page.next_cursor)


@by_account.route("/violations")
class OwnViolations(MethodView):
    @guard("own_violation.view")
    @by_account.arguments(PageQuery, location="query")
    @by_account.response(200, ItemsSchema)
    def get(self, query: dict[str, Any]) -> Response:
        """What is open of what the notices ask for, the earliest deadline first."""
        session, today = current_session(), clock.today()
        page = own_notices.own_violations(session, current_actor(), **query)
        items = item_texts(session, current_language())
        return listed(
            [
                {
                    "id": str(one.id),
                    "notice": str(notice.id),
                    "tower": one.tower.code,
                    "item": one.item_key,
                    "what": items.of(one.checklist_version_id, one.item_key),
                    "detail": one.detail,
                    "severity": one.severity,
                    "stage": one.stage,
                    "deadline": one.deadline.isoformat(),
                    "overdue": is_overdue(one.deadline, today),
                }
                for one, notice in page.rows
            ],
            page.next_cursor,
        )


@by_account.route("/<uuid:own_notice_id>")
class OwnNotice(MethodView):
    @guard("own_notice.view")
    @by_account.response(200, ObjectSchema)
    def get(self, own_notice_id: uuid.UUID) -> Response:
        """One notice to the reader's organisation, with what can be answered."""
        return jsonify(body_of(speaker_by_account(own_notice_id)))


@by_account.route("/<uuid:own_notice_id>/replies")
class OwnReplies(MethodView):
    @guard("own_notice.answer")
    @large_body(FILE_LIMIT)
    @by_account.doc(**FORM)
    @by_account.response(201, ObjectSchema)
    @by_account.alt_response(200, **AGAIN)
    def post(self, own_notice_id: uuid.UUID) -> Response:
        """The same as with the link, in the name of the account."""
        return replied(speaker_by_account(own_notice_id))


@by_account.route("/<uuid:own_notice_id>/photos/<uuid:photo_id>")
class OwnPhoto(MethodView):
    @guard("own_notice.view")
    @by_account.response(200, BINARY, content_type="image/jpeg")
    def get(self, own_notice_id: uuid.UUID, photo_id: uuid.UUID) -> Response:
        """A photo of a finding that the notice is about."""
        return photo_file(speaker_by_account(own_notice_id), photo_id)


@by_account.route("/<uuid:own_notice_id>/notice.<form>")
class OwnFile(MethodView):
    @guard("own_notice.view")
    @by_account.response(200, BINARY, content_type="application/octet-stream")
    def get(self, own_notice_id: uuid.UUID, form: str) -> Response:
        """The notice as it was issued, `pdf` or `docx`."""
        return notice_file(speaker_by_account(own_notice_id).notice, form)
