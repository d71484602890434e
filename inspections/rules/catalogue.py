"""The checklist catalogue: items with answers, levels and legal basis, read from a document."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from core.words import N_

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
SEVERITIES = ("critical", "major", "minor")
KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}\Z")
# What load-safety assessments demand is followed up under this key: no checklist can take it.
LOAD_SAFETY = "load_safety"
# What a document may say, and nothing else.
DOCUMENT_FIELDS = {
    "catalogue", "version", "note", "evaluation", "structure_types", "severities", "groups",
    "items",
}  # fmt: skip
ITEM_FIELDS = {
    "key", "group", "vi", "en", "applies_to", "services", "min_height_m", "height_of", "answer",
    "levels", "how", "photo", "basis", "source", "legal_basis", "note", "asked_when",
}  # fmt: skip
ANSWER_FIELDS = {
    "type", "unit", "unit_en", "decimals", "min", "max", "values", "pass_value", "derived",
    "record_also", "prompt", "risk_input_only",
}  # fmt: skip
LEVEL_FIELDS = {"severity", "remedy_days", "op", "value", "structures", "when", "basis"}
# As many items as an inspection can answer.
MAX_ITEMS = 500
MAX_LABEL = 500
MAX_TEXT = 4000


@dataclass(frozen=True)
class CatalogueProblem:
    """What is wrong at one place: the key of the item, or `catalogue`; a text to translate."""

    where: str
    message: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.where}: {self.message % self.facts if self.facts else self.message}"


class CatalogueError(ValueError):
    """A catalogue that breaks its own rules: of each item what is wrong with it first."""

    def __init__(self, *problems: CatalogueProblem) -> None:
        super().__init__("; ".join(str(one) for one in problems))
        self.problems = problems


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
        self.where = "catalogue"
        self.document = self.mapping(document, "document")

    def fail(self, message: str, **facts: Any) -> CatalogueError:
        return CatalogueError(CatalogueProblem(self.where, message, facts))

    def catalogue(self) -> Catalogue:
        document = self.document
        self.known(document, DOCUMENT_FIELDS)
        name = document.get("catalogue")
        if not isinstance(name, str) or not KEY.match(name.replace("-", "_")):
            raise self.fail(N_("the name of the catalogue is missing or not a plain name"))
        version = document.get("version")
        if type(version) is not int or not 1 <= version <= 1_000_000:
            raise self.fail(N_("version must be a whole number from 1"))
        severities = {
            self.key(key): self.severity(key, value)
            for key, value in self.mapping(document.get("severities"), "severities").items()
        }
        if set(severities) != set(SEVERITIES):
            raise self.fail(N_("severities must be critical, major and minor"))
        structure_types = {
            self.key(key): self.structure_type(key, value)
            for key, value in self.mapping(
                document.get("structure_types"), "structure_types"
            ).items()
        }
        groups = tuple(self.group(one) for one in self.sequence(document.get("groups"), "groups"))
        self.types = frozenset(key for key, entry in structure_types.items() if entry.inspectable)
        self.groups = frozenset(group.key for group in groups)
        if len(self.groups) != len(groups):
            raise self.fail(N_("two groups have the same key"))
        items = self.items(self.sequence(document.get("items"), "items"))
        return Catalogue(name, version, severities, structure_types, groups, items)

    def severity(self, key: str, given: Any) -> Severity:
        given = self.mapping(given, key)
        hours = given.get("immediate_measures_hours")
        if hours is not None and (type(hours) is not int or not 1 <= hours <= 720):
            raise self.fail(N_("hours must be a whole number from 1 to 720"))
        return Severity(key, self.label(given), self.days(given.get("default_remedy_days")), hours)

    def structure_type(self, key: str, given: Any) -> StructureTypeEntry:
        given = self.mapping(given, key)
        return StructureTypeEntry(
            key, self.label(given), self.flag(given.get("inspectable", True), "inspectable")
        )

    def group(self, given: Any) -> Group:
        given = self.mapping(given, "groups")
        return Group(self.key(given.get("key")), self.label(given))

    def items(self, given: Sequence[Any]) -> tuple[Item, ...]:
        """All items; raises the first problem of every item that has one, together."""
        if not given:
            raise self.fail(N_("there are no items"))
        if len(given) > MAX_ITEMS:
            raise self.fail(N_("there are more than %(limit)s items"), limit=MAX_ITEMS)
        read: list[Item] = []
        problems: list[CatalogueProblem] = []
        for number, one in enumerate(given, 1):
            self.where = str(number)
            try:
                item = self.item(one)
                if item.key in {other.key for other in read}:
                    raise self.fail(N_("two items have the same key"))
                read.append(item)
            except CatalogueError as error:
                problems += error.problems
        if problems:
            raise CatalogueError(*problems)
        self.references(read)
        return tuple(read)

    def references(self, items: Sequence[Item]) -> None:
        known = {item.key: item for item in items}
        for item in items:
            if item.asked_when is None:
                continue
            self.where = item.key
            other = known.get(item.asked_when.item)
            if other is None or other.answer.derived is None:
                raise self.fail(N_("asked_when names an item without inputs"))
            if item.asked_when.input not in {one.key for one in other.answer.derived.inputs}:
                raise self.fail(N_("asked_when names an input that the item does not have"))

    def item(self, given: Any) -> Item:
        given = self.mapping(given, "items")
        key = self.key(given.get("key"))
        self.where = key
        if key == LOAD_SAFETY:
            raise self.fail(N_("the key %(value)s is kept for load-safety assessments"), value=key)
        self.known(given, ITEM_FIELDS)
        group = given.get("group")
        if not isinstance(group, str) or group not in self.groups:
            raise self.fail(N_("the group %(value)s is not defined"), value=shown(group))
        answer = self.answer(self.mapping(given.get("answer"), "answer"))
        photo = given.get("photo")
        if photo is not None:
            photo = self.word(photo, ("on_fail",), "photo")
        services = self.sequence(given.get("services") or [], "services")
        return Item(
            key=key,
            group=group,
            label=self.label(given),
            applies_to=self.structures(given.get("applies_to")),
            services=frozenset(self.key(one) for one in services),
            min_height_m=self.number(given.get("min_height_m"), "min_height_m"),
            height_of=self.word(
                given.get("height_of", "structure"), ("structure", "overall"), "height_of"
            ),
            answer=answer,
            levels=tuple(
                self.level(level, answer)
                for level in self.sequence(given.get("levels") or [], "levels")
            ),
            how=self.word(given.get("how"), HOW, "how"),
            photo=photo,
            basis=self.word(given.get("basis"), BASES, "basis"),
            source=self.plain(given.get("source"), "source"),
            legal_basis=self.legal_basis(given.get("legal_basis")),
            note=self.plain(given.get("note"), "note"),
            asked_when=self.asked_when(given.get("asked_when")),
        )

    def legal_basis(self, given: Any) -> Mapping[str, Any] | None:
        """The document of the law; without one the item is a technical recommendation."""
        if given is None:
            return None
        given = self.mapping(given, "legal_basis")
        document = self.plain(given.get("document"), "document")
        if not document:
            raise self.fail(N_("legal_basis names no document"))
        self.plain(given.get("article"), "article")
        self.flag(given.get("verified", False), "verified")
        self.known(given, {"document", "article", "verified"})
        return dict(given)

    def asked_when(self, given: Any) -> AskedWhen | None:
        if given is None:
            return None
        given = self.mapping(given, "asked_when")
        self.known(given, {"item", "input", "is"})
        if given.get("is") != "unknown":
            raise self.fail(N_("asked_when must say that an input is unknown"))
        return AskedWhen(self.key(given.get("item")), self.key(given.get("input")))

    def answer(self, given: Mapping[str, Any]) -> AnswerForm:
        self.known(given, ANSWER_FIELDS)
        kind = self.word(given.get("type"), ANSWER_TYPES, "type")
        decimals = given.get("decimals", 0)
        if type(decimals) is not int or not 0 <= decimals <= 6:
            raise self.fail(N_("decimals must be 0 to 6"))
        choices = tuple(
            self.choice(value) for value in self.sequence(given.get("values") or [], "values")
        )
        if (kind == "enum") != bool(choices):
            raise self.fail(N_("values belong to an enum, and an enum needs them"))
        if len({one.key for one in choices}) != len(choices):
            raise self.fail(N_("two values have the same key"))
        pass_value = given.get("pass_value")
        if kind == "yes_no" and pass_value not in ("yes", "no"):
            raise self.fail(N_("pass_value must be 'yes' or 'no' (in quotes)"))
        if kind != "yes_no" and pass_value is not None:
            raise self.fail(N_("pass_value belongs to yes_no answers"))
        low, high = self.bounds(given)
        derived = None
        if given.get("derived") is not None:
            if kind != "measurement":
                raise self.fail(N_("only a measurement can be derived from inputs"))
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
                self.input(one)
                for one in self.sequence(given.get("record_also") or [], "record_also")
            ),
            prompt=self.label(given["prompt"]) if given.get("prompt") else None,
            risk_input_only=self.flag(given.get("risk_input_only", False), "risk_input_only"),
        )

    def bounds(self, given: Mapping[str, Any]) -> tuple[Decimal | None, Decimal | None]:
        low, high = (self.number(given.get(bound), bound) for bound in ("min", "max"))
        if low is not None and high is not None and low > high:
            raise self.fail(N_("min is greater than max"))
        return low, high

    def choice(self, given: Any) -> Choice:
        given = self.mapping(given, "values")
        return Choice(self.key(given.get("key")), self.label(given))

    def derived(self, given: Mapping[str, Any]) -> Derived:
        self.known(given, {"function", "inputs"})
        function = self.word(given.get("function"), tuple(FUNCTIONS), "function")
        inputs = tuple(self.input(one) for one in self.sequence(given.get("inputs"), "inputs"))
        if tuple(one.key for one in inputs) != FUNCTIONS[function]:
            raise self.fail(
                N_("%(function)s takes the inputs %(inputs)s"),
                function=function,
                inputs=", ".join(FUNCTIONS[function]),
            )
        return Derived(function, inputs)

    def input(self, given: Any) -> Number:
        given = self.mapping(given, "inputs")
        self.known(given, {"key", "unit", "unit_en", "min", "max", "one_of"})
        low, high = self.bounds(given)
        choices = self.sequence(given.get("one_of") or [], "one_of")
        return Number(
            key=self.key(given.get("key")),
            unit=self.unit(given),
            low=low,
            high=high,
            choices=tuple(self.key(one) for one in choices),
        )

    def level(self, given: Any, answer: AnswerForm) -> Level:
        given = self.mapping(given, "levels")
        self.known(given, LEVEL_FIELDS)
        severity = self.word(given.get("severity"), SEVERITIES, "severity")
        op, value = self.word(given.get("op"), OPERATORS, "op"), given.get("value")
        numeric = answer.type in {"measurement", "count"}
        if op == "fail":
            if answer.type != "yes_no":
                raise self.fail(N_("the operator “fail” is for yes_no answers"))
            value = None
        elif op == "in":
            known = {choice.key for choice in answer.choices}
            names = self.sequence(value, "value")
            if not names or any(not isinstance(one, str) or one not in known for one in names):
                raise self.fail(N_("a level names a value that the answer does not have"))
            value = frozenset(names)
        elif not numeric:
            raise self.fail(N_("the operator “%(op)s” is for numbers"), op=op)
        elif op == "outside":
            if not isinstance(value, list) or len(value) != 2:
                raise self.fail(N_("the operator “outside” takes two bounds"))
            low, high = (self.required(one, "value") for one in value)
            if low > high:
                raise self.fail(N_("the operator “outside” takes the lower bound first"))
            value = (low, high)
        else:
            value = self.required(value, "value")
        days, basis = given.get("remedy_days"), given.get("basis")
        return Level(
            severity=severity,
            remedy_days=None if days is None else self.days(days),
            op=op,
            value=value,
            structures=self.structures(given["structures"])
            if given.get("structures")
            else frozenset(),
            when=self.when(given.get("when"), answer),
            basis=None if basis is None else self.word(basis, BASES, "basis"),
        )

    def when(self, given: Any, answer: AnswerForm) -> When | None:
        if given is None:
            return None
        given = self.mapping(given, "when")
        self.known(given, {"record_also", "op", "value", "if_unknown"})
        name = given.get("record_also")
        if not isinstance(name, str) or name not in {one.key for one in answer.record_also}:
            raise self.fail(N_("when names %(value)s, which is not recorded"), value=shown(name))
        return When(
            name,
            self.word(given.get("op"), (">", "<", ">=", "<="), "op"),
            self.required(given.get("value"), "value"),
            self.flag(given.get("if_unknown"), "if_unknown"),
        )

    def structures(self, given: Any) -> frozenset[str]:
        names = self.sequence(given or [], "applies_to")
        if not names or any(not isinstance(one, str) or one not in self.types for one in names):
            raise self.fail(N_("a structure type is missing or not inspectable"))
        return frozenset(names)

    def mapping(self, given: Any, name: str) -> Mapping[str, Any]:
        if not isinstance(given, Mapping):
            raise self.fail(N_("“%(name)s” is missing or not a mapping"), name=name)
        return given

    def sequence(self, given: Any, name: str) -> Sequence[Any]:
        if not isinstance(given, list):
            raise self.fail(N_("“%(name)s” is missing or not a list"), name=name)
        return given

    def known(self, given: Mapping[str, Any], fields: Collection[str]) -> None:
        """A field that nobody reads is a slip of the pen, never ignored."""
        for name in given:
            if name not in fields:
                raise self.fail(N_("the field %(value)s is not known"), value=shown(name))

    def word(self, given: Any, words: Sequence[str], name: str) -> str:
        if not isinstance(given, str) or given not in words:
            raise self.fail(
                N_("%(name)s is %(value)s, but must be one of %(words)s"),
                name=name,
                value=shown(given),
                words=", ".join(words),
            )
        return given

    def flag(self, given: Any, name: str) -> bool:
        if not isinstance(given, bool):
            raise self.fail(N_("%(name)s must be true or false"), name=name)
        return given

    def label(self, given: Any) -> Text:
        """A text that people read: it stands in both languages."""
        given = self.mapping(given, "text")
        texts = [self.plain(given.get(language), language) for language in ("vi", "en")]
        if not all(texts):
            raise self.fail(N_("a text is missing in Vietnamese or English"))
        if any(len(text) > MAX_LABEL for text in texts):
            raise self.fail(N_("a text is longer than %(limit)s letters"), limit=MAX_LABEL)
        return Text(*texts)

    def plain(self, given: Any, name: str) -> str:
        if given is None:
            return ""
        if not isinstance(given, str):
            raise self.fail(N_("%(name)s is not a text"), name=name)
        if len(given) > MAX_TEXT:
            raise self.fail(N_("a text is longer than %(limit)s letters"), limit=MAX_TEXT)
        return given.strip()

    def unit(self, given: Mapping[str, Any]) -> Text:
        unit = self.plain(given.get("unit"), "unit")
        return Text(unit, self.plain(given.get("unit_en"), "unit_en") or unit)

    def key(self, given: Any) -> str:
        if not isinstance(given, str) or not KEY.match(given):
            raise self.fail(
                N_("the key %(value)s is not a plain name: letters, digits and _"),
                value=shown(given),
            )
        return given

    def days(self, given: Any) -> int:
        if type(given) is not int or not 0 <= given <= 3650:
            raise self.fail(N_("days must be a whole number from 0 to 3650"))
        return given

    def number(self, given: Any, name: str) -> Decimal | None:
        return None if given is None else self.required(given, name)

    def required(self, given: Any, name: str) -> Decimal:
        if isinstance(given, bool) or not isinstance(given, int | float):
            raise self.fail(N_("%(name)s is not a number"), name=name)
        # A number of a thousand digits is one for Python, and for nobody else.
        number = Decimal(str(given)) if abs(given) < 10**12 else None
        if number is None or not number.is_finite():
            raise self.fail(N_("%(name)s is not a number below a million millions"), name=name)
        return number


def shown(given: Any) -> str:
    """A wrong value as a message shows it."""
    text = given if isinstance(given, str) else repr(given)
    return f"“{text[:60]}…”" if len(text) > 60 else f"“{text}”"
