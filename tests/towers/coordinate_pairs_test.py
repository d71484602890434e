"""Positions as papers give them: two columns or one text, in any system, named or chosen."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from core.geo import Envelope, Position
from core.i18n import force_locale, translate
from towers.coordinate_systems import VN2000, WGS84, from_wgs84, named_systems, system
from towers.coordinates import Reading, read_columns, read_pair

EARTH = Geod(ellps="WGS84")
VIETNAM = Envelope(102, 7, 118, 24)
WORLD = Envelope(-180, -90, 180, 90)
SOUTH = Envelope(10, -40, 50, -5)
CAO_LANH = Position(10.4603, 105.6325)


def metres(one: Position, other: Position) -> float:
    return EARTH.inv(one.longitude, one.latitude, other.longitude, other.latitude)[2]


def said(problems) -> str:
    """What the user reads, each text once."""
    return " | ".join(dict.fromkeys(text % facts for _, text, facts in problems))


def notes(reading: Reading) -> list[str]:
    return [text % facts for text, facts in reading.notes]


# Every form of one place


def forms() -> list[tuple[str, int | None]]:
    vn_x, vn_y = from_wgs84(CAO_LANH, VN2000)
    tm_x, tm_y = from_wgs84(CAO_LANH, system(5897))
    other_x, other_y = from_wgs84(CAO_LANH, system(9210))
    utm_x, utm_y = from_wgs84(CAO_LANH, system(32648))
    vnutm_x, vnutm_y = from_wgs84(CAO_LANH, system(3405))
    grouped_x = f"{tm_x:,.3f}"
    grouped_y = f"{tm_y:,.3f}"

    def european(text: str) -> str:
        return text.translate(str.maketrans(",.", ".,"))

    return [
        ("10.4603, 105.6325", None), ("105.6325 10.4603", None), ("10,4603; 105,6325", None),
        ("POINT(105.6325 10.4603)", None), ("geo:10.4603,105.6325", None),
        ("10°27'37.08\"N 105°37'57\"E", None), ("10°27'37,08\"B; 105°37'57\"Đ", None),
        ("105°37'57\" kinh độ Đông, 10°27'37,08\" vĩ độ Bắc", None),
        ("10 27 37.08 105 37 57", None), ("10d27m37.08s 105d37m57s", None),
        ("WGS 84: 10.4603, 105.6325", None), ("kinh độ 105,6325 vĩ độ 10,4603", None),
        (f"VN-2000: {vn_y:.9f}, {vn_x:.9f}", None), (f"{vn_y:.9f} {vn_x:.9f}", 4756),
        (f"EPSG:4756 {vn_y:.9f} {vn_x:.9f}", None),
        (f"X={tm_y:.3f} Y={tm_x:.3f}", 5897), (f"Y={tm_x:.3f}; X={tm_y:.3f}", 5897),
        # Programs call the easting X.
        (f"X={tm_x:.3f} Y={tm_y:.3f}", 5897),
        (f"{tm_y:.3f} {tm_x:.3f}", 5897), (f"{tm_x:.3f} {tm_y:.3f}", 5897),
        (f"E {tm_x:.3f} N {tm_y:.3f}", 5897), (f"{tm_y:.3f} B, {tm_x:.3f} Đ", 5897),
        (f"{grouped_y}; {grouped_x}", 5897), (f"{european(grouped_y)} {european(grouped_x)}", 5897),
        (f"{grouped_y.replace(',', ' ')} {grouped_x.replace(',', ' ')}", 5897),
        (f"VN-2000 105°00': X={tm_y:.3f}; Y={tm_x:.3f}", None),
        (f"VN2000, KTT 105, X={tm_y:.3f}, Y={tm_x:.3f}", None),
        (f"EPSG:5897 {tm_y:.3f} {tm_x:.3f}", None),
        (f"VN-2000 / TM-3 105-45 {other_y:.3f} {other_x:.3f}", None),
        (f"VN2000 KTT 105°45′: X = {other_y:.3f} m; Y = {other_x:.3f} m", None),
        (f"VN-2000 UTM 48N {vnutm_x:.3f} {vnutm_y:.3f}", None),
        (f"48P {utm_x:.3f} {utm_y:.3f}", None), (f"48N {utm_x:.3f}E {utm_y:.3f}N", None),
        (f"UTM 48P {utm_x:.3f} {utm_y:.3f}", None),
        (f"WGS 84 / UTM zone 48N {utm_x:.3f} {utm_y:.3f}", None),
        (f"{utm_x:.3f} {utm_y:.3f}", 32648),
    ]  # fmt: skip


@pytest.mark.parametrize(("text", "srid"), forms())
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_every_form_of_one_place_is_the_same_position(text, srid, form) -> None:
    chosen = system(srid) if srid else None
    reading, problems = read_pair(unicodedata.normalize(form, text), VIETNAM, chosen)
    assert problems == []
    assert reading is not None and metres(reading.position, CAO_LANH) < 0.005
    # What is kept as the original leads to the position again.
    x, y = from_wgs84(reading.position, reading.system)
    near = 0.001 if reading.system.metric else 1e-8
    assert reading.x == pytest.approx(x, abs=near) and reading.y == pytest.approx(y, abs=near)


@given(
    st.builds(Position, st.floats(8, 23.5), st.floats(102.5, 109.5)),
    st.sampled_from([one for one in named_systems() if one.srid not in (3406, 32649, 5896)]),
)
def test_any_place_in_any_system_there_and_back(place, of) -> None:
    x, y = from_wgs84(place, of)
    digits = 4 if of.metric else 9
    reading, problems = read_columns(f"{y:.{digits}f}", f"{x:.{digits}f}", VIETNAM, of)
    assert problems == [] and reading is not None
    assert metres(reading.position, place) < 0.001
    assert reading.system == of and reading.notes == ()


@pytest.mark.parametrize(
    ("first", "second", "srid"),
    [
        ("10°27'37,08\"B", "105°37'57\"Đ", 4326),
        ("10 27 37.08", "105 37 57", 4326),
        ("10.4603°", "105.6325 E", 4326),
        ("Vĩ độ 10.4603", "Kinh độ 105.6325", 4326),
        # The letters tell that the columns are the other way round.
        ("105°37'57\"Đ", "10°27'37,08\"B", 4326),
    ],
)
def test_two_columns_of_angles(first, second, srid) -> None:
    reading, problems = read_columns(first, second, VIETNAM, system(srid))
    assert problems == [] and reading is not None
    assert metres(reading.position, CAO_LANH) < 0.01


def test_two_columns_of_lengths_in_either_order() -> None:
    x, y = (f"{value:.2f}" for value in from_wgs84(CAO_LANH, system(5897)))
    usual, _ = read_columns(y, x, VIETNAM, system(5897))
    turned, _ = read_columns(x, y, VIETNAM, system(5897))
    assert usual is not None and turned is not None
    assert usual.position == turned.position
    assert notes(usual) == []
    assert notes(turned) == [f"{x} was read as the easting, {y} as the northing"]


# N


@pytest.mark.parametrize(
    ("text", "envelope", "latitude", "note"),
    [
        # E and W belong to English: nothing has to be said.
        ("10.46N 105.63E", VIETNAM, 10.46, []),
        ("10.46N 105.63E", WORLD, 10.46, []),
        ("10.46 N, 20.63 W", WORLD, 10.46, []),
        # Đ and T belong to Vietnamese: then N is Nam, unless only north lies in the deployment.
        ("10.46N 105.63Đ", WORLD, -10.46, ["“N” was read as Nam (south)"]),
        ("10.46N 20.63T", WORLD, -10.46, ["“N” was read as Nam (south)"]),
        ("10.46N 105.63Đ", VIETNAM, 10.46, ["“N” was read as north"]),
        # Alone it is north, unless only south lies in the deployment.
        ("10.46N 105.63", WORLD, 10.46, ["“N” was read as north"]),
        ("10.46N 105.63", VIETNAM, 10.46, ["“N” was read as north"]),
        ("10.46N 30.5", SOUTH, -10.46, ["“N” was read as Nam (south)"]),
        ("10.46 Nam 105.63 Đông", WORLD, -10.46, []),
        ("10.46 B 105.63 Đ", WORLD, 10.46, []),
        ("10.46 S 105.63 E", WORLD, -10.46, []),
    ],
)
def test_n_is_north_or_nam_as_its_company_says(text, envelope, latitude, note) -> None:
    reading, problems = read_pair(text, envelope)
    assert problems == [] and reading is not None
    assert reading.position.latitude == latitude
    assert notes(reading) == note


def test_english_n_is_never_turned_to_the_south() -> None:
    reading, problems = read_pair("10.46N 30.5E", SOUTH)
    assert reading is None and "outside" in said(problems)


# Orders


def test_an_unusual_order_is_taken_with_a_note() -> None:
    reading, _ = read_pair("105.6325, 10.4603", VIETNAM)
    assert reading is not None
    assert notes(reading) == ["105.6325 was read as the longitude, 10.4603 as the latitude"]
    x, y = from_wgs84(CAO_LANH, system(5897))
    paper, _ = read_pair(f"X={y:.2f} Y={x:.2f}", VIETNAM, system(5897))
    assert paper is not None
    assert notes(paper) == [f"{y:.2f} was read as the northing, {x:.2f} as the easting"]


def test_latitude_comes_first_where_both_orders_are_possible() -> None:
    reading, _ = read_pair("15, 55", WORLD)
    assert reading is not None and reading.position == Position(15, 55)


def test_east_comes_first_behind_a_utm_zone_without_a_note() -> None:
    x, y = from_wgs84(CAO_LANH, system(32648))
    reading, _ = read_pair(f"48P {x:.2f} {y:.2f}", VIETNAM)
    assert reading is not None and reading.system.srid == 32648
    assert notes(reading) == []


def test_southern_bands_are_southern_zones() -> None:
    reading, problems = read_pair("36L 500000 8600000", WORLD)
    assert problems == [] and reading is not None
    assert reading.system.srid == 32736 and reading.position.latitude < 0


# Refusals


@pytest.mark.parametrize(
    ("text", "srid", "word"),
    [
        ("", None, "missing"), ("  ", None, "missing"),
        ("0, 0", None, "0, 0"), ("0,0", None, "0, 0"), ("0.0 0.0", None, "0, 0"),
        ("0;0", 5897, "0, 0"), ("0°0'0\" 0°0'0\"", None, "0, 0"),
        ("NaN, 105.63", None, "not a number"), ("inf inf", None, "not a number"),
        ("Infinity -Infinity", None, "not a number"), ("1e1, 1e2", None, "not a number"),
        ("hello", None, "not a number"), ("10.46", None, "not a position"),
        ("10.46 105.63 42", None, "not a position"),
        ("X=1156833 Y=569044", None, "coordinate system"),
        ("1156833 569044", None, "coordinate system"),
        ("1156833 569044", 4326, "coordinate system"),
        ("1156833 569044", 4756, "coordinate system"),
        ("61P 569044 1156833", None, "does not read"),
        ("10.46, 105.63", 5897, "has metres"),
        ("10.46N 10.47N", None, "Both coordinates"), ("105E 106E", None, "Both coordinates"),
        ("51.5, 0.1", None, "outside"), ("10.46S 105.63E", None, "outside"),
        ("5897000 5897000", 5897, "no place"),
        ("569044 569044", 5897, "outside"),
        ("10°75' 105°37'", None, "below 60"),
        ("{{7*7}}, <script>", None, "not a number"),
        ("=1+1", None, "not a number"),
    ],
)  # fmt: skip
def test_one_text_that_is_refused(text, srid, word) -> None:
    reading, problems = read_pair(text, VIETNAM, system(srid) if srid else None)
    assert reading is None
    assert [field for field, _, _ in problems] == ["position"]
    assert word in said(problems)


@pytest.mark.parametrize(
    ("first", "second", "srid", "fields", "word"),
    [
        ("", "", 5897, ["latitude", "longitude"], "missing"),
        ("1156833", "", 5897, ["longitude"], "missing"),
        ("", "569044", 5897, ["latitude"], "missing"),
        ("ten", "569044", 5897, ["latitude"], "metres"),
        ("NaN", "inf", 5897, ["latitude", "longitude"], "metres"),
        ("10.46", "105.63", 5897, ["latitude", "longitude"], "has metres"),
        ("10°27'37\"", "105°37'57\"", 5897, ["latitude", "longitude"], "has metres"),
        ("0", "0", 5897, ["latitude", "longitude"], "0, 0"),
        ("1156833.58", "569044.81", 4326, ["latitude", "longitude"], "coordinate system"),
        ("1.156.833,58", "569.044,81", 4326, ["latitude", "longitude"], "coordinate system"),
        ("1 156 833", "569 044", 4756, ["latitude", "longitude"], "coordinate system"),
        ("105.63", "10.46", 4756, ["latitude", "longitude"], "swapped"),
        ("105°37'57\"", "10°27'37\"", 4326, ["latitude", "longitude"], "swapped"),
        ("10°75'", "105°37'", 4326, ["latitude"], "below 60"),
        ("10.46 B", "10.47 B", 4326, ["latitude", "longitude"], "Both coordinates"),
        ("-10.46 N", "105.63", 4326, ["latitude"], "minus"),
        ("10.46", "105.63", 3148, ["latitude", "longitude"], "has metres"),
    ],
)
def test_two_columns_that_are_refused(first, second, srid, fields, word) -> None:
    reading, problems = read_columns(first, second, VIETNAM, system(srid))
    assert reading is None
    assert [field for field, _, _ in problems] == fields
    assert word in said(problems)


TEXTS = st.one_of(
    st.text(max_size=50),
    st.text(alphabet="0123456789.,;:°'\" -+NSEWBĐTđdmsXYxy=()/|\nVP2000", max_size=40),
)


@given(TEXTS, st.sampled_from([None, 4326, 4756, 5897, 32648, 3148]))
def test_any_text_is_a_position_or_one_reason(text, srid) -> None:
    reading, problems = read_pair(text, WORLD, system(srid) if srid else None)
    assert (reading is None) == (len(problems) == 1)
    assert said(problems) is not None
    if reading is not None:
        assert (reading.x, reading.y) != (0, 0) and notes(reading) is not None


@given(TEXTS, TEXTS, st.sampled_from([4326, 4756, 5897, 32648, 3148]))
def test_any_columns_are_a_position_or_reasons(first, second, srid) -> None:
    reading, problems = read_columns(first, second, WORLD, system(srid))
    assert (reading is None) == bool(problems)
    assert {field for field, _, _ in problems} <= {"latitude", "longitude"}
    assert said(problems) is not None


def test_texts_are_said_in_vietnamese(app) -> None:
    with force_locale("vi"):
        for text in ("1156833 569044", "10.46", "hello", "0,0"):
            _, problems = read_pair(text, VIETNAM)
            assert translate(problems[0][1]) != problems[0][1]


def test_a_measured_position_is_its_own_original() -> None:
    reading = Reading.of(CAO_LANH)
    assert (reading.system, reading.x, reading.y) == (WGS84, 105.6325, 10.4603)
