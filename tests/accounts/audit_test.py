"""Administrators read who changed what, from where, and take it along."""

from __future__ import annotations

import csv
import io
from types import SimpleNamespace

import openpyxl
import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import audit
from core.audit import AuditEntry
from core.db import transaction
from core.jobs import Running
from core.policy import SYSTEM
from core.worker import task
from tests import doors, makers
from tests.doors import World

pytestmark = pytest.mark.slow


def newest(session: Session) -> AuditEntry:
    return session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(1)).one()


def test_an_entry_says_from_where(app: Flask, session: Session, world: World) -> None:
    staff = world["staff"]
    staff.patch(
        f"/api/v1/towers/{world.here.tower.code}", json={"note": "x"},
        headers={"If-Match": "*"}, environ_base={"REMOTE_ADDR": "192.0.2.7"},
    )  # fmt: skip
    entry = newest(session)
    assert entry.action == "tower.edit" and entry.address == "192.0.2.7"
    kind, _, token = entry.via.partition(" ")
    issued = session.scalars(
        select(AuditEntry.after).where(
            AuditEntry.action == "token.issue", AuditEntry.object_id == entry.actor_id
        )
    ).all()
    assert kind == "token" and {"token": token} in issued
    done = app.test_cli_runner().invoke(args=["settings", "set", "due_soon_days", "15"])
    assert done.exit_code == 0
    assert (newest(session).via, newest(session).address) == ("console", "")


def test_a_session_is_said_too(app: Flask, session: Session) -> None:
    from accounts.security import hashed

    person = makers.user(session, "admin", password=hashed("a password of mine"))
    session.commit()
    client = doors.signed_in(app, person.email, "a password of mine")
    page = client.get("/account").get_data(as_text=True)
    csrf = page.split('name="csrf_token" value="')[1].split('"')[0]
    client.post("/account/tokens", data={"name": "x", "csrf_token": csrf})
    assert (newest(session).action, newest(session).via) == ("token.issue", "session")
    assert newest(session).address == "127.0.0.1"


def test_a_job_is_said_too(app: Flask, session: Session) -> None:
    def body(job: Running) -> None:
        with transaction() as own:
            audit.record(own, "setting.change", "setting", "x", by=SYSTEM, now=makers.NOW)

    context = SimpleNamespace(job=SimpleNamespace(id=77, attempts=0), should_abort=lambda: False)
    task(app, "a job", body)(context)
    assert (newest(session).via, newest(session).address) == ("job 77", "")


def test_filters_narrow_page_and_api_alike(world: World) -> None:
    admin, code = world["admin"], world.here.tower.code
    world["staff"].patch(
        f"/api/v1/towers/{code}", json={"note": "trước"}, headers={"If-Match": "*"}
    )
    world["staff"].patch(f"/api/v1/towers/{code}", json={"note": "sau"}, headers={"If-Match": "*"})
    page = admin.get(f"/audit?object={code.lower()}&lang=vi").get_data(as_text=True)
    assert "trước → sau" in page and code in page and world.there.tower.code not in page
    who = world.people["staff"].email
    for query, number in (
        (f"who={who}&kind=tower&action=tower.edit&object={code}", 2),
        (f"who={who}&object={world.here.tower.id}&limit=1", 1),
        (f"object={code}&since=2000-01-01&until=2000-01-02", 0),
        (f"object={code}&who=nobody@example.org", 0),
    ):
        items = admin.get(f"/api/v1/audit?{query}").get_json()["items"]
        assert len(items) == number, query
    newest, before = admin.get(f"/api/v1/audit?object={code}&kind=tower").get_json()["items"][:2]
    assert newest["before"]["note"] == "trước" and before["id"] < newest["id"]


def test_pages_follow_one_another_without_a_gap(world: World) -> None:
    admin = world["admin"]
    whole = [one["id"] for one in admin.get("/api/v1/audit?limit=500").get_json()["items"]]
    found, cursor = [], ""
    while cursor is not None:
        answer = admin.get(f"/api/v1/audit?limit=7{cursor and f'&cursor={cursor}'}").get_json()
        found += [one["id"] for one in answer["items"]]
        cursor = answer["next_cursor"]
    assert found == whole and found == sorted(found, reverse=True)


@pytest.mark.parametrize("query", ["since=2026-13-01", "until=x"])
def test_a_wrong_day_is_said(world: World, query: str) -> None:
    assert world["admin"].get(f"/audit?{query}").status_code == 422
    assert world["admin"].get(f"/audit/export?{query}").status_code == 422
    assert world["admin"].get(f"/api/v1/audit?{query}").status_code == 422
    assert world["admin"].get("/audit?cursor=xyz").status_code == 400


def test_files_hold_what_the_page_shows(session: Session, world: World) -> None:
    query = "kind=user&action=token.issue"
    items = world["admin"].get(f"/api/v1/audit?{query}&limit=500").get_json()["items"]
    text = world["admin"].get(f"/audit/export?{query}&format=csv&lang=en").data.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [int(one["Number"]) for one in rows] == sorted(one["id"] for one in items)
    entry = newest(session)
    assert (entry.action, entry.kind) == ("audit.export", "export")
    book = world["admin"].get(f"/audit/export?{query}&format=xlsx").data
    sheet = openpyxl.load_workbook(io.BytesIO(book)).active
    assert sheet.max_row == len(items) + 1
    world["staff"].get("/audit")
    assert world["staff"].get("/audit/export").status_code == 403
