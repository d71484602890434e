"""The follow-up list and the lists beside it: the most urgent first, every row once."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import BadRequest
from inspections.models import LoadAssessment, Violation
from inspections.queries import follow_up, lists
from inspections.queries.follow_up import WorkFilters
from tests import makers
from tests.inspections.visits import (
    MAJOR,
    MINOR,
    NOW,
    TODAY,
    days,
    inspected,
    published,
    record,
    visit,
)
from towers.queries import understood


@pytest.fixture
def staff(session):
    return makers.actor(session, "staff")


@pytest.fixture
def version(session):
    return published(session)


def violation(session, tower, version, item="clb_ladder", severity="major", due=0, **more):
    """An open violation with its deadline some days after today."""
    made = Violation(
        tower_id=tower.id,
        item_key=item,
        checklist_version_id=version.id,
        severity=severity,
        deadline=TODAY + timedelta(days=due),
        found_on=date(2026, 10, 1),
        **{"state": "open", **more},
    )
    session.add(made)
    session.flush()
    return made


def assessment(session, tower, due=0):
    made = LoadAssessment(
        tower_id=tower.id,
        requested_at=NOW,
        requested_on=TODAY,
        deadline=TODAY + timedelta(days=due),
        reason="Cũ",
    )
    session.add(made)
    session.flush()
    return made


def listed(session, actor, today=TODAY, **filters):
    asked = understood(session, actor, WorkFilters(**filters))
    return follow_up.follow_up(session, actor, asked, today=today).rows


def test_urgency_then_deadline(session, staff, version) -> None:
    towers = [makers.tower(session) for _ in range(3)]
    violation(session, towers[0], version, "sit_fence", "minor", -100)
    violation(session, towers[0], version, "clb_ladder", "major", 5)
    violation(session, towers[1], version, "clb_ladder", "major", -5)
    violation(session, towers[1], version, "ant_mount", "critical", 3)
    violation(session, towers[2], version, "ant_mount", "critical", 1)
    assessment(session, towers[2], 60)
    rows = listed(session, staff)
    assert [(row.severity, (row.deadline - TODAY).days) for row in rows] == [
        ("critical", 1),
        ("critical", 3),
        (None, 60),
        ("major", -5),
        ("major", 5),
        ("minor", -100),
    ]
    assert [row.days_overdue for row in rows] == [0, 0, 0, 5, 0, 100]


def test_what_has_ended_is_not_followed_up(session, staff, version) -> None:
    tower = makers.tower(session)
    violation(session, tower, version, state="closed", stage="closed", ended_on=TODAY)
    violation(session, tower, version, state="withdrawn", stage="withdrawn", ended_on=TODAY)
    answered = assessment(session, tower)
    answered.answered_at, answered.outcome, answered.assessed_on = NOW, "safe", TODAY
    session.flush()
    assert listed(session, staff) == []


def test_the_day_of_the_deadline_is_still_in_time(session, staff, version) -> None:
    tower = makers.tower(session)
    violation(session, tower, version)
    assert listed(session, staff, overdue=True) == []
    assert len(listed(session, staff, today=TODAY + timedelta(days=1), overdue=True)) == 1


def test_what_comes_due_within_some_days(session, staff, version) -> None:
    tower = makers.tower(session)
    for item, due in (("a", -1), ("b", 0), ("c", 7), ("d", 8)):
        violation(session, tower, version, item, due=due)
    assert [row.item_key for row in listed(session, staff, due_within=7)] == ["b", "c"]


def test_filters_of_the_tower_and_of_the_row(session, staff, version) -> None:
    commune = makers.commune(session, code="90001")
    owner = makers.organisation(session)
    here = makers.tower(session, commune=commune, name="Trạm Gò Tháp", condition="dangerous")
    there = makers.tower(session, owner=owner, structure_type="monopole")
    violation(session, here, version, "ant_mount", "critical")
    violation(session, here, version, "clb_ladder", "major")
    violation(session, there, version, "clb_ladder", "major", -3)
    assessment(session, there, -1)

    def codes(**filters):
        return [(row.code, row.item_key) for row in listed(session, staff, **filters)]

    assert codes(commune=("90001",)) == [(here.code, "ant_mount"), (here.code, "clb_ladder")]
    assert codes(owner=owner.id) == [(there.code, None), (there.code, "clb_ladder")]
    assert codes(severity=("critical",)) == [(here.code, "ant_mount")]
    assert codes(q="go thap") == [(here.code, "ant_mount"), (here.code, "clb_ladder")]
    assert codes(condition=("dangerous",), severity=("major",)) == [(here.code, "clb_ladder")]
    assert codes(structure_type=("monopole",), overdue=True) == [
        (there.code, None),
        (there.code, "clb_ladder"),
    ]
    assert codes(q="100%") == []


def test_only_the_readers_territory(session, version) -> None:
    commune = makers.commune(session)
    inside, outside = makers.tower(session, commune=commune), makers.tower(session)
    for tower in (inside, outside):
        violation(session, tower, version)
        assessment(session, tower)
    local = makers.actor(session, "local_officer", territories=[commune])
    assert {row.code for row in listed(session, local)} == {inside.code}
    assert follow_up.count(session, local, WorkFilters(), today=TODAY) == 2
    assert listed(session, makers.actor(session, "operator")) == []
    nowhere = makers.actor(session, "staff", everywhere=False)
    assert listed(session, nowhere) == []


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(1, 12), st.lists(st.tuples(st.integers(-2, 2), st.booleans()), max_size=9))
def test_pages_hold_every_row_once_in_order(session, staff, version, limit, made) -> None:
    with session.begin_nested() as trial:
        for number, (due, is_assessment) in enumerate(made):
            tower = makers.tower(session)
            if is_assessment:
                assessment(session, tower, due)
            else:
                severity = ("critical", "major", "minor")[number % 3]
                violation(session, tower, version, severity=severity, due=due)
        whole = session.execute(follow_up.rows(staff, WorkFilters(), today=TODAY)).all()
        paged, cursor = [], None
        while True:
            page = follow_up.follow_up(
                session, staff, WorkFilters(), today=TODAY, limit=limit, cursor=cursor
            )
            assert len(page.rows) <= limit
            paged.extend(page.rows)
            cursor = page.next_cursor
            if cursor is None:
                break
        assert [row.id for row in paged] == [row.id for row in whole]
        assert len({row.id for row in paged}) == len(made)
        assert follow_up.count(session, staff, WorkFilters(), today=TODAY) == len(made)
        trial.rollback()


@pytest.mark.parametrize(
    "cursor", ["x", "e30", "W10", "WzEsMiwzXQ", "WyJhIiwiYiIsImMiXQ", "ÿ", "W251bGxd", "=" * 9]
)
def test_a_cursor_of_another_list_is_refused(session, staff, cursor) -> None:
    with pytest.raises(BadRequest):
        follow_up.follow_up(session, staff, WorkFilters(), today=TODAY, cursor=cursor)


def test_inspections_are_listed_the_latest_first(session, version) -> None:
    inspector = makers.actor(session, "inspector")
    tower = makers.tower(session)
    made = [
        inspected(session, tower, by=inspector, now=NOW + days(number), **MAJOR).id
        for number in range(5)
    ]
    first = lists.inspections(session, inspector, limit=3)
    rest = lists.inspections(session, inspector, limit=3, cursor=first.next_cursor)
    assert [one.id for one in (*first.rows, *rest.rows)] == made[::-1]
    assert rest.next_cursor is None
    assert [one.id for one in lists.latest_inspections(session, inspector, limit=2)] == [
        made[4],
        made[3],
    ]


def test_an_inspector_sees_own_visits_wherever_they_were(session, version) -> None:
    commune = makers.commune(session)
    tower = makers.tower(session)
    author = makers.actor(session, "inspector")
    inspection = record(session, tower, visit({}, submit=False), by=author)
    moved = makers.actor(session, "inspector", territories=[commune])
    assert lists.inspection(session, moved, inspection.id) is None
    assert lists.inspection(session, author, inspection.id).id == inspection.id


def test_violations_are_listed_with_their_filters(session, staff, version) -> None:
    inspector = makers.actor(session, "inspector")
    tower = makers.tower(session)
    inspected(session, tower, by=inspector, **MAJOR, **MINOR)

    def keys(**filters):
        page = lists.violations(session, staff, **filters)
        return sorted(one.item_key for one in page.rows)

    assert keys() == ["clb_ladder", "sit_fence"]
    assert keys(severity=["minor"]) == ["sit_fence"]
    assert keys(state=["closed"]) == []
    assert keys(overdue_on=TODAY + timedelta(days=30)) == []
    assert keys(overdue_on=TODAY + timedelta(days=31)) == ["clb_ladder", "sit_fence"]
    assert keys(q=tower.code) == ["clb_ladder", "sit_fence"]

    tower.lifecycle = "dismantled"
    session.flush()
    assert keys() == []
    assert keys(include_dismantled=True) == ["clb_ladder", "sit_fence"]
    assert keys(tower_id=tower.id) == ["clb_ladder", "sit_fence"]
