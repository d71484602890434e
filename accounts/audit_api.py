"""The audit under `/api/v1/audit`, for administrators."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify
from flask.views import MethodView
from marshmallow import fields

from accounts.audit_doors import wanted_of
from core import audit_lists, clock
from core.api import Blueprint, StrictSchema
from core.audit import AuditEntry
from core.db import current_session
from core.guard import current_actor
from core.policy import guard
from core.validation import between, length

entries = Blueprint("api_audit", __name__, url_prefix="/api/v1/audit")


class AuditQuery(StrictSchema):
    """Which entries: `who` is an address, `object` a key or a name, days are local."""

    who = fields.String(load_default="", validate=length(0, 254))
    action = fields.String(load_default="", validate=length(0, 100))
    kind = fields.String(load_default="", validate=length(0, 100))
    object = fields.String(load_default="", validate=length(0, 300))
    since = fields.Date(load_default=None)
    until = fields.Date(load_default=None)
    limit = fields.Integer(load_default=50, validate=between(1, 500))
    cursor = fields.String(load_default=None, validate=length(1, 500))


class AuditBody(StrictSchema):
    """One change: `before` and `after` hold what was written down of it.

    `via` is `session`, `token` with its id, `link`, `job` with its number, or `console`.
    """

    id = fields.Integer(required=True)
    at = fields.DateTime(required=True)
    actor = fields.String(required=True)
    actor_id = fields.String(required=True, allow_none=True)
    action = fields.String(required=True)
    kind = fields.String(required=True)
    object = fields.String(required=True)
    before = fields.Dict(required=True, allow_none=True)
    after = fields.Dict(required=True, allow_none=True)
    address = fields.String(required=True)
    via = fields.String(required=True)
    batch = fields.UUID(required=True, allow_none=True)


class AuditPage(StrictSchema):
    items = fields.List(fields.Nested(AuditBody), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


def body(entry: AuditEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "at": entry.at.isoformat(),
        "actor": entry.actor,
        "actor_id": entry.actor_id,
        "action": entry.action,
        "kind": entry.kind,
        "object": entry.object_id,
        "before": entry.before,
        "after": entry.after,
        "address": entry.address,
        "via": entry.via,
        "batch": str(entry.batch) if entry.batch else None,
    }


@entries.route("")
class Audit(MethodView):
    @guard("audit.view")
    @entries.arguments(AuditQuery, location="query")
    @entries.response(200, AuditPage)
    def get(self, query: dict[str, Any]) -> Response:
        """Who changed what, the latest first."""
        wanted = wanted_of(
            who=query["who"],
            action=query["action"],
            kind=query["kind"],
            thing=query["object"],
            since=query["since"],
            until=query["until"],
        )
        page = audit_lists.listed(
            current_session(),
            current_actor(),
            wanted,
            zone=clock.zone(),
            limit=query["limit"],
            cursor=query["cursor"],
        )
        return jsonify(items=[body(one) for one in page.rows], next_cursor=page.next_cursor)
