"""Reading areas: the commune of a point, territories, lists and boundaries."""

from __future__ import annotations

import json
from datetime import date

import pytest

from areas import queries
from areas.models import Area
from core.errors import BadRequest
from core.geo import Position
from tests import makers


def test_a_point_lies_in_the_commune_that_covers_it(session) -> None:
    west = makers.commune(session, box=(105.0, 10.0, 105.5, 10.5))
    east = makers.commune(session, box=(105.5, 10.0, 106.0, 10.5))
    assert queries.commune_of(session, Position(10.2, 105.2)).id == west.id
    assert queries.commune_of(session, Position(10.2, 105.7)).id == east.id
    assert queries.commune_of(session, Position(9.9, 105.2)) is None


def test_a_point_on_a_shared_border_has_always_the_same_commune(session) -> None:
    makers.commune(session, code="B", box=(105.5, 10.0, 106.0, 10.5))
    makers.commune(session, code="A", box=(105.0, 10.0, 105.5, 10.5))
    assert queries.commune_of(session, Position(10.2, 105.5)).code == "A"


def test_areas_of_the_past_are_not_current(session) -> None:
    old = makers.commune(session, code="OLD")
    old.valid_from, old.valid_to = None, date(2025, 6, 30)
    session.flush()
    assert queries.commune_of(session, Position(10.5, 105.5)) is None
    assert queries.area_by_code(session, "commune", "OLD") is None
    assert queries.communes(session) == []
    assert queries.listed(session).rows == []
    assert queries.extent(session) is None


def test_a_territory_is_its_communes_and_those_of_its_provinces(session) -> None:
    province = Area(level="province", code="82", name="Đồng Tháp", valid_from=date(2025, 7, 1))
    session.add(province)
    session.flush()
    inside, also, other = (makers.commune(session) for _ in range(3))
    inside.parent_id = also.parent_id = province.id
    session.flush()
    assert queries.commune_ids(session, [province.id]) == {inside.id, also.id}
    assert queries.commune_ids(session, [other.id]) == {other.id}
    assert queries.commune_ids(session, [province.id, other.id]) == {inside.id, also.id, other.id}
    assert queries.commune_ids(session, []) == frozenset()


def test_names_are_in_vietnamese_order(session) -> None:
    names = ["Ấp Bắc", "Đốc Binh Kiều", "An Hòa", "Dương Minh", "Ô Môn", "Ông Đốc", "Ea"]
    for name in names:
        makers.commune(session, name=name)
    assert [one.name for one in queries.communes(session)] == [
        "An Hòa",
        "Ấp Bắc",
        "Dương Minh",
        "Đốc Binh Kiều",
        "Ea",
        "Ô Môn",
        "Ông Đốc",
    ]


@pytest.mark.parametrize("text", ["cao lanh", "CAO LÃNH", "lãnh", "Cao Lãnh"])
def test_the_search_ignores_case_and_marks(session, text) -> None:
    found = makers.commune(session, name="Phường Cao Lãnh")
    makers.commune(session, name="Xã Tân Hồng")
    assert [one.id for one in queries.listed(session, q=text).rows] == [found.id]


@pytest.mark.parametrize("text", ["%", "_", "\\", "100%", "'"])
def test_wildcards_are_only_letters(session, text) -> None:
    makers.commune(session, name="Xã Một")
    assert queries.listed(session, q=text).rows == []


def test_pages_hold_every_area_once(session) -> None:
    codes = {makers.commune(session).code for _ in range(7)}
    seen: list[str] = []
    cursor = None
    while True:
        page = queries.listed(session, level="commune", limit=3, cursor=cursor)
        seen += [one.code for one in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == sorted(codes)
    with pytest.raises(BadRequest):
        queries.listed(session, cursor="nonsense")


def test_boundaries_are_geojson_with_their_mark(session) -> None:
    assert json.loads(queries.with_boundaries(session, "commune"))["features"] == []
    made = makers.commune(session, name=makers.CANARY)
    document = json.loads(queries.with_boundaries(session, "commune"))
    assert document["type"] == "FeatureCollection"
    (feature,) = document["features"]
    assert feature["properties"] == {
        "code": made.code,
        "name": makers.CANARY,
        "synthetic": True,
        "id": made.id,
    }
    assert feature["geometry"]["type"] == "MultiPolygon"
    assert feature["geometry"]["coordinates"][0][0][0] == [105, 10]
