"""Steps with a violation: what they change, who may take them, and what refuses them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from core.audit import AuditEntry
from core.errors import Conflict, Forbidden, Invalid, NotFound
from inspections.models import Violation
from inspections.rules.violation import EventKind, Stage
from inspections.services import condition
from inspections.services.steps import Step, take_step
from tests import makers
from tests.inspections.visits import (
    CRITICAL,
    FIXED,
    MAJOR,
    NOW,
    TODAY,
    days,
    inspected,
    published,
    violations,
)

SERVED = (
    ("confirmed", {}),
    ("notified", {}),
    ("served", {"party": "Công ty Sen Xanh, nhận trực tiếp"}),
)


@pytest.fixture
def staff(session):
    return makers.actor(session, "staff")


@pytest.fixture
def chief(session):
    return makers.actor(session, "staff")


@pytest.fixture
def inspector(session):
    return makers.actor(session, "inspector")


@pytest.fixture
def tower(session, inspector):
    published(session)
    made = makers.tower(session)
    inspected(session, made, by=inspector, **MAJOR)
    return made


@pytest.fixture
def violation(session, tower):
    return violations(session, tower)["clb_ladder"]


def go(session, violation: Violation, kind: str, by, **facts):
    step = Step(EventKind(kind), **facts)
    return take_step(session, violation, step, by=by, now=NOW, today=TODAY)


def walk(session, violation, by, steps=SERVED) -> None:
    for kind, facts in steps:
        go(session, violation, kind, by, **facts)


def test_steps_move_the_stage_and_leave_the_violation_open(session, violation, staff) -> None:
    walk(session, violation, staff)
    assert (violation.stage, violation.state) == (Stage.SERVED, "open")
    go(session, violation, "claimed_fixed", staff, reason="Đã thay thang leo")
    assert (violation.stage, violation.state) == (Stage.CLAIMED, "open")
    entries = session.scalars(
        select(AuditEntry).where(AuditEntry.object_id == str(violation.id)).order_by(AuditEntry.id)
    ).all()
    assert [entry.action for entry in entries][-4:] == [
        "violation.confirmed",
        "violation.notified",
        "violation.served",
        "violation.claimed_fixed",
    ]
    assert entries[-1].before["stage"] == "served" and entries[-1].after["stage"] == "claimed"


def test_only_the_reinspection_closes_what_the_owner_calls_fixed(
    session, tower, violation, staff, inspector
) -> None:
    walk(session, violation, staff)
    go(session, violation, "claimed_fixed", staff, reason="Đã thay thang leo")
    inspected(session, tower, by=inspector, kind="reinspection", only=MAJOR, now=NOW + days(1))
    assert (violation.stage, violation.state) == (Stage.SERVED, "open")
    inspected(session, tower, by=inspector, kind="reinspection", only=FIXED, now=NOW + days(2))
    assert (violation.stage, violation.state) == (Stage.CLOSED, "closed")


def test_an_impossible_step_says_what_is_possible(session, violation, staff) -> None:
    with pytest.raises(Conflict) as refused:
        go(session, violation, "served", staff, party="Công ty Sen Xanh")
    assert refused.value.facts["stage"] == "found"
    assert "confirmed" in refused.value.facts["possible"]
    assert "served" not in refused.value.facts["possible"]
    assert violation.stage == Stage.FOUND


@pytest.mark.parametrize(
    ("kind", "facts", "field"),
    [
        ("escalated", {"party": "Sở Xây dựng"}, "reason"),
        ("escalated", {"reason": "Chủ sở hữu không trả lời"}, "party"),
        ("authority_informed", {}, "party"),
        ("emergency_measures", {"reason": "  "}, "reason"),
        ("annulment_requested", {}, "reason"),
        ("escalated", {"party": "x" * 301, "reason": "y"}, "party"),
        ("escalated", {"party": "x", "reason": "y" * 4001}, "reason"),
    ],
)
def test_a_step_without_what_it_needs(session, violation, staff, kind, facts, field) -> None:
    with pytest.raises(Invalid) as refused:
        go(session, violation, kind, staff, **facts)
    assert field in refused.value.fields
    assert len(violation.events) == 1


def test_a_deadline_moves_only_by_a_granted_extension(session, violation, staff, chief) -> None:
    walk(session, violation, staff)
    before, later = violation.deadline, violation.deadline + days(30)
    go(session, violation, "extension_requested", staff, reason="Chờ vật tư", deadline=later)
    assert violation.deadline == before
    go(session, violation, "extended", chief)
    assert violation.deadline == later
    session.refresh(violation.tower)
    assert violation.tower.next_deadline == later


def test_who_asks_for_an_extension_does_not_grant_it(session, violation, staff) -> None:
    walk(session, violation, staff)
    later = violation.deadline + days(30)
    go(session, violation, "extension_requested", staff, reason="Chờ vật tư", deadline=later)
    with pytest.raises(Forbidden):
        go(session, violation, "extended", staff)
    # A department of one person may say otherwise.
    from core import store
    from core.policy import SYSTEM

    store.set_value(session, "two_people", False, by=SYSTEM, now=NOW)
    go(session, violation, "extended", staff)
    assert violation.deadline == later


@pytest.mark.parametrize("shift", [0, -1, -400])
def test_an_extension_leads_forward(session, violation, staff, shift) -> None:
    walk(session, violation, staff)
    with pytest.raises(Invalid) as refused:
        go(
            session, violation, "extension_requested", staff, reason="Xin gia hạn",
            deadline=violation.deadline + days(shift),
        )  # fmt: skip
    assert "deadline" in refused.value.fields


def test_annulment_by_two_people_takes_the_violation_out(session, violation, staff, chief) -> None:
    go(session, violation, "annulment_requested", staff, reason="Ghi nhầm trạm")
    with pytest.raises(Forbidden):
        go(session, violation, "annulled", staff)
    go(session, violation, "annulled", chief)
    assert (violation.state, violation.stage) == ("withdrawn", Stage.WITHDRAWN)
    session.refresh(violation.tower)
    assert violation.tower.condition == "ok"
    assert [code for code, differs in condition.recompute(session) if differs] == []


def test_a_critical_finding_is_to_be_secured_within_hours(
    session, inspector, staff, tmp_path
) -> None:
    published(session)
    tower = makers.tower(session)
    inspected(
        session, tower, by=inspector, folder=tmp_path, photos=["ant_mount"], **CRITICAL
    )  # fmt: skip
    violation = violations(session, tower)["ant_mount"]
    assert violation.emergency_by == NOW + timedelta(hours=24)
    go(session, violation, "emergency_measures", staff, reason="Rào chắn, di dời hai hộ dân")
    assert violation.emergency_by is None
    go(session, violation, "authority_informed", staff, party="UBND phường Cao Lãnh")
    assert violation.stage == Stage.FOUND


def test_the_same_defect_found_again_continues_the_chain(
    session, tower, violation, staff, inspector
) -> None:
    walk(session, violation, staff)
    inspected(session, tower, by=inspector, now=NOW + days(3), **MAJOR)
    assert violations(session, tower)["clb_ladder"].id == violation.id
    assert violation.stage == Stage.SERVED


@pytest.mark.parametrize("role", ["inspector", "local_officer", "admin"])
def test_other_roles_take_no_step(session, violation, role) -> None:
    with pytest.raises(Forbidden):
        go(session, violation, "confirmed", makers.actor(session, role))


def test_a_foreign_violation_is_none(session, violation) -> None:
    elsewhere = makers.commune(session, code="99999", box=(107, 12, 107.1, 12.1))
    stranger = makers.actor(session, "staff", territories=[elsewhere])
    with pytest.raises(NotFound):
        go(session, violation, "confirmed", stranger)
