"""How inspections, violations, checklists and follow-up rows are written in the API."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from core.geo import to_position
from inspections.models import (
    BackTest,
    ChecklistVersion,
    Inspection,
    LoadAssessment,
    Photo,
    Signature,
    Violation,
    ViolationEvent,
)
from inspections.queries.lines import Line
from inspections.rules.catalogue import Item, Number
from inspections.rules.documents import Differences, FieldChange, ordered
from inspections.rules.evidence import Evidence
from inspections.rules.violation import is_overdue
from inspections.services.steps import state_of


def moment(value: datetime | None) -> str | None:
    return value.isoformat() if value else None


def inspection_head(inspection: Inspection) -> dict[str, Any]:
    """An inspection as it stands in lists."""
    return {
        "id": str(inspection.id),
        "tower": inspection.tower.code,
        "tower_name": inspection.tower.name,
        "kind": inspection.kind,
        "status": inspection.status,
        "inspector": inspection.inspector.name or inspection.inspector.email,
        "inspected_on": inspection.inspected_on.isoformat(),
        "submitted_at": moment(inspection.submitted_at),
        "complete": inspection.complete,
        "photo_count": {
            "arrived": inspection.photos_here or 0,
            "expected": inspection.photos_expected,
        },
        "version": inspection.version,
    }


def inspection_body(
    inspection: Inspection,
    found: Sequence[Violation],
    reused: Mapping[uuid.UUID, Sequence[str]],
) -> dict[str, Any]:
    """An inspection whole, with what it found."""
    place = to_position(inspection.position) if inspection.position is not None else None
    accuracy = inspection.position_accuracy_m
    return {
        **inspection_head(inspection),
        "checklist_version": inspection.checklist_version.version,
        "structure_type": inspection.structure_type,
        "methods": inspection.methods,
        "position": None
        if place is None
        else {
            "latitude": place.latitude,
            "longitude": place.longitude,
            "accuracy_m": float(accuracy) if accuracy is not None else None,
        },
        "distance_m": float(inspection.distance_m) if inspection.distance_m is not None else None,
        "team": inspection.team,
        "representative": inspection.representative,
        "weather": inspection.weather,
        "started_at": moment(inspection.started_at),
        "ended_at": moment(inspection.ended_at),
        "device_at": moment(inspection.device_at),
        "received_at": moment(inspection.received_at),
        "clock_offset_s": inspection.clock_offset_s,
        "far_reason": inspection.far_reason,
        "instruments": inspection.instruments,
        "verdict": inspection.verdict,
        "note": inspection.note,
        "review_reason": inspection.review_reason,
        "void_reason": inspection.void_reason,
        "void_asked_at": moment(inspection.void_asked_at),
        "voided_at": moment(inspection.voided_at),
        "assessment_requested": inspection.assessment_requested,
        "answers": inspection.draft
        if inspection.draft is not None
        else {answer.item_key: answer.given for answer in inspection.answers},
        "judgements": {
            answer.item_key: {
                "outcome": answer.outcome,
                "value": answer.value,
                "severity": answer.severity,
            }
            for answer in inspection.answers
        },
        "photos": [photo_body(photo, reused) for photo in inspection.photos],
        "violations": [
            {"id": str(one.id), "item": one.item_key, "severity": one.severity, "state": one.state}
            for one in found
        ],
    }


def evidence_body(evidence: Evidence | None) -> dict[str, Any] | None:
    """The evidence grade, and what stands against a better one."""
    if evidence is None:
        return None
    return {
        "grade": evidence.grade,
        "passed": sorted(evidence.passed),
        "reasons": list(evidence.reasons),
    }


def signature_body(signature: Signature, signs_now: bool) -> dict[str, Any]:
    """A signature; `signs_now` is false where the visit was corrected since."""
    return {
        "id": str(signature.id),
        "place": signature.place,
        "name": signature.name,
        "drawn": signature.sha256 is not None,
        "at": signature.at.isoformat(),
        "signs_now": signs_now,
    }


def line_body(line: Line) -> dict[str, Any]:
    """A line of a re-inspection: what it asks, with the photos of before and its own."""
    one = line.violation
    return {
        "violation": str(one.id),
        "item": one.item_key,
        "detail": one.detail,
        "severity": one.severity,
        "found_on": one.found_on.isoformat(),
        "deadline": one.deadline.isoformat(),
        "earlier_answer": line.answer.given if line.answer else None,
        "earlier_photos": [str(photo.id) for photo in line.earlier],
        "photos": [str(photo.id) for photo in line.photos],
        "outcome": line.outcome,
    }


def assessment_body(
    one: LoadAssessment, today: date, touched: Mapping[uuid.UUID, Violation]
) -> dict[str, Any]:
    """A load-safety assessment; `outcome` is null while it waits for its report.

    `touched` are the violations that assessments raised, continued or closed.
    """
    violation = touched.get(one.id)
    return {
        "id": str(one.id),
        "tower": one.tower.code,
        "tower_name": one.tower.name,
        "inspection": str(one.inspection_id) if one.inspection_id else None,
        "requested_on": one.requested_on.isoformat(),
        "deadline": one.deadline.isoformat(),
        "overdue": one.answered_at is None and is_overdue(one.deadline, today),
        "reason": one.reason,
        "answered_at": moment(one.answered_at),
        "outcome": one.outcome,
        "assessed_on": one.assessed_on.isoformat() if one.assessed_on else None,
        "assessor": one.assessor,
        "conclusion": one.conclusion,
        "document": str(one.document_id) if one.document_id else None,
        "violation": str(violation.id) if violation else None,
        "version": one.version,
    }


def photo_body(photo: Photo, reused: Mapping[uuid.UUID, Sequence[str]]) -> dict[str, Any]:
    """A photo; `reused` says that the same picture was sent for another tower, `also_towers`
    names those in the reader's territory."""
    return {
        "id": str(photo.id),
        "inspection": str(photo.inspection_id),
        "item": photo.item_key,
        "sha256": photo.sha256.hex(),
        "media_type": photo.media_type,
        "byte_size": photo.byte_size,
        "width": photo.width,
        "height": photo.height,
        "received_at": photo.received_at.isoformat(),
        "source": photo.source,
        "taken_at": moment(photo.taken_at),
        "latitude": photo.latitude,
        "longitude": photo.longitude,
        "accuracy_m": photo.accuracy_m,
        "reused": photo.id in reused,
        "also_towers": list(reused.get(photo.id, ())),
    }


