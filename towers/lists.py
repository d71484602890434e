"""Lists of the register: every order goes through an index, in both directions, page by page."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from itertools import chain
from typing import Any, TypeVar

from geoalchemy2 import Geometry
from psycopg.errors import QueryCanceled
from sqlalchemy import (
    ColumnElement,
    Float,
    Row,
    Select,
    Text,
    Uuid,
    any_,
    bindparam,
    case,
    cast,
    func,
    literal,
    literal_column,
    not_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased, joinedload

from accounts.models import Organisation
from areas.models import Area
from core import paging
from core.geo import SRID, Position, to_point
from core.paging import Page, Part
from core.policy import Actor
from towers import search
from towers.fields import KEPT
from towers.models import Tower
from towers.queries import (
    Filters,
    condition_on,
    filtered,
    overdue_on,
    reason_on,
    understood,
    within,
)
from towers.search import Wanted

One = TypeVar("One", Tower, Row[Any])
# A number beside a list may cost no more than the list itself.
MOST_COUNTED = 10_000
COUNTING_MS = 100
MOST_NEAR = 50


@dataclass(frozen=True)
class Order:
    """What a list is ordered by, before the code that makes every order total."""

    column: InstrumentedAttribute[Any]
    kind: Callable[[Any], Any]
    nullable: bool = False


RELEVANCE = "relevance"
ORDERS = {
    "name": Order(Tower.name, paging.text_value),
    "deadline": Order(Tower.next_deadline, date.fromisoformat, nullable=True),
    "height": Order(Tower.height_m, paging.exact_number, nullable=True),
    "inspected": Order(Tower.last_inspected_on, date.fromisoformat, nullable=True),
    "updated": Order(Tower.updated_at, paging.moment),
}
# A sign before the name turns the order round, as in `-height`.
SORTS = (RELEVANCE, *(f"{sign}{name}" for name in ("code", *ORDERS) for sign in ("", "-")))


def parts_of(sort: str, wanted: Wanted | None) -> list[Part]:
    """The list's parts in one of `SORTS`; rows without a value come last in either direction.

    By relevance: the tower with this very code, those whose codes begin with it, the others.
    """
    name, descending = sort.removeprefix("-"), sort.startswith("-")
    by_code = ((Tower.code,), (paging.text_value,), ("code",))
    if name == RELEVANCE and wanted is not None and wanted.code and not wanted.nearly:
        form = func.search_form(Tower.code)
        begins = form.like(func.search_form(_beginning(wanted.code)))
        same = form == func.search_form(wanted.code)
        return [Part(*by_code, where=where) for where in (same, begins & not_(same), not_(begins))]
    order = ORDERS.get(name)
    if order is None:
        return [Part(*by_code, descending=descending)]
    key: ColumnElement[Any] | InstrumentedAttribute[Any] = order.column
    if name == "name":
        key = order.column.collate("vi-x-icu")
    valued = Part(
        (key, Tower.code),
        (order.kind, paging.text_value),
        (order.column.key, "code"),
        where=order.column.is_not(None) if order.nullable else None,
        descending=descending,
    )
    if not order.nullable:
        return [valued]
    return [valued, Part(*by_code, where=order.column.is_(None), descending=descending)]


def _beginning(code: str) -> str:
    """A pattern of what begins so, its own wildcards taken literally."""
    return code.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


def _page(
    session: Session,
    actor: Actor,
    filters: Filters,
    *,
    today: date,
    limit: int | None,
    cursor: str | None,
    sort: str,
    load: Callable[[Select[Any]], Iterable[One]],
    whole: Select[Any],
) -> Page[One]:
    """A page of what `load` makes of `whole` for its towers.

    Which ones are on the page is found first, among rows as narrow as can be: a search may have
    to sort thousands of them.
    """
    order: Order | None = ORDERS.get(sort.removeprefix("-"))
    keys = (Tower.id, Tower.code, *((order.column,) if order else ()))
    found = paging.page_of_parts(
        parts_of(sort, filters.wanted),
        filtered(select(*keys), actor, filters, today=today),
        lambda asked: session.execute(asked).all(),
        limit=paging.clamp(limit),
        cursor=cursor,
    )
    ids = [row.id for row in found.rows]
    # As one value: each of a thousand parameters has to be written into the statement.
    these = Tower.id == any_(literal(ids, ARRAY(Uuid)))
    made = {one.id: one for one in load(whole.where(these))} if ids else {}
    return Page([made[one] for one in ids], found.next_cursor)


def towers(
    session: Session,
    actor: Actor,
    filters: Filters,
    *,
    today: date,
    limit: int | None = None,
    cursor: str | None = None,
    sort: str = RELEVANCE,
) -> Page[Tower]:
    """One page of the register in one of `SORTS`; without a search text, relevance is the code."""
    return _page(
        session,
        actor,
        filters,
        today=today,
        limit=limit,
        cursor=cursor,
        sort=sort,
        load=session.scalars,
        whole=select(Tower).options(joinedload(Tower.commune), joinedload(Tower.owner)),
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
    Tower.updated_at,
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
    sort: str = RELEVANCE,
    only: Container[str] | None = None,
) -> Page[Row[Any]]:
    """The same page as `towers`, as rows with the columns of `LISTED`, or `only` those named.

    To read all of them takes longer than the query: a page of 50 rows 2 of 15 ms.
    """
    return _page(
        session,
        actor,
        filters,
        today=today,
        limit=limit,
        cursor=cursor,
        sort=sort,
        load=session.execute,
        whole=_rows(only),
    )


def _rows(only: Container[str] | None) -> Select[Any]:
    """Towers as rows with the columns of `LISTED`, or of these the `id` and `only` those named."""
    columns = [one for one in LISTED if only is None or one.key == "id" or one.key in only]
    return (
        select(*columns)
        .select_from(Tower)
        .outerjoin(Area, Area.id == Tower.commune_id)
        .outerjoin(Organisation, Organisation.id == Tower.owner_id)
        .outerjoin(MANAGER, MANAGER.id == Tower.manager_id)
    )


def features(
    session: Session,
    actor: Actor,
    filters: Filters,
    *,
    today: date,
    limit: int | None = None,
    cursor: str | None = None,
    sort: str = RELEVANCE,
) -> Page[Row[Any]]:
    """The same page as `listed`, as rows of `id` and `feature`: the JSON text of a GeoJSON feature
    whose properties are what the API says of a tower.

    The database writes it: in Python that took three times as long as to find the towers.
    """
    place = func.json_build_array(func.ST_X(Tower.geom), func.ST_Y(Tower.geom))
    said = (
        select(
            *(getattr(Tower, field.name) for field in KEPT),
            Tower.source_srid,
            Tower.source_x,
            Tower.source_y,
            case((Area.id.is_not(None), _object(code=Area.code, name=Area.name))).label("commune"),
            Tower.commune_distance_m,
            *(
                case((of.id.is_not(None), _object(id=of.id, name=of.name))).label(name)
                for name, of in (("owner", Organisation), ("manager", MANAGER))
            ),
            condition_on(today).label("condition"),
            reason_on(today).label("condition_reason"),
            Tower.ok_until,
            Tower.worst_severity,
            Tower.next_deadline,
            overdue_on(today).label("overdue"),
            Tower.open_violations,
            Tower.last_inspected_on,
            Tower.version,
        )
        .correlate(Tower, Area, Organisation, MANAGER)
        .lateral("said")
    )
    whole: Any = (
        select(
            Tower.id,
            cast(
                _object(
                    type="Feature",
                    id=Tower.id,
                    geometry=_object(type="Point", coordinates=place),
                    properties=func.row_to_json(said.table_valued()),
                ),
                Text,
            ).label("feature"),
        )
        .select_from(Tower)
        .outerjoin(Area, Area.id == Tower.commune_id)
        .outerjoin(Organisation, Organisation.id == Tower.owner_id)
        .outerjoin(MANAGER, MANAGER.id == Tower.manager_id)
        .join(said, true())
    )
    return _page(
        session,
        actor,
        filters,
        today=today,
        limit=limit,
        cursor=cursor,
        sort=sort,
        load=session.execute,
        whole=whole,
    )


def _object(**members: Any) -> ColumnElement[Any]:
    """A JSON object of columns and of words of ours."""
    parts = chain.from_iterable(members.items())
    return func.json_build_object(
        *(literal_column(f"'{one}'", Text) if isinstance(one, str) else one for one in parts)
    )


def searched(
    page_of: Callable[..., Page[One]],
    session: Session,
    actor: Actor,
    filters: Filters,
    *,
    cursor: str | None,
    **options: Any,
) -> tuple[Filters, Page[One]]:
    """The filters with their text read, and the page of `towers` or `listed` that they give.

    Most texts are written somewhere: only where the first page would be empty is it asked
    whether anything has the words, and what is near.
    """
    if filters.q and cursor is None:
        exact = replace(filters, wanted=search.exactly(session, filters.q))
        page = page_of(session, actor, exact, cursor=None, **options)
        if page.rows:
            return exact, page
    read = understood(session, actor, filters)
    return read, page_of(session, actor, read, cursor=cursor, **options)


@dataclass(frozen=True)
class Count:
    """How many rows there are, or with `more` that there are more than `number`."""

    number: int
    more: bool = False


def count(session: Session, actor: Actor, filters: Filters, *, today: date) -> int:
    """How many towers match in the reader's scope, however long it takes to count them."""
    matching = filtered(select(Tower.id), actor, filters, today=today)
    return session.scalar(select(func.count()).select_from(matching.subquery())) or 0


