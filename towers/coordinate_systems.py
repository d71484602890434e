"""Coordinate systems by EPSG code, and the one way between VN-2000 and WGS 84.

The systems that Vietnamese papers use are data (`data/coordinate_systems.yaml`). Their
transformations are written out here in full: PROJ, left alone, chooses among several and may
choose differently tomorrow, and a bare definition of VN-2000 means WGS 84 to it, 226 m away.
x is always east or longitude, y north or latitude, as `core.geo` has it.
"""

from __future__ import annotations

import math
import re
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pyproj import CRS, Transformer
from pyproj.crs import BoundCRS
from pyproj.exceptions import CRSError, ProjError
from pyproj.network import set_network_enabled

from core.geo import SRID, Position, from_xy, to_xy
from towers.coordinate_texts import bare

DATA = Path(__file__).parent / "data" / "coordinate_systems.yaml"
FALSE_EASTING = 500_000
# Farther from its central meridian nobody uses such a system: the numbers mean something else.
FARTHEST_M = 1_000_000


class UnknownSystem(LookupError):
    """No coordinate system of positions in two dimensions has this code."""


class NoSuchPlace(ValueError):
    """The numbers cannot be a place in their system."""


@dataclass(frozen=True)
class System:
    """A coordinate system; `datum` is `wgs84`, `vn2000` or, for any other, `other`.

    `meridian` (degrees) and `scale` belong to the transverse Mercator projections among the named
    ones. `metric` says whether numbers are lengths of a projection rather than degrees.
    """

    srid: int
    name: str
    datum: str
    metric: bool
    meridian: float | None = None
    scale: float | None = None

    @property
    def named(self) -> bool:
        """Whether its transformation is written out here rather than chosen by PROJ."""
        return self.datum != "other"


@cache
def _data() -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load(DATA.read_text(encoding="utf-8"))
    return data


@cache
def named_systems() -> tuple[System, ...]:
    """The systems of Vietnamese papers, the usual ones first, TM-3 zones from west to east."""
    return tuple(
        System(
            srid=row["srid"],
            name=row["name"],
            datum=row["datum"],
            metric="meridian" in row,
            meridian=row.get("meridian"),
            scale=row.get("scale"),
        )
        for row in _data()["systems"]
    )


@cache
def _by_srid() -> dict[int, System]:
    return {system.srid: system for system in named_systems()}


def tm3_zones() -> tuple[System, ...]:
    """The VN-2000 zones of 3 degrees, from west to east."""
    return tuple(one for one in named_systems() if one.scale == 0.9999)


@cache
def system(srid: int) -> System:
    """The system with an EPSG code, a named one or any other of positions that PROJ knows.

    Raises `UnknownSystem` where there is none, or where PROJ knows no way to WGS 84.
    """
    if srid in _by_srid():
        return _by_srid()[srid]
    try:
        crs = CRS.from_epsg(srid)
    except CRSError as error:
        raise UnknownSystem(srid) from error
    plane = crs.is_projected or (crs.is_geographic and len(crs.axis_info) == 2)
    if not plane or crs.is_compound or len(crs.axis_info) != 2:
        raise UnknownSystem(srid)
    found = System(srid=srid, name=crs.name, datum="other", metric=crs.is_projected)
    try:
        _transformer(found)
    except ProjError as error:
        raise UnknownSystem(srid) from error
    return found


def find_system(text: str) -> System | None:
    """The system that a text of a form or a column names, or `None`.

    Takes an EPSG code (`9210`, `EPSG:9210`), `WGS 84`, `VN-2000`, a central meridian
    (`VN2000 105°45'`, `KTT 105-45`, `105,75`) and `UTM 48N` with either datum.
    """
    plain = re.sub(r"[\s_/:]+", " ", bare(text)).strip()
    code = re.fullmatch(r"(?:epsg ?)?(\d{4,6})", plain)
    if code:
        try:
            return system(int(code[1]))
        except UnknownSystem:
            return None
    datum = "vn2000" if re.search(r"vn ?-? ?2000", plain) else ""
    if re.search(r"wgs ?-? ?(19)?84|\bgps\b", plain):
        if datum:
            return None
        datum = "wgs84"
    rest = re.sub(r"vn ?-? ?2000|wgs ?-? ?(19)?84|\bgps\b", " ", plain)
    utm = re.search(r"\butm\b.*?\b(48|49) ?[npq]?\b", rest)
    if utm:
        return _utm(int(utm[1]), datum or "wgs84")
    meridian = _meridian_in(rest)
    if meridian is not None and datum != "wgs84":
        return next((one for one in tm3_zones() if one.meridian == meridian), None)
    if datum and not re.search(r"\d", rest):
        return _by_srid()[4756 if datum == "vn2000" else SRID]
    return None


