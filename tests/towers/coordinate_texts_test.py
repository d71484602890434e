"""Angles and lengths as papers write them: every form of one place reads as the same place."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from towers.coordinate_texts import (
    LATITUDE,
    LONGITUDE,
    MAX_LENGTH,
    Lengths,
    Unreadable,
    joined,
    read_angle,
    read_angles,
    read_length,
    read_lengths,
)

# 10°27′36.5″ in every usual writing; what follows says the side.
WRITINGS = [
    "10°27'36.5\"", "10°27'36,5\"", "10° 27' 36,5\"", "10 ° 27 ' 36,5 \"", "10°27′36,5″",
    "10º27’36,5”", "10˚27´36,5´´", "10⁰27’36,5’’", "10°27'36,5''", "10°27'36\",5", "10°27'36,5",
    "10o27'36,5\"", "10*27'36,5\"", "10d27m36.5s", "10d 27m 36.5s", "10D27M36.5S", "10d27'36.5\"",
    "10 27 36.5", "10 27 36,5", "010 27 36.5", "10-27-36.5", "10:27:36.5", "10.27.36,5",
    "10 độ 27 phút 36,5 giây", "10 do 27 phut 36,5 giay", "10 deg 27 min 36.5 sec",
    "10Â°27'36,5\"", "10°27â€²36,5â€³", "10°27'36.50000\"", "10\u00a027\u00a036,5",
    "10°\u200b27'36,5\"", "10°27.608333333333333'", "10 27.608333333333333", "10,460138888888889",
    "10.460138888888889", "10.460138888888889°",
]  # fmt: skip
PLACE = 10 + 27 / 60 + 36.5 / 3600


@pytest.mark.parametrize("writing", WRITINGS)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_one_angle_in_every_writing(writing, form) -> None:
    angle = read_angle(unicodedata.normalize(form, writing))
    assert angle.degrees == pytest.approx(PLACE, abs=1e-12)
    assert angle.axis is None and not angle.either


@pytest.mark.parametrize("writing", WRITINGS)
@pytest.mark.parametrize(
    ("side", "sign", "axis"),
    [
        ("B", 1, LATITUDE), ("Bắc", 1, LATITUDE), ("bac", 1, LATITUDE), ("north", 1, LATITUDE),
        ("vĩ độ Bắc", 1, LATITUDE), ("vĩ Bắc", 1, LATITUDE), ("Nam", -1, LATITUDE),
        ("south", -1, LATITUDE), ("vĩ độ Nam", -1, LATITUDE),
        ("E", 1, LONGITUDE), ("Đ", 1, LONGITUDE), ("Đông", 1, LONGITUDE), ("dong", 1, LONGITUDE),
        ("kinh độ Đông", 1, LONGITUDE), ("East", 1, LONGITUDE), ("W", -1, LONGITUDE),
        ("T", -1, LONGITUDE), ("Tây", -1, LONGITUDE), ("kinh độ tây", -1, LONGITUDE),
    ],
)  # fmt: skip
def test_sides_before_and_after(writing, side, sign, axis) -> None:
    for text in (f"{writing} {side}", f"{side} {writing}", f"{side}: {writing}"):
        for form in ("NFC", "NFD"):
            angle = read_angle(unicodedata.normalize(form, text))
            assert angle.degrees == pytest.approx(sign * PLACE, abs=1e-12), text
            assert angle.axis == axis and not angle.either


@pytest.mark.parametrize("text", ["10°27'36.5\"S", "10 27 36.5 S", "10.460138888888889S",
                                  "S10°27'36.5\"", "10.460138888888889 s"])  # fmt: skip
def test_s_after_a_whole_angle_is_south(text) -> None:
    angle = read_angle(text)
    assert angle.degrees == pytest.approx(-PLACE) and angle.axis == LATITUDE


@pytest.mark.parametrize("text", ["105.63D", "105,63 D", "105 37 48 D", "105°37'48\"D"])
def test_d_after_a_whole_angle_is_dong(text) -> None:
    angle = read_angle(text)
    assert angle.degrees == pytest.approx(105.63) and angle.axis == LONGITUDE


def test_n_may_be_either_and_says_so() -> None:
    for text in ("10.46N", "N 10.46", "10°27'36\" n"):
        angle = read_angle(text)
        assert angle.either and angle.degrees > 0 and angle.axis == LATITUDE
    assert read_angle("10.46 E").language == "en"
    assert read_angle("10.46 B").language == "vi"
    assert read_angle("10.46 Nam").language == "vi"


def test_names_of_the_axes() -> None:
    for text in ("lat 10.46", "Latitude: 10.46", "Vĩ độ: 10,46", "vi do = 10.46", "φ 10.46"):
        assert read_angle(text).axis == LATITUDE, text
    for text in ("lon 105.63", "lng=105.63", "Kinh độ: 105,63", "kinh do 105.63", "λ=105.63"):
        assert read_angle(text).axis == LONGITUDE, text


PAIRS = [
    "{0} {1}", "{0}, {1}", "{0}; {1}", "{0} / {1}", "{0} | {1}", "{0}\n{1}", "{0}\t{1}",
    "({0}, {1})", "[{0}; {1}]", "{0} - {1}", " {0}  {1} ", "lat {0} lon {1}",
    "Vĩ độ: {0}; Kinh độ: {1}",
]  # fmt: skip


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [
        ("10.46", "105.6325"), ("10,46", "105,6325"), ("10°27'36\"", "105°37'57\""),
        ("10 27 36.0", "105 37 57.0"), ("10 27 36", "105 37 57"), ("10d27m36s", "105d37m57s"),
        ("10°27'36\"B", "105°37'57\"Đ"), ("10 27 36 B", "105 37 57 Đ"), ("10°27.6'", "105°37.95'"),
        ("10:27:36", "105:37:57"), ("10-27-36", "105-37-57"),
        ("10°27'36\" vĩ độ Bắc", "105°37'57\" kinh độ Đông"),
    ],
)  # fmt: skip
def test_pairs_in_one_cell(pair, latitude, longitude) -> None:
    text = pair.format(latitude, longitude)
    found = [angle.degrees for angle in read_angles(text)]
    assert found == pytest.approx([10.46, 105.6325], abs=1e-12), text


@pytest.mark.parametrize(
    "text",
    ["10.46,105.6325", "10,46,105,6325", "10°27'36\"N105°37'57\"E", "N10°27'36\"E105°37'57\"",
     "N10 27 36 E105 37 57", "B 10°27'36\" Đ 105°37'57\"", "10°27'36\"B-105°37'57\"Đ",
     "vĩ độ Bắc 10°27'36\" kinh độ Đông 105°37'57\"", "10.46N105.6325E", "+10.46 +105.6325"],
)  # fmt: skip
def test_pairs_with_nothing_but_letters_between(text) -> None:
    assert [one.degrees for one in read_angles(text)] == pytest.approx([10.46, 105.6325])


def test_signs() -> None:
    assert [one.degrees for one in read_angles("-10.46 -105.63")] == [-10.46, -105.63]
    assert [one.degrees for one in read_angles("−10.46, 105.63")] == [-10.46, 105.63]
    assert read_angle("-10°27'36\"").degrees == -10.46
    assert read_angle("-0 30 0").degrees == -0.5


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "NaN", "nan", "inf", "-inf", "Infinity", "1e5", "1.05e2", "1E+2", "0x10", "--1",
        "1_0", "mười", "Nguyễn Văn Nam", "N", "°", "'", "10.4.6", "10,4,6,8,9", "=10.46",
        "10°27'36\"X", "10°60'", "10°27'60\"", "10 75", "10.5°27'", "10°27.5'36\"", "10'27\"",
        "10°27°", "10°27\"36'", "181", "-181", "95 B", "105.63 B", "200 Đ", "-10 B", "-10.46 S",
        "10 B Đ", "B 10 Đ", "vĩ độ 10 Đ", "999999999999", "1156833.58", "10.46..", "10 27 36 10",
        "<script>", "{{7*7}}", "- 10", "10 -", "1" * 500, "10°27'36\"N" * 30,
    ],
)  # fmt: skip
def test_what_is_no_angle(text) -> None:
    with pytest.raises(Unreadable) as refusal:
        read_angle(text)
    assert refusal.value.text % refusal.value.facts


def test_whole_degrees_beyond_any_length_are_refused_at_once() -> None:
    with pytest.raises(Unreadable):
        read_angles("1" * (MAX_LENGTH + 1))


@given(st.text(max_size=60))
def test_no_text_breaks_the_reading(text) -> None:
    try:
        found = read_angles(text)
    except Unreadable as refusal:
        assert refusal.text % refusal.facts
    else:
        assert all(abs(one.degrees) <= 180 for one in found)
    read_length(text)
    read_lengths(text)


@given(st.text(alphabet="0123456789.,;:°'\" -+NSEWBĐTđdmsoXYxy=()/|\n", max_size=40))
def test_no_near_coordinate_breaks_the_reading(text) -> None:
    try:
        assert all(abs(one.degrees) <= 180 for one in read_angles(text))
    except Unreadable as refusal:
        assert refusal.text % refusal.facts
    read_length(text)
    read_lengths(text)


@given(st.integers(0, 89), st.integers(0, 59), st.integers(0, 59_999))
def test_every_whole_angle_reads_alike_in_all_writings(degrees, minutes, milli) -> None:
    seconds = f"{milli // 1000}.{milli % 1000:03d}"
    expected = degrees + minutes / 60 + float(seconds) / 3600
    for text in (
        f"{degrees}°{minutes}'{seconds}\"",
        f"{degrees} {minutes:02d} {seconds}",
        f"{degrees}d{minutes}m{seconds}s",
        f"{degrees}°{minutes}'{seconds.replace('.', ',')}\" B",
        joined(str(degrees), str(minutes), seconds, "B"),
        joined(f"{degrees}°", f"{minutes}'", f'{seconds}"', "vĩ độ Bắc"),
    ):
        assert read_angle(text).degrees == pytest.approx(expected, abs=1e-12)


# Columns


@pytest.mark.parametrize(
    ("cells", "degrees"),
    [
        (("46", "0", "13", "N"), 46 + 13 / 3600),
        (("0", "21", "19", "E"), 21 / 60 + 19 / 3600),
        (("0", "20", "57", "W"), -(20 / 60 + 57 / 3600)),
        (("10", "27", "36,5", ""), PLACE),
        (("10°", "27'", '36,5"', "B"), PLACE),
        (("10", "27", "", ""), 10.45),
        (("10", "", "", "Nam"), -10),
        (("-10", "27", "36.5", ""), -PLACE),
        ((" 10 ", " 27.5 ", "", " B "), 10 + 27.5 / 60),
    ],
)
def test_columns_of_degrees_minutes_seconds(cells, degrees) -> None:
    assert read_angle(joined(*cells)).degrees == pytest.approx(degrees, abs=1e-12)


def test_the_columns_of_the_french_register(reference) -> None:
    """Columns 4 to 11 of ANFR's register: degrees, minutes, seconds, side, twice."""
    path = reference("data/towers-anfr-sample/SUP_SUPPORT_sample.txt")
    rows = [line.split(";") for line in path.read_text(encoding="utf-8").splitlines() if line]
    assert len(rows) > 30
    for cells in rows:
        latitude = read_angle(joined(*cells[3:7]))
        longitude = read_angle(joined(*cells[7:11]))
        assert latitude.axis == LATITUDE and longitude.axis == LONGITUDE
        assert 41 < latitude.degrees < 52 and -6 < longitude.degrees < 10, cells


