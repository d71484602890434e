"""How items of a checklist read: limits and fields as people write them, in their language."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from flask_babel import ngettext

from core.formats import label, written
from core.i18n import gettext as _
from inspections.rules.catalogue import Catalogue, Item, Level
from inspections.rules.documents import ordered

FAILING = {"yes": "no", "no": "yes"}
SIGNS = {">": ">", "<": "<", ">=": "≥", "<=": "≤"}
# Fields whose values are words of a vocabulary.
VOCABULARY = {
    "how": "how",
    "basis": "basis",
    "photo": "photo_rule",
    "height_of": "height_of",
    "answer.type": "answer_type",
    "answer.pass_value": "yes_no",
}


def limit_text(level: Level, item: Item, language: str) -> str:
    """When a level matches: `> 10 mm`, a failing answer, or the values that fail."""
    form = item.answer
    unit = form.unit.in_language(language)

    def amount(value: Decimal) -> str:
        return f"{written(value, 6, language)} {unit}".strip()

    if level.op == "fail":
        text = _("answer “%(answer)s”", answer=label(FAILING[str(form.pass_value)], "yes_no"))
    elif level.op == "in":
        text = ", ".join(
            one.text.in_language(language) for one in form.choices if one.key in level.value
        )
    elif level.op == "outside":
        low, high = level.value
        text = _("below %(low)s or above %(high)s", low=amount(low), high=amount(high))
    elif level.op == "abs>":
        text = f"> ±{amount(level.value)}"
    else:
        text = f"{SIGNS[level.op]} {amount(level.value)}"
    if level.when is not None:
        name = label(level.when.record_also, "input")
        number = written(level.when.value, 6, language)
        unknown = _(", or unknown") if level.when.if_unknown else ""
        text += f" ({name} {SIGNS[level.when.op]} {number}{unknown})"
    return text


def level_text(level: Level, item: Item, catalogue: Catalogue, language: str) -> str:
    """A whole level in one line: severity, when it matches, days, and for which structures."""
    days = level.remedy_days
    if days is None:
        days = catalogue.severities[level.severity].default_remedy_days
    severity = catalogue.severities[level.severity].label.in_language(language)
    within = ngettext("%(num)s day", "%(num)s days", days)
    text = f"{severity}: {limit_text(level, item, language)} · {within}"
    if level.structures:
        text += f" · {structures_text(level.structures, catalogue, language)}"
    return text


def structures_text(keys: frozenset[str], catalogue: Catalogue, language: str) -> str:
    """Structure types in the order of the checklist."""
    return ", ".join(
        entry.label.in_language(language)
        for key, entry in catalogue.structure_types.items()
        if key in keys
    )


def field_text(
    name: str, value: Any, item: Item | None, catalogue: Catalogue, language: str
) -> str:
    """The value of an item's field as people read it, of the item in its own version.

    Lines are parted by line ends; empty where the field is not there.
    """
    if value is None:
        return ""
    if name in VOCABULARY:
        return label(value, VOCABULARY[name])
    if isinstance(value, bool):
        return label("yes" if value else "no", "yes_no")
    if isinstance(value, int | float):
        return written(value, 6, language)
    if name == "group":
        return next(
            (one.label.in_language(language) for one in catalogue.groups if one.key == value), value
        )
    if name == "applies_to":
        return structures_text(frozenset(value), catalogue, language)
    if name == "levels" and item is not None:
        return "\n".join(level_text(one, item, catalogue, language) for one in item.levels)
    if name == "legal_basis":
        return _basis_text(value)
    if name == "answer.prompt":
        return f"{value['vi']} / {value['en']}"
    if name == "answer.values":
        return "\n".join(f"{one['key']}: {one['vi']} / {one['en']}" for one in value)
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return json.dumps(ordered(value), ensure_ascii=False, indent=1)


def _basis_text(value: Mapping[str, Any]) -> str:
    text = ", ".join(part for part in (value.get("document"), value.get("article")) if part)
    if not value.get("verified"):
        unconfirmed = _("not yet confirmed by a lawyer")
        text += f" ({unconfirmed})"
    return text
