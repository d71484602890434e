"""Tables for other programs: a statement, what its columns are, and its rows as CSV or GeoJSON.

`core.workbooks` and `core.layers` write the same tables as workbooks and as layers of maps. No
writer holds the list: its rows come through a cursor or a COPY and leave piece by piece.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from typing import Any

from psycopg.types.string import ByteaBinaryLoader
from sqlalchemy import ColumnElement, Select, Text, case, cast, func, literal, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from core.db import allow_long_statements
from core.geo import SRID
from core.words import FORMULA

# As much as is sent at once.
PIECE = 64 * 1024
# As many rows as wait in the connection while those before them are worked on.
BATCH = 500
# The letters with which a text begins that may need protection: quick to ask, unlike a pattern.
FIRST_LETTERS = tuple(ord(letter) for letter in "\t\r'+-=@")
# JSON has no such letters: COPY then quotes nothing.
AS_IT_IS = "FORMAT csv, DELIMITER E'\\x02', QUOTE E'\\x01'"
BETWEEN = "; "

# Told now and then how many more rows were written: raises when nobody waits for them any more.
Watch = Callable[[int], None]


class Kind(StrEnum):
    """What a column holds. A coordinate is where the row's point lies, in numbers."""

    TEXT = "text"
    TEXTS = "texts"
    WHOLE = "whole"
    NUMBER = "number"
    COORDINATE = "coordinate"
    DAY = "day"
    FLAG = "flag"


@dataclass(frozen=True)
class Column:
    """A column of the statement with its header in the reader's language.

    `digits` decimals are shown, `width` is in letters; `meaning`, `unit` and the allowed `values`
    are for people and stand in a workbook's second sheet.
    """

    name: str
    label: str
    kind: Kind = Kind.TEXT
    width: int = 16
    digits: int = 1
    meaning: str = ""
    unit: str = ""
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A statement in its final order, whose columns have the names of `columns`.

    `x` (east) and `y` (north) name the columns of its points, in the system `crs`, an EPSG code or
    WKT. `name` is for programs; `title` and `about`, pairs of what and its value, are for people.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    statement: Select[Any]
    x: str = "longitude"
    y: str = "latitude"
    crs: str = f"EPSG:{SRID}"
    about: tuple[tuple[str, str], ...] = ()
    number: str = ""

    def with_about(self, about: Sequence[tuple[str, str]], number: str = "") -> Table:
        """The same, saying of itself where it comes from; `number` is that of the export."""
        return replace(self, about=tuple(about), number=number)

    @property
    def attributes(self) -> tuple[Column, ...]:
        """The columns that stand beside a point."""
        return tuple(one for one in self.columns if one.kind is not Kind.COORDINATE)


def unwatched(rows: int) -> None:
    """For whoever waits in any case."""


def batches(
    session: Session, statement: Select[Any], watch: Watch, *, undecoded: bool = False
) -> Generator[list[tuple[Any, ...]]]:
    """The rows as plain tuples, some at a time; the database makes the next ones meanwhile.

    `undecoded`: texts as their bytes in UTF-8. Whoever stops taking rows ends the query.
    """
    allow_long_statements(session)
    sql, values = _compiled(statement)
    with _driver(session).cursor() as cursor:
        for kind in ("text", "varchar") if undecoded else ():
            cursor.adapters.register_loader(kind, ByteaBinaryLoader)
        with closing(cursor.stream(sql, values, binary=True, size=BATCH)) as rows:
            while batch := list(islice(rows, BATCH)):
                watch(len(batch))
                yield batch


def _compiled(statement: Select[Any]) -> tuple[str, Any]:
    compiled = statement.compile(
        dialect=postgresql.psycopg.dialect(), compile_kwargs={"render_postcompile": True}
    )
    # The driver takes a tuple for a row; the lists of filters are tuples.
    values = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in compiled.params.items()
    }
    return str(compiled), values


def _driver(session: Session) -> Any:
    driver = session.connection().connection.driver_connection
    assert driver is not None
    return driver


def _copied(
    session: Session,
    statement: Select[Any],
    options: str,
    between: bytes = b"",
    watch: Watch = unwatched,
) -> Iterator[bytes]:
    """What COPY writes for the rows of a statement, in pieces, with something between two rows.

    Whoever stops taking pieces ends the query.
    """
    # The whole list is one statement, which lasts as long as the reader takes to receive it.
    allow_long_statements(session)
    sql, values = _compiled(statement)
    with (
        _driver(session).cursor() as cursor,
        cursor.copy(f"COPY ({sql}) TO STDOUT WITH ({options})", values) as copy,
    ):
        rows: list[bytes] = []
        size, before = 0, b""
        for row in copy:
            rows.append(row)
            size += len(row)
            if size >= PIECE:
                watch(len(rows))
                yield before + between.join(rows)
                rows, size, before = [], 0, between
        if rows:
            watch(len(rows))
            yield before + between.join(rows)


def csv(
    session: Session, table: Table, *, excel: bool, watch: Watch = unwatched
) -> Iterator[bytes]:
    """The table as CSV in UTF-8 with CRLF after the header; `excel` begins it with Excel's mark."""
    if excel:
        yield "\ufeff".encode()
    yield (",".join(_quoted(one.label) for one in table.columns) + "\r\n").encode()
    rows = table.statement.subquery("rows")
    cells = select(*(_cell(rows.c[one.name], one.kind) for one in table.columns))
    yield from _copied(session, cells, "FORMAT csv", watch=watch)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n') else text


def _cell(column: ColumnElement[Any], kind: Kind) -> ColumnElement[Any]:
    """What stands in a cell: text that would be a formula gets an apostrophe before it."""
    if kind is Kind.TEXTS:
        return func.array_to_string(column, BETWEEN)
    if kind is Kind.FLAG:
        return case((column, literal("yes")), (~column, literal("no")))
    if kind is not Kind.TEXT:
        return column
    suspect = func.ascii(column).in_(FIRST_LETTERS)
    formula = suspect & column.op("~")(f"^{FORMULA.pattern}")
    return case((formula, literal("'").concat(column)), else_=column)


def geojson(session: Session, table: Table, watch: Watch = unwatched) -> Iterator[bytes]:
    """The table as a GeoJSON FeatureCollection, made by the database; it must be in EPSG:4326.

    Beside the features stand their number and the export's, as the standard allows.
    """
    number = 0

    def told(rows: int) -> None:
        nonlocal number
        number += rows
        watch(rows)

    yield b'{"type":"FeatureCollection","features":['
    yield from _copied(session, features(table), AS_IT_IS, b",", told)
    export = f',"export":{json.dumps(table.number)}' if table.number else ""
    yield f'],"numberReturned":{number}{export}}}'.encode()


def features(table: Table) -> Select[Any]:
    """Each row of a table as the text of a GeoJSON feature, its numbers exact."""
    rows = table.statement.subquery("rows")
    attributes = select(*(rows.c[one.name] for one in table.attributes)).correlate(rows)
    properties = attributes.lateral("properties")
    feature = func.concat(
        '{"type":"Feature","geometry":{"type":"Point","coordinates":[',
        rows.c[table.x],
        ",",
        rows.c[table.y],
        ']},"properties":',
        cast(func.row_to_json(properties.table_valued()), Text),
        "}",
    )
    return select(feature.label("feature")).select_from(rows).join(properties, literal(True))
