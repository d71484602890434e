"""What the doors of the register share: finding a tower, its condition today, its parts and
documents, and what a list is asked for."""

from __future__ import annotations

import re
import uuid
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from flask import current_app, request
from sqlalchemy import Row
from sqlalchemy.orm import Session

from areas import queries as areas
from core import store
from core.db import current_session
from core.errors import Invalid, Moved, NotFound
from core.files import Arrival, FileStore
from core.guard import current_actor
from core.i18n import N_, translate
from core.settings import Settings
from towers import queries
from towers.coordinates import METRES_AS_DEGREES, OUTSIDE, Reading, read_pair
from towers.models import Document, Tower, TowerProposal
from towers.parts import PartKind
from towers.queries import Filters, documents, merges, parts, proposals
from towers.queries.parts import Part
from towers.rules import (
    Condition,
    ConditionReason,
    Lifecycle,
    ManagingDepartment,
    Service,
    StructureType,
    fall_zone_m,
)
from towers.schemas import SEVERITIES, filters_from

# Two small whole numbers are words of a name rather than a place.
WORDS_OF_A_NAME = re.compile(r"\s*\d{1,3}[\s,;./-]+\d{1,3}\s*\Z")
FARTHEST_NEIGHBOUR_M = 20_000


def effective(tower: Tower | Row[Any], today: date) -> tuple[str, str | None]:
    """The condition of a loaded tower, or of one of `lists.listed`, as it counts today."""
    if tower.condition == Condition.OK and tower.ok_until and tower.ok_until < today:
        return Condition.UNCHECKED, ConditionReason.OUT_OF_DATE
    return tower.condition, tower.condition_reason


def the_tower(code: str) -> Tower:
    """The tower with a code in the reader's territory.

    Raises `NotFound`, and `Moved` where it was merged into another one that the reader sees, or has
    another code by now.
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


def asked_filters() -> Filters:
    """The filters in this page's address, their search text understood."""
    return queries.understood(current_session(), current_actor(), filters_from(request.args))


@dataclass(frozen=True)
class Place:
    """The position that a search text says, or why it is none here, as a text for the reader."""

    reading: Reading | None = None
    problem: str = ""


def place_in(text: str) -> Place:
    """The position in a search text; neither it nor a problem where the text is only words."""
    if sum(letter.isdigit() for letter in text) < 2 or WORDS_OF_A_NAME.match(text):
        return Place()
    reading, problems = read_pair(text, store.envelope(current_session()))
    for _, problem, facts in problems:
        if problem in {OUTSIDE, METRES_AS_DEGREES}:
            return Place(problem=translate(problem, **facts))
    return Place(reading)


def filter_choices(*, owners: bool = True) -> dict[str, Any]:
    """What the filter forms of lists and map offer."""
    session = current_session()
    return {
        "conditions": list(Condition),
        "severities": SEVERITIES,
        "structure_types": list(StructureType),
        "services": list(Service),
        "lifecycles": list(Lifecycle),
        "departments": list(ManagingDepartment),
        "communes": areas.commune_choices(session),
        "owners": queries.owners_with_towers(session, current_actor()) if owners else [],
    }


def the_part(session: Session, tower: Tower, kind: PartKind, part_id: uuid.UUID) -> Part:
    """One part of a tower; raises `NotFound`."""
    found = parts.part_of(session, kind, tower.id, part_id)
    if found is None:
        raise NotFound(N_("This tower has no such part"))
    return found


def soon_days(session: Session) -> int:
    """How many days before its end a permit counts as about to expire."""
    return int(store.value_of(session, "permit_soon_days"))


def fall_zone_of(session: Session, tower: Tower | Row[Any]) -> Decimal | None:
    """The radius in metres of the expected influence zone by the department's factors.

    Of a tower, or of a row with its type and heights.
    """
    factor, building = (
        Decimal(str(store.value_of(session, key)))
        for key in ("fall_zone_factor", "fall_zone_building_factor")
    )
    return fall_zone_m(
        tower.structure_type,
        tower.height_m,
        tower.host_building_height_m,
        factor=factor,
        building_factor=building,
    )


def neighbour_metres(session: Session) -> int:
    """Within how many metres neighbours are named: as asked, else as the department has set."""
    asked = request.args.get("within", "")
    if asked.isascii() and asked.isdigit() and len(asked) < 6 and int(asked):
        return min(int(asked), FARTHEST_NEIGHBOUR_M)
    return int(store.value_of(session, "neighbour_m"))
