"""Old answers keep the words of their own version, on every page and in every export."""

from __future__ import annotations

import copy
import html
import io
import uuid

import openpyxl
import pyogrio
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from core.policy import SYSTEM
from inspections.services import checklists
from tests import doors, makers
from tests.doors import answered
from tests.makers import NOW

OLD = {"vi": "Hàng rào, cửa, khóa trạm, biện pháp ngăn trèo cột", "en": "Fence, gate, lock"}
NEW = {"vi": "Lan can kiểu mới", "en": "Railing of the new kind"}


@pytest.fixture
def world(app: Flask, session: Session) -> tuple[FlaskClient, dict[str, uuid.UUID]]:
    """Tower T-1 without a fence under the first version, T-2 under the second, which asks for it
    in other words and no longer for a ladder."""
    doors.published(session)
    inspector = doors.client_of(app, session, makers.user(session, "inspector"))
    made: dict[str, uuid.UUID] = {}

    def visit(code: str, answers: dict) -> None:
        makers.tower(session, code=code)
        session.commit()
        made[code] = uuid.uuid4()
        sent = {**doors.visit(code, answers=answers), "id": str(made[code])}
        answered(inspector.post("/api/v1/inspections", json=sent), 201)

    no = {"outcome": "ok", "value": "no"}
    visit("T-1", {"sit_fence": no, "clb_ladder": no})
    document = copy.deepcopy(checklists.shipped_document())
    document["version"] = 2
    document["items"] = [one for one in document["items"] if one["key"] != "clb_ladder"]
    next(one for one in document["items"] if one["key"] == "sit_fence").update(NEW)
    checklists.publish(session, document, by=SYSTEM, now=NOW)
    session.commit()
    visit("T-2", {"sit_fence": no})
    return doors.client_of(app, session, makers.user(session, "staff")), made


LADDER = {"vi": "Thang leo, sàn công tác", "en": "Ladder, platforms"}


@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_page_has_the_words_of_the_version_that_judged(world, language: str) -> None:
    staff, made = world
    old, new, ladder = OLD[language], NEW[language], LADDER[language]

    def page(path: str) -> str:
        joint = "&" if "?" in path else "?"
        return html.unescape(staff.get(f"{path}{joint}lang={language}").get_data(as_text=True))

    for path in ("/", "/violations", "/follow-up"):
        text = page(path)
        assert old in text, path
        assert new in text, path
        assert ladder in text, path
    for code, wanted, other in (("T-1", old, new), ("T-2", new, old)):
        found = answered(staff.get(f"/api/v1/violations?tower={code}"), 200)["items"]
        fence = next(one["id"] for one in found if one["item"] == "sit_fence")
        for path in (
            f"/towers/{code}",
            f"/inspections/{made[code]}",
            f"/violations/{fence}",
        ):
            text = page(path)
            assert wanted in text, path
            assert other not in text, path
    assert ladder in page(f"/inspections/{made['T-1']}")


def test_every_export_has_them_too(world) -> None:
    staff, _ = world
    tasks = {"T-1": {OLD["vi"], LADDER["vi"]}, "T-2": {NEW["vi"]}}

    def told(pairs) -> None:
        for code, wanted in tasks.items():
            found = {task for tower, task in pairs if tower == code}
            assert len(found) == len(wanted)
            for text in wanted:
                assert any(text in task for task in found), (code, text)

    rows = staff.get("/follow-up.csv?plain=1").get_data(as_text=True)
    for code, wanted in tasks.items():
        lines = [line for line in rows.splitlines() if line.startswith(code)]
        assert all(any(text in line for line in lines) for text in wanted)
    sheet = openpyxl.load_workbook(io.BytesIO(staff.get("/follow-up.xlsx").data)).worksheets[0]
    told([(row[0], row[3]) for row in sheet.iter_rows(min_row=2, values_only=True)])
    features = staff.get("/follow-up.geojson").get_json()["features"]
    told([(one["properties"]["code"], one["properties"]["task"]) for one in features])
    for ending in ("gpkg", "kml"):
        meta, _, _, columns = pyogrio.raw.read(staff.get(f"/follow-up.{ending}").data)
        by_name = dict(zip(meta["fields"], columns, strict=True))
        told(list(zip(by_name["code"], by_name["task"], strict=True)))
