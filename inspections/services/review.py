"""Staff accept an inspection or return it with a reason."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from core import audit, policy
from core.errors import Conflict, Invalid
from core.i18n import N_
from core.policy import Actor
from inspections.models import Inspection
from inspections.services import condition
from inspections.services.assessments import withdraw_request
from inspections.services.settle import settle
from towers import services as towers


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
    inspection.version += 1
    session.flush()
    audit.record(
        session,
        f"inspection.{status}",
        "inspection",
        inspection.id,
        by=by,
        now=now,
        before={"status": "submitted"},
        after={"status": status, "reason": reason},
    )
