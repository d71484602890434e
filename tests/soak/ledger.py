"""What the service acknowledged, written down as a phone would; the database is held against it."""

from __future__ import annotations

import json
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Ledger:
    """A file with a line for each acknowledgement."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = 0
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()
        # What came instead of an acknowledgement, and how often.
        self.answers: Counter[str] = Counter()

    def keep(self, kind: str, thing: uuid.UUID, *, new: bool, receipt: Any = None) -> None:
        line = json.dumps({"kind": kind, "id": str(thing), "new": new, "receipt": receipt})
        with self._lock:
            self._file.write(line + "\n")
            self._file.flush()
            self.lines += 1

    def count(self, answer: str) -> None:
        with self._lock:
            self.answers[answer] += 1

    def read(self) -> Iterator[dict[str, Any]]:
        with self.path.open(encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)

    def acknowledged(self, kind: str) -> set[uuid.UUID]:
        return {uuid.UUID(line["id"]) for line in self.read() if line["kind"] == kind}

    def receipts(self, kind: str) -> dict[uuid.UUID, list[dict[str, Any]]]:
        found: dict[uuid.UUID, list[dict[str, Any]]] = {}
        for line in self.read():
            if line["kind"] == kind:
                found.setdefault(uuid.UUID(line["id"]), []).append(line)
        return found

    def close(self) -> None:
        self._file.close()
