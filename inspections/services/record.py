"""Recording a visit: idempotent by its id, judged when submitted, corrected until accepted."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import DateTime, LargeBinary, Uuid, bindparam, delete, select, text
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Session

from core import audit, policy
from core.errors import Conflict, FieldText, Invalid, NotFound, PreconditionFailed
from core.geo import Position, to_point
from core.i18n import N_
from core.policy import Actor
from inspections.field_models import DeclaredPhoto, ReviewItem
from inspections.models import (
    Answer,
    ChecklistVersion,
    Inspection,
    Photo,
    Submission,
    Violation,
)
from inspections.rules.catalogue import LOAD_SAFETY
from inspections.rules.evaluation import (
    Evaluation,
    GivenAnswer,
    Structure,
    applicable_items,
    evaluate,
)
from inspections.rules.evidence import Verdict
from inspections.rules.sync import Reason
from inspections.rules.violation import ReinspectionOutcome
from inspections.services import checklists, circumstances, condition
from inspections.services.assessments import request_assessment, withdraw_request
from inspections.services.circumstances import Circumstances
from inspections.services.declared import Declared, declare
from inspections.services.settle import looked_at, reinspection_outcomes, settle
from towers import services as towers
from towers.models import Tower
from towers.rules import StructureType, overall_height

# A checklist has forty answers: as one value they cost no more than one row, and go with the body
# that they come from.
ANSWERS = text(
    "WITH kept AS (INSERT INTO submission"
    " (inspection_id, received_at, by_id, body, body_hash, outcome)"
    " VALUES (:inspection_id, :now, :by_id, :body, :body_hash, 'submitted'))"
    " INSERT INTO answer (inspection_id, item_key, given, outcome, value, severity)"
    " SELECT :inspection_id, item_key, given, outcome, value, severity"
    " FROM jsonb_to_recordset(:answers)"
    " AS one (item_key text, given jsonb, outcome text, value jsonb, severity text)"
).bindparams(
    bindparam("inspection_id", type_=Uuid()),
    bindparam("by_id", type_=Uuid()),
    bindparam("now", type_=DateTime(timezone=True)),
    bindparam("body", type_=JSONB()),
    bindparam("body_hash", type_=LargeBinary()),
    bindparam("answers", type_=JSONB()),
)
# Nobody has records of inspections from before: an earlier day is a slip of the pen.
EARLIEST = date(1990, 1, 1)


@dataclass(frozen=True)
class Visit:
    """What an inspector brings home. `answers` is JSON as the catalogue describes it."""

    kind: str
    inspected_on: date
    answers: dict[str, dict[str, Any]]
    submit: bool
    structure_type: str | None = None
    checklist_version: int | None = None
    # How the visit was made; devices of before do not say.
    methods: tuple[str, ...] | None = None
    position: Position | None = None
    position_accuracy_m: Decimal | None = None
    note: str = ""
    assessment_requested: bool = False
    assessment_reason: str = ""
    circumstances: Circumstances = field(default_factory=Circumstances)
    # What a phone says besides: its photos, which may still be on their way, why it stood far from
    # the tower, and by how many seconds its clock was ahead of ours.
    declared: tuple[Declared, ...] = ()
    far_reason: str = ""
    clock_offset_s: int | None = None
    body: dict[str, Any] = field(default_factory=dict)

    @property
    def asks_for_assessment(self) -> bool:
        """Whether it asks for a load-safety assessment, in so many words or as its verdict."""
        return self.assessment_requested or (
            self.circumstances.verdict == Verdict.ASSESSMENT_NEEDED
        )

    @cached_property
    def hash(self) -> bytes:
        """The hash of the body as it was sent, whatever the order of its keys."""
        return hashlib.sha256(orjson.dumps(self.body, option=orjson.OPT_SORT_KEYS)).digest()


def record_inspection(
    session: Session,
    inspection_id: uuid.UUID,
    tower: Tower,
    visit: Visit,
    *,
    by: Actor,
    now: datetime,
    zone: ZoneInfo,
    held: bool = False,
) -> tuple[Inspection, bool]:
    """Record a visit under the id that its device made; returns it and whether it is new.

    `held` says that this transaction holds the tower and found no such inspection since.

    The same id with the same body is the first answer again. With another body it is kept for
    review and `Conflict` is raised after the transaction has kept it: see `keep_conflict`.
    Raises `Invalid` with a text for each answer that is not right.
    """
    policy.require(by, "inspection.create")
    known = None if held else session.get(Inspection, inspection_id)
    if known is None:
        _require_tower(by, tower)
        version = _version(session, visit)
        values = {
            "id": inspection_id,
            "tower_id": tower.id,
            "checklist_version_id": version.id,
            "kind": visit.kind,
            "status": "draft",
            "structure_type": tower.structure_type,
            "inspector_id": by.id,
            "inspected_on": visit.inspected_on,
            "body_hash": visit.hash,
            "created_at": now,
        }
        made: Inspection | None
        if held:
            # It is written once it is whole: who holds its tower is not overtaken.
            made = Inspection(**values, version=1, tower=tower, checklist_version=version)
            session.add(made)
        else:
            made = session.scalars(
                insert(Inspection)
                .values(**values)
                .on_conflict_do_nothing(index_elements=["id"])
                .returning(Inspection)
            ).one_or_none()
        if made is not None:
            here = tower if held else None
            _write(session, made, visit, by=by, now=now, zone=zone, new=True, held=here)
            audit.record(
                session,
                "inspection.create",
                "inspection",
                made.id,
                by=by,
                now=now,
                after={"tower": tower.code, "kind": made.kind, "status": made.status},
            )
            return made, True
        known = session.get_one(Inspection, inspection_id, populate_existing=True)
    if known.inspector_id != by.id:
        raise NotFound()
    if is_known(session, known, visit):
        return known, False
    raise DifferentBody(
        N_("Another record was sent under this number before; this one is kept for review"),
        id=str(inspection_id),
    )


def is_known(session: Session, inspection: Inspection, visit: Visit) -> bool:
    """Whether this very visit was sent for the inspection before."""
    return inspection.body_hash == visit.hash or _was_sent(session, inspection, visit.hash)


def with_structure_type(visit: Visit, structure_type: str) -> Visit:
    """The visit with the structure type as it was determined before."""
    body = {**visit.body, "structure_type": structure_type}
    return replace(visit, structure_type=structure_type, body=body)


def as_draft(visit: Visit) -> Visit:
    """The same visit, not yet submitted."""
    return replace(visit, submit=False, body={**visit.body, "submit": False})


def as_submitted(visit: Visit) -> Visit:
    """The same visit, submitted."""
    return replace(visit, submit=True, body={**visit.body, "submit": True})


class DifferentBody(Conflict):
    """Another body under a known id. The door keeps it with `keep_conflict` before answering."""

    code = "different_body"


def keep_conflict(
    session: Session, inspection_id: uuid.UUID, visit: Visit, *, by: Actor, now: datetime
) -> None:
    """Keep a body that came under a known id for staff, so that nothing is lost; sent again it is
    one."""
    kept = session.scalar(
        select(Submission.id).where(
            Submission.inspection_id == inspection_id,
            Submission.body_hash == visit.hash,
            Submission.outcome == "conflict",
        )
    )
    if kept is not None:
        return
    session.add(
        Submission(
            inspection_id=inspection_id,
            received_at=now,
            by_id=by.id,
            body=visit.body,
            body_hash=visit.hash,
            outcome="conflict",
        )
    )
    known = session.get_one(Inspection, inspection_id)
    session.execute(
        insert(ReviewItem)
        .values(
            reason=Reason.DIFFERENT_BODY,
            kind="inspection",
            operation_id=inspection_id,
            inspection_id=inspection_id,
            other_id=inspection_id,
            tower_id=known.tower_id,
            body={**visit.body, "id": str(inspection_id)},
            body_hash=visit.hash,
            by_id=by.id,
            device_at=visit.circumstances.device_at,
            received_at=now,
        )
        .on_conflict_do_nothing()
    )
    session.flush()


def correct_inspection(
    session: Session,
    inspection: Inspection,
    visit: Visit,
    *,
    by: Actor,
    now: datetime,
    zone: ZoneInfo,
) -> Inspection:
    """Replace what a visit says, by its own inspector, until it is accepted.

    Every version that was sent stays in `submission`. Raises `Conflict` afterwards, and
    `PreconditionFailed` when the inspection was changed since this session read it.
    """
    policy.require(by, "inspection.correct")
    if inspection.inspector_id != by.id:
        raise NotFound()
    seen = inspection.version
    session.refresh(inspection, with_for_update={"of": Inspection})
    if inspection.version != seen and inspection.body_hash != visit.hash:
        # The door compared If-Match with what it read: somebody was faster since.
        raise PreconditionFailed(current=f'"v{inspection.version}"')
    if inspection.status not in {"draft", "submitted", "returned"}:
        raise Conflict(
            N_("This inspection was accepted or voided and can no longer be corrected"),
            status=inspection.status,
        )
    if inspection.status != "draft" and not visit.submit:
        raise Conflict(N_("A submitted inspection cannot become a draft again"))
    if visit.kind != inspection.kind:
        raise Conflict(N_("The kind of an inspection cannot be changed"))
    if inspection.body_hash == visit.hash and inspection.status != "returned":
        return inspection
    return _next_version(session, inspection, visit, by=by, now=now, zone=zone)


def take_version(
    session: Session,
    inspection: Inspection,
    visit: Visit,
    *,
    by: Actor,
    now: datetime,
    zone: ZoneInfo,
) -> Inspection:
    """Make what waited for staff the next version of an inspection, as they decided; `by` is its
    inspector. Raises `Conflict` for what was voided.

    One that was accepted is to be reviewed again: it says something else.
    """
    session.refresh(inspection, with_for_update={"of": Inspection})
    if inspection.status == "voided":
        raise Conflict(N_("This inspection was voided: what it says no longer counts"))
    if visit.kind != inspection.kind:
        raise Conflict(N_("The kind of an inspection cannot be changed"))
    if inspection.status != "draft" and not visit.submit:
        raise Conflict(N_("A submitted inspection cannot become a draft again"))
    return _next_version(session, inspection, visit, by=by, now=now, zone=zone)


def _next_version(
    session: Session,
    inspection: Inspection,
    visit: Visit,
    *,
    by: Actor,
    now: datetime,
    zone: ZoneInfo,
) -> Inspection:
    """Write what a visit says now in the place of what it said."""
    before = {"status": inspection.status, "version": inspection.version}
    inspection.version += 1
    _write(session, inspection, visit, by=by, now=now, zone=zone)
    audit.record(
        session,
        "inspection.correct",
        "inspection",
        inspection.id,
        by=by,
        now=now,
        before=before,
        after={"status": inspection.status, "version": inspection.version},
    )
    return inspection


def discard_draft(session: Session, inspection: Inspection, *, by: Actor, now: datetime) -> None:
    """Throw a draft away, by its own inspector; raises `Conflict` for anything submitted."""
    if inspection.inspector_id != by.id:
        raise NotFound()
    if inspection.status != "draft" or inspection.photos:
        raise Conflict(N_("Only a draft without photos can be discarded"))
    audit.record(session, "inspection.discard", "inspection", inspection.id, by=by, now=now)
    session.execute(delete(Inspection).where(Inspection.id == inspection.id))


def structure_of(tower: Tower, structure_type: str) -> Structure:
    """What of a tower decides which items apply."""
    return Structure(
        structure_type=structure_type,
        services=frozenset(tower.services),
        height_m=tower.height_m,
        overall_height_m=overall_height(
            structure_type, tower.height_m, tower.host_building_height_m
        ),
    )


def open_items(session: Session, tower: Tower) -> frozenset[str]:
    """The items of which the tower has an open violation: what a re-inspection looks at."""
    return frozenset(
        session.scalars(
            select(Violation.item_key).where(
                Violation.tower_id == tower.id, Violation.state == "open"
            )
        )
    )


def sent_before(session: Session, inspection: Inspection) -> dict[str, Any]:
    """What was last sent for this visit, as it was sent; empty where nothing was."""
    body = session.scalar(
        select(Submission.body)
        .where(Submission.inspection_id == inspection.id, Submission.outcome != "conflict")
        .order_by(Submission.id.desc())
        .limit(1)
    )
    return body or {}


def _require_tower(by: Actor, tower: Tower) -> None:
    if not policy.may(by, "tower.view", tower):
        raise NotFound()


def _was_sent(session: Session, inspection: Inspection, body_hash: bytes) -> bool:
    return bool(
        session.scalar(
            select(Submission.id)
            .where(
                Submission.inspection_id == inspection.id,
                Submission.body_hash == body_hash,
                Submission.outcome != "conflict",
            )
            .limit(1)
        )
    )


def _version(session: Session, visit: Visit) -> ChecklistVersion:
    if visit.checklist_version is None:
        return checklists.current(session)
    return checklists.for_inspection(session, visit.checklist_version)


def _write(
    session: Session,
    inspection: Inspection,
    visit: Visit,
    *,
    by: Actor,
    now: datetime,
    zone: ZoneInfo,
    new: bool = False,
    held: Tower | None = None,
) -> None:
    """Write the visit into its row; a submitted one is judged and settled at once.

    Of a `new` one nothing stands yet that it could take the place of; `held` is its tower where
    this transaction holds it already.
    """
    today = now.astimezone(zone).date()
    if visit.inspected_on > today:
        message = N_("The day of the inspection lies in the future")
        raise Invalid(message, fields={"inspected_on": [message]})
    if visit.inspected_on < EARLIEST:
        message = N_("The day of the inspection lies too far in the past")
        raise Invalid(message, fields={"inspected_on": [message]})
    # One writer a tower, so that two inspections cannot open the same violation twice.
    tower = held or towers.hold(session, inspection.tower_id)
    inspection.inspected_on = visit.inspected_on
    inspection.position = to_point(visit.position) if visit.position else None
    inspection.position_accuracy_m = visit.position_accuracy_m if visit.position else None
    inspection.note = visit.note
    inspection.far_reason = visit.far_reason
    inspection.clock_offset_s = visit.clock_offset_s
    inspection.methods = None if visit.methods is None else list(visit.methods)
    inspection.body_hash = visit.hash
    circumstances.write(inspection, visit.circumstances, tower, now=now)
    inspection.assessment_requested = visit.asks_for_assessment
    inspection.structure_type = _structure_type(tower, visit)
    inspection.height_m = tower.height_m
    inspection.overall_height_m = structure_of(tower, inspection.structure_type).overall_height_m
    declare(session, inspection, visit.declared, now=now)
    if not visit.submit:
        inspection.draft = visit.answers
        session.flush()
        _keep_draft(session, inspection, visit, by=by, now=now)
        return
    if inspection.structure_type == StructureType.UNKNOWN:
        message = N_("Determine the structure type first")
        raise Invalid(message, fields={"structure_type": [message]})
    if tower.structure_type == StructureType.UNKNOWN:
        towers.determine_structure_type(session, tower, inspection.structure_type, by=by, now=now)
    with session.no_autoflush:
        evaluation = judge(session, inspection, tower, visit, new=new)
    inspection.status = "submitted"
    inspection.review_reason = ""
    inspection.draft = None
    first = inspection.submitted_at or now
    inspection.submitted_at = first
    inspection.complete = evaluation.complete
    session.flush()
    if not new:
        session.execute(delete(Answer).where(Answer.inspection_id == inspection.id))
    session.expire(inspection, ["answers"])
    answers = [
        {
            "item_key": item_key,
            "given": visit.answers[item_key],
            "outcome": judgement.outcome,
            "value": _plain(judgement.value),
            "severity": judgement.severity,
        }
        for item_key, judgement in evaluation.judgements.items()
    ]
    session.execute(
        ANSWERS,
        {
            "inspection_id": inspection.id,
            "answers": answers,
            "now": now,
            "by_id": by.id,
            "body": visit.body,
            "body_hash": visit.hash,
        },
    )
    settle(
        session,
        inspection,
        evaluation,
        by=by,
        now=now,
        today=today,
        found_on=first.astimezone(zone).date(),
        new=new,
    )
    if visit.asks_for_assessment:
        request_assessment(
            session,
            tower,
            inspection=inspection,
            reason=visit.assessment_reason or visit.note,
            by=by,
            now=now,
            today=today,
        )
    elif not new:
        # A correction that no longer asks for an assessment takes the unanswered request back.
        withdraw_request(session, inspection)
    condition.refresh(session, tower)


def _keep_draft(
    session: Session, inspection: Inspection, visit: Visit, *, by: Actor, now: datetime
) -> None:
    """Keep the body as it came: evidence, and how a resend of it is known for ever."""
    session.execute(
        insert(Submission).values(
            inspection_id=inspection.id,
            received_at=now,
            by_id=by.id,
            body=visit.body,
            body_hash=visit.hash,
            outcome="draft",
        )
    )


def _structure_type(tower: Tower, visit: Visit) -> str:
    """The type of the structure: of the register, or as the inspector determined it."""
    if tower.structure_type != StructureType.UNKNOWN:
        if visit.structure_type not in {None, "", tower.structure_type}:
            message = N_(
                "The register names another structure type: ask the department to correct it"
            )
            raise Invalid(message, fields={"structure_type": [message]})
        return tower.structure_type
    return visit.structure_type or StructureType.UNKNOWN


def judge(
    session: Session, inspection: Inspection, tower: Tower, visit: Visit, *, new: bool = False
) -> Evaluation:
    """Judge the answers by the version of the catalogue that the inspection names; a `new` one has
    no photos yet but those that it names.

    Raises `Invalid` with a text for each answer that is not right or misses its photo.
    """
    catalogue = checklists.catalogue_of(session, inspection.checklist_version)
    structure = structure_of(tower, inspection.structure_type)
    answers = {key: GivenAnswer.from_json(given) for key, given in visit.answers.items()}
    asked = looked_at(session, inspection) if inspection.kind == "reinspection" else {}
    beside = checklists.beside(asked)
    evaluation = evaluate(catalogue, structure, answers, visit.methods, beside=beside)
    fields: dict[str, list[FieldText]] = {}
    if visit.methods is not None and not visit.methods:
        fields["methods"] = [N_("Say how the visit was made")]
    for found in evaluation.problems:
        fields.setdefault(f"answers.{found.item_key}", []).append((found.message, found.facts))
    if LOAD_SAFETY in answers and not beside:
        fields[f"answers.{LOAD_SAFETY}"] = [
            N_("No violation of a load-safety assessment is open here: leave this answer out")
        ]
    if not answers:
        fields["answers"] = [N_("No item was answered")]
    needs_photo = evaluation.photos_required
    if inspection.kind == "reinspection":
        must = asked.keys() & {item.key for item in applicable_items(catalogue, structure, beside)}
        for key in sorted(must - answers.keys()):
            fields.setdefault(f"answers.{key}", []).append(
                N_("Say whether this violation is fixed, not fixed or cannot be verified")
            )
        outcomes = reinspection_outcomes(evaluation)
        # Nothing is closed without something that shows it.
        needs_photo |= {key for key in must if outcomes.get(key) is ReinspectionOutcome.FIXED}
    with_photo: set[str | None] = set()
    if needs_photo and not new:
        with_photo |= set(
            session.scalars(select(Photo.item_key).where(Photo.inspection_id == inspection.id))
        )
    # One that is declared is on its way: the record counts it as waiting until it is there.
    with_photo |= {one.item_key for one in visit.declared}
    if inspection.version > 1:
        named = select(DeclaredPhoto.item_key).where(DeclaredPhoto.inspection_id == inspection.id)
        with_photo |= set(session.scalars(named))
    for key in sorted(needs_photo - with_photo):
        fields.setdefault(f"answers.{key}", []).append(N_("This answer needs at least one photo"))
    if fields:
        raise Invalid(N_("Some answers are not right"), fields=fields)
    return evaluation


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
