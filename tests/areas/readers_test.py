"""Reading polygon files: every format, columns that are guessed or chosen, every mistake named."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio.raw
import pytest
import shapely
from pyproj import Transformer

from areas import readers
from areas.naming import COLUMN_NAMES, guessed_column
from areas.readers import (
    Boundaries,
    Choice,
    ColumnNeeded,
    SystemNeeded,
    read_boundaries,
)
from core.errors import DomainError, Invalid, TooLarge, UnsupportedMedia
from core.geofiles import SeveralLayers

DRIVERS = {"gpkg": "GPKG", "fgb": "FlatGeobuf", "shp": "ESRI Shapefile", "kml": "LIBKML"}
SQUARE = [[105.0, 10.0], [105.5, 10.0], [105.5, 10.5], [105.0, 10.5], [105.0, 10.0]]
BOW_TIE = [[105.0, 10.0], [105.5, 10.5], [105.5, 10.0], [105.0, 10.5], [105.0, 10.0]]


def written(
    path: Path,
    shapes: list[Any] | None = None,
    *,
    crs: str | None = "EPSG:4326",
    columns: dict[str, list[Any]] | None = None,
    **options: Any,
) -> Path:
    """A file of two squares in the format of its ending, in the system given."""
    shapes = shapes or [shapely.box(105, 10, 105.5, 10.5), shapely.box(105.5, 10, 106, 10.5)]
    columns = columns or {"MA_XA": ["00004", "00008"], "TEN_XA": ["Xã Một", "Phường Hai"]}
    if path.suffix == ".fgb":
        options["SPATIAL_INDEX"] = "NO"
    pyogrio.raw.write(
        path,
        geometry=np.array([shape.wkb for shape in shapes], dtype=object),
        field_data=[np.array(values) if isinstance(values[0], int) else
                    np.array(values, dtype=object) for values in columns.values()],
        fields=list(columns),
        geometry_type="Polygon",
        crs=crs,
        driver=DRIVERS[path.suffix[1:]],
        **options,
    )  # fmt: skip
    return path


def zipped(path: Path, **options: Any) -> Path:
    """A zip with one Shapefile."""
    shapefile = written(path.with_suffix(".shp"), **options)
    with zipfile.ZipFile(path, "w") as archive:
        for part in path.parent.glob(f"{shapefile.stem}.*"):
            if part != path:
                archive.write(part, part.name)
    return path


def read(path: Path, level: str = "commune", **choice: Any) -> Boundaries:
    return read_boundaries(path, path.name, level, Choice(**choice))


def feature(
    code: Any = "1", ring: Any = SQUARE, name: Any = "Xã Một", **more: Any
) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": {"code": code, "fullName": name, **more},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


def geojson(path: Path, *features: Any) -> Path:
    path.write_text(
        json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8"
    )
    return path


@pytest.mark.parametrize("ending", ["gpkg", "fgb", "kml", "zip", "geojson"])
def test_every_format_gives_the_same_areas(tmp_path, ending) -> None:
    path = tmp_path / f"xa.{ending}"
    if ending == "zip":
        zipped(path)
    elif ending == "geojson":
        east = [[x + 0.5, y] for x, y in SQUARE]
        geojson(path, feature("00004"), feature("00008", east, "Phường Hai"))
    elif ending == "kml":
        written(path, columns={"MA_XA": ["00004", "00008"], "Name": ["Xã Một", "Phường Hai"]})
    else:
        written(path)
    found = read(path)
    assert [(one.number, one.code, one.name) for one in found.areas] == [
        (1, "00004", "Xã Một"),
        (2, "00008", "Phường Hai"),
    ]
    first = shapely.from_wkb(found.areas[0].geom)
    assert first.geom_type == "MultiPolygon"
    assert first.equals(shapely.box(105, 10, 105.5, 10.5))


@pytest.mark.parametrize("ending", ["gpkg", "fgb", "zip"])
def test_coordinates_of_another_system_come_out_in_degrees(tmp_path, ending) -> None:
    """The four corners are the test points of VN-2000, TM-3, zone 105 (EPSG:5897)."""
    path = tmp_path / f"xa.{ending}"
    square = shapely.box(569044.81, 1156833.58, 570044.81, 1157833.58)
    make = zipped if ending == "zip" else written
    make(path, shapes=[square], columns={"ma": ["1"], "ten": ["Xã Một"]}, crs="EPSG:5897")
    (one,) = read(path, srid=None if ending != "zip" else 5897).areas
    west, south, *_ = shapely.from_wkb(one.geom).bounds
    metres = Transformer.from_crs(4326, 32648, always_xy=True)
    here, there = metres.transform(west, south), metres.transform(105.6325, 10.4603)
    assert np.hypot(here[0] - there[0], here[1] - there[1]) < 15
    assert (west, south) == pytest.approx((105.6325, 10.4603), abs=2e-5)


def test_a_file_that_states_no_system_asks_for_it(tmp_path) -> None:
    path = written(tmp_path / "xa.fgb", crs=None)
    with pytest.raises(SystemNeeded):
        read(path)
    assert len(read(path, srid=4326).areas) == 2


@pytest.mark.parametrize("srid", [0, -1, 999_999, 5773])
def test_a_system_that_leads_nowhere_is_named(tmp_path, srid) -> None:
    path = written(tmp_path / "xa.gpkg")
    if srid == 0:
        assert len(read(path, srid=0).areas) == 2
        return
    with pytest.raises(Invalid) as caught:
        read(path, srid=srid)
    assert list(caught.value.fields) == ["srid"]


# Columns


@pytest.mark.parametrize(
    ("columns", "code", "name"),
    [
        (["code", "fullName", "areaKm2"], "code", "fullName"),
        (["OBJECTID", "MA_XA", "TEN_XA"], "MA_XA", "TEN_XA"),
        (["Mã xã", "Tên xã"], "Mã xã", "Tên xã"),
        (["name", "fullName", "ma"], "ma", "fullName"),
        (["maXa", "ten", "code"], "maXa", "ten"),
        (["ward_code", "ward_name"], "ward_code", "ward_name"),
        (["GID_3", "NAME_3"], None, None),
        ([], None, None),
    ],
)
def test_columns_are_guessed_by_their_names(columns, code, name) -> None:
    assert guessed_column(columns, "commune_code") == code
    assert guessed_column(columns, "commune_name") == name


def test_every_name_of_a_column_is_written_as_it_is_compared() -> None:
    for meaning, names in COLUMN_NAMES.items():
        for name in names:
            assert guessed_column([name], meaning) == name


def test_where_the_guess_fails_the_columns_are_offered(tmp_path) -> None:
    columns = {"GID_3": ["00004", "00008"], "NAME_3": ["Xã Một", "Phường Hai"]}
    path = written(tmp_path / "xa.gpkg", columns=columns)
    with pytest.raises(ColumnNeeded) as caught:
        read(path)
    assert caught.value.columns == ("GID_3", "NAME_3")
    assert list(caught.value.fields) == ["code_column"]
    found = read(path, code="GID_3", name="NAME_3")
    assert [one.code for one in found.areas] == ["00004", "00008"]
    assert (found.code, found.name) == ("GID_3", "NAME_3")
    with pytest.raises(Invalid, match="no column"):
        read(path, code="nothing", name="NAME_3")


def test_numbers_are_codes_with_their_zeros(tmp_path) -> None:
    columns = {"ma": [4, 29869], "ten": ["Xã Một", "Phường Hai"]}
    path = written(tmp_path / "xa.gpkg", columns=columns)
    assert [one.code for one in read(path).areas] == ["00004", "29869"]
    columns = {"ma": [815, 816], "ten": ["Một", "Hai"]}
    path = written(tmp_path / "huyen.gpkg", columns=columns)
    assert [one.code for one in read(path, "district").areas] == ["815", "816"]


def test_a_type_word_of_its_own_column_goes_before_the_name(tmp_path) -> None:
    columns = {
        "ma": ["1", "2", "3"],
        "ten": ["Cao Lãnh", "Xã Tân Hội", "Mỹ Thọ"],
        "loai": ["Phường", "Xã", "khác"],
    }
    shapes = [shapely.box(105 + n, 10, 106 + n, 11) for n in range(3)]
    path = written(tmp_path / "xa.gpkg", shapes=shapes, columns=columns)
    assert [one.name for one in read(path).areas] == ["Phường Cao Lãnh", "Xã Tân Hội", "Mỹ Thọ"]


def test_one_of_several_layers_is_chosen(tmp_path) -> None:
    path = written(tmp_path / "xa.gpkg", layer="xa")
    written(path, layer="huyen", append=False)
    with pytest.raises(SeveralLayers):
        read(path)
    assert len(read(path, layer="xa").areas) == 2


# Mistakes


BAD: dict[str, tuple[Any, str]] = {
    "no code": (feature(""), "missing"),
    "no name": (feature("2", name=""), "missing"),
    "a code that is a list": (feature([1], name="Hai"), "missing"),
    "a code of markup": (feature("<b>", name="Hai"), "no code"),
    "code too long": (feature("2" * 21), "no code"),
    "the code again": (feature("1"), "twice"),
    "no geometry": ({**feature("2"), "geometry": None}, "not a polygon"),
    "a point": (
        {**feature("2"), "geometry": {"type": "Point", "coordinates": [105, 10]}},
        "not a polygon",
    ),
    "a line": (
        {**feature("2"), "geometry": {"type": "LineString", "coordinates": SQUARE}},
        "not a polygon",
    ),
    "empty": (
        {**feature("2"), "geometry": {"type": "Polygon", "coordinates": []}},
        "not a polygon",
    ),
    "metres": (feature("2", [[x * 10_000, y * 100_000] for x, y in SQUARE]), "on earth"),
    "swapped": (feature("2", [[y, x] for x, y in SQUARE]), "on earth"),
    "crossing itself": (feature("2", BOW_TIE), "crosses itself near 105.25 10.25"),
}


@pytest.mark.parametrize("name", BAD)
def test_one_wrong_feature_is_named_with_its_number_and_name(tmp_path, name) -> None:
    wrong, text = BAD[name]
    path = geojson(tmp_path / "xa.geojson", feature("1"), wrong)
    with pytest.raises(Invalid) as caught:
        read(path)
    (where,) = caught.value.fields
    assert where.startswith("feature 2")
    said = [
        one[0] % one[1] if isinstance(one, tuple) else one for one in caught.value.fields[where]
    ]
    assert text in said[0]


def test_every_wrong_feature_is_named(tmp_path) -> None:
    path = geojson(
        tmp_path / "x.geojson", feature("", name="A"), feature("3"), feature("4", BOW_TIE)
    )
    with pytest.raises(Invalid) as caught:
        read(path)
    assert list(caught.value.fields) == ["feature 1 (A)", "feature 3 (Xã Một)"]


def test_a_height_in_the_boundary_is_left_out(tmp_path) -> None:
    path = geojson(tmp_path / "x.geojson", feature("1", [[x, y, 7.5] for x, y in SQUARE]))
    (one,) = read(path).areas
    shape = shapely.from_wkb(one.geom)
    assert not shape.has_z
    assert shape.equals(shapely.box(105, 10, 105.5, 10.5))


def test_several_polygons_with_holes_stay_as_they_are(tmp_path) -> None:
    hole = [[105.1, 10.1], [105.2, 10.1], [105.2, 10.2], [105.1, 10.2], [105.1, 10.1]]
    many = feature()
    east = [[x + 2, y] for x, y in SQUARE]
    many["geometry"] = {"type": "MultiPolygon", "coordinates": [[SQUARE, hole], [east]]}
    (one,) = read(geojson(tmp_path / "x.geojson", many)).areas
    shape = shapely.from_wkb(one.geom)
    assert len(shape.geoms) == 2
    assert not shape.covers(shapely.Point(105.15, 10.15))


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"[" * 50_000, b'{"type":"FeatureCollection","features":[]}', b"\x00" * 99],
)
def test_what_has_no_areas_is_refused(tmp_path, content) -> None:
    path = tmp_path / "xa.geojson"
    path.write_bytes(content)
    with pytest.raises(DomainError):
        read(path)


@pytest.mark.parametrize("name", ["xa.vrt", "xa.shp", "xa", "xa.gml", "../xa.pdf", "http://a/xa"])
def test_no_other_file_is_opened(tmp_path, name) -> None:
    path = tmp_path / "content"
    path.write_text("<OGRVRTDataset/>", encoding="utf-8")
    with pytest.raises(UnsupportedMedia):
        read_boundaries(path, name, "commune", Choice())


def test_too_many_areas_or_points_are_refused(tmp_path, monkeypatch) -> None:
    path = geojson(tmp_path / "xa.geojson", *(feature(str(n)) for n in range(3)))
    monkeypatch.setattr(readers, "MAX_AREAS", 2)
    with pytest.raises(TooLarge):
        read(path)
    monkeypatch.undo()
    monkeypatch.setattr(readers, "MAX_VERTICES", 14)
    with pytest.raises(TooLarge):
        read(path)


def test_the_provinces_of_natural_earth_are_read(reference) -> None:
    path = reference("data/vn-provinces-naturalearth/vn_provinces_63_ne10m.geojson")
    with pytest.raises(ColumnNeeded) as caught:
        read(path, "province")
    assert caught.value.columns == ("iso_a2", "name", "fips", "woe_name", "gn_name")
    with pytest.raises(Invalid) as wrong:
        read(path, "province", code="fips")
    assert next(iter(wrong.value.fields)) == "feature 38 (Hau Giang)"
    assert len(wrong.value.fields) == 5
