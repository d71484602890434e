"""The data dictionary: of every column what it says of people, and how long it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import yaml

PATH = Path(__file__).parent / "data_dictionary.yaml"


class Class(StrEnum):
    """What a column says of people, from nothing to what nobody may change."""

    NONE = "none"
    INTERNAL = "internal"
    PERSONAL = "personal"
    SENSITIVE = "sensitive"
    EVIDENCE = "evidence"


class Names(StrEnum):
    """How a column names a person."""

    ID = "id"
    EMAIL = "email"
    ADDRESS = "address"
    NAME = "name"


@dataclass(frozen=True)
class ColumnEntry:
    name: str
    kind: Class
    person: Names | None = None
    # Never leaves the service.
    secret: bool = False
    # The column with the account's id, where this one holds a name.
    beside: str = ""
    # What it becomes when the person whom its row names is erased: `empty` or their `pseudonym`.
    erase: str = ""


@dataclass(frozen=True)
class TableEntry:
    """`deleted` says that the rows of somebody who is erased go with them."""

    name: str
    about: str
    retention: str
    deleted: bool
    columns: Mapping[str, ColumnEntry]

    @property
    def of_people(self) -> list[ColumnEntry]:
        """The columns that name a person."""
        return [one for one in self.columns.values() if one.person is not None]

    @property
    def erased(self) -> list[ColumnEntry]:
        """The columns of rows that stay which lose what they say of a person who is erased."""
        return [one for one in self.columns.values() if one.erase]


@dataclass(frozen=True)
class Dictionary:
    """Tables by their names; what the classes and the times of retention mean."""

    classes: Mapping[str, str]
    retention: Mapping[str, str]
    tables: Mapping[str, TableEntry]


@cache
def dictionary() -> Dictionary:
    """The dictionary that ships; raises `ValueError` for a word that it does not define."""
    told: dict[str, Any] = yaml.safe_load(PATH.read_text("utf-8"))
    tables = {
        name: _table(name, facts, told["retention"]) for name, facts in told["tables"].items()
    }
    return Dictionary(told["classes"], told["retention"], tables)


def _table(name: str, facts: dict[str, Any], known: Mapping[str, str]) -> TableEntry:
    if facts["retention"] not in known:
        raise ValueError(f"{name}: nothing says what the retention {facts['retention']!r} means")
    if facts.get("erase") not in {None, "delete"}:
        raise ValueError(f"{name}: rows are deleted at an erasure, or nothing is said")
    columns = {column: _column(column, said) for column, said in facts["columns"].items()}
    return TableEntry(name, facts["about"], facts["retention"], "erase" in facts, columns)


def _column(name: str, said: str | dict[str, Any]) -> ColumnEntry:
    if isinstance(said, str):
        return ColumnEntry(name, Class(said))
    person = said.get("person")
    if said.get("erase", "empty") not in {"empty", "pseudonym"}:
        raise ValueError(f"{name}: it is emptied at an erasure, or becomes the pseudonym")
    return ColumnEntry(
        name,
        Class(said["class"]),
        Names(person) if person else None,
        bool(said.get("secret")),
        said.get("beside", ""),
        said.get("erase", ""),
    )
