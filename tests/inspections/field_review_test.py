"""Staff decide about what phones brought: take it, keep what is known, or reject it."""

from __future__ import annotations

import base64
import io
import json
import uuid

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.audit import AuditEntry
from inspections.field_models import ReviewItem
from inspections.models import Inspection, Photo
from tests import doors, makers
from tests.inspections.phones import Phone, inspection, operation, phone, photo, waiting


@pytest.fixture
def tower(session: Session, world: doors.World):
    made = makers.tower(session, latitude=10.4, longitude=105.4, commune=world.here.commune)
    session.commit()
    return made


@pytest.fixture
def own(app: Flask, world: doors.World) -> Phone:
    return phone(app, world["inspector"])


def decide(world: doors.World, item: ReviewItem, decision: str, **form: str):
    data = {"decision": decision, "version": str(item.version), **form}
    return world["staff"].post(f"/field/review/{item.id}", data=data)


def test_another_body_is_taken_as_the_next_version(
    session: Session, own: Phone, tower, world: doors.World
) -> None:
    picture = photo("kept", "sit_fence")
    first = inspection(tower.code, note="trước")
    own.send(first)
    number = first["body"]["id"]
    answers = {**doors.ANSWERS, "sit_fence": {"outcome": "ok", "value": "no"}}
    changed = {**first["body"], "note": "sau", "answers": answers, "photos": [picture.facts()]}
    own.send({**first, "body": changed})
    own.upload(number, picture)
    item = waiting(session)
    listed = world["staff"].get("/field/review").get_data(as_text=True)
    assert (str(item.id) in listed, tower.code in listed) == (True, True)
    page = world["staff"].get(f"/field/review/{item.id}").get_data(as_text=True)
    assert all(text in page for text in ("trước", "sau", number))
    assert decide(world, item, "accept").status_code == 302
    kept = session.get_one(Inspection, uuid.UUID(number), populate_existing=True)
    assert (kept.note, kept.version, kept.status) == ("sau", 2, "submitted")
    assert [str(one.id) for one in kept.photos] == [picture.id]
    assert waiting(session).state == "accepted"
    versions = world["staff"].get(f"/inspections/{number}/versions").get_data(as_text=True)
    assert all(text in versions for text in ("trước", "sau"))
    # Two people who decide at once do not both decide.
    assert decide(world, item, "accept").status_code == 409


def test_two_inspectors_both_count_once_staff_say_so(
    app: Flask, session: Session, own: Phone, tower, world: doors.World
) -> None:
    colleague = makers.user(session, "inspector", territories=[world.here.commune])
    theirs = phone(app, doors.client_of(app, session, colleague))
    own.send(inspection(tower.code))
    second = inspection(tower.code)
    theirs.send(second)
    assert decide(world, waiting(session), "accept").status_code == 302
    kept = session.get_one(Inspection, uuid.UUID(second["body"]["id"]))
    assert (kept.inspector_id, kept.status) == (colleague.id, "submitted")
    item = waiting(session)
    assert kept.received_at == item.received_at
    entry = session.scalars(
        select(AuditEntry).where(AuditEntry.action == "review_item.accepted")
    ).one()
    assert (entry.actor, entry.object_id) == (world.people["staff"].email, str(item.id))


@pytest.mark.parametrize(
    ("decision", "form", "state"),
    [("keep", {}, "kept_other"), ("reject", {"reason": "nhầm trạm"}, "rejected")],
)
def test_what_is_not_taken_changes_nothing_and_stays_readable(
    session: Session, own: Phone, tower, world: doors.World, decision, form, state
) -> None:
    first = inspection(tower.code)
    own.send(first)
    own.send({**first, "body": {**first["body"], "note": "khác hẳn"}})
    before = session.get_one(Inspection, uuid.UUID(first["body"]["id"])).version
    item = waiting(session)
    assert decide(world, item, "reject").status_code == 422
    assert decide(world, item, "dance").status_code == 422
    assert decide(world, item, decision, **form).status_code == 302
    item = waiting(session)
    assert (item.state, item.decision_reason) == (state, form.get("reason", ""))
    kept = session.get_one(Inspection, uuid.UUID(first["body"]["id"]), populate_existing=True)
    assert (kept.version, kept.note) == (before, "")
    assert "khác hẳn" in world["staff"].get(f"/field/review/{item.id}").get_data(as_text=True)


def test_what_a_lost_phone_sent_counts_once_staff_take_it(
    session: Session, own: Phone, tower, world: doors.World
) -> None:
    early, late, after = photo("early"), photo("late"), photo("after", "sit_fence")
    first = inspection(tower.code, photos=[early.facts()])
    own.send(first)
    doors.answered(world["admin"].delete(f"/api/v1/devices/{own.id}"), 204)
    # A photo of what was there before waits alone; a new inspection waits with its own.
    own.upload(first["body"]["id"], early)
    item = waiting(session)
    assert (item.kind, item.reason) == ("photo", "revoked_device")
    assert decide(world, item, "accept").status_code == 302
    photos = select(Photo.id).where(Photo.inspection_id == uuid.UUID(first["body"]["id"]))
    assert [str(one) for one in session.scalars(photos)] == [early.id]
    elsewhere = makers.tower(session, latitude=10.5, longitude=105.4, commune=world.here.commune)
    session.commit()
    second = inspection(elsewhere.code, photos=[late.facts(), after.facts()])
    number = second["body"]["id"]
    own.upload(number, late)
    own.send(second)
    item = waiting(session, kind="inspection")
    assert decide(world, item, "accept").status_code == 302
    kept = session.get_one(Inspection, uuid.UUID(number))
    assert [str(one.id) for one in kept.photos] == [late.id]
    head = doors.answered(world["staff"].get(f"/api/v1/inspections/{number}"), 200)
    assert head["photo_count"] == {"arrived": 1, "expected": 2}


