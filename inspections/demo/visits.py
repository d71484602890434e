"""Made-up visits, judged by the real rules: a pool of them for each sort of structure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

from inspections.rules.catalogue import Catalogue, Item, Level
from inspections.rules.evaluation import (
    Evaluation,
    GivenAnswer,
    Structure,
    applicable_items,
    evaluate,
)

# How many of 1,000 full inspections find nothing, one to three defects, or were not finished.
# Thái Nguyên found 51 of 1,600 towers unmaintained and 7 dangerous, Tuyên Quang 42 of 126
# commune masts faulty; these shares lie between them.
CLEAN, INCOMPLETE = 640, 60
DANGEROUS = 35


@dataclass(frozen=True)
class MadeVisit:
    """Answers as they would be sent, and what the rules make of them."""

    answers: Mapping[str, dict[str, Any]]
    evaluation: Evaluation


def made_visit(catalogue: Catalogue, structure: Structure, random: Random) -> MadeVisit:
    """One full inspection of a structure."""
    items = [item for item in applicable_items(catalogue, structure) if item.asked_when is None]
    dice = random.randrange(1000)
    failing: dict[str, Level] = {}
    if dice >= CLEAN:
        failing = _failing(items, structure, random, critical=dice >= 1000 - DANGEROUS)
    answers = {item.key: _answer(item, structure, random, failing.get(item.key)) for item in items}
    if random.randrange(1000) < INCOMPLETE:
        for key in random.sample(sorted(set(answers) - set(failing)), 3):
            answers[key] = {"outcome": "not_checked", "reason": "Trời mưa, chưa kiểm tra được"}
    evaluation = evaluate(
        catalogue,
        structure,
        {key: GivenAnswer.from_json(answer) for key, answer in answers.items()},
    )
    if evaluation.problems:
        raise AssertionError(f"a made-up visit is not valid: {evaluation.problems[:3]}")
    return MadeVisit(answers, evaluation)


def _failing(
    items: list[Item], structure: Structure, random: Random, *, critical: bool
) -> dict[str, Level]:
    """One to three defects; exactly the dangerous visits have a critical one."""
    chosen: dict[str, Level] = {}
    number = random.choice((1, 1, 1, 2, 2, 3))
    for item in random.sample(items, len(items)):
        levels = [
            level
            for level in item.levels
            if level.when is None
            and (not level.structures or structure.structure_type in level.structures)
            and (level.severity == "critical") == (critical and not chosen)
        ]
        if levels and len(chosen) < number:
            chosen[item.key] = random.choice(levels)
    return chosen


def passing_answer(item: Item, random: Random) -> dict[str, Any]:
    """An answer that shows an item in order."""
    return _answer(item, Structure("", frozenset()), random, None)


def _answer(
    item: Item, structure: Structure, random: Random, level: Level | None
) -> dict[str, Any]:
    form = item.answer
    if form.type == "yes_no":
        other = "no" if form.pass_value == "yes" else "yes"  # noqa: S105 - yes or no
        return {"outcome": "ok", "value": other if level else form.pass_value}
    if form.type == "enum":
        key = sorted(level.value)[0] if level else form.choices[0].key
        return {"outcome": "ok", "value": key}
    if form.type == "text":
        return {"outcome": "ok", "value": "Bình thường"}
    value = _failing_number(item, level, structure) if level else _passing_number(item, random)
    if form.derived is not None:
        return {"outcome": "ok", "inputs": _inputs(form.derived.function, value)}
    number = round(float(value), form.decimals)
    return {"outcome": "ok", "value": int(number) if form.decimals == 0 else number}


def _bounds(item: Item) -> tuple[Decimal, Decimal]:
    """Where no level matches: above every `<` and below every `>`."""
    low, high = item.answer.low or Decimal(0), item.answer.high or Decimal(100)
    if item.answer.low is not None and item.answer.low < 0:
        low = Decimal(0)
    for level in item.levels:
        if level.op == "<":
            low = max(low, level.value)
        elif level.op in {">", "abs>"}:
            high = min(high, level.value)
        elif level.op == ">=":
            high = min(high, level.value - 1 if item.answer.type == "count" else level.value / 2)
        elif level.op == "outside":
            low, high = max(low, level.value[0]), min(high, level.value[1])
    return low, high


def _passing_number(item: Item, random: Random) -> Decimal:
    low, high = _bounds(item)
    if item.answer.type == "count":
        return Decimal(0)
    if high > 4 * max(low, Decimal(1)) and any(level.op == "<" for level in item.levels):
        high = 4 * max(low, Decimal(1))
    share = Decimal(random.randrange(15, 80)) / 100
    return low + (high - low) * share


def _failing_number(item: Item, level: Level, structure: Structure) -> Decimal:
    """A value in the level, short of the next more severe one."""
    if level.op == "<":
        return level.value * Decimal("0.9")
    if level.op == "outside":
        return level.value[1] * Decimal("1.15")
    if level.op == ">=":
        return level.value
    if level.value == 0:
        return Decimal("0.5")
    return min(level.value * Decimal("1.15"), item.answer.high or level.value * 2)


def _inputs(function: str, value: Decimal) -> dict[str, float]:
    """Inputs from which the function computes about this value."""
    if function == "plumb_percent":
        return {"offset_mm": round(float(value) * 10 * 40, 1), "measured_height_m": 40}
    if function == "tension_deviation_percent":
        return {"measured_kN": round(20 * (1 + float(value) / 100), 3), "design_kN": 20}
    if function == "tension_percent_of_breaking":
        return {"measured_kN": round(float(value), 2), "breaking_kN": 100}
    return {"distance_m": round(float(value) * 40, 1), "height_m": 40}
