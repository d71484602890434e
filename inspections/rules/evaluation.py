"""How answers become judgements: exactly the `evaluation` part of the catalogue."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from core.words import N_
from inspections.rules.catalogue import AnswerForm, Catalogue, Item, Level, Number, Severity

SEVERITY_RANK = {"critical": 0, "major": 1, "minor": 2}
COMPARE: dict[str, Callable[[Decimal, Decimal], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


class Outcome(StrEnum):
    OK = "ok"
    NOT_CHECKED = "not_checked"
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True)
class Structure:
    """What of a tower decides which items apply; heights in metres, `None` unknown."""

    structure_type: str
    services: frozenset[str] = frozenset()
    height_m: Decimal | None = None
    overall_height_m: Decimal | None = None


@dataclass(frozen=True)
class GivenAnswer:
    """An answer as it was given, not yet believed."""

    outcome: Any
    value: Any = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    record_also: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    note: str = ""

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> GivenAnswer:
        return cls(
            outcome=given.get("outcome"),
            value=given.get("value"),
            inputs=given.get("inputs") or {},
            record_also=given.get("record_also") or {},
            reason=str(given.get("reason") or "").strip(),
            note=str(given.get("note") or "").strip(),
        )


@dataclass(frozen=True)
class AnswerProblem:
    """What is wrong with one answer: an English text to translate, and its facts."""

    item_key: str
    message: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Judgement:
    """What an answer means. `severity` is `None` where no level matched."""

    outcome: Outcome
    value: Decimal | str | None = None
    severity: str | None = None
    remedy_days: int | None = None
    legal_basis: Mapping[str, Any] | None = None
    basis: str | None = None


@dataclass(frozen=True)
class Evaluation:
    """What a whole checklist means."""

    judgements: Mapping[str, Judgement]
    missing: tuple[str, ...]
    complete: bool
    photos_required: frozenset[str]
    problems: tuple[AnswerProblem, ...]

    @property
    def failing(self) -> dict[str, Judgement]:
        return {key: one for key, one in self.judgements.items() if one.severity is not None}


def applies(item: Item, structure: Structure) -> bool:
    """Whether an item applies: structure type, services, and height unknown or high enough."""
    if structure.structure_type not in item.applies_to:
        return False
    if item.services and item.services.isdisjoint(structure.services):
        return False
    if item.min_height_m is None:
        return True
    height = structure.overall_height_m if item.height_of == "overall" else structure.height_m
    return height is None or height >= item.min_height_m


def applicable_items(
    catalogue: Catalogue, structure: Structure, beside: Sequence[Item] = ()
) -> tuple[Item, ...]:
    """The items that apply to a structure, those `beside` the checklist last."""
    return tuple(item for item in (*catalogue.items, *beside) if applies(item, structure))


def is_asked(item: Item, answers: Mapping[str, GivenAnswer]) -> bool:
    """Whether an applicable item is asked: `asked_when` wants an input of another unknown."""
    if item.asked_when is None:
        return True
    other = answers.get(item.asked_when.item)
    return other is None or _empty(other.inputs.get(item.asked_when.input))


def _empty(value: Any) -> bool:
    return value is None or value == ""


# What a visit that was not made in the way of an item may not say about it.
NOT_SEEN = {
    "ground": N_("This is checked from the ground, which this visit was not: say “Not checked”"),
    "climb": N_("This is checked by climbing, and nobody climbed: say “Not checked”"),
    "documents": N_("This is checked in documents, and none were read: say “Not checked”"),
    "instrument": N_("This is measured with an instrument, and none was used: say “Not checked”"),
}


def evaluate(
    catalogue: Catalogue,
    structure: Structure,
    answers: Mapping[str, GivenAnswer],
    methods: Collection[str] | None = None,
    *,
    beside: Sequence[Item] = (),
) -> Evaluation:
    """Judge the answers given for a structure. Never raises: what is wrong is in `problems`.

    `methods` says how the visit was made: what is checked in another way cannot be answered, so
    that such a visit is not complete. `None` where nobody said. `beside` are items that stand in
    no checklist and are asked all the same.
    """
    problems: list[AnswerProblem] = []
    judgements: dict[str, Judgement] = {}
    applicable = {item.key: item for item in applicable_items(catalogue, structure, beside)}
    for key, given in answers.items():
        item = applicable.get(key)
        if item is None:
            known = catalogue.item(key) is not None
            problems.append(
                AnswerProblem(
                    key,
                    N_("This item does not apply to this structure")
                    if known
                    else N_("The checklist has no such item"),
                )
            )
            continue
        judgement, found = _judge(item, structure, given, catalogue.severities)
        if methods is not None and item.how not in methods and given.outcome == Outcome.OK:
            found = [(NOT_SEEN[item.how], {})]
        problems.extend(AnswerProblem(key, message, facts) for message, facts in found)
        judgements[key] = judgement
    asked = [item for item in applicable.values() if is_asked(item, answers)]
    missing = tuple(item.key for item in asked if item.key not in judgements)
    judged = {key for key, one in judgements.items() if one.outcome is Outcome.OK}
    unchecked = {
        item.key
        for item in asked
        if item.key in judgements and judgements[item.key].outcome is Outcome.NOT_CHECKED
    }
    # An answer that its design value would have given is made good by the item asked instead.
    replaced = {
        item.asked_when.item for item in asked if item.asked_when is not None and item.key in judged
    }
    return Evaluation(
        judgements=judgements,
        missing=missing,
        complete=bool(judged) and not missing and not unchecked - replaced and not problems,
        photos_required=frozenset(
            key
            for key, one in judgements.items()
            if one.severity is not None and applicable[key].photo == "on_fail"
        ),
        problems=tuple(problems),
    )


def severity_of(
    item: Item, structure: Structure, given: GivenAnswer, severities: Mapping[str, Severity]
) -> tuple[str | None, bool]:
    """What one answer would mean: its severity, and whether the item could judge it at all.

    An item that does not apply judges nothing, which is in order; an answer that the item cannot
    read is not judged.
    """
    if not applies(item, structure):
        return None, True
    judgement, found = _judge(item, structure, given, severities)
    return judgement.severity, not found


Found = list[tuple[str, dict[str, Any]]]


def _judge(
    item: Item, structure: Structure, given: GivenAnswer, severities: Mapping[str, Severity]
) -> tuple[Judgement, Found]:
    found: Found = []
    try:
        outcome = Outcome(given.outcome)
    except ValueError:
        return Judgement(Outcome.NOT_CHECKED), [(N_("Choose an answer"), {})]
    if outcome is not Outcome.OK:
        if not given.reason:
            found.append((N_("Say why it was not checked or does not apply"), {}))
        if not _empty(given.value):
            found.append((N_("An item that was not checked has no value"), {}))
        return Judgement(outcome), found
    recorded = _recorded(item.answer, given, found)
    if item.answer.derived is not None:
        value: Decimal | str | None = _derived_value(item.answer, given, found)
        if value is None:
            return Judgement(Outcome.NOT_CHECKED), found
    else:
        value = _value(item.answer, given.value, found)
        if value is None:
            return Judgement(Outcome.OK), found
    level = _worst(item, structure, value, recorded, severities)
    if level is None:
        return Judgement(Outcome.OK, value), found
    return (
        Judgement(
            outcome=Outcome.OK,
            value=value,
            severity=level.severity,
            remedy_days=_days(level, severities),
            legal_basis=item.legal_basis,
            basis=level.basis or item.basis,
        ),
        found,
    )


def _worst(
    item: Item,
    structure: Structure,
    value: Decimal | str,
    recorded: Mapping[str, Decimal],
    severities: Mapping[str, Severity],
) -> Level | None:
    """The most severe level that matches; among equals the one with the shortest remedy."""
    if item.answer.risk_input_only:
        return None
    matching = [
        level
        for level in item.levels
        if (not level.structures or structure.structure_type in level.structures)
        and _holds(level, recorded)
        and _matches(level, item.answer, value)
    ]
    return min(
        matching,
        key=lambda level: (SEVERITY_RANK[level.severity], _days(level, severities)),
        default=None,
    )


def _days(level: Level, severities: Mapping[str, Severity]) -> int:
    if level.remedy_days is not None:
        return level.remedy_days
    return severities[level.severity].default_remedy_days


def _holds(level: Level, recorded: Mapping[str, Decimal]) -> bool:
    if level.when is None:
        return True
    value = recorded.get(level.when.record_also)
    if value is None:
        return level.when.if_unknown
    return COMPARE[level.when.op](value, level.when.value)


def _matches(level: Level, form: AnswerForm, value: Decimal | str) -> bool:
    if level.op == "fail":
        return value != form.pass_value
    if level.op == "in":
        return value in level.value
    assert isinstance(value, Decimal)
    if level.op == "abs>":
        return abs(value) > level.value
    if level.op == "outside":
        low, high = level.value
        return value < low or value > high
    return COMPARE[level.op](value, level.value)


def as_number(value: Any) -> Decimal | None:
    """A finite number, `None` for anything else. Texts are read with point or comma."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        value = value.strip().replace(",", ".")
        if len(value) > 40:
            return None
    elif not isinstance(value, int | float | Decimal):
        return None
    try:
        number = Decimal(str(value))
    except (InvalidOperation, ValueError):
        return None
    # An exponent beyond all measurement would make the arithmetic below overflow.
    return number if number.is_finite() and -30 < number.adjusted() < 30 else None


