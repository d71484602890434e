"""What phones bring and take along, as ratios to plain SQL and to the time that people wait."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from time import perf_counter
from typing import Any

import psycopg
from flask.testing import FlaskClient
from psycopg.types.json import Jsonb
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.policy import SYSTEM
from inspections.rules.evaluation import Structure, applicable_items
from inspections.services import checklists
from tests import makers
from tests.bench.figures import Figure
from tests.bench.lists import Reader
from tests.bench.stage import Stage, bare
from tests.inspections.visits import CATALOGUE, passing_item
from towers.models import Tower

INSPECTIONS = 1_000
ANSWERS = 40
BATCH = 50
TOWERS = 20_000
# One answer in twenty is a defect, as at real towers.
HEIGHT_M, SERVICES = 60, ("bts", "tv", "radio")
FAILS = {"clb_ladder": "no", "sit_fence": "no"}

# The rows of one inspection, as they stand in its tables; the order is that of their keys.
TABLES = (
    ("inspection", "id"),
    ("answer", "inspection_id"),
    ("submission", "inspection_id"),
    ("violation", "id"),
    ("violation_event", "inspection_id"),
    ("receipt", "inspection_id"),
)


def measure(stage: Stage) -> Iterator[Figure]:
    """1,000 inspections with 40 answers each by `POST /api/v1/sync`, and as rows alone."""
    urls = stage.empty("field")
    app = stage.app(urls)
    with app.app_context():
        from core.db import database

        with database().new_session() as session:
            codes = _prepared(session)
            token = makers.token(session, makers.user(session, "inspector"))
            session.commit()
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    warm, *rest = [_inspection(code) for code in codes]
    _send(client, [warm])
    sync = plain = 0.0
    # One batch after the other is sent, and its rows are written once more: a machine that is busy
    # meanwhile is so for both.
    with bare(urls.owner_url) as owner, bare(urls.app_url) as alone:
        for start in range(0, len(rest), BATCH):
            batch = rest[start : start + BATCH]
            started = perf_counter()
            _send(client, batch)
            sync += perf_counter() - started
            rows = _rows(owner, [one["body"]["id"] for one in batch])
            owner.execute(
                "TRUNCATE receipt, violation_event, violation, answer, submission, inspection"
                " CASCADE"
            )
            owner.commit()
            plain += _written(alone, rows)
    number = len(rest)
    yield Figure(
        f"E sync of {INSPECTIONS:,} inspections of {ANSWERS} answers",
        plain / sync,
        f"of plain SQL in as many transactions ({number / sync:.0f}/s, SQL {number / plain:.0f}/s)",
        least=0.3,
    )
    yield from _packs(stage)


def _packs(stage: Stage) -> Iterator[Figure]:
    """What a phone takes along of a territory with 20,000 towers."""
    urls = stage.province(TOWERS)
    app = stage.app(urls)
    reader = Reader(app, stage.client(app, urls, "inspector@example.org"), bare(urls.app_url))
    try:
        for name, path, query in (
            ("work of a phone", "/api/v1/field/work", {}),
            ("2,000 towers of 20,000 for a phone", "/api/v1/field/towers", {"limit": 2000}),
            ("areas for a phone", "/api/v1/field/areas", {}),
        ):
            whole, sql, statements = reader.seconds(path, **query)
            told = f"ms, SQL {sql * 1000:.0f} ms, {statements} statements"
            yield Figure(f"E {name}", whole * 1000, told)
    finally:
        reader.connection.close()


def _prepared(session: Session) -> list[str]:
    """A published checklist and a tower for each inspection."""
    now = datetime.now(UTC)
    checklists.publish(session, checklists.shipped_document(), by=SYSTEM, now=now)
    commune = makers.commune(session)
    for number in range(INSPECTIONS + 1):
        makers.tower(
            session,
            latitude=10.1 + number % 100 / 120,
            longitude=105.1 + number // 100 / 20,
            commune=commune,
            height_m=HEIGHT_M,
            services=SERVICES,
        )
    session.commit()
    return list(session.scalars(select(Tower.code).order_by(Tower.code)))


def _answers() -> dict[str, dict[str, Any]]:
    height = Decimal(HEIGHT_M)
    structure = Structure("lattice_self_support", frozenset(SERVICES), height, height)
    items = [one for one in applicable_items(CATALOGUE, structure) if one.asked_when is None]
    chosen = [one for one in items if one.key in FAILS]
    chosen += [one for one in items if one.key not in FAILS]
    assert len(chosen) >= ANSWERS, len(chosen)
    return {
        one.key: {"outcome": "ok", "value": FAILS[one.key]}
        if one.key in FAILS
        else passing_item(one)
        for one in chosen[:ANSWERS]
    }


def _inspection(code: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "id": str(uuid.uuid4()),
        "kind": "inspection",
        "made_at": now.isoformat(),
        "body": {
            "id": str(uuid.uuid4()),
            "tower": code,
            "kind": "periodic",
            "inspected_on": now.date().isoformat(),
            "methods": ["ground", "climb", "documents", "instrument"],
            "position": {"latitude": 10.2, "longitude": 105.2, "accuracy_m": 8},
            "started_at": now.isoformat(),
            "ended_at": now.isoformat(),
            "answers": _answers(),
            "photos": [],
            "submit": True,
        },
    }


def _send(client: FlaskClient, operations: list[dict[str, Any]]) -> None:
    body = {"device_time": datetime.now(UTC).isoformat(), "operations": operations}
    answer = client.post("/api/v1/sync", json=body)
    assert answer.status_code == 200, answer.data[:500]
    for result in answer.get_json()["results"]:
        assert result["verdict"] == "accepted", result


Rows = list[list[tuple[str, list[tuple[Any, ...]]]]]


def _rows(connection: psycopg.Connection, ids: list[str]) -> Rows:
    """By inspection the statements that write its rows, with the values of each row."""
    found: dict[str, list[tuple[str, list[tuple[Any, ...]]]]] = {one: [] for one in ids}
    of_violation = dict(
        connection.execute(
            "SELECT DISTINCT violation_id::text, inspection_id::text FROM violation_event"
        ).fetchall()
    )
    for table, key in TABLES:
        columns = [
            name
            for (name,) in connection.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
                " AND NOT attisdropped AND attgenerated = '' AND attidentity = ''"
                " ORDER BY attnum",
                [f"public.{table}"],
            )
        ]
        names = ", ".join(columns)
        places = ", ".join(["%s"] * len(columns))
        insert = f"INSERT INTO {table} ({names}) VALUES ({places})"
        rows: dict[str, list[tuple[Any, ...]]] = {}
        for row in connection.execute(f"SELECT {key}::text, {names} FROM {table}"):  # type: ignore[arg-type]
            whose = of_violation.get(row[0]) if table == "violation" else row[0]
            values = tuple(Jsonb(one) if isinstance(one, dict) else one for one in row[1:])
            rows.setdefault(str(whose), []).append(_typed(table, columns, values))
        for number in ids:
            if number in rows:
                found[number].append((insert, rows[number]))
    audit = (
        "INSERT INTO audit_entry (at, actor_id, actor, action, kind, object_id, after)"
        " VALUES (now(), %s, %s, %s, %s, %s, %s)"
    )
    condition = (
        "UPDATE tower SET condition = condition, open_violations = open_violations"
        " WHERE id = (SELECT tower_id FROM inspection WHERE id = %s)"
    )
    for number, statements in found.items():
        after = Jsonb({"tower": number, "kind": "periodic", "status": "submitted"})
        said = (number, "bench@example.org", "inspection.create", "inspection", number, after)
        statements.append((audit, [said]))
        statements.append((condition, [(number,)]))
    return list(found.values())


def _typed(table: str, columns: list[str], values: tuple[Any, ...]) -> tuple[Any, ...]:
    """JSON columns hold lists too, and plain values."""
    plain = {"answer": {"value"}, "receipt": {"photos"}, "inspection": {"instruments"}}
    wanted = plain.get(table, set())
    return tuple(
        Jsonb(value) if name in wanted and value is not None else value
        for name, value in zip(columns, values, strict=True)
    )


def _written(connection: psycopg.Connection, rows: Rows) -> float:
    """The seconds that the same rows take, in a transaction for each inspection."""
    started = perf_counter()
    with connection.cursor() as cursor:
        for statements in rows:
            for statement, values in statements:
                if len(values) == 1:
                    cursor.execute(statement, values[0])
                else:
                    head, _, places = statement.rpartition(" VALUES ")
                    many = ", ".join([places] * len(values))
                    cursor.execute(f"{head} VALUES {many}", [one for row in values for one in row])
            connection.commit()
    return perf_counter() - started
