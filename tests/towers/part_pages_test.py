"""Forms of installations, permits, anchors and the footprint; the list of permits; history."""

from __future__ import annotations

import html
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.geo import to_position
from tests import doors, makers
from tests.accounts.pages_test import wrong_fields
from tests.doors import answered, counts
from towers.models import Antenna, GuyAnchor, Installation, Permit, Tower

FORMS: dict[str, dict[str, Any]] = {
    "installations": {
        "operator": "VNPT Đồng Tháp",
        "service": "bts",
        "station_code": "DTP-42",
        "since": "2019-05-01",
        "until": "",
        "note": "tầng trên",
        "antenna_kind": ["Panel", "", "Viba"],
        "antenna_quantity": ["3", "", ""],
        "antenna_height_m": ["40,5", "", "30"],
        "antenna_azimuth_deg": ["120", "", ""],
        "antenna_wind_area_m2": ["0,65", "", ""],
        "antenna_weight_kg": ["", "", ""],
    },
    "permits": {
        "kind": "bts_certificate",
        "number": "12/GCN",
        "issued_on": "15/01/2024",
        "expires_on": "2029-01-15",
        "issuer": "Cục Viễn thông",
        "organisation": "",
        "result": "đạt",
        "note": "",
    },
    "anchors": {
        "number": "2",
        "position": "10°27′36″ N 105°37′48.7″ E",
        "srid": "4326",
        "note": "bờ kênh",
    },
}


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    makers.tower(session, code="T-1", latitude=10.46, longitude=105.63)
    return doors.client_of(app, session, makers.user(session, "staff"))


def page_of(client: FlaskClient, path: str) -> str:
    response = client.get(path + ("&" if "?" in path else "?") + "lang=en")
    assert response.status_code == 200, response.status_code
    return html.unescape(response.get_data(as_text=True))


def rows(session: Session, plural: str) -> Any:
    session.expire_all()
    model = {"installations": Installation, "permits": Permit, "anchors": GuyAnchor}[plural]
    return session.scalars(select(model)).all()


def version(session: Session) -> int:
    session.expire_all()
    return session.scalars(select(Tower.version)).one()


@pytest.mark.parametrize("plural", sorted(FORMS))
def test_a_part_is_added_changed_and_removed_on_pages(
    staff: FlaskClient, session: Session, plural: str
) -> None:
    assert "*" in page_of(staff, f"/towers/T-1/{plural}/new") or plural != "anchors"
    saved = staff.post(f"/towers/T-1/{plural}/new", data={**FORMS[plural], "version": "1"})
    assert (saved.status_code, saved.headers["Location"]) == (302, f"/towers/T-1#{plural}")
    (part,) = rows(session, plural)
    assert version(session) == 2
    edit = f"/towers/T-1/{plural}/{part.id}/edit"
    page = page_of(staff, edit)
    for name, typed in FORMS[plural].items():
        if isinstance(typed, str) and typed and name not in {"position", "issued_on", "srid"}:
            assert typed in page, name
    changed = {**FORMS[plural], "note": "đã sửa", "version": "2"}
    assert staff.post(edit, data=changed).status_code == 302
    assert rows(session, plural)[0].note == "đã sửa"
    remove = f"/towers/T-1/{plural}/{part.id}/remove"
    assert f'action="{remove}" data-confirm=' in page_of(staff, "/towers/T-1")
    assert staff.post(remove, data={"version": "1"}).status_code == 409
    assert staff.post(remove, data={"version": "3"}).status_code == 302
    assert rows(session, plural) == []
    assert version(session) == 4


def test_antennas_come_in_rows_and_empty_rows_are_left_out(
    staff: FlaskClient, session: Session
) -> None:
    staff.post("/towers/T-1/installations/new", data={**FORMS["installations"], "version": "1"})
    antennas = session.scalars(select(Antenna).order_by(Antenna.height_m.desc())).all()
    assert [(one.kind, one.quantity, float(one.height_m)) for one in antennas] == [
        ("Panel", 3, 40.5),
        ("Viba", 1, 30.0),
    ]