def _value(form: AnswerForm, given: Any, found: Found) -> Decimal | str | None:
    """The value of an answer that is not derived; what is wrong goes to `found`."""
    if _empty(given):
        found.append((N_("The value is missing"), {}))
        return None
    if form.type in {"yes_no", "enum"}:
        allowed = {"yes", "no"} if form.type == "yes_no" else {one.key for one in form.choices}
        if not isinstance(given, str) or given not in allowed:
            found.append((N_("Choose one of the answers"), {}))
            return None
        return given
    if form.type == "text":
        if not isinstance(given, str) or len(given) > 4000:
            found.append((N_("This is not a text of at most 4000 characters"), {}))
            return None
        return given.strip()
    number = as_number(given)
    if number is None:
        found.append((N_("This is not a number"), {}))
        return None
    if form.type == "count" and number != number.to_integral_value():
        found.append((N_("This must be a whole number"), {}))
        return None
    if _outside(number, form.low, form.high):
        found.append(
            (
                N_("%(value)s lies outside %(low)s to %(high)s"),
                {"value": str(given), "low": str(form.low), "high": str(form.high)},
            )
        )
        return None
    return number


def _outside(number: Decimal, low: Decimal | None, high: Decimal | None) -> bool:
    return (low is not None and number < low) or (high is not None and number > high)


