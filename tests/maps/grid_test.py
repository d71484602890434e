"""The grid stays the sum of the register whatever many do at once, and nobody waits for it."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from random import Random

import psycopg
import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from core import clock
from core.cluster import ClusterUrls, PrivateCluster
from core.db import database
from core.policy import SYSTEM
from core.settings import Settings
from maps import grid_jobs, services
from maps.queries import grid, tiles
from maps.queries.grid import AnyTile
from maps.rules import Tile
from tests.maps.tiles import BOX, states
from towers.queries import Filters

pytestmark = pytest.mark.slow

WRITERS, ROUNDS = 4, 40
EVERYTHING = Filters(include_dismantled=True)
LIVE = "lifecycle <> 'dismantled'"


@pytest.fixture(scope="module")
def urls(cluster: PrivateCluster, migrated: str) -> Iterator[ClusterUrls]:
    name = f"grid_{uuid.uuid4().hex[:12]}"
    made = cluster.create_database(name, migrated)
    yield made
    cluster.drop_database(name)


@pytest.fixture(scope="module")
def service(urls: ClusterUrls, settings: Settings) -> Iterator[Flask]:
    from app import create_app

    app = create_app(
        replace(settings, database_url=urls.app_url, migration_database_url=urls.owner_url)
    )
    yield app
    app.extensions["database"].engine.dispose()


def connected(urls: ClusterUrls) -> psycopg.Connection:
    url = make_url(urls.app_url).set(drivername="postgresql")
    return psycopg.connect(
        url.render_as_string(hide_password=False), options="-c lock_timeout=2000"
    )


INSERT = """
    INSERT INTO tower (code, name, structure_type, geom, lifecycle, condition, condition_reason,
        ok_until, worst_severity, next_deadline, open_violations)
    SELECT %(code)s || n, 'x', 'monopole', ST_SetSRID(ST_MakePoint(
            %(west)s + random() * 2, %(south)s + random()), 4326),
        (ARRAY['active', 'dismantled'])[1 + n %% 2], %(condition)s, %(condition_reason)s,
        %(ok_until)s, %(worst_severity)s, %(next_deadline)s, 0
    FROM generate_series(1, %(number)s) AS n
    ON CONFLICT (code) DO UPDATE SET name = 'y', geom = excluded.geom
"""
UPDATE = """
    UPDATE tower SET condition = %(condition)s, condition_reason = %(condition_reason)s,
        ok_until = %(ok_until)s, worst_severity = %(worst_severity)s,
        next_deadline = %(next_deadline)s
    WHERE code LIKE %(code)s || '%%' AND random() < 0.5
"""
EMPTY = dict.fromkeys(
    ("condition_reason", "ok_until", "worst_severity", "next_deadline", "open_violations")
)


def write(urls: ClusterUrls, number: int, today: date, failures: list[BaseException]) -> None:
    """Random statements in random transactions; every writer has towers of its own."""
    random = Random(number)
    try:
        with connected(urls) as connection:
            for turn in range(ROUNDS):
                facts = {
                    **EMPTY,
                    **states(random, today),
                    "code": f"W{number}-{random.randint(1, 5)}-",
                    "number": random.randint(0, 9),
                    "west": BOX[0],
                    "south": BOX[1],
                }
                move = "UPDATE tower SET geom = ST_Translate(geom, 0.01, 0) WHERE code LIKE"
                for statement in random.sample(
                    [
                        INSERT,
                        UPDATE,
                        f"{move} %(code)s || '%%3'",
                        "UPDATE tower SET note = note || 'x' WHERE code LIKE %(code)s || '%%'",
                        "DELETE FROM tower WHERE code LIKE %(code)s || '%%' AND random() < 0.4",
                    ],
                    random.randint(1, 3),
                ):
                    connection.execute(statement, facts)
                if turn % 6 == 5:
                    connection.rollback()
                else:
                    connection.commit()
    except BaseException as error:
        failures.append(error)


def recount(session: Session, level: int, today: date, where: str) -> Counter[tuple]:
    """The cells of a level straight from the register."""
    rows = session.execute(
        text(
            """
            SELECT floor((ST_X(geom_3857) + 20037508.342789244) / w)::int,
                floor((20037508.342789244 - ST_Y(geom_3857)) / w)::int,
                CASE WHEN condition = 'ok' AND ok_until < :today THEN 'unchecked'
                    ELSE condition END,
                worst_severity, coalesce(next_deadline < :today, false),
                round(ST_X(geom_3857) * 10)::bigint, round(ST_Y(geom_3857) * 10)::bigint
            FROM tower, (SELECT 40075016.685578488 / 2 ^ :level AS w) AS one
            WHERE """
            + where
        ),
        {"level": level, "today": today},
    )
    cells: Counter[tuple] = Counter()
    for *key, east, north in rows:
        cells[(*key, "number")] += 1
        cells[(*key, "east")] += east
        cells[(*key, "north")] += north
    return +cells


def gridded(session: Session, z: int, today: date, filters: Filters) -> Counter[tuple]:
    """The cells of a zoom's tiles over the towers, as the grid has them."""
    cells: Counter[tuple] = Counter()
    every = Tile(0, 0, 0) if z == 0 else None
    w = 360 / 2**z
    columns = range(int((BOX[0] + 180) / w), int((BOX[2] + 2 + 180) / w) + 1)
    rows = range(int(2**z * 0.46), int(2**z * 0.48) + 1)
    for tile in [every] if every else [Tile(z, x, y) for x in columns for y in rows]:
        for part in session.execute(
            grid.parts(SYSTEM, filters, AnyTile(z), today=today), AnyTile.of(tile)
        ):
            key = (part.x, part.y, part.condition, part.worst_severity, part.overdue)
            cells[(*key, "number")] += part.number
            cells[(*key, "east")] += part.sum_x
            cells[(*key, "north")] += part.sum_y
    # A `+` would hide what is below nothing.
    return Counter({key: number for key, number in cells.items() if number})


