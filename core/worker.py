"""`python -m core.worker`: the process that runs jobs: of each queue one after another.

`core.run` starts it beside the server and starts it again when it dies. Where it was killed, the
job that it had begun is taken up by the next one: a killed worker gives no more signs of life and
its connections, with the lock on its job, are gone.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import structlog
from flask import Flask, g
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import JobAborted
from procrastinate.job_context import JobContext
from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from procrastinate.worker import Worker
from sqlalchemy import Engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import sessionmaker
from werkzeug.utils import import_string

from core import jobs
from core.errors import DomainError
from core.jobs import CLOCK, MAX_ATTEMPTS, QUEUE, Body, Cancelled, Running
from core.words import N_

# One number for "this job is being worked on"; the second is the job's.
JOB_LOCK = 7_210_417
HEARTBEAT_SECONDS = 5.0
STALLED_AFTER_SECONDS = 20.0
# How long a running job may go on when the worker is to end, then how long it may take to notice.
GRACE_SECONDS = 10.0
NOTICE_SECONDS = 5.0
FORGET_AFTER_DAYS = 7
FORGET_EVERY_SECONDS = 3600.0

ENDED_TOO_OFTEN = N_("The job was begun several times and never came to its end")
BROKE = N_("Something went wrong on our side")


class StillRunning(RuntimeError):
    """Another worker has this job in hands."""


class Retries(BaseRetryStrategy):
    """Again after a while what broke, at once what a stop interrupted, never what was refused."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if isinstance(exception, JobAborted):
            return RetryDecision()
        if isinstance(exception, DomainError) or job.attempts + 1 >= MAX_ATTEMPTS:
            return None
        return RetryDecision(retry_in={"seconds": 2**job.attempts})


def main(arguments: list[str] | None = None) -> int:
    """Run jobs until somebody ends the process; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m core.worker", description=__doc__)
    parser.add_argument("--app", default="wsgi:app", help="the application, as servers name it")
    parser.add_argument("--heartbeat", type=float, default=HEARTBEAT_SECONDS)
    parser.add_argument("--stalled-after", type=float, default=STALLED_AFTER_SECONDS)
    parser.add_argument("--grace", type=float, default=GRACE_SECONDS)
    chosen = parser.parse_args(arguments)
    # How jobs end is logged here; the library tells it once more, beside its own troubles.
    logging.getLogger("procrastinate").setLevel(logging.WARNING)
    logging.getLogger("procrastinate.worker").setLevel(logging.CRITICAL)
    logging.getLogger("procrastinate.worker.worker").setLevel(logging.WARNING)
    app: Flask = import_string(chosen.app)
    asyncio.run(work(app, chosen.heartbeat, chosen.stalled_after, chosen.grace))
    return 0


async def work(app: Flask, heartbeat: float, stalled_after: float, grace: float) -> None:
    """Run jobs until a signal ends it; all times in seconds."""
    engine: Engine = app.extensions["database"].engine
    queues = App(connector=PsycopgConnector(conninfo=conninfo(engine), min_size=1, max_size=6))
    by_clock: dict[str, str] = app.extensions["periodic_jobs"]
    for name, body in app.extensions["jobs"].items():
        queue = CLOCK if name in by_clock else QUEUE
        declared = queues.task(name=name, queue=queue, pass_context=True, retry=Retries())
        made = declared(task(app, name, body))
        if name in by_clock:
            queues.periodic(cron=by_clock[name])(made)
    async with queues.open_async():
        workers = [
            Worker(
                app=queues,
                queues=[queue],
                concurrency=1,
                install_signal_handlers=False,
                shutdown_graceful_timeout=grace,
                update_heartbeat_interval=heartbeat,
                stalled_worker_timeout=stalled_after,
                fetch_job_polling_interval=2.0,
                abort_job_polling_interval=1.0,
            )
            for queue in (QUEUE, CLOCK)
        ]
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, end, workers, grace)
        looking = asyncio.create_task(look_after(engine, stalled_after))
        try:
            await asyncio.gather(*(worker.run() for worker in workers))
        finally:
            looking.cancel()


def end(workers: Sequence[Worker], grace: float) -> None:
    """Stop after the running jobs; a body that never looks whether it should end is left behind."""
    for worker in workers:
        worker.stop()
    last = threading.Timer(grace + NOTICE_SECONDS, os._exit, (1,))
    last.daemon = True
    last.start()


def conninfo(engine: Engine) -> str:
    url = make_url(engine.url).set(drivername="postgresql")
    return url.render_as_string(hide_password=False)


def task(app: Flask, name: str, body: Body) -> Any:
    """The body as the queue calls it: in the application, locked, its end logged and told."""
    log = structlog.get_logger()

    def run(context: JobContext, **arguments: Any) -> None:
        number = context.job.id
        assert number is not None
        database = app.extensions["database"]
        running = Running(number, context.job.attempts + 1, database.sessions, context.should_abort)
        with app.app_context(), held(database.engine, number):
            g.via = f"job {number}"
            log.info("job begins", job=number, name=name, attempt=running.attempt)
            try:
                body(running, **arguments)
            except Cancelled as error:
                log.info("job was cancelled or interrupted", job=number, name=name)
                raise JobAborted from error
            except DomainError as error:
                running.write(None, None, error.message, error.facts)
                log.warning("job was refused", job=number, name=name, why=error.message)
                raise
            except Exception:
                running.write(None, None, BROKE, {})
                log.exception("job failed", job=number, name=name, attempt=running.attempt)
                raise
            log.info("job is done", job=number, name=name)

    return run


@contextlib.contextmanager
def held(engine: Engine, number: int) -> Iterator[None]:
    """The lock of a job, which ends with our connection; raises `StillRunning`."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        took = connection.scalar(text("SELECT pg_try_advisory_lock(:a, :b)"), key(number))
        if not took:
            raise StillRunning(number)
        try:
            yield
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:a, :b)"), key(number))


