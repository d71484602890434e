"""Areas through their doors: pages, API and commands."""

from __future__ import annotations

import html
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from areas import queries
from areas.cli import DEMO
from core import uploads
from tests import doors, makers
from tests.areas.provinces import JULY, JUNE, boundary, dong_thap
from tests.areas.provinces import load as load_directly
from tests.doors import answered, counts, refused

SQUARE = [[[105.0, 10.0], [105.1, 10.0], [105.1, 10.1], [105.0, 10.1], [105.0, 10.0]]]
BOWTIE = [[[105.0, 10.0], [105.1, 10.1], [105.1, 10.0], [105.0, 10.1], [105.0, 10.0]]]
GIVEN = {
    "level": "commune",
    "province_code": "82",
    "province_name": "Tỉnh A",
    "valid_from": "2025-07-01",
}


def feature(code: str = "1", coordinates: Any = SQUARE, **more: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": {"code": code, "name": f"Xã {code}", **more.pop("properties", {})},
        "geometry": {"type": more.pop("kind", "Polygon"), "coordinates": coordinates},
        **more,
    }


def collection(*features: Any) -> str:
    return json.dumps({"type": "FeatureCollection", "features": list(features)})


def look(client: FlaskClient, content: str | bytes, name: str = "xa.geojson", **given: str):
    data = content.encode() if isinstance(content, str) else content
    return client.post(
        "/areas/load?lang=en", data={**GIVEN, **given, "file": (io.BytesIO(data), name)}
    )


def token_of(response) -> str:
    found = re.search(r'action="/areas/load/([0-9a-f]{32})"', response.get_data(as_text=True))
    assert found, response.get_data(as_text=True)[:3000]
    return found[1]


def keep(client: FlaskClient, response, **given: str):
    return client.post(
        f"/areas/load/{token_of(response)}?lang=en", data={**GIVEN, "keep": "1", **given}
    )


@pytest.fixture
def admin(app: Flask, session: Session) -> FlaskClient:
    return doors.client_of(app, session, makers.user(session, "admin"))


def test_an_administrator_looks_first_and_then_loads(admin: FlaskClient, session: Session) -> None:
    before = counts(session)
    looked = look(admin, DEMO.read_bytes(), synthetic="1")
    assert looked.status_code == 200
    page = looked.get_data(as_text=True)
    assert "What loading would do" in page
    assert "Xã Thường Phước" in page
    assert counts(session) == before
    done = keep(admin, looked, synthetic="1")
    assert "The areas were loaded" in done.get_data(as_text=True)
    assert counts(session)["area"] == 103
    assert "Synthetic boundaries" in admin.get("/areas?lang=en").get_data(as_text=True)
    # The file is gone once it is loaded.
    again = admin.post(f"/areas/load/{token_of(looked)}", data={**GIVEN, "keep": "1"})
    assert again.status_code == 404


def test_the_api_lists_what_was_loaded(admin: FlaskClient, session: Session) -> None:
    dong_thap(session)
    session.commit()
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


BAD: list[str | bytes] = [
    b"",
    b"{",
    b"[]",
    b'{"type":"FeatureCollection"}',
    collection(),
    collection(1),
    collection(feature(code="")),
    collection(feature(code="x" * 21)),
    collection(feature("1"), feature("1")),
    collection(feature(kind="Point", coordinates=[105, 10])),
    collection(feature(coordinates=[[[10, 105], [10, 106], [11, 106], [10, 105]]])),
    collection(feature(coordinates=BOWTIE)),
    collection(feature("1"), {**feature("2"), "geometry": None}),
    ('{"type":"FeatureCollection","features":[' + "[" * 100_000).encode(),
]


@pytest.mark.parametrize("content", BAD, ids=range(len(BAD)))
def test_a_file_that_is_not_right_loads_nothing(
    admin: FlaskClient, session: Session, content: str | bytes
) -> None:
    before = counts(session)
    response = look(admin, content)
    assert response.status_code in {400, 413, 415, 422}, response.status_code
    page = html.unescape(response.get_data(as_text=True))
    assert 'role="alert"' in page
    assert "Tỉnh A" in page
    assert counts(session) == before


