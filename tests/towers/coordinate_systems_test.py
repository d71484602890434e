"""Coordinate systems and the one way between VN-2000 and WGS 84, in Python and in PostGIS alike."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS, Geod, Transformer
from pyproj.transformer import TransformerGroup
from sqlalchemy import func, literal, select

from core.geo import Position
from core.policy import SYSTEM
from core.settings import ROOT
from tests import makers
from towers import queries
from towers.coordinate_systems import (
    DATA,
    VN2000,
    WGS84,
    NoSuchPlace,
    UnknownSystem,
    find_system,
    from_wgs84,
    named_systems,
    proj_text,
    system,
    systems_of_province,
    tm3_zones,
    to_wgs84,
    utm_system,
)
from towers.queries import Filters

EARTH = Geod(ellps="WGS84")
# Places of Đồng Tháp in WGS 84 and projected, made with PROJ 9.5.1's "VN-2000 to WGS 84 (1)",
# which lies 0.8 m from the parameters of decision 05/2007/QĐ-BTNMT that are used here.
VECTORS = {
    "Cao Lãnh": (105.6325, 10.4603, 5897, 569044.81, 1156833.58),
    "Sa Đéc": (105.7569, 10.2904, 5897, 582708.59, 1138071.24),
    "Hồng Ngự": (105.3406, 10.8095, 5897, 537046.89, 1195406.78),
    "Mỹ Tho": (106.3601, 10.3601, 9210, 566614.06, 1145746.57),
    "Gò Công": (106.6720, 10.3653, 9210, 600770.06, 1146403.90),
}
NAMES = [one.srid for one in named_systems()]


def metres(one: Position, other: Position) -> float:
    return EARTH.inv(one.longitude, one.latitude, other.longitude, other.latitude)[2]


def bearing(one: Position, other: Position) -> float:
    return EARTH.inv(one.longitude, one.latitude, other.longitude, other.latitude)[0]


@pytest.mark.parametrize("name", VECTORS)
def test_known_places_within_a_metre(name) -> None:
    longitude, latitude, srid, x, y = VECTORS[name]
    place = Position(latitude, longitude)
    assert metres(to_wgs84(x, y, system(srid)), place) < 1
    east, north = from_wgs84(place, system(srid))
    assert abs(east - x) < 1 and abs(north - y) < 1


@pytest.mark.parametrize("name", VECTORS)
def test_the_rotations_have_the_signs_of_the_decision(name) -> None:
    """The registry's own operation gives the same; opposite rotations lie 0.55 m away."""
    longitude, latitude, _, _, _ = VECTORS[name]
    registered = Transformer.from_pipeline(
        "+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad"
        " +step +proj=push +v_3 +step +proj=cart +ellps=WGS84"
        " +step +proj=helmert +x=-191.90441429 +y=-39.30318279 +z=-111.45032835 +rx=-0.00928836"
        " +ry=0.01975479 +rz=-0.00427372 +s=0.252906278 +convention=coordinate_frame"
        " +step +inv +proj=cart +ellps=WGS84 +step +proj=pop +v_3"
        " +step +proj=unitconvert +xy_in=rad +xy_out=deg"
    )
    x, y = registered.transform(longitude, latitude)
    ours = to_wgs84(longitude, latitude, VN2000)
    assert metres(ours, Position(y, x)) < 0.001
    turned = Transformer.from_pipeline(
        registered.definition.replace("rx=-", "rx=").replace("ry=", "ry=-").replace("rz=-", "rz=")
    )
    x, y = turned.transform(longitude, latitude)
    assert 0.4 < metres(ours, Position(y, x)) < 0.7


def test_the_way_is_the_registry_s_second_operation() -> None:
    registered = {one.description: one for one in TransformerGroup(4756, 4326).transformers}
    second = registered["VN-2000 to WGS 84 (2)"]
    latitude, longitude = second.transform(10.4603, 105.6325)
    assert metres(to_wgs84(105.6325, 10.4603, VN2000), Position(latitude, longitude)) < 0.001


@pytest.mark.parametrize("name", VECTORS)
def test_ignoring_the_datum_is_225_metres_to_the_west_north_west(name) -> None:
    longitude, latitude, _, _, _ = VECTORS[name]
    place = Position(latitude, longitude)
    raw_x, raw_y = from_wgs84(place, VN2000)
    raw = Position(raw_y, raw_x)
    assert metres(raw, place) == pytest.approx(225.4, abs=0.3)
    assert bearing(raw, place) == pytest.approx(120, abs=0.5)


def test_a_wrong_meridian_is_82_km() -> None:
    _, _, _, x, y = VECTORS["Cao Lãnh"]
    right, wrong = to_wgs84(x, y, system(5897)), to_wgs84(x, y, system(9210))
    assert metres(right, wrong) == pytest.approx(82_000, abs=200)
    assert metres(right, to_wgs84(x, y, system(3405))) == pytest.approx(348, abs=1)
    assert metres(right, to_wgs84(x, y, system(32648))) == pytest.approx(491, abs=1)


