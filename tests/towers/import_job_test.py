"""Long lists are jobs of a real worker: told, cancelled, killed in the middle, taken up again."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import create_engine, text

from app import create_app
from core import clock, jobs
from core.cluster import ClusterUrls
from core.db import current_session, database, transaction
from core.errors import Conflict
from core.policy import SYSTEM
from core.settings import ROOT, Settings
from towers.imports import batches, undoing
from towers.imports.models import ImportBatch
from towers.imports.running import WRITING
from towers.imports.states import State

pytestmark = pytest.mark.slow

ROWS = 300


class Lists:
    """A service with a database of its own, workers on it, and lists that go in."""

    def __init__(self, urls: ClusterUrls, folder: Path) -> None:
        self.folder = folder
        self.settings = replace(
            Settings(),
            instance=folder,
            database_url=urls.app_url,
            migration_database_url=urls.owner_url,
            secret_key="only-for-tests",
        )
        self.app: Flask = create_app(self.settings)
        self.engine = create_engine(urls.app_url)
        self.workers: list[subprocess.Popen[bytes]] = []
        self.uploads = folder / "uploads"

    def work(self) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [
                    sys.executable, "-m", "core.worker",
                    "--heartbeat", "0.5", "--stalled-after", "3", "--grace", "1",
                ],
                cwd=ROOT,
                env={
                    **os.environ,
                    "DATABASE_URL": str(self.settings.database_url),
                    "INSTANCE_DIR": str(self.folder),
                },
                stdout=log,
                stderr=log,
            )  # fmt: skip
        self.workers.append(process)
        return process

    def upload(self, prefix: str) -> uuid.UUID:
        lines = [
            f"{prefix}-{row},Trạm {prefix} {row},{10 + row / 1000:.3f},{105 + ord(prefix) / 100}"
            for row in range(ROWS)
        ]
        content = "\n".join(["code,name,latitude,longitude", *lines]).encode()
        with self.app.app_context(), transaction() as session:
            batch = batches.receive(
                session, self.uploads, "dài.csv", io.BytesIO(content), by=SYSTEM, now=clock.now()
            )
            return batch.id

    def start(self, batch_id: uuid.UUID, work: State = State.IMPORTING) -> None:
        with self.app.app_context(), transaction() as session:
            batch = session.get_one(ImportBatch, batch_id)
            done_here = batches.start(
                session, self.uploads, batch, work, at_once=False, by=SYSTEM, now=clock.now()
            )
            assert not done_here

    def cancel(self, batch_id: uuid.UUID) -> None:
        with self.app.app_context(), transaction() as session:
            batch = session.get_one(ImportBatch, batch_id)
            batches.cancel(session, batch, by=SYSTEM, now=clock.now())

    def look(self, batch_id: uuid.UUID) -> tuple[str, jobs.Progress | None, dict[str, Any]]:
        with self.app.app_context():
            session = current_session()
            batch = session.get_one(ImportBatch, batch_id)
            return batch.state, batches.progress_of(session, batch), batch.counts

    def number(self, prefix: str) -> int:
        with self.engine.connect() as connection:
            return connection.scalar(
                text("SELECT count(*) FROM tower WHERE code LIKE :like"), {"like": f"{prefix}-%"}
            )

    def waits(self) -> bool:
        """Whether an import waits for the turn that somebody else has."""
        with self.engine.connect() as connection:
            return bool(
                connection.scalar(
                    text(
                        "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory'"
                        " AND objid = :key AND NOT granted)"
                    ),
                    {"key": WRITING},
                )
            )

    @contextmanager
    def turn_taken(self) -> Iterator[None]:
        """Within the block every import stops in its middle, before it writes."""
        with self.engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITING})
            yield

    def wait(self, condition: Callable[[], Any], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, (self.folder / "log").read_text()[-3000:]
            time.sleep(0.05)

    def end(self) -> None:
        for worker in self.workers:
            worker.kill()
            worker.wait()
        with self.app.app_context():
            database().engine.dispose()
        self.engine.dispose()


@pytest.fixture(scope="module")
def lists(cluster, migrated: str, tmp_path_factory) -> Iterator[Lists]:
    name = f"imports_{uuid.uuid4().hex[:12]}"
    urls = cluster.create_database(name, migrated)
    made = Lists(urls, tmp_path_factory.mktemp("imports"))
    yield made
    made.end()
    cluster.drop_database(name)


def test_a_long_list_is_checked_and_imported_by_the_worker(lists: Lists) -> None:
    worker = lists.work()
    batch = lists.upload("A")
    lists.start(batch, State.CHECKING)
    assert lists.look(batch)[0] == State.CHECKING
    lists.wait(lambda: lists.look(batch)[0] == State.CHECKED)
    assert lists.look(batch)[2]["new"] == ROWS
    assert lists.number("A") == 0
    with lists.turn_taken():
        lists.start(batch)
        lists.wait(lists.waits)
        state, progress, _ = lists.look(batch)
        assert state == State.IMPORTING
        assert progress is not None
        assert (progress.state, progress.done) == (jobs.State.RUNNING, ROWS)
        assert progress.note == "Comparing with the register"
        # Nobody else may begin with it meanwhile.
        with pytest.raises(Conflict):
            lists.start(batch)
    lists.wait(lambda: lists.look(batch)[0] == State.DONE)
    assert lists.number("A") == ROWS
    worker.kill()
    worker.wait()


def test_a_worker_that_is_killed_in_the_middle_leaves_nothing_half_written(lists: Lists) -> None:
    worker = lists.work()
    batch = lists.upload("B")
    with lists.turn_taken():
        lists.start(batch)
        lists.wait(lists.waits)
        worker.kill()
        worker.wait()
        assert lists.look(batch)[0] == State.IMPORTING
        assert lists.number("B") == 0
    lists.wait(lambda: not lists.waits())
    assert lists.number("B") == 0
    lists.work()
    lists.wait(lambda: lists.look(batch)[0] == State.DONE)
    assert lists.number("B") == ROWS
    assert lists.look(batch)[2]["new"] == ROWS
    with lists.engine.connect() as connection:
        history = connection.scalar(
            text("SELECT count(*) FROM audit_entry WHERE batch = :batch AND kind = 'tower'"),
            {"batch": batch},
        )
    assert history == ROWS


def test_a_cancelled_import_is_rolled_back_and_can_be_begun_again(lists: Lists) -> None:
    lists.work()
    batch = lists.upload("C")
    with lists.turn_taken():
        lists.start(batch)
        lists.wait(lists.waits)
        lists.cancel(batch)
        assert lists.look(batch)[0] == State.CANCELLED
        # The statement that waits is ended, not only what comes after it.
        lists.wait(lambda: not lists.waits())
    assert lists.number("C") == 0
    lists.start(batch)
    lists.wait(lambda: lists.look(batch)[0] == State.DONE)
    assert lists.number("C") == ROWS


def test_a_list_that_waits_for_the_worker_is_cancelled_at_once(lists: Lists) -> None:
    for worker in lists.workers:
        worker.kill()
        worker.wait()
    batch = lists.upload("D")
    lists.start(batch)
    lists.cancel(batch)
    state, progress, _ = lists.look(batch)
    assert (state, progress) == (State.CANCELLED, None)
    lists.work()
    time.sleep(1)
    assert lists.number("D") == 0


def test_a_large_import_is_undone_by_the_worker(
    lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists.work()
    batch = lists.upload("E")
    lists.start(batch)
    lists.wait(lambda: lists.look(batch)[0] == State.DONE)
    monkeypatch.setattr(undoing, "AT_ONCE_ENTRIES", 10)
    with lists.app.app_context(), transaction() as session:
        undoing.start(session, session.get_one(ImportBatch, batch), by=SYSTEM, now=clock.now())
    lists.wait(lambda: lists.look(batch)[0] == State.UNDONE)
    assert lists.number("E") == 0
