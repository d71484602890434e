"""What the department of the demo is busy with: notices to owners, and a campaign under way."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from random import Random

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import clock
from core.policy import Actor
from inspections.demo.proposals import new_id
from inspections.models import Violation
from inspections.queries.campaigns import Wanted
from inspections.rules.campaign import Kind, State
from inspections.services import assignments, campaigns, notices
from inspections.services.campaign_plans import Choice, Plan
from inspections.services.notice_documents import Press
from inspections.services.notices import Draft, Service
from towers.models import Tower

# Days ago: the first notice was issued and served, the second issued, the third is a draft.
ISSUED = (20, 3)
SERVED = 17
# Old enough to have been found before the first notice.
KNOWN_FOR = 30
MOST_IN_A_NOTICE = 4
CAMPAIGN = "Kiểm tra trước mùa mưa bão"
COMMUNES_OF_CAMPAIGN = 3
TOWERS_OF_CAMPAIGN = 60
CAMPAIGN_DAYS = 30


def load_paperwork(
    session: Session,
    *,
    seed: int,
    drafter: Actor,
    issuer: Actor,
    inspector: Actor,
    press: Press,
    now: datetime,
) -> None:
    """Three notices, each as far as it can be, and a campaign in the communes with most towers."""
    random = Random(seed + 3)  # noqa: S311 - a made-up province, not a secret
    for place, (owner, violations) in enumerate(_owners(session, _day(now) - KNOWN_FOR * DAY)):
        draft = Draft(owner, tuple(violations), "")
        days = ISSUED[place] if place < len(ISSUED) else 1
        at = now - timedelta(days=days)
        made, _ = notices.draft_notice(session, new_id(random), draft, by=drafter, now=at)
        if place < len(ISSUED):
            notices.issue(session, made, press=press, by=issuer, now=at, today=_day(at))
        if place == 0:
            served = now - timedelta(days=SERVED)
            service = Service(_day(served), "Văn thư của công ty (minh họa)", "post")
            notices.serve(session, made, service, by=drafter, now=served, today=_day(served))
    _campaign(session, new_id(random), by=drafter, inspector=inspector, now=now)


DAY = timedelta(days=1)


def _day(moment: datetime) -> date:
    return moment.astimezone(clock.zone()).date()


def _owners(session: Session, before: date) -> list[tuple[uuid.UUID, Sequence[uuid.UUID]]]:
    """Owners with much that is open and known for long, and the most urgent of it."""
    open_ones = (
        Violation.state == "open",
        Violation.stage == "found",
        Violation.found_on < before,
        Tower.demo,
        Tower.owner_id.is_not(None),
    )
    owners = session.scalars(
        select(Tower.owner_id)
        .join(Violation, Violation.tower_id == Tower.id)
        .where(*open_ones)
        .group_by(Tower.owner_id)
        .order_by(func.count().desc(), Tower.owner_id)
        .limit(len(ISSUED) + 1)
    ).all()
    return [
        (
            owner,
            session.scalars(
                select(Violation.id)
                .join(Tower, Tower.id == Violation.tower_id)
                .where(*open_ones, Tower.owner_id == owner)
                .order_by(Violation.urgency, Violation.deadline, Violation.id)
                .limit(MOST_IN_A_NOTICE)
            ).all(),
        )
        for owner in owners
        if owner is not None
    ]


def _campaign(
    session: Session, campaign_id: uuid.UUID, *, by: Actor, inspector: Actor, now: datetime
) -> None:
    """A campaign in a few communes, half of whose days are over, with all towers given out."""
    assert inspector.id is not None
    communes = (
        select(Tower.commune_id)
        .where(Tower.demo, Tower.commune_id.is_not(None))
        .group_by(Tower.commune_id)
        .order_by(func.count().desc(), Tower.commune_id)
        .limit(COMMUNES_OF_CAMPAIGN)
    )
    codes = session.scalars(
        select(Tower.code)
        .where(Tower.demo, Tower.lifecycle == "active", Tower.commune_id.in_(communes))
        .order_by(Tower.code)
        .limit(TOWERS_OF_CAMPAIGN)
    ).all()
    if not codes:
        return
    begun = now - timedelta(days=CAMPAIGN_DAYS)
    first, last = _day(begun), _day(now + timedelta(days=CAMPAIGN_DAYS))
    plan, choice = Plan(CAMPAIGN, Kind.CAMPAIGN, first, last), Choice(codes=tuple(codes))
    made, _ = campaigns.create_campaign(
        session, campaign_id, plan, choice, by=by, now=begun, today=first
    )
    assignments.share_out(session, made, Wanted(), [inspector.id], by=by, now=begun, today=first)
    campaigns.move_campaign(session, made, State.RUNNING, by=by, now=begun, today=first)
