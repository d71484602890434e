"""A position while it is typed: where it lies, and the mistake that explains a wrong one."""

from __future__ import annotations

import html
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy import text as text_
from sqlalchemy.orm import Session

from core.geo import Position
from tests import doors, makers
from tests.doors import answered, counts, refused
from tests.towers.pages_test import FORM
from towers.coordinate_systems import from_wgs84, system
from towers.models import Tower

# Cao Lãnh. The commune is small enough that every mistake leaves it.
HERE = Position(10.4603, 105.6325)
BOX = (105.6318, 10.4597, 105.6332, 10.4609)


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    makers.commune(session, code="30001", name="Phường Cao Lãnh", box=BOX)
    makers.commune(session, code="30002", name="Xã Bên Cạnh", box=(105.0, 10.0, 105.6, 11.0))
    return doors.client_of(app, session, makers.user(session, "staff"))


def asked(staff: FlaskClient, **query: Any) -> dict[str, Any]:
    headers = {"Accept-Language": "en"}
    return answered(
        staff.get(
            "/towers/new/position.json", query_string={**query, "lang": "en"}, headers=headers
        ),
        200,
    )


def metres(srid: int) -> dict[str, str]:
    """The place in metres of a system, as the two fields of the form take it."""
    east, north = from_wgs84(HERE, system(srid))
    return {"latitude": f"{north:.2f}", "longitude": f"{east:.2f}"}


def test_a_good_position_is_named_with_its_neighbour_and_in_vn2000(
    staff: FlaskClient, session: Session
) -> None:
    makers.tower(session, code="GAN", name="Trạm gần", latitude=10.4607, longitude=105.6325)
    session.commit()
    found = asked(staff, latitude="10.4603", longitude="105.6325", commune="30001")
    assert found["problems"] == found["doubts"] == found["hints"] == []
    assert found["commune"] == "Phường Cao Lãnh"
    assert found["nearest"] == {"code": "GAN", "name": "Trạm gần", "metres": 44}
    (zone,) = found["vn2000"]
    assert zone["system"].startswith("VN-2000 / TM-3 105°45")
    east, north = from_wgs84(HERE, system(9210))
    assert float(zone["east"]) == pytest.approx(east, abs=0.01)
    assert float(zone["north"]) == pytest.approx(north, abs=0.01)


# What was typed wrongly, in which system, and the hint that undoes it.
MISTAKES: list[tuple[str, int, dict[str, str], str, int]] = [
    ("datum ignored", 4326, {}, "about 226 m away", 4756),
    ("meridian", 9210, metres(5897), "central meridian is another one", 5897),
    ("zone", 3406, metres(3405), "UTM zone is another one", 3405),
    ("projection", 3405, metres(5897), "another projection|central meridian", 5897),
]


@pytest.mark.parametrize(
    ("name", "srid", "fields", "text", "right"), MISTAKES, ids=[one[0] for one in MISTAKES]
)
def test_each_mistake_is_named_with_the_position_that_undoes_it(
    staff: FlaskClient, session: Session, name: str, srid: int, fields: dict[str, str], text: str,
    right: int,
) -> None:  # fmt: skip
    if name == "datum ignored":
        longitude, latitude = from_wgs84(HERE, system(4756))
        fields = {"latitude": f"{latitude:.7f}", "longitude": f"{longitude:.7f}"}
    found = asked(staff, srid=srid, commune="30001", **fields)
    hint = next(
        one
        for one in found["hints"]
        if one["srid"] == str(right) and any(part in one["text"] for part in text.split("|"))
    )
    assert "stated commune" in hint["why"]
    undone = asked(
        staff,
        srid=hint["srid"],
        latitude=hint["latitude"],
        longitude=hint["longitude"],
        commune="30001",
    )
    assert undone["commune"] == "Phường Cao Lãnh"
    assert undone["doubts"] == undone["hints"] == []
    assert undone["latitude"] == pytest.approx(HERE.latitude, abs=2e-6)
    assert undone["longitude"] == pytest.approx(HERE.longitude, abs=2e-6)


