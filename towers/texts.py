"""What the values of the register say in the reader's language, as pages and history show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from core.formats import day, degrees, label, number
from core.i18n import N_, translate
from towers.coordinate_systems import UnknownSystem, system
from towers.fields import BY_NAME, FIELDS, Field, Kind
from towers.parts import ANTENNA_FIELDS, FOOTPRINT, INSTALLATION, PartKind, kind_of_key

EMPTY = "–"
BY_COLUMN: Mapping[str, Field] = {one.column: one for one in FIELDS}


def value_text(one: Field, value: Any) -> str:
    """A value of a field as a text; empty where it is not filled in.

    Takes what the database gives and what history keeps: numbers and days as texts, too.
    Organisations come as their names.
    """
    if value is None or value == "" or value == []:
        return ""
    if one.kind is Kind.CHOICE:
        return label(value, one.vocabulary)
    if one.kind is Kind.CHOICES:
        return ", ".join(label(each, one.vocabulary) for each in value)
    if one.kind is Kind.FLAG:
        return label("yes" if value else "no", one.vocabulary)
    if one.kind is Kind.DAY:
        return day(date.fromisoformat(value) if isinstance(value, str) else value)
    if one.kind is Kind.NUMBER:
        return number(Decimal(str(value)), max(one.digits, 1))
    if one.kind is Kind.WHOLE:
        return number(int(value), 0)
    if one.kind is Kind.COORDINATE:
        return degrees(float(value))
    return str(value)


@dataclass(frozen=True)
class Change:
    """One change as its reader sees it: what, before, after; `inside` are those of a part."""

    name: str
    before: str
    after: str
    inside: Sequence[Change] = field(default=())


@dataclass(frozen=True)
class Names:
    """What keys in history are called."""

    organisations: Mapping[str, str]
    communes: Mapping[int, str]

    def text(self, name: str, value: Any) -> str:
        """A value of the tower itself under its name in history."""
        if value in (None, "", []):
            return ""
        if name in {"commune_id", "former_commune_id"}:
            return self.communes.get(value, str(value))
        if name == "source_srid":
            return _system_name(value)
        if name in {"source_x", "source_y"}:
            return number(value, 6)
        if name == "commune_distance_m":
            return number(Decimal(str(value)))
        one = BY_COLUMN.get(name) or BY_NAME.get(name)
        if one is None:
            return str(value)
        if one.kind is Kind.ORGANISATION:
            return self.organisations.get(str(value), str(value))
        return value_text(one, value)

    def change(self, name: str, before: Any, after: Any) -> Change:
        """One change of history; a part comes with what changed inside it."""
        kind = kind_of_key(name)
        if kind is not None:
            one, other = before or {}, after or {}
            inside = [
                Change(
                    label(column, f"{kind.name}_field"),
                    self._part_text(name, column, one.get(column)) or EMPTY,
                    self._part_text(name, column, other.get(column)) or EMPTY,
                )
                for column in _columns(kind)
                if one.get(column) != other.get(column)
            ]
            return Change(
                label(kind.name, "part"),
                self.part_summary(name, before),
                self.part_summary(name, after),
                inside if before and after else (),
            )
        if name == FOOTPRINT:
            return Change(label(FOOTPRINT, "part"), corners(before), corners(after))
        return Change(
            label(name, "tower_field"),
            self.text(name, before) or EMPTY,
            self.text(name, after) or EMPTY,
        )

    def _part_text(self, key: str, column: str, value: Any) -> str:
        kind = kind_of_key(key)
        assert kind is not None
        if column == "antennas":
            return "; ".join(antenna_text(one) for one in value or ())
        one = next((field for field in kind.fields if field.column == column), None)
        if one is None or value in (None, ""):
            return "" if value is None else str(value)
        if one.kind is Kind.ORGANISATION:
            return self.organisations.get(str(value), str(value))
        return value_text(one, value)

    def part_summary(self, key: str, part: Mapping[str, Any] | None) -> str:
        """All that a part says in one line, `EMPTY` where there is none."""
        if not part:
            return EMPTY
        kind = kind_of_key(key)
        assert kind is not None
        texts = (self._part_text(key, column, part.get(column)) for column in _columns(kind))
        return " · ".join(text for text in texts if text) or EMPTY


def _columns(kind: PartKind) -> list[str]:
    """The names under which history keeps a part's values, in the order of its fields."""
    return [*(one.column for one in kind.fields), *(["antennas"] if kind is INSTALLATION else [])]


def antenna_text(one: Mapping[str, Any]) -> str:
    """An antenna of history in one line: its number and kind, then height and direction."""
    said = [
        value_text(field, one.get(field.name))
        for field in ANTENNA_FIELDS
        if field.name not in {"quantity", "kind"}
    ]
    units = ("m", "°", "m²", "kg")
    measured = [f"{text} {unit}" for text, unit in zip(said, units, strict=True) if text]
    return ", ".join([f"{one.get('quantity') or 1} × {one.get('kind') or EMPTY}", *measured])


def corners(polygon: Mapping[str, Any] | None) -> str:
    """A footprint as the number of its corners."""
    if not polygon:
        return EMPTY
    number_of = sum(len(ring) - 1 for ring in polygon["coordinates"])
    return translate(N_("A polygon with %(number)s corners"), number=number_of)


def _system_name(srid: Any) -> str:
    try:
        return system(int(srid)).name
    except (UnknownSystem, ValueError):
        return str(srid)
