"""The lock files, which `make lock` writes: each library with its version and its files' hashes.

Read before any library is there: the standard library only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# By the extra of setup.cfg. Each has all of the one before as well.
LOCKS = {
    "build": ROOT / "core/install/requirements-build.txt",
    "": ROOT / "core/install/requirements.txt",
    "test": ROOT / "core/install/requirements-test.txt",
}
# What `python -m venv` itself puts into an environment.
SEEDS = frozenset({"pip"})
_LINE = re.compile(
    r"(?P<name>[\w.-]+)==(?P<version>[^\s;]+)(?: ; (?P<marker>.+?))?"
    r"(?P<hashes>(?:\s+--hash=sha256:[0-9a-f]{64})+)"
)


@dataclass(frozen=True)
class Locked:
    """A library at its only version."""

    name: str
    version: str
    marker: str
    """Where it is needed, in the words of PEP 508; empty: everywhere."""
    hashes: tuple[str, ...]
    """SHA-256 of its files, hexadecimal."""


def canonical(name: str) -> str:
    """A library's name as everything compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read(lock: Path) -> list[Locked]:
    """What a lock file holds; `ValueError` for a line that is no version with its hashes."""
    text = re.sub(r"^ *#.*$", "", lock.read_text(encoding="utf-8"), flags=re.MULTILINE)
    locked = []
    for line in filter(None, map(str.strip, text.replace("\\\n", " ").splitlines())):
        found = _LINE.fullmatch(line)
        if found is None:
            raise ValueError(f"{lock.name} has a line without version or hashes: {line}")
        hashes = re.findall(r"sha256:([0-9a-f]{64})", found["hashes"])
        locked.append(
            Locked(canonical(found["name"]), found["version"], found["marker"] or "", tuple(hashes))
        )
    return locked
