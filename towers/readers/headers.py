"""Finding the row that names the columns: titles stand above it, or nothing names them at all."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from towers.columns import BETWEEN, meaning
from towers.readers.listing import numbered

# Titles, dates and addresses of an office fill so many rows at most.
LOOKED_THROUGH = 40
# Names of groups, of groups in them, and of columns.
MOST_ROWS = 3
NUMBER = re.compile(r"[-+]?[\d.,' ]*\d[\d.,' ]*%?\Z", re.ASCII)
NUMBERING = re.compile(r"[(\[]?(\d{1,3})[)\]]?\Z", re.ASCII)


@dataclass(frozen=True)
class Head:
    """The names of the columns, and how many rows stand above the first row of the list.

    `row` is the place of the row that names the columns, `None` where none does.
    """

    headers: tuple[str, ...]
    skipped: int
    row: int | None


def find_head(rows: Sequence[list[str]]) -> Head:
    """Where the columns are named in the first rows, `plain` texts.

    Rows without anything in them count too. Rows of names below merged cells are joined to those
    above with ` / `, a row that numbers the columns is skipped.
    """
    rows = rows[:LOOKED_THROUGH]
    width = _usual_width(rows)
    at = _best_known(rows)
    if at is None:
        at = _looks_like_names(rows, width)
    if at is None:
        return Head(numbered(width), 0, None)
    at, skipped = _rows_of_names(rows, at)
    names = [" ".join(cell.split()) for cell in rows[at]]
    for row in rows[at + 1 : skipped]:
        names = _joined(names, row)
    if skipped < len(rows) and _numbers_columns(rows[skipped]):
        skipped += 1
    while len(names) > 1 and not names[-1] and len(names) > width:
        names.pop()
    usual = numbered(len(names))
    return Head(tuple(name[:200] or usual[place] for place, name in enumerate(names)), skipped, at)


def _filled(row: Sequence[str]) -> list[str]:
    return [cell for cell in row if cell.strip()]


def _usual_width(rows: Sequence[list[str]]) -> int:
    """How many columns most rows have, the last empty ones of all left out."""
    widths = Counter(len(row) for row in rows if _filled(row))
    if not widths:
        return 0
    most = max(widths.values())
    return max(width for width, times in widths.items() if times == most)


def known_names(row: Sequence[str]) -> int:
    """How many different things the cells of a row name, as headers do."""
    return len({found for cell in row if (found := meaning(cell))})


def _best_known(rows: Sequence[list[str]]) -> int | None:
    """The first row with the most usual headers, if it has two, and hardly a number."""
    best, found = None, 1
    for at, row in enumerate(rows):
        filled = _filled(row)
        score = known_names(filled)
        numbers = sum(1 for cell in filled if NUMBER.match(cell))
        if score > found and numbers * 2 < len(filled):
            best, found = at, score
    return best


def _looks_like_names(rows: Sequence[list[str]], width: int) -> int | None:
    """The first whole row, when it has no number and the rows below it do."""
    for at, row in enumerate(rows):
        filled = _filled(row)
        if not filled or len(row) < width or len(filled) * 2 < width:
            continue
        if any(NUMBER.match(cell) for cell in filled) or len(set(filled)) < len(filled):
            return None
        below = [one for one in rows[at + 1 :] if _filled(one)]
        if not below:
            return at
        if any(NUMBER.match(cell) for one in below for cell in _filled(one)):
            return at
        return None
    return None


def _rows_of_names(rows: Sequence[list[str]], at: int) -> tuple[int, int]:
    """The first of the rows that name the columns with the best known one, and the row behind
    the last.

    Most names may stand in the upper row or below its merged cells.
    """
    for top in range(max(0, at - MOST_ROWS + 1), at):
        upper = rows[top]
        if len(_filled(upper)) > 1 and known_names(upper) and _spans(rows[top : at + 1]):
            return top, at + 1
    for end in range(min(len(rows), at + MOST_ROWS), at + 2, -1):
        # A row of data may have a mark that is a name too.
        if known_names(rows[end - 1]) > 1 and _spans(rows[at:end]):
            return at, end
    return at, at + 2 if _spans(rows[at : at + 2]) else at + 1


def _spans(rows: Sequence[list[str]]) -> bool:
    """Whether the rows below the first name together the parts of its merged cells."""
    upper, *below = rows
    if not below or any(not _filled(row) or _has_numbers(row) for row in rows):
        return False
    width = max(len(row) for row in below)
    lower = ["".join(row[place] for row in below if place < len(row)) for place in range(width)]
    return _continues(upper, lower)


def _has_numbers(row: Sequence[str]) -> bool:
    return any(NUMBER.match(cell) for cell in row)


def _continues(upper: list[str], lower: list[str]) -> bool:
    """Whether a row names the parts of merged cells in the row above it."""
    filled = _filled(lower)
    if not filled or any(NUMBER.match(cell) for cell in filled) or len(lower) < 2:
        return False
    # The names of merged cells stand in their first cell; below, each part has its own.
    under_nothing = [
        place
        for place, cell in enumerate(lower)
        if cell.strip() and (place >= len(upper) or not upper[place].strip())
    ]
    alone = [
        place for place, cell in enumerate(upper)
        if cell.strip() and (place >= len(lower) or not lower[place].strip())
    ]  # fmt: skip
    if not under_nothing or not alone:
        return False
    return all(len(cell) <= 60 for cell in filled)


def _joined(upper: list[str], lower: list[str]) -> list[str]:
    names = []
    group = ""
    for place in range(max(len(upper), len(lower))):
        above = upper[place] if place < len(upper) else ""
        below = " ".join(lower[place].split()) if place < len(lower) else ""
        group = above or group
        names.append(BETWEEN.join((group, below)) if below and group else below or above)
    return names


def _numbers_columns(row: list[str]) -> bool:
    """Whether a row says (1), (2), (3) and nothing else, as official tables do."""
    matches = [NUMBERING.match(cell.strip()) for cell in row if cell.strip()]
    found = [int(match[1]) for match in matches if match]
    return len(found) >= 3 and len(found) == len(matches) and found == [
        found[0] + step for step in range(len(found))
    ] and found[0] == 1  # fmt: skip
