"""Reading campaigns and assignments: scope first, and what is done computed from inspections."""

from __future__ import annotations

import uuid
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from geoalchemy2 import Geometry
from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    case,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.selectable import LateralFromClause

from accounts.models import Role, User
from areas.models import Area
from core import paging, policy
from core.geo import SRID, Position, to_point
from core.paging import Page
from core.policy import Actor
from inspections.campaign_models import Assignment, Campaign
from inspections.models import Inspection
from inspections.queries.facts import COUNTING
from inspections.rules.campaign import Standing, State
from towers.models import Tower
from towers.queries import Filters, filtered, narrowed

# So many are offered where one of them is chosen.
MOST_INSPECTORS = 500
MOST_NEAR = 50
MOST_CHOICES = 200
# A cancelled campaign has no towers any more.
HAVING = frozenset(State) - {State.CANCELLED}


def campaign(session: Session, actor: Actor, campaign_id: uuid.UUID) -> Campaign | None:
    """One campaign, or `None` outside the reader's scope."""
    return session.scalar(
        select(Campaign).where(Campaign.id == campaign_id, policy.visible(actor, "campaign"))
    )


def name_of(session: Session, actor: Actor, campaign_id: uuid.UUID) -> str | None:
    """What one campaign is called, `None` outside the reader's scope."""
    found = campaign(session, actor, campaign_id)
    return found.name if found else None


