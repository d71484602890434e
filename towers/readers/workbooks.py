"""Sheets of XLSX workbooks, read row by row in a process with limits."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from core import confined
from core.errors import Invalid, TooLarge
from core.words import N_
from towers.readers.csv_lists import SURPLUS
from towers.readers.encodings import notes_of_old_fonts
from towers.readers.headers import LOOKED_THROUGH, find_head, known_names
from towers.readers.listing import Facts, Listing, Problem, Row, clean, limited

MAX_WORKBOOK_BYTES = 100_000_000
CPU_SECONDS = 600
# A sheet with so many usual headers in one row is a list.
LIST_HAS_NAMES = 3


class SeveralSheets(Invalid):
    """The workbook has several sheets and nobody said which; `names` are theirs."""

    code = "several_sheets"

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(
            N_("The workbook has several sheets: choose one of %(names)s"), names=", ".join(names)
        )
        self.names = names


def sheets(path: Path) -> tuple[str, ...]:
    """The visible sheets that have anything in them."""
    with contextlib.closing(_answers(path, "sheets")) as answers:
        return tuple(next(answers))


def beginnings(path: Path) -> dict[str, list[tuple[int, list[str]]]]:
    """The first rows of each visible sheet that has anything in it: numbers with their cells."""
    with contextlib.closing(_answers(path, "rows")) as answers:
        names = tuple(next(answers))
        first: list[Any] = next(answers, [])
    return dict(zip(names, first, strict=True)) if len(names) > 1 else {names[0]: first}


def rows_of(path: Path, sheet: str) -> Iterator[tuple[int, list[str]]]:
    """All rows of a sheet as they stand in it: numbers with their cells."""
    with contextlib.closing(_answers(path, "rows", sheet)) as answers:
        next(answers)
        for batch in answers:
            yield from ((number, cells) for number, cells in batch)


@contextlib.contextmanager
def opened_workbook(path: Path, part: str | None) -> Iterator[Listing]:
    """The list in a sheet. Raises `SeveralSheets`, `Invalid`, `TooLarge`."""
    with contextlib.closing(_answers(path, "rows", part or "")) as answers:
        names = tuple(next(answers))
        if part is None and len(names) > 1:
            part = _only_list(names, next(answers))
            answers.close()
            with opened_workbook(path, part) as listing:
                yield listing
            return
        rows = (row for batch in answers for row in batch)
        first = list(itertools.islice(rows, LOOKED_THROUGH))
        texts = [cells for _, cells in first]
        head = find_head(texts)
        if not head.headers:
            raise Invalid(N_("The file is empty"))
        yield Listing(
            head.headers,
            limited(_rows(itertools.chain(first[head.skipped :], rows), len(head.headers))),
            Facts(
                "XLSX",
                part=part or names[0],
                header_row=None if head.row is None else first[head.row][0],
            ),
            notes=notes_of_old_fonts(texts),
        )


def _only_list(names: tuple[str, ...], beginnings: list[list[tuple[int, list[str]]]]) -> str:
    """The one sheet that names columns as lists do, beside explanations and pivot tables.

    Raises `SeveralSheets` where several do, or none.
    """
    lists = [
        name
        for name, rows in zip(names, beginnings, strict=True)
        if max(known_names(cells) for _, cells in rows[:LOOKED_THROUGH]) >= LIST_HAS_NAMES
    ]
    if len(lists) != 1:
        raise SeveralSheets(names)
    return lists[0]


def _rows(rows: Iterator[tuple[int, list[str]]], width: int) -> Iterator[Row]:
    for number, cells in rows:
        cells = clean(cells)
        problems: tuple[Problem, ...] = ()
        if len(cells) != width:
            if any(cells[width:]):
                problems = (SURPLUS,)
            cells = cells[:width] + [""] * (width - len(cells))
        yield Row(number, cells, problems)


def _answers(path: Path, *wanted: str) -> Generator[Any]:
    if path.stat().st_size > MAX_WORKBOOK_BYTES:
        raise TooLarge(
            N_("The file may have at most %(limit)s MB"), limit=MAX_WORKBOOK_BYTES // 1_000_000
        )
    return confined.answers(
        "core.workbook_child",
        str(path.resolve()),
        *wanted,
        cpu_seconds=CPU_SECONDS,
        reads=(path.resolve(),),
    )
