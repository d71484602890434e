"""What a re-inspection looks at: each open violation with what was seen of it before."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from inspections.models import Answer, Inspection, Photo, Violation, ViolationEvent
from inspections.rules.violation import EventKind, ReinspectionOutcome

# The photos of one defect that stand beside the new one, the latest first.
EARLIER_PHOTOS = 3


@dataclass
class Line:
    """One violation of a re-inspection: what was last answered and photographed before, what this
    inspection shows of it, and what it said; `None` until it is submitted."""

    violation: Violation
    answer: Answer | None = None
    earlier: list[Photo] = field(default_factory=list)
    photos: list[Photo] = field(default_factory=list)
    outcome: ReinspectionOutcome | None = None


def lines_of(
    session: Session, inspection: Inspection, asked: Mapping[str, Violation]
) -> dict[str, Line]:
    """The lines of a re-inspection by item, the most urgent first; `asked` is what it answers."""
    order = sorted(asked.values(), key=lambda one: (one.urgency, one.deadline, one.item_key))
    lines = {violation.item_key: Line(violation) for violation in order}
    by_violation = {line.violation.id: line for line in lines.values()}
    earlier = (
        select(ViolationEvent.violation_id, ViolationEvent.inspection_id)
        .where(
            ViolationEvent.violation_id.in_(by_violation),
            ViolationEvent.kind.in_((EventKind.FOUND, EventKind.REINSPECTED)),
            ViolationEvent.inspection_id != inspection.id,
        )
        .distinct()
        .subquery()
    )
    for number, answer in session.execute(
        select(Violation.id, Answer)
        .join(earlier, Violation.id == earlier.c.violation_id)
        .join(
            Answer,
            and_(
                Answer.inspection_id == earlier.c.inspection_id,
                Answer.item_key == Violation.item_key,
            ),
        )
        .join(Inspection, Inspection.id == Answer.inspection_id)
        .order_by(Inspection.submitted_at, Inspection.id)
    ):
        by_violation[number].answer = answer
    for number, photo in session.execute(
        select(Violation.id, Photo)
        .join(earlier, Violation.id == earlier.c.violation_id)
        .join(
            Photo,
            and_(
                Photo.inspection_id == earlier.c.inspection_id,
                Photo.item_key == Violation.item_key,
            ),
        )
        .order_by(Photo.received_at.desc(), Photo.id)
    ):
        if len(by_violation[number].earlier) < EARLIER_PHOTOS:
            by_violation[number].earlier.append(photo)
    for photo in inspection.photos:
        if photo.item_key in lines:
            lines[photo.item_key].photos.append(photo)
    for number, outcome in _said(session, inspection.id, list(by_violation)):
        by_violation[number].outcome = outcome
    return lines


def _said(
    session: Session, inspection_id: uuid.UUID, violations: list[uuid.UUID]
) -> list[tuple[uuid.UUID, ReinspectionOutcome | None]]:
    """What this inspection last said of each violation, in the order in which it was said."""
    rows = session.execute(
        select(ViolationEvent.violation_id, ViolationEvent.outcome)
        .where(
            ViolationEvent.inspection_id == inspection_id,
            ViolationEvent.violation_id.in_(violations),
            ViolationEvent.kind.in_((EventKind.REINSPECTED, EventKind.REINSPECTION_WITHDRAWN)),
        )
        .order_by(ViolationEvent.place)
    )
    return [
        (number, ReinspectionOutcome(outcome) if outcome is not None else None)
        for number, outcome in rows
    ]
