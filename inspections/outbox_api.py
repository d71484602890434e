"""The API of messages about deadlines."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response, jsonify, request
from flask.views import MethodView
from marshmallow import fields

from core import clock
from core.api import Blueprint, StrictSchema, require_match, with_tag
from core.db import current_session, transaction
from core.errors import NotFound
from core.guard import current_actor
from core.i18n import translate
from core.policy import guard
from core.validation import one_of
from inspections.queries import outbox as queries
from inspections.reminder_models import Reminder
from inspections.rules.reminding import Audience, ReminderKind, ReminderState
from inspections.schemas import PageQuery
from inspections.services import outbox as messages

outbox = Blueprint("api_outbox", __name__, url_prefix="/api/v1/outbox")


class OutboxQuery(PageQuery):
    state = fields.List(fields.String(validate=one_of(list(ReminderState))), load_default=list)
    kind = fields.List(fields.String(validate=one_of(list(ReminderKind))), load_default=list)


class ReminderBody(StrictSchema):
    """A message: `error` says why it waits or was not delivered.

    It is about a violation or about an assessment; about neither where the request for an
    assessment was taken back. `due_at` is the end of an emergency's hours.
    """

    id = fields.UUID(required=True)
    tower = fields.String(required=True)
    violation = fields.UUID(required=True, allow_none=True)
    assessment = fields.UUID(required=True, allow_none=True)
    audience = fields.String(required=True, validate=one_of(list(Audience)))
    kind = fields.String(required=True, validate=one_of(list(ReminderKind)))
    deadline = fields.Date(required=True)
    due_at = fields.DateTime(required=True, allow_none=True)
    recipient = fields.String(required=True)
    subject = fields.String(required=True)
    body = fields.String(required=True)
    message_id = fields.String(required=True)
    state = fields.String(required=True, validate=one_of(list(ReminderState)))
    attempts = fields.Integer(required=True)
    next_try_at = fields.DateTime(required=True)
    error = fields.String(required=True)
    created_at = fields.DateTime(required=True)
    sent_at = fields.DateTime(required=True, allow_none=True)
    version = fields.Integer(required=True)


class ReminderPage(StrictSchema):
    items = fields.List(fields.Nested(ReminderBody), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


def body(one: Reminder) -> dict[str, Any]:
    return {
        "id": str(one.id),
        "tower": one.tower.code,
        "violation": str(one.violation_id) if one.violation_id else None,
        "assessment": str(one.assessment_id) if one.assessment_id else None,
        "audience": one.audience,
        "kind": one.kind,
        "deadline": one.deadline.isoformat(),
        "due_at": one.due_at.isoformat() if one.due_at else None,
        "recipient": one.recipient,
        "subject": one.subject,
        "body": one.body,
        "message_id": one.message_id,
        "state": one.state,
        "attempts": one.attempts,
        "next_try_at": one.next_try_at.isoformat(),
        "error": translate(one.error),
        "created_at": one.created_at.isoformat(),
        "sent_at": one.sent_at.isoformat() if one.sent_at else None,
        "version": one.version,
    }


def the_reminder(reminder_id: uuid.UUID) -> Reminder:
    found = queries.reminder(current_session(), current_actor(), reminder_id)
    if found is None:
        raise NotFound()
    return found


@outbox.route("")
class Outbox(MethodView):
    @guard("reminder.view")
    @outbox.arguments(OutboxQuery, location="query")
    @outbox.response(200, ReminderPage)
    def get(self, query: dict[str, Any]) -> Response:
        """Messages about deadlines, the latest first."""
        page = queries.reminders(current_session(), current_actor(), **query)
        return jsonify(items=[body(one) for one in page.rows], next_cursor=page.next_cursor)


@outbox.route("/<uuid:reminder_id>")
class ReminderById(MethodView):
    @guard("reminder.view")
    @outbox.response(200, ReminderBody)
    def get(self, reminder_id: uuid.UUID) -> Response:
        """One message."""
        found = the_reminder(reminder_id)
        return with_tag(jsonify(body(found)), found.version)


@outbox.route("/<uuid:reminder_id>/retry")
class ReminderRetried(MethodView):
    @guard("reminder.retry")
    @outbox.response(200, ReminderBody)
    def post(self, reminder_id: uuid.UUID) -> Response:
        """Try a message that failed once more. Needs If-Match; a 409 for any other."""
        with transaction() as session:
            found = the_reminder(reminder_id)
            session.refresh(found, with_for_update={"of": Reminder})
            require_match(request.headers.get("If-Match"), found.version)
            messages.retry(session, found, by=current_actor(), now=clock.now())
        return with_tag(jsonify(body(found)), found.version)
