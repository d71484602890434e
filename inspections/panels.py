"""What inspections add to the page of a tower."""

from __future__ import annotations

from datetime import date
from typing import Any

from core import clock
from core.db import current_session
from core.guard import current_actor
from core.i18n import current_language
from core.slots import Panel
from inspections.models import Violation
from inspections.queries import lists
from inspections.texts import item_texts
from towers.models import Tower
from towers.schemas import SEVERITIES


def _urgency(one: Violation) -> tuple[bool, int, date]:
    """Open ones first, the most severe of them above."""
    return one.state != "open", SEVERITIES.index(one.severity), one.deadline


def violations(tower: Tower) -> dict[str, Any]:
    session = current_session()
    page = lists.violations(session, current_actor(), tower_id=tower.id, limit=100)
    return {
        "tower": tower,
        "violations": sorted(page.rows, key=_urgency),
        "items": item_texts(session, current_language()),
        "assessment": lists.pending_assessment(session, tower.id),
        "today": clock.today(),
    }


def history(tower: Tower) -> dict[str, Any]:
    session, actor = current_session(), current_actor()
    page = lists.inspections(session, actor, tower_id=tower.id, limit=20)
    return {"tower": tower, "inspections": page.rows}


def photos(tower: Tower) -> dict[str, Any]:
    session, actor = current_session(), current_actor()
    photos = lists.photos_of_tower(session, actor, tower.id)
    return {
        "photos": photos,
        "reused": lists.reused_photos(session, actor, photos),
        "items": item_texts(session, current_language()),
    }


TOWER_PANELS = (
    Panel("inspections/_tower_violations.html", violations, "violation.view"),
    Panel("inspections/_tower_history.html", history, "inspection.view"),
    Panel("inspections/_tower_photos.html", photos, "inspection.view"),
)
