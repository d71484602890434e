"""`python -m core.run`: database, migrations, demo and server as one command, ended as one.

`make run` calls it for a first look, `make serve` (`--production`) for a department, `make stop`
(`--stop`) to end either. One process at a time serves an instance folder.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import errno
import fcntl
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TextIO

import psycopg
import qrcode
from alembic.util import CommandError
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from core import authority, migrate
from core.cluster import ClusterError, PrivateCluster, cluster_for, with_database
from core.settings import Settings

BEGIN_WITHIN = 60
END_WITHIN = 30
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


class CannotRun(RuntimeError):
    """The service cannot start; the message says why and what to do."""


class Ended(BaseException):
    """Somebody asked this process to end (Ctrl-C, `make stop`, the end of the terminal)."""


def main(arguments: list[str] | None = None) -> int:
    """Do what the arguments say; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m core.run", description=__doc__)
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--production", action="store_true", help="no demo, more workers")
    kind.add_argument("--stop", action="store_true", help="end the server and its cluster")
    chosen = parser.parse_args(arguments)
    try:
        settings = read_settings()
        if chosen.stop:
            return stop(settings)
        if not chosen.production:
            # A first look: whoever wants a second factor sets one up, nobody has to.
            settings = replace(settings, require_second_factor=False)
        return run(settings, production=chosen.production)
    except (CannotRun, ClusterError, authority.AuthorityError) as error:
        say(str(error), sys.stderr)
        return 1
    except PermissionError as error:
        say(
            f"{error.filename or error} belongs to another user: start as that user, or choose"
            " another folder with INSTANCE_DIR=…",
            sys.stderr,
        )
        return 1


def read_settings() -> Settings:
    try:
        settings = Settings.from_environment()
    except ValueError as error:
        raise CannotRun(f"A setting is wrong: {error}") from error
    if not 0 < settings.port < 65536:
        raise CannotRun(f"PORT={settings.port} is no port: take one from 1 to 65535")
    return settings


def run(settings: Settings, *, production: bool) -> int:
    """Serve until somebody ends it; returns the exit code."""
    cluster = None if settings.database_url else cluster_for(settings.root, settings.instance)
    with claim(settings) as claimed:
        if claimed is not None:
            say(f"Tháp Canh already runs at {claimed}. `make stop` ends it.")
            show_accounts(settings)
            return 0
        check_port(settings)
        with ending_by_signals():
            try:
                return start_and_serve(settings, cluster, production=production)
            except Ended:
                return 0
            finally:
                if cluster:
                    stop_cluster(cluster)


def start_and_serve(settings: Settings, cluster: PrivateCluster | None, *, production: bool) -> int:
    with progress("Starting the database"):
        ready = with_database(settings)
    prepare(ready)
    if not production and first_start(ready):
        load_demo(ready)
    served = certificates(ready) if ready.tls else None
    server = launch(ready, served, production=production)
    worker = Worker(ready)
    try:
        with progress("Starting the server"):
            wait_until_it_answers(ready, server)
        worker.start()
        greet(ready, served)
        return watch(server, worker, cluster)
    finally:
        # Both are asked before either is waited for.
        worker.ask_to_end()
        end(server)
        worker.end()


# One server an instance folder.


@contextlib.contextmanager
def claim(settings: Settings) -> Iterator[str | None]:
    """Claim the instance folder; gives the address of the one who has it, or `None`.

    The kernel frees the claim of a process that was killed.
    """
    settings.instance.mkdir(parents=True, exist_ok=True)
    with claim_file(settings.instance).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield str(holder(file).get("address", "another address"))
            return
        file.truncate(0)
        json.dump({"pid": os.getpid(), "address": address(settings)}, file)
        file.flush()
        yield None


def claim_file(instance: Path) -> Path:
    return instance / "running"


def holder(file: TextIO) -> dict[str, object]:
    """Who has the claim; it is written right after claiming, so wait a moment for it."""
    for _ in range(20):
        file.seek(0)
        with contextlib.suppress(ValueError):
            return json.load(file)
        time.sleep(0.05)
    return {}


