"""The reform of July 2025: what was before, who followed, and codes that mean two areas."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import func, select

from areas import queries
from areas.models import Area, AreaSuccession
from areas.services.reform import load_reform, reform_pairs
from core.audit import AuditEntry
from core.errors import Forbidden, Invalid
from core.policy import SYSTEM
from tests import makers
from tests.areas.provinces import dong_thap

JUNE, JULY = date(2025, 6, 30), date(2025, 7, 1)


def code(session, value: str, on: date | None = None, level: str = "commune") -> Area:
    found = queries.area_by_code(session, level, value, on=on)
    assert found is not None
    return found


def test_the_file_has_the_314_pairs_of_its_source(reference) -> None:
    import csv

    pairs = reform_pairs()
    with reference("data/vn-admin-codes/dong-thap_old_to_new_2025.csv").open() as file:
        source = list(csv.DictReader(file))
    assert len(pairs) == len(source) == 314
    assert [
        (one["old_code"], one["old_name"], one["old_district"], one["new_code"], one["new_name"])
        for one in pairs
    ] == [
        (
            one["old_wardCode"], one["old_ward"], one["old_district"], one["new_wardCode"],
            one["new_ward"],
        )
        for one in source
    ]  # fmt: skip


def test_what_is_left_out_names_wards_of_other_towns() -> None:
    doubtful = [pair for pair in reform_pairs() if pair["doubt"]]
    assert len(doubtful) == 6
    assert {pair["new_name"] for pair in doubtful} == {"Phường Cao Lãnh"}
    assert "Thành phố Cao Lãnh" not in {pair["old_district"] for pair in doubtful}


def test_each_old_commune_has_one_main_heir_and_parts_are_several() -> None:
    heirs: dict[str, list[dict[str, str]]] = {}
    for pair in reform_pairs():
        if not pair["doubt"]:
            heirs.setdefault(pair["old_code"], []).append(pair)
    assert len(heirs) == 305
    for pairs in heirs.values():
        assert [pair["main"] for pair in pairs].count("yes") == 1
        assert (len(pairs) == 1) == (pairs[0]["goes"] == "whole")


def test_the_reform_is_loaded_once(session) -> None:
    dong_thap(session)
    report = load_reform(session, reform_pairs(), by=SYSTEM, now=makers.NOW)
    assert (report.provinces, report.districts, report.communes) == (2, 23, 305)
    assert (report.pairs, report.doubtful) == (308, 6)
    before = session.scalar(select(func.count()).select_from(Area))
    assert before == 102 + 1 + 2 + 23 + 305
    load_reform(session, reform_pairs(), by=SYSTEM, now=makers.NOW)
    assert session.scalar(select(func.count()).select_from(Area)) == before
    assert session.scalar(select(func.count()).select_from(AreaSuccession)) == 308 + 2
    assert (
        len(session.scalars(select(AuditEntry).where(AuditEntry.action == "area.reform")).all())
        == 1
    )


def test_a_code_means_another_area_on_another_day(session) -> None:
    dong_thap(session, reform=True)
    assert code(session, "28249", JUNE).full_name == ("Phường 5, Thành phố Mỹ Tho, Tỉnh Tiền Giang")
    assert code(session, "28249", JULY).full_name == "Phường Đạo Thạnh, Tỉnh Đồng Tháp"
    assert code(session, "28249").name == "Phường Đạo Thạnh"
    assert code(session, "82", JUNE, "province").name == "Tỉnh Tiền Giang"
    assert code(session, "82", JULY, "province").name == "Tỉnh Đồng Tháp"
    assert code(session, "815", JUNE, "district").name == "Thành phố Mỹ Tho"
    assert queries.area_by_code(session, "district", "815") is None
    assert queries.area_by_code(session, "district", "815", on=JULY) is None


def test_successors_and_predecessors(session) -> None:
    dong_thap(session, reform=True)
    (only,) = queries.successors(session, code(session, "28252", JUNE))
    assert (only.area.name, only.whole, only.main) == ("Phường Đạo Thạnh", True, True)
    main, other = queries.successors(session, code(session, "30079", JUNE))
    assert (main.area.name, main.whole, main.main) == ("Xã Phong Mỹ", False, True)
    assert (other.area.name, other.whole, other.main) == ("Xã Phú Cường", False, False)
    before = queries.predecessors(session, code(session, "28249"))
    assert {heir.area.name for heir in before} == {"Phường 4", "Phường 5", "Xã Đạo Thạnh"}
    assert queries.successors(session, code(session, "28249")) == []


def test_a_district_has_the_heirs_of_its_communes(session) -> None:
    dong_thap(session, reform=True)
    heirs = queries.successors(session, code(session, "877", JUNE, "district"))
    assert {heir.area.name for heir in heirs} == {
        "Xã Phú Hựu", "Xã Tân Nhuận Đông", "Xã Tân Phú Trung",
    }  # fmt: skip
    (province,) = queries.successors(session, code(session, "87", JUNE, "province"))
    assert (province.area.name, province.whole) == ("Tỉnh Đồng Tháp", True)


def test_what_ended_twice_is_followed_to_the_end(session) -> None:
    first, second, third, part = (makers.commune(session) for _ in range(4))
    first.valid_to, second.valid_to = JUNE, date(2026, 1, 1)
    first.valid_from = None
    session.add_all(
        [
            AreaSuccession(old_id=first.id, new_id=second.id, whole=True, main=True),
            AreaSuccession(old_id=second.id, new_id=third.id, whole=False, main=True),
            AreaSuccession(old_id=second.id, new_id=part.id, whole=False, main=False),
        ]
    )
    session.flush()
    found = queries.successors(session, first)
    assert [(heir.area.id, heir.whole, heir.main) for heir in found] == [
        (third.id, False, True),
        (part.id, False, False),
    ]


def test_the_communes_of_today_come_first(session) -> None:
    with pytest.raises(Invalid):
        load_reform(session, reform_pairs(), by=SYSTEM, now=makers.NOW)
    session.rollback()
    assert session.scalar(select(func.count()).select_from(Area)) == 0


@pytest.mark.parametrize("role", ["staff", "inspector"])
def test_only_administrators_load_it(session, role) -> None:
    with pytest.raises(Forbidden):
        load_reform(session, reform_pairs(), by=makers.actor(session, role), now=makers.NOW)