def test_the_grid_is_a_recount_after_concurrent_writes(urls: ClusterUrls, service: Flask) -> None:
    failures: list[BaseException] = []
    done = threading.Event()
    with service.app_context():
        today = clock.today()

    def fold() -> None:
        random = Random(0)
        try:
            with service.app_context():
                while not done.wait(0.02):
                    with database().sessions.begin() as session:
                        # The days of the folds jump about as no calendar does.
                        services.fold(session, today=today + timedelta(days=random.randint(-9, 9)))
        except BaseException as error:
            failures.append(error)

    versions: list[int] = []

    def read() -> None:
        try:
            with service.app_context():
                while not done.wait(0.01):
                    with database().sessions.begin() as session:
                        versions.append(tiles.version(session))
                        seen = session.execute(
                            select(
                                select(text("count(*)"))
                                .select_from(text("tower"))
                                .scalar_subquery(),
                                select(text("sum(number)"))
                                .select_from(
                                    grid.parts(
                                        SYSTEM, EVERYTHING, AnyTile(0), today=today
                                    ).subquery()
                                )
                                .scalar_subquery(),
                            ),
                            AnyTile.of(Tile(0, 0, 0)),
                        ).one()
                        assert seen[0] == (seen[1] or 0), seen
        except BaseException as error:
            failures.append(error)

    writers = [
        threading.Thread(target=write, args=(urls, number, today, failures))
        for number in range(WRITERS)
    ]
    others = [threading.Thread(target=one) for one in (fold, fold, read)]
    for one in (*others, *writers):
        one.start()
    for one in writers:
        one.join(timeout=120)
    done.set()
    for one in others:
        one.join(timeout=30)
    assert failures == []
    assert versions == sorted(versions)
    with service.app_context(), database().sessions.begin() as session:
        assert session.execute(text("SELECT count(*) FROM tower")).scalar_one() > 50
        assert session.execute(text("SELECT folded FROM tower_fold")).scalar_one() > 0
        for folds in range(2):
            for z in (0, 6, 10):
                for days in (-3, 0, 4) if z == 6 else (0,):
                    day = today + timedelta(days=days)
                    for filters, where in ((EVERYTHING, "true"), (Filters(), LIVE)):
                        found = gridded(session, z, day, filters)
                        assert found == recount(session, z + 2, day, where), (z, day, folds, where)
            services.fold(session, today=today)
        left = session.execute(text("SELECT count(*) FROM tower_change")).scalar_one()
        assert left == 0


def test_writers_of_one_cell_wait_for_nobody(urls: ClusterUrls, service: Flask) -> None:
    """Two transactions write one cell while a third folds; `lock_timeout` ends who waits."""
    facts = {
        **EMPTY, "condition": "unchecked", "condition_reason": "never", "number": 1,
        "west": BOX[0], "south": BOX[1],
    }  # fmt: skip
    with (
        connected(urls) as one,
        connected(urls) as other,
        service.app_context(),
        database().new_session() as session,
    ):
        session.execute(text("SET lock_timeout = 2000"))
        before = tiles.version(session)
        one.execute(INSERT, {**facts, "code": "ONE-"})
        other.execute(INSERT, {**facts, "code": "OTHER-"})
        services.fold(session, today=clock.today())
        other.execute("UPDATE tower SET note = 'x' WHERE code = 'OTHER-1'")
        other.commit()
        session.commit()
        later = tiles.version(session)
        session.commit()
        # What was written before but committed later is a change too.
        one.commit()
        assert before < later < tiles.version(session)
        total = tiles.counts(session, SYSTEM, EVERYTHING, today=clock.today())["total"]
        assert total == session.execute(text("SELECT count(*) FROM tower")).scalar_one()


def test_the_worker_folds_every_minute(service: Flask) -> None:
    with service.app_context():
        assert service.extensions["periodic_jobs"][grid_jobs.JOB] == "* * * * *"
        with database().sessions.begin() as session:
            session.execute(text("UPDATE tower SET note = 'y'"))
            number = session.execute(
                text("INSERT INTO job_progress (job_id) VALUES (77) RETURNING job_id")
            ).scalar_one()
        from core.jobs import Running

        job = Running(number, 1, database().sessions, lambda: False)
        service.extensions["jobs"][grid_jobs.JOB](job, timestamp=0)
        with database().sessions.begin() as session:
            assert session.execute(text("SELECT count(*) FROM tower_change")).scalar_one() == 0


def test_the_register_emptied_at_once_empties_the_grid(urls: ClusterUrls, service: Flask) -> None:
    with service.app_context(), database().new_session() as session:
        before = tiles.version(session)
    with psycopg.connect(
        make_url(urls.owner_url).set(drivername="postgresql").render_as_string(hide_password=False)
    ) as owner:
        owner.execute("TRUNCATE tower CASCADE")
    with service.app_context(), database().new_session() as session:
        assert tiles.version(session) > before
        assert tiles.counts(session, SYSTEM, EVERYTHING, today=clock.today()) == {
            "matching": 0, "total": 0,
        }  # fmt: skip
