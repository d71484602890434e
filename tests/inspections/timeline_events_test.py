"""Timelines tell assignments, assessments, voided inspections, replies and reminders; as JSON."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from inspections.reminder_models import Reminder
from inspections.rules.campaign import Kind
from inspections.rules.notice import ReplyKind
from inspections.rules.violation import EventKind
from inspections.services import assignments as giving
from inspections.services.review import ask_to_void, decide_void
from tests import makers
from tests.doors import answered, refused
from tests.inspections import noticed
from tests.inspections.assess_answer_test import ask, reply
from tests.inspections.campaign_test import campaign
from tests.inspections.notice_links_test import answer
from tests.inspections.visits import NOW, TODAY, ZONE, days, inspected, published


def told(client, path: str, **query) -> list[dict]:
    """All events of a timeline, two a page."""
    found, cursor = [], None
    for _ in range(60):
        asked = {"limit": 2, **query} | ({"cursor": cursor} if cursor else {})
        page = answered(client.get(path, query_string=asked), 200)
        assert len(page["items"]) <= 2
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            assert [one["at"] for one in found] == sorted(
                (one["at"] for one in found), reverse=True
            )
            return found
    raise AssertionError("the timeline has no end")


def of_kind(found: list[dict], kind: str) -> list[tuple[str | None, str]]:
    return [(one["url"], one["detail"]) for one in found if one["kind"] == kind]


@pytest.fixture
def place(session):
    published(session)
    commune = makers.commune(session, code="90001")
    owner = makers.organisation(session, "Chủ A")
    return makers.tower(session, code="T-1", commune=commune, owner=owner)


def test_a_tower_tells_who_was_asked_and_what_was_taken_back(session, place, sign_in) -> None:
    staff = makers.actor(session, "staff")
    first, second = (makers.actor(session, "inspector", name=name) for name in ("Một", "Hai"))
    made = campaign(session, staff, codes=["T-1"], name="Trước bão")
    giving.share_out(session, made, giving.Wanted(), [first.id], by=staff, now=NOW, today=TODAY)
    giving.share_out(
        session, made, giving.Wanted(), [second.id], by=staff, now=NOW + days(1), today=TODAY
    )
    alone, _ = giving.assign_tower(
        session, uuid.uuid4(), place, first.id, kind=Kind.COMPLAINT, due_on=TODAY + days(9),
        by=staff, now=NOW + days(2), today=TODAY,
    )  # fmt: skip
    giving.withdraw(session, alone, reason="Dân báo nhầm", by=staff, now=NOW + days(3))
    session.commit()
    found = told(sign_in("staff"), "/api/v1/towers/T-1/timeline")
    of_campaign = f"/campaigns/{made.id}"
    given = of_kind(found, "assignment")
    assert [url for url, _ in given] == [None, of_campaign, of_campaign]
    assert [detail.split(" · ")[:2] for _, detail in given][1:] == [
        ["Hai", "Trước bão"], ["Một", "Trước bão"],
    ]  # fmt: skip
    ((_, detail),) = of_kind(found, "assignment_withdrawn")
    assert detail.endswith("Dân báo nhầm")
    # An owner and a commune are told how many there were on a day.
    for path in (f"/api/v1/organisations/{place.owner_id}", "/api/v1/areas/commune/90001"):
        counts = of_kind(told(sign_in("staff"), f"{path}/timeline"), "assignments")
        assert counts == [(None, "T-1")] * 3


def test_assessments_and_voided_inspections_stand_at_their_days(session, place, sign_in) -> None:
    staff, second = makers.actor(session, "staff"), makers.actor(session, "staff")
    made = ask(session, place, staff)
    reply(session, made, "safe", staff)
    visit = inspected(session, place, by=makers.actor(session, "inspector"))
    ask_to_void(session, visit, reason="Nhầm trạm", by=staff, now=NOW)
    decide_void(session, visit, confirm=True, by=second, now=NOW + days(1), zone=ZONE)
    session.commit()
    found = told(sign_in("staff"), "/api/v1/towers/T-1/timeline")
    page = f"/assessments/{made.id}"
    assert [url for url, _ in of_kind(found, "assessment_requested")] == [page]
    assert [url for url, _ in of_kind(found, "assessment_answered")] == [page]
    ((url, detail),) = of_kind(found, "inspection_voided")
    assert url == f"/inspections/{visit.id}"
    assert detail.startswith("Nhầm trạm · ")
    for path in (f"/api/v1/organisations/{place.owner_id}", "/api/v1/areas/commune/90001"):
        ((url, detail),) = of_kind(
            told(sign_in("staff"), f"{path}/timeline"), "assessment_answered"
        )
        assert url == page
        assert "T-1" in detail


def test_what_owners_send_is_told_and_only_in_the_readers_territory(
    session, sign_in, tmp_path
) -> None:
    commune = makers.commune(session, code="90001")
    case = noticed.case(session, tmp_path, commune=commune)
    _, token = noticed.issued(session, case)
    answer(session, case, token)
    answer(
        session, case, token, files=(), kind=ReplyKind.EXTENSION, wanted_on=TODAY + timedelta(60),
        text="Chờ vật tư",
    )  # fmt: skip
    session.commit()
    violation = case.violations["clb_ladder"]
    for path in (
        f"/api/v1/towers/{case.tower.code}", f"/api/v1/organisations/{case.owner.id}",
        "/api/v1/areas/commune/90001",
    ):  # fmt: skip
        replies = of_kind(told(sign_in("staff"), f"{path}/timeline"), "reply")
        assert [url for url, _ in replies] == [f"/violations/{violation.id}"] * 2
        assert all("Lê Văn Bảy" in detail for _, detail in replies)
    elsewhere = sign_in("local_officer", territories=[makers.commune(session, code="90002")])
    assert of_kind(told(elsewhere, "/api/v1/areas/commune/90001/timeline"), "reply") == []
    assert told(elsewhere, f"/api/v1/organisations/{case.owner.id}/timeline") == []
    refused(elsewhere.get(f"/api/v1/towers/{case.tower.code}/timeline"), 404)
    refused(elsewhere.get(f"/api/v1/violations/{violation.id}/timeline"), 404)


def test_a_violation_tells_the_reminders_that_were_sent_to_who_may_read_them(
    session, sign_in, tmp_path
) -> None:
    case = noticed.case(session, tmp_path)
    violation = case.violations["clb_ladder"]
    for kind, state in (("due_soon", "sent"), ("overdue", "waiting")):
        session.add(
            Reminder(
                id=uuid.uuid4(), tower_id=case.tower.id, violation_id=violation.id, kind=kind,
                deadline=violation.deadline,
                recipient="phong@example.vn", subject="", body="", message_id=f"<{kind}@x>",
                state=state, next_try_at=NOW, created_at=NOW,
                sent_at=NOW if state == "sent" else None,
            )
        )  # fmt: skip
    session.commit()
    path = f"/api/v1/violations/{violation.id}/timeline"
    found = told(sign_in("staff"), path)
    ((url, detail),) = of_kind(found, "reminder")
    assert url == "/outbox"
    assert "phong@example.vn" in detail
    assert len(of_kind(found, "violation_event")) == len(violation.events)
    assert violation.events[0].kind == EventKind.FOUND
    assert of_kind(told(sign_in("inspector"), path), "reminder") == []


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "cursor=x", "cursor=", "further=1"])
def test_a_question_that_makes_no_sense_is_refused(session, place, sign_in, query) -> None:
    refused(sign_in("staff").get(f"/api/v1/towers/T-1/timeline?{query}"), (400, 422))
