"""Towers in every state, and tiles read back: what tests of tiles share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from random import Random
from typing import Any

import mapbox_vector_tile
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from areas.models import Area
from core import clock
from tests import makers
from towers.models import Tower

# South-west and north-east of where the towers stand.
BOX = (105.0, 10.0, 107.0, 11.0)


def states(random: Random, today: date) -> dict[str, Any]:
    """Columns of a tower that go together, its days some weeks round today."""
    day = today + timedelta(days=random.randint(-20, 20))
    found = random.choice(("minor", "major", "critical"))
    return random.choice(
        [
            {"condition": "ok", "condition_reason": None, "ok_until": day},
            {"condition": "unchecked", "condition_reason": "never"},
            {"condition": "assessment_needed", "condition_reason": None},
            {
                "condition": "dangerous" if found == "critical" else "needs_follow_up",
                "condition_reason": None,
                "worst_severity": found,
                "next_deadline": day,
                "open_violations": 1,
            },
        ]
    )


def scattered(session: Session, number: int, communes: Sequence[Area], seed: int) -> list[Tower]:
    """Towers in any state; every fifth on an edge of tiles, which north of 0 is any meridian."""
    random, today = Random(seed), clock.today()
    made = []
    for place in range(number):
        longitude = random.uniform(BOX[0], BOX[2])
        if place % 5 == 0:
            longitude = 105.46875 + random.randint(0, 8) * 360 / 2**11
        made.append(
            makers.tower(
                session,
                latitude=random.uniform(BOX[1], BOX[3]),
                longitude=longitude,
                commune=random.choice([*communes, None]),
                lifecycle=random.choice(("active", "active", "planned", "dismantled")),
                structure_type=random.choice(("guyed_mast", "monopole")),
                **states(random, today),
            )
        )
    return made


def decoded(data: bytes) -> dict[str, list[dict[str, Any]]]:
    """The properties of each layer's features."""
    layers = mapbox_vector_tile.decode(data) if data else {}
    return {
        name: [one["properties"] for one in layer["features"]] for name, layer in layers.items()
    }


def covering(session: Session, z: int) -> Iterator[tuple[int, int]]:
    """The tiles of a zoom in which towers stand, and those on which they may stand an edge away."""
    rows = session.execute(
        text(
            """
            WITH near AS (
                SELECT DISTINCT
                    floor((ST_X(geom_3857) + 20037508.342789244) / w)::int + dx AS x,
                    floor((20037508.342789244 - ST_Y(geom_3857)) / w)::int + dy AS y
                FROM tower, (SELECT 40075016.685578488 / 2 ^ :z AS w) AS one,
                    generate_series(-1, 0) AS dx, generate_series(-1, 0) AS dy
            )
            SELECT x, y FROM near
            WHERE x BETWEEN 0 AND 2 ^ :z - 1 AND y BETWEEN 0 AND 2 ^ :z - 1
            """
        ),
        {"z": z},
    )
    yield from ((row.x, row.y) for row in rows)


def asked(client: FlaskClient, z: int, x: int, y: int, **query: Any) -> dict[str, list[Any]]:
    answer = client.get(f"/tiles/towers/{z}/{x}/{y}.mvt", query_string=query)
    assert answer.status_code == 200, answer.text
    assert answer.content_type == "application/vnd.mapbox-vector-tile"
    return decoded(answer.data)


def all_towers(client: FlaskClient, session: Session, z: int, **query: Any) -> list[dict[str, Any]]:
    """The towers that stand one by one in the tiles of a zoom, in any order."""
    found = (asked(client, z, x, y, **query) for x, y in covering(session, z))
    return [one for layers in found for one in layers.get("towers", [])]


def all_numbers(client: FlaskClient, session: Session, z: int, **query: Any) -> Counter[str]:
    """What stands in all tiles of a zoom, summed: clusters, and towers one by one."""
    sums: Counter[str] = Counter()
    for x, y in covering(session, z):
        layers = asked(client, z, x, y, **query)
        for one in layers.get("clusters", []):
            sums.update({key: value for key, value in one.items() if type(value) is int})
        for one in layers.get("towers", []):
            sums.update({"number": 1, one["condition"]: 1})
            if one["overdue"]:
                sums["overdue"] += 1
    return sums


def truth(session: Session, where: str = "lifecycle <> 'dismantled'", **facts: Any) -> Counter[str]:
    """What clusters should sum up to, straight from the register."""
    rows = session.execute(
        text(
            f"""
            SELECT CASE WHEN condition = 'ok' AND ok_until < :today THEN 'unchecked'
                ELSE condition END AS condition, coalesce(next_deadline < :today, false) AS overdue
            FROM tower WHERE {where}
            """
        ),
        {"today": clock.today(), **facts},
    )
    sums: Counter[str] = Counter()
    for condition, overdue in rows:
        sums.update({"number": 1, condition: 1})
        if overdue:
            sums["overdue"] += 1
    return sums
