"""What a load-safety assessment finds is a violation: with a clock, a notice and an end."""

from __future__ import annotations

import csv
import io
import uuid
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from core import store
from core.audit import AuditEntry
from core.errors import Invalid
from core.policy import SYSTEM
from inspections.models import LoadAssessment, Violation, ViolationEvent
from inspections.queries import follow_up, lists, statistics
from inspections.queries.follow_up import WorkFilters
from inspections.queries.statistics import Scope
from inspections.rules.statistics import Period
from inspections.rules.violation import EventKind
from inspections.services import condition, load_safety, notice_documents
from inspections.services.steps import Step, take_step
from tests import doors, makers
from tests.doors import answered
from tests.inspections import noticed
from tests.inspections.assess_answer_test import ask, reply, report_of
from tests.inspections.notice_documents_test import words
from tests.inspections.visits import (
    MINOR,
    NOW,
    TODAY,
    ZONE,
    days,
    events,
    inspected,
    published,
    violations,
)
from towers.queries import Filters
from towers.services.merge import merge_towers

DONE = {"load_safety": {"outcome": "ok", "value": "yes"}}
NOT_DONE = {"load_safety": {"outcome": "ok", "value": "no"}}
DEMAND = "Gỡ hai ăng ten"


@pytest.fixture
def staff(session):
    return makers.actor(session, "staff")


@pytest.fixture
def inspector(session):
    return makers.actor(session, "inspector")


@pytest.fixture
def tower(session, inspector):
    published(session)
    made = makers.tower(session, owner=makers.organisation(session))
    inspected(session, made, by=inspector)
    return made


@pytest.fixture(autouse=True)
def recomputation_agrees(session):
    yield
    session.expire_all()
    assert [code for code, differs in condition.recompute(session) if differs] == []


def assessed(session, tower, outcome, by, **facts) -> Violation:
    """The violation after an answered assessment."""
    reply(session, ask(session, tower, by), outcome, by, **facts)
    return violations(session, tower)["load_safety"]


def test_danger_is_a_critical_violation_with_its_clocks(session, tower, staff) -> None:
    made = assessed(session, tower, "dangerous", staff)
    answered_on = TODAY + timedelta(days=1)
    assert (made.severity, made.stage, made.detail) == ("critical", "found", DEMAND)
    assert (made.found_on, made.deadline) == (answered_on, answered_on + timedelta(days=7))
    assert made.emergency_by == NOW + days(2)
    assert (made.checklist_version_id, made.legal_basis) == (None, None)
    assert (tower.condition, tower.open_violations) == ("dangerous", 1)
    (row,) = follow_up.follow_up(session, staff, WorkFilters(), today=TODAY).rows
    assert (row.id, row.item_key, row.detail) == (made.id, "load_safety", DEMAND)
    entry = session.scalars(
        select(AuditEntry).where(AuditEntry.action == "assessment.answer")
    ).one()
    assert entry.after["violation"]["violation"] == str(made.id)


def test_conditions_are_a_major_one_and_the_answer_may_name_its_day(session, tower, staff) -> None:
    store.set_value(session, "load_safety_major_days", 60, by=SYSTEM, now=NOW)
    made = assessed(session, tower, "safe_with_conditions", staff)
    assert (made.severity, made.deadline) == ("major", made.found_on + timedelta(days=60))
    assert (made.emergency_by, tower.condition) == (None, "needs_follow_up")
    other = makers.tower(session)
    day = TODAY + timedelta(days=200)
    assert assessed(session, other, "safe_with_conditions", staff, deadline=day).deadline == day


@pytest.mark.parametrize(("outcome", "day"), [("safe", 9), ("dangerous", 0), ("dangerous", 3655)])
def test_a_day_that_does_not_fit_is_refused_whole(session, tower, staff, outcome, day) -> None:
    made = ask(session, tower, staff)
    with pytest.raises(Invalid) as caught:
        reply(session, made, outcome, staff, deadline=TODAY + timedelta(days=day))
    assert set(caught.value.fields) == {"deadline"}
    assert (made.answered_at, violations(session, tower)) == (None, {})


def test_found_again_it_goes_on_and_its_first_clock_runs(session, tower, staff) -> None:
    first = assessed(session, tower, "dangerous", staff)
    deadline = first.deadline
    again = assessed(session, tower, "dangerous", staff, when=5, conclusion="Chân cột gỉ thủng")
    assert (again.id, again.deadline, again.detail) == (first.id, deadline, "Chân cột gỉ thủng")
    assert events(session, first) == [("found", "critical")] * 2
    assessed(session, tower, "safe_with_conditions", staff, when=9)
    assert (first.severity, first.deadline, tower.condition) == (
        "major",
        deadline,
        "needs_follow_up",
    )


def test_a_later_safe_report_closes_it(session, tower, staff) -> None:
    made = assessed(session, tower, "dangerous", staff)
    assessed(session, tower, "safe", staff, when=30)
    assert (made.state, made.stage, made.ended_on) == ("closed", "closed", TODAY + days(30))
    assert events(session, made)[-1] == ("assessed_safe", None)
    assert tower.condition == "ok"
    # Unsafe once more it is another violation.
    again = assessed(session, tower, "dangerous", staff, when=40)
    assert again.id != made.id and tower.condition == "dangerous"


