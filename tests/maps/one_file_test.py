"""The map in one file: the towers that the filters find, as text, with all that it needs inside."""

from __future__ import annotations

import base64
import hashlib
import json
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.audit import AuditEntry
from core.exports import Export, State
from maps import taking_pages
from maps.render.documents import taken_map
from tests import doors, makers


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    return doors.client_of(app, session, makers.user(session, "staff", name="Trần Văn Sở"))


def held(page: str) -> dict[str, object]:
    """What the document holds by its addresses."""
    blocks = re.findall(
        r'<script type="application/json" data-address="([^"]+)">(.*?)</script>', page, re.DOTALL
    )
    return {address: json.loads(text) for address, text in blocks}


def towers_of(page: str) -> list[dict[str, object]]:
    taken = held(page)["towers"]
    return [dict(zip(taken["columns"], row, strict=True)) for row in taken["rows"]]


def test_the_file_holds_what_the_filters_find_and_says_which(
    staff: FlaskClient, session: Session
) -> None:
    owner = makers.organisation(session, name="Viettel Đồng Tháp")
    commune = makers.commune(session, name="Xã Mỹ Thọ")
    makers.tower(session, code="T-1", height_m=60, commune=commune, owner=owner)
    makers.tower(session, code="T-2", height_m=20, commune=commune)
    session.commit()
    response = staff.get("/map/towers.html?height_from=50&lang=en")
    page = response.get_data(as_text=True)
    assert response.mimetype == "text/html"
    assert re.search(
        r'attachment; filename="ban-do-vi-pham-\d{4}-\d\d-\d\d\.html"',
        response.headers["Content-Disposition"],
    )
    (tower,) = towers_of(page)
    assert (tower["code"], tower["latitude"], tower["condition"]) == ("T-1", 10.46, "unchecked")
    taken = held(page)["towers"]
    assert taken["communes"][tower["commune"]] == "Xã Mỹ Thọ"
    assert taken["owners"][tower["owner"]] == "Viettel Đồng Tháp"
    about = dict(taken["about"])
    assert "50" in about["Filters"]
    assert about["Exported by"] == "Trần Văn Sở"
    assert "Natural Earth" in about["Source"]
    (feature,) = held(page)["/map/communes.geojson"]["features"]
    assert feature["properties"]["synthetic"]

    export = session.scalars(select(Export)).one()
    assert about["Number of the export"] == str(export.id) == response.headers["Export-Id"]
    assert (export.what, export.format, export.rows) == ("map", "html", 1)
    assert export.state == State.DONE
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "map.export")).one()
    assert entry.after["filters"] == {"Height from (m)": "50"}
    listed = staff.get("/exports?lang=en").get_data(as_text=True)
    assert "Violation map" in listed
    assert "HTML" in listed
    assert staff.get(f"/exports/{export.id}").status_code == 200


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_document_asks_nobody_and_allows_its_own_scripts_alone(language: str) -> None:
    document = taken_map(language)
    page = document.before + document.after
    assert not re.search(r"""(?:src|href)=["']?/|url\((?!data:|#default|\))""", page)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None and page.index(policy[0]) < page.index("<script")
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) >= 4
    digests = {
        f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'"
        for one in scripts
    }
    named = dict(part.strip().split(" ", 1) for part in policy[1].split(";"))
    assert set(named["script-src"].split()) == digests
    assert named["default-src"] == "'none'"
    assert {name: named[name] for name in ("img-src", "font-src")} == {
        "img-src": "data:",
        "font-src": "data:",
    }
    assert "{{" not in document.before.partition("<script")[0]
    assert "addTakenTowers" in page


def test_hostile_names_stay_text_between_the_halves(staff: FlaskClient, session: Session) -> None:
    hostile = makers.HOSTILE + "</script><!--<script>\u2028\u2029"
    owner = makers.organisation(session, name=hostile)
    commune = makers.commune(session, name=hostile)
    makers.tower(session, code="H-1", name=hostile, commune=commune, owner=owner)
    session.commit()
    page = staff.get("/map/towers.html", query_string={"q": "H-1"}).get_data(as_text=True)
    assert str(31337 * 31337) not in page
    for block in re.findall(r'data-address="[^"]+">(.*?)</script>', page, re.DOTALL):
        assert not re.search("[<\u2028\u2029]", block)
    (tower,) = towers_of(page)
    assert tower["name"] == hostile
    assert held(page)["towers"]["owners"] == [hostile]
    document = taken_map("vi")
    assert page.startswith(document.before)
    assert page.endswith(document.after)


def test_nobody_takes_along_what_they_do_not_see(world: doors.World) -> None:
    whole = {one["code"] for one in towers_of(world["staff"].get("/map/towers.html").text)}
    own = {one["code"] for one in towers_of(world["inspector"].get("/map/towers.html").text)}
    assert "TRU-here" in own
    assert own < whole


def test_more_than_a_browser_can_hold_is_refused_with_the_number(
    staff: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking_pages, "MOST_TOWERS", 2)
    for number in range(3):
        makers.tower(session, code=f"M-{number}", height_m=30 + number)
    session.commit()
    answer = staff.get("/map/towers.html?lang=en")
    assert answer.status_code == 413
    assert "at most 2 towers, and these filters find 3" in answer.get_data(as_text=True)
    assert session.scalars(select(Export)).all() == []
    assert len(towers_of(staff.get("/map/towers.html?height_from=31").text)) == 2


def test_a_map_without_towers_is_a_map_too(staff: FlaskClient) -> None:
    assert towers_of(staff.get("/map/towers.html").text) == []
