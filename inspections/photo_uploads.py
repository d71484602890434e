"""Photos that phones bring in pieces, as the doors take them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import current_app

from core import clock
from core.db import current_session, transaction
from core.files import FileStore
from core.policy import Actor
from core.settings import Settings
from inspections.doors import photo_store
from inspections.field_models import Upload
from inspections.field_schemas import UPLOAD, loaded
from inspections.rules.evidence import PhotoSource
from inspections.services import uploads
from inspections.services.uploads import Facts, Standing


def pieces() -> Path:
    """Where the pieces of photos lie until they are whole."""
    settings: Settings = current_app.config["SETTINGS"]
    return settings.instance / "field"


def upload_facts(given: Any) -> Facts:
    data = loaded(UPLOAD, given)
    return Facts(
        id=data["id"],
        inspection_id=data["inspection"],
        item_key=data["item"],
        sha256=bytes.fromhex(data["sha256"]),
        byte_size=data["byte_size"],
        media_type=data["media_type"] or "",
        source=PhotoSource.CAMERA if data["source"] == PhotoSource.CAMERA else PhotoSource.FILE,
        taken_at=data["taken_at"],
        latitude=data["latitude"],
        longitude=data["longitude"],
        accuracy_m=data["accuracy_m"],
    )


def finish(upload: Upload, by: Actor, kept: FileStore | None = None) -> Standing:
    """Keep a photo all of whose bytes are there. Nothing of it is seen before; the files come
    first, then the row, then the pieces go.

    One request does it at a time; another one that brought the last piece as well waits, and finds
    it done.
    """
    session, number = current_session(), upload.id
    size, sha256 = upload.byte_size, upload.sha256
    path = uploads.path_of(pieces(), number)
    try:
        with uploads.alone(path) as file:
            session.expire_all()
            standing = uploads.standing(session, number, folder=pieces(), by=by)
            if standing.safe or standing.offset < size:
                return standing
            # Nothing is held in the database while the picture is decoded.
            session.rollback()
            picture = uploads.whole_picture(sha256, path, file, kept or photo_store())
            with transaction() as session:
                uploads.settle_whole(session, number, picture, by=by, now=clock.now())
            uploads.forget_pieces(path)
            return Standing(size, True)
    except FileNotFoundError:
        session.expire_all()
        return uploads.standing(session, number, folder=pieces(), by=by)
