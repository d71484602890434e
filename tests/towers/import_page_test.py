"""The import page: look first, then write all, the good rows, or nothing."""

from __future__ import annotations

import html
import io
import re
from pathlib import Path

import numpy as np
import openpyxl
import pyogrio.raw
import pytest
import shapely
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.geo import Position, to_position
from tests import doors, makers
from tests.doors import counts
from tests.towers.imported import kept
from towers.coordinate_systems import from_wgs84, system
from towers.models import Tower

HEAD = "code,name,structure_type,height_m,latitude,longitude,owner\n"
GOOD = HEAD + "A-1,Một,monopole,30,10.5,105.5,Viettel\nA-2,Hai,guyed_mast,42.5,10.6,105.6,\n"
MIXED = GOOD + "A-3,Ba,ladder,30,10.5,105.7,\nA-4,Bốn,monopole,30,95,105.7,\n"


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    return doors.client_of(app, session, makers.user(session, "staff"))


def upload(client: FlaskClient, content: str | bytes, name: str = "danh-sach.csv"):
    data = content.encode() if isinstance(content, str) else content
    return client.post("/towers/import", data={"file": (io.BytesIO(data), name)})


def uploaded(client: FlaskClient, content: str | bytes, name: str = "danh-sach.csv") -> str:
    """The address of the page of a list that was taken."""
    answer = upload(client, content, name)
    assert answer.status_code == 303, answer.get_data(as_text=True)
    return answer.headers["Location"]


def choices(page: str) -> dict[str, str]:
    """What the form of the columns would send as it stands."""
    found = dict(re.findall(r'<input type="hidden" name="(version)" value="(\d+)"', page))
    for name, options in re.findall(r'<select[^>]+name="([\w-]+)">(.*?)</select>', page, re.S):
        chosen = re.search(r'value="([^"]*)" selected', options)
        found[name] = chosen[1] if chosen else ""
    return found


def checked(client: FlaskClient, content: str | bytes, name: str = "danh-sach.csv") -> str:
    """Upload a list and check it with the columns as guessed; returns the address of its page."""
    address = uploaded(client, content, name)
    form = choices(text_of(client, address))
    answer = client.post(f"{address}/columns", data=form)
    assert answer.status_code == 303, answer.get_data(as_text=True)
    return address


def text_of(client: FlaskClient, address: str) -> str:
    return html.unescape(client.get(address).get_data(as_text=True))


def imported(client: FlaskClient, address: str, **options: str):
    return client.post(f"{address}/import", data=options)


def test_a_check_writes_nothing_and_an_import_writes_it(
    staff: FlaskClient, session: Session
) -> None:
    before = kept(session)
    address = checked(staff, GOOD)
    page = text_of(staff, address)
    assert '<div class="figure">2</div>' in page
    assert kept(session) == before
    assert imported(staff, address).status_code == 303
    session.commit()
    assert set(session.scalars(select(Tower.code))) == {"A-1", "A-2"}
    assert "/towers" in text_of(staff, address)
    # It is imported once.
    assert imported(staff, address).status_code == 409
    before = kept(session)
    again = checked(staff, GOOD)
    assert 'name="good_rows"' not in text_of(staff, again)
    assert kept(session) == before


def test_a_cancelled_import_leaves_nothing(staff: FlaskClient, session: Session) -> None:
    before = kept(session)
    address = checked(staff, GOOD)
    assert staff.post(f"{address}/cancel").status_code == 303
    assert kept(session) == before
    # It may be taken up again where it was left.
    assert imported(staff, address).status_code == 303
    session.commit()
    assert session.scalar(select(Tower.code).where(Tower.code == "A-1"))
    assert staff.post(f"{address}/cancel").status_code == 409


def test_wrong_rows_are_named_and_only_the_good_ones_are_taken_when_asked(
    staff: FlaskClient, session: Session
) -> None:
    before = kept(session)
    address = checked(staff, MIXED)
    page = text_of(staff, address)
    for text in ("ladder", "95", 'data-label="Dòng">4<', ">5<"):
        assert text in page, text
    refused = imported(staff, address)
    assert refused.status_code == 422
    assert kept(session) == before
    assert imported(staff, address, good_rows="1").status_code == 303
    session.commit()
    assert set(session.scalars(select(Tower.code))) == {"A-1", "A-2"}


