"""Imports by API: upload, look, correct, confirm, cancel, undo; each step with its version."""

from __future__ import annotations

import io
import uuid
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests import doors, makers
from tests.doors import answered, refused
from tests.towers.imported import kept
from towers.models import Tower

HEAD = "code,name,structure_type,height_m,latitude,longitude,owner\n"
GOOD = HEAD + "A-1,Một,monopole,30,10.5,105.5,Viettel\nA-2,Hai,guyed_mast,42.5,10.6,105.6,\n"
MIXED = GOOD + "A-3,Ba,ladder,30,10.5,105.7,\n"
IMPORTS = "/api/v1/imports"


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    return doors.client_of(app, session, makers.user(session, "staff"))


def sent(client: FlaskClient, content: str, **fields: str) -> dict[str, Any]:
    data = {"file": (io.BytesIO(content.encode()), "danh-sach.csv"), **fields}
    return answered(client.post(IMPORTS, data=data), 201)


def tag(body: dict[str, Any]) -> dict[str, str]:
    return {"If-Match": f'"v{body["version"]}"'}


def test_a_list_is_checked_confirmed_and_undone(staff: FlaskClient, session: Session) -> None:
    before = kept(session)
    body = sent(staff, GOOD)
    here = f"{IMPORTS}/{body['id']}"
    assert (body["state"], body["counts"]["new"], body["counts"]["bad"]) == ("checked", 2, 0)
    assert kept(session) == before
    done = answered(staff.post(f"{here}/confirm", json={}, headers=tag(body)), 200)
    assert done["state"] == "done"
    session.commit()
    assert set(session.scalars(select(Tower.code))) == {"A-1", "A-2"}
    refused(staff.post(f"{here}/confirm", json={}, headers=tag(done)), 409)
    refused(staff.post(f"{here}/cancel"), 409)
    undone = answered(staff.post(f"{here}/undo", headers=tag(done)), 200)
    assert undone["state"] == "undone"
    session.expire_all()
    assert session.scalars(select(Tower.code)).all() == []
    listed = answered(staff.get(IMPORTS), 200)["items"]
    assert [one["id"] for one in listed] == [body["id"]]


def test_wrong_rows_need_a_choice(staff: FlaskClient, session: Session) -> None:
    body = sent(staff, MIXED)
    here = f"{IMPORTS}/{body['id']}"
    assert body["counts"]["bad"] == 1
    (wrong,) = body["first"]["wrong"]
    assert wrong["row"] == 4
    assert "ladder" in wrong["reasons"][0]
    before = kept(session)
    again = answered(staff.post(f"{here}/confirm", json={}, headers=tag(body)), 200)
    assert (again["state"], kept(session)) == ("checked", before)
    assert again["error"]
    done = answered(
        staff.post(f"{here}/confirm", json={"good_rows": True}, headers=tag(again)), 200
    )
    assert (done["state"], done["counts"]["new"]) == ("done", 2)


def test_columns_are_corrected(staff: FlaskClient) -> None:
    body = sent(staff, "Ký hiệu riêng,Vĩ độ,Kinh độ\nA-1,10.5,105.5\n")
    here = f"{IMPORTS}/{body['id']}"
    assert (body["state"], body["counts"]) == ("uploaded", {})
    columns = {"code": [0], "latitude": [1], "longitude": [2]}
    refused(staff.patch(here, json={"columns": columns}), 428)
    for wrong in (
        {"code": [9], "latitude": [1], "longitude": [2]},
        {"no_such": [0], "latitude": [1], "longitude": [2]},
        {"latitude": [1], "longitude": [2]},
        {"code": [], "latitude": [1], "longitude": [2]},
        {"code": ["0"]},
    ):
        refused(staff.patch(here, json={"columns": wrong}, headers=tag(body)), 422)
    refused(staff.patch(here, json={"srid": 1}, headers=tag(body)), 422)
    refused(staff.patch(here, json={"mapping": "keine"}, headers=tag(body)), 404)
    refused(staff.patch(here, json={"part": "x"}, headers=tag(body)), 422)
    checked = answered(staff.patch(here, json={"columns": columns}, headers=tag(body)), 200)
    assert (checked["state"], checked["counts"]["new"]) == ("checked", 1)
    refused(staff.patch(here, json={"columns": columns}, headers=tag(body)), 412)


def test_a_cancelled_list_wrote_nothing(staff: FlaskClient, session: Session) -> None:
    before = kept(session)
    body = sent(staff, GOOD)
    cancelled = answered(staff.post(f"{IMPORTS}/{body['id']}/cancel"), 200)
    assert cancelled["state"] == "cancelled"
    assert kept(session) == before


def test_probable_duplicates_are_decided(staff: FlaskClient, session: Session) -> None:
    makers.tower(session, code="CU-1", name="Cũ", latitude=10.5, longitude=105.5)
    session.commit()
    body = sent(staff, HEAD + "A-1,Một,monopole,30,10.5001,105.5,\n")
    here = f"{IMPORTS}/{body['id']}"
    assert body["counts"]["duplicate"] == 1
    done = answered(staff.post(f"{here}/confirm", json={}, headers=tag(body)), 200)
    (row,) = done["duplicates"]
    assert row["candidates"][0]["code"] == "CU-1"
    there = f"{here}/duplicates/{row['id']}"
    refused(staff.post(there, json={"decision": "open"}), 422)
    refused(staff.post(there, json={"decision": "updated", "code": "KHONG"}), 422)
    refused(staff.post(f"{here}/duplicates/{uuid.uuid4()}", json={"decision": "skipped"}), 404)
    decided = answered(staff.post(there, json={"decision": "updated", "code": "CU-1"}), 200)
    assert decided["duplicates"][0]["state"] == "updated"
    refused(staff.post(there, json={"decision": "skipped"}), 409)
    session.expire_all()
    assert session.scalars(select(Tower.name)).all() == ["Một"]


@pytest.mark.parametrize(
    "data", [{}, {"file": "text"}, {"file": (io.BytesIO(b""), "x.csv")}], ids=range(3)
)
def test_what_is_no_list_is_refused(staff: FlaskClient, session: Session, data: Any) -> None:
    before = doors.counts(session)
    refused(staff.post(IMPORTS, data=data), 422)
    assert doors.counts(session) == before


def test_a_batch_that_is_not_there(staff: FlaskClient) -> None:
    nowhere = f"{IMPORTS}/{uuid.uuid4()}"
    refused(staff.get(nowhere), 404)
    for end in ("confirm", "cancel", "undo"):
        refused(staff.post(f"{nowhere}/{end}", json={}, headers={"If-Match": '"v1"'}), 404)