def stop(settings: Settings) -> int:
    """End the server of this instance folder, if one runs, and its private cluster."""
    found = False
    if claim_file(settings.instance).exists():
        with claim_file(settings.instance).open("r") as file:
            found = end_holder(file)
    if not settings.database_url and settings.instance.exists():
        cluster = cluster_for(settings.root, settings.instance)
        with progress("Stopping the database"):
            found = cluster.stop() or found
    say("Stopped." if found else "Nothing was running.")
    return 0


def end_holder(file: TextIO) -> bool:
    """Ask the process that has the claim to end and wait for it; whether there was one."""
    deadline = time.monotonic() + 2 * END_WITHIN
    asked = False
    with progress("Stopping the server"):
        while time.monotonic() < deadline:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return asked
            except BlockingIOError:
                pid = holder(file).get("pid")
            if isinstance(pid, int) and not asked:
                # The claim is held, so the number is that of its living holder.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
                asked = True
            time.sleep(0.1)
    raise CannotRun("the server does not end; its process is named in instance/running")


def check_port(settings: Settings) -> None:
    """Raise `CannotRun` when the address cannot be served."""
    deadline = time.monotonic() + 2
    while True:
        try:
            family, kind, protocol, _, place = socket.getaddrinfo(
                settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(place)
                return
        except socket.gaierror as error:
            raise CannotRun(f"HOST={settings.host} is no address of this machine") from error
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                # The server of a run that was killed may need a moment to end.
                if time.monotonic() < deadline:
                    time.sleep(0.1)
                    continue
                raise CannotRun(
                    f"Port {settings.port} is in use by another program. Choose another one:"
                    f" make run PORT={settings.port + 1}"
                ) from error
            if error.errno == errno.EACCES:
                raise CannotRun(
                    f"Port {settings.port} is for root only. Choose another: make run PORT=8000"
                ) from error
            raise CannotRun(f"HOST={settings.host} cannot be served: {error.strerror}") from error


# The database.


def prepare(settings: Settings) -> None:
    """Bring the database to this checkout's revision. Raises `CannotRun` when it cannot."""
    assert settings.database_url
    owner = settings.migration_database_url or settings.database_url
    try:
        if not migrate.is_current(owner):
            with progress("Preparing the database"):
                migrate.upgrade(owner, settings.database_url)
    except (SQLAlchemyError, CommandError) as error:
        place = make_url(owner).render_as_string(hide_password=True)
        raise CannotRun(f"The database {place} cannot be prepared: {error}") from error


def first_start(settings: Settings) -> bool:
    """Whether nobody has decided about the demo in this database yet."""
    assert settings.database_url
    engine = create_engine(settings.database_url)
    with engine.connect() as connection:
        decided = connection.scalar(text("SELECT value FROM setting WHERE key = 'demo'"))
    engine.dispose()
    return decided is None


def load_demo(settings: Settings) -> None:
    """Load the demo province where there is nothing else; the command decides and tells."""
    say("Loading the demo province (only at the first start) …")
    program = subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "wsgi", "demo", "load", "--if-new"],
        cwd=settings.root,
        env=environment(settings, owner=True),
        preexec_fn=end_with_parent,
        process_group=0,
    )
    try:
        code = program.wait()
    except BaseException:
        end(program)
        raise
    if code:
        raise CannotRun("The demo province could not be loaded: see above")


def stop_cluster(cluster: PrivateCluster) -> None:
    """End the cluster, unless a command in another window works with it."""
    others = 1 if cluster.running() else 0
    deadline = time.monotonic() + 2
    # Our own server's connections end a moment after it.
    while others and time.monotonic() < deadline:
        try:
            others = cluster.connections()
        except psycopg.Error:
            others = 0
        time.sleep(0.05)
    if others:
        say(f"PostgreSQL goes on: {others} other connections use it. `make stop` ends it.")
        return
    with progress("Stopping the database"):
        cluster.stop()


# The server.


