"""`make run` without make: what one command starts, who may start it twice, and how it ends."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from core.cluster import PrivateCluster, cluster_for
from core.redaction import redacted
from core.settings import ROOT

pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Service:
    """An instance folder and a port; each start of it is a process of its own."""

    def __init__(self, instance: Path, **environment: str) -> None:
        self.instance = instance
        self.port = free_port()
        self.environment = environment
        self.log = instance.parent / "log"
        self.process: subprocess.Popen[bytes] | None = None

    def begin(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        with self.log.open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "core.run", *arguments],
                cwd=ROOT,
                env=self.whole_environment(**environment),
                stdout=log,
                stderr=subprocess.STDOUT,
                # As in a terminal: a group of its own, to which Ctrl-C goes; where these tests
                # run in the background, it may be ignored.
                process_group=0,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    def whole_environment(self, **environment: str) -> dict[str, str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name not in ("DATABASE_URL", "MIGRATION_DATABASE_URL", "HOST", "WEB_CONCURRENCY")
        }
        return {
            **inherited,
            "INSTANCE_DIR": str(self.instance),
            "PORT": str(self.port),
            **self.environment,
            **environment,
        }

    def start(self, *arguments: str) -> None:
        self.process = self.begin(*arguments)
        self.wait_for(lambda: "is ready" in self.said())

    def once(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A start that is expected to end by itself."""
        return subprocess.run(
            [sys.executable, "-m", "core.run", *arguments],
            cwd=ROOT,
            env=self.whole_environment(**environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def wait_for(self, condition: Callable[[], object], seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process is None or self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.05)

    def said(self) -> str:
        return self.log.read_text()

    def answers(self, path: str = "/readyz") -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as got:
                return got.status == 200
        except OSError:
            return False

    @property
    def cluster(self) -> PrivateCluster:
        return cluster_for(ROOT, self.instance)

    def end(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """A service that had its first start; the tests follow its life in their order."""
    with tempfile.TemporaryDirectory(prefix="thap-canh-run-") as folder:
        made = Service(Path(folder) / "instance")
        made.start()
        yield made
        made.end()
        made.cluster.destroy()


@pytest.fixture
def running(service: Service) -> Service:
    if service.process is None or service.process.poll() is not None:
        service.start()
    return service


def test_the_first_start_tells_the_address_and_the_demo_sign_ins(service):
    said = service.said()
    assert f"http://127.0.0.1:{service.port}" in said
    accounts = service.instance / "demo-accounts.txt"
    for name in ("admin", "staff", "inspector"):
        assert re.search(rf"^  {name}@example\.org +\S{{20,}}$", said, re.MULTILINE)
    assert all(line in said for line in accounts.read_text().splitlines())
    assert accounts.stat().st_mode & 0o077 == 0
    assert service.answers()


def test_a_second_start_points_to_the_first_one(running):
    again = running.once()
    assert again.returncode == 0
    assert f"already runs at http://127.0.0.1:{running.port}" in again.stdout
    assert "admin@example.org" in again.stdout
    assert running.answers()


def test_a_port_of_another_program_is_named(running, tmp_path):
    other = Service(tmp_path / "instance", PORT=str(running.port))
    refused = other.once()
    assert refused.returncode == 1
    assert f"PORT={running.port + 1}" in refused.stderr
    assert "Traceback" not in refused.stderr
    # Nothing was begun that would have to be ended.
    assert not (other.instance / "passwords").exists()


def test_no_log_holds_what_opens_something(running):
    token, link = "khoa-bi-mat-" + "x" * 30, "lien-ket-bi-mat-" + "y" * 30
    for path in (f"/n/{link}", f"/N/{link}/nowhere?a=1", f"/api/v1/notice-links/{link}"):
        asked = urllib.request.Request(
            f"http://127.0.0.1:{running.port}{path}",
            headers={"Authorization": f"Bearer {token}", "Cookie": f"session={token}"},
        )
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(asked, timeout=10).close()
    # The server itself quotes what it cannot read.
    for head in (
        f"GET /n/{link} HTTP/9.9\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization Bearer {token}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\nBad Header: Bearer {token}\r\n\r\n",
        f"GET /n/{link} nonsense\r\nAuthorization: {token}\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", running.port), timeout=10) as line:
            line.sendall(head.encode())
            line.recv(4096)
    running.wait_for(lambda: running.said().count("/n/…") >= 1)
    assert running.said().count("Invalid") >= 2
    assert "bi-mat" not in running.said()


@pytest.mark.parametrize(
    ("text_", "shown"),
    [
        ("Authorization: Bearer abc.DEF-1_2", "Authorization: Bearer …"),
        ("{'authorization': 'Basic Zm9v=='}", "{'authorization': 'Basic …'}"),
        ("'Authorization', 'Token'", "'Authorization', '…'"),
        ("Cookie: session=abc.d; remember_token=x|y; language=vi",
         "Cookie: session=…; remember_token=…; language=vi"),
        ("The bearer of this letter", "The bearer … this letter"),
    ],
)  # fmt: skip
def test_what_opens_something_is_cut_out_of_any_text(text_, shown):
    assert redacted(text_) == shown


def test_a_killed_database_is_started_again(running):
    before = running.cluster._server()
    assert before
    os.kill(before, signal.SIGKILL)
    running.wait_for(lambda: running.cluster._server() not in (None, before))
    running.wait_for(running.answers)
    assert "started again" in running.said()


def worker_of(service: Service, other_than: int = 0) -> int:
    """The process of jobs, once it runs; it ends with its database and is started again."""
    parent = service.process.pid

    def workers() -> list[int]:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return [one for one in map(int, children) if b"core.worker" in said_by(one)]

    service.wait_for(lambda: workers() not in ([], [other_than]))
    return workers()[0]


def said_by(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_a_killed_worker_is_started_again(running):
    worker = worker_of(running)
    os.kill(worker, signal.SIGKILL)
    assert worker_of(running, other_than=worker)
    assert "The worker of jobs has ended; it is started again" in running.said()


def test_ctrl_c_ends_server_and_database(running):
    worker = worker_of(running)
    before = len(running.said())
    os.killpg(running.process.pid, signal.SIGINT)
    assert running.process.wait(60) == 0, running.said()
    assert not running.answers("/healthz")
    assert not said_by(worker)
    assert not running.cluster.running()
    assert "Traceback" not in running.said()[before:]


def test_a_database_that_a_command_still_uses_goes_on(running):
    engine = create_engine(running.cluster.urls("thapcanh").app_url)
    with engine.connect() as connection:
        os.killpg(running.process.pid, signal.SIGINT)
        assert running.process.wait(60) == 0, running.said()
        assert connection.scalar(text("SELECT 1")) == 1
    engine.dispose()
    assert "make stop" in running.said()
    assert running.once("--stop").returncode == 0
    assert not running.cluster.running()


def test_the_demo_is_loaded_once(running):
    assert "Loading the demo" not in running.said()


def test_nothing_outlives_a_killed_start_for_long(running):
    database = running.cluster._server()
    worker = worker_of(running)
    running.process.kill()
    running.process.wait()
    running.process = None
    running.wait_for(lambda: not running.answers("/healthz"))
    running.wait_for(lambda: not said_by(worker))
    running.start()
    assert running.answers()
    assert running.cluster._server() == database


def test_stop_ends_both(running):
    stopped = running.once("--stop")
    assert (stopped.returncode, stopped.stdout.splitlines()[-1]) == (0, "Stopped.")
    assert running.process.wait(30) == 0, running.said()
    assert not running.answers("/healthz")
    assert not running.cluster.running()
    again = running.once("--stop")
    assert (again.returncode, again.stdout.splitlines()[-1]) == (0, "Nothing was running.")


def test_a_given_server_is_used_instead_of_a_private_one(cluster, tmp_path):
    urls = cluster.create_database("given")
    service = Service(
        tmp_path / "instance",
        DATABASE_URL=urls.app_url,
        MIGRATION_DATABASE_URL=urls.owner_url,
        WEB_CONCURRENCY="2",
    )
    try:
        service.start("--production")
        assert service.answers()
        assert not service.cluster.running()
        engine = create_engine(urls.app_url)
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM tower")) == 0
            # The application's workers do not know the owner of the tables.
            assert connection.scalars(
                text(
                    "SELECT DISTINCT usename::text FROM pg_stat_activity"
                    " WHERE application_name = 'thap-canh'"
                )
            ).all() == ["thapcanh_app"]
        engine.dispose()
    finally:
        service.end()
        cluster.drop_database("given")


def test_a_server_that_cannot_be_reached_is_named_without_its_password(tmp_path):
    service = Service(tmp_path / "instance", DATABASE_URL="postgresql://u:geheim@127.0.0.1:1/x")
    refused = service.once("--production")
    assert refused.returncode == 1
    assert "127.0.0.1:1/x" in refused.stderr
    assert "geheim" not in refused.stderr + refused.stdout
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("port", ["0", "65536", "web", "-1"])
def test_a_port_that_is_none_is_refused(tmp_path, port):
    refused = Service(tmp_path / "instance", PORT=port).once()
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "instance").exists()


def test_a_host_that_is_not_ours_is_refused(tmp_path):
    refused = Service(tmp_path / "instance", HOST="192.0.2.1").once()
    assert refused.returncode == 1
    assert "HOST=192.0.2.1" in refused.stderr
