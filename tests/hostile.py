"""What is sent by mistake or to do harm: what every operation refuses, files that burst or break
their readers, and where each is sent."""

from __future__ import annotations

import contextlib
import functools
import io
import re
import sqlite3
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from flask import Flask

from core.api import MAX_DEPTH, MAX_JSON_BYTES
from tests.authz import routes
from tests.canary_test import ALL as ALL
from tests.core.geofiles_test import written

# What no operation reads, with the beginning of what it says in English.
DOUBLE = "The JSON cannot be read: a key stands twice in one object"
NOT_FINITE = "The JSON cannot be read: a number is not finite"
UNSTORABLE = "The JSON cannot be read: a text has a character that cannot be stored"
DEEP = "The JSON is nested deeper than 32 levels"
BROKEN = "The JSON cannot be read: it is wrong in line 1"
JSON: dict[str, tuple[bytes, str]] = {
    "double key": (b'{"x": 1, "x": 2}', DOUBLE),
    "double key, written otherwise": (b'{"x": 1, "\\u0078": 2}', DOUBLE),
    "NaN": (b'{"x": NaN}', NOT_FINITE),
    "infinity": (b'{"x": [-Infinity]}', NOT_FINITE),
    "1e999": (b'{"x": {"y": 1e999}}', NOT_FINITE),
    "long number": (b'{"x": 1' + b"0" * 2000 + b"}", "The JSON cannot be read: a number is too"),
    "too deep": (b'{"x":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}", DEEP),
    "far too deep": (b"[" * 100_000, DEEP),
    "lone surrogate": (b'{"x": "\\ud800"}', UNSTORABLE),
    "NUL": (b'{"\\u0000": 1}', UNSTORABLE),
    "control character": (b'{"x": "\x07"}', BROKEN),
    "another encoding": ('{"x": "Trạm"}'.encode("utf-16"), "This is not a text in UTF-8"),
    "half": (b'{"x": ', BROKEN),
    "nothing": (b"", BROKEN),
}
OTHER_TYPES = (
    "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
    "application/xml", "text/json", "",
)  # fmt: skip
TOO_LARGE = MAX_JSON_BYTES + 1


def json_operations(app: Flask, document: dict) -> Iterator[tuple[str, str]]:
    """Method and rule of every operation that takes JSON, as the document of the API says."""
    for rule, method, _ in routes(app):
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)
        operation = document["paths"].get(path, {}).get(method.lower(), {})
        if "application/json" in operation.get("requestBody", {}).get("content", {}):
            yield method, rule


# Files that burst


