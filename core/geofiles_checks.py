"""Whether a geometry file is what it says, before any library of geometries sees it.

Runs confined, with `core.geofiles_child`: what is checked here can be as large as it likes.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler

import orjson
from defusedxml import DefusedXmlException
from defusedxml.sax import make_parser

from core.confined_child import Refused
from core.words import N_

BEGINNINGS = {
    ".geojson": re.compile(rb"(\xef\xbb\xbf)?\s*\{"),
    ".geojsonl": re.compile(rb"(\xef\xbb\xbf)?[\s\x1e]*\{"),
    ".gpkg": re.compile(rb"SQLite format 3\x00"),
    ".zip": re.compile(rb"PK\x03\x04"),
    ".kml": re.compile(rb"(\xef\xbb\xbf)?\s*<|\xff\xfe<|\xfe\xff\x00<"),
    ".fgb": re.compile(rb"fgb\x03fgb"),
}
MAX_LAYERS = 50
MAX_MEMBERS = 200
MAX_UNPACKED = 1_000_000_000
# Real lists pack to a twentieth; what packs better than this was made to burst.
MAX_RATIO = 200
MAX_KML_DEPTH = 100
# Collections of collections: real ones have one of them, or two.
MAX_COLLECTED = 32
# Types of geometries in WKB by what stands in them: one position, a row of them, rings of them, or
# geometries.
POINT, ROWS, RINGS = 1, {2, 8}, {3, 17}
# The flags of the extended way: Z, M, and the number of a coordinate system.
FLAG_Z, FLAG_M, FLAG_SYSTEM = 0x80000000, 0x40000000, 0x20000000
PARTS_OF_SHAPEFILE = (".shp", ".shx", ".dbf", ".prj", ".cpg")

NOT_ITS_CONTENT = N_("The content of the file does not fit its ending %(ending)s")
HAS_ENTITIES = N_("The file declares XML entities or a document type, which is not taken here")
NOT_READABLE = N_("The file cannot be read as %(format)s: %(reason)s")


def checked(path: str, ending: str) -> list[tuple[str, str]]:
    """The files to read, each with the name of its layer where it has one of its own.

    A zip is unpacked beside itself. Raises `Refused`.
    """
    _check_beginning(Path(path), ending)
    if ending == ".zip":
        return _unpacked(Path(path))
    if ending in {".geojson", ".geojsonl"}:
        _check_json(Path(path), ending)
    if ending == ".kml":
        _check_kml(path)
    return [("", path)]


def _check_beginning(path: Path, ending: str) -> None:
    with path.open("rb") as file:
        head = file.read(4096)
    if not head:
        raise Refused(N_("The file is empty"))
    if not BEGINNINGS[ending].match(head):
        raise Refused(NOT_ITS_CONTENT, ending=ending)


def _check_json(path: Path, ending: str) -> None:
    """What GDAL passes over without a word: texts cut at a NUL, lines that are no features."""
    with path.open("rb") as file:
        before = b""
        while part := file.read(1 << 20):
            if b"\\u0000" in before + part or b"\x00" in part:
                raise Refused(N_("The file has a text with a character that cannot be stored"))
            before = part[-6:]
        if ending != ".geojsonl":
            return
        file.seek(0)
        for number, line in enumerate(file, start=1):
            line = line.lstrip(b"\xef\xbb\xbf\x1e").strip()
            if not line:
                continue
            try:
                feature = orjson.loads(line)
            except orjson.JSONDecodeError:
                feature = None
            if not isinstance(feature, dict) or feature.get("type") != "Feature":
                raise Refused(N_("Line %(number)s is no GeoJSON feature"), number=number)


def _check_kml(path: str) -> None:
    """KML is XML: no declarations, nothing that loads something else, not too deep."""
    parser = make_parser()
    parser.forbid_dtd = True
    parser.setContentHandler(_Elements())
    try:
        parser.parse(path)
    except DefusedXmlException as error:
        raise Refused(HAS_ENTITIES) from error
    except (SAXParseException, LookupError, ValueError) as error:
        raise Refused(NOT_READABLE, format="KML", reason=reason_of(error, path)) from error


class _Elements(ContentHandler):
    depth = 0

    def startElement(self, name: str, attrs: Any) -> None:
        name = name.rpartition(":")[2]
        if self.depth == 0 and name != "kml":
            raise Refused(NOT_ITS_CONTENT, ending=".kml")
        if name == "NetworkLink":
            raise Refused(
                N_("The KML loads another file (NetworkLink): save the layer itself as KML")
            )
        self.depth += 1
        if self.depth > MAX_KML_DEPTH:
            raise Refused(N_("The file is nested too deeply"))

    def endElement(self, name: str) -> None:
        self.depth -= 1


def require_few(layers: int) -> None:
    if layers > MAX_LAYERS:
        raise Refused(N_("The file has more than %(limit)s layers"), limit=MAX_LAYERS)


def reason_of(error: Exception, path: str) -> str:
    """What a library says, without our own path in it."""
    return str(error).replace(path, "").partition("; It might help")[0].strip(" '\":")[:200]


def _unpacked(path: Path) -> list[tuple[str, str]]:
    """The Shapefiles of a zip, written beside it under our own names: (name, path)."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [one for one in archive.infolist() if not one.is_dir()]
            check_members(members)
            return _shapefiles(archive, members, path.parent)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, zlib.error) as error:
        raise Refused(N_("The zip file is damaged"), reason=str(error)[:200]) from error


