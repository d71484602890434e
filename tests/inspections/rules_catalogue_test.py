"""Reading a catalogue: what breaks its own rules is refused with the place named."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from inspections.rules.catalogue import Catalogue, CatalogueError
from inspections.services.checklists import shipped_document
from towers.rules import StructureType


def document() -> dict[str, Any]:
    return copy.deepcopy(shipped_document())


def item(given: dict[str, Any], key: str) -> dict[str, Any]:
    return next(one for one in given["items"] if one["key"] == key)


def test_the_shipped_catalogue_has_52_items_in_eleven_groups() -> None:
    catalogue = Catalogue.parse(document())
    assert (catalogue.version, len(catalogue.items), len(catalogue.groups)) == (1, 52, 11)
    assert {item.group for item in catalogue.items} == {group.key for group in catalogue.groups}


def test_the_shipped_catalogue_is_the_departments_document(reference) -> None:
    given = reference("domain/checklist.yaml").read_text(encoding="utf-8")
    assert document() == yaml.safe_load(given)


def test_the_catalogue_and_the_register_know_the_same_structure_types() -> None:
    catalogue = Catalogue.parse(document())
    assert set(catalogue.structure_types) == set(StructureType)
    assert [key for key, one in catalogue.structure_types.items() if not one.inspectable] == [
        "unknown"
    ]


def test_every_text_stands_in_both_languages() -> None:
    catalogue = Catalogue.parse(document())
    for one in catalogue.items:
        assert one.text("vi").strip() and one.text("en").strip()
        assert one.text("vi") != one.text("en")


def broken(change) -> dict[str, Any]:
    given = document()
    change(given)
    return given


BREAKS = {
    "no version": lambda d: d.pop("version"),
    "version true": lambda d: d.update(version=True),
    "no items": lambda d: d.pop("items"),
    "items a text": lambda d: d.update(items="all"),
    "item twice": lambda d: d["items"].append(copy.deepcopy(d["items"][0])),
    "key of assessments": lambda d: d["items"][0].update(key="load_safety"),
    "unknown group": lambda d: d["items"][0].update(group="cellar"),
    "unknown type": lambda d: d["items"][0].update(applies_to=["balloon"]),
    "applies to nothing": lambda d: d["items"][0].update(applies_to=[]),
    "applies to unknown": lambda d: d["items"][0].update(applies_to=["unknown"]),
    "unknown severity": lambda d: d["items"][0]["levels"][0].update(severity="bad"),
    "unknown operator": lambda d: d["items"][0]["levels"][0].update(op="~"),
    "threshold a text": lambda d: d["items"][0]["levels"][0].update(value="ten"),
    "threshold nan": lambda d: d["items"][0]["levels"][0].update(value=float("nan")),
    "days negative": lambda d: d["items"][0]["levels"][0].update(remedy_days=-1),
    "days half": lambda d: d["items"][0]["levels"][0].update(remedy_days=1.5),
    "min above max": lambda d: d["items"][0]["answer"].update(min=5, max=1),
    "answer unknown": lambda d: d["items"][0]["answer"].update(type="colour"),
    "pass_value bare yes": lambda d: item(d, "clb_ladder")["answer"].update(pass_value=True),
    "in unknown value": lambda d: item(d, "str_rust_grade")["levels"][0].update(value=["Ri9"]),
    "bounds swapped": lambda d: item(d, "guy_tension_pct_bs")["levels"][0].update(value=[15, 7]),
    "function unknown": lambda d: item(d, "str_plumb")["answer"]["derived"].update(function="x"),
    "inputs swapped": lambda d: item(d, "str_plumb")["answer"]["derived"]["inputs"].reverse(),
    "asked about nobody": lambda d: item(d, "guy_tension_pct_bs")["asked_when"].update(item="x"),
    "when not recorded": lambda d: item(d, "guy_tension_dev")["levels"][0]["when"].update(
        record_also="colour"
    ),
    "no English": lambda d: d["items"][0].pop("en"),
    "no severities": lambda d: d.update(severities={}),
    "null item": lambda d: d["items"].append(None),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_catalogue_is_refused(name) -> None:
    with pytest.raises(CatalogueError) as caught:
        Catalogue.parse(broken(BREAKS[name]))
    assert str(caught.value)


@pytest.mark.parametrize("given", [None, [], "text", 3, {}])
def test_what_is_no_catalogue_at_all_is_refused(given) -> None:
    with pytest.raises(CatalogueError):
        Catalogue.parse(given)
