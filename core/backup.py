"""Everything of an instance as one file, and back: database, files of people, secrets.

The database comes first, as of one moment (a snapshot that pg_dump and our own counts share),
then the files. These are named by their content and never change, and a row is written after its
file, so the files of all rows of that moment are among them.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from core.backup_file import (
    PIECE,
    BackupError,
    Member,
    Writer,
    created,
    is_hash,
    members,
    opened,
    read,
    remove_cut_off,
)

FORMAT = 1
HEADER = "backup.json"
# The database travels in members of so many bytes: a tar must know the size of each beforehand.
PART = 8 << 20
# The key of the authority comes before its certificate: one that is there has its key.
SECRETS = (
    "secret-key", "receipt-key", "demo-accounts.txt", "tls/authority.key", "tls/authority.crt",
)  # fmt: skip
# As it is written out alike on every server.
PLAIN = (
    "SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres';"
    " SET extra_float_digits = 1; SET bytea_output = 'hex'; SET search_path = public"
)
OURS = (
    "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace"
    " AND c.relkind IN ('r', 'p') AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid"
    " AND d.classid = 'pg_class'::regclass AND d.deptype = 'e') ORDER BY c.relname"
)

# What is done, how many of it: for whoever waits.
Tell = Callable[[str, int], None]


@dataclass(frozen=True)
class Place:
    """What is backed up, or restored into.

    `kept` names for each folder of content the tables whose `sha256` names its files.
    """

    owner_url: str
    app_url: str
    instance: Path
    kept: Mapping[str, Sequence[str]]
    folders: Sequence[str] = field(default=("photos", "documents", "notices", "maps"))


def connected(url: str) -> psycopg.Connection:
    """A connection to a database; raises `BackupError` where it does not answer."""
    plain = make_url(url).set(drivername="postgresql")
    try:
        return psycopg.connect(plain.render_as_string(hide_password=False), connect_timeout=10)
    except psycopg.OperationalError as error:
        raise BackupError(f"The database does not answer: {error}") from error


def programs_for(version: int) -> Path:
    """The folder of client programs that are at least as new as a server of this major version."""
    found = sorted(
        (int(path.parts[-2]), path)
        for path in Path("/usr/lib/postgresql").glob("*/bin")
        if path.parts[-2].isdigit() and (path / "pg_dump").exists()
    )
    for number, path in found:
        if number >= version:
            return path
    beside = shutil.which("pg_dump")
    if beside is not None and not found:
        return Path(beside).parent
    raise BackupError(
        f"pg_dump of PostgreSQL {version} or newer is not installed:"
        f" install postgresql-client-{version}"
    )


def environment(url: str) -> dict[str, str]:
    """How client programs reach a database; the password stands in no list of processes."""
    parts = make_url(url)
    host = parts.host or parts.query.get("host") or ""
    wanted = {
        "PGHOST": str(host),
        "PGPORT": str(parts.port or ""),
        "PGUSER": parts.username or "",
        "PGPASSWORD": str(parts.password or ""),
        "PGDATABASE": parts.database or "",
        "PGSSLMODE": str(parts.query.get("sslmode") or ""),
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, **{name: value for name, value in wanted.items() if value}}


def digests(connection: psycopg.Connection) -> dict[str, list[Any]]:
    """Of each table the number of its rows and a sum over what they say, in no order."""
    connection.execute(PLAIN)
    found = {}
    for (name,) in connection.execute(OURS).fetchall():
        row = connection.execute(
            sql.SQL(
                "SELECT count(*), coalesce(sum(('x' || left(md5(t::text), 16))::bit(64)::bigint"
                "::numeric), 0)::text FROM public.{} t"
            ).format(sql.Identifier(name))
        ).fetchone()
        assert row
        found[name] = [row[0], row[1]]
    return found


# Making one.


@dataclass(frozen=True)
class Size:
    """How much there is to back up: bytes of the database and of so many files."""

    database: int
    files: int
    bytes: int


def size_of(place: Place) -> Size:
    """What there is; of a database less is written than lies on its disk, indexes at least.

    Raises `BackupError` for a database in which nothing was made yet.
    """
    with connected(place.owner_url) as connection:
        if _one(connection, "SELECT to_regclass('alembic_version')") is None:
            raise BackupError("The database is empty: there is nothing to back up")
        database = _one(connection, "SELECT pg_database_size(current_database())")
    files = total = 0
    for folder in place.folders:
        for path in _files(place.instance / folder):
            with contextlib.suppress(FileNotFoundError):
                total += path.stat().st_size
                files += 1
    return Size(database, files, total)


def check_room(size: Size, path: Path) -> int:
    """How many bytes are free where a backup shall lie.

    Raises `BackupError` where it may not fit, or there is no such folder.
    """
    remove_cut_off(path.parent)
    try:
        free = shutil.disk_usage(path.parent).free
    except FileNotFoundError as error:
        raise BackupError(f"There is no folder {path.parent}") from error
    needed = size.database + size.bytes
    if free < needed:
        raise BackupError(
            f"{path.parent} has {shown(free)} left, and a backup may need {shown(needed)}:"
            " make room, or choose another place"
        )
    return free


def shown(size: int) -> str:
    """A number of bytes for people."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


