"""An application with jobs for tests, which `core.worker --app` runs in a process of its own."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from sqlalchemy import text

from app import create_app
from core import jobs
from core.db import transaction
from core.errors import Invalid
from core.jobs import Running
from core.settings import Settings
from core.words import N_


def write(job: Running, *, key: str) -> None:
    """Leave a trace in the database, counting how often."""
    with transaction() as session:
        session.execute(
            text(
                "INSERT INTO setting (key, value) VALUES (:key, '1') ON CONFLICT (key)"
                " DO UPDATE SET value = to_jsonb((setting.value)::int + 1)"
            ),
            {"key": key},
        )


def count(job: Running, *, steps: int, seconds: float, key: str = "") -> None:
    """Tell each step; what was done is written at the end or not at all."""
    for step in range(steps):
        job.progress(step, steps, N_("Rows"), step=step)
        time.sleep(seconds)
    if key:
        write(job, key=key)
    job.progress(steps, steps)


def fall(job: Running, *, times: int, key: str) -> None:
    """Break the first few times."""
    if job.attempt <= times:
        raise RuntimeError("something broke")
    write(job, key=key)


def refuse(job: Running, **facts: Any) -> None:
    raise Invalid(N_("The list has no column with this number"), **facts)


def die(job: Running, *, key: str, mark: str) -> None:
    """Kill the process at the first attempt, in the middle of a transaction."""
    with transaction() as session:
        session.execute(text("INSERT INTO setting (key, value) VALUES (:key, '1')"), {"key": key})
        if not Path(mark).exists():
            Path(mark).touch()
            os.kill(os.getpid(), 9)


def deaf(job: Running, *, mark: str) -> None:
    """Never look whether it should end."""
    Path(mark).touch()
    time.sleep(120)


app = create_app(Settings.from_environment())
jobs.init_app(
    app,
    {"write": write, "count": count, "fall": fall, "refuse": refuse, "die": die, "deaf": deaf},
)
