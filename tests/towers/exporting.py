"""What the tests of the export share: a register that has everything, and files read back."""

from __future__ import annotations

import csv
import io
import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyogrio
from flask.testing import FlaskClient
from openpyxl.utils.escape import unescape
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from core import store
from core.geo import to_point
from core.policy import SYSTEM
from tests import makers
from towers.coordinate_systems import system, to_wgs84
from towers.fields import FIELDS, Field, Kind
from towers.models import Tower

# Texts that other programs take for something else; none may be changed on the way.
HOSTILE = (
    "=1+1", "+84 123", "-5 m", "@SUM(A1)", "'=1+1", "''=x", "'quoted'", '"a";"b",c',
    "dòng một\ndòng hai", "{{31337*31337}}", "<b>&amp;</b>", "\\N", "\\.", "00123", "1e5",
    "2026-01-31", "true", "_x0041_", "]]>", "NULL", "%s %(x)s :y", "🗼 tháp",
)  # fmt: skip


def value_of(field: Field, number: int) -> Any:
    """A value for a field, another one for another number, all words of a choice in turn."""
    if field.kind in {Kind.CHOICE, Kind.CHOICES}:
        assert field.words is not None
        words = [one.value for one in field.words]
        word = words[number % len(words)]
        return sorted({word, words[(number + 2) % len(words)]}) if field.empty == [] else word
    if field.kind is Kind.NUMBER:
        step = Decimal(1).scaleb(-field.digits)
        return min(field.least + step * (number * 7 + 1), field.most)
    if field.kind in {Kind.WHOLE, Kind.YEAR}:
        return int(field.least) + number
    if field.kind is Kind.DAY:
        return date(2020, 1, 31) + timedelta(days=number * 31)
    if field.kind is Kind.FLAG:
        return number % 2 == 0
    return HOSTILE[number % len(HOSTILE)]


def full_register(session: Session, towers: int = 24) -> list[Tower]:
    """Towers with every field filled, and one with hardly any; on both sides of both zeros."""
    store.set_value(session, "envelope", [-180, -90, 180, 90], by=SYSTEM, now=makers.NOW)
    commune = makers.commune(session, code="90001", name="=Xã, “Thử”")
    made = []
    for number in range(towers):
        values = {
            field.name: value_of(field, number)
            for field in FIELDS
            if field.kind not in {Kind.CODE, Kind.ORGANISATION, Kind.COORDINATE}
        }
        owner, manager = (
            makers.organisation(
                session, name=f"{HOSTILE[(number + 3) % len(HOSTILE)]} {role}{number}"
            )
            for role in ("o", "m")
        )
        made.append(
            makers.tower(
                session,
                code=f"{'=-+@'[number % 4]}T'{number:03}",
                latitude=10.4603 + number / 70,
                longitude=105.6325 + number / 90,
                commune=commune if number % 2 else None,
                owner=owner,
                manager_id=manager.id,
                **values,
            )
        )
    made += [
        makers.tower(session, code="TRỐNG", height_m=None, services=()),
        makers.tower(session, code="NAM-TAY", latitude=-33.4567891234567, longitude=-70.123456789),
    ]
    # One was given in VN-2000.
    given = made[2]
    given.source_srid, given.source_x, given.source_y = 9210, 566614.06, 1145746.57
    position = to_wgs84(given.source_x, given.source_y, system(9210))
    given.geom = to_point(position)
    session.commit()
    return made


def exported(client: FlaskClient, **query: Any) -> TestResponse:
    response = client.get("/towers/export", query_string={"include_dismantled": "1", **query})
    assert response.status_code == 200, response.get_data(as_text=True)[:2000]
    return response


def csv_rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def workbook(content: bytes) -> Any:
    return openpyxl.load_workbook(io.BytesIO(content))


def sheet_rows(content: bytes) -> list[dict[str, Any]]:
    """The rows of the first sheet as Excel shows them; openpyxl leaves escaped texts escaped."""
    head, *rows = workbook(content).worksheets[0].iter_rows(values_only=True)
    shown = ([unescape(one) if isinstance(one, str) else one for one in row] for row in rows)
    return [dict(zip(head, row, strict=True)) for row in shown]


def features(content: bytes) -> list[dict[str, Any]]:
    return json.loads(content)["features"]


def layer(content: bytes, ending: str, folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What pyogrio knows about a layer, and its rows with `wkb` beside the attributes."""
    path = folder / f"layer.{ending}"
    path.write_bytes(content)
    meta, _, geometry, columns = pyogrio.raw.read(path)
    names = [*meta["fields"], "wkb"]
    return meta, [
        dict(zip(names, row, strict=True)) for row in zip(*columns, geometry, strict=True)
    ]