@dataclass
class Made:
    """What a backup holds; `missing` and `damaged` are files that are not as rows say."""

    id: str
    members: int = 0
    bytes: int = 0
    rows: int = 0
    tables: int = 0
    files: int = 0
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


def create(place: Place, path: Path, recipient: str, *, now: datetime, tell: Tell) -> Made:
    """Write a backup to a path that does not exist yet; raises `BackupError`."""
    if path.exists():
        raise BackupError(f"{path} is there already")
    made = Made(str(uuid.uuid4()))
    with created(path, recipient) as stream, connected(place.owner_url) as connection:
        writer = Writer(stream)
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        snapshot = _one(connection, "SELECT pg_export_snapshot()")
        owner, app = (make_url(url).username for url in (place.owner_url, place.app_url))
        header = {
            "format": FORMAT,
            "id": made.id,
            "made_at": now.isoformat(),
            "revision": _one(connection, "SELECT version_num FROM alembic_version"),
            "server": _one(connection, "SHOW server_version"),
            "owner": owner,
            "application": app,
        }
        writer.add_bytes(HEADER, json.dumps(header, indent=1).encode() + b"\n")
        version = connection.info.server_version // 10_000
        with _dumped(place.owner_url, programs_for(version), str(snapshot)) as dump:
            number = 0
            while part := _whole(dump, PART):
                number += 1
                writer.add_bytes(f"database/{number:08d}", part)
                tell("database", writer.bytes)
        tell("tables", 0)
        tables = digests(connection)
        made.tables, made.rows = len(tables), sum(one[0] for one in tables.values())
        for folder in place.folders:
            _add_files(writer, place.instance / folder, folder, made, tell)
        for name in SECRETS:
            secret = place.instance / name
            if secret.exists():
                writer.add_bytes(f"secrets/{name}", secret.read_bytes())
        _look_for_missing(connection, place, made)
        writer.end(
            {
                **header,
                "tables": tables,
                "files": made.files,
                "missing": made.missing,
                "damaged": made.damaged,
            }
        )
        made.members, made.bytes = writer.members, writer.bytes
    return made


def _one(connection: psycopg.Connection, statement: str) -> Any:
    row = connection.execute(statement).fetchone()
    return row[0] if row else None


@contextlib.contextmanager
def _dumped(url: str, programs: Path, snapshot: str) -> Iterator[IO[bytes]]:
    command = [
        str(programs / "pg_dump"), "--format=custom", "--compress=1", "--no-comments",
        f"--snapshot={snapshot}", "--no-password",
    ]  # fmt: skip
    with subprocess.Popen(  # noqa: S603 - our own command
        command, env=environment(url), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as program:
        assert program.stdout and program.stderr
        said: list[bytes] = []
        listening = threading.Thread(target=lambda: said.append(program.stderr.read()))  # type: ignore[union-attr]
        listening.start()
        yield program.stdout
        listening.join()
    if program.returncode != 0:
        raise BackupError(f"pg_dump failed: {b''.join(said).decode(errors='replace').strip()}")


def _whole(stream: IO[bytes], size: int) -> bytes:
    """So many bytes, fewer only at the end."""
    parts = bytearray()
    while len(parts) < size and (piece := stream.read(min(PIECE, size - len(parts)))):
        parts += piece
    return bytes(parts)


def _files(folder: Path) -> Iterator[Path]:
    """The files below a folder in a fixed order, without those that are still arriving."""
    if not folder.exists():
        return
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda one: one.name)
    for one in entries:
        if one.name.startswith("."):
            continue
        if one.is_dir(follow_symlinks=False):
            yield from _files(Path(one.path))
        elif one.is_file(follow_symlinks=False):
            yield Path(one.path)


