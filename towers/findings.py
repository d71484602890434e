"""A finding as the doors take it: what the API and phones send, read alike."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from marshmallow import fields

from accounts import queries as accounts
from core.api import StrictSchema
from core.db import current_session
from core.errors import Invalid
from core.guard import current_actor
from core.validation import between, length, one_of
from core.words import N_
from towers.bodies import split
from towers.doors import the_tower
from towers.rules import ProposalKind
from towers.schemas import TowerFields
from towers.services import proposals as services
from towers.services.proposals import Finding


class NewProposal(StrictSchema):
    """A finding. `values` are fields of a tower, a new one's position among them; `tower` is the
    code of the one that is corrected; `confirmed`: none of the towers nearby is meant."""

    id = fields.UUID(required=True)
    kind = fields.String(required=True, validate=one_of(tuple(ProposalKind)))
    tower = fields.String(load_default=None, allow_none=True, validate=length(1, 64))
    values = fields.Nested(TowerFields, required=True)
    accuracy_m = fields.Float(
        load_default=None, allow_none=True, allow_nan=False, validate=between(0, 100_000)
    )
    note = fields.String(load_default="", validate=length(0, services.MAX_NOTE))
    confirmed = fields.Boolean(load_default=False, truthy={True}, falsy={False})


def organisation_name(given: str | None, field: str) -> str | None:
    """The name of an organisation that a body names by id or by name."""
    if not given:
        return None
    try:
        wanted = uuid.UUID(given)
    except ValueError:
        return given
    found = accounts.organisation(current_session(), current_actor(), wanted)
    if found is None:
        message = N_("There is no organisation with this id")
        raise Invalid(message, fields={field: [message]})
    return found.name


def finding_of(data: Mapping[str, Any]) -> Finding:
    """The finding in a loaded body; raises `Invalid`, and `NotFound` for a tower out of sight."""
    kind = ProposalKind(data["kind"])
    if (kind is ProposalKind.CORRECTION) != bool(data["tower"]):
        message = N_("A correction names its tower, a new tower none")
        raise Invalid(message, fields={"tower": [message]})
    reading, values = split(data["values"], organisation_name)
    accuracy = data["accuracy_m"]
    return Finding(
        kind=kind,
        tower=the_tower(data["tower"]) if data["tower"] else None,
        values=values,
        reading=reading,
        accuracy_m=None if accuracy is None else round(Decimal(str(accuracy)), 1),
        note=data["note"],
        confirmed=data["confirmed"],
    )
