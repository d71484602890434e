"""Areas through their doors: page, API and commands."""

from __future__ import annotations

import html
import io
import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from areas.services import DEMO
from tests import doors, makers
from tests.doors import answered, counts, refused

SQUARE = [[[105.0, 10.0], [105.1, 10.0], [105.1, 10.1], [105.0, 10.1], [105.0, 10.0]]]
GIVEN = {"province_code": "82", "province_name": "Tỉnh A", "valid_from": "2025-07-01"}


def feature(code: str = "1", coordinates: Any = SQUARE, **more: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": {"code": code, "name": f"Xã {code}", **more.pop("properties", {})},
        "geometry": {"type": more.pop("kind", "Polygon"), "coordinates": coordinates},
        **more,
    }


def collection(*features: Any) -> str:
    return json.dumps({"type": "FeatureCollection", "features": list(features)})


def load(client: FlaskClient, content: str | bytes, **given: str):
    data = content.encode() if isinstance(content, str) else content
    return client.post("/areas", data={**GIVEN, **given, "file": (io.BytesIO(data), "xa.geojson")})


@pytest.fixture
def admin(app: Flask, session: Session) -> FlaskClient:
    return doors.client_of(app, session, makers.user(session, "admin"))


def test_an_administrator_loads_a_province(admin: FlaskClient, session: Session) -> None:
    response = load(admin, DEMO.read_bytes(), synthetic="1")
    assert response.status_code == 302
    page = admin.get("/areas?lang=en").get_data(as_text=True)
    assert "Synthetic boundaries" in page
    items: list[dict[str, Any]] = []
    cursor = None
    while True:
        query = {"level": "commune", "limit": "50", **({"cursor": cursor} if cursor else {})}
        body = answered(admin.get("/api/v1/areas", query_string=query), 200)
        items += body["items"]
        cursor = body["next_cursor"]
        if cursor is None:
            break
    assert len(items) == len({item["code"] for item in items}) == 102
    assert all(item["synthetic"] and item["province"] == "82" for item in items)
    one = answered(admin.get(f"/api/v1/areas/commune/{items[0]['code']}"), 200)
    west, south, east, north = one["bounds"]
    assert 102 < west < east < 118
    assert 7 < south < north < 24
    response = admin.get("/api/v1/areas/boundaries")
    assert response.mimetype == "application/geo+json"
    assert len(json.loads(response.data)["features"]) == 102
    again = admin.get(
        "/api/v1/areas/boundaries", headers={"If-None-Match": response.headers["ETag"]}
    )
    assert (again.status_code, again.data) == (304, b"")


BOWTIE = [[[105.0, 10.0], [105.1, 10.1], [105.1, 10.0], [105.0, 10.1], [105.0, 10.0]]]
BAD: list[str | bytes] = [
    b"",
    b"{",
    b"[]",
    b'{"type":"FeatureCollection"}',
    collection(),
    collection(1),
    collection({"type": "Feature"}),
    collection(feature(code="")),
    collection(feature(code="x" * 21)),
    collection(feature("1"), feature("1")),
    collection(feature(kind="Point", coordinates=[105, 10])),
    collection(feature(kind="GeometryCollection")),
    collection(feature(coordinates=[])),
    collection(feature(coordinates=[[[105, 10], [105.1, 10], [105, 10]]])),
    collection(feature(coordinates=[[[105, 10], [105.1, 10], [105.1, 10.1], [105, 10.1]]])),
    collection(feature(coordinates=[[[10, 105], [10, 106], [11, 106], [10, 105]]])),
    collection(feature(coordinates=[[[565e3, 1156e3], [566e3, 1156e3], [566e3, 1157e3],
                                     [565e3, 1156e3]]])),
    collection(feature(coordinates=[[[True, True], [105.1, 10], [105.1, 10.1], [True, True]]])),
    collection(feature(coordinates=[[[105, 10, 3], [105.1, 10, 3], [105.1, 10.1, 3],
                                     [105, 10, 3]]])),
    collection(feature(coordinates=BOWTIE)),
    collection(feature("1"), feature("2", coordinates="x")),
    collection(feature("1"), {**feature("2"), "geometry": None}),
    ('{"type":"FeatureCollection","features":[' + "[" * 100_000).encode(),
    json.dumps(json.loads(collection(feature()))).replace("10.1", "NaN"),
    json.dumps(json.loads(collection(feature()))).replace("10.1", "1e999"),
]  # fmt: skip


