"""Deadlines as messages: one a subject, occasion and day, written for whom it concerns."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.i18n import force_locale, translate
from core.policy import SYSTEM
from core.words import N_
from inspections.models import Violation
from inspections.notice_models import Notice
from inspections.queries import duties
from inspections.queries.duties import Duty, Items, Moment, Plan
from inspections.reminder_models import Reminder
from inspections.rules.reminding import Audience, ReminderKind, ReminderState
from inspections.rules.violation import EventKind
from inspections.services import assessments, steps

# Messages about deadlines are official: Vietnamese, whoever reads them.
LANGUAGE = "vi"
ASSESSMENT = N_("Load-safety assessment")
NOTICE = N_("%(reference)s of %(day)s")
ANSWER = N_(
    "Please report what you have fixed, or ask for more time, by the link that stands in the"
    " notice. A report closes nothing: an inspector looks at the site again."
)
SUBJECTS = {
    ReminderKind.EMERGENCY: N_("Not secured by %(moment)s: %(code)s, %(task)s"),
    ReminderKind.DUE_SOON: N_("Due on %(day)s: %(code)s, %(task)s"),
    ReminderKind.OVERDUE: N_("Overdue since %(day)s: %(code)s, %(task)s"),
    ReminderKind.ESCALATED: N_("Escalated, overdue since %(day)s: %(code)s, %(task)s"),
}


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
    level nothing is. Owners have messages about what a notice told them, where the department
    wants that. Two workers never write the same message.
    """
    plan, moment = Plan.of(session), Moment(now, today, zone)
    for kind in ReminderKind:
        if kind is ReminderKind.ESCALATED and not plan.escalation_name:
            continue
        for due in (
            duties.violations(session, kind, plan, moment, items, limit),
            duties.assessments(session, kind, plan, moment, limit),
        ):
            if due:
                return sum(_write(session, kind, duty, plan, moment) for duty in due) or 1
        told = duties.told(session, kind, plan, moment, items, limit)
        if told:
            return sum(_write_owner(session, kind, one, moment) for one in told) or 1
    return 0


def _write_owner(
    session: Session, kind: ReminderKind, told: tuple[Duty, Notice, str], moment: Moment
) -> int:
    duty, notice, recipient = told
    assert notice.issued_on is not None
    with force_locale(LANGUAGE):
        which = translate(NOTICE, reference=notice.reference, day=_written(notice.issued_on))
        body = _body([*_lines(duty, moment), (N_("Notice"), which)]) + f"\n{translate(ANSWER)}\n"
        subject = _subject(kind, duty, moment)
    return int(_insert(session, kind, duty, Audience.OWNER, recipient, subject, body, moment))


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
        SUBJECTS[kind],
        day=_written(duty.deadline),
        moment=at,
        code=duty.tower.code,
        task=_task(duty),
    )[:300]


def _task(duty: Duty) -> str:
    return duty.task or translate(ASSESSMENT)


def _demand(duty: Duty) -> str:
    """The task, with what a report asks for in its own words."""
    detail = duty.thing.detail if isinstance(duty.thing, Violation) else ""
    return f"{_task(duty)}: {detail}" if detail else _task(duty)


def _lines(duty: Duty, moment: Moment) -> list[tuple[str, str]]:
    of_violation = isinstance(duty.thing, Violation)
    lines = [
        (N_("Tower"), f"{duty.tower.code} – {duty.tower.name}"),
        (N_("Commune"), duty.commune or "–"),
        (N_("Owner"), duty.owner or "–"),
        (N_("What must be fixed") if of_violation else N_("What is asked for"), _demand(duty)),
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
