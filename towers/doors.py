"""What the doors of the register share: finding a tower, its condition today, its documents."""

from __future__ import annotations

import uuid
from contextlib import AbstractContextManager
from datetime import date

from flask import current_app, request
from sqlalchemy.orm import Session

from core.db import current_session
from core.errors import Invalid, Moved, NotFound
from core.files import Arrival, FileStore
from core.guard import current_actor
from core.i18n import N_
from core.settings import Settings
from towers import queries
from towers.models import Document, Tower, TowerProposal
from towers.queries import documents, merges, proposals
from towers.rules import Condition, ConditionReason


def effective(tower: Tower, today: date) -> tuple[str, str | None]:
    """The condition of a loaded tower as it counts today."""
    if tower.condition == Condition.OK and tower.ok_until and tower.ok_until < today:
        return Condition.UNCHECKED, ConditionReason.OUT_OF_DATE
    return tower.condition, tower.condition_reason


def the_tower(code: str) -> Tower:
    """The tower with a code in the reader's territory.

    Raises `NotFound`, and `Moved` where it was merged into another one that the reader sees.
    """
    session, actor = current_session(), current_actor()
    found = None if "\x00" in code else queries.by_code(session, actor, code)
    if found is not None:
        return found
    kept = None if "\x00" in code else merges.successor(session, actor, code)
    if kept is not None:
        raise Moved(code=kept.code)
    raise NotFound(N_("There is no tower with this code in your territory"))


def document_store() -> FileStore:
    settings: Settings = current_app.config["SETTINGS"]
    return FileStore(
        folder=settings.instance / "documents",
        max_bytes=settings.max_document_bytes,
        max_pixels=settings.max_photo_pixels,
    )


def the_document(document_id: uuid.UUID) -> Document:
    found = documents.document(current_session(), current_actor(), document_id)
    if found is None:
        raise NotFound()
    return found


def arriving_file() -> tuple[str, AbstractContextManager[Arrival | None]]:
    """The name of the file of a form, and its way into the store."""
    upload = request.files.get("file")
    if upload is None or not upload.filename:
        message = N_("Choose a file")
        raise Invalid(message, fields={"file": [message]})
    return upload.filename, document_store().arriving(upload.stream)


def the_proposal(proposal_id: uuid.UUID) -> TowerProposal:
    found = proposals.proposal(current_session(), current_actor(), proposal_id)
    if found is None:
        raise NotFound()
    return found


def held_proposal(session: Session, proposal_id: uuid.UUID) -> TowerProposal:
    """The proposal as it is now, held until the transaction ends."""
    found = the_proposal(proposal_id)
    session.refresh(found, with_for_update={"of": TowerProposal})
    return found
