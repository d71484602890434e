"""Run confined by `core.pictures`: decode one picture and make its copies.

It imports nothing of ours but words, so that it begins quickly.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import IO, Any, NamedTuple

from PIL import Image, UnidentifiedImageError

from core.confined_child import Refused
from core.picture_copies import FORMATS, copy_of, upright_of
from core.words import N_


class Decoded(NamedTuple):
    """A picture whose pixels are there, upright."""

    media_type: str
    width: int
    height: int
    upright: Image.Image

    def copies(self, edges: Mapping[str, int]) -> Iterator[tuple[str, bytes]]:
        """Each copy by its name, no longer than the edge that stands for it."""
        for variant, edge in edges.items():
            yield variant, copy_of(self.upright, edge)


def answers(path: str, max_pixels: str, edges: str) -> Iterator[dict[str, Any]]:
    """What the picture is, then each copy in base64; `edges` is JSON."""
    found = decoded(path, max_pixels=int(max_pixels))
    yield {"media_type": found.media_type, "width": found.width, "height": found.height}
    for variant, content in found.copies(json.loads(edges)):
        yield {"variant": variant, "content": base64.b64encode(content).decode()}


def decoded(file: str | IO[bytes], *, max_pixels: int) -> Decoded:
    """The picture in a file; its pixels are counted before any is decoded. Raises `Refused`."""
    too_many = Refused(
        N_("A photo may have at most %(limit)s million pixels"),
        status=413,
        limit=max_pixels // 1_000_000,
    )
    try:
        with Image.open(file, formats=list(FORMATS)) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise too_many
            media_type = FORMATS[image.format or ""]
            image.load()
            return Decoded(media_type, width, height, upright_of(image))
    except UnidentifiedImageError as error:
        message = N_("This is not a photo: send JPEG, PNG or WebP")
        raise Refused(message, status=415) from error
    except Image.DecompressionBombError as error:
        raise too_many from error
    except (OSError, SyntaxError, ValueError) as error:
        raise Refused(N_("The photo is broken or was cut off: send it again")) from error