def counted(
    session: Session, actor: Actor, filters: Filters, *, today: date, at_least: int
) -> Count:
    """How many match, as far as can be told up to `MOST_COUNTED` within `COUNTING_MS`.

    `at_least` is what the caller knows already, for a count that was given up.
    """
    matching = filtered(select(Tower.id), actor, filters, today=today).limit(MOST_COUNTED + 1)
    connection = session.connection()
    # Not by `begin_nested`: its statements are compiled each time.
    limited = f"SAVEPOINT counting; SET LOCAL statement_timeout = {COUNTING_MS}"
    connection.exec_driver_sql(limited)
    try:
        number = connection.scalar(select(func.count()).select_from(matching.subquery())) or 0
    except OperationalError as error:
        if not isinstance(error.orig, QueryCanceled):
            raise
        return Count(at_least, more=True)
    finally:
        # Takes back the limit of time, whatever became of the count.
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT counting")
    return Count(number) if number <= MOST_COUNTED else Count(MOST_COUNTED, more=True)


def around(
    session: Session,
    actor: Actor,
    filters: Filters,
    position: Position,
    *,
    today: date,
    limit: int = MOST_NEAR,
    only: frozenset[str] | None = None,
) -> Sequence[Row[Any]]:
    """The towers nearest to a place, however far they are: rows as of `listed`, and `metres`.

    What is written in the filters is the place: their text is not searched for.

    The spatial index knows what is near in degrees. As far as the farthest of these are in metres
    all are looked at, so that none that is nearer is missed.
    """
    farthest, listing = _around(actor, replace(filters, q="", wanted=None), today, limit, only)
    point = to_point(position)
    metres = session.scalar(farthest, {"point": point})
    if metres is None:
        return []
    # A little more, so that rounding leaves out none.
    return session.execute(listing, {"point": point, "metres": metres + 0.01}).all()


