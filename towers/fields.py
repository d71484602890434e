"""The fields of the register, once: forms, the API, lists, exports and history read them here.

A field that people fill in has a line below, a column of the same name in `towers.models` and a
migration; nothing else. Position, owner and manager are kept in other shapes than they are
written in, and stand here for their headers and labels. Headers of lists are in
`data/headers.yaml`, words in `data/vocabularies.yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from core.words import N_, plain
from towers.rules import (
    BtsCategory,
    CoordSource,
    FoundationType,
    Lifecycle,
    ManagingDepartment,
    PlanningClass,
    Service,
    StructureType,
    code_problem,
)
from towers.vocabularies import meanings

HEADERS = Path(__file__).resolve().parent / "data" / "headers.yaml"
# A number as people write it, with a decimal point or comma; never 1e5 or Infinity.
NUMBER = re.compile(r"[+-]?\d{1,12}(?:[.,]\d{1,12})?\Z", re.ASCII)
YEAR = re.compile(r"[0-9]{4}\Z")
DAYS = (
    (re.compile(r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})(?:[T ]00:00(?::00)?)?\Z", re.ASCII)),
    (
        re.compile(
            r"(?P<d>\d{1,2})[/.-](?P<m>\d{1,2})[/.-](?P<y>\d{4})(?: 0?0:00(?::00)?)?\Z", re.ASCII
        )
    ),
)
# What lists write behind a structure type: `Tự đứng 42m`.
HEIGHT_BEHIND = re.compile(r"\s+(?:cao\s+|h\s*=\s*)?\d{1,3}(?:[.,]\d{1,2})?\s*m\Z", re.ASCII)
MAX_LINE = 300
MAX_TEXT = 4_000
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2200, 12, 31)


class Kind(StrEnum):
    """How a value is written and kept."""

    CODE = "code"
    LINE = "line"
    TEXT = "text"
    NUMBER = "number"
    WHOLE = "whole"
    YEAR = "year"
    DAY = "day"
    CHOICE = "choice"
    CHOICES = "choices"
    FLAG = "flag"
    ORGANISATION = "organisation"
    COORDINATE = "coordinate"


class Group(StrEnum):
    """The parts of the form and of the tower's page, in their order."""

    IDENTITY = "identity"
    PLACE = "place"
    STRUCTURE = "structure"
    FOUNDATION = "foundation"
    PEOPLE = "people"
    NOTES = "notes"


class Unreadable(ValueError):
    """A text is no value of its field; `text` is to be translated, with `facts`."""

    def __init__(self, text: str, **facts: Any) -> None:
        super().__init__(text)
        self.text = text
        self.facts = facts


@dataclass(frozen=True)
class Field:
    """A field: its kind, English label, group and limits. Those of `towers.parts` have no group.

    `least` and `most` are included, `digits` decimals are kept,
    `words` are the values of a choice, whose vocabulary has the name `vocabulary`.
    """

    name: str
    kind: Kind
    label: str
    group: Group | None = None
    least: Decimal = Decimal(0)
    most: Decimal = Decimal(0)
    digits: int = 0
    longest: int = MAX_LINE
    words: type[StrEnum] | None = None
    vocabulary: str = ""
    required: bool = False
    help: str = ""

    @property
    def empty(self) -> Any:
        """What an empty field is kept as."""
        if self.name in DEFAULTS:
            return DEFAULTS[self.name]
        if self.kind in {Kind.LINE, Kind.TEXT}:
            return ""
        return [] if self.kind is Kind.CHOICES else None

    @property
    def column(self) -> str:
        """The column of `tower` that keeps it."""
        return f"{self.name}_id" if self.kind is Kind.ORGANISATION else self.name


DEFAULTS = {"structure_type": StructureType.UNKNOWN.value, "lifecycle": Lifecycle.ACTIVE.value}


def _number(
    name: str, label: str, group: Group, least: str, most: str, *, digits: int = 1, help: str = ""
) -> Field:
    kind = Kind.NUMBER if digits else Kind.WHOLE
    return Field(name, kind, label, group, Decimal(least), Decimal(most), digits, help=help)


def _choice(
    name: str,
    label: str,
    group: Group,
    words: type[StrEnum],
    *,
    many: bool = False,
    vocabulary: str = "",
) -> Field:
    kind = Kind.CHOICES if many else Kind.CHOICE
    return Field(name, kind, label, group, words=words, vocabulary=vocabulary or name)


I, P, S, F, O, N = Group  # noqa: E741 - the groups, in their order

