"""Vector tiles made in the database, how many towers there are, and the version of both."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    ScalarSelect,
    Select,
    Text,
    and_,
    case,
    cast,
    false,
    func,
    literal_column,
    not_,
    select,
)
from sqlalchemy.orm import Session

from core.policy import Actor
from maps.models import tower_change, tower_fold
from maps.queries import grid
from maps.queries.grid import AnyTile
from maps.rules import NEAR, Tile
from towers.models import Tower
from towers.queries import Filters, condition_on, filtered, overdue_on
from towers.rules import Condition
from towers.schemas import SEVERITIES

EXTENT = 4096
# So many towers of a tile stand in it one by one, from afar and near; signs take room, and on the
# way to a phone a tower takes 75 bytes. From `ALONE` on they all do: there is nowhere nearer to go.
MOST_AFAR = 50
MOST_NEAR = 1000
ALONE = 16
# The worst first: what nobody has looked at may be worse than what is in order.
WORST = (
    Condition.DANGEROUS,
    Condition.ASSESSMENT_NEEDED,
    Condition.NEEDS_FOLLOW_UP,
    Condition.UNCHECKED,
    Condition.OK,
)
WHOLE = Tile(0, 0, 0)


def version(session: Session) -> int:
    """A number that grows with every committed change of the register.

    How many rows of changes there ever were: counted, since of two writers the later one may be
    done first.
    """
    return session.execute(select(_version())).scalar_one()


def _version() -> ColumnElement[int]:
    left = select(func.count()).select_from(tower_change).scalar_subquery()
    return select(tower_fold.c.folded + left).scalar_subquery()


def look_elsewhere(filters: Filters) -> bool:
    """Whether they ask more tables than the register, whose changes the version does not know."""
    return bool(filters.q.strip() or filters.operator or filters.campaign)


def tile(
    session: Session, actor: Actor, filters: Filters, at: Tile, *, today: date
) -> tuple[int, bytes]:
    """A tile with each tower of it once: one by one, or in clusters where they are too many; the
    dangerous still stand one by one then, if these are not too many.

    The version of what it says comes first, of the very same moment.
    """
    reader, place = actor.alike, AnyTile.of(at)
    most = MOST_NEAR if at.z >= NEAR else MOST_AFAR
    if at.z >= ALONE or not grid.answers(filters, AnyTile(at.z)):
        first = None if at.z >= ALONE else most + 1
        few = _kept(_few, filters)(reader, filters, at.z, today, first)
        number, data, count = session.execute(few, place).one()
        if first is None or count < first:
            return number, bytes(data)
    together = _kept(_together, filters)
    # The grid is of today but for the first minute of a day, and quicker asked as if it were.
    for turned in (False, True):
        statement = together(reader, filters, at.z, today, turned, most, MOST_AFAR)
        number, day, *layers = session.execute(statement, place).one()
        if day == today:
            break
    return number, b"".join(bytes(one) for one in layers if one is not None)


def _kept(make: Any, filters: Filters) -> Any:
    """A statement takes longer to make than to run: those who see the same share one, unless a
    text is searched for, which is understood anew each time."""
    return make if filters.wanted is None else make.__wrapped__


@lru_cache(maxsize=128)
def _few(actor: Actor, filters: Filters, z: int, today: date, first: int | None) -> Select[Any]:
    """The version, the towers of a tile one by one or the `first` of them, and their number."""
    found = towers(actor, filters, AnyTile(z), today=today).limit(first)
    columns: list[Any] = [_version(), *_layer(found, "towers")]
    return select(*columns)


def _layer(rows: Select[Any], name: str) -> tuple[ColumnElement[bytes], ColumnElement[int]]:
    """Rows as a layer of a tile, and how many they are."""
    shown = rows.subquery("shown")
    return (
        func.ST_AsMVT(shown.table_valued(), _word(name), _EXTENT, _word("geom")),
        func.count(),
    )


@lru_cache(maxsize=128)
def _together(
    actor: Actor,
    filters: Filters,
    z: int,
    today: date,
    turned: bool,
    most: int,
    most_apart: int,
) -> Select[Any]:
    """The version, the day of the grid, clusters and towers of a tile: the latter up to `most`,
    or the dangerous ones up to `most_apart` beside the clusters of the others.

    One statement: it sums the cells once, and of its parts the database only looks into those that
    the numbers ask for.
    """
    at = AnyTile(z)
    part = grid.parts(actor, filters, at, today=today, turned=turned).cte("part")
    is_dangerous = part.c.condition == _word(Condition.DANGEROUS)
    number = func.sum(part.c.number)
    said = select(
        func.coalesce(number, _NONE).label("all"),
        func.coalesce(number.filter(is_dangerous), _NONE).label("unsafe"),
    ).cte("said")
    many = select(said.c.all > most).scalar_subquery()
    apart = select(said.c.unsafe.between(1, most_apart)).scalar_subquery()
    every = towers(actor, filters, at, today=today)
    unsafe = every.where(Tower.condition == Condition.DANGEROUS)
    clustered = clusters(part, at, where=not_(and_(is_dangerous, apart)))
    return select(
        _version(),
        select(tower_fold.c.day).scalar_subquery(),
        case((many, as_layer(clustered, "clusters"))),
        case((not_(many), as_layer(every, "towers")), (apart, as_layer(unsafe, "towers"))),
    )


def as_layer(rows: Select[Any], name: str) -> ScalarSelect[bytes]:
    """Rows with a `geom` of `ST_AsMVTGeom` as a layer of a tile."""
    layer, _ = _layer(rows, name)
    return select(layer).scalar_subquery()


def towers(actor: Actor, filters: Filters, at: AnyTile, *, today: date) -> Select[Any]:
    """The towers of a tile, as little of each as signs need."""
    return filtered(
        select(
            cast(Tower.id, Text).label("id"),
            condition_on(today).label("condition"),
            Tower.worst_severity.label("severity"),
            overdue_on(today).label("overdue"),
            drawn(Tower.geom_3857, at),
        ),
        actor,
        filters,
        today=today,
    ).where(*grid.within(at))


def clusters(part: CTE, at: AnyTile, *, where: ColumnElement[bool]) -> Select[Any]:
    """Those `grid.parts` as one cluster a cell: the middle of its towers, their numbers by
    condition, the worst of each."""

    def those(which: ColumnElement[bool]) -> Any:
        return func.sum(part.c.number).filter(which)

    cell = (
        select(
            func.sum(part.c.number).label("number"),
            *(those(part.c.condition == _word(one)).label(one) for one in WORST),
            *(those(part.c.worst_severity == _word(one)).label(one) for one in SEVERITIES),
            those(part.c.overdue).label("overdue"),
            func.sum(part.c.sum_x).label("sum_x"),
            func.sum(part.c.sum_y).label("sum_y"),
        )
        .where(where)
        .group_by(part.c.x, part.c.y)
        .cte("cell")
    ).c
    tenths = cell.number * literal_column("10.0")
    point = func.ST_SetSRID(func.ST_MakePoint(cell.sum_x / tenths, cell.sum_y / tenths), 3857)
    return select(
        cell.number,
        # Nothing is sent where there is none.
        *(func.nullif(cell[one], _NONE).label(one) for one in (*WORST, "overdue")),
        case(*((cell[one] > _NONE, _word(one)) for one in WORST)).label("worst"),
        case(*((cell[one] > _NONE, _word(one)) for one in SEVERITIES)).label("severity"),
        drawn(point, at),
    ).where(cell.number > _NONE)


# Constants of ours are written into the statement: each parameter has to be sent.
_NONE: ColumnElement[int] = literal_column("0")
_EXTENT: ColumnElement[int] = literal_column(str(EXTENT))


def _word(constant: str) -> ColumnElement[str]:
    return literal_column(f"'{constant}'", Text)


def counts(session: Session, actor: Actor, filters: Filters, *, today: date) -> dict[str, int]:
    """How many towers match and how many there are, in the reader's scope."""
    return {
        "matching": _count(session, actor, filters, today),
        "total": _count(session, actor, replace(Filters(), include_dismantled=True), today),
    }


def _count(session: Session, actor: Actor, filters: Filters, today: date) -> int:
    if grid.knows(filters):
        part = grid.parts(actor, filters, AnyTile(0), today=today).subquery("part")
        statement = select(func.coalesce(func.sum(part.c.number), 0))
    else:
        every = select(func.count()).select_from(Tower)
        statement = filtered(every, actor, filters, today=today)
    return int(session.execute(statement, AnyTile.of(WHOLE)).scalar_one())


def drawn(point: Any, at: AnyTile) -> Any:
    bounds = func.ST_MakeEnvelope(*at.bounds, literal_column("3857"))
    return func.ST_AsMVTGeom(point, bounds, _EXTENT, _NONE, false()).label("geom")
