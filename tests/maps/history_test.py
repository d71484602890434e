"""Days that are over are as they were recorded then, whatever was written since."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session

from core.cluster import PrivateCluster
from core.policy import SYSTEM
from maps import services
from maps.queries import past
from maps.queries.grid import AnyTile
from maps.rules import Tile, end_of_month
from tests.maps.tiles import states
from towers.past_models import tower_span
from towers.queries import Filters
from towers.queries.past import filtered_then, then

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
EVERYTHING = Filters(include_dismantled=True)
FIRST, DAYS = date(2026, 1, 20), 60
# All towers stand in it: west, south, east, north.
HERE = (105.5, 10.3, 106.5, 10.7)
WRITES = {
    "insert": """
        INSERT INTO tower (code, name, structure_type, geom, lifecycle, condition, condition_reason,
            ok_until, worst_severity, next_deadline, open_violations)
        SELECT gen_random_uuid(), 'x', 'monopole', ST_SetSRID(ST_MakePoint(
                :west + random() * (:east - :west), :south + random() * (:north - :south)), 4326),
            (ARRAY['active', 'dismantled', 'planned'])[1 + n % 3], :condition, :condition_reason,
            :ok_until, :worst_severity, :next_deadline, 0
        FROM generate_series(1, 6) AS n
    """,
    "condition": """
        UPDATE tower SET condition = :condition, condition_reason = :condition_reason,
            ok_until = :ok_until, worst_severity = :worst_severity, next_deadline = :next_deadline
        WHERE random() < 0.2
    """,
    "place": "UPDATE tower SET geom = ST_Translate(geom, 0.05, 0) WHERE random() < 0.1"
    " AND ST_X(geom) < 106.4",
    "life": "UPDATE tower SET lifecycle = 'dismantled' WHERE random() < 0.05",
    "note": "UPDATE tower SET note = note || 'x'",
    "delete": "DELETE FROM tower WHERE random() < 0.05",
}
NOTHING = dict.fromkeys(("condition_reason", "ok_until", "worst_severity", "next_deadline"))


@pytest.fixture
def owner(cluster: PrivateCluster, migrated: str, whole_app: Flask) -> Iterator[Session]:
    """A session of the owner, who alone can make what happened now have happened earlier."""
    name = f"history_{uuid.uuid4().hex[:12]}"
    engine = create_engine(cluster.create_database(name, migrated).owner_url)
    with Session(engine) as session:
        yield session
    engine.dispose()
    cluster.drop_database(name)


def happened(session: Session, since: datetime, moment: datetime) -> None:
    """Let what was written since a moment have been written at another one."""
    facts = {"since": since, "moment": moment}
    for table, column in (("tower_change", "at"), ("tower_span", "since"), ("tower_span", "until")):
        session.execute(
            text(f"UPDATE {table} SET {column} = :moment WHERE {column} >= :since"), facts
        )


def recorded(session: Session, day: date) -> dict[uuid.UUID, tuple[Any, ...]]:
    """What the register says of each tower at the end of a day."""
    rows = session.execute(
        text(
            """
            SELECT id, tile_at(ST_X(geom_3857), 12), tile_at(-ST_Y(geom_3857), 12), lifecycle,
                CASE WHEN condition = 'ok' AND ok_until < :day THEN 'unchecked'
                    ELSE condition END,
                worst_severity, coalesce(next_deadline < :day, false),
                round(ST_X(geom_3857) * 10)::bigint, round(ST_Y(geom_3857) * 10)::bigint
            FROM tower
            """
        ),
        {"day": day},
    )
    return {key: tuple(facts) for key, *facts in rows}


def summed(towers: dict[uuid.UUID, tuple[Any, ...]], level: int) -> Counter[tuple[Any, ...]]:
    """The cells of a level that these towers make."""
    cells: Counter[tuple[Any, ...]] = Counter()
    for x, y, _, *facts, east, north in towers.values():
        key = (x >> (12 - level), y >> (12 - level), *facts)
        cells.update({(*key, "number"): 1, (*key, "east"): east, (*key, "north"): north})
    return cells


def gridded(session: Session, at: Tile, day: date) -> Counter[tuple[Any, ...]]:
    cells: Counter[tuple[Any, ...]] = Counter()
    part = past.parts(SYSTEM, EVERYTHING, AnyTile(at.z), then(day, ZONE))
    for one in session.execute(part, AnyTile.of(at)):
        key = (one.x, one.y, one.condition, one.worst_severity, one.overdue)
        cells[(*key, "number")] += one.number
        cells[(*key, "east")] += one.sum_x
        cells[(*key, "north")] += one.sum_y
    return Counter({key: number for key, number in cells.items() if number})


def spanned(session: Session, day: date) -> dict[uuid.UUID, str]:
    columns = select(tower_span.c.tower_id, tower_span.c.lifecycle)
    rows = session.execute(filtered_then(columns, SYSTEM, EVERYTHING, then(day, ZONE))).all()
    assert len({key for key, _ in rows}) == len(rows), "a tower stands once on each day"
    return {key: life for key, life in rows}


@pytest.mark.parametrize("seed", [1, 2])
def test_each_day_is_as_it_was_recorded(owner: Session, seed: int) -> None:
    random = Random(seed)
    owner.execute(text("SELECT setseed(:seed)"), {"seed": seed / 10})
    days: dict[date, dict[uuid.UUID, tuple[Any, ...]]] = {}
    day = FIRST
    while day < FIRST + timedelta(days=DAYS):
        now = owner.execute(text("SELECT clock_timestamp()")).scalar_one()
        for write in random.sample(sorted(WRITES), 3) if days else ["insert"]:
            owner.execute(text(WRITES[write]), {**NOTHING, **states(random, day),
                **dict(zip(("west", "south", "east", "north"), HERE, strict=True))})  # fmt: skip
        # At any hour of the local day, which is another one in UTC until seven in the morning.
        hour = random.choice((0, 6, 7, 12, 23))
        happened(owner, now, datetime.combine(day, time(hour, 59), ZONE))
        after = day + timedelta(days=random.randint(1, 4))
        # What the calendar changes between writes is part of each day.
        while day < after:
            days[day] = recorded(owner, day)
            day += timedelta(days=1)
        if random.random() < 0.5:
            services.fold(owner, today=day + timedelta(days=random.randint(-1, 3)), zone=ZONE)
    assert len({tuple(sorted(summed(one, 2).items())) for one in days.values()}) > DAYS / 4

    whole = Tile(0, 0, 0)
    # 106° E, 10.5° N: what is around it stands in this tile but for its edge.
    near = Tile(6, 50, 30)
    for folded in (False, True):
        if folded:
            services.fold(owner, today=day, zone=ZONE)
        for one, towers in days.items():
            assert gridded(owner, whole, one) == summed(towers, 2), (one, folded)
            inside = {
                key: facts
                for key, facts in towers.items()
                if facts[0] >> 6 == near.x and facts[1] >> 6 == near.y
            }
            assert inside and gridded(owner, near, one) == summed(inside, 8), (one, folded)
    for one, towers in days.items():
        assert spanned(owner, one) == {key: facts[2] for key, facts in towers.items()}
    assert past.first_day(owner, ZONE) == FIRST
    assert gridded(owner, whole, FIRST - timedelta(days=1)) == {}
    # The sums of months stand where they are looked for, and what is over nowhere else.
    ends = owner.execute(text("SELECT DISTINCT day FROM tower_past ORDER BY day")).scalars().all()
    assert ends == [end_of_month(date(2026, month, 1)) for month in range(1, len(ends) + 1)]
    assert len(ends) >= 2


def test_what_is_told_later_of_earlier_days_counts_there_alone(owner: Session) -> None:
    """A span that is over when it is written begins and ends in the grid, folded or not."""
    owner.execute(text(WRITES["insert"]), {**NOTHING, "condition": "unchecked",
        "condition_reason": "never",
        **dict(zip(("west", "south", "east", "north"), HERE, strict=True))})  # fmt: skip
    today = datetime.now(ZONE).date()
    services.fold(owner, today=today, zone=ZONE)
    before = owner.execute(text("SELECT sum(number) FROM tower_cell WHERE level = 2")).scalar_one()
    began, ended = today - timedelta(days=70), today - timedelta(days=30)
    owner.execute(
        text(
            """
            INSERT INTO tower_span (tower_id, since, until, lifecycle, condition, ok_until,
                structure_type, geom_3857, retold)
            SELECT id, :since, :until, lifecycle, 'ok', CAST(:since AS date) + 10, structure_type,
                geom_3857, true FROM tower
            """
        ),
        {
            "since": datetime.combine(began, time(9), ZONE),
            "until": datetime.combine(ended, time(9), ZONE),
        },
    )
    expected = {
        -1: {}, 0: {"ok": 6}, 10: {"ok": 6}, 11: {"unchecked": 6}, 39: {"unchecked": 6}, 40: {},
    }  # fmt: skip
    for _ in range(2):
        for days, numbers in expected.items():
            found: Counter[str] = Counter()
            for key, number in gridded(owner, Tile(0, 0, 0), began + timedelta(days=days)).items():
                if key[-1] == "number":
                    found[key[2]] += number
            assert found == numbers, days
        services.fold(owner, today=today, zone=ZONE)
    after = owner.execute(text("SELECT sum(number) FROM tower_cell WHERE level = 2")).scalar_one()
    assert after == before == 6


def test_an_emptied_register_has_no_past(owner: Session) -> None:
    owner.execute(text(WRITES["insert"]), {**NOTHING, "condition": "unchecked",
        "condition_reason": "never",
        **dict(zip(("west", "south", "east", "north"), HERE, strict=True))})  # fmt: skip
    services.fold(owner, today=datetime.now(ZONE).date(), zone=ZONE)
    assert past.first_day(owner, ZONE) == datetime.now(ZONE).date()
    owner.execute(text("TRUNCATE tower CASCADE"))
    assert past.first_day(owner, ZONE) is None
    assert owner.execute(text("SELECT count(*) FROM tower_span")).scalar_one() == 0