@lru_cache(maxsize=64)
def _around(
    actor: Actor, filters: Filters, today: date, limit: int, only: frozenset[str] | None
) -> tuple[Select[Any], Select[Any]]:
    """How far away the last of the nearest is, and the rows of all that are so near: made once,
    for a `point` and a number of `metres`, they are soon understood."""
    point = bindparam("point", type_=Geometry("POINT", srid=SRID))
    near = (
        filtered(select(Tower.geom), actor, filters, today=today)
        .order_by(Tower.geom.op("<->")(point))
        .limit(limit)
        .subquery()
    )
    distance, here = within(point, bindparam("metres", type_=Float))
    return (
        select(func.max(func.ST_Distance(func.geography(near.c.geom), func.geography(point)))),
        filtered(_rows(only).add_columns(distance.label("metres")), actor, filters, today=today)
        .where(*here)
        .order_by(distance, Tower.code)
        .limit(limit),
    )


@dataclass(frozen=True)
class Share:
    """The towers that an organisation has in one role: their number and the first of them."""

    role: str
    number: int
    first: Sequence[Tower]


def shares_of(
    session: Session, actor: Actor, organisation_id: uuid.UUID, *, today: date, limit: int = 5
) -> list[Share]:
    """Its towers as owner, manager and operator; a role without towers is left out."""
    found = []
    for role in ("owner", "manager", "operator"):
        filters = Filters(**{role: organisation_id}, include_dismantled=True)  # type: ignore[arg-type]
        number = count(session, actor, filters, today=today)
        if number:
            page = towers(session, actor, filters, today=today, limit=limit)
            found.append(Share(role, number, page.rows))
    return found
