"""The history of a tower, and the tower as it was at a moment."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify
from flask.views import MethodView

from core.api import Blueprint
from core.audit import AuditEntry
from core.db import current_session
from core.policy import guard
from core.timelines import TimelinePage, TimelineQuery, timeline_answer
from towers.doors import the_tower
from towers.part_schemas import HistoryPage, HistoryQuery
from towers.queries import history
from towers.services import parts


def entry_body(entry: AuditEntry) -> dict[str, Any]:
    origin = entry.after or {}
    return {
        "id": entry.id,
        "at": entry.at.isoformat(),
        "actor": entry.actor,
        "action": entry.action,
        "batch": str(entry.batch) if entry.batch else origin.get("import"),
        "proposal": origin.get("proposal"),
        "changes": [
            {"name": name, "before": before, "after": after}
            for name, before, after in history.changes(entry)
        ],
    }


def add_to(blueprint: Blueprint) -> None:
    """Add the history below the address of a tower."""

    @blueprint.route("/<code>/history", endpoint="history")
    class History(MethodView):
        @guard("tower.view")
        @blueprint.arguments(HistoryQuery, location="query")
        @blueprint.response(200, HistoryPage)
        def get(self, query: dict[str, Any], code: str) -> Response:
            """The changes of a tower; `at` (ISO 8601) ends them there and gives its values then."""
            session, tower = current_session(), the_tower(code)
            page = history.entries(
                session, tower, until=query["at"], limit=query["limit"], cursor=query["cursor"]
            )
            found: dict[str, Any] = {
                "items": [entry_body(entry) for entry in page.rows],
                "next_cursor": page.next_cursor,
            }
            if query["at"] is not None:
                now = parts.state(session, tower)
                found["state"] = history.state_at(session, tower, now, query["at"])
            return jsonify(found)

    @blueprint.route("/<code>/timeline", endpoint="timeline")
    class OfTower(MethodView):
        @guard("tower.view")
        @blueprint.arguments(TimelineQuery, location="query")
        @blueprint.response(200, TimelinePage)
        def get(self, query: dict[str, Any], code: str) -> Response:
            """What happened to a tower: its register, inspections, violations, assignments."""
            return timeline_answer("tower", the_tower(code), query)
