"""Deadlines as messages: made once each, sent until the server has them or refuses for good.

A message is marked as sent in the transaction that held it while it was handed over. Where the
worker is killed in between, it is handed over again under the same Message-ID.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from accounts.models import Organisation, User
from areas.models import Area
from core import audit, mail, paging, policy, store
from core.errors import Conflict
from core.i18n import force_locale, translate
from core.mail import Connection, Later, Refused, Server
from core.paging import Page
from core.policy import SYSTEM, Actor
from core.words import N_
from inspections.models import Reminder, Violation
from inspections.rules.reminding import (
    MOST_ATTEMPTS,
    ReminderKind,
    ReminderState,
    pause_after,
)
from inspections.rules.violation import EventKind
from inspections.services import steps
from towers.models import Tower

# Messages about deadlines are official: Vietnamese, whoever reads them.
LANGUAGE = "vi"
NOBODY_PAUSE = timedelta(hours=1)
NOBODY = N_("Nobody is known who should have this message")
SUBJECTS = {
    ReminderKind.DUE_SOON: N_("Due on %(day)s: %(code)s, %(task)s"),
    ReminderKind.OVERDUE: N_("Overdue since %(day)s: %(code)s, %(task)s"),
    ReminderKind.ESCALATED: N_("Escalated, overdue since %(day)s: %(code)s, %(task)s"),
}


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

    def when(self, kind: ReminderKind, today: date) -> ColumnElement[bool]:
        """The open violations that are reminded of in this way today."""
        if kind is ReminderKind.DUE_SOON:
            return Violation.deadline.between(today, today + timedelta(days=self.soon_days))
        if kind is ReminderKind.OVERDUE:
            return Violation.deadline < today
        return Violation.deadline <= today - timedelta(days=self.escalation_days)


def make_reminders(
    session: Session,
    *,
    items: Callable[[int | None, str], str],
    now: datetime,
    today: date,
    limit: int = 200,
) -> int:
    """Write the next messages that deadlines call for; returns how many, 0 when all are written.

    `items` gives the text of a checklist item in a version. What is escalated becomes a step of
    the violation, too; without the name of the next level nothing is. Two workers never write the
    same message.
    """
    plan = Plan.of(session)
    for kind in ReminderKind:
        if kind is ReminderKind.ESCALATED and not plan.escalation_name:
            continue
        due = _due(session, kind, plan, today, limit)
        if due:
            return sum(_write(session, kind, row, plan, items, now, today) for row in due) or 1
    return 0


def _due(
    session: Session, kind: ReminderKind, plan: Plan, today: date, limit: int
) -> Sequence[Any]:
    written = exists().where(
        Reminder.violation_id == Violation.id,
        Reminder.kind == kind,
        Reminder.deadline == Violation.deadline,
    )
    return session.execute(
        select(Violation, Tower, Area.name, Organisation.name, User)
        .join(Tower, Tower.id == Violation.tower_id)
        .outerjoin(Area, Area.id == Tower.commune_id)
        .outerjoin(Organisation, Organisation.id == Tower.owner_id)
        .outerjoin(User, User.id == Violation.assignee_id)
        .where(
            Violation.state == "open",
            Tower.lifecycle != "dismantled",
            plan.when(kind, today),
            ~written,
        )
        .order_by(Violation.urgency, Violation.deadline, Violation.id)
        .limit(limit)
    ).all()


def _write(
    session: Session,
    kind: ReminderKind,
    row: Any,
    plan: Plan,
    items: Callable[[int | None, str], str],
    now: datetime,
    today: date,
) -> int:
    violation, tower, commune, owner, assignee = row
    number = uuid.uuid4()
    task = items(violation.checklist_version_id, violation.item_key)
    with force_locale(LANGUAGE):
        subject = translate(
            SUBJECTS[kind], day=_written(violation.deadline), code=tower.code, task=task
        )
        body = _body(violation, tower, task, commune, owner, plan, today)
    made = session.scalar(
        insert(Reminder)
        .values(
            id=number,
            violation_id=violation.id,
            kind=kind,
            deadline=violation.deadline,
            recipient=_recipient(kind, assignee, plan),
            subject=subject[:300],
            body=body,
            message_id=f"<{number}@thap-canh>",
            state=ReminderState.WAITING,
            next_try_at=now,
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["violation_id", "kind", "deadline"])
        .returning(Reminder.id)
    )
    if made is None:
        return 0
    if kind is ReminderKind.ESCALATED:
        late = (today - violation.deadline).days
        with force_locale(LANGUAGE):
            reason = translate(N_("Overdue by %(days)s days"), days=late)
        step = steps.Step(EventKind.ESCALATED, reason=reason, party=plan.escalation_name)
        steps.take_step(session, violation, step, by=SYSTEM, now=now, today=today)
    return 1


def _recipient(kind: ReminderKind, assignee: User | None, plan: Plan) -> str:
    if kind is ReminderKind.ESCALATED:
        return plan.escalation_address
    if assignee is not None and assignee.active:
        return assignee.email
    return plan.reminder_address


def _body(
    violation: Violation,
    tower: Tower,
    task: str,
    commune: str | None,
    owner: str | None,
    plan: Plan,
    today: date,
) -> str:
    late = (today - violation.deadline).days
    lines = [
        (N_("Tower"), f"{tower.code} – {tower.name}"),
        (N_("Commune"), commune or "–"),
        (N_("Owner"), owner or "–"),
        (N_("What must be fixed"), f"{task}: {violation.detail}" if violation.detail else task),
        (N_("Found on"), _written(violation.found_on)),
        (N_("Deadline"), _written(violation.deadline)),
    ]
    if late > 0:
        lines.append((N_("Days overdue"), str(late)))
    if plan.public_url:
        lines.append((N_("Details"), f"{plan.public_url}/violations/{violation.id}"))
    return "\n".join(f"{translate(what)}: {value}" for what, value in lines) + "\n"


def _written(day: date) -> str:
    return day.strftime("%d/%m/%Y")


def send_next(
    session: Session, connection: Connection, server: Server, *, now: datetime
) -> ReminderState | None:
    """Hand the next message over, in the caller's transaction; `None` where none waits.

    Raises `Later` when the server takes no message at all; what was tried is written all the same
    when the caller commits.
    """
    found = _next(session, now)
    if found is None:
        return None
    violation = session.get(Violation, found.violation_id, populate_existing=True)
    assert violation is not None
    if violation.state != "open" or violation.deadline != found.deadline:
        return _mark(session, found, ReminderState.OBSOLETE)
    if not found.recipient:
        assignee = session.get(User, violation.assignee_id) if violation.assignee_id else None
        found.recipient = _recipient(ReminderKind(found.kind), assignee, Plan.of(session))
    if not found.recipient:
        found.error, found.next_try_at = NOBODY, now + NOBODY_PAUSE
        return _mark(session, found, ReminderState.WAITING)
    found.attempts += 1
    try:
        connection.send(
            mail.message(
                server,
                recipient=found.recipient,
                subject=found.subject,
                body=found.body,
                message_id=found.message_id,
            )
        )
    except (Refused, ValueError) as error:
        # A header that cannot be written is as good as a refusal.
        found.error = str(error)[:500]
        return _mark(session, found, ReminderState.FAILED)
    except Later as error:
        _put_off(session, found, str(error), now)
        if error.whole:
            raise
        return ReminderState(found.state)
    found.sent_at, found.error = now, ""
    return _mark(session, found, ReminderState.SENT)


def note_silence(session: Session, text: str, *, now: datetime) -> None:
    """Nobody answered at all: that is no message's fault, so only the next one says so."""
    found = _next(session, now)
    if found is not None:
        found.error = text[:500]
        _mark(session, found, ReminderState.WAITING)


