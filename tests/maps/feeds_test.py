"""The data of the map: every tower once, in scope and filtered, for any box and zoom."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from tests import doors, makers
from tests.doors import answered, refused


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    return doors.client_of(app, session, makers.user(session, "staff"))


def feed(client: FlaskClient, bbox: str = "100,5,120,25", zoom: int = 9, **query: Any):
    return answered(
        client.get("/map/towers.json", query_string={"bbox": bbox, "zoom": zoom, **query}), 200
    )


def test_towers_of_the_box_with_their_condition(staff: FlaskClient, session: Session) -> None:
    here = makers.tower(session, latitude=10.5, longitude=105.5)
    makers.tower(session, latitude=20.5, longitude=105.5)
    late = makers.tower(
        session, latitude=10.6, longitude=105.6, condition="dangerous", condition_reason=None,
        worst_severity="critical", next_deadline=doors.day("2020-01-01"), open_violations=1,
    )  # fmt: skip
    session.commit()
    found = feed(staff, "105,10,106,11")
    assert found["towers"] == sorted(
        [
            [str(here.id), 105.5, 10.5, "unchecked", False],
            [str(late.id), 105.6, 10.6, "dangerous", True],
        ],
        key=lambda row: row[1],
    )
    assert (found["shown"], found["matching"], found["total"]) == (2, 3, 3)
    found = feed(staff, condition="dangerous")
    assert (found["shown"], found["matching"], found["total"]) == (1, 1, 3)


def test_many_towers_come_as_clusters_that_count_each_once(
    staff: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    from maps import queries

    monkeypatch.setattr(queries, "MOST_SIGNS", 20)
    for number in range(60):
        makers.tower(session, latitude=10 + number % 10 / 10, longitude=105 + number // 10 / 10)
    session.commit()
    for zoom in (0, 5, 9, 12, 16):
        found = feed(staff, zoom=zoom)
        assert found["shown"] == 60
        assert sum(one["number"] for one in found["clusters"]) == 60
        for one in found["clusters"]:
            assert sum(one["conditions"].values()) == one["number"]
            assert 105 <= one["x"] <= 106
            assert 10 <= one["y"] <= 11
    assert len(feed(staff, zoom=17)["towers"]) == 60


@pytest.mark.parametrize(
    "query",
    [
        {}, {"zoom": "9"}, {"bbox": "1,2,3,4"},
        {"bbox": "1,2,3", "zoom": "9"}, {"bbox": "1,2,3,4,5", "zoom": "9"},
        {"bbox": "nan,2,3,4", "zoom": "9"}, {"bbox": "inf,2,3,4", "zoom": "9"},
        {"bbox": "1e999,2,3,4", "zoom": "9"}, {"bbox": "3,2,1,4", "zoom": "9"},
        {"bbox": "1,4,3,2", "zoom": "9"}, {"bbox": "1,91,3,92", "zoom": "9"},
        {"bbox": "x,2,3,4", "zoom": "9"}, {"bbox": "1,2,3,4", "zoom": "-1"},
        {"bbox": "1,2,3,4", "zoom": "25"}, {"bbox": "1,2,3,4", "zoom": "9.5"},
        {"bbox": "1,2,3,4", "zoom": "024000000"}, {"bbox": "1,2,3,4", "zoom": "٩"},
        {"bbox": "1,2,3,4", "zoom": ""}, {"bbox": "1,2,3,4\x00", "zoom": "9"},
    ],
    ids=range(19),
)  # fmt: skip
def test_a_box_or_zoom_that_is_none_is_refused(staff: FlaskClient, query: dict[str, str]) -> None:
    refused(staff.get("/map/towers.json", query_string=query), 400)


@pytest.mark.parametrize(
    "box", ["-180,-90,180,90", "-500,-90,500,90", "105,10,105,10", "179,0,181,1", "0,89,1,90"]
)
def test_any_box_on_earth_is_answered(staff: FlaskClient, session: Session, box: str) -> None:
    makers.tower(session, latitude=10, longitude=105)
    session.commit()
    for zoom in (0, 9, 24):
        assert "shown" in feed(staff, box, zoom)


def test_the_extent_is_that_of_the_matching_towers(staff: FlaskClient, session: Session) -> None:
    assert answered(staff.get("/map/extent.json"), 200) == {"box": None}
    makers.commune(session, code="90001")
    session.commit()
    assert answered(staff.get("/map/extent.json"), 200)["box"] == [105, 10, 106, 11]
    makers.tower(session, code="QX-7", latitude=10.2, longitude=105.2)
    makers.tower(session, code="B", latitude=10.8, longitude=105.9)
    session.commit()
    assert answered(staff.get("/map/extent.json"), 200)["box"] == [105.2, 10.2, 105.9, 10.8]
    assert answered(staff.get("/map/extent.json?q=QX-7"), 200)["box"] == [105.2, 10.2, 105.2, 10.2]


def test_the_popup_says_what_the_tower_is(staff: FlaskClient, session: Session) -> None:
    tower = makers.tower(session, code="T-1", name="Trạm Một")
    session.commit()
    by_id = answered(staff.get(f"/map/towers/{tower.id}.json"), 200)
    assert (by_id["code"], by_id["name"]) == ("T-1", "Trạm Một")
    assert answered(staff.get("/map/places/T-1.json"), 200) == by_id
    refused(staff.get(f"/map/towers/{uuid.uuid4()}.json"), 404)
    refused(staff.get("/map/places/KHONG-CO.json"), 404)
    refused(staff.get("/map/places/%00.json"), 404)


def test_owners_are_those_of_towers_in_scope(app: Flask, session: Session) -> None:
    w = doors.world(app, session)
    makers.organisation(session, name="Không có cột")
    session.commit()
    owners = answered(w["inspector"].get("/map/owners.json"), 200)["owners"]
    assert owners == [{"id": str(w.owner.id), "name": w.owner.name}]


def test_the_islands_are_named_as_ours(staff: FlaskClient) -> None:
    text = json.dumps(answered(staff.get("/map/islands.json"), 200), ensure_ascii=False)
    assert "Hoàng Sa" in text
    assert "Trường Sa" in text


def test_the_page_and_document_have_the_same_size_whatever_the_register(
    staff: FlaskClient, session: Session
) -> None:
    paths = ("/map", "/map/document", "/map/picker")
    empty = [staff.get(path).data for path in paths]
    for number in range(50):
        makers.tower(session, code=f"T-{number}")
    session.commit()
    full = [staff.get(path).data for path in paths]
    assert full[1:] == empty[1:]
    assert abs(len(full[0]) - len(empty[0])) < 200


def test_a_small_map_of_any_code_is_one_constant_document(
    staff: FlaskClient, session: Session
) -> None:
    makers.tower(session, code="{{7*7}}")
    session.commit()
    assert staff.get("/map/tower/%7B%7B7*7%7D%7D").data == staff.get("/map/tower/T").data


def test_the_map_page_keeps_its_filters(staff: FlaskClient) -> None:
    page = staff.get("/map?condition=dangerous&overdue=1").get_data(as_text=True)
    assert "condition=dangerous" in page
