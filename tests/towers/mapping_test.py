"""From headers to fields: guesses, positions in several columns, systems, corrections, keeping."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.errors import Invalid
from core.geo import Envelope
from tests.towers.lists import listed, mapped, raw
from towers.columns import Meaning, meaning
from towers.fields import FIELDS
from towers.mapping import ColumnMapping, corrected, guess, read_place

VIETNAM = Envelope(102, 7, 118, 24)


def guessed(header: str) -> dict[str, tuple[int | None, ...]]:
    with raw("a.csv", f"{header}\n".encode()) as listing:
        return dict(guess(listing).columns)


def values(content: str) -> list[dict[str, str]]:
    with listed("a.csv", content.encode()) as listing:
        return [row.values for row in listing.rows]


def places(content: str) -> list[tuple[float, float, int] | list[str]]:
    """Of every row its latitude, longitude and system, or what is wrong in words."""
    found: list = []
    with listed("a.csv", content.encode()) as listing:
        for row in listing.rows:
            reading, problems = read_place(row.values, listing.mapping, VIETNAM)
            if reading is None:
                found.append([text % facts for _, text, facts in problems])
            else:
                at = reading.position
                found.append((round(at.latitude, 4), round(at.longitude, 4), reading.system.srid))
    return found


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_every_field_is_known_by_its_name_and_label(field) -> None:
    assert meaning(field.name) == meaning(field.label) == Meaning(field.name)


@pytest.mark.parametrize(
    "header",
    [
        "Mã trạm;Tên trạm;Vĩ độ;Kinh độ",
        "MÃ;TÊN;VĨ ĐỘ;KINH ĐỘ",
        " code ; name ; lat ; lon ",
        "Site ID;Site name;LATITUDE;Long",
        "Mã trạm *;Tên trạm:;Vĩ độ (WGS84);Kinh độ (WGS84)",
        "1. Mã trạm;2. Tên trạm;3. Vĩ độ;4. Kinh độ",
        "Code;Name;Lat_WGS84;Long_WGS84",
    ],
)
def test_headers_in_two_languages_any_case_and_with_blanks(header) -> None:
    assert guessed(header) == {
        "code": (0,),
        "name": (1,),
        "latitude": (2,),
        "longitude": (3,),
    }


@pytest.mark.parametrize(
    "header",
    [
        "code,lat_deg,lat_min,lat_sec,lat_dir,lon_deg,lon_min,lon_sec,lon_dir",
        "Mã,Vĩ độ (độ),Vĩ độ (phút),Vĩ độ (giây),Vĩ độ N/S,"
        "Kinh độ (độ),Kinh độ (phút),Kinh độ (giây),Kinh độ E/W",
        "SUP_ID,COR_NB_DG_LAT,COR_NB_MN_LAT,COR_NB_SC_LAT,COR_CD_NS_LAT,"
        "COR_NB_DG_LON,COR_NB_MN_LON,COR_NB_SC_LON,COR_CD_EW_LON",
        "Mã,Latitude degrees,Latitude minutes,Latitude seconds,Latitude hemisphere,"
        "Longitude degrees,Longitude minutes,Longitude seconds,Longitude hemisphere",
    ],
)
def test_degrees_minutes_and_seconds_in_columns(header) -> None:
    found = guessed(header)
    assert found["latitude"] == (1, 2, 3, 4)
    assert found["longitude"] == (5, 6, 7, 8)


def test_a_column_of_degrees_alone_is_a_whole_coordinate() -> None:
    assert guessed("code,Latitude (degrees),Longitude (degrees)")["latitude"] == (1,)


@pytest.mark.parametrize(
    ("header", "srid"),
    [
        ("Mã;X;Y", 4326),
        ("Mã;Tọa độ X (m);Tọa độ Y (m)", 4326),
        ("Mã;X (VN-2000, KTT 105°45');Y (VN-2000, KTT 105°45')", 9210),
        ("Mã;X VN2000 105-45;Y VN2000 105-45", 9210),
        ("Mã;Northing (UTM 48N);Easting (UTM 48N)", 32648),
        ("Mã;Tọa độ VN-2000 (KTT 105°00');\n;X;Y", 5897),
        ("Mã;Tọa độ VN-2000, kinh tuyến trục 105°45';\n;X (m);Y (m)", 9210),
        ("Mã;Tọa độ;\n;VN-2000 KTT 105°45';\n;X;Y", 9210),
        ("Mã;Tọa độ UTM 48N;\n;Northing;Easting", 32648),
        ("Mã;Hệ VN-2000;\n;Vĩ độ;Kinh độ", 4756),
        ("Mã;Vị trí theo VN-2000;\n;1. Vĩ độ;2. Kinh độ", 4756),
    ],
)
def test_x_and_y_of_papers(header, srid) -> None:
    with raw("a.csv", f"{header}\n".encode()) as listing:
        found = guess(listing)
    assert (found.columns["latitude"], found.columns["longitude"]) == ((1,), (2,))
    assert found.srid == srid


def test_degrees_are_preferred_to_x_and_y() -> None:
    assert guessed("code,X,Y,Vĩ độ,Kinh độ")["latitude"] == (3,)
    assert guessed("code,Tọa độ,Vĩ độ,Kinh độ") == {
        "code": (0,), "latitude": (2,), "longitude": (3,)}  # fmt: skip


def test_the_system_is_that_of_the_columns_that_are_taken() -> None:
    content = (
        "Mã;Tọa độ;;;\n;VN-2000 (KTT 105°45');;WGS 84;\n;X;Y;Vĩ độ;Kinh độ\n"
        "A;1145746,57;566614,06;10,3601;106,3601\n"
    )
    assert places(content) == [(10.3601, 106.3601, 4326)]


def test_positions_in_every_shape_lead_to_the_same_place() -> None:
    here = (10.36, 106.36, 4326)
    assert places("code,latitude,longitude\nA,10.36,106.36\n") == [here]
    assert places("code;vĩ độ;kinh độ\nA;10°21'36\"N;106°21'36\"E\n") == [here]
    assert places('code,tọa độ\nA,"10.36, 106.36"\n') == [here]
    assert places(
        "code,lat_deg,lat_min,lat_sec,lat_dir,lon_deg,lon_min,lon_sec,lon_dir\n"
        "A,10,21,36,N,106,21,36,E\n"
    ) == [here]
    assert places("code,lat_deg,lat_min,lon_deg,lon_min\nA,10,21.6,106,21.6\n") == [here]


def test_a_system_of_the_header_and_of_each_row() -> None:
    (row,) = places(
        "Mã;X (VN-2000, KTT 105°45');Y (VN-2000, KTT 105°45')\nA;1145746,57;566614,06\n"
    )
    assert row == (10.3601, 106.3601, 9210)
    rows = places(
        "Mã;X;Y;Kinh tuyến trục\nA;1145746.57;566614.06;105°45'\nB;1156833.58;569044.81;105°00'\n"
        "C;1145746.57;566614.06;\nD;1145746.57;566614.06;ở đâu đó\n"
    )
    assert rows[:2] == [(10.3601, 106.3601, 9210), (10.4603, 105.6325, 5897)]
    assert "coordinate system" in rows[2][0]
    assert rows[3] == ["“ở đâu đó” is no coordinate system"]


def test_sentinels_mean_nothing() -> None:
    assert values("code,name,owner,height_m,latitude,longitude\nA,-,N/A,999999999,10,105\n") == [
        {"code": "A", "name": "", "owner": "", "height_m": "", "latitude": "10", "longitude": "105"}
    ]


def test_other_columns_are_named_and_left_out() -> None:
    with listed("a.csv", b"code,colour,latitude,longitude,\nA,red,10,105,\n") as listing:
        assert listing.ignored == ("colour", "Column 5")
        assert [row.values for row in listing.rows] == [
            {"code": "A", "latitude": "10", "longitude": "105"}
        ]


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("name,latitude,longitude", "no column for: code"),
        ("code,latitude", "no column for: longitude"),
        ("Anlage,Standort", "no column for: code, latitude, longitude"),
        ("code,code,latitude,longitude", "Two columns of the file mean “code”"),
        ("code,mã,latitude,longitude", "Two columns of the file mean “mã”"),
    ],
)
def test_what_is_not_whole_is_refused(header, says) -> None:
    with (
        pytest.raises(Invalid) as caught,
        listed("a.csv", f"{header}\nA,1,2,3\n".encode()),
    ):
        pass
    assert says in caught.value.message % caught.value.facts


def test_a_person_corrects_what_was_guessed_and_it_is_kept_for_the_next_list() -> None:
    content = b"Anlage;Standort;Nord;Ost\nA;Ulm;10,5;105,5\nB;Bonn;10,6;105,6\n"
    with raw("a.csv", content) as listing:
        first = guess(listing)
        assert first.columns == {}
        mine = corrected(
            first,
            columns={"code": (0,), "name": (1,), "latitude": (2,), "longitude": (3,)},
            srid=4756,
        )
        rows = list(mapped(listing, mine).rows)
    assert rows[0].values == {"code": "A", "name": "Ulm", "latitude": "10,5", "longitude": "105,5"}
    kept = mine.as_json()
    with raw("b.csv", content) as again:
        mapping = ColumnMapping.from_json(kept, again.headers)
    assert mapping == mine
    with pytest.raises(Invalid, match="other columns"):
        ColumnMapping.from_json(kept, ("Anlage", "Standort"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"columns": {"password": (0,)}},
        {"columns": {"code": (7,)}},
        {"columns": {"code": (-1,)}},
        {"columns": {"code": ("0",)}},
        {"columns": {"code": (0, 1, 2, 3)}},
        {"columns": {"latitude": (0, 1)}},
        {"srid": 1},
        {"srid": 5773},
    ],
)
def test_a_correction_that_cannot_be_is_refused(wrong) -> None:
    with pytest.raises(Invalid):
        replace(ColumnMapping(("a", "b"), {"code": (0,)}), **wrong)
