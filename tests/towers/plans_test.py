"""Every list and every question about places uses its index, however many towers there are."""

from __future__ import annotations

import re

import pytest
from psycopg import sql
from sqlalchemy import text

from areas import queries as areas
from core.db import current_session
from core.geo import Position
from core.policy import SYSTEM
from tests import makers
from tests.plans import Crowd, the_one
from tests.towers.imported import load
from towers import lists, queries
from towers.models import Tower
from towers.queries.organisations import numbers
from towers.queries.proposals import open_near

# The statement that finds which towers are on a page; what they are is read by their ids.
LIST = ("SELECT tower.id, tower.code", "ORDER BY", "LIMIT")


@pytest.mark.parametrize("path", ["/towers", "/api/v1/towers"])
@pytest.mark.parametrize(
    ("query", "index"),
    [
        ({}, "uq_tower_code"),
        ({"sort": "name"}, "ix_tower_name_code"),
        ({"condition": "dangerous"}, "ix_tower_condition_code"),
        ({"commune": "80123"}, "ix_tower_commune_id_code"),
        ({"q": "tram c4ca4238"}, "ix_tower_search"),
        ({"q": "T-00077", "sort": "code"}, "ix_tower_search"),
        ({"due_within": 60}, "ix_tower_next_deadline_code"),
        ({"overdue": "true", "severity": "critical"}, "ix_tower_next_deadline_code"),
    ],
    ids=str,
)
def test_a_page_of_towers_uses_an_index(crowd: Crowd, path, query, index):
    page = the_one(crowd.get(path, **query), *LIST)
    assert index in page.indexes, page.plan
    assert not page.reads_whole("tower"), page.plan


@pytest.mark.parametrize("path", ["/towers", "/api/v1/towers"])
def test_the_towers_of_an_owner_use_an_index(crowd: Crowd, path):
    with crowd.engine.connect() as connection:
        owner = connection.scalar(text("SELECT owner_id FROM tower LIMIT 1"))
    page = the_one(crowd.get(path, owner=owner), *LIST)
    assert "ix_tower_owner_id_code" in page.indexes, page.plan


@pytest.mark.parametrize("sort", ["code", "name"])
def test_a_page_far_behind_sorts_nothing(crowd: Crowd, sort):
    cursor = crowd.cursor_behind(3, "/api/v1/towers", sort=sort)
    page = the_one(crowd.get("/api/v1/towers", sort=sort, cursor=cursor), *LIST)
    assert "Sort" not in page.plan, page.plan
    assert not page.reads_whole("tower")


def test_the_towers_of_a_territory_use_an_index(crowd: Crowd):
    with crowd.app.app_context():
        session = crowd.app.extensions["database"].new_session()
        commune = areas.area_by_code(session, "commune", "80042")
        officer = makers.actor(session, "local_officer", territories=[commune])
        session.rollback()
        session.close()
    asked = crowd.asked(
        lambda: lists.towers(current_session(), officer, queries.Filters(), today=makers.NOW.date())
    )
    page = the_one(asked, *LIST)
    assert "ix_tower_commune_id_code" in page.indexes, page.plan


def test_one_tower_and_its_history_use_indexes(crowd: Crowd):
    asked = crowd.get("/towers/T-00077")
    assert "uq_tower_code" in the_one(asked, "tower.code =").indexes
    history = the_one(asked, "FROM audit_entry")
    assert "ix_audit_entry_kind_object_id" in history.indexes, history.plan
    for one in asked:
        for table in ("tower", "inspection", "violation", "photo", "audit_entry", "document"):
            assert not one.reads_whole(table), one.plan


def test_proposals_are_listed_counted_and_found_nearby_by_their_indexes(crowd: Crowd):
    listed = the_one(crowd.get("/api/v1/proposals"), "tower_proposal.values", "LIMIT")
    assert "ix_tower_proposal_created_at_id" in listed.indexes, listed.plan
    waiting = the_one(crowd.get("/proposals"), "count(*)", "tower_proposal")
    assert waiting.indexes & {"ix_tower_proposal_open", "ix_tower_proposal_position"}, waiting.plan
    asked = crowd.asked(
        lambda: open_near(current_session(), SYSTEM, Position(10.5, 105.5), metres=500)
    )
    assert "ix_tower_proposal_position" in asked[0].indexes, asked[0].plan


