"""What inspections add to the pages of towers, organisations and areas, and to the menu."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

from accounts.models import Organisation
from core import clock
from core.db import current_session
from core.guard import current_actor
from core.i18n import current_language
from core.policy import allows
from core.slots import Panel
from inspections.models import Violation
from inspections.queries import campaigns, lists, notices
from inspections.queries.campaigns import Wanted
from inspections.rules.campaign import OPEN_STANDINGS, Kind
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
        "assessed": lists.last_assessment(session, tower.id),
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


def assignments(tower: Tower) -> dict[str, Any]:
    session, actor, today = current_session(), current_actor(), clock.today()
    wanted = Wanted(tower=tower.id, standing=OPEN_STANDINGS)
    return {
        "tower": tower,
        "rows": campaigns.assignments(session, actor, wanted, today=today, limit=20).rows,
        "inspectors": campaigns.inspectors(session) if allows(actor, "assignment.give") else [],
        "kinds": list(Kind),
        "new_id": uuid.uuid4(),
        "today": today,
    }


def my_assignments(_: Any) -> dict[str, Any]:
    """What the reader has to inspect next."""
    session, actor, today = current_session(), current_actor(), clock.today()
    wanted = Wanted(inspector=actor.id, standing=OPEN_STANDINGS, running=True)
    page = campaigns.assignments(session, actor, wanted, today=today, limit=5)
    return {"rows": page.rows, "more": page.next_cursor is not None, "today": today}


DASHBOARD_PANELS = (Panel("inspections/_my_assignments.html", my_assignments, "assignment.take"),)


def notices_of(organisation: Organisation) -> dict[str, Any]:
    session, actor = current_session(), current_actor()
    return {
        "organisation": organisation,
        "notices": notices.notices(session, actor, owner_id=organisation.id, limit=10).rows,
        "open": len(notices.open_violations(session, actor, organisation.id)),
    }


ORGANISATION_PANELS = (Panel("inspections/notices/_organisation.html", notices_of, "notice.view"),)
TOWER_PANELS = (
    Panel("inspections/_tower_assignments.html", assignments, "assignment.view"),
    Panel("inspections/_tower_violations.html", violations, "violation.view"),
    Panel("inspections/_tower_history.html", history, "inspection.view"),
    Panel("inspections/_tower_photos.html", photos, "inspection.view"),
)
