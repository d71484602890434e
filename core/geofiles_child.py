"""What `core.geofiles` runs confined: GDAL reads a geometry file that has been checked.

GDAL reads far more than is wanted here: every driver but the one of the file's ending is taken
away before it begins, and it only ever sees a file of our own name in a folder of our own.
"""

from __future__ import annotations

import base64
import datetime
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from core.confined_child import Refused
from core.geofiles_checks import (
    NOT_ITS_CONTENT,
    NOT_READABLE,
    checked,
    nests_too_deeply,
    reason_of,
    require_few,
)
from core.words import N_

# Every driver of the pinned GDAL. One that is not here stops the program: nobody has allowed it.
DRIVERS = (
    "ADBC", "AIVector", "AVCBin", "AVCE00", "AmigoCloud", "CSV", "CSW", "Carto", "DGN", "DXF",
    "EDIGEO", "EEDA", "ESRI Shapefile", "ESRIJSON", "Elasticsearch", "FlatGeobuf", "GDALG", "GML",
    "GPKG", "GPSBabel", "GPX", "GTFS", "GeoJSON", "GeoJSONSeq", "GeoRSS", "HTTP", "Idrisi", "JML",
    "JSONFG", "KML", "LIBKML", "LVBAG", "MBTiles", "MEM", "MVT", "MapInfo File", "MapML",
    "MiraMonVector", "NGW", "OAPIF", "ODS", "OGCAPI", "OGR_GMT", "OGR_PDS", "OGR_VRT", "OSM",
    "OpenFileGDB", "PCIDSK", "PDF", "PDS4", "PGDUMP", "PLSCENES", "PMTiles", "S57", "SQLite", "SXF",
    "Selafin", "TopoJSON", "VDV", "VFK", "VICAR", "WAsP", "WFS", "XLSX",
)  # fmt: skip
OF_ENDING = {
    ".geojson": "GeoJSON",
    ".geojsonl": "GeoJSONSeq",
    ".gpkg": "GPKG",
    ".zip": "ESRI Shapefile",
    ".kml": "LIBKML",
    ".fgb": "FlatGeobuf",
}
SETTINGS = {
    # Nothing here has a reason to ask another host; where something does, nobody answers.
    "GDAL_HTTP_PROXY": "http://127.0.0.1:1",
    "GDAL_HTTP_TIMEOUT": "1",
    "GDAL_HTTP_CONNECTTIMEOUT": "1",
    "PROJ_NETWORK": "OFF",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": "{none}",
    "GDAL_NUM_THREADS": "1",
    "OGR_GPKG_NUM_THREADS": "1",
    "GDAL_CACHEMAX": "64",
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    # What one object may take in memory, in MB: some 500,000 vertices.
    "OGR_GEOJSON_MAX_OBJ_SIZE": "300",
    # KML has fields of its own that no list means; other names keep them apart from the list's.
    "LIBKML_NAME_FIELD": "name",
    **{
        f"LIBKML_{field}_FIELD": f"kml {field}"
        for field in (
            "ID", "TIMESTAMP", "BEGIN", "END", "ALTITUDEMODE", "TESSELLATE", "EXTRUDE",
            "VISIBILITY", "DRAWORDER", "ICON", "SNIPPET", "HEADING", "TILT", "ROLL", "IMAGE",
            "PHOTOOVERLAY", "CAMERA_ALTITUDE", "CAMERA_ALTITUDEMODE",
        )
    },
}  # fmt: skip
MAX_COLUMNS = 500
MAX_GEOMETRY_BYTES = 20_000_000
BATCH_ROWS = 1000
BATCH_BYTES = 4_000_000

TOO_MANY_VERTICES = N_("A geometry of the file has too many vertices")
NOT_UTF8 = N_("The file has a text that is not UTF-8: save it as UTF-8")


def answers(path: str, ending: str, own_name: str, wanted: str, layer: str = "") -> Iterator[Any]:
    """The names of the layers, then, where `wanted` is `layers`, what each is.

    Where it is `features`: what the chosen or only layer is, then its features in batches of
    geometry and values; nothing where there are several and none was chosen.
    """
    files = checked(path, ending)
    _begin(ending)
    try:
        yield from _read(files, ending, own_name, wanted, layer)
    except UnicodeDecodeError as error:
        raise Refused(NOT_UTF8) from error


def _begin(ending: str) -> None:
    """Import GDAL with the one driver that this file needs."""
    unwanted = [name for name in DRIVERS if name != OF_ENDING[ending]]
    os.environ.update(SETTINGS, GDAL_SKIP=",".join(unwanted))
    import pyogrio

    if set(pyogrio.list_drivers()) != {OF_ENDING[ending]}:
        raise RuntimeError(f"drivers that nobody allowed: {pyogrio.list_drivers()}")
    pyogrio.set_gdal_config_options(SETTINGS)


