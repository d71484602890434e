"""Run confined by `core.pictures`: decode one picture and make its copies.

It imports nothing of ours but words, so that it begins quickly.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from PIL import Image, UnidentifiedImageError

from core.confined_child import Refused
from core.picture_copies import COPIES, FORMATS, copy_of, upright_of
from core.words import N_


def answers(path: str, max_pixels: str) -> Iterator[dict[str, Any]]:
    """What the picture is, then each copy in base64."""
    limit = int(max_pixels)
    too_many = Refused(
        N_("A photo may have at most %(limit)s million pixels"),
        status=413,
        limit=limit // 1_000_000,
    )
    try:
        with Image.open(path, formats=list(FORMATS)) as image:
            width, height = image.size
            if width * height > limit:
                raise too_many
            media_type = FORMATS[image.format or ""]
            image.load()
            upright = upright_of(image)
    except UnidentifiedImageError as error:
        message = N_("This is not a photo: send JPEG, PNG or WebP")
        raise Refused(message, status=415) from error
    except Image.DecompressionBombError as error:
        raise too_many from error
    except (OSError, SyntaxError, ValueError) as error:
        raise Refused(N_("The photo is broken or was cut off: send it again")) from error
    yield {"media_type": media_type, "width": width, "height": height}
    for variant, edge in COPIES.items():
        content = base64.b64encode(copy_of(upright, edge)).decode()
        yield {"variant": variant, "content": content}