def test_an_untouched_form_changes_nothing(staff: FlaskClient, session: Session) -> None:
    makers.anchor(session, session.scalars(select(Tower)).one())
    session.commit()
    (anchor,) = rows(session, "anchors")
    before = to_position(anchor.geom)
    page = page_of(staff, f"/towers/T-1/anchors/{anchor.id}/edit")
    shown = re.search(r'name="position"[^>]*value="([^"]+)"', page)[1]
    form = {"number": "1", "position": shown, "srid": "4326", "note": "", "version": "1"}
    assert staff.post(f"/towers/T-1/anchors/{anchor.id}/edit", data=form).status_code == 302
    assert version(session) == 1
    assert to_position(rows(session, "anchors")[0].geom) == before


WRONG: list[tuple[str, str, Any]] = [
    ("installations", "operator", ""),
    ("installations", "service", "wifi"),
    ("installations", "since", "hôm qua"),
    ("installations", "until", "2018-01-01"),
    ("installations", "antenna_azimuth_deg", ["400", "", ""]),
    ("installations", "antenna_quantity", ["0", "", ""]),
    ("installations", "antenna_height_m", ["cao", "", ""]),
    ("permits", "kind", ""),
    ("permits", "expires_on", "2023-01-01"),
    ("permits", "issued_on", "31/02/2024"),
    ("permits", "number", "x" * 101),
    ("anchors", "number", "0"),
    ("anchors", "position", "không biết"),
    ("anchors", "position", "1156833.58 569044.81"),
    ("anchors", "position", "10.9, 105.63"),
    ("anchors", "srid", "1"),
]


@pytest.mark.parametrize(("plural", "field", "value"), WRONG)
def test_a_wrong_field_is_named_and_everything_stays_typed(
    staff: FlaskClient, session: Session, plural: str, field: str, value: Any
) -> None:
    before = counts(session)
    given = {**FORMS[plural], field: value, "version": "1"}
    response = staff.post(f"/towers/T-1/{plural}/new", data=given)
    assert response.status_code == 422
    page = response.get_data(as_text=True)
    shown = html.unescape(page)
    if field.startswith("antenna_"):
        assert 'id="f-antennas-wrong"' in page
    else:
        assert field in wrong_fields(page)
    for name, typed in given.items():
        if name != field and isinstance(typed, str) and len(typed) > 3:
            assert typed in shown, name
    assert counts(session) == before


@pytest.mark.parametrize("plural", sorted(FORMS))
def test_a_nul_is_refused_in_every_field(staff: FlaskClient, session: Session, plural: str) -> None:
    before = counts(session)
    for name in FORMS[plural]:
        given = {**FORMS[plural], name: "a\x00b", "version": "1"}
        assert staff.post(f"/towers/T-1/{plural}/new", data=given).status_code == 422, name
    assert counts(session) == before


@pytest.mark.parametrize("plural", sorted(FORMS))
def test_an_old_form_keeps_what_was_typed(
    staff: FlaskClient, session: Session, plural: str
) -> None:
    before = counts(session)
    for old in ("", "0", "x", "2"):
        given = {**FORMS[plural], "note": "viết muộn", "version": old}
        late = staff.post(f"/towers/T-1/{plural}/new", data=given)
        assert late.status_code == 409
        assert "viết muộn" in html.unescape(late.get_data(as_text=True))
    assert counts(session) == before


def test_the_form_of_another_towers_part_is_not_there(staff: FlaskClient, session: Session) -> None:
    other = makers.tower(session, code="T-2", latitude=10.47)
    permit = makers.permit(session, other)
    session.commit()
    assert staff.get(f"/towers/T-1/permits/{permit.id}/edit").status_code == 404
    assert staff.get(f"/towers/T-2/anchors/{permit.id}/edit").status_code == 404
    given = {**FORMS["permits"], "version": "1"}
    assert staff.post(f"/towers/T-1/permits/{permit.id}/edit", data=given).status_code == 404
    remove = f"/towers/T-1/permits/{permit.id}/remove"
    assert staff.post(remove, data={"version": "1"}).status_code == 404


