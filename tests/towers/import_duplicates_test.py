"""Probable duplicates: what counts as one, and what people decide about them."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import store
from core.audit import AuditEntry
from core.errors import Conflict, Invalid, NotFound
from core.geo import to_position
from core.policy import SYSTEM
from tests import makers
from tests.makers import NOW
from tests.towers.imported import Imported, kept, load_lines
from towers.imports import review
from towers.imports.models import ImportDuplicate
from towers.models import Tower
from towers.services.merge import merge_towers

# So many degrees of latitude are 100 metres.
HUNDRED = 100 / 111_195


def known(session: Session, **facts) -> Tower:
    owner = makers.organisation(session, "Viettel")
    return makers.tower(
        session,
        **{"code": "DTP-0012", "name": "Trạm Tân Thuận 12", "owner": owner, **facts},
    )


def line(code: str, name: str, north_m: float, owner: str = "") -> str:
    return f"{code},{name},,,{10.46 + north_m / 100 * HUNDRED:.7f},105.63,{owner}"


def of_row(session: Session, made: Imported) -> ImportDuplicate:
    return session.scalars(
        select(ImportDuplicate).where(ImportDuplicate.batch_id == made.batch)
    ).one()


@pytest.mark.parametrize(
    ("code", "name", "metres", "owner", "held"),
    [
        ("X-1", "Khác hẳn", 20, "Viettel", True),
        ("X-1", "Khác hẳn", 20, "VIETTEL", True),
        ("X-1", "Khác hẳn", 20, "", True),
        ("X-1", "Khác hẳn", 20, "VNPT", False),
        ("X-1", "Khác hẳn", 40, "Viettel", False),
        ("DTP-12", "Khác hẳn", 226, "VNPT", True),
        ("DTP12", "Khác hẳn", 226, "VNPT", True),
        ("DTP-0013", "Khác hẳn", 226, "VNPT", False),
        ("X-1", "TRAM TAN THUAN 12", 226, "VNPT", True),
        ("X-1", "Trạm Tân Thuận 012", 226, "VNPT", True),
        ("X-1", "Trạm Tân Thuận 13", 226, "VNPT", False),
        ("X-1", "Trạm Tân Thuận 12", 400, "VNPT", False),
    ],
)
def test_what_counts_as_a_duplicate(session, code, name, metres, owner, held) -> None:
    known(session)
    counts = load_lines(session, line(code, name, metres, owner)).counts
    assert (counts.new, counts.duplicate) == ((0, 1) if held else (1, 0))


@pytest.mark.parametrize("code", ["dtp-0012", "ĐTP-0012", "Dtp-0012"])
def test_a_code_that_differs_in_case_or_marks_is_asked_about_at_any_distance(session, code) -> None:
    tower = known(session)
    row = line(code, "Khác hẳn", 40_000, "VNPT")
    made = load_lines(session, row)
    assert (made.counts.new, made.counts.duplicate) == (0, 1)
    assert [one["tower_id"] for one in of_row(session, made).candidates] == [str(tower.id)]
    assert "DTP-0012" in made.duplicate[0].reason
    assert load_lines(session, row).counts.same == 1


def test_a_code_that_differs_in_case_within_a_list_is_asked_about(session) -> None:
    made = load_lines(
        session,
        line("A-1", "Một", 0, "VNPT"),
        line("a-1", "Hai", 40_000, "Viettel"),
        line("Á-1", "Ba", 60_000, "MobiFone"),
        line("A1", "Bốn", 80_000, "VNPT"),
    )
    assert (made.counts.new, made.counts.duplicate) == (2, 2)
    assert {cell.number for cell in made.duplicate} == {3, 4}
    # A known code goes on being known, whatever its neighbours in the alphabet are.
    again = load_lines(session, line("A-1", "Một", 0, "VNPT"), line("A1", "Bốn", 80_000, "VNPT"))
    assert again.counts.same == 2


def test_a_pair_that_is_found_in_two_ways_is_named_once(session) -> None:
    known(session)
    made = load_lines(session, line("dtp-0012", "Trạm Tân Thuận 12", 20, "Viettel"))
    assert len(of_row(session, made).candidates) == 1


@pytest.mark.parametrize(
    ("metres", "owner", "held"), [(0, "VNPT", True), (8, "VNPT", True), (12, "VNPT", False)]
)
def test_two_structures_at_one_place_are_asked_about_whoever_owns_them(
    session, metres, owner, held
) -> None:
    known(session)
    row = line("X-1", "Khác hẳn", metres, owner)
    made = load_lines(session, row)
    assert (made.counts.new, made.counts.duplicate) == ((0, 1) if held else (1, 0))
    if held:
        assert "cùng chủ" not in made.duplicate[0].reason
    within = load_lines(
        session,
        line("R-1", "Mái một", 500 + metres, "Viettel"),
        line("R-2", "Mái hai", 500, owner),
    )
    assert (within.counts.new, within.counts.duplicate) == ((1, 1) if held else (2, 0))


def test_masts_of_several_owners_on_one_roof_are_decided_once(session) -> None:
    rows = (line("R-1", "Mái một", 0, "Viettel"), line("R-2", "Mái hai", 2, "VNPT"))
    made = load_lines(session, *rows)
    review.decide(session, of_row(session, made), "registered", by=SYSTEM, now=NOW)
    before = kept(session)
    again = load_lines(session, *rows).counts
    assert (again.new, again.duplicate, again.same) == (0, 0, 2)
    assert kept(session) == before


def test_the_distances_are_settings(session) -> None:
    known(session)
    row = line("X-1", "Khác hẳn", 20, "Viettel")
    for key in ("duplicate_metres", "similar_metres", "same_place_metres"):
        store.set_value(session, key, 0, by=SYSTEM, now=NOW)
        with pytest.raises(Invalid):
            store.set_value(session, key, 5000, by=SYSTEM, now=NOW)
    assert load_lines(session, row).counts.new == 1


def test_rows_of_one_list_are_compared_with_each_other(session) -> None:
    made = load_lines(
        session,
        line("A-1", "Một", 0, "VNPT"),
        line("A-2", "Hai", 10, "VNPT"),
        line("A-3", "Ba", 20, "Viettel"),
        line("B-7", "Trạm Mỹ Hiệp", 1000, "VNPT"),
        line("C-8", "Trạm Mỹ Hiệp", 1200, "Viettel"),
    )
    assert made.counts.new == 3
    assert {cell.number for cell in made.duplicate} == {3, 6}
    assert session.scalars(select(Tower.code).order_by(Tower.code)).all() == ["A-1", "A-3", "B-7"]


def test_a_name_that_many_rows_have_says_nothing(session) -> None:
    rows = [
        line(f"{letter}-1{letter}", "BTS", 100 * at, "VNPT") for at, letter in enumerate("ABCDEF")
    ]
    assert load_lines(session, *rows).counts.duplicate == 0


def test_a_thousand_rows_at_one_place_are_asked_about_once_each(session) -> None:
    rows = [f"Q-{number},Trạm,,,10.5,105.5,VNPT" for number in range(1000)]
    made = load_lines(session, *rows)
    assert (made.counts.new, made.counts.duplicate) == (1, 999)
    most = max(len(row.candidates) for row in session.scalars(select(ImportDuplicate)))
    assert most <= 3


def test_the_same_structure_is_updated_and_keeps_its_code_and_place(session) -> None:
    tower = known(session)
    made = load_lines(session, "X-1,Tên mới,monopole,33,10.4601,105.63,Viettel")
    row = of_row(session, made)
    assert row.candidates[0]["code"] == "DTP-0012"
    review.decide(session, row, "updated", code="DTP-0012", by=SYSTEM, now=NOW)
    session.refresh(tower)
    assert (tower.code, tower.name, tower.structure_type, tower.height_m) == (
        "DTP-0012", "Tên mới", "monopole", 33,
    )  # fmt: skip
    assert to_position(tower.geom).latitude == 10.46
    assert (row.state, row.tower_id) == ("updated", tower.id)
    with pytest.raises(Conflict):
        review.decide(session, row, "skipped", by=SYSTEM, now=NOW)
    entries = session.scalars(select(AuditEntry).where(AuditEntry.batch == made.batch)).all()
    assert "import.decide" in {entry.action for entry in entries}


def test_a_tower_merged_meanwhile_stands_for_the_one_that_was_kept(session) -> None:
    tower = known(session)
    row = of_row(session, load_lines(session, "X-1,Tên mới,monopole,33,10.4601,105.63,Viettel"))
    keep = makers.tower(session, code="DTP-0099", latitude=10.4602, longitude=105.63)
    merge_towers(session, keep, tower, by=SYSTEM, now=NOW, today=NOW.date())
    assert row.candidates[0]["code"] == "DTP-0012"
    made = review.decide(session, row, "updated", code="DTP-0012", by=SYSTEM, now=NOW)
    assert made is keep
    assert (keep.code, keep.name) == ("DTP-0099", "Tên mới")


def test_the_position_of_the_list_is_taken_when_asked(session) -> None:
    tower = known(session)
    made = load_lines(session, "X-1,Tên mới,,,10.4601,105.63,Viettel")
    review.decide(
        session, of_row(session, made), "updated", code="DTP-0012", move=True, by=SYSTEM, now=NOW
    )
    session.refresh(tower)
    assert to_position(tower.geom).latitude == 10.4601


def test_another_structure_is_registered_with_everything_the_row_says(session) -> None:
    known(session, owner=None)
    header = "code,latitude,longitude,owner,services,hardened,built_year,height_m,lifecycle_since"
    made = load_lines(
        session, 'X-1,10.4601,105.63,Chủ mới,bts;microwave,có,2015,"42,5",31/12/2020', header=header
    )
    tower = review.decide(session, of_row(session, made), "registered", by=SYSTEM, now=NOW)
    assert tower is not None
    assert (tower.code, tower.name, tower.owner.name) == ("X-1", "X-1", "Chủ mới")
    assert (tower.services, tower.hardened, tower.built_year) == (["bts", "microwave"], True, 2015)
    assert float(tower.height_m) == 42.5
    assert tower.lifecycle_since.isoformat() == "2020-12-31"
    assert tower.structure_type == "unknown"


def test_a_decision_is_remembered(session) -> None:
    known(session)
    row = line("X-1", "Khác hẳn", 20, "Viettel")
    review.decide(session, of_row(session, load_lines(session, row)), "skipped", by=SYSTEM, now=NOW)
    before = kept(session)
    again = load_lines(session, row).counts
    assert (again.new, again.duplicate, again.same) == (0, 0, 1)
    assert kept(session) == before
    # Another row of the same code is asked about again.
    assert load_lines(session, line("X-1", "Khác nữa", 20, "Viettel")).counts.duplicate == 1


def test_wrong_decisions_change_nothing(session) -> None:
    known(session)
    row = of_row(session, load_lines(session, line("X-1", "Khác hẳn", 20)))
    before = kept(session)
    with pytest.raises(Invalid):
        review.decide(session, row, "thrown away", by=SYSTEM, now=NOW)
    with pytest.raises(Invalid):
        review.decide(session, row, "updated", code="NO-SUCH", by=SYSTEM, now=NOW)
    with pytest.raises(NotFound):
        review.one(session, uuid.uuid4(), row.id)
    makers.tower(session, code="X-1", latitude=11, longitude=106)
    # With what it notes for the maps.
    before["tower"] += 1
    for table in ("tower_change", "tower_span", "commune_change"):
        before[table] += 1
    with pytest.raises(Conflict):
        review.decide(session, row, "registered", by=SYSTEM, now=NOW)
    assert kept(session) == before
    assert row.state == "open"
