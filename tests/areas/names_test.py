"""Which area a text means: one, several that are all named, or none."""

from __future__ import annotations

from datetime import date

import pytest

from areas import queries
from areas.names import match_area
from tests import makers
from tests.areas.provinces import dong_thap

JUNE, JULY = date(2025, 6, 30), date(2025, 7, 1)


@pytest.fixture
def province(session):
    dong_thap(session, reform=True)
    return session


def names(match) -> list[str]:
    return [area.full_name for area in match.areas]


@pytest.mark.parametrize(
    "text",
    ["Phường Cao Lãnh", "P. Cao Lãnh", "cao lãnh", "CAO LANH", "phuong cao lanh", "29869"],
)
def test_one_commune_in_many_writings(province, text) -> None:
    match = match_area(province, text, level="commune", day=JULY)
    assert names(match) == ["Phường Cao Lãnh, Tỉnh Đồng Tháp"]
    assert match.one is not None
    assert not match.ambiguous


@pytest.mark.parametrize("text", ["Xã Hòa Long", "Xã Hoà Long", "x hoà long", "X.Hòa Long"])
def test_both_ways_to_set_a_tone_mark_are_exact(province, text) -> None:
    match = match_area(province, text, level="commune", day=JULY)
    assert names(match) == ["Xã Hòa Long, Tỉnh Đồng Tháp"]
    assert match.exact


def test_a_name_that_repeats_names_them_all(province) -> None:
    match = match_area(province, "Xã Tân Phú", level="commune", day=JUNE)
    assert match.ambiguous
    assert match.one is None
    assert names(match) == [
        "Xã Tân Phú, Thị xã Cai Lậy, Tỉnh Tiền Giang",
        "Xã Tân Phú, Huyện Tân Phú Đông, Tỉnh Tiền Giang",
        "Xã Tân Phú, Huyện Thanh Bình, Tỉnh Đồng Tháp",
        "Xã Tân Phú, Huyện Châu Thành, Tỉnh Đồng Tháp",
    ]


@pytest.mark.parametrize(
    "within", ["TX Cai Lậy", "thi xa cai lay", "Thị xã Cai Lậy, Tiền Giang", "Cai Lậy", "817"]
)
def test_the_district_tells_them_apart(province, within) -> None:
    match = match_area(province, "Xã Tân Phú", level="commune", day=JUNE, within=within)
    assert names(match) == ["Xã Tân Phú, Thị xã Cai Lậy, Tỉnh Tiền Giang"]
    whole = match_area(province, f"X. Tân Phú, {within}", level="commune", day=JUNE)
    assert whole.areas == match.areas


def test_an_area_around_it_tells_them_apart_too(province) -> None:
    district = queries.area_by_code(province, "district", "877", on=JUNE)
    match = match_area(province, "Tân Phú", level="commune", within=district)
    assert names(match) == ["Xã Tân Phú, Huyện Châu Thành, Tỉnh Đồng Tháp"]


def test_a_district_whose_name_repeats_needs_its_province(province) -> None:
    match = match_area(province, "H. Châu Thành", level="district", day=JUNE)
    assert len(match.areas) == 2
    match = match_area(province, "H. Châu Thành, Đồng Tháp", level="district", day=JUNE)
    assert names(match) == ["Huyện Châu Thành, Tỉnh Đồng Tháp"]


def test_a_code_without_a_day_is_ambiguous_where_two_areas_carried_it(province) -> None:
    match = match_area(province, "28249", level="commune")
    assert match.ambiguous
    assert names(match) == [
        "Phường Đạo Thạnh, Tỉnh Đồng Tháp",
        "Phường 5, Thành phố Mỹ Tho, Tỉnh Tiền Giang",
    ]
    assert match_area(province, "28249", level="commune", day=JUNE).one.name == "Phường 5"
    assert match_area(province, "28249", level="commune", day=JULY).one.name == "Phường Đạo Thạnh"
    # Only one area ever had this one.
    assert match_area(province, "28252", level="commune").one.name == "Phường 4"


def test_the_type_word_decides_and_a_wrong_one_is_overlooked(session) -> None:
    town = makers.commune(session, name="Thị trấn Mỹ Thọ")
    village = makers.commune(session, name="Xã Mỹ Thọ")
    assert match_area(session, "TT Mỹ Thọ", level="commune").one == town
    assert match_area(session, "xã mỹ thọ", level="commune").one == village
    assert set(match_area(session, "Mỹ Thọ", level="commune").areas) == {town, village}
    other = makers.commune(session, name="Xã Tân Hội")
    match = match_area(session, "Phường Tân Hội", level="commune")
    assert (match.one, match.exact) == (other, False)


def test_marks_decide_before_they_are_overlooked(session) -> None:
    high = makers.commune(session, name="Xã Tân Hồng")
    rose = makers.commune(session, name="Xã Tân Hống")
    assert match_area(session, "Tân Hồng", level="commune").one == high
    match = match_area(session, "tan hong", level="commune")
    assert (set(match.areas), match.exact) == ({high, rose}, False)


@pytest.mark.parametrize("text", ["", "  ", ",", "Xã", "%", "Tân Ph", "99999", "\x00", "Xã " * 200])
def test_what_names_nothing_finds_nothing(province, text) -> None:
    match = match_area(province, text.replace("\x00", ""), level="commune")
    assert match.areas == ()
    assert match.one is None
