"""The likely mistake is named by the position that lands in the commune that the paper names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod
from sqlalchemy import update

from areas.models import Area
from areas.queries import communes_of, metres_to, province_covers
from core.db import current_session
from core.geo import Envelope, Position
from core.policy import SYSTEM
from tests import makers
from tests.plans import Crowd
from towers import queries
from towers.coordinate_systems import VN2000, WGS84, from_wgs84, system, to_wgs84
from towers.coordinates import Reading, read_pair
from towers.mistakes import MISTAKES, Mistake, alternatives, packed, unpacked
from towers.places import Evidence, check_place

EARTH = Geod(ellps="WGS84")
CAO_LANH = Position(10.4603, 105.6325)
MY_THO = Position(10.3601, 106.3601)
VIETNAM = Envelope(102, 7, 118, 24)


def metres(one: Position, other: Position) -> float:
    return EARTH.inv(one.longitude, one.latitude, other.longitude, other.latitude)[2]


def reading(position: Position, written_in: int, taken_for: int) -> Reading:
    """A place whose coordinates were written in one system and are read in another."""
    x, y = from_wgs84(position, system(written_in))
    return Reading(to_wgs84(x, y, system(taken_for)), system(taken_for), x, y)


def around(session, position: Position, *, side: float = 0.002, **facts) -> Area:
    """A commune of about `side` degrees around a place (0.002: 220 m)."""
    half = side / 2
    return makers.commune(
        session,
        box=(
            position.longitude - half,
            position.latitude - half,
            position.longitude + half,
            position.latitude + half,
        ),
        **facts,
    )


def province(session, name: str = "Đồng Tháp", *communes: Area) -> Area:
    made = Area(
        level="province", code="82", name=name, valid_from=communes[0].valid_from, source="test"
    )
    session.add(made)
    session.flush()
    for commune in communes:
        commune.parent_id = made.id
    session.flush()
    session.expire_all()
    return made


def mistakes(check) -> list[str]:
    return [hint.alternative.mistake for hint in check.hints]


# Undoing


@pytest.mark.parametrize(
    ("written_in", "taken_for", "mistake", "distance"),
    [
        (4756, 4326, Mistake.DATUM_IGNORED, 225),
        (4326, 4756, Mistake.DATUM_NOT_NEEDED, 225),
        (3405, 32648, Mistake.DATUM_IGNORED, 225),
        (32648, 3405, Mistake.DATUM_NOT_NEEDED, 225),
        (5897, 9210, Mistake.WRONG_MERIDIAN, 82_000),
        (9210, 5897, Mistake.WRONG_MERIDIAN, 82_000),
        (5897, 9208, Mistake.WRONG_MERIDIAN, 27_370),
        (5897, 3405, Mistake.WRONG_PROJECTION, 348),
        (5897, 32648, Mistake.WRONG_PROJECTION, 491),
        (3405, 5897, Mistake.WRONG_PROJECTION, 348),
        (32649, 32648, Mistake.WRONG_ZONE, None),
        (3406, 3405, Mistake.WRONG_ZONE, None),
    ],
)
def test_the_true_place_is_among_the_alternatives(written_in, taken_for, mistake, distance) -> None:
    wrong = reading(CAO_LANH, written_in, taken_for)
    if distance is not None:
        assert metres(wrong.position, CAO_LANH) == pytest.approx(distance, rel=0.01)
    found = [one for one in alternatives(wrong) if metres(one.position, CAO_LANH) < 0.01]
    assert [one.mistake for one in found] == [mistake]
    assert found[0].system == system(written_in)
    assert to_wgs84(found[0].x, found[0].y, found[0].system) == found[0].position


@pytest.mark.parametrize(
    ("x", "y", "mistake"),
    [
        (10.4603, 105.6325 - 90, None),
        (5.6325, 10.4603, Mistake.DIGIT_LOST),
        (105.6325, -10.4603, Mistake.WRONG_SIDE),
        (-105.6325, 10.4603, Mistake.WRONG_SIDE),
        (-105.6325, -10.4603, Mistake.WRONG_SIDE),
        # 10°27′37.08″ and 105°37′57″ written as decimals.
        (105.3757, 10.273708, Mistake.MINUTES_AS_DECIMALS),
    ],
)
def test_mistakes_with_degrees(x, y, mistake) -> None:
    wrong = Reading(Position(y, x), WGS84, x, y)
    found = [one.mistake for one in alternatives(wrong) if metres(one.position, CAO_LANH) < 0.1]
    assert found == ([] if mistake is None else [mistake])


def test_decimals_that_were_read_as_minutes() -> None:
    wrong, _ = read_pair("10°46'03\" 105°63'25\"", VIETNAM)
    assert wrong is None, "63 minutes are refused at once"
    wrong, _ = read_pair("10°46'03\" 105°53'25\"", VIETNAM)
    assert wrong is not None
    found = [
        one for one in alternatives(wrong)
        if metres(one.position, Position(10.4603, 105.5325)) < 0.1
    ]  # fmt: skip
    assert [one.mistake for one in found] == [Mistake.DECIMALS_AS_MINUTES]


def test_swapped_lengths_lie_in_the_sea() -> None:
    right = reading(CAO_LANH, 5897, 5897)
    swapped = Reading(to_wgs84(right.y, right.x, system(5897)), system(5897), right.y, right.x)
    assert swapped.position.latitude == pytest.approx(5.1, abs=0.05)
    assert swapped.position.longitude == pytest.approx(110.9, abs=0.05)
    found = [one for one in alternatives(swapped) if metres(one.position, CAO_LANH) < 0.01]
    assert [one.mistake for one in found] == [Mistake.SWAPPED]


def test_a_northing_without_its_million() -> None:
    right = reading(CAO_LANH, 5897, 5897)
    y = right.y - 1_000_000
    short = Reading(to_wgs84(right.x, y, system(5897)), system(5897), right.x, y)
    found = [one for one in alternatives(short) if metres(one.position, CAO_LANH) < 0.01]
    assert [one.mistake for one in found] == [Mistake.DIGIT_LOST]


def test_other_systems_have_no_datum_to_forget() -> None:
    x, y = from_wgs84(CAO_LANH, system(3148))
    found = {one.mistake for one in alternatives(Reading(CAO_LANH, system(3148), x, y))}
    assert not found & {Mistake.DATUM_IGNORED, Mistake.WRONG_MERIDIAN}


def test_every_mistake_has_its_text() -> None:
    assert set(MISTAKES) == set(Mistake)


@pytest.mark.parametrize(
    ("degrees", "value"),
    [(10.2736, 10.46), (10.27, 10.45), (10.3, 10.5), (-10.2736, -10.46), (105.0, 105.0),
     (10.0000001, 10.00000027777778), (10.6, None), (10.2760, None), (1e-7, 2.777777777778e-7)],
)  # fmt: skip
def test_minutes_behind_the_point(degrees, value) -> None:
    found = unpacked(degrees)
    assert found is None if value is None else found == pytest.approx(value, abs=1e-12)


@given(st.integers(0, 179), st.integers(0, 59), st.integers(0, 5999))
def test_packing_is_the_reverse(degrees, minutes, hundredths) -> None:
    written = float(f"{degrees}.{minutes:02d}{hundredths:04d}")
    value = unpacked(written)
    assert value is not None and packed(value) == pytest.approx(written, abs=1e-8)


@given(
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.sampled_from([4326, 4756, 5897, 3405, 32648, 3148]),
)
def test_no_numbers_break_the_search(x, y, srid) -> None:
    for one in alternatives(Reading(CAO_LANH, system(srid), x, y)):
        assert one.position != CAO_LANH


# Checking a place


def test_a_right_place_has_nothing_against_it(session) -> None:
    commune = around(session, CAO_LANH)
    check = check_place(session, Reading.of(CAO_LANH), by=SYSTEM, stated_commune=commune)
    assert check.plausible and check.inside_envelope and check.in_stated_commune
    assert check.metres_from_stated == 0
    assert check.commune is not None and check.commune.id == commune.id
    assert check.in_stated_province is None and check.nearest is None and check.hints == ()


@pytest.mark.parametrize(
    ("written_in", "taken_for", "mistake"),
    [
        (4756, 4326, Mistake.DATUM_IGNORED),
        (4326, 4756, Mistake.DATUM_NOT_NEEDED),
        (9210, 5897, Mistake.WRONG_MERIDIAN),
        (5897, 3405, Mistake.WRONG_PROJECTION),
        (5897, 32648, Mistake.WRONG_PROJECTION),
        (32649, 32648, Mistake.WRONG_ZONE),
    ],
)
def test_the_mistake_is_the_one_that_leads_to_the_stated_commune(
    session, written_in, taken_for, mistake
) -> None:
    commune = around(session, CAO_LANH)
    wrong = reading(CAO_LANH, written_in, taken_for)
    check = check_place(session, wrong, by=SYSTEM, stated_commune=commune)
    assert not check.plausible and check.in_stated_commune is False
    assert check.metres_from_stated is not None and check.metres_from_stated > 50
    assert mistakes(check) == [mistake]
    assert check.hints[0].evidence == Evidence.COMMUNE
    assert check.hints[0].text == MISTAKES[mistake]
    assert metres(check.hints[0].alternative.position, CAO_LANH) < 0.01


def test_swapped_lengths_are_found_beyond_the_envelope(session) -> None:
    commune = around(session, CAO_LANH)
    x, y = from_wgs84(CAO_LANH, system(5897))
    sea = Reading(to_wgs84(y, x, system(5897)), system(5897), y, x)
    check = check_place(session, sea, by=SYSTEM, stated_commune=commune)
    assert not check.inside_envelope
    assert mistakes(check) == [Mistake.SWAPPED]


def test_the_province_tells_where_no_commune_is_stated(session) -> None:
    east = around(session, MY_THO, side=0.5)
    makers.commune(session, box=(105.3, 10.3, 105.7, 10.6))
    tien_giang = province(session, "Tiền Giang", east)
    wrong = reading(MY_THO, 9210, 5897)
    check = check_place(session, wrong, by=SYSTEM, stated_province=tien_giang)
    assert check.in_stated_province is False and check.commune is not None
    assert check.hints[0].alternative.system.srid == 9210, "its own zone comes first"
    assert check.hints[0].alternative.mistake == Mistake.WRONG_MERIDIAN
    assert check.hints[0].evidence == Evidence.PROVINCE
    right = check_place(session, Reading.of(MY_THO), by=SYSTEM, stated_province=tien_giang)
    assert right.in_stated_province and right.plausible


def test_the_province_of_the_stated_commune_counts(session) -> None:
    commune = around(session, CAO_LANH)
    around(session, MY_THO)
    province(session, "Đồng Tháp", commune)
    wrong = reading(CAO_LANH, 5897, 9210)
    check = check_place(session, wrong, by=SYSTEM, stated_commune=session.get(Area, commune.id))
    assert check.in_stated_province is False
    assert mistakes(check) == [Mistake.WRONG_MERIDIAN]


def test_without_any_statement_any_commune_tells(session) -> None:
    around(session, CAO_LANH, side=0.02)
    wrong = reading(CAO_LANH, 5897, 9210)
    check = check_place(session, wrong, by=SYSTEM)
    assert check.commune is None
    assert (check.in_stated_commune, check.in_stated_province) == (None, None)
    assert mistakes(check)[0] == Mistake.WRONG_MERIDIAN
    assert check.hints[0].evidence == Evidence.AREA


def test_a_known_tower_betrays_the_datum_inside_the_right_commune(session) -> None:
    """226 m seldom leave a commune of 58 km²: the tower that stands there is what tells."""
    commune = around(session, CAO_LANH, side=0.1)
    known = makers.tower(session, latitude=CAO_LANH.latitude, longitude=CAO_LANH.longitude)
    wrong = reading(CAO_LANH, 4756, 4326)
    check = check_place(session, wrong, by=SYSTEM, stated_commune=commune)
    assert check.in_stated_commune
    assert check.nearest is not None and check.nearest[0].id == known.id
    assert check.nearest[1] == pytest.approx(225.4, abs=0.5)
    assert mistakes(check) == [Mistake.DATUM_IGNORED]
    assert check.hints[0].evidence == Evidence.COMMUNE_AND_TOWER
    assert not check.plausible


def test_a_tower_beside_the_position_needs_no_explanation(session) -> None:
    commune = around(session, CAO_LANH, side=0.1)
    makers.tower(session, latitude=CAO_LANH.latitude, longitude=CAO_LANH.longitude)
    wrong = reading(CAO_LANH, 4756, 4326)
    beside = wrong.position
    makers.tower(session, latitude=beside.latitude, longitude=beside.longitude)
    check = check_place(session, wrong, by=SYSTEM, stated_commune=commune)
    assert check.nearest is not None and check.nearest[1] < 1
    assert check.plausible


def test_a_dismantled_tower_betrays_nothing(session) -> None:
    commune = around(session, CAO_LANH, side=0.1)
    makers.tower(
        session,
        latitude=CAO_LANH.latitude,
        longitude=CAO_LANH.longitude,
        lifecycle="dismantled",
    )
    check = check_place(session, reading(CAO_LANH, 4756, 4326), by=SYSTEM, stated_commune=commune)
    assert check.hints == ()


def test_towers_that_the_reader_may_not_see_betray_nothing(session) -> None:
    inside = around(session, CAO_LANH, side=0.1)
    elsewhere = around(session, MY_THO)
    makers.tower(session, latitude=CAO_LANH.latitude, longitude=CAO_LANH.longitude, commune=inside)
    wrong = reading(CAO_LANH, 4756, 4326)
    stranger = makers.actor(session, "inspector", territories=[elsewhere])
    check = check_place(session, wrong, by=stranger, stated_commune=inside)
    assert check.nearest is None and check.hints == ()
    local = makers.actor(session, "inspector", territories=[inside])
    check = check_place(session, wrong, by=local, stated_commune=inside)
    assert check.nearest is not None and mistakes(check) == [Mistake.DATUM_IGNORED]


def test_a_commune_without_boundary_says_nothing(session) -> None:
    commune = around(session, CAO_LANH)
    session.execute(update(Area).where(Area.id == commune.id).values(geom=None))
    session.expire_all()
    check = check_place(session, Reading.of(CAO_LANH), by=SYSTEM, stated_commune=commune)
    assert check.in_stated_commune is None and check.metres_from_stated is None
    assert check.commune is None


def test_hints_are_few(session) -> None:
    makers.commune(session, box=(100, 5, 119, 25))
    elsewhere = around(session, Position(20, 103))
    check = check_place(session, reading(CAO_LANH, 5897, 5897), by=SYSTEM, stated_commune=elsewhere)
    assert 0 < len(check.hints) <= 5


# The queries below it


def test_communes_of_many_points_in_their_order(session) -> None:
    one, other = around(session, CAO_LANH), around(session, MY_THO)
    found = communes_of(session, [MY_THO, Position(20, 103), CAO_LANH, MY_THO])
    assert [area.id if area else None for area in found] == [other.id, None, one.id, other.id]
    assert communes_of(session, []) == []


def test_a_former_commune_is_none(session) -> None:
    area = around(session, CAO_LANH)
    session.execute(update(Area).where(Area.id == area.id).values(valid_to=area.valid_from))
    assert communes_of(session, [CAO_LANH]) == [None]


def test_distance_to_an_area_in_metres(session) -> None:
    area = around(session, CAO_LANH, side=0.002)
    assert metres_to(session, area, CAO_LANH) == 0
    north = Position(CAO_LANH.latitude + 0.011, CAO_LANH.longitude)
    assert metres_to(session, area, north) == pytest.approx(1106, abs=2)


def test_a_province_with_a_boundary_of_its_own(session) -> None:
    commune = around(session, CAO_LANH)
    made = province(session, "Đồng Tháp", commune)
    points = [CAO_LANH, MY_THO]
    assert province_covers(session, made, points) == [True, False]
    wide = makers.commune(session, box=(106, 10, 107, 11))
    session.execute(
        update(Area).where(Area.id == made.id).values(
            geom=session.get_one(Area, wide.id).geom
        )
    )  # fmt: skip
    assert province_covers(session, made, points) == [False, True]
    assert province_covers(session, made, []) == []


def test_distances_to_the_nearest_tower_of_many_points(session) -> None:
    makers.tower(session, latitude=CAO_LANH.latitude, longitude=CAO_LANH.longitude)
    raw = reading(CAO_LANH, 4756, 4326).position
    found = queries.metres_to_nearest(session, SYSTEM, [MY_THO, raw, CAO_LANH], metres=300)
    assert found[0] is None and found[2] == 0
    assert found[1] == pytest.approx(225.4, abs=0.5)
    assert queries.metres_to_nearest(session, SYSTEM, [raw], metres=200) == [None]
    assert queries.metres_to_nearest(session, SYSTEM, [], metres=200) == []


def test_all_alternatives_are_looked_up_by_spatial_indexes(crowd: Crowd) -> None:
    places = [one.position for one in alternatives(reading(Position(10.5, 105.5), 5897, 5897))]
    assert len(places) > 20
    asked = crowd.asked(lambda: communes_of(current_session(), places))
    assert "ix_area_geom" in asked[0].indexes, asked[0].plan
    asked = crowd.asked(
        lambda: queries.metres_to_nearest(current_session(), SYSTEM, places, metres=20)
    )
    assert "ix_tower_geom" in asked[0].indexes, asked[0].plan


def test_a_check_asks_the_same_few_questions_however_many_alternatives(crowd: Crowd) -> None:
    def questions(srid: int) -> int:
        right = reading(Position(10.5, 105.5), srid, srid)
        return len(crowd.asked(lambda: check_place(current_session(), right, by=SYSTEM)))

    assert questions(5897) <= questions(4326) + 1 <= 8


def test_vn2000_of_a_place_is_not_its_wgs84() -> None:
    assert from_wgs84(CAO_LANH, VN2000) != (CAO_LANH.longitude, CAO_LANH.latitude)
