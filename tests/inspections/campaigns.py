"""Campaigns for tests: a plan, its towers and its inspectors."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.policy import Actor
from inspections.campaign_models import Assignment, Campaign
from inspections.queries import campaigns as queries
from inspections.queries.campaigns import Wanted
from inspections.rules.campaign import Kind, State
from inspections.services import campaigns as services
from inspections.services.campaign_plans import Choice, Plan
from tests.inspections.visits import TODAY
from tests.makers import NOW
from towers.models import Tower
from towers.queries import Filters


def plan(**facts: Any) -> Plan:
    said = {
        "name": "Kiểm tra trước mùa bão",
        "kind": Kind.CAMPAIGN,
        "begins_on": date(2026, 11, 1),
        "ends_on": date(2026, 11, 30),
        **facts,
    }
    return Plan(**said)


def campaign(
    session: Session,
    by: Actor,
    *,
    codes: Sequence[str] = (),
    state: State = State.RUNNING,
    filters: Filters | None = None,
    **facts: Any,
) -> Campaign:
    """A campaign with these towers, running unless said otherwise."""
    made, new = services.create_campaign(
        session,
        uuid.uuid4(),
        plan(**facts),
        Choice(filters or Filters(), tuple(codes)),
        by=by,
        now=NOW,
        today=TODAY,
    )
    assert new
    if state != State.PLANNED:
        move(session, made, State.RUNNING, by)
    if state not in {State.PLANNED, State.RUNNING}:
        move(session, made, state, by, reason="bão đã tan")
    return made


def move(session: Session, made: Campaign, state: State, by: Actor, reason: str = "") -> int:
    return services.move_campaign(session, made, state, reason=reason, by=by, now=NOW, today=TODAY)


def live(session: Session, made: Campaign) -> dict[str, Assignment]:
    """What holds in a campaign, by the codes of its towers."""
    rows = session.execute(
        select(Tower.code, Assignment)
        .join(Assignment, Assignment.tower_id == Tower.id)
        .where(Assignment.campaign_id == made.id, Assignment.ended_at.is_(None))
        .order_by(Tower.code)
        .execution_options(populate_existing=True)
    )
    return dict(rows.tuples().all())


def standings(
    session: Session, by: Actor, made: Campaign, *, today: date = TODAY
) -> dict[str, str]:
    """Where the towers of a campaign stand, by their codes."""
    page = queries.assignments(session, by, Wanted(campaign=made.id), today=today)
    return {row.code: row.standing for row in page.rows}
