"""Who waits for an import: told how far it is, and able to end it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from psycopg import Connection
from psycopg.errors import QueryCanceled
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from core.jobs import Cancelled, Running
from core.words import N_

STEPS = {
    "reading": N_("Reading the rows"),
    "judging": N_("Comparing with the register"),
    "duplicates": N_("Looking for duplicates"),
    "placing": N_("Finding the communes"),
    "reporting": N_("Writing the report"),
    "writing": N_("Writing into the register"),
    "undoing": N_("Taking the import back"),
}
LOOK_EVERY_SECONDS = 0.5


class Watch(Protocol):
    """Told what goes on; raises `core.jobs.Cancelled` where it should not go on."""

    def read(self, rows: int) -> None:
        """So many rows were read."""

    def step(self, name: str) -> None:
        """The next part of the work begins."""


class Unwatched:
    """Nobody waits: a small list is done at once."""

    def read(self, rows: int) -> None:
        """Nobody is told."""

    def step(self, name: str) -> None:
        """Nobody is told."""


class Told:
    """Every step is told to a function, with the rows read so far."""

    def __init__(self, tell: Callable[[str, int], None]) -> None:
        self.tell = tell
        self.name = ""
        self.rows = 0

    def read(self, rows: int) -> None:
        self.rows = rows
        self.tell(self.name, rows)

    def step(self, name: str) -> None:
        self.name = name
        self.tell(name, self.rows)


class OfJob:
    """A watch whose steps become the progress of a job; the beginning of a step is told at once."""

    def __init__(self, job: Running) -> None:
        self.job = job
        self.name = ""
        self.rows = 0

    def read(self, rows: int) -> None:
        self.rows = rows
        self.job.progress(rows, None, STEPS[self.name])

    def step(self, name: str) -> None:
        self.name = name
        self.job.check()
        self.job.write(self.rows, None, STEPS[name], {})


@contextmanager
def interruptible(job: Running, session: Session) -> Iterator[None]:
    """Within the block a statement that runs for minutes ends too when the job is cancelled."""
    driver = session.connection().connection.driver_connection
    assert isinstance(driver, Connection)
    done = threading.Event()

    def look() -> None:
        while not done.wait(LOOK_EVERY_SECONDS):
            try:
                job.check()
            except Cancelled:
                driver.cancel_safe()

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield
    except DBAPIError as error:
        if isinstance(error.orig, QueryCanceled):
            job.check()
        raise
    finally:
        done.set()
        looking.join()
