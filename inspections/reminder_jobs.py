"""What the worker does about deadlines, by the clock: messages are written, then sent."""

from __future__ import annotations

import time

import structlog
from flask import current_app

from core import clock, mail
from core.db import current_session, transaction
from core.jobs import Body, Running
from core.mail import Later
from core.words import N_
from inspections.services import outbox, reminders
from inspections.texts import item_texts

JOB = "reminders"
# Long lists wait behind this job: what is left is sent when it begins again.
MOST_SECONDS = 120.0


def remind(job: Running, *, timestamp: int | None = None) -> None:
    """Write what today's deadlines call for, and send what waits."""
    items = item_texts(current_session(), reminders.LANGUAGE).of
    written = 0
    while True:
        with transaction() as session:
            made = reminders.make_reminders(
                session, items=items, now=clock.now(), today=clock.today(), zone=clock.zone()
            )
        written += made
        job.progress(written, None, N_("Writing messages about deadlines"))
        if not made:
            break
    send_waiting(job)


def send_waiting(job: Running) -> None:
    """Send what waits, one message a transaction; without a server all of it stays."""
    server = mail.server_of(current_app.config["SETTINGS"])
    if server is None:
        return
    sent, until = 0, time.monotonic() + MOST_SECONDS
    try:
        with mail.connected(server) as connection:
            while time.monotonic() < until:
                silent: Later | None = None
                with transaction() as session:
                    try:
                        done = outbox.send_next(session, connection, server, now=clock.now())
                    except Later as error:
                        # What was tried is written down first.
                        silent, done = error, None
                if silent is not None:
                    structlog.get_logger().warning("mail server", why=str(silent))
                if done is None:
                    return
                sent += 1
                job.progress(sent, None, N_("Sending messages about deadlines"))
    except Later as error:
        with transaction() as session:
            outbox.note_silence(session, str(error), now=clock.now())
        structlog.get_logger().warning("mail server", why=str(error))


JOBS: dict[str, Body] = {JOB: remind}