def test_swapped_coordinates_are_turned_by_a_button(staff: FlaskClient) -> None:
    found = asked(staff, latitude="105.6325", longitude="10.4603")
    assert "probably swapped" in found["problems"][0]
    (hint,) = found["hints"]
    assert "swapped" in hint["text"]
    assert (hint["latitude"], hint["longitude"]) == ("10.460300", "105.632500")
    assert asked(staff, latitude="200", longitude="10.4603")["hints"] == []


def test_swapped_coordinates_that_both_can_be_read_are_told_by_the_commune(
    staff: FlaskClient, session: Session
) -> None:
    session.execute(
        text_("UPDATE setting SET value = '[-180, -90, 180, 90]' WHERE key = 'envelope'")
    )
    makers.commune(session, code="30003", name="Xa", box=(66.0, 10.0, 67.0, 11.0))
    session.commit()
    found = asked(staff, latitude="66.5", longitude="10.5", commune="30003")
    assert found["doubts"]
    hint = next(one for one in found["hints"] if "swapped" in one["text"])
    assert (hint["latitude"], hint["longitude"]) == ("10.500000", "66.500000")


def test_the_hints_are_as_far_away_as_they_say(staff: FlaskClient, session: Session) -> None:
    """226 m for the datum, 82 km for the meridian: the figures that people know."""
    from geoalchemy2 import Geography
    from sqlalchemy import cast, func

    def away(found: dict[str, Any]) -> float:
        there = Position(found["latitude"], found["longitude"])
        one, other = (
            cast(func.ST_SetSRID(func.ST_MakePoint(at.longitude, at.latitude), 4326), Geography)
            for at in (HERE, there)
        )
        return session.scalar(select(func.ST_Distance(one, other)))

    longitude, latitude = from_wgs84(HERE, system(4756))
    datum = asked(staff, latitude=f"{latitude:.7f}", longitude=f"{longitude:.7f}")
    assert away(datum) == pytest.approx(226, abs=1)
    meridian = asked(staff, srid=9210, **metres(5897))
    assert away(meridian) == pytest.approx(82_000, abs=500)


@pytest.mark.parametrize(
    ("text", "srid"),
    [
        ("10.4603, 105.6325", "4326"),
        ("105.6325 10.4603", "4326"),
        ("10°27′37.08″ N 105°37′57.00″ E", "4326"),
        ("POINT(105.6325 10.4603)", "4326"),
        ("VN-2000 105°00′: X=1156833.58 Y=569044.81", "5897"),
        ("geo:10.4603,105.6325", "4326"),
    ],
)
def test_anything_may_be_pasted(staff: FlaskClient, text: str, srid: str) -> None:
    found = asked(staff, text=text)
    assert found["problems"] == []
    assert found["fields"]["srid"] == srid
    assert found["latitude"] == pytest.approx(HERE.latitude, abs=1e-5)
    assert found["longitude"] == pytest.approx(HERE.longitude, abs=1e-5)


def test_pasted_metres_are_in_the_chosen_system_and_degrees_are_not(staff: FlaskClient) -> None:
    text = "1156833.58 569044.81"
    assert "which coordinate system" in asked(staff, text=text)["problems"][0]
    found = asked(staff, text=text, srid=5897)
    assert found["commune"] == "Phường Cao Lãnh"
    assert asked(staff, text="10.4603, 105.6325", srid=5897)["fields"]["srid"] == "4326"


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"text": "không biết"},
        {"latitude": "x", "longitude": "105"},
        {"latitude": "0", "longitude": "0"},
        {"latitude": "10.4", "longitude": "105.6", "srid": "1"},
        {"latitude": "45", "longitude": "5"},
        {"text": "\u202e{{31337*31337}}"},
        {"text": "1" * 5000},
    ],
)
def test_what_cannot_be_read_is_told(staff: FlaskClient, query: dict[str, str]) -> None:
    found = asked(staff, **query)
    assert found["problems"]
    assert "latitude" not in found


def test_the_check_is_for_those_who_register_or_propose(world: doors.World) -> None:
    path = "/towers/new/position.json?latitude=10.46&longitude=105.5"
    answered(world["staff"].get(path), 200)
    answered(world["inspector"].get(path), 200)
    refused(world["operator"].get(path), 403)
    refused(world["staff"].get(f"{path}&tower=KHONG-CO"), 404)
    # A foreign tower is none, and no neighbour either.
    foreign = world.there.tower.code
    refused(world["inspector"].get(f"{path}&tower={foreign}"), 404)


