"""Every export has a number and says how many rows it holds; long ones are made by the worker."""

from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pypdfium2
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session

from accounts.models import Role
from app import create_app
from core import clock, store
from core import exports as exporting
from core.exports import Export
from core.policy import SYSTEM
from core.settings import ROOT, Settings
from inspections.models import Violation
from inspections.services import checklists
from tests import doors, makers
from tests.doors import answered, refused
from tests.inspections.follow_up_test import violation
from tests.inspections.visits import TODAY, published
from towers import export_jobs

pytestmark = pytest.mark.slow

PATH = "/api/v1/exports"


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    return doors.client_of(app, session, makers.user(session, "staff"))


@pytest.fixture
def listing(session: Session) -> list[Violation]:
    version, since = published(session), (clock.today() - TODAY).days
    made = [
        violation(session, makers.tower(session, code=f"T-{number}"), version, due=since + number)
        for number in range(5)
    ]
    session.commit()
    return made


def newest(session: Session) -> Export:
    session.expire_all()
    found = session.scalars(select(Export).order_by(Export.created_at.desc())).first()
    assert found is not None
    return found


@pytest.mark.parametrize("ending", ["csv", "xlsx", "geojson", "gpkg", "kml", "pdf"])
def test_an_export_has_a_number_and_its_rows(
    staff: FlaskClient, session: Session, listing, ending: str
) -> None:
    response = staff.get(f"/follow-up.{ending}?due_within=2&stage=found")
    assert response.status_code == 200
    one = newest(session)
    assert response.headers["Export-Id"] == str(one.id)
    assert (one.what, one.format, one.state, one.rows) == ("violation", ending, "done", 3)
    assert one.query == {"due_within": ["2"], "stage": ["found"]}
    assert [value for _, value in one.filters] == ["2", "Phát hiện"]
    page = staff.get(f"/exports/{one.id}").get_data(as_text=True)
    assert str(one.id) in page
    listed = answered(staff.get(PATH), 200)["items"]
    assert [(row["id"], row["rows"]) for row in listed] == [(str(one.id), 3)]


def test_every_row_says_its_number(staff: FlaskClient, session: Session, listing) -> None:
    rows = list(csv.DictReader(io.StringIO(staff.get("/follow-up.csv?plain=1&lang=en").text)))
    assert [row["Row"] for row in rows] == [str(one.id) for one in listing]
    made = staff.get("/follow-up.geojson").get_json()
    assert [one["properties"]["id"] for one in made["features"]] == [str(o.id) for o in listing]
    assert (made["numberReturned"], made["export"]) == (5, str(newest(session).id))


def test_a_list_on_paper_has_its_rows_filters_and_number(
    staff: FlaskClient, session: Session, listing
) -> None:
    response = staff.get("/follow-up.pdf?due_within=2")
    assert response.mimetype == "application/pdf"
    paper = pypdfium2.PdfDocument(response.data)
    shown = "".join(page.get_textpage().get_text_range() for page in paper)
    assert str(newest(session).id) in shown
    assert all(f"T-{number}" in shown for number in range(3))
    assert "T-3" not in shown


def test_too_many_rows_for_paper_are_refused_before_anything_is_written(
    staff: FlaskClient, session: Session, listing
) -> None:
    store.set_value(session, "pdf_rows", 4, by=SYSTEM, now=clock.now())
    session.commit()
    before = doors.counts(session)
    refusal = staff.get("/follow-up.pdf")
    assert refusal.status_code == 413
    assert "4" in refusal.get_data(as_text=True)
    asked = {"id": str(uuid.uuid4()), "what": "violation", "format": "pdf"}
    refused(staff.post(PATH, json=asked), 413)
    assert doors.counts(session) == before


def test_nobody_sees_the_exports_of_others(
    app: Flask, staff: FlaskClient, session: Session, listing
) -> None:
    staff.get("/follow-up.csv")
    other = doors.client_of(app, session, makers.user(session, "staff"))
    one = newest(session)
    assert answered(other.get(PATH), 200)["items"] == []
    for path in (f"{PATH}/{one.id}", f"{PATH}/{one.id}/file"):
        refused(other.get(path), 404)
    # It left at once: there is no file of it.
    refused(staff.get(f"{PATH}/{one.id}/file"), 404)
    refused(staff.post(f"{PATH}/{one.id}/cancel"), 409)


