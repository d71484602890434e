"""Deadlines become messages: one each, to whom it concerns, sent or shown to be not."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import mail, store
from core.errors import Conflict, Invalid
from core.mail import Later, Misconfigured
from core.policy import SYSTEM
from core.settings import Settings
from inspections.models import Violation, ViolationEvent
from inspections.rules.reminding import MOST_ATTEMPTS, pause_after
from inspections.services import outbox
from tests import doors, makers
from tests.doors import answered, refused
from tests.inspections.follow_up_test import violation
from tests.inspections.reminding import make, send_all, written
from tests.inspections.visits import MAJOR, NOW, TODAY, days, inspected, published


@pytest.fixture
def version(session: Session):
    return published(session)


def found(session: Session, code: str, due: int) -> Violation:
    """A violation with its events, whose deadline lies so many days ahead."""
    inspector = makers.actor(session, "inspector")
    tower = makers.tower(session, code=code)
    day = TODAY + timedelta(days=due - 30)
    inspected(session, tower, by=inspector, now=NOW - days((TODAY - day).days), **{
        "inspected_on": day, **MAJOR,
    })  # fmt: skip
    made = session.scalars(select(Violation).where(Violation.tower_id == tower.id)).one()
    assert made.deadline == TODAY + timedelta(days=due)
    return made


def test_what_is_due_soon_overdue_or_escalated_is_written_once(
    session: Session, version, addresses
) -> None:
    for code, due in (("A", 8), ("B", 7), ("C", 0), ("D", -1), ("E", -6), ("F", -7)):
        found(session, code, due)
    assert make(session) == 6
    assert set(written(session)) == {
        ("B", "due_soon"), ("C", "due_soon"), ("D", "overdue"), ("E", "overdue"),
        ("F", "overdue"), ("F", "escalated"),
    }  # fmt: skip
    assert make(session) == 0
    assert make(session, today=TODAY + timedelta(days=1)) == 3
    assert {("A", "due_soon"), ("C", "overdue"), ("E", "escalated")} <= set(written(session))


def test_an_escalation_is_a_step_of_the_violation(session: Session, version, addresses) -> None:
    late = found(session, "A", -9)
    make(session)
    session.expire_all()
    last = session.scalars(select(ViolationEvent).where(ViolationEvent.kind == "escalated")).one()
    assert (last.violation_id, last.party) == (late.id, "Phó Giám đốc Sở")
    assert last.reason == "Quá hạn 9 ngày"
    assert late.escalation_level == 1
    assert written(session)[("A", "escalated")].recipient == "lanhdao@example.vn"


def test_without_a_next_level_nothing_is_escalated(session: Session, version) -> None:
    late = found(session, "A", -30)
    assert make(session) == 1
    assert set(written(session)) == {("A", "overdue")}
    assert late.escalation_level == 0


def test_another_deadline_is_another_occasion(session: Session, version, addresses) -> None:
    tower = makers.tower(session, code="A")
    one = violation(session, tower, version, due=-1)
    make(session)
    one.deadline = TODAY + timedelta(days=3)
    session.flush()
    make(session)
    assert set(written(session)) == {("A", "overdue"), ("A", "due_soon")}


def test_what_has_ended_or_was_pulled_down_is_nobodys_concern(session: Session, version) -> None:
    tower, gone = makers.tower(session), makers.tower(session, lifecycle="dismantled")
    violation(session, tower, version, due=-1, state="closed", stage="closed", ended_on=TODAY)
    violation(session, gone, version, due=-1)
    assert make(session) == 0


def test_the_message_says_all_that_is_needed(session: Session, version, addresses) -> None:
    store.set_value(session, "public_url", "https://thap.example.vn", by=SYSTEM, now=NOW)
    person = makers.user(session, "inspector", email="thanh@example.vn")
    owner = makers.organisation(session, name="Viễn thông Đồng Tháp")
    tower = makers.tower(session, code="DT-7", name="Trạm Gò Tháp", owner=owner)
    one = violation(session, tower, version, due=-2, assignee_id=person.id)
    make(session)
    (made,) = written(session).values()
    assert made.recipient == "thanh@example.vn"
    assert made.subject == "Quá hạn từ ngày 21/11/2026: DT-7, Thang leo an toàn"
    for line in (
        "Cột ăng ten: DT-7 – Trạm Gò Tháp", "Chủ sở hữu: Viễn thông Đồng Tháp",
        "Số ngày quá hạn: 2", f"https://thap.example.vn/violations/{one.id}",
    ):  # fmt: skip
        assert line in made.body, made.body


def test_messages_reach_a_mail_server(session: Session, version, addresses, mailbox) -> None:
    box, server = mailbox
    for code in ("A", "B"):
        violation(session, makers.tower(session, code=code), version, due=-1)
    make(session)
    # A line of its own in a text becomes no header.
    written(session)[("A", "overdue")].subject = "Thang leo an toàn\r\nBcc: ai@example.org"
    session.flush()
    assert send_all(session, server) == ["sent", "sent"]
    assert send_all(session, server) == []
    assert {one["Message-ID"] for one in box.messages} == {
        one.message_id for one in written(session).values()
    }
    for one in box.messages:
        assert (one["To"], one["From"], one["Bcc"]) == ("phong@example.vn", "so@example.vn", None)
        assert "Thang leo an toàn" in one.get_content()
        assert "Thang leo an toàn" in one["Subject"]


def test_a_refusal_is_shown_and_others_are_sent(
    session: Session, version, addresses, mailbox
) -> None:
    _, server = mailbox
    never = makers.user(session, "inspector", email="never@example.vn")
    for code, person in (("A", never.id), ("B", None)):
        tower = makers.tower(session, code=code)
        violation(session, tower, version, due=-1, assignee_id=person)
    make(session)
    assert sorted(send_all(session, server)) == ["failed", "sent"]
    bad = written(session)[("A", "overdue")]
    assert (bad.state, bad.sent_at) == ("failed", None)
    assert bad.error.startswith("550")
    assert send_all(session, server, NOW + days(1)) == []


def test_what_is_put_off_is_tried_again_after_longer_and_longer_pauses(
    session: Session, version, addresses, mailbox
) -> None:
    _, server = mailbox
    later = makers.user(session, "inspector", email="later@example.vn")
    violation(session, makers.tower(session, code="A"), version, due=-1, assignee_id=later.id)
    make(session)
    now = NOW
    for attempt in range(1, MOST_ATTEMPTS + 1):
        assert send_all(session, server, now) == [
            "failed" if attempt == MOST_ATTEMPTS else "waiting"
        ]
        one = written(session)[("A", "overdue")]
        assert (one.attempts, one.error[:3]) == (attempt, "451")
        assert one.next_try_at == now + pause_after(attempt)
        assert send_all(session, server, one.next_try_at - timedelta(seconds=1)) == []
        now = one.next_try_at


def test_a_server_that_is_away_costs_no_message_its_attempts(
    session: Session, version, addresses, mailbox
) -> None:
    box, server = mailbox
    violation(session, makers.tower(session, code="A"), version, due=-1)
    make(session)
    nobody = replace(server, port=1)
    with pytest.raises(Later) as away, mail.connected(nobody):
        pass
    outbox.note_silence(session, str(away.value), now=NOW)
    one = written(session)[("A", "overdue")]
    assert (one.state, one.attempts) == ("waiting", 0)
    assert "refused" in one.error
    box.away = True
    with pytest.raises(Later), mail.connected(server) as connection:
        outbox.send_next(session, connection, server, now=NOW)
    box.away = False
    assert send_all(session, server, NOW + days(1)) == ["sent"]


def test_what_was_mended_meanwhile_is_not_sent(
    session: Session, version, addresses, mailbox
) -> None:
    box, server = mailbox
    one = violation(session, makers.tower(session, code="A"), version, due=-1)
    make(session)
    one.state, one.stage, one.ended_on = "closed", "closed", TODAY
    session.flush()
    assert send_all(session, server) == ["obsolete"]
    assert box.messages == []


def test_a_message_for_nobody_waits_until_somebody_is_named(
    session: Session, version, mailbox
) -> None:
    box, server = mailbox
    violation(session, makers.tower(session, code="A"), version, due=-1)
    make(session)
    assert send_all(session, server) == ["waiting"]
    assert written(session)[("A", "overdue")].error == outbox.NOBODY
    store.set_value(session, "reminder_address", "phong@example.vn", by=SYSTEM, now=NOW)
    assert send_all(session, server, NOW + days(1)) == ["sent"]
    assert box.messages[0]["To"] == "phong@example.vn"


def test_staff_try_a_failed_message_again(app: Flask, session: Session, version) -> None:
    staff = doors.client_of(app, session, makers.user(session, "staff"))
    one = violation(session, makers.tower(session, code="A"), version, due=-1)
    make(session)
    (made,) = written(session).values()
    address = f"/api/v1/outbox/{made.id}"
    refused(staff.post(f"{address}/retry", headers={"If-Match": "*"}), 409)
    made.state, made.error, made.attempts = "failed", "550 no such user", 3
    session.commit()
    assert "550 no such user" in staff.get("/outbox?state=failed").get_data(as_text=True)
    body = answered(staff.get(address), 200)
    assert (body["violation"], body["state"]) == (str(one.id), "failed")
    refused(staff.post(f"{address}/retry"), 428)
    refused(staff.post(f"{address}/retry", headers={"If-Match": '"v99"'}), 412)
    tag = staff.get(address).headers["ETag"]
    again = answered(staff.post(f"{address}/retry", headers={"If-Match": tag}), 200)
    assert (again["state"], again["attempts"], again["error"]) == ("waiting", 0, "")
    listed = answered(staff.get("/api/v1/outbox?state=waiting&kind=overdue"), 200)["items"]
    assert [row["id"] for row in listed] == [str(made.id)]
    assert answered(staff.get(f"/api/v1/outbox/{uuid.UUID(int=9)}"), 404)


def test_staff_of_a_territory_read_its_messages_alone(
    app: Flask, session: Session, version
) -> None:
    commune = makers.commune(session)
    for code, place in (("TRONG", commune), ("NGOAI", None)):
        violation(session, makers.tower(session, code=code, commune=place), version, due=-1)
    make(session)
    local = doors.client_of(app, session, makers.user(session, "staff", territories=[commune]))
    (row,) = answered(local.get("/api/v1/outbox"), 200)["items"]
    assert "TRONG" in row["subject"]
    assert "NGOAI" not in local.get("/outbox").get_data(as_text=True)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("reminder_address", "không phải"),
        ("reminder_address", "a@b.vn\nBcc: c@d.vn"),
        ("escalation_address", "a@b.vn, c@d.vn"),
        ("escalation_name", "a\nb"),
        ("escalation_days", 0),
    ],
)
def test_a_setting_that_cannot_be_is_refused(session: Session, key: str, value: Any) -> None:
    with pytest.raises(Invalid):
        store.set_value(session, key, value, by=SYSTEM, now=NOW)


@pytest.mark.parametrize(
    ("url", "sender"),
    [("http://mail.example.vn", "a@b.vn"), ("smtp://", "a@b.vn"), ("smtp://m.vn", ""),
     ("smtp://m.vn", "a@b.vn\nx")],
)  # fmt: skip
def test_a_server_that_cannot_be_is_said_at_the_start(url: str, sender: str) -> None:
    with pytest.raises(Misconfigured):
        mail.server_of(replace(Settings(), smtp_url=url, mail_from=sender))
    assert mail.server_of(Settings()) is None


def test_a_message_that_was_sent_is_not_tried_again(session: Session, version) -> None:
    violation(session, makers.tower(session, code="A"), version, due=-1)
    make(session)
    (made,) = written(session).values()
    with pytest.raises(Conflict):
        outbox.retry(session, made, by=SYSTEM, now=NOW)
