"""Geometry files in every format: layers, coordinate systems, columns and features as written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pyogrio.raw
import pytest
import shapely

from core import geofiles
from core.errors import Invalid, TooLarge, UnsupportedMedia
from core.geofiles import Feature, SeveralLayers
from core.settings import ROOT

PLACES = [(105.63, 10.46, "DT-001", "Trạm Cao Lãnh", 42.5), (106.36, 10.36, "DT-002", None, 60.0)]
DRIVERS = {"gpkg": "GPKG", "fgb": "FlatGeobuf", "shp": "ESRI Shapefile", "kml": "LIBKML"}


def written(path: Path, *, layer: str | None = None, crs: str = "EPSG:4326", **options) -> Path:
    """A file with two towers, in the format of its ending and their order."""
    if path.suffix == ".fgb":
        options["SPATIAL_INDEX"] = "NO"
    pyogrio.raw.write(
        path,
        geometry=np.array([shapely.Point(x, y).wkb for x, y, *_ in PLACES], dtype=object),
        field_data=[
            np.array([place[2] for place in PLACES], dtype=object),
            np.array([place[3] for place in PLACES], dtype=object),
            np.array([place[4] for place in PLACES]),
        ],
        fields=["code", "ten", "height_m"],
        geometry_type="Point",
        crs=crs,
        driver=DRIVERS[path.suffix[1:]],
        layer=layer,
        **options,
    )
    return path


def zipped(path: Path, *stems: str, crs: str = "EPSG:4326", **options) -> Path:
    """A zip with a Shapefile of each name."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for stem in stems:
            written(path.parent / f"{stem}.shp", crs=crs, **options)
            for part in path.parent.glob(f"{stem}.*"):
                if part != path:
                    archive.write(part, f"folder/{part.name}")
    return path


def geojson(path: Path, *features: object, **members: object) -> Path:
    document = {"type": "FeatureCollection", **members, "features": list(features)}
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return path


def point(*coordinates: float, **properties: object) -> dict[str, object]:
    geometry = {"type": "Point", "coordinates": coordinates}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def features(path: Path, **options) -> list[Feature]:
    with geofiles.opened(path, path.name, **options) as opened:
        return list(opened.features)


def table(path: Path, **options) -> list[dict[str, object]]:
    with geofiles.opened(path, path.name, **options) as opened:
        return [dict(zip(opened.layer.columns, one.values, strict=True)) for one in opened.features]


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("list.geojson", "GeoJSON"),
        ("list.json", "GeoJSON"),
        ("list.geojsonl", "GeoJSONSeq"),
        ("list.gpkg", "GeoPackage"),
        ("list.zip", "Shapefile"),
        ("list.kml", "KML"),
        ("list.fgb", "FlatGeobuf"),
    ],
)
def test_every_format_says_the_same(tmp_path: Path, name: str, format: str) -> None:
    path = tmp_path / name
    rows = [point(x, y, code=code, ten=ten, height_m=m) for x, y, code, ten, m in PLACES]
    if path.suffix in {".geojson", ".json"}:
        geojson(path, *rows)
    elif path.suffix == ".geojsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    elif path.suffix == ".zip":
        zipped(path, "list")
    else:
        written(path, layer="list" if path.suffix == ".kml" else None)
    with geofiles.opened(path, name) as opened:
        assert opened.format == format
        assert (opened.layer.name, opened.layer.srid) == ("list", 4326)
        columns = opened.layer.columns
        found = list(opened.features)
    assert {"code", "ten", "height_m"} <= set(columns)
    assert [one.number for one in found] == [1, 2]
    for one, (x, y, *place) in zip(found, PLACES, strict=True):
        assert shapely.from_wkb(one.wkb).equals(shapely.Point(x, y))
        values = dict(zip(columns, one.values, strict=True))
        assert [values["code"], values["ten"] or None, float(values["height_m"])] == place
    assert geofiles.layers(path, name)[0].columns == columns


