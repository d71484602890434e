"""What the map asks beside its tiles: where to look, what a tower is, whose towers there are."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from core import clock, store
from core.errors import Invalid
from core.policy import SYSTEM
from tests import doors, makers
from tests.doors import answered, refused


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    return doors.client_of(app, session, makers.user(session, "staff"))


def test_the_extent_is_that_of_the_matching_towers(staff: FlaskClient, session: Session) -> None:
    assert answered(staff.get("/map/extent.json"), 200) == {"box": None}
    makers.commune(session, code="90001")
    session.commit()
    assert answered(staff.get("/map/extent.json"), 200)["box"] == [105, 10, 106, 11]
    makers.tower(session, code="QX-7", latitude=10.2, longitude=105.2)
    makers.tower(session, code="B", latitude=10.8, longitude=105.9)
    session.commit()
    assert answered(staff.get("/map/extent.json"), 200)["box"] == [105.2, 10.2, 105.9, 10.8]
    assert answered(staff.get("/map/extent.json?q=QX-7"), 200)["box"] == [105.2, 10.2, 105.2, 10.2]


def test_the_popup_says_what_the_tower_is(staff: FlaskClient, session: Session) -> None:
    tower = makers.tower(session, code="T-1", name="Trạm Một")
    session.commit()
    by_id = answered(staff.get(f"/map/towers/{tower.id}.json"), 200)
    assert (by_id["code"], by_id["name"]) == ("T-1", "Trạm Một")
    assert answered(staff.get("/map/places/T-1.json"), 200) == by_id
    refused(staff.get(f"/map/towers/{uuid.uuid4()}.json"), 404)
    refused(staff.get("/map/places/KHONG-CO.json"), 404)
    refused(staff.get("/map/places/%00.json"), 404)


def test_owners_are_those_of_towers_in_scope(session: Session, world: doors.World) -> None:
    makers.organisation(session, name="Không có cột")
    session.commit()
    owners = answered(world["inspector"].get("/map/owners.json"), 200)["owners"]
    assert owners == [{"id": str(world.owner.id), "name": world.owner.name}]


def test_the_islands_are_named_as_ours(staff: FlaskClient) -> None:
    text = json.dumps(answered(staff.get("/map/islands.json"), 200), ensure_ascii=False)
    assert "Hoàng Sa" in text
    assert "Trường Sa" in text


def test_the_page_and_document_have_the_same_size_whatever_the_register(
    staff: FlaskClient, session: Session
) -> None:
    paths = ("/map", "/map/document", "/map/picker")
    empty = [staff.get(path).data for path in paths]
    for number in range(50):
        makers.tower(session, code=f"T-{number}")
    session.commit()
    full = [staff.get(path).data for path in paths]
    assert full[1:] == empty[1:]
    assert abs(len(full[0]) - len(empty[0])) < 200


def test_a_small_map_of_any_code_is_one_constant_document(
    staff: FlaskClient, session: Session
) -> None:
    makers.tower(session, code="{{7*7}}")
    session.commit()
    assert staff.get("/map/tower/%7B%7B7*7%7D%7D").data == staff.get("/map/tower/T").data


def test_the_map_page_keeps_its_filters(staff: FlaskClient) -> None:
    page = staff.get("/map?condition=dangerous&overdue=1").get_data(as_text=True)
    assert "condition=dangerous" in page


def test_the_page_tells_the_map_until_when_inspections_are_due(
    staff: FlaskClient, session: Session
) -> None:
    store.set_value(session, "inspection_soon_days", 30, by=SYSTEM, now=clock.now())
    session.commit()
    page = staff.get("/map").get_data(as_text=True)
    # Before the day after the last one of these days.
    day = clock.today() + timedelta(days=31)
    assert f'data-due-days="30" data-due-before="{day.isoformat()}"' in page
    for wrong in (0, 1.5, "90"):
        with pytest.raises(Invalid):
            store.set_value(session, "inspection_soon_days", wrong, by=SYSTEM, now=clock.now())


def test_only_staff_draw_files_of_their_own(app: Flask, session: Session) -> None:
    for role, draws in (("staff", True), ("inspector", False), ("admin", False)):
        person = makers.user(session, role)
        session.commit()
        page = doors.client_of(app, session, person).get("/map").get_data(as_text=True)
        assert (f'data-keeps-files="{person.id}"' in page) == draws, role
        assert ("data-keeps-files" in page) == draws, role
