"""What the API takes and gives for inspections, violations, checklists and photos."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from marshmallow import (
    EXCLUDE,
    Schema,
    ValidationError,
    fields,
    post_load,
    validates_schema,
)
from werkzeug.datastructures import MultiDict

from core.api import StrictSchema
from core.geo import to_position
from core.i18n import N_
from core.validation import between, length, one_of
from inspections.queries.follow_up import WorkFilters
from inspections.rules.catalogue import HOW
from inspections.rules.evidence import Verdict, Weather
from inspections.rules.load_safety import AssessmentOutcome
from inspections.rules.violation import SEVERITY_ORDER, TAKEN, Stage
from towers.rules import StructureType
from towers.schemas import TowerFilters, filters_from, filters_of

KINDS = ("periodic", "campaign", "complaint", "after_storm", "reinspection")
STATUSES = ("draft", "submitted", "accepted", "returned", "voided")
STATES = ("open", "closed", "withdrawn")
OPEN_STAGES = tuple(one.value for one in Stage if one not in {Stage.CLOSED, Stage.WITHDRAWN})
TYPES = tuple(kind.value for kind in StructureType)
MAX_ANSWERS = 500
MOMENTS = between(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


class TrueOrFalse(fields.Boolean):
    """JSON's own true and false; a set of truthy values would let the number 1 in."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class PositionSchema(StrictSchema):
    """Where the inspector stood: degrees of EPSG:4326, accuracy in metres."""

    latitude = fields.Float(required=True, allow_nan=False, validate=between(-90, 90))
    longitude = fields.Float(required=True, allow_nan=False, validate=between(-180, 180))
    accuracy_m = fields.Float(allow_nan=False, allow_none=True, validate=between(0, 100_000))


class AnswerSchema(StrictSchema):
    """One answer as the catalogue describes it."""

    outcome = fields.String(required=True, validate=one_of(("ok", "not_checked", "not_applicable")))
    value = fields.Raw(allow_none=True)
    inputs = fields.Dict(keys=fields.String(), values=fields.Raw(allow_none=True))
    record_also = fields.Dict(keys=fields.String(), values=fields.Raw(allow_none=True))
    reason = fields.String(allow_none=True, validate=length(0, 2000))
    note = fields.String(allow_none=True, validate=length(0, 4000))


class InstrumentSchema(StrictSchema):
    """What was measured with; its calibration holds to the end of a day."""

    name = fields.String(required=True, validate=length(1, 200))
    serial = fields.String(load_default="", validate=length(0, 100))
    calibrated_until = fields.Date(load_default=None, allow_none=True)


class VisitSchema(StrictSchema):
    """The body of an inspection. `answers` maps item keys to answers.

    Moments are by the clock of the device. `verdict` is the inspector's own opinion; that an
    assessment is needed asks for one.
    """

    team = fields.List(
        fields.String(validate=length(1, 200)),
        load_default=list,
        validate=length(0, 20),
    )
    representative = fields.String(load_default="", validate=length(0, 300))
    weather = fields.String(load_default=None, allow_none=True, validate=one_of(Weather))
    started_at = fields.AwareDateTime(load_default=None, allow_none=True, validate=MOMENTS)
    ended_at = fields.AwareDateTime(load_default=None, allow_none=True, validate=MOMENTS)
    instruments = fields.List(
        fields.Nested(InstrumentSchema), load_default=list, validate=length(0, 20)
    )
    verdict = fields.String(load_default=None, allow_none=True, validate=one_of(Verdict))

    tower = fields.String(required=True, validate=length(1, 64))
    kind = fields.String(load_default="periodic", validate=one_of(KINDS))
    inspected_on = fields.Date(required=True)
    checklist_version = fields.Integer(
        strict=True, allow_none=True, load_default=None, validate=between(1, 1_000_000)
    )
    structure_type = fields.String(allow_none=True, load_default=None, validate=one_of(TYPES))
    methods = fields.List(
        fields.String(validate=one_of(HOW)),
        allow_none=True,
        load_default=None,
        validate=length(1, len(HOW)),
        metadata={"description": "How the visit was made; null where the device does not say."},
    )
    position = fields.Nested(PositionSchema, allow_none=True, load_default=None)
    note = fields.String(load_default="", validate=length(0, 8000))
    assessment_requested = TrueOrFalse(load_default=False)
    assessment_reason = fields.String(load_default="", validate=length(0, 4000))
    answers = fields.Dict(
        keys=fields.String(validate=length(1, 100)),
        values=fields.Nested(AnswerSchema),
        load_default=dict,
    )
    submit = TrueOrFalse(load_default=True)

    @validates_schema
    def check_size(self, data: dict[str, Any], **kwargs: Any) -> None:
        if len(data.get("answers") or {}) > MAX_ANSWERS:
            raise ValidationError({"answers": [N_("There are too many answers")]})