def test_every_wrong_feature_is_named_with_its_place(admin: FlaskClient) -> None:
    content = collection(feature("1"), feature("2", BOWTIE), feature(""))
    page = html.unescape(look(admin, content).get_data(as_text=True))
    assert "feature 2 (Xã 2)" in page
    assert "crosses itself near 105.05 10.05" in page
    assert "feature 3" in page


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"province_code": ""}, 422),
        ({"province_name": "  "}, 422),
        ({"valid_from": ""}, 422),
        ({"valid_from": "01/07/2025"}, 422),
        ({"valid_from": "2025-13-01"}, 422),
        ({"valid_to": "x"}, 422),
        ({"valid_from": "2999-01-01"}, 422),
        ({"level": "village"}, 422),
        ({"srid": "abc"}, 422),
        ({"srid": "999999"}, 422),
        ({"code_column": "nothing"}, 422),
        ({"layer": "nothing"}, 422),
        ({"province_code": "a\x00"}, 422),
        ({"province_name": "a\x00"}, 422),
        ({"source": "a\x00"}, 422),
    ],
)
def test_wrong_fields_load_nothing(
    admin: FlaskClient, session: Session, given: dict[str, str], status: int
) -> None:
    before = counts(session)
    assert look(admin, collection(feature()), **given).status_code == status
    assert counts(session) == before


def test_a_missing_file_is_named(admin: FlaskClient, session: Session) -> None:
    before = counts(session)
    assert admin.post("/areas/load", data=GIVEN).status_code == 422
    assert counts(session) == before


def test_where_the_guess_fails_the_columns_are_chosen_on_the_page(admin: FlaskClient) -> None:
    odd = feature(properties={"id_moi": "28249", "nhan": "Phường Đạo Thạnh"})
    del odd["properties"]["code"], odd["properties"]["name"]
    response = look(admin, collection(odd))
    assert response.status_code == 422
    page = response.get_data(as_text=True)
    assert '<option value="id_moi">' in page
    chosen = {"code_column": "id_moi", "name_column": "nhan"}
    token = token_of(response)
    looked = admin.post(f"/areas/load/{token}?lang=en", data={**GIVEN, **chosen})
    assert looked.status_code == 200
    assert "Phường Đạo Thạnh" in looked.get_data(as_text=True)
    assert keep(admin, looked, **chosen).status_code == 200
    assert answered(admin.get("/api/v1/areas/commune/28249"), 200)["name"] == "Phường Đạo Thạnh"


def test_a_file_can_be_forgotten_and_is_nobody_elses(
    app: Flask, admin: FlaskClient, session: Session
) -> None:
    token = token_of(look(admin, collection(feature())))
    other = doors.client_of(app, session, makers.user(session, "admin"))
    assert other.post(f"/areas/load/{token}", data={**GIVEN, "keep": "1"}).status_code == 404
    assert admin.post(f"/areas/load/{token}", data={"cancel": "1"}).status_code == 302
    assert admin.post(f"/areas/load/{token}", data={**GIVEN, "keep": "1"}).status_code == 404
    for bad in ("0" * 32, "..", "a" * 31):
        assert admin.post(f"/areas/load/{bad}", data=GIVEN).status_code == 404


def test_files_that_nobody_confirmed_are_removed_after_a_day(
    admin: FlaskClient, monkeypatch
) -> None:
    first = token_of(look(admin, collection(feature())))
    monkeypatch.setattr(uploads, "KEPT_SECONDS", -1)
    look(admin, collection(feature()))
    assert admin.post(f"/areas/load/{first}", data=GIVEN).status_code == 404


