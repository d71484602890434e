"""What every reader gives: the headers and rows of a list as they stand in its file."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from core.errors import TooLarge
from core.words import N_, unprotected

MAX_BYTES = 300_000_000
MAX_ROWS = 1_100_000
MAX_CELL = 10_000
MAX_COLUMNS = 500

# A text with facts, to be translated.
Note = tuple[str, Mapping[str, Any]]
# Which part of a row is wrong, why, and the value: `_row` and `_geometry` are no columns.
Problem = tuple[str, str, Mapping[str, Any], str]


class Row(NamedTuple):
    """One row: its number as an editor shows it, its cells as texts, what is wrong with it."""

    number: int
    cells: list[str]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Facts:
    """How the file was understood; empty where its format has no such thing.

    `part` is the sheet or layer that is read, `srid` the EPSG code that the file names, `system`
    and `projection` what it says about its coordinate system otherwise.
    """

    format: str
    encoding: str = ""
    delimiter: str = ""
    part: str = ""
    header_row: int | None = None
    srid: int | None = None
    system: str = ""
    projection: Mapping[str, float] = field(default_factory=dict)


@dataclass
class Listing:
    """A list whose rows can be read once.

    `headers` are as in the file, `Column 1` and so on where it has none. `points` are the columns
    of longitude and latitude that come from geometries. `notes` grow while rows are read.
    """

    headers: tuple[str, ...]
    rows: Iterator[Row]
    facts: Facts
    points: tuple[int, int] | None = None
    notes: list[Note] = field(default_factory=list)


def numbered(columns: int) -> tuple[str, ...]:
    """Names of columns that have none."""
    return tuple(f"Column {number}" for number in range(1, columns + 1))


def clean(cells: list[str], *, protected: bool = True) -> list[str]:
    """Cells without outer blanks, their letters composed.

    Where cells may be `protected`, without the mark that our exports put before some of them.
    """
    made = [cell.strip() for cell in cells]
    whole = "".join(made)
    if not whole.isascii():
        made = [c if c.isascii() else unicodedata.normalize("NFC", c) for c in made]
    if protected and "'" in whole:
        made = [unprotected(cell) for cell in made]
    return made


def limited(rows: Iterator[Row]) -> Iterator[Row]:
    """The rows, until there are too many: then raises `TooLarge`."""
    for seen, row in enumerate(rows):
        if seen >= MAX_ROWS:
            raise TooLarge(N_("The file has more than %(limit)s rows"), limit=MAX_ROWS)
        yield row
