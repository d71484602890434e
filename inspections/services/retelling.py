"""The past of towers from before spans were kept, told from what their records say of it.

Spans that exist already are evidence and stay as they are: what is told ends where they begin.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Text, any_, cast, func, select
from sqlalchemy.orm import Session

from core.audit import AuditEntry
from inspections.models import Inspection, LoadAssessment, Violation, ViolationEvent
from inspections.queries.facts import COUNTING
from inspections.rules.load_safety import AssessmentOutcome
from inspections.rules.past import Assessment, Known, Records, Register, Visit, retold
from inspections.rules.violation import Event
from inspections.services.settle import as_event
from towers.models import StructureKind, Tower
from towers.past_models import tower_span

# Somebody tells: two at once would tell the same twice.
TELLING_LOCK = 7_210_425
BATCH = 5_000
OF_REGISTER = tuple(one.name for one in fields(Register))
COLUMNS = (
    "tower_id, since, until, commune_id, lifecycle, condition, worst_severity, ok_until,"
    " next_deadline, owner_id, structure_type, geom_3857, retold"
)


@dataclass(frozen=True)
class Untold:
    """A tower whose spans begin at a moment, though it was registered before."""

    id: uuid.UUID
    registered_at: datetime
    recorded_since: datetime
    now: Register
    geom: str


def retell(session: Session) -> Iterator[int]:
    """Tell the past of every tower whose spans begin after its registration.

    Yields how many towers are done so far. A second time there is nothing left to tell.
    """
    session.execute(select(func.pg_advisory_xact_lock(TELLING_LOCK)))
    intervals = {
        key: months
        for key, months in session.execute(select(StructureKind.key, StructureKind.interval_months))
    }
    last, done = uuid.UUID(int=0), 0
    while batch := _untold(session, last):
        records = _records(session, batch)
        _write(
            session,
            [
                (one, since, until, known)
                for one in batch
                for since, until, known in _spans(records[one.id], intervals, one.recorded_since)
            ],
        )
        last, done = batch[-1].id, done + len(batch)
        yield done


def _spans(
    records: Records, intervals: dict[str, int | None], end: datetime
) -> Iterator[tuple[datetime, datetime, Known]]:
    found = retold(records, intervals, until=end)
    ends = [*(since for since, _ in found[1:]), end]
    for (since, known), until in zip(found, ends, strict=True):
        yield since, until, known


def _untold(session: Session, behind: uuid.UUID) -> list[Untold]:
    """So many towers behind one whose spans begin after their registration."""
    first = (
        select(tower_span.c.since, cast(tower_span.c.geom_3857, Text).label("geom"))
        .where(tower_span.c.tower_id == Tower.id)
        .order_by(tower_span.c.since)
        .limit(1)
        .lateral()
    )
    rows = session.execute(
        select(
            Tower.id, Tower.created_at, first.c.since, first.c.geom,
            Tower.lifecycle, Tower.structure_type, Tower.commune_id, Tower.owner_id,
        )
        .join(first, first.c.since > Tower.created_at)
        .where(Tower.id > behind)
        .order_by(Tower.id)
        .limit(BATCH)
    )  # fmt: skip
    return [
        Untold(key, registered, since, Register(*register), geom)
        for key, registered, since, geom, *register in rows
    ]


def among(column: Any, keys: Sequence[Any]) -> ColumnElement[bool]:
    """Whether a column is one of thousands of keys, which go as one parameter."""
    return column == any_(cast(keys, ARRAY(column.type)))


def _records(session: Session, batch: Sequence[Untold]) -> dict[uuid.UUID, Records]:
    ids = [one.id for one in batch]
    registers = _registers(session, batch)
    visits, violations = _visits(session, ids), _violations(session, ids)
    assessments = _assessments(session, ids)
    return {
        key: Records(registers[key], visits[key], violations[key], assessments[key]) for key in ids
    }


def _registers(
    session: Session, batch: Sequence[Untold]
) -> dict[uuid.UUID, list[tuple[datetime, Register]]]:
    """What the register said of each, made backwards from what it says: entries name what was."""
    entries: dict[str, list[Any]] = defaultdict(list)
    for entry in session.execute(
        select(AuditEntry.object_id, AuditEntry.at, AuditEntry.before)
        .where(
            AuditEntry.kind == "tower",
            among(AuditEntry.object_id, [str(one.id) for one in batch]),
            AuditEntry.before.has_any(cast(list(OF_REGISTER), ARRAY(Text))),
        )
        .order_by(AuditEntry.id.desc())
    ):
        entries[entry.object_id].append(entry)
    found = {}
    for one in batch:
        said, register = one.now, []
        for entry in entries[str(one.id)]:
            register.append((entry.at, said))
            said = replace(said, **_before(entry.before or {}))
        register.append((one.registered_at, said))
        found[one.id] = [(max(at, one.registered_at), said) for at, said in reversed(register)]
    return found


def _before(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The values that an entry found, as the register has them."""
    found = {name: entry[name] for name in OF_REGISTER if name in entry}
    if found.get("owner_id"):
        found["owner_id"] = uuid.UUID(found["owner_id"])
    for name in ("latitude", "longitude"):
        if name in found:
            found[name] = float(found[name])
    return found


