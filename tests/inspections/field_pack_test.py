"""What a phone takes along: work, towers, checklist, areas; 304 for what it has."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from core.db import database
from inspections.models import Violation
from tests import doors, makers
from tests.bench.lists import captured
from tests.inspections.phones import Phone, inspection, phone


@pytest.fixture
def own(app: Flask, world: doors.World) -> Phone:
    return phone(app, world["inspector"])


def pack(own: Phone, part: str, **query) -> dict:
    return doors.answered(own.client.get(f"/api/v1/field/{part}", query_string=query), 200)


def test_the_work_of_an_inspector(session: Session, own: Phone, world: doors.World) -> None:
    here = world.here
    session.get_one(Violation, here.violation).assignee_id = here.inspector.id
    session.commit()
    work = pack(own, "work")
    assert work["user"]["email"] == here.inspector.email
    assert work["checklist_versions"] == [1]
    assert set(work["settings"]) >= {"at_tower_m", "photo_long_edge_px", "clock_skew_s"}
    tasks = {one["kind"]: one for one in work["tasks"]}
    # What was asked for alone is done by the inspection of today.
    assert set(tasks) == {"reinspection", "campaign"}
    assert str(here.violation) in tasks["reinspection"]["violations"]
    assert {one["tower"] for one in work["tasks"]} == {here.tower.code}
    assert tasks["campaign"]["due_on"] == "2030-01-31"


def test_the_towers_of_the_territory_with_what_was_seen(
    session: Session, own: Phone, world: doors.World
) -> None:
    here = world.here
    makers.tower(session, code="A-1", latitude=10.4, longitude=105.4, commune=here.commune)
    session.commit()
    first = pack(own, "towers", limit=1)
    assert (first["total"], [one["code"] for one in first["items"]]) == (2, ["A-1"])
    assert first["bytes"] > 100
    second = pack(own, "towers", limit=1, cursor=first["next_cursor"])
    assert second["next_cursor"] is None
    (tower,) = second["items"]
    assert tower["code"] == here.tower.code
    assert (tower["lat"], tower["lon"]) == pytest.approx((10.46, 105.5), abs=0.2)
    opened = {one["item"]: one for one in tower["open"]}
    assert opened["clb_ladder"]["earlier_answer"] == {"outcome": "ok", "value": "no"}
    seen = {one for each in tower["open"] for one in each["earlier_photos"]}
    assert str(here.photo) in seen
    assert tower["last_answers"]["sit_fence"] == {"outcome": "ok", "value": "yes"}
    for wrong in ({"limit": 2001}, {"cursor": "nonsense"}, {"nothing": 1}):
        answer = own.client.get("/api/v1/field/towers", query_string=wrong)
        doors.refused(answer, (400, 422))


def test_the_checklist_and_the_areas(own: Phone, world: doors.World) -> None:
    checklist = pack(own, "checklists/1")
    assert {"items", "groups", "severities", "structure_types"} <= set(checklist["content"])
    assert checklist["content"]["items"][0].keys() >= {"key", "vi", "en", "answer", "levels"}
    assert [one["key"] for one in checklist["beside"]] == ["load_safety"]
    doors.refused(own.client.get("/api/v1/field/checklists/2"), 404)
    areas = pack(own, "areas")
    assert [one["properties"]["code"] for one in areas["features"]] == ["90001"]


@pytest.mark.parametrize("part", ["work", "towers", "checklists/1", "areas"])
def test_what_a_phone_has_costs_no_radio(own: Phone, world: doors.World, part: str) -> None:
    first = own.client.get(f"/api/v1/field/{part}")
    again = own.client.get(
        f"/api/v1/field/{part}", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert (again.status_code, again.data) == (304, b"")


def test_a_pack_takes_as_many_statements_for_many_towers(
    app: Flask, session: Session, own: Phone, world: doors.World
) -> None:
    def statements(part: str) -> int:
        with captured(database().engine) as sent:
            pack(own, part)
        return len(sent)

    parts = ("work", "towers")
    for part in parts:
        pack(own, part)
    few = [statements(part) for part in parts]
    for number in range(30):
        one = makers.tower(
            session, latitude=10.1 + number / 100, longitude=105.2, commune=world.here.commune
        )
        session.commit()
        own.send(inspection(one.code))
    assert [statements(part) for part in parts] == few
