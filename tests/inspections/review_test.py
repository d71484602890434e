"""Staff accept or return what was submitted; what is returned or voided no longer counts."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from core.audit import AuditEntry
from core.errors import Conflict, Forbidden, Invalid, NotFound
from inspections.services import condition
from inspections.services.review import accept_inspection, return_inspection
from tests import makers
from tests.inspections.visits import (
    FIXED,
    MAJOR,
    NOW,
    ZONE,
    correct,
    days,
    events,
    inspected,
    passing,
    published,
    record,
    violations,
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


def give_back(session, inspection, by, when=1) -> None:
    return_inspection(session, inspection, reason="Ảnh mờ", by=by, now=NOW + days(when), zone=ZONE)


def test_an_accepted_inspection_counts_on_and_is_closed_to_corrections(
    session, tower, inspector, staff
) -> None:
    inspection = inspected(session, tower, by=inspector)
    accept_inspection(session, inspection, by=staff, now=NOW)
    assert (inspection.status, tower.condition) == ("accepted", "ok")
    with pytest.raises(Conflict):
        correct(session, inspection, visit({**passing(tower), **MAJOR}), by=inspector)
    with pytest.raises(Conflict):
        accept_inspection(session, inspection, by=staff, now=NOW)
    with pytest.raises(Conflict):
        give_back(session, inspection, staff)


def test_a_returned_inspection_no_longer_counts(session, tower, inspector, staff) -> None:
    inspection = inspected(session, tower, by=inspector, **MAJOR)
    give_back(session, inspection, staff)
    assert (inspection.status, inspection.review_reason) == ("returned", "Ảnh mờ")
    (one,) = violations(session, tower).values()
    assert (one.state, one.ended_on.isoformat()) == ("withdrawn", "2026-11-24")
    assert events(session, one) == [("found", "major"), ("withdrawn", None)]
    assert (tower.condition, tower.condition_reason) == ("unchecked", "never")
    assert tower.last_inspected_on is None


def test_the_inspection_before_it_counts_again(session, tower, inspector, staff) -> None:
    inspected(session, tower, by=inspector)
    second = inspected(session, tower, by=inspector, now=NOW + days(5), **MAJOR)
    assert tower.condition == "needs_follow_up"
    give_back(session, second, staff, when=6)
    assert (tower.condition, tower.last_inspected_on.isoformat()) == ("ok", "2026-11-23")


def test_a_returned_inspection_is_sent_again_as_it_was(session, tower, inspector, staff) -> None:
    """The inspector stands by the finding: the same body again is a submission again."""
    made = visit({**passing(tower), **MAJOR})
    inspection = record(session, tower, made, by=inspector)
    give_back(session, inspection, staff)
    correct(session, inspection, made, by=inspector, now=NOW + days(2))
    assert (inspection.status, inspection.review_reason) == ("submitted", "")
    assert tower.condition == "needs_follow_up"
    (one,) = [one for one in violations(session, tower).values() if one.state == "open"]
    assert one.deadline.isoformat() == "2026-12-23"


def test_a_returned_reinspection_opens_what_it_closed(session, tower, inspector, staff) -> None:
    inspected(session, tower, by=inspector, **MAJOR)
    again = inspected(
        session, tower, by=inspector, kind="reinspection", only=FIXED, now=NOW + days(1)
    )
    assert tower.condition == "ok"
    give_back(session, again, staff, when=2)
    (one,) = violations(session, tower).values()
    assert (one.state, one.ended_on) == ("open", None)
    assert tower.condition == "needs_follow_up"


def test_what_two_inspections_found_stays_when_one_is_returned(
    session, tower, inspector, staff
) -> None:
    first = inspected(session, tower, by=inspector, **MAJOR)
    inspected(session, tower, by=inspector, now=NOW + days(3), **MAJOR)
    give_back(session, first, staff, when=4)
    (one,) = violations(session, tower).values()
    assert (one.state, one.deadline.isoformat()) == ("open", "2026-12-26")
    assert tower.condition == "needs_follow_up"


def test_a_return_needs_its_reason(session, tower, inspector, staff) -> None:
    inspection = inspected(session, tower, by=inspector)
    with pytest.raises(Invalid) as caught:
        return_inspection(session, inspection, reason="  ", by=staff, now=NOW, zone=ZONE)
    assert set(caught.value.fields) == {"reason"}
    assert inspection.status == "submitted"


def test_drafts_are_not_reviewed(session, tower, inspector, staff) -> None:
    draft = record(session, tower, visit(passing(tower), submit=False), by=inspector)
    with pytest.raises(Conflict):
        accept_inspection(session, draft, by=staff, now=NOW)


@pytest.mark.parametrize("role", ["inspector", "local_officer", "operator", "admin"])
def test_only_staff_review(session, tower, inspector, role) -> None:
    inspection = inspected(session, tower, by=inspector)
    with pytest.raises(Forbidden):
        accept_inspection(session, inspection, by=makers.actor(session, role), now=NOW)


def test_an_inspection_outside_the_territory_is_not_there(session, tower, inspector) -> None:
    inspection = inspected(session, tower, by=inspector)
    stranger = makers.actor(session, "staff", territories=[makers.commune(session)])
    with pytest.raises(NotFound):
        accept_inspection(session, inspection, by=stranger, now=NOW)


def test_each_decision_stands_in_the_history(session, tower, inspector, staff) -> None:
    inspection = inspected(session, tower, by=inspector)
    give_back(session, inspection, staff)
    correct(session, inspection, visit(passing(tower)), by=inspector)
    accept_inspection(session, inspection, by=staff, now=NOW + days(2))
    rows = session.execute(
        select(AuditEntry.action, AuditEntry.actor)
        .where(AuditEntry.object_id == str(inspection.id))
        .order_by(AuditEntry.id)
    ).all()
    assert [tuple(row) for row in rows] == [
        ("inspection.create", inspector.email),
        ("inspection.returned", staff.email),
        ("inspection.correct", inspector.email),
        ("inspection.accepted", staff.email),
    ]
