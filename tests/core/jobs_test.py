"""Jobs with a real worker process: queued with their cause, retried, cancelled, taken up again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from procrastinate.schema import SchemaManager
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session, sessionmaker

from core import jobs
from core.cluster import ClusterUrls
from core.jobs import Progress, State
from core.settings import ROOT

pytestmark = pytest.mark.slow


class Queue:
    """A database of its own, workers on it, and what a test asks of both."""

    def __init__(self, urls: ClusterUrls, folder: Path) -> None:
        self.urls = urls
        self.folder = folder
        self.engine = create_engine(urls.app_url)
        self.sessions = sessionmaker(self.engine)
        self.workers: list[subprocess.Popen[bytes]] = []

    def work(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [
                    sys.executable, "-m", "core.worker", "--app", "tests.core.jobs_app:app",
                    "--heartbeat", "0.5", "--stalled-after", "3", "--grace", "1", *arguments,
                ],
                cwd=ROOT,
                env={
                    **os.environ,
                    "DATABASE_URL": self.urls.app_url,
                    "INSTANCE_DIR": str(self.folder),
                },
                stdout=log,
                stderr=log,
            )  # fmt: skip
        self.workers.append(process)
        return process

    def enqueue(self, name: str, *, queue: str = jobs.QUEUE, **arguments: Any) -> int:
        with self.sessions.begin() as session:
            number = jobs.enqueue(session, name, **arguments)
            session.execute(
                text("UPDATE procrastinate_jobs SET queue_name = :queue WHERE id = :number"),
                {"queue": queue, "number": number},
            )
            return number

    def progress(self, number: int) -> Progress:
        with self.sessions() as session:
            found = jobs.progress(session, number)
        assert found
        return found

    def wait(self, condition: Callable[[], Any], seconds: float = 40) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, (self.folder / "log").read_text()[-3000:]
            time.sleep(0.05)
        return found

    def ended(self, number: int) -> Progress:
        self.wait(lambda: self.progress(number).ended)
        return self.progress(number)

    def written(self, key: str) -> int:
        with self.sessions() as session:
            value = session.scalar(
                text("SELECT value::int FROM setting WHERE key = :key"), {"key": key}
            )
        return value or 0

    def end(self) -> None:
        for worker in self.workers:
            worker.kill()
            worker.wait()
        self.engine.dispose()


@pytest.fixture(scope="module")
def queue(cluster, migrated: str, tmp_path_factory) -> Iterator[Queue]:
    name = f"jobs_{uuid.uuid4().hex[:12]}"
    urls = cluster.create_database(name, migrated)
    made = Queue(urls, tmp_path_factory.mktemp("jobs"))
    yield made
    made.end()
    cluster.drop_database(name)


@pytest.fixture
def working(queue: Queue) -> Queue:
    """The queue with one worker that runs."""
    if not any(worker.poll() is None for worker in queue.workers):
        queue.work()
    return queue


@pytest.fixture
def key() -> str:
    return f"test-{uuid.uuid4().hex}"


def test_the_frozen_schema_is_that_of_the_library() -> None:
    """A new version of the library with another schema needs a new migration."""
    frozen = (ROOT / "migrations/versions/0012_jobs.sql").read_text()
    assert frozen == SchemaManager.get_schema()


def test_without_a_worker_the_service_says_so(app, client, session: Session) -> None:
    assert client.get("/readyz").json == {"status": "ready", "worker": "missing"}
    session.execute(text("INSERT INTO procrastinate_workers DEFAULT VALUES"))
    session.commit()
    assert client.get("/readyz").json["worker"] == "running"


def test_a_job_is_queued_with_its_cause_or_not_at_all(queue: Queue) -> None:
    with queue.sessions() as session:
        number = jobs.enqueue(session, "write", key="never")
        assert jobs.progress(session, number).state == State.WAITING
        session.rollback()
        assert jobs.progress(session, number) is None


def test_a_job_runs_once_its_cause_is_committed(working: Queue, key: str) -> None:
    with working.sessions() as session:
        number = jobs.enqueue(session, "write", key=key)
        time.sleep(0.5)
        assert working.written(key) == 0
        session.commit()
    done = working.ended(number)
    assert (done.name, done.state, done.note) == ("write", State.DONE, "")
    assert working.written(key) == 1


def test_others_see_how_far_a_job_has_come(working: Queue) -> None:
    number = working.enqueue("count", steps=20, seconds=0.1)
    seen = working.wait(lambda: (found := working.progress(number)).done > 2 and found)
    assert (seen.state, seen.total, seen.note) == (State.RUNNING, 20, "Rows")
    assert seen.facts == {"step": seen.done}
    done = working.ended(number)
    assert (done.state, done.done, done.total) == (State.DONE, 20, 20)


def test_what_the_clock_begins_waits_for_no_long_job(working: Queue, key: str) -> None:
    long = working.enqueue("count", steps=600, seconds=0.1)
    working.wait(lambda: working.progress(long).state is State.RUNNING)
    waiting = working.enqueue("write", key=f"{key}-asked")
    by_clock = working.enqueue("write", queue=jobs.CLOCK, key=key)
    assert working.ended(by_clock).state is State.DONE
    assert working.progress(long).state is State.RUNNING
    assert working.progress(waiting).state is State.WAITING
    with working.sessions.begin() as session:
        for number in (long, waiting):
            jobs.cancel(session, number)
    working.ended(long)


def test_a_waiting_job_is_cancelled_at_once(working: Queue, key: str) -> None:
    busy = working.enqueue("count", steps=10, seconds=0.1)
    number = working.enqueue("write", key=key)
    with working.sessions.begin() as session:
        assert jobs.cancel(session, number)
    assert working.progress(number).state == State.CANCELLED
    working.ended(busy)
    assert working.written(key) == 0
    with working.sessions.begin() as session:
        assert not jobs.cancel(session, number)


def test_a_running_job_is_cancelled_when_it_looks(working: Queue, key: str) -> None:
    number = working.enqueue("count", steps=600, seconds=0.1, key=key)
    working.wait(lambda: working.progress(number).state == State.RUNNING)
    with working.sessions.begin() as session:
        assert jobs.cancel(session, number)
    cancelled = working.ended(number)
    assert cancelled.state == State.CANCELLED
    assert working.written(key) == 0


def test_what_broke_is_tried_again_after_a_while(working: Queue, key: str) -> None:
    number = working.enqueue("fall", times=1, key=key)
    broken = working.wait(lambda: (found := working.progress(number)).note and found)
    assert broken.note == "Something went wrong on our side"
    done = working.ended(number)
    assert (done.state, done.attempts) == (State.DONE, 2)
    assert working.written(key) == 1


def test_what_was_refused_is_not_tried_again_and_says_why(working: Queue) -> None:
    refused = working.ended(working.enqueue("refuse", limit=3))
    assert (refused.state, refused.attempts) == (State.FAILED, 1)
    assert refused.note == "The list has no column with this number"
    assert refused.facts == {"limit": 3}


def test_a_job_that_nobody_knows_fails(working: Queue) -> None:
    assert working.ended(working.enqueue("no such job")).state == State.FAILED


def test_a_job_of_a_killed_worker_is_taken_up_by_the_next_one(
    queue: Queue, key: str, tmp_path: Path
) -> None:
    """kill -9 in the middle of a transaction: nothing half-written, then all of it, once."""
    queue.end()
    queue.workers.clear()
    worker = queue.work()
    number = queue.enqueue("die", key=key, mark=str(tmp_path / "mark"))
    assert queue.wait(lambda: worker.poll()) == -signal.SIGKILL
    assert queue.progress(number).state == State.RUNNING
    assert queue.written(key) == 0
    queue.work()
    done = queue.ended(number)
    assert (done.state, done.attempts) == (State.DONE, 2)
    assert queue.written(key) == 1


def test_a_job_that_always_kills_its_worker_fails_in_the_end(queue: Queue, working: Queue) -> None:
    with queue.sessions.begin() as session:
        number = jobs.enqueue(session, "write", key="never")
        session.execute(
            text("UPDATE procrastinate_jobs SET status = 'doing', attempts = 4 WHERE id = :id"),
            {"id": number},
        )
    failed = queue.ended(number)
    assert failed.state == State.FAILED
    assert failed.note == "The job was begun several times and never came to its end"


def test_a_job_in_the_hands_of_a_living_worker_is_left_there(working: Queue) -> None:
    """Even where its signs of life are late, as on a machine that slept: the lock is held."""
    number = working.enqueue("count", steps=60, seconds=0.1)
    working.wait(lambda: working.progress(number).state == State.RUNNING)
    with working.sessions.begin() as session:
        session.execute(
            text("UPDATE procrastinate_jobs SET worker_id = NULL WHERE id = :id"), {"id": number}
        )
    done = working.ended(number)
    assert (done.state, done.attempts) == (State.DONE, 1)


def test_a_stop_interrupts_a_job_and_the_next_worker_begins_it_again(
    working: Queue, key: str
) -> None:
    number = working.enqueue("count", steps=50, seconds=0.1, key=key)
    working.wait(lambda: working.progress(number).state == State.RUNNING)
    (worker,) = [one for one in working.workers if one.poll() is None]
    worker.terminate()
    assert worker.wait(20) == 0
    assert working.progress(number).state == State.WAITING
    working.work()
    assert working.ended(number).state == State.DONE
    assert working.written(key) == 1


def test_a_job_that_never_looks_does_not_keep_its_worker(working: Queue, tmp_path: Path) -> None:
    number = working.enqueue("deaf", mark=str(tmp_path / "mark"))
    working.wait((tmp_path / "mark").exists)
    (worker,) = [one for one in working.workers if one.poll() is None]
    worker.terminate()
    assert worker.wait(25) == 1
    with working.sessions.begin() as session:
        jobs.cancel(session, number)
    working.work()
    assert working.ended(number).state == State.CANCELLED


def test_jobs_that_ended_long_ago_are_forgotten(queue: Queue) -> None:
    from core.worker import forget

    # In one transaction: a worker of the tests before must not begin it.
    with queue.sessions.begin() as session:
        number = jobs.enqueue(session, "write", key="old")
        assert jobs.cancel(session, number)
        jobs.write_progress(session, number, 1, 2, "", {})
        session.execute(
            text("UPDATE procrastinate_events SET at = now() - interval '8 days'"
                 " WHERE job_id = :id"), {"id": number},
        )  # fmt: skip
    forget(queue.sessions)
    with queue.sessions() as session:
        assert jobs.progress(session, number) is None
        left = session.scalar(
            text("SELECT count(*) FROM job_progress WHERE job_id = :id"), {"id": number}
        )
    assert left == 0