def _read(
    files: list[tuple[str, str]], ending: str, own_name: str, wanted: str, layer: str
) -> Iterator[Any]:
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    warnings.simplefilter("ignore")
    path = files[0][1]
    try:
        found: list[tuple[str, str, int | None]] = []
        for name, path in files:
            if ending in {".geojson", ".geojsonl", ".fgb"}:
                # One layer by their nature; to ask for it would read the whole file once more.
                found.append((own_name, path, None))
                continue
            for at, (own, _kind) in enumerate(pyogrio.list_layers(path)):
                lent = own_name if own == Path(path).stem else str(own)
                found.append((name or lent, path, at))
        require_few(len(found))
        names = _told_apart([name for name, _, _ in found])
        if not names:
            raise Refused(N_("The file has no layer with features"))
        if layer and layer not in names:
            raise Refused(
                N_("The file has no layer “%(layer)s”, but %(names)s"),
                layer=layer[:100],
                names=", ".join(names),
            )
        yield names
        if wanted == "layers":
            for _, path, number in found:
                yield _described(path, number, ending)
        elif layer or len(names) == 1:
            _, path, number = found[names.index(layer) if layer else 0]
            yield from _batches(path, number, ending)
    except (DataSourceError, DataLayerError, RuntimeError, OSError) as error:
        reason = reason_of(error, path)
        if "not recognized as being in a supported" in reason:
            raise Refused(NOT_ITS_CONTENT, ending=ending) from error
        if "too complex/large" in reason:
            raise Refused(TOO_MANY_VERTICES, status=413) from error
        raise Refused(NOT_READABLE, format=OF_ENDING[ending], reason=reason) from error


def _told_apart(names: list[str]) -> list[str]:
    """Names of layers, no two alike."""
    made: list[str] = []
    for name in names:
        name = name[:100]
        again = 2
        told = name
        while told in made:
            told, again = f"{name} ({again})", again + 1
        made.append(told)
    return made


def _options(path: str, ending: str) -> dict[str, Any]:
    if ending == ".gpkg":
        # No journal beside it: the folder is not its own.
        return {"IMMUTABLE": "YES"}
    if ending == ".zip" and not Path(path).with_suffix(".cpg").exists():
        # Nobody says which letters these are: byte by byte, so that they can be told later.
        return {"ENCODING": "ISO-8859-1"}
    return {}


def _described(path: str, number: int | None, ending: str) -> dict[str, Any]:
    from pyogrio.raw import open_arrow

    with open_arrow(path, layer=number, batch_size=1, **_options(path, ending)) as (meta, _stream):
        return _description(meta)


def _description(meta: dict[str, Any]) -> dict[str, Any]:
    columns = [str(name) for name in meta["fields"] if not str(name).startswith("kml ")]
    if len(columns) > MAX_COLUMNS:
        raise Refused(N_("The file has more than %(limit)s columns"), limit=MAX_COLUMNS)
    return {
        "columns": columns,
        "geometry": str(meta["geometry_type"] or ""),
        **_system(meta["crs"]),
    }


def _system(crs: str | None) -> dict[str, Any]:
    """The coordinate system as far as it can be told: EPSG code, name, and how it projects."""
    if not crs:
        return {"srid": None, "system": "", "projection": {}}
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        made = CRS.from_user_input(crs).to_2d()
        if made.is_bound:
            made = made.source_crs or made
        code = made.to_epsg(min_confidence=70)
        operation = made.coordinate_operation
        values = {one.name: one.value for one in operation.params} if operation else {}
    except CRSError:
        return {"srid": None, "system": crs[:200], "projection": {}}
    return {"srid": code, "system": made.name, "projection": values}


def _batches(path: str, number: int | None, ending: str) -> Iterator[Any]:
    import nanoarrow
    from pyogrio.raw import open_arrow

    options = _options(path, ending)
    bytewise = options.get("ENCODING") == "ISO-8859-1"
    with open_arrow(path, layer=number, batch_size=BATCH_ROWS, **options) as (meta, stream):
        description = _description(meta)
        yield description
        kept = [at for at, name in enumerate(meta["fields"]) if not str(name).startswith("kml ")]
        for batch in nanoarrow.ArrayStream(stream):
            columns = [list(batch.child(at).iter_py()) for at in range(batch.schema.n_fields)]
            geometries = [None] * len(batch)
            if len(columns) > len(meta["fields"]):
                geometries = columns.pop()
            cells = [
                _lists(columns[at]) if meta["ogr_subtypes"][at] == "OFSTJSON" else
                _plain(columns[at], bytewise)
                for at in kept
            ]  # fmt: skip
            rows, size = [], 0
            for at, geometry in enumerate(geometries):
                if geometry is not None and len(geometry) > MAX_GEOMETRY_BYTES:
                    raise Refused(TOO_MANY_VERTICES, status=413)
                if geometry is not None and nests_too_deeply(geometry):
                    raise Refused(N_("The file is nested too deeply"))
                row = [column[at] for column in cells]
                wkb = None if geometry is None else base64.b64encode(geometry).decode()
                size += len(wkb or "") + sum(len(c) for c in row if isinstance(c, str))
                rows.append([wkb, row])
                if size > BATCH_BYTES:
                    yield rows
                    rows, size = [], 0
            if rows:
                yield rows


def _plain(column: list[Any], bytewise: bool) -> list[Any]:
    """A column's values as JSON has them: days and times as ISO texts, bytes left out."""
    first = next((value for value in column if value is not None), None)
    if isinstance(first, str) and bytewise:
        return [None if value is None else _letters(value) for value in column]
    if isinstance(first, datetime.date | datetime.time):
        return [None if value is None else value.isoformat() for value in column]
    if isinstance(first, bytes):
        return [None] * len(column)
    return column


def _lists(column: list[Any]) -> list[Any]:
    """A column that GDAL writes as JSON, since not all of it is a list of one kind: its lists as
    lists again. It takes an empty one, which has no kind, for such a column."""
    return [_list_or_text(value) for value in column]


def _list_or_text(value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith("["):
        return value
    try:
        found = orjson.loads(value)
    except ValueError:
        return value
    scalars = isinstance(found, list) and not any(isinstance(one, list | dict) for one in found)
    return found if scalars else value


def _letters(text: str) -> str:
    """A text that came byte by byte: UTF-8, else the Vietnamese Windows letters, else Western."""
    content = text.encode("latin-1")
    for encoding in ("utf-8", "cp1258", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return text