class NewInspectionSchema(VisitSchema):
    """A new inspection carries the id that its device made."""

    id = fields.UUID(required=True)


class DeviceTimeHeader(Schema):
    """When the device sends this, by its own clock: no part of the record that it sends."""

    class Meta:
        unknown = EXCLUDE

    device_time = fields.AwareDateTime(
        data_key="Device-Time", load_default=None, default_timezone=UTC, validate=MOMENTS
    )


class ReviewSchema(StrictSchema):
    """Accept or return a submitted inspection; returning needs a reason."""

    decision = fields.String(required=True, validate=one_of(("accept", "return")))
    reason = fields.String(load_default="", validate=length(0, 4000))


class VoidRequestSchema(StrictSchema):
    """Why an inspection should be voided: the reason is needed."""

    reason = fields.String(load_default="", validate=length(0, 4000))


class VoidDecisionSchema(StrictSchema):
    """Void the inspection as somebody asked, or refuse."""

    decision = fields.String(required=True, validate=one_of(("confirm", "refuse")))


class AssessmentRequestSchema(StrictSchema):
    """Which tower and why; without a deadline the setting `assessment_days` says it."""

    tower = fields.String(required=True, validate=length(1, 64))
    reason = fields.String(required=True, validate=length(1, 4000))
    deadline = fields.Date(load_default=None, allow_none=True)


class AssessmentAnswerSchema(StrictSchema):
    """What the report comes to; `document` is its id among the documents of the tower."""

    outcome = fields.String(required=True, validate=one_of(AssessmentOutcome))
    assessed_on = fields.Date(required=True)
    assessor = fields.String(required=True, validate=length(1, 300))
    conclusion = fields.String(load_default="", validate=length(0, 8000))
    deadline = fields.Date(load_default=None, allow_none=True)
    document = fields.UUID(required=True)


class NewDraftSchema(StrictSchema):
    """A draft is a copy of the version that judges; `based_on` is its number as it was seen."""

    based_on = fields.Integer(required=True, strict=True, validate=between(1, 1_000_000))


class ContentSchema(StrictSchema):
    """A whole catalogue, as its YAML document would be in JSON."""

    content = fields.Dict(required=True)


class ItemSchema(StrictSchema):
    """One item of the catalogue, without its code, which the address names."""

    item = fields.Dict(required=True)


class GroupSchema(StrictSchema):
    """The names of a group, without its code, which the address names."""

    vi = fields.String(required=True, validate=length(1, 200))
    en = fields.String(required=True, validate=length(1, 200))


class PlaceSchema(StrictSchema):
    """A place, from 1 on: of a group among all, of an item in its group."""

    place = fields.Integer(required=True, strict=True, validate=between(1, 1000))


class PageQuery(StrictSchema):
    """Paging of every list."""

    limit = fields.Integer(load_default=50, validate=between(1, 500))
    cursor = fields.String(load_default=None, validate=length(1, 500))


class AssessmentQuery(PageQuery):
    tower = fields.String(load_default="", validate=length(0, 64))
    state = fields.String(load_default="", validate=one_of(("", "open", "answered")))
    overdue = fields.Boolean(load_default=False)


