"""The checklist as a web form: its fields to the answers of the API, and back."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from werkzeug.datastructures import MultiDict

from core.errors import Invalid
from core.formats import local_input
from core.geo import Position
from core.words import N_
from inspections.models import Inspection
from inspections.rules.catalogue import HOW, Catalogue
from inspections.services.circumstances import Circumstances, Instrument
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
    form: MultiDict[str, str],
    catalogue: Catalogue,
    *,
    kind: str,
    tower: str,
    today: date,
    zone: ZoneInfo,
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
    circumstances = circumstances_from(form, zone, wrong)
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
        "team": list(circumstances.team),
        "representative": circumstances.representative,
        "weather": circumstances.weather,
        "started_at": form.get("started_at") or None,
        "ended_at": form.get("ended_at") or None,
        "instruments": [one.as_json() for one in circumstances.instruments],
        "verdict": circumstances.verdict,
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
        circumstances=circumstances,
        body=body,
    )


def circumstances_from(
    form: MultiDict[str, str], zone: ZoneInfo, wrong: dict[str, list[Any]]
) -> Circumstances:
    """The circumstances in a form; what cannot be read is told in `wrong`."""
    instruments = []
    for row in _rows(form):
        day = None
        if text := form.get(f"instrument.{row}.until", ""):
            try:
                day = date.fromisoformat(text)
            except ValueError:
                wrong["instruments"] = [N_("This is not a date (write 2026-12-31).")]
        instruments.append(
            Instrument(
                _plain(form, f"instrument.{row}.name"),
                _plain(form, f"instrument.{row}.serial"),
                day,
            )
        )
    return Circumstances(
        team=tuple(_plain(form, "team").splitlines()),
        representative=_plain(form, "representative"),
        weather=form.get("weather") or None,
        started_at=_moment(form, "started_at", zone, wrong),
        ended_at=_moment(form, "ended_at", zone, wrong),
        instruments=tuple(instruments),
        verdict=form.get("verdict") or None,
        device_at=_device_time(form),
    )


def _rows(form: MultiDict[str, str]) -> list[int]:
    """The rows of instruments in a form, those beyond the number that is allowed too."""
    rows = (re.fullmatch(r"instrument\.(\d{1,3})\.name", name) for name in form)
    return sorted({int(row.group(1)) for row in rows if row})


def _plain(form: MultiDict[str, str], name: str) -> str:
    return form.get(name, "").replace("\x00", "").strip()


def _moment(
    form: MultiDict[str, str], name: str, zone: ZoneInfo, wrong: dict[str, list[Any]]
) -> datetime | None:
    """A local moment as the browser's field writes it."""
    text = form.get(name, "")
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or not 2000 <= moment.year < 2100:
        wrong[name] = [N_("This is not a moment (write 2026-12-31T09:30).")]
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _device_time(form: MultiDict[str, str]) -> datetime | None:
    """What the script of the page says; without it the device has not told its time."""
    try:
        moment = datetime.fromisoformat(form.get("device_at", ""))
    except ValueError:
        return None
    return moment if moment.tzinfo and 2000 <= moment.year < 2100 else None


def circumstances_form(inspection: Inspection, form: MultiDict[str, str] | None) -> dict[str, Any]:
    """The fields of a visit's circumstances: as they were typed, or as they are kept."""
    if form is not None:
        names = ("team", "representative", "weather", "verdict", "started_at", "ended_at")
        return {
            **{name: form.get(name, "") for name in names},
            "instruments": [
                {
                    "name": form.get(f"instrument.{row}.name", ""),
                    "serial": form.get(f"instrument.{row}.serial", ""),
                    "calibrated_until": form.get(f"instrument.{row}.until", ""),
                }
                for row in _rows(form)
            ],
        }
    ended = inspection.ended_at
    return {
        "team": "\n".join(inspection.team),
        "representative": inspection.representative,
        "weather": inspection.weather,
        "verdict": inspection.verdict,
        # The form was opened when the visit began, unless somebody says otherwise.
        "started_at": local_input(inspection.started_at or inspection.created_at)[:16],
        "ended_at": local_input(ended)[:16] if ended else "",
        "instruments": inspection.instruments,
    }
