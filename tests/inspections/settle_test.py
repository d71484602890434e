"""Re-inspections: the only way a violation is closed, and how they are taken back."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from core.errors import Conflict, Invalid
from inspections.models import Violation
from inspections.services import condition
from inspections.services.record import open_items
from tests import makers
from tests.inspections.visits import (
    FIXED,
    MAJOR,
    MINOR,
    NOW,
    correct,
    days,
    events,
    inspected,
    passing,
    photograph,
    published,
    record,
    violations,
    visit,
)

NOT_CHECKED = {"clb_ladder": {"outcome": "not_checked", "reason": "Thang bị khóa"}}


@pytest.fixture
def inspector(session):
    return makers.actor(session, "inspector")


@pytest.fixture
def tower(session, inspector):
    """A tower whose ladder is not sound."""
    published(session)
    made = makers.tower(session)
    inspected(session, made, by=inspector, **MAJOR)
    return made


@pytest.fixture(autouse=True)
def recomputation_agrees(session):
    yield
    session.flush()
    assert [code for code, differs in condition.recompute(session) if differs] == []


def reinspected(session, tower, by, answers, when=1):
    return inspected(session, tower, by=by, kind="reinspection", only=answers, now=NOW + days(when))


def ladder(session, tower) -> Violation:
    return violations(session, tower)["clb_ladder"]


def test_a_reinspection_that_sees_it_fixed_closes(session, tower, inspector) -> None:
    reinspected(session, tower, inspector, FIXED)
    one = ladder(session, tower)
    assert (one.state, one.ended_on.isoformat()) == ("closed", "2026-11-24")
    assert events(session, one) == [("found", "major"), ("reinspected", "fixed")]
    assert (tower.condition, tower.open_violations, tower.next_deadline) == ("ok", 0, None)
    assert tower.last_inspected_on.isoformat() == "2026-11-23"


@pytest.mark.parametrize(
    ("answers", "outcome"), [(MAJOR, "not_fixed"), (NOT_CHECKED, "cannot_verify")]
)
def test_any_other_answer_leaves_it_open(session, tower, inspector, answers, outcome) -> None:
    reinspected(session, tower, inspector, answers)
    one = ladder(session, tower)
    assert one.state == "open"
    assert events(session, one) == [("found", "major"), ("reinspected", outcome)]
    assert tower.condition == "needs_follow_up"


def test_a_reinspection_answers_for_every_open_violation(session, tower, inspector) -> None:
    inspected(session, tower, by=inspector, **MAJOR, **MINOR)
    with pytest.raises(Invalid) as caught:
        reinspected(session, tower, inspector, FIXED)
    assert set(caught.value.fields) == {"answers.sit_fence"}
    with pytest.raises(Invalid):
        reinspected(session, tower, inspector, {})
    left = {"sit_fence": {"outcome": "not_checked", "reason": "Khóa cổng"}}
    reinspected(session, tower, inspector, {**FIXED, **left})
    assert open_items(session, tower) == {"sit_fence"}
    assert events(session, violations(session, tower)["sit_fence"]) == [
        ("found", "minor"),
        ("reinspected", "cannot_verify"),
    ]
    assert tower.condition == "needs_follow_up"


def test_nothing_is_closed_without_a_photo_of_it(session, tower, inspector) -> None:
    made = visit(FIXED, kind="reinspection", submit=False)
    draft = record(session, tower, made, by=inspector)
    with pytest.raises(Invalid) as caught, session.begin_nested():
        correct(session, draft, visit(FIXED, kind="reinspection"), by=inspector)
    assert caught.value.fields == {"answers.clb_ladder": ["This answer needs at least one photo"]}
    session.refresh(draft)
    assert (draft.status, ladder(session, tower).state) == ("draft", "open")
    photograph(session, draft, "clb_ladder", None, by=inspector)
    correct(session, draft, visit(FIXED, kind="reinspection"), by=inspector)
    assert ladder(session, tower).state == "closed"


def test_what_else_is_found_becomes_a_new_violation(session, tower, inspector) -> None:
    again = reinspected(session, tower, inspector, {**FIXED, **MINOR})
    fence = violations(session, tower)["sit_fence"]
    assert (fence.state, fence.found_on.isoformat()) == ("open", "2026-11-24")
    assert events(session, fence) == [("found", "minor")]
    assert ladder(session, tower).state == "closed"
    # Corrected, it still answers for the ladder alone: the fence is its own finding.
    made = visit(FIXED, kind="reinspection", inspected_on=again.inspected_on)
    correct(session, again, made, by=inspector, now=NOW + days(2))
    assert events(session, fence) == [("found", "minor"), ("withdrawn", None)]
    assert (fence.state, tower.condition) == ("withdrawn", "ok")


def test_the_finding_of_a_reinspection_is_reinspected_in_its_turn(
    session, tower, inspector
) -> None:
    reinspected(session, tower, inspector, {**FIXED, **MINOR})
    mended = {"sit_fence": {"outcome": "ok", "value": "yes"}}
    reinspected(session, tower, inspector, mended, when=9)
    fence = violations(session, tower)["sit_fence"]
    assert events(session, fence) == [("found", "minor"), ("reinspected", "fixed")]
    assert (fence.state, tower.open_violations) == ("closed", 0)


def test_the_same_defect_found_by_a_reinspection_after_its_end_is_a_new_one(
    session, tower, inspector
) -> None:
    """Two inspectors are out with one list: the second finds broken what the first closed."""
    second = record(session, tower, visit(MAJOR, kind="reinspection", submit=False), by=inspector)
    reinspected(session, tower, inspector, FIXED)
    correct(session, second, visit(MAJOR, kind="reinspection"), by=inspector, now=NOW + days(2))
    states = session.scalars(
        select(Violation.state).where(Violation.tower_id == tower.id).order_by(Violation.found_on)
    ).all()
    assert states == ["closed", "open"]


def test_each_violation_is_closed_on_its_own(session, tower, inspector) -> None:
    inspected(session, tower, by=inspector, **MAJOR, **MINOR)
    reinspected(session, tower, inspector, {**FIXED, **MINOR})
    assert open_items(session, tower) == {"sit_fence"}
    assert tower.condition == "needs_follow_up"


def test_a_defect_after_its_closing_is_a_new_violation(session, tower, inspector) -> None:
    reinspected(session, tower, inspector, FIXED)
    inspected(session, tower, by=inspector, now=NOW + days(30), **MAJOR)
    states = session.scalars(
        select(Violation.state).where(Violation.tower_id == tower.id).order_by(Violation.found_on)
    ).all()
    assert states == ["closed", "open"]


def test_a_corrected_reinspection_opens_again(session, tower, inspector) -> None:
    again = reinspected(session, tower, inspector, FIXED)
    correct(
        session,
        again,
        visit(MAJOR, kind="reinspection", inspected_on=again.inspected_on),
        by=inspector,
        now=NOW + days(2),
    )
    one = ladder(session, tower)
    assert (one.state, one.ended_on) == ("open", None)
    assert events(session, one) == [
        ("found", "major"),
        ("reinspected", "fixed"),
        ("reinspection_withdrawn", None),
        ("reinspected", "not_fixed"),
    ]
    assert tower.condition == "needs_follow_up"


def test_a_closing_cannot_be_taken_back_beside_a_newer_violation(session, tower, inspector) -> None:
    again = reinspected(session, tower, inspector, FIXED)
    inspected(session, tower, by=inspector, now=NOW + days(30), **MAJOR)
    with pytest.raises(Conflict):
        correct(
            session,
            again,
            visit(MAJOR, kind="reinspection", inspected_on=again.inspected_on),
            by=inspector,
            now=NOW + days(31),
        )


def test_correcting_one_of_two_reinspections_leaves_the_other_ones_closing(
    session, tower, inspector
) -> None:
    """What an earlier re-inspection could not verify may change; the later one closed it."""
    early = reinspected(session, tower, inspector, NOT_CHECKED, when=1)
    reinspected(session, tower, inspector, FIXED, when=2)
    inspected(session, tower, by=inspector, now=NOW + days(30), **MAJOR)
    correct(
        session,
        early,
        visit(MAJOR, kind="reinspection", inspected_on=early.inspected_on),
        by=inspector,
        now=NOW + days(31),
    )
    states = session.scalars(
        select(Violation.state).where(Violation.tower_id == tower.id).order_by(Violation.found_on)
    ).all()
    assert states == ["closed", "open"]


def test_the_first_visit_corrected_after_the_closing_withdraws(session, inspector) -> None:
    published(session)
    tower = makers.tower(session)
    first = inspected(session, tower, by=inspector, **MAJOR)
    reinspected(session, tower, inspector, FIXED)
    correct(session, first, visit(passing(tower)), by=inspector, now=NOW + days(3))
    assert ladder(session, tower).state == "withdrawn"
    assert tower.condition == "ok"


def test_a_severity_corrected_after_the_closing_stays_closed(session, inspector) -> None:
    published(session)
    tower = makers.tower(session)
    old, older = ({"gnd_test_age": {"outcome": "ok", "value": number}} for number in (400, 800))
    first = inspected(session, tower, by=inspector, **old)
    reinspected(session, tower, inspector, {"gnd_test_age": {"outcome": "ok", "value": 3}})
    correct(session, first, visit({**passing(tower), **older}), by=inspector)
    one = violations(session, tower)["gnd_test_age"]
    assert (one.state, one.severity) == ("closed", "major")
    assert tower.condition == "ok"


def test_a_reinspection_is_no_full_inspection(session, tower, inspector) -> None:
    """Closing a defect two years later does not make the whole tower checked again."""
    reinspected(session, tower, inspector, FIXED, when=700)
    assert tower.last_inspected_on.isoformat() == "2026-11-23"
    assert tower.ok_until.isoformat() == "2031-11-23"


def test_a_tower_never_fully_inspected_stays_unchecked(session, tower, inspector) -> None:
    assert session.scalar(select(func.count()).select_from(Violation)) == 1
    inspection = inspected(session, tower, by=inspector, only=MAJOR, now=NOW + days(1))
    assert not inspection.complete
    reinspected(session, tower, inspector, FIXED, when=2)
    assert (tower.condition, tower.condition_reason) == ("unchecked", "incomplete")
