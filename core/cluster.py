"""The private PostGIS cluster: started, adopted, mended and stopped by this checkout alone.

It listens on a unix socket only. Root cannot run PostgreSQL: then it runs as `postgres`, and
its files lie under `/var/lib/thap-canh/`, where that user may enter.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pwd
import re
import secrets
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from core.settings import Settings

DATABASE = "thapcanh"
OWNER = "thapcanh_owner"
APPLICATION = "thapcanh_app"
SUPERUSER = "thapcanh_super"
EXTENSIONS = ("postgis", "pg_trgm", "unaccent", "btree_gist")
# A unix socket's path may have 107 bytes, its file name included.
LONGEST_SOCKET_FOLDER = 107 - len("/.s.PGSQL.5432.lock")
# PostgreSQL reads folders as a list with commas, and its start program passes them to a shell.
PLAIN_FOLDER = re.compile(r"[\w ./+@=~-]+")
SYSTEM_FOLDER = Path("/var/lib/thap-canh")
SERVER_SETTINGS = {
    "listen_addresses": "''",
    "shared_buffers": "'256MB'",
    "work_mem": "'16MB'",
    "maintenance_work_mem": "'128MB'",
    "max_wal_size": "'2GB'",
    "max_connections": "60",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "client_connection_check_interval": "'2s'",
    "password_encryption": "'scram-sha-256'",
    "jit": "off",
}
# Of a server that is thrown away: its processes may be killed, but who cuts the power loses it.
FLEETING_SETTINGS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


class ClusterError(RuntimeError):
    """The private cluster cannot run; the message says what to do."""


@dataclass(frozen=True)
class ClusterUrls:
    """SQLAlchemy URLs of one database: as its owner, who migrates, and as the application."""

    owner_url: str
    app_url: str


def programs() -> Path:
    """The folder of PostgreSQL's server programs that has PostGIS; raises `ClusterError`."""
    versions = sorted(
        (path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").exists()),
        key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0),
        reverse=True,
    )
    for path in versions:
        shared = Path("/usr/share/postgresql") / path.parent.name / "extension"
        if (shared / "postgis.control").exists():
            return path
    raise ClusterError(
        "PostgreSQL with PostGIS is not installed: install the package postgresql-postgis"
    )


def cluster_for(root: Path, instance: Path) -> PrivateCluster:
    """The cluster of a checkout and its instance folder."""
    instance = instance.resolve()
    if os.geteuid() == 0:
        return PrivateCluster(SYSTEM_FOLDER / _mark_of(root.resolve(), instance), instance)
    return PrivateCluster(instance / "postgres", instance)


def _mark_of(root: Path, instance: Path) -> str:
    """The folder name of root's cluster, kept in the instance folder.

    A moved instance keeps its data. A copied one gets a cluster of its own. One that was deleted
    and made anew does not meet the data of the old one, whose passwords went with it.
    """
    kept = instance / "cluster"
    here = f"{root}\0{instance}"
    if kept.exists():
        mark, _, before = kept.read_text().partition("\n")
        if before == str(instance):
            return mark
        if not Path(before, "cluster").exists():
            kept.write_text(f"{mark}\n{instance}")
            return mark
        here += secrets.token_hex(8)
    mark = hashlib.sha256(here.encode()).hexdigest()[:16]
    if (SYSTEM_FOLDER / mark).exists() and not (instance / "passwords").exists():
        mark = hashlib.sha256((here + secrets.token_hex(8)).encode()).hexdigest()[:16]
    instance.mkdir(parents=True, exist_ok=True)
    kept.write_text(f"{mark}\n{instance}")
    return mark


