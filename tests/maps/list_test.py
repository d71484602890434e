"""The list beside the map: the towers of a view, the worst first, page by page, in scope."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from maps import work_pages
from maps.queries import worst_first
from tests import doors, makers
from tests.doors import answered, refused
from tests.maps.tiles import scattered
from tests.plans import Crowd
from towers import lists
from towers.models import Tower

BOX = "105,10,107,11"
RANKS = {"dangerous": 0, "assessment_needed": 1, "needs_follow_up": 2, "unchecked": 3, "ok": 4}


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    return doors.client_of(app, session, makers.user(session, "staff"))


def listed(client: FlaskClient, **query) -> list[dict]:
    """All pages of the list."""
    rows, cursor = [], None
    while True:
        asked = {"bbox": BOX, **query, **({"cursor": cursor} if cursor else {})}
        page = answered(client.get(f"/map/list.json?{urlencode(asked, doseq=True)}"), 200)
        rows += page["rows"]
        cursor = page["next"]
        if not cursor:
            return rows


@pytest.mark.parametrize("most_sorted", [0, 1000])
def test_the_worst_stand_first_and_each_tower_once(
    staff: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch, most_sorted: int
) -> None:
    monkeypatch.setattr(worst_first, "MOST_SORTED", most_sorted)
    monkeypatch.setattr(work_pages, "ROWS", 7)
    scattered(session, 90, [makers.commune(session, code="90001")], seed=4)
    session.commit()
    rows = listed(staff)
    standing = select(Tower.code).where(Tower.lifecycle != "dismantled")
    assert sorted(row["code"] for row in rows) == sorted(session.scalars(standing))
    ranks = [
        (RANKS[row["condition"]], {"critical": 0, "major": 1}.get(row["severity"], 2))
        for row in rows
    ]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == 6
    dangerous = [row["deadline"] for row in rows if row["condition"] == "dangerous"]
    assert dangerous == sorted(dangerous)
    today = clock.today().isoformat()
    assert all(row["overdue"] == (row["deadline"] < today) for row in rows if row["deadline"])
    for condition in RANKS:
        some = [row["code"] for row in listed(staff, condition=condition)]
        assert some == [row["code"] for row in rows if row["condition"] == condition]


def test_it_has_what_stands_in_the_view_and_says_how_many(
    staff: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        makers.tower(session, code=f"T-{number}", longitude=105.2 + number / 10, latitude=10.5)
    session.commit()
    narrow = answered(staff.get("/map/list.json?bbox=105.15,10,105.45,11"), 200)
    assert [row["code"] for row in narrow["rows"]] == ["T-0", "T-1", "T-2"]
    assert (narrow["count"], narrow["next"]) == ({"number": 3, "more": False}, None)
    # Of more than are sorted the number is looked for once.
    monkeypatch.setattr(worst_first, "MOST_SORTED", 4)
    monkeypatch.setattr(work_pages, "ROWS", 2)
    page = answered(staff.get(f"/map/list.json?bbox={BOX}"), 200)
    assert page["count"] == {"number": 5, "more": False}
    following = answered(staff.get(f"/map/list.json?bbox={BOX}&cursor={page['next']}"), 200)
    assert "count" not in following
    monkeypatch.setattr(lists, "MOST_COUNTED", 3)
    many = answered(staff.get(f"/map/list.json?bbox={BOX}"), 200)
    assert many["count"] == {"number": 3, "more": True}


def test_filters_and_an_area_narrow_it(staff: FlaskClient, session: Session) -> None:
    soon = clock.today() + timedelta(days=3)
    makers.tower(session, code="A", latitude=10.2, longitude=105.2, next_deadline=soon)
    makers.tower(session, code="B", latitude=10.8, longitude=105.8)
    session.commit()
    assert [row["code"] for row in listed(staff, due_within=5)] == ["A"]
    assert [row["code"] for row in listed(staff, area="105.7_10.7*105.9_10.7*105.8_10.9")] == ["B"]
    assert listed(staff, q="KHONG-CO") == []


def test_only_towers_in_the_territory_of_the_reader_are_listed(world: doors.World) -> None:
    assert [row["code"] for row in listed(world["inspector"])] == [world.here.tower.code]
    assert len(listed(world["staff"])) == 2


@pytest.mark.parametrize("query", ["", "bbox=1,2", "bbox=9,9,1,1", f"bbox={BOX}&cursor=x"])
def test_what_is_no_view_or_no_place_in_the_list_is_refused(staff: FlaskClient, query: str) -> None:
    refused(staff.get(f"/map/list.json?{query}"), 400)


@pytest.mark.parametrize("box", ["100,5,115,20", "105.4,10.4,105.41,10.41"])
def test_neither_a_wide_nor_a_near_view_reads_the_whole_register(crowd: Crowd, box: str) -> None:
    for one in crowd.get("/map/list.json", bbox=box):
        # To find out whether they are few, and to count, ends at a number that is large enough.
        assert "ST_X" not in one.sql or not one.reads_whole("tower"), one.plan
