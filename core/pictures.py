"""Pictures that people send: bounded before they are decoded, served without hidden data."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO

from PIL import Image, ImageOps, UnidentifiedImageError

from core.errors import Invalid, TooLarge, UnsupportedMedia
from core.files import FileStore
from core.i18n import N_

FORMATS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
# The copies that are served: long edges in pixels.
COPIES = {"full": 2000, "thumbnail": 400}


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
            upright = _on_white(ImageOps.exif_transpose(image))
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
        copies={variant: _copy(upright, edge) for variant, edge in copies.items()},
    )


def _on_white(image: Image.Image) -> Image.Image:
    """The pixels alone; what was transparent, as in drawings, is paper and not night."""
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        paper = Image.new("RGB", layer.size, "white")
        paper.paste(layer, mask=layer.getchannel("A"))
        return paper
    plain = image.convert("RGB")
    # Pillow writes comments and XMP that it read into the next file unless they are forgotten.
    plain.info.clear()
    return plain


def _copy(upright: Image.Image, edge: int) -> bytes:
    """A new file from pixels alone carries no EXIF: no position, no owner, no camera."""
    copy = upright.copy()
    copy.thumbnail((edge, edge))
    out = io.BytesIO()
    copy.save(out, "JPEG", quality=82, optimize=True)
    return out.getvalue()
