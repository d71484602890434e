"""The API of the follow-up list: its rows, who sees to them, filters by a name."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response, jsonify, request
from flask.views import MethodView
from marshmallow import fields

from core import clock, uploads
from core.api import Blueprint, StrictSchema, require_match, with_tag
from core.db import current_session, transaction
from core.errors import Conflict, Invalid, NotFound
from core.guard import current_actor
from core.i18n import translate
from core.policy import guard
from core.validation import one_of
from core.words import N_
from inspections import bodies
from inspections.doors import ItemsSchema, listed
from inspections.models import SavedList
from inspections.queries import follow_up
from inspections.queries.follow_up import WorkFilters
from inspections.schemas import (
    AssignmentSchema,
    FollowUpFilters,
    FollowUpQuery,
    NewSavedListSchema,
    SavedListSchema,
)
from inspections.services import assign, returned, saved_lists
from towers.queries import understood

follow_ups = Blueprint("api_follow_up", __name__, url_prefix="/api/v1/follow-up")


class SavedListBody(SavedListSchema):
    id = fields.UUID(required=True)
    saved_at = fields.DateTime(required=True)
    version = fields.Integer(required=True)


class AssignedBody(StrictSchema):
    rows = fields.Integer(required=True)
    changed = fields.Integer(required=True)


class ReturnedRow(StrictSchema):
    """A filled row: `verdict` is new, same (claimed before) or wrong, with the reason."""

    row = fields.Integer(required=True)
    violation = fields.UUID(required=True, allow_none=True)
    tower = fields.String(required=True)
    verdict = fields.String(required=True, validate=one_of(list(returned.Verdict)))
    claim = fields.String(required=True)
    reason = fields.String(required=True)


class AssignPreviewBody(StrictSchema):
    """What a returned list would change, or has changed where it was `written`."""

    export = fields.UUID(required=True)
    digest = fields.String(required=True)
    written = fields.Boolean(required=True)
    untouched = fields.Integer(required=True)
    rows = fields.List(fields.Nested(ReturnedRow), required=True)


@follow_ups.route("")
class FollowUp(MethodView):
    @guard("violation.view")
    @follow_ups.arguments(FollowUpQuery, location="query")
    @follow_ups.response(200, ItemsSchema)
    def get(self, query: dict[str, Any]) -> Response:
        """Open violations and unanswered assessments, the most urgent first."""
        session, actor = current_session(), current_actor()
        page = follow_up.follow_up(
            session,
            actor,
            understood(session, actor, query["filters"]),
            today=clock.today(),
            limit=query["limit"],
            cursor=query["cursor"],
        )
        return listed([bodies.follow_up_body(row) for row in page.rows], page.next_cursor)


@follow_ups.route("/assignments")
class Assignments(MethodView):
    @guard("violation.assign")
    @follow_ups.arguments(AssignmentSchema)
    @follow_ups.response(200, AssignedBody)
    def post(self, data: dict[str, Any]) -> Response:
        """Give rows to an inspector, all or none; the same again changes nothing.

        Each row names who saw to it when it was looked at: a 409 says that this has changed.
        """
        session, actor, today = current_session(), current_actor(), clock.today()
        seen = {row["id"]: row["assignee"] for row in data["rows"]}
        filters = WorkFilters(include_dismantled=True, ids=tuple(seen))
        with transaction():
            plan = assign.plan(session, filters, data["assignee"], by=actor, today=today)
            found = {row.id: row.assignee_id for row in plan.rows}
            unknown = sorted(str(one) for one in set(seen) - set(found))
            if unknown:
                message = N_("These rows are not open, or not yours to see: %(rows)s")
                raise Invalid(message, rows=", ".join(unknown[:20]))
            # What is asked for already may have been done by this very request.
            if any(found[one] not in {was, data["assignee"]} for one, was in seen.items()):
                raise Conflict(assign.CHANGED)
            assign.assign(
                session,
                filters,
                data["assignee"],
                seen=plan.digest,
                by=actor,
                now=clock.now(),
                today=today,
            )
        return jsonify(rows=len(plan.rows), changed=len(plan.changing))


@follow_ups.route("/returned")
class Returned(MethodView):
    @guard("violation.claim")
    @follow_ups.doc(
        requestBody={
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": ["file"],
                        "properties": {
                            "file": {"type": "string", "format": "binary"},
                            "seen": {"type": "string"},
                            "good_rows": {"type": "string", "enum": ["1"]},
                        },
                    }
                }
            },
        }
    )
    @follow_ups.response(200, AssignPreviewBody)
    def post(self) -> Response:
        """Read an exported workbook back that was filled in; its claims close nothing.

        Without `seen` it only says what would change, with the `digest` of that. Sent again with
        that digest as `seen` it writes the claims; with wrong rows only where `good_rows` is 1.
        """
        session, actor, today = current_session(), current_actor(), clock.today()
        upload = uploads.keep()
        seen = request.form.get("seen")
        try:
            if seen is None:
                found = returned.preview(
                    session, upload.path, upload.filename, by=actor, today=today
                )
            else:
                with transaction():
                    found = returned.claim(
                        session,
                        upload.path,
                        upload.filename,
                        seen=seen,
                        good_rows=request.form.get("good_rows") == "1",
                        by=actor,
                        now=clock.now(),
                        today=today,
                    )
        finally:
            upload.discard()
        return jsonify(preview_body(found, written=seen is not None))


def preview_body(found: returned.Preview, *, written: bool) -> dict[str, Any]:
    return {
        "export": str(found.export.id),
        "digest": found.digest,
        "written": written,
        "untouched": found.untouched,
        "rows": [
            {
                "row": one.filled.row,
                "violation": str(one.violation.id) if one.violation else None,
                "tower": one.filled.code,
                "verdict": str(one.verdict),
                "claim": one.claim,
                "reason": translate(one.reason, **one.facts),
            }
            for one in found.rows
        ],
    }


@follow_ups.route("/saved")
class SavedLists(MethodView):
    @guard("saved_list.view")
    @follow_ups.response(200, ItemsSchema)
    def get(self) -> Response:
        """The lists that you have saved, by name; at most 100."""
        found = saved_lists.lists_of(current_session(), current_actor())
        return listed([saved_body(one) for one in found], None)

    @guard("saved_list.save")
    @follow_ups.arguments(NewSavedListSchema)
    @follow_ups.response(201, SavedListBody)
    @follow_ups.alt_response(200, schema=SavedListBody, description="Sent before")
    def post(self, data: dict[str, Any]) -> Response:
        """Save filters by a name under an id of yours; sending it again is harmless."""
        with transaction() as session:
            saved, new = saved_lists.save(
                session,
                data["id"],
                data["name"],
                checked(data["query"]),
                by=current_actor(),
                now=clock.now(),
            )
        response = saved_answer(saved, 201 if new else 200)
        response.headers["Location"] = f"/api/v1/follow-up/saved/{saved.id}"
        return response


@follow_ups.route("/saved/<uuid:saved_id>")
class SavedListById(MethodView):
    @guard("saved_list.view")
    @follow_ups.response(200, SavedListBody)
    def get(self, saved_id: uuid.UUID) -> Response:
        """A saved list, yours or one whose id somebody gave you."""
        saved = saved_lists.shared_list(current_session(), saved_id)
        if saved is None:
            raise NotFound()
        return saved_answer(saved)

    @guard("saved_list.save")
    @follow_ups.arguments(SavedListSchema)
    @follow_ups.response(200, SavedListBody)
    def put(self, data: dict[str, Any], saved_id: uuid.UUID) -> Response:
        """Give your list another name or other filters. Needs If-Match."""
        with transaction() as session:
            saved = own(saved_id)
            saved_lists.change(
                session,
                saved,
                data["name"],
                checked(data["query"]),
                by=current_actor(),
                now=clock.now(),
            )
        return saved_answer(saved)

    @guard("saved_list.save")
    @follow_ups.response(204)
    def delete(self, saved_id: uuid.UUID) -> Response:
        """Remove your list. Needs If-Match."""
        with transaction() as session:
            saved_lists.remove(session, own(saved_id), by=current_actor(), now=clock.now())
        return Response(status=204)


def own(saved_id: uuid.UUID) -> SavedList:
    """The reader's own list, held, in the version that a request names."""
    session = current_session()
    saved = saved_lists.own_list(session, current_actor(), saved_id)
    if saved is None:
        raise NotFound()
    session.refresh(saved, with_for_update=True)
    require_match(request.headers.get("If-Match"), saved.version)
    return saved


def checked(query: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    """Filters that the list has; raises `Invalid` for others."""
    unknown = sorted(set(query) - set(FollowUpFilters().fields))
    if unknown:
        message = N_("The list has no filters named %(names)s")
        raise Invalid(fields={"query": [(message, {"names": ", ".join(unknown)})]})
    return query


def saved_body(saved: SavedList) -> dict[str, Any]:
    return {
        "id": str(saved.id),
        "name": saved.name,
        "query": saved.query,
        "saved_at": saved.saved_at.isoformat(),
        "version": saved.version,
    }


def saved_answer(saved: SavedList, status: int = 200) -> Response:
    response = jsonify(saved_body(saved))
    response.status_code = status
    return with_tag(response, saved.version)
