"""The worker sends one-time links: it makes them too, so that no message with one is kept."""

from __future__ import annotations

import uuid
from datetime import timedelta

import structlog
from flask import current_app
from sqlalchemy.orm import Session

from accounts.models import User
from accounts.queries import user_by_email
from accounts.rules import LinkKind
from accounts.services import links
from core import clock, mail, store
from core.db import current_session, transaction
from core.i18n import force_locale, translate
from core.jobs import Body, Running, enqueue
from core.mail import Refused
from core.policy import SYSTEM
from core.words import N_

JOB = "account_link"
# Whoever asks again and again gets one message.
LEAST_PAUSE = timedelta(minutes=2)
SUBJECTS = {
    LinkKind.INVITATION: N_("Your account at Tháp Canh"),
    LinkKind.RESET: N_("A new password for Tháp Canh"),
}
BODIES = {
    LinkKind.INVITATION: N_(
        "You were invited to Tháp Canh, the register of tower safety. Set your name and password"
        " here, until %(until)s:\n\n%(address)s\n\nThe link works once. Do not pass it on."
    ),
    LinkKind.RESET: N_(
        "Somebody asked for a new password of your account at Tháp Canh. Set it here, until"
        " %(until)s:\n\n%(address)s\n\nThe link works once. If it was not you, do nothing."
    ),
}


def link_address(service: str, token: str) -> str:
    """Where a link leads, at the service's address without a slash at its end."""
    return f"{service}/password/new/{token}"


def invite(session: Session, user: User, *, language: str, service: str) -> None:
    """Let the worker make a link for a user and send it; the service is found at `service`."""
    enqueue(session, JOB, user_id=str(user.id), language=language, service=service)


def forgot(session: Session, email: str, *, language: str) -> None:
    """Let the worker find out whose address this is, and send a link where it is somebody's."""
    enqueue(session, JOB, email=email, language=language)


def send_link(
    job: Running,
    *,
    language: str,
    email: str = "",
    user_id: str = "",
    service: str = "",
) -> None:
    """Make a link and send it, or neither. Raises `Later`: then the worker tries it again."""
    server = mail.server_of(current_app.config["SETTINGS"])
    session, now = current_session(), clock.now()
    found = session.get(User, uuid.UUID(user_id)) if user_id else user_by_email(session, email)
    service = service or store.value_of(session, "public_url")
    if server is None or not service or found is None or not found.active:
        return
    before = links.latest(session, found)
    if email and before is not None and before.made_at > now - LEAST_PAUSE:
        return
    with transaction() as session, mail.connected(server) as connection:
        made, token = links.make(session, found, by=SYSTEM, now=now)
        with force_locale(language):
            kind, until = LinkKind(made.kind), made.expires_at.astimezone(clock.zone())
            message = mail.message(
                server,
                recipient=found.email,
                subject=translate(SUBJECTS[kind]),
                body=translate(
                    BODIES[kind],
                    until=until.strftime("%H:%M %d/%m/%Y"),
                    address=link_address(service, token),
                ),
                message_id=f"<{made.id}@thap-canh>",
            )
        made.sent_at = now
        try:
            connection.send(message)
        except Refused as error:
            made.sent_at = None
            structlog.get_logger().warning("mail refused", user=str(found.id), why=str(error))


JOBS: dict[str, Body] = {JOB: send_link}
