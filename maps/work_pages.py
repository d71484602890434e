"""The doors of the work beside the map: its towers as a list, and what is done with them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from flask import Blueprint, Response, jsonify, request
from sqlalchemy import Row

from core import clock
from core.db import current_session
from core.guard import current_actor
from core.policy import guard
from inspections.queries import campaigns
from inspections.rules.campaign import OPEN
from maps.doors import asked_envelope, asked_then, map_filters
from maps.queries import worst_first
from towers import lists
from towers.doors import effective

blueprint = Blueprint("map_work", __name__)
ROWS = 50


@blueprint.get("/map/list.json")
@guard("tower.view")
def tower_list() -> Response:
    """The towers of a view that match the filters, the worst first, and how many there are: of
    many only with the first of them. Of a day that is over, `too_many` are not listed."""
    session, actor, today = current_session(), current_actor(), clock.today()
    filters = map_filters()
    then = asked_then(filters)
    filters = replace(filters, bbox=asked_envelope())
    cursor = request.args.get("cursor")
    if then is None:
        page = worst_first.page(session, actor, filters, today=today, limit=ROWS, cursor=cursor)
    else:
        page = worst_first.page_then(session, actor, filters, then, limit=ROWS, cursor=cursor)
    day = then.day if then else today
    said: dict[str, Any] = {
        "rows": [row_body(one, day) for one in page.rows],
        "next": page.next_cursor,
    }
    if then is not None and page.number is None:
        said["count"] = {"number": worst_first.MOST_THEN, "more": True}
        said["too_many"] = True
    elif page.number is not None:
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


def row_body(row: Row[Any], day: date) -> dict[str, Any]:
    """A row as it counts on a day; a tower of the past that is no longer there has no code."""
    condition, reason = effective(row, day)
    return {
        "id": str(row.id),
        "code": row.code if row.name is not None else None,
        "name": row.name,
        "condition": condition,
        "reason": reason,
        "severity": row.worst_severity,
        "deadline": row.next_deadline.isoformat() if row.next_deadline else None,
        "overdue": bool(row.next_deadline and row.next_deadline < day),
        "latitude": round(row.latitude, 6),
        "longitude": round(row.longitude, 6),
    }
