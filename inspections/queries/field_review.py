"""What phones brought and staff decide about, and the versions of one inspection."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from sqlalchemy import ScalarSelect, false, func, select
from sqlalchemy.orm import Session, joinedload, lazyload

from accounts.models import User
from core import paging, policy
from core.paging import Page
from core.policy import Actor
from inspections.field_models import ReviewItem, Upload
from inspections.models import Inspection, Photo, Submission
from inspections.rules.sync import ItemState


def _people() -> tuple:
    plain = (lazyload(User.roles), lazyload(User.territories))
    return (
        joinedload(ReviewItem.by).options(*plain),
        joinedload(ReviewItem.decided_by).options(*plain),
        joinedload(ReviewItem.tower),
        joinedload(ReviewItem.device),
    )


def item(session: Session, actor: Actor, item_id: uuid.UUID) -> ReviewItem | None:
    return session.scalar(
        select(ReviewItem)
        .where(ReviewItem.id == item_id, policy.visible(actor, "review_item"))
        .options(*_people())
    )


def items(
    session: Session,
    actor: Actor,
    *,
    state: Sequence[str] = (),
    reason: Sequence[str] = (),
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[ReviewItem]:
    """What came from the field for staff, the latest first."""
    limit = paging.clamp(limit)
    statement = select(ReviewItem).where(policy.visible(actor, "review_item")).options(*_people())
    if state:
        statement = statement.where(ReviewItem.state.in_(state))
    if reason:
        statement = statement.where(ReviewItem.reason.in_(reason))
    statement = paging.keyset(
        statement,
        (ReviewItem.received_at, ReviewItem.id),
        (paging.moment, uuid.UUID),
        cursor,
        descending=True,
    )
    rows = session.scalars(statement.limit(limit + 1)).all()
    return paging.page_of(rows, limit, lambda row: [row.received_at, row.id])


def open_number(actor: Actor) -> ScalarSelect[int]:
    """How many wait for the reader, if it is theirs to decide."""
    return (
        select(func.count())
        .select_from(ReviewItem)
        .where(
            policy.visible(actor, "review_item")
            if policy.allows(actor, "review_item.decide")
            else false(),
            ReviewItem.state == ItemState.OPEN,
        )
        .scalar_subquery()
    )


def submissions(session: Session, inspection_id: uuid.UUID) -> Sequence[Submission]:
    """What was submitted of one inspection, the first first: its versions."""
    return session.scalars(
        select(Submission)
        .where(Submission.inspection_id == inspection_id, Submission.outcome == "submitted")
        .order_by(Submission.id)
        .limit(200)
    ).all()


def number_of_versions(session: Session, inspection_id: uuid.UUID) -> int:
    return (
        session.scalar(
            select(func.count())
            .select_from(Submission)
            .where(Submission.inspection_id == inspection_id, Submission.outcome == "submitted")
        )
        or 0
    )


def last_body(session: Session, inspection_id: uuid.UUID) -> Submission | None:
    """What was last taken of an inspection, a draft too."""
    return session.scalar(
        select(Submission)
        .where(Submission.inspection_id == inspection_id, Submission.outcome != "conflict")
        .order_by(Submission.id.desc())
        .limit(1)
    )


def photos_of(session: Session, one: ReviewItem) -> tuple[int, int]:
    """How many photos of an item are here whole, of how many it names."""
    named = [each.get("id") for each in one.body.get("photos") or () if isinstance(each, dict)]
    if one.inspection_id is None or not named:
        return 0, len(named)
    whole = session.scalar(
        select(func.count())
        .select_from(Upload)
        .where(Upload.inspection_id == one.inspection_id, Upload.whole_at.is_not(None))
    )
    there = session.scalar(
        select(func.count()).select_from(Photo).where(Photo.inspection_id == one.inspection_id)
    )
    return min((whole or 0) + (there or 0), len(named)), len(named)


def reaches(session: Session, actor: Actor, inspection_id: uuid.UUID) -> bool:
    """Whether there is an inspection with this number that the reader may see."""
    return bool(
        session.scalar(
            select(Inspection.id).where(
                Inspection.id == inspection_id, policy.visible(actor, "inspection")
            )
        )
    )