def campaigns(
    session: Session,
    actor: Actor,
    *,
    state: Sequence[str] = (),
    kind: Sequence[str] = (),
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[Campaign]:
    """Campaigns, the latest begun first."""
    limit = paging.clamp(limit)
    statement = select(Campaign).where(policy.visible(actor, "campaign"))
    if state:
        statement = statement.where(Campaign.state.in_(state))
    if kind:
        statement = statement.where(Campaign.kind.in_(kind))
    statement = paging.keyset(
        statement,
        (Campaign.begins_on, Campaign.id),
        (date.fromisoformat, uuid.UUID),
        cursor,
        descending=True,
    )
    rows = session.scalars(statement.limit(limit + 1)).all()
    return paging.page_of(rows, limit, lambda row: [row.begins_on, row.id])


def matching(actor: Actor, filters: Filters, codes: Sequence[str], *, today: date) -> Select[Any]:
    """The towers that filters choose (or codes, where there are some), in the reader's scope."""
    towers: Select[Any] = select(Tower.id)
    if codes:
        return towers.where(policy.visible(actor, "tower"), Tower.code.in_(codes))
    return filtered(towers, actor, filters, today=today)


def count_matching(
    session: Session, actor: Actor, filters: Filters, codes: Sequence[str] = (), *, today: date
) -> int:
    chosen = matching(actor, filters, codes, today=today).subquery()
    return session.scalar(select(func.count()).select_from(chosen)) or 0


def towers_of(actor: Actor, campaign: uuid.UUID) -> Select[Any]:
    """The ids of a campaign's towers; none of a campaign that the reader may not see."""
    given = aliased(Assignment)
    return (
        select(given.tower_id)
        .join(Campaign, Campaign.id == given.campaign_id)
        .where(
            given.campaign_id == campaign,
            given.ended_at.is_(None),
            policy.visible(actor, "campaign"),
        )
    )


def counts_for() -> ColumnElement[bool]:
    """Whether an inspection fulfils an assignment: `Inspection` and `Assignment` with `Campaign`
    (joined outer) of the statement around it.

    By anybody, from the first day on and sent before the campaign was closed. A re-inspection
    looks at single defects only, so it fulfils nothing but what asks for one.
    """
    kind = func.coalesce(Campaign.kind, Assignment.kind)
    return and_(
        Inspection.tower_id == Assignment.tower_id,
        Inspection.status.in_(COUNTING),
        Inspection.inspected_on >= func.coalesce(Campaign.begins_on, Assignment.counts_from),
        or_(Campaign.ended_at.is_(None), Inspection.submitted_at <= Campaign.ended_at),
        or_(kind == "reinspection", Inspection.kind != "reinspection"),
    )


def is_done() -> ColumnElement[bool]:
    """Whether an assignment (joined outer with its campaign) is fulfilled."""
    return select(Inspection.id).where(counts_for()).correlate(Assignment, Campaign).exists()


def _fulfilment() -> LateralFromClause:
    """The first inspection that fulfils an assignment."""
    return (
        select(Inspection.id.label("id"), Inspection.inspected_on.label("inspected_on"))
        .where(counts_for())
        .order_by(Inspection.inspected_on, Inspection.submitted_at, Inspection.id)
        .limit(1)
        .correlate(Assignment, Campaign)
        .lateral("fulfilment")
    )


def standing_on(today: date, done: ColumnElement[bool]) -> ColumnElement[str]:
    """`rules.campaign.standing` as SQL."""
    return case(
        (done, literal(Standing.DONE)),
        (Assignment.due_on < today, literal(Standing.OVERDUE)),
        (Assignment.inspector_id.is_(None), literal(Standing.UNASSIGNED)),
        else_=literal(Standing.ASSIGNED),
    )


@dataclass(frozen=True)
class Wanted:
    """What a list of assignments is narrowed to.

    `inspector` is a user, `nobody` asks for those that no inspector has. `running` leaves out
    what a campaign only plans, or has behind it.
    """

    campaign: uuid.UUID | None = None
    inspector: uuid.UUID | None = None
    nobody: bool = False
    standing: Sequence[str] = ()
    tower: uuid.UUID | None = None
    running: bool = False
    filters: Filters = field(default_factory=Filters)


def live(
    actor: Actor, wanted: Wanted, statement: Select[*tuple[Any, ...]], *, today: date
) -> Select[Any]:
    """A statement over `Assignment` (with its tower and campaign) in scope and narrowed."""
    statement = (
        statement.select_from(Assignment)
        .join(Tower, Tower.id == Assignment.tower_id)
        .outerjoin(Campaign, Campaign.id == Assignment.campaign_id)
        .where(Assignment.ended_at.is_(None), policy.visible(actor, "assignment"))
    )
    if wanted.campaign:
        statement = statement.where(Assignment.campaign_id == wanted.campaign)
    if wanted.inspector:
        statement = statement.where(Assignment.inspector_id == wanted.inspector)
    if wanted.nobody:
        statement = statement.where(Assignment.inspector_id.is_(None))
    if wanted.tower:
        statement = statement.where(Assignment.tower_id == wanted.tower)
    if wanted.running:
        statement = statement.where(
            or_(Assignment.campaign_id.is_(None), Campaign.state == State.RUNNING)
        )
    if wanted.filters.any:
        statement = statement.where(*narrowed(actor, wanted.filters, today))
    if wanted.standing:
        statement = statement.where(or_(*(_stands(one, today) for one in wanted.standing)))
    return statement


def _stands(standing: str, today: date) -> ColumnElement[bool]:
    """A predicate of one standing that asks for inspections only of the rows that it must."""
    if standing == Standing.DONE:
        return is_done()
    late = Assignment.due_on < today
    if standing == Standing.OVERDUE:
        return and_(late, ~is_done())
    nobody = Assignment.inspector_id.is_(None)
    return and_(~late, nobody if standing == Standing.UNASSIGNED else ~nobody, ~is_done())


def _rows(actor: Actor, wanted: Wanted, *, today: date) -> Select[Any]:
    """Assignments with what lists show of them."""
    done = _fulfilment()
    columns = (
        Assignment.id,
        Assignment.campaign_id,
        func.coalesce(Campaign.kind, Assignment.kind).label("kind"),
        Campaign.name.label("campaign"),
        Campaign.state.label("campaign_state"),
        Assignment.note,
        Assignment.due_on,
        Assignment.inspector_id,
        func.coalesce(func.nullif(User.name, ""), User.email).label("inspector"),
        Assignment.assigned_at,
        Assignment.version,
        Tower.id.label("tower_id"),
        Tower.code,
        Tower.name,
        Tower.condition,
        Tower.structure_type,
        Tower.last_inspected_on,
        func.ST_Y(Tower.geom).label("latitude"),
        func.ST_X(Tower.geom).label("longitude"),
        Area.name.label("commune"),
        Area.code.label("commune_code"),
        done.c.id.label("inspection_id"),
        done.c.inspected_on.label("inspected_on"),
        standing_on(today, done.c.id.is_not(None)).label("standing"),
    )
    return (
        live(actor, wanted, select(*columns), today=today)
        .outerjoin(User, User.id == Assignment.inspector_id)
        .outerjoin(Area, Area.id == Tower.commune_id)
        .outerjoin(done, true())
    )


def assignments(
    session: Session,
    actor: Actor,
    wanted: Wanted,
    *,
    today: date,
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[Row[Any]]:
    """What is to be inspected, the first due first, as rows."""
    limit = paging.clamp(limit)
    statement = paging.keyset(
        _rows(actor, wanted, today=today),
        (Assignment.due_on, Assignment.id),
        (date.fromisoformat, uuid.UUID),
        cursor,
    )
    rows = session.execute(statement.limit(limit + 1)).all()
    return paging.page_of(rows, limit, lambda row: [row.due_on, row.id])


def nearest_assignments(
    session: Session,
    actor: Actor,
    wanted: Wanted,
    position: Position,
    *,
    today: date,
    limit: int = MOST_NEAR,
) -> Sequence[Row[Any]]:
    """The same rows, the nearest first, each with its distance `metres`."""
    point = literal(to_point(position), Geometry("POINT", srid=SRID))
    away = func.ST_Distance(func.geography(Tower.geom), func.geography(point)).label("metres")
    return session.execute(
        _rows(actor, wanted, today=today)
        .add_columns(away)
        .order_by(away, Assignment.due_on, Assignment.id)
        .limit(limit)
    ).all()


def assignment(session: Session, actor: Actor, assignment_id: uuid.UUID) -> Assignment | None:
    """One assignment that holds, or `None` outside the reader's scope."""
    return session.scalar(
        select(Assignment).where(
            Assignment.id == assignment_id,
            Assignment.ended_at.is_(None),
            policy.visible(actor, "assignment"),
        )
    )


def assignment_row(
    session: Session, actor: Actor, assignment_id: uuid.UUID, *, today: date
) -> Row[Any] | None:
    """The same as lists show it."""
    statement = _rows(actor, Wanted(), today=today).where(Assignment.id == assignment_id)
    return session.execute(statement).one_or_none()


def past(session: Session, assignment: Assignment, limit: int = 20) -> Sequence[Row[Any]]:
    """Who had the tower of an assignment before, the last one first: a name and until when."""
    return session.execute(
        select(
            func.coalesce(func.nullif(User.name, ""), User.email).label("inspector"),
            Assignment.assigned_at,
            Assignment.ended_at,
        )
        .join(User, User.id == Assignment.inspector_id)
        .where(
            Assignment.tower_id == assignment.tower_id,
            Assignment.campaign_id.is_not_distinct_from(assignment.campaign_id),
            Assignment.added_at == assignment.added_at,
            Assignment.ended_at.is_not(None),
        )
        .order_by(Assignment.ended_at.desc(), Assignment.id)
        .limit(limit)
    ).all()


def count_assignments(session: Session, actor: Actor, wanted: Wanted, *, today: date) -> int:
    chosen = live(actor, wanted, select(Assignment.id), today=today).subquery()
    return session.scalar(select(func.count()).select_from(chosen)) or 0


@dataclass
class Numbers:
    """How many towers there are, how many of them somebody has, are done, or are late."""

    towers: int = 0
    assigned: int = 0
    done: int = 0
    overdue: int = 0

    def add(self, towers: int, assigned: int, done: int, overdue: int) -> None:
        self.towers += towers
        self.assigned += assigned
        self.done += done
        self.overdue += overdue

    @property
    def share(self) -> int:
        """The share that is done in whole per cent: 100 only when nothing is left."""
        return self.done * 100 // self.towers if self.towers else 0


@dataclass
class Progress:
    """The numbers of a campaign: in all, by inspector and by commune (each with its name).

    Nobody's towers stand under `None`, and so do those outside all communes.
    """

    total: Numbers = field(default_factory=Numbers)
    inspectors: dict[uuid.UUID | None, tuple[str, Numbers]] = field(default_factory=dict)
    communes: dict[str | None, tuple[str, Numbers]] = field(default_factory=dict)


def progress(session: Session, actor: Actor, campaign_id: uuid.UUID, *, today: date) -> Progress:
    """How far a campaign has come, as far as the reader sees its towers, by one statement."""
    done = is_done().label("done")
    each = live(
        actor,
        Wanted(campaign=campaign_id),
        select(Assignment.inspector_id, Assignment.due_on, Tower.commune_id, done),
        today=today,
    ).subquery()
    grouped = (
        select(
            each.c.inspector_id,
            each.c.commune_id,
            func.count().label("towers"),
            func.count().filter(each.c.done).label("done"),
            func.count().filter(~each.c.done, each.c.due_on < today).label("overdue"),
        )
        .group_by(each.c.inspector_id, each.c.commune_id)
        .subquery()
    )
    rows = session.execute(
        select(
            grouped.c.inspector_id,
            func.coalesce(func.nullif(User.name, ""), User.email).label("inspector"),
            Area.code,
            Area.name,
            grouped.c.towers,
            grouped.c.done,
            grouped.c.overdue,
        )
        .outerjoin(User, User.id == grouped.c.inspector_id)
        .outerjoin(Area, Area.id == grouped.c.commune_id)
        .order_by(Area.name.collate("vi-x-icu"), Area.code, User.name.collate("vi-x-icu"), User.id)
    )
    found = Progress()
    for row in rows:
        numbers = (row.towers, row.towers if row.inspector_id else 0, row.done, row.overdue)
        found.total.add(*numbers)
        names = (row.inspector or "", Numbers())
        found.inspectors.setdefault(row.inspector_id, names)[1].add(*numbers)
        found.communes.setdefault(row.code, (row.name or "", Numbers()))[1].add(*numbers)
    return found


def progress_of(
    session: Session, actor: Actor, ids: Iterable[uuid.UUID], *, today: date
) -> dict[uuid.UUID, Numbers]:
    """The numbers of some campaigns in all, by one statement."""
    done = is_done().label("done")
    each = (
        live(
            actor,
            Wanted(),
            select(Assignment.campaign_id, Assignment.inspector_id, Assignment.due_on, done),
            today=today,
        )
        .where(Assignment.campaign_id.in_(list(ids)))
        .subquery()
    )
    rows = session.execute(
        select(
            each.c.campaign_id,
            func.count(),
            func.count(each.c.inspector_id),
            func.count().filter(each.c.done),
            func.count().filter(~each.c.done, each.c.due_on < today),
        ).group_by(each.c.campaign_id)
    )
    return {row[0]: Numbers(*row[1:]) for row in rows}


def ended(session: Session, actor: Actor, campaign_id: uuid.UUID, ending: str) -> int:
    """How many assignments of a campaign in the reader's scope have ended in one way."""
    return (
        session.scalar(
            select(func.count())
            .select_from(Assignment)
            .where(
                Assignment.campaign_id == campaign_id,
                Assignment.ending == ending,
                policy.visible(actor, "assignment"),
            )
        )
        or 0
    )


def sees_whole(session: Session, actor: Actor, campaign: Campaign) -> bool:
    """Whether what is said of a campaign as a whole tells a reader of no foreign tower: who sees
    every tower, or planned it and sees all that it ever had."""
    if actor.communes is None:
        return True
    if campaign.by_id is None or campaign.by_id != actor.id:
        return False
    foreign = select(Assignment.id).where(
        Assignment.campaign_id == campaign.id,
        not_(func.coalesce(policy.visible(actor, "assignment"), false())),
    )
    return not session.scalar(select(foreign.exists()))


def choices(
    session: Session, actor: Actor, states: Container[State] = HAVING
) -> Sequence[Row[uuid.UUID, str]]:
    """What a choice of campaigns offers: those in scope in some states, the latest first.

    Running ones stand above those that are planned or closed.
    """
    return session.execute(
        select(Campaign.id, Campaign.name)
        .where(
            Campaign.state.in_([one for one in State if one in states]),
            policy.visible(actor, "campaign"),
        )
        .order_by((Campaign.state != State.RUNNING), Campaign.begins_on.desc(), Campaign.id.desc())
        .limit(MOST_CHOICES)
    ).all()


def offered(
    session: Session, actor: Actor, chosen: uuid.UUID | None
) -> list[tuple[uuid.UUID, str]]:
    """`choices` for a filter, with the chosen one where it is none of the latest."""
    found = [(row.id, row.name) for row in choices(session, actor)]
    if chosen and chosen not in dict(found):
        found.append((chosen, name_of(session, actor, chosen) or str(chosen)))
    return found


def inspectors(session: Session) -> Sequence[User]:
    """Who may be given towers: the active inspectors, in Vietnamese order."""
    return session.scalars(
        select(User)
        .where(User.active, User.roles.any(Role.name == "inspector"))
        .order_by(User.name.collate("vi-x-icu"), User.email)
        .limit(MOST_INSPECTORS)
    ).all()
