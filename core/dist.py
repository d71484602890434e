"""Where browsers find what `make` built for them: under an address that changes with its content.

So they keep every file for good and never ask whether it is still the same one, which took each
page a dozen requests.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "static"


def _version(folder: Path) -> str:
    """What tells the files of a folder from any other ones, in twelve letters."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


ROOT = f"/static/{_version(FOLDER)}"
DIST = f"{ROOT}/dist"
