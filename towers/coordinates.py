"""What papers and people give for a position, and the likely mistake when it cannot be right.

The register keeps the original beside the position: its system (EPSG code) and its x and y.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from core.geo import Envelope, Position, east_first, to_xy
from core.words import N_
from towers.coordinate_systems import (
    WGS84,
    NoSuchPlace,
    System,
    UnknownSystem,
    find_system,
    to_wgs84,
    utm_system,
)
from towers.coordinate_texts import (
    LATITUDE,
    LEAST_LENGTH,
    LONGITUDE,
    Angle,
    Lengths,
    Unreadable,
    normal,
    read_angle,
    read_angles,
    read_length,
    read_lengths,
)

NUMBER = re.compile(r"[+-]?\d{1,9}(?:[.,]\d{1,20})?\Z", re.ASCII)

Problem = tuple[str, str, Mapping[str, Any]]
Note = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Reading:
    """A position with what was written: x (east, longitude) and y (north, latitude) in `system`.

    x and y are metres or degrees, whichever the system has. `notes` are texts with facts that
    say how something ambiguous was understood.
    """

    position: Position
    system: System
    x: float
    y: float
    notes: tuple[Note, ...] = ()

    @classmethod
    def of(cls, position: Position) -> Reading:
        """A position picked on a map or measured: its own original in WGS 84."""
        x, y = to_xy(position)
        return cls(position, WGS84, x, y)


def decimal_degrees(text: str) -> float | None:
    """A plain number with point or comma, `None` for anything else."""
    text = text.strip().removesuffix("°").strip()
    if not NUMBER.match(text):
        return None
    return float(text.replace(",", "."))


def read_columns(
    first: str, second: str, envelope: Envelope, system: System = WGS84
) -> tuple[Reading | None, list[Problem]]:
    """What two columns say in a system, or what is wrong as (field, text, facts).

    `first` is the latitude or the northing (X of Vietnamese papers), `second` the longitude or
    the easting (Y). Degrees may be decimal or in any form of `read_angle`; metres may have
    separators of thousands, and where only the other order of the two lies inside the envelope
    (degrees of EPSG:4326) it is taken, with a note. The fields are named latitude and longitude
    whatever the system.
    """
    if system is WGS84:
        latitude, longitude = decimal_degrees(first), decimal_degrees(second)
        if latitude is None or longitude is None:
            pass
        elif _mistake(latitude, longitude, envelope) is None:
            # The usual list, a million rows long, goes no further.
            return Reading.of(Position(latitude, longitude)), []
    problems: list[Problem] = []
    angles: list[Angle] = []
    lengths: list[float] = []
    for name, text in ((LATITUDE, first), (LONGITUDE, second)):
        try:
            if system.metric:
                lengths.append(_length(text))
            else:
                angles.append(_angle(text))
        except Unreadable as error:
            problems.append((name, error.text, error.facts))
    if system.metric and not problems:
        return _metric(lengths[0], lengths[1], envelope, system, written=(first, second))
    metres = [read_length(text) or 0 for text in (first, second)]
    if not system.metric and all(abs(length) >= LEAST_LENGTH for length in metres):
        return _refused(METRES_AS_DEGREES, {})
    if problems:
        return None, problems
    return _geographic(angles[0], angles[1], envelope, system, written=(first, second), free=False)


MISSING = N_("The coordinate is missing")
NOBODY = N_("The position is 0, 0: nobody filled it in")
METRES_AS_DEGREES = N_(
    "These are metres, probably VN-2000, not degrees: say which coordinate system they have"
)
DEGREES_AS_METRES = N_(
    "These are degrees, but the coordinate system that was chosen has metres: choose another"
)
NORTH_READ = N_("“N” was read as north")
SOUTH_READ = N_("“N” was read as Nam (south)")
NORTHING_FIRST = N_("%(first)s was read as the northing, %(second)s as the easting")
EASTING_FIRST = N_("%(first)s was read as the easting, %(second)s as the northing")
LONGITUDE_FIRST = N_("%(first)s was read as the longitude, %(second)s as the latitude")


def _refused(text: str, facts: Mapping[str, Any]) -> tuple[None, list[Problem]]:
    return None, [(LATITUDE, text, facts), (LONGITUDE, text, facts)]


def _angle(text: str) -> Angle:
    """An angle, or a plain number however large: what is wrong with it is said later."""
    if not text.strip():
        raise Unreadable(MISSING)
    number = decimal_degrees(text)
    return read_angle(text) if number is None else Angle(number)


def _length(text: str) -> float:
    """A length, or degrees: that these are none is said later."""
    if not text.strip():
        raise Unreadable(MISSING)
    length = read_length(text)
    if length is not None:
        return length
    try:
        return read_angle(text).degrees
    except Unreadable as error:
        raise Unreadable(
            N_("“%(value)s” is not a number of metres such as 1156833.58"), value=text[:60]
        ) from error


def _metric(
    first: float, second: float, envelope: Envelope, system: System, *, written: tuple[str, str]
) -> tuple[Reading | None, list[Problem]]:
    if abs(first) <= 180 and abs(second) <= 180 and (first or second):
        return _refused(DEGREES_AS_METRES, {})
    candidates = [
        _ordered(first, second, True, noted=False),
        _ordered(first, second, False, noted=True),
    ]
    return _placed(candidates, envelope, system, written=written)


@dataclass(frozen=True)
class _Candidate:
    x: float
    y: float
    notes: tuple[Note, ...] = ()


def _ordered(first: float, second: float, north_first: bool, *, noted: bool) -> _Candidate:
    x, y = east_first(first, second, north_first=north_first)
    text = NORTHING_FIRST if north_first else EASTING_FIRST
    facts = {"first": f"{first:.2f}", "second": f"{second:.2f}"}
    return _Candidate(x, y, ((text, facts),) if noted else ())


def _geographic(
    first: Angle,
    second: Angle,
    envelope: Envelope,
    system: System,
    *,
    written: tuple[str, str],
    free: bool,
) -> tuple[Reading | None, list[Problem]]:
    """Two angles as a position; `free` where no header says which of them is the latitude."""
    if first.axis is not None and first.axis == second.axis:
        return _refused(N_("Both coordinates are latitudes or both are longitudes"), {})
    told = first.axis is not None or second.axis is not None
    turned = first.axis == LONGITUDE or second.axis == LATITUDE
    orders = [not turned] if told or not free else [True, False]
    candidates: list[_Candidate] = []
    for north_first in orders:
        note: tuple[Note, ...] = ()
        if not north_first and not told:
            note = ((LONGITUDE_FIRST, _rounded(first, second)),)
        x, y = east_first(first.degrees, second.degrees, north_first=north_first)
        either = first.either or second.either
        if not either:
            candidates.append(_Candidate(x, y, note))
            continue
        north = _Candidate(x, y, (*note, (NORTH_READ, {})))
        south = _Candidate(x, -y, (*note, (SOUTH_READ, {})))
        vietnamese = "vi" in (first.language, second.language)
        # Where E or W stands beside it, N is English and nothing has to be said.
        if "en" in (first.language, second.language):
            candidates.append(replace(north, notes=note))
        else:
            candidates += [south, north] if vietnamese else [north, south]
    return _placed(candidates, envelope, system, written=written)


def _rounded(first: Angle, second: Angle) -> Mapping[str, float]:
    return {"first": round(first.degrees, 6), "second": round(second.degrees, 6)}


def _placed(
    candidates: list[_Candidate],
    envelope: Envelope,
    system: System,
    *,
    written: tuple[str, str],
) -> tuple[Reading | None, list[Problem]]:
    """The first candidate inside the envelope, else what is wrong with the first of all."""
    for one in candidates:
        if one.x == 0 and one.y == 0:
            continue
        try:
            position = to_wgs84(one.x, one.y, system)
        except NoSuchPlace:
            continue
        if envelope.contains(position):
            return Reading(position, system, one.x, one.y, one.notes), []
    first = candidates[0]
    if first.x == 0 and first.y == 0:
        return _refused(NOBODY, {})
    facts: dict[str, Any] = {
        "latitude": written[0].strip()[:60],
        "longitude": written[1].strip()[:60],
        "south": envelope.south,
        "north": envelope.north,
        "west": envelope.west,
        "east": envelope.east,
    }
    text = None
    if not system.metric:
        text = _mistake(first.y, first.x, envelope)
    if text is None:
        try:
            position = to_wgs84(first.x, first.y, system)
        except NoSuchPlace:
            facts["system"] = system.name
            return _refused(
                N_("%(latitude)s, %(longitude)s is no place in the system %(system)s"), facts
            )
        facts["latitude"] = f"{position.latitude:.5f}"
        facts["longitude"] = f"{position.longitude:.5f}"
        text = OUTSIDE
    return _refused(text, facts)


OUTSIDE = N_(
    "The position %(latitude)s, %(longitude)s lies outside the area of this deployment"
    " (%(south)s to %(north)s N, %(west)s to %(east)s E)"
)


def _mistake(lat: float, lon: float, envelope: Envelope) -> str | None:
    if lat == 0 and lon == 0:
        return NOBODY
    if abs(lat) > 1000 and abs(lon) > 1000:
        return METRES_AS_DEGREES
    if not -90 <= lat <= 90 and -90 <= lon <= 90 and -180 <= lat <= 180:
        return N_("Latitude and longitude are probably swapped")
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):
        return N_("Latitude lies between -90 and 90, longitude between -180 and 180")
    if envelope.contains(Position(lat, lon)):
        return None
    if -90 <= lon <= 90 and envelope.contains(Position(lon, lat)):
        return N_("Latitude and longitude are probably swapped")
    return OUTSIDE


def read_pair(
    text: str, envelope: Envelope, system: System | None = None
) -> tuple[Reading | None, list[Problem]]:
    """A position pasted as one text, or what is wrong as (field `position`, text, facts).

    Takes two angles in any form of `read_angles`, two lengths of `read_lengths`, `POINT(x y)`
    and `geo:` addresses, in any order that the text or the envelope (degrees of EPSG:4326)
    decides. `system` is the one that the user chose; a text that names its own, such as
    `48P 567890 1156789` or `VN-2000 105°45': X=…`, is believed. Degrees without any are WGS 84;
    metres without any are refused with the question for their system.
    """
    reading, problems = _read_pair(text, envelope, system)
    if reading is not None:
        return reading, []
    # Both coordinates stand in one text: one sentence is enough.
    return None, [("position", *problems[0][1:])]


LONGITUDE_LATITUDE = re.compile(
    r"\s*point\s*\(\s*(-?\d{1,9}(?:\.\d{1,20})?)\s+(-?\d{1,9}(?:\.\d{1,20})?)\s*\)\s*",
    re.IGNORECASE | re.ASCII,
)
# How a text begins that names its system, the longer beginning first: `VN-2000 105°45': X=…`.
DATUM = r"(?:vn\s?-?\s?2000|wgs\s?-?\s?84)"
MERIDIAN = r"(?:tm\s?-?3\s*)?(?:ktt\s*)?10[2-8](?:\s?[°o.,-]\s?(?:00|0|15|25|30|45|5|50|75)?'?)?"
NAMED_SYSTEMS = tuple(
    re.compile(rf"\s*({head})[\s:;,]+(.+)", re.DOTALL | re.IGNORECASE | re.ASCII)
    for head in (
        r"epsg[\s:]*\d{4,6}",
        rf"{DATUM}[\s/,]*utm(?:\s?zone)?\s?\d\d\s?[npq]?",
        rf"{DATUM}[\s/,]*{MERIDIAN}",
        DATUM,
    )
)
# The same behind the numbers, as papers and messages put it: `X=… Y=… KTT 105°45'`.
SYSTEM_LAST = tuple(
    re.compile(rf"(.+?)[\s:;,(]+({head})\s*\)?", re.DOTALL | re.IGNORECASE | re.ASCII)
    for head in (
        r"epsg[\s:]*\d{4,6}",
        rf"{DATUM}[\s/,]*utm(?:\s?zone)?\s?\d\d\s?[npq]?",
        rf"{DATUM}[\s/,]*(?:kinh tuyen truc\s*)?{MERIDIAN}",
        r"(?:ktt|kinh tuyen truc)\s*10[2-8](?:\s?[°o.,-]\s?(?:00|0|15|25|30|45|5|50|75)?'?)?",
        DATUM,
    )
)


def _read_pair(
    text: str, envelope: Envelope, system: System | None
) -> tuple[Reading | None, list[Problem]]:
    if not text.strip():
        return _refused(MISSING, {})
    if "0" in text and not text.strip("0., ;°"):
        return _refused(NOBODY, {})
    point = LONGITUDE_LATITUDE.fullmatch(text)
    if point:
        x, y = float(point[1]), float(point[2])
        return _placed([_Candidate(x, y)], envelope, system or WGS84, written=(point[2], point[1]))
    text = re.sub(r"\A\s*geo:", "", text, flags=re.IGNORECASE)
    lengths = read_lengths(text)
    if lengths is not None:
        return _lengths_placed(lengths, envelope, system)
    try:
        angles = read_angles(text)
    except Unreadable as error:
        return _after_its_system(text, envelope) or _refused(error.text, error.facts)
    if len(angles) != 2:
        return _after_its_system(text, envelope) or _refused(
            N_("“%(value)s” is not a position such as 10.4603, 105.6325"), {"value": text[:60]}
        )
    if system is not None and system.metric:
        return _refused(DEGREES_AS_METRES, {})
    written = (f"{angles[0].degrees:.6f}", f"{angles[1].degrees:.6f}")
    return _geographic(angles[0], angles[1], envelope, system or WGS84, written=written, free=True)


def _after_its_system(text: str, envelope: Envelope) -> tuple[Reading | None, list[Problem]] | None:
    """A text that begins or ends with the name of its system, `None` for any other."""
    try:
        text = normal(text)
    except Unreadable:
        return None
    ways = [(one, 1, 2) for one in NAMED_SYSTEMS] + [(one, 2, 1) for one in SYSTEM_LAST]
    for way, naming, numbers in ways:
        named = way.fullmatch(text)
        of = find_system(named[naming]) if named else None
        if named is None or of is None:
            continue
        found = _read_pair(named[numbers], envelope, of)
        if found[0] is not None or way in {NAMED_SYSTEMS[-1], SYSTEM_LAST[-1]}:
            return found
    return None


def _lengths_placed(
    lengths: Lengths, envelope: Envelope, system: System | None
) -> tuple[Reading | None, list[Problem]]:
    if system is None or not system.metric:
        if lengths.zone is None:
            return _refused(METRES_AS_DEGREES, {})
        try:
            system = utm_system(lengths.zone, south="C" <= lengths.letter < "N")
        except UnknownSystem:
            return _refused(METRES_AS_DEGREES, {})
    first, second = lengths.first, lengths.second
    if lengths.north_first is not None and not lengths.paper:
        candidates = [_ordered(first, second, lengths.north_first, noted=False)]
    else:
        # X is the northing on Vietnamese papers; programs write the easting first.
        north_first = system.datum == "vn2000"
        if lengths.paper:
            north_first = bool(lengths.north_first)
        usual = lengths.zone is not None and not north_first
        candidates = [
            _ordered(first, second, north_first, noted=not usual),
            _ordered(first, second, not north_first, noted=True),
        ]
    written = (f"{first:.2f}", f"{second:.2f}")
    return _placed(candidates, envelope, system, written=written)
