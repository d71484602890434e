"""Between the bodies of the API and what services take: typed values, and values as JSON."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from accounts import queries as accounts
from accounts.models import Organisation
from accounts.services import owner_named
from core import clock
from core.db import current_session
from core.errors import Invalid
from core.guard import current_actor
from core.words import N_
from towers.fields import Field, Kind


def typed(data: Mapping[str, Any], fields: Iterable[Field]) -> dict[str, Any]:
    """The values of a loaded body as services take them, its organisations looked up.

    Raises `Invalid` for an organisation that there is not.
    """
    values = dict(data)
    for field in fields:
        value = values.get(field.name)
        if field.kind is Kind.ORGANISATION and field.name in values:
            values[field.name] = organisation_from(value, field.name)
        elif field.kind is Kind.NUMBER and value is not None:
            values[field.name] = round(Decimal(str(value)), field.digits)
        elif field.kind is Kind.CHOICES and value is not None:
            values[field.name] = sorted(set(value))
    return values


def organisation_from(given: str | None, field: str) -> Organisation | None:
    """The organisation that a body names by id or by name; a new name makes one."""
    if not given:
        return None
    try:
        wanted = uuid.UUID(given)
    except ValueError:
        return new_or_known(given, field)
    found = accounts.organisation(current_session(), current_actor(), wanted)
    if found is None:
        message = N_("There is no organisation with this id")
        raise Invalid(message, fields={field: [message]})
    return found


def new_or_known(name: str, field: str) -> Organisation | None:
    """The organisation with a name, made as what the field calls it where it is new."""
    kind = field if field in {"owner", "manager", "operator"} else "operator"
    return owner_named(current_session(), name, by=current_actor(), now=clock.now(), kind=kind)


def named(organisation: Organisation | None) -> dict[str, str] | None:
    return {"id": str(organisation.id), "name": organisation.name} if organisation else None


def as_json(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date) else value