def violation_head(violation: Violation, today: date) -> dict[str, Any]:
    """A violation as it stands in lists."""
    is_open = violation.state == "open"
    return {
        "id": str(violation.id),
        "tower": violation.tower.code,
        "tower_name": violation.tower.name,
        "item": violation.item_key,
        "detail": violation.detail,
        "severity": violation.severity,
        "state": violation.state,
        "stage": violation.stage,
        "escalation_level": violation.escalation_level,
        "emergency_by": violation.emergency_by.isoformat() if violation.emergency_by else None,
        "found_on": violation.found_on.isoformat(),
        "deadline": violation.deadline.isoformat(),
        "overdue": is_open and is_overdue(violation.deadline, today),
        "ended_on": violation.ended_on.isoformat() if violation.ended_on else None,
        "legal_basis": violation.legal_basis,
        "recommendation": violation.legal_basis is None,
        "checklist_version": violation.checklist_version.version
        if violation.checklist_version
        else None,
    }


def violation_body(violation: Violation, today: date) -> dict[str, Any]:
    """A violation with its events, the first one first."""
    return {
        **violation_head(violation, today),
        "continued_in": str(violation.continued_in_id) if violation.continued_in_id else None,
        "events": [event_body(event) for event in violation.events],
        "possible_steps": sorted(state_of(violation.events).possible),
    }


def event_body(event: ViolationEvent) -> dict[str, Any]:
    return {
        "kind": event.kind,
        "at": event.at.isoformat(),
        "inspection": str(event.inspection_id) if event.inspection_id else None,
        "assessment": str(event.assessment_id) if event.assessment_id else None,
        "severity": event.severity,
        "deadline": event.deadline.isoformat() if event.deadline else None,
        "outcome": event.outcome,
        "reason": event.reason,
        "party": event.party,
        "emergency_by": event.emergency_by.isoformat() if event.emergency_by else None,
    }


