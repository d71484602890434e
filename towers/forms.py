"""What people type into forms about a tower: read field by field, and shown again as it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from werkzeug.datastructures import MultiDict

from accounts.models import Organisation
from core.errors import FieldText, Invalid
from core.geo import Envelope, to_position
from core.words import N_
from towers.coordinate_systems import WGS84, System, named_systems
from towers.coordinates import METRES_AS_DEGREES, Problem, Reading, read_columns, read_pair
from towers.fields import FIELDS, KEPT, ORGANISATIONS, Field, Kind, Unreadable, read
from towers.models import Tower

Wrong = dict[str, list[FieldText]]


# What a form says beside the fields of the register: a position as one text, the commune that the
# papers name, and what was confirmed.
UNASKED = {"anything": "", "stated_commune": "", "place_confirmed": ""}


def given_tower(form: MultiDict[str, str], fields: Sequence[Field] = FIELDS) -> dict[str, Any]:
    """What was typed, as it was typed, so that nothing is lost when something is wrong."""
    given: dict[str, Any] = {
        field.name: form.getlist(field.name)
        if field.kind is Kind.CHOICES
        else form.get(field.name, "").strip()
        for field in fields
    }
    for name in UNASKED:
        given[name] = form.get(name, "").strip()
    given["srid"] = form.get("srid", str(WGS84.srid))
    given["confirmed"] = "confirmed" in form
    return given


def values_of(
    given: dict[str, Any], fields: Sequence[Field] = FIELDS, *, partial: bool = False
) -> tuple[dict[str, Any], Wrong]:
    """The values that were typed, and what is wrong with others; organisations by their names.

    With `partial` what is empty is left out, also where the register wants it.
    """
    values: dict[str, Any] = {}
    wrong: Wrong = {}
    for field in fields:
        text = given.get(field.name, "")
        if field.kind is Kind.COORDINATE or (partial and not text):
            continue
        try:
            values[field.name] = read(field, ",".join(text) if isinstance(text, list) else text)
        except Unreadable as error:
            wrong[field.name] = [(error.text, error.facts)]
    return values, wrong


def chosen_system(text: str) -> System | None:
    return next((one for one in named_systems() if str(one.srid) == text), None)


def read_given(given: dict[str, Any], envelope: Envelope) -> tuple[Reading | None, list[Problem]]:
    """The position of a form: the text that was pasted or, without one, its two fields.

    Problems are named by the fields `latitude`, `longitude`, `anything` and `srid`.
    """
    of = chosen_system(given["srid"])
    if of is None:
        return None, [("srid", N_("Choose one of the answers"), {})]
    text = given.get("anything", "")
    if text:
        # Degrees are WGS 84 unless said otherwise; metres without a system are in the chosen one.
        reading, problems = read_pair(text, envelope, None if of.metric or of == WGS84 else of)
        if reading is None and of.metric and problems[0][1] == METRES_AS_DEGREES:
            reading, problems = read_pair(text, envelope, of)
        return reading, [("anything", message, facts) for _, message, facts in problems]
    return read_columns(given["latitude"], given["longitude"], envelope, of)


def shown_reading(reading: Reading) -> dict[str, str]:
    """A reading as the fields of the form show it; in WGS 84 where its system is not offered."""
    of, x, y = reading.system, reading.x, reading.y
    if chosen_system(str(of.srid)) is None:
        reading = Reading.of(reading.position)
        of, x, y = reading.system, reading.x, reading.y
    digits = 3 if of.metric else 6
    return {"srid": str(of.srid), "latitude": f"{y:.{digits}f}", "longitude": f"{x:.{digits}f}"}


def checked(given: dict[str, Any], envelope: Envelope) -> tuple[Reading, dict[str, Any]]:
    """The typed values of a form; raises `Invalid` with a text for each field that is wrong.

    Organisations come as the names that were typed. The envelope is in degrees of EPSG:4326.
    """
    values, wrong = values_of(given)
    if "\x00" in given.get("stated_commune", ""):
        wrong["stated_commune"] = [N_("A text has a character that cannot be stored")]
    reading, problems = read_given(given, envelope)
    for name, message, facts in problems:
        wrong.setdefault(name, []).append((message, facts))
    if wrong or reading is None:
        raise Invalid(fields=wrong)
    if given.get("anything"):
        # What was pasted stands in the fields from now on.
        given.update(shown_reading(reading), anything="")
    return reading, values


def shown_position(tower: Tower) -> dict[str, str]:
    """The tower's coordinates as the form shows them: as they were given, where that is known."""
    position = to_position(tower.geom)
    of = chosen_system(str(tower.source_srid)) or WGS84
    if of == WGS84 or tower.source_x is None or tower.source_y is None:
        return shown_reading(Reading.of(position))
    return shown_reading(Reading(position, of, tower.source_x, tower.source_y))


def is_untouched(tower: Tower, given: dict[str, Any]) -> bool:
    """Whether the form still shows the tower's own, rounded coordinates: they move nothing."""
    return shown_position(tower).items() <= given.items()


def shown_tower(tower: Tower) -> dict[str, Any]:
    """A tower as its form shows it."""
    given: dict[str, Any] = {
        **{field.name: getattr(tower, field.name) for field in KEPT},
        **{field.name: getattr(tower, field.name) for field in ORGANISATIONS},
        **UNASKED,
        **shown_position(tower),
    }
    for field in FIELDS:
        value = given[field.name]
        if isinstance(value, Organisation):
            given[field.name] = value.name
        elif field.kind is Kind.FLAG and value is not None:
            given[field.name] = "yes" if value else "no"
    return given
