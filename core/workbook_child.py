"""Run confined by whoever reads a workbook: its sheets, and the rows of one.

openpyxl parses XML with defusedxml; before it begins, everything in the workbook is unpacked once
and counted, since what a zip says about its sizes may be a lie.
"""

from __future__ import annotations

import datetime
import itertools
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import IO, Any
from xml.etree.ElementTree import ParseError

import openpyxl
from defusedxml import DefusedXmlException
from openpyxl.utils.escape import unescape
from openpyxl.utils.exceptions import InvalidFileException

from core.confined_child import Refused
from core.geofiles_checks import HAS_ENTITIES, NOT_ITS_CONTENT, check_members, unpacked_pieces
from core.words import N_

# Rows that are looked at to see whether a sheet has anything in it.
PEEKED = 100
# Where all sheets are read at once, they are small.
MAX_SHEET_ROWS = 5_000
MAX_COLUMNS = 500
BATCH_ROWS = 500
ZEROS = re.compile(r"0+\Z")
DECLARATION = re.compile(rb"<!(DOCTYPE|ENTITY)", re.IGNORECASE)


def answers(path: str, wanted: str, sheet: str = "") -> Iterator[Any]:
    """The names of the sheets; then, where `wanted` is `rows`, batches of (number, texts).

    Where it is `all`, the first rows of every sheet instead, sheet by sheet.

    Of the named or the only sheet. Where there are several and none was named, one batch with the
    first rows of each.
    """
    warnings.simplefilter("ignore")
    _check(path)
    try:
        # A path would have to end in what openpyxl expects.
        with Path(path).open("rb") as file:
            yield from _read(file, wanted, sheet)
    except DefusedXmlException as error:
        raise Refused(HAS_ENTITIES) from error
    except (
        InvalidFileException, ParseError, KeyError, ValueError, TypeError, IndexError,
        AttributeError, OSError, zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip
        raise Refused(N_("The workbook is damaged: open it and save it again")) from error


def _check(path: str) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            check_members(members)
            if "xl/workbook.xml" not in archive.namelist():
                raise Refused(NOT_ITS_CONTENT, ending=".xlsx")
            written = 0
            for member in members:
                before, xml = b"", member.filename.lower().endswith((".xml", ".rels", ".vml"))
                for piece in unpacked_pieces(archive, member, written):
                    written += len(piece)
                    # Without its NULs a declaration in UTF-16 reads like one in UTF-8.
                    bare = (before + piece).replace(b"\x00", b"")
                    if xml and DECLARATION.search(bare):
                        raise Refused(HAS_ENTITIES)
                    before = piece[-20:]
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, zlib.error) as error:
        raise Refused(NOT_ITS_CONTENT, ending=".xlsx") from error


def _read(file: IO[bytes], wanted: str, sheet: str) -> Iterator[Any]:
    book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
    found = []
    for one in book.worksheets:
        # What it says of its size may be a lie, or the whole sheet.
        one.reset_dimensions()
        if one.sheet_state == "visible" and _has_anything(one):
            found.append(one)
    if not found:
        raise Refused(N_("The workbook has no sheet with anything in it"))
    names = [str(one.title) for one in found]
    if sheet and sheet not in names:
        raise Refused(
            N_("The workbook has no sheet “%(sheet)s”, but %(names)s"),
            sheet=sheet[:100],
            names=", ".join(names),
        )
    yield names
    if wanted == "all":
        for one in found:
            rows = (row for batch in _batches(one) for row in batch)
            yield list(itertools.islice(rows, MAX_SHEET_ROWS))
    if wanted != "rows":
        return
    if sheet or len(found) == 1:
        yield from _batches(found[names.index(sheet) if sheet else 0])
    else:
        yield [next(_batches(one))[:PEEKED] for one in found]


def _has_anything(sheet: Any) -> bool:
    return any(
        value is not None for row in sheet.iter_rows(max_row=PEEKED, values_only=True)
        for value in row
    )  # fmt: skip


def _batches(sheet: Any) -> Iterator[list[tuple[int, list[str]]]]:
    batch: list[tuple[int, list[str]]] = []
    for number, row in enumerate(sheet.iter_rows(), start=1):
        cells = [_text(cell) for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        if not cells:
            continue
        if len(cells) > MAX_COLUMNS:
            raise Refused(N_("The file has more than %(limit)s columns"), limit=MAX_COLUMNS)
        batch.append((number, cells))
        if len(batch) == BATCH_ROWS:
            yield batch
            batch = []
    if batch:
        yield batch


def _text(cell: Any) -> str:
    """A cell as people see it: days as 31/12/2026, numbers without what a float adds to them."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, str):
        # Letters that XML cannot have stand as _x000D_ in the file.
        return unescape(value) if "_x" in value else value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return _number(value, cell)
    if isinstance(value, datetime.datetime):
        day = value.strftime("%d/%m/%Y")
        clock = value.strftime("%H:%M:%S")
        return day if clock == "00:00:00" else f"{day} {clock.removesuffix(':00')}"
    if isinstance(value, datetime.date):
        return value.strftime("%d/%m/%Y")
    return str(value)


def _number(value: float, cell: Any) -> str:
    if isinstance(value, float):
        # A spreadsheet has 15 digits; what follows is an accident of binary fractions.
        if value != value or value in (float("inf"), float("-inf")):
            return str(value)
        text = format(Decimal(f"{value:.15g}"), "f")
    else:
        text = str(value)
    if "." not in text and ZEROS.match(cell.number_format or ""):
        # Codes kept as numbers and shown with leading zeros.
        return text.zfill(len(cell.number_format))
    return text
