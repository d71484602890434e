"""Reading the register: the reader's territory first, then filters, in a total order."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.geo import Position
from tests import makers
from towers import lists, queries
from towers.queries import Filters
from towers.rules import Condition

TODAY = date(2026, 11, 23)


@pytest.fixture
def staff(session):
    return makers.actor(session, "staff")


def codes(session, actor, today=TODAY, **filters) -> list[str]:
    asked = queries.understood(session, actor, Filters(**filters))
    return [one.code for one in lists.towers(session, actor, asked, today=today).rows]


def test_only_the_readers_territory_whatever_is_asked(session) -> None:
    commune = makers.commune(session)
    inside = makers.tower(session, commune=commune)
    outside = makers.tower(session)
    local = makers.actor(session, "local_officer", territories=[commune])
    assert codes(session, local) == [inside.code]
    assert codes(session, local, q=outside.code) == []
    assert queries.by_code(session, local, outside.code) is None
    assert queries.by_id(session, local, outside.id) is None
    assert queries.by_id(session, local, inside.id).code == inside.code
    assert queries.counts_by_condition(session, local, today=TODAY) == {"unchecked": 1}
    near = Position(latitude=10.46, longitude=105.63)
    assert [one.code for one, _ in queries.nearest(session, local, near, metres=1000)] == [
        inside.code
    ]


@pytest.mark.parametrize("role", ["operator"])
def test_a_role_without_the_register_sees_nothing(session, role) -> None:
    makers.tower(session)
    assert codes(session, makers.actor(session, role)) == []


def test_nobody_without_a_territory_sees_anything(session) -> None:
    makers.tower(session)
    assert codes(session, makers.actor(session, "staff", everywhere=False)) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("cao lanh", True),
        ("CAO LÃNH", True),
        ("lãnh trạm", True),
        ("dt-77", True),
        ("cao sơn", False),
        ("%", False),
        ("_", False),
        ("\\", False),
        ("' OR 1=1", False),
        ("  ", True),
    ],
)
def test_the_search_finds_words_in_code_and_name(session, staff, text, found) -> None:
    makers.tower(session, code="DT-7788", name="Trạm Cao Lãnh")
    assert codes(session, staff, q=text) == (["DT-7788"] if found else [])


def test_a_condition_is_read_by_the_calendar(session, staff) -> None:
    made = {
        "dangerous": {"condition": "dangerous", "condition_reason": None},
        "fresh": {"condition": "ok", "condition_reason": None, "ok_until": TODAY},
        "stale": {
            "condition": "ok",
            "condition_reason": None,
            "ok_until": TODAY - timedelta(days=1),
        },
        "never": {},
    }
    for code, columns in made.items():
        makers.tower(session, code=code, **columns)
    assert codes(session, staff, condition=("ok",)) == ["fresh"]
    assert codes(session, staff, condition=("unchecked",)) == ["never", "stale"]
    assert codes(session, staff, condition=("dangerous", "ok")) == ["dangerous", "fresh"]
    assert queries.counts_by_condition(session, staff, today=TODAY) == {
        "dangerous": 1,
        "ok": 1,
        "unchecked": 2,
    }


def test_every_other_filter(session, staff) -> None:
    commune = makers.commune(session, code="90009")
    owner = makers.organisation(session)
    late = makers.tower(
        session,
        code="A",
        commune=commune,
        worst_severity="major",
        next_deadline=TODAY - timedelta(days=1),
        condition="needs_follow_up",
        condition_reason=None,
    )
    soon = makers.tower(
        session,
        code="B",
        owner=owner,
        structure_type="monopole",
        worst_severity="minor",
        next_deadline=TODAY + timedelta(days=7),
        condition="needs_follow_up",
        condition_reason=None,
    )
    makers.tower(session, code="C", lifecycle="dismantled")
    assert codes(session, staff) == ["A", "B"]
    assert codes(session, staff, include_dismantled=True) == ["A", "B", "C"]
    assert codes(session, staff, overdue=True) == [late.code]
    assert codes(session, staff, due_within=7) == [soon.code]
    assert codes(session, staff, due_within=6) == []
    assert codes(session, staff, severity=("minor",)) == [soon.code]
    assert codes(session, staff, owner=owner.id) == [soon.code]
    assert codes(session, staff, commune=("90009",)) == [late.code]
    assert codes(session, staff, structure_type=("monopole",)) == [soon.code]
    assert codes(session, staff, commune=("90009",), owner=owner.id) == []
    assert queries.owners_with_towers(session, staff) == [(owner.id, owner.name)]


NAMES = st.lists(st.sampled_from(["An", "Ấp", "Đốc", "Dương", "Ô", "ấp", "Z", "an"]), max_size=9)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(NAMES, st.integers(1, 4), st.sampled_from(["code", "name"]))
def test_pages_hold_every_tower_once_in_order(session, staff, names, limit, sort) -> None:
    with session.begin_nested() as trial:
        made = {makers.tower(session, name=name).code for name in names}
        whole = lists.towers(session, staff, Filters(), today=TODAY, limit=100, sort=sort).rows
        paged, cursor = [], None
        while True:
            page = lists.towers(
                session, staff, Filters(), today=TODAY, limit=limit, cursor=cursor, sort=sort
            )
            paged += [one.code for one in page.rows]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert paged == [one.code for one in whole]
        assert set(paged) == made and len(paged) == len(made)
        assert lists.count(session, staff, Filters(), today=TODAY) == len(made)
        trial.rollback()


def test_names_are_in_vietnamese_order(session, staff) -> None:
    for name in ("Đốc Binh", "Ấp Bắc", "Dương Minh", "An Hòa", "Ông Đốc"):
        makers.tower(session, name=name)
    page = lists.towers(session, staff, Filters(), today=TODAY, sort="name")
    assert [one.name for one in page.rows] == [
        "An Hòa",
        "Ấp Bắc",
        "Dương Minh",
        "Đốc Binh",
        "Ông Đốc",
    ]


def test_the_nearest_are_measured_in_metres(session, staff) -> None:
    """A hundredth of a degree of latitude is about 1,106 m here, of longitude about 1,095 m."""
    here = Position(latitude=10.46, longitude=105.63)
    makers.tower(session, code="north", latitude=10.47, longitude=105.63)
    makers.tower(session, code="east", latitude=10.46, longitude=105.64)
    makers.tower(session, code="far", latitude=11.46, longitude=105.63)
    found = queries.nearest(session, staff, here, metres=2000)
    assert [(one.code, round(metres)) for one, metres in found] == [
        ("east", 1095),
        ("north", 1106),
    ]
    assert queries.nearest(session, staff, here, metres=1000) == []
    assert len(queries.nearest(session, staff, here, metres=2000, limit=1)) == 1


def test_the_intervals_are_those_of_the_standard(session) -> None:
    assert queries.intervals(session) == {
        "lattice_self_support": 60,
        "guyed_mast": 36,
        "monopole": 60,
        "rooftop_guyed": 36,
        "rooftop_pole": 60,
        "concrete_pole": 60,
        "unknown": None,
    }


def test_the_words_of_the_department_in_their_order() -> None:
    assert list(Condition) == [
        "dangerous",
        "assessment_needed",
        "needs_follow_up",
        "ok",
        "unchecked",
    ]
