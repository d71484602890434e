"""A messy list: what becomes of each of its rows, and the mistakes that are named."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.geo import Position, to_position
from tests import makers
from tests.towers import messy
from tests.towers.imported import Imported, kept, load
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
