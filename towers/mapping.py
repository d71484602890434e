"""Which column of a list is which field: guessed from the headers, corrected by people, kept.

A mapping makes of raw rows the texts of fields that `towers.imports` checks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.errors import Invalid
from core.geo import Envelope
from core.words import N_
from towers.columns import ANGLE, Meaning, Part, meaning
from towers.coordinate_systems import (
    WGS84,
    System,
    UnknownSystem,
    find_system,
    system,
    tm3_zones,
)
from towers.coordinate_texts import LATITUDE, LONGITUDE, joined
from towers.coordinates import Problem, Reading, read_columns, read_pair
from towers.fields import BY_NAME
from towers.readers.listing import Facts, Listing, Row

# What a mapping can name beside the fields of the register.
OTHER_FIELDS = ("position", "system", "call_sign", "stated_commune")
FIELDS = (*BY_NAME, *OTHER_FIELDS)
# What lists write where they have nothing; the long ones are sentinels of registers.
EMPTY = ("-", "–", "—", "n/a", "#n/a", "null", "none", "999999999", "-9999")

# What spreadsheets write where a formula has failed.
FORMULA_ERRORS = frozenset(
    ("#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!", "#CALC!")
)


@dataclass(frozen=True)
class ColumnMapping:
    """For each field its column, counted from 0; latitude and longitude may have four.

    The four are degrees, minutes, seconds and side, `None` where the list has no such column.
    `srid` is the coordinate system (EPSG code) of rows that name none themselves; `empty` are the
    texts that mean nothing, in small letters. `doubled` are headers that mean a field which another
    column has already.
    """

    headers: tuple[str, ...]
    columns: Mapping[str, tuple[int | None, ...]]
    srid: int = WGS84.srid
    empty: tuple[str, ...] = EMPTY
    doubled: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, places in self.columns.items():
            coordinate = name in (LATITUDE, LONGITUDE)
            if name not in FIELDS or len(places) not in ((1, 4) if coordinate else (1,)):
                raise Invalid(N_("“%(field)s” is no field of a list"), field=str(name)[:100])
            for place in places:
                if place is None and len(places) == 4:
                    continue
                if not isinstance(place, int) or not 0 <= place < len(self.headers):
                    raise Invalid(N_("The list has no column with this number"))
        try:
            system(self.srid)
        except UnknownSystem as error:
            raise Invalid(
                N_("EPSG:%(srid)s is no coordinate system of positions"), srid=self.srid
            ) from error

    @property
    def ignored(self) -> tuple[str, ...]:
        """The headers of columns that no field takes."""
        used = {place for places in self.columns.values() for place in places}
        return tuple(
            header for place, header in enumerate(self.headers) if place not in used and header
        )

    @property
    def missing(self) -> tuple[str, ...]:
        """What a list cannot be imported without, and this one does not have."""
        found: list[str] = []
        if not {"code", "call_sign"} & set(self.columns):
            found.append("code")
        if "position" not in self.columns:
            found += [name for name in (LATITUDE, LONGITUDE) if name not in self.columns]
        return tuple(found)

    @property
    def is_whole(self) -> bool:
        """Whether a list can be imported by it."""
        return not self.doubled and not self.missing

    def require_whole(self) -> None:
        """Raise `Invalid` where something is missing, or where two columns mean one field."""
        if self.doubled:
            raise Invalid(
                N_("Two columns of the file mean “%(column)s”: keep one"), column=self.doubled[0]
            )
        if self.missing:
            raise Invalid(
                N_("The file has no column for: %(columns)s"), columns=", ".join(self.missing)
            )

    def as_json(self) -> dict[str, Any]:
        """The mapping as it is kept, for another list with the same headers."""
        return {
            "headers": list(self.headers),
            "columns": {name: list(places) for name, places in self.columns.items()},
            "srid": self.srid,
            "empty": list(self.empty),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any], headers: Sequence[str]) -> ColumnMapping:
        """A kept mapping for a list with these headers; raises `Invalid` where it does not fit."""
        if tuple(kept["headers"]) != tuple(headers):
            raise Invalid(N_("The saved mapping belongs to a list with other columns"))
        return cls(
            tuple(headers),
            {name: tuple(places) for name, places in kept["columns"].items()},
            srid=kept["srid"],
            empty=tuple(kept["empty"]),
        )


def guess(listing: Listing) -> ColumnMapping:
    """The mapping that headers and file suggest; it may miss fields, and says what it doubts."""
    columns: dict[str, tuple[int | None, ...]] = {}
    doubled: list[str] = []
    angles: dict[str, dict[Part, int]] = {LATITUDE: {}, LONGITUDE: {}}
    papers: dict[str, int] = {}
    srid = paper_srid = None
    if listing.points:
        columns[LONGITUDE], columns[LATITUDE] = ((place,) for place in listing.points)
    for place, header in _in_order_of_trust(listing):
        found = meaning(header)
        if found is None or (listing.points and _is_position(found)):
            continue
        if found.paper:
            papers.setdefault(found.field, place)
            paper_srid = paper_srid or found.srid
        elif found.part is not Part.WHOLE:
            angles[found.field].setdefault(found.part, place)
        elif found.field in columns:
            if not _of_kml(listing, header):
                doubled.append(header)
        else:
            columns[found.field] = (place,)
            srid = srid or found.srid
    if _angles_and_papers(columns, angles, papers):
        srid = paper_srid
    if LATITUDE in columns and LONGITUDE in columns:
        columns.pop("position", None)
    return ColumnMapping(
        listing.headers,
        columns,
        srid=(system_of(listing.facts) or srid or WGS84.srid),
        doubled=tuple(doubled),
    )


def _in_order_of_trust(listing: Listing) -> list[tuple[int, str]]:
    """Columns with their places; every placemark of a KML has a name, but lists have their own."""
    return sorted(enumerate(listing.headers), key=lambda one: _of_kml(listing, one[1]))


def _of_kml(listing: Listing, header: str) -> bool:
    return listing.facts.format == "KML" and header in {"name", "description"}


def _is_position(found: Meaning) -> bool:
    return found.field in {LATITUDE, LONGITUDE, "position", "system"}


def _angles_and_papers(
    columns: dict[str, tuple[int | None, ...]],
    angles: Mapping[str, Mapping[Part, int]],
    papers: Mapping[str, int],
) -> bool:
    """Coordinates that are not in one column of degrees each, in the order of their trust.

    Returns whether X and Y of papers are taken.
    """
    for name, parts in angles.items():
        if name in columns or Part.DEGREES not in parts:
            continue
        if set(parts) == {Part.DEGREES}:
            columns[name] = (parts[Part.DEGREES],)
        else:
            columns[name] = tuple(parts.get(part) for part in ANGLE)
    if not {LATITUDE, LONGITUDE} & set(columns) and len(papers) == 2:
        columns.update({name: (place,) for name, place in papers.items()})
        return True
    return False


def system_of(facts: Facts) -> int | None:
    """The EPSG code of the system that a file says it has, `None` where it says none.

    A projection that programs write out without a code is known by its central meridian and scale.
    """
    if facts.srid is not None:
        return facts.srid
    meridian = facts.projection.get("Longitude of natural origin")
    scale = facts.projection.get("Scale factor at natural origin")
    if meridian is not None and scale == 0.9999:
        for zone in tm3_zones():
            if zone.meridian == meridian:
                return zone.srid
    named = find_system(facts.system) if facts.system else None
    return named.srid if named else None


def texts_of(row: Row, mapping: ColumnMapping) -> dict[str, str]:
    """The texts of a row by field, without those that mean nothing.

    Columns of degrees, minutes and seconds are joined to one text a coordinate.
    """
    cells = row.cells
    texts = {}
    for name, places in mapping.columns.items():
        if len(places) == 1:
            text = cells[places[0]]  # type: ignore[index]
            texts[name] = "" if text.lower() in mapping.empty else text
        else:
            texts[name] = joined(*("" if place is None else cells[place] for place in places))
    return texts


def read_place(
    values: Mapping[str, str], mapping: ColumnMapping, envelope: Envelope
) -> tuple[Reading | None, list[Problem]]:
    """The position of a mapped row, or what is wrong as (field, text, facts).

    In the system that the row names, else in the mapping's.
    """
    of: System = system(mapping.srid)
    named = values.get("system")
    if named:
        found = find_system(named)
        if found is None:
            return None, [
                ("system", N_("“%(value)s” is no coordinate system"), {"value": named[:60]})
            ]
        of = found
    if values.get("position"):
        return read_pair(values["position"], envelope, None if of is WGS84 else of)
    return read_columns(values.get(LATITUDE, ""), values.get(LONGITUDE, ""), envelope, of)


def corrected(mapping: ColumnMapping, **changes: Any) -> ColumnMapping:
    """The mapping with changes of a person, who has looked at what was doubted."""
    return replace(mapping, **{"doubled": (), **changes})
