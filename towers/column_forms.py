"""The form in which people say what each column of a list is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from core.errors import Invalid
from core.i18n import translate
from core.words import N_
from towers.columns import ANGLE, Part
from towers.coordinate_systems import named_systems, system
from towers.coordinate_texts import LATITUDE, LONGITUDE
from towers.fields import FIELDS
from towers.mapping import ColumnMapping, corrected

OTHERS = {
    "position": N_("Both coordinates in one text"),
    "system": N_("Coordinate system of the row"),
    "call_sign": N_("Call sign"),
    "stated_commune": N_("Commune (of today or before)"),
}
PARTS = {
    Part.DEGREES: N_("%(coordinate)s: degrees"),
    Part.MINUTES: N_("%(coordinate)s: minutes"),
    Part.SECONDS: N_("%(coordinate)s: seconds"),
    Part.SIDE: N_("%(coordinate)s: side (N, S, E, W)"),
}
EPSG = re.compile(r"(?:EPSG\s*:?\s*)?(\d{1,6})\Z", re.ASCII | re.IGNORECASE)


def choices() -> list[tuple[str, str]]:
    """Everything that a column can be, with its name in the reader's language."""
    found = [(one.name, translate(one.label)) for one in FIELDS]
    found += [(name, translate(text)) for name, text in OTHERS.items()]
    labels = {one.name: one.label for one in FIELDS}
    for name in (LATITUDE, LONGITUDE):
        for part in ANGLE:
            text = translate(PARTS[part], coordinate=translate(labels[name]))
            found.append((f"{name}:{part}", text))
    return found


def shown_choice(mapping: ColumnMapping, place: int) -> str:
    """What a column is in a mapping, as the form names it; nothing for one that is left out."""
    for name, places in mapping.columns.items():
        if len(places) == 1 and places[0] == place:
            return name
        if len(places) > 1 and place in places:
            return f"{name}:{ANGLE[places.index(place)]}"
    return ""


def system_choices(mapping: ColumnMapping) -> list[tuple[int, str]]:
    """The systems of Vietnamese papers by their EPSG codes, and the mapping's own if it is none."""
    found = [(one.srid, one.name) for one in named_systems()]
    own = system(mapping.srid)
    return found if own.named else [(own.srid, f"{own.name} (EPSG:{own.srid})"), *found]


def given_mapping(mapping: ColumnMapping, form: Mapping[str, Any]) -> ColumnMapping:
    """The mapping that a form says; raises `Invalid` for what is no field, system or is double."""
    columns: dict[str, tuple[int | None, ...]] = {}
    doubled: list[str] = []
    for place, header in enumerate(mapping.headers):
        name, _, part = str(form.get(f"column-{place}", "")).partition(":")
        if not name:
            continue
        if part:
            at = [str(one) for one in ANGLE].index(part) if part in set(ANGLE) else -1
            parts = list(columns.get(name, (None,) * len(ANGLE)))
            if at < 0 or len(parts) != len(ANGLE) or parts[at] is not None:
                doubled.append(header)
                continue
            parts[at] = place
            columns[name] = tuple(parts)
        elif name in columns:
            doubled.append(header)
        else:
            columns[name] = (place,)
    made = corrected(mapping, columns=columns, srid=_given_system(form))
    return corrected(made, doubled=tuple(doubled)) if doubled else made


def _given_system(form: Mapping[str, Any]) -> int:
    """The code that was written, else the chosen one; raises `Invalid` where there is neither."""
    text = str(form.get("other_srid", "")).strip() or str(form.get("srid", ""))
    code = EPSG.match(text)
    if code is None:
        raise Invalid(N_("Choose a coordinate system, or write its EPSG code such as 5897"))
    return int(code[1])
