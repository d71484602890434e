"""A service as a department runs it (workers, private cluster, jobs), and what is done to it."""

from __future__ import annotations

import os
import random
import re
import signal
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

from core.settings import Settings
from tests.core.run_test import Service

WORKERS = 2
# How the last line of a traceback, or of an exception in a log, names what broke.
ERROR = re.compile(r"[\w.]*Error\b")


@dataclass
class Running:
    """One service in a folder of its own; its kills are counted."""

    service: Service
    killed: dict[str, int] = field(
        default_factory=lambda: {"workers": 0, "databases": 0, "jobs": 0}
    )

    @property
    def port(self) -> int:
        return self.service.port

    @property
    def instance(self) -> Path:
        return self.service.instance

    @property
    def settings(self) -> Settings:
        urls = self.service.cluster.urls("thapcanh")
        return replace(
            Settings(),
            instance=self.instance,
            database_url=urls.app_url,
            migration_database_url=urls.owner_url,
        ).with_secret()

    def connect(self, *, owner: bool = False) -> psycopg.Connection:
        """A connection that sees what is committed; as the application unless asked otherwise."""
        urls = self.service.cluster.urls("thapcanh")
        parts = make_url(urls.owner_url if owner else urls.app_url)
        return psycopg.connect(
            host=str(parts.query["host"]),
            dbname=parts.database,
            user=parts.username,
            password=parts.password,
            autocommit=True,
        )

    # Whom it consists of.

    def server(self) -> int:
        """The process of gunicorn above its workers."""
        assert self.service.process is not None
        return next(one for one in children(self.service.process.pid) if b"gunicorn" in words(one))

    def workers(self) -> list[int]:
        return children(self.server())

    def jobs(self) -> list[int]:
        assert self.service.process is not None
        return [one for one in children(self.service.process.pid) if b"core.worker" in words(one)]

    # What is done to it.

    def kill_worker(self, chance: random.Random) -> bool:
        """One of the workers of the application; whether there was one."""
        alive = self.workers()
        return self._kill("workers", [chance.choice(alive)] if alive else [])

    def kill_database(self) -> bool:
        """All processes of PostgreSQL at once, as when the power goes; whether it ran."""
        return self._kill("databases", self.service.cluster._processes())

    def kill_jobs(self) -> bool:
        return self._kill("jobs", self.jobs())

    def _kill(self, kind: str, found: list[int]) -> bool:
        for one in found:
            kill(one)
        self.killed[kind] += bool(found)
        return bool(found)

    def ask(self, path: str = "/readyz", *, seconds: float = 10) -> tuple[int, dict[str, str]]:
        """The status and headers of an answer; 0 where there is none."""
        address = f"http://127.0.0.1:{self.port}{path}"
        try:
            with urllib.request.urlopen(address, timeout=seconds) as answer:
                return answer.status, dict(answer.headers)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers)
        except OSError:
            return 0, {}

    def wait_until_ready(self, seconds: float = 60) -> float:
        """Wait until the service answers with its database; returns the seconds it took."""
        return waited(lambda: self.ask()[0] == 200, "the service is ready", seconds, self)

    def broken(self) -> list[str]:
        """What broke that nobody expected, as the server's log tells it: the last words of each."""
        lines, found = self.service.said().splitlines(), []
        for number, line in enumerate(lines):
            if "Error handling request" in line:
                found += [one for one in lines[number : number + 150] if ERROR.match(one)][-1:]
            elif "request failed" in line and (named := ERROR.findall(line)):
                # A database that is away is expected, and answered.
                found += [f"{line[:100]} … {line[-400:]}"] * ("Operational" not in named[-1])
        return found

    def lived_through(self) -> bool:
        """Whether the command that was started is still the same process."""
        return self.service.process is not None and self.service.process.poll() is None


def waited(
    condition: Callable[[], object], what: str, seconds: float, running: Running | None = None
) -> float:
    """Wait for a condition; returns the seconds, raises `TimeoutError` after so many."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > seconds:
            said = running.service.said()[-3000:] if running else ""
            raise TimeoutError(f"{what}: not within {seconds:g} s\n{said}")
        time.sleep(0.05)
    return time.monotonic() - begun


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def words(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


@contextmanager
def running(instance: Path | None = None, **environment: str) -> Iterator[Running]:
    """A new service, ended and removed with the block; in this folder or one of its own."""
    with tempfile.TemporaryDirectory(prefix="thap-canh-soak-") as folder:
        service = Service(
            instance or Path(folder) / "instance",
            **{"WEB_CONCURRENCY": str(WORKERS), "LOG_FORMAT": "json", **environment},
        )
        try:
            service.start("--production")
            made = Running(service)
            waited(lambda: len(made.workers()) == WORKERS, "all workers", 30, made)
            yield made
        finally:
            service.end()
            service.cluster.destroy()
