"""Lists of inspections and violations: scope first, total order, keyset pages."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import ColumnElement, and_, case, false, func, select, true
from sqlalchemy.orm import (
    Session,
    aliased,
    contains_eager,
    joinedload,
    lazyload,
    selectinload,
    undefer,
    with_expression,
)
from sqlalchemy.sql.base import ExecutableOption

from accounts.models import User
from core import paging, policy
from core.paging import Page
from core.policy import Actor
from inspections.field_models import DeclaredPhoto
from inspections.models import (
    Answer,
    ChecklistVersion,
    Inspection,
    LoadAssessment,
    Photo,
    Violation,
    ViolationEvent,
)
from towers.models import Tower
from towers.search import exactly, matches


def inspection(session: Session, actor: Actor, inspection_id: uuid.UUID) -> Inspection | None:
    """One inspection with everything its page shows, or `None` outside the reader's scope."""
    return session.scalar(
        select(Inspection)
        .where(Inspection.id == inspection_id, policy.visible(actor, "inspection"))
        .options(
            joinedload(Inspection.tower),
            joinedload(Inspection.inspector),
            joinedload(Inspection.checklist_version).undefer(ChecklistVersion.content),
            selectinload(Inspection.answers),
            selectinload(Inspection.photos),
            selectinload(Inspection.signatures),
            *photo_counts(),
        )
    )


def photo_counts() -> tuple[ExecutableOption, ...]:
    """Every inspection of a query with how many of its photos are here, and how many are not."""
    here = select(func.count()).where(Photo.inspection_id == Inspection.id)
    waiting = select(func.count()).where(
        DeclaredPhoto.inspection_id == Inspection.id, DeclaredPhoto.arrived_at.is_(None)
    )
    return (
        with_expression(Inspection.photos_here, here.scalar_subquery()),
        with_expression(Inspection.photos_waiting, waiting.scalar_subquery()),
    )