def test_a_file_is_had_by_whom_it_was_made_for(
    app: Flask, session: Session, listing, tmp_path: Path
) -> None:
    here, there = makers.commune(session, code="90001"), makers.commune(session, code="90002")
    person = makers.user(session, "local_officer", territories=[here, there])
    reader = doors.client_of(app, session, person)
    asked = {"id": str(uuid.uuid4()), "what": "violation", "format": "xlsx", "query": {}}
    answered(reader.post(PATH, json=asked), 202)
    made = session.get_one(Export, uuid.UUID(asked["id"]))
    made.job_id = 7
    session.commit()
    export_jobs.make_export(Work(7), export=asked["id"])
    files = (f"{PATH}/{made.id}/file", f"/exports/{made.id}/file")
    assert [reader.get(path).status_code for path in files] == [200, 200]
    for change in (
        {"territories": [here]},
        {"territories": [here, there], "roles": "inspector"},
        {"territories": [], "everywhere": True},
    ):
        person.territories = list(change["territories"])
        person.everywhere = change.get("everywhere", False)
        role = change.get("roles", "local_officer")
        person.roles = [session.scalars(select(Role).where(Role.name == role)).one()]
        session.commit()
        assert [reader.get(path).status_code for path in files] == [404, 404], change
    person.territories, person.everywhere = [here, there], False
    session.commit()
    assert reader.get(files[0]).status_code == 200


class Work:
    """A job that nobody watches."""

    def __init__(self, number: int) -> None:
        self.id = number

    def progress(self, *_facts: object) -> None: ...

    def check(self) -> None: ...


def test_asking_twice_makes_one_list(staff: FlaskClient, session: Session, listing) -> None:
    asked = {
        "id": str(uuid.uuid4()), "what": "violation", "format": "xlsx",
        "query": {"severity": ["major"]},
    }  # fmt: skip
    first = answered(staff.post(PATH, json=asked), 202)
    assert (first["state"], first["rows"], first["file"]) == ("waiting", None, None)
    assert answered(staff.post(PATH, json=asked), 200)["id"] == first["id"]
    refused(staff.post(PATH, json={**asked, "format": "kml"}), 409)
    cancelled = answered(staff.post(f"{PATH}/{asked['id']}/cancel"), 200)
    assert cancelled["state"] == "cancelled"


def test_files_are_cleared_after_some_days(
    app: Flask, staff: FlaskClient, session: Session, tmp_path: Path
) -> None:
    now = clock.now()
    for age in (6, 8):
        one = Export(
            id=uuid.uuid4(), what="violation", format="xlsx", query={}, filters=[], language="vi",
            state="done", rows=1, size=1, job_id=1, actor="test", created_at=now,
            finished_at=now - timedelta(days=age),
        )  # fmt: skip
        session.add(one)
        (tmp_path / f"{one.id}.xlsx").write_text("x")
    session.flush()
    assert exporting.clear(session, tmp_path, now=now) == 1
    assert len(list(tmp_path.iterdir())) == 1
    assert sorted(session.scalars(select(Export.state))) == ["cleared", "done"]


class Service:
    """A service with a database of its own and a worker beside it."""

    def __init__(self, urls: Any, folder: Path) -> None:
        self.folder = folder
        self.settings = replace(
            Settings(), instance=folder, database_url=urls.app_url, secret_key="only-for-tests"
        )
        self.app = create_app(self.settings)
        self.engine = create_engine(urls.app_url)
        self.workers: list[subprocess.Popen[bytes]] = []

    def work(self) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            made = subprocess.Popen(
                [
                    sys.executable, "-m", "core.worker",
                    "--heartbeat", "0.5", "--stalled-after", "2", "--grace", "1",
                ],
                cwd=ROOT,
                env={
                    **os.environ,
                    "DATABASE_URL": str(self.settings.database_url),
                    "INSTANCE_DIR": str(self.folder),
                },
                stdout=log,
                stderr=log,
            )  # fmt: skip
        self.workers.append(made)
        return made

    def wait(self, condition: Any, seconds: float = 60) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, (self.folder / "log").read_text()[-3000:]
            time.sleep(0.05)