@pytest.mark.parametrize("name", ["list.gpkg", "list.zip", "list.fgb"])
@pytest.mark.parametrize("srid", [9210, 5897, 32648, 4756])
def test_the_coordinate_system_is_told_by_its_code(tmp_path: Path, name: str, srid: int) -> None:
    path = tmp_path / name
    make = zipped if path.suffix == ".zip" else written
    make(path, *(["list"] if path.suffix == ".zip" else []), crs=f"EPSG:{srid}")
    (layer,) = geofiles.layers(path, name)
    assert layer.srid == srid
    if srid == 9210:
        assert layer.projection["Longitude of natural origin"] == 105.75


def test_a_file_without_a_coordinate_system_says_none(tmp_path: Path) -> None:
    path = zipped(tmp_path / "list.zip", "list")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            if not name.endswith(".prj"):
                archive.writestr(name, content)
    (layer,) = geofiles.layers(path, "list.zip")
    assert (layer.srid, layer.system) == (None, "")


def test_several_layers_are_named_and_one_is_chosen(tmp_path: Path) -> None:
    path = written(tmp_path / "list.gpkg", layer="trạm 2024")
    written(path, layer="trạm 2025", append=True)
    zipped(tmp_path / "list.zip", "north", "south")
    for name, names in (
        ("list.gpkg", ("trạm 2024", "trạm 2025")),
        ("list.zip", ("north", "south")),
    ):
        path = tmp_path / name
        assert tuple(layer.name for layer in geofiles.layers(path, name)) == names
        with pytest.raises(SeveralLayers) as caught:
            features(path)
        assert caught.value.names == names
        assert len(features(path, layer=names[1])) == 2
        with pytest.raises(Invalid, match="no layer"):
            features(path, layer="none of them")


def test_folders_of_a_kml_are_layers_and_its_own_fields_stay_out(tmp_path: Path) -> None:
    path = tmp_path / "list.kml"
    mark = (
        "<Placemark><name>Trạm {0}</name><description>ở đó</description><ExtendedData>"
        '<Data name="code"><value>00{0}</value></Data><Data name="begin"><value>2020</value>'
        "</Data></ExtendedData><Point><coordinates>105.{0},10.5,3</coordinates></Point></Placemark>"
    )
    path.write_text(
        '<?xml version="1.0" encoding="UTF-8"?><kml xmlns="http://www.opengis.net/kml/2.2">'
        f"<Document><Folder><name>A</name>{mark.format(1)}</Folder>"
        f"<Folder><name>A</name>{mark.format(2)}{mark.format(3)}</Folder></Document></kml>",
        encoding="utf-8",
    )
    assert [layer.name for layer in geofiles.layers(path, "list.kml")] == ["A", "A (#2)"]
    second, third = table(path, layer="A (#2)")
    assert second == {"name": "Trạm 2", "description": "ở đó", "code": "002", "begin": "2020"}
    assert third["code"] == "003"
    (only,) = features(path, layer="A")
    assert shapely.from_wkb(only.wkb).has_z


@pytest.mark.parametrize("encoding", ["utf-8", "cp1258"])
def test_a_shapefile_that_names_no_encoding_is_read_as_it_was_meant(
    tmp_path: Path, encoding: str
) -> None:
    path = zipped(tmp_path / "list.zip", "list")
    name = "Trạm Cao Lãnh".encode()
    typed = "Trạm Cao Lãnh" if encoding == "utf-8" else "Tra\u0323m Cao La\u0303nh"
    with zipfile.ZipFile(path) as archive:
        members = {one: archive.read(one) for one in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for one, content in members.items():
            if one.endswith(".dbf"):
                content = bytearray(content)
                content[29] = 0
                at = content.index(name)
                content[at : at + len(name)] = typed.encode(encoding).ljust(len(name))
            if not one.endswith(".cpg"):
                archive.writestr(one, bytes(content))
    assert table(path)[0]["ten"].strip() == typed


def test_values_keep_their_kinds(tmp_path: Path) -> None:
    path = geojson(
        tmp_path / "list.geojson",
        point(
            1, 2, code="007", count=9007199254740993, share=0.1, day="2024-02-01", yes=True,
            at="2024-02-01T07:00:00+07:00", many=["a", "b"], deep={"a": 1}, none=None,
        ),
    )  # fmt: skip
    (row,) = table(path)
    assert row == {
        "code": "007", "count": 9007199254740993, "share": 0.1, "day": "2024-02-01", "yes": True,
        "at": "2024-02-01T07:00:00+07:00", "many": ["a", "b"], "deep": '{ "a": 1 }', "none": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "read"),
    [
        ([[], ["a", "b,c"], None, []], [[], ["a", "b,c"], None, []]),
        ([["a"], {"b": 1}, "[c]"], [["a"], '{ "b": 1 }', "[c]"]),
        ([[], [1, 2.5, True]], [[], [1, 2.5, True]]),
        ([[["a"]], ["b"]], ['[ [ "a" ] ]', ["b"]]),
    ],
)
def test_lists_are_lists_whatever_stands_first(
    tmp_path: Path, values: list[object], read: list[object]
) -> None:
    path = geojson(tmp_path / "list.geojson", *(point(1, 2, many=value) for value in values))
    assert [row["many"] for row in table(path)] == read


