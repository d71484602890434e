"""Pages of the register: forms that keep what was typed, filters, empty lists that lead on."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from tests import doors, makers
from tests.accounts.pages_test import wrong_fields
from tests.doors import counts
from towers.models import Tower

FORM: dict[str, Any] = {
    "code": "DT-0042",
    "name": "Trạm Cao Lãnh",
    "structure_type": "guyed_mast",
    "services": ["bts", "microwave"],
    "height_m": "42,5",
    "host_building_height_m": "",
    "latitude": "10.460300",
    "longitude": "105,632500",
    "owner": "Viễn thông Đồng Tháp",
    "address": "Đường 30 Tháng 4",
    "built_year": "2012",
    "lifecycle": "active",
    "note": "gần trường",
}


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    return doors.client_of(app, session, makers.user(session, "staff"))


def test_a_tower_is_registered_and_shown(staff: FlaskClient, session: Session) -> None:
    response = staff.post("/towers/new", data=FORM)
    assert (response.status_code, response.headers["Location"]) == (302, "/towers/DT-0042")
    page = html.unescape(staff.get("/towers/DT-0042").get_data(as_text=True))
    for text in ("Trạm Cao Lãnh", "10.460300", "105.632500", "Viễn thông Đồng Tháp", "42,5"):
        assert text in page, text
    session.commit()
    made = session.scalars(select(Tower)).one()
    assert (float(made.height_m), made.built_year) == (42.5, 2012)
    assert made.services == ["bts", "microwave"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("code", ""), ("code", "a b"), ("code", "x" * 65), ("code", "new"),
        ("name", ""), ("name", "x" * 301),
        ("structure_type", "ladder"), ("lifecycle", "dead"), ("services", ["wifi"]),
        ("height_m", "0"), ("height_m", "cao"), ("height_m", "1001"), ("height_m", "1e2"),
        ("host_building_height_m", "-1"),
        ("built_year", "1899"), ("built_year", "x"), ("built_year", "020001"),
        ("built_year", "0200099"), ("built_year", "2012.0"),
        ("latitude", ""), ("latitude", "91"), ("latitude", "nan"), ("latitude", "45"),
        ("longitude", "x"), ("longitude", "1e999"), ("longitude", "181"),
        ("owner", "x" * 301), ("address", "x" * 1001), ("note", "x" * 4001),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named_and_everything_stays_typed(
    staff: FlaskClient, session: Session, field: str, value: Any
) -> None:
    before = counts(session)
    response = staff.post("/towers/new", data={**FORM, field: value})
    assert response.status_code == 422
    page = response.get_data(as_text=True)
    named = wrong_fields(page)
    assert field in named, named
    assert named <= ({"latitude", "longitude"} if field.endswith("itude") else {field})
    typed = html.unescape(page)
    for name, text in FORM.items():
        if name != field and isinstance(text, str) and text:
            assert text in typed, name
    assert 'role="alert"' in page
    assert counts(session) == before


@pytest.mark.parametrize("field", [*FORM])
def test_a_nul_is_refused_in_every_field(staff: FlaskClient, session: Session, field: str) -> None:
    before = counts(session)
    assert staff.post("/towers/new", data={**FORM, field: "a\x00b"}).status_code == 422
    assert counts(session) == before


def test_a_known_code_is_named(staff: FlaskClient, session: Session) -> None:
    makers.tower(session, code="DT-0042", latitude=10.9)
    session.commit()
    before = counts(session)
    response = staff.post("/towers/new", data=FORM)
    assert response.status_code == 409
    assert wrong_fields(response.get_data(as_text=True)) == {"code"}
    assert counts(session) == before


def test_a_neighbour_is_shown_before_a_second_is_registered(
    staff: FlaskClient, session: Session
) -> None:
    makers.tower(session, code="DA-CO", latitude=10.4603, longitude=105.6329)
    session.commit()
    before = counts(session)
    response = staff.post("/towers/new", data=FORM)
    assert response.status_code == 409
    assert "DA-CO" in response.get_data(as_text=True)
    assert counts(session) == before
    assert staff.post("/towers/new", data={**FORM, "confirmed": "1"}).status_code == 302


def test_a_code_that_differs_in_case_or_marks_is_asked_about(
    staff: FlaskClient, session: Session
) -> None:
    makers.tower(session, code="ĐT-0042", latitude=10.9)
    makers.tower(session, code="DT-0043", latitude=10.8)
    session.commit()
    before = counts(session)
    response = staff.post("/towers/new", data={**FORM, "code": "dt-0042"})
    assert response.status_code == 409
    assert "ĐT-0042" in response.get_data(as_text=True)
    changed = {**FORM, "code": "Đt-0042", "latitude": "10.8", "version": "1"}
    response = staff.post("/towers/DT-0043/edit", data=changed)
    assert response.status_code == 409
    assert "ĐT-0042" in response.get_data(as_text=True)
    assert counts(session) == before
    insisted = staff.post("/towers/new", data={**FORM, "code": "dt-0042", "confirmed": "1"})
    assert insisted.status_code == 302
    assert staff.post("/towers/DT-0043/edit", data={**changed, "confirmed": "1"}).status_code == 302
    # A tower's own code may be written in other letters.
    again = {**FORM, "code": "DT-0044", "latitude": "10.7"}
    assert staff.post("/towers/new", data=again).status_code == 302
    small = {**again, "code": "dt-0044", "version": "1"}
    assert staff.post("/towers/DT-0044/edit", data=small).status_code == 302


def test_a_new_life_cycle_does_not_keep_the_day_of_the_old_one(
    staff: FlaskClient, session: Session
) -> None:
    form = {**FORM, "lifecycle_since": "2010-01-01"}
    assert staff.post("/towers/new", data=form).status_code == 302
    page = html.unescape(staff.get("/towers/DT-0042/edit").get_data(as_text=True))
    assert "lấy ngày thay đổi" in page

    def changed(version: int, **data: str) -> str | None:
        given = {**form, **data, "version": str(version)}
        assert staff.post("/towers/DT-0042/edit", data=given).status_code == 302
        session.commit()
        since = session.scalars(select(Tower.lifecycle_since)).one()
        return since and since.isoformat()

    today = clock.today().isoformat()
    assert changed(1, lifecycle="dismantled") == today
    # Who means the old day says it once more.
    assert changed(2, lifecycle="dismantled") == "2010-01-01"
    given = {"lifecycle": "inactive", "lifecycle_since": "2026-01-05"}
    assert changed(3, **given) == "2026-01-05"


def test_an_untouched_form_changes_nothing(staff: FlaskClient, session: Session) -> None:
    tower = makers.tower(session, code="T-1", latitude=10.123456789, longitude=105.987654321)
    session.commit()
    page = staff.get("/towers/T-1/edit").get_data(as_text=True)
    form = {
        name: html.unescape(value)
        for name, value in re.findall(r'<input[^>]* name="([\w]+)"[^>]* value="([^"]*)"', page)
    }
    given = {
        **{name: "" for name in FORM},
        "name": tower.name,
        "code": "T-1",
        "structure_type": tower.structure_type,
        "lifecycle": "active",
        "height_m": form["height_m"],
        "latitude": form["latitude"],
        "longitude": form["longitude"],
        "version": "1",
        "services": ["bts"],
    }
    before = counts(session)
    assert staff.post("/towers/T-1/edit", data=given).status_code == 302
    assert counts(session) == before
    session.refresh(tower)
    assert tower.version == 1


def test_a_change_by_an_old_form_keeps_what_was_typed(staff: FlaskClient, session: Session) -> None:
    staff.post("/towers/new", data=FORM)
    form = {**FORM, "version": "1", "note": "trước"}
    assert staff.post("/towers/DT-0042/edit", data=form).status_code == 302
    before = counts(session)
    late = staff.post("/towers/DT-0042/edit", data={**form, "note": "viết muộn"})
    assert late.status_code == 409
    assert "viết muộn" in html.unescape(late.get_data(as_text=True))
    assert counts(session) == before
    for version in ("", "x", "99"):
        late = staff.post("/towers/DT-0042/edit", data={**form, "version": version})
        assert late.status_code == 409


def test_a_changed_code_leads_to_the_new_page(staff: FlaskClient) -> None:
    staff.post("/towers/new", data=FORM)
    response = staff.post("/towers/DT-0042/edit", data={**FORM, "code": "MOI", "version": "1"})
    assert response.headers["Location"] == "/towers/MOI"
    # The sign at the site still has the old one.
    old = staff.get("/towers/DT-0042")
    assert (old.status_code, old.headers["Location"]) == (301, "/towers/MOI")


def test_the_history_is_on_the_page(staff: FlaskClient) -> None:
    staff.post("/towers/new", data=FORM)
    staff.post("/towers/DT-0042/edit", data={**FORM, "name": "Tên mới", "version": "1"})
    page = html.unescape(staff.get("/towers/DT-0042").get_data(as_text=True))
    assert page.count("staff") >= 1
    assert "Tên mới" in page


def test_the_empty_register_says_what_to_do_next(staff: FlaskClient) -> None:
    page = staff.get("/towers?lang=en").get_data(as_text=True)
    assert "The register is empty" in page
    assert 'href="/towers/import"' in page
    for path, words in (
        ("/", "The register is empty"),
        ("/inspections", "Open a tower"),
        ("/follow-up", "Nothing is pending"),
        ("/violations", "No violation"),
    ):
        assert words in staff.get(f"{path}?lang=en").get_data(as_text=True), path
    assert staff.get("/map").status_code == 200


def test_an_administrator_of_an_empty_system_is_led_to_areas_and_people(
    app: Flask, session: Session
) -> None:
    admin = doors.client_of(app, session, makers.user(session, "admin"))
    page = admin.get("/?lang=en").get_data(as_text=True)
    content = page[page.index("<main") :]
    assert 'href="/areas"' in content
    assert 'href="/users/new"' in content
    assert "/towers/import" not in content


def test_a_filter_without_a_match_can_be_cleared(staff: FlaskClient, session: Session) -> None:
    makers.tower(session)
    session.commit()
    page = staff.get("/towers?q=khong-co&lang=en").get_data(as_text=True)
    assert "No tower matches" in page
    page = staff.get("/follow-up?q=khong-co&lang=en").get_data(as_text=True)
    assert "Nothing matches" in page


def test_all_pages_of_the_list_are_reached(staff: FlaskClient, session: Session) -> None:
    for number in range(120):
        makers.tower(session, code=f"T-{number:03}", name=f"Tên {number % 7}")
    session.commit()
    for sort in ("code", "name", "x"):
        seen: list[str] = []
        address: str | None = f"/towers?sort={sort}&q=T-"
        while address:
            page = staff.get(address).get_data(as_text=True)
            seen += re.findall(r'class="main" href="/towers/([^"]+)"', page)
            following = re.search(r'rel="next" href="([^"]+)"', page)
            address = html.unescape(following.group(1)) if following else None
        assert sorted(seen) == [f"T-{number:03}" for number in range(120)]
