"""Reading proposals: in the reader's scope, the oldest open ones first to be worked off."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from geoalchemy2 import Geometry
from sqlalchemy import ScalarSelect, false, func, literal, select
from sqlalchemy.orm import Session, joinedload, lazyload, selectinload
from sqlalchemy.sql.base import ExecutableOption

from accounts.models import User
from core import paging, policy
from core.geo import SRID, Position, to_point
from core.paging import Page
from core.policy import Actor
from towers.models import TowerProposal


@dataclass(frozen=True)
class ProposalFilters:
    state: tuple[str, ...] = ()
    kind: str = ""
    mine: bool = False
    tower_id: uuid.UUID | None = None


def _people() -> tuple[ExecutableOption, ...]:
    plain = (lazyload(User.roles), lazyload(User.territories))
    return (
        joinedload(TowerProposal.by).options(*plain),
        joinedload(TowerProposal.decided_by).options(*plain),
        joinedload(TowerProposal.tower),
        joinedload(TowerProposal.result),
        joinedload(TowerProposal.commune),
    )


def proposal(session: Session, actor: Actor, proposal_id: uuid.UUID) -> TowerProposal | None:
    return session.scalar(
        select(TowerProposal)
        .where(TowerProposal.id == proposal_id, policy.visible(actor, "proposal"))
        .options(*_people(), selectinload(TowerProposal.documents))
    )


def proposals(
    session: Session,
    actor: Actor,
    filters: ProposalFilters,
    *,
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[TowerProposal]:
    """One page of proposals, the latest first."""
    limit = paging.clamp(limit)
    statement = select(TowerProposal).where(policy.visible(actor, "proposal")).options(*_people())
    if filters.state:
        statement = statement.where(TowerProposal.state.in_(filters.state))
    if filters.kind:
        statement = statement.where(TowerProposal.kind == filters.kind)
    if filters.mine:
        statement = statement.where(TowerProposal.by_id == actor.id)
    if filters.tower_id:
        statement = statement.where(
            (TowerProposal.tower_id == filters.tower_id)
            | (TowerProposal.result_id == filters.tower_id)
        )
    statement = paging.keyset(
        statement,
        (TowerProposal.created_at, TowerProposal.id),
        (paging.moment, uuid.UUID),
        cursor,
        descending=True,
    )
    rows = session.scalars(statement.limit(limit + 1)).all()
    return paging.page_of(rows, limit, lambda row: [row.created_at, row.id])


def open_number(actor: Actor) -> ScalarSelect[int]:
    """How many proposals wait for the reader, if it is theirs to decide."""
    return (
        select(func.count())
        .select_from(TowerProposal)
        .where(
            policy.visible(actor, "proposal")
            if policy.allows(actor, "proposal.decide")
            else false(),
            TowerProposal.state == "open",
        )
        .scalar_subquery()
    )


def open_near(
    session: Session,
    actor: Actor,
    position: Position,
    *,
    metres: float,
    but: uuid.UUID | None = None,
    limit: int = 5,
) -> Sequence[tuple[TowerProposal, float]]:
    """Other open proposals of new towers within some metres of a point, with their distances."""
    point = func.geography(literal(to_point(position), Geometry("POINT", srid=SRID)))
    distance = func.ST_Distance(func.geography(TowerProposal.position), point)
    statement = (
        select(TowerProposal, distance)
        .where(
            policy.visible(actor, "proposal"),
            TowerProposal.state == "open",
            TowerProposal.kind == "new",
            TowerProposal.position.op("&&")(func.ST_Expand(to_point(position), metres / 90_000)),
            distance <= metres,
        )
        .order_by(distance, TowerProposal.id)
        .limit(limit)
    )
    if but is not None:
        statement = statement.where(TowerProposal.id != but)
    return [(found, float(away)) for found, away in session.execute(statement)]
