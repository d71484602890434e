"""Notices: who drafts and issues, what they do to violations, how they are taken back."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from sqlalchemy import select

from core import merging, policy
from core.audit import AuditEntry
from core.errors import Conflict, Forbidden, Invalid, NotFound
from core.merging import Merge
from core.policy import SYSTEM
from core.store import set_value
from inspections.models import ViolationEvent
from inspections.notice_models import Notice
from inspections.queries import notices as queries
from inspections.rules.notice import NoticeState, NoticeStep, possible, reference, written_day
from inspections.rules.violation import EventKind
from inspections.services import notices
from inspections.services.notices import Draft, Service
from inspections.services.steps import Step, state_of, take_step
from tests import makers
from tests.inspections import noticed
from tests.inspections.visits import FIXED, MINOR, NOW, TODAY, days, inspected, violations


@pytest.fixture
def case(session, tmp_path):
    return noticed.case(session, tmp_path)


def stages(case) -> dict[str, str]:
    return {key: one.stage for key, one in case.violations.items()}


def kinds(session, violation) -> list[str]:
    return list(
        session.scalars(
            select(ViolationEvent.kind)
            .where(ViolationEvent.violation_id == violation.id)
            .order_by(ViolationEvent.place)
        )
    )


def serve(session, case, notice, **facts):
    service = Service(**{"on": TODAY, "to": "Ông An, văn thư", "how": "handed_over", **facts})
    notices.serve(session, notice, service, by=case.issuer, now=NOW, today=TODAY)


def withdraw(session, case, notice, reason="Sai chủ sở hữu"):
    notices.withdraw(session, notice, reason=reason, by=case.issuer, now=NOW, today=TODAY)


def test_a_draft_does_nothing_to_its_violations(session, case) -> None:
    notice = noticed.drafted(session, case)
    assert (notice.state, notice.number, notice.reference) == ("draft", None, "")
    assert set(stages(case).values()) == {"found"}


def test_issuing_numbers_confirms_and_notifies(session, case) -> None:
    notice, token = noticed.issued(session, case)
    assert (notice.state, notice.year, notice.number) == ("issued", 2026, 1)
    assert notice.reference == "01/TB-SKHCN"
    for violation in case.violations.values():
        assert kinds(session, violation) == ["found", "confirmed", "notified"]
    told = session.scalars(
        select(ViolationEvent).where(ViolationEvent.kind == EventKind.NOTIFIED)
    ).all()
    assert {one.reason for one in told} == {"Thông báo số 01/TB-SKHCN"}
    assert {one.by_id for one in told} == {case.issuer.id}
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "notice.issue")).one()
    assert entry.after["documents"].keys() == {"docx", "pdf"}
    assert token not in str([one.after for one in session.scalars(select(AuditEntry))])


def test_the_drafter_does_not_issue_unless_the_department_says_so(session, case) -> None:
    notice = noticed.drafted(session, case)
    facts = {"press": case.press, "by": case.drafter, "now": NOW, "today": TODAY}
    with pytest.raises(Forbidden):
        notices.issue(session, notice, **facts)
    assert notice.state == "draft"
    set_value(session, "notice_two_people", False, by=SYSTEM, now=NOW)
    notices.issue(session, notice, **facts)
    assert notice.state == "issued"


def test_whoever_changes_a_draft_is_its_drafter(session, case) -> None:
    notice = noticed.drafted(session, case)
    one = case.violations["clb_ladder"]
    draft = Draft(case.owner.id, (one.id,), "Ghi chú")
    notices.change_draft(session, notice, draft, by=case.issuer, now=NOW)
    assert [item.violation_id for item in notice.items] == [one.id]
    with pytest.raises(Forbidden):
        notices.issue(session, notice, press=case.press, by=case.issuer, now=NOW, today=TODAY)


def test_service_is_said_to_each_violation_with_whom_it_reached(session, case) -> None:
    notice, _ = noticed.issued(session, case)
    serve(session, case, notice)
    assert set(stages(case).values()) == {"served"}
    events = session.scalars(
        select(ViolationEvent).where(ViolationEvent.kind == EventKind.SERVED)
    ).all()
    assert {one.party for one in events} == {"Ông An, văn thư"}
    assert all("23/11/2026" in one.reason for one in events)
    with pytest.raises(Conflict):
        serve(session, case, notice)


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"on": TODAY - timedelta(days=1)}, "served_on"),
        ({"on": TODAY + timedelta(days=1)}, "served_on"),
        ({"to": "  "}, "served_to"),
        ({"to": "x" * 301}, "served_to"),
        ({"how": "shouted"}, "served_how"),
    ],
)
def test_what_is_no_service(session, case, facts, field) -> None:
    notice, _ = noticed.issued(session, case)
    with pytest.raises(Invalid) as refused:
        serve(session, case, notice, **facts)
    assert list(refused.value.fields) == [field]
    assert set(stages(case).values()) == {"notified"}


def test_a_withdrawn_notice_keeps_its_trace_and_ends_its_links(session, case) -> None:
    notice, _ = noticed.issued(session, case)
    serve(session, case, notice)
    withdraw(session, case, notice)
    assert set(stages(case).values()) == {"confirmed"}
    assert (notice.state, notice.number, len(notice.documents)) == ("withdrawn", 1, 2)
    assert all(link.revoked_at == NOW for link in notice.links)
    last = kinds(session, case.violations["clb_ladder"])[-2:]
    assert last == ["served", "notice_withdrawn"]
    with pytest.raises(Conflict):
        withdraw(session, case, notice)


def test_withdrawing_needs_a_reason(session, case) -> None:
    notice, _ = noticed.issued(session, case)
    with pytest.raises(Invalid):
        withdraw(session, case, notice, reason=" ")
    assert notice.state == "issued"


def test_what_was_closed_or_told_again_since_stays_as_it_is(session, case) -> None:
    first, _ = noticed.issued(session, case)
    serve(session, case, first)
    again, _ = noticed.issued(session, case, violations=(case.violations["ant_mount"].id,))
    inspector = makers.actor(session, "inspector")
    seen = {**FIXED, "ant_mount": {"outcome": "not_checked", "reason": "Trời mưa"}}
    inspected(session, case.tower, by=inspector, kind="reinspection", only=seen, now=NOW + days(1))
    withdraw(session, case, first)
    assert stages(case) == {"clb_ladder": "closed", "ant_mount": "notified"}
    withdraw(session, case, again)
    assert stages(case)["ant_mount"] == "confirmed"


def test_one_violation_is_not_told_twice_before_it_is_served(session, case) -> None:
    noticed.issued(session, case)
    twin = noticed.drafted(session, case)
    with pytest.raises(Conflict) as refused:
        notices.issue(session, twin, press=case.press, by=case.issuer, now=NOW, today=TODAY)
    assert refused.value.facts["tower"] == case.tower.code
    assert twin.number is None


def test_a_violation_stands_in_one_draft(session, case) -> None:
    first = noticed.drafted(session, case)
    with pytest.raises(Invalid) as refused:
        noticed.drafted(session, case)
    assert "violations" in refused.value.fields
    notices.discard_draft(session, first, by=case.drafter, now=NOW)
    assert noticed.drafted(session, case).state == "draft"
    assert first.state == "discarded"


def test_the_same_draft_again_changes_nothing_and_another_one_is_a_conflict(session, case) -> None:
    number, draft = uuid.uuid4(), Draft(case.owner.id, case.numbers, "a")
    first, new = notices.draft_notice(session, number, draft, by=case.drafter, now=NOW)
    again, newer = notices.draft_notice(session, number, draft, by=case.drafter, now=NOW)
    assert (first, new, newer) == (again, True, False)
    other = Draft(case.owner.id, case.numbers, "b")
    with pytest.raises(Conflict):
        notices.draft_notice(session, number, other, by=case.drafter, now=NOW)


def test_a_notice_is_for_one_owner_and_open_violations_of_theirs(session, case) -> None:
    elsewhere = makers.tower(session, owner=makers.organisation(session))
    inspected(session, elsewhere, by=makers.actor(session, "inspector"), **MINOR)
    foreign = violations(session, elsewhere)["sit_fence"]
    for chosen in ((*case.numbers, foreign.id), (), (uuid.uuid4(),)):
        with pytest.raises(Invalid) as refused:
            noticed.drafted(session, case, violations=chosen)
        assert list(refused.value.fields) == ["violations"]


def test_extensions_that_were_asked_for_are_decided_together(session, case) -> None:
    notice, _ = noticed.issued(session, case)
    serve(session, case, notice)
    wanted = TODAY + timedelta(days=90)
    for one in case.violations.values():
        step = Step(EventKind.EXTENSION_REQUESTED, reason="Chờ vật tư", deadline=wanted)
        take_step(session, one, step, by=case.drafter, now=NOW, today=TODAY)
    facts = {"by": case.issuer, "now": NOW, "today": TODAY}
    ladder, mount = case.violations["clb_ladder"], case.violations["ant_mount"]
    notices.decide_extensions(
        session, notice, [ladder.id], grant=True, reason="", deadline=None, **facts
    )
    notices.decide_extensions(
        session, notice, [mount.id], grant=False, reason="Nguy hiểm", deadline=None, **facts
    )
    assert (ladder.deadline, mount.deadline < wanted) == (wanted, True)
    assert kinds(session, ladder)[-1] == "extended"
    assert kinds(session, mount)[-1] == "extension_refused"
    with pytest.raises(Conflict):
        notices.decide_extensions(
            session, notice, [ladder.id], grant=True, reason="", deadline=None, **facts
        )


def test_only_staff_draft_and_issue(session, case) -> None:
    notice = noticed.drafted(session, case)
    for role in ("inspector", "admin", "local_officer", "operator"):
        person = makers.actor(session, role)
        with pytest.raises(Forbidden):
            notices.issue(session, notice, press=case.press, by=person, now=NOW, today=TODAY)


def test_a_notice_with_a_tower_outside_the_territory_is_not_there(session, tmp_path) -> None:
    here = makers.commune(session, code="91001", box=(105.0, 10.0, 106.0, 11.0))
    case = noticed.case(session, tmp_path, commune=here)
    notice = noticed.drafted(session, case)
    inside = makers.actor(session, "inspector", territories=[here])
    assert queries.notice(session, inside, notice.id) is not None
    nowhere = makers.tower(session, owner=case.owner)
    inspected(session, nowhere, by=makers.actor(session, "inspector"), **MINOR)
    more = (*case.numbers, violations(session, nowhere)["sit_fence"].id)
    notices.change_draft(session, notice, Draft(case.owner.id, more), by=case.drafter, now=NOW)
    session.expire_all()
    assert queries.notice(session, inside, notice.id) is None
    with pytest.raises(NotFound):
        policy.require(inside, "notice.view", session.get_one(Notice, notice.id))


def test_notices_follow_an_owner_that_was_merged(session, case) -> None:
    notice = noticed.drafted(session, case)
    other = makers.organisation(session)
    merge = Merge(other.id, case.owner.id, by=SYSTEM, now=NOW, today=TODAY)
    merging.move(session, "organisation", merge)
    assert session.get_one(Notice, notice.id).owner_id == other.id


def test_numbers_go_on_after_a_refused_issue(session, case) -> None:
    """What is rolled back gives its number back: none is missing."""
    first, _ = noticed.issued(session, case)
    serve(session, case, first)
    second = noticed.drafted(session, case)
    point = session.begin_nested()
    notices.issue(session, second, press=case.press, by=case.issuer, now=NOW, today=TODAY)
    assert second.number == 2
    point.rollback()
    session.expire_all()
    assert session.get_one(Notice, second.id).number is None
    notices.issue(
        session,
        session.get_one(Notice, second.id),
        press=case.press,
        by=case.issuer,
        now=NOW,
        today=TODAY,
    )
    assert session.get_one(Notice, second.id).number == 2


def test_what_is_possible_and_how_numbers_and_days_are_written() -> None:
    assert possible(NoticeState.DRAFT, served=False) == {
        NoticeStep.CHANGE, NoticeStep.DISCARD, NoticeStep.ISSUE,
    }  # fmt: skip
    assert NoticeStep.SERVE not in possible(NoticeState.ISSUED, served=True)
    assert not possible(NoticeState.WITHDRAWN, served=True)
    assert not possible(NoticeState.DISCARDED, served=False)
    assert [reference(7, "TB-SKHCN"), reference(123, "")] == ["07/TB-SKHCN", "123"]
    assert written_day(TODAY) == "ngày 23 tháng 11 năm 2026"
    assert written_day(TODAY.replace(month=2, day=3)) == "ngày 03 tháng 02 năm 2026"


def test_states_are_folded_from_events_alone(session, case) -> None:
    notice, _ = noticed.issued(session, case)
    serve(session, case, notice)
    for violation in case.violations.values():
        session.refresh(violation, ["events"])
        assert state_of(violation.events).stage == violation.stage == "served"
