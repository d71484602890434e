"""The checklist through the API: drafts by If-Match, items, back-tests, publication."""

from __future__ import annotations

import copy
import uuid
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from tests import doors, makers
from tests.doors import answered, counts, refused

PATH = "/api/v1/checklists"


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    doors.published(session)
    return doors.client_of(app, session, makers.user(session, "staff"))


def tag(number: int) -> dict[str, str]:
    return {"If-Match": f'"v{number}"'}


def begun(staff: FlaskClient) -> dict[str, Any]:
    return answered(staff.post(PATH, json={"based_on": 1}), 201)


def item_of(version: dict[str, Any], key: str) -> dict[str, Any]:
    found = next(one for one in version["content"]["items"] if one["key"] == key)
    return {name: value for name, value in found.items() if name != "key"}


def test_a_draft_is_begun_once(staff: FlaskClient) -> None:
    response = staff.post(PATH, json={"based_on": 1})
    made = answered(response, 201)
    assert response.headers["Location"] == f"{PATH}/2"
    assert response.headers["ETag"] == '"v1"'
    assert (made["version"], made["status"], made["based_on"]) == (2, "draft", 1)
    assert answered(staff.post(PATH, json={"based_on": 1}), 200)["version"] == 2
    refused(staff.post(PATH, json={"based_on": 3}), 409)
    listed = answered(staff.get(f"{PATH}?limit=1"), 200)
    assert [one["version"] for one in listed["items"]] == [2]
    rest = answered(staff.get(f"{PATH}?limit=1&cursor={listed['next_cursor']}"), 200)
    assert ([one["version"] for one in rest["items"]], rest["next_cursor"]) == ([1], None)


def test_an_item_is_put_by_its_code(staff: FlaskClient) -> None:
    item = item_of(begun(staff), "sit_fence")
    item["levels"][0]["severity"] = "major"
    path = f"{PATH}/2/items/sit_fence"
    refused(staff.put(path, json={"item": item}), 428)
    response = staff.put(path, json={"item": item}, headers=tag(1))
    assert item_of(answered(response, 200), "sit_fence")["levels"][0]["severity"] == "major"
    assert response.headers["ETag"] == '"v2"'
    # Sent again it is the same; by who saw the version before it is refused.
    assert staff.put(path, json={"item": item}, headers=tag(2)).headers["ETag"] == '"v2"'
    refused(staff.put(path, json={"item": item}, headers=tag(1)), 412)
    answered(staff.put(f"{PATH}/2/items/sit_new", json={"item": item}, headers=tag(2)), 201)
    answered(staff.delete(f"{PATH}/2/items/sit_new", headers=tag(3)), 200)
    refused(staff.delete(f"{PATH}/2/items/sit_new", headers=tag(4)), 404)
    changes = answered(staff.get(f"{PATH}/2/differences"), 200)
    assert changes["compared_with"] == 1
    (change,) = changes["items"]
    assert (change["key"], change["kind"]) == ("sit_fence", "changed")
    assert [one["field"] for one in change["fields"]] == ["levels"]


def test_a_content_is_replaced_whole(staff: FlaskClient) -> None:
    content = begun(staff)["content"]
    content["items"].pop()
    content["version"] = 99
    made = answered(staff.put(f"{PATH}/2", json={"content": content}, headers=tag(1)), 200)
    assert (made["content"]["version"], len(made["content"]["items"])) == (2, 51)


def test_a_published_version_is_never_changed(staff: FlaskClient, session: Session) -> None:
    content = answered(staff.get(f"{PATH}/1"), 200)["content"]
    before = counts(session)
    item = {"item": content["items"][0]}
    for response in (
        staff.put(f"{PATH}/1", json={"content": content}, headers=tag(1)),
        staff.put(f"{PATH}/1/items/sit_fence", json=item, headers=tag(1)),
        staff.delete(f"{PATH}/1/items/sit_fence", headers=tag(1)),
        staff.delete(f"{PATH}/1", headers=tag(1)),
        staff.post(f"{PATH}/1/back-test", headers=tag(1)),
        staff.post(f"{PATH}/1/publication", headers=tag(1)),
    ):
        refused(response, 409)
    assert counts(session) == before


