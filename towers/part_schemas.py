"""What the API takes and gives for the parts of a tower, its permits and its history."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from marshmallow import fields, validate

from core.api import StrictSchema
from core.validation import between, length, one_of
from towers.fields import Field
from towers.parts import ANCHOR, ANTENNA_FIELDS, INSTALLATION, PERMIT
from towers.rules import PermitKind, PermitState
from towers.schemas import given, taken

# The states of a permit that has an end.
ENDING_STATES = tuple(one.value for one in PermitState if one is not PermitState.ENDLESS)


def part_taken(name: str, parts: tuple[Field, ...], **others: fields.Field) -> Any:
    """The body of a part as the API takes it; a field left out is empty."""
    made: dict[str, fields.Field] = {}
    for field in parts:
        one = taken(field)
        one.required = field.required
        one.allow_none = one.allow_none and not field.required
        made[field.name] = one
    return StrictSchema.from_dict({**made, **others}, name=name)


def part_given(name: str, parts: tuple[Field, ...], **others: fields.Field) -> Any:
    """The same as the API gives it, with its key."""
    made = {field.name: given(field) for field in parts}
    return StrictSchema.from_dict({"id": fields.UUID(required=True), **made, **others}, name=name)


AntennaBody = part_taken("Antenna", ANTENNA_FIELDS)
PART_TAKEN: Mapping[str, Any] = {
    "installation": part_taken(
        "NewInstallation",
        INSTALLATION.fields,
        antennas=fields.List(
            fields.Nested(AntennaBody), load_default=list, validate=validate.Length(max=500)
        ),
    ),
    "permit": part_taken("NewPermit", PERMIT.fields),
    "anchor": part_taken("NewAnchor", ANCHOR.fields),
}
PART_GIVEN: Mapping[str, Any] = {
    "installation": part_given(
        "Installation", INSTALLATION.fields, antennas=fields.List(fields.Nested(AntennaBody))
    ),
    "permit": part_given(
        "Permit", PERMIT.fields, state=fields.String(validate=one_of(tuple(PermitState)))
    ),
    "anchor": part_given(
        "Anchor",
        ANCHOR.fields,
        distance_m=fields.Float(),
        azimuth_deg=fields.Float(allow_none=True),
    ),
}
PART_LISTS: Mapping[str, Any] = {
    name: StrictSchema.from_dict(
        {"items": fields.List(fields.Nested(body), required=True)}, name=f"{name.capitalize()}List"
    )
    for name, body in PART_GIVEN.items()
}


class FootprintBody(StrictSchema):
    """A GeoJSON geometry: the type Polygon, its rings, longitude before latitude, WGS 84."""

    type = fields.String(required=True)
    # What is wrong inside is said by the service, in words about polygons.
    coordinates = fields.Raw(
        required=True,
        metadata={
            "type": "array",
            "items": {
                "type": "array",
                "items": {"type": "array", "items": {"type": "number"}},
            },
        },
    )


PermitRow = part_given(
    "PermitRow",
    PERMIT.fields,
    state=fields.String(validate=one_of(tuple(PermitState))),
    tower=fields.String(required=True),
    tower_name=fields.String(required=True),
)


class PermitPage(StrictSchema):
    items = fields.List(fields.Nested(PermitRow), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class PermitQuery(StrictSchema):
    """Which permits: by default those that are over and those that end within `days`."""

    limit = fields.Integer(load_default=50, validate=between(1, 500))
    cursor = fields.String(load_default=None, validate=length(1, 500))
    kind = fields.String(load_default="", validate=one_of(("", *PermitKind)))
    state = fields.String(load_default="", validate=one_of(("", *ENDING_STATES)))
    days = fields.Integer(load_default=0, validate=between(0, 3650))
    q = fields.String(load_default="", validate=length(0, 200))
    replaced = fields.Boolean(load_default=False)


# History


class ChangeBody(StrictSchema):
    name = fields.String(required=True)
    before = fields.Raw(allow_none=True, required=True)
    after = fields.Raw(allow_none=True, required=True)


class EntryBody(StrictSchema):
    """One change; `batch` is the import and `proposal` the proposal that it came from."""

    id = fields.Integer(required=True)
    at = fields.DateTime(required=True)
    actor = fields.String(required=True)
    action = fields.String(required=True)
    batch = fields.String(allow_none=True, required=True)
    proposal = fields.String(allow_none=True, required=True)
    changes = fields.List(fields.Nested(ChangeBody), required=True)


class HistoryPage(StrictSchema):
    """Changes, the latest first; with `at` the tower at that moment, `null` before there was."""

    items = fields.List(fields.Nested(EntryBody), required=True)
    next_cursor = fields.String(allow_none=True, required=True)
    state = fields.Dict(allow_none=True)


class HistoryQuery(StrictSchema):
    limit = fields.Integer(load_default=50, validate=between(1, 500))
    cursor = fields.String(load_default=None, validate=length(1, 500))
    at = fields.AwareDateTime(
        load_default=None,
        default_timezone=UTC,
        validate=between(datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 12, 31, tzinfo=UTC)),
    )
