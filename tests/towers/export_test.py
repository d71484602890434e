"""Exports of the register: every field of every row of the list, safe in other programs."""

from __future__ import annotations

import json
import re
import sqlite3
import struct
import subprocess
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyproj
import pytest
from flask import Flask
from flask.testing import FlaskClient
from pyproj import Geod
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.audit import AuditEntry
from core.downloads import FORMS
from core.geo import to_position
from core.i18n import translate
from core.words import plain
from tests import doors, makers
from tests.conftest import Note
from tests.towers.exporting import (
    csv_rows,
    exported,
    features,
    full_register,
    layer,
    sheet_rows,
    workbook,
)
from towers import exports
from towers.coordinate_systems import system, to_wgs84
from towers.fields import FIELDS, Kind, known_headers
from towers.models import Tower

EARTH = Geod(ellps="WGS84")
FIELD_NAMES = [field.name for field in FIELDS]


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    return doors.client_of(app, session, makers.user(session, "staff"))


@pytest.fixture
def register(session: Session) -> list[Tower]:
    return full_register(session)


def by_code(towers: list[Tower]) -> list[Tower]:
    return sorted(towers, key=lambda tower: tower.code.encode())


def api_values(tower: Tower) -> dict[str, Any]:
    """The attributes of a tower as map programs get them."""
    position = to_position(tower.geom)
    found: dict[str, Any] = {"latitude": position.latitude, "longitude": position.longitude}
    for field in FIELDS:
        if field.kind is Kind.COORDINATE:
            continue
        value = getattr(tower, field.name)
        if field.kind is Kind.ORGANISATION:
            value = value.name if value else None
        if isinstance(value, Decimal):
            value = float(value)
        found[field.name] = value.isoformat() if isinstance(value, date) else value
    return found


def test_geojson_has_every_field_as_the_api_has_it(
    staff: FlaskClient, register: list[Tower]
) -> None:
    response = exported(staff, format="geojson")
    assert response.mimetype == "application/geo+json"
    found = features(response.data)
    assert len(found) == len(register)
    for feature, tower in zip(found, by_code(register), strict=True):
        wanted = api_values(tower)
        point = [wanted.pop("longitude"), wanted.pop("latitude")]
        assert feature["geometry"] == {"type": "Point", "coordinates": point}
        assert feature["properties"] | wanted == feature["properties"]
        assert feature["properties"]["condition"] == "unchecked"
    assert set(found[0]["properties"]) == (set(exports.NAMES) - set(exports.DEGREES))


@pytest.mark.parametrize("ending", ["gpkg", "kml"])
def test_layers_have_every_field(
    staff: FlaskClient, register: list[Tower], ending: str, tmp_path: Path
) -> None:
    response = exported(staff, format=ending)
    assert response.mimetype == FORMS[ending].media_type
    meta, rows = layer(response.data, ending, tmp_path)
    assert meta["crs"] == "EPSG:4326"
    names = {"Name": "name"} if ending == "kml" else {}
    for row, tower in zip(rows, by_code(register), strict=True):
        row = {names.get(name, name): value for name, value in row.items()}
        wanted = api_values(tower)
        x, y = struct.unpack_from("<dd", row["wkb"], 5)
        exact = 1e-12 if ending == "kml" else 0
        assert abs(x - wanted.pop("longitude")) <= exact
        assert abs(y - wanted.pop("latitude")) <= exact
        for name, value in wanted.items():
            assert same(row[name], value), (name, row[name], value)


def same(read: Any, value: Any) -> bool:
    """Whether a layer says what is meant: lists as text, nothing for an empty text."""
    if isinstance(value, list):
        value = "; ".join(value)
    if value in (None, ""):
        return read is None or read != read or read == ""
    if isinstance(value, bool):
        return int(read) == int(value)
    if isinstance(read, float):
        return read == float(value)
    return str(read) == str(value).replace("\r", "")


def test_a_spreadsheet_has_words_of_the_reader_and_a_table_of_what_they_mean(
    staff: FlaskClient, register: list[Tower]
) -> None:
    rows = sheet_rows(exported(staff, format="xlsx").data)
    assert len(rows) == len(register)
    tower = by_code(register)[0]
    row = rows[0]
    assert row["Mã"] == tower.code and row["Tên"] == tower.name
    assert row["Loại kết cấu"] != tower.structure_type
    english = sheet_rows(exported(staff, format="xlsx", lang="en").data)[0]
    assert english["Condition"] == "Unchecked"
    assert english["Hardened against natural disaster of level 4"] in {"Yes", "No"}
    assert isinstance(english["Land contract ends on"], datetime)
    assert english["Height of the mast (m)"] == float(tower.height_m)
    position = to_position(tower.geom)
    # A spreadsheet has 16 digits.
    assert english["Latitude"] == pytest.approx(position.latitude, abs=1e-13)
    assert english["Longitude"] == pytest.approx(position.longitude, abs=1e-13)
    assert len(row) == len(exports.NAMES)


