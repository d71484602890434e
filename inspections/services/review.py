"""Staff accept an inspection, return it with a reason, or void it together."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from core import audit, policy, store
from core.errors import Conflict, Forbidden, Invalid
from core.i18n import N_
from core.policy import Actor
from inspections.models import Inspection
from inspections.services import condition
from inspections.services.assessments import withdraw_request
from inspections.services.settle import settle
from towers import services as towers
from towers.models import Tower

MAX_REASON = 4_000
VOIDABLE = ("submitted", "accepted", "returned")


def accept_inspection(
    session: Session, inspection: Inspection, *, by: Actor, now: datetime
) -> None:
    """Accept what was submitted: from now on it cannot be corrected."""
    _require_submitted(session, inspection, by)
    _move(session, inspection, "accepted", "", by=by, now=now)


def return_inspection(
    session: Session,
    inspection: Inspection,
    *,
    reason: str,
    by: Actor,
    now: datetime,
    zone: ZoneInfo,
) -> None:
    """Give an inspection back to its inspector: it no longer counts until it is sent again."""
    _require_submitted(session, inspection, by)
    if not reason.strip():
        message = N_("Say why the inspection is returned")
        raise Invalid(message, fields={"reason": [message]})
    tower = towers.hold(session, inspection.tower_id)
    _move(session, inspection, "returned", reason.strip(), by=by, now=now)
    _take_back(session, inspection, tower, by=by, now=now, zone=zone)


def ask_to_void(
    session: Session, inspection: Inspection, *, reason: str, by: Actor, now: datetime
) -> None:
    """Ask that an inspection be voided: by staff, or by its own inspector. It counts until then.

    Raises `Conflict` for a draft, for what is voided and where somebody asked before.
    """
    policy.require(by, "inspection.ask_void", inspection)
    if inspection.inspector_id != by.id and not policy.may(by, "inspection.void", inspection):
        raise Forbidden(N_("Only its own inspector or the department can ask for that"))
    session.refresh(inspection, with_for_update={"of": Inspection})
    reason = reason.strip()
    if not 1 <= len(reason) <= MAX_REASON:
        message = N_("Say why the inspection should be voided")
        raise Invalid(message, fields={"reason": [message]})
    if inspection.status not in VOIDABLE:
        raise Conflict(
            N_("A draft or a voided inspection cannot be voided"), status=inspection.status
        )
    if inspection.void_asked_at is not None:
        raise Conflict(N_("Somebody asked for that before: it waits for a decision"))
    inspection.void_reason = reason
    inspection.void_asked_at = now
    inspection.void_asked_by_id = by.id
    _changed(session, inspection, "void_asked", by=by, now=now, after={"reason": reason})


def decide_void(
    session: Session,
    inspection: Inspection,
    *,
    confirm: bool,
    by: Actor,
    now: datetime,
    zone: ZoneInfo,
) -> None:
    """Void an inspection as somebody else asked, or refuse: what is voided says nothing any more.

    Raises `Forbidden` where the one who asked would decide alone (the setting `two_people`), and
    `Conflict` where nobody asked.
    """
    policy.require(by, "inspection.void", inspection)
    session.refresh(inspection, with_for_update={"of": Inspection})
    if inspection.status not in VOIDABLE or inspection.void_asked_at is None:
        raise Conflict(N_("Nobody asked to void this inspection"), status=inspection.status)
    before = {"status": inspection.status}
    if not confirm:
        # The one who asked may take that back.
        inspection.void_asked_at = inspection.void_asked_by_id = None
        inspection.void_reason = ""
        _changed(session, inspection, "void_refused", by=by, now=now, before=before)
        return
    if inspection.void_asked_by_id == by.id and store.value_of(session, "two_people"):
        raise Forbidden(N_("Somebody else than who asked for it must decide this"))
    tower = towers.hold(session, inspection.tower_id)
    inspection.status = "voided"
    inspection.voided_at = now
    inspection.voided_by_id = by.id
    _changed(
        session,
        inspection,
        "voided",
        by=by,
        now=now,
        before=before,
        after={"status": "voided", "reason": inspection.void_reason},
    )
    _take_back(session, inspection, tower, by=by, now=now, zone=zone)


def _take_back(
    session: Session,
    inspection: Inspection,
    tower: Tower,
    *,
    by: Actor,
    now: datetime,
    zone: ZoneInfo,
) -> None:
    """Withdraw, by events, what an inspection said that no longer counts."""
    assert inspection.submitted_at is not None
    settle(
        session,
        inspection,
        None,
        by=by,
        now=now,
        today=now.astimezone(zone).date(),
        found_on=inspection.submitted_at.astimezone(zone).date(),
    )
    withdraw_request(session, inspection)
    condition.refresh(session, tower)


def _require_submitted(session: Session, inspection: Inspection, by: Actor) -> None:
    policy.require(by, "inspection.review", inspection)
    session.refresh(inspection, with_for_update={"of": Inspection})
    if inspection.status != "submitted":
        raise Conflict(
            N_("Only a submitted inspection can be reviewed"),
            status=inspection.status,
        )


def _move(
    session: Session,
    inspection: Inspection,
    status: str,
    reason: str,
    *,
    by: Actor,
    now: datetime,
) -> None:
    inspection.status = status
    inspection.review_reason = reason
    after = {"status": status, "reason": reason}
    before = {"status": "submitted"}
    _changed(session, inspection, status, by=by, now=now, before=before, after=after)


def _changed(
    session: Session,
    inspection: Inspection,
    what: str,
    *,
    by: Actor,
    now: datetime,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    inspection.version += 1
    session.flush()
    audit.record(
        session,
        f"inspection.{what}",
        "inspection",
        inspection.id,
        by=by,
        now=now,
        before=before,
        after=after,
    )
