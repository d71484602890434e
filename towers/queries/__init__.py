"""Reading the register: scope first, then filters, always a total order and a limit."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, TypeVar

from geoalchemy2 import Geometry
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Double,
    Row,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.orm import Session, aliased, joinedload

from accounts.models import Organisation
from areas.models import Area
from core import paging, policy
from core.geo import SRID, Position, to_point, to_xy
from core.paging import Page
from core.policy import Actor
from towers.coordinate_systems import WGS84, System, proj_text
from towers.fields import KEPT
from towers.models import StructureKind, Tower

OUT_OF_DATE = "out_of_date"
Listed = TypeVar("Listed", bound="Select[*tuple[Any, ...]]")


@dataclass(frozen=True)
class Filters:
    """What a list, the map and an export are narrowed to; empty means everything."""

    q: str = ""
    condition: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()
    overdue: bool = False
    due_within: int | None = None
    owner: uuid.UUID | None = None
    commune: str = ""
    structure_type: tuple[str, ...] = ()
    include_dismantled: bool = False

    @property
    def any(self) -> bool:
        return self != Filters()


def condition_on(today: date) -> ColumnElement[str]:
    """The condition as it counts today: what was `ok` becomes `unchecked` when its time is over."""
    return case(
        (and_(Tower.condition == "ok", Tower.ok_until < today), literal("unchecked")),
        else_=Tower.condition,
    )


def reason_on(today: date) -> ColumnElement[str | None]:
    """Why a tower is `unchecked` today: never, incomplete or out_of_date."""
    return case(
        (and_(Tower.condition == "ok", Tower.ok_until < today), literal(OUT_OF_DATE)),
        else_=Tower.condition_reason,
    )


def overdue_on(today: date) -> ColumnElement[bool]:
    """Whether an open violation is past its deadline; the day of the deadline is still in time."""
    return func.coalesce(Tower.next_deadline < today, False)


def has_condition(conditions: Sequence[str], today: date) -> ColumnElement[bool]:
    """A predicate that uses the index on the stored condition."""
    parts: list[ColumnElement[bool]] = []
    for condition in conditions:
        if condition == "ok":
            parts.append(and_(Tower.condition == "ok", Tower.ok_until >= today))
        elif condition == "unchecked":
            parts.append(Tower.condition == "unchecked")
            parts.append(and_(Tower.condition == "ok", Tower.ok_until < today))
        else:
            parts.append(Tower.condition == condition)
    return or_(*parts)


def like(text: str) -> str:
    """A pattern that finds a text anywhere in it, its own wildcards taken literally."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def matches(text: str) -> ColumnElement[bool]:
    """Every word of the text occurs in code or name, whatever case and marks."""
    return and_(*(Tower.search.like(func.search_form(like(word))) for word in text.split()[:8]))


def narrowed(filters: Filters, today: date) -> list[ColumnElement[bool]]:
    """The filters as predicates on `Tower`."""
    wanted: list[ColumnElement[bool]] = []
    if not filters.include_dismantled:
        wanted.append(Tower.lifecycle != "dismantled")
    if filters.q.strip():
        wanted.append(matches(filters.q))
    if filters.condition:
        wanted.append(has_condition(filters.condition, today))
    if filters.severity:
        wanted.append(Tower.worst_severity.in_(filters.severity))
    if filters.overdue:
        wanted.append(Tower.next_deadline < today)
    if filters.due_within is not None:
        wanted.append(
            Tower.next_deadline.between(today, today + timedelta(days=filters.due_within))
        )
    if filters.owner:
        wanted.append(Tower.owner_id == filters.owner)
    if filters.commune:
        wanted.append(
            Tower.commune_id.in_(
                select(Area.id).where(Area.code == filters.commune, Area.level == "commune")
            )
        )
    if filters.structure_type:
        wanted.append(Tower.structure_type.in_(filters.structure_type))
    return wanted


def filtered(statement: Listed, actor: Actor, filters: Filters, *, today: date) -> Listed:
    """A statement over `Tower` with the reader's scope and then the filters."""
    return statement.where(policy.visible(actor, "tower"), *narrowed(filters, today))


