"""Steps of the department and the owner between a finding and its closure.

Each is one more event of the violation; `rules.violation.STEPS` says which are possible. None of
them closes it: only a re-inspection does, or a later load-safety assessment of what one found.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import audit, policy, store
from core.errors import Conflict, FieldText, Forbidden, Invalid
from core.i18n import N_
from core.policy import Actor
from inspections.models import Violation, ViolationEvent
from inspections.rules.violation import ANSWERS, TAKEN, EventKind, ViolationState, fold
from inspections.services import condition
from inspections.services.settle import as_event, events_of, project
from towers import services as towers

MAX_REASON = 4_000
MAX_PARTY = 300
NEEDS_REASON = frozenset(
    {
        EventKind.NOTICE_WITHDRAWN,
        EventKind.EXTENSION_REQUESTED,
        EventKind.EXTENSION_REFUSED,
        EventKind.EMERGENCY_MEASURES,
        EventKind.CLAIMED_FIXED,
        EventKind.ESCALATED,
        EventKind.ANNULMENT_REQUESTED,
    }
)
NEEDS_PARTY = frozenset({EventKind.SERVED, EventKind.AUTHORITY_INFORMED, EventKind.ESCALATED})
# Who may take which step is an action of the policy.
ACTIONS = {
    EventKind.EXTENDED: "violation.decide",
    EventKind.EXTENSION_REFUSED: "violation.decide",
    EventKind.ANNULLED: "violation.decide",
    EventKind.CLAIMED_FIXED: "violation.claim",
    EventKind.EXTENSION_REQUESTED: "violation.claim",
}


@dataclass(frozen=True)
class Step:
    """What somebody does with a violation.

    `reason` says why or what was done, `party` names who was served, informed or takes over,
    `deadline` is the local day that an extension asks for or grants.
    """

    kind: EventKind
    reason: str = ""
    party: str = ""
    deadline: date | None = None


def state_of(events: Iterable[ViolationEvent]) -> ViolationState:
    """The state that loaded events of one violation say."""
    return fold(as_event(event) for event in events)


def take_step(
    session: Session, violation: Violation, step: Step, *, by: Actor, now: datetime, today: date
) -> ViolationEvent:
    """Add a step to a violation and derive what follows from it.

    Raises `Conflict` with the possible steps for one that is not possible now, `Invalid` for a
    missing reason, party or day, and `Forbidden` where the one who asked would decide alone.
    """
    policy.require(by, ACTIONS.get(step.kind, "violation.follow_up"), violation)
    if step.kind not in TAKEN:
        message = N_("This is said by an inspection or an assessment, not by a step")
        raise Invalid(fields={"kind": [message]})
    # One writer a tower: an inspection may be settling the same violation.
    tower = towers.hold(session, violation.tower_id)
    session.refresh(violation)
    before = fold(events_of(session, [violation.id])[violation.id])
    if step.kind not in before.possible:
        raise Conflict(
            N_("This step is not possible now"),
            stage=before.stage,
            possible=sorted(before.possible),
        )
    deadline = _checked(step, before, today)
    request = _request(session, violation, ANSWERS.get(step.kind))
    if request is not None and request.by_id == by.id and store.value_of(session, "two_people"):
        raise Forbidden(N_("Somebody else than who asked for it must decide this"))
    event = ViolationEvent(
        violation_id=violation.id,
        kind=step.kind,
        at=now,
        by_id=by.id,
        reason=step.reason.strip(),
        party=step.party.strip(),
        # Granted without a day, an extension is the one that was asked for.
        deadline=deadline
        or (request.deadline if request and step.kind is EventKind.EXTENDED else None),
    )
    session.add(event)
    session.flush()
    after = project(session, violation, today=today)
    condition.refresh(session, tower)
    audit.record(
        session,
        f"violation.{step.kind}",
        "violation",
        violation.id,
        by=by,
        now=now,
        before=_plain(before),
        after={**_plain(after), "reason": event.reason, "party": event.party},
    )
    return event


def _checked(step: Step, state: ViolationState, today: date) -> date | None:
    """The day of a step; raises `Invalid` for what is missing or does not fit."""
    wrong: dict[str, list[FieldText]] = {}
    if step.kind in NEEDS_REASON and not step.reason.strip():
        wrong["reason"] = [N_("Say why, or what was done")]
    if step.kind in NEEDS_PARTY and not step.party.strip():
        wrong["party"] = [N_("Name who was served, informed or takes over")]
    if len(step.reason) > MAX_REASON:
        wrong["reason"] = [N_("This text is too long")]
    if len(step.party) > MAX_PARTY:
        wrong["party"] = [N_("This text is too long")]
    day = (
        step.deadline if step.kind in {EventKind.EXTENSION_REQUESTED, EventKind.EXTENDED} else None
    )
    if step.kind is EventKind.EXTENSION_REQUESTED and day is None:
        wrong["deadline"] = [N_("Name the new deadline")]
    if day is not None and (day < today or (state.deadline and day <= state.deadline)):
        wrong["deadline"] = [N_("The new deadline must lie after the present one and today")]
    if wrong:
        raise Invalid(fields=wrong)
    return day


def _request(
    session: Session, violation: Violation, kind: EventKind | None
) -> ViolationEvent | None:
    """The last request of a kind, which a step answers."""
    if kind is None:
        return None
    return session.scalar(
        select(ViolationEvent)
        .where(ViolationEvent.violation_id == violation.id, ViolationEvent.kind == kind)
        .order_by(ViolationEvent.place.desc())
        .limit(1)
    )


def _plain(state: ViolationState) -> dict[str, Any]:
    return {
        "state": state.state,
        "stage": state.stage,
        "deadline": state.deadline.isoformat() if state.deadline else None,
        "escalation_level": state.escalation_level,
    }
