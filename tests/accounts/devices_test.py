"""Phones sign in by tokens of their own; a lost one is shut out, and nobody else's is seen."""

from __future__ import annotations

import uuid
from datetime import timedelta

from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.models import AccessToken, Device, Role
from core import clock
from core.audit import AuditEntry
from tests import doors, makers
from tests.inspections.phones import carrying, phone


def test_a_phone_gets_a_token_that_is_kept_as_a_hash(
    app: Flask, session: Session, world: doors.World
) -> None:
    browser = doors.browser_of(app, session, world.people["inspector"])
    number = str(uuid.uuid4())
    made = browser.post("/api/v1/devices", json={"id": number, "name": "Điện thoại"})
    own = carrying(app, number, doors.answered(made, 201)["token"])
    row = session.scalars(
        select(AccessToken).where(AccessToken.device_id == uuid.UUID(own.id))
    ).one()
    assert own.token.encode() not in row.hash
    assert row.expires_at is not None
    assert timedelta(days=364) < row.expires_at - clock.now() <= timedelta(days=365)
    assert own.client.get("/api/v1/field/work").status_code == 200
    (listed,) = [
        one
        for one in doors.answered(own.client.get("/api/v1/devices"), 200)["items"]
        if one["id"] == own.id
    ]
    assert (listed["name"], listed["revoked_at"]) == ("Điện thoại", None)
    assert "token" not in listed
    # The same phone again has a fresh token, and the former one ends.
    again = phone(app, world["inspector"], own.id)
    assert again.token != own.token
    doors.refused(own.client.get("/api/v1/field/work"), 401)
    doors.refused(own.client.post("/api/v1/sync", json={"operations": []}), 401)
    assert again.send() == []
    seen = session.get_one(Device, uuid.UUID(own.id), populate_existing=True)
    assert seen.last_seen_at is not None


def test_what_is_wrong_with_a_phone_is_said(
    app: Flask, session: Session, world: doors.World
) -> None:
    own = phone(app, world["inspector"])
    browser = doors.browser_of(app, session, world.people["inspector"])
    for body in ({}, {"id": own.id}, {"id": own.id, "name": " "}, {"id": "x", "name": "a"}):
        doors.refused(browser.post("/api/v1/devices", json=body), 422)
    taken = {"id": own.id, "name": "của tôi"}
    elsewhere = doors.browser_of(app, session, world.people["elsewhere"])
    doors.refused(elsewhere.post("/api/v1/devices", json=taken), 404)
    doors.answered(world["inspector"].delete(f"/api/v1/devices/{own.id}"), 204)
    refused = doors.refused(browser.post("/api/v1/devices", json=taken), 409)
    assert refused["code"] == "revoked_device"


def test_only_its_person_and_administrators_revoke_a_phone(
    app: Flask, session: Session, world: doors.World
) -> None:
    own = phone(app, world["inspector"])
    path = f"/api/v1/devices/{own.id}"
    for role in ("elsewhere", "staff", "operator"):
        doors.refused(world[role].delete(path), 404)
    person = world.people["inspector"].id
    doors.refused(world["staff"].get(f"/api/v1/devices?user={person}"), 403)
    theirs = doors.answered(world["admin"].get(f"/api/v1/devices?user={person}"), 200)["items"]
    assert own.id in {one["id"] for one in theirs}
    page = world["admin"].get(f"/users/{person}").get_data(as_text=True)
    assert f"/devices/{own.id}/revoke" in page
    admin = doors.browser_of(app, session, world.people["admin"])
    answer = admin.post(f"/devices/{own.id}/revoke")
    assert answer.headers["Location"].endswith(f"/users/{person}")
    doors.refused(own.client.get("/api/v1/field/work"), 401)
    assert session.scalars(
        select(AuditEntry.actor).where(AuditEntry.action == "device.revoke")
    ).one() == (world.people["admin"].email)
    # Again is no error, and says nothing new.
    assert admin.post(f"/devices/{own.id}/revoke").status_code == 302


def test_a_phone_administers_no_accounts(app: Flask, session: Session, world: doors.World) -> None:
    person = makers.user(session, "inspector")
    person.roles.append(session.scalars(select(Role).where(Role.name == "admin")).one())
    session.commit()
    client = doors.client_of(app, session, person)
    assert client.get("/users").status_code == 200
    own = phone(app, client)
    assert own.client.get("/users").status_code == 403
    assert own.client.get("/api/v1/field/work").status_code == 200


def test_ones_own_phones_stand_on_a_page(app: Flask, session: Session, world: doors.World) -> None:
    own = phone(app, world["inspector"])
    page = world["inspector"].get("/devices").get_data(as_text=True)
    assert f"/devices/{own.id}/revoke" in page
    assert f"/devices/{own.id}/revoke" not in world["staff"].get("/devices").get_data(as_text=True)
    browser = doors.browser_of(app, session, world.people["inspector"])
    answer = browser.post(f"/devices/{own.id}/revoke")
    assert answer.headers["Location"].endswith("/devices")


def test_signing_out_on_a_phone_ends_its_token_and_nothing_else(
    app: Flask, session: Session, world: doors.World
) -> None:
    own, other = phone(app, world["inspector"]), phone(app, world["inspector"])
    doors.answered(own.client.delete("/api/v1/devices/token"), 204)
    for path in ("/api/v1/field/work", "/api/v1/devices"):
        doors.refused(own.client.get(path), 401)
    # It is no lost phone: nothing that it brings is kept from anybody, nor is its history closed.
    doors.refused(own.client.post("/api/v1/sync", json={"operations": []}), 401)
    doors.refused(own.client.delete("/api/v1/devices/token"), 401)
    assert session.get_one(Device, uuid.UUID(own.id)).revoked_at is None
    assert other.client.get("/api/v1/field/work").status_code == 200
    told = session.scalars(select(AuditEntry).where(AuditEntry.action == "token.revoke")).one()
    assert told.after == {"device": own.id}
    again = phone(app, world["inspector"], own.id)
    assert again.client.get("/api/v1/field/work").status_code == 200
    # A program or a browser is no phone.
    doors.refused(world["inspector"].delete("/api/v1/devices/token"), 404)
    browser = doors.browser_of(app, session, world.people["inspector"])
    doors.refused(browser.delete("/api/v1/devices/token"), 404)
    assert again.client.get("/api/v1/field/work").status_code == 200


def test_an_expired_token_is_refused_and_keeps_nothing(
    app: Flask, session: Session, world: doors.World
) -> None:
    """Whoever was away too long signs in again: the queue is still on the phone."""
    own = phone(app, world["inspector"])
    row = session.scalars(
        select(AccessToken).where(AccessToken.device_id == uuid.UUID(own.id))
    ).one()
    row.expires_at = clock.now() - timedelta(seconds=1)
    session.commit()
    doors.refused(own.client.post("/api/v1/sync", json={"operations": []}), 401)
    # A token that was made for a program has no phone, and is never kept from anything.
    token = makers.token(session, makers.user(session, "inspector"))
    session.commit()
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    doors.answered(client.post("/api/v1/sync", json={"operations": []}), 200)
