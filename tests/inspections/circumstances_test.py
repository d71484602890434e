"""Who was there, when and with what; how far from the tower; who signed; what it proves."""

from __future__ import annotations

import io
import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from core import store
from core.audit import AuditEntry
from core.errors import Conflict, Forbidden, Invalid, NotFound
from core.geo import Position
from core.policy import SYSTEM
from inspections.models import LoadAssessment
from inspections.rules.evidence import Grade, Reason
from inspections.services.circumstances import Circumstances, Instrument
from inspections.services.evidence import evidence_of
from inspections.services.review import accept_inspection
from inspections.services.signatures import sign, standing
from tests import makers
from tests.doors import answered, client_of, picture
from tests.doors import visit as api_visit
from tests.inspections.visits import (
    MINOR,
    NOW,
    correct,
    passing,
    published,
    record,
    visit,
)

PEN = {"store": None, "drawn": None}


@pytest.fixture
def inspector(session):
    return makers.actor(session, "inspector")


@pytest.fixture
def tower(session):
    published(session)
    return makers.tower(session, code="T-1")


def said(**facts):
    return Circumstances(
        **{"started_at": NOW - timedelta(hours=1), "ended_at": NOW, "device_at": NOW, **facts}
    )


def test_a_visit_keeps_its_circumstances_and_its_distance(session, tower, inspector) -> None:
    meter = Instrument("Máy đo điện trở đất Kyoritsu 4105A", "W0123456", NOW.date())
    # A thousandth of a degree of latitude is 110.6 m here.
    made = visit(
        passing(tower),
        position=Position(10.461, 105.63),
        position_accuracy_m=Decimal(8),
        circumstances=said(
            team=("Nguyễn Văn A – chuyên viên", " ", "Trần Thị B"),
            representative="Lê C, quản lý trạm",
            weather="rain",
            verdict="ok",
            instruments=(meter, Instrument(" ")),
        ),
    )
    inspection = record(session, tower, made, by=inspector)
    session.refresh(inspection)
    assert inspection.team == ["Nguyễn Văn A – chuyên viên", "Trần Thị B"]
    assert (inspection.representative, inspection.weather) == ("Lê C, quản lý trạm", "rain")
    assert [Instrument.from_json(one) for one in inspection.instruments] == [meter]
    assert inspection.distance_m == pytest.approx(Decimal("110.6"), abs=Decimal("0.2"))
    assert (inspection.device_at, inspection.received_at) == (NOW, NOW)
    evidence = evidence_of(session, inspection)
    assert evidence.reasons == (Reason.FAR_FROM_TOWER, Reason.NO_PHOTO)
    store.set_value(session, "at_tower_m", 120, by=SYSTEM, now=NOW)
    assert evidence_of(session, inspection).grade is Grade.FAIR


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"team": ("x",) * 21}, "team"),
        ({"team": ("x" * 201,)}, "team"),
        ({"representative": "x" * 301}, "representative"),
        ({"weather": "snow"}, "weather"),
        ({"verdict": "fine"}, "verdict"),
        ({"started_at": NOW, "ended_at": NOW - timedelta(seconds=1)}, "ended_at"),
        ({"instruments": (Instrument("x"),) * 21}, "instruments"),
        ({"instruments": (Instrument("x", "y" * 101),)}, "instruments"),
    ],
)
def test_what_is_not_right_is_named(session, tower, inspector, facts, field) -> None:
    with pytest.raises(Invalid) as caught:
        record(session, tower, visit(passing(tower), circumstances=said(**facts)), by=inspector)
    assert set(caught.value.fields) == {field}


def test_the_verdict_that_an_assessment_is_needed_asks_for_one(session, tower, inspector) -> None:
    made = visit(
        passing(tower), note="Thêm ăng ten", circumstances=said(verdict="assessment_needed")
    )
    record(session, tower, made, by=inspector)
    assert session.scalars(select(LoadAssessment.reason)).all() == ["Thêm ăng ten"]
    assert tower.condition == "assessment_needed"


def test_a_draft_proves_nothing(session, tower, inspector) -> None:
    draft = record(session, tower, visit(passing(tower), submit=False), by=inspector)
    assert evidence_of(session, draft) is None


def signed(session, inspection, by, name="Lê C", place="representative", number=None, now=NOW):
    return sign(
        session, number or uuid.uuid4(), inspection, place=place, name=name, by=by, now=now, **PEN
    )


def test_a_signature_stands_for_what_was_said_then(session, tower, inspector) -> None:
    inspection = record(session, tower, visit(passing(tower)), by=inspector)
    one, new = signed(session, inspection, inspector)
    assert (new, standing(inspection)) == (True, [(one, True)])
    correct(session, inspection, visit({**passing(tower), **MINOR}), by=inspector)
    assert standing(inspection) == [(one, False)]
    two, _ = signed(session, inspection, inspector, now=NOW + timedelta(minutes=5))
    assert standing(inspection) == [(two, True)]
    actions = session.scalars(select(AuditEntry.action).where(AuditEntry.action.like("%.sign")))
    assert len(actions.all()) == 2


