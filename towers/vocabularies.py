"""What the values of the register's vocabularies are called in lists and in other registers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from core.words import plain
from towers.labels import VOCABULARIES

DATA = Path(__file__).resolve().parent / "data" / "vocabularies.yaml"


@cache
def _data() -> dict[str, dict[str, dict[str, Any]]]:
    data: dict[str, dict[str, dict[str, Any]]] = yaml.safe_load(DATA.read_text(encoding="utf-8"))
    return data


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
