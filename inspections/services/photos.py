"""Photos: whole or absent, sealed as they came, served without their hidden data."""

from __future__ import annotations

import hashlib
import io
import os
import uuid
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PureWindowsPath
from typing import IO

from PIL import Image, ImageOps, UnidentifiedImageError
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import audit, policy
from core.errors import Conflict, Invalid, NotFound, TooLarge, UnsupportedMedia
from core.i18n import N_
from core.policy import Actor
from inspections.models import Inspection, Photo
from inspections.services import checklists

FORMATS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
# The copies that are served: long edges in pixels.
COPIES = {"full": 2000, "thumbnail": 400}


@dataclass(frozen=True)
class PhotoStore:
    """Photo files under one folder, each named by the SHA-256 of its content.

    `max_bytes` bounds a file, `max_pixels` a picture before it is decoded: a small file can
    cost a lot of memory.
    """

    folder: Path
    max_bytes: int
    max_pixels: int

    def path(self, sha256: bytes, variant: str = "original") -> Path:
        name = sha256.hex()
        suffix = "" if variant == "original" else f".{variant}.jpg"
        return self.folder / name[:2] / f"{name}{suffix}"

    def write(self, path: Path, content: bytes) -> None:
        """Write, sync, rename: after a crash the file is whole or it is not there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            with partial.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            partial.rename(path)
        finally:
            partial.unlink(missing_ok=True)
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def remove(self, sha256: bytes) -> None:
        """Remove a photo with its copies, for whoever has removed its rows; none is no error."""
        for variant in ("original", *COPIES):
            self.path(sha256, variant).unlink(missing_ok=True)


@dataclass(frozen=True)
class Picture:
    """A checked upload: its bytes, its measures and the copies to serve."""

    content: bytes
    sha256: bytes
    media_type: str
    width: int
    height: int
    copies: dict[str, bytes]


def _too_many_pixels(store: PhotoStore) -> TooLarge:
    return TooLarge(
        N_("A photo may have at most %(limit)s million pixels"),
        limit=store.max_pixels // 1_000_000,
    )


def read_picture(stream: IO[bytes], store: PhotoStore) -> Picture:
    """Check an upload and make its copies; raises `TooLarge`, `UnsupportedMedia`, `Invalid`."""
    content = stream.read(store.max_bytes + 1)
    if len(content) > store.max_bytes:
        raise TooLarge(
            N_("A photo may have at most %(limit)s MB"), limit=store.max_bytes // 1_000_000
        )
    if not content:
        raise Invalid(N_("The photo is empty"))
    try:
        with Image.open(io.BytesIO(content), formats=list(FORMATS)) as image:
            width, height = image.size
            if width * height > store.max_pixels:
                raise _too_many_pixels(store)
            media_type = FORMATS[image.format or ""]
            image.load()
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except UnidentifiedImageError as error:
        raise UnsupportedMedia(N_("This is not a photo: send JPEG, PNG or WebP")) from error
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(store) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise Invalid(N_("The photo is broken or was cut off: send it again")) from error
    # Pillow writes comments and XMP that it read into the next file unless they are forgotten.
    upright.info.clear()
    copies = {}
    for variant, edge in COPIES.items():
        copy = upright.copy()
        copy.thumbnail((edge, edge))
        out = io.BytesIO()
        # A new file from pixels alone carries no EXIF: no position, no owner, no camera.
        copy.save(out, "JPEG", quality=82, optimize=True)
        copies[variant] = out.getvalue()
    return Picture(
        content=content,
        sha256=hashlib.sha256(content).digest(),
        media_type=media_type,
        width=width,
        height=height,
        copies=copies,
    )


def _require_item(session: Session, inspection: Inspection, item_key: str | None) -> None:
    """Raise `Invalid` for an item that the inspection's catalogue does not have."""
    if item_key is None:
        return
    if checklists.catalogue_of(session, inspection.checklist_version).item(item_key) is None:
        message = N_("The checklist has no such item")
        raise Invalid(message, fields={"item": [message]})


def _bare(name: str) -> str:
    """A file's name without folders of any system and without what no text may have."""
    return PureWindowsPath(name.replace("\x00", "")).name[:200]


def add_photo(
    session: Session,
    photo_id: uuid.UUID,
    inspection: Inspection,
    picture: Picture,
    *,
    store: PhotoStore,
    item_key: str | None,
    original_name: str,
    sha256: bytes | None,
    by: Actor,
    now: datetime,
) -> tuple[Photo, bool]:
    """Add a photo under the id that its device made; returns it and whether it is new.

    The files are written before the row, so that no row is without its files. `sha256` is what
    the device computed; a difference is `Invalid`: the photo did not arrive whole. The same id
    with other bytes is a `Conflict`.
    """
    policy.require(by, "inspection.create")
    if inspection.inspector_id != by.id:
        raise NotFound()
    if sha256 is not None and sha256 != picture.sha256:
        raise Invalid(
            N_("The photo did not arrive as it was sent: send it again"),
            fields={"sha256": [N_("The hash does not match the photo")]},
        )
    known = session.get(Photo, photo_id)
    if known is None:
        if inspection.status not in {"draft", "submitted", "returned"}:
            raise Conflict(N_("This inspection no longer takes photos"))
        _require_item(session, inspection, item_key)
        store.write(store.path(picture.sha256), picture.content)
        for variant, content in picture.copies.items():
            store.write(store.path(picture.sha256, variant), content)
        made = session.execute(
            insert(Photo)
            .values(
                id=photo_id,
                inspection_id=inspection.id,
                item_key=item_key,
                sha256=picture.sha256,
                media_type=picture.media_type,
                byte_size=len(picture.content),
                width=picture.width,
                height=picture.height,
                original_name=_bare(original_name),
                by_id=by.id,
                received_at=now,
            )
            .on_conflict_do_nothing(index_elements=["id"])
            .returning(Photo.id)
        ).scalar()
        known = session.get_one(Photo, photo_id, populate_existing=True)
        if made is not None:
            audit.record(
                session,
                "photo.add",
                "inspection",
                inspection.id,
                by=by,
                now=now,
                after={
                    "photo": str(photo_id),
                    "item": item_key,
                    "sha256": picture.sha256.hex(),
                },
            )
            session.expire(inspection, ["photos"])
            return known, True
    if (known.inspection_id, known.sha256) != (inspection.id, picture.sha256):
        raise Conflict(N_("Another photo was sent under this number before"))
    return known, False
