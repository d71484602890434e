"""Reading provinces and communes; the commune of a point."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from geoalchemy2 import Geometry
from sqlalchemy import ARRAY, JSON, Double, Text, cast, func, literal, or_, select
from sqlalchemy.orm import Session, joinedload

from areas.models import Area
from areas.rules import Level
from core import paging
from core.geo import SRID, Position, to_point, to_xy
from core.paging import Page


def current(level: str | None = None):
    """A select of the areas that are valid now, in Vietnamese order of their names."""
    statement = select(Area).where(Area.valid_to.is_(None))
    if level:
        statement = statement.where(Area.level == level)
    return statement.order_by(Area.name.collate("vi-x-icu"), Area.id)


def communes(session: Session) -> Sequence[Area]:
    return session.scalars(current(Level.COMMUNE)).all()


def provinces(session: Session) -> Sequence[Area]:
    return session.scalars(current(Level.PROVINCE)).all()


def area_by_code(session: Session, level: str, code: str) -> Area | None:
    """The area that carries a code today, or `None`."""
    return session.scalar(
        select(Area).where(Area.level == level, Area.code == code, Area.valid_to.is_(None))
    )


def commune_of(session: Session, position: Position) -> Area | None:
    """The commune whose boundary covers a point (EPSG:4326), or `None` outside all of them."""
    return session.scalar(
        select(Area)
        .where(
            Area.level == Level.COMMUNE,
            Area.valid_to.is_(None),
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
        .where(Area.level == Level.COMMUNE, Area.valid_to.is_(None))
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


def commune_ids(session: Session, territory: Iterable[Area]) -> frozenset[int]:
    """The communes of a territory: its own ones and those of its provinces."""
    ids = [area.id for area in territory]
    if not ids:
        return frozenset()
    return frozenset(
        session.scalars(
            select(Area.id).where(
                Area.level == Level.COMMUNE, or_(Area.id.in_(ids), Area.parent_id.in_(ids))
            )
        )
    )


def any_synthetic(session: Session) -> bool:
    """Whether boundaries are shown that are not the real ones."""
    return bool(session.scalar(select(select(Area.id).where(Area.synthetic).exists())))


def with_boundaries(session: Session, level: str) -> str:
    """The current areas of a level as GeoJSON text, coordinates with 5 decimals (about 1 m)."""
    feature = func.json_build_object(
        "type",
        "Feature",
        "geometry",
        cast(func.ST_AsGeoJSON(Area.geom, 5), JSON),
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
        session.scalar(
            select(cast(collection, Text)).where(
                Area.level == level, Area.valid_to.is_(None), Area.geom.is_not(None)
            )
        )
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
        ).where(Area.valid_to.is_(None))
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
    q: str = "",
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[Area]:
    """One page of the current areas, by level and code."""
    limit = paging.clamp(limit)
    statement = select(Area).where(Area.valid_to.is_(None)).options(joinedload(Area.parent))
    if level:
        statement = statement.where(Area.level == level)
    if q.strip():
        statement = statement.where(
            func.strpos(func.search_form(Area.name), func.search_form(q.strip())) > 0
        )
    statement = paging.keyset(
        statement, (Area.level, Area.code), (paging.text_value, paging.text_value), cursor
    )
    rows = session.scalars(statement.limit(limit + 1)).all()
    return paging.page_of(rows, limit, lambda row: [row.level, row.code])
