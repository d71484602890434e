"""The condition of a tower from moment to moment, as its records tell it afterwards.

At each moment counts what had been written down by then: what was withdrawn later was still open,
and what was returned or voided later still counted. The intervals of the structure types are
today's, and an inspection is as complete as it was corrected to be.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from inspections.rules.condition import Facts, condition
from inspections.rules.violation import SEVERITY_ORDER, Event, State, fold
from towers.rules import Condition


@dataclass(frozen=True)
class Register:
    """What the register said of a tower beside its condition; degrees of EPSG:4326.

    Without a position the tower stood where it stands.
    """

    lifecycle: str
    structure_type: str
    commune_id: int | None
    owner_id: uuid.UUID | None
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True)
class Visit:
    """A full inspection, and from which moments on it counted or did not."""

    id: uuid.UUID
    inspected_on: date
    submitted_at: datetime
    complete: bool
    structure_type: str
    counting: Sequence[tuple[datetime, bool]]


@dataclass(frozen=True)
class Assessment:
    """A load-safety assessment; `dangerous` is what its answer came to."""

    id: uuid.UUID
    asked_at: datetime
    answered_at: datetime | None
    dangerous: bool


@dataclass(frozen=True)
class Records:
    """All that is written of one tower. The first of `register` is that of its registration."""

    register: Sequence[tuple[datetime, Register]]
    visits: Sequence[Visit] = ()
    violations: Sequence[Sequence[Event]] = ()
    assessments: Sequence[Assessment] = ()


@dataclass(frozen=True)
class Known:
    """What was known of a tower for a while."""

    register: Register
    condition: Condition
    ok_until: date | None
    worst_severity: str | None
    next_deadline: date | None


def retold(
    records: Records, intervals: dict[str, int | None], *, until: datetime
) -> list[tuple[datetime, Known]]:
    """From which moments on what was known, up to a moment; each differs from the one before.

    `intervals` are the months between inspections by structure type.
    """
    registered = records.register[0][0]
    said = {
        *(at for at, _ in records.register),
        *(at for one in records.visits for at, _ in one.counting),
        *(event.at for events in records.violations for event in events),
        *(one.asked_at for one in records.assessments),
        *(one.answered_at for one in records.assessments if one.answered_at),
    }
    found: list[tuple[datetime, Known]] = []
    for moment in sorted({max(at, registered) for at in said}):
        if moment >= until:
            break
        known = _known(records, intervals, moment)
        if not found or found[-1][1] != known:
            found.append((moment, known))
    return found


def _known(records: Records, intervals: dict[str, int | None], moment: datetime) -> Known:
    register = [one for at, one in records.register if at <= moment][-1]
    states = [
        fold(so_far)
        for events in records.violations
        if (so_far := [event for event in events if event.at <= moment])
    ]
    opened = [one for one in states if one.state is State.OPEN]
    severities = [one.severity for one in opened if one.severity]
    last = _last_visit(records.visits, moment)
    state, _, ok_until = condition(
        Facts(
            open_severities=severities,
            assessment_pending=any(
                one.asked_at <= moment and (one.answered_at is None or one.answered_at > moment)
                for one in records.assessments
            ),
            last_full_inspection_on=last.inspected_on if last else None,
            last_full_complete=last is not None
            and last.complete
            and last.structure_type == register.structure_type,
            interval_months=intervals[register.structure_type],
            assessed_dangerous=_assessed_dangerous(records, moment),
        )
    )
    return Known(
        register=register,
        condition=state,
        ok_until=ok_until,
        worst_severity=min(severities, key=SEVERITY_ORDER.index, default=None),
        next_deadline=min((one.deadline for one in opened if one.deadline), default=None),
    )


def _last_visit(visits: Sequence[Visit], moment: datetime) -> Visit | None:
    """The latest visit that counted at a moment, as the condition takes it."""
    counting = [
        one
        for one in visits
        if [counts for at, counts in one.counting if at <= moment][-1:] == [True]
    ]
    return max(
        counting, key=lambda one: (one.inspected_on, one.submitted_at, one.id.hex), default=None
    )


def _assessed_dangerous(records: Records, moment: datetime) -> bool:
    """Whether the last answer found danger that no violation carried by then."""
    answered = [
        (one.answered_at, one.id.hex, one)
        for one in records.assessments
        if one.answered_at and one.answered_at <= moment
    ]
    if not answered:
        return False
    last = max(answered)[2]
    raised = any(
        event.assessment_id == last.id and event.at <= moment
        for events in records.violations
        for event in events
    )
    return last.dangerous and not raised