def test_a_geometry_that_is_missing_or_no_place_is_kept_for_its_reader(tmp_path: Path) -> None:
    path = tmp_path / "list.geojson"
    nothing = {"type": "Feature", "geometry": None, "properties": {"code": "A"}}
    line = {"type": "LineString", "coordinates": [[1, 2], [3, 4]]}
    geojson(path, nothing, {**nothing, "geometry": line}, point(float("nan"), 1, code="B"))
    first, second, third = features(path)
    assert first.wkb is None
    assert shapely.from_wkb(second.wkb).geom_type == "LineString"
    assert shapely.from_wkb(third.wkb).is_empty


def test_a_named_system_in_geojson_is_told(tmp_path: Path) -> None:
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::9210"}}
    path = geojson(tmp_path / "a.geojson", point(566614, 1145746, code="A"), crs=crs)
    assert geofiles.layers(path, "a.geojson")[0].srid == 9210


def test_features_come_while_the_file_is_read(tmp_path: Path) -> None:
    """A reader that stops early ends the other process as well."""
    path = geojson(tmp_path / "a.geojson", *(point(105, 10, code=str(n)) for n in range(20_000)))
    with geofiles.opened(path, "a.geojson") as opened:
        assert next(opened.features).values == ["0"]
    assert not [child for child in children(os.getpid()) if "confined_child" in said(child)]


def children(parent: int) -> list[str]:
    tasks = Path(f"/proc/{parent}/task").glob("*/children")
    return [child for one in tasks for child in one.read_text().split()]


def said(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def test_the_reading_process_ends_with_its_parent(tmp_path: Path) -> None:
    path = geojson(tmp_path / "a.geojson", *(point(105, 10, code=str(n)) for n in range(50_000)))
    program = (
        "import sys, time; from pathlib import Path; from core import geofiles\n"
        "with geofiles.opened(Path(sys.argv[1]), 'a.geojson') as opened:\n"
        "    next(opened.features)\n"
        "    print('reading', flush=True)\n"
        "    time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, path], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout and parent.stdout.readline() == "reading\n"
    (child,) = children(parent.pid)
    assert "confined_child" in said(child)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 5
    while "confined_child" in said(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "confined_child" not in said(child)


@pytest.mark.parametrize("name", ["a.vrt", "a.gml", "a.kmz", "a", "a.gpkg.txt", "http://x/a.csv"])
def test_other_endings_are_refused(tmp_path: Path, name: str) -> None:
    path = geojson(tmp_path / "file", point(105, 10))
    with pytest.raises(UnsupportedMedia):
        geofiles.layers(path, name)


def test_a_file_that_is_too_large_is_refused(tmp_path: Path, monkeypatch) -> None:
    path = geojson(tmp_path / "a.geojson", point(105, 10))
    monkeypatch.setattr(geofiles, "MAX_BYTES", 10)
    with pytest.raises(TooLarge):
        geofiles.layers(path, "a.geojson")
