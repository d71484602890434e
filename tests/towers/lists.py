"""Files with lists, for tests: a name and a content become a list that is being read."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from towers.mapping import ColumnMapping, guess, texts_of
from towers.readers import Listing, Problem, opened


@contextlib.contextmanager
def file_of(content: bytes) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(content)
        yield path


@contextlib.contextmanager
def raw(name: str, content: bytes, **options) -> Iterator[Listing]:
    with file_of(content) as path, opened(path, name, **options) as listing:
        yield listing


class MappedRow(NamedTuple):
    """The texts of a row by field, and what is wrong with the row as it was read."""

    number: int
    values: dict[str, str]
    problems: tuple[Problem, ...] = ()


@dataclass
class MappedList:
    """A list whose rows can be taken once, each by field."""

    mapping: ColumnMapping
    listing: Listing

    def __post_init__(self) -> None:
        self.mapping.require_whole()
        self.facts, self.notes = self.listing.facts, self.listing.notes
        self.fields, self.ignored = tuple(self.mapping.columns), self.mapping.ignored

    @property
    def rows(self) -> Iterator[MappedRow]:
        for row in self.listing.rows:
            yield MappedRow(row.number, texts_of(row, self.mapping), row.problems)


def mapped(listing: Listing, mapping: ColumnMapping) -> MappedList:
    return MappedList(mapping, listing)


@contextlib.contextmanager
def listed(name: str, content: bytes, **options) -> Iterator[MappedList]:
    """A list by field, as its headers suggest."""
    with raw(name, content, **options) as listing:
        yield mapped(listing, guess(listing))