def test_where_a_tower_stood_proves_nothing_about_where_it_moves(
    staff: FlaskClient, session: Session
) -> None:
    longitude, latitude = from_wgs84(HERE, system(4756))
    makers.tower(session, code="T-1", latitude=HERE.latitude, longitude=HERE.longitude)
    session.commit()
    moved = {"latitude": f"{latitude:.7f}", "longitude": f"{longitude:.7f}"}
    other = asked(staff, **moved)
    assert any("226" in one["text"] for one in other["hints"])
    own = asked(staff, **moved, tower="T-1")
    assert not any("known tower" in one["why"] for one in own["hints"])


# Before it is saved


def form(**changes: Any) -> dict[str, Any]:
    return {**FORM, "srid": "4326", "stated_commune": "", **changes}


def test_a_doubtful_position_is_asked_about_once_more(staff: FlaskClient, session: Session) -> None:
    given = form(srid="9210", stated_commune="30001", **metres(5897))
    before = counts(session)
    response = staff.post("/towers/new?lang=en", data=given)
    assert response.status_code == 409
    page = html.unescape(response.get_data(as_text=True))
    assert "m outside Phường Cao Lãnh, which the papers name" in page
    assert "central meridian is another one" in page
    assert "Take this position" in page
    assert counts(session) == before
    token = page.split('name="place_confirmed" value="')[1].split('"')[0]
    for wrong in ("1", "x", token + "9"):
        again = staff.post("/towers/new", data={**given, "place_confirmed": wrong})
        assert again.status_code == 409
    moved = {**given, "longitude": "569999.99", "place_confirmed": token}
    assert staff.post("/towers/new", data=moved).status_code == 409, "another position"
    done = staff.post("/towers/new", data={**given, "place_confirmed": token})
    assert done.status_code == 302
    tower = session.scalars(select(Tower)).one()
    assert tower.source_srid == 9210


def test_a_position_in_no_commune_is_asked_about(staff: FlaskClient, session: Session) -> None:
    response = staff.post("/towers/new?lang=en", data=form(latitude="9.9", longitude="105.9"))
    assert response.status_code == 409
    assert "lies in no commune" in response.get_data(as_text=True)


def test_a_pasted_position_is_saved_without_any_script(
    staff: FlaskClient, session: Session
) -> None:
    text = "VN-2000 105°00′: X=1156833.58 Y=569044.81"
    given = form(anything=text, latitude="", longitude="", stated_commune="30001")
    assert staff.post("/towers/new", data=given).status_code == 302
    tower = session.scalars(select(Tower)).one()
    assert (tower.source_srid, tower.source_x, tower.source_y) == (5897, 569044.81, 1156833.58)


def test_what_is_pasted_counts_and_is_never_left_out_silently(
    staff: FlaskClient, session: Session
) -> None:
    before = counts(session)
    response = staff.post("/towers/new?lang=en", data=form(anything="not a place"))
    assert response.status_code == 422
    assert 'id="f-anything-wrong"' in response.get_data(as_text=True)
    assert counts(session) == before


def test_moving_a_tower_is_asked_about_as_registering_one_is(
    staff: FlaskClient, session: Session
) -> None:
    staff.post("/towers/new", data=form())
    moved = form(latitude="9.9", longitude="105.9", version="1")
    assert staff.post("/towers/DT-0042/edit", data=moved).status_code == 409
    session.expire_all()
    assert session.scalars(select(Tower)).one().version == 1
    token = "4326|9.9|105.9|"
    done = staff.post("/towers/DT-0042/edit", data={**moved, "place_confirmed": token})
    assert done.status_code == 302


def test_unusual_classes_are_said_and_saved(staff: FlaskClient, session: Session) -> None:
    given = form(planning_class="A1a", bts_category="2")
    assert staff.post("/towers/new", data=given).status_code == 302
    page = staff.get("/towers/DT-0042?lang=en").get_data(as_text=True)
    assert page.count("is unusual for the structure type") == 2
    usual = form(code="DT-0043", planning_class="A2b", bts_category="1", confirmed="1")
    assert staff.post("/towers/new", data=usual).status_code == 302
    page = staff.get("/towers/DT-0043?lang=en").get_data(as_text=True)
    assert "is unusual for the structure type" not in page
