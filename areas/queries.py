"""Reading areas of any day; which followed which; the commune that covers a point."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from geoalchemy2 import Geometry
from sqlalchemy import (
    ARRAY,
    JSON,
    ColumnElement,
    Double,
    Select,
    Text,
    cast,
    func,
    literal,
    or_,
    select,
    text,
)
from sqlalchemy.orm import Session, joinedload

from areas.models import Area
from areas.rules import Level
from core import paging
from core.geo import SRID, Position, to_point, to_xy
from core.paging import Page


def valid_on(day: date | None, area: type[Area] = Area) -> ColumnElement[bool]:
    """The areas of a day; without one those of today, which have no end."""
    if day is None:
        return area.valid_to.is_(None)
    return func.daterange(area.valid_from, area.valid_to, "[]").op("@>")(day)


def current(session: Session, level: str) -> Sequence[Area]:
    """The areas of a level that are valid now, in Vietnamese order of their names."""
    return session.scalars(
        select(Area)
        .where(Area.level == level, valid_on(None))
        .order_by(Area.name.collate("vi-x-icu"), Area.id)
    ).all()


def communes(session: Session) -> Sequence[Area]:
    return current(session, Level.COMMUNE)


# Every list asks this: made once, it is not compared with what was compiled each time.
COMMUNE_CHOICES = (
    select(Area.code, Area.name)
    .where(Area.level == Level.COMMUNE, valid_on(None))
    .order_by(Area.name.collate("vi-x-icu"), Area.id)
)


def commune_choices(session: Session) -> Sequence[tuple[str, str]]:
    """Code and name of the communes of today, as a select takes them, in Vietnamese order."""
    return [(row[0], row[1]) for row in session.execute(COMMUNE_CHOICES)]


def provinces(session: Session) -> Sequence[Area]:
    return current(session, Level.PROVINCE)


def area_by_code(session: Session, level: str, code: str, *, on: date | None = None) -> Area | None:
    """The area that carries a code on a day (today without one), or `None`."""
    return session.scalar(select(Area).where(Area.level == level, Area.code == code, valid_on(on)))


def area(session: Session, area_id: int) -> Area | None:
    return session.get(Area, area_id) if area_id < 2**31 else None


@dataclass(frozen=True)
class Heir:
    """An area that has the land of another one: all of it (`whole`), or the `main` part."""

    area: Area
    whole: bool
    main: bool


def successors(session: Session, old: Area) -> list[Heir]:
    """Who has the land of an area today, the main heir first; nobody for one of today.

    What ended a second time is followed to the end. A district, which nobody followed, has the
    heirs of its communes.
    """
    return _heirs(session, _SUCCESSORS, old)


def predecessors(session: Session, new: Area) -> list[Heir]:
    """Whose land an area has, of the generation before it."""
    return _heirs(session, _PREDECESSORS, new)


# Along a chain an heir has the whole where every step gave the whole.
_SUCCESSORS = """
WITH RECURSIVE given AS (
    SELECT id FROM area WHERE id = :id
    UNION ALL
    SELECT a.id FROM area a JOIN given g ON a.parent_id = g.id
    WHERE NOT EXISTS (SELECT FROM area_succession s WHERE s.old_id = g.id)
), chain AS (
    SELECT s.new_id AS id, s.whole, s.main, g.id = :id AS own
    FROM given g JOIN area_succession s ON s.old_id = g.id
    UNION
    SELECT s.new_id, c.whole AND s.whole, c.main AND s.main, c.own
    FROM chain c JOIN area_succession s ON s.old_id = c.id
)
SELECT c.id, bool_and(c.whole AND c.own), bool_or(c.main)
FROM chain c JOIN area a ON a.id = c.id WHERE a.valid_to IS NULL GROUP BY c.id
"""
_PREDECESSORS = "SELECT old_id, whole, main FROM area_succession WHERE new_id = :id"


def _heirs(session: Session, statement: str, one: Area) -> list[Heir]:
    shares = {row[0]: (row[1], row[2]) for row in session.execute(text(statement), {"id": one.id})}
    areas = session.scalars(select(Area).where(Area.id.in_(shares))).all()
    found = [Heir(area, *shares[area.id]) for area in areas]
    return sorted(found, key=lambda heir: (not heir.main, heir.area.level, heir.area.code))


def commune_of(session: Session, position: Position) -> Area | None:
    """The commune whose boundary covers a point (EPSG:4326), or `None` outside all of them."""
    return session.scalar(
        select(Area)
        .where(
            Area.level == Level.COMMUNE,
            valid_on(None),
            func.ST_Covers(Area.geom, to_point(position)),
        )
        .order_by(Area.code)
        .limit(1)
    )


def communes_of(session: Session, positions: Sequence[Position]) -> list[Area | None]:
    """For each point (EPSG:4326) the commune whose boundary covers it, in one query."""
    if not positions:
        return []
    xs, ys = zip(*(to_xy(position) for position in positions), strict=True)
    point = (
        func.unnest(cast(xs, ARRAY(Double)), cast(ys, ARRAY(Double)))
        .table_valued("x", "y", with_ordinality="place", name="point")
        .render_derived()
    )
    covers = func.ST_Covers(
        Area.geom, func.ST_SetSRID(func.ST_MakePoint(point.c.x, point.c.y), SRID)
    )
    rows = session.execute(
        select(point.c.place, Area)
        .join(Area, covers)
        .where(Area.level == Level.COMMUNE, valid_on(None))
        .order_by(point.c.place, Area.code)
    )
    found: list[Area | None] = [None] * len(positions)
    for place, area in rows:
        found[place - 1] = found[place - 1] or area
    return found


def metres_to(session: Session, area: Area, position: Position) -> float | None:
    """How far a point (EPSG:4326) lies from an area, 0 inside it, `None` without a boundary."""
    point = func.geography(literal(to_point(position), Geometry("POINT", srid=SRID)))
    metres = session.scalar(
        select(func.ST_Distance(func.geography(Area.geom), point)).where(Area.id == area.id)
    )
    return None if metres is None else float(metres)


def province_covers(session: Session, province: Area, positions: Sequence[Position]) -> list[bool]:
    """For each point (EPSG:4326) whether it lies in a province.

    Its own boundary decides, or where none was loaded those of its communes.
    """
    if not positions:
        return []
    has_boundary = session.scalar(select(Area.geom.is_not(None)).where(Area.id == province.id))
    if not has_boundary:
        return [
            commune is not None and commune.parent_id == province.id
            for commune in communes_of(session, positions)
        ]
    covered = select(
        *(func.ST_Covers(Area.geom, to_point(position)) for position in positions)
    ).where(Area.id == province.id)
    return [bool(answer) for answer in session.execute(covered).one()]


def commune_ids(session: Session, territory: Sequence[int] | Select[int]) -> frozenset[int]:
    """The communes today of a territory, given by the ids of its areas or what selects them: its
    own ones and those of its provinces."""
    if not isinstance(territory, Select) and not territory:
        return frozenset()
    return frozenset(
        session.scalars(
            select(Area.id).where(
                Area.level == Level.COMMUNE,
                valid_on(None),
                or_(Area.id.in_(territory), Area.parent_id.in_(territory)),
            )
        )
    )


def any_synthetic(session: Session) -> bool:
    """Whether boundaries are shown that are not the real ones."""
    return bool(session.scalar(select(select(Area.id).where(Area.synthetic).exists())))


def parts(session: Session, area: Area) -> Sequence[Area]:
    """What an area consisted of, or consists of, by code."""
    return session.scalars(
        select(Area)
        .where(Area.parent_id == area.id, valid_on(area.valid_to))
        .order_by(Area.level, Area.code)
        .limit(500)
    ).all()


def with_boundaries(session: Session, level: str, *, on: date | None = None) -> str:
    """The areas of a level on a day as GeoJSON text, coordinates with 5 decimals (about 1 m)."""
    return _collection(session, Area.level == level, valid_on(on))


def boundary(session: Session, area_id: int) -> str:
    """The same of one area."""
    return _collection(session, Area.id == area_id)


# About 100 m: what a phone's map shows of a commune without signal.
COARSE_DEGREES = 0.001


def simple_boundaries(session: Session, communes: Collection[int] | None) -> str:
    """The present communes of a territory (`None` for all) as GeoJSON text, drawn coarsely."""
    wanted = [Area.level == "commune", valid_on(None)]
    if communes is not None:
        wanted.append(Area.id.in_(communes))
    shape = func.ST_SimplifyPreserveTopology(Area.geom, COARSE_DEGREES)
    return _collection(session, *wanted, shape=func.ST_AsGeoJSON(shape, 4))


def _collection(
    session: Session, *wanted: ColumnElement[bool], shape: ColumnElement[Any] | None = None
) -> str:
    feature = func.json_build_object(
        "type",
        "Feature",
        "geometry",
        cast(func.ST_AsGeoJSON(Area.geom, 5) if shape is None else shape, JSON),
        "properties",
        func.json_build_object(
            "code", Area.code, "name", Area.name, "synthetic", Area.synthetic, "id", Area.id
        ),
    )
    collection = func.json_build_object(
        "type",
        "FeatureCollection",
        "features",
        func.coalesce(func.json_agg(feature), cast(literal("[]"), JSON)),
    )
    return (
        session.scalar(select(cast(collection, Text)).where(*wanted, Area.geom.is_not(None)))
        or '{"type":"FeatureCollection","features":[]}'
    )


def extent(session: Session) -> tuple[float, float, float, float] | None:
    """West, south, east, north of all current areas in degrees, or `None` without any."""
    box = session.execute(
        select(
            func.ST_XMin(func.ST_Extent(Area.geom)),
            func.ST_YMin(func.ST_Extent(Area.geom)),
            func.ST_XMax(func.ST_Extent(Area.geom)),
            func.ST_YMax(func.ST_Extent(Area.geom)),
        ).where(valid_on(None))
    ).one()
    return None if box[0] is None else (box[0], box[1], box[2], box[3])


def bounds_of(session: Session, area: Area) -> list[float] | None:
    """West, south, east, north of one area in degrees, or `None` without a boundary."""
    row = session.execute(
        select(
            func.ST_XMin(Area.geom),
            func.ST_YMin(Area.geom),
            func.ST_XMax(Area.geom),
            func.ST_YMax(Area.geom),
        ).where(Area.id == area.id)
    ).one()
    return None if row[0] is None else list(row)


def listed(
    session: Session,
    *,
    level: str | None = None,
    on: date | None = None,
    q: str = "",
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[Area]:
    """One page of the areas of a day (today without one), by level and code.

    The search ignores case and marks, and finds a code by its beginning.
    """
    limit = paging.clamp(limit)
    around = joinedload(Area.parent).joinedload(Area.parent)
    statement = matching(select(Area), level=level, on=on, q=q)
    statement = paging.keyset(
        statement.options(around),
        (Area.level, Area.code, Area.id),
        (paging.text_value, paging.text_value, paging.whole_number),
        cursor,
    )
    rows = session.scalars(statement.limit(limit + 1)).all()
    return paging.page_of(rows, limit, lambda row: [row.level, row.code, row.id])


def matching(statement: Select[Any], *, level: str | None, on: date | None, q: str) -> Select[Any]:
    """A statement over `Area` narrowed as a list of areas is."""
    statement = statement.where(valid_on(on))
    if level:
        statement = statement.where(Area.level == level)
    if q.strip():
        named = func.strpos(func.search_form(Area.name), func.search_form(q.strip())) > 0
        statement = statement.where(or_(named, func.starts_with(Area.code, q.strip())))
    return statement


def count(session: Session, *, level: str | None, on: date | None, q: str) -> int:
    statement = select(func.count()).select_from(Area)
    return session.scalar(matching(statement, level=level, on=on, q=q)) or 0
