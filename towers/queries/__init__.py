"""Reading the register: scope first, then filters, always a total order and a limit."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from geoalchemy2 import Geometry
from sqlalchemy import (
    ARRAY,
    CTE,
    ColumnElement,
    Double,
    Integer,
    Select,
    Text,
    Uuid,
    and_,
    case,
    cast,
    column,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session, joinedload

from accounts.models import Organisation
from areas.models import Area
from core import policy
from core.geo import SRID, Envelope, Position, to_point, to_polygon, to_xy
from core.policy import Actor
from towers import search
from towers.coordinate_systems import WGS84, System, proj_text
from towers.models import Installation, StructureKind, Tower
from towers.search import Wanted

OUT_OF_DATE = "out_of_date"
# So many points are transformed together.
AT_ONCE = 10_000
Listed = TypeVar("Listed", bound="Select[*tuple[Any, ...]]")
Asked = TypeVar("Asked", bound="Filters")
# A day, or where a statement finds it.
Day = date | ColumnElement[date]


@dataclass(frozen=True)
class Filters:
    """What a list, the map and an export are narrowed to; empty means everything.

    `wanted` is `q` as `understood` has read it. Heights are in metres, the box is in degrees of
    EPSG:4326, and so are the corners (longitude, latitude) of the drawn `area`, none of them
    twice. `towers` are the ids of those that somebody chose one by one. `inspection_due_before`:
    never inspected, or so long ago that the interval of the structure type ends before that day.
    `campaign` are the towers that a campaign has.
    """

    q: str = ""
    condition: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()
    overdue: bool = False
    due_within: int | None = None
    owner: uuid.UUID | None = None
    manager: uuid.UUID | None = None
    operator: uuid.UUID | None = None
    commune: tuple[str, ...] = ()
    without_commune: bool = False
    structure_type: tuple[str, ...] = ()
    service: tuple[str, ...] = ()
    lifecycle: tuple[str, ...] = ()
    managing_department: tuple[str, ...] = ()
    built_before: int | None = None
    height_from: Decimal | None = None
    height_to: Decimal | None = None
    bbox: Envelope | None = None
    inspection_due_before: date | None = None
    campaign: uuid.UUID | None = None
    area: tuple[tuple[float, float], ...] = ()
    towers: tuple[uuid.UUID, ...] = ()
    include_dismantled: bool = False
    wanted: Wanted | None = field(default=None, compare=False)

    @property
    def any(self) -> bool:
        return self != type(self)()

    @property
    def narrow(self) -> bool:
        """Whether one of the filters is set that forms keep folded."""
        return any(
            getattr(self, name) not in (None, False, ())
            for name in (
                "due_within", "service", "lifecycle", "managing_department", "built_before",
                "height_from", "height_to", "without_commune", "include_dismantled",
                "inspection_due_before", "campaign",
            )
        )  # fmt: skip

    @property
    def area_text(self) -> str:
        """The corners of the drawn area as an address has them, to about a metre."""
        return "*".join(f"{x:.5f}_{y:.5f}" for x, y in self.area)

    @property
    def towers_text(self) -> str:
        """The chosen towers as an address has them: 22 letters each."""
        return ".".join(
            base64.urlsafe_b64encode(one.bytes).decode().rstrip("=") for one in self.towers
        )

    @property
    def nearly(self) -> bool:
        """Whether the search text is written nowhere and what is like it is shown."""
        return self.wanted is not None and self.wanted.nearly


def understood(session: Session, actor: Actor, filters: Asked) -> Asked:
    """The filters with their search text read; every list, map and export needs them so."""
    if not filters.q.strip():
        return filters
    return replace(filters, wanted=search.understood(session, actor, filters.q))


def condition_on(today: Day, of: Any = Tower) -> ColumnElement[str]:
    """The condition as it counts today: what was `ok` becomes `unchecked` when its time is over.

    `of` has the columns of a tower of that name; so it is below.
    """
    return case(
        (and_(of.condition == "ok", of.ok_until < today), literal("unchecked")),
        else_=of.condition,
    )


def reason_on(today: date) -> ColumnElement[str | None]:
    """Why a tower is `unchecked` today: never, incomplete or out_of_date."""
    return case(
        (and_(Tower.condition == "ok", Tower.ok_until < today), literal(OUT_OF_DATE)),
        else_=Tower.condition_reason,
    )


def overdue_on(today: Day, of: Any = Tower) -> ColumnElement[bool]:
    """Whether an open violation is past its deadline; the day of the deadline is still in time."""
    return func.coalesce(of.next_deadline < today, False)


def due_within(days: int, today: date, of: Any = Tower) -> ColumnElement[bool]:
    """Whether the nearest deadline is today or one of some days to come."""
    return of.next_deadline.between(today, today + timedelta(days=days))


def kept_facts(filters: Filters, of: Any = Tower) -> list[ColumnElement[bool]]:
    """The filters by life, severity and commune, in which no day plays a part."""
    wanted: list[ColumnElement[bool]] = []
    if filters.lifecycle:
        wanted.append(of.lifecycle.in_(filters.lifecycle))
    elif not filters.include_dismantled:
        wanted.append(of.lifecycle != "dismantled")
    if filters.severity:
        wanted.append(of.worst_severity.in_(filters.severity))
    if filters.commune:
        wanted.append(
            of.commune_id.in_(
                select(Area.id).where(Area.code.in_(filters.commune), Area.level == "commune")
            )
        )
    if filters.without_commune:
        wanted.append(of.commune_id.is_(None))
    return wanted


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


def inspection_due_before(day: date) -> ColumnElement[bool]:
    """The towers whose interval since their last inspection ends before a day, or that have none.

    A structure type without an interval falls due only while nobody has inspected the tower.
    """
    # Read once a statement rather than once a tower: five times as quick for a whole register.
    intervals = select(
        func.jsonb_object_agg(StructureKind.key, StructureKind.interval_months)
    ).scalar_subquery()
    months = cast(func.jsonb_object_field_text(intervals, Tower.structure_type), Integer)
    ends = Tower.last_inspected_on + func.make_interval(0, months)
    return or_(Tower.last_inspected_on.is_(None), ends < day)


def operated_by(organisation: uuid.UUID) -> ColumnElement[bool]:
    """The towers on which an operator has an installation."""
    return Tower.id.in_(
        select(Installation.tower_id).where(Installation.operator_id == organisation)
    )


@dataclass(frozen=True)
class Campaigns:
    """What another feature knows of a campaign, as far as somebody may know of it: the ids of its
    towers as a statement, and its name."""

    towers_of: Callable[[Actor, uuid.UUID], Select[Any]]
    name_of: Callable[[Session, Actor, uuid.UUID], str | None]


_campaigns: list[Campaigns] = []


def know_campaigns(campaigns: Campaigns) -> None:
    """Have the filter by campaign answered there."""
    _campaigns[:] = [campaigns]


def campaign_name(session: Session, actor: Actor, campaign: uuid.UUID) -> str:
    """How filters call a campaign: by its number where the reader may not know of it."""
    (known,) = _campaigns
    return known.name_of(session, actor, campaign) or str(campaign)


def narrowed(actor: Actor, filters: Filters, today: date) -> list[ColumnElement[bool]]:
    """The filters as predicates on `Tower`; raises `ValueError` for a text that nobody has read.

    The reader's scope is not among them: the actor only says whose campaigns there are.
    """
    wanted = kept_facts(filters)
    if filters.q.strip():
        if filters.wanted is None:
            raise ValueError("the search text was not read by `understood`")
        wanted.append(search.matches(filters.wanted))
    if filters.condition:
        wanted.append(has_condition(filters.condition, today))
    if filters.overdue:
        wanted.append(Tower.next_deadline < today)
    if filters.due_within is not None:
        wanted.append(due_within(filters.due_within, today))
    if filters.owner:
        wanted.append(Tower.owner_id == filters.owner)
    if filters.manager:
        wanted.append(Tower.manager_id == filters.manager)
    if filters.operator:
        wanted.append(operated_by(filters.operator))
    if filters.structure_type:
        wanted.append(Tower.structure_type.in_(filters.structure_type))
    if filters.service:
        wanted.append(Tower.services.overlap(filters.service))
    if filters.managing_department:
        wanted.append(Tower.managing_department.in_(filters.managing_department))
    if filters.built_before is not None:
        wanted.append(Tower.built_year < filters.built_before)
    if filters.height_from is not None:
        wanted.append(Tower.height_m >= filters.height_from)
    if filters.height_to is not None:
        wanted.append(Tower.height_m <= filters.height_to)
    if filters.bbox is not None:
        box = filters.bbox
        envelope = func.ST_MakeEnvelope(box.west, box.south, box.east, box.north, SRID)
        wanted.append(Tower.geom.op("&&")(envelope))
    if filters.inspection_due_before is not None:
        wanted.append(inspection_due_before(filters.inspection_due_before))
    if filters.campaign:
        (known,) = _campaigns
        wanted.append(Tower.id.in_(known.towers_of(actor, filters.campaign)))
    if filters.towers:
        wanted.append(Tower.id.in_(filters.towers))
    if filters.area:
        wanted.append(func.ST_Covers(to_polygon([(*filters.area, filters.area[0])]), Tower.geom))
    return wanted


def filtered(statement: Listed, actor: Actor, filters: Filters, *, today: date) -> Listed:
    """A statement over `Tower` with the reader's scope and then the filters."""
    return statement.where(policy.visible(actor, "tower"), *narrowed(actor, filters, today))


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


