"""CSV in any common encoding and with any common delimiter, read as it comes from the disk."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from core.errors import Invalid, TooLarge
from core.words import N_
from towers.readers.encodings import Encoding, find_encoding, notes_of_old_fonts
from towers.readers.headers import LOOKED_THROUGH, NUMBER, find_head, known_names
from towers.readers.listing import (
    MAX_BYTES,
    MAX_CELL,
    MAX_COLUMNS,
    Facts,
    Listing,
    Problem,
    Row,
    clean,
    limited,
)

# A comma comes last: it may stand in numbers.
DELIMITERS = "\t;|,"
# What is looked through to find the delimiter and the headers.
SAMPLE = 256_000
# A row that is longer is held by nobody, whatever stands in it.
MAX_ROW = MAX_COLUMNS * MAX_CELL

SURPLUS: Problem = ("_row", N_("The row has more cells than the header"), {}, "")
SWALLOWED = N_(
    "The quote that opens in line %(line)s closes in a later row only, which stands in its cell"
)
NOT_CLOSED = N_("The quote that opens in line %(row)s is not closed before the end of the file")
BREAK = re.compile(r"\r\n?|\n")
OTHER_LETTERS = N_(
    "The row is not in %(encoding)s as the rest of the file: save the whole file as UTF-8"
)


@contextlib.contextmanager
def opened_csv(path: Path) -> Iterator[Listing]:
    """The list in a file. Raises `Invalid`, `TooLarge`."""
    if path.stat().st_size > MAX_BYTES:
        raise TooLarge(N_("The file may have at most %(limit)s MB"), limit=MAX_BYTES // 1_000_000)
    encoding = find_encoding(path)
    errors = "surrogateescape" if encoding.legacy else "strict"
    with path.open(encoding=encoding.opens, errors=errors, newline="") as file:
        sample = file.read(SAMPLE)
        if not sample.strip(f'"{DELIMITERS} \r\n'):
            raise Invalid(N_("The file is empty"))
        delimiter = _delimiter(sample)
        file.seek(0)
        numbered = _numbered(file, delimiter)
        first = list(itertools.islice(numbered, LOOKED_THROUGH))
        texts = [_told(cells, encoding)[0] for _, cells in first]
        head = find_head(texts)
        if len(head.headers) > MAX_COLUMNS:
            raise Invalid(N_("The file has more than %(limit)s columns"), limit=MAX_COLUMNS)
        rows = itertools.chain(first[head.skipped :], numbered)
        above = first[head.skipped - 1][0] if head.skipped else 0
        yield Listing(
            head.headers,
            limited(_rows(rows, len(head.headers), encoding, delimiter, above)),
            Facts(
                "CSV",
                encoding=encoding.name,
                delimiter=delimiter,
                header_row=None if head.row is None else first[head.row][0],
            ),
            notes=notes_of_old_fonts(texts),
        )


class _Lines:
    """The lines of a file as `csv` asks for them, of which one row may take many.

    Raises `Invalid` for a row without an end before it is held whole: a file of one line and many
    delimiters would take thirty times its size.
    """

    def __init__(self, file: IO[str]) -> None:
        self.file = file
        self.left = MAX_ROW
        self.number = 0
        # Where the row begins that is being read, and whether the file ended in it.
        self.begins = 1
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.file.readline(self.left + 1)
        if not line:
            self.ended = True
            raise StopIteration
        self.left -= len(line)
        self.number += 1
        if self.left < 0:
            raise Invalid(
                N_("The CSV has a row near line %(row)s that is longer than any list has"),
                row=self.begins,
            )
        return line

    def end_row(self) -> None:
        self.left = MAX_ROW
        self.begins = self.number + 1


def _numbered(file: IO[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows of a file, each with the number of its last line."""
    lines = _Lines(file)
    reader = csv.reader(lines, delimiter=delimiter)
    with _explained(lines):
        for cells in reader:
            if lines.ended:
                # Only a quote makes it ask for more than there is.
                last = re.sub(r"(?:\r\n?|\n)\Z", "", cells[-1])
                raise Invalid(NOT_CLOSED, row=_opened(lines.number, [last]))
            lines.end_row()
            if len(cells) > MAX_COLUMNS:
                # One more is enough to say that there are too many; of empty ones, none.
                cells[MAX_COLUMNS:] = [cell for cell in cells[MAX_COLUMNS:] if cell][:1]
            yield reader.line_num, cells


