"""The checklist catalogue: items with answers, levels and legal basis, read from a document."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

ANSWER_TYPES = ("measurement", "count", "yes_no", "enum", "text")
OPERATORS = (">", "<", ">=", "<=", "in", "fail", "abs>", "outside")
HOW = ("ground", "climb", "documents", "instrument")
BASES = ("documented", "practice", "suggested")
# Input names of each derived answer, as the catalogue's `evaluation` part defines them.
FUNCTIONS: dict[str, tuple[str, ...]] = {
    "plumb_percent": ("offset_mm", "measured_height_m"),
    "tension_deviation_percent": ("measured_kN", "design_kN"),
    "tension_percent_of_breaking": ("measured_kN", "breaking_kN"),
    "distance_in_heights": ("distance_m", "height_m"),
}
KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}\Z")


class CatalogueError(ValueError):
    """A catalogue that breaks its own rules: the message names the item and the field."""


@dataclass(frozen=True)
class Text:
    """One text in both languages."""

    vi: str
    en: str

    def in_language(self, language: str) -> str:
        return self.en if language == "en" else self.vi


@dataclass(frozen=True)
class Number:
    """A number that is entered: its unit and the range in which it is believed."""

    key: str
    unit: Text
    low: Decimal | None
    high: Decimal | None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Choice:
    key: str
    text: Text


@dataclass(frozen=True)
class Derived:
    function: str
    inputs: tuple[Number, ...]


@dataclass(frozen=True)
class AnswerForm:
    """How an item is answered. A measurement is in `unit`, rounded to `decimals`."""

    type: str
    unit: Text
    decimals: int
    low: Decimal | None
    high: Decimal | None
    choices: tuple[Choice, ...]
    pass_value: str | None
    derived: Derived | None
    record_also: tuple[Number, ...]
    prompt: Text | None
    risk_input_only: bool


@dataclass(frozen=True)
class When:
    """A level holds only when a value recorded beside the answer meets this."""

    record_also: str
    op: str
    value: Decimal
    if_unknown: bool


@dataclass(frozen=True)
class Level:
    severity: str
    remedy_days: int | None
    op: str
    value: Any
    structures: frozenset[str]
    when: When | None
    basis: str | None


@dataclass(frozen=True)
class AskedWhen:
    """The item is asked when an input of another item is unknown."""

    item: str
    input: str


@dataclass(frozen=True)
class Item:
    key: str
    group: str
    label: Text
    applies_to: frozenset[str]
    services: frozenset[str]
    min_height_m: Decimal | None
    height_of: str
    answer: AnswerForm
    levels: tuple[Level, ...]
    how: str
    photo: str | None
    basis: str
    source: str
    legal_basis: Mapping[str, Any] | None
    note: str
    asked_when: AskedWhen | None

    def text(self, language: str) -> str:
        return self.label.in_language(language)


@dataclass(frozen=True)
class Severity:
    key: str
    label: Text
    default_remedy_days: int
    immediate_measures_hours: int | None


@dataclass(frozen=True)
class Group:
    key: str
    label: Text


@dataclass(frozen=True)
class StructureTypeEntry:
    key: str
    label: Text
    inspectable: bool


@dataclass(frozen=True)
class Catalogue:
    """One version of the checklist."""

    key: str
    version: int
    severities: Mapping[str, Severity]
    structure_types: Mapping[str, StructureTypeEntry]
    groups: tuple[Group, ...]
    items: tuple[Item, ...]

    def item(self, key: str) -> Item | None:
        return next((item for item in self.items if item.key == key), None)

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Catalogue:
        """Read a catalogue from its YAML or JSON document; raises `CatalogueError`."""
        return _Reader(document).catalogue()


class _Reader:
    """Reads a document and names the place of what is wrong in it."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        if not isinstance(document, Mapping):
            raise CatalogueError("the document is not a mapping")
        self.document = document
        self.where = "catalogue"

    def fail(self, reason: str) -> CatalogueError:
        return CatalogueError(f"{self.where}: {reason}")

    def catalogue(self) -> Catalogue:
        document = self.document
        version = document.get("version")
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise self.fail("version must be a whole number from 1")
        severities = {
            key: Severity(
                key=key,
                label=self.text(value),
                default_remedy_days=self.days(value.get("default_remedy_days")),
                immediate_measures_hours=value.get("immediate_measures_hours"),
            )
            for key, value in self.mapping(document.get("severities"), "severities").items()
        }
        if set(severities) != {"critical", "major", "minor"}:
            raise self.fail("severities must be critical, major and minor")
        structure_types = {
            key: StructureTypeEntry(key, self.text(value), value.get("inspectable", True))
            for key, value in self.mapping(
                document.get("structure_types"), "structure_types"
            ).items()
        }
        groups = tuple(
            Group(self.key(group.get("key")), self.text(group))
            for group in self.sequence(document.get("groups"), "groups")
        )
        self.types = frozenset(key for key, entry in structure_types.items() if entry.inspectable)
        self.groups = frozenset(group.key for group in groups)
        items = tuple(self.item(item) for item in self.sequence(document.get("items"), "items"))
        if not items:
            raise CatalogueError("catalogue: there are no items")
        keys = [item.key for item in items]
        if len(set(keys)) != len(keys):
            raise CatalogueError("two items have the same key")
        if len(self.groups) != len(groups):
            raise CatalogueError("two groups have the same key")
        self.references(items)
        name = document.get("catalogue")
        if not isinstance(name, str) or not name:
            raise CatalogueError("catalogue: the name is missing")
        return Catalogue(name, version, severities, structure_types, groups, items)

    def references(self, items: tuple[Item, ...]) -> None:
        known = {item.key: item for item in items}
        for item in items:
            if item.asked_when is None:
                continue
            self.where = item.key
            other = known.get(item.asked_when.item)
            if other is None or other.answer.derived is None:
                raise self.fail("asked_when names an item without inputs")
            if item.asked_when.input not in {one.key for one in other.answer.derived.inputs}:
                raise self.fail("asked_when names an input that the item does not have")

    def item(self, given: Any) -> Item:
        given = self.mapping(given, "an item")
        self.where = str(given.get("key"))
        key = self.key(given.get("key"))
        group = given.get("group")
        if group not in self.groups:
            raise self.fail(f"group {group!r} is not defined")
        answer = self.answer(self.mapping(given.get("answer"), "answer"))
        height_of = given.get("height_of", "structure")
        how, basis, photo = given.get("how"), given.get("basis"), given.get("photo")
        if height_of not in {"structure", "overall"}:
            raise self.fail(f"height_of {height_of!r} is neither structure nor overall")
        if how not in HOW:
            raise self.fail(f"how {how!r} is not one of {', '.join(HOW)}")
        if basis not in BASES:
            raise self.fail(f"basis {basis!r} is not one of {', '.join(BASES)}")
        if photo not in {None, "on_fail"}:
            raise self.fail(f"photo {photo!r} is not on_fail")
        legal_basis = given.get("legal_basis")
        if legal_basis is not None and not isinstance(legal_basis, Mapping):
            raise self.fail("legal_basis is neither a mapping nor null")
        asked = given.get("asked_when")
        if asked is not None and (not isinstance(asked, Mapping) or asked.get("is") != "unknown"):
            raise self.fail("asked_when must say that an input is unknown")
        return Item(
            key=key,
            group=group,
            label=self.text(given),
            applies_to=self.structures(given.get("applies_to")),
            services=frozenset(given.get("services") or ()),
            min_height_m=self.number(given.get("min_height_m"), "min_height_m"),
            height_of=height_of,
            answer=answer,
            levels=tuple(
                self.level(level, answer) for level in self.sequence(given.get("levels"), "levels")
            ),
            how=how,
            photo=photo,
            basis=basis,
            source=str(given.get("source") or ""),
            legal_basis=dict(legal_basis) if legal_basis else None,
            note=str(given.get("note") or ""),
            asked_when=AskedWhen(str(asked.get("item")), str(asked.get("input")))
            if asked
            else None,
        )

    def answer(self, given: Mapping[str, Any]) -> AnswerForm:
        kind = given.get("type")
        if kind not in ANSWER_TYPES:
            raise self.fail(f"answer type {kind!r} is not one of {', '.join(ANSWER_TYPES)}")
        decimals = given.get("decimals", 0)
        if not isinstance(decimals, int) or not 0 <= decimals <= 6:
            raise self.fail("decimals must be 0 to 6")
        choices = tuple(
            Choice(self.key(value.get("key")), self.text(value))
            for value in self.sequence(given.get("values") or [], "values")
        )
        if (kind == "enum") != bool(choices):
            raise self.fail("values belong to an enum, and an enum needs them")
        pass_value = given.get("pass_value")
        if kind == "yes_no" and pass_value not in {"yes", "no"}:
            raise self.fail("pass_value must be 'yes' or 'no' (in quotes)")
        low, high = (self.number(given.get(bound), bound) for bound in ("min", "max"))
        if low is not None and high is not None and low > high:
            raise self.fail("min is greater than max")
        derived = None
        if given.get("derived") is not None:
            derived = self.derived(self.mapping(given["derived"], "derived"))
        return AnswerForm(
            type=kind,
            unit=self.unit(given),
            decimals=decimals,
            low=low,
            high=high,
            choices=choices,
            pass_value=pass_value,
            derived=derived,
            record_also=tuple(
                self.input(one) for one in self.sequence(given.get("record_also") or [], "record")
            ),
            prompt=self.text(given["prompt"]) if given.get("prompt") else None,
            risk_input_only=bool(given.get("risk_input_only", False)),
        )

    def derived(self, given: Mapping[str, Any]) -> Derived:
        function = given.get("function")
        inputs = tuple(
            self.input(one) for one in self.sequence(given.get("inputs"), "derived inputs")
        )
        if function not in FUNCTIONS:
            raise self.fail(f"function {function!r} is not known")
        if tuple(one.key for one in inputs) != FUNCTIONS[function]:
            raise self.fail(f"{function} takes {', '.join(FUNCTIONS[function])}")
        return Derived(function, inputs)

    def input(self, given: Any) -> Number:
        given = self.mapping(given, "an input")
        return Number(
            key=self.key(given.get("key")),
            unit=self.unit(given),
            low=self.number(given.get("min"), "min"),
            high=self.number(given.get("max"), "max"),
            choices=tuple(str(one) for one in given.get("one_of") or ()),
        )

    def level(self, given: Any, answer: AnswerForm) -> Level:
        given = self.mapping(given, "a level")
        severity, op, value = given.get("severity"), given.get("op"), given.get("value")
        if severity not in {"critical", "major", "minor"}:
            raise self.fail(f"severity {severity!r} is not known")
        if op not in OPERATORS:
            raise self.fail(f"operator {op!r} is not known")
        numeric = answer.type in {"measurement", "count"}
        if op == "fail":
            if answer.type != "yes_no":
                raise self.fail("fail is for yes_no answers")
            value = None
        elif op == "in":
            known = {choice.key for choice in answer.choices}
            if not isinstance(value, list) or not value or not set(value) <= known:
                raise self.fail("in names values that the answer does not have")
            value = frozenset(value)
        elif not numeric:
            raise self.fail(f"{op} is for numbers")
        elif op == "outside":
            if not isinstance(value, list) or len(value) != 2:
                raise self.fail("outside takes two bounds")
            low, high = (self.required(one) for one in value)
            if low > high:
                raise self.fail("outside takes the lower bound first")
            value = (low, high)
        else:
            value = self.required(value)
        days = given.get("remedy_days")
        return Level(
            severity=severity,
            remedy_days=None if days is None else self.days(days),
            op=op,
            value=value,
            structures=self.structures(given["structures"])
            if given.get("structures")
            else frozenset(),
            when=self.when(given.get("when"), answer),
            basis=given.get("basis"),
        )

    def when(self, given: Any, answer: AnswerForm) -> When | None:
        if given is None:
            return None
        given = self.mapping(given, "when")
        name, op = given.get("record_also"), given.get("op")
        if name not in {one.key for one in answer.record_also}:
            raise self.fail(f"when names {name!r}, which is not recorded")
        if op not in {">", "<", ">=", "<="}:
            raise self.fail(f"when has the operator {op!r}")
        if not isinstance(given.get("if_unknown"), bool):
            raise self.fail("when must say what holds if_unknown")
        return When(str(name), op, self.required(given.get("value")), given["if_unknown"])

    def structures(self, given: Any) -> frozenset[str]:
        names = frozenset(self.sequence(given, "structure types"))
        if not names or not names <= self.types:
            raise self.fail("a structure type is missing or not inspectable")
        return names

    def mapping(self, given: Any, name: str) -> Mapping[str, Any]:
        if not isinstance(given, Mapping):
            raise self.fail(f"{name} is not a mapping")
        return given

    def sequence(self, given: Any, name: str) -> Sequence[Any]:
        if not isinstance(given, list):
            raise self.fail(f"{name} is not a list")
        return given

    def text(self, given: Mapping[str, Any]) -> Text:
        given = self.mapping(given, "a text")
        if not isinstance(given.get("vi"), str) or not isinstance(given.get("en"), str):
            raise self.fail("a text is missing in Vietnamese or English")
        return Text(given["vi"], given["en"])

    def unit(self, given: Mapping[str, Any]) -> Text:
        unit = str(given.get("unit") or "")
        return Text(unit, str(given.get("unit_en") or unit))

    def key(self, given: Any) -> str:
        if not isinstance(given, str) or not KEY.match(given):
            raise self.fail(f"key {given!r} is not a plain name")
        return given

    def days(self, given: Any) -> int:
        if not isinstance(given, int) or isinstance(given, bool) or not 0 <= given <= 3650:
            raise self.fail("days must be a whole number from 0 to 3650")
        return given

    def number(self, given: Any, name: str) -> Decimal | None:
        return None if given is None else self.required(given, name)

    def required(self, given: Any, name: str = "value") -> Decimal:
        if isinstance(given, bool) or not isinstance(given, int | float):
            raise self.fail(f"{name} is not a number")
        try:
            number = Decimal(str(given))
        except InvalidOperation as error:
            raise self.fail(f"{name} is not a number") from error
        if not number.is_finite():
            raise self.fail(f"{name} is not finite")
        return number
