"""Pictures that people send: bounded before they are decoded, served without hidden data.

They are decoded in a process of its own (`core.picture_child`): one that eats memory or breaks its
decoder ends that process and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tempfile
import threading
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from core import confined
from core.errors import Invalid, TooLarge
from core.files import FileStore
from core.i18n import N_
from core.picture_child import decoded
from core.picture_copies import COPIES, FORMATS

__all__ = ["COPIES", "FORMATS", "Picture", "confined_picture", "own_picture", "read_picture"]

CPU_SECONDS = 60
PATIENCE_SECONDS = 120.0
# The largest picture that is taken, four bytes a pixel, and a few copies of it; WebP holds most.
MEMORY_BYTES = 1_800_000_000
# Pictures that a process has decoded at the same time: the largest takes a gigabyte.
AT_ONCE = threading.BoundedSemaphore(2)


@dataclass(frozen=True)
class Picture:
    """A checked upload: its bytes, its measures and the copies to serve."""

    content: bytes
    sha256: bytes
    media_type: str
    width: int
    height: int
    copies: dict[str, bytes]

    def write_copies(self, store: FileStore) -> None:
        for variant, content in self.copies.items():
            store.write(store.path(self.sha256, variant), content)


def read_picture(stream: IO[bytes], store: FileStore) -> Picture:
    """Check an upload and make its copies; raises `TooLarge`, `UnsupportedMedia`, `Invalid`."""
    content = stream.read(store.max_bytes + 1)
    if len(content) > store.max_bytes:
        raise _too_long(store.max_bytes)
    if not content:
        raise Invalid(N_("The photo is empty"))
    with tempfile.NamedTemporaryFile(prefix="thap-canh-") as file:
        file.write(content)
        file.flush()
        return _picture(Path(file.name), content, store.max_pixels, COPIES)


def confined_picture(
    path: Path, *, max_bytes: int, max_pixels: int, copies: Mapping[str, int] = COPIES
) -> Picture:
    """The picture in a file with its copies; raises as `read_picture`."""
    if path.stat().st_size > max_bytes:
        raise _too_long(max_bytes)
    return _picture(path, path.read_bytes(), max_pixels, copies)


def own_picture(content: bytes) -> Picture:
    """A picture that we drew ourselves, decoded here: hundreds of a demo are quickly done."""
    found = decoded(io.BytesIO(content), max_pixels=1_000_000)
    return Picture(
        content=content,
        sha256=hashlib.sha256(content).digest(),
        media_type=found.media_type,
        width=found.width,
        height=found.height,
        copies=dict(found.copies(COPIES)),
    )


def _picture(path: Path, content: bytes, max_pixels: int, copies: Mapping[str, int]) -> Picture:
    said = confined.answers(
        "core.picture_child",
        str(path),
        str(max_pixels),
        json.dumps(dict(copies)),
        memory_bytes=MEMORY_BYTES,
        cpu_seconds=CPU_SECONDS,
        patience_seconds=PATIENCE_SECONDS,
        reads=(path,),
    )
    with AT_ONCE, closing(said):
        facts = next(said)
        made = {one["variant"]: base64.b64decode(one["content"]) for one in said}
    return Picture(
        content=content,
        sha256=hashlib.sha256(content).digest(),
        media_type=facts["media_type"],
        width=facts["width"],
        height=facts["height"],
        copies=made,
    )


def _too_long(limit: int) -> TooLarge:
    return TooLarge(N_("A photo may have at most %(limit)s MB"), limit=limit // 1_000_000)
