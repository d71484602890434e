"""Files that people send: whole or absent, each named by the SHA-256 of its content."""

from __future__ import annotations

import hashlib
import os
import unicodedata
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import IO

CHUNK = 1024 * 1024
LONGEST_NAME = 200


@dataclass(frozen=True)
class Arrival:
    """A file that has arrived whole but is not kept yet: it lies at `path` until it is."""

    path: Path
    sha256: bytes
    size: int


@dataclass(frozen=True)
class FileStore:
    """Files under one folder.

    `max_bytes` bounds a file, `max_pixels` a picture before it is decoded: a small file can
    cost a lot of memory.
    """

    folder: Path
    max_bytes: int
    max_pixels: int

    def path(self, sha256: bytes, variant: str = "original") -> Path:
        """Where a file lies, or the copy of a picture that is served in its place."""
        name = sha256.hex()
        suffix = "" if variant == "original" else f".{variant}.jpg"
        return self.folder / name[:2] / f"{name}{suffix}"

    def write(self, path: Path, content: bytes) -> None:
        """Write, sync, rename: after a crash the file is whole or it is not there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            with partial.open("wb") as file:
                file.write(content)
                _sync(file)
            _settle(partial, path)
        finally:
            partial.unlink(missing_ok=True)

    @contextmanager
    def arriving(self, stream: IO[bytes]) -> Iterator[Arrival | None]:
        """Take a stream to the disk, piece by piece; `None` where it is longer than allowed.

        What is not kept inside the block is gone after it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / f".arriving.{uuid.uuid4().hex}"
        digest, size = hashlib.sha256(), 0
        try:
            with partial.open("wb") as file:
                while size <= self.max_bytes and (piece := stream.read(CHUNK)):
                    size += len(piece)
                    digest.update(piece)
                    file.write(piece)
                _sync(file)
            whole = size <= self.max_bytes
            yield Arrival(partial, digest.digest(), size) if whole else None
        finally:
            partial.unlink(missing_ok=True)

    def keep(self, arrival: Arrival) -> None:
        """Keep a file that arrived, under its hash; a row that names it is written afterwards."""
        path = self.path(arrival.sha256)
        path.parent.mkdir(parents=True, exist_ok=True)
        _settle(arrival.path, path)

    def remove(self, sha256: bytes) -> None:
        """Remove a file with its copies, for whoever has removed its rows; none is no error."""
        original = self.path(sha256)
        for path in original.parent.glob(f"{original.name}*"):
            path.unlink(missing_ok=True)


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _settle(partial: Path, path: Path) -> None:
    """Give a synced file its name, and sync the folder that holds the name."""
    partial.rename(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def bare_name(name: str) -> str:
    """A file's name without folders of any system and without letters that nobody sees.

    Marks that turn the direction of writing would show `fdp.exe` as `exe.pdf`.
    """
    name = PureWindowsPath(unicodedata.normalize("NFC", name)).name
    seen = "".join(one for one in name if unicodedata.category(one)[0] != "C").strip()
    stem, dot, ending = seen.rpartition(".")
    if not dot or len(ending) > 10:
        return seen[:LONGEST_NAME]
    return f"{stem[: LONGEST_NAME - len(ending) - 1]}.{ending}"
