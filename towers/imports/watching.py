"""Who waits for an import: told how far it is, and able to end it."""

from __future__ import annotations

from typing import Protocol


class Cancelled(Exception):
    """Somebody wants this import to end; what it did so far is rolled back."""


class Watch(Protocol):
    """Told what goes on; raises `Cancelled` where it should not go on."""

    def read(self, rows: int) -> None:
        """So many rows were read."""

    def step(self, name: str) -> None:
        """The next part of the work begins."""


class Unwatched:
    """Nobody waits: a small list is done at once."""

    def read(self, rows: int) -> None:
        """Nobody is told."""

    def step(self, name: str) -> None:
        """Nobody is told."""
