"""Points of geometry files as rows of a list: attributes as texts, then longitude and latitude."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyogrio.raw
import pytest
import shapely

from core.errors import DomainError, Invalid
from core.geo import Envelope
from tests.core.geofiles_test import geojson, point, written, zipped
from tests.towers.lists import listed, mapped, raw
from towers.mapping import guess, read_place
from towers.readers import opened

VIETNAM = Envelope(102, 7, 118, 24)


def rows(path: Path):
    with opened(path, path.name) as listing:
        return listing.headers, list(listing.rows), listing.facts, listing.notes


def collection(*features: object) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def test_attributes_become_texts_and_the_point_two_cells(tmp_path: Path) -> None:
    path = geojson(
        tmp_path / "a.geojson",
        point(105.63, 10.46, code="007", height_m=42.0, count=3, services=["bts", "other"],
              yes=True, none=None, protected="'=1"),
        point(0.00001, -1e-7, code="B", height_m=42.5),
    )  # fmt: skip
    headers, (first, second), facts, notes = rows(path)
    assert headers == (
        "code", "height_m", "count", "services", "yes", "none", "protected",
        "longitude", "latitude",
    )  # fmt: skip
    assert first.cells == ["007", "42", "3", "bts,other", "true", "", "'=1", "105.63", "10.46"]
    assert second.cells[-2:] == ["0.00001", "-0.0000001"]
    assert (facts.format, facts.srid, facts.part) == ("GeoJSON", 4326, "a")
    assert notes == []


@pytest.mark.parametrize("name", ["a.gpkg", "a.zip", "a.kml", "a.fgb"])
def test_every_geometry_format_is_a_list(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "a.zip":
        zipped(path, "list")
    else:
        written(path)
    with opened(path, name) as listing:
        mapping = guess(listing)
        found = list(mapped(listing, mapping).rows)
    first = found[0].values
    assert (first["code"], first["name"], first["height_m"]) == ("DT-001", "Trạm Cao Lãnh", "42.5")
    reading, problems = read_place(first, mapping, VIETNAM)
    assert problems == []
    assert (reading.position.latitude, reading.position.longitude) == (10.46, 105.63)


def test_points_in_vn2000_go_through_their_system(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    pyogrio.raw.write(
        path,
        geometry=np.array([shapely.Point(566614.06, 1145746.57).wkb], dtype=object),
        field_data=[np.array(["A"], dtype=object)],
        fields=["code"],
        geometry_type="Point",
        crs="EPSG:9210",
        driver="GPKG",
    )
    with opened(path, "a.gpkg") as listing:
        mapping = guess(listing)
        assert mapping.srid == 9210
        (row,) = mapped(listing, mapping).rows
    reading, _ = read_place(row.values, mapping, VIETNAM)
    assert reading.position.latitude == pytest.approx(10.3601, abs=1e-5)
    assert reading.position.longitude == pytest.approx(106.3601, abs=1e-5)
    assert (reading.system.srid, reading.x) == (9210, 566614.06)


def test_a_projection_without_a_code_is_known_by_its_meridian(tmp_path: Path) -> None:
    """As programs write it that know no EPSG: the name says nothing, the numbers do."""
    path = tmp_path / "a.zip"
    own = (
        'PROJCS["Dong_Thap_he_rieng",GEOGCS["GCS_He_rieng",DATUM["D_He_rieng",'
        'SPHEROID["WGS_1984",6378137.0,298.257223563]],PRIMEM["Greenwich",0.0],'
        'UNIT["Degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],'
        'PARAMETER["False_Easting",500000.0],PARAMETER["False_Northing",0.0],'
        'PARAMETER["Central_Meridian",105.75],PARAMETER["Scale_Factor",0.9999],'
        'PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]'
    )
    zipped(path, "list", crs=own)
    with opened(path, "a.zip") as listing:
        assert listing.facts.srid is None
        assert guess(listing).srid == 9210


def test_heights_are_left_out_with_a_note(tmp_path: Path) -> None:
    path = geojson(tmp_path / "a.geojson", point(105, 10, 3.5, code="A"), point(106, 11, code="B"))
    _, (first, second), _, notes = rows(path)
    assert first.cells[-2:] == ["105", "10"] and second.cells[-2:] == ["106", "11"]
    assert [text for text, _ in notes] == ["The heights or measures of the points were left out"]


@pytest.mark.parametrize(
    ("geometry", "value"),
    [
        (None, "null"),
        ({"type": "LineString", "coordinates": [[105, 10], [106, 11]]}, "LineString"),
        ({"type": "MultiPoint", "coordinates": [[105, 10], [106, 11]]}, "MultiPoint"),
        ({"type": "Point", "coordinates": []}, "null"),
        ({"type": "Point", "coordinates": [float("nan"), 1]}, "POINT EMPTY"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}, "Polygon"),
    ],
)
def test_what_is_no_point_is_named(geometry, value) -> None:
    feature = {"type": "Feature", "geometry": geometry, "properties": {"code": "A"}}
    with raw("a.geojson", collection(point(105, 10, code="B"), feature)) as listing:
        good, bad = listing.rows
    assert good.problems == ()
    assert [(one[0], one[3]) for one in bad.problems] == [("_geometry", value)]
    assert bad.cells == ["A", "", ""]


def test_a_multipoint_of_one_is_a_point() -> None:
    one = {"type": "MultiPoint", "coordinates": [[105.5, 10.5]]}
    feature = {"type": "Feature", "geometry": one, "properties": {"code": "A"}}
    with raw("a.geojson", collection(feature)) as listing:
        assert [row.cells for row in listing.rows] == [["A", "105.5", "10.5"]]


def test_attributes_called_like_coordinates_do_not_count() -> None:
    """The geometry is the place; texts beside it may be old."""
    content = collection(point(105.63, 10.46, code="A", latitude="1", Kinh_do="2", srid=9210))
    with listed("a.geojson", content) as listing:
        assert set(listing.ignored) == {"latitude", "Kinh_do", "srid"}
        (row,) = listing.rows
    assert row.values == {"code": "A", "latitude": "10.46", "longitude": "105.63"}


def test_a_property_that_only_a_late_feature_has_is_not_lost() -> None:
    many = [point(105, 10, code=f"A{number}") for number in range(1500)]
    many.append(point(105, 10, code="B", owner="Viễn thông", colour="red"))
    with listed("a.geojson", collection(*many)) as listing:
        assert listing.ignored == ("colour",)
        assert list(listing.rows)[-1].values["owner"] == "Viễn thông"


@pytest.mark.parametrize(
    "content",
    [b"{}", b"[]", b"null", b"", b"[" * 100_000, b"\xff\xfe{", collection()],
)
def test_what_is_no_geojson_list_is_refused(content) -> None:
    with pytest.raises(DomainError), listed("a.geojson", content) as listing:
        list(listing.rows)


def test_two_attributes_of_one_meaning_are_refused() -> None:
    with (
        pytest.raises(Invalid, match="Two columns"),
        listed("a.geojson", collection(point(105, 10, code="A", ma="B"))),
    ):
        pass