def test_the_row_report_has_the_original_rows_and_their_reasons(staff: FlaskClient) -> None:
    address = checked(staff, MIXED)
    answer = staff.get(f"{address}/report.xlsx")
    sheet = openpyxl.load_workbook(io.BytesIO(answer.data)).active
    rows = [[cell or "" for cell in row] for row in sheet.iter_rows(values_only=True)]
    assert rows[0][3:] == HEAD.strip().split(",")
    assert [row[0] for row in rows[1:]] == [4, 5]
    assert rows[1][3:7] == ["A-3", "Ba", "ladder", "30"]
    assert "ladder" in rows[1][2] and "95" in rows[2][2]
    # Mended, the same file can be taken again: its own columns in front are no fields.
    mended = staff.get(f"{address}/report.xlsx").data
    page = text_of(staff, uploaded(staff, mended, "report.xlsx"))
    assert choices(page)["column-3"] == "code"


def test_columns_can_be_corrected_and_kept_under_a_name(
    staff: FlaskClient, session: Session
) -> None:
    odd = "Ký hiệu riêng,Vĩ độ,Kinh độ\nA-1,10.5,105.5\n"
    address = uploaded(staff, odd)
    page = text_of(staff, address)
    form = choices(page)
    assert (form["column-0"], form["column-1"]) == ("", "latitude")
    before = kept(session)
    assert staff.post(f"{address}/columns", data=form).status_code == 422
    for wrong in ("latitude", "no_such", "latitude:degrees", "x:y"):
        refused = staff.post(f"{address}/columns", data={**form, "column-0": wrong})
        assert refused.status_code == 422, wrong
    refused = staff.post(f"{address}/columns", data={**form, "column-0": "code", "srid": "1"})
    assert refused.status_code == 422
    assert kept(session) == before
    answer = staff.post(
        f"{address}/columns", data={**form, "column-0": "code", "save_as": "Danh sách sở"}
    )
    assert answer.status_code == 303
    other = uploaded(staff, odd.replace("A-1", "A-2"))
    assert "Danh sách sở" in text_of(staff, other)
    chosen = choices(text_of(staff, f"{other}?mapping=Danh sách sở"))
    assert chosen["column-0"] == "code"
    assert "Danh sách sở" not in text_of(staff, uploaded(staff, GOOD))


@pytest.mark.parametrize("srid", [4131, 3857, 32647, 9210])
def test_a_list_stays_in_the_system_that_its_file_names(
    staff: FlaskClient, session: Session, tmp_path: Path, srid: int
) -> None:
    here = Position(10.46, 105.63)
    path = tmp_path / "a.gpkg"
    pyogrio.raw.write(
        path,
        geometry=np.array([shapely.Point(from_wgs84(here, system(srid))).wkb], dtype=object),
        field_data=[np.array(["A-1"], dtype=object)],
        fields=["code"],
        geometry_type="Point",
        crs=f"EPSG:{srid}",
        driver="GPKG",
    )
    address = checked(staff, path.read_bytes(), "a.gpkg")
    assert choices(text_of(staff, address))["srid"] == str(srid)
    assert imported(staff, address).status_code == 303
    session.commit()
    tower = session.scalars(select(Tower).where(Tower.code == "A-1")).one()
    assert tower.source_srid == srid
    there = to_position(tower.geom)
    assert abs(there.latitude - here.latitude) < 1e-6
    assert abs(there.longitude - here.longitude) < 1e-6


def test_any_other_system_is_chosen_by_its_code(staff: FlaskClient, session: Session) -> None:
    address = uploaded(staff, HEAD + "A-1,Một,monopole,30,10.5,105.5,\n")
    form = choices(text_of(staff, address))
    before = kept(session)
    without = {name: value for name, value in form.items() if name != "srid"}
    for wrong in (
        without,
        {**form, "srid": ""},
        {**form, "srid": "x"},
        {**form, "other_srid": "VN"},
        {**form, "other_srid": "١٢٣٤"},
        {**form, "other_srid": "-4131"},
        {**form, "other_srid": "99999999999"},
    ):
        refused = staff.post(f"{address}/columns", data=wrong)
        assert refused.status_code == 422
        assert "hoặc nhập mã EPSG" in html.unescape(refused.get_data(as_text=True)), wrong
    for unknown in ("1", "5773"):
        refused = staff.post(f"{address}/columns", data={**form, "other_srid": unknown})
        assert refused.status_code == 422
        said = html.unescape(refused.get_data(as_text=True))
        assert f"EPSG:{unknown} không phải là hệ tọa độ" in said
    assert kept(session) == before
    for given in ("4131", " EPSG: 4131 "):
        answer = staff.post(f"{address}/columns", data={**form, "other_srid": given})
        assert answer.status_code == 303
        page = text_of(staff, address)
        form = choices(page)
        assert form["srid"] == "4131"
        assert "Indian 1960 (EPSG:4131)" in page