def test_the_look_shows_the_towers_that_would_move(admin: FlaskClient, session: Session) -> None:
    makers.tower(session, code="T-1", latitude=10.05, longitude=105.05)
    session.commit()
    looked = look(admin, collection(feature()))
    page = looked.get_data(as_text=True)
    assert "Towers that move" in page
    assert "T-1" in page
    assert "outside the territory" in page
    done = keep(admin, looked).get_data(as_text=True)
    link = re.search(r'href="(/towers/reassignments/[0-9a-f-]+\.csv)"', done)
    assert link, done
    listed = admin.get(f"{link[1]}?lang=en")
    assert listed.mimetype == "text/csv"
    lines = listed.get_data(as_text=True).splitlines()
    assert lines[1] == "T-1,Trạm Thử Nghiệm,,outside the territory,1,Xã 1,"


# Lists and pages of a day


@pytest.fixture
def province(session: Session) -> Session:
    dong_thap(session, reform=True)
    session.commit()
    return session


def test_the_list_of_today_and_of_another_day(admin: FlaskClient, province: Session) -> None:
    page = admin.get("/areas?lang=en&q=dao thanh").get_data(as_text=True)
    assert "Phường Đạo Thạnh" in page
    assert "Xã Đạo Thạnh" not in page
    page = admin.get("/areas?lang=en&q=dao thanh&on=2025-06-30").get_data(as_text=True)
    assert "Xã Đạo Thạnh" in page
    assert "Thành phố Mỹ Tho, Tỉnh Tiền Giang" in page
    page = admin.get("/areas?lang=en&level=district&on=2025-06-30").get_data(as_text=True)
    assert "23 areas" in page
    assert "No area matches" in admin.get("/areas?lang=en&level=district").get_data(as_text=True)
    for odd in ("x", "", "0000-00-00"):
        assert admin.get("/areas", query_string={"on": odd, "level": odd}).status_code == 200


def test_a_page_for_each_area(admin: FlaskClient, province: Session) -> None:
    new = queries.area_by_code(province, "commune", "28249")
    old = queries.area_by_code(province, "commune", "28249", on=JUNE)
    makers.tower(province, code="T-1", commune=new, former_commune_id=old.id)
    province.commit()
    page = admin.get(f"/areas/{new.id}?lang=en").get_data(as_text=True)
    assert "since 01/07/2025" in page
    assert "Xã Đạo Thạnh, Thành phố Mỹ Tho, Tỉnh Tiền Giang" in page
    assert 'href="/towers?commune=28249">1</a>' in page
    assert f'src="/map/area/{new.id}"' in page
    page = admin.get(f"/areas/{old.id}?lang=en").get_data(as_text=True)
    assert "until 30/06/2025" in page
    assert "Phường Đạo Thạnh, Tỉnh Đồng Tháp" in page
    assert "as a whole" in page
    assert "/map/area/" not in page
    district = queries.area_by_code(province, "district", "815", on=JUNE)
    assert "Phường 5" in admin.get(f"/areas/{district.id}").get_data(as_text=True)
    for nowhere in (999_999, 2**31, 10**30):
        assert admin.get(f"/areas/{nowhere}").status_code == 404


def test_the_map_of_an_area_is_a_constant_shell(admin: FlaskClient, session: Session) -> None:
    one = makers.commune(session, name=makers.CANARY)
    two = makers.commune(session)
    session.commit()
    first, second = (admin.get(f"/map/area/{area.id}") for area in (one, two))
    assert first.data == second.data
    document = json.loads(admin.get(f"/map/areas/{one.id}.geojson").data)
    assert [each["properties"]["name"] for each in document["features"]] == [makers.CANARY]
    assert admin.get("/map/areas/999999.geojson").status_code == 404


# API


