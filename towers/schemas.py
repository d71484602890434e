"""What the API takes and gives for towers, and the filters that every list of them shares."""

from __future__ import annotations

import uuid
from typing import Any

from marshmallow import ValidationError, fields, pre_load, validate, validates_schema
from werkzeug.datastructures import MultiDict

from core.api import StrictSchema
from core.validation import between, length, one_of
from core.words import N_
from towers.fields import FIELDS, FIRST_DAY, LAST_DAY, Field, Kind
from towers.queries import Filters
from towers.rules import Condition, StructureType, code_problem

SEVERITIES = ("critical", "major", "minor")
TYPES = tuple(one.value for one in StructureType)
CONDITIONS = tuple(one.value for one in Condition)


POSITION = {"latitude", "longitude"}
ORIGINAL = {"source_srid", "source_x", "source_y"}


def _check_code(value: str) -> None:
    problem = code_problem(value)
    if problem:
        raise ValidationError(problem)


def taken(field: Field) -> fields.Field:
    """How the API takes a field: numbers in the unit that its name ends with, days as ISO 8601."""
    limits = between(float(field.least), float(field.most))
    if field.kind in {Kind.CHOICE, Kind.CHOICES}:
        assert field.words is not None
        words = one_of(tuple(field.words))
        if field.kind is Kind.CHOICES:
            return fields.List(fields.String(validate=words))
        return fields.String(validate=words, allow_none=field.empty is None)
    if field.kind is Kind.NUMBER:
        return fields.Float(allow_nan=False, allow_none=True, validate=limits)
    if field.kind in {Kind.WHOLE, Kind.YEAR}:
        return fields.Integer(
            strict=True, allow_none=True, validate=between(int(field.least), int(field.most))
        )
    if field.kind is Kind.DAY:
        return fields.Date(allow_none=True, validate=between(FIRST_DAY, LAST_DAY))
    if field.kind is Kind.FLAG:
        return fields.Boolean(allow_none=True, truthy={True}, falsy={False})
    if field.kind is Kind.COORDINATE:
        most = 90 if field.name == "latitude" else 180
        return fields.Float(allow_nan=False, validate=between(-most, most))
    if field.kind is Kind.CODE:
        return fields.String(validate=validate.And(length(1, field.longest), _check_code))
    return fields.String(
        allow_none=field.kind is Kind.ORGANISATION,
        validate=length(1 if field.required else 0, field.longest),
    )


# Every field of `towers.fields`, made from its line there.
TakenFields: Any = StrictSchema.from_dict({field.name: taken(field) for field in FIELDS})


class TowerFields(TakenFields):
    """The fields of a tower that staff set. Position in degrees of EPSG:4326.

    Or the original coordinates: `source_x` (east) and `source_y` (north), metres or degrees of
    the system with the EPSG code `source_srid`.
    """

    source_srid = fields.Integer(strict=True, validate=between(1, 999_999))
    source_x = fields.Float(allow_nan=False)
    source_y = fields.Float(allow_nan=False)

    @pre_load
    def strip(self, data: Any, **kwargs: Any) -> Any:
        if isinstance(data, dict):
            return {
                key: value.strip() if isinstance(value, str) else value
                for key, value in data.items()
            }
        return data

    @validates_schema
    def whole_position(self, data: dict[str, Any], **kwargs: Any) -> None:
        degrees, original = POSITION & set(data), ORIGINAL & set(data)
        if len(degrees) == 1:
            missing = (POSITION - degrees).pop()
            raise ValidationError({missing: [N_("Give latitude and longitude together")]})
        if original and original != ORIGINAL:
            missing = sorted(ORIGINAL - original)[0]
            raise ValidationError(
                {missing: [N_("Give source_srid, source_x and source_y together")]}
            )
        if degrees and original:
            raise ValidationError(
                {"latitude": [N_("Give either degrees or the original coordinates, not both")]}
            )


class NewTower(TowerFields):
    class Meta(StrictSchema.Meta):
        pass

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for name in ("code", "name"):
            self.fields[name].required = True
            self.declared_fields[name].required = True

    @validates_schema
    def has_position(self, data: dict[str, Any], **kwargs: Any) -> None:
        if not (POSITION | ORIGINAL) & set(data):
            raise ValidationError({name: [N_("This is missing.")] for name in sorted(POSITION)})


