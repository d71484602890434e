"""What belongs to one structure: installations with antennas, permits, guy anchors, as fields.

The same lines as `towers.fields` has for the structure itself, and read by the same functions:
forms, the API and history are made from them. Every part has a table of its own in
`towers.models`; one change of a part is one version of its tower.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from core.words import N_
from towers.fields import MAX_TEXT, Field, Kind
from towers.rules import PermitKind, Service

# More of one kind nobody has at one structure; lists of them are therefore whole.
MOST_PARTS = 200
MOST_ANTENNAS = 200
# An anchor farther away from its mast belongs to another one.
FARTHEST_ANCHOR_M = 1_000


@dataclass(frozen=True)
class PartKind:
    """A kind of part: its name in history, in addresses, and its fields."""

    name: str
    plural: str
    label: str
    fields: tuple[Field, ...]

    @property
    def columns(self) -> tuple[Field, ...]:
        """The fields that are columns of the part's table as they are written."""
        return tuple(field for field in self.fields if field.kind is not Kind.COORDINATE)


def _number(name: str, label: str, most: str, *, digits: int = 1, least: str = "0") -> Field:
    kind = Kind.NUMBER if digits else Kind.WHOLE
    return Field(name, kind, label, least=Decimal(least), most=Decimal(most), digits=digits)


ANTENNA_FIELDS: tuple[Field, ...] = (
    Field("kind", Kind.LINE, N_("Kind of antenna")),
    _number("quantity", N_("Number"), "1000", digits=0, least="1"),
    _number("height_m", N_("Height above ground (m)"), "1000"),
    _number("azimuth_deg", N_("Azimuth (° from north)"), "359.9"),
    _number("wind_area_m2", N_("Wind area of one (m²)"), "10000", digits=2),
    _number("weight_kg", N_("Weight of one (kg)"), "100000"),
)

INSTALLATION = PartKind(
    "installation",
    "installations",
    N_("Installation"),
    (
        Field("operator", Kind.ORGANISATION, N_("Operator"), required=True),
        Field(
            "service",
            Kind.CHOICE,
            N_("Service"),
            words=Service,
            vocabulary="service",
            required=True,
        ),
        Field("station_code", Kind.LINE, N_("Station code"), longest=100),
        Field("since", Kind.DAY, N_("In place since")),
        Field("until", Kind.DAY, N_("In place until")),
        Field("note", Kind.TEXT, N_("Note"), longest=MAX_TEXT),
    ),
)

PERMIT = PartKind(
    "permit",
    "permits",
    N_("Permit or certificate"),
    (
        Field(
            "kind",
            Kind.CHOICE,
            N_("Kind of permit"),
            words=PermitKind,
            vocabulary="permit_kind",
            required=True,
        ),
        Field("number", Kind.LINE, N_("Permit number"), longest=100),
        Field("issued_on", Kind.DAY, N_("Issued on")),
        Field("expires_on", Kind.DAY, N_("Expires on")),
        Field("issuer", Kind.LINE, N_("Issued by")),
        Field(
            "organisation",
            Kind.ORGANISATION,
            N_("Holder"),
            help=N_("The operator whose station it is about; empty for the whole structure."),
        ),
        Field("result", Kind.LINE, N_("Result"), longest=1000),
        Field("note", Kind.TEXT, N_("Note"), longest=MAX_TEXT),
    ),
)

ANCHOR = PartKind(
    "anchor",
    "anchors",
    N_("Guy anchor"),
    (
        Field(
            "number",
            Kind.WHOLE,
            N_("Anchor number"),
            least=Decimal(1),
            most=Decimal(100),
            required=True,
        ),
        Field("latitude", Kind.COORDINATE, N_("Latitude"), required=True),
        Field("longitude", Kind.COORDINATE, N_("Longitude"), required=True),
        Field("note", Kind.TEXT, N_("Note"), longest=MAX_TEXT),
    ),
)

PARTS: Mapping[str, PartKind] = {one.name: one for one in (INSTALLATION, PERMIT, ANCHOR)}
BY_PLURAL: Mapping[str, PartKind] = {one.plural: one for one in PARTS.values()}
FOOTPRINT = "footprint"


def key_of(kind: PartKind, part_id: object) -> str:
    """How history names one part among the values of its tower."""
    return f"{kind.name}:{part_id}"


def kind_of_key(key: str) -> PartKind | None:
    """The kind of part that a name in history is about, `None` for a field of the tower itself."""
    return PARTS.get(key.partition(":")[0]) if ":" in key else None


# The labels of everything that history says of a part.
VOCABULARIES = {
    "part": {**{one.name: one.label for one in PARTS.values()}, FOOTPRINT: N_("Footprint")},
    **{
        f"{one.name}_field": {
            **{field.column: field.label for field in one.fields},
            **({"antennas": N_("Antennas")} if one is INSTALLATION else {}),
        }
        for one in PARTS.values()
    },
    "antenna_field": {field.name: field.label for field in ANTENNA_FIELDS},
}