def _visits(session: Session, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[Visit]]:
    rows = session.execute(
        select(
            Inspection.tower_id, Inspection.id, Inspection.inspected_on, Inspection.submitted_at,
            Inspection.complete, Inspection.structure_type, Inspection.status,
            Inspection.voided_at,
        ).where(
            among(Inspection.tower_id, ids),
            Inspection.submitted_at.is_not(None),
            Inspection.kind != "reinspection",
        )
    ).all()  # fmt: skip
    moves: dict[str, list[tuple[datetime, bool]]] = defaultdict(list)
    for entry in session.execute(
        select(
            AuditEntry.object_id, AuditEntry.at, AuditEntry.after["status"].astext.label("status")
        )
        .where(
            AuditEntry.kind == "inspection",
            among(AuditEntry.object_id, [str(row.id) for row in rows]),
            AuditEntry.after.has_key("status"),
        )
        .order_by(AuditEntry.id)
    ):
        moves[entry.object_id].append((entry.at, entry.status in COUNTING))
    found: dict[uuid.UUID, list[Visit]] = defaultdict(list)
    for row in rows:
        # Records without entries, as those of the demo, counted from when they came.
        counting = moves[str(row.id)] or [
            (row.submitted_at, row.status in COUNTING or row.voided_at is not None)
        ]
        if row.voided_at is not None:
            counting = sorted([*counting, (row.voided_at, False)])
        found[row.tower_id].append(
            Visit(row.id, row.inspected_on, row.submitted_at, row.complete,
                  row.structure_type, counting)
        )  # fmt: skip
    return found


def _violations(session: Session, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[list[Event]]]:
    found: dict[uuid.UUID, list[list[Event]]] = defaultdict(list)
    of: dict[uuid.UUID, list[Event]] = {}
    row: Any
    for row in session.execute(
        select(Violation.tower_id, *ViolationEvent.__table__.c)
        .join_from(ViolationEvent, Violation, Violation.id == ViolationEvent.violation_id)
        .where(among(Violation.tower_id, ids))
        .order_by(ViolationEvent.violation_id, ViolationEvent.place)
    ):
        if row.violation_id not in of:
            of[row.violation_id] = []
            found[row.tower_id].append(of[row.violation_id])
        of[row.violation_id].append(as_event(row))
    return found


def _assessments(session: Session, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[Assessment]]:
    found: dict[uuid.UUID, list[Assessment]] = defaultdict(list)
    for one in session.execute(
        select(
            LoadAssessment.tower_id, LoadAssessment.id, LoadAssessment.requested_at,
            LoadAssessment.answered_at, LoadAssessment.outcome,
        ).where(among(LoadAssessment.tower_id, ids))
    ):  # fmt: skip
        dangerous = one.outcome == AssessmentOutcome.DANGEROUS
        found[one.tower_id].append(Assessment(one.id, one.requested_at, one.answered_at, dangerous))
    return found


def _write(session: Session, spans: list[tuple[Untold, datetime, datetime, Known]]) -> None:
    """Write spans that are over; the grid of the map follows by a trigger."""
    places = {said: _place(session, said) for said in {known.register for *_, known in spans}}
    driver = session.connection().connection.driver_connection
    assert driver is not None
    with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY tower_span ({COLUMNS}) FROM STDIN") as copy,
    ):
        for one, since, until, known in spans:
            said = known.register
            copy.write_row(
                (one.id, since, until, said.commune_id, said.lifecycle, known.condition,
                 known.worst_severity, known.ok_until, known.next_deadline, said.owner_id,
                 said.structure_type, places[said] or one.geom, True)
            )  # fmt: skip


def _place(session: Session, said: Register) -> str | None:
    """Where the register had a tower in EPSG:3857, `None` where it stands there still."""
    if said.latitude is None or said.longitude is None:
        return None
    point = func.ST_SetSRID(func.ST_MakePoint(said.longitude, said.latitude), 4326)
    return session.scalar(select(cast(func.ST_Transform(point, 3857), Text)))
