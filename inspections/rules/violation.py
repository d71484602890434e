"""The life of a violation: a state folded from events that are only ever added.

What an inspection says (found, taken back, re-inspected) or a load-safety assessment (found,
safe) counts at any time. What the department and the owner do in between are steps: `STEPS` says
which are possible where.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

SEVERITY_ORDER = ("critical", "major", "minor")


class State(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


class Stage(StrEnum):
    """How far an open violation has come; the last two are the ends."""

    FOUND = "found"
    CONFIRMED = "confirmed"
    NOTIFIED = "notified"
    SERVED = "served"
    CLAIMED = "claimed"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


class EventKind(StrEnum):
    """What can happen: what `SAID_BY` names is a finding of somebody, the others are steps."""

    FOUND = "found"
    WITHDRAWN = "withdrawn"
    REINSPECTED = "reinspected"
    REINSPECTION_WITHDRAWN = "reinspection_withdrawn"
    ASSESSED_SAFE = "assessed_safe"
    CONFIRMED = "confirmed"
    NOTIFIED = "notified"
    NOTICE_WITHDRAWN = "notice_withdrawn"
    SERVED = "served"
    EXTENSION_REQUESTED = "extension_requested"
    EXTENDED = "extended"
    EXTENSION_REFUSED = "extension_refused"
    EMERGENCY_MEASURES = "emergency_measures"
    AUTHORITY_INFORMED = "authority_informed"
    CLAIMED_FIXED = "claimed_fixed"
    ESCALATED = "escalated"
    ANNULMENT_REQUESTED = "annulment_requested"
    ANNULLED = "annulled"
    # Two entries of one tower were merged: another violation goes on with what was found here.
    CONTINUED = "continued"


class ReinspectionOutcome(StrEnum):
    FIXED = "fixed"
    NOT_FIXED = "not_fixed"
    CANNOT_VERIFY = "cannot_verify"


class Voice(StrEnum):
    """Whose finding an event is: it names the one or the other."""

    INSPECTION = "inspection"
    ASSESSMENT = "assessment"


# Who can say what. Nothing else closes a violation than what stands here.
SAID_BY: Mapping[EventKind, frozenset[Voice]] = {
    EventKind.FOUND: frozenset({Voice.INSPECTION, Voice.ASSESSMENT}),
    EventKind.WITHDRAWN: frozenset({Voice.INSPECTION}),
    EventKind.REINSPECTED: frozenset({Voice.INSPECTION}),
    EventKind.REINSPECTION_WITHDRAWN: frozenset({Voice.INSPECTION}),
    EventKind.ASSESSED_SAFE: frozenset({Voice.ASSESSMENT}),
}
FINDINGS = frozenset(SAID_BY)


def said_by(voice: Voice) -> frozenset[EventKind]:
    """What one of them can say."""
    return frozenset(kind for kind, voices in SAID_BY.items() if voice in voices)


# What people do with a violation; that another one goes on with it follows from a merge.
TAKEN = frozenset(EventKind) - FINDINGS - {EventKind.CONTINUED}
_ALWAYS = frozenset(
    {
        EventKind.EMERGENCY_MEASURES,
        EventKind.AUTHORITY_INFORMED,
        EventKind.ESCALATED,
        EventKind.ANNULMENT_REQUESTED,
        EventKind.ANNULLED,
    }
)
_WITH_OWNER = frozenset(
    {
        EventKind.NOTICE_WITHDRAWN,
        EventKind.EXTENSION_REQUESTED,
        EventKind.EXTENDED,
        EventKind.EXTENSION_REFUSED,
    }
)
# The state machine: which steps are possible at which stage.
STEPS: Mapping[Stage, frozenset[EventKind]] = {
    Stage.FOUND: _ALWAYS | {EventKind.CONFIRMED},
    Stage.CONFIRMED: _ALWAYS | {EventKind.NOTIFIED},
    Stage.NOTIFIED: _ALWAYS | _WITH_OWNER | {EventKind.SERVED, EventKind.CLAIMED_FIXED},
    Stage.SERVED: _ALWAYS | _WITH_OWNER | {EventKind.NOTIFIED, EventKind.CLAIMED_FIXED},
    Stage.CLAIMED: _ALWAYS | _WITH_OWNER | {EventKind.NOTIFIED},
    Stage.CLOSED: frozenset(),
    Stage.WITHDRAWN: frozenset(),
}
# Steps that answer another one, which must be waiting for them.
ANSWERS: Mapping[EventKind, EventKind] = {
    EventKind.EXTENDED: EventKind.EXTENSION_REQUESTED,
    EventKind.EXTENSION_REFUSED: EventKind.EXTENSION_REQUESTED,
    EventKind.ANNULLED: EventKind.ANNULMENT_REQUESTED,
}


@dataclass(frozen=True)
class Event:
    """One event. Days are local; by the moment `emergency_by` a critical one must be secured.

    A finding names its inspection or its assessment; `detail` is what the latter demands.
    """

    kind: EventKind
    at: datetime
    inspection_id: uuid.UUID | None = None
    severity: str | None = None
    deadline: date | None = None
    outcome: ReinspectionOutcome | None = None
    emergency_by: datetime | None = None
    assessment_id: uuid.UUID | None = None
    detail: str = ""

    @property
    def source(self) -> uuid.UUID | None:
        """Who said it: the inspection or the assessment."""
        return self.inspection_id or self.assessment_id


@dataclass(frozen=True)
class ViolationState:
    """What the events say together.

    `waiting` are the requests that nobody has answered. `emergency_by` is `None` where nothing
    critical was found, or where measures were taken. `closed_by` is the inspection or the
    assessment that shows that it is over. `detail` is what the last source demands.
    """

    state: State
    stage: Stage
    severity: str | None
    deadline: date | None
    closed_by: uuid.UUID | None
    escalation_level: int = 0
    emergency_by: datetime | None = None
    authority_informed: bool = False
    waiting: frozenset[EventKind] = frozenset()
    detail: str = ""

    @property
    def possible(self) -> frozenset[EventKind]:
        """The steps that can be taken now."""
        steps = set(STEPS[self.stage]) - self.waiting
        return frozenset(
            step for step in steps if ANSWERS.get(step) is None or ANSWERS[step] in self.waiting
        )


def fold(events: Iterable[Event]) -> ViolationState:
    """The state after some events, in their order.

    Each inspection or assessment that found the defect is a source, an inspection until it takes
    that back. The severity is that of the source that came last (a later correction of an older
    one does not move it behind). The deadline is the earliest of them; an extension replaces
    those of what was found before it. A violation without sources, annulled, or gone on with in
    another one, is withdrawn; one that a re-inspection saw fixed, and that did not take it back,
    or after which an assessment found the tower safe, is closed.
    """
    life = _Life()
    for event in events:
        life.take(event)
    return life.state()


class _Life:
    """What the events up to one of them say."""

    def __init__(self) -> None:
        self.sources: dict[uuid.UUID | None, Event] = {}
        self.fixed: dict[uuid.UUID | None, Event] = {}
        self.order: dict[uuid.UUID | None, int] = {}
        self.severity: str | None = None
        self.detail = ""
        self.deadline: date | None = None
        self.extended: date | None = None
        self.before_extension: set[uuid.UUID | None] = set()
        self.stage = Stage.FOUND
        self.claimed = False
        self.annulled = False
        self.level = 0
        self.secured = False
        self.informed = False
        self.waiting: set[EventKind] = set()

    def take(self, event: Event) -> None:
        kind = event.kind
        if kind is EventKind.FOUND:
            if event.source not in self.order and event.emergency_by:
                self.secured = False
            self.order.setdefault(event.source, len(self.order))
            if event.source not in self.sources:
                self.before_extension.discard(event.source)
            self.sources[event.source] = event
        elif kind is EventKind.WITHDRAWN:
            self.sources.pop(event.source, None)
        elif kind is EventKind.REINSPECTED:
            self.fixed.pop(event.source, None)
            if event.outcome is ReinspectionOutcome.FIXED:
                self.fixed[event.source] = event
            self.claimed = False
        elif kind is EventKind.REINSPECTION_WITHDRAWN:
            self.fixed.pop(event.source, None)
        elif kind is EventKind.ASSESSED_SAFE:
            self.fixed[event.source] = event
        else:
            self._step(event)
        if self.sources:
            last = self.sources[max(self.sources, key=self.order.__getitem__)]
            self.severity, self.detail = last.severity, last.detail
            days = [
                one.deadline
                for source, one in self.sources.items()
                if one.deadline and source not in self.before_extension
            ]
            self.deadline = min([*days, *([self.extended] if self.extended else [])])

    def _step(self, event: Event) -> None:
        kind = event.kind
        if kind in ANSWERS:
            self.waiting.discard(ANSWERS[kind])
        if kind in ANSWERS.values():
            self.waiting.add(kind)
        if kind is EventKind.CONFIRMED:
            self.stage = Stage.CONFIRMED
        elif kind is EventKind.NOTIFIED:
            self.stage, self.claimed = Stage.NOTIFIED, False
        elif kind is EventKind.NOTICE_WITHDRAWN:
            self.stage, self.claimed = Stage.CONFIRMED, False
            self.waiting.discard(EventKind.EXTENSION_REQUESTED)
        elif kind is EventKind.SERVED:
            self.stage = Stage.SERVED
        elif kind is EventKind.CLAIMED_FIXED:
            self.claimed = True
        elif kind is EventKind.EXTENDED:
            self.extended = event.deadline
            self.before_extension = set(self.sources)
        elif kind is EventKind.EMERGENCY_MEASURES:
            self.secured = True
        elif kind is EventKind.AUTHORITY_INFORMED:
            self.informed = True
        elif kind is EventKind.ESCALATED:
            self.level += 1
        elif kind is EventKind.ANNULLED:
            self.annulled = True
        elif kind is EventKind.CONTINUED:
            self.sources.clear()
            self.fixed.clear()

    def state(self) -> ViolationState:
        closed_by = None
        if self.annulled or not self.sources:
            state, stage = State.WITHDRAWN, Stage.WITHDRAWN
        elif self.fixed:
            state, stage = State.CLOSED, Stage.CLOSED
            closed_by = next(iter(self.fixed))
        else:
            state, stage = State.OPEN, Stage.CLAIMED if self.claimed else self.stage
        emergencies = [one.emergency_by for one in self.sources.values() if one.emergency_by]
        return ViolationState(
            state=state,
            stage=stage,
            severity=self.severity,
            deadline=self.deadline,
            closed_by=closed_by,
            escalation_level=self.level,
            emergency_by=None if self.secured else min(emergencies, default=None),
            authority_informed=self.informed,
            waiting=frozenset(self.waiting) if state is State.OPEN else frozenset(),
            detail=self.detail,
        )


def deadline_for(found_on: date, remedy_days: int) -> date:
    """The last local calendar day on which mending is in time."""
    return found_on + timedelta(days=remedy_days)


def is_overdue(deadline: date, today: date) -> bool:
    """Whether a deadline has passed; on its own day it has not."""
    return deadline < today