def _next(session: Session, now: datetime) -> Reminder | None:
    """The message that has waited longest, held; one that another worker holds is left to it."""
    return session.scalar(
        select(Reminder)
        .where(Reminder.state == ReminderState.WAITING, Reminder.next_try_at <= now)
        .order_by(Reminder.next_try_at, Reminder.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=Reminder)
    )


def _put_off(session: Session, found: Reminder, text: str, now: datetime) -> None:
    found.error = text[:500]
    found.next_try_at = now + pause_after(found.attempts)
    last = found.attempts >= MOST_ATTEMPTS
    _mark(session, found, ReminderState.FAILED if last else ReminderState.WAITING)


def _mark(session: Session, found: Reminder, state: ReminderState) -> ReminderState:
    found.state = state
    found.version += 1
    session.flush()
    return state


def retry(session: Session, found: Reminder, *, by: Actor, now: datetime) -> None:
    """Try a message that failed once more; raises `Conflict` for any other."""
    policy.require(by, "reminder.retry")
    if found.state != ReminderState.FAILED:
        raise Conflict(N_("Only a message that failed can be sent again"))
    before = {"state": found.state, "error": found.error}
    found.attempts, found.next_try_at, found.error = 0, now, ""
    # Whoever should have it may be somebody else by now.
    found.recipient = ""
    _mark(session, found, ReminderState.WAITING)
    audit.record(session, "reminder.retry", "reminder", found.id, by=by, now=now, before=before)


def reminder(session: Session, actor: Actor, reminder_id: uuid.UUID) -> Reminder | None:
    return session.scalar(
        select(Reminder).where(Reminder.id == reminder_id, policy.visible(actor, "reminder"))
    )


def reminders(
    session: Session,
    actor: Actor,
    *,
    state: Sequence[str] = (),
    kind: Sequence[str] = (),
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[Reminder]:
    """The messages in the reader's scope, the latest first."""
    limit = paging.clamp(limit)
    statement = select(Reminder).where(policy.visible(actor, "reminder"))
    if state:
        statement = statement.where(Reminder.state.in_(state))
    if kind:
        statement = statement.where(Reminder.kind.in_(kind))
    statement = paging.keyset(
        statement,
        (Reminder.created_at, Reminder.id),
        (paging.moment, uuid.UUID),
        cursor,
        descending=True,
    )
    rows = session.scalars(statement.limit(limit + 1)).all()
    return paging.page_of(rows, limit, lambda row: [row.created_at, row.id])


def count_by_state(session: Session, actor: Actor) -> dict[str, int]:
    rows = session.execute(
        select(Reminder.state, func.count())
        .where(policy.visible(actor, "reminder"))
        .group_by(Reminder.state)
    )
    return {state: number for state, number in rows}
