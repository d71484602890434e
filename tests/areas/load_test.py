"""Loading communes: all of a file or nothing of it, every mistake named."""

from __future__ import annotations

import copy
import json
from datetime import date
from typing import Any

import pytest
from sqlalchemy import func, select

from areas import queries, services
from areas.models import Area
from core.audit import AuditEntry
from core.errors import BadRequest, Forbidden, Invalid, TooLarge
from core.geo import Position
from core.policy import SYSTEM
from tests import makers

SQUARE = [[105.0, 10.0], [105.5, 10.0], [105.5, 10.5], [105.0, 10.5], [105.0, 10.0]]
BOW_TIE = [[105.0, 10.0], [105.5, 10.5], [105.5, 10.0], [105.0, 10.5], [105.0, 10.0]]


def feature(code: str = "1", ring: Any = SQUARE, name: str = "Xã Một", **more: Any) -> dict:
    return {
        "type": "Feature",
        "properties": {"code": code, "fullName": name, **more},
        "geometry": {"type": "Polygon", "coordinates": [copy.deepcopy(ring)]},
    }


def moved(ring: list, east: float) -> list:
    return [[x + east, y] for x, y in ring]


def load(session, *features: Any, by=SYSTEM, **more: Any) -> int:
    return services.load_areas(
        session,
        list(features),
        **{
            "province_code": "82",
            "province_name": "Tỉnh Đồng Tháp",
            "synthetic": True,
            "source": "test",
            "valid_from": date(2025, 7, 1),
            **more,
        },
        by=by,
        now=makers.NOW,
    )


def test_communes_and_their_province_are_loaded(session) -> None:
    east = feature("2", moved(SQUARE, 0.5), "Phường Hai", areaKm2=80.7)
    assert load(session, feature(), east) == 2
    assert [one.name for one in queries.communes(session)] == ["Phường Hai", "Xã Một"]
    (province,) = queries.provinces(session)
    assert (province.code, province.name) == ("82", "Tỉnh Đồng Tháp")
    assert queries.bounds_of(session, province) == [105.0, 10.0, 106.0, 10.5]
    assert queries.extent(session) == (105.0, 10.0, 106.0, 10.5)
    one = queries.area_by_code(session, "commune", "2")
    assert (one.parent_id, float(one.area_km2), one.synthetic) == (province.id, 80.7, True)
    assert queries.any_synthetic(session)
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "area.load")).one()
    assert entry.after["communes"] == 2


def test_the_same_file_again_makes_no_second_area(session) -> None:
    load(session, feature())
    load(session, feature())
    assert session.scalar(select(func.count()).select_from(Area)) == 2


def test_a_known_code_gets_its_new_boundary(session) -> None:
    load(session, feature())
    here = Position(10.2, 105.2)
    assert queries.commune_of(session, here).code == "1"
    load(session, feature(ring=moved(SQUARE, 1)))
    session.expire_all()
    assert queries.commune_of(session, here) is None
    assert queries.commune_of(session, Position(10.2, 106.2)).code == "1"
    assert queries.bounds_of(session, queries.provinces(session)[0]) == [106.0, 10.0, 106.5, 10.5]


def test_real_boundaries_take_the_mark_of_synthetic_ones_away(session) -> None:
    load(session, feature())
    load(session, feature(), synthetic=False)
    session.expire_all()
    assert not queries.any_synthetic(session)


def test_several_polygons_with_holes(session) -> None:
    hole = [[105.1, 10.1], [105.2, 10.1], [105.2, 10.2], [105.1, 10.2], [105.1, 10.1]]
    many = feature()
    many["geometry"] = {
        "type": "MultiPolygon",
        "coordinates": [[SQUARE, hole], [moved(SQUARE, 2)]],
    }
    load(session, many)
    assert queries.commune_of(session, Position(10.15, 105.15)) is None
    assert queries.commune_of(session, Position(10.3, 105.3)).code == "1"
    assert queries.commune_of(session, Position(10.3, 107.3)).code == "1"


def spoiled(**changes: Any) -> dict:
    made = feature("2")
    for key, value in changes.items():
        if value is None and key in made:
            made[key] = None
        else:
            made[key] = value
    return made


