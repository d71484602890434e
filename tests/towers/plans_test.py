"""Every list and every question about places uses its index, however many towers there are."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from areas import queries as areas
from core.db import current_session
from core.geo import Position
from core.policy import SYSTEM
from tests import makers
from tests.plans import Crowd, the_one
from tests.towers.lists import listed
from towers import queries
from towers.imports import import_towers
from towers.models import Tower

LIST = ("tower.condition_reason", "LIMIT")


@pytest.mark.parametrize("path", ["/towers", "/api/v1/towers"])
@pytest.mark.parametrize(
    ("query", "index"),
    [
        ({}, "uq_tower_code"),
        ({"sort": "name"}, "ix_tower_name_code"),
        ({"condition": "dangerous"}, "ix_tower_condition_code"),
        ({"commune": "80123"}, "ix_tower_commune_id_code"),
        ({"q": "tram c4ca4238"}, "ix_tower_search"),
        ({"q": "T-00077"}, "ix_tower_search"),
        ({"due_within": 60}, "ix_tower_next_deadline"),
        ({"overdue": "true", "severity": "critical"}, "ix_tower_next_deadline"),
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
        lambda: queries.towers(
            current_session(), officer, queries.Filters(), today=makers.NOW.date()
        )
    )
    page = the_one(asked, *LIST)
    assert "ix_tower_commune_id_code" in page.indexes, page.plan


def test_one_tower_and_its_history_use_indexes(crowd: Crowd):
    asked = crowd.get("/towers/T-00077")
    assert "uq_tower_code" in the_one(asked, "tower.code =").indexes
    history = the_one(asked, "FROM audit_entry")
    assert "ix_audit_entry_kind_object_id" in history.indexes, history.plan
    for one in asked:
        for table in ("tower", "inspection", "violation", "photo", "audit_entry"):
            assert not one.reads_whole(table), one.plan


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


def test_the_communes_of_an_imported_list_use_a_spatial_index(crowd: Crowd, tmp_path: Path):
    rows = [
        f"NEW-{number},Trạm {number},{10 + number % 97 / 100},{105 + number % 89 / 100}"
        for number in range(3000)
    ]
    content = "\n".join(["code,name,latitude,longitude", *rows]).encode()
    with crowd.app.app_context(), crowd.listening() as sent:
        session = current_session()
        with listed("list.csv", content) as listing:
            report = import_towers(session, listing, source="test", by=SYSTEM, now=makers.NOW)
        (writing,) = [one for one in sent if "'tower.create'" in one[0]]
        plan = "\n".join(
            row[0]
            for row in session.connection().exec_driver_sql(f"EXPLAIN {writing[0]}", writing[1])
        )
        assert report.new == 3000
        # A long list may take longer than a page.
        assert session.execute(text("SHOW statement_timeout")).scalar_one() == "30min"
        assert session.query(Tower).filter(Tower.code == "NEW-1").one().commune_id is not None
        session.rollback()
    assert "Index Cond: (geom @ a.geom)" in plan, plan


@pytest.mark.parametrize("path", ["/towers", "/api/v1/towers"])
def test_the_number_of_statements_does_not_grow_with_the_rows(crowd: Crowd, path):
    """One row, and a whole page."""
    one, many = crowd.get(path, q="T-00077"), crowd.get(path)
    assert len(one) == len(many)


def test_the_largest_page_takes_no_more_statements(crowd: Crowd):
    assert len(crowd.get("/api/v1/towers", limit=1)) == len(crowd.get("/api/v1/towers", limit=500))
