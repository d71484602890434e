"""Tables as layers of points for map programs: GeoPackage and KML.

GDAL writes them from a stream of Arrow batches that are made while it writes: the file is opened
once, its index is built once, and memory holds one batch.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import IO, Any

import nanoarrow
from nanoarrow.ipc import InputStream, StreamWriter
from pyogrio import set_gdal_config_options
from pyogrio.errors import DataSourceError
from pyogrio.raw import write_arrow
from sqlalchemy import Date, Integer, Select, cast, func, literal, select
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Session
from sqlalchemy.types import Text

from core.geo import SRID
from core.tables import BETWEEN, Column, Kind, Table, Watch, batches, unwatched

STRING = nanoarrow.string()
TYPES = {
    Kind.TEXT: STRING,
    Kind.TEXTS: STRING,
    Kind.WHOLE: nanoarrow.int32(),
    Kind.NUMBER: nanoarrow.float64(),
    Kind.DAY: nanoarrow.date32(),
    Kind.FLAG: nanoarrow.bool_(),
}
POINT = "geometry"
# A file that is not done when something fails is thrown away: until then it need not survive that.
# Of pages of 16 KiB there are fewer to fill than of 4, in less time and space.
set_gdal_config_options(
    {
        "OGR_SQLITE_SYNCHRONOUS": "OFF",
        "OGR_SQLITE_JOURNAL": "OFF",
        "OGR_SQLITE_PRAGMA": "page_size=16384",
    }
)
FIRST_DAY = date(1970, 1, 1)


def geopackage(session: Session, table: Table, watch: Watch = unwatched) -> IO[bytes]:
    """The table as a GeoPackage in a temporary file, at its start; the caller closes it.

    In version 1.3, which the map programs of Debian 12 and Ubuntu 24.04 know.
    """
    number = {"layer_metadata": {"export": table.number}} if table.number else {}
    return _written(session, table, "GPKG", ".gpkg", watch, VERSION="1.3", **number)


def kml(session: Session, table: Table, watch: Watch = unwatched) -> IO[bytes]:
    """The same as KML, whose coordinates are degrees of WGS 84 by its standard.

    Raises `ValueError` for a table in another system.
    """
    if table.crs != f"EPSG:{SRID}":
        raise ValueError(f"KML has no system but EPSG:{SRID}")
    return _written(session, table, "KML", ".kml", watch)


def _written(
    session: Session, table: Table, driver: str, ending: str, watch: Watch, **options: Any
) -> IO[bytes]:
    plain = driver == "KML"
    with (
        closing(batches(session, _rows(table, plain), watch, undecoded=True)) as rows,
        tempfile.TemporaryDirectory(prefix="thap-canh-") as folder,
    ):
        stream = _Stream(table.attributes, plain, rows)
        path = Path(folder) / f"{table.name}{ending}"
        try:
            write_arrow(
                stream,
                path,
                layer=table.name,
                driver=driver,
                geometry_name=POINT,
                geometry_type="Point",
                crs=table.crs,
                **options,
            )
        except (DataSourceError, RuntimeError) as error:
            # What stopped the rows says more than that the stream broke off.
            raise stream.failure or error from error
        if stream.failure is not None:
            raise stream.failure
        # The folder goes, the open file stays until it is closed.
        return path.open("rb")


def _rows(table: Table, plain: bool) -> Select[Any]:
    """The attributes as Arrow takes them, then the point as WKB.

    `plain`: for a format without days, which become texts such as 2026-12-31.
    """
    rows = table.statement.subquery("rows")
    columns: list[Any] = []
    for one in table.attributes:
        column: Any = rows.c[one.name]
        if one.kind is Kind.TEXT:
            column = func.nullif(column, "")
        elif one.kind is Kind.TEXTS:
            column = func.nullif(func.array_to_string(column, BETWEEN), "")
        elif one.kind is Kind.DAY and plain:
            column = cast(column, Text)
        elif one.kind is Kind.DAY:
            column = cast(column - literal(FIRST_DAY, Date), Integer)
        elif one.kind is Kind.WHOLE:
            column = cast(column, Integer)
        columns.append(column.label(one.name))
    point = func.ST_AsBinary(func.ST_MakePoint(rows.c[table.x], rows.c[table.y]))
    return select(*columns, cast(point, BYTEA).label(POINT))


class _Stream(io.RawIOBase):
    """Batches of rows as the bytes of an Arrow stream, made when they are asked for.

    nanoarrow reads it and hands the batches to GDAL. What goes wrong in between is kept as
    `failure`, since only its text comes out at the other end.
    """

    def __init__(
        self, columns: Sequence[Column], plain: bool, rows: Iterator[list[tuple[Any, ...]]]
    ) -> None:
        kinds = [STRING if plain and one.kind is Kind.DAY else TYPES[one.kind] for one in columns]
        names = [*(one.name for one in columns), POINT]
        types = [*kinds, nanoarrow.binary()]
        self._schema = nanoarrow.struct(dict(zip(names, types, strict=True)))
        # A text lies in memory as its bytes do: neither is decoded to be encoded again.
        self._types = [nanoarrow.binary() if one is STRING else one for one in types]
        self._rows = rows
        self._bytes = io.BytesIO()
        self._writer = StreamWriter.from_writable(self._bytes)
        self._waiting = memoryview(b"")
        self._begun = self._ended = False
        self.failure: Exception | None = None

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return InputStream.from_readable(self).__arrow_c_stream__(requested_schema)

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        into = memoryview(into).cast("B")
        try:
            while not self._waiting and not self._ended:
                self._next_piece()
        except Exception as failure:
            self.failure = failure
            raise
        size = min(len(into), len(self._waiting))
        into[:size] = self._waiting[:size]
        self._waiting = self._waiting[size:]
        return size

    def _next_piece(self) -> None:
        self._bytes.seek(0)
        self._bytes.truncate()
        rows = next(self._rows, None)
        if rows is None and self._begun:
            self._writer.close()
            self._ended = True
        else:
            # Without any row an empty batch says which columns there are.
            self._writer.write_array(self._batch(rows or []))
            self._begun = True
        self._waiting = memoryview(self._bytes.getvalue())

    def _batch(self, rows: list[tuple[Any, ...]]) -> Any:
        columns: Any = zip(*rows, strict=True) if rows else [()] * len(self._types)
        children = [
            nanoarrow.c_array(column, kind)
            for column, kind in zip(columns, self._types, strict=True)
        ]
        return nanoarrow.c_array_from_buffers(self._schema, len(rows), [None], children=children)