def test_the_second_sheet_says_what_the_columns_mean_and_where_they_come_from(
    staff: FlaskClient, session: Session, register: list[Tower]
) -> None:
    owner = register[0].owner
    content = exported(
        staff, format="xlsx", owner=str(owner.id), condition="unchecked", lang="en", srid="9210"
    ).data
    first, second = workbook(content).worksheets
    lines = list(second.iter_rows(values_only=True))
    about = {line[0]: line[1] for line in lines if line[0] and not line[2]}
    assert about["Rows"] == "1" == str(first.max_row - 1)
    assert about["Filters"] == (
        f"Condition: Unchecked; Owner: {owner.name}; Include dismantled towers: Yes"
    )
    assert about["Coordinate system"] == "VN-2000 / TM-3 105°45′ (EPSG:9210)"
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "tower.export")).one()
    assert about["Number of the export"] == entry.object_id
    assert entry.after["format"] == "xlsx"
    explained = {line[0]: line[1:] for line in lines if line[2] or line[4]}
    head = [cell.value for cell in first[1]]
    named = [line[0] for line in lines[-len(head) :]]
    assert named == head
    assert explained["Code"] == ("code", "As on the sign at the site, unique.", "", "")
    assert explained["Height of the mast (m)"][2:] == ("m", "0.1 – 1000")
    assert "Monopole" in explained["Structure type"][3]


def test_the_sheet_is_typed_frozen_and_filtered(staff: FlaskClient, register: list[Tower]) -> None:
    sheet = workbook(exported(staff, format="xlsx", lang="en").data).worksheets[0]
    assert sheet.freeze_panes == "B2"
    assert sheet.auto_filter.ref.endswith(str(len(register) + 1))
    assert all(cell.data_type in {"s", "n", "d"} for row in sheet.iter_rows() for cell in row)
    head = [cell.value for cell in sheet[1]]
    assert sheet.cell(2, head.index("Last reinforced on") + 1).number_format == "dd/mm/yyyy"


def test_no_cell_is_a_formula(staff: FlaskClient, register: list[Tower], figure: Note) -> None:
    rows = csv_rows(exported(staff, format="csv").data)
    cells = [cell for row in rows for cell in row.values()]
    running = [cell for cell in cells if re.match(r"[=+@\t\r]|-(?!\d+(\.\d+)?\Z)", cell)]
    figure("P12", "cells of CSV and XLSX", len(cells))
    figure("P12", "cells that would run", len(running), wrong=True)
    assert cells and running == []


def test_keys_instead_of_words_when_asked_for(staff: FlaskClient, register: list[Tower]) -> None:
    row = csv_rows(exported(staff, format="csv", values="keys", lang="en").data)[0]
    tower = by_code(register)[0]
    assert row["Structure type"] == tower.structure_type
    assert row["Services"] == "; ".join(tower.services)
    assert row["Obstruction light"] == ("yes" if tower.obstruction_light else "no")
    labelled = features(exported(staff, format="geojson", values="labels", lang="en").data)
    assert labelled[0]["properties"]["condition"] == "Unchecked"


def test_chosen_columns_in_their_usual_order(staff: FlaskClient, register: list[Tower]) -> None:
    rows = csv_rows(exported(staff, format="csv", field=["owner", "code"], lang="en").data)
    assert list(rows[0]) == ["Code", "Owner"]
    assert set(features(exported(staff, format="geojson", field="code").data)[0]["properties"]) == {
        "code"
    }


def test_headers_of_what_the_system_computes_mean_nothing_to_an_import(app: Flask) -> None:
    with app.test_request_context():
        for column in exports.DERIVED:
            for text in (column.name, column.label, translate(column.label)):
                assert plain(text) not in known_headers(), text


