"""What the API takes and gives for towers, and the filters that every list of them shares."""

from __future__ import annotations

import base64
import math
import uuid
from datetime import date
from decimal import Decimal
from typing import Any

from marshmallow import ValidationError, fields, pre_load, validate, validates_schema
from werkzeug.datastructures import MultiDict

from core.api import StrictSchema
from core.geo import Envelope
from core.validation import between, length, one_of
from core.words import N_
from towers.fields import FIELDS, FIRST_DAY, LAST_DAY, Field, Kind, decimal
from towers.lists import RELEVANCE, SORTS
from towers.queries import Filters
from towers.rules import (
    Condition,
    Lifecycle,
    ManagingDepartment,
    Service,
    StructureType,
    code_problem,
)

SEVERITIES = ("critical", "major", "minor")
TYPES = tuple(one.value for one in StructureType)
CONDITIONS = tuple(one.value for one in Condition)
SERVICES = tuple(one.value for one in Service)
LIFECYCLES = tuple(one.value for one in Lifecycle)
DEPARTMENTS = tuple(one.value for one in ManagingDepartment)
MOST_COMMUNES = 500


BBOX = N_("bbox is west,south,east,north in degrees")


def envelope_of(text: str) -> Envelope:
    """The box in a text such as `105,10,106,11`; raises `ValueError` for one not on earth."""
    west, south, east, north = (float(one) for one in text.split(",", 4))
    if not all(math.isfinite(one) and abs(one) <= 1000 for one in (west, south, east, north)):
        raise ValueError("not degrees")
    if west > east or south > north or south > 90 or north < -90:
        raise ValueError("no box")
    return Envelope(west, south, east, north)


# As many as an address has room for, among other filters.
MOST_CORNERS = 200
AREA = N_("area is three to 200 corners as longitude_latitude in degrees, joined by *")


def corners_of(text: str) -> tuple[tuple[float, float], ...]:
    """The corners (longitude, latitude) in a text such as `105.6_10.4*105.7_10.4*105.7_10.5`.

    Signs that an address leaves as they are. A first corner that comes again at the end is left
    out. Raises `ValueError` for what is no polygon on earth.
    """
    parts = [one.split("_") for one in text.split("*", MOST_CORNERS + 1)]
    if any(len(one) != 2 for one in parts):
        raise ValueError("not corners")
    corners = [(float(x), float(y)) for x, y in parts]
    if not all(abs(x) <= 180 and abs(y) <= 90 for x, y in corners):
        raise ValueError("not degrees")
    if corners[0] == corners[-1]:
        corners.pop()
    if not 3 <= len(corners) <= MOST_CORNERS:
        raise ValueError("no polygon")
    return tuple(corners)


# As many as an address has room for, and a saved list.
MOST_TOWERS = 150
TOWERS = N_("towers is up to 150 ids of towers, joined by a full stop")


def towers_of(text: str) -> tuple[uuid.UUID, ...]:
    """The ids in a text, each as a UUID or as its 22 letters in base64 for addresses.

    Raises `ValueError` for what is neither, and for more than `MOST_TOWERS`.
    """
    parts = text.split(".", MOST_TOWERS)
    if len(parts) > MOST_TOWERS:
        raise ValueError("too many")
    return tuple(dict.fromkeys(_id_of(one) for one in parts))


def _id_of(text: str) -> uuid.UUID:
    if len(text) != 22:
        return uuid.UUID(text)
    return uuid.UUID(bytes=base64.b64decode(f"{text}==", altchars=b"-_", validate=True))


def _check_towers(value: str) -> None:
    try:
        if value:
            towers_of(value)
    except ValueError as error:
        raise ValidationError(TOWERS) from error


def _check_area(value: str) -> None:
    try:
        if value:
            corners_of(value)
    except ValueError as error:
        raise ValidationError(AREA) from error


def _check_box(value: str) -> None:
    try:
        if value:
            envelope_of(value)
    except ValueError as error:
        raise ValidationError(BBOX) from error


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


class ListedBody(TowerBody):
    """A tower in a list; the distance is that to the position that was searched for."""

    distance_m = fields.Float()


class CountBody(StrictSchema):
    number = fields.Integer(required=True)
    more = fields.Boolean(required=True)


class TowerPage(StrictSchema):
    """Some towers; `nearly` says that nothing has the text and what is like it is given.

    `count` is there when it was asked for: how many match, or with `more` that it is more.
    """

    items = fields.List(fields.Nested(ListedBody), required=True)
    next_cursor = fields.String(allow_none=True, required=True)
    nearly = fields.Boolean(required=True)
    count = fields.Nested(CountBody)


class FeatureBody(StrictSchema):
    """A tower as a GeoJSON feature; its properties are the other fields of `TowerBody`."""

    type = fields.String(required=True)
    id = fields.UUID(required=True)
    geometry = fields.Dict(required=True)
    properties = fields.Dict(required=True)


class TowerCollection(StrictSchema):
    """Some towers as GeoJSON, with the members of `TowerPage` that are not its items."""

    type = fields.String(required=True)
    features = fields.List(fields.Nested(FeatureBody), required=True)
    next_cursor = fields.String(allow_none=True, required=True)
    nearly = fields.Boolean(required=True)
    count = fields.Nested(CountBody)