FIELDS: tuple[Field, ...] = (
    Field(
        "code",
        Kind.CODE,
        N_("Code"),
        I,
        longest=64,
        required=True,
        help=N_("As on the sign at the site, unique."),
    ),
    Field("name", Kind.LINE, N_("Name"), I, required=True),
    _choice("structure_type", N_("Structure type"), I, StructureType),
    _choice("services", N_("Services"), I, Service, many=True, vocabulary="service"),
    _choice("lifecycle", N_("Life cycle"), I, Lifecycle),
    Field(
        "lifecycle_since",
        Kind.DAY,
        N_("In this life cycle since"),
        I,
        help=N_("Where only the life cycle changes, the day of the change is taken."),
    ),
    _choice("planning_class", N_("Planning class (TT 14/2013)"), I, PlanningClass),
    _choice("bts_category", N_("BTS category (TTLT 12/2007)"), I, BtsCategory),
    _choice("managing_department", N_("Managing department"), I, ManagingDepartment),
    Field(
        "hardened",
        Kind.FLAG,
        N_("Hardened against natural disaster of level 4"),
        I,
        vocabulary="flag",
    ),
    Field("latitude", Kind.COORDINATE, N_("Latitude"), P, required=True),
    Field("longitude", Kind.COORDINATE, N_("Longitude"), P, required=True),
    _choice("coord_source", N_("Source of the coordinates"), P, CoordSource),
    _number("coord_accuracy_m", N_("Accuracy of the coordinates (m)"), P, "0", "100000"),
    _number("elevation_m", N_("Elevation of the ground (m)"), P, "-500", "9000"),
    Field("address", Kind.LINE, N_("Address"), P, longest=1000),
    Field("former_commune", Kind.LINE, N_("Former commune"), P),
    Field("former_district", Kind.LINE, N_("Former district"), P),
    _number("height_m", N_("Height of the mast (m)"), S, "0.1", "1000"),
    _number(
        "host_building_height_m",
        N_("Height of the host building (m)"),
        S,
        "0",
        "1000",
        help=N_("Only for masts on a roof."),
    ),
    Field("host_building_use", Kind.LINE, N_("Use of the host building"), S),
    _number("host_building_floors", N_("Floors of the host building"), S, "1", "200", digits=0),
    Field("built_year", Kind.YEAR, N_("Year built"), S, Decimal(1900), Decimal(2200)),
    Field("design_standard", Kind.LINE, N_("Design standard"), S),
    _number("design_wind_kn_m2", N_("Design wind pressure W0 (kN/m²)"), S, "0.01", "10", digits=2),
    Field("last_reinforced_on", Kind.DAY, N_("Last reinforced on"), S),
    Field("obstruction_light", Kind.FLAG, N_("Obstruction light"), S, vocabulary="flag"),
    _choice("foundation_type", N_("Foundation"), F, FoundationType),
    _number("base_width_m", N_("Width of the base (m)"), F, "0.01", "100", digits=2),
    _number("guy_levels", N_("Guy levels"), F, "0", "50", digits=0),
    _number("anchor_count", N_("Guy anchors"), F, "0", "100", digits=0),
    _number("anchor_radius_m", N_("Distance of the guy anchors (m)"), F, "0.1", "1000"),
    Field("owner", Kind.ORGANISATION, N_("Owner"), O, help=N_("A new name adds an organisation.")),
    Field("manager", Kind.ORGANISATION, N_("Manager"), O),
    Field("landowner", Kind.LINE, N_("Owner of the land or house"), O),
    Field("landowner_phone", Kind.LINE, N_("Phone of the land or house owner"), O, longest=100),
    Field("land_contract_end", Kind.DAY, N_("Land contract ends on"), O),
    Field("note", Kind.TEXT, N_("Note"), N, longest=MAX_TEXT),
    Field("source", Kind.LINE, N_("Source"), N),
)
BY_NAME: Mapping[str, Field] = {field.name: field for field in FIELDS}
# Those whose value is a column of their own name, as it is written.
KEPT = tuple(field for field in FIELDS if field.kind not in {Kind.ORGANISATION, Kind.COORDINATE})
ORGANISATIONS = tuple(field for field in FIELDS if field.kind is Kind.ORGANISATION)
# The labels of everything that history speaks of.
VOCABULARIES = {
    "tower_field": {
        **{field.column: field.label for field in FIELDS},
        **{field.name: field.label for field in ORGANISATIONS},
        "commune_id": N_("Commune"),
        "commune_distance_m": N_("Distance to the commune (m)"),
        "source_srid": N_("Coordinate system of the source (EPSG)"),
        "source_x": N_("Original X (east)"),
        "source_y": N_("Original Y (north)"),
        "condition": N_("Condition"),
        # What problems of a list name that is no field.
        "_row": N_("Row"),
        "_geometry": N_("Geometry"),
        "position": N_("Position"),
        "system": N_("Coordinate system"),
        "call_sign": N_("Call sign"),
        "stated_commune": N_("Commune (of today or before)"),
        "document": N_("Document"),
        "reason": N_("Reason"),
        "proposal": N_("Proposal"),
        "merged": N_("Merged entry"),
        "into": N_("Entry that stays"),
    }
}


