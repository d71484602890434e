"""What timelines tell one by one: assessments, assignments, voided inspections, replies, reminders.

Each says of what is in the reader's scope so many behind a place, the latest first.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Date, Row, Select, Text, cast, func, literal, select
from sqlalchemy.orm import Session, contains_eager, joinedload, lazyload

from accounts.models import User
from core import policy
from core.paging import Behind
from core.policy import Actor
from inspections.campaign_models import Assignment, Campaign
from inspections.models import Inspection, LoadAssessment, Violation
from inspections.notice_models import Notice, NoticeReply
from inspections.queries.timelines import DayOf, towers_of
from inspections.reminder_models import Reminder
from inspections.rules.campaign import Ending
from inspections.rules.reminding import ReminderState
from towers.models import Tower


def _behind(statement: Any, at: Any, number: Any, place: Behind, limit: int) -> Any:
    """The rows of a statement that have a moment, behind a place, the latest first."""
    return (
        statement.where(at.is_not(None), place.before(at.expression, cast(number, Text)))
        .order_by(at.desc(), number.desc())
        .limit(limit)
    )


def assessments(
    session: Session,
    actor: Actor,
    wanted: ColumnElement[bool],
    place: Behind,
    *,
    answered: bool,
    limit: int,
) -> Sequence[LoadAssessment]:
    """Load-safety assessments of the towers that `wanted` says, by when they were asked for, or
    `answered`."""
    statement = (
        select(LoadAssessment)
        .join(Tower, Tower.id == LoadAssessment.tower_id)
        .where(policy.visible(actor, "assessment"), wanted)
        .options(contains_eager(LoadAssessment.tower))
    )
    at = LoadAssessment.answered_at if answered else LoadAssessment.requested_at
    return session.scalars(_behind(statement, at, LoadAssessment.id, place, limit)).all()


def voided(
    session: Session, actor: Actor, tower_id: uuid.UUID, place: Behind, *, limit: int
) -> Sequence[Inspection]:
    """The inspections of a tower that were voided, by when."""
    statement = (
        select(Inspection)
        .where(Inspection.tower_id == tower_id, policy.visible(actor, "inspection"))
        .options(
            joinedload(Inspection.voided_by).options(
                lazyload(User.roles), lazyload(User.territories)
            )
        )
    )
    found = _behind(statement, Inspection.voided_at, Inspection.id, place, limit)
    return session.scalars(found).all()


def _assignments(actor: Actor, tower_id: uuid.UUID, at: Any) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Assignment.id,
            at.label("at"),
            Assignment.campaign_id,
            Assignment.ended_at,
            Assignment.due_on,
            Assignment.reason,
            func.coalesce(func.nullif(User.name, ""), User.email).label("inspector"),
            Campaign.name.label("campaign"),
            func.coalesce(Campaign.kind, Assignment.kind).label("kind"),
        )
        .select_from(Assignment)
        .outerjoin(Campaign, Campaign.id == Assignment.campaign_id)
        .outerjoin(User, User.id == Assignment.inspector_id)
        .where(Assignment.tower_id == tower_id, policy.visible(actor, "assignment"))
    )


def given(
    session: Session, actor: Actor, tower_id: uuid.UUID, place: Behind, *, limit: int
) -> Sequence[Row[Any]]:
    """Who was given a tower, by when; also those who have it no longer."""
    statement = _assignments(actor, tower_id, Assignment.assigned_at)
    found = _behind(statement, Assignment.assigned_at, Assignment.id, place, limit)
    return session.execute(found).all()


def withdrawn(
    session: Session, actor: Actor, tower_id: uuid.UUID, place: Behind, *, limit: int
) -> Sequence[Row[Any]]:
    """What was asked for at a tower and taken back, by when."""
    statement = _assignments(actor, tower_id, Assignment.ended_at).where(
        Assignment.ending.in_((Ending.REMOVED, Ending.CANCELLED))
    )
    found = _behind(statement, Assignment.ended_at, Assignment.id, place, limit)
    return session.execute(found).all()


def assignment_days(
    session: Session,
    actor: Actor,
    wanted: ColumnElement[bool],
    place: Behind,
    *,
    zone: ZoneInfo,
    limit: int,
) -> list[DayOf]:
    """The local days on which towers were given to inspectors, the latest first."""
    day: ColumnElement[Any] = cast(func.timezone(zone.key, Assignment.assigned_at), Date)
    what = cast(literal("assigned"), Text)
    rows = (
        select(day.label("day"), Tower.code)
        .select_from(Assignment)
        .join(Tower, Tower.id == Assignment.tower_id)
        .where(
            policy.visible(actor, "assignment"),
            wanted,
            Assignment.assigned_at.is_not(None),
            place.before_day(day, what, zone),
        )
        .subquery()
    )
    return [
        DayOf(row.day, "assigned", row.number, (), row.towers, row.codes)
        for row in session.execute(
            select(rows.c.day, func.count().label("number"), *towers_of(rows.c.code))
            .group_by(rows.c.day)
            .order_by(rows.c.day.desc())
            .limit(limit)
        )
    ]


def replies(
    session: Session, actor: Actor, wanted: ColumnElement[bool], place: Behind, *, limit: int
) -> Sequence[Row[NoticeReply, str]]:
    """What owners sent about violations, by when, each with the code of its tower."""
    statement = (
        select(NoticeReply, Tower.code)
        .join(Notice, Notice.id == NoticeReply.notice_id)
        .join(Violation, Violation.id == NoticeReply.violation_id)
        .join(Tower, Tower.id == Violation.tower_id)
        .where(policy.visible(actor, "notice"), policy.visible(actor, "violation"), wanted)
    )
    found = _behind(statement, NoticeReply.received_at, NoticeReply.id, place, limit)
    return session.execute(found).all()


def reminders(
    session: Session, actor: Actor, wanted: ColumnElement[bool], place: Behind, *, limit: int
) -> Sequence[Reminder]:
    """The messages about violations and load-safety assessments that were sent, by when."""
    statement = (
        select(Reminder)
        .join(Tower, Tower.id == Reminder.tower_id)
        .outerjoin(Violation, Violation.id == Reminder.violation_id)
        .where(
            policy.visible(actor, "reminder"),
            policy.visible(actor, "tower"),
            Reminder.state == ReminderState.SENT,
            wanted,
        )
    )
    return session.scalars(_behind(statement, Reminder.sent_at, Reminder.id, place, limit)).all()