def _add_files(writer: Writer, folder: Path, name: str, made: Made, tell: Tell) -> None:
    number = 0
    for path in _files(folder):
        try:
            file = path.open("rb")
        except FileNotFoundError:
            # Removed since, with its rows; whether rows miss it is looked at in the end.
            continue
        with file:
            size = os.fstat(file.fileno()).st_size
            digest = writer.add(f"{name}/{path.relative_to(folder)}", size, file)
        if is_hash(path.name) and digest != path.name:
            made.damaged.append(f"{name}/{path.name}")
        number += 1
        made.files += 1
        tell(name, number)


def _look_for_missing(connection: psycopg.Connection, place: Place, made: Made) -> None:
    # A database of an older version, which is about to be migrated, has fewer of them.
    found = connection.execute(
        "SELECT table_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND column_name = 'sha256'"
    )
    there = {name for (name,) in found}
    for folder, tables in place.kept.items():
        for table in there.intersection(tables):
            rows = connection.cursor(name=f"files_{table}")
            rows.execute(
                sql.SQL("SELECT DISTINCT encode(sha256, 'hex') FROM {} WHERE sha256 IS NOT NULL")
                .format(sql.Identifier(table))
            )  # fmt: skip
            for (name,) in rows:
                if not (place.instance / folder / name[:2] / name).exists():
                    made.missing.append(f"{folder}/{name}")
            rows.close()


# Looking at one, and going back to it.


def verify(path: Path, identity: Path | None, *, tell: Tell) -> dict[str, Any]:
    """Read a whole backup and compare it with its manifest, which is returned."""
    number = 0

    def count(member: Member) -> None:
        nonlocal number
        number += 1
        tell("members", number)

    about = read(path, identity, count)
    if about.get("format") != FORMAT:
        raise BackupError(f"This backup has the format {about.get('format')}, not {FORMAT}")
    return about


NAMED = re.compile(r"(?P<folder>[a-z]+)/(?P<rest>[0-9A-Za-z][0-9A-Za-z._/-]*)")


def restore(place: Place, path: Path, identity: Path | None, *, tell: Tell) -> dict[str, Any]:
    """Bring back a backup into an empty database; returns its manifest.

    The whole file is looked at, and its files are laid down, before the database is touched. That
    is one transaction: whoever is killed begins again. Raises `BackupError`.
    """
    check_empty(place)
    secrets: dict[str, bytes] = {}
    number = 0

    def take(member: Member) -> None:
        nonlocal number
        folder, _, name = member.name.partition("/")
        if folder == "secrets" and name in SECRETS:
            secrets[name] = member.content.read(PIECE)
        elif folder in place.folders:
            number += 1
            tell("files", number)
            _lay_down(place.instance, member)

    about = read(path, identity, take)
    if about.get("format") != FORMAT:
        raise BackupError(f"This backup has the format {about.get('format')}, not {FORMAT}")
    os.sync()
    _bring_back(place, path, identity, about, tell)
    for name, content in secrets.items():
        _put_secret(place.instance / name, content)
    with connected(place.owner_url) as connection:
        found = digests(connection)
    wrong = sorted(
        name
        for name in {**found, **about["tables"]}
        if found.get(name) != about["tables"].get(name)
    )
    if wrong:
        raise BackupError(f"These tables are not as they were: {', '.join(wrong)}")
    return about


def check_empty(place: Place) -> None:
    """Raise `BackupError` where the database has a table of ours, or any other one."""
    with connected(place.owner_url) as connection:
        there = [name for (name,) in connection.execute(OURS)]
    if there:
        raise BackupError(
            "The database is not empty: a backup is only restored into an empty one. Take another"
            " INSTANCE_DIR, or make a database (README, “Backup and restore”)"
        )


