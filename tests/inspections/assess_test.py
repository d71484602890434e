"""Load-safety assessments: asked for by inspectors and staff, and what that means."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from core.audit import AuditEntry
from core.errors import Conflict, Forbidden, Invalid, NotFound
from inspections.models import LoadAssessment
from inspections.queries import follow_up
from inspections.queries.follow_up import WorkFilters
from inspections.services import condition
from inspections.services.assessments import pending, request_assessment
from inspections.services.review import return_inspection
from tests import makers
from tests.inspections.visits import (
    CRITICAL,
    MAJOR,
    NOW,
    TODAY,
    ZONE,
    correct,
    days,
    inspected,
    passing,
    published,
    record,
    visit,
)


@pytest.fixture
def inspector(session):
    return makers.actor(session, "inspector")


@pytest.fixture
def staff(session):
    return makers.actor(session, "staff")


@pytest.fixture
def tower(session):
    published(session)
    return makers.tower(session)


@pytest.fixture(autouse=True)
def recomputation_agrees(session):
    yield
    session.flush()
    assert [code for code, differs in condition.recompute(session) if differs] == []


def asked(tower, **more):
    return visit(
        {**passing(tower), **more},
        assessment_requested=True,
        assessment_reason="Thêm ba ăng ten, chưa thẩm tra",
    )


def ask(session, tower, by, reason="Cột hai mươi năm tuổi"):
    made = request_assessment(session, tower, reason=reason, by=by, now=NOW, today=TODAY)
    condition.refresh(session, tower)
    return made


def test_an_inspectors_request_makes_assessment_needed(session, tower, inspector) -> None:
    record(session, tower, asked(tower, **MAJOR), by=inspector)
    assert tower.condition == "assessment_needed"
    waiting = pending(session, tower)
    assert waiting.reason == "Thêm ba ăng ten, chưa thẩm tra"
    assert waiting.requested_on == TODAY
    assert waiting.deadline > TODAY


def test_a_request_of_staff_makes_assessment_needed(session, tower, inspector, staff) -> None:
    inspected(session, tower, by=inspector)
    made = ask(session, tower, staff)
    assert tower.condition == "assessment_needed"
    assert session.scalar(
        select(AuditEntry.after).where(AuditEntry.action == "assessment.request")
    ) == {"deadline": made.deadline.isoformat(), "reason": "Cột hai mươi năm tuổi"}


def test_critical_comes_before_it(session, tower, inspector, tmp_path) -> None:
    inspected(session, tower, by=inspector, folder=tmp_path, photos=["ant_mount"], **CRITICAL)
    ask(session, tower, inspector)
    assert tower.condition == "dangerous"


def test_a_second_request_of_staff_conflicts_and_the_first_stays(session, tower, staff) -> None:
    first = ask(session, tower, staff)
    with pytest.raises(Conflict):
        ask(session, tower, staff, reason="Lần hai")
    assert pending(session, tower) == first


def test_staff_give_a_reason(session, tower, staff) -> None:
    with pytest.raises(Invalid) as caught:
        ask(session, tower, staff, reason=" ")
    assert set(caught.value.fields) == {"reason"}


@pytest.mark.parametrize("role", ["admin", "local_officer", "operator"])
def test_others_may_not_ask(session, tower, role) -> None:
    with pytest.raises(Forbidden):
        ask(session, tower, makers.actor(session, role))


def test_a_tower_outside_the_territory_is_not_there(session, tower) -> None:
    with pytest.raises(NotFound):
        ask(session, tower, makers.actor(session, "staff", territories=[makers.commune(session)]))


def test_an_answered_request_no_longer_counts(session, tower, inspector, staff) -> None:
    inspected(session, tower, by=inspector)
    made = ask(session, tower, staff)
    made.answered_at, made.outcome, made.assessed_on = NOW + days(30), "safe", TODAY
    session.flush()
    assert condition.refresh(session, tower)
    assert tower.condition == "ok"
    ask(session, tower, staff, reason="Sau bão")
    assert tower.condition == "assessment_needed"


def test_a_correction_that_no_longer_asks_takes_it_back(session, tower, inspector) -> None:
    inspection = record(session, tower, asked(tower), by=inspector)
    correct(session, inspection, visit(passing(tower)), by=inspector)
    assert pending(session, tower) is None
    assert tower.condition == "ok"


def test_a_returned_inspection_no_longer_asks(session, tower, inspector, staff) -> None:
    inspection = record(session, tower, asked(tower), by=inspector)
    return_inspection(session, inspection, reason="Ảnh mờ", by=staff, now=NOW, zone=ZONE)
    assert tower.condition == "unchecked"
    correct(session, inspection, asked(tower), by=inspector)
    assert tower.condition == "assessment_needed"


def test_the_request_of_staff_stays_when_an_inspection_is_returned(
    session, tower, inspector, staff
) -> None:
    ask(session, tower, staff)
    inspection = record(session, tower, asked(tower), by=inspector)
    return_inspection(session, inspection, reason="Ảnh mờ", by=staff, now=NOW, zone=ZONE)
    assert tower.condition == "assessment_needed"


@pytest.mark.parametrize("how", ["returned", "corrected"])
def test_what_a_second_inspection_asked_for_too_stays_asked(
    session, tower, inspector, staff, how
) -> None:
    first = record(session, tower, asked(tower), by=inspector)
    second = record(session, tower, asked(tower, **MAJOR), by=inspector, now=NOW + days(1))
    assert len(session.scalars(select(LoadAssessment.id)).all()) == 1
    if how == "returned":
        return_inspection(session, first, reason="Ảnh mờ", by=staff, now=NOW, zone=ZONE)
    else:
        correct(session, first, visit(passing(tower)), by=inspector)
    assert pending(session, tower).inspection_id == second.id
    assert tower.condition == "assessment_needed"


def test_the_follow_up_list_names_it_after_critical_and_before_major(
    session, tower, inspector, staff, tmp_path
) -> None:
    inspected(
        session, tower, by=inspector, folder=tmp_path, photos=["ant_mount"], **CRITICAL, **MAJOR
    )
    ask(session, tower, staff)
    rows = follow_up.follow_up(session, staff, WorkFilters(), today=TODAY).rows
    assert [(row.urgency, row.item_key) for row in rows] == [
        (1, "ant_mount"),
        (2, None),
        (3, "clb_ladder"),
    ]
