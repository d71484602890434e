"""The fields of the register: what people write for each, and that every place knows each."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from core.words import plain
from towers.fields import BY_NAME, FIELDS, KEPT, Kind, Unreadable, known_headers, read
from towers.labels import VOCABULARIES
from towers.models import Tower
from towers.vocabularies import meanings, standards

WORDED = [field for field in FIELDS if field.vocabulary]


def test_every_field_is_a_column_with_the_same_bounds() -> None:
    columns = Tower.__table__.columns
    for field in FIELDS:
        if field.kind is Kind.COORDINATE:
            continue
        column = columns[field.column]
        assert column.nullable == (field.empty is None and not field.required), field.name
        if field.kind is Kind.NUMBER:
            assert column.type.scale == field.digits, field.name


@pytest.mark.parametrize(
    ("text", "height"),
    [
        ("42", "42.0"),
        ("42,5", "42.5"),
        ("42.55 m", "42.6"),
        ("125.6", "125.6"),
        ("42.549", "42.5"),
    ],
)
def test_heights_in_metres_to_a_decimetre(text, height) -> None:
    assert read(BY_NAME["height_m"], text) == Decimal(height)


@pytest.mark.parametrize("text", ["m", "forty", "NaN", "1e3", "42 ft", "4 2", "0", "-3", "1001"])
def test_what_is_no_height(text) -> None:
    with pytest.raises(Unreadable, match="metres"):
        read(BY_NAME["height_m"], text)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-02-28", date(2026, 2, 28)),
        ("28/02/2026", date(2026, 2, 28)),
        ("1-3-2026", date(2026, 3, 1)),
        ("01.03.2026", date(2026, 3, 1)),
        # As a spreadsheet's day becomes a text.
        ("2026-03-01 00:00:00", date(2026, 3, 1)),
        ("01/03/2026 00:00", date(2026, 3, 1)),
        ("1/3/2026 0:00:00", date(2026, 3, 1)),
    ],
)
def test_days_as_people_and_programs_write_them(text, day) -> None:
    assert read(BY_NAME["land_contract_end"], text) == day


@pytest.mark.parametrize(
    "text", ["30/02/2026", "2026", "tomorrow", "1/2/26", "01/03/0026", "01/03/2026 07:30"]
)
def test_what_is_no_day(text) -> None:
    with pytest.raises(Unreadable, match="date"):
        read(BY_NAME["land_contract_end"], text)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("structure_type", "Cột dây co trên mái", "rooftop_guyed"),
        ("structure_type", "GTOWER", "guyed_mast"),
        ("services", "BTS; truyền thanh xã", ["bts", "commune_loudspeaker"]),
        ("bts_category", "Loại 2", "2"),
        ("planning_class", "a2B", "A2b"),
        ("hardened", "Có", True),
        ("hardened", "không", False),
        ("obstruction_light", "X", True),
        ("managing_department", "Sở KH&CN", "science_technology"),
        ("guy_levels", "4,0", 4),
        ("built_year", "1998", 1998),
        ("structure_type", "Tự đứng 42m", "lattice_self_support"),
        ("structure_type", "Cột dây co 45,5 m", "guyed_mast"),
        ("structure_type", "Cột dây co H=45m", "guyed_mast"),
        ("structure_type", "Dây néo", "guyed_mast"),
        ("structure_type", "Cột monopole", "monopole"),
        ("structure_type", "BTLT", "concrete_pole"),
        ("structure_type", "Ăng ten tự đứng", "lattice_self_support"),
        ("services", "2G/3G/4G", ["bts"]),
        ("services", "5G\nTruyền thanh", ["bts", "commune_loudspeaker"]),
        ("services", "BTS và vi ba", ["bts", "microwave"]),
        ("services", "Phát thanh và truyền hình và BTS", ["bts", "radio_tv"]),
        ("services", "Phát thanh và truyền hình / BTS", ["bts", "radio_tv"]),
        ("lifecycle", "Đang phát sóng", "active"),
        ("lifecycle", "On air", "active"),
        ("lifecycle", "Dừng hoạt động", "inactive"),
    ],
)
def test_words_of_vietnamese_lists(name, text, value) -> None:
    assert read(BY_NAME[name], text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("structure_type", "cột điện gió"),
        # On a roof, with guys or without; and heights of nothing.
        ("structure_type", "Trên mái"),
        ("structure_type", "42m"),
        ("services", "và"),
        ("services", "bts, gì đó"),
        ("hardened", "maybe"),
        ("guy_levels", "2.5"),
        ("guy_levels", "51"),
        ("built_year", "98"),
        ("design_wind_kn_m2", "95 daN/m2"),
        ("owner", "x" * 301),
        ("note", "x" * 4001),
        ("address", "a\x00b"),
        ("code", ""),
    ],
)
def test_what_a_field_refuses(name, text) -> None:
    with pytest.raises(Unreadable):
        read(BY_NAME[name], text)


def test_labels_in_both_languages_are_understood() -> None:
    """What an export writes in the reader's language is read back."""
    root = Path(__file__).resolve().parents[2]
    with (root / "translations/vi/LC_MESSAGES/messages.po").open("rb") as file:
        vietnamese = {message.id: message.string for message in read_po(file) if message.id}
    for field in WORDED:
        for value, label in VOCABULARIES[field.vocabulary].items():
            for text in (value, label, vietnamese[label]):
                assert meanings(field.vocabulary).get(plain(text)) == value, (field.name, text)
    headers = known_headers()
    for field in FIELDS:
        assert headers[plain(vietnamese[field.label])] == field.name


def test_every_structure_type_has_its_names_elsewhere() -> None:
    for value, names in standards("structure_type").items():
        if value != "unknown":
            assert names["osm"]["man_made"] in {"mast", "tower"}
            assert names["fcc"] and names["ttlt12"] in {"1", "2"}
            assert set(names["tt14"]) <= {"A1a", "A1b", "A2a", "A2b", "A2c"}


@given(st.sampled_from(KEPT), st.text(max_size=40))
def test_any_text_is_a_value_or_a_reason(field, text) -> None:
    try:
        read(field, text)
    except Unreadable as error:
        assert error.text % error.facts if error.facts else error.text
