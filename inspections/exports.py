"""The follow-up list as CSV, XLSX and GeoJSON: exactly the rows of the page, in constant memory."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from datetime import date
from typing import IO, Any

import orjson
import xlsxwriter
from sqlalchemy import ColumnElement, RowMapping, Select, case, cast, func, literal, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session
from sqlalchemy.types import Text

from core.db import allow_long_statements
from core.i18n import N_, translate
from core.policy import Actor
from inspections.queries import follow_up
from towers.queries import Filters

# Text that a spreadsheet would read as a formula; numbers are typed and stay numbers.
FORMULA = "^[=+@\\t\\r-]"

COLUMNS: tuple[tuple[str, str], ...] = (
    ("code", N_("Tower code")),
    ("name", N_("Tower name")),
    ("condition", N_("Condition")),
    ("task", N_("What must be fixed")),
    ("severity", N_("Severity")),
    ("found_on", N_("Found on")),
    ("deadline", N_("Deadline")),
    ("days_overdue", N_("Days overdue")),
    ("legal_basis", N_("Legal basis")),
    ("owner", N_("Owner")),
    ("commune", N_("Commune")),
    ("structure_type", N_("Structure type")),
    ("latitude", N_("Latitude")),
    ("longitude", N_("Longitude")),
)
BATCH = 1_000


def headings() -> list[str]:
    """The names of the columns in the reader's language."""
    return [translate(text) for _, text in COLUMNS]


def statement(
    actor: Actor,
    filters: Filters,
    *,
    today: date,
    labels: Mapping[str, Mapping[str, str]],
    items: Mapping[str, str],
) -> Select[Any]:
    """The list with its texts in place of keys, made by the database.

    `labels` holds for `condition`, `severity` and `structure_type` the text of each value,
    `items` the text of each checklist item, all in the reader's language.
    """
    rows = follow_up.rows(actor, filters, today=today).subquery("rows")

    def text(column: Any, texts: Mapping[str, str]) -> Any:
        whens = ((column == key, literal(value)) for key, value in texts.items())
        return case(*whens, else_=column)

    basis = func.concat_ws(
        ", ",
        rows.c.legal_basis["document"].astext,
        rows.c.legal_basis["article"].astext,
    )
    recommendation = literal(translate(N_("Technical recommendation")))
    return select(
        rows.c.code,
        rows.c.name,
        text(rows.c.condition, labels["condition"]).label("condition"),
        case(
            (rows.c.item_key.is_(None), literal(translate(N_("Load-safety assessment")))),
            else_=_item_text(rows.c.item_key, items),
        ).label("task"),
        text(rows.c.severity, labels["severity"]).label("severity"),
        rows.c.found_on,
        rows.c.deadline,
        rows.c.days_overdue,
        case(
            (rows.c.item_key.is_(None), literal("")),
            (basis == "", recommendation),
            else_=basis,
        ).label("legal_basis"),
        rows.c.owner,
        rows.c.commune,
        text(rows.c.structure_type, labels["structure_type"]).label("structure_type"),
        rows.c.latitude,
        rows.c.longitude,
    ).order_by(rows.c.urgency, rows.c.deadline, rows.c.id)


def _item_text(column: Any, items: Mapping[str, str]) -> Any:
    """The text of an item by a look-up in one JSON literal; an unknown key stays itself."""
    table = cast(literal(json.dumps(dict(items), ensure_ascii=False)), postgresql.JSONB)
    return func.coalesce(table[column].astext, column)


def _safe(listed: Select[Any]) -> Select[Any]:
    """Text that would be a formula gets an apostrophe, as spreadsheets write text."""
    rows = listed.subquery("listed")
    columns: list[ColumnElement[Any]] = []
    for column in rows.c:
        if isinstance(column.type, Text) or column.type.python_type is str:
            columns.append(
                case((column.op("~")(FORMULA), literal("'").concat(column)), else_=column).label(
                    column.name
                )
            )
        else:
            columns.append(column)
    return select(*columns)


def csv(session: Session, listed: Select[Any], *, excel: bool) -> Iterator[bytes]:
    """The list as CSV in UTF-8, streamed by COPY; `excel` begins it with the mark for Excel."""
    if excel:
        yield "\ufeff".encode()
    yield (",".join(_quoted(text) for text in headings()) + "\r\n").encode()
    yield from _copy(session, _safe(listed), "FORMAT csv, FORCE_QUOTE (code, name)")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\n') else text


def _copy(session: Session, listed: Select[Any], options: str) -> Iterator[bytes]:
    """What COPY writes for a statement, piece by piece."""
    compiled = listed.compile(
        dialect=postgresql.psycopg.dialect(), compile_kwargs={"render_postcompile": True}
    )
    # The whole list is one statement, which lasts as long as the reader takes to receive it.
    allow_long_statements(session)
    driver = session.connection().connection.driver_connection
    assert driver is not None
    with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY ({compiled}) TO STDOUT WITH ({options})", compiled.params) as copy,
    ):
        for piece in copy:
            yield bytes(piece)


def geojson(session: Session, listed: Select[Any]) -> Iterator[bytes]:
    """The list as a GeoJSON FeatureCollection, streamed; coordinates are EPSG:4326."""
    yield b'{"type":"FeatureCollection","features":['
    first = True
    for row in _stream(session, listed):
        values = dict(row)
        x, y = values.pop("longitude"), values.pop("latitude")
        feature = {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [x, y]},
            "properties": values,
        }
        yield (b"" if first else b",\n") + orjson.dumps(feature)
        first = False
    yield b"]}"


def _stream(session: Session, listed: Select[Any]) -> Iterator[RowMapping]:
    """The rows through a cursor on the server, some at a time."""
    result = session.execute(listed, execution_options={"yield_per": BATCH})
    yield from result.mappings()


def xlsx(session: Session, listed: Select[Any]) -> IO[bytes]:
    """The list as a workbook in a temporary file, at its start; the caller closes it."""
    file = tempfile.TemporaryFile(prefix="follow-up-", suffix=".xlsx")  # noqa: SIM115
    book = xlsxwriter.Workbook(
        file,
        {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
            "default_date_format": "dd/mm/yyyy",
        },
    )
    sheet = book.add_worksheet(translate(N_("Follow-up")))
    heading = book.add_format({"bold": True, "bg_color": "#DCE6F1", "bottom": 1})
    day = book.add_format({"num_format": "dd/mm/yyyy", "align": "left"})
    degrees = book.add_format({"num_format": "0.000000"})
    widths = (16, 32, 18, 48, 14, 12, 12, 10, 34, 30, 22, 26, 12, 12)
    for index, (text, width) in enumerate(zip(headings(), widths, strict=True)):
        sheet.set_column(index, index, width)
        sheet.write_string(0, index, text, heading)
    sheet.freeze_panes(1, 1)
    line = 0
    for row in _stream(session, listed):
        line += 1
        for index, (name, _) in enumerate(COLUMNS):
            value = row[name]
            if value is None or value == "":
                continue
            if isinstance(value, date):
                sheet.write_datetime(line, index, value, day)
            elif isinstance(value, int | float):
                sheet.write_number(
                    line, index, value, degrees if name in {"latitude", "longitude"} else None
                )
            else:
                sheet.write_string(line, index, str(value)[:32_767])
    sheet.autofilter(0, 0, line, len(COLUMNS) - 1)
    book.close()
    file.seek(0)
    return file