REFUSED = [
    ({"format": "docx"}, "format"),
    ({"format": "csv", "srid": "4711"}, "srid"),
    ({"format": "csv", "srid": "x"}, "srid"),
    ({"format": "geojson", "srid": "5897"}, "srid"),
    ({"format": "kml", "srid": "9210"}, "srid"),
    ({"format": "kml", "srid": "given"}, "srid"),
    ({"format": "csv", "field": "password"}, "field"),
    ({"format": "csv", "values": "both"}, "values"),
]


@pytest.mark.parametrize(("query", "field"), REFUSED, ids=str)
def test_what_is_no_export_is_refused_and_not_written_down(
    staff: FlaskClient, session: Session, query: dict[str, str], field: str
) -> None:
    response = staff.get(
        "/towers/export", query_string=query, headers={"Accept": "application/json"}
    )
    assert field in doors.refused(response, 422)["fields"]
    written = select(AuditEntry).where(AuditEntry.action == "tower.export")
    assert session.scalar(written) is None


def test_an_empty_list_is_a_whole_file(staff: FlaskClient, tmp_path: Path) -> None:
    assert csv_rows(exported(staff, format="csv").data) == []
    assert sheet_rows(exported(staff, format="xlsx").data) == []
    assert features(exported(staff, format="geojson").data) == []
    for ending in ("gpkg", "kml"):
        meta, rows = layer(exported(staff, format=ending).data, ending, tmp_path)
        assert rows == []
        assert ending == "kml" or "structure_type" in meta["fields"]


# The same rows as on the screen, and no others.


FILTERS: list[dict[str, Any]] = [
    {},
    {"structure_type": "monopole"},
    {"q": "trong"},
    {"lifecycle": ["dismantled", "built"]},
    {"commune": "90001"},
    {"service": "bts", "managing_department": "commune"},
    {"height_from": "5", "height_to": "12"},
    {"bbox": "105.7,10.5,105.9,10.7"},
    {"q": "nothing of the kind"},
]


@pytest.mark.parametrize("query", FILTERS, ids=str)
def test_every_form_has_the_rows_of_the_list(
    staff: FlaskClient, register: list[Tower], query: dict[str, Any], tmp_path: Path
) -> None:
    asked = {"include_dismantled": "true", "limit": 500, "sort": "code", **query}
    listed = doors.answered(staff.get("/api/v1/towers", query_string=asked), 200)
    codes = [one["code"] for one in listed["items"]]
    assert len(codes) < len(register) or query == {}
    rows = csv_rows(exported(staff, format="csv", **query, lang="en").data)
    assert [re.sub("^'", "", row["Code"]) for row in rows] == codes
    rows = sheet_rows(exported(staff, format="xlsx", **query, lang="en").data)
    assert [row["Code"] for row in rows] == codes
    found = features(exported(staff, format="geojson", **query).data)
    assert [one["properties"]["code"] for one in found] == codes
    for ending in ("gpkg", "kml"):
        _, found = layer(exported(staff, format=ending, **query).data, ending, tmp_path)
        assert [one["code"] for one in found] == codes


@pytest.mark.parametrize("ending", FORMS)
def test_nobody_exports_what_lies_outside_of_their_territory(
    world: doors.World, ending: str, tmp_path: Path
) -> None:
    for role in ("inspector", "local_officer"):
        content = exported(world[role], format=ending, srid="").data
        if ending in {"gpkg", "kml"}:
            codes = [row["code"] for row in layer(content, ending, tmp_path)[1]]
        elif ending == "geojson":
            codes = [one["properties"]["code"] for one in features(content)]
        else:
            rows = csv_rows(content) if ending == "csv" else sheet_rows(content)
            codes = [row["Mã"] for row in rows]
        assert codes == [world.here.tower.code]
    asked = {"format": ending}
    answer = world["operator"].get(
        "/towers/export", query_string=asked, headers={"Accept": "application/json"}
    )
    doors.refused(answer, 403)


# VN-2000


@pytest.mark.parametrize("srid", [5897, 9210, 4756])
def test_a_spreadsheet_in_vn_2000_leads_back_to_the_place(
    staff: FlaskClient, register: list[Tower], srid: int
) -> None:
    near = {"q": "T'0"}
    for rows in (
        csv_rows(exported(staff, format="csv", srid=srid, lang="en", **near).data),
        sheet_rows(exported(staff, format="xlsx", srid=srid, lang="en", **near).data),
    ):
        of = system(srid)
        north, east = ("Northing (m)", "Easting (m)") if of.metric else ("Latitude", "Longitude")
        assert len(rows) == 24
        for row, tower in zip(rows, by_code(register), strict=False):
            assert int(row["Coordinate system (EPSG)"]) == srid
            found = to_wgs84(float(row[east]), float(row[north]), of)
            position = to_position(tower.geom)
            away = EARTH.inv(
                found.longitude, found.latitude, position.longitude, position.latitude
            )[2]
            assert away < 0.005, tower.code


