"""The phone judges as the service does: the same answers, judged by both, item by item.

Python writes vectors with what its rules make of them into a file; node reads the file and judges
with the phone's own module. Every level of every item is tried just below, at and just above its
limit, and every kind of answer that is none.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from core.settings import ROOT
from inspections.rules.catalogue import FUNCTIONS, Catalogue, Item
from inspections.rules.evaluation import GivenAnswer, Structure, applies, evaluate
from inspections.services.checklists import LOAD_SAFETY_ITEM, shipped_document
from towers.rules import overall_height

DOCUMENT = json.loads(orjson.dumps(shipped_document()))
CATALOGUE = Catalogue.parse(DOCUMENT)
TYPES = [key for key, one in CATALOGUE.structure_types.items() if one.inspectable]
HOWS = ("ground", "climb", "documents", "instrument")
NO_VALUES = (
    "", None, "abc", "NaN", "Infinity", "0x10", "1e40", "1e-40", "1" * 41, True, ["yes"], " 7 ",
    "1,5", "+2.50", "-0", ".5", "5.", "1_0", "1 0", "3.7", 3.7, 2, "maybe",
)  # fmt: skip
RUN = """
import { readFileSync, writeFileSync } from "node:fs";
import { applicableItems, applies, evaluate, structureOf } from "%(module)s";
const { document, beside, vectors } = JSON.parse(readFileSync("%(file)s", "utf8"));
const results = vectors.map(({ tower, answers, methods, besides }) => {
  const structure = structureOf(tower);
  const found = evaluate(document, structure, answers, methods, besides ? beside : []);
  for (const one of Object.values(found.judgements)) {
    if (one.value !== null) one.value = String(one.value);
  }
  const keys = applicableItems(document, structure, besides ? beside : []).map((item) => item.key);
  return { ...found, applicable: keys };
});
writeFileSync("%(file)s.out", JSON.stringify(results));
"""


def plain(item: Item) -> dict[str, Any]:
    """The item beside the checklist as its document has it."""
    answer = item.answer
    return {
        "key": item.key, "how": item.how, "photo": item.photo, "basis": item.basis,
        "applies_to": sorted(item.applies_to), "services": [], "height_of": item.height_of,
        "answer": {"type": answer.type, "pass_value": answer.pass_value},
        "levels": [asdict(one) | {"structures": sorted(one.structures)} for one in item.levels],
    }  # fmt: skip


def tower_for(item: Item, number: int = 0, **more: Any) -> dict[str, Any]:
    kinds = sorted(item.applies_to)
    return {
        "structure_type": kinds[number % len(kinds)],
        "services": sorted(item.services) or ["bts"],
        "height_m": 90.5,
        "host_building_height_m": 12,
        **more,
    }


def around(bound: Decimal) -> Iterator[str]:
    for step in ("-1", "-0.1", "-0.000001", "0", "0.000001", "0.1", "1"):
        yield str(bound + Decimal(step))


def bounds(item: Item) -> list[Decimal]:
    """Every number at which the judgement of an item may change."""
    found = [one for one in (item.answer.low, item.answer.high) if one is not None]
    for level in item.levels:
        values = level.value if isinstance(level.value, tuple) else (level.value,)
        found += [one for one in values if isinstance(one, Decimal)]
    return found + [-one for one in found]


def inputs_for(item: Item) -> Iterator[dict[str, Any]]:
    """Inputs whose result is just at a limit, and inputs of which none can be computed."""
    derived = item.answer.derived
    assert derived is not None
    first, second = FUNCTIONS[derived.function]
    for bound in bounds(item):
        for divisor in ("3", "0.7", "33.3", "0.3"):
            number = Decimal(divisor)
            exact = {
                "plumb_percent": bound * 10 * number,
                "tension_deviation_percent": number + bound * number / 100,
                "tension_percent_of_breaking": bound * number / 100,
                "distance_in_heights": bound * number,
            }[derived.function]
            for offset in ("-0.001", "0", "0.001"):
                yield {first: str(exact + Decimal(offset)), second: divisor}
    yield from ({}, {first: "5"}, {first: "5", second: "0"}, {first: "x", second: "2"})
    yield {first: "5", second: "2", "else": "1"}


def answers_for(item: Item) -> Iterator[dict[str, Any]]:
    """Answers to one item: of each kind, at each limit, right and wrong."""
    form = item.answer
    for value in (*NO_VALUES, "yes", "no", *(one.key for one in form.choices)):
        yield {"outcome": "ok", "value": value}
    for bound in bounds(item):
        for value in around(bound):
            yield {"outcome": "ok", "value": value}
    if form.derived is not None:
        for inputs in inputs_for(item):
            yield {"outcome": "ok", "inputs": inputs}
        yield {"outcome": "ok", "value": "3", "inputs": {}}
    for one in form.record_also:
        for value in (*one.choices, *around(one.low or Decimal(0)), *around(Decimal(12)), "x", ""):
            for inputs in ({}, *list(inputs_for(item))[:40:7]) if form.derived else ({},):
                given = {"outcome": "ok", "record_also": {one.key: value}, "inputs": inputs}
                yield given if form.derived else {**given, "value": "1"}
        for inputs in inputs_for(item) if form.derived else ():
            for value in ("12", "50"):
                yield {"outcome": "ok", "inputs": inputs, "record_also": {one.key: value}}
    yield {"outcome": "ok", "value": "1", "record_also": {"else": "1"}}
    for outcome in ("not_checked", "not_applicable", "perhaps", None):
        for more in ({}, {"reason": " "}, {"reason": "không leo được"}, {"value": "1"}):
            yield {"outcome": outcome, **more}


def vectors() -> Iterator[dict[str, Any]]:
    items = (*CATALOGUE.items, LOAD_SAFETY_ITEM)
    for item in items:
        besides = item is LOAD_SAFETY_ITEM
        for number, given in enumerate(answers_for(item)):
            yield {
                "tower": tower_for(item, number),
                "answers": {item.key: given},
                "methods": (None, list(HOWS), ["ground"], [])[number % 4],
                "besides": besides,
            }
        # What it applies to: every structure, without services, and by its height.
        for kind in TYPES:
            for height in (None, 44.9, 45, 45.1, "60.5"):
                for below in (None, 0, 20):
                    more = {"height_m": height, "host_building_height_m": below}
                    tower = tower_for(item, **more, structure_type=kind, services=[])
                    yield {"tower": tower, "answers": {item.key: {"outcome": "ok", "value": "no"}},
                           "methods": None, "besides": False}  # fmt: skip
    luck = random.Random(6)
    given = {item.key: list(answers_for(item)) for item in items}
    for number in range(300):
        kind = TYPES[number % len(TYPES)]
        tower = {
            "structure_type": kind,
            "services": luck.choice(([], ["bts"], ["radio_tv", "microwave"])),
            "height_m": luck.choice((None, 30, 44.99, 45, 120)),
            "host_building_height_m": luck.choice((None, 0, 15.25)),
        }
        keys = [item.key for item in items if luck.random() < 0.8]
        answers = {key: luck.choice(given[key]) for key in keys}
        yield {"tower": tower, "answers": answers, "besides": number % 3 == 0,
               "methods": luck.choice((None, list(HOWS), ["ground", "documents"]))}  # fmt: skip


def judged(vector: dict[str, Any]) -> dict[str, Any]:
    """What the rules of the service say, as the phone says it."""
    tower = vector["tower"]
    height, below = (
        None if tower[name] is None else Decimal(str(tower[name]))
        for name in ("height_m", "host_building_height_m")
    )
    structure = Structure(
        tower["structure_type"],
        frozenset(tower["services"]),
        height,
        overall_height(tower["structure_type"], height, below),
    )
    beside = (LOAD_SAFETY_ITEM,) if vector["besides"] else ()
    answers = {key: GivenAnswer.from_json(one) for key, one in vector["answers"].items()}
    found = evaluate(CATALOGUE, structure, answers, vector["methods"], beside=beside)
    return {
        "judgements": {key: asdict(one) for key, one in found.judgements.items()},
        "missing": list(found.missing),
        "complete": found.complete,
        "photosRequired": sorted(found.photos_required),
        "problems": [
            {"item": one.item_key, "message": one.message, "facts": dict(one.facts)}
            for one in found.problems
        ],
        "applicable": [
            item.key for item in (*CATALOGUE.items, *beside) if applies(item, structure)
        ],
    }


def same(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    for mine, its in zip(ours["judgements"].values(), theirs["judgements"].values(), strict=True):
        value = mine["value"]
        if isinstance(value, Decimal) and its["value"] is not None:
            if value != Decimal(its["value"]):
                return False
            mine["value"] = its["value"]
    theirs["photosRequired"].sort()
    return ours == theirs


@pytest.fixture(scope="module")
def compared(tmp_path_factory) -> list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
    made = list(vectors())
    file = tmp_path_factory.mktemp("vectors") / "vectors.json"
    sent = {"document": DOCUMENT, "beside": [plain(LOAD_SAFETY_ITEM)], "vectors": made}
    file.write_bytes(orjson.dumps(sent, option=orjson.OPT_SERIALIZE_NUMPY))
    module = ROOT / "inspections/assets/field/evaluate.js"
    script = RUN % {"module": module.as_uri(), "file": file}
    done = subprocess.run(
        [Path(sys.executable).parent / "node", "--input-type=module", "-e", script],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    theirs = json.loads(Path(f"{file}.out").read_text())
    return list(zip(made, [judged(one) for one in made], theirs, strict=True))


def test_both_sides_judge_alike(compared):
    differing = [one for one in compared if not same(one[1], one[2])]
    assert differing == []


def test_the_vectors_try_everything(compared):
    """So that agreement means something: every item, level and message occurs in them."""
    judgements = [one for _, ours, _ in compared for one in ours["judgements"].items()]
    failing = {(key, one["severity"]) for key, one in judgements if one["severity"]}
    wanted = {
        (item.key, level.severity)
        for item in CATALOGUE.items
        for level in item.levels
        if not item.answer.risk_input_only
    }
    assert len({key for key, _ in judgements}) == len(CATALOGUE.items) + 1
    assert wanted - failing == set()
    messages = {one["message"] for _, ours, _ in compared for one in ours["problems"]}
    assert len(messages) >= 17, messages