def test_what_is_wrong_is_told_by_the_code_of_each_item(
    staff: FlaskClient, session: Session
) -> None:
    content = begun(staff)["content"]
    before = counts(session)
    for place in (0, 5):
        wrong = copy.deepcopy(content)
        wrong["items"][place]["how"] = "magic"
        problem = refused(staff.put(f"{PATH}/2", json={"content": wrong}, headers=tag(1)), 422)
        assert list(problem["fields"]) == [content["items"][place]["key"]]
    for body in ({}, {"content": []}, {"content": {}}, {"content": {"items": [1]}}, []):
        refused(staff.put(f"{PATH}/2", json=body, headers=tag(1)), 422)
    refused(staff.put(f"{PATH}/2/items/a b", json={"item": content["items"][0]}, headers=tag(1)),
            422)  # fmt: skip
    assert counts(session) == before


def test_a_tested_draft_is_published(app: Flask, staff: FlaskClient, session: Session) -> None:
    commune = makers.commune(session, code="90001")
    makers.tower(session, code="T-1", commune=commune)
    inspector = doors.client_of(app, session, makers.user(session, "inspector"))
    sent = {**doors.visit("T-1"), "id": str(uuid.uuid4())}
    answered(inspector.post("/api/v1/inspections", json=sent), 201)
    draft = begun(staff)
    refused(staff.get(f"{PATH}/2/back-test"), 404)
    item = item_of(draft, "clb_ladder")
    item["levels"][0]["severity"] = "critical"
    path = f"{PATH}/2/items/clb_ladder"
    answered(staff.put(path, json={"item": item}, headers=tag(1)), 200)
    refused(staff.post(f"{PATH}/2/publication", headers=tag(2)), 409)
    test = answered(staff.post(f"{PATH}/2/back-test", headers=tag(2)), 200)
    assert (test["current"], test["inspections"], test["answers"]) == (True, 1, 1)
    assert test["communes"] == [
        {"code": "90001", "commune": commune.name, "inspections": 1,
         "more": 0, "fewer": 0, "other": 1}
    ]  # fmt: skip
    assert answered(staff.get(f"{PATH}/2/back-test"), 200) == test
    (found,) = answered(staff.get(f"{PATH}/2/back-test/findings?kind=other"), 200)["items"]
    assert (found["tower"], found["before"], found["after"]) == ("T-1", "major", "critical")
    assert not answered(staff.get(f"{PATH}/2/back-test/findings?kind=more"), 200)["items"]
    refused(staff.get(f"{PATH}/2/back-test/findings?kind=all"), 422)
    refused(staff.post(f"{PATH}/2/publication", headers=tag(1)), 412)
    made = answered(staff.post(f"{PATH}/2/publication", headers=tag(2)), 200)
    assert made["status"] == "published"
    assert answered(staff.get(f"{PATH}/1"), 200)["status"] == "retired"
    refused(staff.post(f"{PATH}/2/publication", headers=tag(2)), 409)
    # What was judged stays as it was judged, and new visits are judged by the new version.
    kept = answered(inspector.get(f"/api/v1/inspections/{sent['id']}"), 200)
    assert (kept["checklist_version"], kept["judgements"]["clb_ladder"]["severity"]) == (1, "major")
    again = {**doors.visit("T-1"), "id": str(uuid.uuid4())}
    judged = answered(inspector.post("/api/v1/inspections", json=again), 201)
    assert judged["judgements"]["clb_ladder"]["severity"] == "critical"


def test_a_draft_is_discarded(staff: FlaskClient) -> None:
    begun(staff)
    refused(staff.delete(f"{PATH}/2"), 428)
    assert staff.delete(f"{PATH}/2", headers=tag(1)).status_code == 204
    refused(staff.get(f"{PATH}/2"), 404)
    refused(staff.delete(f"{PATH}/2", headers=tag(1)), 404)