class PrivateCluster:
    """One PostgreSQL server whose data lie in `home/data`, its passwords in `instance`.

    A `fleeting` one waits for no disk. For tests.
    """

    def __init__(self, home: Path, instance: Path, *, fleeting: bool = False) -> None:
        if re.search(r"[\"$`\\\n]", str(home)):
            raise ClusterError(f"PostgreSQL cannot start in {home}: choose another INSTANCE_DIR")
        self.home = home
        self.instance = instance
        self.data = home / "data"
        self.log = home / "server.log"
        self.fleeting = fleeting

    # What the commands of this service call.

    def start(self) -> ClusterUrls:
        """Make, mend, adopt or start the server, whatever is needed, and return its URLs."""
        with self._alone():
            if not (self.data / "PG_VERSION").exists():
                self._initialise()
            self._check_version()
            if self._server() is None:
                self._clean_up_after_a_crash()
                self._launch()
            self._wait_until_ready()
            self._prepare_database(DATABASE)
        return self.urls(DATABASE)

    def stop(self) -> bool:
        """Stop the server; returns whether one was running."""
        return self._end(signal.SIGINT)

    def _end(self, how: signal.Signals) -> bool:
        if not self.home.exists():
            return False
        with self._alone():
            pid = self._server()
            if pid is None:
                return False
            os.kill(pid, how)
            self._wait_for_end(pid, 60)
            return True

    def running(self) -> bool:
        return self._server() is not None

    def connections(self) -> int:
        """How many clients are connected to the running server, this question not counted."""
        with self._connect("postgres") as connection:
            row = connection.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            ).fetchone()
        return row[0] if row else 0

    def destroy(self) -> None:
        """Stop the server and remove its data. For tests."""
        # What it has not written yet nobody will read.
        self._end(signal.SIGQUIT)
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.rmtree(self.socket_folder(), ignore_errors=True)

    def create_database(self, name: str, template: str | None = None) -> ClusterUrls:
        """A further database on this server, empty or a copy of another."""
        with self._connect("postgres") as connection:
            connection.execute("SET lock_timeout = '10s'")
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
                    sql.Identifier(name),
                    sql.Identifier(OWNER),
                    sql.Identifier(template or "template0"),
                )
            )
        self._prepare_database(name)
        return self.urls(name)

    def drop_database(self, name: str) -> None:
        """Remove a database, ending whoever is connected to it."""
        with self._connect("postgres") as connection:
            connection.execute("SET lock_timeout = '10s'")
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )

    def urls(self, database: str) -> ClusterUrls:
        folder = quote(str(self.socket_folder()), safe="")
        return ClusterUrls(
            *(
                f"postgresql+psycopg://{role}:{self._password(role)}@/{database}?host={folder}"
                for role in (OWNER, APPLICATION)
            )
        )

    def socket_folder(self) -> Path:
        """Where the socket lies: beside the data if its path is short and plain, else in /tmp.

        Not in TMPDIR, which may differ between two shells that want the same server.
        """
        beside = self.home / "socket"
        plain = PLAIN_FOLDER.fullmatch(str(beside))
        if plain and len(os.fsencode(beside)) <= LONGEST_SOCKET_FOLDER:
            return beside
        mark = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]
        return Path("/tmp") / f"thap-canh-{os.geteuid()}-{mark}"  # noqa: S108 - owner is checked

    # The server's user.

    def _account(self) -> pwd.struct_passwd | None:
        """The user that runs the server when we are root."""
        if os.geteuid() != 0:
            return None
        try:
            return pwd.getpwnam("postgres")
        except KeyError as error:
            raise ClusterError(
                "the user postgres is missing: install postgresql-postgis"
            ) from error

    def _own(self, path: Path) -> None:
        """Make a folder that only the server's user may enter.

        Refuses a link, a folder of somebody else, and one into which others may have put things.
        """
        account = self._account()
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
            if account:
                os.chown(path, account.pw_uid, account.pw_gid)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise ClusterError(f"{path} is not a folder: remove it or choose another INSTANCE_DIR")
        if found.st_uid != (account.pw_uid if account else os.geteuid()):
            # An old folder of root, from a start that was cut off here, has nothing in it.
            if not (account and found.st_uid == 0 and not any(path.iterdir())):
                raise ClusterError(
                    f"{path} belongs to somebody else: remove it or choose another INSTANCE_DIR"
                )
            os.chown(path, account.pw_uid, account.pw_gid)
        if found.st_mode & 0o022:
            raise ClusterError(f"others may write to {path}: look at what is in it, then remove it")
        path.chmod(0o700)

    def _run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        account = self._account()
        return subprocess.run(  # noqa: S603 - our own fixed commands
            [str(part) for part in command],
            cwd=self.home,
            text=True,
            capture_output=True,
            check=False,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(self.home)},
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )

    # Steps of starting.

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One process at a time works on the cluster; the kernel ends the claim of a dead one."""
        if not self.home.parent.exists():
            # Another start may make it at this moment.
            self.home.parent.mkdir(parents=True, exist_ok=True)
            if self._account():
                # Whatever the umask is, the server's user must be able to pass.
                self.home.parent.chmod(0o755)
        self._own(self.home)
        self.instance.mkdir(parents=True, exist_ok=True)
        with (self.home / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _initialise(self) -> None:
        # Made beside its place: a first try that was cut off must not look like a whole cluster.
        partial = self.home / "data.partial"
        if partial.exists():
            shutil.rmtree(partial)
        self._own(partial)
        secret = self.home / f".password-{secrets.token_hex(4)}"
        secret.write_text(self._password(SUPERUSER))
        account = self._account()
        if account:
            os.chown(secret, account.pw_uid, account.pw_gid)
        secret.chmod(0o600)
        try:
            made = self._run(
                programs() / "initdb",
                "--pgdata", partial,
                "--encoding", "UTF8",
                "--locale", "C.UTF-8",
                "--username", SUPERUSER,
                "--auth", "scram-sha-256",
                "--pwfile", secret,
                *(["--no-sync"] if self.fleeting else []),
            )  # fmt: skip
        finally:
            secret.unlink()
        if made.returncode != 0:
            raise ClusterError(f"initdb failed: {made.stderr.strip()}")
        with (partial / "postgresql.conf").open("a") as file:
            chosen = SERVER_SETTINGS | (FLEETING_SETTINGS if self.fleeting else {})
            for name, value in chosen.items():
                file.write(f"{name} = {value}\n")
        if self.data.exists():
            self.data.rmdir()
        partial.rename(self.data)

    def _check_version(self) -> None:
        have = (self.data / "PG_VERSION").read_text().strip()
        offered = programs().parent.name
        if have != offered and not (Path("/usr/lib/postgresql") / have / "bin/postgres").exists():
            raise ClusterError(
                f"the data in {self.data} are of PostgreSQL {have}, but {offered} is installed: "
                f"install postgresql-{have}-postgis-3, or move the data with pg_upgrade"
            )

    def _programs(self) -> Path:
        """The programs that fit the data, which may be older than the newest installed."""
        have = (self.data / "PG_VERSION").read_text().strip()
        return Path("/usr/lib/postgresql") / have / "bin"

    def _server(self) -> int | None:
        """The postmaster of our data folder, or `None`.

        A number in `postmaster.pid` may be that of another process by now: only a process that
        is PostgreSQL and works in our folder is ours.
        """
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return None
        return pid if self._is_ours(pid) else None

    def _is_ours(self, pid: int) -> bool:
        try:
            program = Path(f"/proc/{pid}/exe").readlink().name
            folder = Path(f"/proc/{pid}/cwd").readlink()
        except OSError:
            return False
        return program.removesuffix(" (deleted)") == "postgres" and folder == self.data.resolve()

    def _clean_up_after_a_crash(self) -> None:
        """End the orphans of a killed postmaster, then remove what it left behind."""
        for sign in (signal.SIGQUIT, signal.SIGKILL):
            orphans = self._processes()
            for pid in orphans:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, sign)
            deadline = time.monotonic() + 10
            while self._processes() and time.monotonic() < deadline:
                time.sleep(0.05)
        if self._processes():
            raise ClusterError(f"processes of {self.data} do not end: {self._processes()}")
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        for left in self.socket_folder().glob(".s.PGSQL.*"):
            left.unlink()

    def _processes(self) -> list[int]:
        return [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and self._is_ours(int(entry.name))
        ]

    def _launch(self) -> None:
        self._own(self.socket_folder())
        started = self._run(
            self._programs() / "pg_ctl",
            "start",
            "--pgdata", self.data,
            "--log", self.log,
            "--silent",
            "--wait",
            "--timeout", "300",
            "--options", f"-c unix_socket_directories='{self.socket_folder()}'",
        )  # fmt: skip
        if started.returncode != 0:
            tail = self.log.read_text(errors="replace")[-1500:] if self.log.exists() else ""
            raise ClusterError(f"PostgreSQL did not start: {started.stderr.strip()}\n{tail}")

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                with self._connect("postgres"):
                    return
            except psycopg.OperationalError as error:
                if "password authentication failed" in str(error):
                    raise ClusterError(
                        f"the passwords in {self.instance / 'passwords'} are not those of the data"
                        f" in {self.home}: bring back the folder that was there, or move the data"
                        " away to begin anew"
                    ) from error
                if time.monotonic() > deadline:
                    raise ClusterError(f"PostgreSQL does not answer: {error}") from error
                time.sleep(0.05)

    def _wait_for_end(self, pid: int, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._is_ours(pid):
            if time.monotonic() > deadline:
                raise ClusterError(f"PostgreSQL (process {pid}) does not stop")
            time.sleep(0.05)

    def _prepare_database(self, name: str) -> None:
        """Roles, database and extensions, each made where it is missing."""
        with self._connect("postgres") as connection:
            for role in (OWNER, APPLICATION):
                if not connection.execute(
                    "SELECT 1 FROM pg_roles WHERE rolname = %s", [role]
                ).fetchone():
                    connection.execute(
                        sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                            sql.Identifier(role), sql.Literal(self._password(role))
                        )
                    )
            if not connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", [name]
            ).fetchone():
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(
                        sql.Identifier(name), sql.Identifier(OWNER)
                    )
                )
        with self._connect(name) as connection:
            connection.execute("SET client_min_messages = warning")
            for extension in EXTENSIONS:
                connection.execute(
                    sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(extension))
                )
            # Only once: changing the owner waits for everybody who reads coordinate systems.
            if connection.execute(
                "SELECT 1 FROM pg_tables WHERE tablename = 'spatial_ref_sys' AND tableowner <> %s",
                [OWNER],
            ).fetchone():
                connection.execute(
                    sql.SQL("ALTER TABLE spatial_ref_sys OWNER TO {}").format(sql.Identifier(OWNER))
                )

    def _connect(self, database: str) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self.socket_folder()),
            dbname=database,
            user=SUPERUSER,
            password=self._password(SUPERUSER),
            autocommit=True,
            connect_timeout=5,
        )

    def _password(self, role: str) -> str:
        """The password of a role, made at first and kept for this instance alone."""
        folder = self.instance / "passwords"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / role
        if not path.exists():
            partial = path.with_suffix(f".{secrets.token_hex(4)}")
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(32))
            with contextlib.suppress(FileExistsError):
                os.link(partial, path)
            partial.unlink()
        return path.read_text().strip()


def with_database(settings: Settings) -> Settings:
    """Settings that name a database: the given one, or the private cluster, started if needed."""
    if settings.database_url:
        return replace(
            settings,
            migration_database_url=settings.migration_database_url or settings.database_url,
        )
    urls = cluster_for(settings.root, settings.instance).start()
    return replace(settings, database_url=urls.app_url, migration_database_url=urls.owner_url)
