"""Lists of towers as people have them: CSV, XLSX and geometry files, read as they are.

Every reader gives a `Listing` of raw rows; what its columns mean is said by `towers.mapping`.
Nothing is held whole: a list of a million rows takes no more memory than one of ten thousand.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from core import geofiles
from core.errors import UnsupportedMedia
from core.geofiles import SeveralLayers
from core.words import N_
from towers.readers.csv_lists import opened_csv
from towers.readers.geometry_lists import opened_geometry
from towers.readers.listing import MAX_BYTES, MAX_CELL, MAX_ROWS, Facts, Listing, Problem, Row
from towers.readers.workbooks import SeveralSheets, opened_workbook, sheets

__all__ = [
    "ENDINGS", "MAX_BYTES", "MAX_CELL", "MAX_ROWS", "Facts", "Listing", "Problem", "Row",
    "SeveralParts", "ending_of", "opened", "parts",
]  # fmt: skip

TEXTS = (".csv", ".txt", ".tsv")
WORKBOOKS = (".xlsx", ".xlsm")
ENDINGS = (*TEXTS, *WORKBOOKS, *geofiles.ENDINGS)
# Raised where a file has several sheets or layers and nobody said which; `names` are theirs.
SeveralParts = (SeveralSheets, SeveralLayers)


@contextlib.contextmanager
def opened(path: Path, filename: str, *, part: str | None = None) -> Iterator[Listing]:
    """The list in the file at `path`, which was called `filename`.

    `part` is the sheet or layer to read. Raises one of `SeveralParts` where it must be said, and
    `Invalid`, `TooLarge` or `UnsupportedMedia` with the reason, also while rows are read.
    """
    ending = ending_of(filename)
    if ending in TEXTS:
        with opened_csv(path) as listing:
            yield listing
    elif ending in WORKBOOKS:
        with opened_workbook(path, part) as listing:
            yield listing
    else:
        with opened_geometry(path, filename, part) as listing:
            yield listing


def parts(path: Path, filename: str) -> tuple[str, ...]:
    """The sheets or layers of a file; none for a format without."""
    ending = ending_of(filename)
    if ending in TEXTS:
        return ()
    if ending in WORKBOOKS:
        return sheets(path)
    return tuple(layer.name for layer in geofiles.layers(path, filename))


def ending_of(filename: str) -> str:
    """How a file's name ends; raises `UnsupportedMedia` where such files are not read here."""
    ending = Path(filename.lower()).suffix
    if ending not in ENDINGS:
        raise UnsupportedMedia(
            N_("Files that end in %(ending)s are not read here, only %(endings)s"),
            ending=Path(filename).suffix[:20] or "–",
            endings=", ".join(ENDINGS),
        )
    return ending
