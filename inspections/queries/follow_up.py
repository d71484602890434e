"""The follow-up list: every open violation and every unanswered assessment, the most urgent first.

One statement serves the page, the API and the exports, so that all three show the same rows.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Date,
    Integer,
    Select,
    SmallInteger,
    String,
    any_,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by
from sqlalchemy.orm import Session, aliased

from accounts.models import Organisation, User
from areas.models import Area
from core import paging, policy
from core.paging import Page
from core.policy import Actor
from inspections.campaign_models import Assignment, Campaign
from inspections.models import LoadAssessment, Violation
from inspections.queries.campaigns import Wanted, is_done, live
from inspections.rules.campaign import State
from towers.models import Tower
from towers.queries import Filters, condition_on, narrowed

# Where an assessment stands among the severities: after critical, before major.
ASSESSMENT_URGENCY = 2


@dataclass(frozen=True)
class WorkFilters(Filters):
    """The filters of the register, with those that only the rows of this list have.

    `assignee` is whose work a row is: who sees to it, or who has its tower to inspect.
    `unassigned` keeps those that nobody sees to. `ids` are rows that somebody chose.
    """

    stage: tuple[str, ...] = ()
    assignee: uuid.UUID | None = None
    unassigned: bool = False
    ids: tuple[uuid.UUID, ...] = ()

    @classmethod
    def of(cls, filters: Filters, **more: Any) -> WorkFilters:
        """The filters of the register with more of this list's."""
        return cls(**{one.name: getattr(filters, one.name) for one in fields(Filters)}, **more)

    @property
    def narrow(self) -> bool:
        return super().narrow or bool(self.stage or self.assignee or self.unassigned)

    @property
    def of_violations(self) -> bool:
        """Whether something is asked for that an assessment does not have."""
        return bool(self.severity or self.stage)


def _violations(actor: Actor, filters: WorkFilters, today: date) -> Select[Any]:
    statement = (
        select(
            Violation.urgency.label("urgency"),
            Violation.deadline.label("deadline"),
            Violation.id.label("id"),
            Violation.tower_id.label("tower_id"),
            Violation.item_key.label("item_key"),
            Violation.detail.label("detail"),
            Violation.severity.label("severity"),
            Violation.found_on.label("found_on"),
            Violation.legal_basis.label("legal_basis"),
            Violation.checklist_version_id.label("checklist_version_id"),
            Violation.stage.label("stage"),
            Violation.assignee_id.label("assignee_id"),
        )
        .join(Tower, Tower.id == Violation.tower_id)
        .where(Violation.state == "open", policy.visible(actor, "tower"))
        .where(*narrowed(actor, _of_towers(filters), today))
    )
    if filters.severity:
        statement = statement.where(Violation.severity.in_(filters.severity))
    if filters.stage:
        statement = statement.where(Violation.stage.in_(filters.stage))
    return _asked(statement, Violation, actor, filters, today)


def _assessments(actor: Actor, filters: WorkFilters, today: date) -> Select[Any]:
    statement = (
        select(
            cast(literal(ASSESSMENT_URGENCY), SmallInteger).label("urgency"),
            LoadAssessment.deadline.label("deadline"),
            LoadAssessment.id.label("id"),
            LoadAssessment.tower_id.label("tower_id"),
            cast(null(), String).label("item_key"),
            cast(literal(""), String).label("detail"),
            cast(null(), String).label("severity"),
            LoadAssessment.requested_on.label("found_on"),
            cast(null(), JSONB).label("legal_basis"),
            cast(null(), Integer).label("checklist_version_id"),
            cast(null(), String).label("stage"),
            LoadAssessment.assignee_id.label("assignee_id"),
        )
        .join(Tower, Tower.id == LoadAssessment.tower_id)
        .where(LoadAssessment.answered_at.is_(None), policy.visible(actor, "tower"))
        .where(*narrowed(actor, _of_towers(filters), today))
    )
    return _asked(statement, LoadAssessment, actor, filters, today)


def _asked(
    statement: Select[Any],
    of: type[Violation] | type[LoadAssessment],
    actor: Actor,
    filters: WorkFilters,
    today: date,
) -> Select[Any]:
    """What both kinds of rows can be narrowed to."""
    if filters.overdue:
        statement = statement.where(of.deadline < today)
    if filters.due_within is not None:
        last = today + timedelta(days=filters.due_within)
        statement = statement.where(of.deadline.between(today, last))
    if filters.assignee:
        statement = statement.where(_work_of(of, actor, filters.assignee, today))
    if filters.unassigned:
        statement = statement.where(of.assignee_id.is_(None))
    if filters.ids:
        statement = statement.where(of.id.in_(filters.ids))
    return statement