def test_others_read_and_do_not_edit(world: doors.World) -> None:
    page = page_of(world["inspector"], f"/towers/{world.here.tower.code}")
    assert 'id="permits"' in page and "/permits/new" not in page and "/remove" not in page


# Footprint


def test_a_footprint_is_pasted_and_taken_away(staff: FlaskClient, session: Session) -> None:
    square = [list(one) for one in makers.square(105.63, 10.46)]
    polygon = {"type": "Polygon", "coordinates": [square]}
    feature = json.dumps({"type": "Feature", "properties": {}, "geometry": polygon})
    path = "/towers/T-1/footprint/edit"
    assert staff.post(path, data={"footprint": feature, "version": "1"}).status_code == 302
    assert "Polygon" in page_of(staff, path)
    assert "drawn on the map" in page_of(staff, "/towers/T-1")
    assert staff.post(path, data={"footprint": "", "version": "2"}).status_code == 302
    assert "not drawn" in page_of(staff, "/towers/T-1")


@pytest.mark.parametrize(
    "text",
    ["x", "{}", "[]", "1", '{"type": "Point"}', "[" * 100_000, '{"a": NaN}', '{"type":"Polygon"}'],
)
def test_a_pasted_text_that_is_no_footprint_comes_back(
    staff: FlaskClient, session: Session, text: str
) -> None:
    before = counts(session)
    response = staff.post("/towers/T-1/footprint/edit", data={"footprint": text, "version": "1"})
    assert response.status_code == 422
    assert wrong_fields(response.get_data(as_text=True)) == {"footprint"}
    assert counts(session) == before


# Permits of the register


def test_the_list_of_permits_filters_and_pages(staff: FlaskClient, session: Session) -> None:
    tower = session.scalars(select(Tower)).one()
    today = clock.today()
    for number in range(60):
        ends = today + timedelta(days=number - 30)
        makers.permit(session, tower, kind="other", number=f"số-{number:02d}", expires_on=ends)
    session.commit()

    def numbers(query: str = "") -> list[str]:
        return re.findall(r"số-(\d\d)", page_of(staff, f"/towers/permits?{query}"))

    first = page_of(staff, "/towers/permits")
    assert re.findall(r"số-(\d\d)", first) == [f"{number:02d}" for number in range(50)]
    assert "60 permits" in first
    following = html.unescape(re.search(r'rel="next" href="([^"]+)"', first)[1])
    rest = re.findall(r"số-(\d\d)", page_of(staff, following))
    assert rest == [str(number) for number in range(50, 60)]
    assert numbers("state=expired") == [f"{number:02d}" for number in range(30)]
    assert numbers("days=5&state=soon") == [str(number) for number in range(30, 36)]
    assert numbers("kind=emf_result") == []
    assert len(numbers("kind=x&state=y&days=z&q=T-1")) == 50
    assert numbers("q=nowhere") == []
    assert staff.get("/towers/permits?cursor=x").status_code == 400


def test_permits_of_dismantled_and_foreign_towers_are_not_listed(
    session: Session, world: doors.World
) -> None:
    page = page_of(world["inspector"], "/towers/permits")
    assert world.here.tower.code in page and world.there.tower.code not in page
    world.here.tower.lifecycle = "dismantled"
    session.commit()
    assert world.here.tower.code not in page_of(world["inspector"], "/towers/permits")


def test_the_dashboard_counts_permits_in_scope(world: doors.World) -> None:
    tile = r"Expired permits</div><div class=\"figure\">(\d+)"
    assert re.search(tile, page_of(world["inspector"], "/"))[1] == "1"
    assert re.search(tile, page_of(world["staff"], "/"))[1] == "2"
    assert "Expired permits" not in page_of(world["operator"], "/")