def test_two_people_cannot_go_on_with_one_list_unawares(staff: FlaskClient) -> None:
    address = uploaded(staff, GOOD)
    form = choices(text_of(staff, address))
    assert staff.post(f"{address}/columns", data=form).status_code == 303
    assert staff.post(f"{address}/columns", data=form).status_code == 409


def test_a_sheet_is_chosen_where_there_are_several(staff: FlaskClient, session: Session) -> None:
    book = openpyxl.Workbook()
    for title, lines in (("Trạm", GOOD), ("Trạm cũ", GOOD.replace("A-", "B-"))):
        sheet = book.create_sheet(title)
        for line in lines.strip().split("\n"):
            sheet.append(line.split(","))
    out = io.BytesIO()
    book.save(out)
    address = uploaded(staff, out.getvalue(), "a.xlsx")
    assert 'name="column-0"' not in text_of(staff, address)
    assert staff.post(f"{address}/check").status_code == 422
    assert staff.post(f"{address}/part", data={"part": "Không có"}).status_code == 422
    assert staff.post(f"{address}/part", data={"part": "Trạm"}).status_code == 303
    form = choices(text_of(staff, address))
    assert staff.post(f"{address}/columns", data=form).status_code == 303
    assert imported(staff, address).status_code == 303
    session.commit()
    assert set(session.scalars(select(Tower.code))) == {"A-1", "A-2"}


def test_a_list_is_seen_by_those_who_see_the_whole_register(
    app: Flask, staff: FlaskClient, session: Session
) -> None:
    address = checked(staff, GOOD)
    colleague = doors.client_of(app, session, makers.user(session, "staff"))
    assert colleague.get(address).status_code == 200
    assert "danh-sach.csv" in text_of(colleague, "/towers/imports")
    commune = makers.commune(session)
    local = doors.client_of(app, session, makers.user(session, "staff", territories=[commune]))
    assert local.get(address).status_code == 404
    assert "danh-sach.csv" not in text_of(local, "/towers/imports")
    for end in ("state.json", "points.json", "report.xlsx"):
        assert local.get(f"{address}/{end}").status_code == 404
    before = kept(session)
    for end in ("columns", "check", "import", "cancel", "undo", "part"):
        assert local.post(f"{address}/{end}").status_code == 404
    assert kept(session) == before


def test_the_map_shows_what_becomes_of_the_rows(staff: FlaskClient, session: Session) -> None:
    makers.tower(session, code="A-1", name="Cũ", latitude=10.5, longitude=105.5)
    session.commit()
    points = staff.get(f"{checked(staff, GOOD)}/points.json").get_json()
    verdicts = {
        one["properties"]["code"]: one["properties"]["verdict"] for one in points["features"]
    }
    assert verdicts == {"A-1": "changed", "A-2": "new"}
    assert points["total"] == 2
    assert staff.get(f"{uploaded(staff, GOOD)}/points.json").status_code == 404


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", b""),
        ("x.csv", b"\x00\x01\x02"),
        ("x.csv", b"\n\n\n"),
        ("x.csv", HEAD.encode()),
        ("x.csv", b"\xff\xfeabc"),
        ("x.csv", HEAD.encode() + b'"' + b"x" * 200_000),
        ("x.geojson", b"{}"),
        ("x.geojson", b"["),
        ("x.geojson", b'{"type":"FeatureCollection","features":[]}'),
        ("x.geojson", b'{"type":"FeatureCollection","features":[1]}'),
        ("x.geojson", b'{"type":"FeatureCollection","features":[{"geometry":{"type":"Point",'
                      b'"coordinates":[NaN,1]},"properties":{"code":"A"}}]}'),
        ("x.geojson", b"[" * 100_000),
        ("x.xlsx", b"PK\x03\x04"),
        ("x.exe", b"MZ"),
        ("x", b"code"),
        ("../../x.php", GOOD.encode()),
        ("", GOOD.encode()),
    ],
    ids=range(17),
)  # fmt: skip
def test_a_file_that_is_no_list_is_refused_in_words(
    staff: FlaskClient, session: Session, name: str, content: bytes
) -> None:
    before = counts(session)
    response = upload(staff, content, name)
    assert 400 <= response.status_code < 500, response.status_code
    page = response.get_data(as_text=True)
    assert 'role="alert"' in page
    assert 'name="file"' in page
    assert counts(session) == before