def test_empty_columns_are_empty() -> None:
    assert joined("", " ", "", "N") == ""


@pytest.mark.parametrize("cells", [("", "27", "36", "N"), ("10", "", "36", ""), ("10.5", "27")])
def test_columns_with_a_hole_are_no_angle(cells) -> None:
    with pytest.raises(Unreadable):
        read_angle(joined(*cells))


# Lengths


@pytest.mark.parametrize(
    "text",
    ["1156789.5", "1156789,5", "1.156.789,5", "1,156,789.5", "1 156 789,5", "1 156 789.5",
     "1'156'789.5", "1\u00a0156\u00a0789,5", "1\u202f156\u202f789,50", "1156789.5 m", "1156789.5m",
     "+1156789.5", " 1156789,50 mét "],
)  # fmt: skip
def test_one_length_in_every_writing(text) -> None:
    assert read_length(text) == 1156789.5


@pytest.mark.parametrize(
    ("text", "number"),
    [("567.890", 567890), ("567,890", 567890), ("567890", 567890), ("567890.123", 567890.123),
     ("0567890", 567890), ("1156789,123", 1156789.123), ("-567890", -567890)],
)  # fmt: skip
def test_thousands_and_decimals(text, number) -> None:
    assert read_length(text) == number


@pytest.mark.parametrize("text", ["", "m", "NaN", "inf", "1e6", "1.156.78", "1,156.789.5", "12 34",
                                  "1..2", "=1", "1" * 12, "1" * 400, "X"])  # fmt: skip
