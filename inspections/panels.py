"""What inspections add to the pages of towers, organisations and areas, and to the menu."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

from flask import url_for
from flask_babel import ngettext
from sqlalchemy import ColumnElement

from accounts.models import Organisation, User
from core import clock
from core.db import current_session
from core.formats import label
from core.guard import current_actor
from core.i18n import current_language
from core.i18n import gettext as _
from core.paging import Behind, at_noon
from core.policy import allows
from core.slots import Event, EventSource, Panel
from inspections.bodies import item_form
from inspections.models import Violation, ViolationEvent
from inspections.queries import campaigns, lists, notices, timelines
from inspections.queries.campaigns import Wanted
from inspections.queries.own_notices import open_number
from inspections.queries.timelines import DayOf
from inspections.rules.campaign import OPEN_STANDINGS, Kind
from inspections.rules.violation import EventKind
from inspections.services import checklists
from inspections.services.notices import count_waiting
from inspections.texts import item_texts
from towers.models import Tower
from towers.panels import owned, standing_in
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


def drafts_waiting() -> int:
    """How many drafts of notices wait for the reader to issue them, if they may."""
    actor = current_actor()
    return count_waiting(current_session(), actor) if allows(actor, "notice.issue") else 0


def own_waiting() -> int:
    """How much is open of what the reader's organisation was told."""
    actor = current_actor()
    return open_number(current_session(), actor) if allows(actor, "own_violation.view") else 0


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


# Timelines


def visits(tower: Tower, limit: int, behind: Behind) -> list[Event]:
    """Each inspection of a tower with its inspector."""
    return [
        Event(
            one.submitted_at,
            label(one.kind, "inspection_kind"),
            " · ".join(
                (label(one.status, "inspection_status"), one.inspector.name or one.inspector.email)
            ),
            url_for("inspections.detail", inspection_id=one.id),
            "inspection",
            key=str(one.id),
        )
        for one in timelines.visits(
            current_session(), current_actor(), tower.id, behind, limit=limit
        )
        if one.submitted_at is not None
    ]


def visit_days(wanted: ColumnElement[bool], limit: int, behind: Behind) -> list[Event]:
    """By day and kind how many inspections some towers had."""
    zone = clock.zone()
    days = timelines.visit_days(
        current_session(), current_actor(), wanted, behind, zone=zone, limit=limit
    )
    return [
        Event(
            at_noon(one.day, zone),
            ngettext("%(num)s inspection", "%(num)s inspections", one.number),
            f"{label(one.what, 'inspection_kind')} · {_places(one)}",
            sign="inspection",
            day_only=True,
            key=one.what,
        )
        for one in days
    ]


def violation_days(
    wanted: ColumnElement[bool], limit: int, behind: Behind, *, named: bool = True
) -> list[Event]:
    """By day how many violations of some towers were found, and how many ended."""
    zone = clock.zone()
    days = timelines.violation_days(
        current_session(), current_actor(), wanted, behind, zone=zone, limit=limit
    )
    found = []
    for one in days:
        severities = sorted(one.severities, key=SEVERITIES.index)
        details = [", ".join(label(severity, "severity") for severity in severities)]
        if one.what == "found":
            title = ngettext("%(num)s violation found", "%(num)s violations found", one.number)
        else:
            title = ngettext("%(num)s violation ended", "%(num)s violations ended", one.number)
            details.insert(0, label(one.what, "violation_state"))
        if named:
            details.append(_places(one))
        found.append(
            Event(
                at_noon(one.day, zone),
                title,
                " · ".join(details),
                "" if named else "#violations",
                "violation",
                day_only=True,
                key=one.what,
            )
        )
    return found


def _places(one: DayOf) -> str:
    """The codes of the towers of a day; of many the first."""
    more = one.towers - len(one.codes)
    named = ", ".join(one.codes)
    return f"{named} + {more}" if more else named


def chain(violation: Violation, limit: int, behind: Behind) -> list[Event]:
    """The events of a violation with what proves them; a copy stands where it happened."""
    session = current_session()
    item = checklists.item_of(session, violation.checklist_version, violation.item_key)
    proofs = lists.proofs_of(session, violation)
    photos = [photo for proof in proofs.values() for photo in proof.photos]
    shown = {
        "item": item_form(item, current_language()) if item else None,
        "reused": lists.reused_photos(session, current_actor(), photos),
    }
    replies = notices.replies_to(session, current_actor(), violation)
    told = [
        Event(
            one.at,
            label(one.kind, "violation_event"),
            " · ".join(filter(None, (one.party, _name(one.by) if one.by else ""))),
            _source_address(one),
            "violation" if one.kind == EventKind.FOUND else "",
            key=f"{one.place:019d}",
            template="inspections/_violation_event.html",
            shown={
                **shown,
                "event": one,
                "reply": replies.get(one.id),
                "proof": proofs.get(one.inspection_id)
                if one.inspection_id and one.kind in {EventKind.FOUND, EventKind.REINSPECTED}
                else None,
            },
        )
        for one in reversed(violation.events)
        if behind.holds(one.at, f"{one.place:019d}")
    ]
    return sorted(told, key=lambda event: (event.at, event.key), reverse=True)[:limit]


def _source_address(event: ViolationEvent) -> str:
    """The page of the inspection or the assessment that an event is the finding of."""
    if event.inspection_id:
        return url_for("inspections.detail", inspection_id=event.inspection_id)
    if event.assessment_id:
        return url_for("inspections.assessment", assessment_id=event.assessment_id)
    return ""


def issued_notices(owner: Organisation, limit: int, behind: Behind) -> list[Event]:
    """Each notice to an owner with how many violations it names."""
    return [
        Event(
            one.issued_at,
            _("Notice %(reference)s issued", reference=one.reference),
            " · ".join(
                (
                    label(one.state, "notice_state"),
                    ngettext("%(num)s violation", "%(num)s violations", len(one.items)),
                )
            ),
            url_for("notices.detail", notice_id=one.id),
            "file",
            key=str(one.id),
        )
        for one in timelines.issued_notices(
            current_session(), current_actor(), owner.id, behind, limit=limit
        )
        if one.issued_at is not None
    ]


def _name(person: User) -> str:
    return person.name or person.email


TOWER_EVENTS = (
    EventSource(visits, "inspection.view"),
    EventSource(
        lambda tower, limit, behind: violation_days(
            Tower.id == tower.id, limit, behind, named=False
        ),
        "violation.view",
    ),
)
VIOLATION_EVENTS = (EventSource(chain, "violation.view"),)
ORGANISATION_EVENTS = (
    EventSource(issued_notices, "notice.view"),
    EventSource(
        lambda organisation, limit, behind: visit_days(owned(organisation), limit, behind),
        "inspection.view",
    ),
    EventSource(
        lambda organisation, limit, behind: violation_days(owned(organisation), limit, behind),
        "violation.view",
    ),
)
AREA_EVENTS = (
    EventSource(
        lambda area, limit, behind: visit_days(standing_in(area), limit, behind),
        "inspection.view",
    ),
    EventSource(
        lambda area, limit, behind: violation_days(standing_in(area), limit, behind),
        "violation.view",
    ),
)
