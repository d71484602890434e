"""The checklist as a web form: its fields to the answers of the API, and back."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any

from werkzeug.datastructures import MultiDict

from core.errors import Invalid
from core.geo import Position
from core.words import N_
from inspections.rules.catalogue import HOW, Catalogue
from inspections.services.record import Visit

FIELD = re.compile(r"(outcome|value|reason|note|input|also)\.([A-Za-z][A-Za-z0-9_]*)(?:\.(\w+))?\Z")


def answers_from(form: MultiDict[str, str], catalogue: Catalogue) -> dict[str, dict[str, Any]]:
    """The answers in a form. An item with nothing filled in is left out.

    A value without a chosen outcome means that the item was checked.
    """
    given: dict[str, dict[str, Any]] = {}
    for name, text in form.items():
        match = FIELD.match(name)
        text = text.strip()
        if match is None or not text or "\x00" in text:
            continue
        kind, key, part = match.groups()
        answer = given.setdefault(key, {})
        if kind == "input" and part:
            answer.setdefault("inputs", {})[part] = text
        elif kind == "also" and part:
            answer.setdefault("record_also", {})[part] = text
        elif part is None:
            answer[kind] = text[:4000]
    answers: dict[str, dict[str, Any]] = {}
    for key, answer in given.items():
        if set(answer) <= {"reason", "note"} and "outcome" not in answer:
            continue
        if "outcome" not in answer:
            answer["outcome"] = "ok"
        if answer["outcome"] != "ok":
            answer.pop("value", None)
        answers[key] = answer
    return answers


def visit_from_form(
    form: MultiDict[str, str], catalogue: Catalogue, *, kind: str, tower: str, today: date
) -> Visit:
    """The visit in a form; raises `Invalid` for a date or position that cannot be read."""
    wrong: dict[str, list[Any]] = {}
    inspected_on = today
    text = form.get("inspected_on", "")
    if text:
        try:
            inspected_on = date.fromisoformat(text)
        except ValueError:
            wrong["inspected_on"] = [N_("This is not a date (write 2026-12-31).")]
    position = accuracy = None
    latitude, longitude = form.get("position_latitude", ""), form.get("position_longitude", "")
    if latitude and longitude:
        try:
            position = Position(float(latitude), float(longitude))
            metres = min(float(form.get("position_accuracy") or 0), 99_999.0)
            # Neither a negative one nor NaN says anything.
            accuracy = Decimal(str(metres)) if metres > 0 else None
        except ValueError:
            wrong["position"] = [N_("The position is not in degrees")]
    note = form.get("note", "")
    if len(note) > 8000 or "\x00" in note:
        wrong["note"] = [N_("This text is too long")]
    if wrong:
        raise Invalid(fields=wrong)
    answers = answers_from(form, catalogue)
    methods = tuple(one for one in HOW if one in form.getlist("methods"))
    body: dict[str, Any] = {
        "tower": tower,
        "kind": kind,
        "inspected_on": inspected_on.isoformat(),
        "structure_type": form.get("structure_type") or None,
        "methods": list(methods),
        "answers": answers,
        "note": note,
        "assessment_requested": "assessment_requested" in form,
        "assessment_reason": form.get("assessment_reason", "")[:4000],
        "position": [latitude, longitude] if position else None,
        "submit": form.get("action") == "submit",
    }
    return Visit(
        kind=kind,
        inspected_on=inspected_on,
        answers=answers,
        submit=body["submit"],
        structure_type=body["structure_type"],
        methods=methods,
        position=position,
        position_accuracy_m=accuracy,
        note=note,
        assessment_requested=body["assessment_requested"],
        assessment_reason=body["assessment_reason"],
        body=body,
    )
