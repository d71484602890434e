"""The service as it runs for readers: its own database, gunicorn on a free port."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from app import create_app
from core.cluster import PrivateCluster
from core.db import database
from core.settings import ROOT, Settings

BEGIN_WITHIN = 60
PASSWORD = "một mật khẩu chỉ để thử nghiệm"


@dataclass(frozen=True)
class Server:
    """A running service: its address, its folder and the passwords of its accounts.

    `sessions` keeps the cookies of those who are signed in, by e-mail address; `process` is the
    number of the one above the workers.
    """

    url: str
    settings: Settings
    passwords: dict[str, str]
    sessions: dict[str, Any] = field(default_factory=dict)
    process: int = 0


def commands(settings: Settings, *lines: tuple[str, ...]) -> None:
    """Run `flask` commands of ours on this service's database; raises where one fails."""
    app = create_app(settings)
    try:
        for line in lines:
            result = app.test_cli_runner().invoke(args=list(line), catch_exceptions=False)
            assert result.exit_code == 0, result.output
    finally:
        with app.app_context():
            database().engine.dispose()


@contextmanager
def prepared(cluster: PrivateCluster, migrated: str, name: str, folder: Path) -> Iterator[Settings]:
    """The settings of a service whose new database is a copy of the migrated one."""
    urls = cluster.create_database(name, migrated)
    try:
        instance = folder / name
        instance.mkdir()
        settings = replace(
            Settings(),
            instance=instance,
            database_url=urls.app_url,
            migration_database_url=urls.owner_url,
        )
        yield settings.with_secret()
    finally:
        cluster.drop_database(name)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def serving(
    settings: Settings, passwords: dict[str, str], *, port: int | None = None, workers: int = 1
) -> Iterator[Server]:
    """gunicorn as `make run` starts it, ended with the block; on a free port, or again on this."""
    port = port or free_port()
    log = settings.instance / "server.log"
    assert settings.database_url
    environment = {
        **os.environ,
        "INSTANCE_DIR": str(settings.instance),
        "DATABASE_URL": settings.database_url,
        "SECRET_KEY": settings.secret_key,
        "REQUIRE_SECOND_FACTOR": "0",
    }
    environment.pop("MIGRATION_DATABASE_URL", None)
    command = [
        sys.executable, "-m", "gunicorn", "--config", "python:core.serve",
        "--bind", f"127.0.0.1:{port}", "--workers", str(workers), "--graceful-timeout", "3",
    ]  # fmt: skip
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/readyz", process, log)
        yield Server(url, settings, passwords, process=process.pid)
    finally:
        # Quick: windows that are still open keep their connections for a while.
        process.send_signal(signal.SIGQUIT)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the address answers; raises with the server's log when it does not."""
    deadline = time.monotonic() + BEGIN_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise AssertionError(f"the server does not answer: {log.read_text(errors='replace')}")
