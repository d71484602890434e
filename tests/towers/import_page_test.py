"""The import page: look first, then write all, the good rows, or nothing."""

from __future__ import annotations

import html
import io
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.settings import Settings
from tests import doors, makers
from tests.doors import counts
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


def token_of(page: str) -> str:
    return re.findall(r'action="/towers/import/([0-9a-f]{32})"', page)[0]


def test_a_preview_writes_nothing_and_a_confirmation_writes_it(
    staff: FlaskClient, session: Session
) -> None:
    before = counts(session)
    page = upload(staff, GOOD).get_data(as_text=True)
    assert "A-1" in page
    assert counts(session) == before
    done = staff.post(f"/towers/import/{token_of(page)}")
    assert done.status_code == 200
    session.commit()
    assert set(session.scalars(select(Tower.code))) == {"A-1", "A-2"}
    # A second confirmation finds nothing to confirm.
    assert staff.post(f"/towers/import/{token_of(page)}").status_code == 404
    again = upload(staff, GOOD).get_data(as_text=True)
    before = counts(session)
    staff.post(f"/towers/import/{token_of(again)}")
    assert counts(session) == before


def test_a_cancelled_import_leaves_nothing(
    staff: FlaskClient, session: Session, settings: Settings
) -> None:
    before = counts(session)
    token = token_of(upload(staff, GOOD).get_data(as_text=True))
    response = staff.post(f"/towers/import/{token}", data={"cancel": "1"})
    assert response.headers["Location"] == "/towers/import"
    assert counts(session) == before
    assert staff.post(f"/towers/import/{token}").status_code == 404
    assert not any(token in path.name for path in (settings.instance / "uploads").iterdir())


def test_wrong_rows_are_named_and_only_the_good_ones_are_taken_when_asked(
    staff: FlaskClient, session: Session
) -> None:
    before = counts(session)
    page = html.unescape(upload(staff, MIXED).get_data(as_text=True))
    for text in ("ladder", "95", 'data-label="Dòng">4<', ">5<"):
        assert text in page, text
    token = token_of(page)
    refused = staff.post(f"/towers/import/{token}")
    assert refused.status_code == 422
    assert counts(session) == before
    done = staff.post(f"/towers/import/{token}", data={"good_rows": "1"})
    assert done.status_code == 200
    session.commit()
    assert set(session.scalars(select(Tower.code))) == {"A-1", "A-2"}


def test_the_upload_of_somebody_else_cannot_be_confirmed(
    app: Flask, staff: FlaskClient, session: Session
) -> None:
    token = token_of(upload(staff, GOOD).get_data(as_text=True))
    other = doors.client_of(app, session, makers.user(session, "staff"))
    before = counts(session)
    for wrong in (token, "0" * 32, "../x", "x", token.upper()):
        assert other.post(f"/towers/import/{wrong}").status_code == 404
    assert counts(session) == before


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", b""),
        ("x.csv", b"\x00\x01\x02"),
        ("x.csv", b"\n\n\n"),
        ("x.csv", b"name\nx\n"),
        ("x.csv", b"code,code,latitude,longitude\n"),
        ("x.csv", b"\xff\xfeabc"),
        ("x.csv", HEAD.encode() + b'"' + b"x" * 200_000),
        ("x.geojson", b"{}"),
        ("x.geojson", b"["),
        ("x.geojson", b'{"type":"FeatureCollection","features":[]}'),
        ("x.geojson", b'{"type":"FeatureCollection","features":[1]}'),
        ("x.geojson", b"[" * 100_000),
        ("x.geojson", b'{"type":"FeatureCollection","features":[{"geometry":{"type":"Point",'
                      b'"coordinates":[NaN,1]},"properties":{"code":"A"}}]}'),
        ("x.xlsx", b"PK\x03\x04"),
        ("x.exe", b"MZ"),
        ("x", b"code"),
        ("../../x.php", GOOD.encode()),
        ("", GOOD.encode()),
    ],
    ids=range(18),
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
    before = counts(session)
    page = upload(staff, GOOD + row + "\n")
    assert page.status_code == 200
    text = page.get_data(as_text=True)
    assert "982007569" not in text
    assert "<script>alert(1)" not in text
    assert staff.post(f"/towers/import/{token_of(text)}").status_code == 422
    assert counts(session) == before


@pytest.mark.parametrize("year", ["020001", "0200099", "1899", "99999999999999", "２０１２", "x"])
def test_a_wrong_year_is_a_wrong_row(staff: FlaskClient, session: Session, year: str) -> None:
    before = counts(session)
    content = f"code,latitude,longitude,built_year\nA,10.5,105.5,{year}\n"
    page = upload(staff, content)
    assert page.status_code == 200
    assert staff.post(f"/towers/import/{token_of(page.get_data(as_text=True))}").status_code == 422
    assert counts(session) == before


def test_without_a_file_the_page_says_so(staff: FlaskClient) -> None:
    for data in ({}, {"file": "text"}):
        response = staff.post("/towers/import", data=data)
        assert response.status_code == 422
        assert 'role="alert"' in response.get_data(as_text=True)


def test_staff_of_one_commune_cannot_import(app: Flask, session: Session) -> None:
    commune = makers.commune(session)
    client = doors.client_of(app, session, makers.user(session, "staff", territories=[commune]))
    before = counts(session)
    assert upload(client, GOOD).status_code == 422
    assert counts(session) == before
