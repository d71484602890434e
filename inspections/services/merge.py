"""What follows when two towers are found to be one: inspections, violations, assessments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import audit
from core.i18n import N_
from core.merging import Follower, Merge
from inspections.models import Inspection, LoadAssessment, Violation, ViolationEvent
from inspections.rules.violation import EventKind
from inspections.services import condition
from inspections.services.settle import project

# What an event says; who merged the towers adds nothing to it.
COPIED = ("kind", "at", "by_id", "inspection_id", "severity", "deadline", "outcome")


def _continue_twins(session: Session, merge: Merge) -> None:
    """Of two open violations of one item, one goes on and the other points to it.

    The one found first goes on, and takes over what was said of the other: its events are copied
    as they were, so that the source that came last still gives the severity, and a later
    correction of any inspection finds its own words. The other keeps its events, and one more
    that ends it.
    """
    open_ones = session.scalars(
        select(Violation).where(
            Violation.tower_id.in_((merge.keep, merge.drop)), Violation.state == "open"
        )
    ).all()
    by_item: dict[str, list[Violation]] = {}
    for violation in open_ones:
        by_item.setdefault(violation.item_key, []).append(violation)
    for twins in by_item.values():
        if len(twins) == 2:
            _continue(session, twins, merge)


def _continue(session: Session, twins: Sequence[Violation], merge: Merge) -> None:
    histories = {
        twin.id: session.scalars(
            select(ViolationEvent)
            .where(ViolationEvent.violation_id == twin.id)
            .order_by(ViolationEvent.id)
        ).all()
        for twin in twins
    }
    goes_on, ends = sorted(twins, key=lambda twin: (_last_found(histories[twin.id]), twin.id))
    for event in histories[ends.id]:
        facts = {name: getattr(event, name) for name in COPIED}
        session.add(ViolationEvent(violation_id=goes_on.id, **facts))
        # One at a time: the order of their numbers is the order of what happened.
        session.flush()
    session.add(
        ViolationEvent(
            violation_id=ends.id,
            kind=EventKind.CONTINUED,
            at=merge.now,
            by_id=merge.by.id,
            inspection_id=histories[ends.id][-1].inspection_id,
        )
    )
    ends.continued_in_id = goes_on.id
    goes_on.found_on = min(goes_on.found_on, ends.found_on)
    session.flush()
    for twin in (ends, goes_on):
        project(session, twin, today=merge.today)
    session.flush()


def _last_found(events: Sequence[ViolationEvent]) -> datetime:
    """When the source that came last spoke for the first time: it gives the severity."""
    first: dict[object, datetime] = {}
    for event in events:
        if event.kind == EventKind.FOUND:
            first.setdefault(event.inspection_id, event.at)
    return max(first.values())


def _settle_requests(session: Session, merge: Merge) -> None:
    """A tower has one unanswered request for an assessment: the earlier one stays.

    What the other one asked for is written into the history of the tower.
    """
    requests = session.scalars(
        select(LoadAssessment)
        .where(
            LoadAssessment.tower_id.in_((merge.keep, merge.drop)),
            LoadAssessment.answered_at.is_(None),
        )
        .order_by(LoadAssessment.requested_at, LoadAssessment.id)
    ).all()
    if len(requests) < 2:
        return
    stays, leaves = requests
    stays.deadline = min(stays.deadline, leaves.deadline)
    audit.record(
        session,
        "assessment.join",
        "tower",
        merge.keep,
        by=merge.by,
        now=merge.now,
        before={
            "requested_on": leaves.requested_on.isoformat(),
            "deadline": leaves.deadline.isoformat(),
            "reason": leaves.reason,
            "inspection": str(leaves.inspection_id) if leaves.inspection_id else None,
        },
        after={"deadline": stays.deadline.isoformat(), "reason": stays.reason},
    )
    session.delete(leaves)


def derive_condition(session: Session, merge: Merge) -> None:
    condition.derive_again(session, [merge.keep])


FOLLOWERS = (
    Follower(N_("Inspections"), Inspection.tower_id),
    Follower(N_("Violations"), Violation.tower_id, before=_continue_twins),
    Follower(N_("Load-safety assessments"), LoadAssessment.tower_id, before=_settle_requests),
)
