"""Staff decide about what phones brought: take it, keep what is known, or reject it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import uuid
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.models import AccessToken
from core import clock
from core.audit import AuditEntry
from inspections.field_models import ReviewItem
from inspections.models import Inspection, Photo
from tests import doors, makers
from tests.inspections.phones import Phone, inspection, operation, phone, photo, waiting
from tests.inspections.phones import Photo as Picture


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
    """The file that a phone saves, as it signs it."""
    return own.queue_file(world.people["inspector"].id, *operations, photos=photos, **facts)


def import_file(world: doors.World, content: bytes, by: FlaskClient | None = None):
    client = by or world["staff"]
    return client.post("/field/import", data={"file": (io.BytesIO(content), "queue.json")})


def test_the_queue_of_a_phone_comes_as_a_file(
    session: Session, own: Phone, tower, world: doors.World
) -> None:
    picture, broken = photo("file", "sit_fence"), Picture(b"no picture")
    sent = inspection(tower.code, photos=[picture.facts()])
    content = queue(own, world, sent, operation("dance", {}), photos=[picture, broken])
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
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "field.import")).all()[-1]
    assert entry.actor == world.people["staff"].email
    assert entry.after["sha256"] == hashlib.sha256(content).hexdigest()
    assert (entry.after["device"], sent["id"] in entry.after["operations"]) == (own.id, True)
    # The phone sends the same later: it is known.
    assert own.send(sent)[0]["verdict"] == "known"


def test_a_file_that_is_no_queue_is_refused(own: Phone, world: doors.World) -> None:
    for content in (
        b"",
        b"[]",
        b"\xff",
        b'{"format": "thap-canh-queue", "version": 3}',
        b'{"format": "thap-canh-queue", "version": 2, "signed": 1, "signature": "00"}',
        queue(own, world, operations={}),
    ):
        assert import_file(world, content).status_code == 422
    assert world["staff"].post("/field/import", data={}).status_code == 422


def no_one_wrote(session: Session, world: doors.World, content: bytes, why: str, by=None):
    """A file is refused with this reason, and nothing of it is kept."""
    before = doors.counts(session)
    answer = import_file(world, content, by)
    assert answer.status_code == 422
    assert why in answer.get_data(as_text=True)
    assert doors.counts(session) == before


def test_only_the_phone_of_an_inspector_speaks_for_them(
    app: Flask, session: Session, own: Phone, tower, world: doors.World
) -> None:
    picture, other = photo("signed"), photo("other")
    sent = inspection(tower.code, photos=[picture.facts()])
    good = json.loads(queue(own, world, sent, photos=[picture]))
    assert own.token not in json.dumps(good)
    unsigned = {"user": str(world.people["inspector"].id), "device": own.id, "operations": [sent]}
    unsigned |= {"format": "thap-canh-queue", "version": 1}
    no_one_wrote(session, world, json.dumps(unsigned).encode(), "chưa được ký")

    colleague = makers.user(session, "inspector", territories=[world.here.commune])
    theirs = phone(app, doors.client_of(app, session, colleague))
    changed = good["signed"].replace("periodic", "incident")
    assert changed != good["signed"]
    for forged in (
        {**good, "signature": "0" * 64},
        {**good, "signature": "é"},
        {**good, "signed": changed},
        json.loads(queue(theirs, world, sent, photos=[picture])),
        json.loads(queue(own, world, sent, user=str(colleague.id))),
        json.loads(queue(own, world, sent, device=theirs.id)),
        json.loads(queue(own, world, sent, device=None)),
    ):
        no_one_wrote(session, world, json.dumps(forged).encode(), "Không có điện thoại nào")
    content = base64.b64encode(other.content).decode()
    for photos in ({}, {picture.id: content}, {**good["photos"], other.id: content}, [], None):
        forged = json.dumps({**good, "photos": photos}).encode()
        no_one_wrote(session, world, forged, "không phải là ảnh mà điện thoại đã ký")


def test_a_sign_in_that_ended_no_longer_signs(
    app: Flask, session: Session, own: Phone, tower, world: doors.World
) -> None:
    sent = inspection(tower.code)
    content = queue(own, world, sent)
    # Signed in anew, the phone has another key.
    again = phone(app, world["inspector"], own.id)
    no_one_wrote(session, world, content, "đăng nhập lại trên điện thoại")
    content = queue(again, world, sent)
    token = session.scalars(
        select(AccessToken).where(AccessToken.hash == hashlib.sha256(again.token.encode()).digest())
    ).one()
    ends, token.expires_at = token.expires_at, clock.now() - timedelta(seconds=1)
    session.commit()
    no_one_wrote(session, world, content, "đăng nhập lại trên điện thoại")
    token.expires_at = ends
    session.commit()
    # What a lost phone wrote waits for staff, as when it sends it.
    assert world["inspector"].delete(f"/api/v1/devices/{own.id}").status_code == 204
    assert import_file(world, content).status_code == 200
    assert session.get(Inspection, uuid.UUID(sent["body"]["id"])) is None
    assert waiting(session).reason == "revoked_device"


def test_staff_of_a_commune_import_what_lies_there(
    app: Flask, session: Session, tower, world: doors.World
) -> None:
    person = makers.user(
        session, "inspector", territories=[world.here.commune, world.there.commune]
    )
    both = phone(app, doors.client_of(app, session, person))
    here = makers.user(session, "staff", territories=[world.here.commune])
    officer = doors.client_of(app, session, here)
    draft = inspection(world.there.tower.code, submit=False)
    assert both.send(draft)[0]["verdict"] == "accepted"
    for foreign in (
        inspection(world.there.tower.code),
        inspection("KHONG-CO"),
        operation("discard", {"id": draft["body"]["id"]}),
    ):
        content = both.queue_file(person.id, inspection(tower.code), foreign)
        no_one_wrote(session, world, content, "nằm ngoài địa bàn của bạn", officer)
    own_ones = inspection(tower.code)
    content = both.queue_file(person.id, own_ones)
    assert import_file(world, content, officer).status_code == 200
    assert session.get(Inspection, uuid.UUID(own_ones["body"]["id"])) is not None


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
