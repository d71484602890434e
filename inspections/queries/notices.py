"""Notices: lists in scope, what an owner could be told, and which notice counts for a violation."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import ScalarSelect, exists, select, tuple_
from sqlalchemy.orm import Session, aliased, joinedload, selectinload

from core import paging, policy
from core.paging import Page
from core.policy import Actor
from inspections.models import LoadAssessment, Photo, Violation, ViolationEvent
from inspections.notice_models import (
    Notice,
    NoticeItem,
    NoticeLink,
    NoticeReply,
    NoticeReplyFile,
    NoticeTemplate,
)
from inspections.rules.notice import NoticeState
from inspections.rules.violation import EventKind
from towers.models import Tower

MOST_CHOICES = 500


def lock_order(violation: Violation) -> tuple[uuid.UUID, uuid.UUID]:
    """The order in which everybody takes several violations: by their towers."""
    return violation.tower_id, violation.id


def notice(session: Session, actor: Actor, notice_id: uuid.UUID) -> Notice | None:
    """One notice with all that its page shows, or `None` outside the reader's scope."""
    item = selectinload(Notice.items).joinedload(NoticeItem.violation)
    tower = item.joinedload(Violation.tower)
    return session.scalar(
        select(Notice)
        .where(Notice.id == notice_id, policy.visible(actor, "notice"))
        .options(
            joinedload(Notice.owner),
            tower.joinedload(Tower.commune),
            tower.joinedload(Tower.owner),
            item.joinedload(Violation.checklist_version),
            selectinload(Notice.documents),
            selectinload(Notice.links).joinedload(NoticeLink.made_by),
            selectinload(Notice.replies).selectinload(NoticeReply.files),
        )
    )