def inspections(
    session: Session,
    actor: Actor,
    *,
    tower_id: uuid.UUID | None = None,
    status: Sequence[str] = (),
    kind: Sequence[str] = (),
    mine: bool = False,
    q: str = "",
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[Inspection]:
    """Inspections, the latest first."""
    limit = paging.clamp(limit)
    statement = (
        select(Inspection)
        .where(policy.visible(actor, "inspection"))
        .options(joinedload(Inspection.tower), _inspector(), *photo_counts())
    )
    if tower_id:
        statement = statement.where(Inspection.tower_id == tower_id)
    if status:
        statement = statement.where(Inspection.status.in_(status))
    if kind:
        statement = statement.where(Inspection.kind.in_(kind))
    if mine:
        statement = statement.where(Inspection.inspector_id == actor.id)
    if q.strip():
        found = select(Tower.id).where(matches(exactly(session, q)))
        statement = statement.where(Inspection.tower_id.in_(found))
    statement = paging.keyset(
        statement,
        (_moment_of_list(), Inspection.id),
        (paging.moment, uuid.UUID),
        cursor,
        descending=True,
    )
    rows = session.scalars(statement.limit(limit + 1)).all()
    return paging.page_of(rows, limit, lambda row: [row.submitted_at or row.created_at, row.id])


def _inspector() -> ExecutableOption:
    """The inspector's name comes with the list, not their roles and territory."""
    return joinedload(Inspection.inspector).options(
        lazyload(User.roles), lazyload(User.territories)
    )


def _moment_of_list() -> ColumnElement[datetime]:
    """When an inspection was submitted, a draft when it was begun; an index has this order."""
    return func.coalesce(Inspection.submitted_at, Inspection.created_at)


def violation(session: Session, actor: Actor, violation_id: uuid.UUID) -> Violation | None:
    """One violation with its events, or `None` outside the reader's scope."""
    return session.scalar(
        select(Violation)
        .where(Violation.id == violation_id, policy.visible(actor, "violation"))
        .options(
            joinedload(Violation.tower),
            joinedload(Violation.checklist_version).undefer(ChecklistVersion.content),
            selectinload(Violation.events).joinedload(ViolationEvent.by),
        )
    )


def continued_by(session: Session, violation: Violation) -> Sequence[Violation]:
    """The violations with whose events this one went on when towers were merged."""
    return session.scalars(
        select(Violation)
        .where(Violation.continued_in_id == violation.id)
        .order_by(Violation.found_on, Violation.id)
    ).all()


def violations(
    session: Session,
    actor: Actor,
    *,
    tower_id: uuid.UUID | None = None,
    state: Sequence[str] = (),
    severity: Sequence[str] = (),
    overdue_on: date | None = None,
    q: str = "",
    include_dismantled: bool = False,
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[Violation]:
    """Violations, the latest found first; `overdue_on` keeps the open ones past that day.

    Those of dismantled towers are left out unless asked for, by flag or by the tower itself.
    """
    limit = paging.clamp(limit)
    statement = (
        select(Violation)
        .where(policy.visible(actor, "violation"))
        .options(
            joinedload(Violation.tower).joinedload(Tower.commune),
            joinedload(Violation.checklist_version),
        )
    )
    if tower_id:
        statement = statement.where(Violation.tower_id == tower_id)
    elif not include_dismantled:
        statement = statement.where(
            Violation.tower_id.in_(select(Tower.id).where(Tower.lifecycle != "dismantled"))
        )
    if state:
        statement = statement.where(Violation.state.in_(state))
    if severity:
        statement = statement.where(Violation.severity.in_(severity))
    if overdue_on:
        statement = statement.where(Violation.state == "open", Violation.deadline < overdue_on)
    if q.strip():
        found = select(Tower.id).where(matches(exactly(session, q)))
        statement = statement.where(Violation.tower_id.in_(found))
    statement = paging.keyset(
        statement,
        (Violation.found_on, Violation.id),
        (date.fromisoformat, uuid.UUID),
        cursor,
        descending=True,
    )
    rows = session.scalars(statement.limit(limit + 1)).all()
    return paging.page_of(rows, limit, lambda row: [row.found_on, row.id])


def events_of(session: Session, violation_id: uuid.UUID) -> Sequence[ViolationEvent]:
    return session.scalars(
        select(ViolationEvent)
        .where(ViolationEvent.violation_id == violation_id)
        .order_by(ViolationEvent.place)
    ).all()


@dataclass
class Proof:
    """What one inspection shows of a violation: its answer to the item, and the item's photos."""

    answer: Answer | None = None
    photos: list[Photo] = field(default_factory=list)


def proofs_of(session: Session, violation: Violation) -> dict[uuid.UUID, Proof]:
    """By inspection what the events of a violation rest on."""
    numbers = {event.inspection_id for event in violation.events if event.inspection_id}
    found: dict[uuid.UUID, Proof] = {number: Proof() for number in numbers}
    for answer in session.scalars(
        select(Answer).where(
            Answer.inspection_id.in_(numbers), Answer.item_key == violation.item_key
        )
    ):
        found[answer.inspection_id].answer = answer
    for one in session.scalars(
        select(Photo)
        .where(Photo.inspection_id.in_(numbers), Photo.item_key == violation.item_key)
        .order_by(Photo.received_at, Photo.id)
    ):
        found[one.inspection_id].photos.append(one)
    return found


def photo(session: Session, actor: Actor, photo_id: uuid.UUID) -> Photo | None:
    """One photo of an inspection that the reader may see."""
    return session.scalar(
        select(Photo)
        .join(Inspection, Inspection.id == Photo.inspection_id)
        .where(Photo.id == photo_id, policy.visible(actor, "inspection"))
    )


def photos_of_tower(
    session: Session, actor: Actor, tower_id: uuid.UUID, limit: int = 24
) -> Sequence[Photo]:
    """The latest photos of a tower."""
    return session.scalars(
        select(Photo)
        .join(Inspection, Inspection.id == Photo.inspection_id)
        .where(Inspection.tower_id == tower_id, policy.visible(actor, "inspection"))
        .options(contains_eager(Photo.inspection).load_only(Inspection.checklist_version_id))
        .order_by(Photo.received_at.desc(), Photo.id)
        .limit(limit)
    ).all()


def reused_photos(
    session: Session, actor: Actor, photos: Iterable[Photo]
) -> dict[uuid.UUID, list[str]]:
    """Which of these pictures, byte for byte, were sent for another tower as well.

    By photo id the codes of those towers that the reader may see: an empty list where they lie
    outside the reader's territory. A picture that was sent for its own tower alone is left out.
    """
    numbers = [photo.id for photo in photos]
    if not numbers:
        return {}
    mine, other = aliased(Photo), aliased(Photo)
    here, there = aliased(Inspection), aliased(Inspection)
    rows = session.execute(
        select(mine.id, Tower.code, case((policy.visible(actor, "tower"), true()), else_=false()))
        .join(here, here.id == mine.inspection_id)
        .join(other, and_(other.sha256 == mine.sha256, other.id != mine.id))
        .join(there, and_(there.id == other.inspection_id, there.tower_id != here.tower_id))
        .join(Tower, Tower.id == there.tower_id)
        .where(mine.id.in_(numbers))
        .distinct()
        .order_by(mine.id, Tower.code)
    )
    found: dict[uuid.UUID, list[str]] = {}
    for number, code, seen in rows:
        codes = found.setdefault(number, [])
        if seen:
            codes.append(code)
    return found


def latest_inspections(session: Session, actor: Actor, limit: int = 8) -> Sequence[Inspection]:
    """What was submitted last, for the dashboard."""
    return session.scalars(
        select(Inspection)
        .where(policy.visible(actor, "inspection"), Inspection.submitted_at.is_not(None))
        .options(joinedload(Inspection.tower), _inspector(), *photo_counts())
        .order_by(_moment_of_list().desc(), Inspection.id.desc())
        .limit(limit)
    ).all()


def pending_assessment(session: Session, tower_id: uuid.UUID) -> LoadAssessment | None:
    return session.scalar(
        select(LoadAssessment).where(
            LoadAssessment.tower_id == tower_id, LoadAssessment.answered_at.is_(None)
        )
    )


def last_assessment(session: Session, tower_id: uuid.UUID) -> LoadAssessment | None:
    """The assessment that was answered last; its outcome is what counts."""
    return session.scalar(
        select(LoadAssessment)
        .where(LoadAssessment.tower_id == tower_id, LoadAssessment.answered_at.is_not(None))
        .order_by(LoadAssessment.answered_at.desc(), LoadAssessment.id.desc())
        .limit(1)
    )


def checklist_versions(
    session: Session, *, limit: int | None = None, cursor: str | None = None
) -> Page[ChecklistVersion]:
    """The versions of the catalogue, the newest first."""
    limit = paging.clamp(limit)
    statement = paging.keyset(
        select(ChecklistVersion),
        (ChecklistVersion.version, ChecklistVersion.id),
        (paging.whole_number, paging.whole_number),
        cursor,
        descending=True,
    )
    rows = session.scalars(statement.limit(limit + 1)).all()
    return paging.page_of(rows, limit, lambda row: [row.version, row.id])


def checklist_version(session: Session, number: int) -> ChecklistVersion | None:
    """The version with a number, `None` where there is none; no column holds a larger one."""
    if number >= 2**31:
        return None
    return session.scalar(
        select(ChecklistVersion)
        .where(ChecklistVersion.version == number)
        .options(undefer(ChecklistVersion.content))
    )


def version_before(session: Session, version: ChecklistVersion) -> ChecklistVersion | None:
    """The version that another was copied from, or that was in force before it."""
    before = (
        ChecklistVersion.version == version.based_on
        if version.based_on
        else ChecklistVersion.version < version.version
    )
    return session.scalar(
        select(ChecklistVersion)
        .where(ChecklistVersion.catalogue == version.catalogue, before)
        .order_by(ChecklistVersion.version.desc())
        .limit(1)
        .options(undefer(ChecklistVersion.content))
    )


def found_by(session: Session, inspection_id: uuid.UUID) -> Sequence[Violation]:
    """The violations in whose events an inspection stands."""
    return session.scalars(
        select(Violation)
        .where(
            Violation.continued_in_id.is_(None),
            Violation.id.in_(
                select(ViolationEvent.violation_id).where(
                    ViolationEvent.inspection_id == inspection_id
                )
            ),
        )
        .order_by(Violation.urgency, Violation.item_key, Violation.id)
    ).all()
