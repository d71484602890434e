"""Jobs: work that outlives a request, queued in PostgreSQL in the transaction of its cause.

A body is a plain function of a feature, listed in `app.py` by a name. It runs in the process of
`core.worker`, perhaps several times (the worker may be killed in the middle), so it does its work
in transactions that can be begun again. It opens them as a door does.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from flask import Flask
from sqlalchemy import BigInteger, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column, sessionmaker

from core.model import Base

# What somebody asked for, one after another; and what the clock begins, which is short and does not
# wait for an import of hours.
QUEUE = "default"
CLOCK = "clock"
# How often a job is begun before it counts as failed.
MAX_ATTEMPTS = 5
# Progress is written no oftener than this, however often a body tells it.
WRITE_EVERY_SECONDS = 0.5


class State(StrEnum):
    """How a job stands, for people who wait for it."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


STATES = {
    "todo": State.WAITING,
    "doing": State.RUNNING,
    "succeeded": State.DONE,
    "failed": State.FAILED,
    "cancelled": State.CANCELLED,
    "aborted": State.CANCELLED,
}


class JobProgress(Base):
    """How far a job has come; the queue's own tables are the library's."""

    __tablename__ = "job_progress"

    job_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    done: Mapped[int] = mapped_column(server_default="0")
    total: Mapped[int | None]
    note: Mapped[str] = mapped_column(server_default="")
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


@dataclass(frozen=True)
class Progress:
    """A job as others see it.

    `done` of `total` (`None` where nobody knows) steps; `note` with `facts` is a text to be
    translated: what is being done, or why the job failed. `cancelling` once somebody asked.
    """

    id: int
    name: str
    state: State
    attempts: int
    cancelling: bool
    done: int = 0
    total: int | None = None
    note: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        return self.state in {State.DONE, State.FAILED, State.CANCELLED}


class Cancelled(Exception):
    """Raised in a body whose job somebody cancelled, or whose worker is to end."""


class Running:
    """A job as its body sees it."""

    def __init__(
        self, job_id: int, attempt: int, sessions: sessionmaker, cancelled: Callable[[], bool]
    ) -> None:
        self.id = job_id
        self.attempt = attempt
        self._sessions = sessions
        self._cancelled = cancelled
        self._written = 0.0

    def check(self) -> None:
        """Raise `Cancelled` where the body should end without having done its work."""
        if self._cancelled():
            raise Cancelled

    def progress(self, done: int, total: int | None = None, note: str = "", **facts: Any) -> None:
        """Tell how far the work has come, in a transaction of its own; checks as `check` does."""
        self.check()
        last = total is not None and done >= total
        if last or time.monotonic() - self._written >= WRITE_EVERY_SECONDS:
            self.write(done, total, note, facts)
            self._written = time.monotonic()

    def write(self, done: int | None, total: int | None, note: str, facts: Any) -> None:
        """Write progress now; `None` leaves `done` as it is."""
        with self._sessions.begin() as session:
            write_progress(session, self.id, done, total, note, facts)


Body = Callable[..., None]


def init_app(
    app: Flask, bodies: Mapping[str, Body], periodic: Mapping[str, str] | None = None
) -> None:
    """Make the bodies known by their names; each takes the `Running` job and its arguments.

    `periodic` names those that the worker begins by the clock, as cron writes it: once a time,
    however many workers there are. They are told the `timestamp` for which they were begun.
    """
    app.extensions["jobs"] = dict(bodies)
    app.extensions["periodic_jobs"] = dict(periodic or {})


def enqueue(session: Session, name: str, /, **arguments: Any) -> int:
    """Queue a job and return its number: it begins once the caller's transaction is committed.

    The arguments must be values that JSON has.
    """
    number = session.scalar(
        text(
            "SELECT (procrastinate_defer_jobs_v1(ARRAY[ROW(:queue, :name, 0, NULL, NULL,"
            " cast(:arguments AS jsonb), NULL)::procrastinate_job_to_defer_v1]))[1]"
        ),
        {"queue": QUEUE, "name": name, "arguments": json.dumps(arguments)},
    )
    assert number is not None
    return int(number)


def cancel(session: Session, job_id: int) -> bool:
    """Ask a job to end; whether it had not ended yet.

    A waiting job is cancelled at once, a running one when its body looks.
    """
    return (
        session.scalar(text("SELECT procrastinate_cancel_job_v1(:id, true, false)"), {"id": job_id})
        is not None
    )


def progress(session: Session, job_id: int) -> Progress | None:
    """How a job stands, `None` for one that never was or was forgotten."""
    row = session.execute(
        text(
            "SELECT j.id, j.task_name, j.status::text, j.attempts, j.abort_requested, p.done,"
            " p.total, p.note, p.facts FROM procrastinate_jobs j"
            " LEFT JOIN job_progress p ON p.job_id = j.id WHERE j.id = :id"
        ),
        {"id": job_id},
    ).one_or_none()
    if row is None:
        return None
    return Progress(
        id=row.id,
        name=row.task_name,
        state=STATES[row.status],
        attempts=row.attempts,
        cancelling=row.abort_requested,
        done=row.done or 0,
        total=row.total,
        note=row.note or "",
        facts=row.facts or {},
    )


def worker_lives(session: Session) -> bool:
    """Whether a worker gave a sign of life lately."""
    return bool(
        session.scalar(
            text(
                "SELECT EXISTS (SELECT FROM procrastinate_workers"
                " WHERE last_heartbeat > now() - interval '30 seconds')"
            )
        )
    )


def write_progress(
    session: Session, job_id: int, done: int | None, total: int | None, note: str, facts: Any
) -> None:
    session.execute(
        text(
            "INSERT INTO job_progress (job_id, done, total, note, facts)"
            " VALUES (:id, coalesce(:done, 0), :total, :note, :facts)"
            " ON CONFLICT (job_id) DO UPDATE SET done = coalesce(:done, job_progress.done),"
            " total = coalesce(:total, job_progress.total), note = :note, facts = :facts,"
            " updated_at = now()"
        ).bindparams(bindparam("facts", type_=JSONB)),
        {"id": job_id, "done": done, "total": total, "note": note, "facts": dict(facts)},
    )
