"""The rows of a list in tables of their own, as long as the transaction lasts.

`staging` has what the list says, by the number of its row; the other steps work on it in SQL, so
that a list of a million rows takes no memory here. Wrong rows go to a file at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import IO, Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from core.words import N_
from towers.imports.rows import SQL_TYPES, BadCell, RowReader
from towers.imports.watching import Watch
from towers.queries.merges import successors
from towers.readers import Row

TABLES = ("staging", "known", "fresh", "suspect", "stated", "refused")
# So much is given to COPY at once.
BLOCK = 1 << 16


def create(session: Session, reader: RowReader) -> None:
    """Make the staging table with the columns of this list, and drop what an earlier one left."""
    for table in TABLES:
        session.execute(text(f"DROP TABLE IF EXISTS pg_temp.{table}"))
    types = {
        "line": "integer NOT NULL",
        "cells": "text NOT NULL",
        "code": 'text COLLATE "C" NOT NULL',
        "lon": "float8 NOT NULL",
        "lat": "float8 NOT NULL",
        "srid": "integer",
        "x": "float8",
        "y": "float8",
        "call_sign": "text",
        "made": "boolean",
        "stated_commune": "text",
        **{of.name: SQL_TYPES[of.kind] for of in reader.given},
    }
    names = dict.fromkeys((*reader.columns, *(of.name for of in reader.given)))
    columns = ", ".join(f"{name} {types[name]}" for name in names)
    session.execute(text(f"CREATE TEMPORARY TABLE staging ({columns}) ON COMMIT DROP"))
    session.execute(
        text(
            "CREATE TEMPORARY TABLE refused (line integer, cells text, column_name text,"
            " value text, message text, facts jsonb) ON COMMIT DROP"
        )
    )


def fill(
    session: Session, rows: Iterable[Row], reader: RowReader, refused: IO[bytes], watch: Watch
) -> tuple[int, int]:
    """Read all rows; returns how many there are and how many are wrong, which go to `refused`."""
    driver = session.connection().connection.driver_connection
    assert driver is not None
    counted = [0, 0]
    columns = ", ".join(reader.columns)
    with driver.cursor() as cursor, cursor.copy(f"COPY staging ({columns}) FROM STDIN") as copy:
        for block in _blocks(rows, reader, refused, watch, counted):
            copy.write(block)
    return counted[0], counted[1]


def _blocks(
    rows: Iterable[Row],
    reader: RowReader,
    refused: IO[bytes],
    watch: Watch,
    counted: list[int],
) -> Iterator[str]:
    lines: list[str] = []
    size = seen = bad = 0
    read = reader.read
    for row in rows:
        seen += 1
        line, problems = read(row)
        if problems:
            bad += 1
            refused.write(report_line(row.number, row.cells, "wrong", problems))
        else:
            lines.append(line)
            size += len(line)
        if size >= BLOCK or not seen % 500:
            if lines:
                yield "".join(lines)
            lines, size = [], 0
            watch.read(seen)
    if lines:
        yield "".join(lines)
    watch.read(seen)
    counted[:] = seen, bad


def report_line(number: int, cells: Any, result: str, problems: Iterable[BadCell]) -> bytes:
    """A row of the report as it is kept: a JSON text in a line of its own."""
    reasons = [
        {"column": one.column, "value": one.value, "message": one.message, "facts": one.facts}
        for one in problems
    ]
    kept = {"row": number, "cells": cells, "result": result, "reasons": reasons}
    return json.dumps(kept, ensure_ascii=False, default=str).encode("utf-8", "replace") + b"\n"


def number_made_codes(session: Session, reader: RowReader) -> None:
    """Give a second structure at the place of one call sign a number of its own."""
    if "made" not in reader.columns:
        return
    session.execute(
        text(
            """
            UPDATE staging s SET code = s.code || '-' || n.number
            FROM (
                SELECT line, row_number() OVER (PARTITION BY code ORDER BY line) AS number
                FROM staging WHERE made
            ) n WHERE n.line = s.line AND n.number > 1
            """
        )
    )


REPEATED = N_("This code already stands in row %(other)s")


def refuse_repeated(session: Session) -> int:
    """Take every row out whose code stands in an earlier one; returns how many."""
    return session.execute(
        text(
            """
            WITH repeated AS MATERIALIZED (
                SELECT code, min(line) AS first FROM staging GROUP BY code HAVING count(*) > 1
            ), taken AS (
                DELETE FROM staging s USING repeated r
                WHERE s.code = r.code AND s.line > r.first
                RETURNING s.line, s.cells, s.code, r.first
            )
            INSERT INTO refused
            SELECT line, cells, 'code', code, :message, jsonb_build_object('other', first)
            FROM taken
            """
        ),
        {"message": REPEATED},
    ).rowcount  # type: ignore[attr-defined]


LEFT = N_("%(code)s is now the tower %(kept)s: change that one instead")


def refuse_left(session: Session) -> int:
    """Take every row out whose code was left behind, by a merge or for another code: the list
    would bring it back.

    Returns how many.
    """
    codes = session.scalars(
        text(
            "SELECT code FROM staging WHERE code IN"
            " (SELECT old_code FROM tower_merge UNION SELECT old_code FROM tower_left_code)"
        )
    ).all()
    kept = successors(session, codes) if codes else {}
    if not kept:
        return 0
    return session.execute(
        text(
            """
            WITH merged AS (
                SELECT * FROM unnest(cast(:codes AS text[]), cast(:kept AS text[])) AS m(code, kept)
            ), taken AS (
                DELETE FROM staging s USING merged m WHERE s.code = m.code
                RETURNING s.line, s.cells, s.code, m.kept
            )
            INSERT INTO refused
            SELECT line, cells, 'code', code, :message,
                jsonb_build_object('code', code, 'kept', kept)
            FROM taken
            """
        ),
        {"codes": list(kept), "kept": list(kept.values()), "message": LEFT},
    ).rowcount  # type: ignore[attr-defined]