def test_it_is_for_staff_of_the_territory(
    app: Flask, session: Session, own: Phone, tower, world: doors.World
) -> None:
    first = inspection(tower.code)
    own.send(first)
    own.send({**first, "body": {**first["body"], "note": "khác"}})
    item = waiting(session)
    for role in ("inspector", "admin", "operator"):
        assert world[role].get(f"/field/review/{item.id}").status_code == 403
    person = makers.user(session, "staff", territories=[world.there.commune])
    foreign = doors.client_of(app, session, person)
    assert foreign.get(f"/field/review/{item.id}").status_code == 404
    assert str(item.id) not in foreign.get("/field/review?state=").get_data(as_text=True)
    assert foreign.post(f"/field/review/{item.id}", data={"decision": "accept"}).status_code == 404


def test_photos_that_are_on_their_way_are_counted_everywhere(
    session: Session, own: Phone, tower, world: doors.World
) -> None:
    here, missing = photo("here", "sit_fence"), photo("missing", "clb_ladder")
    sent = inspection(tower.code, photos=[here.facts(), missing.facts()])
    own.send(sent)
    number = sent["body"]["id"]
    own.upload(number, here)
    staff = world["staff"]
    said = "1 / 2 ảnh đã về"
    for path in (f"/inspections/{number}", "/inspections", f"/towers/{tower.code}", "/"):
        assert said in staff.get(path).get_data(as_text=True), path
    listed = doors.answered(staff.get("/api/v1/inspections?limit=1"), 200)["items"][0]
    assert listed["photo_count"] == {"arrived": 1, "expected": 2}
    record = staff.get(f"/inspections/{number}/record.docx")
    assert record.status_code == 200
    import docx

    document = docx.Document(io.BytesIO(record.data))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    assert any(said in text for text in [*(one.text for one in document.paragraphs), *cells])
    own.upload(number, missing)
    for path in (f"/inspections/{number}", "/inspections"):
        assert said not in staff.get(path).get_data(as_text=True)


def queue(own: Phone, world: doors.World, *operations, photos=(), **facts) -> bytes:
    return json.dumps(
        {
            "format": "thap-canh-queue",
            "version": 1,
            "device": own.id,
            "user": {"id": str(world.people["inspector"].id)},
            "operations": operations,
            "photos": photos,
            **facts,
        }
    ).encode()


def import_file(world: doors.World, content: bytes):
    return world["staff"].post("/field/import", data={"file": (io.BytesIO(content), "queue.json")})


def test_the_queue_of_a_phone_comes_as_a_file(
    session: Session, own: Phone, tower, world: doors.World
) -> None:
    picture = photo("file", "sit_fence")
    sent = inspection(tower.code, photos=[picture.facts()])
    encoded = base64.b64encode(picture.content).decode()
    files = [{"id": picture.id, "sha256": picture.sha256, "base64": encoded}, {"id": "x"}]
    content = queue(own, world, sent, operation("dance", {}), photos=files)
    page = import_file(world, content)
    assert page.status_code == 200
    assert page.get_data(as_text=True).count("late") >= 2
    kept = session.get_one(Inspection, uuid.UUID(sent["body"]["id"]))
    assert [str(one.id) for one in kept.photos] == [picture.id]
    before = doors.counts(session)
    assert import_file(world, content).status_code == 200
    after = doors.counts(session)
    # Who imported what is written down each time, and nothing else happens again.
    assert after.pop("audit_entry") == before.pop("audit_entry") + 1
    assert after == before
    # The phone sends the same later: it is known.
    assert own.send(sent)[0]["verdict"] == "known"


def test_a_file_that_is_no_queue_is_refused(own: Phone, world: doors.World) -> None:
    for content in (
        b"",
        b"[]",
        b"\xff",
        b'{"format": "thap-canh-queue", "version": 2}',
        queue(own, world, user={"id": str(uuid.uuid4())}),
        queue(own, world, operations={}),
    ):
        assert import_file(world, content).status_code == 422
    assert world["staff"].post("/field/import", data={}).status_code == 422


def test_another_body_that_a_program_sends_waits_for_staff_too(
    session: Session, tower, world: doors.World
) -> None:
    body = {"id": str(uuid.uuid4()), **doors.visit(tower.code)}
    doors.answered(world["inspector"].post("/api/v1/inspections", json=body), 201)
    other = {**body, "note": "khác"}
    for _ in range(2):
        doors.refused(world["inspector"].post("/api/v1/inspections", json=other), 409)
    item = waiting(session)
    assert (item.reason, item.state) == ("different_body", "open")
    assert decide(world, item, "accept").status_code == 302
    kept = session.get_one(Inspection, uuid.UUID(body["id"]), populate_existing=True)
    assert (kept.note, kept.version) == ("khác", 2)
