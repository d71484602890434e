"""Campaigns and assignments through the API: versions, resends, areas as GeoJSON, bad bodies."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from accounts.models import User
from core import clock
from tests import doors, makers
from tests.doors import answered, counts, refused, visit

PATH = "/api/v1/campaigns"
RING = [[105.5, 10.3], [105.7, 10.3], [105.7, 10.5], [105.5, 10.5], [105.5, 10.3]]


def polygon(*rings: Any) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings) or [RING]}


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    """Staff, beside a tower `IN` inside the polygon and one `OUT` outside it."""
    doors.published(session)
    makers.tower(session, code="IN", latitude=10.4, longitude=105.6)
    makers.tower(session, code="OUT", latitude=10.6, longitude=105.6)
    return doors.client_of(app, session, makers.user(session, "staff"))


@pytest.fixture
def inspector(session: Session) -> User:
    made = makers.user(session, "inspector", name="Nguyễn Thị Kiểm")
    session.commit()
    return made


def body(**facts: Any) -> dict[str, Any]:
    today = clock.today()
    return {
        "id": str(uuid.uuid4()),
        "name": "Trước mùa bão",
        "kind": "campaign",
        "begins_on": today.isoformat(),
        "ends_on": (today + timedelta(days=30)).isoformat(),
        "choice": {},
        **facts,
    }


def test_from_a_drawn_area_to_the_inspection_that_fulfils_it(
    app: Flask, session: Session, staff: FlaskClient, inspector: User
) -> None:
    choice = {"area": polygon(), "structure_type": ["lattice_self_support"]}
    found = answered(staff.post(f"{PATH}/preview", json={"choice": choice}), 200)
    assert found == {"towers": 1}
    sent = body(choice=choice)
    response = staff.post(PATH, json=sent)
    made = answered(response, 201)
    assert response.headers["ETag"] == '"v1"'
    assert response.headers["Location"] == f"{PATH}/{sent['id']}"
    assert made["progress"] == {"towers": 1, "assigned": 0, "done": 0, "overdue": 0}
    assert made["possible"] == ["running", "cancelled"]
    assert answered(staff.post(PATH, json=sent), 200) == made
    refused(staff.post(PATH, json={**sent, "name": "Khác"}), 409)
    path = f"{PATH}/{sent['id']}"
    started = staff.post(f"{path}/state", json={"state": "running"}, headers={"If-Match": '"v1"'})
    assert answered(started, 200)["state"] == "running"
    shared = staff.post(
        f"{path}/assignments",
        json={"inspectors": [str(inspector.id)]},
        headers={"If-Match": started.headers["ETag"]},
    )
    assert answered(shared, 200)["towers"] == 1
    worker = doors.client_of(app, session, inspector)
    (mine,) = answered(worker.get("/api/v1/assignments?mine=true"), 200)["items"]
    assert (mine["tower"], mine["standing"], mine["inspection"]) == ("IN", "assigned", None)
    seen = {**visit("IN"), "id": str(uuid.uuid4()), "kind": "campaign"}
    answered(worker.post("/api/v1/inspections", json=seen), 201)
    (mine,) = answered(worker.get("/api/v1/assignments?mine=true"), 200)["items"]
    assert (mine["standing"], mine["inspection"]) == ("done", seen["id"])
    progress = answered(worker.get(f"{path}/progress"), 200)
    assert progress["total"] == {"towers": 1, "assigned": 1, "done": 1, "overdue": 0}
    assert [one["name"] for one in progress["inspectors"]] == ["Nguyễn Thị Kiểm"]


@pytest.mark.parametrize(
    ("area", "said"),
    [
        ({"type": "Point", "coordinates": [105, 10]}, "Polygon"),
        (polygon([]), "four positions"),
        (polygon(RING[:-1]), "not closed"),
        (polygon([[one[1], one[0]] for one in RING]), "outside"),
        (polygon([RING[0], RING[2], RING[1], RING[3], RING[0]]), "crosses itself"),
        (polygon(RING, [[x * 0.1 + 94.9, y] for x, y in RING]), ""),
        (polygon([[*one, 5] for one in RING]), "flat"),
        (polygon([["105", 10], *RING[1:]]), "two numbers"),
        (polygon([[105.5 + n / 1000, 10.3] for n in range(400)]), "at most"),
        ({**polygon(), "crs": "x"}, "Only type"),
        ("POLYGON((0 0,1 0,1 1,0 0))", ""),
    ],
)
def test_an_area_that_is_not_sound_is_named_and_nothing_is_written(
    session: Session, staff: FlaskClient, area: Any, said: str
) -> None:
    before = counts(session)
    for path, sent in ((PATH, body(choice={"area": area})), (f"{PATH}/preview", None)):
        problem = refused(
            staff.post(
                path,
                json=sent or {"choice": {"area": area}},
                headers={"Accept-Language": "en"},
            ),
            422,
        )
        assert "area" in str(problem["fields"])
        assert said in str(problem["fields"])
    assert counts(session) == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""}, {"name": "x" * 301}, {"kind": "party"}, {"begins_on": "soon"},
        {"ends_on": "2000-01-01"}, {"ends_on": "9999-01-01"}, {"choice": {"colour": "red"}},
        {"choice": {"codes": ["KHONG-CO"]}}, {"choice": {"commune": ["00000"]}}, {"id": "7"},
    ],
)  # fmt: skip
def test_a_wrong_body_makes_nothing(session: Session, staff: FlaskClient, wrong: Any) -> None:
    before = counts(session)
    refused(staff.post(PATH, json=body(**wrong)), 422)
    assert counts(session) == before


def test_a_change_needs_the_version_that_it_changes(
    session: Session, staff: FlaskClient, inspector: User
) -> None:
    sent = body()
    answered(staff.post(PATH, json=sent), 201)
    path = f"{PATH}/{sent['id']}"
    plan = {name: sent[name] for name in ("name", "kind", "begins_on", "ends_on")}
    everybody = {"inspectors": [str(inspector.id)]}
    ids = [one["id"] for one in answered(staff.get("/api/v1/assignments"), 200)["items"]]
    before = counts(session)
    for send, address, change in (
        (staff.put, path, {**plan, "name": "Tên khác"}),
        (staff.post, f"{path}/state", {"state": "running"}),
        (staff.post, f"{path}/towers", {"choice": {}}),
        (staff.post, f"{path}/removals", {"assignments": ids, "reason": "x"}),
        (staff.post, f"{path}/assignments", everybody),
        (staff.put, f"/api/v1/assignments/{ids[0]}", {"inspector": str(inspector.id)}),
        (staff.post, f"/api/v1/assignments/{ids[0]}/withdrawal", {"reason": "x"}),
    ):
        refused(send(address, json=change), 428)
        refused(send(address, json=change, headers={"If-Match": '"v9"'}), 412)
    assert counts(session) == before
    changed = staff.put(path, json={**plan, "name": "Tên khác"}, headers={"If-Match": '"v1"'})
    assert answered(changed, 200)["name"] == "Tên khác"
    refused(staff.put(path, json=plan, headers={"If-Match": '"v1"'}), 412)
    left = staff.post(
        f"{path}/removals",
        json={"assignments": ids[:1], "reason": "trùng"},
        headers={"If-Match": '"v2"'},
    )
    assert answered(left, 200)["campaign"]["progress"]["towers"] == 1


def test_a_cancelled_campaign_answers_a_step_with_what_is_possible(staff: FlaskClient) -> None:
    sent = body()
    answered(staff.post(PATH, json=sent), 201)
    path, tag = f"{PATH}/{sent['id']}", {"If-Match": "*"}
    refused(staff.post(f"{path}/state", json={"state": "cancelled"}, headers=tag), 422)
    ended = {"state": "cancelled", "reason": "bão tan"}
    said = answered(staff.post(f"{path}/state", json=ended, headers=tag), 200)
    assert (said["state"], said["reason"], said["progress"]["towers"]) == (
        "cancelled", "bão tan", 0,
    )  # fmt: skip
    problem = refused(staff.post(f"{path}/state", json={"state": "running"}, headers=tag), 409)
    assert problem["facts"]["possible"] == []


def test_one_tower_is_assigned_given_on_and_withdrawn(
    session: Session, staff: FlaskClient, inspector: User
) -> None:
    other = makers.user(session, "inspector")
    session.commit()
    due = (clock.today() + timedelta(days=3)).isoformat()
    sent = {
        "id": str(uuid.uuid4()), "tower": "IN", "inspector": str(inspector.id),
        "kind": "complaint", "due_on": due, "note": "Dân phản ánh",
    }  # fmt: skip
    made = answered(staff.post("/api/v1/assignments", json=sent), 201)
    assert (made["kind"], made["due_on"], made["note"]) == ("complaint", due, "Dân phản ánh")
    assert answered(staff.post("/api/v1/assignments", json=sent), 200) == made
    refused(staff.post("/api/v1/assignments", json={**sent, "note": "khác"}), 409)
    nobody = {**sent, "id": str(uuid.uuid4()), "inspector": str(uuid.uuid4())}
    refused(staff.post("/api/v1/assignments", json=nobody), 422)
    path = f"/api/v1/assignments/{sent['id']}"
    given = staff.put(path, json={"inspector": str(other.id)}, headers={"If-Match": '"v1"'})
    assert answered(given, 200)["inspector"] == str(other.id)
    gone = staff.post(f"{path}/withdrawal", json={"reason": "nhầm"}, headers={"If-Match": '"v2"'})
    assert gone.status_code == 204
    refused(staff.get(path), 404)


# What names no view of a map: a box that is none on earth, or a zoom that is none.
NO_VIEWS: list[dict[str, str]] = [
    {}, {"zoom": "9"}, {"bbox": "1,2,3,4"}, {"bbox": "1,2,3,4\x00", "zoom": "9"},
    *({"bbox": box, "zoom": "9"} for box in (
        "1,2,3", "1,2,3,4,5", "nan,2,3,4", "inf,2,3,4", "1e999,2,3,4", "3,2,1,4", "1,4,3,2",
        "1,91,3,92", "x,2,3,4",
    )),
    *({"bbox": "1,2,3,4", "zoom": zoom} for zoom in ("-1", "25", "9.5", "024000000", "٩", "", "x")),
]  # fmt: skip


def test_the_map_of_a_campaign_shows_each_tower_once_by_where_it_stands(
    session: Session, staff: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from maps import queries

    for number in range(30):
        makers.tower(session, latitude=10 + number % 6 / 10, longitude=105 + number // 6 / 10)
    session.commit()
    sent = body()
    answered(staff.post(PATH, json=sent), 201)
    address = f"/map/campaigns/{sent['id']}.json"
    query = {"bbox": "100,5,115,20", "zoom": 9}
    found = answered(staff.get(address, query_string=query), 200)
    assert found["total"] == len(found["towers"]) == 32
    assert {one[3] for one in found["towers"]} == {"unassigned"}
    assert found["box"] == [105.0, 10.0, 105.6, 10.6]
    monkeypatch.setattr(queries, "MOST_SIGNS", 10)
    for zoom in (0, 9, 14):
        found = answered(staff.get(address, query_string={**query, "zoom": zoom}), 200)
        assert sum(one["number"] for one in found["clusters"]) == 32
        assert all(one["standings"] == {"unassigned": one["number"]} for one in found["clusters"])
    here = answered(staff.get(address, query_string={**query, "bbox": "105.55,10.55,106,11"}), 200)
    assert (len(here["towers"]), here["total"]) == (1, 32)
    for bad in NO_VIEWS:
        refused(staff.get(address, query_string=bad), 400)
    for box in ("-180,-90,180,90", "-500,-90,500,90", "105,10,105,10", "179,0,181,1", "0,89,1,90"):
        for zoom in (0, 9, 24):
            answered(staff.get(address, query_string={"bbox": box, "zoom": zoom}), 200)
