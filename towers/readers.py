"""Lists of towers as people have them: CSV in any common encoding, and GeoJSON points."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from core.api import strict_json
from core.errors import Invalid, TooLarge, UnsupportedMedia
from core.words import N_, plain, unprotected
from towers.fields import known_headers

MAX_BYTES = 300_000_000
MAX_GEOJSON_BYTES = 60_000_000
MAX_ROWS = 1_100_000
MAX_CELL = 10_000

# A French or American list of masts may have call signs in the place of codes.
KNOWN = {**known_headers(), "call sign": "call_sign", "ho hieu": "call_sign"}


@dataclass(frozen=True)
class Row:
    """One row: its number as an editor shows it, and the texts of its known fields."""

    number: int
    values: dict[str, str]


@dataclass(frozen=True)
class Listing:
    """A list that can be read once: its known fields, its other columns, its rows."""

    fields: tuple[str, ...]
    ignored: tuple[str, ...]
    rows: Iterator[Row]


def read(filename: str, content: bytes) -> Listing:
    """Read a list by its name's ending; raises `Invalid`, `TooLarge`, `UnsupportedMedia`."""
    ending = filename.lower().rsplit(".", 1)[-1]
    if ending in {"csv", "txt", "tsv"}:
        return read_csv(content)
    if ending in {"geojson", "json"}:
        return read_geojson(content)
    raise UnsupportedMedia(N_("Only CSV (.csv) and GeoJSON (.geojson) files can be imported"))


def decoded(content: bytes) -> str:
    """The text of a file in UTF-8, UTF-16, or one of the Windows encodings used here."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    elif content.startswith(b"\xef\xbb\xbf"):
        encodings = ["utf-8-sig"]
    else:
        encodings = ["utf-8", "cp1258", "cp1252", "latin-1"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" in text:
            raise Invalid(N_("This is not a text file"))
        return text
    raise Invalid(N_("The encoding of the file is not known: save it as UTF-8"))


def read_csv(content: bytes) -> Listing:
    """A CSV with a header row; the delimiter is the one its header has most of."""
    if len(content) > MAX_BYTES:
        raise TooLarge(N_("The file may have at most %(limit)s MB"), limit=MAX_BYTES // 1_000_000)
    text = decoded(content)
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t|", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = next(reader, None)
    except csv.Error as error:
        raise Invalid(
            N_("The CSV cannot be read near row %(row)s: check its quotes and long cells"),
            row=reader.line_num,
        ) from error
    if not header or not any(cell.strip() for cell in header):
        raise Invalid(N_("The file is empty: its first row must name the columns"))
    columns, ignored = _columns(header)
    return Listing(tuple(columns.values()), ignored, _csv_rows(reader, columns, len(header)))


def _columns(header: list[str]) -> tuple[dict[int, str], tuple[str, ...]]:
    """The known columns by position, and the names of the others."""
    columns: dict[int, str] = {}
    ignored: list[str] = []
    for position, cell in enumerate(header):
        field = KNOWN.get(plain(cell))
        if field is None:
            if cell.strip():
                ignored.append(cell.strip()[:100])
        elif field in columns.values():
            raise Invalid(
                N_("Two columns of the file mean “%(column)s”: keep one"), column=cell.strip()
            )
        else:
            columns[position] = field
    _require_fields(set(columns.values()))
    return columns, tuple(ignored)


def _require_fields(fields: set[str]) -> None:
    missing = [name for name in ("latitude", "longitude") if name not in fields]
    if not fields & {"code", "call_sign"}:
        missing.insert(0, "code")
    if missing:
        raise Invalid(N_("The file has no column for: %(columns)s"), columns=", ".join(missing))


def _csv_rows(reader: Any, columns: dict[int, str], width: int) -> Iterator[Row]:
    seen = 0
    try:
        for cells in reader:
            if not any(cells):
                continue
            seen += 1
            _require_size(seen)
            values = {
                field: unprotected(_cell(cells[position])) if position < len(cells) else ""
                for position, field in columns.items()
            }
            if len(cells) > width and any(cell.strip() for cell in cells[width:]):
                values["_surplus"] = str(len(cells))
            yield Row(reader.line_num, values)
    except csv.Error as error:
        raise Invalid(
            N_("The CSV cannot be read near row %(row)s: check its quotes and long cells"),
            row=reader.line_num,
        ) from error


def _cell(text: str) -> str:
    text = text.strip()
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _require_size(seen: int) -> None:
    if seen > MAX_ROWS:
        raise TooLarge(N_("The file has more than %(limit)s rows"), limit=MAX_ROWS)


def read_geojson(content: bytes) -> Listing:
    """A GeoJSON FeatureCollection of points in EPSG:4326, its properties named as CSV headers."""
    if len(content) > MAX_GEOJSON_BYTES:
        raise TooLarge(
            N_("The file may have at most %(limit)s MB"), limit=MAX_GEOJSON_BYTES // 1_000_000
        )
    document = strict_json(content.removeprefix(b"\xef\xbb\xbf"))
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list) or document.get("type") != "FeatureCollection":
        raise Invalid(N_("This is not a GeoJSON FeatureCollection"))
    if not features:
        raise Invalid(N_("The file has no features"))
    _require_size(len(features))
    names: dict[str, str] = {}
    ignored: dict[str, None] = {}
    seen: set[str] = set()
    for feature in features:
        properties = feature.get("properties") if isinstance(feature, dict) else None
        for name in properties if isinstance(properties, dict) else ():
            if name in seen:
                continue
            seen.add(name)
            field = KNOWN.get(plain(name))
            if field is None or field in {"latitude", "longitude"}:
                ignored[name[:100]] = None
            elif names.setdefault(field, name) != name:
                raise Invalid(
                    N_("Two columns of the file mean “%(column)s”: keep one"), column=name
                )
    _require_fields({*names, "latitude", "longitude"})
    return Listing(
        (*names, "latitude", "longitude"), tuple(ignored), _geojson_rows(features, names)
    )


def _plain_number(value: Any) -> str:
    """A number as people write it: 0.00001, never 1e-05."""
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")
    return str(value)


def _geojson_rows(features: list[Any], names: dict[str, str]) -> Iterator[Row]:
    for number, feature in enumerate(features, start=1):
        given = feature if isinstance(feature, dict) else {}
        geometry, properties = given.get("geometry"), given.get("properties")
        values = {}
        for field, name in names.items():
            value = properties.get(name) if isinstance(properties, dict) else None
            if isinstance(value, list):
                value = ",".join(str(one) for one in value)
            values[field] = "" if value is None else _cell(str(value))
        coordinates = geometry.get("coordinates") if isinstance(geometry, dict) else None
        is_point = isinstance(geometry, dict) and geometry.get("type") == "Point"
        if is_point and isinstance(coordinates, list) and len(coordinates) >= 2:
            values["longitude"], values["latitude"] = map(_plain_number, coordinates[:2])
        else:
            kind = geometry.get("type") if isinstance(geometry, dict) else geometry
            values["_geometry"] = "null" if kind is None else str(kind)[:100]
            values["longitude"] = values["latitude"] = ""
        yield Row(number, values)