def environment(settings: Settings, *, owner: bool = False) -> dict[str, str]:
    """The environment of a child: the database is decided; only migrators learn the owner."""
    made = {
        **os.environ,
        "INSTANCE_DIR": str(settings.instance),
        "REQUIRE_SECOND_FACTOR": "1" if settings.require_second_factor else "0",
    }
    made["DATABASE_URL"] = settings.database_url or ""
    made.pop("MIGRATION_DATABASE_URL", None)
    if owner and settings.migration_database_url:
        made["MIGRATION_DATABASE_URL"] = settings.migration_database_url
    return made


def certificates(settings: Settings) -> authority.Served:
    """The certificate of this machine for the addresses it has today. Raises `CannotRun`."""
    names = authority.local_names(settings.host)
    made = authority.prepared(settings.instance, names, now=datetime.now(UTC))
    if not authority.serves(made, reachable(settings.host)):
        raise CannotRun(
            f"TLS=1 is for local networks, and HOST={settings.host} is no local address or name:"
            " put the service behind a proxy with a certificate of a public authority (HTTPS=1)"
        )
    return made


def launch(
    settings: Settings, served: authority.Served | None, *, production: bool
) -> subprocess.Popen[bytes]:
    """gunicorn, in a process that ends when this one does, however this one ends."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    workers = settings.workers or (min(4, max(2, os.cpu_count() or 2)) if production else 1)
    command = [
        sys.executable, "-m", "gunicorn",
        "--config", "python:core.serve",
        "--bind", f"{host}:{settings.port}",
        "--workers", str(workers),
        "--graceful-timeout", "20" if production else "3",
    ]  # fmt: skip
    if served:
        command += ["--certfile", str(served.pem), "--keyfile", str(served.pem)]
    return subprocess.Popen(  # noqa: S603
        command,
        cwd=settings.root,
        env=environment(settings),
        preexec_fn=end_with_parent,
        # Ctrl-C goes to this process alone, which ends the server in good order.
        process_group=0,
    )


def end_with_parent() -> None:
    """Ask the kernel for SIGTERM when the parent ends; our own signals are the parent's matter."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def wait_until_it_answers(settings: Settings, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + BEGIN_WITHIN
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise CannotRun("The server did not start: see above")
        if answers(settings, "/healthz"):
            return
        time.sleep(0.05)
    raise CannotRun(f"The server does not answer at {address(settings)}")


def answers(settings: Settings, path: str) -> bool:
    """Whether the server of these settings answers yes at a path."""
    place, port = reachable(settings.host), settings.port
    connection = http.client.HTTPConnection(place, port, timeout=5)
    if settings.tls:
        trusted = authority.authority_file(settings.instance)
        if not trusted.exists():
            return False
        trusting = ssl.create_default_context(cafile=str(trusted))
        connection = http.client.HTTPSConnection(place, port, timeout=5, context=trusting)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def watch(server: subprocess.Popen[bytes], worker: Worker, cluster: PrivateCluster | None) -> int:
    """Wait for the server's end; start the private cluster and the worker again when they die."""
    database = Database(cluster) if cluster else None
    while True:
        try:
            server.wait(timeout=2)
            raise CannotRun("The server ended by itself: see above")
        except subprocess.TimeoutExpired:
            pass
        if database:
            database.keep()
        worker.keep()


class Database:
    """The private cluster, started again when it dies, as often as it takes.

    On a full disk it cannot start. The server goes on meanwhile and tells everybody to come back.
    """

    def __init__(self, cluster: PrivateCluster) -> None:
        self.cluster = cluster
        self.wait = 1.0
        self.tried = 0.0

    def keep(self) -> None:
        if self.cluster.running() or time.monotonic() - self.tried < self.wait:
            return
        say("PostgreSQL has ended; it is started again.")
        try:
            self.cluster.start()
            self.wait = 1.0
        except (ClusterError, OSError, psycopg.Error) as error:
            self.wait = min(30.0, self.wait * 2)
            say(f"{error}\nIt is tried again in {self.wait:.0f} s.", sys.stderr)
        self.tried = time.monotonic()