def test_the_api_answers_for_a_day(admin: FlaskClient, province: Session) -> None:
    body = answered(admin.get("/api/v1/areas?on=2025-05-01&level=province"), 200)
    assert [(one["code"], one["name"]) for one in body["items"]] == [
        ("82", "Tỉnh Tiền Giang"),
        ("87", "Tỉnh Đồng Tháp"),
    ]
    old = answered(admin.get("/api/v1/areas/commune/28249?on=2025-05-01"), 200)
    assert (old["name"], old["valid_from"], old["valid_to"]) == ("Phường 5", None, "2025-06-30")
    assert old["parent"]["name"] == "Thành phố Mỹ Tho"
    assert old["province"] == "82"
    (heir,) = old["successors"]
    assert (heir["area"]["name"], heir["whole"], heir["main"]) == ("Phường Đạo Thạnh", True, True)
    new = answered(admin.get("/api/v1/areas/commune/28249"), 200)
    assert new["valid_from"] == "2025-07-01"
    assert len(new["predecessors"]) == 3
    refused(admin.get("/api/v1/areas/commune/28252"), 404)
    refused(admin.get("/api/v1/areas?on=yesterday"), 422)
    none = json.loads(admin.get("/api/v1/areas/boundaries?on=2025-05-01").data)
    assert none["features"] == []


def test_the_api_matches_texts(admin: FlaskClient, province: Session) -> None:
    def matched(**query: str) -> list[str]:
        body = answered(admin.get("/api/v1/areas/match", query_string=query), 200)
        return [one["name"] for one in body["areas"]]

    assert matched(text="28249") == ["Phường Đạo Thạnh", "Phường 5"]
    assert matched(text="28249", on="2025-06-30") == ["Phường 5"]
    assert len(matched(text="xa tan phu", on="2025-06-30")) == 4
    assert len(matched(text="xa tan phu", on="2025-06-30", within="TX Cai Lậy")) == 1
    assert matched(text="Không Có") == []
    refused(admin.get("/api/v1/areas/match"), 422)


def test_before_any_load_the_page_says_what_to_do(admin: FlaskClient) -> None:
    page = admin.get("/areas?lang=en").get_data(as_text=True)
    assert 'href="/areas/load"' in page
    assert 'name="file"' in admin.get("/areas/load").get_data(as_text=True)
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
    assert "feature 2 (Xã 1)" in result.output
    assert "Traceback" not in result.output
    result = runner.invoke(args=["areas", "load", str(good), *options, "--valid-from", "x"])
    assert result.exit_code == 2
    result = runner.invoke(args=["areas", "load", str(good), *options, "--dry-run"])
    assert result.exit_code == 0
    assert "new: 1 Xã 1" in result.output
    assert counts(session) == before
    result = runner.invoke(args=["areas", "load", str(good), *options])
    assert result.exit_code == 0, result.output
    assert "1 areas: 1 new, 0 changed" in result.output
    assert counts(session)["area"] == 2


def test_columns_are_chosen_by_options(app: Flask, session: Session, tmp_path: Path) -> None:
    odd = feature(properties={"id_moi": "7", "nhan": "Xã Bảy"})
    del odd["properties"]["code"], odd["properties"]["name"]
    file = tmp_path / "xa.geojson"
    file.write_text(collection(odd), encoding="utf-8")
    runner = app.test_cli_runner()
    options = ["areas", "load", str(file), "--province-code", "82", "--province-name", "A"]
    result = runner.invoke(args=options)
    assert result.exit_code == 1
    assert "id_moi, nhan" in result.output
    result = runner.invoke(args=[*options, "--code-column", "id_moi", "--name-column", "nhan"])
    assert result.exit_code == 0, result.output
    assert queries.area_by_code(session, "commune", "7", on=JULY).name == "Xã Bảy"


def test_the_reform_is_loaded_by_a_command(app: Flask, session: Session) -> None:
    runner = app.test_cli_runner()
    result = runner.invoke(args=["areas", "reform"])
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    load_directly(session, boundary("28249", "Phường Đạo Thạnh"))
    session.commit()
    assert runner.invoke(args=["areas", "reform"]).exit_code == 1
    result = runner.invoke(args=["areas", "demo"])
    assert result.exit_code == 0, result.output
    assert "102 communes" in result.output
    result = runner.invoke(args=["areas", "reform"])
    assert result.exit_code == 0, result.output
    assert "305 communes" in result.output
    assert "6 pairs were left out" in result.output