def test_an_older_report_does_not_close_it(session, tower, staff) -> None:
    made = assessed(session, tower, "dangerous", staff)
    request = ask(session, tower, staff)
    with pytest.raises(Invalid) as caught:
        reply(session, request, "safe", staff, assessed_on=TODAY - timedelta(days=1))
    assert set(caught.value.fields) == {"assessed_on"}
    assert (request.answered_at, made.state) == (None, "open")


def test_a_reinspection_is_asked_it_and_closes_it_with_a_photo(
    session, tower, staff, inspector
) -> None:
    made = assessed(session, tower, "dangerous", staff)

    def look(answers, when, **facts):
        return inspected(
            session, tower, by=inspector, now=NOW + days(when), kind="reinspection",
            only=answers, **facts,
        )  # fmt: skip

    with pytest.raises(Invalid) as caught:
        look(MINOR, 2)
    assert "answers.load_safety" in caught.value.fields
    look(NOT_DONE, 3)
    assert (made.state, tower.condition) == ("open", "dangerous")
    last = look(DONE, 4)
    assert (made.state, tower.condition) == ("closed", "ok")
    assert lists.found_by(session, last.id) == [made]
    until = TODAY + days(4)
    counted = statistics.statistics(
        session, Scope(staff, Filters(), until, ZONE), Period(TODAY, until), "owner"
    )
    assert (counted.whole.now.dangerous, counted.whole.before.dangerous) == (0, 0)
    assert (counted.whole.now.found, counted.whole.now.closed) == (1, 1)
    with pytest.raises(Invalid) as caught:
        inspected(session, tower, by=inspector, now=NOW + days(5), **DONE)
    assert set(caught.value.fields) == {"answers.load_safety"}, "nobody else is asked it"


def test_no_photo_no_closure(session, tower, staff, inspector) -> None:
    assessed(session, tower, "safe_with_conditions", staff)
    with pytest.raises(Invalid) as caught:
        inspected(
            session, tower, by=inspector, now=NOW + days(2), kind="reinspection",
            only={**DONE, **MINOR}, photos=("sit_fence",),
        )  # fmt: skip
    assert set(caught.value.fields) == {"answers.load_safety"}


def test_annulled_by_two_it_no_longer_makes_the_tower_dangerous(session, tower, staff) -> None:
    made = assessed(session, tower, "dangerous", staff)
    asked = Step(EventKind.ANNULMENT_REQUESTED, reason="Báo cáo của trạm khác")
    take_step(session, made, asked, by=staff, now=NOW + days(2), today=TODAY + days(2))
    other = makers.actor(session, "staff")
    done = Step(EventKind.ANNULLED)
    take_step(session, made, done, by=other, now=NOW + days(3), today=TODAY + days(3))
    assert (made.state, tower.condition) == ("withdrawn", "ok")


def test_of_two_entries_of_one_tower_one_goes_on_with_both_reports(session, tower, staff) -> None:
    other = makers.tower(session, structure_type=tower.structure_type)
    kept = assessed(session, tower, "safe_with_conditions", staff)
    ends = assessed(session, other, "dangerous", staff, when=2)
    dangerous = select(LoadAssessment.id).where(LoadAssessment.outcome == "dangerous")
    merge_towers(session, tower, other, take=(), by=staff, now=NOW + days(9), today=TODAY + days(9))
    session.expire_all()
    assert (ends.state, ends.continued_in_id) == ("withdrawn", kept.id)
    assert (kept.severity, tower.condition) == ("critical", "dangerous")
    copy = session.scalars(
        select(ViolationEvent).where(
            ViolationEvent.violation_id == kept.id, ViolationEvent.copy_of.is_not(None)
        )
    ).one()
    assert (copy.assessment_id, copy.reason) == (session.scalar(dangerous), DEMAND)
    assessed(session, tower, "safe", staff, when=20)
    assert (kept.state, tower.condition) == ("closed", "ok")


def test_a_notice_tells_the_owner_what_the_report_demands(session, tower, staff, tmp_path) -> None:
    made = assessed(session, tower, "dangerous", staff)
    case = noticed.Case(
        tower.owner, tower, staff, makers.actor(session, "staff"), noticed.press_in(tmp_path),
        {"load_safety": made},
    )  # fmt: skip
    notice, _ = noticed.issued(session, case)
    facts = notice_documents.facts_of(session, notice, link="x", press=case.press)
    (row,) = facts["violations"]
    report = f"Viện KHCN Xây dựng, ngày {TODAY:%d/%m/%Y}"
    assert row["defect"] == f"{load_safety_text()} ({report}): {DEMAND}"
    assert (row["severity"], row["recommendation"]) == ("Nghiêm trọng", True)
    assert made.stage == "notified"


def load_safety_text() -> str:
    return "Thực hiện yêu cầu của báo cáo đánh giá an toàn chịu lực"