def zipped(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


def png(width: int, height: int, data: bytes, *more: tuple[bytes, bytes]) -> bytes:
    """A PNG of grey pixels whose lines are `data`, with chunks before them."""

    def chunk(name: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    between = b"".join(chunk(name, content) for name, content in more)
    body = chunk(b"IDAT", zlib.compress(data, 1)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + head + between + body


@functools.cache
def heavy_picture() -> bytes:
    """As many pixels as are taken, in a few kilobytes: hundreds of megabytes once decoded."""
    return png(7700, 7700, bytes(7701 * 7700))


@functools.cache
def bursting_picture() -> bytes:
    return png(30_000, 30_000, bytes(30_001 * 100))


@functools.cache
def talking_picture() -> bytes:
    """A small picture with a comment of 50 MB."""
    return png(8, 8, bytes(72), (b"zTXt", b"Comment\x00\x00" + zlib.compress(bytes(50_000_000))))


@functools.cache
def bursting_workbook() -> bytes:
    return zipped(
        ("[Content_Types].xml", b"<Types/>"),
        ("xl/workbook.xml", b"<workbook/>"),
        ("xl/worksheets/sheet1.xml", b" " * 50_000_000),
    )


@functools.cache
def bursting_shapefile() -> bytes:
    return zipped(("a.shp", bytes(50_000_000)), ("a.shx", b""), ("a.dbf", b""))


@functools.cache
def bursting_template() -> bytes:
    return zipped(
        ("[Content_Types].xml", b"<Types/>"),
        ("word/document.xml", b"<w:document/>"),
        ("word/media/a.bin", bytes(50_000_000)),
    )


def endless_row() -> bytes:
    return b"code,name,latitude,longitude\n" + b"," * 12_000_000


def many_values() -> bytes:
    """A queue of a phone whose memory is thirty times its size."""
    return b'{"format":"thap-canh-queue","version":1,"operations":[' + b"[]," * 1_000_000 + b"[]]}"


def deep_geojson() -> bytes:
    return b'{"type":"FeatureCollection","features":[' + b"[" * 400_000


@functools.cache
def endless_package() -> bytes:
    """A GeoPackage whose geometry is a collection in a collection, and so on: it is handed on as it
    was written."""
    with tempfile.TemporaryDirectory(prefix="thap-canh-test-") as folder:
        path = written(Path(folder) / "a.gpkg", layer="list")
        deep = struct.pack("<BII", 1, 6, 1) + struct.pack("<BII", 1, 7, 1) * 200_000
        with contextlib.closing(sqlite3.connect(path)) as database:
            names = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            for (name,) in names.fetchall():
                database.execute(f'DROP TRIGGER "{name}"')
            blob = b"GP\x00\x01" + struct.pack("<i", 4326) + deep
            database.execute("UPDATE list SET geom = ?", (blob,))
            database.commit()
        return path.read_bytes()


ENTITIES = b'<!DOCTYPE kml [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
KML = b'<?xml version="1.0"?>' + ENTITIES + b'<kml xmlns="http://www.opengis.net/kml/2.2">&b;</kml>'
BURSTS = "The file unpacks to far more than it can honestly hold"
PIXELS = "A photo may have at most 60 million pixels"


@dataclass(frozen=True)
class Bomb:
    """A file for a door: who sends it where, how it is answered, and how that begins."""

    name: str
    role: str
    rule: str
    filename: str
    content: Callable[[], bytes]
    status: int
    says: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    file: str = "file"
    tag: bool = False


IMPORT, API_IMPORT = "/towers/import", "/api/v1/imports"
AREAS = {"level": "commune", "province_code": "82", "province_name": "Tỉnh A"}
VISIT = {"id": "{new}", "inspection": "{inspection_id}"}
DOCUMENT = {"id": "{new}", "tower": "{code}", "kind": "permit"}
REPLY = {"id": "{new}", "violation": "{violation_id}", "kind": "claim", "text": "x", "name": "x"}
BOMBS = (
    Bomb("photo of many pixels", "inspector", "/api/v1/photos", "a.png", bursting_picture, 413,
         PIXELS, VISIT),
    Bomb("photo with a long comment", "inspector", "/api/v1/photos", "a.png", talking_picture, 422,
         "The photo is broken or was cut off: send it again", VISIT),
    Bomb("signature of many pixels", "inspector",
         "/api/v1/inspections/<uuid:inspection_id>/signatures", "a.png", bursting_picture, 413,
         PIXELS, {"id": "{new}", "place": "inspector", "name": "x"}, tag=True),
    Bomb("document of many pixels", "staff", "/api/v1/documents", "a.png", bursting_picture, 413,
         PIXELS, DOCUMENT),
    Bomb("answer of an owner", "operator",
         "/api/v1/own-notices/<uuid:own_notice_id>/replies", "a.png", bursting_picture, 422,
         PIXELS, REPLY, "files"),
    Bomb("picture as large as is taken", "staff", "/api/v1/documents", "a.png", heavy_picture, 201,
         "", DOCUMENT),
    Bomb("workbook that nobody opens", "staff", "/api/v1/documents", "a.xlsx", bursting_workbook,
         201, "", DOCUMENT),
    Bomb("list as a workbook", "staff", API_IMPORT, "a.xlsx", bursting_workbook, 422, BURSTS),
    Bomb("list as a shapefile", "staff", IMPORT, "a.zip", bursting_shapefile, 422, BURSTS),
    Bomb("list of one row", "staff", IMPORT, "a.csv", endless_row, 422,
         "The CSV has a row near line 2 that is longer than any list has"),
    Bomb("list as deep json", "staff", IMPORT, "a.geojson", deep_geojson, 422,
         "The file cannot be read as GeoJSON"),
    Bomb("list as a package", "staff", IMPORT, "a.gpkg", endless_package, 422,
         "The file is nested too deeply"),
    Bomb("areas as a package", "admin", "/areas/load", "a.gpkg", endless_package, 422,
         "The file is nested too deeply", {**AREAS, "code_column": "code", "name_column": "ten"}),
    Bomb("list as kml", "staff", API_IMPORT, "a.kml", lambda: KML, 422,
         "The file declares XML entities"),
    Bomb("areas", "admin", "/areas/load", "a.zip", bursting_shapefile, 422, BURSTS, AREAS),
    Bomb("returned list", "staff", "/api/v1/follow-up/returned", "a.xlsx", bursting_workbook, 422,
         BURSTS),
    Bomb("checklist as a workbook", "staff", "/checklists/<int:draft>/import", "a.xlsx",
         bursting_workbook, 422, BURSTS),
    Bomb("checklist as yaml", "staff", "/checklists/<int:draft>/import", "a.yaml",
         lambda: b"- " * 400_000, 422, "The YAML is nested deeper than 20 levels"),
    Bomb("template of notices", "staff", "/notices/template", "a.docx", bursting_template, 422,
         "This Word document is too large inside"),
    Bomb("queue of a phone", "staff", "/field/import", "a.json", many_values, 413,
         "The JSON has more than"),
)  # fmt: skip