def notices(
    session: Session,
    actor: Actor,
    *,
    state: Sequence[str] = (),
    owner_id: uuid.UUID | None = None,
    violation_id: uuid.UUID | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[Notice]:
    """Notices, the last drafted first; discarded drafts only when they are asked for."""
    limit = paging.clamp(limit)
    statement = (
        select(Notice)
        .where(policy.visible(actor, "notice"))
        .options(joinedload(Notice.owner), selectinload(Notice.items))
    )
    if state:
        statement = statement.where(Notice.state.in_(state))
    else:
        statement = statement.where(Notice.state != NoticeState.DISCARDED)
    if owner_id:
        statement = statement.where(Notice.owner_id == owner_id)
    if violation_id:
        named = select(NoticeItem.notice_id).where(NoticeItem.violation_id == violation_id)
        statement = statement.where(Notice.id.in_(named))
    statement = paging.keyset(
        statement,
        (Notice.drafted_at, Notice.id),
        (paging.moment, uuid.UUID),
        cursor,
        descending=True,
    )
    rows = session.scalars(statement.limit(limit + 1)).all()
    return paging.page_of(rows, limit, lambda row: [row.drafted_at, row.id])


def open_violations(session: Session, actor: Actor, owner_id: uuid.UUID) -> Sequence[Violation]:
    """What an owner could be told: the open violations of their towers, the most urgent first."""
    return session.scalars(
        select(Violation)
        .join(Tower, Tower.id == Violation.tower_id)
        .where(
            Violation.state == "open",
            Tower.owner_id == owner_id,
            policy.visible(actor, "violation"),
        )
        .options(
            joinedload(Violation.tower).joinedload(Tower.commune),
            joinedload(Violation.checklist_version),
        )
        .order_by(Violation.urgency, Violation.deadline, Violation.id)
        .limit(MOST_CHOICES)
    ).all()


def owners_of(session: Session, actor: Actor, violations: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """The owners of the towers of some violations that the reader may see."""
    found = session.scalars(
        select(Tower.owner_id)
        .join(Violation, Violation.tower_id == Tower.id)
        .where(Violation.id.in_(list(violations)), policy.visible(actor, "violation"))
        .distinct()
    )
    return {one for one in found if one is not None}


def drafted(
    session: Session, violations: Sequence[uuid.UUID], *, but: uuid.UUID | None = None
) -> set[uuid.UUID]:
    """Which of some violations stand in a draft, other than in the one `but`."""
    statement = (
        select(NoticeItem.violation_id)
        .join(Notice, Notice.id == NoticeItem.notice_id)
        .where(NoticeItem.violation_id.in_(violations), Notice.state == NoticeState.DRAFT)
    )
    if but is not None:
        statement = statement.where(Notice.id != but)
    return set(session.scalars(statement))


def present(session: Session, notice: Notice) -> list[Violation]:
    """The violations of a notice as they go on today, in the order in which they are taken.

    When two towers were found to be one, another record may go on with what a notice named.
    """
    found: dict[uuid.UUID, Violation] = {}
    for item in notice.items:
        violation = item.violation
        while violation.continued_in_id is not None:
            violation = session.get_one(Violation, violation.continued_in_id)
        found[violation.id] = violation
    return sorted(found.values(), key=lock_order)


def is_latest(session: Session, notice: Notice, violation: Violation) -> bool:
    """Whether no later notice that still stands is about this violation."""
    later = aliased(Notice)
    return not session.scalar(
        select(
            exists()
            .where(NoticeItem.violation_id == violation.id)
            .where(later.id == NoticeItem.notice_id)
            .where(later.state == NoticeState.ISSUED)
            .where(tuple_(later.year, later.number) > tuple_(notice.year, notice.number))
        )
    )


def told_by() -> ScalarSelect[uuid.UUID]:
    """The last notice that stands about a violation of a query, to the owner its tower has now."""
    return (
        select(Notice.id)
        .join(NoticeItem, NoticeItem.notice_id == Notice.id)
        .where(
            NoticeItem.violation_id == Violation.id,
            Notice.owner_id == Tower.owner_id,
            Notice.state == NoticeState.ISSUED,
        )
        .order_by(Notice.year.desc(), Notice.number.desc())
        .limit(1)
        .correlate(Violation, Tower)
        .scalar_subquery()
    )


def live_link(session: Session, hash_: bytes, now: datetime) -> NoticeLink | None:
    """The link with this hash that opens its notice now, or `None`."""
    return session.scalar(
        select(NoticeLink)
        .join(Notice, Notice.id == NoticeLink.notice_id)
        .where(
            NoticeLink.hash == hash_,
            NoticeLink.revoked_at.is_(None),
            NoticeLink.expires_at > now,
            Notice.state == NoticeState.ISSUED,
        )
    )


def link(session: Session, actor: Actor, link_id: uuid.UUID) -> NoticeLink | None:
    """One link of a notice in the reader's scope."""
    return session.scalar(
        select(NoticeLink)
        .join(Notice, Notice.id == NoticeLink.notice_id)
        .where(NoticeLink.id == link_id, policy.visible(actor, "notice"))
    )


def reply_file(session: Session, actor: Actor, file_id: uuid.UUID) -> NoticeReplyFile | None:
    """One file that an owner sent about a notice in the reader's scope."""
    return session.scalar(
        select(NoticeReplyFile)
        .join(NoticeReply, NoticeReply.id == NoticeReplyFile.reply_id)
        .join(Notice, Notice.id == NoticeReply.notice_id)
        .where(NoticeReplyFile.id == file_id, policy.visible(actor, "notice"))
    )


def replies_to(session: Session, actor: Actor, violation: Violation) -> dict[int, NoticeReply]:
    """What owners sent about a violation, by the event that says so."""
    return {
        one.event_id: one
        for one in session.scalars(
            select(NoticeReply)
            .join(Notice, Notice.id == NoticeReply.notice_id)
            .where(NoticeReply.violation_id == violation.id, policy.visible(actor, "notice"))
            .options(selectinload(NoticeReply.files))
        )
    }


def photos_of(session: Session, violations: Iterable[uuid.UUID]) -> dict[uuid.UUID, list[Photo]]:
    """The photos of the findings of some violations, the latest first."""
    rows = session.execute(
        select(Violation.id, Photo)
        .join(ViolationEvent, ViolationEvent.violation_id == Violation.id)
        .join(Photo, Photo.inspection_id == ViolationEvent.inspection_id)
        .where(
            Violation.id.in_(list(violations)),
            ViolationEvent.kind == EventKind.FOUND,
            Photo.item_key == Violation.item_key,
        )
        .order_by(Photo.received_at.desc(), Photo.id)
    )
    found: dict[uuid.UUID, list[Photo]] = {}
    for number, photo in rows:
        photos = found.setdefault(number, [])
        if photo not in photos:
            photos.append(photo)
    return found


def reports_of(
    session: Session, violations: Iterable[uuid.UUID]
) -> dict[uuid.UUID, LoadAssessment]:
    """The last report of a load-safety assessment by which each violation was found."""
    rows = session.execute(
        select(ViolationEvent.violation_id, LoadAssessment)
        .join(LoadAssessment, LoadAssessment.id == ViolationEvent.assessment_id)
        .where(
            ViolationEvent.violation_id.in_(list(violations)),
            ViolationEvent.kind == EventKind.FOUND,
        )
        .order_by(ViolationEvent.place)
    )
    return {number: report for number, report in rows}


def template(session: Session) -> NoticeTemplate | None:
    """The department's own template, or `None` where the shipped one is used."""
    return session.scalar(
        select(NoticeTemplate)
        .where(NoticeTemplate.retired_at.is_(None))
        .order_by(NoticeTemplate.uploaded_at.desc(), NoticeTemplate.id)
        .limit(1)
    )