def _utm(zone: int, datum: str) -> System | None:
    meridian = 6 * zone - 183
    for one in named_systems():
        if (one.meridian, one.scale, one.datum) == (meridian, 0.9996, datum):
            return one
    return None


def _meridian_in(text: str) -> float | None:
    """A central meridian written in a text: `105°45′`, `105-45`, `105 45`, `105d45`, `105,75`."""
    text = re.sub(r"\btm ?-? ?3\b|\b3 ?°|\bmui 3\b", " ", text)
    decimal = re.search(r"(?<!\d)(10\d)[.,](25|5|50|75|0|00)(?!\d)", text)
    if decimal:
        return float(f"{decimal[1]}.{decimal[2]}")
    minutes = re.search(
        r"(?<!\d)(10\d)(?: ?[°o*d-]? ?(00|15|30|45) ?['’′]?(?!\d)|(?! ?[°o*d.,-]? ?\d))", text
    )
    if minutes:
        return int(minutes[1]) + int(minutes[2] or 0) / 60
    return None


def utm_system(zone: int, *, south: bool = False) -> System:
    """The WGS 84 / UTM system of a zone from 1 to 60; raises `UnknownSystem` for another zone."""
    if not 1 <= zone <= 60:
        raise UnknownSystem(zone)
    return system((32700 if south else 32600) + zone)


def systems_of_province(name: str) -> tuple[System, ...]:
    """The TM-3 zones that papers of a province may use, by its name before or after July 2025.

    Several for a province that was merged, since nothing says which one it took over; none for a
    name that is not known. Marks, case and words such as Tỉnh do not matter.
    """
    wanted = _province_name(name)
    own = [row for row in _data()["provinces"] if _province_name(row["name"]) == wanted]
    merged = [
        row
        for row in _data()["provinces"]
        if _province_name(row.get("now", row["name"])) == wanted and row not in own
    ]
    return tuple(_by_srid()[srid] for srid in dict.fromkeys(row["srid"] for row in own + merged))


def _province_name(name: str) -> str:
    plain = re.sub(r"[^a-z]+", " ", bare(name).replace("đ", "d")).strip()
    return re.sub(r"^(tinh|thanh pho|tp) ", "", plain).replace("thua thien ", "")


def proj_text(of: System) -> str:
    """A named system for PostGIS, with its way to WGS 84 in it; `ValueError` for another one.

    `+towgs84` takes rotations in the position vector convention, hence their opposite signs.
    """
    if not of.named:
        raise ValueError(f"EPSG:{of.srid} has no transformation of ours")
    shift = ""
    if of.datum == "vn2000":
        steps = _data()["transformation"]
        values = (
            *steps["translation_m"],
            *(-angle for angle in steps["rotation_arc_seconds"]),
            steps["scale_ppm"],
        )
        shift = " +towgs84=" + ",".join(map(str, values))
    else:
        shift = " +towgs84=0,0,0"
    return f"{_projection(of)}{shift} +no_defs +type=crs"


def wkt(of: System) -> str:
    """A named system for the files of map programs: with its EPSG code and its way to WGS 84.

    Programs that know the code go their own way, which ends less than 1 m from ours; those that
    do not find ours in it. Raises `ValueError` as `proj_text` does.
    """
    ours = CRS.from_user_input(proj_text(of))
    if of.datum == "wgs84":
        return f"EPSG:{of.srid}"
    bound = BoundCRS(CRS.from_epsg(of.srid), CRS.from_epsg(SRID), ours.coordinate_operation)
    return str(bound.to_wkt())


def _projection(of: System) -> str:
    if not of.metric:
        return "+proj=longlat +ellps=WGS84"
    return (
        f"+proj=tmerc +lat_0=0 +lon_0={of.meridian} +k={of.scale}"
        f" +x_0={FALSE_EASTING} +y_0=0 +ellps=WGS84 +units=m"
    )


