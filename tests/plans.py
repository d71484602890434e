"""A province with enough rows that the planner wants its indexes, and how to read its plans."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, create_engine, event, text

from core.settings import Settings
from tests import makers

NAME = "crowded"
TOWERS = 20_000
ROWS = (
    # 400 square communes of 0.05 degrees, from 105 E and 10 N on.
    """
    INSERT INTO area (level, code, name, valid_from, synthetic, source, geom)
    SELECT 'commune', (80000 + n)::text, 'Xã ' || n, '2025-07-01', true, 'test',
        ST_Multi(ST_MakeEnvelope(105 + n % 20 * 0.05, 10 + n / 20 * 0.05,
            105.05 + n % 20 * 0.05, 10.05 + n / 20 * 0.05, 4326))
    FROM generate_series(0, 399) n
    """,
    """
    INSERT INTO organisation (id, name, kind)
    SELECT gen_random_uuid(), 'Owner ' || n, 'owner' FROM generate_series(1, 200) n
    """,
    f"""
    INSERT INTO tower (code, name, structure_type, height_m, geom, commune_id, owner_id, lifecycle,
        condition, condition_reason, ok_until, worst_severity, next_deadline, open_violations)
    SELECT 'T-' || lpad(n::text, 5, '0'), 'Trạm ' || md5(n::text), 'guyed_mast', 30,
        ST_SetSRID(ST_MakePoint(x, y), 4326),
        (SELECT min(id) FROM area) + floor((x - 105) / 0.05)::int
            + 20 * floor((y - 10) / 0.05)::int,
        (SELECT array_agg(id) FROM organisation)[1 + n % 200],
        CASE WHEN n % 60 = 7 THEN 'dismantled' ELSE 'active' END,
        CASE WHEN n % 200 = 0 THEN 'dangerous' WHEN n % 3 = 0 THEN 'ok' ELSE 'unchecked' END,
        CASE WHEN n % 200 = 0 OR n % 3 = 0 THEN NULL ELSE 'never' END,
        CASE WHEN n % 200 <> 0 AND n % 3 = 0 THEN date '2030-01-01' END,
        CASE WHEN n % 200 = 0 THEN 'critical' END,
        CASE WHEN n % 200 = 0 THEN date '2026-01-01' + n / 200 END,
        (n % 200 = 0)::int
    FROM (SELECT n, 105 + n * 7919 % {TOWERS} / {TOWERS}.0 AS x,
        10 + n * 1047 % {TOWERS} / {TOWERS}.0 AS y FROM generate_series(1, {TOWERS}) n) places
    """,
    """
    INSERT INTO inspection (id, tower_id, checklist_version_id, kind, status, structure_type,
        inspector_id, inspected_on, submitted_at, body_hash)
    SELECT gen_random_uuid(), t.id, v.id, 'periodic', 'submitted', 'guyed_mast', u.id,
        date '2025-01-01' + (row_number() OVER () % 600)::int,
        timestamptz '2025-01-01 08:00+07' + row_number() OVER () * interval '20 minutes', ''
    FROM tower t, (SELECT min(id) AS id FROM checklist_version) v,
        (SELECT id FROM "user" ORDER BY id LIMIT 1) u
    """,
    """
    INSERT INTO answer (inspection_id, item_key, given, outcome)
    SELECT id, 'G01', '{}', 'ok' FROM inspection
    """,
    """
    INSERT INTO violation (tower_id, item_key, checklist_version_id, severity, deadline, found_on,
        state, stage, ended_on)
    SELECT t.id, 'G01', v.id, CASE WHEN n % 20 = 0 THEN 'critical' ELSE 'minor' END,
        date '2026-01-01' + n % 400, date '2025-06-01' + n % 300,
        CASE WHEN n % 3 = 0 THEN 'open' ELSE 'closed' END,
        CASE WHEN n % 3 = 0 THEN 'found' ELSE 'closed' END,
        CASE WHEN n % 3 = 0 THEN NULL ELSE date '2026-01-01' END
    FROM (SELECT id, row_number() OVER (ORDER BY code)::int AS n FROM tower) t,
        (SELECT min(id) AS id FROM checklist_version) v
    """,
    """
    INSERT INTO violation_event (violation_id, kind, at, inspection_id, severity, deadline)
    SELECT v.id, 'found', '2025-06-01', i.id, v.severity, v.deadline
    FROM violation v JOIN inspection i ON i.tower_id = v.tower_id
    """,
    """
    INSERT INTO load_assessment (tower_id, requested_at, requested_on, deadline, answered_at,
        outcome, assessed_on)
    SELECT id, '2026-01-01', '2026-01-01', date '2026-02-01' + n % 100,
        CASE WHEN n % 20 = 0 THEN NULL ELSE timestamptz '2026-03-01' END,
        CASE WHEN n % 20 > 0 THEN 'safe' END, CASE WHEN n % 20 > 0 THEN date '2026-03-01' END
    FROM (SELECT id, row_number() OVER (ORDER BY code)::int AS n FROM tower) t
    """,
    """
    INSERT INTO audit_entry (at, actor, action, kind, object_id)
    SELECT now(), 'system', 'tower.create', 'tower', id FROM tower
    """,
    """
    INSERT INTO photo (id, inspection_id, sha256, media_type, byte_size, width, height, received_at)
    SELECT gen_random_uuid(), id, sha256(id::text::bytea), 'image/jpeg', 9, 3, 3, now()
    FROM inspection
    """,
    """
    INSERT INTO tower_proposal (id, body_hash, kind, values, base, position, commune_id, state,
        by_id, created_at, decided_at, reason)
    SELECT gen_random_uuid(), '', 'new', '{}', '{}', t.geom, t.commune_id,
        CASE WHEN n % 100 = 0 THEN 'open' ELSE 'refused' END, u.id,
        timestamptz '2025-01-01' + n * interval '20 minutes',
        CASE WHEN n % 100 = 0 THEN NULL ELSE now() END, 'x'
    FROM (SELECT *, row_number() OVER (ORDER BY code)::int AS n FROM tower) t,
        (SELECT id FROM "user" ORDER BY id LIMIT 1) u
    """,
    """
    INSERT INTO document (id, tower_id, kind, title, filename, media_type, byte_size, sha256,
        received_at)
    SELECT gen_random_uuid(), id, 'permit', 'x', 'x.pdf', 'application/pdf', 9,
        sha256(id::text::bytea), now()
    FROM tower
    """,
    # A campaign of 500 towers, of which one inspector has 40, and one of half the province.
    """
    INSERT INTO campaign (id, body_hash, name, kind, begins_on, ends_on, state, created_at)
    SELECT ('00000000-0000-0000-0000-00000000000' || n)::uuid, '', 'x', 'reinspection',
        '2026-11-01', '2026-11-30', 'running', now()
    FROM generate_series(1, 2) n
    """,
    """
    INSERT INTO assignment (campaign_id, tower_id, inspector_id, due_on, added_at, assigned_at)
    SELECT c.id, t.id, CASE WHEN n % 500 = 0 THEN u.id END, '2026-11-30', now(),
        CASE WHEN n % 500 = 0 THEN now() END
    FROM (SELECT id, row_number() OVER (ORDER BY code)::int AS n FROM tower) t,
        (SELECT id, row_number() OVER (ORDER BY id) AS nth FROM campaign) c,
        (SELECT id FROM "user" ORDER BY id LIMIT 1) u
    WHERE n % CASE WHEN nth = 1 THEN 40 ELSE 2 END = 0
    """,
    "ANALYZE",
)


@dataclass(frozen=True)
class Asked:
    """One statement as the application sent it, and the plan that its role gets for it."""

    sql: str
    plan: str

    @property
    def indexes(self) -> set[str]:
        return set(re.findall(r"(?:using|Bitmap Index Scan on) (\w+)", self.plan))

    def reads_whole(self, table: str) -> bool:
        return re.search(rf"Seq Scan on {table}\b", self.plan) is not None


@dataclass(frozen=True)
class Crowd:
    """The application on a province of 20,000 towers that tests only read."""

    app: Flask
    client: FlaskClient

    @property
    def engine(self) -> Engine:
        return self.app.extensions["database"].engine

    def get(self, path: str, **query: Any) -> list[Asked]:
        """What a page asks the database, with the plans."""
        address = f"{path}?{urlencode(query, doseq=True)}"
        with self.listening() as sent:
            answer = self.client.get(address)
        assert answer.status_code == 200, (address, answer.status_code, answer.text[:300])
        return self.explained(sent)

    def cursor_behind(self, pages: int, path: str, **query: Any) -> str:
        """The cursor behind some of the largest pages of a list."""
        for _ in range(pages):
            answer = self.client.get(path, query_string={"limit": 500, **query})
            query["cursor"] = answer.json["next_cursor"]
        return query["cursor"]

    def asked(self, action: Callable[[], Any]) -> list[Asked]:
        """What a function asks the database, with the plans."""
        with self.listening() as sent, self.app.app_context():
            action()
        return self.explained(sent)

    @contextmanager
    def listening(self) -> Iterator[list[tuple[str, Any]]]:
        """The statements of a block with their parameters, as the driver gets them."""
        sent: list[tuple[str, Any]] = []

        def note(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
            sent.append((statement, parameters))

        event.listen(self.engine, "before_cursor_execute", note)
        try:
            yield sent
        finally:
            event.remove(self.engine, "before_cursor_execute", note)

    def explained(self, sent: list[tuple[str, Any]]) -> list[Asked]:
        with self.engine.connect() as connection:
            return [
                Asked(
                    statement,
                    "\n".join(
                        row[0]
                        for row in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
                    ),
                )
                for statement, parameters in sent
                # Nothing is planned for SAVEPOINT and SET.
                if statement.lstrip().startswith(("SELECT", "WITH", "INSERT", "UPDATE", "DELETE"))
            ]


def the_one(asked: list[Asked], *words: str) -> Asked:
    """The only statement that has all these words."""
    found = [one for one in asked if all(word in one.sql for word in words)]
    assert len(found) == 1, [one.sql[:200] for one in asked]
    return found[0]


@pytest.fixture(scope="session")
def crowd(cluster: Any, migrated: str, settings: Settings) -> Iterator[Crowd]:
    """The crowded province in a database of its own, asked as the application role."""
    from app import create_app

    urls = cluster.create_database(NAME, migrated)
    app = create_app(
        replace(settings, database_url=urls.app_url, migration_database_url=urls.owner_url)
    )
    loaded = app.test_cli_runner().invoke(args=["checklists", "load"])
    assert loaded.exit_code == 0, loaded.output
    with app.app_context():
        session = app.extensions["database"].new_session()
        person = makers.user(session, "staff", email="crowd@example.org")
        token = makers.token(session, person)
        session.commit()
        session.close()
    owner = create_engine(urls.owner_url)
    with owner.begin() as connection:
        for statement in ROWS:
            connection.execute(text(statement))
    owner.dispose()
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    yield Crowd(app, client)
    app.extensions["database"].engine.dispose()
    cluster.drop_database(NAME)
