"""Between the bodies of the API and what services take: typed values, and values as JSON."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from accounts import queries as accounts
from accounts.models import Organisation
from accounts.services.organisations import owner_named
from core import clock
from core.db import current_session
from core.errors import Invalid
from core.geo import Position
from core.guard import current_actor
from core.words import N_
from towers.coordinate_systems import NoSuchPlace, UnknownSystem, system, to_wgs84
from towers.coordinates import Reading
from towers.fields import FIELDS, Field, Kind
from towers.schemas import ORIGINAL, POSITION

Organisations = Callable[[str | None, str], Any]


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


def typed(
    data: Mapping[str, Any],
    fields: Iterable[Field],
    organisation: Organisations = organisation_from,
) -> dict[str, Any]:
    """The values of a loaded body as services take them.

    `organisation(given, field)` is what a named organisation becomes; raises `Invalid` for one
    that there is not.
    """
    values = dict(data)
    for field in fields:
        value = values.get(field.name)
        if field.kind is Kind.ORGANISATION and field.name in values:
            values[field.name] = organisation(value, field.name)
        elif field.kind is Kind.NUMBER and value is not None:
            values[field.name] = round(Decimal(str(value)), field.digits)
        elif field.kind is Kind.CHOICES and value is not None:
            values[field.name] = sorted(set(value))
    return values


def split(
    data: Mapping[str, Any], organisation: Organisations = organisation_from
) -> tuple[Reading | None, dict[str, Any]]:
    """The position and the other fields of a loaded body.

    Raises `Invalid` for a coordinate system that is not known, coordinates that are no place in
    theirs, or an organisation that there is not.
    """
    values = typed(
        {name: value for name, value in data.items() if name not in POSITION | ORIGINAL},
        FIELDS,
        organisation,
    )
    if "source_srid" in data:
        return original(data["source_srid"], data["source_x"], data["source_y"]), values
    if "latitude" in data:
        return Reading.of(Position(data["latitude"], data["longitude"])), values
    return None, values


def original(srid: int, x: float, y: float) -> Reading:
    """The position of x (east) and y (north) in a system; raises `Invalid` for no such place."""
    try:
        of = system(srid)
        return Reading(to_wgs84(x, y, of), of, x, y)
    except UnknownSystem as error:
        message = N_("There is no coordinate system with this EPSG code")
        raise Invalid(message, fields={"source_srid": [message]}) from error
    except NoSuchPlace as error:
        message = N_("These coordinates are no place in their system")
        raise Invalid(message, fields={"source_x": [message], "source_y": [message]}) from error


def named(organisation: Organisation | None) -> dict[str, str] | None:
    return {"id": str(organisation.id), "name": organisation.name} if organisation else None


def as_json(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date) else value
