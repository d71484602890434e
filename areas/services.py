"""Loading administrative areas: all of a file or nothing of it."""

from __future__ import annotations

import json
import unicodedata
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from areas.models import Area
from areas.rules import Level
from core import audit, policy
from core.api import strict_json
from core.errors import FieldText, Invalid, TooLarge
from core.policy import Actor
from core.words import N_

DEMO = Path(__file__).resolve().parent / "data" / "dong-thap-communes-synthetic.geojson"
MAX_BYTES = 60_000_000
MAX_AREAS = 5_000
MAX_VERTICES = 2_000_000


def read_features(content: bytes) -> list[dict[str, Any]]:
    """The features of a GeoJSON file of communes; raises `Invalid`, `TooLarge`, `BadRequest`."""
    if len(content) > MAX_BYTES:
        raise TooLarge(N_("The file may have at most %(limit)s MB"), limit=MAX_BYTES // 1_000_000)
    document = strict_json(content)
    if not isinstance(document, dict) or document.get("type") != "FeatureCollection":
        raise Invalid(N_("This is not a GeoJSON FeatureCollection"))
    features = document.get("features")
    if not isinstance(features, list) or not features:
        raise Invalid(N_("The file has no features"))
    if len(features) > MAX_AREAS:
        raise TooLarge(N_("The file has more than %(limit)s areas"), limit=MAX_AREAS)
    return features


def _text(properties: dict[str, Any], *names: str) -> str:
    for name in names:
        value = properties.get(name)
        if value not in (None, ""):
            return unicodedata.normalize("NFC", str(value)).strip()
    return ""


def _vertices(coordinates: Any) -> int:
    if isinstance(coordinates, list) and coordinates and isinstance(coordinates[0], list):
        return sum(_vertices(one) for one in coordinates)
    return 1


def load_areas(
    session: Session,
    features: list[dict[str, Any]],
    *,
    province_code: str,
    province_name: str,
    synthetic: bool,
    source: str,
    valid_from: date,
    by: Actor,
    now: datetime,
) -> int:
    """Load the communes of a province (polygons in EPSG:4326) and return their number.

    A known code gets its new boundary, a new code becomes an area, and the province is the
    union. Raises `Invalid` that names every feature that is wrong; then nothing is loaded.
    """
    policy.require(by, "area.load")
    if not province_code.strip() or not province_name.strip():
        raise Invalid(N_("Name the province and its code"))
    wrong: dict[str, list[FieldText]] = {}
    rows: dict[str, dict[str, Any]] = {}
    for number, feature in enumerate(features, start=1):
        problem = _check(feature, rows)
        if problem:
            wrong[f"feature {number}"] = [problem]
    if wrong:
        raise Invalid(N_("Some areas of the file are not right; nothing was loaded"), fields=wrong)
    province = _upsert(
        session,
        Level.PROVINCE,
        province_code.strip(),
        name=province_name.strip(),
        valid_from=valid_from,
        synthetic=synthetic,
        source=source,
    )
    session.flush()
    for number, (code, row) in enumerate(rows.items(), start=1):
        valid, reason = session.execute(
            select(func.ST_IsValid(row["geom"]), func.ST_IsValidReason(row["geom"]))
        ).one()
        if not valid:
            wrong[f"feature {number}"] = [
                (
                    N_("The boundary of %(code)s crosses itself near %(place)s"),
                    {"code": code, "place": _place_of(reason)},
                )
            ]
            continue
        _upsert(
            session,
            Level.COMMUNE,
            code,
            name=row["name"],
            parent_id=province.id,
            valid_from=valid_from,
            synthetic=synthetic,
            source=source,
            area_km2=row["area_km2"],
            geom=row["geom"],
        )
    if wrong:
        raise Invalid(N_("Some areas of the file are not right; nothing was loaded"), fields=wrong)
    session.flush()
    session.execute(
        update(Area)
        .where(Area.id == province.id)
        .values(
            geom=select(func.ST_Multi(func.ST_Union(Area.geom)))
            .where(Area.parent_id == province.id, Area.valid_to.is_(None))
            .correlate(None)
            .scalar_subquery()
        )
        .execution_options(synchronize_session=False)
    )
    audit.record(
        session,
        "area.load",
        "area",
        province_code,
        by=by,
        now=now,
        after={"communes": len(rows), "source": source, "synthetic": synthetic},
    )
    session.expire_all()
    return len(rows)


def _check(feature: Any, rows: dict[str, dict[str, Any]]) -> FieldText | None:
    """Put a feature into `rows`, or say what is wrong with it."""
    if not isinstance(feature, dict) or not isinstance(feature.get("properties"), dict):
        return N_("A feature without properties")
    properties, geometry = feature["properties"], feature.get("geometry")
    code = _text(properties, "code", "ma", "maxa", "Code")
    name = _text(properties, "fullName", "name", "ten", "Name")
    if not code or len(code) > 20 or not name or len(name) > 200:
        return N_("The code or the name is missing")
    if code in rows:
        return (N_("The code %(code)s stands twice in the file"), {"code": code})
    if not isinstance(geometry, dict) or geometry.get("type") not in {"Polygon", "MultiPolygon"}:
        return (N_("%(code)s is not a polygon"), {"code": code})
    coordinates = geometry.get("coordinates")
    if _vertices(coordinates) > MAX_VERTICES:
        return (N_("The boundary of %(code)s has too many points"), {"code": code})
    if geometry["type"] == "Polygon":
        coordinates = [coordinates]
    if not _in_degrees(coordinates, depth=4):
        return (
            N_("The boundary of %(code)s is not in degrees of longitude and latitude (EPSG:4326)"),
            {"code": code},
        )
    document = json.dumps({"type": "MultiPolygon", "coordinates": coordinates})
    area = properties.get("areaKm2", properties.get("area_km2"))
    rows[code] = {
        "name": name,
        "area_km2": area if _is_number(area) and 0 < area < 1e7 else None,
        "geom": func.ST_SetSRID(func.ST_GeomFromGeoJSON(document), 4326),
    }
    return None


def _is_number(value: Any) -> bool:
    """Whether a JSON value is a number; Python counts true and false among them."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _in_degrees(coordinates: Any, *, depth: int) -> bool:
    """Whether nested lists of this depth hold pairs of degrees and nothing else."""
    if depth == 1:
        return (
            isinstance(coordinates, list)
            and len(coordinates) == 2
            and all(_is_number(one) for one in coordinates)
            and -180 <= coordinates[0] <= 180
            and -90 <= coordinates[1] <= 90
        )
    if not isinstance(coordinates, list) or not coordinates:
        return False
    # A ring closes itself and has at least three corners.
    if depth == 2 and (len(coordinates) < 4 or coordinates[0] != coordinates[-1]):
        return False
    return all(_in_degrees(one, depth=depth - 1) for one in coordinates)


def _place_of(reason: str) -> str:
    """Longitude and latitude in PostGIS's reason, such as `Self-intersection[105.6 10.4]`."""
    return reason.partition("[")[2].rstrip("]") or reason


def _upsert(session: Session, level: str, code: str, **values: Any) -> Area:
    area = session.scalar(
        select(Area).where(Area.level == level, Area.code == code, Area.valid_to.is_(None))
    )
    if area is None:
        area = Area(level=level, code=code)
        session.add(area)
    for key, value in values.items():
        setattr(area, key, value)
    return area
