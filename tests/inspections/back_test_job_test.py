"""A wide back-test is done by a real worker, with its progress told, and once only."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from app import create_app
from core import clock, jobs
from core.db import current_session, database, transaction
from core.policy import SYSTEM
from core.settings import ROOT, Settings
from inspections.models import BackTest, BackTestFinding
from inspections.services import back_tests, checklists, drafts
from tests import makers
from tests.inspections import visits

TOWERS = 30


@pytest.fixture
def service(cluster, migrated: str, tmp_path: Path) -> Iterator[Flask]:
    """A service with a database of its own and towers without fences."""
    name = f"back_test_{uuid.uuid4().hex[:12]}"
    urls = cluster.create_database(name, migrated)
    app = create_app(
        replace(
            Settings(),
            instance=tmp_path,
            database_url=urls.app_url,
            migration_database_url=urls.owner_url,
            secret_key="only-for-tests",
        )
    )
    with app.app_context():
        with transaction() as session:
            visits.published(session)
            inspector = makers.actor(session, "inspector")
            for number in range(TOWERS):
                tower = makers.tower(session, code=f"T-{number}")
                visits.inspected(session, tower, by=inspector, only=visits.MINOR)
        yield app
        current_session().close()
        database().engine.dispose()
    cluster.drop_database(name)


def wait(job_id: int, state: jobs.State) -> jobs.Progress:
    deadline = time.monotonic() + 60
    while True:
        with transaction() as session:
            progress = jobs.progress(session, job_id)
        assert progress is not None
        if progress.state == state:
            return progress
        assert not progress.ended, progress
        assert time.monotonic() < deadline, progress
        time.sleep(0.1)


def test_the_worker_tests_a_draft(
    service: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(back_tests, "AT_ONCE", 0)
    with transaction() as session:
        draft, _ = drafts.begin(session, 1, by=SYSTEM, now=clock.now())
        drafts.remove_item(session, draft, "sit_fence", by=SYSTEM, now=clock.now())
        test, done = back_tests.start(session, draft, by=SYSTEM, now=clock.now())
        number, job_id = draft.id, test.job_id
    assert not done
    assert job_id is not None
    worker = subprocess.Popen(
        [sys.executable, "-m", "core.worker", "--heartbeat", "0.5", "--grace", "1"],
        cwd=ROOT,
        env={
            **os.environ,
            "DATABASE_URL": str(service.config["SETTINGS"].database_url),
            "INSTANCE_DIR": str(tmp_path),
        },
    )
    try:
        progress = wait(job_id, jobs.State.DONE)
    finally:
        worker.kill()
        worker.wait()
    assert (progress.done, progress.total) == (TOWERS, TOWERS)
    session = current_session()
    session.expire_all()
    tested = session.get_one(BackTest, number)
    assert (tested.answers, tested.inspections, tested.revision) == (TOWERS, TOWERS, 2)
    assert tested.finished_at is not None
    found = select(func.count()).where(BackTestFinding.checklist_version_id == number)
    assert session.scalar(found) == TOWERS
    with transaction() as session:
        drafts.publish(session, drafts.held(session, 2), by=SYSTEM, now=clock.now())
        assert checklists.current(session).version == 2
