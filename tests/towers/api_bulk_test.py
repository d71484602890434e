"""Many towers in one request: by code, all or the good ones, and the same again changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from accounts.models import Organisation
from core.audit import AuditEntry
from tests import doors, makers
from tests.doors import answered, refused
from towers.api.bulk import MOST
from towers.models import Tower

ADDRESS = "/api/v1/towers/bulk"


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    return doors.client_of(app, session, makers.user(session, "staff"))


def given(code: str, **fields: Any) -> dict[str, Any]:
    return {"code": code, "name": f"Trạm {code}", "latitude": 10.46, "longitude": 105.63, **fields}


def outcomes(answer: dict[str, Any]) -> list[str]:
    return [item["outcome"] for item in answer["items"]]


def test_new_ones_are_registered_and_known_ones_changed(
    staff: FlaskClient, session: Session
) -> None:
    tower = makers.tower(session, code="CU", name="Trạm Cũ", note="giữ lại")
    session.commit()
    answer = answered(
        staff.post(
            ADDRESS,
            json=[given("MOI", owner="Viễn thông"), {"code": "CU", "height_m": 48.04}],
        ),
        200,
    )
    assert outcomes(answer) == ["created", "changed"]
    assert answer["counts"] == {"created": 1, "changed": 1, "unchanged": 0, "wrong": 0}
    assert answer["items"][1] == {"index": 1, "code": "CU", "outcome": "changed", "version": 2}
    session.expire_all()
    assert (float(tower.height_m), tower.name, tower.note) == (48.0, "Trạm Cũ", "giữ lại")
    made = session.scalars(select(Tower).where(Tower.code == "MOI")).one()
    assert made.owner.name == "Viễn thông"
    actions = select(AuditEntry.action).where(AuditEntry.kind == "tower").order_by(AuditEntry.id)
    assert session.scalars(actions).all() == ["tower.create", "tower.edit"]


def test_the_same_body_twice_changes_nothing(staff: FlaskClient, session: Session) -> None:
    body = [
        given("A", services=["microwave", "bts"], owner="X", height_m=40.25),
        given("B", source_srid=9210, source_x=566614.06, source_y=1145746.57),
    ]
    for name in ("latitude", "longitude"):
        del body[1][name]
    assert outcomes(answered(staff.post(ADDRESS, json=body), 200)) == ["created"] * 2
    entries = session.scalar(select(func.count()).select_from(AuditEntry))
    again = answered(staff.post(ADDRESS, json=body), 200)
    assert outcomes(again) == ["unchanged"] * 2
    assert [item["version"] for item in again["items"]] == [1, 1]
    assert session.scalar(select(func.count()).select_from(AuditEntry)) == entries


WRONG = {
    "no name": ({"code": "W", "latitude": 10, "longitude": 105}, "name"),
    "no position": ({"code": "W", "name": "x"}, "latitude"),
    "no code": ({"name": "x", "latitude": 10, "longitude": 105}, "code"),
    "a wrong code": (given("W W"), "code"),
    "a code that is no text": ({**given("W"), "code": 5}, "code"),
    "a wrong height": (given("W", height_m=-1), "height_m"),
    "an unknown field": (given("W", colour="red"), "colour"),
    "outside": (given("W", latitude=51.5, longitude=0.1), "latitude"),
    "an unknown system": (
        {"code": "W", "name": "x", "source_srid": 999, "source_x": 1, "source_y": 2},
        "source_srid",
    ),
    "an unknown organisation": (
        given("W", owner="00000000-0000-4000-8000-000000000000"), "owner",
    ),
    "the same code twice": (given("GOOD"), "code"),
    "a version of a new one": (given("W", version=1), "version"),
    "no object": ("W", "_"),
    "nothing": (None, "_"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_one_is_named_and_nothing_is_written(
    staff: FlaskClient, session: Session, name: str
) -> None:
    item, field = WRONG[name]
    before = doors.counts(session)
    problem = refused(staff.post(ADDRESS, json=[given("GOOD", owner="Neu"), item]), 422)
    assert f"1.{field}" in problem["fields"], problem["fields"]
    assert problem["facts"] == {"wrong": 1, "all": 2}
    assert doors.counts(session) == before


@pytest.mark.parametrize("name", WRONG)
def test_the_good_ones_are_written_when_asked_for(
    staff: FlaskClient, session: Session, name: str
) -> None:
    item, field = WRONG[name]
    answer = answered(
        staff.post(f"{ADDRESS}?good_rows=true", json=[given("GOOD"), item, given("FINE")]), 200
    )
    assert outcomes(answer) == ["created", "wrong", "created"]
    assert field in answer["items"][1]["errors"]
    assert "version" not in answer["items"][1]
    assert sorted(session.scalars(select(Tower.code))) == ["FINE", "GOOD"]


def test_a_new_owner_of_a_wrong_one_is_not_kept(staff: FlaskClient, session: Session) -> None:
    body = [given("GOOD"), given("BAD", owner="Chủ mới", latitude=51.5, longitude=0.1)]
    answered(staff.post(f"{ADDRESS}?good_rows=true", json=body), 200)
    assert session.scalar(select(func.count()).select_from(Organisation)) == 0


def test_none_good_is_a_refusal(staff: FlaskClient) -> None:
    problem = refused(staff.post(f"{ADDRESS}?good_rows=true", json=[{"code": "A"}]), 422)
    assert "0.name" in problem["fields"]


def test_a_version_that_is_not_the_present_one_is_refused(
    staff: FlaskClient, session: Session
) -> None:
    makers.tower(session, code="CU", version=3)
    session.commit()
    refused(staff.post(ADDRESS, json=[{"code": "CU", "version": 2, "note": "x"}]), 422)
    answer = answered(staff.post(ADDRESS, json=[{"code": "CU", "version": 3, "note": "x"}]), 200)
    assert answer["items"][0]["version"] == 4


@pytest.mark.parametrize("body", [[], {}, "x", 5, [{}] * (MOST + 1)], ids=[
    "empty", "object", "text", "number", "too many"])  # fmt: skip
def test_another_shape_is_refused(staff: FlaskClient, body: Any) -> None:
    assert refused(staff.post(ADDRESS, json=body), 422)["facts"] == {"most": MOST}


def test_only_staff_and_only_in_their_territory(
    app: Flask, session: Session, world: doors.World
) -> None:
    for role in ("inspector", "local_officer", "operator", "admin"):
        refused(world[role].post(ADDRESS, json=[given("A")]), 403)
    here = doors.client_of(
        app, session, makers.user(session, "staff", territories=[world.here.commune])
    )
    before = world.there.tower.version
    problem = refused(
        here.post(
            ADDRESS,
            json=[
                {"code": world.there.tower.code, "note": "mine now"},
                given("OUT", longitude=106.5),
                given("IN", longitude=105.5),
            ],
        ),
        422,
    )
    assert {"0.name", "1.latitude"} <= set(problem["fields"])
    session.expire_all()
    assert world.there.tower.version == before
    assert outcomes(answered(here.post(ADDRESS, json=[given("IN", longitude=105.5)]), 200)) == [
        "created"
    ]


def test_many_at_once(staff: FlaskClient, session: Session) -> None:
    makers.commune(session)
    session.commit()
    body = [
        given(f"N-{n:04}", latitude=10.1 + n / 2000, longitude=105.1, owner=f"Chủ {n % 7}")
        for n in range(200)
    ]
    assert answered(staff.post(ADDRESS, json=body), 200)["counts"]["created"] == 200
    assert answered(staff.post(ADDRESS, json=body), 200)["counts"]["unchanged"] == 200
