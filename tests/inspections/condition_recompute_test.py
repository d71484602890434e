"""Deriving every condition again: what must not differ, and what a differing one looks like."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import update

from inspections.services import condition
from tests import makers
from tests.inspections.visits import (
    FIXED,
    MAJOR,
    NOW,
    days,
    inspected,
    passing,
    published,
    record,
    visit,
)
from towers.lists import towers
from towers.models import StructureKind, Tower
from towers.queries import Filters
from towers.services import update_tower


@pytest.fixture
def inspector(session):
    return makers.actor(session, "inspector")


@pytest.fixture
def tower(session, inspector):
    """A tower that is ok."""
    published(session)
    made = makers.tower(session)
    inspected(session, made, by=inspector)
    return made


def differing(session) -> list[str]:
    session.flush()
    return [code for code, differs in condition.recompute(session) if differs]


def test_a_whole_register_derived_again_does_not_differ(session, tower, inspector) -> None:
    never, dirty, closed, asked, drafted = (makers.tower(session) for _ in range(5))
    inspected(session, dirty, by=inspector, **MAJOR)
    inspected(session, closed, by=inspector, **MAJOR)
    inspected(session, closed, by=inspector, kind="reinspection", only=FIXED, now=NOW + days(2))
    record(session, asked, visit(passing(asked), assessment_requested=True), by=inspector)
    record(session, drafted, visit(passing(drafted), submit=False), by=inspector)
    session.flush()
    assert {one.code: one.condition for one in (tower, never, dirty, closed, asked, drafted)} == {
        tower.code: "ok",
        never.code: "unchecked",
        dirty.code: "needs_follow_up",
        closed.code: "ok",
        asked.code: "assessment_needed",
        drafted.code: "unchecked",
    }
    assert differing(session) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"condition": "dangerous", "ok_until": None},
        {"ok_until": date(2030, 1, 1)},
        {"worst_severity": "critical"},
        {"open_violations": 4},
        {"last_inspected_on": None},
        {"next_deadline": date(2026, 1, 1)},
        {"condition_reason": "never"},
    ],
)
def test_every_derived_column_is_compared(session, tower, wrong) -> None:
    session.execute(update(Tower).where(Tower.id == tower.id).values(**wrong))
    session.expire_all()
    assert differing(session) == [tower.code]
    assert differing(session) == []


def test_more_towers_than_a_batch(session, tower, monkeypatch) -> None:
    monkeypatch.setattr(condition, "BATCH", 3)
    codes = sorted([tower.code, *(makers.tower(session).code for _ in range(10))])
    session.flush()
    assert [code for code, _ in condition.recompute(session)] == codes


def test_a_corrected_structure_type_is_judged_anew_at_once(session, tower, inspector) -> None:
    staff = makers.actor(session, "staff")
    update_tower(session, tower, values={"structure_type": "guyed_mast"}, by=staff, now=NOW)
    assert (tower.condition, tower.condition_reason) == ("unchecked", "incomplete")
    assert differing(session) == []
    tower = session.get_one(Tower, tower.id)
    inspected(session, tower, by=inspector, now=NOW + days(1))
    assert (tower.condition, tower.ok_until) == ("ok", date(2029, 11, 24))
    update_tower(
        session, tower, values={"structure_type": "lattice_self_support"}, by=staff, now=NOW
    )
    assert tower.condition == "unchecked"
    assert differing(session) == []


def test_a_changed_interval_shows_until_it_is_written(session, tower) -> None:
    session.get_one(StructureKind, "lattice_self_support").interval_months = 24
    assert differing(session) == [tower.code]
    assert session.get_one(Tower, tower.id).ok_until == date(2028, 11, 23)


def test_out_of_date_is_read_from_the_calendar_and_never_stored(session, tower) -> None:
    staff = makers.actor(session, "staff")
    last_good = date(2031, 11, 23)
    after = date(2031, 11, 24)

    def listed(today, *conditions):
        page = towers(session, staff, Filters(condition=conditions), today=today)
        return [one.code for one in page.rows]

    assert listed(last_good, "ok") == [tower.code]
    assert listed(last_good, "unchecked") == []
    assert listed(after, "ok") == []
    assert listed(after, "unchecked") == [tower.code]
    assert differing(session) == []
