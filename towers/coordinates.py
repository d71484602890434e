"""What people type for a position, and the likely mistake when it cannot be right."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from core.geo import Envelope, Position
from core.words import N_

NUMBER = re.compile(r"[+-]?\d{1,9}(?:[.,]\d{1,20})?\Z", re.ASCII)

Problem = tuple[str, str, Mapping[str, Any]]


def decimal_degrees(text: str) -> float | None:
    """A plain number with point or comma, `None` for anything else."""
    text = text.strip().removesuffix("°").strip()
    if not NUMBER.match(text):
        return None
    return float(text.replace(",", "."))


def read_position(
    latitude: str, longitude: str, envelope: Envelope
) -> tuple[Position | None, list[Problem]]:
    """The position in degrees of EPSG:4326, or what is wrong as (field, text, facts)."""
    values: dict[str, float] = {}
    problems: list[Problem] = []
    for name, text in (("latitude", latitude), ("longitude", longitude)):
        number = decimal_degrees(text)
        if not text.strip():
            problems.append((name, N_("The coordinate is missing"), {}))
        elif number is None:
            problems.append(
                (name, N_("“%(value)s” is not a number of degrees such as 10.4603"),
                 {"value": text[:60]})
            )
        else:
            values[name] = number
    if problems:
        return None, problems
    lat, lon = values["latitude"], values["longitude"]
    facts: dict[str, Any] = {
        "latitude": latitude,
        "longitude": longitude,
        "south": envelope.south,
        "north": envelope.north,
        "west": envelope.west,
        "east": envelope.east,
    }
    mistake = _mistake(lat, lon, envelope)
    if mistake is None:
        return Position(lat, lon), []
    return None, [("latitude", mistake, facts), ("longitude", mistake, facts)]


def _mistake(lat: float, lon: float, envelope: Envelope) -> str | None:
    if lat == 0 and lon == 0:
        return N_("The position is 0, 0: nobody filled it in")
    if abs(lat) > 1000 and abs(lon) > 1000:
        return N_(
            "These are metres, probably VN-2000, not degrees: convert them to WGS 84 first"
        )
    if not -90 <= lat <= 90 and -90 <= lon <= 90 and -180 <= lat <= 180:
        return N_("Latitude and longitude are probably swapped")
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):
        return N_("Latitude lies between -90 and 90, longitude between -180 and 180")
    if envelope.contains(Position(lat, lon)):
        return None
    if -90 <= lon <= 90 and envelope.contains(Position(lon, lat)):
        return N_("Latitude and longitude are probably swapped")
    return N_(
        "The position %(latitude)s, %(longitude)s lies outside the area of this deployment"
        " (%(south)s to %(north)s N, %(west)s to %(east)s E)"
    )


def metres(text: str) -> Decimal | None:
    """A height such as `42`, `42.5` or `42,5`, rounded to 0.1 m; `None` for anything else."""
    text = text.strip().removesuffix("m").strip()
    if not NUMBER.match(text):
        return None
    try:
        return Decimal(text.replace(",", ".")).quantize(Decimal("0.1"))
    except InvalidOperation:
        return None
