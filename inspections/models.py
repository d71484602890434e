"""Checklists, inspections with their answers and photos, violations and their events."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from geoalchemy2 import Geometry
from geoalchemy2.elements import WKBElement, WKTElement
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    Numeric,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column, query_expression, relationship

from accounts.models import User
from core.geo import SRID
from core.model import Base, one_of
from inspections.rules.evidence import PhotoSource, SignaturePlace, Verdict, Weather
from inspections.rules.load_safety import AssessmentOutcome
from inspections.rules.violation import FINDINGS, EventKind, Stage, Voice, said_by
from towers.models import Document, Tower

SEVERITIES = "('critical', 'major', 'minor')"


def _listed(kinds: Iterable[EventKind]) -> str:
    """Kinds of events as SQL writes a list."""
    return "(" + ", ".join(f"'{kind}'" for kind in EventKind if kind in set(kinds)) + ")"


class ChecklistVersion(Base):
    """One version of the catalogue, whole, as it judged the inspections that name it.

    A draft is edited, each time with the next `revision`; once published the database keeps the
    content as it is. `based_on` is the version that a draft was copied from.
    """

    __tablename__ = "checklist_version"
    __table_args__ = (
        UniqueConstraint("catalogue", "version"),
        CheckConstraint("status IN ('draft', 'published', 'retired')", name="status"),
        *(
            Index(
                f"uq_checklist_version_{status}",
                "catalogue",
                unique=True,
                postgresql_where=text(f"status = '{status}'"),
            )
            for status in ("draft", "published")
        ),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    catalogue: Mapped[str]
    version: Mapped[int]
    status: Mapped[str]
    content: Mapped[dict[str, Any]] = mapped_column(JSONB, deferred=True)
    published_at: Mapped[datetime | None]
    revision: Mapped[int] = mapped_column(server_default="1", default=1)
    based_on: Mapped[int | None]
    changed_at: Mapped[datetime | None]
    changed_by: Mapped[str] = mapped_column(server_default="", default="")
    # By this a parsed content is known again, without being read.
    digest: Mapped[str] = mapped_column(Computed("md5(content::text)", persisted=True))


class BackTest(Base):
    """How the inspections of the past fare under a draft; `revision` is the draft's at its start.

    A job does it where there is much to judge; without `finished_at` it is on its way.
    """

    __tablename__ = "back_test"

    checklist_version_id: Mapped[int] = mapped_column(
        ForeignKey("checklist_version.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )
    revision: Mapped[int]
    job_id: Mapped[int | None] = mapped_column(BigInteger)
    inspections: Mapped[int] = mapped_column(server_default="0", default=0)
    answers: Mapped[int] = mapped_column(server_default="0", default=0)
    # Answers that the draft's item cannot read, as it asks for another kind of answer now.
    unjudged: Mapped[int] = mapped_column(server_default="0", default=0)
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    actor: Mapped[str]


class BackTestFinding(Base):
    """One past answer that a draft would judge otherwise; without a severity it is in order."""

    __tablename__ = "back_test_finding"
    __table_args__ = (
        CheckConstraint(f"before IN {SEVERITIES}", name="before"),
        CheckConstraint(f"after IN {SEVERITIES}", name="after"),
        CheckConstraint("before IS DISTINCT FROM after", name="differs"),
        Index("ix_back_test_finding_inspection_id", "inspection_id"),
    )

    checklist_version_id: Mapped[int] = mapped_column(
        ForeignKey("back_test.checklist_version_id", ondelete="CASCADE"), primary_key=True
    )
    inspection_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("inspection.id", ondelete="CASCADE"), primary_key=True
    )
    item_key: Mapped[str] = mapped_column(primary_key=True)
    before: Mapped[str | None]
    after: Mapped[str | None]


class Inspection(Base):
    """One visit. The id comes from the device; `body_hash` tells a resend from another body."""

    __tablename__ = "inspection"
    __table_args__ = (
        CheckConstraint(
            "status IN ('draft', 'submitted', 'accepted', 'returned', 'voided')", name="status"
        ),
        CheckConstraint(
            "kind IN ('periodic', 'campaign', 'complaint', 'after_storm', 'reinspection')",
            name="kind",
        ),
        CheckConstraint("(status = 'draft') = (submitted_at IS NULL)", name="submitted_at"),
        one_of("weather", Weather),
        one_of("verdict", Verdict),
        CheckConstraint("ended_at >= started_at", name="times"),
        CheckConstraint("(void_asked_at IS NULL) = (void_reason = '')", name="void_asked"),
        CheckConstraint(
            "voided_at IS NULL OR (status = 'voided' AND void_asked_at IS NOT NULL)", name="voided"
        ),
        Index(
            "ix_inspection_void_asked_at",
            "void_asked_at",
            "id",
            postgresql_where=text("void_asked_at IS NOT NULL AND voided_at IS NULL"),
        ),
        CheckConstraint(
            "methods <@ ARRAY['ground', 'climb', 'documents', 'instrument']", name="methods"
        ),
        Index("ix_inspection_tower_id_inspected_on", "tower_id", "inspected_on"),
        # The order of the list: a draft stands where it was begun.
        Index("ix_inspection_moment_id", text("coalesce(submitted_at, created_at)"), "id"),
        Index("ix_inspection_inspector_id", "inspector_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    tower_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tower.id"))
    checklist_version_id: Mapped[int] = mapped_column(ForeignKey("checklist_version.id"))
    kind: Mapped[str]
    status: Mapped[str]
    structure_type: Mapped[str]
    height_m: Mapped[Decimal | None] = mapped_column(Numeric(6, 1))
    overall_height_m: Mapped[Decimal | None] = mapped_column(Numeric(6, 1))
    inspector_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("user.id"))
    inspected_on: Mapped[date]
    submitted_at: Mapped[datetime | None]
    body_hash: Mapped[bytes] = mapped_column(LargeBinary)
    position: Mapped[WKBElement | WKTElement | None] = mapped_column(
        Geometry("POINT", srid=SRID, spatial_index=False)
    )
    position_accuracy_m: Mapped[Decimal | None] = mapped_column(Numeric(8, 1))
    # From there to the tower as the register had it when this was submitted.
    distance_m: Mapped[Decimal | None] = mapped_column(Numeric(10, 1))
    team: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}", default=list)
    representative: Mapped[str] = mapped_column(server_default="", default="")
    weather: Mapped[str | None]
    # By the clock of the device: the visit, and when it was last sent; by ours when that came.
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    device_at: Mapped[datetime | None]
    received_at: Mapped[datetime | None]
    # Seconds by which the device's clock was ahead of ours when it was sent from a phone.
    clock_offset_s: Mapped[int | None] = mapped_column(BigInteger)
    # Why the inspector stood far from the tower.
    far_reason: Mapped[str] = mapped_column(server_default="", default="")
    instruments: Mapped[list[dict[str, Any]]] = mapped_column(
        JSONB, server_default="[]", default=list
    )
    verdict: Mapped[str | None]
    # How the visit was made; older records do not say.
    methods: Mapped[list[str] | None] = mapped_column(ARRAY(Text()))
    note: Mapped[str] = mapped_column(server_default="", default="")
    review_reason: Mapped[str] = mapped_column(server_default="", default="")
    assessment_requested: Mapped[bool] = mapped_column(server_default=text("false"), default=False)
    complete: Mapped[bool] = mapped_column(server_default=text("false"), default=False)
    # The answers of a draft as they were given, judged only when it is submitted.
    draft: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    demo: Mapped[bool] = mapped_column(server_default=text("false"), default=False)
    version: Mapped[int] = mapped_column(server_default="1", default=1)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    # Voiding is asked for by one person and confirmed by another.
    void_asked_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"))
    void_asked_at: Mapped[datetime | None]
    void_reason: Mapped[str] = mapped_column(server_default="", default="")
    voided_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"))
    voided_at: Mapped[datetime | None]

    tower: Mapped[Tower] = relationship()
    inspector: Mapped[User] = relationship(foreign_keys=[inspector_id])
    void_asked_by: Mapped[User | None] = relationship(foreign_keys=[void_asked_by_id])
    voided_by: Mapped[User | None] = relationship(foreign_keys=[voided_by_id])
    checklist_version: Mapped[ChecklistVersion] = relationship()
    answers: Mapped[list[Answer]] = relationship(
        back_populates="inspection", cascade="all, delete-orphan", order_by="Answer.item_key"
    )
    photos: Mapped[list[Photo]] = relationship(
        back_populates="inspection", order_by="Photo.received_at, Photo.id"
    )
    signatures: Mapped[list[Signature]] = relationship(order_by="Signature.at, Signature.id")

    # How many photos are here, and how many that it names are still on their way; only where a
    # query asks for them (`queries.lists`).
    photos_here: Mapped[int | None] = query_expression()
    photos_waiting: Mapped[int | None] = query_expression()

    @property
    def photos_expected(self) -> int:
        """How many photos it has once all of them are here."""
        return (self.photos_here or 0) + (self.photos_waiting or 0)


class Submission(Base):
    """Every body that ever came for an inspection, drafts too: evidence, only ever added."""

    __tablename__ = "submission"
    __table_args__ = (Index("ix_submission_inspection_id", "inspection_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    inspection_id: Mapped[uuid.UUID]
    received_at: Mapped[datetime]
    by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"))
    body: Mapped[dict[str, Any]] = mapped_column(JSONB)
    body_hash: Mapped[bytes] = mapped_column(LargeBinary)
    outcome: Mapped[str]


class Answer(Base):
    """What was answered to one item, and how the catalogue judged it."""

    __tablename__ = "answer"
    __table_args__ = (
        CheckConstraint("outcome IN ('ok', 'not_checked', 'not_applicable')", name="outcome"),
        CheckConstraint(f"severity IN {SEVERITIES}", name="severity"),
    )

    inspection_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("inspection.id", ondelete="CASCADE"), primary_key=True
    )
    item_key: Mapped[str] = mapped_column(primary_key=True)
    given: Mapped[dict[str, Any]] = mapped_column(JSONB)
    outcome: Mapped[str]
    value: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    severity: Mapped[str | None]

    inspection: Mapped[Inspection] = relationship(back_populates="answers")


class Photo(Base):
    """A picture of one inspection; the file lies in the photo store under its own hash."""

    __tablename__ = "photo"
    __table_args__ = (
        CheckConstraint("byte_size > 0", name="byte_size"),
        CheckConstraint("length(sha256) = 32", name="sha256"),
        one_of("source", PhotoSource),
        Index("ix_photo_inspection_id", "inspection_id"),
        Index("ix_photo_sha256", "sha256"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    inspection_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("inspection.id"))
    item_key: Mapped[str | None]
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    media_type: Mapped[str]
    byte_size: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    original_name: Mapped[str] = mapped_column(server_default="")
    by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"))
    received_at: Mapped[datetime]
    # Whether it came from the camera during the visit or was chosen from the files of a device.
    source: Mapped[str] = mapped_column(server_default="file", default="file")
    taken_at: Mapped[datetime | None]
    # Where the device was: degrees of EPSG:4326, metres.
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    accuracy_m: Mapped[float | None]

    inspection: Mapped[Inspection] = relationship(back_populates="photos")


class Signature(Base):
    """Who signed what a visit said, drawn or by name; evidence, only ever added.

    `body_hash` is that of the visit as it was then: a later correction is not signed by it.
    """

    __tablename__ = "signature"
    __table_args__ = (
        one_of("place", SignaturePlace),
        CheckConstraint("length(btrim(name)) BETWEEN 1 AND 200", name="name"),
        CheckConstraint("length(sha256) = 32", name="sha256"),
        Index("ix_signature_inspection_id", "inspection_id", "at", "id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    inspection_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("inspection.id"))
    place: Mapped[str]
    name: Mapped[str]
    sha256: Mapped[bytes | None] = mapped_column(LargeBinary)
    body_hash: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime]
    by_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("user.id"))


class Violation(Base):
    """A defect of one tower. All but its identity is derived from its events."""

    __tablename__ = "violation"
    __table_args__ = (
        CheckConstraint(f"severity IN {SEVERITIES}", name="severity"),
        CheckConstraint("state IN ('open', 'closed', 'withdrawn')", name="state"),
        one_of("stage", Stage),
        CheckConstraint(
            "(state = 'open') = (stage NOT IN ('closed', 'withdrawn'))", name="stage_state"
        ),
        CheckConstraint("(state = 'open') = (ended_on IS NULL)", name="ended_on"),
        CheckConstraint(
            "(checklist_version_id IS NULL) = (item_key = 'load_safety')", name="load_safety"
        ),
        Index(
            "uq_violation_open_tower_id_item_key",
            "tower_id",
            "item_key",
            unique=True,
            postgresql_where=text("state = 'open'"),
        ),
        Index(
            "ix_violation_open_urgency",
            "urgency",
            "deadline",
            "id",
            postgresql_where=text("state = 'open'"),
        ),
        Index(
            "ix_violation_open_emergency_by",
            "emergency_by",
            postgresql_where=text("state = 'open' AND emergency_by IS NOT NULL"),
        ),
        Index("ix_violation_tower_id", "tower_id"),
        Index(
            "ix_violation_open_assignee",
            "assignee_id",
            "urgency",
            "deadline",
            "id",
            postgresql_where=text("state = 'open' AND assignee_id IS NOT NULL"),
        ),
        Index(
            "ix_violation_continued_in_id",
            "continued_in_id",
            postgresql_where=text("continued_in_id IS NOT NULL"),
        ),
        Index("ix_violation_found_on_id", "found_on", "id"),
        Index(
            "ix_violation_closed_ended_on",
            "ended_on",
            postgresql_where=text("state = 'closed'"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(
        primary_key=True, default=uuid.uuid4, server_default=text("gen_random_uuid()")
    )
    tower_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tower.id"))
    item_key: Mapped[str]
    # The version that judged it; none where a load-safety assessment found it.
    checklist_version_id: Mapped[int | None] = mapped_column(ForeignKey("checklist_version.id"))
    # What a load-safety assessment demands, beside the text of the item.
    detail: Mapped[str] = mapped_column(server_default="", default="")
    legal_basis: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    severity: Mapped[str]
    # 1 critical, 3 major, 4 minor; 2 is left to a requested load-safety assessment.
    urgency: Mapped[int] = mapped_column(
        SmallInteger,
        Computed(
            "CASE severity WHEN 'critical' THEN 1 WHEN 'major' THEN 3 ELSE 4 END", persisted=True
        ),
    )
    deadline: Mapped[date]
    found_on: Mapped[date]
    state: Mapped[str]
    stage: Mapped[str] = mapped_column(server_default="found", default="found")
    escalation_level: Mapped[int] = mapped_column(SmallInteger, server_default="0", default=0)
    # By when somebody must have secured a critical one; empty once that is done.
    emergency_by: Mapped[datetime | None]
    ended_on: Mapped[date | None]
    # Who sees to it: no fact about the violation, and in nobody's events.
    assignee_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"))
    # The violation that took this one's events over when two towers were found to be one.
    continued_in_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("violation.id"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    tower: Mapped[Tower] = relationship()
    checklist_version: Mapped[ChecklistVersion | None] = relationship()
    assignee: Mapped[User | None] = relationship()
    events: Mapped[list[ViolationEvent]] = relationship(order_by="ViolationEvent.place")


class ViolationEvent(Base):
    """One step in the life of a violation: evidence, only ever added."""

    __tablename__ = "violation_event"
    __table_args__ = (
        one_of("kind", EventKind),
        # One finding has one source: an inspection or an assessment, as `SAID_BY` says.
        CheckConstraint(
            f"num_nonnulls(inspection_id, assessment_id) = (kind IN {_listed(FINDINGS)})::integer",
            name="source",
        ),
        CheckConstraint(
            f"inspection_id IS NULL OR kind IN {_listed(said_by(Voice.INSPECTION))}",
            name="inspection",
        ),
        CheckConstraint(
            f"assessment_id IS NULL OR kind IN {_listed(said_by(Voice.ASSESSMENT))}",
            name="assessment",
        ),
        CheckConstraint("outcome IN ('fixed', 'not_fixed', 'cannot_verify')", name="outcome"),
        CheckConstraint(f"severity IN {SEVERITIES}", name="severity"),
        Index("ix_violation_event_violation_id", "violation_id", "id"),
        Index("ix_violation_event_inspection_id", "inspection_id"),
        Index(
            "ix_violation_event_assessment_id",
            "assessment_id",
            postgresql_where=text("assessment_id IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    violation_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("violation.id"))
    kind: Mapped[str]
    at: Mapped[datetime]
    by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"))
    inspection_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("inspection.id"))
    assessment_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("load_assessment.id"))
    severity: Mapped[str | None]
    deadline: Mapped[date | None]
    outcome: Mapped[str | None]
    # An event that another violation took over; it stands where its original happened.
    copy_of: Mapped[int | None] = mapped_column(ForeignKey("violation_event.id"))
    place: Mapped[int] = mapped_column(
        BigInteger, Computed("coalesce(copy_of, id)", persisted=True)
    )
    reason: Mapped[str] = mapped_column(server_default="", default="")
    # Who was served, informed, or is dealing with it now: a name as it was told.
    party: Mapped[str] = mapped_column(server_default="", default="")
    emergency_by: Mapped[datetime | None]

    by: Mapped[User | None] = relationship()


class LoadAssessment(Base):
    """A load-safety assessment (đánh giá an toàn chịu lực) that was asked for a tower."""

    __tablename__ = "load_assessment"
    __table_args__ = (
        Index(
            "uq_load_assessment_pending_tower_id",
            "tower_id",
            unique=True,
            postgresql_where=text("answered_at IS NULL"),
        ),
        Index(
            "ix_load_assessment_pending_deadline",
            "deadline",
            "id",
            postgresql_where=text("answered_at IS NULL"),
        ),
        Index("ix_load_assessment_tower_id", "tower_id"),
        Index("ix_load_assessment_deadline_id", "deadline", "id"),
        one_of("outcome", AssessmentOutcome),
        CheckConstraint(
            "answered_at IS NULL OR (outcome IS NOT NULL AND assessed_on IS NOT NULL)",
            name="answered",
        ),
        CheckConstraint(
            "answered_at IS NOT NULL OR (outcome IS NULL AND document_id IS NULL)",
            name="unanswered",
        ),
        Index(
            "ix_load_assessment_pending_assignee",
            "assignee_id",
            "deadline",
            "id",
            postgresql_where=text("answered_at IS NULL AND assignee_id IS NOT NULL"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(
        primary_key=True, default=uuid.uuid4, server_default=text("gen_random_uuid()")
    )
    tower_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("tower.id"))
    inspection_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("inspection.id"))
    requested_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"))
    requested_at: Mapped[datetime]
    requested_on: Mapped[date]
    deadline: Mapped[date]
    reason: Mapped[str] = mapped_column(server_default="", default="")
    answered_at: Mapped[datetime | None]
    answered_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"))
    outcome: Mapped[str | None]
    # The day and the author of the report, and what it says; the conditions where there are some.
    assessed_on: Mapped[date | None]
    assessor: Mapped[str] = mapped_column(server_default="", default="")
    conclusion: Mapped[str] = mapped_column(server_default="", default="")
    document_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("document.id"))
    version: Mapped[int] = mapped_column(server_default="1", default=1)
    assignee_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("user.id"))

    tower: Mapped[Tower] = relationship()
    requested_by: Mapped[User | None] = relationship(foreign_keys=[requested_by_id])
    answered_by: Mapped[User | None] = relationship(foreign_keys=[answered_by_id])
    document: Mapped[Document | None] = relationship()


class SavedList(Base):
    """Filters of the follow-up list by a name, one person's own; others open them by the address.

    `query` holds the arguments of the list's address, each with its values.
    """

    __tablename__ = "saved_list"
    __table_args__ = (
        CheckConstraint("length(btrim(name)) BETWEEN 1 AND 100", name="name"),
        Index("uq_saved_list_user_id_name", "user_id", text("lower(name)"), unique=True),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("user.id"))
    name: Mapped[str]
    query: Mapped[dict[str, list[str]]] = mapped_column(JSONB)
    saved_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(server_default="1", default=1)
