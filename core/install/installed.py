"""Whether what is installed is what is locked: names, versions, and every file of Python's."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.markers import Marker

from core.install.locks import SEEDS, Locked, canonical


def needed(locked: Sequence[Locked]) -> list[Locked]:
    """Those of a lock file that this system and this Python need."""
    return [one for one in locked if not one.marker or Marker(one.marker).evaluate()]


def libraries(site: Path) -> dict[str, Distribution]:
    """The libraries in a folder `site-packages`, by name."""
    found = distributions(path=[str(site)])
    return dict(sorted((canonical(one.name), one) for one in found if one.name))


def differences(site: Path, locked: Sequence[Locked]) -> Iterator[str]:
    """What is missing, of another version or too much in a folder `site-packages`, as sentences."""
    found = {name: one.version for name, one in libraries(site).items()}
    wanted = {one.name: one.version for one in needed(locked)}
    for name, version in wanted.items():
        if name not in found:
            yield f"{name} {version} is missing"
        elif found[name] != version:
            yield f"{name} {found[name]} is installed, {version} is locked"
    for name in sorted(found.keys() - wanted.keys() - SEEDS):
        yield f"{name} {found[name]} is installed and not locked"


def files(site: Path) -> dict[Path, str | None]:
    """Every file that a library brought: the SHA-256 in its RECORD, `None` where it has none.

    RECORD cannot name its own; what Python compiled for itself has none either.
    """
    return {
        Path(os.path.normpath(site / file)): file.hash.value if file.hash else None
        for one in libraries(site).values()
        for file in one.files or []
    }


def changed_files(site: Path) -> Iterator[str]:
    """Files that are not as they were installed, or that no library brought, as sentences."""
    brought = files(site)
    for path, expected in brought.items():
        if expected is None:
            continue
        try:
            with path.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").digest()
        except OSError as error:
            yield f"{path} cannot be read: {error.strerror}"
            continue
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != expected:
            yield f"{path} was changed"
    for folder, _, names in os.walk(site):
        if Path(folder).name != "__pycache__":
            yield from (
                f"{path} belongs to no library"
                for path in sorted(Path(folder, name) for name in names)
                if path not in brought
            )


def browser_differences(npm: Path, root: Path) -> Iterator[str]:
    """The same for the packages of npm: what it finds missing, invalid or too much."""
    listed = subprocess.run(
        [npm, "ls", "--all", "--json"], cwd=root, capture_output=True, text=True, check=False
    )
    yield from json.loads(listed.stdout).get("problems", [])
