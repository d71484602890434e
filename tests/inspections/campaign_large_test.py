"""Large campaigns are written by a real worker: all of it or nothing, and told meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, text

from app import create_app
from core import jobs
from core.db import current_session, database, transaction
from core.geo import Envelope
from core.settings import ROOT, Settings
from inspections.campaign_models import Assignment, Campaign
from inspections.services import campaign_works as works
from inspections.services.campaign_plans import Choice
from tests import doors, makers
from tests.doors import answered, refused
from towers.queries import Filters

TOWERS = 30
PLAN = {
    "name": "Toàn tỉnh", "kind": "periodic", "begins_on": "2030-01-01", "ends_on": "2030-12-31",
}  # fmt: skip


@pytest.fixture
def service(
    cluster, migrated: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Flask]:
    """A service with a database of its own, where more than five towers are many."""
    monkeypatch.setattr(works, "AT_ONCE", 5)
    name = f"large_{uuid.uuid4().hex[:12]}"
    urls = cluster.create_database(name, migrated)
    app = create_app(
        replace(
            Settings(),
            instance=tmp_path,
            database_url=urls.app_url,
            migration_database_url=urls.owner_url,
            secret_key="only-for-tests",
            testing=True,
        )
    )
    with app.app_context():
        with transaction() as session:
            for number in range(TOWERS):
                makers.tower(session, code=f"T-{number}")
        yield app
        current_session().close()
        database().engine.dispose()
    cluster.drop_database(name)


@pytest.fixture
def staff(service: Flask) -> FlaskClient:
    session = current_session()
    return doors.client_of(service, session, makers.user(session, "staff"))


def worker(service: Flask) -> subprocess.Popen[bytes]:
    settings: Settings = service.config["SETTINGS"]
    return subprocess.Popen(
        [
            sys.executable, "-m", "core.worker", "--heartbeat", "0.2", "--grace", "1",
            "--stalled-after", "1",
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "DATABASE_URL": str(settings.database_url),
            "INSTANCE_DIR": str(settings.instance),
        },
    )  # fmt: skip


def worked(service: Flask, staff: FlaskClient, path: str) -> dict:
    """What the job of an address says once a worker has ended it."""
    process = worker(service)
    try:
        deadline = time.monotonic() + 60
        while (said := answered(staff.get(path), 200))["working"]:
            assert time.monotonic() < deadline, said
            time.sleep(0.1)
        return said
    finally:
        process.kill()
        process.wait()


def written(campaign_id: str) -> list[tuple[uuid.UUID | None, date, int]]:
    """What is live in a campaign: inspector, day, and how many towers."""
    session = current_session()
    session.rollback()
    rows = session.execute(
        select(Assignment.inspector_id, Assignment.due_on, func.count())
        .where(Assignment.campaign_id == uuid.UUID(campaign_id), Assignment.ended_at.is_(None))
        .group_by(Assignment.inspector_id, Assignment.due_on)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def test_a_large_campaign_is_planned_shared_out_moved_and_cancelled_by_the_worker(
    service: Flask, staff: FlaskClient
) -> None:
    session = current_session()
    person = makers.user(session, "inspector")
    session.commit()
    sent = {"id": str(uuid.uuid4()), **PLAN, "choice": {}}
    first = staff.post("/api/v1/campaigns", json=sent)
    said = answered(first, 202)
    path = f"/api/v1/campaigns/{sent['id']}"
    assert first.headers["Location"] == f"{path}/work"
    assert (said["what"], said["state"], said["done"], said["total"]) == (
        "add", "waiting", 0, TOWERS,
    )  # fmt: skip
    # The same again is the same campaign, and its work is not asked for twice.
    assert answered(staff.post("/api/v1/campaigns", json=sent), 202) == said
    share = {"inspectors": [str(person.id)]}
    tag = {"If-Match": staff.get(path).headers["ETag"]}
    refused(staff.post(f"{path}/assignments", json=share, headers=tag), 409)
    refused(staff.put(path, json=PLAN, headers=tag), 409)
    page = staff.get(f"/campaigns/{sent['id']}").get_data(as_text=True)
    assert f'data-state="/campaigns/{sent["id"]}/work/state.json"' in page
    assert f'<progress class="w-100" max="{TOWERS}" value="0"' in page
    assert written(sent["id"]) == []

    done = worked(service, staff, f"{path}/work")
    assert (done["state"], done["done"], done["total"], done["towers"]) == (
        "done", TOWERS, TOWERS, TOWERS,
    )  # fmt: skip
    assert written(sent["id"]) == [(None, date(2030, 12, 31), TOWERS)]

    for method, address, body, after in (
        (staff.post, f"{path}/assignments", share, [(person.id, date(2030, 12, 31), TOWERS)]),
        (
            staff.put, path, {**PLAN, "ends_on": "2030-11-30"},
            [(person.id, date(2030, 11, 30), TOWERS)],
        ),
        (staff.post, f"{path}/state", {"state": "cancelled", "reason": "hết kinh phí"}, []),
    ):  # fmt: skip
        tag = {"If-Match": staff.get(path).headers["ETag"]}
        answered(method(address, json=body, headers=tag), 202)
        assert worked(service, staff, f"{path}/work")["towers"] == TOWERS
        assert written(sent["id"]) == after
    assert answered(staff.get(path), 200)["state"] == "cancelled"


def test_what_is_cancelled_before_it_is_done_writes_nothing(
    service: Flask, staff: FlaskClient
) -> None:
    sent = {"id": str(uuid.uuid4()), **PLAN, "choice": {}}
    answered(staff.post("/api/v1/campaigns", json=sent), 202)
    path = f"/api/v1/campaigns/{sent['id']}"
    said = answered(staff.post(f"{path}/work/cancel"), 200)
    assert (said["state"], said["working"]) == ("cancelled", False)
    refused(staff.post(f"{path}/work/cancel"), 409)
    assert written(sent["id"]) == []
    # The campaign is there, and can be given its towers again.
    tag = {"If-Match": staff.get(path).headers["ETag"]}
    answered(staff.post(f"{path}/towers", json={"choice": {}}, headers=tag), 202)
    assert worked(service, staff, f"{path}/work")["towers"] == TOWERS
    assert written(sent["id"]) == [(None, date(2030, 12, 31), TOWERS)]


def test_a_worker_that_is_killed_leaves_nothing_half_written(
    service: Flask, staff: FlaskClient
) -> None:
    """The last rows wait for a lock of ours when the worker is killed with the others written."""
    sent = {"id": str(uuid.uuid4()), **PLAN, "choice": {}}
    answered(staff.post("/api/v1/campaigns", json=sent), 202)
    path = f"/api/v1/campaigns/{sent['id']}"
    with database().engine.connect() as blocker:
        blocker.execute(
            text("SELECT FROM tower WHERE id = (SELECT max(id::text)::uuid FROM tower) FOR UPDATE")
        )
        process = worker(service)
        try:
            deadline = time.monotonic() + 30
            waiting = text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND wait_event_type = 'Lock' AND query LIKE 'INSERT INTO assignment%'"
            )
            with database().engine.connect() as looker:
                while not looker.scalar(waiting):
                    looker.rollback()
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert written(sent["id"]) == []
        blocker.rollback()
    assert worked(service, staff, f"{path}/work")["towers"] == TOWERS
    assert written(sent["id"]) == [(None, date(2030, 12, 31), TOWERS)]


def test_what_can_no_longer_be_done_says_why(service: Flask, staff: FlaskClient) -> None:
    session = current_session()
    person = makers.user(session, "inspector")
    session.commit()
    sent = {"id": str(uuid.uuid4()), **PLAN, "choice": {}}
    answered(staff.post("/api/v1/campaigns", json=sent), 202)
    path = f"/api/v1/campaigns/{sent['id']}"
    worked(service, staff, f"{path}/work")
    tag = {"If-Match": staff.get(path).headers["ETag"]}
    share = {"inspectors": [str(person.id)]}
    answered(staff.post(f"{path}/assignments", json=share, headers=tag), 202)
    person.active = False
    session.commit()
    said = worked(service, staff, f"{path}/work")
    assert said["state"] == jobs.State.FAILED
    assert said["detail"]
    assert said["detail"] in staff.get(f"/campaigns/{sent['id']}").get_data(as_text=True)
    assert written(sent["id"]) == [(None, date(2030, 12, 31), TOWERS)]
    assert session.get_one(Campaign, uuid.UUID(sent["id"])).state == "planned"


def test_a_choice_is_the_same_after_it_was_written_down() -> None:
    filters = Filters(
        q="Cao Lãnh", condition=("ok", "dangerous"), overdue=True, due_within=30,
        owner=uuid.uuid4(), commune=("90001",), built_before=2001, height_from=Decimal("12.5"),
        bbox=Envelope(105.0, 10.0, 106.0, 11.0), inspection_due_before=date(2026, 1, 1),
        area=((105.5, 10.3), (105.7, 10.3), (105.7, 10.5)), include_dismantled=True,
        towers=(uuid.uuid4(), uuid.uuid4()),
    )  # fmt: skip
    assert Choice.from_plain(Choice(filters).plain()) == Choice(filters)
