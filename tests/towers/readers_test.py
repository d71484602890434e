"""Reading lists as people have them: encodings, delimiters, headers, GeoJSON."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadRequest, DomainError, Invalid, TooLarge, UnsupportedMedia
from core.words import plain
from towers import readers
from towers.readers import read

HEADER = "code,name,structure_type,height_m,latitude,longitude,owner"
LINE = "DT-001,Trạm Cao Lãnh,monopole,42,10.46,105.63,Viễn thông Đồng Tháp"


def rows(content: str | bytes, name: str = "list.csv") -> list[dict[str, str]]:
    data = content.encode() if isinstance(content, str) else content
    return [row.values for row in read(name, data).rows]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1258"]
)
def test_vietnamese_text_in_every_common_encoding(encoding) -> None:
    import unicodedata

    text = f"{HEADER}\n{LINE}\n"
    if encoding == "cp1258":
        # This code page writes tone marks as letters of their own.
        text = "".join(
            letter if letter.isascii() or letter in "ăâêôơưđĂÂÊÔƠƯĐ" else _split(letter)
            for letter in text
        )
    marks = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}
    content = marks.get(encoding, b"") + text.encode(encoding)
    (row,) = rows(content)
    assert row["name"] == unicodedata.normalize("NFC", "Trạm Cao Lãnh")
    assert row["owner"] == "Viễn thông Đồng Tháp"
    assert row["code"] == "DT-001"


def _split(letter: str) -> str:
    """The letter with its tone as a combining mark, its circumflex or horn kept."""
    import unicodedata

    marks = unicodedata.normalize("NFD", letter)
    tone = [mark for mark in marks if mark in "\u0300\u0301\u0303\u0309\u0323"]
    base = unicodedata.normalize("NFC", "".join(mark for mark in marks if mark not in tone))
    return base + "".join(tone)


def test_windows_western_text_is_read_too() -> None:
    content = "code,name,latitude,longitude\nA,Caf\xe9 \xd2,10,105\n".encode("cp1252")
    (row,) = rows(content)
    assert row["name"].startswith("Caf")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_every_common_delimiter(delimiter) -> None:
    content = f"{HEADER}\n{LINE}\n".replace(",", delimiter)
    (row,) = rows(content)
    assert (row["code"], row["latitude"], row["longitude"]) == ("DT-001", "10.46", "105.63")


def test_semicolons_with_decimal_commas() -> None:
    (row,) = rows("code;latitude;longitude;height_m\nA;10,46;105,63;42,5\n")
    assert (row["latitude"], row["longitude"], row["height_m"]) == ("10,46", "105,63", "42,5")


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_every_line_ending(ending) -> None:
    content = ending.join([HEADER, LINE, "", LINE.replace("001", "002"), ""])
    assert [row["code"] for row in rows(content)] == ["DT-001", "DT-002"]


def test_quotes_hold_delimiters_and_line_breaks() -> None:
    (row,) = rows('code,name,latitude,longitude\nA,"Trạm ""1"", xã\nTân Thuận",10,105\n')
    assert row["name"] == 'Trạm "1", xã\nTân Thuận'


@pytest.mark.parametrize(
    "header",
    [
        "Mã trạm;Tên trạm;Vĩ độ;Kinh độ",
        "MÃ;TÊN;VĨ ĐỘ;KINH ĐỘ",
        " code ; name ; lat ; lon ",
        "Site ID;Site name;LATITUDE;Long",
    ],
)
def test_headers_in_vietnamese_any_case_and_with_blanks(header) -> None:
    (row,) = rows(f"{header}\nA;Tên;10;105\n")
    assert row == {"code": "A", "name": "Tên", "latitude": "10", "longitude": "105"}


def test_other_columns_are_named_and_left_out() -> None:
    listing = read("a.csv", b"code,colour,latitude,longitude,\nA,red,10,105,\n")
    assert listing.ignored == ("colour",)
    assert [row.values for row in listing.rows] == [
        {"code": "A", "latitude": "10", "longitude": "105"}
    ]


def test_rows_have_the_numbers_that_an_editor_shows() -> None:
    listing = read("a.csv", b"code,latitude,longitude\nA,1,2\n\nB,3,4\n")
    assert [(row.number, row.values["code"]) for row in listing.rows] == [(2, "A"), (4, "B")]


def test_short_rows_miss_cells_and_long_rows_are_marked() -> None:
    short, long = rows("code,latitude,longitude\nA,1\nB,1,2,extra\n")
    assert short["longitude"] == ""
    assert "_surplus" in long


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", Invalid),
        (b"\n\n", Invalid),
        (b",,,\n", Invalid),
        (b"name,latitude,longitude\n", Invalid),
        (b"code,latitude\n", Invalid),
        (b"code,code,latitude,longitude\n", Invalid),
        ("code,mã,latitude,longitude\n".encode(), Invalid),
        (b"\x00\x01\x02binary", Invalid),
        (b"PK\x03\x04" + b"\x00" * 30, Invalid),
        (b"\xff\xfec\x00o", Invalid),
    ],
)
def test_what_cannot_be_a_list_is_refused(content, error) -> None:
    with pytest.raises(error):
        list(read("list.csv", content).rows)


@pytest.mark.parametrize("name", ["a.xlsx", "a.kml", "a.shp", "a", "a.vrt", ".csv.exe"])
def test_other_endings_are_refused(name) -> None:
    with pytest.raises(UnsupportedMedia):
        read(name, f"{HEADER}\n{LINE}\n".encode())


def test_a_giant_cell_is_refused_with_its_reason() -> None:
    content = f"code,name,latitude,longitude\nA,{'x' * 200_000},10,105\n".encode()
    with pytest.raises(Invalid):
        list(read("a.csv", content).rows)


def test_too_many_rows_and_bytes_are_refused(monkeypatch) -> None:
    monkeypatch.setattr(readers, "MAX_ROWS", 2)
    with pytest.raises(TooLarge):
        rows("code,latitude,longitude\nA,1,2\nB,1,2\nC,1,2\n")
    monkeypatch.setattr(readers, "MAX_BYTES", 10)
    with pytest.raises(TooLarge):
        rows(f"{HEADER}\n{LINE}\n")


@given(st.text(), st.sampled_from(["a.csv", "a.geojson"]))
def test_any_text_is_read_or_refused_with_a_reason(text, name) -> None:
    try:
        list(read(name, text.encode("utf-8", "surrogatepass")).rows)
    except DomainError as error:
        assert error.message


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r\n"), max_size=20)


@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=5))
def test_what_a_spreadsheet_writes_is_read_as_it_was(cells) -> None:
    import unicodedata

    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["code", "name", "latitude", "longitude"])
    writer.writerows([("X", first, second, "105") for first, second in cells])
    read_back = [(row["name"], row["latitude"]) for row in rows(out.getvalue())]

    def clean(text: str) -> str:
        return unicodedata.normalize("NFC", text.strip())

    assert read_back == [(clean(first), clean(second)) for first, second in cells]


@pytest.mark.parametrize(
    ("header", "same"), [("Vĩ độ", "vi do"), (" ĐỘ  CAO ", "do cao"), ("Longitude", "longitude")]
)
def test_headers_are_compared_without_marks(header, same) -> None:
    assert plain(header) == same


def collection(*features) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": list(features)}).encode()


def feature(geometry, **properties) -> dict:
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def point(longitude, latitude, *more) -> dict:
    return {"type": "Point", "coordinates": [longitude, latitude, *more]}


def test_geojson_points_with_the_same_names_as_csv() -> None:
    content = collection(
        feature(point(105.63, 10.46), code="A", name="Trạm", height_m=42.5, services=["bts"]),
        feature(point(105.7, 10.5, 12), code="B", name=None),
    )
    first, second = rows(content, "a.geojson")
    assert first == {
        "code": "A",
        "name": "Trạm",
        "height_m": "42.5",
        "services": "bts",
        "latitude": "10.46",
        "longitude": "105.63",
    }
    assert (second["code"], second["name"], second["height_m"]) == ("B", "", "")


def test_geojson_may_begin_with_a_byte_order_mark() -> None:
    content = b"\xef\xbb\xbf" + collection(feature(point(105, 10), code="A"))
    (row,) = rows(content, "a.geojson")
    assert row["code"] == "A"


@pytest.mark.parametrize(
    "geometry",
    [
        None,
        {"type": "LineString", "coordinates": [[105, 10], [106, 11]]},
        {"type": "Point", "coordinates": []},
        {"type": "Point"},
        {"type": "Point", "coordinates": "105,10"},
        "POINT(105 10)",
    ],
)
def test_what_is_no_point_is_marked(geometry) -> None:
    (row,) = rows(collection(feature(geometry, code="A")), "a.geojson")
    assert "_geometry" in row


def test_tiny_numbers_are_not_written_with_an_exponent() -> None:
    (row,) = rows(collection(feature(point(0.00001, -1e-7), code="A")), "a.geojson")
    assert (row["longitude"], row["latitude"]) == ("0.00001", "-0.0000001")


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"{}", Invalid),
        (b"[]", Invalid),
        (b"null", Invalid),
        (collection(), Invalid),
        (b'{"type":"FeatureCollection","features":{}}', Invalid),
        (collection(feature(point(105, 10), name="no code")), Invalid),
        (collection(feature(point(105, 10), code="A", ma="B")), Invalid),
        (b'{"type":"FeatureCollection","features":[NaN]}', BadRequest),
        (b'{"type":"FeatureCollection","features":[1e999]}', BadRequest),
        (b'{"type":1,"type":2}', BadRequest),
        (b"[" * 100_000, BadRequest),
        (b'{"type":"FeatureCollection","features":[{"a":"\\ud800"}]}', BadRequest),
        (b'{"a":"\\u0000"}', BadRequest),
        (b"\xff\xfe{", BadRequest),
        (b"", BadRequest),
    ],
)
def test_what_is_no_geojson_list_is_refused(content, error) -> None:
    with pytest.raises(error):
        list(read("a.geojson", content).rows)


def test_features_that_are_no_objects_become_bad_rows() -> None:
    content = collection(
        feature(point(105, 10), code="A"), None, 3, "x", {"properties": [], "geometry": 1}
    )
    read_rows = rows(content, "a.geojson")
    assert len(read_rows) == 5
    assert all("_geometry" in row for row in read_rows[1:])


def test_a_property_that_only_a_late_feature_has_is_not_lost() -> None:
    many = [feature(point(105, 10), code=f"A{number}") for number in range(1500)]
    many.append(feature(point(105, 10), code="B", owner="Viễn thông", colour="red"))
    listing = read("a.geojson", collection(*many))
    assert listing.ignored == ("colour",)
    assert list(listing.rows)[-1].values["owner"] == "Viễn thông"
