"""No message is lost and none sent twice, but the one in hand when the worker was killed.

A process that has read the program forks each worker, which saves reading it again after every
kill. It opens nothing and has no other thread: what a worker opens and holds is its own.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session

from core import clock, jobs, store
from core.cluster import ClusterUrls
from core.policy import SYSTEM
from core.settings import ROOT
from inspections.models import LoadAssessment, Violation
from inspections.reminder_jobs import JOB
from inspections.reminder_models import Reminder
from inspections.services import checklists
from tests import makers
from tests.mailing import mail_server

pytestmark = pytest.mark.slow

# Late violations, as many that are emergencies as well, and as many assessments.
THINGS = 15
MESSAGES = 4 * THINGS
KILLS = 6
# A line asks for one more worker, whose number is answered.
FORKING = """
import os, signal, sys, threading
import wsgi
from core import worker
for one in threading.enumerate():
    # A library's first clearing up lasts a moment.
    if one is not threading.main_thread():
        one.join(5)
assert threading.active_count() == 1
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while sys.stdin.readline():
    number = os.fork()
    if number == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        sys.exit(worker.main(sys.argv[1:]))
    print(number, flush=True)
"""


class Slow:
    """A mail server that takes a moment for each message, and remembers all of them."""

    def __init__(self) -> None:
        self.numbers: list[str] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.numbers.append(message_from_bytes(envelope.content)["Message-ID"])
        # What the worker does next falls into the time in which it may be killed.
        time.sleep(0.02)
        return "250 OK"


@pytest.fixture
def urls(cluster, migrated: str) -> Iterator[ClusterUrls]:
    name = f"mail_{uuid.uuid4().hex[:12]}"
    made = cluster.create_database(name, migrated)
    yield made
    cluster.drop_database(name)


@pytest.fixture
def post() -> Iterator[tuple[Slow, str]]:
    box = Slow()
    with mail_server(box) as address:
        yield box, address


def overdue(session: Session) -> None:
    """What was due yesterday; the days are those of the worker's own clock."""
    now, today = clock.now(), clock.today()
    version = checklists.publish(session, checklists.shipped_document(), by=SYSTEM, now=now)
    store.set_value(session, "reminder_address", "phong@example.vn", by=SYSTEM, now=now)
    yesterday = today - timedelta(days=1)
    for number in range(2 * THINGS):
        session.add(
            Violation(
                tower_id=makers.tower(session).id,
                item_key="clb_ladder",
                checklist_version_id=version.id,
                severity="critical" if number % 2 else "major",
                deadline=yesterday,
                emergency_by=now - timedelta(hours=1) if number % 2 else None,
                found_on=today - timedelta(days=30),
                state="open",
            )
        )
    for _ in range(THINGS):
        session.add(
            LoadAssessment(
                tower_id=makers.tower(session).id,
                requested_at=now,
                requested_on=yesterday,
                deadline=yesterday,
            )
        )
    session.commit()


class Workers:
    """One worker at a time, forked from a process that has read the modules."""

    def __init__(self, urls: ClusterUrls, folder: Path, address: str) -> None:
        with (folder / "log").open("ab") as log:
            self.source = subprocess.Popen(
                [
                    sys.executable, "-c", FORKING,
                    "--heartbeat", "0.5", "--stalled-after", "2", "--grace", "1",
                ],
                cwd=ROOT,
                env={
                    **os.environ,
                    "DATABASE_URL": urls.app_url,
                    "INSTANCE_DIR": str(folder),
                    "SMTP_URL": address,
                    "MAIL_FROM": "so@example.vn",
                },
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )  # fmt: skip

    def begin(self) -> None:
        assert self.source.stdin and self.source.stdout
        self.source.stdin.write("\n")
        self.source.stdin.flush()
        self.number = int(self.source.stdout.readline())

    def kill(self) -> None:
        """End the worker at once, whatever it does, and return when it is gone."""
        os.kill(self.number, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            while True:
                os.kill(self.number, 0)
                time.sleep(0.005)


@pytest.fixture
def workers(urls: ClusterUrls, post: tuple[Slow, str], tmp_path: Path) -> Iterator[Workers]:
    made = Workers(urls, tmp_path, post[1])
    yield made
    made.source.kill()
    made.source.communicate()


def test_kills_lose_no_message_and_repeat_only_the_one_in_hand(
    app, urls: ClusterUrls, post: tuple[Slow, str], workers: Workers, tmp_path: Path
) -> None:
    box, _ = post
    engine = create_engine(urls.app_url)
    with Session(engine) as session:
        overdue(session)

    def unsent() -> int:
        with Session(engine) as session:
            return session.scalar(text("SELECT count(*) FROM reminder WHERE state <> 'sent'")) + (
                MESSAGES - session.scalar(text("SELECT count(*) FROM reminder"))
            )

    workers.begin()
    try:
        for kill in range(KILLS):
            _wait(lambda seen=(kill + 1) * 7: len(box.numbers) >= seen, tmp_path)  # type: ignore[misc]
            workers.kill()
            # The work may have used up its attempts; the clock begins it again in any case, in its
            # own queue: of two jobs at once each would have a message in hand.
            with Session(engine) as session:
                number = jobs.enqueue(session, JOB)
                session.execute(
                    text("UPDATE procrastinate_jobs SET queue_name = :clock WHERE id = :number"),
                    {"clock": jobs.CLOCK, "number": number},
                )
                session.commit()
            workers.begin()
        _wait(lambda: unsent() == 0, tmp_path)
    finally:
        workers.kill()
    with Session(engine) as session:
        made = session.scalars(select(Reminder)).all()
    engine.dispose()
    received = Counter(box.numbers)
    assert {one.message_id for one in made} == set(received)
    assert len(received) == MESSAGES
    assert Counter(one.kind for one in made) == {"overdue": 3 * THINGS, "emergency": THINGS}
    assert all(one.state == "sent" and one.sent_at for one in made)
    # A kill can repeat the one message that was in hand, and never another.
    assert sum(received.values()) - MESSAGES <= KILLS, (tmp_path / "log").read_text()
    assert max(received.values()) <= 1 + KILLS


def _wait(condition: Any, folder: Path, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, (folder / "log").read_text()[-3000:]
        time.sleep(0.02)