# History


@pytest.fixture
def told(staff: FlaskClient, session: Session) -> FlaskClient:
    """A tower that was renamed, given an owner and an installation."""
    tag = {"If-Match": "*"}
    makers.commune(session, code="30001", name="Phường Cao Lãnh", box=(105.5, 10.4, 105.7, 10.5))
    session.commit()
    change = {"name": "Tên mới", "owner": "Viễn thông A", "hardened": True, "latitude": 10.461,
              "longitude": 105.63, "lifecycle_since": "2020-05-01"}  # fmt: skip
    answered(staff.patch("/api/v1/towers/T-1", json=change, headers=tag), 200)
    body = {"operator": "VNPT", "service": "bts", "antennas": [{"kind": "Panel", "height_m": 30}]}
    made = answered(staff.post("/api/v1/towers/T-1/installations", json=body, headers=tag), 201)
    path = f"/api/v1/towers/T-1/installations/{made['id']}"
    answered(staff.put(path, json={**body, "station_code": "DTP-9"}, headers=tag), 200)
    return staff


def test_history_speaks_in_labels_and_names(told: FlaskClient) -> None:
    page = re.sub(r"\s+", " ", page_of(told, "/towers/T-1/history"))
    for text in (
        "Name: Trạm Thử Nghiệm → Tên mới",
        "Owner: – → Viễn thông A",
        "Commune: – → Phường Cao Lãnh",
        "Hardened against natural disaster of level 4: – → Yes",
        "In this life cycle since: – → 01/05/2020",
        "Installation: – → VNPT · Mobile base station (BTS) · 1 × Panel, 30 m",
        "Installation – Station code: – → DTP-9",
    ):
        assert text in page, text


def test_two_moments_are_compared(told: FlaskClient, session: Session) -> None:
    items = answered(told.get("/api/v1/towers/T-1/history"), 200)["items"]
    first, second = items[-1]["at"], items[1]["at"]
    session.execute(makers.born(session.scalars(select(Tower)).one(), items[-1]["at"]))
    session.commit()
    page = page_of(told, f"/towers/T-1/history?at={first.replace('+', '%2B')}")
    table = page.split("What differs")[1].split("</table>")[0]
    assert "Installation" in table and "Now" in table
    assert "Tên mới" not in table
    both = page_of(
        told,
        f"/towers/T-1/history?at={first.replace('+', '%2B')}&against={second.replace('+', '%2B')}",
    )
    table = both.split("What differs")[1].split("</table>")[0]
    assert "VNPT" in table and "DTP-9" not in table
    whole = both.split("Everything that the register said")[1]
    assert "Tên mới" in whole.split("</details>")[0]
    before = page_of(told, "/towers/T-1/history?at=2001-01-01T00:00")
    assert "not yet in the register" in before


@pytest.mark.parametrize("at", ["x", "2026-13-01T00:00", "0001-01-01T00:00", "%00", "9" * 99])
def test_what_is_no_moment_is_told(told: FlaskClient, at: str) -> None:
    page = page_of(told, f"/towers/T-1/history?at={at}")
    assert "This is not a moment" in page or "not yet in the register" in page


def test_history_has_pages(staff: FlaskClient, session: Session) -> None:
    for number in range(55):
        change = {"note": f"lần-{number}"}
        answered(staff.patch("/api/v1/towers/T-1", json=change, headers={"If-Match": "*"}), 200)
    first = page_of(staff, "/towers/T-1/history")
    assert "→ lần-54" in first and "→ lần-4<" not in first
    following = re.search(r'rel="next" href="([^"]+)"', first)[1]
    assert "→ lần-4<" in page_of(staff, following)
    assert staff.get("/towers/T-1/history?cursor=x").status_code == 400