class OwnerBody(StrictSchema):
    id = fields.UUID(required=True)
    name = fields.String(required=True)


class CommuneBody(StrictSchema):
    code = fields.String(required=True)
    name = fields.String(required=True)


def given(field: Field) -> fields.Field:
    """How the API gives a field."""
    if field.kind is Kind.ORGANISATION:
        return fields.Nested(OwnerBody, allow_none=True)
    if field.kind in {Kind.NUMBER, Kind.COORDINATE}:
        return fields.Float(allow_none=field.kind is Kind.NUMBER)
    return taken(field)


GivenFields: Any = StrictSchema.from_dict({field.name: given(field) for field in FIELDS})


class TowerBody(GivenFields):
    """A tower as the API gives it."""

    id = fields.UUID(required=True)
    commune = fields.Nested(CommuneBody, allow_none=True)
    commune_distance_m = fields.Float(allow_none=True)
    source_srid = fields.Integer(allow_none=True)
    source_x = fields.Float(allow_none=True)
    source_y = fields.Float(allow_none=True)
    condition = fields.String(required=True)
    condition_reason = fields.String(allow_none=True)
    ok_until = fields.Date(allow_none=True)
    worst_severity = fields.String(allow_none=True)
    next_deadline = fields.Date(allow_none=True)
    overdue = fields.Boolean(required=True)
    open_violations = fields.Integer(required=True)
    last_inspected_on = fields.Date(allow_none=True)
    version = fields.Integer(required=True)


class TowerPage(StrictSchema):
    items = fields.List(fields.Nested(TowerBody), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class TowerQuery(StrictSchema):
    """Filters and paging of the list of towers."""

    limit = fields.Integer(load_default=50, validate=between(1, 500))
    cursor = fields.String(load_default=None, validate=length(1, 500))
    sort = fields.String(load_default="code", validate=one_of(("code", "name")))
    q = fields.String(load_default="", validate=length(0, 200))
    condition = fields.List(fields.String(validate=one_of(CONDITIONS)), load_default=list)
    severity = fields.List(fields.String(validate=one_of(SEVERITIES)), load_default=list)
    overdue = fields.Boolean(load_default=False)
    due_within = fields.Integer(load_default=None, validate=between(0, 3650))
    owner = fields.UUID(load_default=None)
    commune = fields.String(load_default="", validate=length(0, 20))
    structure_type = fields.List(fields.String(validate=one_of(TYPES)), load_default=list)
    include_dismantled = fields.Boolean(load_default=False)


FILTER_NAMES = (
    "q", "condition", "severity", "overdue", "due_within", "owner", "commune",
    "structure_type", "include_dismantled",
)  # fmt: skip


def filters_of(data: dict[str, Any]) -> Filters:
    """The filters in a loaded query."""
    chosen = {name: data[name] for name in FILTER_NAMES if name in data}
    for name in ("condition", "severity", "structure_type"):
        chosen[name] = tuple(chosen.get(name, ()))
    return Filters(**chosen)


def filters_from(args: MultiDict[str, str]) -> Filters:
    """The filters in a page's address. A page takes what it knows and leaves the rest out: an
    old or mistyped link shows a list, not an error."""

    def known(name: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(one for one in dict.fromkeys(args.getlist(name)) if one in allowed)

    try:
        owner: uuid.UUID | None = uuid.UUID(args.get("owner", ""))
    except ValueError:
        owner = None
    days = args.get("due_within", "")
    return Filters(
        q=args.get("q", "").replace("\x00", "")[:200].strip(),
        condition=known("condition", CONDITIONS),
        severity=known("severity", SEVERITIES),
        overdue=args.get("overdue") in {"1", "true", "on"},
        due_within=int(days) if days.isascii() and days.isdigit() and len(days) < 5 else None,
        owner=owner,
        commune=args.get("commune", "").replace("\x00", "")[:20],
        structure_type=known("structure_type", TYPES),
        include_dismantled=args.get("include_dismantled") in {"1", "true", "on"},
    )
