"""The copies of a picture: pixels alone, upright, on paper; nothing of ours is imported here."""

from __future__ import annotations

import io

from PIL import Image, ImageOps

FORMATS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
# The copies that are served: long edges in pixels.
COPIES = {"full": 2000, "thumbnail": 400}


def upright_of(image: Image.Image) -> Image.Image:
    """The pixels of a picture as its camera was held."""
    return _on_white(ImageOps.exif_transpose(image))


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


def copy_of(upright: Image.Image, edge: int) -> bytes:
    """A new file from pixels alone carries no EXIF: no position, no owner, no camera."""
    copy = upright.copy()
    copy.thumbnail((edge, edge))
    out = io.BytesIO()
    copy.save(out, "JPEG", quality=82, optimize=True)
    return out.getvalue()
