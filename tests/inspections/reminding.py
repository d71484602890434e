"""Messages for tests: what a mail server does with them, how they are written and sent."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import default
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import mail
from inspections.reminder_models import Reminder
from inspections.rules.reminding import ReminderState
from inspections.services import outbox, reminders
from tests.inspections.visits import NOW, TODAY, ZONE


def named(version_id: int, key: str) -> str:
    return "Thang leo an toàn"


class Mailbox:
    """What a real mail server does with what it gets: by its address a message is refused."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.away = False

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.away:
            return "421 4.3.2 closing down"
        if address.startswith("later"):
            return "451 4.7.1 greylisted"
        if address.startswith("never"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.messages.append(message_from_bytes(envelope.content, policy=default))
        return "250 OK"


def make(session: Session, today=TODAY, **facts: Any) -> int:
    written = 0
    facts = {"items": named, "now": NOW, "today": today, "zone": ZONE, **facts}
    while made := reminders.make_reminders(session, **facts):
        written += made
    return written


def written(session: Session) -> dict[tuple[str, str], Reminder]:
    session.expire_all()
    return {(one.tower.code, one.kind): one for one in session.scalars(select(Reminder))}


def send_all(session: Session, server: mail.Server, now=NOW) -> list[ReminderState]:
    done = []
    with mail.connected(server) as connection:
        while state := outbox.send_next(session, connection, server, now=now):
            done.append(state)
    return done