BAD = {
    "no object": "text",
    "no properties": spoiled(properties=None),
    "no code": feature(""),
    "no name": feature("2", name=""),
    "code too long": feature("2" * 21),
    "the code again": feature("1"),
    "no geometry": spoiled(geometry=None),
    "a point": spoiled(geometry={"type": "Point", "coordinates": [105, 10]}),
    "no coordinates": spoiled(geometry={"type": "Polygon"}),
    "empty": spoiled(geometry={"type": "Polygon", "coordinates": []}),
    "empty ring": feature("2", []),
    "two corners": feature("2", [[105, 10], [106, 10], [105, 10]]),
    "open ring": feature("2", SQUARE[:-1]),
    "three numbers": feature("2", [[x, y, 0] for x, y in SQUARE]),
    "texts": feature("2", [["105", "10"]] * 4),
    "metres": feature("2", [[x * 10_000, y * 100_000] for x, y in SQUARE]),
    "swapped": feature("2", [[y, x] for x, y in SQUARE]),
    "booleans": feature("2", [[True, False]] * 4),
    "crossing itself": feature("2", BOW_TIE),
    "flat": feature("2", [[105, 10], [106, 10], [105, 10], [105, 10]]),
}


@pytest.mark.parametrize("name", BAD)
def test_one_wrong_area_and_nothing_is_loaded(session, name) -> None:
    with pytest.raises(Invalid) as caught:
        load(session, feature("1"), BAD[name])
    assert list(caught.value.fields) == ["feature 2"]
    # The door rolls back what was written before the mistake was found.
    session.rollback()
    assert session.scalar(select(func.count()).select_from(Area)) == 0


def test_every_wrong_area_is_named(session) -> None:
    with pytest.raises(Invalid) as caught:
        load(session, feature(""), feature("3"), feature("4", [[1, 2]]))
    assert list(caught.value.fields) == ["feature 1", "feature 3"]


def test_the_province_must_be_named(session) -> None:
    with pytest.raises(Invalid):
        load(session, feature(), province_code=" ")


@pytest.mark.parametrize("role", ["staff", "inspector", "local_officer", "operator"])
def test_only_administrators_load(session, role) -> None:
    with pytest.raises(Forbidden):
        load(session, feature(), by=makers.actor(session, role))
    assert load(session, feature(), by=makers.actor(session, "admin")) == 1


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", BadRequest),
        (b"{}", Invalid),
        (b"[]", Invalid),
        (b'{"type":"FeatureCollection","features":[]}', Invalid),
        (b'{"type":"FeatureCollection","features":"x"}', Invalid),
        (b'{"type":"FeatureCollection","features":[{"a":NaN}]}', BadRequest),
        (b"[" * 50_000, BadRequest),
        (b'{"type":"FeatureCollection","features":' + b"[{}," * 40 + b"1", BadRequest),
    ],
)
def test_what_is_no_geojson_is_refused(content, error) -> None:
    with pytest.raises(error):
        services.read_features(content)


def test_too_many_areas_or_bytes_are_refused(monkeypatch) -> None:
    document = json.dumps({"type": "FeatureCollection", "features": [{}] * 3}).encode()
    monkeypatch.setattr(services, "MAX_AREAS", 2)
    with pytest.raises(TooLarge):
        services.read_features(document)
    monkeypatch.setattr(services, "MAX_BYTES", 10)
    with pytest.raises(TooLarge):
        services.read_features(document)


def test_a_boundary_with_too_many_points_is_refused(session, monkeypatch) -> None:
    monkeypatch.setattr(services, "MAX_VERTICES", 4)
    with pytest.raises(Invalid):
        load(session, feature())


def test_the_demo_province_has_its_102_communes(session) -> None:
    features = services.read_features(services.DEMO.read_bytes())
    assert load(session, *features) == 102
    assert len(queries.communes(session)) == 102
    assert all(one.synthetic for one in queries.communes(session))
    names = {one.name for one in queries.communes(session)}
    assert "Xã Thường Phước" in names
    # The cells do not overlap: together they are as large as what they cover.
    size = func.sum(func.ST_Area(Area.geom))
    together, whole = (
        session.scalar(select(size).where(Area.level == level)) for level in ("commune", "province")
    )
    assert together == pytest.approx(whole, rel=1e-4)
