"""To which commune a point belongs: inside, in a gap beside it, or outside the territory."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import text

from areas.places import limit_metres, placement_of, placements_of, placing
from core import store
from core.db import current_session
from core.errors import Invalid
from core.geo import Position
from core.policy import SYSTEM
from tests import makers
from tests.plans import Crowd

# About 1,095 m a hundredth of a degree of longitude, 1,106 m one of latitude here.
WEST = (105.0, 10.0, 105.2, 10.2)
EAST = (105.21, 10.0, 105.4, 10.2)


@pytest.fixture
def communes(session):
    return makers.commune(session, box=WEST), makers.commune(session, box=EAST)


def test_inside_there_is_no_distance(session, communes) -> None:
    west, _ = communes
    placement = placement_of(session, Position(10.1, 105.1))
    assert (placement.commune, placement.metres) == (west, None)


def test_in_a_gap_it_is_the_nearest_with_its_distance(session, communes) -> None:
    west, east = communes
    near_west, near_east = placements_of(
        session, [Position(10.1, 105.203), Position(10.1, 105.209)]
    )
    assert (near_west.commune, near_east.commune) == (west, east)
    assert near_west.metres == pytest.approx(Decimal("328.8"), abs=Decimal("1"))
    assert near_east.metres == pytest.approx(Decimal("109.6"), abs=Decimal("1"))


def test_farther_than_the_setting_is_outside_the_territory(session, communes) -> None:
    _, east = communes
    within, beyond = Position(10.1, 105.445), Position(10.1, 105.446)
    assert placement_of(session, within).commune == east
    assert placement_of(session, within).metres == pytest.approx(Decimal(4928), abs=Decimal(10))
    assert placement_of(session, beyond).commune is None
    assert placement_of(session, beyond).metres is None
    store.set_value(session, "nearest_commune_m", 6000, by=SYSTEM, now=makers.NOW)
    assert placement_of(session, beyond).commune == east
    store.set_value(session, "nearest_commune_m", 0, by=SYSTEM, now=makers.NOW)
    assert placement_of(session, within).commune is None


@pytest.mark.parametrize("value", ["far", -1, 200_000, None, [1], True])
def test_the_setting_is_a_number_of_metres(session, value) -> None:
    with pytest.raises(Invalid):
        store.set_value(session, "nearest_commune_m", value, by=SYSTEM, now=makers.NOW)
    assert limit_metres(session) == 5000


def test_without_communes_and_without_points(session) -> None:
    assert placements_of(session, []) == []
    assert placement_of(session, Position(10.1, 105.1)).commune is None


def test_a_list_in_the_database_is_placed_alike(session, communes) -> None:
    points = [
        Position(10 + step % 17 * 0.02 - 0.05, 105 + step * 0.004 - 0.06) for step in range(130)
    ]
    session.execute(text("CREATE TEMPORARY TABLE given (n int, geom geometry) ON COMMIT DROP"))
    for number, point in enumerate(points):
        session.execute(
            text("INSERT INTO given VALUES (:n, ST_SetSRID(ST_MakePoint(:x, :y), 4326))"),
            {"n": number, "x": point.longitude, "y": point.latitude},
        )
    rows = session.execute(
        text(placing("given", "n") + "SELECT * FROM placed ORDER BY n"), {"nearest_m": 5000}
    )
    one_by_one = placements_of(session, points)
    assert [tuple(row) for row in rows] == [
        (number, placement.commune.id, placement.metres)
        for number, placement in enumerate(one_by_one)
        if placement.commune
    ]
    kinds = {(one.commune is None, one.metres is None) for one in one_by_one}
    assert kinds == {(False, True), (False, False), (True, True)}


def run_plan(crowd: Crowd, position: Position) -> str:
    """How the statement for a single point really ran."""
    with crowd.app.app_context(), crowd.listening() as sent:
        placement_of(current_session(), position)
        statement, parameters = next(one for one in sent if "ST_DWithin" in one[0])
        rows = (
            current_session()
            .connection()
            .exec_driver_sql(f"EXPLAIN ANALYZE {statement}", parameters)
        )
        return "\n".join(row[0] for row in rows)


def test_a_point_is_placed_by_the_indexes(crowd: Crowd) -> None:
    plan = run_plan(crowd, Position(9.99, 105.52))
    assert "Index Scan using ix_area_geom" in plan, plan
    assert "Index Cond: (geom && l.around)" in plan, plan
    assert "Seq Scan on area" not in plan, plan


def test_inside_nobody_looks_for_the_nearest(crowd: Crowd) -> None:
    plan = run_plan(crowd, Position(10.52, 105.52))
    lines = plan.splitlines()
    (condition,) = [at for at, line in enumerate(lines) if "(geom && l.around)" in line]
    assert "never executed" in lines[condition - 1], plan


def test_a_list_is_placed_by_the_indexes(crowd: Crowd) -> None:
    with crowd.app.app_context():
        plan = "\n".join(
            row[0]
            for row in current_session().execute(
                text("EXPLAIN " + placing("tower", "id") + "SELECT * FROM placed"),
                {"nearest_m": 5000},
            )
        )
    assert "Index Cond: (geom && l.around)" in plan, plan
    assert "ix_tower_geom" in plan, plan
