"""What was probably done wrong with coordinates: each mistake undone gives another position.

Which one it was shows where the position lands: `towers.places` looks for the one that lies in
the commune that the paper names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from core.geo import Position, east_first
from core.words import N_
from towers.coordinate_systems import (
    VN2000,
    WGS84,
    NoSuchPlace,
    System,
    named_systems,
    tm3_zones,
    to_wgs84,
)
from towers.coordinates import Reading


class Mistake(StrEnum):
    """The distances are those in Đồng Tháp, in metres: 226, 82 000, 348 and 491."""

    DATUM_IGNORED = "datum_ignored"
    DATUM_NOT_NEEDED = "datum_not_needed"
    WRONG_MERIDIAN = "wrong_meridian"
    WRONG_PROJECTION = "wrong_projection"
    WRONG_ZONE = "wrong_zone"
    SWAPPED = "swapped"
    MINUTES_AS_DECIMALS = "minutes_as_decimals"
    DECIMALS_AS_MINUTES = "decimals_as_minutes"
    WRONG_SIDE = "wrong_side"
    DIGIT_LOST = "digit_lost"


MISTAKES: dict[str, str] = {
    Mistake.DATUM_IGNORED: N_(
        "The coordinates are VN-2000 and were taken for WGS 84 (about 226 m away)"
    ),
    Mistake.DATUM_NOT_NEEDED: N_(
        "The coordinates are WGS 84 already and were taken for VN-2000 (about 226 m away)"
    ),
    Mistake.WRONG_MERIDIAN: N_("The central meridian is another one (27 to 82 km away or more)"),
    Mistake.WRONG_PROJECTION: N_("The coordinates belong to another projection"),
    Mistake.WRONG_ZONE: N_("The UTM zone is another one"),
    Mistake.SWAPPED: N_("The two coordinates are swapped"),
    Mistake.MINUTES_AS_DECIMALS: N_(
        "Minutes and seconds were written behind the point as if they were decimals"
    ),
    Mistake.DECIMALS_AS_MINUTES: N_("Decimals of a degree were taken for minutes and seconds"),
    Mistake.WRONG_SIDE: N_("The sign or the letter of the hemisphere is wrong"),
    Mistake.DIGIT_LOST: N_("The first digit of a coordinate is missing"),
}


@dataclass(frozen=True)
class Alternative:
    """Where the coordinates lie with one mistake undone: x (east) and y (north) in `system`."""

    mistake: Mistake
    system: System
    x: float
    y: float
    position: Position


def alternatives(reading: Reading) -> Iterator[Alternative]:
    """Every single mistake undone, the frequent ones first; none that gives no position."""
    for mistake, system, x, y in _undone(reading.system, reading.x, reading.y):
        try:
            position = to_wgs84(x, y, system)
        except NoSuchPlace:
            continue
        if position != reading.position:
            yield Alternative(mistake, system, x, y, position)


def _undone(of: System, x: float, y: float) -> Iterator[tuple[Mistake, System, float, float]]:
    yield from _other_systems(of, x, y)
    swapped_x, swapped_y = east_first(x, y, north_first=True)
    yield Mistake.SWAPPED, of, swapped_x, swapped_y
    if of.metric:
        # A northing of Vietnam has seven digits, and some leave the million away.
        if 0 < y < 1_000_000:
            yield Mistake.DIGIT_LOST, of, x, y + 1_000_000
            yield Mistake.DIGIT_LOST, of, x, y + 2_000_000
        return
    minutes = unpacked(x), unpacked(y)
    if None not in minutes:
        yield Mistake.MINUTES_AS_DECIMALS, of, minutes[0] or 0.0, minutes[1] or 0.0
    yield Mistake.DECIMALS_AS_MINUTES, of, packed(x), packed(y)
    for side_x, side_y in ((x, -y), (-x, y), (-x, -y)):
        yield Mistake.WRONG_SIDE, of, side_x, side_y
    if 0 < x < 100:
        yield Mistake.DIGIT_LOST, of, x + 100, y


def _other_systems(
    of: System, x: float, y: float
) -> Iterator[tuple[Mistake, System, float, float]]:
    if of == WGS84:
        yield Mistake.DATUM_IGNORED, VN2000, x, y
        return
    if of == VN2000:
        yield Mistake.DATUM_NOT_NEEDED, WGS84, x, y
        return
    if of.meridian is None:
        return
    if of.datum == "vn2000":
        without = replace(of, srid=0, name=of.name.replace("VN-2000", "WGS 84"), datum="wgs84")
        yield Mistake.DATUM_NOT_NEEDED, _as_named(without), x, y
    else:
        yield Mistake.DATUM_IGNORED, _as_named(replace(of, srid=0, datum="vn2000")), x, y
    for other in tm3_zones():
        if other != of:
            mistake = (
                Mistake.WRONG_MERIDIAN if of.scale == other.scale else Mistake.WRONG_PROJECTION
            )
            yield mistake, other, x, y
    for other in named_systems():
        if not other.metric or other.scale != 0.9996 or other == of:
            continue
        if of.scale != other.scale:
            yield Mistake.WRONG_PROJECTION, other, x, y
        elif other.datum == of.datum:
            yield Mistake.WRONG_ZONE, other, x, y


def _as_named(system: System) -> System:
    """The named system with the same projection and datum, or the given one without a code."""
    for one in named_systems():
        if (one.datum, one.meridian, one.scale) == (system.datum, system.meridian, system.scale):
            return one
    return system


def unpacked(degrees: float) -> float | None:
    """10.2736 as 10°27′36″: what stands behind the point as minutes and seconds.

    `None` where that gives minutes or seconds of 60 and more.
    """
    text = format(abs(Decimal(repr(degrees))), "f")
    whole, _, rest = text.partition(".")
    rest = rest.ljust(4, "0")
    minutes, seconds = int(rest[:2]), Decimal(f"{rest[2:4]}.{rest[4:] or 0}")
    if minutes >= 60 or seconds >= 60:
        return None
    value = float(int(whole) + Decimal(minutes) / 60 + seconds / 3600)
    return -value if degrees < 0 else value


def packed(degrees: float) -> float:
    """The reverse: 10°27′36″ as 10.2736, for degrees whose decimals were taken for minutes."""
    total = round(abs(degrees) * 3600, 4)
    whole, rest = divmod(total, 3600)
    minutes, seconds = divmod(rest, 60)
    value = round(whole + minutes / 100 + seconds / 10_000, 9)
    return -value if degrees < 0 else value
