"""Steps with a violation through the API and on its page."""

from __future__ import annotations

import pytest

from tests import doors, makers
from tests.doors import answered, refused


@pytest.fixture
def address(world):
    return f"/api/v1/violations/{world.here.violation}"


def send(client, address, tag, **body):
    return client.post(f"{address}/events", json=body, headers={"If-Match": tag})


def test_a_step_by_the_api(world, address) -> None:
    before = world["staff"].get(address)
    assert "confirmed" in before.get_json()["possible_steps"]
    after = send(world["staff"], address, before.headers["ETag"], kind="confirmed")
    body = answered(after, 201)
    assert body["stage"] == "confirmed"
    assert [event["kind"] for event in body["events"]] == ["found", "confirmed"]
    assert after.headers["ETag"] != before.headers["ETag"]
    # The same request again meets a newer version: nothing is done twice.
    refused(send(world["staff"], address, before.headers["ETag"], kind="confirmed"), 412)


def test_without_a_version_nothing_is_done(world, address) -> None:
    refused(world["staff"].post(f"{address}/events", json={"kind": "confirmed"}), 428)


def test_an_impossible_step_is_a_409_that_says_what_is_possible(world, address) -> None:
    tag = world["staff"].get(address).headers["ETag"]
    body = refused(send(world["staff"], address, tag, kind="served", party="Ai đó"), 409)
    assert body["facts"]["stage"] == "found"
    assert "confirmed" in body["facts"]["possible"]


@pytest.mark.parametrize("kind", ["found", "reinspected", "closed", "", 7, None])
def test_what_is_no_step(world, address, kind) -> None:
    tag = world["staff"].get(address).headers["ETag"]
    refused(send(world["staff"], address, tag, kind=kind), 422)


def test_a_foreign_violation_is_not_there(app, session, world) -> None:
    person = makers.user(session, "staff", territories=[world.here.commune])
    client = doors.client_of(app, session, person)
    address = f"/api/v1/violations/{world.there.violation}"
    refused(send(client, address, '"v1"', kind="confirmed"), 404)


def test_an_inspector_may_not(world, address) -> None:
    tag = world["inspector"].get(address).headers["ETag"]
    refused(send(world["inspector"], address, tag, kind="confirmed"), 403)


def test_the_page_offers_what_is_possible_and_keeps_what_was_typed(app, session, world) -> None:
    person = doors.with_password(session, "staff")
    client = doors.signed_in(app, person.email)
    address = f"/violations/{world.here.violation}"
    page = client.get(address, headers={"Accept-Language": "en"}).get_data(as_text=True)
    assert 'value="confirmed"' in page and 'value="served"' not in page
    version = page.split('name="version" value="')[1].split('"')[0]
    form = {"csrf_token": doors.csrf_of(page), "version": version}
    wrong = client.post(
        f"{address}/steps", data={**form, "kind": "escalated", "party": "Sở Xây dựng {{7*7}}"}
    )
    assert wrong.status_code == 422
    text = wrong.get_data(as_text=True)
    assert "Sở Xây dựng {{7*7}}" in text
    done = client.post(f"{address}/steps", data={**form, "kind": "confirmed"})
    assert done.status_code == 302
    late = client.post(f"{address}/steps", data={**form, "kind": "escalated", "party": "x"})
    assert late.status_code == 409


def test_readers_see_no_forms(app, session, world) -> None:
    person = doors.with_password(session, "inspector", territories=[world.here.commune])
    client = doors.signed_in(app, person.email)
    page = client.get(f"/violations/{world.here.violation}").get_data(as_text=True)
    assert "/steps" not in page