@pytest.mark.parametrize("srid", [5897, 9210])
def test_a_geopackage_in_vn_2000_says_where_it_is(
    staff: FlaskClient, register: list[Tower], srid: int, tmp_path: Path
) -> None:
    content = exported(staff, format="gpkg", srid=srid, q="T'0").data
    meta, rows = layer(content, "gpkg", tmp_path)
    assert meta["crs"] == f"EPSG:{srid}"
    to_degrees = pyproj.Transformer.from_crs(meta["crs"], 4326, always_xy=True)
    for row, tower in zip(rows, by_code(register), strict=False):
        x, y = struct.unpack_from("<dd", row["wkb"], 5)
        position = to_position(tower.geom)
        # By our transformation to some millimetres, by that of other programs to less than 1 m.
        ours = to_wgs84(x, y, system(srid))
        theirs = to_degrees.transform(x, y)
        for (longitude, latitude), most in (
            ((ours.longitude, ours.latitude), 0.005),
            (theirs, 1.0),
        ):
            away = EARTH.inv(longitude, latitude, position.longitude, position.latitude)[2]
            assert away < most, tower.code


def test_a_geopackage_carries_the_shift_of_the_datum(
    staff: FlaskClient, register: list[Tower], tmp_path: Path
) -> None:
    """Programs that do not know the code, only its definition, land where we do."""
    path = tmp_path / "towers.gpkg"
    path.write_bytes(exported(staff, format="gpkg", srid="5897", q="T'0").data)
    with sqlite3.connect(path) as database:
        ((definition, organisation, code),) = database.execute(
            "SELECT definition, organization, organization_coordsys_id"
            " FROM gpkg_spatial_ref_sys JOIN gpkg_geometry_columns USING (srs_id)"
        )
    assert (organisation, code) == ("EPSG", 5897)
    shift = [float(one) for one in re.search(r"TOWGS84\[([^\]]+)\]", definition)[1].split(",")]
    assert shift == pytest.approx(
        [-191.90441429, -39.30318279, -111.45032835, 0.00928836, -0.01975479, 0.00427372,
         0.252906278], abs=1e-8
    )  # fmt: skip


def test_another_gdal_lands_within_a_metre(
    staff: FlaskClient, register: list[Tower], tmp_path: Path
) -> None:
    path, made = tmp_path / "towers.gpkg", tmp_path / "towers.geojson"
    path.write_bytes(exported(staff, format="gpkg", srid="9210", q="T'0").data)
    try:
        subprocess.run(
            ["ogr2ogr", "-t_srs", "EPSG:4326", "-lco", "COORDINATE_PRECISION=12", made, path],
            check=True,
            capture_output=True,
        )
    except FileNotFoundError:
        pytest.skip("ogr2ogr is not installed (package gdal-bin)")
    for feature, tower in zip(
        json.loads(made.read_text())["features"], by_code(register), strict=False
    ):
        position = to_position(tower.geom)
        longitude, latitude = feature["geometry"]["coordinates"]
        away = EARTH.inv(longitude, latitude, position.longitude, position.latitude)[2]
        assert away < 1


def test_as_it_was_given_has_each_in_its_own_system(
    staff: FlaskClient, register: list[Tower], tmp_path: Path
) -> None:
    given = register[2]
    rows = csv_rows(exported(staff, format="csv", srid="given", lang="en").data)
    assert {row["Coordinate system (EPSG)"] for row in rows} == {"4326", "9210"}
    row = next(row for row in rows if row["Code"].endswith("T'002"))
    assert row["Coordinate system (EPSG)"] == "9210"
    assert float(row["Longitude / Easting"]) == given.source_x
    assert float(row["Latitude / Northing"]) == given.source_y
    meta, layered = layer(exported(staff, format="gpkg", srid="given").data, "gpkg", tmp_path)
    assert meta["crs"] == "EPSG:4326"
    one = next(one for one in layered if one["code"].endswith("T'002"))
    assert (one["source_srid"], one["source_x"], one["source_y"]) == (9210, 566614.06, 1145746.57)
    x, y = struct.unpack_from("<dd", one["wkb"], 5)
    assert (x, y) == (to_position(given.geom).longitude, to_position(given.geom).latitude)
