"""Words of the register: structure types, services, life cycle and condition."""

from __future__ import annotations

import re
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
RESERVED_CODES = frozenset({"new", "import", ".", ".."})


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


YEAR = re.compile(r"[0-9]{4}\Z")


def year_built(text: str) -> int | None:
    """The year in a text of four digits, `None` for anything else or an unlikely year."""
    year = int(text) if YEAR.match(text) else 0
    return year if 1900 <= year <= 2200 else None


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