def test_sending_a_signature_again_is_harmless(session, tower, inspector) -> None:
    inspection = record(session, tower, visit(passing(tower)), by=inspector)
    number = uuid.uuid4()
    first, _ = signed(session, inspection, inspector, number=number)
    assert signed(session, inspection, inspector, number=number) == (first, False)
    with pytest.raises(Conflict):
        signed(session, inspection, inspector, name="Người khác", number=number)


@pytest.mark.parametrize(
    ("name", "place", "field"),
    [("", "witness", "name"), ("x" * 201, "witness", "name"), ("A", "king", "place")],
)
def test_a_signature_has_a_name_and_a_place(session, tower, inspector, name, place, field) -> None:
    inspection = record(session, tower, visit(passing(tower)), by=inspector)
    with pytest.raises(Invalid) as caught:
        signed(session, inspection, inspector, name, place)
    assert set(caught.value.fields) == {field}


def test_only_a_submitted_visit_of_ones_own_is_signed(session, tower, inspector) -> None:
    draft = record(session, tower, visit(passing(tower), submit=False), by=inspector)
    with pytest.raises(Conflict):
        signed(session, draft, inspector)
    inspection = record(session, tower, visit(passing(tower)), by=inspector)
    with pytest.raises(NotFound):
        signed(session, inspection, makers.actor(session, "inspector"))
    staff = makers.actor(session, "staff")
    with pytest.raises(Forbidden):
        signed(session, inspection, staff)
    accept_inspection(session, inspection, by=staff, now=NOW)
    with pytest.raises(Conflict):
        signed(session, inspection, inspector)


def test_over_the_api(app, session, tower) -> None:
    client = client_of(app, session, makers.user(session, "inspector"))
    number, signature = str(uuid.uuid4()), str(uuid.uuid4())
    address = f"/api/v1/inspections/{number}"
    now = answered(client.get("/api/v1/towers/T-1"), 200) and "2026-11-25T09:30:00+07:00"
    body = api_visit("T-1", id=number, team=["A"], weather="clear", verdict="dangerous",
                     started_at=now, ended_at=now, instruments=[{"name": "Thước"}])  # fmt: skip
    for wrong in ({"weather": "snow"}, {"started_at": "2026-11-25T09:30"}, {"team": [""]}):
        answered(client.post("/api/v1/inspections", json={**body, **wrong}), 422)
    headers = {"Device-Time": "2026-11-25T09:31:00+07:00"}
    answered(client.post("/api/v1/inspections", json=body, headers=headers), 201)
    # The time of the device is no part of the record: a resend is the same again.
    later = {"Device-Time": "2026-11-25T10:31:00+07:00"}
    answered(client.post("/api/v1/inspections", json=body, headers=later), 200)
    kept = answered(client.get(address), 200)
    assert kept["device_at"].startswith("2026-11-25T02:31")
    assert kept["evidence"]["grade"] == "weak"
    assert kept["instruments"] == [{"name": "Thước", "serial": "", "calibrated_until": None}]

    def send(tag='"v1"', **form):
        data = {"id": signature, "place": "inspector", "name": "Ánh", **form}
        return client.post(f"{address}/signatures", data=data, headers={"If-Match": tag})

    answered(send('"v9"'), 412)
    answered(send(file=(io.BytesIO(b"no picture"), "a.png")), 415)
    answered(send(file=(io.BytesIO(picture(kind="PNG")), "a.png")), 201)
    answered(send(file=(io.BytesIO(picture(kind="PNG")), "a.png")), 200)
    (told,) = answered(client.get(address), 200)["signatures"]
    assert (told["place"], told["drawn"], told["signs_now"]) == ("inspector", True, True)
    drawn = client.get(f"{address}/signatures/{signature}")
    assert (drawn.status_code, drawn.mimetype) == (200, "image/jpeg")
    page = client.get(f"/inspections/{number}").get_data(as_text=True)
    assert f"{address}/signatures/{signature}" in page


def test_photos_say_where_they_come_from(app, session, tower) -> None:
    client = client_of(app, session, makers.user(session, "inspector"))
    number = str(uuid.uuid4())
    draft = api_visit("T-1", id=number, submit=False)
    answered(client.post("/api/v1/inspections", json=draft), 201)

    def send(**form):
        file = (io.BytesIO(picture()), "a.jpg")
        data = {"id": str(uuid.uuid4()), "inspection": number, "file": file, **form}
        return client.post("/api/v1/photos", data=data)

    taken = "2026-11-25T09:30:00+07:00"
    photo = answered(send(source="camera", taken_at=taken), 201)
    assert (photo["source"], photo["taken_at"][:16]) == ("camera", "2026-11-25T02:30")
    assert answered(send(), 201)["source"] == "file"
    for wrong in ({"source": "moon"}, {"taken_at": "gestern"}, {"taken_at": "2026-11-25"}):
        answered(send(**wrong), 422)
