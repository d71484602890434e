"""Visits for tests: whole passing checklists of the real catalogue, with chosen defects."""

from __future__ import annotations

import io
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from PIL import Image
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.files import FileStore
from core.pictures import read_picture
from core.policy import SYSTEM, Actor
from inspections.models import ChecklistVersion, Inspection, Violation, ViolationEvent
from inspections.rules.catalogue import Catalogue, Item
from inspections.rules.evaluation import applicable_items
from inspections.services import checklists
from inspections.services.photos import add_photo
from inspections.services.record import (
    Visit,
    correct_inspection,
    record_inspection,
    structure_of,
)
from tests.makers import NOW
from towers.models import Tower

KEPT = tempfile.TemporaryDirectory(prefix="photos-")
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
TODAY = date(2026, 11, 23)
CATALOGUE = Catalogue.parse(checklists.shipped_document())
# Failing answers: a critical one with a photo, majors and minors without.
CRITICAL = {"ant_mount": {"outcome": "ok", "value": "no"}}
MAJOR = {"clb_ladder": {"outcome": "ok", "value": "no"}}
MINOR = {"sit_fence": {"outcome": "ok", "value": "no"}}
FIXED = {"clb_ladder": {"outcome": "ok", "value": "yes"}}


def published(session: Session) -> ChecklistVersion:
    """The shipped catalogue as the version that judges."""
    return checklists.publish(session, checklists.shipped_document(), by=SYSTEM, now=NOW)


def passing_item(item: Item) -> dict[str, Any]:
    form = item.answer
    if form.type == "yes_no":
        return {"outcome": "ok", "value": form.pass_value}
    if form.type == "enum":
        return {"outcome": "ok", "value": form.choices[0].key}
    if form.derived is not None:
        value = {"guy_tension_dev": "40", "guy_tension_pct_bs": "4"}.get(item.key, "0.01")
        first, second = (one.key for one in form.derived.inputs)
        return {"outcome": "ok", "inputs": {first: value, second: "40"}}
    return {"outcome": "ok", "value": 100 if any(one.op == "<" for one in item.levels) else 0}


def passing(tower: Tower, structure_type: str | None = None) -> dict[str, dict[str, Any]]:
    """Passing answers to every item of a tower."""
    structure = structure_of(tower, structure_type or tower.structure_type)
    return {
        item.key: passing_item(item)
        for item in applicable_items(CATALOGUE, structure)
        if item.asked_when is None
    }


def visit(
    answers: Mapping[str, dict[str, Any]],
    *,
    submit: bool = True,
    kind: str = "periodic",
    inspected_on: date = TODAY,
    **facts: Any,
) -> Visit:
    body = {
        "kind": kind,
        "inspected_on": inspected_on.isoformat(),
        "answers": dict(answers),
        "submit": submit,
        **{name: one if isinstance(one, str | bool) else str(one) for name, one in facts.items()},
    }
    return Visit(
        kind=kind,
        inspected_on=inspected_on,
        answers=dict(answers),
        submit=submit,
        body=body,
        **facts,
    )


def picture(colour: tuple[int, int, int] = (200, 30, 30)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (32, 24), colour).save(out, "JPEG")
    return out.getvalue()


def photograph(
    session: Session, inspection: Inspection, item_key: str, folder: Path | None, *, by: Actor
) -> None:
    """A real photo of one item in the store under `folder`."""
    store = FileStore(folder or Path(KEPT.name), max_bytes=1_000_000, max_pixels=1_000_000)
    add_photo(
        session,
        uuid.uuid4(),
        inspection,
        read_picture(io.BytesIO(picture()), store),
        store=store,
        item_key=item_key,
        original_name="anh.jpg",
        sha256=None,
        by=by,
        now=NOW,
    )


def record(
    session: Session,
    tower: Tower,
    made: Visit,
    *,
    by: Actor,
    now: datetime = NOW,
    inspection_id: uuid.UUID | None = None,
) -> Inspection:
    inspection, _ = record_inspection(
        session, inspection_id or uuid.uuid4(), tower, made, by=by, now=now, zone=ZONE
    )
    return inspection


def correct(
    session: Session, inspection: Inspection, made: Visit, *, by: Actor, now: datetime = NOW
) -> Inspection:
    return correct_inspection(session, inspection, made, by=by, now=now, zone=ZONE)


def inspected(
    session: Session,
    tower: Tower,
    *,
    by: Actor,
    folder: Path | None = None,
    photos: Sequence[str] = (),
    now: datetime = NOW,
    inspected_on: date | None = None,
    kind: str = "periodic",
    only: Mapping[str, dict[str, Any]] | None = None,
    **answers: dict[str, Any],
) -> Inspection:
    """A submitted visit: all passing but for `answers`, with photos of the items named.

    `only` takes the place of the whole checklist. A re-inspection has a photo of each answer.
    """
    given = dict(only) if only is not None else {**passing(tower), **answers}
    day = inspected_on or now.astimezone(ZONE).date()
    made = visit(given, kind=kind, inspected_on=day)
    photos = photos or (sorted(given) if kind == "reinspection" else ())
    if not photos:
        return record(session, tower, made, by=by, now=now)
    draft = visit(given, kind=kind, inspected_on=day, submit=False)
    inspection = record(session, tower, draft, by=by, now=now)
    for item_key in photos:
        photograph(session, inspection, item_key, folder, by=by)
    return correct(session, inspection, made, by=by, now=now)


def violations(session: Session, tower: Tower) -> dict[str, Violation]:
    """The tower's violations by item; of several of one item the last made."""
    return {
        one.item_key: one
        for one in session.scalars(
            select(Violation).where(Violation.tower_id == tower.id).order_by(Violation.created_at)
        )
    }


def events(session: Session, violation: Violation) -> list[tuple[str, str | None]]:
    """The events of a violation as (kind, severity or outcome)."""
    return [
        (row.kind, row.severity or row.outcome)
        for row in session.scalars(
            select(ViolationEvent)
            .where(ViolationEvent.violation_id == violation.id)
            .order_by(ViolationEvent.place)
        )
    ]


def days(number: int) -> timedelta:
    return timedelta(days=number)
