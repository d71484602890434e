"""A backup holds everything, comes back into an empty database, and tells of each damaged byte."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pyrage
import pytest
from flask import Flask
from sqlalchemy import create_engine, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session, sessionmaker

from app import BACKED_UP
from core import authority, backup, migrate, seals
from core.audit import AuditEntry
from core.backup import Place
from core.backup_file import BackupError
from core.cluster import ClusterUrls, PrivateCluster
from core.settings import ROOT
from tests import doors, makers
from tests.conftest import Note, Settled, asked_of
from tests.core.migrations_test import schema

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)


def quiet(what: str, number: int) -> None:
    """Nobody waits."""


@dataclass
class Source:
    place: Place
    file: Path
    urls: ClusterUrls
    visit: dict
    token: str


def place_of(urls: ClusterUrls, instance: Path) -> Place:
    return Place(urls.owner_url, urls.app_url, instance, BACKED_UP)


@pytest.fixture(scope="module")
def source(
    cluster: PrivateCluster, settled: Settled, whole_app: Flask, instance: Path, tmp_path_factory
) -> Iterator[Source]:
    """A world with its files, something that a phone sent, a seal, and the backup of it all."""
    folder = tmp_path_factory.mktemp("backups")
    # A template must have no visitors.
    settled.engine.dispose()
    urls = cluster.create_database("backed_up", "settled")
    engine = create_engine(urls.app_url)
    with whole_app.app_context(), asked_of(engine, sessionmaker(engine)):
        with Session(engine) as session:
            person = makers.user(session, "inspector")
            token = makers.token(session, person)
            session.commit()
        visit = {**doors.visit(settled.world.here.tower.code), "id": str(uuid.uuid4())}
        sent = send(whole_app, token, visit)
        doors.answered(sent, 201)
        with Session(engine) as session, session.begin():
            seals.seal(session, now=NOW)
    engine.dispose()
    (instance / "secret-key").write_text("the secret")
    authority.prepared(instance, ["127.0.0.1"], now=NOW)
    file = folder / "backup.tar"
    made = backup.create(place_of(urls, instance), file, "", now=NOW, tell=quiet)
    assert made.rows > 200 and made.files >= 3 and not made.damaged
    yield Source(place_of(urls, instance), file, urls, visit, token)
    cluster.drop_database("backed_up")


def send(app: Flask, token: str, visit: dict):
    client = app.test_client()
    return client.post(
        "/api/v1/inspections", json=visit, headers={"Authorization": f"Bearer {token}"}
    )


def bare(schema: str) -> list[str]:
    """Without brackets, which are written otherwise when a condition was read once more."""
    return sorted(re.sub("[()]", "", line) for line in schema.splitlines())


@pytest.fixture
def empty(cluster: PrivateCluster, tmp_path: Path) -> Iterator[Place]:
    name = f"restored_{uuid.uuid4().hex[:8]}"
    yield place_of(cluster.create_database(name), tmp_path / "instance")
    cluster.drop_database(name)


def test_a_restored_backup_is_equal_in_everything(
    source: Source, empty: Place, whole_app: Flask, figure: Note
) -> None:
    assert source.file.stat().st_mode & 0o077 == 0
    about = backup.restore(empty, source.file, None, tell=quiet)
    # Tables, constraints, triggers, functions and grants, then the rows of each table.
    assert bare(schema(empty.owner_url)) == bare(schema(source.urls.owner_url))
    with (
        backup.connected(empty.owner_url) as there,
        backup.connected(source.urls.owner_url) as here,
    ):
        restored_rows, rows = backup.digests(there), backup.digests(here)
    figure("P9", "tables restored", len(restored_rows))
    figure("P9", "rows restored", sum(number for number, _ in restored_rows.values()))
    differing = sum(restored_rows.get(name) != row for name, row in rows.items())
    figure("P9", "tables whose digest differs", differing, wrong=True)
    assert restored_rows == rows == about["tables"]
    names = {
        path.relative_to(source.place.instance)
        for folder in source.place.folders
        for path in backup._files(source.place.instance / folder)
    }
    restored = {path.relative_to(empty.instance) for path in backup._files(empty.instance)}
    figure("P9", "files restored", len(restored))
    figure("P9", "files missing", len(names - restored), wrong=True)
    secrets = {Path(one) for one in backup.SECRETS if (source.place.instance / one).exists()}
    assert restored == names | secrets and Path("secret-key") in secrets
    # Phones go on trusting the service, at whatever address it is now.
    trusted, anew = (
        authority.prepared(place.instance, ["192.168.7.7"], now=NOW).fingerprint
        for place in (source.place, empty)
    )
    assert anew == trusted
    assert (empty.instance / "tls").stat().st_mode & 0o077 == 0
    photos = [one for one in backup._files(empty.instance / "photos") if "." not in one.name]
    damaged = [one for one in photos if hashlib.sha256(one.read_bytes()).hexdigest() != one.name]
    figure("P9", "photos hashed anew", len(photos))
    figure("P9", "photos damaged", len(damaged), wrong=True)
    assert photos and damaged == []
    engine = create_engine(empty.app_url)
    with whole_app.app_context(), asked_of(engine, sessionmaker(engine)):
        # A phone that does not know of all this sends again: the first answer, nothing doubled.
        again = send(whole_app, source.token, source.visit)
        assert again.status_code == 200, again.text
        with Session(engine) as session:
            (number,) = session.execute(
                text("SELECT count(*) FROM inspection WHERE id = :id"), {"id": source.visit["id"]}
            ).one()
            assert number == 1
        with Session(engine) as session:
            assert seals.verify(session).sound
    engine.dispose()
    with pytest.raises(BackupError, match="not empty"):
        backup.restore(empty, source.file, None, tell=quiet)


def test_each_damaged_byte_is_found(source: Source, tmp_path: Path, figure: Note) -> None:
    whole = source.file.read_bytes()
    assert backup.verify(source.file, None, tell=quiet)["files"]
    bad = tmp_path / "bad.tar"
    # In a header, its empty bytes, the database, what fills a block up, the manifest, the end.
    places = [100, 500, 600, 1020, len(whole) // 3, len(whole) // 2, len(whole) - 30_000,
              len(whole) - 600, len(whole) - 500, len(whole) - 1]  # fmt: skip
    sizes = (0, 10, 511, len(whole) // 2, len(whole) - 20_000, len(whole) - 1)
    damages = [
        *(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :] for place in places),
        *(whole[:size] for size in sizes),
    ]
    unnoticed = 0
    for damage in damages:
        bad.write_bytes(damage)
        with contextlib.suppress(BackupError):
            backup.verify(bad, None, tell=quiet)
            unnoticed += 1
    figure("P9", "damaged or cut backups verified", len(damages))
    figure("P9", "damages not noticed", unnoticed, wrong=True)
    assert unnoticed == 0


KILLED = """
import os, signal, sys
from pathlib import Path
from app import BACKED_UP
from core import backup
backup.PIECE = 1 << 12
def tell(what, number):
    if what == "database" and number > 20 * backup.PIECE:
        os.kill(os.getpid(), signal.SIGKILL)