PLACES = st.builds(Position, st.floats(7, 24), st.floats(102, 110.5))


@pytest.mark.parametrize("srid", NAMES)
@given(place=PLACES)
def test_there_and_back_to_a_millimetre(srid, place) -> None:
    there = from_wgs84(place, system(srid))
    back = to_wgs84(*there, system(srid))
    assert metres(place, back) < 0.001


@pytest.mark.parametrize("srid", [4147, 3148, 2044, 3857, 32448, 2154])
def test_any_other_code_there_and_back(srid) -> None:
    place = Position(45.0, 3.0) if srid == 2154 else Position(10.46, 105.63)
    other = system(srid)
    assert other.datum == "other" and not other.named
    assert metres(to_wgs84(*from_wgs84(place, other), other), place) < 0.01


def test_the_datum_of_another_system_is_never_ignored() -> None:
    """Indian 1960 lies some 500 m off; its numbers unchanged would be a silent mistake."""
    moved = to_wgs84(105.63, 10.46, system(4131))
    assert 300 < metres(moved, Position(10.46, 105.63)) < 700


@pytest.mark.parametrize("srid", [0, -1, 1, 4978, 4979, 5773, 7415, 999999, 10**12])
def test_codes_that_are_no_system_of_positions(srid) -> None:
    with pytest.raises(UnknownSystem):
        system(srid)


@pytest.mark.parametrize("zone", [0, 61, -1, 480])
def test_no_such_utm_zone(zone) -> None:
    with pytest.raises(UnknownSystem):
        utm_system(zone)


def test_utm_zones_of_both_hemispheres() -> None:
    assert utm_system(48).srid == 32648
    assert utm_system(21, south=True).srid == 32721


@pytest.mark.parametrize("srid", [*NAMES, 3148, 4147])
@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf"), 1e300])
def test_numbers_that_are_no_place(srid, number) -> None:
    for x, y in ((number, 10.0), (105.0, number)):
        with pytest.raises(NoSuchPlace):
            to_wgs84(x, y, system(srid))


@pytest.mark.parametrize("srid", [one for one in NAMES if system(one).metric])
def test_nobody_is_1000_km_from_a_central_meridian(srid) -> None:
    assert to_wgs84(1_499_999, 1_156_833, system(srid))
    for x in (1_500_001, -500_001):
        with pytest.raises(NoSuchPlace):
            to_wgs84(x, 1_156_833, system(srid))


@given(st.floats(), st.floats(), st.sampled_from([*NAMES, 3148, 4147, 3857]))
def test_any_numbers_are_a_place_or_refused(x, y, srid) -> None:
    try:
        place = to_wgs84(x, y, system(srid))
    except NoSuchPlace:
        return
    assert -90 <= place.latitude <= 90 and -180 <= place.longitude <= 180


def test_every_thread_gets_the_same() -> None:
    _, _, srid, x, y = VECTORS["Mỹ Tho"]
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(lambda _: to_wgs84(x, y, system(srid)), range(200)))
    assert len(found) == 1


def test_the_environment_cannot_turn_grids_from_the_network_on() -> None:
    code = (
        "from pyproj.network import is_network_enabled\n"
        "from towers.coordinate_systems import system, to_wgs84\n"
        "to_wgs84(105.63, 10.46, system(4131))\n"
        "print(is_network_enabled(), to_wgs84(-81.28, 38.63, system(4267)))\n"
    )
    answers = {
        setting: subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PROJ_NETWORK": setting},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for setting in ("ON", "OFF")
    }
    assert answers["ON"].startswith("False ")
    assert answers["ON"] == answers["OFF"]


@pytest.mark.parametrize(
    ("text", "srid"),
    [
        ("9210", 9210), ("EPSG:9210", 9210), ("epsg 3405", 3405), ("4326", 4326), ("3148", 3148),
        ("WGS84", 4326), ("WGS 84", 4326), ("wgs-84", 4326), ("GPS", 4326),
        ("VN-2000", 4756), ("VN2000", 4756), ("vn 2000", 4756), ("Hệ tọa độ VN-2000", 4756),
        ("VN2000 105°45'", 9210), ("VN-2000, KTT 105-45", 9210), ("105,75", 9210), ("105.75", 9210),
        ("KTT 105", 5897), ("105°00′", 5897), ("VN-2000 / TM-3 105°00′", 5897),
        ("VN-2000 múi 3° kinh tuyến trục 104°30'", 9207), ("108.25", 9217),
        ("VN-2000 / UTM zone 48N", 3405), ("VN2000 UTM 49N", 3406),
        ("UTM 48N", 32648), ("WGS 84 / UTM zone 49N", 32649),
    ],
)  # fmt: skip
def test_systems_by_the_names_that_people_write(text, srid) -> None:
    assert find_system(text) == system(srid)


