"""What follows when two towers are found to be one: inspections, violations, assessments."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core import audit
from core.i18n import N_
from core.merging import Follower, Merge
from inspections.campaign_models import Assignment
from inspections.field_models import ReviewItem
from inspections.models import Inspection, LoadAssessment, Violation, ViolationEvent
from inspections.notice_models import Notice
from inspections.queries import lists
from inspections.reminder_models import Reminder
from inspections.rules.campaign import Ending
from inspections.rules.violation import FINDINGS, EventKind, Stage
from inspections.services import condition
from inspections.services.settle import project

# What the violation that goes on takes over: what was found, and what was done about the
# danger itself. Notices and deadlines of the other record are its own and stay there.
TAKEN_OVER = FINDINGS | {EventKind.EMERGENCY_MEASURES, EventKind.AUTHORITY_INFORMED}
COPIED = (
    "kind", "at", "by_id", "inspection_id", "assessment_id", "severity", "deadline", "outcome",
    "reason", "party", "emergency_by",
)  # fmt: skip
STAGES = list(Stage)


def _continue_twins(session: Session, merge: Merge) -> None:
    """Of two open violations of one item, one goes on and the other points to it.

    The one that has come further with its owner goes on, of two alike the one found first. What
    inspections said of the other is copied to where it happened, so that severity and deadline
    follow from both, and a later correction of any inspection finds its own words. The other
    keeps its events, and one more that ends it.
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
    goes_on, ends = sorted(
        twins, key=lambda twin: (-STAGES.index(Stage(twin.stage)), twin.found_on, twin.id)
    )
    for event in lists.events_of(session, ends.id):
        if event.kind in TAKEN_OVER:
            facts = {name: getattr(event, name) for name in COPIED}
            session.add(ViolationEvent(violation_id=goes_on.id, copy_of=event.place, **facts))
    session.add(
        ViolationEvent(
            violation_id=ends.id, kind=EventKind.CONTINUED, at=merge.now, by_id=merge.by.id
        )
    )
    ends.continued_in_id = goes_on.id
    goes_on.found_on = min(goes_on.found_on, ends.found_on)
    goes_on.assignee_id = goes_on.assignee_id or ends.assignee_id
    session.flush()
    for twin in (ends, goes_on):
        project(session, twin, today=merge.today)
    session.flush()


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
    stays.assignee_id = stays.assignee_id or leaves.assignee_id
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


def _settle_assignments(session: Session, merge: Merge) -> None:
    """A tower stands in a campaign once: the kept one's place stays.

    Where nobody had that one, it goes to whoever had the other.
    """
    kept = {one.campaign_id: one for one in session.scalars(_live_assignments(merge.keep))}
    for leaves in session.scalars(_live_assignments(merge.drop)):
        stays = kept.get(leaves.campaign_id)
        if stays is None:
            continue
        if stays.inspector_id is None:
            stays.inspector_id = leaves.inspector_id
            stays.assigned_at, stays.assigned_by_id = leaves.assigned_at, leaves.assigned_by_id
        stays.due_on = min(stays.due_on, leaves.due_on)
        stays.version += 1
        leaves.ended_at, leaves.ended_by_id = merge.now, merge.by.id
        leaves.ending = Ending.MERGED.value
        leaves.version += 1


def _live_assignments(tower: uuid.UUID) -> Select[Assignment]:
    return select(Assignment).where(
        Assignment.tower_id == tower,
        Assignment.campaign_id.is_not(None),
        Assignment.ended_at.is_(None),
    )


FOLLOWERS = (
    Follower(N_("Inspections"), Inspection.tower_id),
    Follower(N_("Violations"), Violation.tower_id, before=_continue_twins),
    Follower(N_("Assignments"), Assignment.tower_id, before=_settle_assignments),
    Follower(N_("Load-safety assessments"), LoadAssessment.tower_id, before=_settle_requests),
    Follower(N_("Messages about deadlines"), Reminder.tower_id),
    Follower(N_("From the field, to be decided"), ReviewItem.tower_id),
)
ORGANISATION_FOLLOWERS = (Follower(N_("Notices"), Notice.owner_id),)