def alike_codes(
    session: Session, actor: Actor, code: str, *, but: Tower | None = None, limit: int = 5
) -> Sequence[Tower]:
    """The towers whose codes differ from a code in case or marks alone."""
    return session.scalars(
        select(Tower)
        .where(
            policy.visible(actor, "tower"),
            func.search_form(Tower.code) == func.search_form(code),
            Tower.code != code,
            *([Tower.id != but.id] if but is not None else []),
        )
        .order_by(Tower.code)
        .limit(limit)
    ).all()


def one_code(session: Session, actor: Actor, text: str) -> str | None:
    """The code that a text is, whatever its case and marks; `None` for none and for several."""
    found = session.scalars(
        select(Tower.code)
        .where(
            func.search_form(Tower.code) == func.search_form(text),
            policy.visible(actor, "tower"),
        )
        .limit(2)
    ).all()
    return found[0] if len(found) == 1 else None


def by_id(session: Session, actor: Actor, tower_id: uuid.UUID) -> Tower | None:
    return session.scalar(
        select(Tower)
        .where(Tower.id == tower_id, policy.visible(actor, "tower"))
        .options(joinedload(Tower.commune), joinedload(Tower.owner))
    )


def within(
    point: ColumnElement[Any], metres: float | ColumnElement[float]
) -> tuple[ColumnElement[float], list[ColumnElement[bool]]]:
    """The distance of a `Tower` from a point in metres, and predicates of being at most so far."""
    distance = func.ST_Distance(func.geography(Tower.geom), func.geography(point))
    # About as many degrees as metres at these latitudes, a little wide, for the index.
    near = Tower.geom.op("&&")(func.ST_Expand(point, metres / 90_000))
    return distance, [near, distance <= metres]


