"""What the API takes and gives for towers, and the filters that every list of them shares."""

from __future__ import annotations

import uuid
from typing import Any

from marshmallow import ValidationError, fields, pre_load, validate, validates_schema
from werkzeug.datastructures import MultiDict

from core.api import StrictSchema
from core.validation import between, length, one_of
from core.words import N_
from towers.queries import Filters
from towers.rules import Condition, Lifecycle, Service, StructureType, code_problem

SEVERITIES = ("critical", "major", "minor")
TYPES = tuple(one.value for one in StructureType)
CONDITIONS = tuple(one.value for one in Condition)


def _check_code(value: str) -> None:
    problem = code_problem(value)
    if problem:
        raise ValidationError(problem)


class TowerFields(StrictSchema):
    """The fields of a tower that staff set. Heights in metres, position in EPSG:4326 degrees."""

    code = fields.String(
        validate=validate.And(
            length(1, 64),
            _check_code,
        )
    )
    name = fields.String(validate=length(1, 300))
    structure_type = fields.String(validate=one_of(TYPES))
    services = fields.List(fields.String(validate=one_of(tuple(Service))))
    height_m = fields.Float(allow_nan=False, allow_none=True, validate=between(0.1, 1000))
    host_building_height_m = fields.Float(
        allow_nan=False, allow_none=True, validate=between(0, 1000)
    )
    latitude = fields.Float(allow_nan=False, validate=between(-90, 90))
    longitude = fields.Float(allow_nan=False, validate=between(-180, 180))
    owner = fields.String(allow_none=True, validate=length(0, 300))
    address = fields.String(validate=length(0, 1000))
    built_year = fields.Integer(strict=True, allow_none=True, validate=between(1900, 2200))
    lifecycle = fields.String(validate=one_of(tuple(Lifecycle)))
    note = fields.String(validate=length(0, 4000))
    source = fields.String(validate=length(0, 300))

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
        given = {"latitude", "longitude"} & set(data)
        if len(given) == 1:
            missing = ({"latitude", "longitude"} - given).pop()
            raise ValidationError({missing: [N_("Give latitude and longitude together")]})


class NewTower(TowerFields):
    class Meta(TowerFields.Meta):
        pass

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for name in ("code", "name", "latitude", "longitude"):
            self.fields[name].required = True
            self.declared_fields[name].required = True


class OwnerBody(StrictSchema):
    id = fields.UUID(required=True)
    name = fields.String(required=True)


class CommuneBody(StrictSchema):
    code = fields.String(required=True)
    name = fields.String(required=True)


class TowerBody(StrictSchema):
    """A tower as the API gives it."""

    id = fields.UUID(required=True)
    code = fields.String(required=True)
    name = fields.String(required=True)
    structure_type = fields.String(required=True)
    services = fields.List(fields.String(), required=True)
    height_m = fields.Float(allow_none=True)
    host_building_height_m = fields.Float(allow_none=True)
    latitude = fields.Float(required=True)
    longitude = fields.Float(required=True)
    commune = fields.Nested(CommuneBody, allow_none=True)
    owner = fields.Nested(OwnerBody, allow_none=True)
    address = fields.String()
    built_year = fields.Integer(allow_none=True)
    lifecycle = fields.String(required=True)
    note = fields.String()
    source = fields.String()
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