@pytest.fixture
def service(cluster, migrated: str, tmp_path: Path) -> Iterator[Service]:
    name = f"exports_{uuid.uuid4().hex[:12]}"
    urls = cluster.create_database(name, migrated)
    made = Service(urls, tmp_path)
    yield made
    for worker in made.workers:
        worker.kill()
        worker.wait()
    made.engine.dispose()
    made.app.extensions["database"].engine.dispose()
    cluster.drop_database(name)


def filled(session: Session, rows: int) -> None:
    """So many towers with an open violation each, in one statement."""
    version = checklists.publish(session, checklists.shipped_document(), by=SYSTEM, now=clock.now())
    makers.tower(session, code="MAU")
    session.execute(
        text(
            "INSERT INTO tower (id, code, name, structure_type, services, geom, condition,"
            " condition_reason) SELECT gen_random_uuid(), 'N-' || n, 'Trạm ' || n,"
            " structure_type, services, geom, condition, condition_reason"
            " FROM tower, generate_series(1, :rows) n WHERE code = 'MAU'"
        ),
        {"rows": rows},
    )
    session.execute(
        text(
            "INSERT INTO violation (tower_id, item_key, checklist_version_id, severity, deadline,"
            " found_on, state) SELECT id, 'clb_ladder', :version, 'minor', '2099-01-01',"
            " '2026-01-01', 'open' FROM tower WHERE code <> 'MAU'"
        ),
        {"version": version.id},
    )


def test_a_long_list_is_made_by_the_worker_through_a_kill(service: Service) -> None:
    with Session(service.engine) as session:
        filled(session, 6_000)
        store.set_value(session, "export_rows_at_once", 1_000, by=SYSTEM, now=clock.now())
        person = makers.user(session, "staff")
        token = makers.token(session, person)
        session.commit()
    client = service.app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    # What streams leaves at once, however long it is.
    assert client.get("/follow-up.csv?plain=1").data.count(b"\n") == 6_001
    led = client.get("/follow-up.xlsx?severity=minor")
    assert led.status_code == 303
    number = led.location.rpartition("/")[2]
    waiting = answered(client.get(f"{PATH}/{number}"), 200)
    assert waiting["state"] == "waiting"
    worker = service.work()
    service.wait(lambda: answered(client.get(f"{PATH}/{number}"), 200)["written"])
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    assert answered(client.get(f"{PATH}/{number}"), 200)["state"] == "waiting"
    assert 'http-equiv="refresh"' in client.get(led.location).get_data(as_text=True)
    service.work()
    service.wait(lambda: answered(client.get(f"{PATH}/{number}"), 200)["state"] == "done")
    done = answered(client.get(f"{PATH}/{number}"), 200)
    assert done["rows"] == 6_000
    file = client.get(done["file"])
    assert (file.status_code, len(file.data)) == (200, done["size"])
    book = openpyxl.load_workbook(io.BytesIO(file.data), read_only=True)
    assert sum(1 for _ in book.worksheets[0].iter_rows()) == 6_001
    about = {row[0].value: row[1].value for row in book.worksheets[1].iter_rows(max_row=6)}
    assert {number, "6000"} <= set(about.values())


def test_a_list_of_somebody_who_may_no_longer_sign_in_is_not_made(service: Service) -> None:
    with Session(service.engine) as session:
        filled(session, 10)
        person = makers.user(session, "staff")
        token = makers.token(session, person)
        session.commit()
    client = service.app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    number = str(uuid.uuid4())
    asked = {"id": number, "what": "violation", "format": "kml"}
    answered(client.post(PATH, json=asked), 202)
    with Session(service.engine) as session:
        session.execute(text('UPDATE "user" SET active = false'))
        session.commit()
    service.work()

    def state() -> str:
        with Session(service.engine) as session:
            return session.scalars(select(Export.state)).one()

    service.wait(lambda: state() == "failed")