def follow_up_body(row: Any) -> dict[str, Any]:
    """One row of the follow-up list."""
    return {
        "kind": "violation" if row.item_key else "assessment",
        "id": str(row.id),
        "tower": row.code,
        "tower_name": row.name,
        "structure_type": row.structure_type,
        "condition": row.condition,
        "item": row.item_key,
        "detail": row.detail,
        "severity": row.severity,
        "stage": row.stage,
        "assignee": {"id": str(row.assignee_id), "name": row.assignee} if row.assignee_id else None,
        "visitors": row.visitors or [],
        "found_on": row.found_on.isoformat(),
        "deadline": row.deadline.isoformat(),
        "days_overdue": row.days_overdue,
        "overdue": row.days_overdue > 0,
        "legal_basis": row.legal_basis,
        "commune": {"code": row.commune_code, "name": row.commune} if row.commune else None,
        "owner": {"id": str(row.owner_id), "name": row.owner} if row.owner else None,
        "latitude": row.latitude,
        "longitude": row.longitude,
    }


def checklist_head(version: ChecklistVersion) -> dict[str, Any]:
    return {
        "catalogue": version.catalogue,
        "version": version.version,
        "status": version.status,
        "published_at": version.published_at.isoformat() if version.published_at else None,
        "revision": version.revision,
        "based_on": version.based_on,
        "changed_at": version.changed_at.isoformat() if version.changed_at else None,
    }


def checklist_body(version: ChecklistVersion) -> dict[str, Any]:
    """A version whole, its content in the order of a document."""
    return {**checklist_head(version), "content": ordered(version.content)}


def differences_body(found: Differences) -> dict[str, Any]:
    """What differs between two versions."""
    return {
        "items": [
            {
                "key": one.key,
                "kind": one.kind,
                "fields": [field_body(each) for each in one.fields],
            }
            for one in found.items
        ],
        "reordered": found.reordered,
        "moved": [vars(one) for one in found.moved],
        "beside": [field_body(one) for one in found.beside],
    }


def field_body(one: FieldChange) -> dict[str, Any]:
    return {"field": one.field, "before": one.before, "after": one.after}


def back_test_body(
    test: BackTest, draft: ChecklistVersion, counts: Sequence[Any]
) -> dict[str, Any]:
    """A back-test with its numbers by commune; `current` unless the draft was edited since."""
    return {
        "version": draft.version,
        "revision": test.revision,
        "current": test.revision == draft.revision,
        "started_at": test.started_at.isoformat(),
        "finished_at": test.finished_at.isoformat() if test.finished_at else None,
        "inspections": test.inspections,
        "answers": test.answers,
        "unjudged": test.unjudged,
        "communes": [asdict(one) for one in counts],
    }


def finding_body(row: Any) -> dict[str, Any]:
    """An answer that a draft would judge otherwise."""
    return {
        "tower": row.code,
        "tower_name": row.name,
        "inspection": str(row.inspection_id),
        "inspected_on": row.inspected_on.isoformat(),
        "item": row.item_key,
        "before": row.before,
        "after": row.after,
    }


def item_form(item: Item, language: str) -> dict[str, Any]:
    """An item as a form needs it, in one language."""
    answer = item.answer
    return {
        "key": item.key,
        "group": item.group,
        "label": item.text(language),
        "type": answer.type,
        "unit": answer.unit.in_language(language),
        "prompt": answer.prompt.in_language(language) if answer.prompt else "",
        "low": answer.low,
        "high": answer.high,
        "decimals": answer.decimals,
        "step": "any" if answer.type == "measurement" else "1",
        "choices": [(one.key, one.text.in_language(language)) for one in answer.choices],
        "pass_value": answer.pass_value,
        "inputs": [number_form(one, language) for one in answer.derived.inputs]
        if answer.derived
        else [],
        "record_also": [number_form(one, language) for one in answer.record_also],
        "how": item.how,
        "photo": item.photo == "on_fail",
        "legal_basis": item.legal_basis,
        "basis": item.basis,
        "asked_when": item.asked_when,
        "levels": [
            {"severity": level.severity, "days": level.remedy_days} for level in item.levels
        ],
    }


def number_form(one: Number, language: str) -> dict[str, Any]:
    return {
        "key": one.key,
        "unit": one.unit.in_language(language),
        "low": one.low,
        "high": one.high,
        "choices": one.choices,
    }
