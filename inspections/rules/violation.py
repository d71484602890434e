"""The life of a violation: a state folded from events that are only ever added."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

SEVERITY_ORDER = ("critical", "major", "minor")


class State(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


class EventKind(StrEnum):
    FOUND = "found"
    WITHDRAWN = "withdrawn"
    REINSPECTED = "reinspected"
    REINSPECTION_WITHDRAWN = "reinspection_withdrawn"
    # Two towers were found to be one: another violation goes on with what was said of this one.
    CONTINUED = "continued"


class ReinspectionOutcome(StrEnum):
    FIXED = "fixed"
    NOT_FIXED = "not_fixed"
    CANNOT_VERIFY = "cannot_verify"


@dataclass(frozen=True)
class Event:
    kind: EventKind
    at: datetime
    inspection_id: uuid.UUID
    severity: str | None = None
    deadline: date | None = None
    outcome: ReinspectionOutcome | None = None


@dataclass(frozen=True)
class ViolationState:
    """What the events say together."""

    state: State
    severity: str | None
    deadline: date | None
    closed_by: uuid.UUID | None


def fold(events: Iterable[Event]) -> ViolationState:
    """The state after some events, in their order.

    Each inspection that found the defect is a source until it takes that back. The severity is
    that of the source that came last (a later correction of an older one does not move it
    behind), the deadline the earliest of them. A violation without sources
    is withdrawn; one that a re-inspection saw fixed, and that did not take it back, is closed. One
    that another goes on with is withdrawn: it counts there.
    """
    sources: dict[uuid.UUID, Event] = {}
    fixed: dict[uuid.UUID, Event] = {}
    order: dict[uuid.UUID, int] = {}
    severity: str | None = None
    deadline: date | None = None
    for event in events:
        if event.kind is EventKind.FOUND:
            order.setdefault(event.inspection_id, len(order))
            sources[event.inspection_id] = event
        elif event.kind is EventKind.WITHDRAWN:
            sources.pop(event.inspection_id, None)
        elif event.kind is EventKind.CONTINUED:
            sources.clear()
            fixed.clear()
        elif event.kind is EventKind.REINSPECTED:
            fixed.pop(event.inspection_id, None)
            if event.outcome is ReinspectionOutcome.FIXED:
                fixed[event.inspection_id] = event
        else:
            fixed.pop(event.inspection_id, None)
        if sources:
            severity = sources[max(sources, key=order.__getitem__)].severity
            deadline = min(one.deadline for one in sources.values() if one.deadline)
    if not sources:
        return ViolationState(State.WITHDRAWN, severity, deadline, None)
    if fixed:
        return ViolationState(State.CLOSED, severity, deadline, next(iter(fixed)))
    return ViolationState(State.OPEN, severity, deadline, None)


def deadline_for(found_on: date, remedy_days: int) -> date:
    """The last local calendar day on which mending is in time."""
    return found_on + timedelta(days=remedy_days)


def is_overdue(deadline: date, today: date) -> bool:
    """Whether a deadline has passed; on its own day it has not."""
    return deadline < today
