"""All 52 items: each level just below, at and just above its limit, for every structure type.

What is expected is read from the YAML document by the oracle of `rules_evaluate_test`, which
counts in fractions and shares no code with the product.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from inspections.rules.evaluation import GivenAnswer, Outcome, evaluate
from tests.inspections.rules_evaluate_test import (
    CATALOGUE,
    COMPUTED,
    DOCUMENT,
    ITEMS,
    TYPES,
    fraction,
    inputs_for,
    ok,
    oracle_levels,
    structure,
)

# The diameters around the one on which a limit depends; the last is unknown.
DIAMETERS: tuple[str | None, ...] = ("24.999", "25", "25.001", None)
STEP = Decimal("0.0001")


class Case(NamedTuple):
    """One answer to one item of one structure type, and what it comes to."""

    key: str
    kind: str
    where: str
    answer: GivenAnswer
    expected: tuple[str, int] | None


def limits(item: dict[str, Any]) -> list[Decimal]:
    """Every limit of an item; one of the sign-less kind stands on both sides of zero."""
    found: set[Decimal] = set()
    for level in item["levels"]:
        value = level.get("value")
        for one in value if isinstance(value, list) else [value]:
            number = Decimal(str(one))
            found |= {number, -number} if level["op"] == "abs>" else {number}
    return sorted(found)


def numbers(item: dict[str, Any]) -> Iterator[tuple[str, Decimal]]:
    step = Decimal(1) if item["answer"]["type"] == "count" else STEP
    low, high = (Decimal(str(item["answer"][bound])) for bound in ("min", "max"))
    for limit in limits(item):
        for where, value in (("below", limit - step), ("at", limit), ("above", limit + step)):
            if low <= value <= high:
                yield f"{where} {limit}", value


def recorded(item: dict[str, Any]) -> list[dict[str, Any]]:
    if not any(level.get("when") for level in item["levels"]):
        return [{}]
    return [{} if one is None else {"guy_diameter_mm": one} for one in DIAMETERS]


def answers(item: dict[str, Any]) -> Iterator[tuple[str, GivenAnswer, Any]]:
    """Where it stands, the answer, and its value as the oracle counts it."""
    form = item["answer"]
    if form["type"] in {"yes_no", "enum"}:
        keys = ["yes", "no"] if form["type"] == "yes_no" else [one["key"] for one in form["values"]]
        for key in keys:
            yield key, ok(key), key
        return
    if not item["levels"]:
        yield "any", ok(inputs=inputs_for(form["derived"], Decimal(1))), fraction(1)
        return
    for where, value in numbers(item):
        for also in recorded(item):
            if not form.get("derived"):
                yield where, ok(str(value), record_also=also), fraction(value)
                continue
            given = inputs_for(form["derived"], value)
            exact = [fraction(given[one["key"]]) for one in form["derived"]["inputs"]]
            name = f"{where}, {also.get('guy_diameter_mm', 'unknown')}" if also else where
            yield (
                name,
                ok(inputs=given, record_also=also),
                COMPUTED[form["derived"]["function"]](*exact),
            )


def cases() -> Iterator[Case]:
    for item in DOCUMENT["items"]:
        for kind in item["applies_to"]:
            for where, answer, value in answers(item):
                expected = oracle_levels(item, kind, value, dict(answer.record_also))
                if item["answer"].get("risk_input_only"):
                    expected = None
                yield Case(item["key"], kind, where, answer, expected)


CASES = list(cases())


@pytest.mark.parametrize("key", ITEMS)
def test_each_level_of_each_type_begins_exactly_at_its_limit(key: str) -> None:
    mine = [case for case in CASES if case.key == key]
    assert mine
    for case in mine:
        evaluation = evaluate(CATALOGUE, structure(case.kind), {key: case.answer})
        assert not evaluation.problems, case
        judgement = evaluation.judgements[key]
        assert judgement.outcome is Outcome.OK, case
        assert (judgement.severity, judgement.remedy_days) == (case.expected or (None, None)), case


@pytest.mark.parametrize("key", ITEMS)
def test_an_item_says_nothing_of_other_types(key: str) -> None:
    (answer, *_) = [case.answer for case in CASES if case.key == key]
    others = set(TYPES) - set(ITEMS[key]["applies_to"])
    for kind in others:
        evaluation = evaluate(CATALOGUE, structure(kind), {key: answer})
        assert [one.item_key for one in evaluation.problems] == [key], kind
        assert not evaluation.judgements


def test_the_cases_reach_every_level_of_every_item_and_type() -> None:
    reached = {(case.key, case.kind, *case.expected) for case in CASES if case.expected}
    wanted = {
        (item["key"], kind, level["severity"], level["remedy_days"])
        for item in DOCUMENT["items"]
        for level in item["levels"]
        for kind in level.get("structures") or item["applies_to"]
        if not item["answer"].get("risk_input_only")
    }
    assert len(ITEMS) == 52
    assert wanted - reached == set()
    assert {case.kind for case in CASES} == set(TYPES)


def test_the_cases_pass_every_item_too() -> None:
    passed = {(case.key, case.kind) for case in CASES if case.expected is None}
    assert passed == {(item["key"], kind) for item in DOCUMENT["items"]
                      for kind in item["applies_to"]}  # fmt: skip


def test_each_limit_is_stood_on_from_both_sides() -> None:
    """A number has a case below, at and above each of its limits, where its range goes so far."""
    for item in DOCUMENT["items"]:
        if item["answer"]["type"] not in {"measurement", "count"}:
            continue
        low, high = (Decimal(str(item["answer"][bound])) for bound in ("min", "max"))
        stood = {where for where, _ in numbers(item)}
        for limit in limits(item):
            wanted = {f"at {limit}"}
            wanted |= {f"below {limit}"} if limit > low else set()
            wanted |= {f"above {limit}"} if limit < high else set()
            assert wanted <= stood, (item["key"], limit)
