"""The evidence grade of a visit, by the limits that the department has set."""

from __future__ import annotations

from sqlalchemy.orm import Session

from core import store
from inspections.models import Inspection
from inspections.rules.evaluation import Outcome
from inspections.rules.evidence import Evidence, Limits, PhotoSource, Shown, grade


def evidence_of(session: Session, inspection: Inspection) -> Evidence | None:
    """How much a submitted visit proves; `None` for a draft, which says nothing yet.

    A re-inspection is complete where everything that it looked at could be verified.
    """
    if inspection.submitted_at is None:
        return None
    complete = inspection.complete
    if inspection.kind == "reinspection":
        complete = all(one.outcome == Outcome.OK for one in inspection.answers)
    distance, accuracy = inspection.distance_m, inspection.position_accuracy_m
    return grade(
        Shown(
            distance_m=float(distance) if distance is not None else None,
            accuracy_m=float(accuracy) if accuracy is not None else None,
            started_at=inspection.started_at,
            ended_at=inspection.ended_at,
            device_at=inspection.device_at,
            received_at=inspection.received_at or inspection.submitted_at,
            photos=tuple(PhotoSource(photo.source) for photo in inspection.photos),
            complete=complete,
        ),
        Limits(
            at_tower_m=float(store.value_of(session, "at_tower_m")),
            clock_minutes=int(store.value_of(session, "clock_minutes")),
        ),
    )
