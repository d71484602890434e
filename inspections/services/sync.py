"""What a phone brings home: each operation once, whole, with a receipt, or kept for staff.

One operation is one transaction, opened by the door. Sent again it is the first answer again. What
cannot stand beside what is known (another body under a known id, two inspectors at one tower, a
violation that ended meanwhile) becomes a review item and overwrites nothing.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import store
from core.errors import NotFound, TooMany
from core.i18n import N_
from core.policy import Actor
from inspections.field_models import Receipt, ReviewItem, Upload
from inspections.models import Inspection, Photo, Submission, Violation
from inspections.queries.facts import COUNTING
from inspections.rules.sync import (
    QUARANTINE,
    Clock,
    ItemState,
    OperationKind,
    Reason,
    Verdict,
)
from inspections.services import record, uploads
from inspections.services.record import Visit
from inspections.services.settle import looked_at
from towers.models import Tower, TowerProposal
from towers.services.proposals import Finding, propose

# So much of one person's phones waits at most after they were shut out.
MOST_KEPT = 2_000
# What may still be corrected by who made it.
OPEN_TO_CORRECTION = ("draft", "submitted", "returned")


@dataclass(frozen=True)
class Sender:
    """Who sends, with which phone and clock; `shut` says why it is only kept for staff."""

    actor: Actor
    clock: Clock
    device_id: uuid.UUID | None = None
    shut: Reason | None = None


@dataclass(frozen=True)
class Operation:
    """One operation as it was sent: `body` whole, with what this version does not know."""

    id: uuid.UUID
    kind: OperationKind
    made_at: datetime | None
    body: Mapping[str, Any]
    photos: tuple[Mapping[str, str], ...] = ()
    subject: uuid.UUID | None = None

    content: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "content", content_hash(self.body))


@dataclass(frozen=True)
class Kept:
    """What became of an operation that the service keeps."""

    verdict: Verdict
    receipt: Receipt


def content_hash(body: Mapping[str, Any]) -> bytes:
    """The hash of a body as it was sent, its keys in order: what a receipt names."""
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).digest()


def known_receipts(
    session: Session, ids: Sequence[uuid.UUID], *, by: Actor
) -> dict[tuple[uuid.UUID, bytes], Kept]:
    """What was promised for some operations before, by their id and content."""
    found = session.scalars(
        select(Receipt).where(Receipt.operation_id.in_(ids), Receipt.by_id == by.id)
    )
    return {(one.operation_id, one.content_sha256): Kept(Verdict.KNOWN, one) for one in found}


def keep_inspection(
    session: Session,
    operation: Operation,
    inspection_id: uuid.UUID,
    tower: Tower,
    visit: Visit,
    *,
    based_on: int | None,
    violations: Sequence[uuid.UUID],
    sender: Sender,
    zone: ZoneInfo,
) -> Kept:
    """Record an inspection that a phone brings, or correct one; or keep it for staff.

    `tower` is held: of two that come at once, also of one sent twice, the second sees the first.
    `based_on` is the version that it corrects, `violations` are those that it was asked about.
    Raises as `record.record_inspection`.
    """
    by, now = sender.actor, sender.clock.received_at
    if visit.declared:
        uploads.hold(session, inspection_id)
    there, other = _there(session, inspection_id, tower, visit, by)
    known = session.get(Inspection, inspection_id, populate_existing=True) if there else None
    if known is not None and known.inspector_id != by.id:
        raise NotFound()
    if known is not None and record.is_known(session, known, visit):
        return _promise(session, operation, sender, Verdict.ACCEPTED, known, again=True)
    doubt = _doubt(session, known, other, tower, visit, based_on, violations)
    if doubt is not None:
        reason, facts, against = doubt
        return _ask_staff(
            session, operation, sender, reason, tower=tower, facts=facts, other_id=against
        )
    if known is not None:
        record.correct_inspection(session, known, visit, by=by, now=now, zone=zone)
        made, new = known, True
    else:
        made, new = record.record_inspection(
            session, inspection_id, tower, visit, by=by, now=now, zone=zone, held=True
        )
    if visit.declared:
        uploads.attach(session, made, by=by, now=now)
    return _promise(session, operation, sender, Verdict.ACCEPTED, made, again=not new)


def keep_proposal(
    session: Session, operation: Operation, proposal_id: uuid.UUID, finding: Finding, sender: Sender
) -> Kept:
    """Keep a proposal; another one under a known id waits for staff. Raises as `propose`."""
    by, now = sender.actor, sender.clock.received_at
    known = session.get(TowerProposal, proposal_id, populate_existing=True)
    if known is not None and known.by_id == by.id and known.body_hash != finding.hash:
        return _ask_staff(
            session,
            operation,
            sender,
            Reason.DIFFERENT_BODY,
            tower=known.tower,
            facts={"proposal": str(proposal_id)},
        )
    _, new = propose(session, proposal_id, finding, by=by, now=now)
    return _promise(session, operation, sender, Verdict.ACCEPTED, None, again=not new)


def keep_discard(
    session: Session, operation: Operation, inspection_id: uuid.UUID, sender: Sender
) -> Kept:
    """Throw one's own draft away; one that never came is nothing to throw away.

    Raises `Conflict` for what was submitted.
    """
    by, now = sender.actor, sender.clock.received_at
    draft = session.get(Inspection, inspection_id, populate_existing=True)
    if draft is not None:
        record.discard_draft(session, draft, by=by, now=now)
        session.expunge(draft)
    return _promise(session, operation, sender, Verdict.ACCEPTED, None)


def quarantine(session: Session, operation: Operation, sender: Sender) -> Kept:
    """Keep what a phone sends that was shut out: staff decide about it, nothing of it counts."""
    assert sender.shut is not None
    waiting = session.scalar(
        select(func.count())
        .select_from(ReviewItem)
        .where(
            ReviewItem.by_id == sender.actor.id,
            ReviewItem.state == ItemState.OPEN,
            ReviewItem.reason.in_(QUARANTINE),
        )
    )
    if (waiting or 0) >= MOST_KEPT:
        # Whoever found a phone must not fill the list of those who have to read it.
        raise TooMany(N_("Too much of this phone waits for the department already"))
    code = operation.body.get("tower")
    tower = None
    if isinstance(code, str):
        tower = session.scalar(select(Tower).where(Tower.code == code))
    return _ask_staff(
        session, operation, sender, sender.shut, tower=tower, verdict=Verdict.QUARANTINED
    )


def _doubt(
    session: Session,
    known: Inspection | None,
    other: uuid.UUID | None,
    tower: Tower,
    visit: Visit,
    based_on: int | None,
    violations: Sequence[uuid.UUID],
) -> tuple[Reason, dict[str, Any], uuid.UUID | None] | None:
    """Why staff must look at an inspection before it counts; `None` where nothing stands against
    it."""
    if known is None and based_on is not None:
        # It corrects what is not here, as after a restored backup, or what waits for staff itself.
        return Reason.CHANGED_MEANWHILE, {"based_on": based_on, "status": None}, None
    if known is not None:
        facts = {"based_on": based_on, "version": known.version, "status": known.status}
        if based_on is None:
            return Reason.DIFFERENT_BODY, facts, known.id
        open_now = known.status in OPEN_TO_CORRECTION and known.kind == visit.kind
        if based_on != known.version or not open_now or known.tower_id != tower.id:
            return Reason.CHANGED_MEANWHILE, facts, known.id
    if not visit.submit:
        return None
    if visit.kind == "reinspection":
        ended = _ended(session, known, tower, violations)
        if ended:
            return Reason.VIOLATION_ENDED, {"violations": ended}, None
    elif known is None and other is not None:
        return Reason.TWO_INSPECTORS, {}, other
    return None


def _there(
    session: Session, inspection_id: uuid.UUID, tower: Tower, visit: Visit, by: Actor
) -> tuple[bool, uuid.UUID | None]:
    """Whether there is an inspection with this number, and one of the same tower by somebody else
    within `two_inspectors_days`."""
    days = timedelta(days=int(store.value_of(session, "two_inspectors_days")))
    other = (
        select(Inspection.id)
        .where(
            Inspection.tower_id == tower.id,
            Inspection.inspected_on.between(visit.inspected_on - days, visit.inspected_on + days),
            Inspection.inspector_id != by.id,
            Inspection.status.in_(COUNTING),
            Inspection.kind != "reinspection",
        )
        .order_by(Inspection.inspected_on.desc(), Inspection.id)
        .limit(1)
    )
    same = select(Inspection.id).where(Inspection.id == inspection_id)
    there, stands = session.execute(select(same.exists(), other.scalar_subquery())).one()
    return there, stands


def _ended(
    session: Session, known: Inspection | None, tower: Tower, violations: Sequence[uuid.UUID]
) -> list[str]:
    """The violations of a re-inspection that are over: those it was asked about, by id.

    A phone that does not say which it was asked about meant the open ones: without any it has
    nothing to answer.
    """
    own = set()
    if known is not None:
        own = {one.id for one in looked_at(session, known).values()}
    if violations:
        return [
            str(one)
            for one in session.scalars(
                select(Violation.id)
                .where(
                    Violation.id.in_(violations),
                    Violation.tower_id == tower.id,
                    Violation.state != "open",
                )
                .order_by(Violation.id)
            )
            if one not in own
        ]
    if own:
        return []
    rows = session.execute(
        select(Violation.id, Violation.state)
        .where(Violation.tower_id == tower.id, Violation.continued_in_id.is_(None))
        .order_by(Violation.id)
    ).all()
    if any(row.state == "open" for row in rows):
        return []
    return [str(row.id) for row in rows]


def _ask_staff(
    session: Session,
    operation: Operation,
    sender: Sender,
    reason: Reason,
    *,
    tower: Tower | None,
    facts: Mapping[str, Any] | None = None,
    other_id: uuid.UUID | None = None,
    verdict: Verdict = Verdict.REVIEW,
) -> Kept:
    """Keep an operation for staff, and its body as evidence; kept twice it is once."""
    by, now = sender.actor, sender.clock.received_at
    subject = operation.subject
    of_inspection = operation.kind is OperationKind.INSPECTION and subject is not None
    made = session.execute(
        insert(ReviewItem)
        .values(
            reason=reason,
            kind=operation.kind,
            operation_id=operation.id,
            inspection_id=subject if operation.kind is not OperationKind.PROPOSAL else None,
            other_id=other_id,
            tower_id=tower.id if tower is not None else None,
            body=dict(operation.body),
            body_hash=operation.content,
            facts=dict(facts or {}),
            by_id=by.id,
            device_id=sender.device_id,
            made_at=operation.made_at,
            device_at=sender.clock.device_at,
            received_at=now,
        )
        .on_conflict_do_nothing()
        .returning(ReviewItem.id)
    ).scalar()
    if made is not None and of_inspection:
        said = {key: value for key, value in operation.body.items() if key != "id"}
        session.add(
            Submission(
                inspection_id=subject,
                received_at=now,
                by_id=by.id,
                body=said,
                body_hash=content_hash(said),
                outcome="conflict",
            )
        )
    return _promise(session, operation, sender, verdict, None, again=made is None)


def _promise(
    session: Session,
    operation: Operation,
    sender: Sender,
    verdict: Verdict,
    inspection: Inspection | None,
    *,
    again: bool = False,
) -> Kept:
    """Write the receipt of an operation; where another request did, it is that one."""
    subject = operation.subject if operation.kind is OperationKind.INSPECTION else None
    made = session.scalar(
        insert(Receipt)
        .values(
            operation_id=operation.id,
            kind=operation.kind,
            verdict=verdict,
            inspection_id=subject,
            version=inspection.version if inspection is not None else None,
            content_sha256=operation.content,
            photos=list(operation.photos),
            by_id=sender.actor.id,
            device_id=sender.device_id,
            made_at=operation.made_at,
            device_at=sender.clock.device_at,
            clock_offset_s=sender.clock.offset_s,
            received_at=sender.clock.received_at,
        )
        .on_conflict_do_nothing()
        .returning(Receipt)
    )
    if made is None:
        known = known_receipts(session, [operation.id], by=sender.actor)
        return known[operation.id, operation.content]
    return Kept(Verdict.KNOWN if again and verdict is Verdict.ACCEPTED else verdict, made)


def receipts_of(session: Session, ids: Sequence[uuid.UUID], *, by: Actor) -> Sequence[Receipt]:
    """One's own receipts of some operations or inspections, in the order in which they came."""
    return session.scalars(
        select(Receipt)
        .where(
            or_(Receipt.operation_id.in_(ids), Receipt.inspection_id.in_(ids)),
            Receipt.by_id == by.id,
        )
        .order_by(Receipt.id)
        .limit(2_000)
    ).all()


def safe_photos(session: Session, receipts: Sequence[Receipt]) -> set[tuple[str, str]]:
    """Of the photos that receipts name, id and hash of those that are kept whole."""
    numbers = {uuid.UUID(one["id"]) for receipt in receipts for one in receipt.photos}
    if not numbers:
        return set()
    rows = session.execute(
        select(Photo.id, Photo.sha256)
        .where(Photo.id.in_(numbers))
        .union(
            select(Upload.id, Upload.sha256).where(
                Upload.id.in_(numbers), Upload.whole_at.is_not(None)
            )
        )
    )
    return {(str(number), digest.hex()) for number, digest in rows}
