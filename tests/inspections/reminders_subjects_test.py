"""Messages about assessments and about the hours of an emergency."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import store
from core.audit import AuditEntry
from core.policy import SYSTEM
from inspections.models import LoadAssessment, Violation
from inspections.rules.violation import EventKind
from inspections.services.steps import Step, take_step
from tests import doors, makers
from tests.doors import answered
from tests.inspections.follow_up_test import assessment
from tests.inspections.reminding import make, send_all, written
from tests.inspections.visits import CRITICAL, NOW, TODAY, days, inspected, published


@pytest.fixture
def version(session: Session):
    return published(session)


@pytest.fixture
def emergency(session: Session, version, addresses) -> Violation:
    """A critical violation that was found now; its hours run, its deadline is not near."""
    store.set_value(session, "due_soon_days", 1, by=SYSTEM, now=NOW)
    tower = makers.tower(session, code="NGUY")
    inspector = makers.actor(session, "inspector")
    inspected(session, tower, by=inspector, now=NOW, photos=("ant_mount",), **CRITICAL)
    return session.scalars(select(Violation)).one()


def test_an_assessment_is_due_soon_overdue_and_escalated_once(
    session: Session, version, addresses
) -> None:
    for code, due in (("A", 8), ("B", 7), ("C", -1), ("D", -7)):
        assessment(session, makers.tower(session, code=code), due=due)
    assert make(session) == 4
    found = written(session)
    assert set(found) == {
        ("B", "due_soon"), ("C", "overdue"), ("D", "overdue"), ("D", "escalated"),
    }  # fmt: skip
    assert make(session) == 0
    assert found[("C", "overdue")].subject == (
        "Quá hạn từ ngày 22/11/2026: C, Đánh giá an toàn chịu lực"
    )
    late = found[("D", "escalated")]
    assert (late.recipient, late.violation_id) == ("lanhdao@example.vn", None)
    (entry,) = session.scalars(
        select(AuditEntry).where(AuditEntry.action == "assessment.escalate")
    ).all()
    assert entry.object_id == str(late.tower_id)
    assert entry.after == {
        "deadline": late.deadline.isoformat(),
        "party": "Phó Giám đốc Sở",
        "reason": "Quá hạn 7 ngày",
    }


def test_an_assessment_reminds_who_sees_to_it_and_names_its_page(
    session: Session, version, addresses
) -> None:
    store.set_value(session, "public_url", "https://thap.example.vn", by=SYSTEM, now=NOW)
    person = makers.user(session, "inspector", email="thanh@example.vn")
    asked = assessment(session, makers.tower(session, code="A"), due=3)
    asked.assignee_id = person.id
    make(session)
    (made,) = written(session).values()
    assert made.recipient == "thanh@example.vn"
    assert f"https://thap.example.vn/assessments/{asked.id}" in made.body
    assert "Nội dung yêu cầu: Đánh giá an toàn chịu lực" in made.body


def test_an_answered_or_withdrawn_assessment_is_not_reminded_of(
    session: Session, version, addresses, mailbox
) -> None:
    box, server = mailbox
    asked = [assessment(session, makers.tower(session, code=code), due=-1) for code in "AB"]
    make(session)
    asked[0].answered_at, asked[0].outcome, asked[0].assessed_on = NOW, "safe", TODAY
    session.delete(asked[1])
    session.flush()
    assert send_all(session, server) == ["obsolete", "obsolete"]
    assert box.messages == []
    assert session.scalars(select(LoadAssessment.id)).all() == [asked[0].id]
    assert make(session) == 0


def test_an_emergency_is_told_of_at_the_end_of_its_hours(
    session: Session, emergency: Violation, mailbox
) -> None:
    _, server = mailbox
    end = emergency.emergency_by
    assert end is not None
    assert make(session, now=end - timedelta(seconds=1)) == 0
    assert make(session, now=end) == 1
    assert make(session, now=end + timedelta(minutes=5)) == 0
    made = written(session)[("NGUY", "emergency")]
    assert made.due_at == end
    assert made.subject.startswith("Chưa bảo đảm an toàn trước ")
    assert send_all(session, server, end) == ["sent"]


def test_what_was_secured_needs_no_message(session: Session, emergency: Violation, mailbox) -> None:
    _, server = mailbox
    end = emergency.emergency_by
    make(session, now=end)
    staff = makers.actor(session, "staff")
    done = Step(EventKind.EMERGENCY_MEASURES, reason="Đã rào chắn")
    take_step(session, emergency, done, by=staff, now=end, today=TODAY)
    assert send_all(session, server, end) == ["obsolete"]
    assert make(session, now=end + days(1)) == 0


def test_hours_that_run_again_are_another_occasion(session: Session, emergency: Violation) -> None:
    end = emergency.emergency_by
    assert end is not None
    make(session, now=end)
    # Found again on the same day: the same date, another instant.
    emergency.emergency_by = end + timedelta(minutes=1)
    session.flush()
    assert make(session, now=end) == 0
    assert make(session, now=end + timedelta(minutes=1)) == 1


def test_the_outbox_leads_to_what_each_message_is_about(
    app: Flask, session: Session, emergency: Violation
) -> None:
    asked = assessment(session, makers.tower(session, code="A"), due=-1)
    taken_back = assessment(session, makers.tower(session, code="LUI"), due=-1)
    make(session, now=emergency.emergency_by)
    session.delete(taken_back)
    session.commit()
    staff = doors.client_of(app, session, makers.user(session, "staff"))
    page = staff.get("/outbox").get_data(as_text=True)
    for path in (f"/violations/{emergency.id}", f"/assessments/{asked.id}", "/towers/LUI"):
        assert f'href="{path}"' in page, path
    items = answered(staff.get("/api/v1/outbox?kind=emergency"), 200)["items"]
    assert [(one["violation"], one["tower"]) for one in items] == [(str(emergency.id), "NGUY")]
    assert items[0]["due_at"] == emergency.emergency_by.isoformat()
    overdue = answered(staff.get("/api/v1/outbox?kind=overdue"), 200)["items"]
    assert {(one["tower"], one["assessment"]) for one in overdue} == {
        ("A", str(asked.id)), ("LUI", None),
    }  # fmt: skip
