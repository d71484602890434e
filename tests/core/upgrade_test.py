"""`make upgrade` without make: a backup that can be restored, then a service that answers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from core import migrate
from core.cluster import programs
from core.settings import ROOT
from tests.core.run_test import Service

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def old(cluster, migrated: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose database is that of the version before."""
    urls = cluster.create_database("old", migrated)
    migrate.downgrade(urls.owner_url, urls.app_url, "-1")
    made = Service(
        tmp_path_factory.mktemp("upgrade") / "instance",
        DATABASE_URL=urls.app_url,
        MIGRATION_DATABASE_URL=urls.owner_url,
        WEB_CONCURRENCY="1",
    )
    yield made
    made.once("--stop")
    cluster.drop_database("old")


def upgraded(service: Service, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "core.upgrade", *arguments],
        cwd=ROOT,
        env=service.whole_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def test_what_does_not_run_is_backed_up_and_migrated(old: Service, cluster) -> None:
    engine = create_engine(old.environment["DATABASE_URL"])
    with engine.connect() as connection:
        before = connection.scalar(text("SELECT version_num FROM alembic_version"))
    engine.dispose()
    old.instance.mkdir()
    done = upgraded(old)
    assert done.returncode == 0, done.stderr
    assert "The database was migrated" in done.stdout and "Nothing was running" in done.stdout
    (kept,) = (old.instance / "backups").glob("*.dump")
    assert kept.stat().st_mode & 0o077 == 0
    assert migrate.is_current(old.environment["DATABASE_URL"])
    # The backup is that of before, whole.
    there = cluster.create_database("restored")
    owner = make_url(there.owner_url)
    restored = subprocess.run(
        [
            programs() / "pg_restore", "--no-owner", "--no-privileges", "--no-comments",
            "--clean", "--if-exists", "--exit-on-error", "--schema=public",
            f"--dbname={owner.database}", f"--username={owner.username}",
            f"--host={owner.query['host']}", str(kept),
        ],
        env={**os.environ, "PGPASSWORD": owner.password or ""},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    engine = create_engine(there.owner_url)
    with engine.connect() as connection:
        revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
        settings = connection.scalar(text("SELECT count(*) FROM setting"))
    engine.dispose()
    cluster.drop_database("restored")
    assert restored.returncode == 0, restored.stderr
    assert revision == before and settings


def test_what_runs_is_stopped_and_started_anew(old: Service) -> None:
    old.start("--production")
    assert old.process is not None
    done = upgraded(old)
    assert done.returncode == 0, done.stderr + old.said()
    assert "at this version already" in done.stdout and "ready again" in done.stdout
    assert old.process.wait(30) == 0
    assert old.answers()


def test_a_restart_that_fails_says_how_to_go_back(old: Service) -> None:
    done = upgraded(old, "--restart", "exit 3")
    assert done.returncode == 1
    assert "pg_restore" in done.stderr and "Traceback" not in done.stderr


def test_without_a_backup_nothing_is_changed(old: Service, tmp_path: Path) -> None:
    broken = Service(tmp_path / "instance", DATABASE_URL="postgresql://u:geheim@127.0.0.1:1/x")
    broken.instance.mkdir()
    done = upgraded(broken)
    assert done.returncode == 1
    assert "nothing was changed" in done.stderr and "geheim" not in done.stderr + done.stdout
    assert list((broken.instance / "backups").iterdir()) == []
