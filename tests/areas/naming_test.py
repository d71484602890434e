"""When two texts name the same area: marks, tone marks, type words, abbreviations, zeros."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from areas.naming import (
    KINDS,
    Reading,
    code_forms,
    likeness,
    marked,
    readings,
    split_context,
    unmarked,
)
from areas.rules import Level
from areas.services.reform import reform_pairs

NAMES = sorted({pair["old_name"] for pair in reform_pairs()})
names = st.sampled_from(NAMES)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hòa Bình", "Hoà Bình"),
        ("AN THẠNH THỦY", "An Thạnh Thuỷ"),
        ("  Tân   Hội ", "tân hội"),
        ("Phường 05", "phường 5"),
        ("Đồng Tháp", "ÐỒNG THÁP"),  # the second begins with the Icelandic letter
        (unicodedata.normalize("NFD", "Mỹ Ngãi"), "Mỹ Ngãi"),
    ],
)
def test_these_are_one_name_with_their_marks(one: str, other: str) -> None:
    assert marked(one) == marked(other)
    assert unmarked(one) == unmarked(other)


@pytest.mark.parametrize(
    ("one", "other"), [("Tân Hội", "Tân Hôi"), ("Phú Mỹ", "Phủ Mỹ"), ("Đông Hòa", "Dông Hòa")]
)
def test_marks_tell_names_apart_and_are_overlooked_without(one: str, other: str) -> None:
    assert marked(one) != marked(other)
    assert unmarked(one) == unmarked(other)


@pytest.mark.parametrize(
    ("text", "level", "first"),
    [
        ("Xã Tân Hội", Level.COMMUNE, Reading("xã", "tân hội")),
        ("X. Tân Hội", Level.COMMUNE, Reading("xã", "tân hội")),
        ("X.Tân Hội", Level.COMMUNE, Reading("xã", "tân hội")),
        ("xa tan hoi", Level.COMMUNE, Reading("xã", "tan hoi")),
        ("P.5", Level.COMMUNE, Reading("phường", "5")),
        ("P5", Level.COMMUNE, Reading("phường", "5")),
        ("P 05", Level.COMMUNE, Reading("phường", "5")),
        ("phường An Hòa", Level.COMMUNE, Reading("phường", "an hòa")),
        ("TT. Lấp Vò", Level.COMMUNE, Reading("thị trấn", "lấp vò")),
        ("TT Lấp Vò", Level.COMMUNE, Reading("thị trấn", "lấp vò")),
        ("thi tran Lap Vo", Level.COMMUNE, Reading("thị trấn", "lap vo")),
        ("H. Châu Thành", Level.DISTRICT, Reading("huyện", "châu thành")),
        ("TX Cai Lậy", Level.DISTRICT, Reading("thị xã", "cai lậy")),
        ("TP.Mỹ Tho", Level.DISTRICT, Reading("thành phố", "mỹ tho")),
        ("T. Tiền Giang", Level.PROVINCE, Reading("tỉnh", "tiền giang")),
    ],
)
def test_a_type_word_is_read_however_it_is_written(text: str, level: str, first: Reading) -> None:
    assert readings(text, level)[0] == first


def test_a_name_that_only_looks_like_a_type_word_keeps_it() -> None:
    assert readings("Phương Thịnh", Level.COMMUNE) == [Reading(None, "phương thịnh")]
    assert readings("Tịnh Thới", Level.PROVINCE) == [Reading(None, "tịnh thới")]


def test_without_marks_it_may_be_either() -> None:
    assert readings("phuong thinh", Level.COMMUNE) == [
        Reading("phường", "thinh"),
        Reading(None, "phuong thinh"),
    ]
    found = likeness("phuong thinh", "Xã Phương Thịnh", Level.COMMUNE)
    assert found is not None
    assert found.without_marks


@pytest.mark.parametrize(
    ("text", "without_marks", "other_kind"),
    [
        ("Xã Tân Hòa", False, False),
        ("X. Tân Hoà", False, False),
        ("Tân Hòa", False, False),
        ("xa tan hoa", True, False),
        ("Phường Tân Hòa", False, True),
        ("p tan hoa", True, True),
    ],
)
def test_how_well_a_text_names_an_area(text: str, without_marks: bool, other_kind: bool) -> None:
    found = likeness(text, "Xã Tân Hòa", Level.COMMUNE)
    assert found is not None
    assert (found.without_marks, found.other_kind) == (without_marks, other_kind)
    assert found.exact == (not without_marks and not other_kind)


@pytest.mark.parametrize("text", ["", "Xã", "Tân", "Tân Hòa Đông", "Hòa", "Tân Hội", "%", "5"])
def test_what_does_not_name_it(text: str) -> None:
    assert likeness(text, "Xã Tân Hòa", Level.COMMUNE) is None


@given(names)
def test_every_name_names_itself_in_every_writing(name: str) -> None:
    for text in (name, name.upper(), unicodedata.normalize("NFD", name), f" {name}  "):
        found = likeness(text, name, Level.COMMUNE)
        assert found is not None
        assert found.exact
    found = likeness(unmarked(name), name, Level.COMMUNE)
    assert found is not None
    assert not found.other_kind


@given(names, names)
def test_names_are_alike_both_ways_or_not_at_all(one: str, other: str) -> None:
    there, back = likeness(one, other, Level.COMMUNE), likeness(other, one, Level.COMMUNE)
    assert (there is None) == (back is None)
    if there is not None and there.exact:
        assert marked(one) == marked(other)


@given(names, st.sampled_from(["xã", "phường", "thị trấn"]), st.data())
def test_every_abbreviation_of_its_type_word_is_exact(name: str, kind: str, data) -> None:
    bare = readings(name, Level.COMMUNE)[0].name
    short = data.draw(st.sampled_from(KINDS[Level.COMMUNE][kind]))
    dot = data.draw(st.sampled_from([" ", ". "]))
    found = likeness(f"{short}{dot}{bare}", f"{kind} {bare}", Level.COMMUNE)
    assert found is not None
    assert found.exact


@given(st.text(max_size=60), st.sampled_from(list(Level)))
def test_any_text_can_be_read(text: str, level: Level) -> None:
    assert readings(text, level)
    assert unmarked(unmarked(text)) == unmarked(text)
    likeness(text, "Xã Tân Hòa", level)


@pytest.mark.parametrize(
    ("text", "level", "codes"),
    [
        ("28249", Level.COMMUNE, ("28249",)),
        (" 28249 ", Level.COMMUNE, ("28249",)),
        ("4", Level.COMMUNE, ("4", "00004")),
        ("1", Level.PROVINCE, ("1", "01")),
        ("815", Level.DISTRICT, ("815",)),
        ("", Level.COMMUNE, ()),
        ("28249a", Level.COMMUNE, ()),
        ("-1", Level.COMMUNE, ()),
        ("２８", Level.COMMUNE, ()),
    ],
)
def test_codes_that_a_text_may_be(text: str, level: str, codes: tuple[str, ...]) -> None:
    assert code_forms(text, level) == codes


def test_what_stands_behind_a_comma_is_around_it() -> None:
    assert split_context("Phường 5, TP Mỹ Tho, Tiền Giang") == ("Phường 5", "TP Mỹ Tho, Tiền Giang")
    assert split_context("Phường 5") == ("Phường 5", "")
