"""Reading a polygon file: which column is the code and which the name, and every boundary checked.

Everything comes out as multipolygons in EPSG:4326. What is wrong with a feature is said of all of
them at once, with its number in the file, its name and the place on the map.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from areas.naming import DIGITS, KINDS, guessed_column, readings
from areas.rules import Boundary
from core.errors import FieldText, Invalid, TooLarge
from core.geo import SRID
from core.geofiles import Feature, Layer, opened
from core.words import N_

MAX_AREAS = 20_000
MAX_VERTICES = 5_000_000
MAX_REPORTED = 100
# Polygon and MultiPolygon in two dimensions, as the first bytes of WKB name them.
POLYGONS = {3, 6}
CODE = re.compile(r"[0-9A-Za-z._-]{1,20}")


@dataclass(frozen=True)
class Choice:
    """What a person says about a file where it does not say it: empty means guess."""

    code: str = ""
    name: str = ""
    layer: str = ""
    srid: int | None = None


class ColumnNeeded(Invalid):
    """Nobody said which column it is and none has a name that tells it; `columns` are there."""

    code = "column_needed"

    def __init__(self, message: str, field: str, columns: Sequence[str]) -> None:
        super().__init__(message, fields={field: [message]}, columns=", ".join(columns))
        self.columns = tuple(columns)


class SystemNeeded(Invalid):
    """The file does not say in which coordinate system it is."""

    code = "system_needed"


@dataclass(frozen=True)
class Boundaries:
    """The areas of a file, its columns, and which were taken for code and name."""

    areas: tuple[Boundary, ...]
    columns: tuple[str, ...]
    code: str
    name: str


def read_boundaries(path: Path, filename: str, level: str, choice: Choice) -> Boundaries:
    """The areas of a level in a file; raises `Invalid` that names every feature that is wrong.

    Raises `ColumnNeeded`, `SystemNeeded` and `SeveralLayers` where somebody must choose, and
    whatever `core.geofiles.opened` does.
    """
    with opened(path, filename, layer=choice.layer or None) as file:
        columns = file.layer.columns
        code = _column(choice.code, columns, f"{level}_code", "code_column")
        name = _column(choice.name, columns, f"{level}_name", "name_column")
        kind = guessed_column(columns, "kind")
        size = guessed_column(columns, "area_km2")
        to_degrees = transformer_of(file.layer, choice.srid)
        wanted = [None if one is None else columns.index(one) for one in (code, name, kind, size)]
        found = _Found(level, to_degrees)
        for feature in file.features:
            values = [None if place is None else feature.values[place] for place in wanted]
            found.add(feature, *values)
    return Boundaries(found.checked(), columns, code, name)


def _column(chosen: str, columns: Sequence[str], meaning: str, field: str) -> str:
    if chosen:
        if chosen not in columns:
            message = N_("The file has no column “%(column)s”, but %(columns)s")
            facts = {"column": chosen[:100], "columns": ", ".join(columns)}
            raise Invalid(message, fields={field: [(message, facts)]}, **facts)
        return chosen
    guess = guessed_column(columns, meaning)
    if guess is None:
        message = (
            N_("Choose the column that has the codes, of %(columns)s")
            if field == "code_column"
            else N_("Choose the column that has the names, of %(columns)s")
        )
        raise ColumnNeeded(message, field, columns)
    return guess


def transformer_of(layer: Layer, chosen: int | None) -> Transformer | None:
    """From the coordinates of the file to EPSG:4326; `None` where they are in it already."""
    srid = chosen or layer.srid
    if srid is None:
        message = N_("The file does not say in which coordinate system it is: give its EPSG code")
        raise SystemNeeded(message, fields={"srid": [message]})
    if srid == SRID:
        return None
    try:
        # Without a known way between two datums PROJ would be 226 m off without a word.
        return Transformer.from_crs(
            CRS.from_epsg(srid), CRS.from_epsg(SRID), always_xy=True, allow_ballpark=False
        )
    except ProjError as error:
        message = N_("EPSG:%(srid)s is no coordinate system that leads to EPSG:4326")
        raise Invalid(message, fields={"srid": [(message, {"srid": srid})]}, srid=srid) from error


class _Found:
    """Collects the areas of a file and what is wrong with them."""

    def __init__(self, level: str, to_degrees: Transformer | None) -> None:
        self.level = level
        self.to_degrees = to_degrees
        self.areas: dict[str, Boundary] = {}
        self.wrong: dict[str, list[FieldText]] = {}
        self.vertices = 0
        self.number = 0

    def add(self, feature: Feature, code: Any, name: Any, kind: Any, size: Any) -> None:
        self.number += 1
        if self.number > MAX_AREAS:
            raise TooLarge(N_("The file has more than %(limit)s areas"), limit=MAX_AREAS)
        key, text = _code(code, self.level), text_of(name)
        label = text_of(kind)
        if label and readings(f"{label} x", self.level)[0].kind in KINDS[self.level]:
            text = text if readings(text, self.level)[0].kind else f"{label} {text}"
        problem = self._named_wrong(key, text)
        shape = None
        if problem is None:
            shape, problem = self._shape(feature.wkb, key)
        if problem is not None or shape is None:
            if len(self.wrong) < MAX_REPORTED:
                where = f"feature {feature.number}" + (f" ({text[:100]})" if text else "")
                self.wrong[where] = [problem or ""]
            return
        self.areas[key] = Boundary(feature.number, key, text, shape, _size(size))

    def _named_wrong(self, code: str, name: str) -> FieldText | None:
        if not code or not name or len(name) > 200:
            return N_("The code or the name is missing")
        if not CODE.fullmatch(code):
            return (
                N_("“%(code)s” is no code: at most 20 letters, digits, dots and hyphens"),
                {"code": code[:40]},
            )
        if code in self.areas:
            return (N_("The code %(code)s stands twice in the file"), {"code": code})
        return None

    def _shape(self, wkb: bytes | None, code: str) -> tuple[bytes | None, FieldText | None]:
        """The multipolygon of a feature in degrees, or what is wrong with it."""
        facts = {"code": code}
        if wkb is None or kind_of(wkb) not in POLYGONS:
            return None, (N_("%(code)s is not a polygon"), facts)
        shape = shapely.from_wkb(wkb, on_invalid="ignore")
        if shape is None:
            return None, (N_("A ring of the boundary of %(code)s is not closed"), facts)
        shape = shapely.force_2d(shape)
        if shape.is_empty:
            return None, (N_("%(code)s is not a polygon"), facts)
        self.vertices += int(shapely.get_num_coordinates(shape))
        if self.vertices > MAX_VERTICES:
            raise TooLarge(
                N_("The boundaries have more than %(limit)s points: simplify them"),
                limit=MAX_VERTICES,
            )
        if self.to_degrees is not None:
            shape = in_degrees(shape, self.to_degrees)
        if not on_earth(shape):
            return None, (
                N_(
                    "The boundary of %(code)s does not lie on earth: its coordinates are not in"
                    " the system that the file states"
                ),
                facts,
            )
        if not shape.is_valid:
            return None, (
                N_("The boundary of %(code)s crosses itself near %(place)s"),
                {**facts, "place": _place_of(shapely.is_valid_reason(shape))},
            )
        if shape.geom_type == "Polygon":
            shape = shapely.multipolygons([shape])
        return shapely.to_wkb(shape, byte_order=1), None

    def checked(self) -> tuple[Boundary, ...]:
        if self.wrong:
            raise Invalid(
                N_("Some areas of the file are not right; nothing was loaded"), fields=self.wrong
            )
        if not self.areas:
            raise Invalid(N_("The file has no features"))
        return tuple(self.areas.values())


def kind_of(wkb: bytes) -> int:
    """The type of a geometry without its dimensions; the extended and the ISO way are one."""
    order = "little" if wkb[:1] == b"\x01" else "big"
    return (int.from_bytes(wkb[1:5], order) & 0x0FFFFFFF) % 1000  # type: ignore[arg-type]


def in_degrees(shape: Any, to_degrees: Transformer) -> Any:
    """A shape in EPSG:4326."""

    def move(points: numpy.ndarray) -> numpy.ndarray:
        return numpy.column_stack(to_degrees.transform(points[:, 0], points[:, 1]))

    return shapely.transform(shape, move)


def on_earth(shape: Any) -> bool:
    """Whether all of a shape has finite degrees of EPSG:4326."""
    west, south, east, north = shape.bounds
    return (
        all(math.isfinite(one) for one in shape.bounds)
        and -180 <= west <= east <= 180
        and -90 <= south <= north <= 90
        and bool(numpy.isfinite(shapely.get_coordinates(shape)).all())
    )


def _place_of(reason: str) -> str:
    """Longitude and latitude in a reason such as `Self-intersection[105.6 10.4]`, to 0.1 m."""
    words = reason.partition("[")[2].rstrip("]").split()
    try:
        return " ".join(f"{float(word):.6f}".rstrip("0").rstrip(".") for word in words) or reason
    except ValueError:
        return reason


def text_of(value: Any) -> str:
    """A value as a name: in one form of Unicode, blanks as one; empty where it is none."""
    if value is None or isinstance(value, list | dict | bool):
        return ""
    return " ".join(unicodedata.normalize("NFC", str(value)).split())


def _code(value: Any, level: str) -> str:
    """A code as text; in a column of numbers the zeros in front are lost."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        whole = math.isfinite(value) and value == int(value) and value >= 0
        return str(int(value)).zfill(DIGITS[level]) if whole else ""
    return text_of(value)


def _size(value: Any) -> float | None:
    """An area in km², where the file has a likely one."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e7:
        return float(value)
    return None