def key(number: int) -> dict[str, int]:
    return {"a": JOB_LOCK, "b": number % (1 << 31)}


async def look_after(engine: Engine, stalled_after: float) -> None:
    """Take up again what killed workers left, and forget what ended long ago."""
    sessions = sessionmaker(engine)
    forgotten = -FORGET_EVERY_SECONDS
    while True:
        try:
            await asyncio.to_thread(take_up, sessions, stalled_after)
            now = asyncio.get_running_loop().time()
            if now - forgotten > FORGET_EVERY_SECONDS:
                await asyncio.to_thread(forget, sessions)
                forgotten = now
        except Exception:
            # The database may be away for a moment; the worker itself ends when it stays away.
            structlog.get_logger().exception("jobs of killed workers could not be looked for")
        await asyncio.sleep(min(5.0, stalled_after / 2))


def take_up(sessions: sessionmaker, stalled_after: float) -> None:
    """Queue jobs again whose worker gives no sign of life and holds no lock on them."""
    with sessions.begin() as session:
        stalled = session.execute(
            text(
                "SELECT j.id, j.attempts, j.abort_requested FROM procrastinate_jobs j"
                " LEFT JOIN procrastinate_workers w ON w.id = j.worker_id"
                " WHERE j.status = 'doing' AND (w.id IS NULL"
                " OR w.last_heartbeat < now() - make_interval(secs => :seconds))"
                " FOR UPDATE OF j SKIP LOCKED"
            ),
            {"seconds": stalled_after},
        ).all()
        for number, attempts, cancelled in stalled:
            free = session.scalar(text("SELECT pg_try_advisory_xact_lock(:a, :b)"), key(number))
            if not free:
                continue
            if cancelled:
                finish(session, number, "aborted")
            elif attempts + 1 >= MAX_ATTEMPTS:
                jobs.write_progress(session, number, None, None, ENDED_TOO_OFTEN, {})
                finish(session, number, "failed")
            else:
                session.execute(
                    text("SELECT procrastinate_retry_job_v2(:id, now(), NULL, NULL, NULL)"),
                    {"id": number},
                )
            structlog.get_logger().warning("job of a killed worker", job=number, attempts=attempts)


def finish(session: Any, number: int, status: str) -> None:
    session.execute(
        text(
            "SELECT procrastinate_finish_job_v1(:id,"
            " cast(:status AS procrastinate_job_status), false)"
        ),
        {"id": number, "status": status},
    )


def forget(sessions: sessionmaker) -> None:
    """Delete jobs that ended long ago, with their progress."""
    with sessions.begin() as session:
        session.execute(
            text(
                "WITH gone AS (DELETE FROM procrastinate_jobs j WHERE j.status NOT IN"
                " ('todo', 'doing') AND NOT EXISTS (SELECT FROM procrastinate_events e"
                " WHERE e.job_id = j.id AND e.at > now() - make_interval(days => :days))"
                " RETURNING j.id) DELETE FROM job_progress p USING gone WHERE p.job_id = gone.id"
            ),
            {"days": FORGET_AFTER_DAYS},
        )


if __name__ == "__main__":
    # The library wants its application made in a module with a name of its own.
    from core import worker

    sys.exit(worker.main())