def _work_of(
    of: type[Violation] | type[LoadAssessment], actor: Actor, inspector: uuid.UUID, today: date
) -> ColumnElement[bool]:
    """Whether a row is an inspector's: to see to, or at a tower that they have yet to inspect.

    The towers are read once, as an array: both sides of the "or" are then found by their index.
    """
    wanted = Wanted(inspector=inspector, running=True)
    to_inspect = live(actor, wanted, select(Assignment.tower_id), today=today).where(~is_done())
    towers = func.array(to_inspect.correlate(None).scalar_subquery())
    return or_(of.assignee_id == inspector, of.tower_id == any_(towers))


def _visitors(actor: Actor) -> ColumnElement[Any]:
    """Who has the `Tower` of a row to inspect now, by name; null where nobody has."""
    name = func.coalesce(func.nullif(User.name, ""), User.email)
    return (
        select(func.array_agg(aggregate_order_by(name.distinct(), name)))
        .select_from(Assignment)
        .join(User, User.id == Assignment.inspector_id)
        .outerjoin(Campaign, Campaign.id == Assignment.campaign_id)
        .where(
            Assignment.tower_id == Tower.id,
            Assignment.ended_at.is_(None),
            or_(Assignment.campaign_id.is_(None), Campaign.state == State.RUNNING),
            ~is_done(),
            policy.visible(actor, "assignment"),
        )
        .correlate(Tower)
        .scalar_subquery()
    )


def _of_towers(filters: WorkFilters) -> WorkFilters:
    """The filters that speak of the tower; severity and deadlines are those of each row here."""
    return replace(filters, severity=(), overdue=False, due_within=None)


def rows(
    actor: Actor,
    filters: WorkFilters,
    *,
    today: date,
    cursor: str | None = None,
    limit: int | None = None,
) -> Select[Any]:
    """The list as one statement: rows in scope, filtered, by urgency, deadline and id.

    The page is cut before the joins, so that a page costs the same however long the list is.
    """
    parts = [_violations(actor, filters, today)]
    if not filters.of_violations:
        parts.append(_assessments(actor, filters, today))
    cut = []
    for part in parts:
        columns = list(part.selected_columns)[:3]
        if limit is not None:
            part = paging.keyset(
                part, columns, (paging.whole_number, date.fromisoformat, uuid.UUID), cursor
            ).limit(limit)
        cut.append(part)
    listed = (
        union_all(*(select(part.subquery()) for part in cut)) if len(cut) > 1 else cut[0]
    ).subquery("listed")
    sees_to = aliased(User)
    statement = (
        select(
            listed.c.urgency,
            listed.c.deadline,
            listed.c.id,
            listed.c.item_key,
            listed.c.detail,
            listed.c.severity,
            listed.c.found_on,
            listed.c.legal_basis,
            listed.c.checklist_version_id,
            listed.c.stage,
            listed.c.assignee_id,
            func.coalesce(func.nullif(sees_to.name, ""), sees_to.email).label("assignee"),
            _visitors(actor).label("visitors"),
            Tower.id.label("tower_id"),
            Tower.code,
            Tower.name,
            Tower.structure_type,
            condition_on(today).label("condition"),
            func.ST_Y(Tower.geom).label("latitude"),
            func.ST_X(Tower.geom).label("longitude"),
            Area.code.label("commune_code"),
            Area.name.label("commune"),
            Organisation.id.label("owner_id"),
            Organisation.name.label("owner"),
            cast(
                func.greatest(cast(literal(today), Date) - listed.c.deadline, 0), SmallInteger
            ).label("days_overdue"),
        )
        .join(Tower, Tower.id == listed.c.tower_id)
        .outerjoin(Area, Area.id == Tower.commune_id)
        .outerjoin(Organisation, Organisation.id == Tower.owner_id)
        .outerjoin(sees_to, sees_to.id == listed.c.assignee_id)
        .order_by(listed.c.urgency, listed.c.deadline, listed.c.id)
    )
    return statement.limit(limit) if limit is not None else statement


def follow_up(
    session: Session,
    actor: Actor,
    filters: WorkFilters,
    *,
    today: date,
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[Any]:
    """One page of the follow-up list as rows with the columns of `rows`."""
    limit = paging.clamp(limit)
    found = session.execute(rows(actor, filters, today=today, cursor=cursor, limit=limit + 1)).all()
    return paging.page_of(found, limit, lambda row: [row.urgency, row.deadline, row.id])


def count(session: Session, actor: Actor, filters: WorkFilters, *, today: date) -> int:
    """How many rows the list has with these filters."""
    return counts(session, actor, filters, today=today)[0]


def counts(session: Session, actor: Actor, *several: WorkFilters, today: date) -> list[int]:
    """How many rows the list has with each of these filters, in one statement."""
    numbers = []
    for filters in several:
        parts = [_violations(actor, filters, today)]
        if not filters.of_violations:
            parts.append(_assessments(actor, filters, today))
        first, *rest = (
            select(func.count()).select_from(part.subquery()).scalar_subquery() for part in parts
        )
        numbers.append(sum(rest, start=first))
    return list(session.execute(select(*numbers)).one())