@pytest.mark.parametrize(
    "text",
    ["", "toạ độ", "VN-2000 WGS 84", "KTT 105-20", "106.4", "UTM 47N", "4978", "99", "Sài Gòn",
     "WGS 84 105°45'"],
)  # fmt: skip
def test_texts_that_name_no_system(text) -> None:
    assert find_system(text) is None


def test_every_named_system_is_found_by_its_own_name() -> None:
    for one in named_systems():
        assert find_system(one.name) == one
        assert find_system(f"EPSG:{one.srid}") == one


@given(st.text(max_size=40))
def test_no_text_breaks_the_search_for_a_system(text) -> None:
    found = find_system(text)
    assert found is None or found.srid > 0


@pytest.mark.parametrize(
    ("name", "srids"),
    [
        # Merged in July 2025: papers of either half may come.
        ("Đồng Tháp", [5897, 9210]),
        ("Tỉnh Đồng Tháp", [5897, 9210]),
        ("dong thap", [5897, 9210]),
        ("Tiền Giang", [9210]),
        ("Thành phố Hồ Chí Minh", [9210, 5899]),
        ("Huế", [9214]),
        ("Thừa Thiên Huế", [9214]),
        ("Atlantis", []),
        ("", []),
    ],
)
def test_zones_of_a_province_before_and_after_its_merger(name, srids) -> None:
    assert [one.srid for one in systems_of_province(name)] == srids


def test_all_63_provinces_became_34() -> None:
    provinces = yaml.safe_load(DATA.read_text(encoding="utf-8"))["provinces"]
    assert len(provinces) == 63
    assert len({row.get("now", row["name"]) for row in provinces}) == 34
    zones = {one.srid for one in tm3_zones()}
    assert {row["srid"] for row in provinces} <= zones


def test_named_systems_agree_with_the_registry() -> None:
    for one in named_systems():
        crs = CRS.from_epsg(one.srid)
        assert crs.is_projected == one.metric
        assert crs.geodetic_crs is not None
        assert crs.geodetic_crs.to_epsg() == (4756 if one.datum == "vn2000" else 4326)
        if one.metric:
            assert crs.coordinate_operation is not None
            facts = {param.name: param.value for param in crs.coordinate_operation.params}
            assert facts["Longitude of natural origin"] == one.meridian
            assert facts["Scale factor at natural origin"] == one.scale
            assert facts["False easting"] == 500_000 and facts["False northing"] == 0
            assert facts["Latitude of natural origin"] == 0


# The same in PostGIS


def in_postgis(session, x: float, y: float, srid: int) -> Position:
    point = queries.point_from(literal(x), literal(y), system(srid))
    row = session.execute(select(func.ST_X(point), func.ST_Y(point), func.ST_SRID(point))).one()
    assert row[2] == 4326
    return Position(row[1], row[0])


@pytest.mark.parametrize("name", VECTORS)
def test_known_places_within_a_metre_in_postgis(session, name) -> None:
    longitude, latitude, srid, x, y = VECTORS[name]
    assert metres(in_postgis(session, x, y, srid), Position(latitude, longitude)) < 1


@pytest.mark.parametrize("srid", NAMES)
def test_postgis_and_python_agree_to_millimetres(session, srid) -> None:
    for place in (Position(10.4603, 105.6325), Position(21.03, 105.85), Position(8.6, 104.8)):
        x, y = from_wgs84(place, system(srid))
        assert metres(in_postgis(session, x, y, srid), place) < 0.001
        # The way there leaves 2 mm, as heights are left out.
        tower = makers.tower(session, latitude=place.latitude, longitude=place.longitude)
        places = queries.places_in(SYSTEM, Filters(), system(srid), today=makers.NOW.date())
        east, north = session.execute(
            select(places.c.x, places.c.y).where(places.c.id == tower.id)
        ).one()
        near = 0.002 if system(srid).metric else 2e-8
        assert abs(east - x) < near and abs(north - y) < near


def test_postgis_has_no_way_of_ours_for_other_systems(session) -> None:
    with pytest.raises(ValueError, match="3148"):
        queries.point_from(literal(1.0), literal(1.0), system(3148))
    with pytest.raises(ValueError, match="3148"):
        proj_text(system(3148))


def test_the_registry_of_postgis_has_no_part(session) -> None:
    """Its VN-2000 may be missing or lack the datum; the way must not depend on it."""
    assert "+towgs84=-191.90441429" in proj_text(system(9210))
    text = proj_text(WGS84)
    assert "+towgs84=0,0,0" in text and "EPSG" not in text
