"""The register for other programs: all fields of any filtered list, as a table that can come back.

Spreadsheets have headers and words in the reader's language, map programs the names and keys of
the API. Importing what was exported changes nothing: what the service computes itself stands in
columns that an import leaves out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Double,
    Numeric,
    Select,
    case,
    cast,
    func,
    literal,
    select,
)
from sqlalchemy.orm import aliased

from accounts.models import Organisation
from areas.models import Area
from core.errors import Invalid
from core.i18n import translate
from core.policy import Actor
from core.tables import Column, Kind, Table
from core.words import N_
from towers.coordinate_systems import WGS84, System, wkt
from towers.fields import BY_NAME, FIELDS, ORGANISATIONS, Field
from towers.fields import Kind as FieldKind
from towers.models import Tower
from towers.queries import Filters, condition_on, filtered, places_in, reason_on

# For each vocabulary the text of each value, in the reader's language.
Texts = Mapping[str, Mapping[str, str]]
NAMED = {field.name: aliased(Organisation, name=field.name) for field in ORGANISATIONS}
KINDS = {
    FieldKind.NUMBER: Kind.NUMBER,
    FieldKind.WHOLE: Kind.WHOLE,
    FieldKind.YEAR: Kind.WHOLE,
    FieldKind.DAY: Kind.DAY,
    FieldKind.FLAG: Kind.FLAG,
    FieldKind.CHOICES: Kind.TEXTS,
    FieldKind.COORDINATE: Kind.COORDINATE,
}
UNITS = {"_m": "m", "_kn_m2": "kN/m²"}
WIDTHS = {"name": 32, "address": 40, "owner": 30, "manager": 30, "note": 40, "commune": 24}
COMPUTED = N_("Computed by the system; an import leaves it out.")
# What stands beside the fields, with its vocabulary. Their headers mean nothing to an import.
DERIVED = (
    Column("commune_code", N_("Code of the present commune"), width=12),
    Column("commune", N_("Name of the present commune"), width=24),
    Column("condition", N_("Condition"), width=24, values=("condition",)),
    Column("condition_reason", N_("Why it is unchecked"), width=24, values=("condition_reason",)),
    Column("worst_severity", N_("Worst severity"), values=("severity",)),
    Column("open_violations", N_("Open violations"), Kind.WHOLE),
    Column("next_deadline", N_("Next deadline"), Kind.DAY),
    Column("last_inspected_on", N_("Last full inspection"), Kind.DAY),
    Column("ok_until", N_("Satisfactory until"), Kind.DAY),
)
DEGREES = ("latitude", "longitude")
# What stands in their place when a list has another system; papers name the north first. An import
# understands these headers.
PLACED = ("source_srid", "source_y", "source_x")
METRES = (N_("Northing (m)"), N_("Easting (m)"))
ANGLES = (N_("Latitude"), N_("Longitude"))
EITHER = (N_("Latitude / Northing"), N_("Longitude / Easting"))
NAMES = (*(field.name for field in FIELDS), *(one.name for one in DERIVED))


@dataclass(frozen=True)
class Choice:
    """How a list is wanted.

    `columns` are names of `NAMES`, all of them where there are none. `system` is that of the
    positions; `as_given` has each in the system that it was given in. `labelled` has words in the
    reader's language in the place of keys.
    """

    columns: tuple[str, ...] = ()
    system: System = WGS84
    as_given: bool = False
    labelled: bool = True


@dataclass(frozen=True)
class _Place:
    """East and north of a tower in the chosen system, as columns."""

    x: ColumnElement[Any]
    y: ColumnElement[Any]


def table(
    actor: Actor,
    filters: Filters,
    choice: Choice,
    *,
    today: date,
    texts: Texts,
) -> Table:
    """The filtered register in the reader's scope, all of it, in the order of codes."""
    columns = _columns(choice, texts)
    statement: Select[Any]
    if choice.system == WGS84:
        place = _Place(func.ST_X(Tower.geom), func.ST_Y(Tower.geom))
        statement = select().select_from(Tower)
    else:
        places = places_in(actor, filters, choice.system, today=today)
        place = _Place(places.c.x, places.c.y)
        statement = select().join_from(Tower, places, places.c.id == Tower.id)
    values = {one.name: _value(one.name, choice, place, today, texts) for one in columns}
    statement = statement.add_columns(
        *(value.label(name) for name, value in values.items()),
        place.x.label("x"),
        place.y.label("y"),
    )
    statement = statement.outerjoin(Area, Area.id == Tower.commune_id)
    for field in ORGANISATIONS:
        named = NAMED[field.name]
        statement = statement.outerjoin(named, named.id == getattr(Tower, field.column))
    return Table(
        name="towers",
        title=translate(N_("Towers")),
        columns=columns,
        statement=filtered(statement, actor, filters, today=today).order_by(Tower.code),
        x="x",
        y="y",
        crs=wkt(choice.system),
    )


