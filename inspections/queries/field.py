"""What a phone takes into the field: the work of an inspector, and the towers of their territory.

Rows, not objects: a territory has up to 20,000 towers. Each function is a fixed number of
statements.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import Row, and_, cast, func, literal, or_, select, text, union
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on
from sqlalchemy.orm import Session
from sqlalchemy.types import Uuid

from areas.models import Area
from core import policy
from core.policy import Actor
from inspections.campaign_models import Assignment, Campaign
from inspections.field_models import DeclaredPhoto
from inspections.models import (
    Answer,
    ChecklistVersion,
    Inspection,
    Photo,
    Submission,
    Violation,
    ViolationEvent,
)
from inspections.queries.campaigns import Wanted, is_done, live
from inspections.queries.facts import COUNTING
from inspections.rules.violation import EventKind, Stage
from towers.models import Tower

# The photos of one defect that a phone takes along, the latest first.
EARLIER_PHOTOS = 3
MOST_TASKS = 5_000
SHOWN_TOWERS = Tower.lifecycle != "dismantled"


@dataclass(frozen=True)
class Original:
    """What was sent before: `body` as it was, with the photos that are named or here already."""

    inspected_on: date
    checklist_version: int
    structure_type: str
    methods: Sequence[str] | None
    body: Mapping[str, Any]
    photos: Sequence[tuple[uuid.UUID, str | None]]


@dataclass(frozen=True)
class Task:
    """Something that an inspector is to do at a tower."""

    id: str
    kind: str
    tower_id: uuid.UUID
    tower: str
    due_on: date | None
    reason: str = ""
    asked: str = ""
    inspection_id: uuid.UUID | None = None
    version: int | None = None
    original: Original | None = None
    violations: tuple[uuid.UUID, ...] = ()


def work(session: Session, actor: Actor, *, today: date) -> list[Task]:
    """What an inspector is to do: what was returned to them, what they were given, the violations
    that they see to or whose owner says that they are fixed; the first due first."""
    found = [*_returned(session, actor), *_given(session, actor, today=today)]
    found += _violations(session, actor, found)
    last = date.max
    return sorted(found, key=lambda one: (one.due_on or last, one.tower, one.id))


def _returned(session: Session, actor: Actor) -> list[Task]:
    """What came back stands first: nothing is due, and nothing counts until it is sent again."""
    sent = (
        select(Submission.body)
        .where(Submission.inspection_id == Inspection.id, Submission.outcome == "submitted")
        .order_by(Submission.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = session.execute(
        select(
            Inspection.id,
            Inspection.kind,
            Inspection.version,
            Inspection.review_reason,
            Inspection.inspected_on,
            Inspection.structure_type,
            Inspection.methods,
            ChecklistVersion.version.label("checklist_version"),
            Tower.id.label("tower_id"),
            Tower.code,
            sent.label("body"),
        )
        .join(Tower, Tower.id == Inspection.tower_id)
        .join(ChecklistVersion, ChecklistVersion.id == Inspection.checklist_version_id)
        .where(Inspection.inspector_id == actor.id, Inspection.status == "returned")
        .order_by(Inspection.inspected_on, Inspection.id)
        .limit(MOST_TASKS)
    ).all()
    photos = _photos_of(session, [row.id for row in rows])
    return [
        Task(
            id=str(row.id),
            kind="returned",
            tower_id=row.tower_id,
            tower=row.code,
            due_on=row.inspected_on,
            reason=row.review_reason,
            asked=row.kind,
            inspection_id=row.id,
            version=row.version,
            original=Original(
                inspected_on=row.inspected_on,
                checklist_version=row.checklist_version,
                structure_type=row.structure_type,
                methods=row.methods,
                body=row.body or {},
                photos=photos.get(row.id, ()),
            ),
        )
        for row in rows
    ]


def _photos_of(
    session: Session, ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, list[tuple[uuid.UUID, str | None]]]:
    """By inspection its photos with what they show, also those that are still on their way."""
    found: dict[uuid.UUID, list[tuple[uuid.UUID, str | None]]] = {}
    if not ids:
        return found
    here, named = (
        select(one.inspection_id, one.id, one.item_key).where(one.inspection_id.in_(ids))
        for one in (Photo, DeclaredPhoto)
    )
    rows = session.execute(union(here, named).order_by(text("1, 2")))
    for inspection_id, number, item_key in rows:
        found.setdefault(inspection_id, []).append((number, item_key))
    return found


def _given(session: Session, actor: Actor, *, today: date) -> list[Task]:
    rows = session.execute(
        live(
            actor,
            Wanted(inspector=actor.id, running=True),
            select(
                Assignment.id,
                Assignment.campaign_id,
                func.coalesce(Campaign.kind, Assignment.kind).label("kind"),
                func.coalesce(Campaign.name, Assignment.note).label("reason"),
                Assignment.due_on,
                Tower.id.label("tower_id"),
                Tower.code,
            ),
            today=today,
        )
        .where(~is_done())
        .order_by(Assignment.due_on, Assignment.id)
        .limit(MOST_TASKS)
    ).all()
    again = {row.tower_id for row in rows if row.kind == "reinspection"}
    asked = _open_of(session, again)
    return [
        Task(
            id=str(row.id),
            kind="reinspection"
            if row.kind == "reinspection"
            else ("campaign" if row.campaign_id else "routine"),
            tower_id=row.tower_id,
            tower=row.code,
            due_on=row.due_on,
            reason=row.reason or "",
            asked=row.kind,
            violations=tuple(asked.get(row.tower_id, ())) if row.kind == "reinspection" else (),
        )
        for row in rows
    ]


def _open_of(session: Session, towers: Iterable[uuid.UUID]) -> dict[uuid.UUID, list[uuid.UUID]]:
    found: dict[uuid.UUID, list[uuid.UUID]] = {}
    for tower_id, number in session.execute(
        select(Violation.tower_id, Violation.id)
        .where(Violation.tower_id.in_(set(towers)), Violation.state == "open")
        .order_by(Violation.urgency, Violation.deadline, Violation.id)
    ):
        found.setdefault(tower_id, []).append(number)
    return found


def _violations(session: Session, actor: Actor, known: Sequence[Task]) -> list[Task]:
    """One task a tower whose violations this inspector sees to, or that an owner calls fixed."""
    mine = Violation.assignee_id == actor.id
    claimed = and_(Violation.stage == Stage.CLAIMED, Violation.assignee_id.is_(None))
    rows = session.execute(
        select(
            Violation.tower_id,
            Tower.code,
            func.min(Violation.deadline).label("due_on"),
            func.array_agg(Violation.id).label("violations"),
        )
        .join(Tower, Tower.id == Violation.tower_id)
        .where(
            Violation.state == "open",
            or_(mine, claimed),
            policy.visible(actor, "violation"),
            SHOWN_TOWERS,
        )
        .group_by(Violation.tower_id, Tower.code)
        .order_by(func.min(Violation.deadline), Tower.code)
        .limit(MOST_TASKS)
    )
    there = {one.tower_id for one in known if one.kind == "reinspection"}
    return [
        Task(
            id=str(row.tower_id),
            kind="reinspection",
            tower_id=row.tower_id,
            tower=row.code,
            due_on=row.due_on,
            asked="reinspection",
            violations=tuple(sorted(row.violations)),
        )
        for row in rows
        if row.tower_id not in there
    ]


@dataclass
class Opened:
    """An open violation with what was last seen of it."""

    id: uuid.UUID
    item: str
    detail: str
    severity: str
    deadline: date
    found_on: date
    answer: Mapping[str, Any] | None = None
    photos: list[uuid.UUID] = field(default_factory=list)


def count_towers(session: Session, actor: Actor) -> int:
    return (
        session.scalar(
            select(func.count())
            .select_from(Tower)
            .where(policy.visible(actor, "tower"), SHOWN_TOWERS)
        )
        or 0
    )


def towers(session: Session, actor: Actor, *, after: str, limit: int) -> Sequence[Row[Any]]:
    """So many towers behind a code, by code."""
    return session.execute(
        select(
            Tower.id,
            Tower.code,
            Tower.name,
            Tower.structure_type,
            Tower.services,
            Tower.height_m,
            Tower.host_building_height_m,
            func.ST_Y(Tower.geom).label("lat"),
            func.ST_X(Tower.geom).label("lon"),
            Area.name.label("commune"),
            Area.code.label("commune_code"),
            Tower.condition,
            Tower.last_inspected_on,
        )
        .outerjoin(Area, Area.id == Tower.commune_id)
        .where(policy.visible(actor, "tower"), SHOWN_TOWERS, Tower.code > after)
        .order_by(Tower.code)
        .limit(limit)
    ).all()


def open_violations(
    session: Session, tower_ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, list[Opened]]:
    """By tower its open violations, the most urgent first, with the earlier answer and photos."""
    found: dict[uuid.UUID, list[Opened]] = {}
    by_id: dict[uuid.UUID, Opened] = {}
    for row in session.execute(
        select(
            Violation.tower_id,
            Violation.id,
            Violation.item_key,
            Violation.detail,
            Violation.severity,
            Violation.deadline,
            Violation.found_on,
        )
        .where(Violation.tower_id == func.any(_array(tower_ids)), Violation.state == "open")
        .order_by(Violation.urgency, Violation.deadline, Violation.item_key, Violation.id)
    ):
        one = Opened(row.id, row.item_key, row.detail, row.severity, row.deadline, row.found_on)
        found.setdefault(row.tower_id, []).append(one)
        by_id[row.id] = one
    if not by_id:
        return found
    seen = (
        select(ViolationEvent.violation_id, ViolationEvent.inspection_id)
        .where(
            ViolationEvent.violation_id == func.any(_array(list(by_id))),
            ViolationEvent.kind.in_((EventKind.FOUND, EventKind.REINSPECTED)),
            ViolationEvent.inspection_id.is_not(None),
        )
        .distinct()
        .subquery()
    )
    for number, given in session.execute(
        select(Violation.id, Answer.given)
        .join(seen, Violation.id == seen.c.violation_id)
        .join(
            Answer,
            and_(
                Answer.inspection_id == seen.c.inspection_id, Answer.item_key == Violation.item_key
            ),
        )
        .join(Inspection, Inspection.id == Answer.inspection_id)
        .order_by(Inspection.submitted_at, Inspection.id)
    ):
        by_id[number].answer = given
    for number, photo_id in session.execute(
        select(Violation.id, Photo.id)
        .join(seen, Violation.id == seen.c.violation_id)
        .join(
            Photo,
            and_(Photo.inspection_id == seen.c.inspection_id, Photo.item_key == Violation.item_key),
        )
        .order_by(Photo.received_at.desc(), Photo.id)
    ):
        if len(by_id[number].photos) < EARLIER_PHOTOS:
            by_id[number].photos.append(photo_id)
    return found


def last_answers(
    session: Session, tower_ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, dict[str, Any]]:
    """By tower what its last inspection that counts answered, by item."""
    last = (
        select(Inspection.tower_id, Inspection.id)
        .where(
            Inspection.tower_id == func.any(_array(tower_ids)),
            Inspection.status.in_(COUNTING),
            Inspection.kind != "reinspection",
        )
        .ext(distinct_on(Inspection.tower_id))
        .order_by(
            Inspection.tower_id,
            Inspection.inspected_on.desc(),
            Inspection.submitted_at.desc(),
            Inspection.id.desc(),
        )
        .subquery()
    )
    found: dict[uuid.UUID, dict[str, Any]] = {}
    for tower_id, item_key, given in session.execute(
        select(last.c.tower_id, Answer.item_key, Answer.given).join(
            Answer, Answer.inspection_id == last.c.id
        )
    ):
        found.setdefault(tower_id, {})[item_key] = given
    return found


def _array(ids: Sequence[uuid.UUID]) -> Any:
    """Many ids as one value: a list of thousands of parameters would take longer than its rows."""
    return cast(literal(list(ids), ARRAY(Uuid)), ARRAY(Uuid))