def test_the_towers_of_organisations_are_counted_by_their_indexes(crowd: Crowd):
    with crowd.engine.connect() as connection:
        ids = connection.scalars(text("SELECT id FROM organisation ORDER BY id LIMIT 5")).all()
    (counted,) = crowd.asked(lambda: numbers(current_session(), SYSTEM, ids))
    assert "ix_tower_owner_id_code" in counted.indexes, counted.plan
    assert not counted.reads_whole("tower"), counted.plan


def test_the_nearest_towers_use_the_spatial_index(crowd: Crowd):
    asked = crowd.asked(
        lambda: queries.nearest(current_session(), SYSTEM, Position(10.5, 105.5), metres=100)
    )
    assert "ix_tower_geom" in asked[0].indexes, asked[0].plan


def test_the_nearest_towers_come_in_order_with_their_distances_in_metres(crowd: Crowd):
    with crowd.app.app_context():
        found = queries.nearest(current_session(), SYSTEM, Position(10.5, 105.5), metres=3000)
    metres = [away for _, away in found]
    assert len(found) == 5
    assert metres == sorted(metres)
    assert 0 <= metres[0] < metres[-1] <= 3000


def test_the_commune_of_a_point_uses_the_spatial_index(crowd: Crowd):
    asked = crowd.asked(lambda: areas.commune_of(current_session(), Position(10.52, 105.52)))
    assert "ix_area_geom" in asked[0].indexes, asked[0].plan


def test_an_imported_list_uses_spatial_indexes(crowd: Crowd):
    """The communes look for their rows, and each new row for its neighbours."""
    rows = [
        f"NEW-{number},Trạm {number},{10 + number % 97 / 100},{105 + number % 89 / 100}"
        for number in range(3000)
    ]
    content = "\n".join(["code,name,latitude,longitude", *rows]).encode()
    with crowd.app.app_context(), crowd.listening() as sent:
        session = current_session()
        made = load(session, "list.csv", content)
        plans = {}
        for name, mark in (("communes", "TABLE located"), ("towers", "FROM tower t WHERE t.geom")):
            (asked,) = [one for one in sent if mark in one[0]]
            session.execute(text("DROP TABLE pg_temp.located")) if name == "communes" else None
            lines = session.connection().exec_driver_sql(f"EXPLAIN {asked[0]}", asked[1])
            plans[name] = "\n".join(row[0] for row in lines)
        assert made.counts.new + made.counts.duplicate == 3000
        # A long list may take longer than a page.
        assert session.execute(text("SHOW statement_timeout")).scalar_one() == "30min"
        assert session.query(Tower).filter(Tower.code == "NEW-1").one().commune_id is not None
        session.rollback()
    assert "Index Cond: ((geom @ a.geom)" in plans["communes"], plans["communes"]
    assert "ix_tower_geom" in plans["towers"], plans["towers"]


@pytest.mark.parametrize("path", ["/towers", "/api/v1/towers"])
def test_the_number_of_statements_does_not_grow_with_the_rows(crowd: Crowd, path):
    """One row, and a whole page; a search goes through three parts at most."""
    one = crowd.get(path, q="T-00077", sort="code")
    many = crowd.get(path, q="tram 00", sort="code")
    assert len(one) == len(many)
    assert len(crowd.get(path, q="T-00077")) == len(one) + 2
    assert len(crowd.get(path, q="T-000")) <= len(one) + 2


def test_the_largest_page_takes_no_more_statements(crowd: Crowd):
    assert len(crowd.get("/api/v1/towers", limit=1)) == len(crowd.get("/api/v1/towers", limit=500))