def _lay_down(instance: Path, member: Member) -> None:
    fits = NAMED.fullmatch(member.name)
    if fits is None or ".." in member.name:
        raise BackupError(f"{member.name} is no name of a file of ours")
    path = instance / member.name
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f".{path.name}.restoring")
    try:
        with part.open("wb") as file:
            while piece := member.content.read(PIECE):
                file.write(piece)
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)


def _put_secret(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.exists() and path.read_bytes() != content:
        path.rename(path.with_name(f"{path.name}.before-restore"))
    part = path.with_name(f".{path.name}.restoring")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        os.fsync(file.fileno())
    part.rename(path)


class _Parts(io.RawIOBase):
    """The database of a backup as one stream."""

    def __init__(self, found: Iterator[Member], tell: Tell) -> None:
        self._found, self._tell = found, tell
        self._here: IO[bytes] | None = None
        self._done = 0

    def pieces(self) -> Iterator[bytes]:
        for member in self._found:
            if member.name.startswith("database/"):
                while piece := member.content.read(PIECE):
                    self._done += len(piece)
                    self._tell("database", self._done)
                    yield piece
            elif member.name != HEADER:
                return


def _bring_back(
    place: Place, path: Path, identity: Path | None, about: dict[str, Any], tell: Tell
) -> None:
    """Restore the database in one transaction, which only our last word commits."""
    with connected(place.owner_url) as connection:
        programs = programs_for(connection.info.server_version // 10_000)
    told: list[bytes] = []
    with (
        opened(path, identity) as stream,
        subprocess.Popen(  # noqa: S603 - our own command
            [str(programs / "pg_restore"), "--no-owner", "--no-comments", "--file=-"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as script,
        subprocess.Popen(  # noqa: S603 - our own command
            [str(programs / "psql"), "--no-psqlrc", "--quiet", "--no-password",
             "--set=ON_ERROR_STOP=1", "--file=-"],
            env=environment(place.owner_url), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as server,
    ):  # fmt: skip
        assert script.stdin and script.stdout and script.stderr and server.stdin and server.stderr
        listeners = [
            threading.Thread(target=lambda pipe=pipe: told.append(pipe.read()))
            for pipe in (script.stderr, server.stderr)
        ]
        feeder = threading.Thread(target=_feed, args=(script.stdin, members(stream), tell))
        for thread in (*listeners, feeder):
            thread.start()
        try:
            # psql takes the end of what it reads for a good one: without a COMMIT nothing stays.
            server.stdin.write(b"BEGIN;\n")
            for piece in _for_roles(script.stdout, place, about):
                server.stdin.write(piece)
            feeder.join()
            if script.wait() == 0:
                server.stdin.write(b"COMMIT;\n")
            server.stdin.close()
        except BrokenPipeError:
            # psql ended before us, and says why.
            script.kill()
            with contextlib.suppress(BrokenPipeError):
                server.stdin.close()
        for thread in (*listeners, feeder):
            thread.join()
    if script.returncode != 0 or server.returncode != 0:
        said = b"\n".join(told).decode(errors="replace").strip()
        raise BackupError(f"The database could not be restored, it is empty as before: {said}")


def _feed(into: IO[bytes], found: Iterator[Member], tell: Tell) -> None:
    # Whoever reads may have ended with an error, which it tells itself.
    with contextlib.suppress(BrokenPipeError, BackupError):
        for piece in _Parts(found, tell).pieces():
            into.write(piece)
    with contextlib.suppress(BrokenPipeError):
        into.close()


def _for_roles(script: IO[bytes], place: Place, about: dict[str, Any]) -> Iterator[bytes]:
    """The script with the grants of the old application's role for that of this place."""
    old, new = about["application"], make_url(place.app_url).username
    if old == new or old == about["owner"]:
        while piece := script.read(PIECE):
            yield piece
        return
    given = re.compile(rb"(GRANT|REVOKE) .* (TO|FROM) (\"?)%s\3;\s*" % re.escape(old.encode()))
    copying = False
    for line in script:
        if copying:
            copying = line != b"\\.\n"
        elif line.startswith(b"COPY ") and line.rstrip().endswith(b"FROM stdin;"):
            copying = True
        elif given.fullmatch(line):
            if new == make_url(place.owner_url).username:
                continue
            head, _, _ = line.rpartition(b" ")
            line = head + b' "' + str(new).encode() + b'";\n'
        yield line
