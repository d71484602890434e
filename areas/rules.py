"""Administrative areas: their levels, their validity, and what becomes of one when another has
its code.

Since the two-tier reform of 1 July 2025 there are provinces and communes; districts belong to the
past.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

REFORM = date(2025, 7, 1)


class Level(StrEnum):
    PROVINCE = "province"
    DISTRICT = "district"
    COMMUNE = "commune"


# What lies around a level, from near to far.
AROUND: dict[str, tuple[Level, ...]] = {
    Level.COMMUNE: (Level.DISTRICT, Level.PROVINCE),
    Level.DISTRICT: (Level.PROVINCE,),
    Level.PROVINCE: (),
}


@dataclass(frozen=True)
class Validity:
    """From a day to a day, both included; `None` is without a known beginning, or without end."""

    since: date | None
    until: date | None = None

    def holds_on(self, day: date) -> bool:
        return (self.since is None or self.since <= day) and (
            self.until is None or day <= self.until
        )

    def begins_before(self, other: Validity) -> bool:
        """Whether both beginnings are known and this one is the earlier."""
        return self.since is not None and other.since is not None and self.since < other.since

    def overlaps(self, other: Validity) -> bool:
        return not (
            (self.until is not None and other.since is not None and self.until < other.since)
            or (other.until is not None and self.since is not None and other.until < self.since)
        )


class Fate(StrEnum):
    """What becomes of an area when a file names its code for some time."""

    APART = "apart"  # another area, of another time
    SAME = "same"  # the same area: what the file says of it counts
    FOLLOWED = "followed"  # it ends the day before, and the one in the file begins
    CLASH = "clash"  # both would carry the code on the same day


def fate(known: Validity, given: Validity) -> Fate:
    """What a file that is valid for `given` does to a known area of the same code."""
    if not known.overlaps(given):
        return Fate.APART
    begun_together = known.since == given.since or None in (known.since, given.since)
    if known.until == given.until and begun_together:
        return Fate.SAME
    if known.until is None and given.until is None and known.begins_before(given):
        return Fate.FOLLOWED
    return Fate.CLASH


@dataclass(frozen=True)
class Boundary:
    """One area of a file; `geom` is a multipolygon in EPSG:4326 as WKB."""

    number: int
    code: str
    name: str
    geom: bytes
    area_km2: float | None = None
