"""What phones send, read with patience.

A phone may be older or newer than the service: fields that it does not know stay in the stored
body, and are no reason to refuse it.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validates_schema

from core.errors import Invalid
from core.problems import flat_messages
from core.validation import between, length
from core.words import N_
from inspections.schemas import (
    MAX_ANSWERS,
    AnswerSchema,
    InstrumentSchema,
    NewInspectionSchema,
    PositionSchema,
)
from towers.findings import NewProposal
from towers.schemas import TowerFields

MOST_PHOTOS = 200
# A clock that is years off is a fact to keep, not a reason to refuse the visit.
ANY_MOMENT = between(datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
ANSWER_FIELDS = tuple(AnswerSchema().fields)
OUTCOMES = ("ok", "not_checked", "not_applicable")


class Patient(Schema):
    """Reads what it knows and leaves the rest to the stored body."""

    class Meta:
        unknown = EXCLUDE


class PatientPosition(PositionSchema):
    class Meta:
        unknown = EXCLUDE


class PatientInstrument(InstrumentSchema):
    class Meta:
        unknown = EXCLUDE


class PatientAnswer(AnswerSchema):
    class Meta:
        unknown = EXCLUDE


class PhotoFacts(Patient):
    """A photo as a record names it, or as its upload begins."""

    id = fields.UUID(required=True)
    item = fields.String(load_default=None, allow_none=True, validate=length(1, 100))
    sha256 = fields.String(required=True, validate=length(64, 64))
    byte_size = fields.Integer(required=True, strict=True, validate=between(1, 2**31 - 1))
    media_type = fields.String(load_default="", allow_none=True, validate=length(0, 100))
    source = fields.String(load_default="file", allow_none=True)
    taken_at = fields.AwareDateTime(load_default=None, allow_none=True, validate=ANY_MOMENT)
    latitude = fields.Float(
        load_default=None, allow_none=True, allow_nan=False, validate=between(-90, 90)
    )
    longitude = fields.Float(
        load_default=None, allow_none=True, allow_nan=False, validate=between(-180, 180)
    )
    accuracy_m = fields.Float(
        load_default=None, allow_none=True, allow_nan=False, validate=between(0, 100_000)
    )

    @validates_schema
    def check_hash(self, data: dict[str, Any], **kwargs: Any) -> None:
        try:
            bytes.fromhex(data.get("sha256", ""))
        except ValueError as error:
            raise ValidationError(
                {"sha256": [N_("This is not a SHA-256 in hexadecimal digits")]}
            ) from error


class UploadFacts(PhotoFacts):
    inspection = fields.UUID(required=True)


class PatientVisit(NewInspectionSchema):
    """An inspection as a phone sends it; its answers are looked at apart, they are many."""

    class Meta:
        unknown = EXCLUDE

    started_at = fields.AwareDateTime(load_default=None, allow_none=True, validate=ANY_MOMENT)
    ended_at = fields.AwareDateTime(load_default=None, allow_none=True, validate=ANY_MOMENT)
    position = fields.Nested(PatientPosition, allow_none=True, load_default=None)
    instruments = fields.List(
        fields.Nested(PatientInstrument), load_default=list, validate=length(0, 20)
    )
    answers = fields.Raw(load_default=dict)  # type: ignore[assignment]
    photos = fields.List(
        fields.Nested(PhotoFacts), load_default=list, validate=length(0, MOST_PHOTOS)
    )
    based_on = fields.Integer(
        strict=True, load_default=None, allow_none=True, validate=between(1, 2**31 - 1)
    )
    violations = fields.List(fields.UUID(), load_default=list, validate=length(0, MAX_ANSWERS))
    far_reason = fields.String(load_default="", allow_none=True, validate=length(0, 2000))


class PatientFields(TowerFields):
    class Meta:
        unknown = EXCLUDE


class PatientProposal(NewProposal):
    class Meta:
        unknown = EXCLUDE

    values = fields.Nested(PatientFields, required=True)


class DiscardSchema(Patient):
    id = fields.UUID(required=True)


VISIT, PROPOSAL, DISCARD = PatientVisit(), PatientProposal(), DiscardSchema()
ANSWER, UPLOAD = PatientAnswer(), UploadFacts()


def loaded(schema: Schema, given: Any) -> dict[str, Any]:
    """What a schema makes of a value; raises `Invalid`."""
    try:
        data: dict[str, Any] = schema.load(given)
    except ValidationError as error:
        raise Invalid(fields=flat_messages(error.messages)) from error
    return data


def answers_of(given: Any) -> dict[str, dict[str, Any]]:
    """The answers of a visit. Forty are looked at in the time that the schema needs for one; what
    is not plainly right is left to it. Raises `Invalid`."""
    if not isinstance(given, dict) or len(given) > MAX_ANSWERS:
        message = N_("There are too many answers")
        raise Invalid(message, fields={"answers": [message]})
    return {_key(key): _answer(key, one) for key, one in given.items()}


def _key(key: str) -> str:
    if not 1 <= len(key) <= 100:
        message = N_("The checklist has no such item")
        raise Invalid(message, fields={f"answers.{key[:100]}": [message]})
    return key


def _answer(key: str, given: Any) -> dict[str, Any]:
    if isinstance(given, dict) and given.get("outcome") in OUTCOMES:
        known = given.keys() <= {"outcome", "value"}
        if known and isinstance(given.get("value"), str | int | float | None):
            return given
    try:
        ANSWER.load(given)
    except ValidationError as error:
        texts = flat_messages(error.messages)
        raise Invalid(
            fields={f"answers.{key}.{name}": said for name, said in texts.items()}
        ) from error
    return {name: given[name] for name in ANSWER_FIELDS if name in given}


def moment_of(given: Any) -> datetime | None:
    """A moment as a phone writes it; `None` for what is none, as of a phone without a clock."""
    if not isinstance(given, str):
        return None
    try:
        moment = datetime.fromisoformat(given)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def number_of(given: Any) -> uuid.UUID | None:
    """An id as a phone writes it; `None` for what is none."""
    try:
        return uuid.UUID(given)
    except (ValueError, TypeError, AttributeError):
        return None