SORTS = {"code": (Tower.code,), "name": (Tower.name.collate("vi-x-icu"), Tower.code)}


def towers(
    session: Session,
    actor: Actor,
    filters: Filters,
    *,
    today: date,
    limit: int | None = None,
    cursor: str | None = None,
    sort: str = "code",
) -> Page[Tower]:
    """One page of the register, by code (bytewise) or by name (Vietnamese order)."""
    limit = paging.clamp(limit)
    keys = SORTS[sort]
    statement = filtered(select(Tower), actor, filters, today=today).options(
        joinedload(Tower.commune), joinedload(Tower.owner)
    )
    statement = paging.keyset(statement, keys, [paging.text_value] * len(keys), cursor)
    rows = session.scalars(statement.limit(limit + 1)).all()
    return paging.page_of(
        rows, limit, lambda row: [row.code] if sort == "code" else [row.name, row.code]
    )


MANAGER = aliased(Organisation)
# What the API says of a tower, as columns: an object a row would take longer than the query.
LISTED = (
    Tower.id,
    *(getattr(Tower, field.name) for field in KEPT),
    func.ST_Y(Tower.geom).label("latitude"),
    func.ST_X(Tower.geom).label("longitude"),
    Area.code.label("commune_code"),
    Area.name.label("commune_name"),
    Tower.commune_distance_m,
    Tower.source_srid,
    Tower.source_x,
    Tower.source_y,
    Tower.owner_id,
    Organisation.name.label("owner_name"),
    Tower.manager_id,
    MANAGER.name.label("manager_name"),
    Tower.condition,
    Tower.condition_reason,
    Tower.ok_until,
    Tower.worst_severity,
    Tower.next_deadline,
    Tower.open_violations,
    Tower.last_inspected_on,
    Tower.version,
)


def listed(
    session: Session,
    actor: Actor,
    filters: Filters,
    *,
    today: date,
    limit: int | None = None,
    cursor: str | None = None,
    sort: str = "code",
) -> Page[Row[Any]]:
    """The same page as `towers`, as rows with the columns of `LISTED`."""
    limit = paging.clamp(limit)
    keys = SORTS[sort]
    statement = filtered(select(*LISTED), actor, filters, today=today)
    statement = (
        statement.outerjoin(Area, Area.id == Tower.commune_id)
        .outerjoin(Organisation, Organisation.id == Tower.owner_id)
        .outerjoin(MANAGER, MANAGER.id == Tower.manager_id)
    )
    statement = paging.keyset(statement, keys, [paging.text_value] * len(keys), cursor)
    rows = session.execute(statement.limit(limit + 1)).all()
    return paging.page_of(
        rows, limit, lambda row: [row.code] if sort == "code" else [row.name, row.code]
    )


def count(session: Session, actor: Actor, filters: Filters, *, today: date) -> int:
    """How many towers match, in the reader's scope."""
    statement = filtered(select(func.count()).select_from(Tower), actor, filters, today=today)
    return session.scalar(statement) or 0


def count_former(session: Session, actor: Actor, area: Area) -> int:
    """How many towers stood in an area of the past, as their papers say, in the reader's scope."""
    statement = (
        select(func.count())
        .select_from(Tower)
        .where(Tower.former_commune_id == area.id, policy.visible(actor, "tower"))
    )
    return session.scalar(statement) or 0


def by_code(session: Session, actor: Actor, code: str) -> Tower | None:
    """The tower with a code, if the reader may see it."""
    return session.scalar(
        select(Tower)
        .where(Tower.code == code, policy.visible(actor, "tower"))
        .options(joinedload(Tower.commune), joinedload(Tower.owner), joinedload(Tower.manager))
    )


def by_id(session: Session, actor: Actor, tower_id: uuid.UUID) -> Tower | None:
    return session.scalar(
        select(Tower)
        .where(Tower.id == tower_id, policy.visible(actor, "tower"))
        .options(joinedload(Tower.commune), joinedload(Tower.owner))
    )