def nearest(
    session: Session,
    actor: Actor,
    position: Position,
    *,
    metres: float,
    limit: int = 5,
    but: Tower | None = None,
) -> Sequence[tuple[Tower, float]]:
    """The nearest towers within some metres, with their distances in metres.

    `but` is the tower that is asked about: it is no neighbour of its own.
    """
    distance, here = within(literal(to_point(position), Geometry("POINT", srid=SRID)), metres)
    rows = session.execute(
        select(Tower, distance)
        .where(
            policy.visible(actor, "tower"),
            *here,
            *([Tower.id != but.id] if but is not None else []),
        )
        .options(joinedload(Tower.commune), joinedload(Tower.owner))
        .order_by(distance, Tower.code)
        .limit(limit)
    )
    return [(tower, float(metres_away)) for tower, metres_away in rows]


def metres_to_nearest(
    session: Session,
    actor: Actor,
    positions: Sequence[Position],
    *,
    metres: float,
    but: Tower | None = None,
) -> list[float | None]:
    """For each point (EPSG:4326) the distance in metres to the nearest tower that still stands.

    `None` where the reader sees none within `metres`, save `but`. One query for all points.
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
        .where(*([Tower.id != but.id] if but is not None else []))
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


def places_in(actor: Actor, filters: Filters, system: System, *, today: date) -> CTE:
    """`id`, `x` (east) and `y` (north) of the filtered towers in a named system.

    In its metres or degrees. PostGIS reads the definition of a system again for every geometry
    that it transforms, which takes a millisecond: thousands of points go as one. Raises
    `ValueError` for a system that is not a named one.
    """
    if system.srid == SRID:
        own = select(Tower.id, func.ST_X(Tower.geom).label("x"), func.ST_Y(Tower.geom).label("y"))
        return filtered(own, actor, filters, today=today).cte("places")
    number = func.row_number().over(order_by=Tower.code)
    listed = filtered(
        select(Tower.id, Tower.geom, number.label("number")), actor, filters, today=today
    ).subquery("listed")
    together = func.ST_Collect(aggregate_order_by(listed.c.geom, listed.c.number))
    moved = func.ST_Transform(together, cast(proj_text(WGS84), Text), cast(proj_text(system), Text))
    ids = func.array_agg(aggregate_order_by(listed.c.id, listed.c.number), type_=ARRAY(Uuid))
    # `/` between whole numbers leaves a whole number in PostgreSQL.
    group = listed.c.number.op("/")(literal(AT_ONCE))
    groups = select(ids.label("ids"), moved.label("points")).group_by(group).subquery("groups")
    points = func.ST_Dump(groups.c.points).table_valued(
        column("path", ARRAY(Integer)), column("geom", Geometry), name="points"
    )
    return (
        select(
            groups.c.ids[points.c.path[1]].label("id"),
            func.ST_X(points.c.geom).label("x"),
            func.ST_Y(points.c.geom).label("y"),
        )
        .select_from(groups)
        .join(points, literal(True))
        # Joined without it, every row would carry the points of its group along.
        .cte("places")
        .prefix_with("MATERIALIZED")
    )


def counts_by_condition(session: Session, actor: Actor, *, today: date) -> dict[str, int]:
    """How many towers stand in each condition today, dismantled ones left out."""
    condition = condition_on(today).label("condition")
    rows = session.execute(
        filtered(select(condition, func.count()), actor, Filters(), today=today).group_by(condition)
    )
    return {row[0]: row[1] for row in rows}


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
