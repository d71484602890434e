"""What the register adds to the pages of towers, organisations and areas."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from accounts.models import Organisation
from areas.models import Area
from core import clock, policy
from core.db import current_session
from core.file_types import PICTURES, TYPES
from core.guard import current_actor
from core.i18n import N_
from core.slots import Column, Panel
from towers import lists, queries
from towers.doors import document_store, effective
from towers.models import Tower
from towers.queries import documents as document_queries
from towers.queries import organisations, proposals
from towers.rules import DocumentKind


def documents(tower: Tower) -> dict[str, Any]:
    session, actor = current_session(), current_actor()
    removes = policy.may(actor, "document.remove")
    return {
        "tower": tower,
        "documents": document_queries.documents(session, actor, tower_id=tower.id),
        "removed": document_queries.documents(session, actor, tower_id=tower.id, removed=True)
        if removes
        else [],
        "pictures": PICTURES,
        "kinds": list(DocumentKind),
        "accept": ",".join(f".{ending}" for ending in TYPES),
        "megabytes": document_store().max_bytes // 2**20,
        "new_id": uuid.uuid4(),
    }


def open_proposals() -> int:
    """How many proposals wait for the reader, if it is theirs to decide."""
    actor = current_actor()
    if not policy.allows(actor, "proposal.decide"):
        return 0
    return proposals.open_count(current_session(), actor)


def towers_of(organisation: Organisation) -> dict[str, Any]:
    today = clock.today()
    return {
        "organisation": organisation,
        "shares": lists.shares_of(current_session(), current_actor(), organisation.id, today=today),
        "today": today,
        "effective": effective,
    }


def towers_in(area: Area) -> dict[str, Any]:
    """How many towers stand in a commune of today, or of a province, in the reader's scope."""
    number = None
    if area.level == "commune" and area.valid_to is None:
        filters = queries.Filters(commune=(area.code,), include_dismantled=True)
        number = lists.count(current_session(), current_actor(), filters, today=clock.today())
    return {
        "area": area,
        "number": number,
        "former": queries.count_former(current_session(), current_actor(), area),
    }


def numbers_of(rows: Sequence[Organisation]) -> Mapping[uuid.UUID, str]:
    found = organisations.numbers(current_session(), current_actor(), [one.id for one in rows])
    return {number: str(count) for number, count in found.items()}


TOWER_PANELS = (Panel("towers/_tower_documents.html", documents, "document.view"),)
ORGANISATION_PANELS = (Panel("towers/_organisation_towers.html", towers_of, "tower.view"),)
ORGANISATION_COLUMNS = (Column(N_("Towers"), numbers_of, "tower.view"),)
AREA_PANELS = (Panel("towers/_area_towers.html", towers_in, "tower.view"),)