def test_a_list_without_positions_stops_at_its_columns(
    staff: FlaskClient, session: Session
) -> None:
    before = kept(session)
    address = uploaded(staff, "name\nx\n")
    refused = staff.post(f"{address}/columns", data=choices(text_of(staff, address)))
    assert refused.status_code == 422
    assert 'class="wrong-summary"' in refused.get_data(as_text=True)
    assert kept(session) == before


def test_two_columns_of_one_meaning_are_named_and_one_is_taken(staff: FlaskClient) -> None:
    address = uploaded(staff, "code,mã,latitude,longitude\nA,B,10,105\n")
    page = text_of(staff, address)
    assert "mã" in page[page.index('class="wrong-summary"') :][:300]
    assert (choices(page)["column-0"], choices(page)["column-1"]) == ("code", "")


@pytest.mark.parametrize(
    "row",
    [
        "A-9,x,monopole,1e5,10.5,105.5,",
        "A-9,x,monopole,30,10.5",
        "A-9,x,monopole,30,10.5,105.5,v,surplus",
        "new,x,monopole,30,10.5,105.5,",
        "A-9,{{31337*31337}}<script>alert(1)</script>,ladder,30,10.5,105.5,",
        "A-9,x,monopole,30,0,0,",
        "A-9,x,monopole,30,105.5,10.5,",
        "A-9,x,monopole,30,1156000,565000,",
        "A-9," + "x" * 301 + ",monopole,30,10.5,105.5,",
        "A-9,x,monopole,30,10.5,105.5," + "y" * 301,
        "A-1,x,monopole,30,10.5,105.5,",
        "A-9,x,monopole,30,NaN,inf,",
    ],
)
def test_a_wrong_row_stops_the_list(staff: FlaskClient, session: Session, row: str) -> None:
    before = kept(session)
    address = checked(staff, GOOD + row + "\n")
    text = staff.get(address).get_data(as_text=True)
    assert "982007569" not in text
    assert "<script>alert(1)" not in text
    assert imported(staff, address).status_code == 422
    assert kept(session) == before


@pytest.mark.parametrize("year", ["020001", "0200099", "1899", "99999999999999", "２０１２", "x"])
def test_a_wrong_year_is_a_wrong_row(staff: FlaskClient, session: Session, year: str) -> None:
    before = kept(session)
    address = checked(staff, f"code,latitude,longitude,built_year\nA,10.5,105.5,{year}\n")
    assert imported(staff, address).status_code == 422
    assert kept(session) == before


def test_without_a_file_the_page_says_so(staff: FlaskClient) -> None:
    for data in ({}, {"file": "text"}):
        response = staff.post("/towers/import", data=data)
        assert response.status_code == 422
        assert 'role="alert"' in response.get_data(as_text=True)


def test_a_script_gets_the_reason_as_json(staff: FlaskClient) -> None:
    wanted = {"Accept": "application/json"}
    taken = staff.post(
        "/towers/import", data={"file": (io.BytesIO(GOOD.encode()), "a.csv")}, headers=wanted
    )
    assert taken.get_json()["address"].startswith("/towers/imports/")
    refused = staff.post(
        "/towers/import", data={"file": (io.BytesIO(b""), "a.csv")}, headers=wanted
    )
    assert refused.status_code == 422
    assert refused.get_json()["detail"]


def test_staff_of_one_commune_cannot_import(app: Flask, session: Session) -> None:
    commune = makers.commune(session)
    client = doors.client_of(app, session, makers.user(session, "staff", territories=[commune]))
    before = counts(session)
    assert upload(client, GOOD).status_code == 422
    assert counts(session) == before
