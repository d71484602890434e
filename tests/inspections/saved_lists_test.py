"""Filters by a name: one's own, opened by others in their own territory."""

from __future__ import annotations

import uuid

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from tests import doors, makers
from tests.doors import answered, refused
from tests.inspections.follow_up_test import violation
from tests.inspections.visits import published

PATH = "/api/v1/follow-up/saved"


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    return doors.client_of(app, session, makers.user(session, "staff"))


def body(name: str = "Quá hạn", **query: list[str]) -> dict[str, object]:
    return {"id": str(uuid.uuid4()), "name": name, "query": query or {"overdue": ["1"]}}


def test_a_list_is_saved_once_however_often_it_is_sent(staff: FlaskClient) -> None:
    sent = body(severity=["critical", "major"])
    first = answered(staff.post(PATH, json=sent), 201)
    assert answered(staff.post(PATH, json=sent), 200) == first
    assert first["query"] == {"severity": ["critical", "major"]}
    refused(staff.post(PATH, json={**sent, "name": "Khác"}), 409)
    refused(staff.post(PATH, json=body("QUÁ HẠN")), 409)
    assert [one["id"] for one in answered(staff.get(PATH), 200)["items"]] == [sent["id"]]


def test_a_list_is_changed_in_the_version_that_was_seen(staff: FlaskClient) -> None:
    sent = body()
    made = staff.post(PATH, json=sent)
    address, change = f"{PATH}/{sent['id']}", {"name": "Mới", "query": {"q": ["gò"]}}
    refused(staff.put(address, json=change), 428)
    tag = made.headers["ETag"]
    changed = answered(staff.put(address, json=change, headers={"If-Match": tag}), 200)
    assert (changed["name"], changed["version"]) == ("Mới", 2)
    refused(staff.put(address, json=change, headers={"If-Match": tag}), 412)
    refused(staff.delete(address, headers={"If-Match": tag}), 412)
    assert staff.delete(address, headers={"If-Match": '"v2"'}).status_code == 204
    refused(staff.get(address), 404)


@pytest.mark.parametrize(
    ("name", "query"),
    [("", {}), ("  ", {}), ("a" * 101, {}), ("a", {"không": ["1"]}), ("a", {"q": "gò"}),
     ("a", {"commune": ["x" * 200] * 30})],
    ids=range(6),
)  # fmt: skip
def test_a_list_that_cannot_be_saved(staff: FlaskClient, name: str, query: dict) -> None:
    refused(staff.post(PATH, json={"id": str(uuid.uuid4()), "name": name, "query": query}), 422)


def test_a_link_shows_each_reader_their_own_territory(
    app: Flask, staff: FlaskClient, session: Session
) -> None:
    version, commune = published(session), makers.commune(session)
    for code, place in (("TRONG", commune), ("NGOAI", None)):
        violation(session, makers.tower(session, code=code, commune=place), version, due=-400)
    local = doors.client_of(
        app, session, makers.user(session, "local_officer", territories=[commune])
    )
    sent = body(overdue=["1"], severity=["major"])
    answered(staff.post(PATH, json=sent), 201)
    link = f"/follow-up/saved/{sent['id']}"
    for client, shown in ((staff, {"TRONG", "NGOAI"}), (local, {"TRONG"})):
        page = client.get(link, follow_redirects=True)
        assert page.status_code == 200
        assert page.request.args.getlist("severity") == ["major"]
        text = page.get_data(as_text=True)
        assert {code for code in ("TRONG", "NGOAI") if f"/towers/{code}" in text} == shown
    # Others may look, and change nothing.
    assert answered(local.get(f"{PATH}/{sent['id']}"), 200)["name"] == "Quá hạn"
    assert answered(local.get(PATH), 200)["items"] == []
    refused(local.delete(f"{PATH}/{sent['id']}", headers={"If-Match": "*"}), 404)
    assert local.get(f"/follow-up/saved/{uuid.uuid4()}").status_code == 404


def test_a_browser_saves_replaces_and_removes(app: Flask, session: Session) -> None:
    person = doors.with_password(session, "inspector")
    browser = doors.signed_in(app, person.email)
    token = doors.csrf_of(browser.get("/follow-up").get_data(as_text=True))
    for query, name in (("?overdue=1&cursor=x&lang=vi", "Của tôi"), ("?q=gò", "của TÔI")):
        saved = browser.post(f"/follow-up/saved{query}", data={"csrf_token": token, "name": name})
        assert saved.status_code == 302, saved.get_data(as_text=True)
    (kept,) = answered(browser.get(PATH), 200)["items"]
    assert (kept["name"], kept["query"]) == ("của TÔI", {"q": ["gò"]})
    page = browser.get(saved.location, follow_redirects=True).get_data(as_text=True)
    assert "của TÔI" in page
    refusal = browser.post("/follow-up/saved", data={"csrf_token": token, "name": " "})
    assert refusal.status_code == 422
    gone = browser.post(f"{saved.location}/remove", data={"csrf_token": token})
    assert gone.status_code == 302
    assert answered(browser.get(PATH), 200)["items"] == []
