"""How long it takes to verify the audit, and to back up and restore the demo province."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from sqlalchemy import create_engine, text

from tests.bench.figures import Figure
from tests.bench.stage import Stage

ENTRIES = 100_000
TOWERS = 1000


def measure(stage: Stage) -> Iterator[Figure]:
    """Entries as edits of towers leave them, sealed and verified by the commands."""
    urls = stage.empty("audit")
    engine = create_engine(urls.app_url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO audit_entry (at, actor_id, actor, action, kind, object_id, before,"
                " after) SELECT now(), gen_random_uuid()::text, 'staff@example.org', 'tower.edit',"
                " 'tower', gen_random_uuid()::text, jsonb_build_object('height_m', n, 'name',"
                " 'Trạm số ' || n), jsonb_build_object('height_m', n + 1, 'name', 'Trạm ' || n,"
                " 'note', repeat('ghi chú ', 10)) FROM generate_series(1, :number) n"
            ),
            {"number": ENTRIES},
        )
    engine.dispose()
    yield Figure("F audit seal, 100,000 entries", stage.flask(urls, "audit", "head"), "s")
    yield Figure(
        "F audit verify, 100,000 entries", stage.flask(urls, "audit", "verify"), "s", most=60
    )


def measure_backup(stage: Stage) -> Iterator[Figure]:
    """The demo province with its files, by the commands."""
    urls = stage.province(TOWERS)
    file = stage.folder / "backup.tar"
    yield Figure(
        "F backup create, demo province",
        stage.flask(urls, "backup", "create", "--to", str(file)),
        "s",
    )
    yield Figure("F backup size", file.stat().st_size / 1e6, "MB")
    yield Figure(
        "F backup verify, demo province", stage.flask(urls, "backup", "verify", str(file)), "s"
    )
    name = stage._name("restored")
    empty = stage.cluster.create_database(name)
    for folder in ("photos", "documents", "notices", "maps"):
        shutil.rmtree(stage.folder / folder, ignore_errors=True)
    yield Figure(
        "F backup restore, demo province",
        stage.flask(empty, "backup", "restore", str(file), "--yes"),
        "s",
    )