def check_members(members: list[zipfile.ZipInfo]) -> None:
    if len(members) > MAX_MEMBERS:
        raise Refused(N_("The zip has more than %(limit)s files"), limit=MAX_MEMBERS, status=413)
    for member in members:
        name = member.filename.replace("\\", "/")
        if name.startswith("/") or ".." in name.split("/") or re.match(r"[A-Za-z]:", name):
            raise Refused(N_("The zip has a file with a path that leads out of it"))
        if (member.external_attr >> 16) & 0o170000 == 0o120000:
            raise Refused(N_("The zip has a link instead of a file"))
        if member.flag_bits & 1:
            raise Refused(N_("The zip is locked with a password"))
        if name.lower().endswith((".zip", ".7z", ".rar", ".gz", ".tar")):
            raise Refused(N_("The zip has another archive in it: pack the files themselves"))


def _shapefiles(
    archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], folder: Path
) -> list[tuple[str, str]]:
    parts: dict[str, dict[str, zipfile.ZipInfo]] = {}
    for member in members:
        path = PurePosixPath(member.filename.replace("\\", "/"))
        if path.suffix.lower() in PARTS_OF_SHAPEFILE and "__MACOSX" not in path.parts:
            parts.setdefault(str(path.with_suffix("")).lower(), {})[path.suffix.lower()] = member
    found = [
        (PurePosixPath(files[".shp"].filename.replace("\\", "/")).stem, files)
        for files in parts.values()
        if ".shp" in files
    ]
    if not found:
        raise Refused(N_("The zip has no Shapefile (.shp) in it"))
    require_few(len(found))
    written = 0
    made: list[tuple[str, str]] = []
    for number, (stem, files) in enumerate(found):
        missing = [part for part in (".shx", ".dbf") if part not in files]
        if missing:
            raise Refused(
                N_("The Shapefile “%(name)s” lacks its part %(part)s"),
                name=stem[:100],
                part=missing[0],
            )
        for part, member in files.items():
            written += _write(archive, member, folder / f"layer{number}{part}", written)
        made.append((stem, str(folder / f"layer{number}.shp")))
    return made


def _write(archive: zipfile.ZipFile, member: zipfile.ZipInfo, to: Path, before: int) -> int:
    """Unpack one member and return its size."""
    size = 0
    with to.open("xb") as target:
        for piece in unpacked_pieces(archive, member, before):
            size += len(piece)
            target.write(piece)
    return size


def unpacked_pieces(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, before: int
) -> Iterator[bytes]:
    """What a member unpacks to, of which `before` bytes came from others.

    Raises `Refused` when it is too much: what its head says about its size may be a lie.
    """
    size = 0
    with archive.open(member) as source:
        while piece := source.read(1 << 20):
            size += len(piece)
            if before + size > MAX_UNPACKED:
                raise Refused(
                    N_("The file unpacks to more than %(limit)s MB"),
                    limit=MAX_UNPACKED // 1_000_000,
                    status=413,
                )
            if size > (1 << 20) and size > MAX_RATIO * max(1, member.compress_size):
                raise Refused(N_("The file unpacks to far more than it can honestly hold"))
            yield piece


def nests_too_deeply(wkb: bytes) -> bool:
    """Whether collections stand in one another deeper than any real one.

    Libraries read them by recursion, and that ends their process. Some files hand a geometry on as
    it was written, so it is walked here before anything reads it. What is cut off or no geometry is
    for the reader to say.
    """
    left: list[int] = [1]
    at = 0
    try:
        while left:
            if not left[-1]:
                left.pop()
                continue
            left[-1] -= 1
            order = "<" if wkb[at] else ">"
            (kind,) = struct.unpack_from(f"{order}I", wkb, at + 1)
            at += 9 if kind & FLAG_SYSTEM else 5
            kind, flags = kind & 0x0FFFFFFF, kind
            dimensions = (
                2 + bool(flags & FLAG_Z) + bool(flags & FLAG_M) + (0, 1, 1, 2)[kind // 1000]
            )
            kind, size = kind % 1000, 8 * dimensions
            if kind == POINT:
                at += size
                continue
            (number,) = struct.unpack_from(f"{order}I", wkb, at)
            at += 4
            if kind in ROWS:
                at += number * size
            elif kind in RINGS:
                for _ in range(number):
                    (corners,) = struct.unpack_from(f"{order}I", wkb, at)
                    at += 4 + corners * size
            else:
                left.append(number)
                if len(left) > MAX_COLLECTED:
                    return True
    except (struct.error, IndexError):
        return False
    return False
