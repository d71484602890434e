"""The follow-up list as CSV, XLSX and GeoJSON: the rows of the screen, safe elsewhere."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import uuid
from datetime import date, datetime, timedelta
from typing import Any

import openpyxl
import pyogrio
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.policy import SYSTEM
from inspections.models import ChecklistVersion, Violation
from inspections.services import condition
from inspections.services.assessments import request_assessment
from tests import doors, makers
from tests.conftest import Note
from tests.doors import answered

SEVERITIES = ("critical", "major", "minor")
ITEMS = {"critical": "str_leg_defect", "major": "clb_ladder", "minor": "sit_fence"}


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    return doors.client_of(app, session, makers.user(session, "staff"))


def violation(session: Session, tower, severity: str, deadline: date, item: str = "") -> Violation:
    version = session.scalars(select(ChecklistVersion)).one()
    made = Violation(
        id=uuid.uuid4(),
        tower_id=tower.id,
        item_key=item or ITEMS[severity],
        checklist_version_id=version.id,
        severity=severity,
        deadline=deadline,
        found_on=deadline - timedelta(days=30),
        state="open",
    )
    session.add(made)
    session.flush()
    return made


@pytest.fixture
def listing(session: Session) -> None:
    """70 towers, more than a page, late and in time, of all severities; one waits for figures."""
    doors.published(session)
    today = clock.today()
    communes = [
        makers.commune(session, code="90001"),
        makers.commune(session, code="90002", box=(106, 10, 107, 11)),
    ]
    owner = makers.organisation(session, name="Viễn thông, Đồng Tháp")
    for number in range(70):
        tower = makers.tower(
            session,
            code=f"T-{number:03}",
            name=f"Trạm {number}",
            commune=communes[number % 2],
            owner=owner if number % 3 == 0 else None,
            structure_type="monopole" if number % 5 == 0 else "lattice_self_support",
        )
        violation(session, tower, SEVERITIES[number % 3], today + timedelta(days=number - 35))
        condition.refresh(session, tower)
    waiting = makers.tower(session, code="DANH-GIA", height_m=None)
    request_assessment(session, waiting, reason="rung", by=SYSTEM, now=clock.now(), today=today)
    condition.refresh(session, waiting)
    session.commit()


FILTERS: list[dict[str, Any]] = [
    {},
    {"severity": "critical"},
    {"severity": ["critical", "minor"]},
    {"overdue": "1"},
    {"due_within": "10"},
    {"commune": "90002"},
    {"structure_type": "monopole"},
    {"condition": "dangerous"},
    {"condition": "assessment_needed"},
    {"q": "Trạm 1"},
    {"q": "không có gì"},
    {"overdue": "1", "severity": "major", "commune": "90001"},
]


def screen(client: FlaskClient, query: dict[str, Any]) -> list[str]:
    """The codes of all pages of the list as a reader sees them, one after another."""
    seen: list[str] = []
    address: str | None = "/follow-up"
    arguments: dict[str, Any] | None = query
    while address:
        page = client.get(address, query_string=arguments).get_data(as_text=True)
        table = page[page.index("<table") : page.index("</table>")] if "<table" in page else ""
        seen += re.findall(r'href="/towers/([^"/]+)"', table.partition("<tbody>")[2])
        following = re.search(r'rel="next" href="([^"]+)"', page)
        address = following.group(1).replace("&amp;", "&") if following else None
        arguments = None
    return seen


@pytest.mark.parametrize("query", FILTERS, ids=range(len(FILTERS)))
def test_every_form_has_the_rows_of_the_screen(
    staff: FlaskClient, listing: None, query: dict[str, Any]
) -> None:
    shown = screen(staff, query)
    assert len(shown) == len(set(shown))
    assert [row[0] for row in csv_rows(staff, query)[1:]] == shown
    assert [row[0] for row in sheet_rows(staff, query)[1:]] == shown
    features = geojson(staff, query)["features"]
    assert [one["properties"]["code"] for one in features] == shown
    for ending in ("gpkg", "kml"):
        assert [row["code"] for row in layer_rows(staff, ending, query)] == shown
    asked = {**query, "limit": "500"}
    if asked.get("overdue"):
        asked["overdue"] = "true"
    found = answered(staff.get("/api/v1/follow-up", query_string=asked), 200)["items"]
    assert [one["tower"] for one in found] == shown


def test_more_than_a_page_is_exported(staff: FlaskClient, listing: None) -> None:
    assert len(csv_rows(staff, {})) == 72
    assert len(csv_rows(staff, {"cursor": "x", "limit": "1"})) == 72


def csv_rows(client: FlaskClient, query: dict[str, Any]) -> list[list[str]]:
    response = client.get("/follow-up.csv", query_string=query)
    assert response.status_code == 200
    return list(csv.reader(io.StringIO(response.data.decode("utf-8-sig"), newline="")))


def sheet(client: FlaskClient, query: dict[str, Any]):
    response = client.get("/follow-up.xlsx", query_string=query)
    assert response.status_code == 200
    return openpyxl.load_workbook(io.BytesIO(response.data)).active


def sheet_rows(client: FlaskClient, query: dict[str, Any]) -> list[list[Any]]:
    return [[cell.value for cell in row] for row in sheet(client, query).iter_rows()]


def geojson(client: FlaskClient, query: dict[str, Any]) -> dict[str, Any]:
    response = client.get("/follow-up.geojson", query_string=query)
    assert response.status_code == 200
    assert response.mimetype == "application/geo+json"
    return json.loads(response.data)


def layer_rows(client: FlaskClient, ending: str, query: dict[str, Any]) -> list[dict[str, Any]]:
    response = client.get(f"/follow-up.{ending}", query_string=query)
    assert response.status_code == 200
    meta, _, _, columns = pyogrio.raw.read(response.data)
    assert meta["crs"] == "EPSG:4326"
    return [dict(zip(meta["fields"], row, strict=True)) for row in zip(*columns, strict=True)]


def test_layers_have_the_same_texts_as_the_sheet(staff: FlaskClient, listing: None) -> None:
    (row,) = layer_rows(staff, "gpkg", {"q": "T-003", "lang": "en"})
    (same,) = layer_rows(staff, "kml", {"q": "T-003", "lang": "en"})
    assert row["severity"] == same["severity"] == "Critical"
    deadline = clock.today() + timedelta(days=3 - 35)
    assert row["deadline"] == deadline and same["deadline"] == deadline.isoformat()
    assert row["days_overdue"] == same["days_overdue"] == 32


def test_csv_for_excel_and_plain_differ_by_the_mark_alone(
    staff: FlaskClient, listing: None
) -> None:
    excel = staff.get("/follow-up.csv")
    plain = staff.get("/follow-up.csv?plain=1")
    assert excel.data == b"\xef\xbb\xbf" + plain.data
    for response in (excel, plain):
        assert response.mimetype == "text/csv"
        name = f"theo-doi-{clock.today().isoformat()}.csv"
        assert response.headers["Content-Disposition"] == f'attachment; filename="{name}"'


def test_the_page_offers_every_form_with_its_own_filters(staff: FlaskClient, listing: None) -> None:
    page = html.unescape(staff.get("/follow-up?severity=major&q=Tr").get_data(as_text=True))
    offered = set(re.findall(r'href="(/follow-up\.[^"]*)"', page))
    assert {re.split(r"\?", one)[0] for one in offered} == {
        "/follow-up.csv", "/follow-up.geojson", "/follow-up.xlsx", "/follow-up.gpkg",
        "/follow-up.kml", "/follow-up.pdf",
    }  # fmt: skip
    assert sum("plain=1" in one for one in offered) == 1
    assert len(offered) == 7
    for one in offered:
        assert "severity=major" in one and "q=Tr" in one
        assert staff.get(one).status_code == 200


def test_the_columns_are_named_in_the_language_of_the_reader(
    staff: FlaskClient, listing: None
) -> None:
    vietnamese, english = csv_rows(staff, {})[0], csv_rows(staff, {"lang": "en"})[0]
    assert vietnamese[0].startswith("Mã")
    assert english[:3] == ["Tower code", "Tower name", "Condition"]
    assert len(vietnamese) == len(set(vietnamese)) == len(english) == 18
    assert sheet_rows(staff, {})[0][:18] == vietnamese
    assert sheet_rows(staff, {})[0][18:] == [
        "Đã khắc phục (x)",
        "Ngày khắc phục",
        "Ghi chú khắc phục",
    ]
    for ours, theirs in zip(vietnamese, english, strict=True):
        assert ours != theirs
    values = csv_rows(staff, {"severity": "critical"})[1]
    assert "Nghiêm trọng" in values
    assert "Critical" in csv_rows(staff, {"severity": "critical", "lang": "en"})[1]


def test_the_sheet_has_types_a_frozen_header_and_a_filter(
    staff: FlaskClient, listing: None
) -> None:
    made = sheet(staff, {})
    head = [cell.value for cell in made[1]]
    assert made.freeze_panes == "B2"
    assert made.auto_filter.ref == f"A1:{made.cell(1, len(head)).column_letter}{made.max_row}"
    assert made.max_row == 72
    columns = {
        name: [made.cell(line, index + 1) for line in range(2, made.max_row + 1)]
        for index, name in enumerate(head)
    }
    by_english = dict(
        zip(csv_rows(staff, {"lang": "en"})[0], list(columns.values())[:-3], strict=True)
    )
    for name in ("Found on", "Deadline"):
        for cell in by_english[name]:
            assert isinstance(cell.value, datetime), name
            assert cell.number_format == "dd/mm/yyyy"
    for name in ("Days overdue", "Latitude", "Longitude"):
        for cell in by_english[name]:
            assert isinstance(cell.value, int | float), name
    assert by_english["Latitude"][0].value == pytest.approx(10.46)
    assert all(cell.data_type != "f" for cells in columns.values() for cell in cells)


def test_days_overdue_are_counted_from_today(staff: FlaskClient, listing: None) -> None:
    today = clock.today()
    for row in csv_rows(staff, {"lang": "en"})[1:]:
        deadline, late = date.fromisoformat(row[7]), int(row[8])
        assert late == max((today - deadline).days, 0)


DANGEROUS = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "=cmd|' /C calc'!A0", '="a"&"b"']


@pytest.mark.parametrize("name", DANGEROUS)
def test_a_cell_that_would_be_a_formula_is_text(
    staff: FlaskClient, session: Session, name: str, figure: Note
) -> None:
    doors.published(session)
    owner = makers.organisation(session, name=name)
    commune = makers.commune(session, code="90001", name=name)
    tower = makers.tower(session, code="=1+1", name=name, owner=owner, commune=commune)
    violation(session, tower, "critical", clock.today())
    session.commit()
    (row,) = csv_rows(staff, {})[1:]
    running = [cell for cell in row if re.match(r"[=+@\t\r]|-\D", cell)]
    assert row[0] == "'=1+1"
    assert "'" + name in row
    cells = len(row)
    (row,) = list(sheet(staff, {}).iter_rows(min_row=2))
    running += [str(cell.value) for cell in row if cell.data_type == "f"]
    figure("P12", "cells of CSV and XLSX", cells + len(row))
    figure("P12", "cells that would run", len(running), wrong=True)
    assert running == []
    assert all(cell.data_type in {"s", "n", "d"} for cell in row)
    # A carriage return has no place in XML and comes back as a line feed or its escape.
    assert row[0].value == "=1+1"
    if "\r" not in name:
        assert name in [cell.value for cell in row]


def test_negative_numbers_stay_numbers(staff: FlaskClient, session: Session) -> None:
    from core import store

    doors.published(session)
    store.set_value(session, "envelope", [-100, -50, 120, 50], by=SYSTEM, now=clock.now())
    tower = makers.tower(session, latitude=-33.5, longitude=-70.25)
    violation(session, tower, "minor", clock.today())
    session.commit()
    (row,) = csv_rows(staff, {})[1:]
    assert row[-3:-1] == ["-33.5", "-70.25"]
    assert [cell.value for cell in sheet(staff, {})[2]][15:17] == [-33.5, -70.25]


def test_geojson_is_valid(staff: FlaskClient, listing: None) -> None:
    made = geojson(staff, {})
    assert made["type"] == "FeatureCollection"
    assert len(made["features"]) == 71
    for feature in made["features"]:
        assert feature["type"] == "Feature"
        longitude, latitude = feature["geometry"]["coordinates"]
        assert feature["geometry"]["type"] == "Point"
        assert 102 <= longitude <= 118
        assert 7 <= latitude <= 24
        assert date.fromisoformat(feature["properties"]["deadline"])


def test_an_empty_list_is_a_whole_file(staff: FlaskClient, session: Session) -> None:
    doors.published(session)
    assert len(csv_rows(staff, {})) == 1
    assert sheet(staff, {}).max_row == 1
    assert geojson(staff, {})["features"] == []


def test_quotes_commas_and_line_ends_survive(staff: FlaskClient, session: Session) -> None:
    doors.published(session)
    name = 'Trạm "A", số 1\nnhà % 100%s %(x)s :y \\n'
    tower = makers.tower(session, name=name)
    violation(session, tower, "minor", clock.today())
    session.commit()
    assert csv_rows(staff, {})[1][1] == name
    assert sheet_rows(staff, {})[1][1] == name
    assert geojson(staff, {})["features"][0]["properties"]["name"] == name


def test_dismantled_towers_are_left_out_unless_asked_for(
    staff: FlaskClient, session: Session
) -> None:
    doors.published(session)
    tower = makers.tower(session, code="DA-THAO", lifecycle="dismantled")
    violation(session, tower, "minor", clock.today())
    session.commit()
    assert len(csv_rows(staff, {})) == 1
    assert len(csv_rows(staff, {"include_dismantled": "1"})) == 2
    assert screen(staff, {"include_dismantled": "1"}) == ["DA-THAO"]
