"""Tables as workbooks for spreadsheets: typed cells, and a second sheet that explains them."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Callable, Sequence
from datetime import date
from typing import IO, Any

import xlsxwriter
from sqlalchemy import select
from sqlalchemy.orm import Session
from xlsxwriter.worksheet import Worksheet

from core.errors import TooLarge
from core.i18n import translate
from core.tables import BETWEEN, Column, Kind, Table, Watch, batches, unwatched
from core.words import FORMULA, N_

# What a sheet can hold, the row of headers included.
MAX_ROWS = 1_048_576
MAX_CELL = 32_767
OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}
DAY = "dd/mm/yyyy"

Write = Callable[[Any, int, int, Any, Any], Any]
# The methods themselves: around them stands a look whether a cell is named like "A1", which takes a
# fourteenth of the time of a long list.
write_string = inspect.unwrap(Worksheet.write_string)
write_number = inspect.unwrap(Worksheet.write_number)
write_datetime = inspect.unwrap(Worksheet.write_datetime)


def xlsx(session: Session, table: Table, watch: Watch = unwatched) -> IO[bytes]:
    """The table as a workbook in a temporary file, at its start; the caller closes it.

    Raises `TooLarge` for more rows than a sheet can hold.
    """
    file: IO[bytes] = tempfile.TemporaryFile(prefix=f"{table.name}-", suffix=".xlsx")  # noqa: SIM115
    try:
        # The rows wait in a file of the library's own, which must not outlive a failure.
        with tempfile.TemporaryDirectory(prefix="thap-canh-") as folder:
            book = xlsxwriter.Workbook(file, {**OPTIONS, "tmpdir": folder})
            rows = _write_rows(session, table, book, watch)
            _explain(table, book, rows)
            book.close()
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def _write_rows(session: Session, table: Table, book: Any, watch: Watch) -> int:
    """Write the list itself; returns its number of rows."""
    sheet = book.add_worksheet(table.title[:31])
    head = _head(book)
    for place, column in enumerate(table.columns):
        sheet.set_column(place, place, column.width)
        sheet.write_string(0, place, column.label, head)
    sheet.freeze_panes(1, 1)
    cells = [(place, *_cell(book, column)) for place, column in enumerate(table.columns)]
    rows = table.statement.subquery("rows")
    wanted = select(*(rows.c[one.name] for one in table.columns))
    line = 0
    for batch in batches(session, wanted, watch):
        if line + len(batch) >= MAX_ROWS:
            raise TooLarge(
                N_("A sheet has room for %(limit)s rows: narrow the list, or take CSV"),
                limit=MAX_ROWS - 1,
            )
        for row in batch:
            line += 1
            for place, write, style in cells:
                value = row[place]
                if value is not None and value != "":
                    write(sheet, line, place, value, style)
    sheet.autofilter(0, 0, line, len(table.columns) - 1)
    return line


def _head(book: Any) -> Any:
    return book.add_format({"bold": True, "bg_color": "#DCE6F1", "bottom": 1})


def _cell(book: Any, column: Column) -> tuple[Write, Any]:
    """How a cell of a column is written, and its style."""
    if column.kind is Kind.DAY:
        return _day, book.add_format({"num_format": DAY, "align": "left"})
    if column.kind in {Kind.NUMBER, Kind.COORDINATE}:
        shown = f"0.{'0' * column.digits}" if column.kind is Kind.COORDINATE else "0.##"
        return _number, book.add_format({"num_format": shown})
    if column.kind is Kind.WHOLE:
        return _number, None
    return _text, None


def _day(sheet: Any, line: int, place: int, value: date, style: Any) -> None:
    write_datetime(sheet, line, place, value, style)


def _number(sheet: Any, line: int, place: int, value: Any, style: Any) -> None:
    write_number(sheet, line, place, value, style)


def _text(sheet: Any, line: int, place: int, value: Any, style: Any) -> None:
    """A text cell is no formula, whatever it begins with; but our own mark of protection is taken
    off when a list is read, so a text that begins as if it had one gets one more."""
    if isinstance(value, list):
        value = BETWEEN.join(value)
    elif isinstance(value, bool):
        value = "yes" if value else "no"
    elif value[0] == "'" and FORMULA.match(value):
        value = f"'{value}"
    write_string(sheet, line, place, value[:MAX_CELL])


def _explain(table: Table, book: Any, rows: int) -> None:
    """The second sheet: where the list comes from, and what its columns mean."""
    sheet = book.add_worksheet(translate(N_("About this list"))[:31])
    head, wrapped = _head(book), book.add_format({"text_wrap": True, "valign": "top"})
    about = (*table.about, (translate(N_("Rows")), str(rows)))
    line = 0
    for what, value in about:
        sheet.write_string(line, 0, what, head)
        sheet.write_string(line, 1, value[:MAX_CELL])
        line += 1
    line += 1
    titles: Sequence[str] = [
        translate(text)
        for text in (
            N_("Column"), N_("Field"), N_("Meaning"), N_("Unit"), N_("Allowed values"),
        )
    ]  # fmt: skip
    for place, (title, width) in enumerate(zip(titles, (34, 26, 60, 10, 60), strict=True)):
        sheet.set_column(place, place, width)
        sheet.write_string(line, place, title, head)
    for column in table.columns:
        line += 1
        texts = (
            column.label, column.name, column.meaning, column.unit, "\n".join(column.values),
        )  # fmt: skip
        for place, text in enumerate(texts):
            sheet.write_string(line, place, text[:MAX_CELL], wrapped)