@contextlib.contextmanager
def _explained(lines: _Lines) -> Iterator[None]:
    try:
        yield
    except csv.Error as error:
        raise Invalid(
            N_("The CSV cannot be read near row %(row)s: check its quotes and long cells"),
            row=lines.begins,
        ) from error


def _rows(
    rows: Iterator[tuple[int, list[str]]],
    width: int,
    encoding: Encoding,
    delimiter: str,
    above: int,
) -> Iterator[Row]:
    """The rows of a list; `above` is the last line before them."""
    for number, cells in rows:
        lines, above = number - above, number
        if not any(cells):
            continue
        problems: tuple[Problem, ...] = ()
        if encoding.legacy:
            cells, problems = _told(cells, encoding)
        if lines > 1:
            problems += _swallowed(number, cells, width, delimiter)
        cells = clean(cells)
        if len(cells) != width:
            if any(cells[width:]):
                problems += (SURPLUS,)
            cells = cells[:width] + [""] * (width - len(cells))
        yield Row(number, cells, problems)


def _opened(number: int, cells: list[str]) -> int:
    """The line where the first of these cells begins, the others behind it end in line `number`."""
    return number - sum(len(BREAK.findall(cell)) for cell in cells)


def _swallowed(number: int, cells: list[str], width: int, delimiter: str) -> tuple[Problem, ...]:
    """What is wrong with a row of many lines where a cell holds the row behind it, or many."""
    for place, cell in enumerate(cells):
        if _holds_a_row(cell, width, delimiter):
            facts = {"line": _opened(number, cells[place:])}
            return (("_row", SWALLOWED, facts, cell[:200]),)
    return ()


def _holds_a_row(cell: str, width: int, delimiter: str) -> bool:
    """Whether a cell has line breaks and, behind one, as many delimiters as a row of the list.

    A quote that opens and closes in the same column takes the end of one row and the beginning of
    another: together as many, with the numbers of a position between them.
    """
    if cell.count(delimiter) < width - 1 or width < 3 or not BREAK.search(cell):
        return False
    _, *behind = BREAK.split(cell)
    if any(line.count(delimiter) >= width - 1 for line in behind):
        return True
    parts = re.split(f"[{re.escape(delimiter)}\r\n]", cell)
    return sum(1 for part in parts if NUMBER.match(part.strip())) > 1


def _told(cells: list[str], encoding: Encoding) -> tuple[list[str], tuple[Problem, ...]]:
    """The cells of a file that is not all UTF-8, and what is wrong with a row unlike the others."""
    if encoding.legacy is None:
        return cells, ()
    whole = "".join(cells)
    if whole.isascii():
        return cells, ()
    try:
        whole.encode("utf-8")
    except UnicodeEncodeError:
        cells = [
            cell if cell.isascii() else
            cell.encode("utf-8", "surrogateescape").decode(encoding.legacy, "replace")
            for cell in cells
        ]  # fmt: skip
        right = encoding.name != "UTF-8"
    else:
        right = encoding.name == "UTF-8"
    if right:
        return cells, ()
    value = next(cell for cell in cells if not cell.isascii())
    return cells, (("_row", OTHER_LETTERS, {"encoding": encoding.name}, value[:200]),)


def _delimiter(sample: str) -> str:
    """The delimiter that gives the most usual headers in one row, then the most even rows."""

    def score(delimiter: str) -> tuple[int, int, int]:
        rows = []
        with contextlib.suppress(csv.Error):
            for row in itertools.islice(
                csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter), 200
            ):
                if any(row):
                    rows.append(row)
        widths = Counter(len(row) for row in rows if len(row) > 1)
        if not widths:
            return 0, 0, 0
        width, even = max(widths.items(), key=lambda item: (item[1], item[0]))
        names = max(known_names(row) for row in rows[:LOOKED_THROUGH])
        return names if names > 1 else 0, even, width

    return max(DELIMITERS, key=score)