def test_what_is_no_length(text) -> None:
    assert read_length(text) is None


NORTH, EAST = 1156789.5, 567890.25


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("X=1156789,5 Y=567890,25", Lengths(NORTH, EAST, True, True)),
        ("X: 1156789.5; Y: 567890.25", Lengths(NORTH, EAST, True, True)),
        ("X = 1.156.789,5 m; Y = 567.890,25 m", Lengths(NORTH, EAST, True, True)),
        ("X(m): 1156789.5 Y(m): 567890.25", Lengths(NORTH, EAST, True, True)),
        ("Y=567890.25, X=1156789.5", Lengths(EAST, NORTH, False, True)),
        ("x 1 156 789,5 - y 567 890,25", Lengths(NORTH, EAST, True, True)),
        ("E 567890.25 N 1156789.5", Lengths(EAST, NORTH, False)),
        ("N=1156789.5 E=567890.25", Lengths(NORTH, EAST, True)),
        ("567890.25mE 1156789.5mN", Lengths(EAST, NORTH, False)),
        ("567890.25 Đ, 1156789.5 B", Lengths(EAST, NORTH, False)),
        ("Bắc 1156789.5 Đông 567890.25", Lengths(NORTH, EAST, True)),
        ("Easting: 567890.25, Northing: 1156789.5", Lengths(EAST, NORTH, False)),
        ("567890.25 1156789.5", Lengths(EAST, NORTH)),
        ("1156789.5;567890.25", Lengths(NORTH, EAST)),
        ("1156789.5,567890.25", Lengths(NORTH, EAST)),
        ("1156789,5, 567890,25", Lengths(NORTH, EAST)),
        ("1 156 789,5 567 890,25", Lengths(NORTH, EAST)),
        ("1.156.789,5 567.890,25", Lengths(NORTH, EAST)),
        ("48P 567890.25 1156789.5", Lengths(EAST, NORTH, None, False, 48, "P")),
        ("48 P 567890.25E 1156789.5N", Lengths(EAST, NORTH, False, False, 48, "P")),
        ("UTM 48N 567890.25 1156789.5", Lengths(EAST, NORTH, None, False, 48, "N")),
        ("zone 48p: 567890.25, 1156789.5", Lengths(EAST, NORTH, None, False, 48, "P")),
    ],
)
def test_two_lengths_with_what_is_said_of_them(text, expected) -> None:
    for form in ("NFC", "NFD"):
        assert read_lengths(unicodedata.normalize(form, text)) == expected


@pytest.mark.parametrize(
    "text",
    ["", "10.46, 105.63", "X=10.46 Y=105.63", "567890.25", "X=567890.25", "X=1156789 X=567890",
     "E=1156789 Đ=567890", "1156789 567890 42", "X=1156789 Y=567890 Z=4", "ZZ 1156789 567890",
     "48P", "99P 567890 1156789", "48I 567890 1156789", "1156789 NaN"],
)  # fmt: skip
def test_what_is_no_two_lengths(text) -> None:
    assert read_lengths(text) is None


@given(
    st.from_regex(
        r"\d{1,3}(° ?| )\d{1,2}(['′] ?| )\d{1,2}([.,]\d{1,9})?(\"|″|'')? ?[NBEWĐT]?",
        fullmatch=True,
        alphabet=st.characters(codec="utf-8"),
    )
)
def test_the_usual_writing_reads_as_any_other(text) -> None:
    """Long lists take a short cut; it must lead to the same place, or the same refusal."""

    def outcome(read):
        try:
            return read()
        except Unreadable as refusal:
            return refusal.text, dict(refusal.facts)

    def slowly():
        (found,) = read_angles(text)
        return found

    assert outcome(lambda: read_angle(text)) == outcome(slowly)
