"""Pictures that people send: bounded before they are decoded, served without hidden data."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from PIL import Image, UnidentifiedImageError

from core import confined
from core.errors import Invalid, TooLarge, UnsupportedMedia
from core.files import FileStore
from core.i18n import N_
from core.picture_copies import COPIES, FORMATS, copy_of, upright_of

__all__ = ["COPIES", "FORMATS", "Picture", "checked_picture", "confined_picture", "read_picture"]


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


def _too_many_pixels(limit: int) -> TooLarge:
    return TooLarge(
        N_("A photo may have at most %(limit)s million pixels"), limit=limit // 1_000_000
    )


def read_picture(stream: IO[bytes], store: FileStore) -> Picture:
    """Check an upload and make its copies; raises `TooLarge`, `UnsupportedMedia`, `Invalid`."""
    content = stream.read(store.max_bytes + 1)
    if len(content) > store.max_bytes:
        raise TooLarge(
            N_("A photo may have at most %(limit)s MB"), limit=store.max_bytes // 1_000_000
        )
    if not content:
        raise Invalid(N_("The photo is empty"))
    return checked_picture(content, max_pixels=store.max_pixels)


def checked_picture(
    content: bytes, *, max_pixels: int, copies: Mapping[str, int] = COPIES
) -> Picture:
    """The picture in some bytes with its copies; raises as `read_picture`."""
    try:
        with Image.open(io.BytesIO(content), formats=list(FORMATS)) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise _too_many_pixels(max_pixels)
            media_type = FORMATS[image.format or ""]
            image.load()
            upright = upright_of(image)
    except UnidentifiedImageError as error:
        raise UnsupportedMedia(N_("This is not a photo: send JPEG, PNG or WebP")) from error
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(max_pixels) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise Invalid(N_("The photo is broken or was cut off: send it again")) from error
    return Picture(
        content=content,
        sha256=hashlib.sha256(content).digest(),
        media_type=media_type,
        width=width,
        height=height,
        copies={variant: copy_of(upright, edge) for variant, edge in copies.items()},
    )


def confined_picture(path: Path, *, max_bytes: int, max_pixels: int) -> Picture:
    """The picture in a file, decoded in a process of its own; raises as `read_picture`.

    For what came without a person who waits: a picture that breaks its decoder ends that process
    and nothing else.
    """
    size = path.stat().st_size
    if size > max_bytes:
        raise TooLarge(N_("A photo may have at most %(limit)s MB"), limit=max_bytes // 1_000_000)
    content = path.read_bytes()
    with closing(
        confined.answers("core.picture_child", str(path), str(max_pixels), cpu_seconds=60)
    ) as said:
        facts = next(said)
        copies = {one["variant"]: base64.b64decode(one["content"]) for one in said}
    return Picture(
        content=content,
        sha256=hashlib.sha256(content).digest(),
        media_type=facts["media_type"],
        width=facts["width"],
        height=facts["height"],
        copies=copies,
    )
