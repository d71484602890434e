"""A messy list: what becomes of each of its rows, and the mistakes that are named."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import store
from core.geo import Position, to_position
from core.policy import SYSTEM
from tests import makers
from tests.makers import NOW
from tests.towers import messy
from tests.towers.imported import Imported, kept, load, load_lines
from towers.coordinate_systems import from_wgs84, system
from towers.models import Tower


@pytest.fixture
def province(session: Session) -> Iterator[Session]:
    """Square wards around the places of the list, and what the register has before."""
    for name, place in (
        ("Phường Cao Lãnh", messy.CAO_LANH),
        ("Phường Sa Đéc", messy.SA_DEC),
        ("Phường Mỹ Tho", messy.MY_THO),
        ("Phường Hồng Ngự", messy.HONG_NGU),
    ):
        makers.commune(session, name=name, box=around(place))
    load(session, "cu.csv", messy.known())
    yield session


def around(place: Position) -> tuple[float, float, float, float]:
    half = 0.04
    return (
        place.longitude - half,
        place.latitude - half,
        place.longitude + half,
        place.latitude + half,
    )


def rows(cells: list) -> list[int]:
    return sorted({cell.number for cell in cells})


def run(session: Session, **options) -> Imported:
    return load(session, "danh sách.csv", messy.messy(), **options)


def test_every_row_becomes_what_it_should(province: Session) -> None:
    made = run(province, good_rows=True)
    counts = made.counts
    assert (counts.rows, counts.bad) == (12, len(messy.WRONG))
    assert rows(made.wrong) == sorted(messy.WRONG)
    assert rows(made.duplicate) == list(messy.DUPLICATE)
    assert rows(made.suspicious) == list(messy.SUSPICIOUS)
    assert (counts.new, counts.changed, counts.same) == (4, 1, 1)
    assert [row["line"] for row in made.changes] == list(messy.CHANGED)
    codes = set(province.scalars(select(Tower.code)))
    assert codes == {"NB-001", "NB-002", "NB-004", "NB-005", "CU-001", "CU-002"}


def test_the_reasons_name_the_mistake(province: Session) -> None:
    made = run(province)
    reasons = {cell.number: cell.reason for cell in made.wrong}
    assert "đảo" in reasons[7]
    assert "dòng 5" in reasons[10]
    assert "UTF-8" in reasons[14]
    doubts = [cell.reason for cell in made.suspicious if cell.number == 9]
    assert any("Phường Mỹ Tho" in reason for reason in doubts)
    assert any("kinh tuyến trục" in reason for reason in doubts)
    assert any("TM-3 105°00′" in reason for reason in doubts)
    near = {cell.number: cell.reason for cell in made.duplicate}
    assert "dòng 5" in near[11] and "20 m" in near[11]
    assert "dòng 5" in near[12] and "tương tự" in near[12]


def test_the_original_coordinates_are_kept_in_their_system(province: Session) -> None:
    run(province, good_rows=True)
    tower = province.scalars(select(Tower).where(Tower.code == "NB-002")).one()
    assert tower.source_srid == messy.ZONE
    assert (tower.source_x, tower.source_y) == (498411.47, 1145115.29)
    position = to_position(tower.geom)
    assert abs(position.latitude - messy.SA_DEC.latitude) < 1e-7
    first = province.scalars(select(Tower).where(Tower.code == "NB-001")).one()
    assert (first.source_srid, first.source_x) == (4326, messy.CAO_LANH.longitude)


def test_nothing_is_written_without_the_choice_of_good_rows(province: Session) -> None:
    before = kept(province)
    assert not run(province).written
    assert kept(province) == before


def test_the_same_messy_list_twice_changes_nothing(province: Session) -> None:
    run(province, good_rows=True)
    before = kept(province)
    again = run(province, good_rows=True).counts
    assert (again.new, again.changed, again.duplicate) == (0, 0, 0)
    assert kept(province) == before


def test_a_stated_commune_of_today_is_only_compared_with_the_position(province: Session) -> None:
    run(province, good_rows=True)
    assert set(province.scalars(select(Tower.former_commune))) == {""}


PLACED = "code,latitude,longitude"


def doubts(made: Imported) -> list[str]:
    return [cell.reason for cell in made.suspicious]


def test_a_known_tower_that_moves_far_is_doubted(session: Session) -> None:
    load_lines(session, "A-001,10.46,105.63", "A-002,10.5,105.7", header=PLACED)
    near = load_lines(session, "A-001,10.4620,105.63", header=PLACED, write=False)
    assert (near.counts.changed, near.counts.suspicious) == (1, 0)
    far = load_lines(session, "A-001,10.9,105.63", "A-002,10.5,105.7", header=PLACED, write=False)
    assert (far.counts.changed, far.counts.suspicious) == (1, 1)
    assert rows(far.suspicious) == [2]
    assert any("A-001" in one and "48926 m" in one for one in doubts(far))
    store.set_value(session, "moved_metres", 0, by=SYSTEM, now=NOW)
    none = load_lines(session, "A-001,10.9,105.63", header=PLACED, write=False)
    assert none.counts.suspicious == 0


def test_a_known_tower_that_comes_to_the_place_of_another_is_doubted(session: Session) -> None:
    load_lines(
        session,
        "A-001,10.46,105.63,Viettel",
        "A-003,10.4615,105.63,VNPT",
        "B-001,10.6,105.63,VNPT",
        "B-002,10.60015,105.63,Viettel",
        header=f"{PLACED},owner",
    )
    there = load_lines(session, "A-003,10.46,105.63", header=PLACED, write=False)
    assert (there.counts.changed, there.counts.suspicious) == (1, 1)
    assert any("A-001" in one and "0 m" in one for one in doubts(there))
    # Both go on together, or stood as near to each other before.
    for lines in (
        ("A-001,10.4615,105.63", "A-003,10.463,105.63"),
        ("B-001,10.60001,105.63",),
    ):
        assert load_lines(session, *lines, header=PLACED, write=False).counts.suspicious == 0
    # Both come to a place of theirs within one list.
    met = load_lines(
        session, "A-001,10.4608,105.63", "A-003,10.4608,105.63", header=PLACED, write=False
    )
    assert rows(met.suspicious) == [2, 3]


@pytest.mark.parametrize(
    ("header", "first", "second", "says"),
    [
        (
            "code;X (VN-2000, KTT 105°45');Y (VN-2000, KTT 105°45')",
            from_wgs84(messy.CAO_LANH, system(messy.ZONE)),
            from_wgs84(messy.CAO_LANH, system(messy.OTHER_ZONE)),
            "kinh tuyến trục",
        ),
        (
            "code;latitude;longitude",
            (messy.CAO_LANH.longitude, messy.CAO_LANH.latitude),
            from_wgs84(messy.CAO_LANH, system(4756)),
            "VN-2000",
        ),
    ],
)
def test_the_mistake_that_moves_a_register_is_named(
    session: Session, header: str, first: tuple, second: tuple, says: str
) -> None:
    """A wrong meridian moves all towers by kilometres, an ignored datum by less than is doubted."""
    load_lines(session, f"A;{first[1]};{first[0]}", header=header)
    made = load_lines(session, f"A;{second[1]};{second[0]}", header=header, write=False)
    assert (made.counts.changed, made.counts.suspicious) == (1, 1)
    assert any(says in one for one in doubts(made))
    again = load_lines(session, f"A;{first[1]};{first[0]}", header=header, write=False)
    assert (again.counts.same, again.counts.suspicious) == (1, 0)
