"""What a phone brings home arrives once, whole, with a receipt; nothing blocks or overwrites."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import clock
from core.settings import Settings
from inspections.field_models import Receipt
from inspections.models import Inspection, Submission
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


def stored(session: Session, number: str) -> Inspection:
    session.expire_all()
    return session.get_one(Inspection, uuid.UUID(number))


def test_an_inspection_is_recorded_and_receipted(
    session: Session, own: Phone, tower, settings: Settings
) -> None:
    sent = inspection(tower.code, from_tomorrow={"unknown": [1]}, far_reason="Đường ngập")
    (result,) = own.send(sent)
    assert (result["id"], result["verdict"], result["code"]) == (sent["id"], "accepted", "accepted")
    kept = stored(session, sent["body"]["id"])
    assert (kept.status, kept.version, kept.far_reason) == ("submitted", 1, "Đường ngập")
    body = session.scalar(select(Submission.body).where(Submission.inspection_id == kept.id))
    assert body["from_tomorrow"] == {"unknown": [1]}
    receipt = result["receipt"]
    plain = json.dumps(sent["body"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert receipt["content_sha256"] == hashlib.sha256(plain.encode()).hexdigest()
    assert (receipt["complete"], receipt["photos"], receipt["version"]) == (True, [], 1)
    signature = receipt.pop("signature")
    key = (settings.instance / "receipt-key").read_bytes()
    plain = json.dumps(receipt, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert signature == hmac.new(key, plain.encode(), "sha256").hexdigest()


def test_sent_again_it_is_the_same_receipt(session: Session, own: Phone, tower) -> None:
    sent = inspection(tower.code)
    (first,) = own.send(sent)
    before = doors.counts(session)
    (again,) = own.send(sent)
    assert again == {**first, "verdict": "known"}
    # Under another number of the operation it is the same inspection still.
    (other,) = own.send({**sent, "id": str(uuid.uuid4())})
    assert other["verdict"] == "known"
    after = doors.counts(session)
    assert after.pop("receipt") == before.pop("receipt") + 1
    assert after == before
    assert own.receipts(sent["id"]) == [first["receipt"]]


def test_one_bad_operation_blocks_no_other(session: Session, own: Phone, tower) -> None:
    good = [inspection(tower.code, minutes=1), operation("discard", {"id": str(uuid.uuid4())})]
    bad = [
        operation("dance", {}),
        inspection("KHONG-CO"),
        inspection(tower.code, answers={"sit_fence": {"outcome": "perhaps"}}),
        inspection(tower.code, inspected_on="2031-01-01"),
        inspection(tower.code, answers=[]),
        operation("inspection", {}),
        {"id": "no number", "kind": "inspection", "body": {}},
        {"id": str(uuid.uuid4()), "kind": "inspection"},
        "nothing",
    ]
    results = own.send(bad[0], good[0], *bad[1:], good[1])
    assert [one["verdict"] for one in results] == [
        "refused", "accepted", *["refused"] * (len(bad) - 1), "accepted",
    ]  # fmt: skip
    assert results[0]["code"] == "unknown_kind"
    assert list(results[2]["fields"]) == ["tower"]
    assert list(results[3]["fields"]) == ["answers.sit_fence.outcome"]
    assert list(results[4]["fields"]) == ["inspected_on"]
    assert session.scalar(select(func.count()).select_from(Receipt)) == 2


def test_a_batch_that_is_none_is_refused(own: Phone) -> None:
    for body in ([], {"operations": {}}, {"operations": [{}] * 101}):
        doors.refused(own.client.post("/api/v1/sync", json=body), 422)
    long = {"operations": [], "x": "x" * (2 * 1024 * 1024)}
    doors.refused(own.client.post("/api/v1/sync", json=long), 413)


def test_another_body_under_a_known_id_waits_for_staff(session: Session, own: Phone, tower) -> None:
    first = inspection(tower.code)
    own.send(first)
    number = first["body"]["id"]
    other = {**first, "body": {**first["body"], "note": "khác"}}
    (result,) = own.send(other)
    assert (result["verdict"], result["receipt"]["complete"]) == ("review", True)
    assert stored(session, number).note == ""
    item = waiting(session)
    assert (item.reason, item.kind, str(item.other_id)) == ("different_body", "inspection", number)
    assert own.send(other)[0]["verdict"] == "known"
    assert waiting(session).id == item.id
    outcomes = select(Submission.outcome).where(Submission.inspection_id == uuid.UUID(number))
    assert sorted(session.scalars(outcomes)) == ["conflict", "submitted"]


def test_a_returned_inspection_comes_back_as_its_second_version(
    session: Session, own: Phone, tower, world: doors.World
) -> None:
    first = inspection(tower.code)
    own.send(first)
    number = first["body"]["id"]
    path, tag = f"/api/v1/inspections/{number}", {"If-Match": "*"}
    doors.answered(
        world["staff"].post(
            f"{path}/review", json={"decision": "return", "reason": "Thiếu ảnh"}, headers=tag
        ),
        200,
    )
    work = doors.answered(own.client.get("/api/v1/field/work"), 200)
    (task,) = [one for one in work["tasks"] if one["kind"] == "returned"]
    assert (task["inspection_id"], task["version"], task["reason"]) == (number, 2, "Thiếu ảnh")
    assert task["original_answers"] == first["body"]["answers"]
    # The answer to the first was lost: it is known, and does not submit itself again.
    assert own.send(first)[0]["verdict"] == "known"
    assert stored(session, number).status == "returned"
    second = inspection(tower.code, note="đã bổ sung", based_on=2)
    second["body"]["id"] = number
    (result,) = own.send(second)
    assert (result["verdict"], result["receipt"]["version"]) == ("accepted", 3)
    assert (stored(session, number).status, stored(session, number).note) == (
        "submitted",
        "đã bổ sung",
    )
    assert own.send(second)[0]["verdict"] == "known"
    sent = select(func.count()).where(Submission.inspection_id == uuid.UUID(number))
    assert session.scalar(sent) == 2
    # Staff accepted it while the inspector was editing offline: nothing is overwritten.
    doors.answered(
        world["staff"].post(f"{path}/review", json={"decision": "accept"}, headers=tag), 200
    )
    third = inspection(tower.code, note="muộn", based_on=3)
    third["body"]["id"] = number
    (late,) = own.send(third)
    assert late["verdict"] == "review"
    assert waiting(session).reason == "changed_meanwhile"
    assert stored(session, number).status == "accepted"


def test_two_inspectors_at_one_tower_make_a_review_item(
    app: Flask, session: Session, own: Phone, tower, world: doors.World
) -> None:
    colleague = makers.user(session, "inspector", territories=[world.here.commune])
    theirs = phone(app, doors.client_of(app, session, colleague))
    first = inspection(tower.code)
    own.send(first)
    (result,) = theirs.send(inspection(tower.code))
    assert result["verdict"] == "review"
    item = waiting(session)
    assert (item.reason, str(item.other_id)) == ("two_inspectors", first["body"]["id"])
    day = (clock.today() - timedelta(days=3)).isoformat()
    assert theirs.send(inspection(tower.code, inspected_on=day))[0]["verdict"] == "accepted"


def test_a_violation_that_ended_meanwhile_makes_a_review_item(
    session: Session, own: Phone, world: doors.World
) -> None:
    """The inspector was asked about one that was withdrawn while the phone was offline."""
    here = world.here
    again = inspection(
        here.tower.code,
        kind="reinspection",
        answers={"clb_ladder": {"outcome": "not_checked", "reason": "khóa cửa"}},
        violations=[str(here.violation)],
    )
    path, tag = f"/api/v1/inspections/{here.inspection}", {"If-Match": "*"}
    doors.answered(
        world["staff"].post(
            f"{path}/review", json={"decision": "return", "reason": "sai trạm"}, headers=tag
        ),
        200,
    )
    (result,) = own.send(again)
    assert result["verdict"] == "review"
    assert waiting(session).reason == "violation_ended"


def test_skew_is_kept_and_flagged_and_days_are_ours(session: Session, own: Phone, tower) -> None:
    years = timedelta(days=5 * 365)
    device = datetime.now(UTC) + years
    day = (clock.today() + years).isoformat()
    sent = inspection(tower.code, inspected_on=day, started_at=device.isoformat())
    answer = own.batch(sent, device_time=device.isoformat())
    assert answer["skewed"] is True
    assert abs(answer["clock_offset_s"] - years.total_seconds()) < 60
    assert answer["results"][0]["verdict"] == "accepted"
    kept = stored(session, sent["body"]["id"])
    assert kept.inspected_on == clock.today()
    assert kept.clock_offset_s == answer["clock_offset_s"]
    receipt = session.scalars(select(Receipt)).one()
    assert (receipt.device_at, receipt.clock_offset_s) == (device, kept.clock_offset_s)
    assert own.batch()["skewed"] is False
    assert own.batch(device_time="nonsense")["clock_offset_s"] is None


def test_a_revoked_phone_is_quarantined_and_an_unknown_token_refused(
    app: Flask, session: Session, own: Phone, tower, world: doors.World
) -> None:
    doors.answered(world["inspector"].delete(f"/api/v1/devices/{own.id}"), 204)
    picture = photo("lost", "sit_fence")
    sent = inspection(tower.code, photos=[picture.facts()])
    (result,) = own.send(sent)
    assert (result["verdict"], result["receipt"]["complete"]) == ("quarantined", False)
    assert session.get(Inspection, uuid.UUID(sent["body"]["id"])) is None
    assert own.upload(sent["body"]["id"], picture)["state"] == "safe"
    (receipt,) = own.receipts(sent["id"])
    assert receipt["complete"] is True
    item = waiting(session)
    assert (item.reason, str(item.device_id)) == ("revoked_device", own.id)
    # Everything else is shut.
    for path in ("/api/v1/field/work", "/api/v1/inspections", "/account", "/api/v1/devices"):
        doors.refused(own.client.get(path, headers={"Accept": "application/json"}), 401)
    stranger = app.test_client()
    stranger.environ_base["HTTP_AUTHORIZATION"] = "Bearer tc_nothing"
    doors.refused(stranger.post("/api/v1/sync", json={"operations": []}), 401)


def test_a_disabled_account_loses_no_work(
    session: Session, own: Phone, tower, world: doors.World
) -> None:
    from accounts import tokens

    person = world.people["inspector"]
    person.active = False
    tokens.revoke_all(session, person, now=clock.now())
    session.commit()
    (result,) = own.send(inspection(tower.code))
    assert result["verdict"] == "quarantined"
    assert waiting(session).reason == "disabled_account"