@pytest.mark.parametrize(
    ("sort", "index"),
    [
        ("code", "uq_tower_code"), ("name", "ix_tower_name_code"),
        ("deadline", "ix_tower_next_deadline_code"), ("height", "ix_tower_height_m_code"),
        ("inspected", "ix_tower_last_inspected_on_code"), ("updated", "ix_tower_updated_at_code"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("sign", ["", "-"])
def test_every_order_is_an_index_read_forwards_or_backwards(crowd: Crowd, sort, index, sign):
    path, query = "/api/v1/towers", {"sort": f"{sign}{sort}"}
    cursor = crowd.cursor_behind(2, path, **query)
    for asked in (crowd.get(path, **query), crowd.get(path, cursor=cursor, **query)):
        pages = [one for one in asked if all(word in one.sql for word in LIST)]
        assert 1 <= len(pages) <= 2
        for page in pages:
            # Those without a value are nearly all here: the code's own index is as good.
            usable = {index, "uq_tower_code"} if "IS NULL" in page.sql else {index}
            assert page.indexes & usable, page.plan
            assert "Sort" not in page.plan, page.plan


def test_the_first_code_and_those_that_begin_so_use_their_index(crowd: Crowd):
    asked = crowd.get("/api/v1/towers", q="t-0007")
    same, begins, others = [one for one in asked if all(word in one.sql for word in LIST)]
    assert "ix_tower_code_form" in same.indexes, same.plan
    assert "ix_tower_code_form" in begins.indexes, begins.plan
    assert "ix_tower_search" in others.indexes, others.plan


def test_owners_and_communes_are_looked_up_before_their_towers(crowd: Crowd):
    """Their ids stand in the statement, beside the tower's own words, each with its index."""
    asked = crowd.get("/api/v1/towers", q="Owner 17 xa 123", sort="code")
    page = the_one(asked, *LIST)
    assert "tower.owner_id IN" in page.sql and "tower.commune_id IN" in page.sql
    assert "BitmapOr" in page.plan, page.plan
    assert not page.reads_whole("tower"), page.plan


def test_a_box_of_the_list_uses_the_spatial_index(crowd: Crowd):
    page = the_one(crowd.get("/api/v1/towers", bbox="105.50,10.50,105.52,10.52"), *LIST)
    assert "ix_tower_geom" in page.indexes, page.plan


def test_the_towers_round_a_place_use_the_spatial_index(crowd: Crowd):
    asked = crowd.get("/api/v1/towers", q="10.5123, 105.5123")
    nearest = [one for one in asked if "ST_Distance" in one.sql]
    assert len(nearest) == 2
    for one in nearest:
        assert "ix_tower_geom" in one.indexes, one.plan
        assert not one.reads_whole("tower"), one.plan


def plans_after(crowd: Crowd, setting: str | None) -> tuple[int, str]:
    """How often a box was asked for by a generic plan, and the plan of the last, small box.

    On a connection as the application opens it, with a statement as it sends it, prepared as
    drivers do after some uses; `setting` is another `plan_cache_mode`.
    """
    with crowd.listening() as sent:
        crowd.client.get("/api/v1/towers?bbox=105,10,106,11")
    ((statement, wide),) = [one for one in sent if "ST_MakeEnvelope" in one[0]]
    corners = [key for key in wide if key.startswith("ST_MakeEnvelope")]
    assert [float(wide[key]) for key in corners[:4]] == [105, 10, 106, 11]
    small = {**wide, **dict(zip(corners, (105.5, 10.5, 105.501, 10.501), strict=False))}
    with crowd.engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        # The application lets its driver prepare nothing; drivers by themselves do.
        driver.prepare_threshold = 5
        if setting is not None:
            driver.execute(f"SET plan_cache_mode = {setting}")
        for _ in range(8):
            driver.execute(statement, wide, prepare=True).fetchall()
        driver.execute(statement, small, prepare=True).fetchall()
        generic, name, types = driver.execute(
            "SELECT generic_plans, name, parameter_types::text[] FROM pg_prepared_statements"
            " WHERE statement LIKE '%ST_MakeEnvelope%'"
        ).fetchone()
        order = re.findall(r"%\((\w+)\)s", statement)
        values = ", ".join(
            f"{sql.Literal(small[key]).as_string(driver)}::{kind}"
            for key, kind in zip(order, types, strict=True)
        )
        plan = driver.execute(f'EXPLAIN EXECUTE "{name}" ({values})').fetchall()
        driver.rollback()
        connection.invalidate()
    return generic, "\n".join(row[0] for row in plan)


def test_a_statement_asked_often_keeps_a_plan_that_knows_its_box(crowd: Crowd):
    """The generic plan cannot see how large a box is: PERFORMANCE speaks of 4 to 21 times."""
    generic, plan = plans_after(crowd, None)
    assert generic == 0
    assert "ix_tower_geom" in plan and "$" not in plan, plan


def test_that_trap_is_there_without_the_setting(crowd: Crowd):
    """So the test above can fail: PostgreSQL by itself takes the generic plan."""
    generic, plan = plans_after(crowd, "auto")
    assert generic > 0
    assert "$" in plan, plan
