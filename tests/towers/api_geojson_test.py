"""The list of towers as GeoJSON: by its own address or asked for by `Accept`."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from tests import doors, makers
from tests.doors import answered, refused

GEOJSON = "application/geo+json"


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    client = doors.client_of(app, session, makers.user(session, "staff"))
    for number in range(7):
        makers.tower(session, code=f"T-{number}", longitude=105.5 + number / 10)
    session.commit()
    return client


def by_address(client: FlaskClient, **query: Any) -> TestResponse:
    return client.get("/api/v1/towers.geojson", query_string=query)


def by_accept(client: FlaskClient, **query: Any) -> TestResponse:
    return client.get("/api/v1/towers", query_string=query, headers={"Accept": GEOJSON})


WAYS = pytest.mark.parametrize("ask", [by_address, by_accept])


@WAYS
def test_it_says_what_the_list_says(staff: FlaskClient, ask: Any) -> None:
    listed = answered(staff.get("/api/v1/towers"), 200)["items"]
    response = ask(staff)
    assert response.mimetype == GEOJSON
    made = answered(response, 200)
    assert made["type"] == "FeatureCollection"
    for feature, tower in zip(made["features"], listed, strict=True):
        point = [tower.pop("longitude"), tower.pop("latitude")]
        assert feature == {
            "type": "Feature",
            "id": tower.pop("id"),
            "geometry": {"type": "Point", "coordinates": point},
            "properties": tower,
        }


@WAYS
def test_pages_follow_each_other(staff: FlaskClient, ask: Any) -> None:
    codes: list[str] = []
    query: dict[str, Any] = {"limit": 3, "sort": "code"}
    while "cursor" not in query or query["cursor"]:
        page = answered(ask(staff, **query), 200)
        codes += [one["properties"]["code"] for one in page["features"]]
        query["cursor"] = page["next_cursor"]
    assert codes == [f"T-{number}" for number in range(7)]


@WAYS
def test_a_box_narrows_it(staff: FlaskClient, ask: Any) -> None:
    page = answered(ask(staff, bbox="105.65,10,105.95,11", count="true"), 200)
    assert [one["properties"]["code"] for one in page["features"]] == ["T-2", "T-3", "T-4"]
    assert page["count"] == {"number": 3, "more": False}
    assert "bbox" in refused(ask(staff, bbox="1,2,3"), 422)["fields"]


@WAYS
def test_a_position_gives_those_round_it(staff: FlaskClient, ask: Any) -> None:
    page = answered(ask(staff, q="10.46, 105.81", limit=2), 200)
    assert [one["properties"]["code"] for one in page["features"]] == ["T-3", "T-4"]
    assert page["features"][0]["properties"]["distance_m"] == pytest.approx(1095, rel=0.01)


@WAYS
def test_nothing_of_another_territory(app: Flask, world: doors.World, ask: Any) -> None:
    page = answered(ask(world["inspector"]), 200)
    assert [one["properties"]["code"] for one in page["features"]] == [world.here.tower.code]
    refused(ask(world["operator"]), 403)
    refused(ask(app.test_client()), 401)


def test_json_stays_the_usual_answer(staff: FlaskClient) -> None:
    for accept in ("*/*", "application/json", "text/html,*/*;q=0.8", ""):
        response = staff.get("/api/v1/towers", headers={"Accept": accept})
        assert response.mimetype == "application/json"
        assert "Accept" in response.headers["Vary"]
