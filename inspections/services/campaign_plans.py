"""What a campaign is asked to be: its plan and the choice of its towers, also as JSON."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from decimal import Decimal
from typing import Any

from core.geo import Envelope
from inspections.rules.campaign import Kind
from towers.queries import Filters

# Towers that are named one by one; more are chosen by filters.
MOST_CODES = 5_000
# An audit entry names as many codes as these; the rows themselves tell of each tower.
MOST_NAMED = 200


@dataclass(frozen=True)
class Choice:
    """Which towers: those that the filters of the register find, or some by their codes."""

    filters: Filters = field(default_factory=Filters)
    codes: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """The choice as JSON, what is empty left out."""
        if self.codes:
            return {"codes": list(self.codes[:MOST_NAMED]), "number": len(self.codes)}
        said = {}
        for one in fields(self.filters):
            value = getattr(self.filters, one.name)
            if one.compare and value != one.default:
                said[one.name] = _json(value)
        return said

    @classmethod
    def from_plain(cls, said: Mapping[str, Any]) -> Choice:
        """The filters again that `plain` told."""
        return cls(Filters(**{name: _READ.get(name, _as_is)(one) for name, one in said.items()}))


def _as_is(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


_READ: Mapping[str, Callable[[Any], Any]] = {
    "owner": uuid.UUID,
    "manager": uuid.UUID,
    "operator": uuid.UUID,
    "campaign": uuid.UUID,
    "height_from": Decimal,
    "height_to": Decimal,
    "bbox": lambda said: Envelope(*said),
    "inspection_due_before": date.fromisoformat,
    "towers": lambda said: tuple(map(uuid.UUID, said)),
    "area": lambda said: tuple((x, y) for x, y in said),
}


def _json(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_json(one) for one in value]
    if hasattr(value, "west"):
        return [value.west, value.south, value.east, value.north]
    return value if isinstance(value, bool | int | float | str) else str(value)


@dataclass(frozen=True)
class Plan:
    """What a campaign says of itself; both days belong to it."""

    name: str
    kind: Kind
    begins_on: date
    ends_on: date
    note: str = ""

    def plain(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "kind": self.kind.value,
            "begins_on": self.begins_on.isoformat(),
            "ends_on": self.ends_on.isoformat(),
            "note": self.note,
        }

    @classmethod
    def from_plain(cls, said: Mapping[str, Any]) -> Plan:
        return cls(
            name=said["name"],
            kind=Kind(said["kind"]),
            begins_on=date.fromisoformat(said["begins_on"]),
            ends_on=date.fromisoformat(said["ends_on"]),
            note=said["note"],
        )