def _recorded(form: AnswerForm, given: GivenAnswer, found: Found) -> dict[str, Decimal]:
    """The numbers recorded beside the answer."""
    numbers: dict[str, Decimal] = {}
    known = {one.key: one for one in form.record_also}
    for key, value in given.record_also.items():
        one = known.get(key)
        if one is None:
            found.append((N_("“%(name)s” is not recorded with this item"), {"name": str(key)}))
        elif _empty(value):
            continue
        elif one.choices:
            if value not in one.choices:
                found.append((N_("Choose one of the answers for “%(name)s”"), {"name": key}))
        else:
            number = as_number(value)
            if number is None or _outside(number, one.low, one.high):
                found.append((N_("“%(name)s” is not a number in its range"), {"name": key}))
            else:
                numbers[key] = number
    return numbers


def _derived_value(form: AnswerForm, given: GivenAnswer, found: Found) -> Decimal | None:
    """The value computed from the inputs; `None`, never an error, where one cannot be used."""
    assert form.derived is not None
    known: dict[str, Number] = {one.key: one for one in form.derived.inputs}
    for key in given.inputs:
        if key not in known:
            found.append((N_("“%(name)s” is not an input of this item"), {"name": str(key)}))
    if not _empty(given.value):
        found.append((N_("This value is computed: give its inputs instead"), {}))
    numbers: list[Decimal] = []
    for one in form.derived.inputs:
        number = as_number(given.inputs.get(one.key))
        if number is None or _outside(number, one.low, one.high):
            return None
        numbers.append(number)
    first, second = numbers
    if second == 0:
        return None
    # Inputs in range are judged whatever they come to: a mast that leans off the scale leans.
    return COMPUTE[form.derived.function](first, second)


COMPUTE: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "plumb_percent": lambda offset_mm, height_m: offset_mm / (10 * height_m),
    "tension_deviation_percent": lambda measured, design: 100 * (measured - design) / design,
    "tension_percent_of_breaking": lambda measured, breaking: 100 * measured / breaking,
    "distance_in_heights": lambda distance_m, height_m: distance_m / height_m,
}