def test_pages_exports_and_api_tell_it(app, session, tower, staff) -> None:
    made = assessed(session, tower, "dangerous", staff)
    session.commit()
    client = doors.client_of(app, session, makers.user(session, "staff"))
    for path in (
        f"/violations/{made.id}", "/follow-up", f"/towers/{tower.code}", "/violations",
        f"/assessments/{session.scalar(select(LoadAssessment.id))}",
    ):  # fmt: skip
        page = client.get(path).get_data(as_text=True)
        assert DEMAND in page and str(made.id) in page, path
    exported = client.get("/follow-up.csv").get_data().decode("utf-8-sig")
    (row,) = csv.reader(io.StringIO(exported.partition("\n")[2]))
    assert row[3] == f"{load_safety_text()}: {DEMAND}" and "Khuyến nghị kỹ thuật" in row
    told = answered(client.get(f"/api/v1/violations/{made.id}"), 200)
    assert (told["item"], told["detail"], told["checklist_version"]) == (
        "load_safety",
        DEMAND,
        None,
    )
    (event,) = told["events"]
    (assessment,) = answered(client.get("/api/v1/assessments?state=answered"), 200)["items"]
    assert (event["inspection"], event["assessment"]) == (None, assessment["id"])
    assert assessment["violation"] == str(made.id)
    (listed,) = answered(client.get("/api/v1/follow-up"), 200)["items"]
    assert (listed["kind"], listed["detail"]) == ("violation", DEMAND)


def test_a_reinspection_asks_it_on_its_page(app, session, tower, staff) -> None:
    made = assessed(session, tower, "dangerous", staff)
    session.commit()
    client = doors.client_of(app, session, makers.user(session, "inspector"))
    number = uuid.uuid4()
    begun = client.post(
        f"/towers/{tower.code}/inspect", data={"kind": "reinspection", "id": str(number)}
    )
    page = client.get(begun.headers["Location"]).get_data(as_text=True)
    lines = page.partition("panel mt-3 others")[0]
    assert 'data-item="load_safety"' in lines and DEMAND in lines
    (line,) = answered(client.get(f"/api/v1/inspections/{number}"), 200)["lines"]
    assert (line["violation"], line["detail"]) == (str(made.id), DEMAND)


def test_the_visit_that_closed_it_says_so_on_its_page_and_in_its_record(
    app, session, tower, staff, inspector
) -> None:
    assessed(session, tower, "dangerous", staff)
    last = inspected(
        session, tower, by=inspector, now=NOW + days(4), kind="reinspection", only=DONE
    )
    session.commit()
    client = doors.client_of(app, session, makers.user(session, "staff"))
    page = client.get(f"/inspections/{last.id}").get_data(as_text=True)
    assert load_safety_text() in page and DEMAND in page and "Đã khắc phục" in page
    record = words(client.get(f"/inspections/{last.id}/record.docx").get_data())
    assert f"{load_safety_text()}: {DEMAND}" in record and "Đã khắc phục" in record


def before_the_change(session, tower, outcome, when: datetime) -> LoadAssessment:
    """An assessment that was answered when that raised nothing."""
    made = LoadAssessment(
        tower_id=tower.id, requested_at=when, requested_on=when.date(), deadline=when.date(),
        answered_at=when, outcome=outcome, assessed_on=when.date(), assessor="Viện",
        conclusion=DEMAND, document_id=report_of(session, tower).id,
    )  # fmt: skip
    session.add(made)
    session.flush()
    condition.refresh(session, tower)
    return made


def test_assessments_of_before_are_raised_by_the_command_and_once(session, tower) -> None:
    over, other = makers.tower(session), makers.tower(session)
    before_the_change(session, tower, "dangerous", NOW - days(90))
    before_the_change(session, over, "dangerous", NOW - days(90))
    before_the_change(session, over, "safe", NOW - days(9))
    before_the_change(session, other, "safe_with_conditions", NOW - days(30))
    assert (tower.condition, tower.open_violations) == ("dangerous", 0)
    waiting = load_safety.never_raised(session)
    assert [one.tower for one in waiting] == [tower, other]
    for one in waiting:
        load_safety.raise_violation(session, one, by=SYSTEM, now=NOW, today=TODAY)
    made = violations(session, tower)["load_safety"]
    assert (made.found_on, made.deadline) == (TODAY, TODAY + days(7)), "its clock begins now"
    assert (tower.open_violations, other.condition) == (1, "needs_follow_up")
    assert load_safety.never_raised(session) == []


def test_the_command_says_first_which_and_begins_their_clocks(app, session, tower) -> None:
    before_the_change(session, tower, "dangerous", NOW - days(90))
    session.commit()
    runner = app.test_cli_runner()
    told = runner.invoke(args=["assessments", "raise", "--dry-run"])
    assert told.output.splitlines()[-1] == "1 would be raised." and tower.code in told.output
    assert violations(session, tower) == {}
    assert runner.invoke(args=["assessments", "raise"]).output.splitlines()[-1] == "1 raised."
    session.expire_all()
    assert violations(session, tower)["load_safety"].severity == "critical"
    assert runner.invoke(args=["assessments", "raise"]).output == "0 raised.\n"
