"""An item of the checklist as a web form: its fields to the document, and back.

What is typed becomes plain data; whether it is an item is said by the rules of the catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from werkzeug.datastructures import MultiDict

from inspections.rules.catalogue import FUNCTIONS
from inspections.rules.documents import normal

# Rows that a form has beyond those that are filled in.
SPARE = 2
MOST_ROWS = 40
BETWEEN = ","


def item_from(form: MultiDict[str, str]) -> dict[str, Any]:
    """The document of the item in a form, without its code."""

    def text(name: str) -> str:
        return form.get(name, "").strip().replace("\r\n", "\n")

    item: dict[str, Any] = {
        "group": text("group"),
        "vi": text("vi"),
        "en": text("en"),
        "how": text("how"),
        "applies_to": form.getlist("applies_to"),
        "services": _parted(text("services")),
        "min_height_m": _number(text("min_height_m")),
        "height_of": text("height_of"),
        "answer": _answer(form),
        "levels": [
            _level(form, number) for number in range(MOST_ROWS) if text(f"level.{number}.severity")
        ],
        "photo": text("photo"),
        "basis": text("basis"),
        "source": text("source"),
        "note": text("note"),
    }
    if text("legal_document") or text("legal_article"):
        item["legal_basis"] = {
            "document": text("legal_document"),
            "article": text("legal_article"),
            "verified": "legal_verified" in form,
        }
    if text("asked_item"):
        item["asked_when"] = {
            "item": text("asked_item"),
            "input": text("asked_input"),
            "is": "unknown",
        }
    return normal(item)


def _answer(form: MultiDict[str, str]) -> dict[str, Any]:
    kind = form.get("type", "")
    answer: dict[str, Any] = {"type": kind}
    if kind == "yes_no":
        answer["pass_value"] = form.get("pass_value", "")
    if kind == "enum":
        answer["values"] = _rows(form, "choice", ("key", "vi", "en"))
    if kind in {"measurement", "count"}:
        answer |= {
            "unit": form.get("unit", "").strip(),
            "unit_en": form.get("unit_en", "").strip(),
            "decimals": _number(form.get("decimals", "")),
            "min": _number(form.get("min", "")),
            "max": _number(form.get("max", "")),
        }
    function = form.get("function", "")
    if kind == "measurement" and function:
        rows = {row["key"]: row for row in _rows(form, "input", NUMBER_FIELDS)}
        answer["derived"] = {
            "function": function,
            "inputs": [rows.get(key, {"key": key}) for key in FUNCTIONS.get(function, ())],
        }
    answer["record_also"] = _rows(form, "also", NUMBER_FIELDS)
    if form.get("prompt_vi", "").strip() or form.get("prompt_en", "").strip():
        answer["prompt"] = {
            "vi": form.get("prompt_vi", "").strip(),
            "en": form.get("prompt_en", "").strip(),
        }
    if "risk_input_only" in form:
        answer["risk_input_only"] = True
    return answer


NUMBER_FIELDS = ("key", "unit", "unit_en", "min", "max", "one_of")


def _rows(form: MultiDict[str, str], name: str, fields: tuple[str, ...]) -> list[dict[str, Any]]:
    """The rows of a part that have a code; `min` and `max` are numbers, `one_of` are codes."""
    rows = []
    for number in range(MOST_ROWS):
        row: dict[str, Any] = {
            field: form.get(f"{name}.{number}.{field}", "").strip() for field in fields
        }
        if not any(row.values()):
            continue
        for bound in {"min", "max"} & set(fields):
            row[bound] = _number(row[bound])
        if "one_of" in fields:
            row["one_of"] = _parted(row["one_of"])
        rows.append(normal(row))
    return [{"key": "", **row} for row in rows]


def _level(form: MultiDict[str, str], number: int) -> dict[str, Any]:
    def text(name: str) -> str:
        return form.get(f"level.{number}.{name}", "").strip()

    op, value = text("op"), text("value")
    level: dict[str, Any] = {
        "severity": text("severity"),
        "op": op,
        "remedy_days": _number(text("remedy_days")),
        "basis": text("basis"),
        "structures": form.getlist(f"level.{number}.structures"),
    }
    if op == "in":
        level["value"] = _parted(value)
    elif op == "outside":
        level["value"] = [_number(one) for one in _parted(value, ";")]
    elif op != "fail":
        level["value"] = _number(value)
    if text("when"):
        level["when"] = {
            "record_also": text("when"),
            "op": text("when_op"),
            "value": _number(text("when_value")),
            "if_unknown": bool(text("when_unknown")),
        }
    return level


def _parted(text: str, between: str = BETWEEN) -> list[str]:
    return [one.strip() for one in text.split(between) if one.strip()]


def _number(text: str) -> Any:
    """The number that a text is, with point or comma; else the text, which the rules refuse."""
    text = text.strip()
    if not text:
        return None
    try:
        number = float(text.replace(",", "."))
        return int(number) if number.is_integer() and abs(number) < 1e15 else number
    except ValueError:
        return text


def shown_level(level: Mapping[str, Any]) -> dict[str, Any]:
    """A level as its row of the form shows it."""
    value = level.get("value")
    if isinstance(value, list):
        between = "; " if level.get("op") == "outside" else ", "
        value = between.join(str(one) for one in value)
    return {**level, "value": value, "when": level.get("when") or {}}
