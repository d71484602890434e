"""Deadlines as messages: one a subject, occasion and day, written for whom it concerns."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from accounts.models import Organisation, User
from areas.models import Area
from core import store
from core.i18n import force_locale, translate
from core.policy import SYSTEM
from core.words import N_
from inspections.models import LoadAssessment, Reminder, Violation
from inspections.rules.reminding import Audience, ReminderKind, ReminderState
from inspections.rules.violation import EventKind
from inspections.services import assessments, steps
from towers.models import Tower

# Messages about deadlines are official: Vietnamese, whoever reads them.
LANGUAGE = "vi"
ASSESSMENT = N_("Load-safety assessment")
SUBJECTS = {
    ReminderKind.EMERGENCY: N_("Not secured by %(moment)s: %(code)s, %(task)s"),
    ReminderKind.DUE_SOON: N_("Due on %(day)s: %(code)s, %(task)s"),
    ReminderKind.OVERDUE: N_("Overdue since %(day)s: %(code)s, %(task)s"),
    ReminderKind.ESCALATED: N_("Escalated, overdue since %(day)s: %(code)s, %(task)s"),
}


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
    """Something that is due at a tower: what it is, since when it is known, and by when."""

    thing: Violation | LoadAssessment
    tower: Tower
    commune: str | None
    owner: str | None
    assignee: User | None
    task: str
    known_on: date
    deadline: date
    due_at: datetime | None = None

    @property
    def path(self) -> str:
        what = "violations" if isinstance(self.thing, Violation) else "assessments"
        return f"/{what}/{self.thing.id}"


Items = Callable[[int, str], str]


def make_reminders(
    session: Session,
    *,
    items: Items,
    now: datetime,
    today: date,
    zone: ZoneInfo,
    limit: int = 200,
) -> int:
    """Write the next messages that deadlines call for; returns how many, 0 when all are written.

    `items` gives the text of a checklist item in a version. What is escalated becomes a step of
    the violation or stands in the history of the assessment, too; without the name of the next
    level nothing is. Two workers never write the same message.
    """
    plan, moment = Plan.of(session), Moment(now, today, zone)
    for kind in ReminderKind:
        if kind is ReminderKind.ESCALATED and not plan.escalation_name:
            continue
        for due in (
            _violations(session, kind, plan, moment, items, limit),
            _assessments(session, kind, plan, moment, limit),
        ):
            if due:
                return sum(_write(session, kind, duty, plan, moment) for duty in due) or 1
    return 0


def _violations(
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
        Duty(
            violation,
            tower,
            commune,
            owner,
            assignee,
            task=items(violation.checklist_version_id, violation.item_key),
            known_on=violation.found_on,
            deadline=moment.local(at).date() if at else violation.deadline,
            due_at=at,
        )
        for violation, tower, commune, owner, assignee in rows
        for at in [violation.emergency_by if emergency else None]
    ]


def _assessments(
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
    with force_locale(LANGUAGE):
        task = translate(ASSESSMENT)
    return [
        Duty(
            asked,
            tower,
            commune,
            owner,
            assignee,
            task=task,
            known_on=asked.requested_on,
            deadline=asked.deadline,
        )
        for asked, tower, commune, owner, assignee in rows
    ]


def _write(session: Session, kind: ReminderKind, duty: Duty, plan: Plan, moment: Moment) -> int:
    with force_locale(LANGUAGE):
        lines = _lines(duty, moment)
        if plan.public_url:
            lines.append((N_("Details"), f"{plan.public_url}{duty.path}"))
        subject, body = _subject(kind, duty, moment), _body(lines)
    recipient = plan.recipient(kind, duty.assignee)
    if not _insert(session, kind, duty, Audience.DEPARTMENT, recipient, subject, body, moment):
        return 0
    if kind is ReminderKind.ESCALATED:
        _escalate(session, duty, plan, moment)
    return 1


def _insert(
    session: Session,
    kind: ReminderKind,
    duty: Duty,
    audience: Audience,
    recipient: str,
    subject: str,
    body: str,
    moment: Moment,
) -> bool:
    """Put a message into the outbox; false where another worker did."""
    number = uuid.uuid4()
    of_violation = isinstance(duty.thing, Violation)
    made = session.scalar(
        insert(Reminder)
        .values(
            id=number,
            tower_id=duty.tower.id,
            violation_id=duty.thing.id if of_violation else None,
            assessment_id=None if of_violation else duty.thing.id,
            kind=kind,
            deadline=duty.deadline,
            due_at=duty.due_at,
            audience=audience,
            recipient=recipient,
            subject=subject,
            body=body,
            message_id=f"<{number}@thap-canh>",
            state=ReminderState.WAITING,
            next_try_at=moment.now,
            created_at=moment.now,
        )
        .on_conflict_do_nothing()
        .returning(Reminder.id)
    )
    return made is not None


def _escalate(session: Session, duty: Duty, plan: Plan, moment: Moment) -> None:
    facts: dict[str, Any] = {"by": SYSTEM, "now": moment.now}
    with force_locale(LANGUAGE):
        reason = translate(N_("Overdue by %(days)s days"), days=(moment.today - duty.deadline).days)
    if isinstance(duty.thing, Violation):
        step = steps.Step(EventKind.ESCALATED, reason=reason, party=plan.escalation_name)
        steps.take_step(session, duty.thing, step, today=moment.today, **facts)
    else:
        assessments.note_escalation(
            session, duty.thing, reason=reason, party=plan.escalation_name, **facts
        )


def _subject(kind: ReminderKind, duty: Duty, moment: Moment) -> str:
    """The subject in the language of the moment, cut to what a header holds."""
    at = moment.local(duty.due_at).strftime("%H:%M %d/%m/%Y") if duty.due_at else ""
    return translate(
        SUBJECTS[kind], day=_written(duty.deadline), moment=at, code=duty.tower.code, task=duty.task
    )[:300]


def _lines(duty: Duty, moment: Moment) -> list[tuple[str, str]]:
    of_violation = isinstance(duty.thing, Violation)
    lines = [
        (N_("Tower"), f"{duty.tower.code} – {duty.tower.name}"),
        (N_("Commune"), duty.commune or "–"),
        (N_("Owner"), duty.owner or "–"),
        (N_("What must be fixed") if of_violation else N_("What is asked for"), duty.task),
        (N_("Found on") if of_violation else N_("Requested on"), _written(duty.known_on)),
    ]
    if duty.due_at is not None:
        at = moment.local(duty.due_at)
        return [*lines, (N_("To be secured by"), at.strftime("%H:%M %d/%m/%Y"))]
    lines.append((N_("Deadline"), _written(duty.deadline)))
    late = (moment.today - duty.deadline).days
    return [*lines, (N_("Days overdue"), str(late))] if late > 0 else lines


def _body(lines: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"{translate(what)}: {value}" for what, value in lines) + "\n"


def _written(day: date) -> str:
    return day.strftime("%d/%m/%Y")
