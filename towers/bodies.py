"""What JSON bodies say of a tower: its position in any of its forms, and its other fields."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from core.errors import Invalid
from core.geo import Position
from core.words import N_
from towers.coordinate_systems import NoSuchPlace, UnknownSystem, system, to_wgs84
from towers.coordinates import Reading
from towers.fields import FIELDS, Kind
from towers.schemas import ORIGINAL, POSITION

Organisations = Callable[[str | None, str], Any]


def split(
    data: dict[str, Any], organisation: Organisations
) -> tuple[Reading | None, dict[str, Any]]:
    """The position and the other fields of a loaded body.

    `organisation(given, field)` is what a named organisation becomes. Raises `Invalid` for a
    coordinate system that is not known, or coordinates that are no place in theirs.
    """
    values = {name: value for name, value in data.items() if name not in POSITION | ORIGINAL}
    for field in FIELDS:
        value = values.get(field.name)
        if field.kind is Kind.ORGANISATION and field.name in values:
            values[field.name] = organisation(value, field.name)
        elif field.kind is Kind.NUMBER and value is not None:
            values[field.name] = round(Decimal(str(value)), field.digits)
        elif field.kind is Kind.CHOICES and value is not None:
            values[field.name] = sorted(set(value))
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
