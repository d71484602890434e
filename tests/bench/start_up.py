"""From the command to the first answer that the service is ready."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, sleep

from core.cluster import cluster_for
from core.settings import ROOT
from tests.bench.figures import Figure
from tests.bench.stage import Stage


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def start(instance: Path) -> float:
    """Seconds of one start as `make run` does it, until `/readyz` says yes; then it is stopped."""
    port = free_port()
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"DATABASE_URL", "MIGRATION_DATABASE_URL"}
    }
    environment |= {"INSTANCE_DIR": str(instance), "PORT": str(port)}
    started = perf_counter()
    with (instance / "service.log").open("ab") as log:
        service = subprocess.Popen(
            [sys.executable, "-m", "core.run"],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        while not ready(port):
            if service.poll() is not None or perf_counter() - started > 300:
                raise RuntimeError((instance / "service.log").read_text()[-3000:])
            sleep(0.02)
        return perf_counter() - started
    finally:
        service.send_signal(signal.SIGINT)
        try:
            service.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(service.pid, signal.SIGKILL)


def ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def measure(stage: Stage) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="thap-canh-start-") as folder:
        instance = Path(folder)
        cluster = cluster_for(ROOT, instance)
        try:
            yield Figure("A start-up, the very first, with the demo", start(instance), "s")
            # The least of some: what others do on the machine at that moment is no work of ours.
            times = []
            for _ in range(3):
                cluster.stop()
                times.append(start(instance))
            yield Figure("A start-up", min(times), "s", most=5)
        finally:
            cluster.destroy()
