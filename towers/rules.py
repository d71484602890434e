"""Words of the register: structure types, services, life cycle and condition."""

from __future__ import annotations

from enum import StrEnum


class StructureType(StrEnum):
    LATTICE_SELF_SUPPORT = "lattice_self_support"
    GUYED_MAST = "guyed_mast"
    MONOPOLE = "monopole"
    ROOFTOP_GUYED = "rooftop_guyed"
    ROOFTOP_POLE = "rooftop_pole"
    CONCRETE_POLE = "concrete_pole"
    UNKNOWN = "unknown"


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


class ConditionReason(StrEnum):
    """Why a tower counts as unchecked."""

    NEVER = "never"
    INCOMPLETE = "incomplete"
    OUT_OF_DATE = "out_of_date"
