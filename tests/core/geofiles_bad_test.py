"""Geometry files that are broken, or made to do harm: each is refused with its own sentence."""

from __future__ import annotations

import http.server
import io
import json
import re
import sqlite3
import struct
import threading
import zipfile
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pyogrio.raw
import pytest
import shapely

from core import confined, geofiles, serve, walls
from core.errors import DomainError
from core.geofiles_checks import nests_too_deeply
from tests.core.geofiles_test import features, geojson, point, written, zipped

HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
KML = '<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{}</Document></kml>'
PLACE = "<Placemark><name>A</name><Point><coordinates>105,10</coordinates></Point></Placemark>"


def collection(*features: object) -> str:
    return json.dumps({"type": "FeatureCollection", "features": features})


def refused(path: Path, says: str) -> DomainError:
    """The refusal of a file, which must say this (a pattern) and nothing of where we keep it."""
    with pytest.raises(DomainError) as caught:
        features(path)
    text = caught.value.message % caught.value.facts if caught.value.facts else caught.value.message
    assert re.search(says, text), text
    assert "thap-canh-" not in text and str(path.parent) not in text
    assert 400 <= caught.value.status < 500
    return caught.value


@pytest.mark.parametrize("ending", ["geojson", "geojsonl", "gpkg", "zip", "kml", "fgb"])
def test_an_empty_file(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    path.write_bytes(b"")
    refused(path, "is empty")


@pytest.mark.parametrize("ending", ["geojson", "geojsonl", "gpkg", "zip", "kml", "fgb"])
@pytest.mark.parametrize(
    "content",
    [
        b"MZ\x90\x00" + b"\x00" * 500,
        b"code,latitude,longitude\nA,10,105\n",
        b'<OGRVRTDataSource><OGRVRTLayer name="x"><SrcDataSource>/etc/passwd</SrcDataSource>'
        b"</OGRVRTLayer></OGRVRTDataSource>",
        b"/vsicurl/http://127.0.0.1:9/a.geojson",
        b"%PDF-1.7\n",
    ],
    ids=["program", "csv", "vrt", "url", "pdf"],
)
def test_content_that_does_not_fit_the_ending(tmp_path: Path, ending: str, content: bytes) -> None:
    path = tmp_path / f"a.{ending}"
    path.write_bytes(content)
    refused(path, f"does not fit its ending .{ending}")


@pytest.mark.parametrize(
    "content",
    [
        '{"type":"Topology","objects":{},"arcs":[]}',
        '{"displayFieldName":"","geometryType":"esriGeometryPoint","fields":[],"features":[]}',
        "{}",
        '{"type":"gdal_streamed_alg","command_line":"gdal vector pipeline ! read /etc/passwd"}',
    ],
)
def test_json_of_another_kind(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(content)
    refused(path, "does not fit its ending .geojson")


def test_a_database_that_is_no_geopackage(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE t (a)")
    refused(path, "does not fit|cannot be read as GPKG")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (collection(point(105, 10))[:-20], "cannot be read as GeoJSON: .*Unterminated"),
        (collection(point(105, 10)) + "junk", "cannot be read as GeoJSON"),
        (collection(point(105, 10)).replace("105", "1e999"), "number: 1e999"),
        (collection(point(105, 10, code="A")).replace('"A"', "[" * 5000 + "]" * 5000), "nested"),
        (collection(point(105, 10)).replace("105", "[" * 5000 + "]" * 5000), "nested"),
        ('{"a":' * 200_000, "does not fit|nested|cannot be read"),
        (collection(point(105, 10, code="A\x00B")), "cannot be stored"),
    ],
    ids=["cut", "junk", "huge", "deep value", "deep coordinates", "deep object", "nul"],
)
def test_broken_json(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(content)
    refused(path, says)


def test_json_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    path.write_bytes(collection(point(105, 10, code="A")).encode().replace(b"A", b"\xe3\xff"))
    refused(path, "UTF-8")


def test_a_line_of_a_sequence_that_is_no_feature(tmp_path: Path) -> None:
    path = tmp_path / "a.geojsonl"
    good = json.dumps(point(105, 10, code="A"))
    path.write_text(f"{good}\n{good}\n\n{{bad\n{good}\n")
    refused(path, "Line 4 .*no GeoJSON feature")


@pytest.mark.parametrize("name", ["a.geojson", "a.gpkg"])
def test_a_geometry_with_too_many_vertices(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "a.geojson":
        line = {"type": "LineString", "coordinates": [[105, 10]] * 1_300_000}
        geojson(path, point(105, 10), {"type": "Feature", "geometry": line, "properties": {}})
    else:
        shape = shapely.linestrings(np.linspace((105, 10), (106, 11), 1_300_000))
        pyogrio.raw.write(
            path, geometry=np.array([shapely.to_wkb(shape)], dtype=object), field_data=[],
            fields=[], geometry_type="LineString", crs="EPSG:4326", driver="GPKG",
        )  # fmt: skip
    assert refused(path, "too many vertices").status == 413


@pytest.mark.parametrize("kind", [4, 6, 7])
def test_geometries_in_geometries_without_an_end(tmp_path: Path, kind: int) -> None:
    """Read by recursion, some hundred thousand of them end the process that does it."""
    path = written(tmp_path / "a.gpkg", layer="list")
    head = b"\x01" + struct.pack("<II", kind, 1)
    blob = (
        b"GP\x00\x01"
        + struct.pack("<i", 4326)
        + head
        + b"\x01\x07\x00\x00\x00\x01\x00\x00\x00" * 200_000
    )
    with sqlite3.connect(path) as database:
        triggers = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in triggers.fetchall():
            database.execute(f'DROP TRIGGER "{name}"')
        database.execute("UPDATE list SET geom = ?", (blob,))
    refused(path, "nested too deeply|cannot be read as GPKG")


def test_nesting_is_told_without_recursion() -> None:
    point = shapely.Point(105, 10)
    two = shapely.GeometryCollection([shapely.GeometryCollection([point]), shapely.box(0, 0, 1, 1)])
    for shape in (point, two, shapely.MultiPoint([[0, 0, 1]]), shapely.box(0, 0, 1, 1)):
        for order in (0, 1):
            assert not nests_too_deeply(shapely.to_wkb(shape, byte_order=order))
            assert not nests_too_deeply(shapely.to_wkb(shape, flavor="iso")[:-3])
    head = struct.pack("<BII", 1, 7, 1)
    whole = struct.pack("<BII", 1, 7, 2) + shapely.to_wkb(shapely.box(0, 0, 1, 1)) + head * 40
    assert nests_too_deeply(whole)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (f'<!DOCTYPE kml [<!ENTITY a "aa">]>{KML.format("&a;")}', "entities or a document type"),
        (
            '<!DOCTYPE kml [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
            f'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>{KML.format("&c;")}',
            "entities or a document type",
        ),
        (
            f'<!DOCTYPE kml SYSTEM "file:///etc/passwd">{KML.format(PLACE)}',
            "entities or a document type",
        ),
        (
            KML.format("<NetworkLink><Link><href>http://127.0.0.1:9/</href></Link></NetworkLink>"),
            "NetworkLink",
        ),
        (KML.format("<Folder>" * 500 + "</Folder>" * 500), "nested too deeply"),
        (KML.format(PLACE)[:-30], "cannot be read as KML"),
        ("<html><body/></html>", "does not fit its ending .kml"),
        (f"{KML.format(PLACE)}{KML.format(PLACE)}", "cannot be read as KML"),
    ],
    ids=["entity", "laughs", "external", "link", "deep", "cut", "html", "two"],
)
def test_harmful_kml(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "a.kml"
    path.write_text(HEAD + content)
    refused(path, says)


# Zips


def packed(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def shapefile(folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    with zipfile.ZipFile(zipped(folder / "x.zip", "list")) as archive:
        return {name.rpartition("/")[2]: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize(
    "name", ["/etc/list.shp", "../list.shp", "a/../../list.shp", "..\\list.shp", "C:\\list.shp"]
)
def test_a_path_that_leads_out_of_the_zip(tmp_path: Path, name: str) -> None:
    refused(packed(tmp_path / "a.zip", (name, b"x")), "path that leads out")


def test_links_other_archives_and_passwords_in_a_zip(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("list.shp")
    link.external_attr = 0o120777 << 16
    refused(packed(tmp_path / "link.zip", (link, b"/etc/passwd")), "a link instead")
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("list.shp", b"x")
    refused(packed(tmp_path / "nested.zip", ("in.zip", inner.getvalue())), "another archive")
    path = packed(tmp_path / "locked.zip", ("list.shp", b"x"))
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    refused(path, "password")


def test_a_zip_with_too_many_files(tmp_path: Path) -> None:
    members = [(f"{number}.txt", b"") for number in range(1000)]
    assert refused(packed(tmp_path / "a.zip", *members), "more than 200 files").status == 413


def test_a_zip_that_bursts(tmp_path: Path) -> None:
    files = shapefile(tmp_path / "made")
    files["list.dbf"] += b"\x00" * 300_000_000
    refused(packed(tmp_path / "a.zip", *files.items()), "far more than it can honestly hold")


def test_a_zip_whose_sizes_lie(tmp_path: Path) -> None:
    """The head says a few bytes; what counts is what comes out."""
    files = shapefile(tmp_path / "made")
    size = 300_000_000
    files["list.shp"] = b"\x00" * size
    path = packed(tmp_path / "a.zip", *files.items())
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", size), struct.pack("<I", 100)))
    refused(path, "far more than|damaged|cannot be read")


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["list.shp", "list.dbf", "list.prj"], "lacks its part .shx"),
        (["list.shp", "list.shx"], "lacks its part .dbf"),
        (["list.dbf", "list.prj"], "no Shapefile"),
        ([], "no Shapefile|does not fit"),
    ],
)
def test_a_shapefile_that_is_not_whole(tmp_path: Path, names: list[str], says: str) -> None:
    files = shapefile(tmp_path / "made")
    members = [(name, files[name]) for name in names]
    refused(packed(tmp_path / "a.zip", *members), says)


def test_a_zip_without_members_is_no_shapefile_either(tmp_path: Path) -> None:
    refused(packed(tmp_path / "a.zip", ("readme.txt", b"x")), "no Shapefile")


# Files that were cut or changed


@pytest.mark.parametrize("name", ["a.gpkg", "a.fgb", "a.zip"])
def test_cut_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "a.zip":
        zipped(path, "list")
    else:
        written(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    refused(path, "cannot be read|damaged|does not fit")


@pytest.mark.parametrize("name", ["a.gpkg", "a.fgb", "a.zip", "a.kml"])
def test_changed_files_are_read_or_refused(tmp_path: Path, name: str) -> None:
    """Whatever a changed byte does to the library, the reader gets rows or a sentence."""
    path = tmp_path / name
    if name == "a.zip":
        zipped(path, "list")
    else:
        written(path)
    content = path.read_bytes()
    for at in range(8):
        changed = bytearray(content)
        for place in range(at * 7 + 100, len(changed), 400):
            changed[place] ^= 0xFF
        path.write_bytes(changed)
        try:
            features(path)
        except DomainError as error:
            assert error.message


def test_a_view_that_never_ends(tmp_path: Path, monkeypatch) -> None:
    path = written(tmp_path / "a.gpkg", layer="list")
    with sqlite3.connect(path) as database:
        database.executescript(
            "CREATE VIEW endless AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n)"
            " SELECT max(i) AS fid, 'x' AS code FROM n;"
            "INSERT INTO gpkg_contents (table_name, data_type, identifier) VALUES"
            " ('endless', 'attributes', 'endless');"
        )
    monkeypatch.setattr(geofiles, "CPU_SECONDS", 3)
    with pytest.raises(DomainError) as caught, geofiles.opened(path, "a.gpkg", layer="endless"):
        pass
    assert caught.value.message == confined.TOO_LONG


# The walls themselves


def test_no_other_host_is_asked(tmp_path: Path) -> None:
    asked: list[str] = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/crs"
        for kind in ("proj4", "ogcwkt", "esriwkt"):
            crs = {"type": "link", "properties": {"href": address, "type": kind}}
            assert features(geojson(tmp_path / "a.geojson", point(105, 10), crs=crs))
        server.shutdown()
    assert asked == []


ATTACKS = {
    "memory": "x = bytearray(3_000_000_000)",
    "time": "all(iter(lambda: True, False))",
    "sleep": "import time; time.sleep(60)",
    "crash": "import ctypes; ctypes.string_at(0)",
    "disk": "open('{folder}/big', 'wb').write(b'x' * 10_000_000)",
    "exit": "import sys; sys.exit(0)",
    "network": "import socket; socket.create_connection(('127.0.0.1', {port}), 2)",
    "database": "import socket; socket.socket(socket.AF_UNIX)",
    "secrets": "open('{folder}/../secret-key').read()",
    "folder": "import os; os.listdir('{folder}/..')",
    "other processes": "open('/proc/1/environ').read()",
    "writing": "open('{folder}/attack.py', 'a').write('more')",
    "a program": "import subprocess; subprocess.run(['/bin/true'], check=True)",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_confined_program_cannot(tmp_path: Path, attack: str) -> None:
    """Whatever runs there: it ends, the reader gets a sentence, and nothing was done."""
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), http.server.BaseHTTPRequestHandler
    ) as server:
        body = ATTACKS[attack].format(folder=tmp_path, port=server.server_port)
        (tmp_path.parent / "secret-key").write_text("geheim")
        (tmp_path / "attack.py").write_text(f"def answers():\n    {body}\n    yield 1\n")
        with pytest.raises(DomainError) as caught:
            for _ in confined.answers(
                "attack",
                environment={"PYTHONPATH": str(tmp_path)},
                cpu_seconds=2,
                patience_seconds=4,
            ):
                pass
    assert caught.value.message in {
        "memory": [confined.TOO_MUCH_MEMORY],
        "time": [confined.TOO_LONG],
        "sleep": [confined.TOO_LONG],
    }.get(attack, [confined.CRASHED])
    assert not (tmp_path / "big").exists() or (tmp_path / "big").stat().st_size <= 100_000


def test_a_confined_program_writes_where_it_may(tmp_path: Path) -> None:
    """Where all of the attacks above failed, that was no accident."""
    (own := tmp_path / "own").mkdir()
    (given := tmp_path / "given").write_text("read")
    lines = (
        f"open('{own}/made', 'w').write(open('{given}').read())",
        f"os.rename('{own}/made', '{own}/kept')",
        f"yield os.listdir('{own}')",
    )
    body = "".join(f"    {line}\n" for line in lines)
    (folder := tmp_path / "programs").mkdir()
    (folder / "work.py").write_text(f"import os\ndef answers():\n{body}")
    found = confined.answers(
        "work", environment={"PYTHONPATH": str(folder)}, reads=(given,), writes=(own,)
    )
    assert list(found) == [["kept"]]
    assert (own / "kept").read_text() == "read"


@pytest.mark.parametrize("version", [0, 1])
def test_a_machine_without_landlock_is_told_of(monkeypatch, version: int) -> None:
    monkeypatch.setattr(walls, "landlock_version", lambda: version)
    server = Mock()
    serve.when_ready(server)
    assert server.log.warning.called == (version == 0)


def test_a_confined_program_knows_no_secrets(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:geheim@x/y")
    (tmp_path / "look.py").write_text("import os\ndef answers():\n    yield dict(os.environ)\n")
    (seen,) = confined.answers("look", environment={"PYTHONPATH": str(tmp_path)})
    assert "geheim" not in str(seen)
