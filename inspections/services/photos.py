"""Photos: whole or absent, sealed as they came, served without their hidden data."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import audit, policy
from core.errors import Conflict, Invalid, NotFound
from core.files import FileStore, bare_name
from core.i18n import N_
from core.pictures import Picture
from core.policy import Actor
from inspections.models import Inspection, Photo
from inspections.rules.catalogue import LOAD_SAFETY
from inspections.rules.evidence import PhotoSource
from inspections.services import checklists


def _require_item(session: Session, inspection: Inspection, item_key: str | None) -> None:
    """Raise `Invalid` for an item that the inspection cannot answer."""
    if item_key is None:
        return
    asked = item_key != LOAD_SAFETY or inspection.kind == "reinspection"
    if not asked or checklists.item_of(session, inspection.checklist_version, item_key) is None:
        message = N_("The checklist has no such item")
        raise Invalid(message, fields={"item": [message]})


def add_photo(
    session: Session,
    photo_id: uuid.UUID,
    inspection: Inspection,
    picture: Picture,
    *,
    store: FileStore,
    item_key: str | None,
    original_name: str,
    sha256: bytes | None,
    by: Actor,
    now: datetime,
    source: PhotoSource = PhotoSource.FILE,
    taken_at: datetime | None = None,
) -> tuple[Photo, bool]:
    """Add a photo under the id that its device made; returns it and whether it is new.

    The files are written before the row, so that no row is without its files. `sha256` is what
    the device computed; a difference is `Invalid`: the photo did not arrive whole. The same id
    with other bytes is a `Conflict`. `source` says whether the camera took it there and then, by
    the word of the device, `taken_at` when by its clock.
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
        picture.write_copies(store)
        made = write_row(
            session,
            inspection,
            photo_id,
            by=by,
            now=now,
            item_key=item_key,
            sha256=picture.sha256,
            media_type=picture.media_type,
            byte_size=len(picture.content),
            width=picture.width,
            height=picture.height,
            original_name=bare_name(original_name),
            by_id=by.id,
            received_at=now,
            source=source,
            taken_at=taken_at,
        )
        known = session.get_one(Photo, photo_id, populate_existing=True)
        if made:
            session.expire(inspection, ["photos"])
            return known, True
    if (known.inspection_id, known.sha256) != (inspection.id, picture.sha256):
        raise Conflict(N_("Another photo was sent under this number before"))
    return known, False


def write_row(
    session: Session,
    inspection: Inspection,
    photo_id: uuid.UUID,
    *,
    by: Actor,
    now: datetime,
    item_key: str | None,
    sha256: bytes,
    **columns: Any,
) -> bool:
    """Write the row of a photo whose files are in place, with its entry in the audit.

    Returns whether it is new: another request may have written one under this id meanwhile.
    """
    made = session.execute(
        insert(Photo)
        .values(
            id=photo_id,
            inspection_id=inspection.id,
            item_key=item_key,
            sha256=sha256,
            **columns,
        )
        .on_conflict_do_nothing(index_elements=["id"])
        .returning(Photo.id)
    ).scalar()
    if made is None:
        return False
    audit.record(
        session,
        "photo.add",
        "inspection",
        inspection.id,
        by=by,
        now=now,
        after={"photo": str(photo_id), "item": item_key, "sha256": sha256.hex()},
    )
    return True