@pytest.mark.parametrize("content", BAD, ids=range(len(BAD)))
def test_a_file_that_is_not_right_loads_nothing(
    admin: FlaskClient, session: Session, content: str | bytes
) -> None:
    before = counts(session)
    response = load(admin, content)
    assert response.status_code in {400, 413, 422}, response.status_code
    page = html.unescape(response.get_data(as_text=True))
    assert 'role="alert"' in page
    assert "Tỉnh A" in page
    assert counts(session) == before


@pytest.mark.parametrize(
    "given",
    [
        {"province_code": ""},
        {"province_name": "  "},
        {"valid_from": ""},
        {"valid_from": "01/07/2025"},
        {"valid_from": "2025-13-01"},
        {"province_code": "a\x00"},
        {"province_name": "a\x00"},
        {"source": "a\x00"},
    ],
)
def test_wrong_fields_load_nothing(
    admin: FlaskClient, session: Session, given: dict[str, str]
) -> None:
    before = counts(session)
    assert load(admin, collection(feature()), **given).status_code == 422
    assert counts(session) == before


def test_odd_properties_are_taken_or_refused_never_broken(admin: FlaskClient) -> None:
    for odd in (True, -1, 1e300, "12", [], {}, None, 10**400):
        response = load(admin, collection(feature(properties={"areaKm2": odd})))
        assert response.status_code in {302, 422}, odd


def test_a_missing_file_is_named(admin: FlaskClient, session: Session) -> None:
    before = counts(session)
    assert admin.post("/areas", data=GIVEN).status_code == 422
    assert counts(session) == before


def test_a_second_load_brings_boundaries_up_to_date(admin: FlaskClient, session: Session) -> None:
    load(admin, collection(feature("1"), feature("2")))
    before = counts(session)["area"]
    load(admin, collection(feature("1", properties={"name": "Xã Mới"})))
    assert counts(session)["area"] == before
    assert "Xã Mới" in admin.get("/areas").get_data(as_text=True)


def test_before_any_load_the_page_says_what_to_do(admin: FlaskClient) -> None:
    page = admin.get("/areas?lang=en").get_data(as_text=True)
    assert 'name="file"' in page
    body = answered(admin.get("/api/v1/areas"), 200)
    assert body == {"items": [], "next_cursor": None}
    assert json.loads(admin.get("/api/v1/areas/boundaries").data)["features"] == []


def test_an_unknown_area_is_404(admin: FlaskClient) -> None:
    refused(admin.get("/api/v1/areas/commune/1"), 404)


# Commands


def test_commands_load_areas_and_say_what_is_wrong(
    app: Flask, session: Session, tmp_path: Path
) -> None:
    runner = app.test_cli_runner()
    good, bad = tmp_path / "xa.geojson", tmp_path / "sai.geojson"
    good.write_text(collection(feature("1")), encoding="utf-8")
    bad.write_text(collection(feature("1"), feature("1")), encoding="utf-8")
    options = ["--province-code", "82", "--province-name", "A"]
    before = counts(session)
    result = runner.invoke(args=["areas", "load", str(bad), *options])
    assert result.exit_code == 1
    assert "1" in result.output
    assert "Traceback" not in result.output
    result = runner.invoke(args=["areas", "load", str(good), *options, "--valid-from", "x"])
    assert result.exit_code == 2
    assert counts(session) == before
    result = runner.invoke(args=["areas", "load", str(good), *options])
    assert (result.exit_code, result.output) == (0, "1 communes were loaded.\n")