class InspectionQuery(PageQuery):
    tower = fields.String(load_default="", validate=length(0, 64))
    status = fields.List(fields.String(validate=one_of(STATUSES)), load_default=list)
    kind = fields.List(fields.String(validate=one_of(KINDS)), load_default=list)
    mine = fields.Boolean(load_default=False)


class StepSchema(StrictSchema):
    """A step of the department or the owner with a violation."""

    kind = fields.String(required=True, validate=one_of(sorted(TAKEN)))
    reason = fields.String(load_default="", validate=length(0, 4_000))
    party = fields.String(load_default="", validate=length(0, 300))
    deadline = fields.Date(load_default=None, allow_none=True)


class ViolationQuery(PageQuery):
    tower = fields.String(load_default="", validate=length(0, 64))
    state = fields.List(fields.String(validate=one_of(STATES)), load_default=list)
    severity = fields.List(fields.String(validate=one_of(SEVERITY_ORDER)), load_default=list)
    overdue = fields.Boolean(load_default=False)
    include_dismantled = fields.Boolean(load_default=False)


class FollowUpFilters(TowerFilters):
    """The filters of the register, and those of the follow-up list.

    `assignee` finds what an inspector sees to and what is open at towers that they have to inspect.
    """

    stage = fields.List(fields.String(validate=one_of(OPEN_STAGES)), load_default=list)
    assignee = fields.UUID(load_default=None)
    unassigned = fields.Boolean(load_default=False)

    @post_load
    def make(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        own = {name: data.pop(name) for name in ("assignee", "unassigned")}
        stages = tuple(data.pop("stage"))
        data["filters"] = WorkFilters.of(filters_of(data), stage=stages, **own)
        return data


def work_filters_from(args: MultiDict[str, str]) -> WorkFilters:
    """The filters in the address of a page; it takes what it knows and leaves the rest out."""
    return WorkFilters.of(
        filters_from(args),
        stage=tuple(one for one in dict.fromkeys(args.getlist("stage")) if one in OPEN_STAGES),
        assignee=_number(args, "assignee"),
        unassigned=args.get("unassigned") in {"1", "true", "on"},
    )


def _number(args: MultiDict[str, str], name: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(args.get(name, ""))
    except ValueError:
        return None


class FollowUpQuery(FollowUpFilters, PageQuery):
    pass


class RowSchema(StrictSchema):
    """A row of the follow-up list, and who saw to it when it was looked at."""

    id = fields.UUID(required=True)
    assignee = fields.UUID(required=True, allow_none=True)


class AssignmentSchema(StrictSchema):
    """Rows to be given to an inspector, or with null to nobody."""

    rows = fields.List(fields.Nested(RowSchema), required=True, validate=length(1, 1_000))
    assignee = fields.UUID(required=True, allow_none=True)


class SavedListSchema(StrictSchema):
    """Filters by a name: `query` holds the arguments of the list's address."""

    name = fields.String(required=True, validate=length(1, 100))
    query = fields.Dict(
        keys=fields.String(validate=length(1, 40)),
        values=fields.List(fields.String(validate=length(0, 200))),
        required=True,
    )


class NewSavedListSchema(SavedListSchema):
    id = fields.UUID(required=True)


class FindingQuery(PageQuery):
    """What of a back-test is listed."""

    commune = fields.String(load_default="", validate=length(0, 20))
    kind = fields.String(load_default="", validate=one_of(("", "more", "fewer", "other")))


class PhotoQuery(StrictSchema):
    """All photos of an inspection at once: there are no pages."""

    inspection = fields.UUID(required=True)


def position_body(point: Any, accuracy: Any = None) -> dict[str, Any] | None:
    if point is None:
        return None
    place = to_position(point)
    return {
        "latitude": place.latitude,
        "longitude": place.longitude,
        "accuracy_m": float(accuracy) if accuracy is not None else None,
    }