def vocabularies() -> set[str]:
    """The vocabularies whose texts `table` needs."""
    words = {field.vocabulary for field in FIELDS if field.vocabulary}
    return words | {one for column in DERIVED for one in column.values}


def _columns(choice: Choice, texts: Texts) -> tuple[Column, ...]:
    """The chosen columns in their usual order, explained in the reader's language."""
    wanted = set(choice.columns or NAMES)
    unknown = wanted - set(NAMES)
    if unknown:
        message = N_("There is no column %(column)s")
        raise Invalid(message, fields={"field": [message]}, column=sorted(unknown)[0][:100])
    elsewhere = choice.as_given or choice.system != WGS84
    columns: list[Column] = []
    for field in FIELDS:
        if field.name not in wanted:
            continue
        if field.name not in DEGREES or not elsewhere:
            columns.append(_of_field(field, choice, texts))
        elif not any(one.name == PLACED[0] for one in columns):
            columns.extend(_placed(choice))
    columns += [_derived(one, texts) for one in DERIVED if one.name in wanted]
    return tuple(columns)


def _of_field(field: Field, choice: Choice, texts: Texts) -> Column:
    kind = KINDS.get(field.kind, Kind.TEXT)
    if kind is Kind.FLAG and choice.labelled:
        kind = Kind.TEXT
    words = texts[field.vocabulary] if field.vocabulary else {}
    allowed = tuple(
        text if choice.labelled else f"{value}: {text}" for value, text in words.items()
    )
    if field.kind in {FieldKind.NUMBER, FieldKind.WHOLE, FieldKind.YEAR}:
        allowed = (f"{field.least} – {field.most}",)
    return Column(
        field.name,
        translate(field.label),
        kind,
        WIDTHS.get(field.name, 16),
        digits=6 if kind is Kind.COORDINATE else field.digits,
        meaning=translate(field.help),
        unit="°" if kind is Kind.COORDINATE else _unit(field.name),
        values=allowed,
    )


def _unit(name: str) -> str:
    return next((unit for ending, unit in UNITS.items() if name.endswith(ending)), "")


def _placed(choice: Choice) -> list[Column]:
    labels = EITHER if choice.as_given else METRES if choice.system.metric else ANGLES
    # In a layer the point itself says where it is; as it was given it stands beside the point.
    kind = Kind.NUMBER if choice.as_given else Kind.COORDINATE
    digits = 9 if labels is ANGLES else 3
    return [
        Column(PLACED[0], translate(N_("Coordinate system (EPSG)")), Kind.WHOLE, width=10),
        *(
            Column(name, translate(label), kind, digits=digits)
            for name, label in zip(PLACED[1:], labels, strict=True)
        ),
    ]


def _derived(column: Column, texts: Texts) -> Column:
    words = tuple(text for name in column.values for text in texts[name].values())
    return Column(
        column.name,
        translate(column.label),
        column.kind,
        column.width,
        meaning=translate(COMPUTED),
        values=words,
    )


def _value(
    name: str, choice: Choice, place: _Place, today: date, texts: Texts
) -> ColumnElement[Any]:
    field = BY_NAME.get(name)
    if name in PLACED:
        return _placed_value(name, choice, place)
    if name in DEGREES:
        return func.ST_Y(Tower.geom) if name == "latitude" else func.ST_X(Tower.geom)
    if field is not None:
        return _field_value(field, choice, texts)
    value: Any = {
        "commune_code": Area.code,
        "commune": Area.name,
        "condition": condition_on(today),
        "condition_reason": reason_on(today),
    }.get(name)
    if value is None:
        value = getattr(Tower, name)
    (words,) = (one.values for one in DERIVED if one.name == name)
    return _text_of(value, texts[words[0]]) if words and choice.labelled else value


