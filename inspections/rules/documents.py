"""The document of a catalogue as plain data: its normal form, and what differs between two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Where an item's own fields stand apart when two items are compared.
PARTS = ("answer",)
# Fields whose order says nothing.
SETS = {"applies_to", "services", "structures"}
# What holds where a field is not there.
DEFAULTS = {"height_of": "structure", "risk_input_only": False, "inspectable": True}


@dataclass(frozen=True)
class FieldChange:
    """One field with what it was and is; `None` where it is not there."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True)
class ItemChange:
    """An item that was `added`, `removed` or `changed`; the document of its last state."""

    key: str
    kind: str
    item: Mapping[str, Any]
    fields: tuple[FieldChange, ...] = ()


@dataclass(frozen=True)
class Move:
    """An item that stands elsewhere; its places in its group, from 1 on, before and after."""

    key: str
    before: int
    after: int


@dataclass(frozen=True)
class Differences:
    """What differs between two versions: items, their order, and what stands beside them."""

    items: tuple[ItemChange, ...]
    moved: tuple[Move, ...]
    beside: tuple[FieldChange, ...]

    @property
    def reordered(self) -> bool:
        return bool(self.moved)

    def __bool__(self) -> bool:
        return bool(self.items or self.moved or self.beside)


def normal(value: Any) -> Any:
    """A document without what says nothing: empty texts, lists and mappings, nulls, defaults.

    Names whose order says nothing stand in one order.
    """
    if isinstance(value, Mapping):
        kept = {
            key: _as_set(inner) if key in SETS and isinstance(inner, list) else normal(inner)
            for key, inner in value.items()
        }
        return {key: inner for key, inner in kept.items() if not _says_nothing(key, inner)}
    if isinstance(value, list):
        return [normal(one) for one in value]
    return value


def _as_set(names: list[Any]) -> list[Any]:
    """Names whose order says nothing, in the order in which people read them."""
    return sorted(names, key=lambda name: (PLACES.get(str(name), len(PLACES)), str(name)))


def _says_nothing(key: str, value: Any) -> bool:
    if value is None or value == "" or value == [] or value == {}:
        return True
    return key in DEFAULTS and value == DEFAULTS[key]


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Differences:
    """What differs between two documents that can be read as catalogues."""
    old, new = (normal(one) for one in (before, after))
    old_items, new_items = ({one["key"]: one for one in given["items"]} for given in (old, new))
    changes = [
        ItemChange(key, "removed", item) for key, item in old_items.items() if key not in new_items
    ]
    for key, item in new_items.items():
        if key not in old_items:
            changes.append(ItemChange(key, "added", item))
            continue
        fields = _changed(_flat(old_items[key]), _flat(item))
        if fields:
            changes.append(ItemChange(key, "changed", item, fields))
    beside = {"items", "version", "catalogue"}
    return Differences(
        items=tuple(changes),
        moved=_moved(old_items, new_items),
        beside=_changed(
            {key: value for key, value in old.items() if key not in beside},
            {key: value for key, value in new.items() if key not in beside},
        ),
    )


def _moved(
    old: Mapping[str, Mapping[str, Any]], new: Mapping[str, Mapping[str, Any]]
) -> tuple[Move, ...]:
    """The fewest items of both that must have been moved to come from one order to the other."""
    place = {key: at for at, key in enumerate(key for key in old if key in new)}
    stay = set(_longest_rising([(place[key], key) for key in new if key in place]))
    before, after = _places(old), _places(new)
    return tuple(
        Move(key, before[key], after[key]) for key in new if key in place and key not in stay
    )


def _places(items: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """Where each item stands in its group, from 1 on."""
    counted: dict[str, int] = {}
    found = {}
    for key, item in items.items():
        counted[item["group"]] = counted.get(item["group"], 0) + 1
        found[key] = counted[item["group"]]
    return found


def _longest_rising(given: list[tuple[int, str]]) -> list[str]:
    """The names of a longest part of a sequence that rises."""
    chains: list[list[tuple[int, str]]] = []
    for one in given:
        shorter = [chain for chain in chains if chain[-1][0] < one[0]]
        chains.append([*max(shorter, key=len, default=[]), one])
    return [name for _, name in max(chains, key=len, default=[])]


def _flat(item: Mapping[str, Any]) -> dict[str, Any]:
    flat = {key: value for key, value in item.items() if key not in PARTS}
    for part in PARTS:
        flat.update({f"{part}.{key}": value for key, value in item.get(part, {}).items()})
    return flat


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[FieldChange, ...]:
    return tuple(
        FieldChange(name, old.get(name), new.get(name))
        for name in dict.fromkeys((*old, *new))
        if old.get(name) != new.get(name)
    )


# The order in which a document is written, as people read it; the database keeps none.
ORDER = (
    "catalogue", "version", "key", "group", "vi", "en", "note", "evaluation", "structure_types",
    "severities", "groups", "items", "inspectable", "default_remedy_days",
    "immediate_measures_hours", "applies_to", "services", "min_height_m", "height_of", "answer",
    "type", "pass_value", "unit", "unit_en", "decimals", "prompt", "min", "max", "one_of",
    "derived", "function", "inputs", "values", "record_also", "risk_input_only", "severity",
    "remedy_days", "op", "value", "structures", "when", "if_unknown", "levels", "asked_when",
    "item", "input", "is", "source", "basis", "how", "photo", "legal_basis", "document",
    "article", "verified",
    "critical", "major", "minor",
    "lattice_self_support", "guyed_mast", "monopole", "rooftop_guyed", "rooftop_pole",
    "concrete_pole", "unknown",
)  # fmt: skip
PLACES = {key: place for place, key in enumerate(ORDER)}


def ordered(value: Any) -> Any:
    """A document with its keys in the order in which people read them."""
    if isinstance(value, Mapping):
        keys = sorted(value, key=lambda key: PLACES.get(key, len(PLACES)))
        return {key: ordered(value[key]) for key in keys}
    if isinstance(value, list):
        return [ordered(one) for one in value]
    return value
