"""What the values of the register's vocabularies are called in lists and in other registers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from core.words import N_, plain
from towers.labels import VOCABULARIES

DATA = Path(__file__).resolve().parent / "data" / "vocabularies.yaml"


@cache
def _data() -> dict[str, dict[str, dict[str, Any]]]:
    data: dict[str, dict[str, dict[str, Any]]] = yaml.safe_load(DATA.read_text(encoding="utf-8"))
    return data


# The names that other registers have for a value.
KINDS_OF_NAMES = ("osm", "fcc", "tt14", "ttlt12")


def vocabularies() -> tuple[str, ...]:
    """The vocabularies whose values lists may write in other ways, in the order of the file."""
    return tuple(_data())


def standards(vocabulary: str) -> Mapping[str, Mapping[str, Any]]:
    """For each value its names elsewhere: `osm` tags, `fcc` codes, `tt14` classes, `ttlt12`."""
    return _data()[vocabulary]


@cache
def meanings(vocabulary: str) -> Mapping[str, str]:
    """The value that each usual writing means; ask with `plain` texts.

    Knows the keys, the English labels, codes of the FCC's register, and what Vietnamese lists
    write.
    """
    found: dict[str, str] = {}
    for value, facts in _data()[vocabulary].items():
        label = VOCABULARIES.get(vocabulary, {}).get(value)
        writings = [value, *([label] if label else []), *facts["also"], *facts.get("fcc", ())]
        for writing in writings:
            if found.setdefault(plain(writing), value) != value:
                raise ValueError(f"{writing!r} means two values of {vocabulary}")
    return found


def unusual(
    structure_type: str, planning_class: str | None, bts_category: str | None
) -> list[tuple[str, str]]:
    """Classes that do not go with a structure type, as (field, text to translate).

    Hints, never refusals: the papers of a structure may say otherwise for a reason.
    """
    usual = standards("structure_type").get(structure_type, {})
    found: list[tuple[str, str]] = []
    classes = usual.get("tt14")
    if classes and planning_class and planning_class not in classes:
        found.append(("planning_class", PLANNING_CLASS_UNUSUAL))
    category = usual.get("ttlt12")
    if category and bts_category and bts_category != category:
        found.append(("bts_category", BTS_CATEGORY_UNUSUAL))
    return found


PLANNING_CLASS_UNUSUAL = N_(
    "This planning class is unusual for the structure type: check both against the papers"
)
BTS_CATEGORY_UNUSUAL = N_(
    "This BTS category is unusual for the structure type: category 1 stands on the ground,"
    " category 2 on a building"
)
