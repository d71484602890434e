"""Words of the register: structure types, services, life cycle and condition."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

from core.words import N_


class StructureType(StrEnum):
    LATTICE_SELF_SUPPORT = "lattice_self_support"
    GUYED_MAST = "guyed_mast"
    MONOPOLE = "monopole"
    ROOFTOP_GUYED = "rooftop_guyed"
    ROOFTOP_POLE = "rooftop_pole"
    CONCRETE_POLE = "concrete_pole"
    UNKNOWN = "unknown"


ROOFTOP = frozenset({StructureType.ROOFTOP_GUYED, StructureType.ROOFTOP_POLE})


def overall_height(
    structure_type: str, height_m: Decimal | None, host_building_height_m: Decimal | None
) -> Decimal | None:
    """Height above ground in metres of a mast and the house below it; `None` where unknown.

    A mast on a roof whose house nobody measured has no known height above ground.
    """
    if height_m is None or (host_building_height_m is None and structure_type in ROOFTOP):
        return None
    return height_m + (host_building_height_m or Decimal(0))


CODE = re.compile(r"[^\s/?#%\\\x00-\x1f\x7f]{1,64}\Z")
# Pages beside those of the towers, and what a browser takes for a folder.
RESERVED_CODES = frozenset(
    {
        "new", "import", "imports", "export", "permits", "propose", "reassign", "reassign.csv",
        "reassignments", "vocabularies", ".", "..",
    }
)  # fmt: skip


def code_problem(code: str) -> str | None:
    """What is wrong with a code as an English text to translate, `None` where nothing is.

    A code stands in the address of its tower's page, so it has nothing that an address reads
    in its own way.
    """
    if not CODE.match(code):
        return N_("A code has at most 64 characters, no blanks and none of / ? # % \\")
    if code in RESERVED_CODES:
        return N_("This code is the address of another page: choose another one")
    return None


class Service(StrEnum):
    """What a structure carries; one structure may carry several."""

    BTS = "bts"
    RADIO_TV = "radio_tv"
    COMMUNE_LOUDSPEAKER = "commune_loudspeaker"
    MICROWAVE = "microwave"
    OTHER = "other"


class Lifecycle(StrEnum):
    PLANNED = "planned"
    BUILT = "built"
    ACTIVE = "active"
    INACTIVE = "inactive"
    ABANDONED = "abandoned"
    DISMANTLED = "dismantled"


class PlanningClass(StrEnum):
    """Classes of Thông tư 14/2013/TT-BTTTT: A1 not bulky, A2 bulky."""

    A1A = "A1a"
    A1B = "A1b"
    A2A = "A2a"
    A2B = "A2b"
    A2C = "A2c"


class BtsCategory(StrEnum):
    """Thông tư liên tịch 12/2007/TTLT-BXD-BTTTT: 1 built on the ground, 2 on a building."""

    GROUND = "1"
    BUILDING = "2"


class ManagingDepartment(StrEnum):
    """Who in the province answers for the structure."""

    SCIENCE_TECHNOLOGY = "science_technology"
    CULTURE_SPORTS_TOURISM = "culture_sports_tourism"
    COMMUNE = "commune"
    OTHER = "other"


class CoordSource(StrEnum):
    """Where the coordinates come from."""

    GPS = "gps"
    SURVEY = "survey"
    DOSSIER = "dossier"
    MAP = "map"
    OTHER = "other"


class FoundationType(StrEnum):
    PAD = "pad"
    PILE = "pile"
    PIER = "pier"
    RAFT = "raft"
    ROOF_BEAM = "roof_beam"
    ROOF_SLAB = "roof_slab"
    OTHER = "other"


class PermitKind(StrEnum):
    """Papers of a structure that have a number, a day or an end."""

    BUILDING_PERMIT = "building_permit"
    HEIGHT_APPROVAL = "height_approval"
    BTS_CERTIFICATE = "bts_certificate"
    EMF_RESULT = "emf_result"
    MAINTENANCE_PROCEDURE = "maintenance_procedure"
    STRUCTURAL_ASSESSMENT = "structural_assessment"
    OTHER = "other"


class PermitState(StrEnum):
    """Where a permit stands on a day."""

    EXPIRED = "expired"
    SOON = "soon"
    VALID = "valid"
    ENDLESS = "endless"


def permit_state(expires_on: date | None, *, today: date, soon_days: int) -> PermitState:
    """The state of a permit; its last day is still a good one. `soon` within `soon_days`."""
    if expires_on is None:
        return PermitState.ENDLESS
    if expires_on < today:
        return PermitState.EXPIRED
    if expires_on <= today + timedelta(days=soon_days):
        return PermitState.SOON
    return PermitState.VALID


def fall_zone_m(
    structure_type: str,
    height_m: Decimal | None,
    host_building_height_m: Decimal | None,
    *,
    factor: Decimal,
    building_factor: Decimal,
) -> Decimal | None:
    """The radius in metres of the ground that a falling mast is expected to reach.

    `factor` times the height of the mast and, on a roof, `building_factor` times that of the
    building. An expectation, not a corridor of any law. `None` where a height is unknown.
    """
    if height_m is None:
        return None
    if structure_type not in ROOFTOP:
        return factor * height_m
    if host_building_height_m is None:
        return None
    return factor * height_m + building_factor * host_building_height_m


class Condition(StrEnum):
    """The department's own words, in their order of precedence."""

    DANGEROUS = "dangerous"
    ASSESSMENT_NEEDED = "assessment_needed"
    NEEDS_FOLLOW_UP = "needs_follow_up"
    OK = "ok"
    UNCHECKED = "unchecked"


class DocumentKind(StrEnum):
    DOSSIER = "dossier"
    PERMIT = "permit"
    DRAWING = "drawing"
    ASSESSMENT = "assessment"
    PHOTO = "photo"
    CONTRACT = "contract"
    OTHER = "other"


class ProposalKind(StrEnum):
    """A tower that is not in the register, or a mistake in what the register says of one."""

    NEW = "new"
    CORRECTION = "correction"


class ProposalState(StrEnum):
    OPEN = "open"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class ConditionReason(StrEnum):
    """Why a tower counts as unchecked."""

    NEVER = "never"
    INCOMPLETE = "incomplete"
    OUT_OF_DATE = "out_of_date"