owner, app, instance, file = sys.argv[1:]
backup.restore(backup.Place(owner, app, Path(instance), BACKED_UP), Path(file), None, tell=tell)
"""


def test_a_killed_restore_begins_again_also_for_other_roles(
    source: Source, empty: Place, cluster: PrivateCluster
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, empty.owner_url, empty.app_url, empty.instance, source.file],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]
    backup.check_empty(empty)
    with backup.connected(empty.owner_url) as connection:
        connection.execute("CREATE FUNCTION search_form(text) RETURNS text LANGUAGE sql RETURN $1")
    with pytest.raises(BackupError, match="search_form"):
        backup.restore(empty, source.file, None, tell=quiet)
    with backup.connected(empty.owner_url) as connection:
        connection.execute("DROP FUNCTION search_form(text)")
    backup.check_empty(empty)
    other = make_url(empty.app_url).set(username="other_app")
    with cluster._connect("postgres") as connection:
        connection.execute("CREATE ROLE other_app LOGIN PASSWORD 'x'")
    elsewhere = replace(empty, app_url=other.render_as_string(hide_password=False))
    backup.restore(elsewhere, source.file, None, tell=quiet)
    with backup.connected(empty.owner_url) as connection:
        assert connection.execute(
            "SELECT has_table_privilege('other_app', 'tower', 'UPDATE'),"
            " has_table_privilege('other_app', 'audit_entry', 'DELETE'),"
            " has_column_privilege('other_app', 'audit_entry', 'actor', 'INSERT'),"
            " has_table_privilege('thapcanh_app', 'tower', 'SELECT')"
        ).fetchone() == (True, False, True, False)
    with cluster._connect(str(other.database)) as connection:
        connection.execute("DROP OWNED BY other_app")
        connection.execute("DROP ROLE other_app")


def test_only_who_has_the_key_reads_an_encrypted_one(source: Source, tmp_path: Path) -> None:
    key, other = (pyrage.x25519.Identity.generate() for _ in range(2))
    for name, one in (("key", key), ("other", other)):
        (tmp_path / name).write_text(f"# a key\n{one}\n")
    file = tmp_path / "backup.tar.age"
    backup.create(source.place, file, str(key.to_public()), now=NOW, tell=quiet)
    assert b"secret-key" not in file.read_bytes()
    assert backup.verify(file, tmp_path / "key", tell=quiet)["members"] > 4
    for identity in (tmp_path / "other", None):
        with pytest.raises(BackupError, match=r"decrypt|secret key"):
            backup.verify(file, identity, tell=quiet)
    whole = file.read_bytes()
    file.write_bytes(whole[:-100_000])
    with pytest.raises(BackupError):
        backup.verify(file, tmp_path / "key", tell=quiet)
    with pytest.raises(BackupError, match="no recipient"):
        backup.create(source.place, tmp_path / "no", "age1nonsense", now=NOW, tell=quiet)
    assert {one.name for one in tmp_path.iterdir()} == {"key", "other", "backup.tar.age"}


@pytest.mark.skipif(shutil.which("gpg") is None, reason="GnuPG is not installed")
def test_gnupg_encrypts_too(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The path of its socket must be short.
    home = tempfile.mkdtemp(prefix="gpg-", dir="/tmp")
    monkeypatch.setenv("GNUPGHOME", home)
    subprocess.run(
        ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key",
         "backup@example.org", "default", "default", "never"],
        check=True, capture_output=True,
    )  # fmt: skip
    file = tmp_path / "backup.tar.gpg"
    backup.create(source.place, file, "backup@example.org", now=NOW, tell=quiet)
    assert backup.verify(file, None, tell=quiet)["members"] > 4
    with pytest.raises(BackupError, match="GnuPG"):
        backup.create(source.place, tmp_path / "no", "nobody@example.org", now=NOW, tell=quiet)
    subprocess.run(["gpgconf", "--kill", "all"], check=True)
    shutil.rmtree(home)


def test_files_that_are_not_as_rows_say_are_named(source: Source, tmp_path: Path) -> None:
    instance = tmp_path / "instance"
    shutil.copytree(source.place.instance / "photos", instance / "photos")
    originals = [one for one in backup._files(instance / "photos") if "." not in one.name]
    with backup.connected(source.urls.app_url) as connection:
        (photo,) = connection.execute("SELECT encode(sha256, 'hex') FROM photo").fetchone()
    (instance / "photos" / photo[:2] / photo).unlink()
    rotten = next(one for one in originals if one.name != photo)
    rotten.write_bytes(b"rotten")
    made = backup.create(
        replace(source.place, instance=instance), tmp_path / "b.tar", "", now=NOW, tell=quiet
    )
    assert f"photos/{photo}" in made.missing and made.damaged == [f"photos/{rotten.name}"]
    with pytest.raises(BackupError, match="there already"):
        backup.create(source.place, tmp_path / "b.tar", "", now=NOW, tell=quiet)


def test_a_database_of_long_ago_is_backed_up(empty: Place, tmp_path: Path) -> None:
    """Before it is migrated, so without many of the tables that there are now."""
    with pytest.raises(BackupError, match="nothing to back up"):
        backup.size_of(empty)
    migrate.upgrade(empty.owner_url, empty.app_url, "0005")
    made = backup.create(empty, tmp_path / "b.tar", "", now=NOW, tell=quiet)
    assert 5 < made.tables < 40
    assert backup.verify(tmp_path / "b.tar", None, tell=quiet)["revision"].startswith("0005")


def test_only_old_backups_with_a_name_of_ours_are_removed(
    app: Flask, session: Session, tmp_path: Path
) -> None:
    days = [f"thap-canh-202611{day:02}-230000.tar{end}" for day, end in enumerate(
        ("", ".age", "", ".gpg", ""), start=20)]  # fmt: skip
    others = ["before-the-storm.tar", "thap-canh-20261101-230000.tar.part", "notes.txt"]
    # The times of files are those of a copy, in no order.
    for name in [*others, *reversed(days)]:
        (tmp_path / name).write_bytes(b"12345")
    (tmp_path / "thap-canh-20261119-230000.tar").mkdir()
    run = app.test_cli_runner().invoke
    few = run(args=["backup", "clean", str(tmp_path), "--keep", "5", "--yes"])
    assert few.exit_code == 0 and "nothing is removed" in few.output
    asked = run(args=["backup", "clean", str(tmp_path), "--keep", "2"], input="n\n")
    assert asked.exit_code == 1 and days[0] in asked.output and days[3] not in asked.output
    assert len(list(tmp_path.iterdir())) == 9
    done = run(args=["backup", "clean", str(tmp_path), "--keep", "2", "--yes"])
    assert done.exit_code == 0 and "Removed: 3 backups" in done.output, done.output
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {*days[3:], *others}
    entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()
    assert entry.action == "backup.clean" and sorted(entry.after["removed"]) == days[:3]
    none = run(args=["backup", "clean", str(tmp_path), "--keep", "0", "--yes"])
    assert none.exit_code == 2 and len(list(tmp_path.iterdir())) == 6


def test_where_it_may_not_fit_nothing_is_begun(source: Source, tmp_path: Path) -> None:
    size = backup.size_of(source.place)
    assert size.database > 1_000_000 and size.files >= 3 and size.bytes > 1000
    path = tmp_path / "b.tar"
    free = backup.check_room(size, path)
    with pytest.raises(BackupError, match=r"GB left, and a backup may need .* GB: make room"):
        backup.check_room(replace(size, bytes=free + 10**9), path)
    with pytest.raises(BackupError, match="no folder"):
        backup.check_room(size, tmp_path / "none" / "b.tar")


def test_a_password_stands_in_no_list_of_processes() -> None:
    made = backup.environment("postgresql+psycopg://me:secret@db.example:5433/x?sslmode=require")
    assert (made["PGPASSWORD"], made["PGHOST"], made["PGPORT"]) == ("secret", "db.example", "5433")
    assert psycopg.conninfo.conninfo_to_dict(host=made["PGHOST"])["host"] == "db.example"


def test_the_commands_tell_and_write_down(app: Flask, session: Session, tmp_path: Path) -> None:
    run = app.test_cli_runner().invoke
    file = tmp_path / "b.tar"
    done = run(args=["backup", "create", "--to", str(file)])
    # Files of other tests may be missing beside their rows: that is said, the backup is there.
    assert done.exit_code in {0, 2} and "holds secrets" in done.output, done.output
    entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()
    assert entry.action == "backup.create" and entry.after["file"] == "b.tar"
    both = run(args=["backup", "create", "--to", str(tmp_path / "c.tar"), "--read-back"])
    assert both.exit_code == done.exit_code and "Whole: " in both.output
    assert run(args=["backup", "verify", str(file)]).output.splitlines()[-1].startswith("Whole: ")
    file.write_bytes(file.read_bytes()[:-1])
    assert "damaged" in run(args=["backup", "verify", str(file)]).output
    again = run(args=["backup", "restore", str(file), "--yes"])
    assert again.exit_code == 1 and "not empty" in again.output
