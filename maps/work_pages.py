"""The doors of the work beside the map: its towers as a list, and what is done with them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, jsonify, request
from sqlalchemy import Row

from core import clock
from core.db import current_session
from core.guard import current_actor
from core.policy import guard
from inspections.queries import campaigns
from inspections.rules.campaign import OPEN
from maps.doors import asked_envelope, map_filters
from maps.queries import worst_first
from towers import lists
from towers.doors import effective

blueprint = Blueprint("map_work", __name__)
ROWS = 50


@blueprint.get("/map/list.json")
@guard("tower.view")
def tower_list() -> Response:
    """The towers of a view that match the filters, the worst first, and how many there are: of
    many only with the first of them."""
    session, actor, today = current_session(), current_actor(), clock.today()
    filters = replace(map_filters(), bbox=asked_envelope())
    cursor = request.args.get("cursor")
    page = worst_first.page(session, actor, filters, today=today, limit=ROWS, cursor=cursor)
    said: dict[str, Any] = {"rows": [row_body(one) for one in page.rows], "next": page.next_cursor}
    if page.number is not None:
        said["count"] = {"number": page.number, "more": False}
    elif not cursor:
        counted = lists.counted(
            session, actor, filters, today=today, at_least=worst_first.MOST_SORTED
        )
        said["count"] = {"number": counted.number, "more": counted.more}
    return jsonify(said)


@blueprint.get("/map/campaigns.json")
@guard("campaign.plan")
def open_campaigns() -> Response:
    """The campaigns to which the towers of the map can be added."""
    found = campaigns.choices(current_session(), current_actor(), OPEN)
    return jsonify(campaigns=[{"id": str(key), "name": name} for key, name in found])


def row_body(row: Row[Any]) -> dict[str, Any]:
    today = clock.today()
    condition, reason = effective(row, today)
    return {
        "id": str(row.id),
        "code": row.code,
        "name": row.name,
        "condition": condition,
        "reason": reason,
        "severity": row.worst_severity,
        "deadline": row.next_deadline.isoformat() if row.next_deadline else None,
        "overdue": bool(row.next_deadline and row.next_deadline < today),
        "latitude": round(row.latitude, 6),
        "longitude": round(row.longitude, 6),
    }
