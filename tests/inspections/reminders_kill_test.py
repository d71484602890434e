"""No message is lost and none sent twice, but the one in hand when the worker was killed."""

from __future__ import annotations

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

from core import clock, jobs, migrate, store
from core.cluster import ClusterUrls
from core.policy import SYSTEM
from core.settings import ROOT
from inspections.models import Reminder, Violation
from inspections.reminder_jobs import JOB
from inspections.services import checklists
from tests import makers
from tests.mailing import mail_server

pytestmark = pytest.mark.slow

MESSAGES = 60
KILLS = 6


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
def urls(cluster) -> Iterator[ClusterUrls]:
    name = f"mail_{uuid.uuid4().hex[:12]}"
    made = cluster.create_database(name)
    migrate.upgrade(made.owner_url, made.app_url)
    yield made
    cluster.drop_database(name)


@pytest.fixture
def post() -> Iterator[tuple[Slow, str]]:
    box = Slow()
    with mail_server(box) as address:
        yield box, address


def overdue(session: Session, number: int) -> None:
    """So many violations of yesterday; the days are those of the worker's own clock."""
    now, today = clock.now(), clock.today()
    version = checklists.publish(session, checklists.shipped_document(), by=SYSTEM, now=now)
    store.set_value(session, "reminder_address", "phong@example.vn", by=SYSTEM, now=now)
    for _ in range(number):
        session.add(
            Violation(
                tower_id=makers.tower(session).id,
                item_key="clb_ladder",
                checklist_version_id=version.id,
                severity="major",
                deadline=today - timedelta(days=1),
                found_on=today - timedelta(days=30),
                state="open",
            )
        )
    session.commit()


def worker(urls: ClusterUrls, folder: Path, address: str) -> subprocess.Popen[bytes]:
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [
                sys.executable, "-m", "core.worker",
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
            stdout=log,
            stderr=log,
        )  # fmt: skip


def test_kills_lose_no_message_and_repeat_only_the_one_in_hand(
    app, urls: ClusterUrls, post: tuple[Slow, str], tmp_path: Path
) -> None:
    box, address = post
    engine = create_engine(urls.app_url)
    with Session(engine) as session:
        overdue(session, MESSAGES)

    def unsent() -> int:
        with Session(engine) as session:
            return session.scalar(text("SELECT count(*) FROM reminder WHERE state <> 'sent'")) + (
                MESSAGES - session.scalar(text("SELECT count(*) FROM reminder"))
            )

    running = worker(urls, tmp_path, address)
    try:
        for kill in range(KILLS):
            _wait(lambda seen=(kill + 1) * 7: len(box.numbers) >= seen, tmp_path)  # type: ignore[misc]
            running.send_signal(signal.SIGKILL)
            running.wait()
            # The work may have used up its attempts; the clock begins it again in any case.
            with Session(engine) as session:
                jobs.enqueue(session, JOB)
                session.commit()
            running = worker(urls, tmp_path, address)
        _wait(lambda: unsent() == 0, tmp_path)
    finally:
        running.kill()
        running.wait()
    with Session(engine) as session:
        made = session.scalars(select(Reminder)).all()
    engine.dispose()
    received = Counter(box.numbers)
    assert {one.message_id for one in made} == set(received)
    assert len(received) == MESSAGES
    assert all(one.state == "sent" and one.sent_at for one in made)
    # A kill can repeat the one message that was in hand, and never another.
    assert sum(received.values()) - MESSAGES <= KILLS
    assert max(received.values()) <= 1 + KILLS


def _wait(condition: Any, folder: Path, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, (folder / "log").read_text()[-3000:]
        time.sleep(0.02)