def _placed_value(name: str, choice: Choice, place: _Place) -> ColumnElement[Any]:
    x, y = place.x, place.y
    if not choice.as_given:
        if name == "source_srid":
            return literal(choice.system.srid)
        # To a millimetre, or as near as that in degrees.
        digits = 3 if choice.system.metric else 9
        return cast(func.round(cast(x if name == "source_x" else y, Numeric), digits), Double)
    otherwise = {"source_srid": literal(WGS84.srid), "source_x": x, "source_y": y}[name]
    # An original without its numbers is none.
    known = Tower.source_srid.is_not(None) & Tower.source_x.is_not(None)
    return case((known, getattr(Tower, name)), else_=otherwise)


def _field_value(field: Field, choice: Choice, texts: Texts) -> ColumnElement[Any]:
    if field.kind is FieldKind.ORGANISATION:
        name: Any = NAMED[field.name].name
        return name
    column: Any = getattr(Tower, field.name)
    if field.kind is FieldKind.NUMBER:
        return cast(column, Double)
    if not field.vocabulary or not choice.labelled:
        return column
    words = texts[field.vocabulary]
    if field.kind is FieldKind.FLAG:
        return case((column, literal(words["yes"])), (~column, literal(words["no"])))
    if field.kind is FieldKind.CHOICES:
        key = func.unnest(column).column_valued("key")
        return func.array(select(_text_of(key, words)).scalar_subquery())
    return _text_of(column, words)


def _text_of(column: Any, words: Mapping[str, str]) -> ColumnElement[Any]:
    """The text of a key; one that nobody knows stays itself."""
    return case(*((column == key, literal(text)) for key, text in words.items()), else_=column)


# The filters as people call them, and the vocabularies of their values.
FILTER_TEXTS = {
    "q": (N_("Search"), ""),
    "condition": (N_("Condition"), "condition"),
    "severity": (N_("Severity"), "severity"),
    "overdue": (N_("Only overdue"), ""),
    "due_within": (N_("Due within days"), ""),
    "owner": (N_("Owner"), ""),
    "commune": (N_("Commune"), ""),
    "without_commune": (N_("Outside all communes"), ""),
    "structure_type": (N_("Structure type"), "structure_type"),
    "service": (N_("Services"), "service"),
    "lifecycle": (N_("Life cycle"), "lifecycle"),
    "managing_department": (N_("Managing department"), "managing_department"),
    "built_before": (N_("Built before the year"), ""),
    "height_from": (N_("Height from (m)"), ""),
    "height_to": (N_("Height to (m)"), ""),
    "bbox": (N_("Box (west, south, east, north)"), ""),
    "inspection_due_before": (N_("Inspection due before"), ""),
    "campaign": (N_("In the campaign"), ""),
    "area": (N_("Inside the drawn area"), ""),
    "towers": (N_("Chosen one by one"), ""),
    "include_dismantled": (N_("Include dismantled towers"), ""),
}


def described(filters: Filters, texts: Texts, names: Mapping[str, str]) -> list[tuple[str, str]]:
    """The filters that narrow a list, as texts; `names` are those of the owner and the campaign
    that are chosen.

    What only another list can be narrowed to is described by that one.
    """
    found: list[tuple[str, str]] = []
    for one in fields(filters):
        value = getattr(filters, one.name)
        if not one.compare or value == one.default or one.name not in FILTER_TEXTS:
            continue
        label, vocabulary = FILTER_TEXTS[one.name]
        words = texts[vocabulary] if vocabulary else {}
        if one.name == "bbox":
            value = (value.west, value.south, value.east, value.north)
        if one.name == "area":
            value = tuple(f"{x:g} {y:g}" for x, y in value)
        if one.name == "towers":
            value = len(value)
        if value is True:
            text = translate(N_("Yes"))
        elif one.name in names:
            text = names[one.name]
        elif isinstance(value, tuple):
            text = ", ".join(words.get(str(part), str(part)) for part in value)
        else:
            text = str(value)
        found.append((translate(label), text))
    return found
