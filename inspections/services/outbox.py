"""The outbox: messages are sent until the server has them or refuses for good.

A message is marked as sent in the transaction that held it while it was handed over. Where the
worker is killed in between, it is handed over again under the same Message-ID.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from accounts.models import Organisation, User
from accounts.queries import message_address
from core import audit, mail, policy
from core.errors import Conflict
from core.mail import Connection, Later, Refused, Server
from core.policy import Actor
from core.words import N_
from inspections.models import LoadAssessment, Violation
from inspections.queries.duties import Plan, waits_for_owner
from inspections.reminder_models import Reminder
from inspections.rules.reminding import (
    MOST_ATTEMPTS,
    Audience,
    ReminderKind,
    ReminderState,
    pause_after,
)
from towers.models import Tower

NOBODY_PAUSE = timedelta(hours=1)
NOBODY = N_("Nobody is known who should have this message")


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
    about = _about(session, found)
    if about is None:
        return _mark(session, found, ReminderState.OBSOLETE)
    if not found.recipient:
        found.recipient = _recipient(session, found, about)
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


def _about(session: Session, found: Reminder) -> Violation | LoadAssessment | None:
    """What a message is about, `None` where it no longer holds: mended, answered, put off."""
    if found.violation_id is not None:
        violation = session.get_one(Violation, found.violation_id, populate_existing=True)
        due = violation.emergency_by if found.due_at else violation.deadline
        holds = violation.state == "open" and due == (found.due_at or found.deadline)
        if found.audience == Audience.OWNER:
            holds = holds and _owner_waits(session, violation)
        return violation if holds else None
    if found.assessment_id is None:
        return None
    assessment = session.get_one(LoadAssessment, found.assessment_id, populate_existing=True)
    holds = assessment.answered_at is None and assessment.deadline == found.deadline
    return assessment if holds else None


def _owner_waits(session: Session, violation: Violation) -> bool:
    """Whether the owner is still to be told: wanted, and neither answered nor withdrawn."""
    statement = (
        select(Violation.id)
        .join(Tower, Tower.id == Violation.tower_id)
        .where(Violation.id == violation.id, waits_for_owner())
    )
    return Plan.of(session).owners and session.scalar(statement) is not None


def _recipient(session: Session, found: Reminder, about: Violation | LoadAssessment) -> str:
    """Who should have a message now; empty where nobody is known."""
    if found.audience == Audience.OWNER:
        owner = select(message_address()).where(Organisation.id == about.tower.owner_id)
        return session.scalar(owner) or ""
    assignee = session.get(User, about.assignee_id) if about.assignee_id else None
    return Plan.of(session).recipient(ReminderKind(found.kind), assignee)


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


def forget_addresses(session: Session, before: datetime, limit: int) -> int:
    """Take the address off messages that left long ago; returns how many.

    The messages stay, so that none is written again.
    """
    old = (
        select(Reminder.id)
        .where(Reminder.sent_at < before, Reminder.recipient != "")
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    gone = session.execute(
        update(Reminder).where(Reminder.id.in_(old)).values(recipient="").returning(Reminder.id)
    ).all()
    return len(gone)
