"""What the register adds to the pages of towers, organisations and areas."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from flask_babel import ngettext
from sqlalchemy import ColumnElement, or_, select

from accounts.models import Organisation
from areas.models import Area
from core import clock, policy
from core.db import current_session
from core.file_types import PICTURES, TYPES
from core.guard import current_actor
from core.i18n import N_
from core.paging import Behind, at_noon
from core.slots import Column, Event, EventSource, Panel
from towers import lists, queries
from towers.doors import document_store, effective
from towers.models import Tower
from towers.queries import documents as document_queries
from towers.queries import history, organisations
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


def owned(organisation: Organisation) -> ColumnElement[bool]:
    """The towers of an organisation as their owner."""
    return Tower.owner_id == organisation.id


def standing_in(area: Area) -> ColumnElement[bool]:
    """The towers in a commune, in a province by its communes, or in an area of the past."""
    inside = select(Area.id).where(Area.parent_id == area.id)
    return or_(
        Tower.commune_id == area.id,
        Tower.commune_id.in_(inside),
        Tower.former_commune_id == area.id,
        Tower.former_commune_id.in_(inside),
    )


def registered(wanted: ColumnElement[bool], limit: int, behind: Behind) -> list[Event]:
    """By day how many of some towers were registered."""
    zone = clock.zone()
    days = history.registered(
        current_session(), current_actor(), wanted, behind, zone=zone, limit=limit
    )
    return [
        Event(
            at_noon(day, zone),
            ngettext("%(num)s tower registered", "%(num)s towers registered", number),
            sign="plus",
            day_only=True,
        )
        for day, number in days
    ]


TOWER_PANELS = (Panel("towers/_tower_documents.html", documents, "document.view"),)
ORGANISATION_PANELS = (Panel("towers/_organisation_towers.html", towers_of, "tower.view"),)
ORGANISATION_COLUMNS = (Column(N_("Towers"), numbers_of, "tower.view"),)
AREA_PANELS = (Panel("towers/_area_towers.html", towers_in, "tower.view"),)
ORGANISATION_EVENTS = EventSource(
    lambda organisation, limit, behind: registered(owned(organisation), limit, behind),
    "tower.view",
    "towers",
)
AREA_EVENTS = EventSource(
    lambda area, limit, behind: registered(standing_in(area), limit, behind),
    "tower.view",
    "towers",
)
