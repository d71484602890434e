"""What inspections tell in the timelines of towers, violations, organisations and areas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import url_for
from flask_babel import ngettext
from sqlalchemy import ColumnElement

from accounts.models import Organisation, User
from core import clock
from core.db import current_session
from core.formats import day as shown_day
from core.formats import label
from core.guard import current_actor
from core.i18n import current_language
from core.i18n import gettext as _
from core.paging import Behind, at_noon
from core.slots import Event, EventSource
from inspections.bodies import item_form
from inspections.models import Violation, ViolationEvent
from inspections.queries import lists, notices, timelines
from inspections.queries import timeline_events as events
from inspections.queries.timelines import DayOf
from inspections.reminder_models import Reminder
from inspections.rules.notice import ReplyKind
from inspections.rules.violation import EventKind
from inspections.services import checklists
from towers.models import Tower
from towers.panels import owned, standing_in
from towers.schemas import SEVERITIES


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


def told_assessments(
    wanted: ColumnElement[bool], limit: int, behind: Behind, *, answered: bool, named: bool = True
) -> list[Event]:
    """Each load-safety assessment of some towers, when it was asked for or when it was answered."""
    found = []
    for one in events.assessments(
        current_session(), current_actor(), wanted, behind, answered=answered, limit=limit
    ):
        if answered:
            title = _("Load-safety assessment answered")
            said = label(one.outcome, "assessment_outcome")
        else:
            title = _("Load-safety assessment requested")
            said = _("until %(day)s", day=shown_day(one.deadline))
        found.append(
            Event(
                (one.answered_at if answered else None) or one.requested_at,
                title,
                _line(said, one.tower.code if named else "", "" if answered else one.reason),
                url_for("inspections.assessment", assessment_id=one.id),
                "file",
                key=str(one.id),
            )
        )
    return found


def voided(tower: Tower, limit: int, behind: Behind) -> list[Event]:
    """Each inspection of a tower that two people voided, with the reason."""
    return [
        Event(
            one.voided_at,
            _("Inspection of %(day)s voided", day=shown_day(one.inspected_on)),
            _line(one.void_reason, _name(one.voided_by) if one.voided_by else ""),
            url_for("inspections.detail", inspection_id=one.id),
            "inspection",
            key=str(one.id),
        )
        for one in events.voided(current_session(), current_actor(), tower.id, behind, limit=limit)
        if one.voided_at is not None
    ]


def given(tower: Tower, limit: int, behind: Behind) -> list[Event]:
    """Who was asked to inspect a tower, and until when."""
    return [
        Event(
            row.at,
            _("Inspection assigned"),
            _line(
                row.inspector,
                row.campaign or label(row.kind, "inspection_kind"),
                _("until %(day)s", day=shown_day(row.due_on)),
            ),
            _assignment_address(row),
            "assignment",
            key=str(row.id),
        )
        for row in events.given(current_session(), current_actor(), tower.id, behind, limit=limit)
    ]


def withdrawn(tower: Tower, limit: int, behind: Behind) -> list[Event]:
    """The assignments of a tower that were withdrawn, alone or with their campaign."""
    return [
        Event(
            row.at,
            _("Assignment withdrawn"),
            _line(row.campaign or label(row.kind, "inspection_kind"), row.reason),
            _assignment_address(row),
            "assignment",
            key=str(row.id),
        )
        for row in events.withdrawn(
            current_session(), current_actor(), tower.id, behind, limit=limit
        )
    ]


def _assignment_address(row: Any) -> str:
    if row.campaign_id:
        return url_for("inspections.campaign", campaign_id=row.campaign_id)
    return "" if row.ended_at else url_for("inspections.assignment", assignment_id=row.id)


def assignment_days(wanted: ColumnElement[bool], limit: int, behind: Behind) -> list[Event]:
    """By day how many towers were given to inspectors."""
    zone = clock.zone()
    return [
        Event(
            at_noon(one.day, zone),
            ngettext("%(num)s inspection assigned", "%(num)s inspections assigned", one.number),
            _places(one),
            sign="assignment",
            day_only=True,
            key=one.what,
        )
        for one in events.assignment_days(
            current_session(), current_actor(), wanted, behind, zone=zone, limit=limit
        )
    ]


def replies(
    wanted: ColumnElement[bool], limit: int, behind: Behind, *, named: bool = True
) -> list[Event]:
    """What owners sent through the links of notices: that they mended something, or need time."""
    titles = {
        ReplyKind.CLAIM: _("The owner reports a remedy"),
        ReplyKind.EXTENSION: _("The owner asks for more time"),
    }
    return [
        Event(
            one.received_at,
            titles[ReplyKind(one.kind)],
            _line(
                _("until %(day)s", day=shown_day(one.wanted_on)) if one.wanted_on else "",
                code if named else "",
                one.name,
            ),
            url_for("inspections.violation", violation_id=one.violation_id),
            "mail",
            key=str(one.id),
        )
        for one, code in events.replies(
            current_session(), current_actor(), wanted, behind, limit=limit
        )
    ]


def reminders(
    wanted: ColumnElement[bool], limit: int, behind: Behind, *, linked: bool = True
) -> list[Event]:
    """The messages about deadlines that were sent, to whom; `linked` to what they are about."""
    return [
        Event(
            one.sent_at,
            _("Reminder sent"),
            _line(label(one.kind, "reminder_kind"), shown_day(one.deadline), one.recipient),
            _reminded_of(one) if linked else url_for("inspections.outbox"),
            "mail",
            key=str(one.id),
        )
        for one in events.reminders(current_session(), current_actor(), wanted, behind, limit=limit)
        if one.sent_at is not None
    ]


def _reminded_of(reminder: Reminder) -> str:
    if reminder.violation_id:
        return url_for("inspections.violation", violation_id=reminder.violation_id)
    if reminder.assessment_id:
        return url_for("inspections.assessment", assessment_id=reminder.assessment_id)
    return ""


def _line(*parts: str) -> str:
    return " · ".join(filter(None, parts))


def sources(
    wanted: Callable[[Any], ColumnElement[bool]], *, named: bool = True
) -> tuple[EventSource, ...]:
    """What is told one by one of the towers of a tower, an owner or an area."""
    return (
        EventSource(
            lambda thing, limit, behind: told_assessments(
                wanted(thing), limit, behind, answered=True, named=named
            ),
            "assessment.view",
            "assessment_answered",
        ),
        EventSource(
            lambda thing, limit, behind: told_assessments(
                wanted(thing), limit, behind, answered=False, named=named
            ),
            "assessment.view",
            "assessment_requested",
        ),
        EventSource(
            lambda thing, limit, behind: replies(wanted(thing), limit, behind, named=named),
            "notice.view",
            "reply",
        ),
    )


def _days(wanted: Callable[[Any], ColumnElement[bool]]) -> tuple[EventSource, ...]:
    """What is told by day of the towers of an owner or an area."""
    return (
        EventSource(
            lambda thing, limit, behind: visit_days(wanted(thing), limit, behind),
            "inspection.view",
            "inspections",
        ),
        EventSource(
            lambda thing, limit, behind: violation_days(wanted(thing), limit, behind),
            "violation.view",
            "violations",
        ),
        EventSource(
            lambda thing, limit, behind: assignment_days(wanted(thing), limit, behind),
            "assignment.view",
            "assignments",
        ),
    )


TOWER_EVENTS = (
    EventSource(voided, "inspection.view", "inspection_voided"),
    EventSource(visits, "inspection.view", "inspection"),
    EventSource(
        lambda tower, limit, behind: violation_days(
            Tower.id == tower.id, limit, behind, named=False
        ),
        "violation.view",
        "violations",
    ),
    *sources(lambda tower: Tower.id == tower.id, named=False),
    EventSource(
        lambda tower, limit, behind: reminders(Tower.id == tower.id, limit, behind),
        "reminder.view",
        "reminder",
    ),
    EventSource(withdrawn, "assignment.view", "assignment_withdrawn"),
    EventSource(given, "assignment.view", "assignment"),
)
VIOLATION_EVENTS = (
    EventSource(chain, "violation.view", "violation_event"),
    EventSource(
        lambda violation, limit, behind: reminders(
            Violation.id == violation.id, limit, behind, linked=False
        ),
        "reminder.view",
        "reminder",
    ),
)
ORGANISATION_EVENTS = (
    EventSource(issued_notices, "notice.view", "notice"),
    *_days(owned),
    *sources(owned),
)
AREA_EVENTS = (*_days(standing_in), *sources(standing_in))
