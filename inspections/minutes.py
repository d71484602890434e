"""The official record of a visit (biên bản kiểm tra), in Vietnamese, as DOCX and as PDF.

Both are written from the same facts: texts that are ready to be read, and pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import jinja2
from sqlalchemy.orm import Session

from core import documents
from core.errors import Conflict
from core.files import FileStore
from core.formats import day, degrees, label, moment, number
from core.geo import to_position
from core.i18n import N_, force_locale
from core.i18n import gettext as _
from inspections.models import Answer, Inspection, Photo, Violation
from inspections.queries import lists
from inspections.queries.lines import lines_of
from inspections.rules.catalogue import Catalogue, Item
from inspections.rules.evidence import SignaturePlace
from inspections.services import checklists
from inspections.services.circumstances import Instrument
from inspections.services.evidence import evidence_of
from inspections.services.settle import looked_at
from inspections.services.signatures import standing

DATA = Path(__file__).resolve().parent / "data"
PAGES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(DATA), autoescape=True, undefined=jinja2.StrictUndefined
)
LANGUAGE = "vi"
# As many pictures as a person looks at on paper; all of them are in the record itself.
MOST_PHOTOS = 24
NOTHING = "–"


def docx(session: Session, inspection: Inspection, store: FileStore) -> bytes:
    """The record as a document that can be edited; raises `Conflict` for a draft."""
    with force_locale(LANGUAGE):
        facts = _facts(session, inspection, store)
        pictures = {"photos": 75.0, "signatures": 45.0}
        for name, width in pictures.items():
            for one in facts[name]:
                content = one["picture"]
                one["picture"] = documents.Picture(content, width) if content else ""
        return documents.docx((DATA / "bien-ban.docx").read_bytes(), facts)


def pdf(session: Session, inspection: Inspection, store: FileStore) -> bytes:
    """The record as it is printed; raises `Conflict` for a draft."""
    with force_locale(LANGUAGE):
        facts = _facts(session, inspection, store)
        files: dict[str, bytes] = {}
        for name in ("photos", "signatures"):
            for index, one in enumerate(facts[name]):
                if one["picture"]:
                    files[f"{name}-{index}"] = one["picture"]
                    one["picture"] = f"own:{name}-{index}"
        return documents.pdf(PAGES.get_template("bien-ban.html").render(facts), files)


def _facts(session: Session, inspection: Inspection, store: FileStore) -> dict[str, Any]:
    if inspection.submitted_at is None:
        raise Conflict(N_("A draft has no record yet: submit it first"), status=inspection.status)
    tower, again = inspection.tower, inspection.kind == "reinspection"
    catalogue = checklists.catalogue_of(session, inspection.checklist_version)
    items = {item.key: item for item in (*catalogue.items, checklists.LOAD_SAFETY_ITEM)}
    order = {key: index for index, key in enumerate(items)}
    answers = sorted(inspection.answers, key=lambda one: order.get(one.item_key, len(order)))
    evidence = evidence_of(session, inspection)
    assert evidence is not None
    outcomes = {}
    if again and inspection.status != "voided":
        lines = lines_of(session, inspection, looked_at(session, inspection))
        outcomes = {key: line.outcome for key, line in lines.items()}
    place = to_position(inspection.position) if inspection.position is not None else None
    return {
        "again": again,
        "code": tower.code,
        "name": tower.name,
        "structure": label(inspection.structure_type, "structure_type"),
        "height": f"{number(inspection.height_m)} m" if inspection.height_m else NOTHING,
        "address": tower.address or NOTHING,
        "commune": tower.commune.name if tower.commune else NOTHING,
        "owner": tower.owner.name if tower.owner else NOTHING,
        "kind": label(inspection.kind, "inspection_kind"),
        "status": label(inspection.status, "inspection_status"),
        "voided": inspection.status == "voided",
        "day": day(inspection.inspected_on),
        "start": moment(inspection.started_at),
        "end": moment(inspection.ended_at),
        "weather": label(inspection.weather, "weather") if inspection.weather else NOTHING,
        "position": _position(place, inspection) if place else NOTHING,
        "inspector": inspection.inspector.name or inspection.inspector.email,
        "team": [{"name": name} for name in inspection.team],
        "representative": inspection.representative or NOTHING,
        "instruments": [
            {
                "name": one.name,
                "serial": one.serial or NOTHING,
                "until": day(one.calibrated_until),
            }
            for one in map(Instrument.from_json, inspection.instruments)
        ],
        "answers": [
            {
                "number": str(place_),
                "item": _item_text(items, one.item_key),
                "answer": answer_text(one, items.get(one.item_key), catalogue),
                "judgement": _judgement(one),
            }
            for place_, one in enumerate(answers, 1)
        ],
        "violations": [
            {
                "number": str(place_),
                "item": _item_text(items, one.item_key) + (f": {one.detail}" if one.detail else ""),
                "severity": label(one.severity, "severity"),
                "basis": _basis(one),
                "deadline": day(one.deadline),
                "outcome": label(outcomes[one.item_key], "reinspection_outcome")
                if outcomes.get(one.item_key)
                else label(one.state, "violation_state"),
            }
            for place_, one in enumerate(lists.found_by(session, inspection.id), 1)
        ],
        "verdict": label(inspection.verdict, "verdict") if inspection.verdict else NOTHING,
        "note": inspection.note or NOTHING,
        "assessment": label("yes" if inspection.assessment_requested else "no", "yes_no"),
        "evidence": label(evidence.grade, "evidence_grade"),
        "reasons": [
            *({"text": label(reason, "evidence_reason")} for reason in evidence.reasons),
            *_waiting(inspection),
        ],
        "photos": [
            {
                "picture": _content(store, photo.sha256, "thumbnail"),
                "caption": _caption(photo, items),
            }
            for photo in inspection.photos[:MOST_PHOTOS]
        ],
        "photo_count": str(len(inspection.photos) + (inspection.photos_waiting or 0)),
        "signatures": _signatures(inspection, store),
        "checklist": str(inspection.checklist_version.version),
        "id": str(inspection.id),
        "version": str(inspection.version),
        "submitted": moment(inspection.submitted_at),
    }


def _waiting(inspection: Inspection) -> list[dict[str, str]]:
    """What a record says that was made before all of its photos had come."""
    if not inspection.photos_waiting:
        return []
    said = _(
        "%(arrived)s of %(expected)s photos",
        arrived=len(inspection.photos),
        expected=len(inspection.photos) + inspection.photos_waiting,
    )
    return [{"text": said}]


def _position(place: Any, inspection: Inspection) -> str:
    parts = [f"{degrees(place.latitude)}, {degrees(place.longitude)}"]
    if inspection.position_accuracy_m is not None:
        parts.append(f"± {number(inspection.position_accuracy_m, 0)} m")
    if inspection.distance_m is not None:
        metres = number(inspection.distance_m, 0)
        parts.append(_("%(metres)s m from the tower", metres=metres))
    return "; ".join(parts)


def _item_text(items: Mapping[str, Item], key: str) -> str:
    return items[key].text(LANGUAGE) if key in items else key


def answer_text(answer: Answer, item: Item | None, catalogue: Catalogue) -> str:
    """An answer as one line of text, with what was measured beside it."""
    given = answer.given
    if answer.outcome != "ok":
        said = label(answer.outcome, "outcome")
        return f"{said}: {given['reason']}" if given.get("reason") else said
    value = answer.value
    if item is not None and item.answer.type == "yes_no":
        said = label(value, "yes_no")
    elif item is not None and item.answer.choices:
        texts = {one.key: one.text.in_language(LANGUAGE) for one in item.answer.choices}
        said = texts.get(str(value), str(value))
    elif isinstance(value, int | float | Decimal):
        unit = item.answer.unit.in_language(LANGUAGE) if item is not None else ""
        said = f"{number(value, 4)} {unit}".strip()
    else:
        said = NOTHING if value is None else str(value)
    beside = [
        f"{label(key, 'input')}: {_measured(one)}"
        for part in ("inputs", "record_also")
        for key, one in (given.get(part) or {}).items()
    ]
    note = [given["note"]] if given.get("note") else []
    return "; ".join([said, *beside, *note])


def _measured(value: Any) -> str:
    return label(value, "input") if isinstance(value, str) else str(value)


def _judgement(answer: Answer) -> str:
    if answer.severity:
        return _("Failed (%(severity)s)", severity=label(answer.severity, "severity").lower())
    return _("In order") if answer.outcome == "ok" else NOTHING


def _basis(violation: Violation) -> str:
    basis = violation.legal_basis
    if not basis:
        return _("Technical recommendation")
    return ", ".join(str(basis[part]) for part in ("article", "document") if basis.get(part))


def _caption(photo: Photo, items: Mapping[str, Item]) -> str:
    what = _item_text(items, photo.item_key) if photo.item_key else _("Further photos")
    return f"{what} ({moment(photo.taken_at or photo.received_at)})"


def _signatures(inspection: Inspection, store: FileStore) -> list[dict[str, Any]]:
    """One field a place: signed, or left to be signed on paper."""
    signed = {one.place: (one, signs_now) for one, signs_now in standing(inspection)}
    fields = []
    for place in SignaturePlace:
        one, signs_now = signed.get(place, (None, False))
        drawn = one.sha256 if one is not None and signs_now else None
        fields.append(
            {
                "place": label(place, "signature_place"),
                "picture": _content(store, drawn, "full") if drawn else b"",
                "name": one.name if one is not None and signs_now else "",
                "at": moment(one.at) if one is not None and signs_now else "",
            }
        )
    return fields


def _content(store: FileStore, sha256: bytes, variant: str) -> bytes:
    """The bytes of a copy; nothing where its file is missing, which `photos` pages say."""
    path = store.path(sha256, variant)
    return path.read_bytes() if path.exists() else b""
