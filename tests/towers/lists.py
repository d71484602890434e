"""Files with lists, for tests: a name and a content become a list that is being read."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from towers.mapping import MappedList, opened_list
from towers.readers import Listing, opened


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


@contextlib.contextmanager
def listed(name: str, content: bytes, **options) -> Iterator[MappedList]:
    with file_of(content) as path, opened_list(path, name, **options) as listing:
        yield listing
