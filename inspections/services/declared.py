"""Photos that an inspection says it has: they count, as waiting until they have come."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core.errors import Conflict, Invalid
from core.i18n import N_
from inspections.field_models import DeclaredPhoto
from inspections.models import Inspection, Photo
from inspections.rules.catalogue import LOAD_SAFETY
from inspections.services import checklists


@dataclass(frozen=True)
class Declared:
    """A photo as the record names it: its id, what it shows, and its content by hash and size."""

    id: uuid.UUID
    item_key: str | None
    sha256: bytes
    byte_size: int


def declare(
    session: Session, inspection: Inspection, photos: Sequence[Declared], *, now: datetime
) -> None:
    """Write down which photos an inspection says it has, beside those that it named before.

    A phone sends whatever it named once, so nothing that was named is forgotten. Raises `Invalid`
    for an item that cannot be answered, and `Conflict` for a photo that another inspection named
    before.
    """
    if not photos:
        return
    _require_items(session, inspection, photos)
    session.flush()
    made = insert(DeclaredPhoto).values(
        [
            {
                "id": one.id,
                "inspection_id": inspection.id,
                "item_key": one.item_key,
                "sha256": one.sha256,
                "byte_size": one.byte_size,
            }
            for one in photos
        ]
    )
    kept = session.scalars(
        made.on_conflict_do_update(
            index_elements=["id"],
            set_={"item_key": made.excluded.item_key},
            where=(DeclaredPhoto.inspection_id == inspection.id)
            & (DeclaredPhoto.sha256 == made.excluded.sha256),
        ).returning(DeclaredPhoto.id)
    ).all()
    if len(kept) < len(photos):
        message = N_("A photo was named under this number before, by another record or otherwise")
        raise Conflict(message, fields={"photos": [message]})
    session.execute(
        update(DeclaredPhoto)
        .where(
            DeclaredPhoto.inspection_id == inspection.id,
            DeclaredPhoto.arrived_at.is_(None),
            Photo.id == DeclaredPhoto.id,
            Photo.inspection_id == inspection.id,
        )
        .values(arrived_at=now)
        .execution_options(synchronize_session=False)
    )


def _require_items(session: Session, inspection: Inspection, photos: Sequence[Declared]) -> None:
    known: set[str | None] = {None}
    for one in photos:
        if one.item_key in known:
            continue
        asked = one.item_key != LOAD_SAFETY or inspection.kind == "reinspection"
        item = checklists.item_of(session, inspection.checklist_version, one.item_key or "")
        if not asked or item is None:
            message = N_("The checklist has no such item")
            raise Invalid(message, fields={"photos": [message]})
        known.add(one.item_key)
