"""P8 and P9 after all that was done to a service: its audit, and its backup while it goes on."""

from __future__ import annotations

import hashlib
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from core import backup
from core.settings import ROOT
from tests.core.run_test import Service
from tests.soak.faults import database
from tests.soak.figures import Found
from tests.soak.running import Running

AUDIT = re.compile(r"(\d+) entries in (\d+) seals, (\d+) wait for theirs")
RESTORED = re.compile(r"Restored: (\d+) rows, (\d+) files")


def flask(service: Service, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of the service, as somebody beside it gives it."""
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", *arguments],
        cwd=ROOT,
        env=service.whole_environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def audited(running: Running, scale: float, chance: random.Random) -> Iterator[Found]:
    """`flask audit verify` reads every entry anew."""
    done = flask(running.service, "audit", "verify")
    read = AUDIT.search(done.stdout)
    entries, seals, waiting = map(int, read.groups()) if read else (0, 0, 0)
    yield Found(
        "P8",
        f"flask audit verify: {done.stdout.strip()}",
        done.returncode == 0 and entries > 0,
        done.stderr[-500:],
        {"entries of the audit verified": entries, "seals verified": seals,
         "entries waiting for their seal": waiting},
        {"audits with an entry changed": int(done.returncode != 0)},
    )  # fmt: skip


def backed_up(running: Running, scale: float, chance: random.Random) -> Iterator[Found]:
    """`flask backup create`, `verify` and `restore`, into an empty database and folder."""
    with (
        tempfile.TemporaryDirectory(prefix="thap-canh-soak-backup-") as folder,
        database(running.service.cluster, "restored") as urls,
    ):
        file = Path(folder) / "backup.tar"
        there = Service(
            Path(folder) / "instance",
            DATABASE_URL=urls.app_url,
            MIGRATION_DATABASE_URL=urls.owner_url,
        )
        steps = [
            flask(running.service, "backup", "create", "--to", str(file)),
            flask(running.service, "backup", "verify", str(file)),
            # It compares number and digest of the rows of each table itself.
            flask(there, "backup", "restore", str(file), "--yes"),
        ]
        read = RESTORED.search(steps[-1].stdout)
        rows, files = map(int, read.groups()) if read else (0, 0)
        photos = [one for one in backup._files(there.instance / "photos") if "." not in one.name]
        damaged = sum(hashlib.sha256(one.read_bytes()).hexdigest() != one.name for one in photos)
        failed = [one for one in steps if one.returncode]
    yield Found(
        "P9",
        f"backed up while it serves, verified, restored: {rows:,} rows and {files:,} files,"
        f" {len(photos):,} photos whose hash was computed anew, {damaged} of them damaged",
        not failed and rows > 0 and not damaged,
        "\n".join(one.stderr[-500:] for one in failed),
        {"rows restored with equal digests": rows, "files restored": files,
         "photos hashed anew": len(photos)},
        {"steps failed": len(failed), "photos damaged": damaged},
    )  # fmt: skip
