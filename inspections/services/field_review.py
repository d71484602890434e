"""What staff decide about what phones brought: take it, keep what is there, or reject it.

Nothing is thrown away: a body stays in its item and among the submissions, its photos stay too.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from core import audit, policy
from core.errors import Conflict, Invalid
from core.i18n import N_
from core.policy import Actor
from inspections.field_models import ReviewItem
from inspections.models import Inspection
from inspections.rules.sync import ItemState
from inspections.services import record, uploads
from inspections.services.record import Visit
from towers import services as towers
from towers.models import Tower, TowerProposal
from towers.services.proposals import Finding, propose

MAX_REASON = 4_000


def hold(session: Session, item: ReviewItem) -> None:
    """Hold an item until the transaction ends: two people must not decide it."""
    session.refresh(item, with_for_update={"of": ReviewItem})


def accept_inspection(
    session: Session,
    item: ReviewItem,
    tower: Tower,
    visit: Visit,
    *,
    sender: Actor,
    by: Actor,
    now: datetime,
    zone: ZoneInfo,
) -> Inspection:
    """Take an inspection as its sender meant it: as a new one, or as the next version of a known
    one. What it says counts from now on; that it came earlier is kept."""
    _require_open(item, by)
    assert item.inspection_id is not None
    policy.require(by, "inspection.review")
    # In the order in which a phone's own sending takes them.
    tower = towers.hold(session, tower.id)
    uploads.hold(session, item.inspection_id)
    known = session.get(Inspection, item.inspection_id, populate_existing=True)
    if known is None:
        made, _ = record.record_inspection(
            session, item.inspection_id, tower, visit, by=sender, now=now, zone=zone
        )
    else:
        if known.inspector_id != item.by_id or known.tower_id != tower.id:
            raise Conflict(N_("This is the number of another inspection: reject it"))
        made = record.take_version(session, known, visit, by=sender, now=now, zone=zone)
    made.received_at = item.received_at
    uploads.attach(session, made, by=by, now=now, quarantined=True)
    _close(session, item, ItemState.ACCEPTED, by=by, now=now)
    return made


def accept_photo(session: Session, item: ReviewItem, *, by: Actor, now: datetime) -> None:
    """Give an inspection the photo that a phone sent after it was shut out."""
    _require_open(item, by)
    assert item.inspection_id is not None
    uploads.hold(session, item.inspection_id)
    inspection = session.get_one(Inspection, item.inspection_id, populate_existing=True)
    uploads.attach(session, inspection, by=by, now=now, quarantined=True, only=item.operation_id)
    _close(session, item, ItemState.ACCEPTED, by=by, now=now)


def accept_proposal(
    session: Session,
    item: ReviewItem,
    proposal_id: uuid.UUID,
    finding: Finding,
    *,
    sender: Actor,
    by: Actor,
    now: datetime,
) -> TowerProposal:
    """Take a proposal; where its number belongs to another one it gets a number of its own."""
    _require_open(item, by)
    known = session.get(TowerProposal, proposal_id)
    if known is not None and known.body_hash != finding.hash:
        proposal_id = item.id
    made, _ = propose(session, proposal_id, finding, by=sender, now=now)
    _close(session, item, ItemState.ACCEPTED, by=by, now=now)
    return made


def accept_discard(
    session: Session, item: ReviewItem, *, sender: Actor, by: Actor, now: datetime
) -> None:
    """Throw a draft away as its inspector wanted; one that is not there is no error."""
    _require_open(item, by)
    draft = session.get(Inspection, item.inspection_id) if item.inspection_id else None
    if draft is not None:
        record.discard_draft(session, draft, by=sender, now=now)
    _close(session, item, ItemState.ACCEPTED, by=by, now=now)


def keep_other(session: Session, item: ReviewItem, *, by: Actor, now: datetime) -> None:
    """Leave what is there as it is; raises `Conflict` where nothing stands against the item."""
    _require_open(item, by)
    if item.other_id is None:
        raise Conflict(N_("Nothing else is kept in its place: reject it with a reason"))
    _close(session, item, ItemState.KEPT_OTHER, by=by, now=now)


def reject(session: Session, item: ReviewItem, *, reason: str, by: Actor, now: datetime) -> None:
    """Reject what a phone brought, with a reason."""
    _require_open(item, by)
    reason = reason.strip()
    if not 1 <= len(reason) <= MAX_REASON or "\x00" in reason:
        message = N_("Say why it is rejected")
        raise Invalid(message, fields={"reason": [message]})
    item.decision_reason = reason
    _close(session, item, ItemState.REJECTED, by=by, now=now)


def _require_open(item: ReviewItem, by: Actor) -> None:
    policy.require(by, "review_item.decide", item)
    if item.state != ItemState.OPEN:
        raise Conflict(N_("This is decided already"), state=item.state)


def _close(
    session: Session, item: ReviewItem, state: ItemState, *, by: Actor, now: datetime
) -> None:
    item.state, item.decided_at, item.decided_by_id = state, now, by.id
    item.version += 1
    session.flush()
    session.expire(item, ["decided_by"])
    audit.record(
        session,
        f"review_item.{state}",
        "review_item",
        item.id,
        by=by,
        now=now,
        after={
            "reason": item.reason,
            "kind": item.kind,
            "operation": str(item.operation_id),
            "inspection": str(item.inspection_id) if item.inspection_id else None,
            "decision": item.decision_reason,
        },
    )