class TowerFilters(StrictSchema):
    """The filters that the register, the map and the follow-up list share."""

    q = fields.String(load_default="", validate=length(0, 200))
    condition = fields.List(fields.String(validate=one_of(CONDITIONS)), load_default=list)
    severity = fields.List(fields.String(validate=one_of(SEVERITIES)), load_default=list)
    overdue = fields.Boolean(load_default=False)
    due_within = fields.Integer(load_default=None, validate=between(0, 3650))
    owner = fields.UUID(load_default=None)
    manager = fields.UUID(load_default=None)
    operator = fields.UUID(load_default=None)
    commune = fields.List(
        fields.String(validate=length(0, 20)), load_default=list, validate=length(0, MOST_COMMUNES)
    )
    without_commune = fields.Boolean(load_default=False)
    structure_type = fields.List(fields.String(validate=one_of(TYPES)), load_default=list)
    service = fields.List(fields.String(validate=one_of(SERVICES)), load_default=list)
    lifecycle = fields.List(fields.String(validate=one_of(LIFECYCLES)), load_default=list)
    managing_department = fields.List(
        fields.String(validate=one_of(DEPARTMENTS)), load_default=list
    )
    built_before = fields.Integer(load_default=None, validate=between(1900, 2201))
    height_from = fields.Float(allow_nan=False, load_default=None, validate=between(0, 1000))
    height_to = fields.Float(allow_nan=False, load_default=None, validate=between(0, 1000))
    bbox = fields.String(
        load_default="",
        validate=validate.And(length(0, 200), _check_box),
        metadata={"description": "west,south,east,north in degrees (WGS 84)"},
    )
    inspection_due_before = fields.Date(load_default=None, validate=between(FIRST_DAY, LAST_DAY))
    campaign = fields.UUID(
        load_default=None, metadata={"description": "the towers that a campaign has"}
    )
    area = fields.String(
        load_default="",
        validate=validate.And(length(0, 8000), _check_area),
        metadata={"description": "corners as longitude_latitude (WGS 84), joined by *"},
    )
    towers = fields.String(
        load_default="",
        validate=validate.And(length(0, 8000), _check_towers),
        metadata={"description": "ids of towers, joined by a full stop"},
    )
    include_dismantled = fields.Boolean(load_default=False)


class TowerQuery(TowerFilters):
    """Filters, order and paging of the list of towers.

    `q` finds words of code, name, address, owner and commune; a position in any form gives the
    towers round it, the nearest first.
    """

    limit = fields.Integer(load_default=50, validate=between(1, 1000))
    cursor = fields.String(load_default=None, validate=length(1, 500))
    sort = fields.String(load_default=RELEVANCE, validate=one_of(SORTS))
    count = fields.Boolean(load_default=False)


MANY = (
    "condition", "severity", "commune", "structure_type", "service", "lifecycle",
    "managing_department",
)  # fmt: skip


def filters_of(data: dict[str, Any]) -> Filters:
    """The filters in a loaded query, taken out of it."""
    chosen = {name: data.pop(name) for name in TowerFilters().fields}
    for name in MANY:
        chosen[name] = tuple(one for one in chosen[name] if one)
    for name in ("height_from", "height_to"):
        chosen[name] = None if chosen[name] is None else Decimal(str(chosen[name]))
    chosen["area"] = corners_of(chosen["area"]) if chosen["area"] else ()
    chosen["towers"] = towers_of(chosen["towers"]) if chosen["towers"] else ()
    chosen["bbox"] = envelope_of(chosen["bbox"]) if chosen["bbox"] else None
    return Filters(**chosen)


def filters_from(args: MultiDict[str, str]) -> Filters:
    """The filters in a page's address. A page takes what it knows and leaves the rest out: an
    old or mistyped link shows a list, not an error."""

    def known(name: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(one for one in dict.fromkeys(args.getlist(name)) if one in allowed)

    def on(name: str) -> bool:
        return args.get(name) in {"1", "true", "on"}

    def whole(name: str, longest: int) -> int | None:
        text = args.get(name, "").strip()
        return int(text) if text.isascii() and text.isdigit() and len(text) <= longest else None

    def height(name: str) -> Decimal | None:
        found = decimal(args.get(name, ""))
        return found if found is not None and 0 <= found <= 1000 else None

    def number(name: str) -> uuid.UUID | None:
        try:
            return uuid.UUID(args.get(name, ""))
        except ValueError:
            return None

    def day(name: str) -> date | None:
        try:
            found = date.fromisoformat(args.get(name, ""))
        except ValueError:
            return None
        return found if FIRST_DAY <= found <= LAST_DAY else None

    try:
        area = corners_of(args.get("area", ""))
    except ValueError:
        area = ()
    try:
        towers = towers_of(args.get("towers", ""))
    except ValueError:
        towers = ()
    try:
        bbox: Envelope | None = envelope_of(args.get("bbox", ""))
    except ValueError:
        bbox = None
    communes = (one.replace("\x00", "")[:20] for one in args.getlist("commune"))
    return Filters(
        q=args.get("q", "").replace("\x00", "")[:200].strip(),
        condition=known("condition", CONDITIONS),
        severity=known("severity", SEVERITIES),
        overdue=on("overdue"),
        due_within=whole("due_within", 4),
        owner=number("owner"),
        manager=number("manager"),
        operator=number("operator"),
        commune=tuple(one for one in dict.fromkeys(communes) if one)[:MOST_COMMUNES],
        without_commune=on("without_commune"),
        structure_type=known("structure_type", TYPES),
        service=known("service", SERVICES),
        lifecycle=known("lifecycle", LIFECYCLES),
        managing_department=known("managing_department", DEPARTMENTS),
        built_before=whole("built_before", 4),
        height_from=height("height_from"),
        height_to=height("height_to"),
        bbox=bbox,
        inspection_due_before=day("inspection_due_before"),
        campaign=number("campaign"),
        area=area,
        towers=towers,
        include_dismantled=on("include_dismantled"),
    )