def nearest(
    session: Session, actor: Actor, position: Position, *, metres: float, limit: int = 5
) -> Sequence[tuple[Tower, float]]:
    """The nearest towers within some metres of a point, with their distances in metres."""
    point = func.geography(literal(to_point(position), Geometry("POINT", srid=SRID)))
    distance = func.ST_Distance(func.geography(Tower.geom), point)
    rows = session.execute(
        select(Tower, distance)
        .where(
            policy.visible(actor, "tower"),
            # About as many degrees as metres at these latitudes, a little wide, for the index.
            Tower.geom.op("&&")(func.ST_Expand(to_point(position), metres / 90_000)),
            distance <= metres,
        )
        .order_by(distance, Tower.code)
        .limit(limit)
    )
    return [(tower, float(metres_away)) for tower, metres_away in rows]


def metres_to_nearest(
    session: Session, actor: Actor, positions: Sequence[Position], *, metres: float
) -> list[float | None]:
    """For each point (EPSG:4326) the distance in metres to the nearest tower that still stands.

    `None` where the reader sees none within `metres`. One query for all points.
    """
    if not positions:
        return []
    xs, ys = zip(*(to_xy(position) for position in positions), strict=True)
    given = (
        func.unnest(cast(xs, ARRAY(Double)), cast(ys, ARRAY(Double)))
        .table_valued("x", "y", with_ordinality="place", name="given")
        .render_derived()
    )
    point = func.ST_SetSRID(func.ST_MakePoint(given.c.x, given.c.y), SRID)
    distance = func.ST_Distance(func.geography(Tower.geom), func.geography(point))
    rows = session.execute(
        select(given.c.place, func.min(distance))
        .join(Tower, Tower.geom.op("&&")(func.ST_Expand(point, metres / 90_000)))
        .where(policy.visible(actor, "tower"), Tower.lifecycle != "dismantled", distance <= metres)
        .group_by(given.c.place)
    )
    found: list[float | None] = [None] * len(positions)
    for place, metres_away in rows:
        found[place - 1] = float(metres_away)
    return found


def point_from(
    x: ColumnElement[float], y: ColumnElement[float], system: System
) -> ColumnElement[Any]:
    """The point in EPSG:4326 of x (east) and y (north), in metres or degrees of a named system.

    The same way as `to_wgs84`, for lists whose rows are in the database already; PostGIS's own
    table of systems, where VN-2000 lacks its datum or is missing, has no part in it. Raises
    `ValueError` for a system that is not a named one.
    """
    point = func.ST_SetSRID(func.ST_MakePoint(x, y), SRID)
    if system.srid == SRID:
        return point
    return func.ST_Transform(point, cast(proj_text(system), Text), SRID)


def point_in(geom: ColumnElement[Any], system: System) -> ColumnElement[Any]:
    """A point of EPSG:4326 in a named system, x (east) and y (north) in its metres or degrees.

    Its SRID is 0: read `ST_X` and `ST_Y` of it. Raises `ValueError` for another system.
    """
    if system.srid == SRID:
        return geom
    return func.ST_Transform(geom, cast(proj_text(WGS84), Text), cast(proj_text(system), Text))


def counts_by_condition(session: Session, actor: Actor, *, today: date) -> dict[str, int]:
    """How many towers stand in each condition today, dismantled ones left out."""
    condition = condition_on(today).label("condition")
    rows = session.execute(
        filtered(select(condition, func.count()), actor, Filters(), today=today).group_by(condition)
    )
    return {row[0]: row[1] for row in rows}


def overdue_count(session: Session, actor: Actor, *, today: date) -> int:
    return count(session, actor, Filters(overdue=True), today=today)


def owners_with_towers(session: Session, actor: Actor) -> Sequence[tuple[uuid.UUID, str]]:
    """The owners of towers in the reader's scope, in Vietnamese order."""
    statement = (
        select(Organisation.id, Organisation.name)
        .where(
            select(Tower.id)
            .where(Tower.owner_id == Organisation.id, policy.visible(actor, "tower"))
            .exists()
        )
        .order_by(Organisation.name.collate("vi-x-icu"), Organisation.id)
        .limit(2000)
    )
    return [(row[0], row[1]) for row in session.execute(statement)]


def intervals(session: Session) -> dict[str, int | None]:
    """The inspection interval in months of each structure type."""
    return {kind.key: kind.interval_months for kind in session.scalars(select(StructureKind))}
