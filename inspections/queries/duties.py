"""What is due and nobody was reminded of: violations, assessments, what owners were told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, exists, select
from sqlalchemy.orm import Session

from accounts import queries as accounts
from accounts.models import Organisation, User
from areas.models import Area
from core import store
from inspections.models import LoadAssessment, Violation
from inspections.notice_models import Notice
from inspections.queries import notices
from inspections.reminder_models import Reminder
from inspections.rules.reminding import Audience, ReminderKind
from inspections.rules.violation import Stage
from towers.models import Tower

TO_OWNERS = (ReminderKind.DUE_SOON, ReminderKind.OVERDUE)


@dataclass(frozen=True)
class Moment:
    """The present, as instant and as local day, and whose days are counted."""

    now: datetime
    today: date
    zone: ZoneInfo

    def local(self, at: datetime) -> datetime:
        return at.astimezone(self.zone)


@dataclass(frozen=True)
class Plan:
    """What the department has set about reminders."""

    soon_days: int
    escalation_days: int
    escalation_name: str
    escalation_address: str
    reminder_address: str
    public_url: str
    owners: bool

    @classmethod
    def of(cls, session: Session) -> Plan:
        def value(key: str) -> Any:
            return store.value_of(session, key)

        return cls(
            soon_days=int(value("due_soon_days")),
            escalation_days=int(value("escalation_days")),
            escalation_name=value("escalation_name") or "",
            escalation_address=value("escalation_address") or "",
            reminder_address=value("reminder_address") or "",
            public_url=value("public_url") or "",
            owners=bool(value("owner_reminders")),
        )

    def when(self, kind: ReminderKind, deadline: Any, today: date) -> ColumnElement[bool]:
        """The deadlines (a column of days) that are reminded of in this way today."""
        if kind is ReminderKind.DUE_SOON:
            return deadline.between(today, today + timedelta(days=self.soon_days))
        if kind is ReminderKind.OVERDUE:
            return deadline < today
        return deadline <= today - timedelta(days=self.escalation_days)

    def recipient(self, kind: ReminderKind, assignee: User | None) -> str:
        """Who of the department should have a message; empty where nobody is known."""
        if kind is ReminderKind.ESCALATED:
            return self.escalation_address
        if assignee is not None and assignee.active:
            return assignee.email
        return self.reminder_address


@dataclass(frozen=True)
class Duty:
    """Something that is due at a tower: what it is, since when it is known, and by when.

    `task` is the text of the item that failed; an assessment has none.
    """

    thing: Violation | LoadAssessment
    tower: Tower
    commune: str | None
    owner: str | None
    assignee: User | None
    known_on: date
    deadline: date
    due_at: datetime | None = None
    task: str = ""

    @property
    def path(self) -> str:
        what = "violations" if isinstance(self.thing, Violation) else "assessments"
        return f"/{what}/{self.thing.id}"


Items = Callable[[int | None, str], str]


def violations(
    session: Session, kind: ReminderKind, plan: Plan, moment: Moment, items: Items, limit: int
) -> list[Duty]:
    """The open violations that nobody has been reminded of in this way."""
    emergency = kind is ReminderKind.EMERGENCY
    if emergency:
        due = Violation.emergency_by <= moment.now
        same = Reminder.due_at == Violation.emergency_by
    else:
        due = plan.when(kind, Violation.deadline, moment.today)
        same = Reminder.deadline == Violation.deadline
    written = exists().where(
        Reminder.violation_id == Violation.id,
        Reminder.kind == kind,
        Reminder.audience == Audience.DEPARTMENT,
        same,
    )
    rows = session.execute(
        select(Violation, Tower, Area.name, Organisation.name, User)
        .join(Tower, Tower.id == Violation.tower_id)
        .outerjoin(Area, Area.id == Tower.commune_id)
        .outerjoin(Organisation, Organisation.id == Tower.owner_id)
        .outerjoin(User, User.id == Violation.assignee_id)
        .where(Violation.state == "open", Tower.lifecycle != "dismantled", due, ~written)
        .order_by(Violation.urgency, Violation.deadline, Violation.id)
        .limit(limit)
    ).all()
    return [
        _duty(violation, tower, commune, owner, assignee, items, moment, emergency=emergency)
        for violation, tower, commune, owner, assignee in rows
    ]


def _duty(
    violation: Violation,
    tower: Tower,
    commune: str | None,
    owner: str | None,
    assignee: User | None,
    items: Items,
    moment: Moment,
    *,
    emergency: bool = False,
) -> Duty:
    """A violation as a duty: until its deadline, or until it must be secured."""
    due_at = violation.emergency_by if emergency else None
    return Duty(
        violation,
        tower,
        commune,
        owner,
        assignee,
        task=items(violation.checklist_version_id, violation.item_key),
        known_on=violation.found_on,
        deadline=moment.local(due_at).date() if due_at else violation.deadline,
        due_at=due_at,
    )


def assessments(
    session: Session, kind: ReminderKind, plan: Plan, moment: Moment, limit: int
) -> list[Duty]:
    """The unanswered requests for an assessment that nobody has been reminded of in this way."""
    if kind is ReminderKind.EMERGENCY:
        return []
    written = exists().where(
        Reminder.assessment_id == LoadAssessment.id,
        Reminder.kind == kind,
        Reminder.deadline == LoadAssessment.deadline,
    )
    rows = session.execute(
        select(LoadAssessment, Tower, Area.name, Organisation.name, User)
        .join(Tower, Tower.id == LoadAssessment.tower_id)
        .outerjoin(Area, Area.id == Tower.commune_id)
        .outerjoin(Organisation, Organisation.id == Tower.owner_id)
        .outerjoin(User, User.id == LoadAssessment.assignee_id)
        .where(
            LoadAssessment.answered_at.is_(None),
            Tower.lifecycle != "dismantled",
            plan.when(kind, LoadAssessment.deadline, moment.today),
            ~written,
        )
        .order_by(LoadAssessment.deadline, LoadAssessment.id)
        .limit(limit)
    ).all()
    return [
        Duty(
            asked,
            tower,
            commune,
            owner,
            assignee,
            known_on=asked.requested_on,
            deadline=asked.deadline,
        )
        for asked, tower, commune, owner, assignee in rows
    ]


def waits_for_owner() -> ColumnElement[bool]:
    """Of violations and their towers: told to the owner, who has not said that it is mended."""
    return and_(
        Violation.state == "open",
        Violation.stage.in_((Stage.NOTIFIED, Stage.SERVED)),
        notices.told_by().is_not(None),
    )


def told(
    session: Session, kind: ReminderKind, plan: Plan, moment: Moment, items: Items, limit: int
) -> list[tuple[Duty, Notice, str]]:
    """What owners with an address have not been reminded of: each with its notice."""
    if not plan.owners or kind not in TO_OWNERS:
        return []
    written = exists().where(
        Reminder.violation_id == Violation.id,
        Reminder.kind == kind,
        Reminder.audience == Audience.OWNER,
        Reminder.deadline == Violation.deadline,
    )
    address = accounts.message_address()
    rows = session.execute(
        select(Violation, Tower, Area.name, Organisation.name, Notice, address)
        .join(Tower, Tower.id == Violation.tower_id)
        .outerjoin(Area, Area.id == Tower.commune_id)
        .join(Organisation, Organisation.id == Tower.owner_id)
        .join(Notice, Notice.id == notices.told_by())
        .where(
            waits_for_owner(),
            Tower.lifecycle != "dismantled",
            plan.when(kind, Violation.deadline, moment.today),
            address != "",
            ~written,
        )
        .order_by(Violation.urgency, Violation.deadline, Violation.id)
        .limit(limit)
    ).all()
    return [
        (_duty(violation, tower, commune, owner, None, items, moment), notice, recipient)
        for violation, tower, commune, owner, notice, recipient in rows
    ]