class Worker:
    """The process of `core.worker`, started again when it dies, each time after a longer wait."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.program: subprocess.Popen[bytes] | None = None
        self.started = 0.0
        self.wait = 1.0

    def start(self) -> None:
        self.started = time.monotonic()
        self.program = subprocess.Popen(
            [sys.executable, "-m", "core.worker"],
            cwd=self.settings.root,
            env=environment(self.settings),
            preexec_fn=end_with_parent,
            process_group=0,
        )

    def keep(self) -> None:
        """Start it again if it has ended, but not at once where it ends again and again."""
        lived = time.monotonic() - self.started
        if self.program is None or self.program.poll() is None or lived < self.wait:
            return
        self.wait = 1.0 if lived > 60 else min(60.0, self.wait * 2)
        say("The worker of jobs has ended; it is started again.")
        self.start()

    def ask_to_end(self) -> None:
        if self.program and self.program.poll() is None:
            self.program.terminate()

    def end(self) -> None:
        if self.program:
            end(self.program)


def end(program: subprocess.Popen[bytes]) -> None:
    """End a child, by force when it does not listen."""
    if program.poll() is not None:
        return
    program.terminate()
    try:
        program.wait(timeout=END_WITHIN)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()


# What the user sees.


def address(settings: Settings, place: str = "") -> str:
    host = place or reachable(settings.host)
    scheme = "https" if settings.tls else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{settings.port}"


def reachable(host: str) -> str:
    """Where a server that listens everywhere is found on this machine."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104


def greet(settings: Settings, served: authority.Served | None) -> None:
    say(f"\nTháp Canh is ready: {address(settings)}")
    if served:
        show_to_phones(settings, served)
    show_accounts(settings)
    say("Ctrl-C stops it.\n")


def show_to_phones(settings: Settings, served: authority.Served) -> None:
    """Where phones find the service, as a QR code too, and how they come to trust it."""
    everywhere = reachable(settings.host) != settings.host
    places = [
        one
        for one in (authority.addresses() if everywhere else [settings.host])
        if authority.serves(served, one) and (settings.host != "0.0.0.0" or ":" not in one)  # noqa: S104
    ]
    if not places:
        say("No local network: phones cannot reach this machine now.")
        return
    if settings.host in {"127.0.0.1", "::1", "localhost"}:
        say("Only this machine can open it: HOST=0.0.0.0 lets phones in.")
    found = address(settings, places[0])
    say(f"Phones on the same network open: {found}")
    for other in places[1:]:
        say(f"  or {address(settings, other)}")
    drawn = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_L, border=2)
    drawn.add_data(found)
    drawn.print_ascii(out=sys.stdout, tty=sys.stdout.isatty(), invert=True)
    say(
        f"They trust it after the certificate at {found}/authority was installed, once a phone:\n"
        "the page says how; the warning of the browser before that is expected. Compare SHA-256\n"
        f"  {served.fingerprint}\n"
        f"Programs trust the file {served.authority}"
    )


def show_accounts(settings: Settings) -> None:
    """The sign-ins of the demo, where they are kept."""
    path = settings.instance / "demo-accounts.txt"
    if path.exists():
        say(f"Sign in with a demo account (kept in {path}):")
        for line in path.read_text().splitlines():
            say(f"  {line}")


def say(line: str, to: TextIO | None = None) -> None:
    print(line, file=to or sys.stdout, flush=True)


@contextlib.contextmanager
def progress(what: str) -> Iterator[None]:
    """Say what goes on once it takes longer than a second, and again every five."""
    done = threading.Event()

    def tell() -> None:
        waited = 1
        if done.wait(1):
            return
        say(f"{what} …")
        while not done.wait(5):
            waited += 5
            say(f"  … {waited} s")

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()


@contextlib.contextmanager
def ending_by_signals() -> Iterator[None]:
    """Turn the first signal into `Ended`; while things are being ended further ones are ignored."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def stop_now(number: int, frame: FrameType | None) -> None:
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        raise Ended

    # What our starter told us to ignore stays ignored: `nohup`, or `&` in a script.
    for each in signals:
        if signal.getsignal(each) is not signal.SIG_IGN:
            signal.signal(each, stop_now)
    yield


if __name__ == "__main__":
    sys.exit(main())