def read(field: Field, text: str) -> Any:
    """The value that a text means for a field; `field.empty` for an empty one.

    Numbers come as `Decimal` or `int`, days as `date`, flags as `bool`, organisations by their
    name. Raises `Unreadable` with a text to translate.
    """
    text = text.strip()
    if "\x00" in text:
        raise Unreadable(N_("A text has a character that cannot be stored"))
    if not text:
        if field.required:
            raise Unreadable(
                N_("The code is missing") if field.name == "code" else N_("This is missing.")
            )
        return field.empty
    return READERS[field.kind](field, text)


def _line(field: Field, text: str) -> str:
    if len(text) > field.longest:
        if field.longest == MAX_LINE:
            raise Unreadable(N_("A name has 1 to 300 characters"))
        raise Unreadable(N_("This text is too long"))
    return text


def _code(field: Field, text: str) -> str:
    problem = code_problem(text)
    if problem:
        raise Unreadable(problem)
    return text


def decimal(text: str) -> Decimal | None:
    """A number with a decimal point or comma and perhaps its unit m; `None` for anything else."""
    text = text.strip()
    bare = text[:-1].rstrip() if text[-1:] in {"m", "M"} else text
    if not NUMBER.match(bare):
        return None
    try:
        return Decimal(bare.replace(",", "."))
    except InvalidOperation:
        return None


def _number_of(field: Field, text: str) -> Decimal:
    value = decimal(text)
    if value is not None:
        value = round(value, field.digits)
    if value is None or not field.least <= value <= field.most:
        if field.name in {"height_m", "host_building_height_m"}:
            raise Unreadable(N_("A height is a number of metres above 0, at most 1000"))
        raise Unreadable(
            N_("Write a number from %(least)s to %(most)s"), least=field.least, most=field.most
        )
    return value


def _whole(field: Field, text: str) -> int:
    value = decimal(text)
    if value is None or value != int(value) or not field.least <= value <= field.most:
        raise Unreadable(
            N_("Write a whole number from %(least)s to %(most)s"),
            least=field.least,
            most=field.most,
        )
    return int(value)


def _year(field: Field, text: str) -> int:
    year = int(text) if YEAR.match(text) else 0
    if not field.least <= year <= field.most:
        raise Unreadable(N_("A year lies between 1900 and 2200"))
    return year


def _day(field: Field, text: str) -> date:
    for pattern in DAYS:
        match = pattern.match(text)
        if match:
            try:
                day = date(int(match["y"]), int(match["m"]), int(match["d"]))
            except ValueError:
                break
            if FIRST_DAY <= day <= LAST_DAY:
                return day
    raise Unreadable(N_("This is not a date: write 31/12/2026 or 2026-12-31"))


# What is said of a word that a vocabulary does not have.
UNKNOWN_WORDS = {
    "structure_type": N_("This structure type is not known"),
    "lifecycle": N_("This life cycle is not known"),
    "services": N_("A service is not known"),
}


def _choice_of(field: Field, text: str) -> str:
    known, written = meanings(field.vocabulary), plain(text)
    value = known.get(written)
    if value is None and field.name == "structure_type":
        value = known.get(HEIGHT_BEHIND.sub("", written))
    if value is None:
        raise Unreadable(UNKNOWN_WORDS.get(field.name, N_("Choose one of the answers")))
    return value


def _choices(field: Field, text: str) -> list[str]:
    known = meanings(field.vocabulary)
    found: list[str] = []
    for part in re.split(r"[,;|+/\r\n]", text):
        # The name of one may have an `and` in it: `Phát thanh và truyền hình`.
        written = plain(part)
        found += [written] if written in known else re.split(r"\s+va\s+", written)
    return sorted({_choice_of(field, part) for part in found if part.strip()})


def _flag(field: Field, text: str) -> bool:
    answer = meanings("flag").get(plain(text))
    if answer is None:
        raise Unreadable(N_("Write yes or no"))
    return answer == "yes"


READERS: Mapping[Kind, Callable[[Field, str], Any]] = {
    Kind.CODE: _code,
    Kind.LINE: _line,
    Kind.TEXT: _line,
    Kind.NUMBER: _number_of,
    Kind.WHOLE: _whole,
    Kind.YEAR: _year,
    Kind.DAY: _day,
    Kind.CHOICE: _choice_of,
    Kind.CHOICES: _choices,
    Kind.FLAG: _flag,
    Kind.ORGANISATION: _line,
}


@cache
def known_headers() -> Mapping[str, str]:
    """The field that each usual header means; ask with `plain` texts."""
    written: dict[str, list[str]] = yaml.safe_load(HEADERS.read_text(encoding="utf-8"))
    found: dict[str, str] = {}
    for field in FIELDS:
        for header in (field.name, plain(field.label), *written[field.name]):
            if found.setdefault(header, field.name) != field.name:
                raise ValueError(f"the header {header!r} means two fields")
    return found
