"""What people type for a position, and the likely mistake when it cannot be right."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.geo import Envelope, Position
from towers.coordinates import decimal_degrees, read_columns

VIETNAM = Envelope(102, 7, 118, 24)
WORLD = Envelope(-180, -90, 180, 90)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("10.4603", 10.4603),
        (" 10,4603 ", 10.4603),
        ("105", 105.0),
        ("-81.28477777777778", -81.28477777777778),
        ("+10.5", 10.5),
        ("10.46°", 10.46),
        ("0", 0.0),
    ],
)
def test_plain_numbers_with_point_or_comma(text, number) -> None:
    assert decimal_degrees(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "", "NaN", "nan", "inf", "-inf", "1e5", "0x10", "10.4.6", "10,4,6", "1 0", "=10.46",
        "10°27'37\"N", "mười", "１０", "1_0", "--1", "1.", ".5", "9" * 30, "True", "None",
    ],
)  # fmt: skip
def test_anything_else_is_no_number(text) -> None:
    assert decimal_degrees(text) is None


@given(st.floats(7, 24), st.floats(102, 118))
def test_every_position_inside_is_read_exactly(latitude, longitude) -> None:
    texts = [format(Decimal(repr(value)), "f") for value in (latitude, longitude)]
    reading, problems = read_columns(*texts, VIETNAM)
    assert reading and reading.position == Position(latitude, longitude)
    assert problems == []


@pytest.mark.parametrize(
    ("latitude", "longitude", "word"),
    [
        ("0", "0", "0, 0"),
        ("0.0", "0,0", "0, 0"),
        ("105.63", "10.46", "swapped"),
        ("1156789.12", "567890.5", "metres"),
        ("567890.5", "1156789.12", "metres"),
        ("91", "105", "between"),
        ("10", "181", "between"),
        ("10", "-181", "between"),
        ("-10.46", "105.63", "outside"),
        ("21.03", "-105.85", "outside"),
        ("51.5", "0.1", "outside"),
    ],
)
def test_the_likely_mistake_is_named(latitude, longitude, word) -> None:
    reading, problems = read_columns(latitude, longitude, VIETNAM)
    assert reading is None
    assert [name for name, _, _ in problems] == ["latitude", "longitude"]
    text, facts = problems[0][1:]
    assert word in text
    assert text % facts


def test_swapped_is_known_even_where_both_orders_are_degrees() -> None:
    narrow = Envelope(10, 50, 20, 60)
    _, problems = read_columns("15", "55", narrow)
    assert "swapped" in problems[0][1]


@pytest.mark.parametrize(
    ("latitude", "longitude", "named"),
    [
        ("", "105", ["latitude"]),
        ("10", " ", ["longitude"]),
        ("", "", ["latitude", "longitude"]),
        ("NaN", "105", ["latitude"]),
        ("ten", "east", ["latitude", "longitude"]),
    ],
)
def test_each_coordinate_that_is_wrong_is_named(latitude, longitude, named) -> None:
    reading, problems = read_columns(latitude, longitude, VIETNAM)
    assert reading is None
    assert [name for name, _, _ in problems] == named


def test_the_envelope_includes_its_edges() -> None:
    for latitude, longitude in (("7", "102"), ("24", "118")):
        assert read_columns(latitude, longitude, VIETNAM)[0] is not None
    assert read_columns("6.9999", "102", VIETNAM)[0] is None


@given(st.text(max_size=12), st.text(max_size=12))
def test_any_text_is_a_position_or_a_reason(latitude, longitude) -> None:
    reading, problems = read_columns(latitude, longitude, WORLD)
    assert (reading is None) == bool(problems)