def _pipeline(of: System) -> str:
    """From a named system to longitude and latitude in degrees of WGS 84, every step named."""
    if of.metric:
        steps = [f"+inv {_projection(of)}"]
    else:
        steps = ["+proj=unitconvert +xy_in=deg +xy_out=rad"]
    if of.datum == "vn2000":
        data = _data()["transformation"]
        move = dict(zip(("x", "y", "z"), data["translation_m"], strict=True))
        turn = dict(zip(("rx", "ry", "rz"), data["rotation_arc_seconds"], strict=True))
        values = " ".join(f"+{name}={value}" for name, value in (move | turn).items())
        steps += [
            "+proj=push +v_3",
            "+proj=cart +ellps=WGS84",
            f"+proj=helmert {values} +s={data['scale_ppm']} +convention={data['convention']}",
            "+inv +proj=cart +ellps=WGS84",
            "+proj=pop +v_3",
        ]
    steps.append("+proj=unitconvert +xy_in=rad +xy_out=deg")
    return "+proj=pipeline " + " ".join(f"+step {step}" for step in steps)


class _Transformers(threading.local):
    """One of each a thread: PROJ shares nothing between threads."""

    def __init__(self) -> None:
        self.by_system: dict[System, Transformer] = {}


_transformers = _Transformers()


def _transformer(of: System) -> Transformer:
    known = _transformers.by_system.get(of)
    if known is None:
        # Whatever the machine's settings say: no grid from elsewhere, so results stay the same.
        set_network_enabled(False)
        if of.named:
            known = Transformer.from_pipeline(_pipeline(of))
        else:
            known = Transformer.from_crs(
                CRS.from_epsg(of.srid), CRS.from_epsg(SRID), always_xy=True, allow_ballpark=False
            )
        _transformers.by_system[of] = known
    return known


def to_wgs84(x: float, y: float, of: System) -> Position:
    """The position in EPSG:4326 of x (east, longitude) and y (north, latitude) in a system.

    x and y are metres or degrees, whichever the system has; the height is taken as 0 on the
    ellipsoid. Raises `NoSuchPlace` for numbers that are not finite or no place of the system.
    Systems that are not named ones go the way that PROJ thinks best without any grid file, and
    never by ignoring their datum.
    """
    if not (math.isfinite(x) and math.isfinite(y)):
        raise NoSuchPlace("a coordinate is not finite")
    if of.srid == SRID:
        return _position(x, y)
    if not of.metric and not (-180 <= x <= 180 and -90 <= y <= 90):
        raise NoSuchPlace("these are no degrees")
    if of.meridian is not None and not (
        abs(x - FALSE_EASTING) <= FARTHEST_M and abs(y) <= 10_000_000
    ):
        raise NoSuchPlace("too far from the central meridian")
    try:
        longitude, latitude = _transformer(of).transform(x, y, errcheck=True)
    except ProjError as error:
        raise NoSuchPlace(str(error)) from error
    position = _position(longitude, latitude)
    if not of.named:
        # Outside its area a projection may fold: then the way back leads elsewhere.
        back_x, back_y = from_wgs84(position, of)
        near = 1.0 if of.metric else 1e-5
        if abs(back_x - x) > near or abs(back_y - y) > near:
            raise NoSuchPlace("outside of what the system describes")
    return position


def _position(longitude: float, latitude: float) -> Position:
    try:
        return from_xy(longitude, latitude)
    except ValueError as error:
        raise NoSuchPlace(str(error)) from error


def from_wgs84(position: Position, of: System) -> tuple[float, float]:
    """x (east, longitude) and y (north, latitude) of a position, in metres or degrees.

    Raises `NoSuchPlace` where the system does not reach.
    """
    x, y = to_xy(position)
    if of.srid == SRID:
        return x, y
    there = _inverse(x, y, of)
    if of.datum != "vn2000":
        return there
    # Heights are left out on either way, by some metres, which moves a place by up to 2 mm.
    back = to_xy(to_wgs84(*there, of))
    return _inverse(2 * x - back[0], 2 * y - back[1], of)


def _inverse(x: float, y: float, of: System) -> tuple[float, float]:
    try:
        there_x, there_y = _transformer(of).transform(x, y, direction="INVERSE", errcheck=True)
    except ProjError as error:
        raise NoSuchPlace(str(error)) from error
    if not (math.isfinite(there_x) and math.isfinite(there_y)):
        raise NoSuchPlace("the system does not reach there")
    return there_x, there_y


WGS84 = system(SRID)
VN2000 = system(4756)
