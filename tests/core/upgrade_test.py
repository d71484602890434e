"""`make upgrade` without make: a backup that leads back to before, then a service that answers."""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest
from flask import Flask

from core import backup, migrate
from core.backup_file import FOLDER
from core.cluster import ClusterUrls, PrivateCluster
from core.settings import ROOT
from tests.conftest import Settled
from tests.core.run_test import Service

pytestmark = pytest.mark.slow

KEPT = ("photos", "documents", "notices", "maps")


def service_of(urls: ClusterUrls, instance: Path) -> Service:
    return Service(
        instance,
        DATABASE_URL=urls.app_url,
        MIGRATION_DATABASE_URL=urls.owner_url,
        WEB_CONCURRENCY="1",
    )


@pytest.fixture(scope="module")
def old(
    cluster: PrivateCluster,
    settled: Settled,
    whole_app: Flask,
    instance: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """A service with people's files, whose database is that of the version before.

    The tests follow its upgrade in their order: cut off, failed, done, done once more.
    """
    settled.engine.dispose()
    urls = cluster.create_database("old", "settled")
    migrate.downgrade(urls.owner_url, urls.app_url, "-1")
    made = service_of(urls, tmp_path_factory.mktemp("upgrade") / "instance")
    for folder in KEPT:
        if (instance / folder).exists():
            shutil.copytree(instance / folder, made.instance / folder)
    yield made
    made.once("--stop")
    cluster.drop_database("old")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", *arguments]


def done(service: Service, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        cwd=ROOT,
        env=service.whole_environment(**environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def upgraded(service: Service, *arguments: str, **environment: str):
    return done(service, "core.upgrade", *arguments, **environment)


def rows_of(service: Service) -> dict[str, list]:
    with backup.connected(service.environment["MIGRATION_DATABASE_URL"]) as connection:
        return backup.digests(connection)


def files_of(instance: Path) -> dict[Path, str]:
    return {
        path.relative_to(instance): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in KEPT
        for path in backup._files(instance / folder)
    }


def test_a_kill_while_backing_up_changes_nothing_and_leaves_no_backup(old: Service) -> None:
    before = rows_of(old)
    running = subprocess.Popen(
        command("core.upgrade"), cwd=ROOT, env=old.whole_environment(), process_group=0,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    folder = old.instance / FOLDER
    deadline = time.monotonic() + 60
    while not list(folder.glob(".*.part")):
        assert running.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait(30)
    assert len(list(folder.iterdir())) == 1 and list(folder.glob("[!.]*")) == []
    assert rows_of(old) == before and not migrate.is_current(old.environment["DATABASE_URL"])


def test_the_way_back_of_an_upgrade_that_failed_leads_back(
    old: Service, cluster: PrivateCluster, tmp_path: Path
) -> None:
    """Migrated, then the service does not start: rows and files of before come back."""
    before, files = rows_of(old), files_of(old.instance)
    assert len([name for name in files if name.parts[0] == "photos"]) > 2
    migrating = " ".join(command("flask", "--app", "wsgi", "db", "upgrade"))
    failed = upgraded(old, "--restart", f"{migrating} && exit 3")
    assert failed.returncode == 1 and "Traceback" not in failed.stderr
    assert migrate.is_current(old.environment["DATABASE_URL"])
    # What the killed one had left is gone as well.
    (kept,) = (old.instance / FOLDER).iterdir()
    assert kept.stat().st_mode & 0o077 == 0 and kept.parent.stat().st_mode & 0o077 == 0
    (said,) = re.findall(r"`\.venv/bin/(flask --app wsgi backup restore \S+)`", failed.stderr)
    assert said.split()[-1] == str(kept)
    there = service_of(cluster.create_database("way_back"), tmp_path / "instance")
    restored = done(there, *said.split(), "--yes")
    assert restored.returncode == 0, restored.stderr
    assert rows_of(there) == before and files_of(there.instance) == files
    cluster.drop_database("way_back")
    # For what comes next.
    urls = old.environment["MIGRATION_DATABASE_URL"], old.environment["DATABASE_URL"]
    migrate.downgrade(*urls, "-1")


def test_what_does_not_run_is_migrated_and_left_so(old: Service) -> None:
    done = upgraded(old, BACKUP="none")
    assert done.returncode == 0, done.stderr
    assert "No backup is made (BACKUP=none)" in done.stdout
    assert "The database was migrated" in done.stdout and "Nothing was running" in done.stdout
    assert len(list((old.instance / FOLDER).iterdir())) == 1
    assert migrate.is_current(old.environment["DATABASE_URL"])


def test_what_runs_is_stopped_and_started_anew(old: Service) -> None:
    old.start("--production")
    assert old.process is not None
    done = upgraded(old, BACKUP="none")
    assert done.returncode == 0, done.stderr + old.said()
    assert "at this version already" in done.stdout and "ready again" in done.stdout
    assert old.process.wait(30) == 0
    assert old.answers()


def test_without_a_backup_nothing_is_changed(tmp_path: Path) -> None:
    broken = Service(tmp_path / "instance", DATABASE_URL="postgresql://u:geheim@127.0.0.1:1/x")
    broken.instance.mkdir()
    failed = upgraded(broken)
    said = failed.stderr + failed.stdout
    assert failed.returncode == 1 and "nothing was changed" in said
    assert "does not answer" in said and "geheim" not in said and "Traceback" not in said
    assert list((broken.instance / FOLDER).iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root acts for others")
def test_root_backs_up_as_the_user_to_whom_the_instance_belongs(old: Service) -> None:
    """Encrypted, elsewhere, and read back: the folder, the file and what is said."""
    user = pwd.getpwnam("postgres")
    try:
        subprocess.run(
            [sys.executable, "-c", "import core"], cwd=ROOT, user=user.pw_uid, check=True
        )
    except (PermissionError, subprocess.CalledProcessError):
        pytest.skip("the checkout, or Python, lies where only root may enter")
    if not old.answers():
        old.start("--production")
    key = pyrage.x25519.Identity.generate()
    with tempfile.TemporaryDirectory(prefix="thap-canh-owner-") as folder:
        theirs = Service(Path(folder) / "instance", **{**old.environment, "PORT": str(old.port)})
        elsewhere, identity = Path(folder) / "elsewhere", Path(folder) / "key.txt"
        identity.write_text(f"{key}\n")
        for path in (theirs.instance, elsewhere):
            path.mkdir()
        for path in (Path(folder), theirs.instance, elsewhere, identity):
            os.chown(path, user.pw_uid, user.pw_gid)
        made = upgraded(
            theirs, "--restart", "true", BACKUP=str(elsewhere),
            BACKUP_RECIPIENT=str(key.to_public()), BACKUP_IDENTITY=str(identity),
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        (kept,) = elsewhere.iterdir()
        assert kept.suffixes == [".tar", ".age"] and kept.stat().st_uid == user.pw_uid
        assert "Whole: " in made.stdout and "ready again" in made.stdout
