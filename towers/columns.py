"""What the header of a column means: a field of the register, or a part of a position.

Positions come as latitude and longitude, in columns of degrees, minutes and seconds, as X and Y of
Vietnamese papers (X is the northing), or as one text; their system may stand in the header.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from core.words import plain
from towers.coordinate_systems import find_system
from towers.fields import known_headers

# Between the names of a group and of its column, where a header has two rows.
BETWEEN = " / "


class Part(StrEnum):
    """Which part of a field a column has."""

    WHOLE = "whole"
    DEGREES = "degrees"
    MINUTES = "minutes"
    SECONDS = "seconds"
    SIDE = "side"


ANGLE = (Part.DEGREES, Part.MINUTES, Part.SECONDS, Part.SIDE)


@dataclass(frozen=True)
class Meaning:
    """A field and which part of it; `paper` for X and Y, `srid` where the header names a system.

    Beside those of the register, the fields are `position` (both coordinates in one text),
    `system` (the coordinate system of each row), `call_sign`, and `stated_commune`: headers that do
    not say whether they mean the communes of today or those of before the reform.
    """

    field: str
    part: Part = Part.WHOLE
    paper: bool = False
    srid: int | None = None


# A list of radio licences has call signs in the place of codes.
OTHERS = {
    "call_sign": ("call sign", "callsign", "ho hieu"),
    "position": (
        "toa do", "position", "coordinates", "coordinate", "vi tri toa do", "toa do wgs84",
        "lat long", "lat lon", "latlong", "vi do kinh do", "vi do, kinh do", "geo", "gps",
        "toa do gps", "toa do dia ly",
    ),
    "system": (
        "he toa do", "he quy chieu", "he toa do goc", "kinh tuyen truc", "ktt", "srid", "epsg",
        "crs", "coordinate system", "source_srid", "datum",
        "coordinate system of the source (epsg)",
    ),
    "stated_commune": (
        "xa", "xa, phuong", "phuong/xa", "xa/phuong", "xa phuong", "phuong, xa", "phuong xa",
        "xa, phuong (hien nay hoac truoc day)", "xa moi", "xa, phuong moi", "xa/phuong moi",
        "phuong/xa moi", "xa hien nay", "xa, phuong hien nay", "xa/phuong hien nay",
        "phuong/xa hien nay", "stated_commune", "commune (of today or before)",
    ),
}  # fmt: skip
ELSE = {header: field for field, headers in OTHERS.items() for header in headers}
LATITUDE = re.compile(r"\b(?:vi do|vido|latitude|lat)\b")
LONGITUDE = re.compile(r"\b(?:kinh do|kinhdo|longitude|long|lon|lng)\b")
# Words that say nothing about which part of a coordinate a column has.
SILENT = frozenset(
    ("toa", "do", "cor", "nb", "nm", "cd", "wgs", "vn", "gps", "decimal", "dd", "dms", "thap",
     "phan", "truc", "ktt", "tm", "utm", "zone")
)  # fmt: skip
PARTS = {
    **dict.fromkeys(("degrees", "degree", "deg", "dg"), Part.DEGREES),
    **dict.fromkeys(("minutes", "minute", "min", "mn", "phut"), Part.MINUTES),
    **dict.fromkeys(("seconds", "second", "sec", "sc", "giay"), Part.SECONDS),
    **dict.fromkeys(
        ("ns", "ew", "n s", "e w", "dir", "direction", "hemisphere", "hemi", "side", "huong",
         "ban cau", "bac nam", "dong tay"),
        Part.SIDE,
    ),
}  # fmt: skip
# Projected coordinates, once the name of their system and their unit are taken out.
PAPER = {
    **dict.fromkeys(("x", "toa do x", "northing", "x bac", "bac", "toa do bac"), "latitude"),
    **dict.fromkeys(("y", "toa do y", "easting", "y dong", "dong", "toa do dong"), "longitude"),
}
# What stands behind the name of a system goes with it, up to a bracket or the name of a column.
SYSTEM = re.compile(
    r"vn ?-? ?2000|wgs ?-? ?84|tm ?-? ?3|\d{3}[°o .,-]*\d{0,2}['’′]?"
    rf"|(?:utm|ktt|kinh tuyen truc)(?:(?!{BETWEEN})[^)])*"
)
UNIT = re.compile(r"\(\s*(?:m|met)?\s*\)|[_.,;:()\[\]]+|\s\bm\b")


@lru_cache(8192)
def meaning(header: str) -> Meaning | None:
    """What a header means, `None` where that is not known."""
    text = plain(header).strip(" *:")
    if not text or len(text) > 200:
        return None
    whole = _whole(text)
    if whole:
        return whole
    part = _part_of_angle(text)
    if part:
        return part
    paper = _paper(text)
    if paper:
        return paper
    # `Chiều cao (mét)`, `3. Mã trạm`, and names below the name of a group.
    for shorter in (re.sub(r"\s*\([^)]*\)\s*\Z", "", text), re.sub(r"\A\d{1,2}[.)]\s*", "", text)):
        if shorter != text and (found := _whole(shorter)):
            return found
    if BETWEEN in text:
        group, _, own = text.rpartition(BETWEEN)
        found = meaning(own)
        if found and found.field in {"latitude", "longitude", "position"} and not found.srid:
            return replace(found, srid=_srid(group))
        return found
    return None


def _whole(text: str) -> Meaning | None:
    field = known_headers().get(text) or ELSE.get(text)
    return Meaning(field) if field else None


def _srid(text: str) -> int | None:
    found = find_system(text)
    return found.srid if found else None


def _part_of_angle(text: str) -> Meaning | None:
    words = " ".join(re.findall(r"[a-z0-9]+", text))
    north, east = LATITUDE.search(words), LONGITUDE.search(words)
    if (north is None) == (east is None):
        return None
    match = north or east
    assert match is not None
    field = "latitude" if north else "longitude"
    # What stands before says less than what stands behind: `toa do vi do do` ends in degrees.
    before = [w for w in words[: match.start()].split() if w not in SILENT and not w.isdigit()]
    behind = [w for w in words[match.end() :].split() if not w.isdigit()]
    if behind == ["do"]:
        return Meaning(field, Part.DEGREES)
    rest = " ".join([*before, *(w for w in behind if w not in SILENT)])
    rest = re.sub(r"\bwgs\w*|\bvn\w*", "", rest).strip()
    if not rest:
        return Meaning(field, srid=_srid(text))
    part = PARTS.get(rest)
    return Meaning(field, part) if part else None


def _paper(text: str) -> Meaning | None:
    bare = UNIT.sub(" ", SYSTEM.sub(" ", text).replace(BETWEEN, " "))
    bare = " ".join(bare.replace("-", " ").replace("/", " ").split())
    field = PAPER.get(bare) or PAPER.get(bare.removeprefix("toa do "))
    if field is None:
        return None
    return Meaning(field, paper=True, srid=_srid(re.sub(r"\b[xy]\b", " ", text)))
