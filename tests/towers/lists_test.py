"""The list in every order and direction, its filters, its counts, and what lies round a place."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy.orm import Session

from core import paging
from core.errors import BadRequest
from core.geo import Envelope, Position
from core.policy import Actor
from tests import makers
from tests.plans import Crowd
from towers import lists
from towers.models import StructureKind
from towers.queries import Filters

TODAY = date(2026, 11, 23)


@pytest.fixture
def staff(session: Session) -> Actor:
    return makers.actor(session, "staff")


def codes(session: Session, actor: Actor, sort: str = "code", **filters) -> list[str]:
    page = lists.towers(session, actor, Filters(**filters), today=TODAY, sort=sort)
    return [one.code for one in page.rows]


@pytest.fixture
def five(session: Session) -> None:
    """Two towers alike in everything but the code, one before, one behind, one that is empty."""
    for number, (code, name, days) in enumerate(
        (("C", "Ấp", 3), ("A", "An", 1), ("B", "Ấp", 3), ("D", "Ông", 7), ("E", "Bến", None))
    ):
        makers.tower(
            session,
            code=code,
            name=name,
            height_m=days,
            next_deadline=days and TODAY + timedelta(days=days),
            last_inspected_on=days and TODAY - timedelta(days=days),
            updated_at=datetime(2026, 1, 1, number, tzinfo=UTC),
        )


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("relevance", "ABCDE"), ("code", "ABCDE"), ("-code", "EDCBA"),
        ("name", "ABCED"), ("-name", "DECBA"),
        ("deadline", "ABCDE"), ("-deadline", "DCBAE"),
        ("height", "ABCDE"), ("-height", "DCBAE"),
        ("inspected", "DBCAE"), ("-inspected", "ACBDE"),
        ("updated", "CABDE"), ("-updated", "EDBAC"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_every_order_holds_every_tower_once_whatever_the_page(
    session, staff, five, sort, order, limit
) -> None:
    """Towers without a value stand last in both directions."""
    assert "".join(codes(session, staff, sort)) == order
    paged, cursor = "", None
    while True:
        page = lists.listed(
            session, staff, Filters(), today=TODAY, limit=limit, cursor=cursor, sort=sort
        )
        paged += "".join(one.code for one in page.rows)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert paged == order


def test_all_orders_are_tried() -> None:
    assert {one.removeprefix("-") for one in lists.SORTS} == {
        "relevance", "code", "name", "deadline", "height", "inspected", "updated",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("sort", "values"),
    [
        ("code", ["A"]), ("code", [1, "A"]), ("code", [-1, "A"]), ("code", [True, "A"]),
        ("code", [0]), ("code", [0, None]), ("code", []), ("code", [2**40, "A"]),
        ("height", [0, "nan", "A"]), ("height", [0, "1e99", "A"]), ("height", [0, 5, "A"]),
        ("height", [0, "x", "A"]), ("deadline", [0, "2026-13-01", "A"]),
        ("updated", [0, "2026-01-01", "A"]), ("updated", [0, 5, "A"]), ("name", [0, "x\x00", "A"]),
    ],
)  # fmt: skip
def test_a_cursor_that_this_order_never_gave(session, staff, sort, values) -> None:
    with pytest.raises(BadRequest):
        lists.towers(
            session, staff, Filters(), today=TODAY, sort=sort, cursor=paging.encode(values)
        )


def test_the_filters_of_the_register(session, staff) -> None:
    communes = [makers.commune(session, code=f"9000{number}") for number in range(3)]
    for code, commune, facts in (
        ("A", communes[0], {"height_m": 30, "built_year": 1999, "services": ["bts", "microwave"]}),
        ("B", communes[1], {"height_m": 42.5, "built_year": 2010, "lifecycle": "abandoned"}),
        ("C", communes[2], {"height_m": None, "managing_department": "commune"}),
        ("D", None, {"latitude": 10.9, "lifecycle": "dismantled"}),
        ("E", None, {"latitude": 10.9, "services": ["radio_tv"]}),
    ):
        makers.tower(session, code=code, commune=commune, **facts)
    for filters, wanted in (
        ({"commune": ("90000", "90002")}, "AC"),
        ({"without_commune": True}, "E"),
        ({"without_commune": True, "include_dismantled": True}, "DE"),
        ({"service": ("microwave", "radio_tv")}, "AE"),
        ({"lifecycle": ("abandoned", "dismantled")}, "BD"),
        ({"managing_department": ("commune",)}, "C"),
        ({"built_before": 2010}, "A"),
        ({"height_from": Decimal("42.5")}, "B"),
        ({"height_to": Decimal(30)}, "A"),
        ({"bbox": Envelope(105.6, 10.8, 105.7, 11.0)}, "E"),
        ({"bbox": Envelope(0, 0, 1, 1)}, ""),
        ({"area": ((105.6, 10.8), (105.7, 10.8), (105.63, 11.0))}, "E"),
        ({"area": ((105.6, 10.8), (105.62, 10.8), (105.6, 11.0))}, ""),
    ):
        found = codes(session, staff, **filters)
        assert "".join(found) == wanted, filters


def test_an_inspection_falls_due_when_the_interval_of_its_structure_ends(session, staff) -> None:
    """36 months for guyed structures and 60 for others, as the department has set them."""
    for code, structure, inspected in (
        ("GUYED", "guyed_mast", "2023-11-30"),
        ("LATTICE", "lattice_self_support", "2021-11-30"),
        ("NEVER", "lattice_self_support", None),
        ("NO-INTERVAL", "unknown", "2010-01-01"),
    ):
        day = date.fromisoformat(inspected) if inspected else None
        makers.tower(session, code=code, structure_type=structure, last_inspected_on=day)
    for due_before, wanted in (
        (date(2026, 11, 30), ["NEVER"]),
        (date(2026, 12, 1), ["GUYED", "LATTICE", "NEVER"]),
    ):
        assert codes(session, staff, inspection_due_before=due_before) == wanted
    session.get(StructureKind, "guyed_mast").interval_months = 37
    session.flush()
    assert codes(session, staff, inspection_due_before=date(2026, 12, 1)) == ["LATTICE", "NEVER"]


def test_a_count_ends_where_nobody_reads_on(session, staff, five, monkeypatch) -> None:
    def counted() -> lists.Count:
        return lists.counted(session, staff, Filters(), today=TODAY, at_least=2)

    assert counted() == lists.Count(5)
    monkeypatch.setattr(lists, "MOST_COUNTED", 5)
    assert counted() == lists.Count(5)
    monkeypatch.setattr(lists, "MOST_COUNTED", 4)
    assert counted() == lists.Count(4, more=True)
    assert lists.count(session, staff, Filters(), today=TODAY) == 5


def test_a_count_that_takes_too_long_is_given_up_and_says_so(crowd: Crowd, monkeypatch) -> None:
    """What the list knows stays true, and the limit of time is that of before."""
    monkeypatch.setattr(lists, "COUNTING_MS", 1)
    monkeypatch.setattr(lists, "MOST_COUNTED", 20_000)
    page = crowd.client.get("/towers?q=a&lang=en").get_data(as_text=True)
    assert "more than 50 towers" in page
    whole = crowd.client.get("/towers?q=a&lang=en&count=all").get_data(as_text=True)
    assert "more than" not in whole


def test_the_towers_round_a_place_in_their_order(session, staff) -> None:
    """A hundredth of a degree of longitude is shorter than one of latitude."""
    here = Position(latitude=10.46, longitude=105.63)
    assert lists.around(session, staff, Filters(), here, today=TODAY) == []
    for code, latitude, longitude in (
        ("north", 10.47, 105.63), ("east", 10.46, 105.64), ("far", 12.46, 107.63),
        ("gone", 10.46, 105.63),
    ):  # fmt: skip
        lifecycle = "dismantled" if code == "gone" else "active"
        makers.tower(
            session, code=code, latitude=latitude, longitude=longitude, lifecycle=lifecycle
        )
    found = lists.around(session, staff, Filters(), here, today=TODAY)
    assert [(one.code, round(one.metres)) for one in found[:2]] == [
        ("east", 1095),
        ("north", 1106),
    ]
    assert [one.code for one in found] == ["east", "north", "far"]
    # One that is a little nearer in degrees is not nearer in metres.
    assert [
        one.code for one in lists.around(session, staff, Filters(), here, today=TODAY, limit=1)
    ] == ["east"]
    nobody = makers.actor(session, "staff", everywhere=False)
    assert lists.around(session, nobody, Filters(), here, today=TODAY) == []
