"""Photos come in pieces, before or after their inspection: whole or not to be seen."""

from __future__ import annotations

import os
import random
import uuid
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core import clock
from core.db import database
from core.jobs import Running
from core.settings import Settings
from inspections import field_jobs
from inspections.field_models import Upload
from inspections.models import Photo
from tests import doors, makers
from tests.inspections.phones import Phone, inspection, phone, photo


@pytest.fixture
def tower(session: Session, world: doors.World):
    made = makers.tower(session, latitude=10.4, longitude=105.4, commune=world.here.commune)
    session.commit()
    return made


@pytest.fixture
def own(app: Flask, world: doors.World) -> Phone:
    return phone(app, world["inspector"])


def seen(session: Session, number: str) -> list[str]:
    session.expire_all()
    return [
        str(one)
        for one in session.scalars(
            select(Photo.id).where(Photo.inspection_id == uuid.UUID(number)).order_by(Photo.id)
        )
    ]


def test_a_photo_after_its_inspection_and_one_before(session: Session, own: Phone, tower) -> None:
    before, after = photo("one", "sit_fence"), photo("two")
    sent = inspection(tower.code, photos=[before.facts(), after.facts()])
    number = sent["body"]["id"]
    assert own.upload(number, before)["state"] == "safe"
    assert seen(session, number) == []
    (result,) = own.send(sent)
    states = {one["id"]: one["state"] for one in result["receipt"]["photos"]}
    assert states == {before.id: "safe", after.id: "waiting"}
    assert result["receipt"]["complete"] is False
    assert seen(session, number) == [before.id]
    assert own.upload(number, after)["state"] == "safe"
    assert set(seen(session, number)) == {before.id, after.id}
    (receipt,) = own.receipts(sent["id"])
    assert receipt["complete"] is True
    kept = session.get_one(Photo, uuid.UUID(before.id))
    assert (kept.latitude, kept.longitude, kept.accuracy_m) == (10.4, 105.6, 6.5)
    assert (kept.item_key, kept.source) == ("sit_fence", "camera")
    assert session.scalars(select(Upload)).all() == []
    # Sent again nothing changes.
    assert own.begin(number, before, 200) == {
        "id": before.id, "offset": len(before.content), "state": "safe",
    }  # fmt: skip
    assert doors.answered(own.patch(before, 0, b"x"), 200)["state"] == "safe"


def test_cut_at_random_bytes_nothing_is_seen_until_the_last(
    session: Session, own: Phone, tower, settings: Settings
) -> None:
    chance = random.Random(7)
    sent = inspection(tower.code)
    number = sent["body"]["id"]
    own.send(sent)
    one = photo("cut", size=(900, 700))
    own.begin(number, one)
    offset = 0
    for _ in range(20):
        cut = chance.randrange(offset, len(one.content))
        answer = doors.answered(own.patch(one, offset, one.content[offset:cut]), 200)
        assert answer == {"id": one.id, "offset": cut, "state": "waiting"}
        assert seen(session, number) == []
        offset = cut
    wrong = doors.refused(own.patch(one, offset + 1, b"x"), 409)
    assert (wrong["code"], wrong["facts"]["offset"]) == ("wrong_offset", offset)
    assert doors.answered(own.client.get(f"/api/v1/uploads/{one.id}"), 200)["offset"] == offset
    doors.refused(own.patch(one, offset, one.content[offset:] + b"x"), 413)
    assert doors.answered(own.patch(one, offset, one.content[offset:]), 200)["state"] == "safe"
    assert seen(session, number) == [one.id]
    got = own.client.get(f"/api/v1/photos/{one.id}/thumbnail")
    assert got.status_code == 200
    assert list((settings.instance / "field").glob(f"{one.id}*")) == []


def test_what_did_not_arrive_as_it_was_sent_begins_again(
    session: Session, own: Phone, tower
) -> None:
    sent = inspection(tower.code)
    number = sent["body"]["id"]
    own.send(sent)
    one = photo("torn")
    own.begin(number, one)
    torn = bytes([one.content[0] ^ 1]) + one.content[1:]
    wrong = doors.refused(own.patch(one, 0, torn), 422)
    assert (wrong["code"], wrong["facts"]["offset"]) == ("hash_mismatch", 0)
    assert doors.answered(own.client.get(f"/api/v1/uploads/{one.id}"), 200)["offset"] == 0
    assert seen(session, number) == []
    assert doors.answered(own.patch(one, 0, one.content), 200)["state"] == "safe"


def test_what_is_no_picture_is_refused(session: Session, own: Phone, tower) -> None:
    sent = inspection(tower.code)
    own.send(sent)
    one = photo("no")
    one.content = b"MZ" + b"\0" * 500
    own.begin(sent["body"]["id"], one)
    doors.refused(own.patch(one, 0, one.content), 415)
    assert seen(session, sent["body"]["id"]) == []


def test_an_id_is_one_photo_and_a_foreign_one_is_not_there(
    app: Flask, session: Session, own: Phone, tower, world: doors.World
) -> None:
    sent = inspection(tower.code)
    number = sent["body"]["id"]
    own.send(sent)
    one, other = photo("a"), photo("b")
    own.begin(number, one)
    other.id = one.id
    body = other.facts(inspection=number)
    assert doors.refused(own.client.post("/api/v1/uploads", json=body), 409)["code"] == (
        "different_photo"
    )
    theirs = phone(app, world["elsewhere"])
    doors.refused(theirs.client.get(f"/api/v1/uploads/{one.id}"), 404)
    doors.refused(theirs.patch(one, 0, one.content), 404)
    body = photo("c").facts(inspection=number)
    doors.refused(theirs.client.post("/api/v1/uploads", json=body), 404)
    doors.refused(own.client.post("/api/v1/uploads", json={}), 422)


def test_pieces_that_nobody_goes_on_with_are_cleared_and_whole_photos_are_not(
    app: Flask, session: Session, own: Phone, tower, settings: Settings
) -> None:
    """What is whole waits for its inspection for ever: it may come from a phone that was found."""
    number = str(uuid.uuid4())
    cut, whole, fresh = photo("cut off"), photo("whole"), photo("fresh")
    own.begin(number, cut)
    own.patch(cut, 0, cut.content[:100])
    own.upload(number, whole)
    own.begin(number, fresh)
    own.patch(fresh, 0, fresh.content[:100])
    folder = settings.instance / "field"
    # A process that was killed between the row and the file left this one.
    orphan = folder / f"{uuid.uuid4()}.part"
    orphan.write_bytes(b"x")
    long_ago = clock.now() - timedelta(days=31)
    os.utime(orphan, (long_ago.timestamp(),) * 2)
    session.execute(
        update(Upload)
        .where(Upload.id.in_([uuid.UUID(cut.id), uuid.UUID(whole.id)]))
        .values(touched_at=long_ago)
    )
    session.commit()
    field_jobs.clear_uploads(Running(1, 1, database().sessions, lambda: False))
    left = {str(one) for one in session.scalars(select(Upload.id))}
    assert left == {whole.id, fresh.id}
    ours = {cut.id, whole.id, fresh.id, orphan.stem}
    assert {path.stem for path in folder.glob("*.part")} & ours == {fresh.id}
    # The phone begins it again.
    assert own.begin(number, cut, 201)["offset"] == 0
    sent = inspection(tower.code, photos=[whole.facts()])
    sent["body"]["id"] = number
    own.send(sent)
    assert seen(session, number) == [whole.id]
