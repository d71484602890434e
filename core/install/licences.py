"""Under which licences libraries come, as SPDX expressions, and whether these are allowed here.

`licences.yaml` says which are, and what those mean that libraries name in other words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution
from pathlib import Path

import yaml
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from core.install.locks import canonical

FILE = Path(__file__).with_name("licences.yaml")
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Licences:
    """What `licences.yaml` says."""

    allowed: frozenset[str]
    words: Mapping[str, str]
    """What metadata says → SPDX."""
    read: Mapping[str, str]
    """Library → SPDX, where somebody had to read its text."""


def load(file: Path = FILE) -> Licences:
    said = yaml.safe_load(file.read_text(encoding="utf-8"))
    return Licences(frozenset(said["allowed"]), said["words"], said["read"])


def of_library(library: Distribution, known: Licences) -> str:
    """The SPDX expression of a library of Python, or `UNKNOWN`."""
    facts = library.metadata
    name = canonical(facts["Name"])
    if name in known.read:
        return known.read[name]
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in facts.get_all("Classifier") or []
        if line.startswith("License :: ")
    ]
    for said in [facts["License-Expression"], facts["License"], *classifiers]:
        try:
            return str(canonicalize_license_expression(known.words.get(said, said)))
        except (InvalidLicenseExpression, AttributeError):
            continue  # Nothing, or the whole text of a licence: the next one may be clearer.
    return UNKNOWN


def of_browser_packages(lock: Path) -> dict[str, str]:
    """The SPDX expressions of npm's packages, by name and version."""
    packages = json.loads(lock.read_text(encoding="utf-8"))["packages"]
    return {
        f"{place.rpartition('node_modules/')[2]} {facts['version']}": facts.get("license", UNKNOWN)
        for place, facts in packages.items()
        if place
    }


def is_allowed(expression: str, allowed: Collection[str]) -> bool:
    """Whether an SPDX expression leaves a choice of allowed licences; a `WITH` counts as one."""
    words = re.findall(r"[()]|\w[^\s()]* WITH [^\s()]+|[^\s()]+", expression)

    def either() -> bool:
        answer = both()
        while words[:1] == ["OR"]:
            words.pop(0)
            answer = both() or answer
        return answer

    def both() -> bool:
        answer = single()
        while words[:1] == ["AND"]:
            words.pop(0)
            answer = single() and answer
        return answer

    def single() -> bool:
        word = words.pop(0)
        if word != "(":
            return word in allowed
        answer = either()
        words.pop(0)
        return answer

    return either()
