"""Vector tiles made in the database, how many towers there are, and the version of both."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
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
    func,
    literal,
    not_,
    or_,
    select,
)
from sqlalchemy.orm import Session

from core.policy import Actor
from maps.models import tower_change, tower_fold
from maps.queries import grid
from maps.rules import NEAR, Tile
from towers.queries import Filters, condition_on, overdue_on
from towers.queries.past import Then
from towers.rules import Condition
from towers.schemas import SEVERITIES

EXTENT = 4096
# So many towers of a tile stand in it one by one, from afar and near; signs take room, and on the
# way to a phone a tower takes 75 bytes. From `ALONE` on they all do: there is nowhere nearer to go.
MOST_AFAR = 50
MOST_NEAR = 1000
ALONE = 16
# Of a day that is over those of a tile from afar stand one by one only where no more than so many
# would have to be looked through for them.
MOST_LOOKED_THROUGH = 10_000
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
    return bool(filters.q.strip() or filters.operator or filters.inspection_due_before is not None)


def tile(
    session: Session,
    actor: Actor,
    filters: Filters,
    at: Tile,
    *,
    today: date,
    then: Then | None = None,
) -> tuple[int, bytes]:
    """A tile with each tower of it once: one by one, or in clusters where they are too many; the
    dangerous still stand one by one then, if these are not too many.

    The version of what it says comes first, of the very same moment. With `then` it is as it was
    at the end of that day, which is `today` for all that the calendar changes; so it is below.
    """
    most = MOST_NEAR if at.z >= NEAR else MOST_AFAR
    every = towers(actor, filters, at, today=today, then=then)
    if at.z >= ALONE:
        number, data, _ = session.execute(select(_version(), *_layer(every, "towers"))).one()
        return number, bytes(data)
    if not grid.answers(filters, at, then):
        few = every.limit(most + 1)
        number, data, count = session.execute(select(_version(), *_layer(few, "towers"))).one()
        if count <= most:
            return number, bytes(data)
    statement = _together(actor, filters, at, most, today, then)
    number, *layers = session.execute(statement).one()
    return number, b"".join(bytes(one) for one in layers if one is not None)


def _layer(rows: Select[Any], name: str) -> tuple[ColumnElement[bytes], ColumnElement[int]]:
    """Rows as a layer of a tile, and how many they are."""
    shown = rows.subquery("shown")
    return (
        func.ST_AsMVT(shown.table_valued(), name, EXTENT, "geom"),
        func.count(),
    )


def _together(
    actor: Actor, filters: Filters, at: Tile, most: int, today: date, then: Then | None
) -> Select[Any]:
    """The version, towers and clusters of a tile. One statement: it sums its cells once, and the
    database looks into those subqueries only that the numbers ask for."""
    part = grid.parts(actor, filters, at, today=today, then=then).cte("part")
    is_dangerous = part.c.condition == Condition.DANGEROUS
    number = func.sum(part.c.number)
    said = select(
        func.coalesce(number, 0).label("all"),
        func.coalesce(number.filter(is_dangerous), 0).label("unsafe"),
    ).cte("said")
    too_many = said.c.all > most
    if then is not None and filters.any and grid.answers(filters, at, then):
        every = replace(Filters(), include_dismantled=True)
        whole = grid.parts(actor, every, at, today=today, then=then).subquery("whole")
        there = select(func.coalesce(func.sum(whole.c.number), 0)).scalar_subquery()
        too_many = or_(too_many, there > MOST_LOOKED_THROUGH)
    many = select(too_many).scalar_subquery()
    apart = select(said.c.unsafe.between(1, MOST_AFAR)).scalar_subquery()
    single = towers(actor, filters, at, today=today, then=then)
    unsafe = single.where(grid.of_day(then).condition == Condition.DANGEROUS)
    clustered = clusters(part, at, where=not_(and_(is_dangerous, apart)))
    return select(
        _version(),
        case((many, _made(clustered, "clusters"))),
        case((not_(many), _made(single, "towers")), (apart, _made(unsafe, "towers"))),
    )


def _made(rows: Select[Any], name: str) -> ScalarSelect[bytes]:
    layer, _ = _layer(rows, name)
    return select(layer).scalar_subquery()


def towers(
    actor: Actor, filters: Filters, at: Tile, *, today: date, then: Then | None = None
) -> Select[Any]:
    """The towers of a tile, as little of each as signs need."""
    of = grid.of_day(then)
    return grid.towers(
        [
            cast(of.id if then is None else of.tower_id, Text).label("id"),
            condition_on(today, of).label("condition"),
            of.worst_severity.label("severity"),
            overdue_on(today, of).label("overdue"),
            _drawn(of.geom_3857, at),
        ],
        actor,
        filters,
        today=today,
        then=then,
    ).where(*grid.within(at, of))


def clusters(part: CTE, at: Tile, *, where: ColumnElement[bool]) -> Select[Any]:
    """Those `grid.parts` as one cluster a cell: the middle of its towers, their numbers by
    condition, the worst of each."""
    number = func.sum(part.c.number)
    numbers = {one: _where(number, part.c.condition == one) for one in WORST}
    severities = {one: _where(number, part.c.worst_severity == one) for one in SEVERITIES}
    cells = (
        select(
            number.label("number"),
            *(counted.label(one) for one, counted in numbers.items()),
            _where(number, part.c.overdue).label("overdue"),
            case(*((counted > 0, literal(one)) for one, counted in numbers.items())).label("worst"),
            case(*((counted > 0, literal(one)) for one, counted in severities.items())).label(
                "severity"
            ),
            (func.sum(part.c.sum_x) / (number * 10.0)).label("east"),
            (func.sum(part.c.sum_y) / (number * 10.0)).label("north"),
        )
        .where(where)
        .group_by(part.c.x, part.c.y)
        .having(number > 0)
        .subquery("cell")
    )
    point = func.ST_SetSRID(func.ST_MakePoint(cells.c.east, cells.c.north), 3857)
    said = [column for column in cells.c if column.name not in {"east", "north"}]
    return select(*said, _drawn(point, at))


def counts(
    session: Session, actor: Actor, filters: Filters, *, today: date, then: Then | None = None
) -> dict[str, int]:
    """How many towers match and how many there are, in the reader's scope."""
    every = replace(Filters(), include_dismantled=True)
    return {
        "matching": _count(session, actor, filters, today, then),
        "total": _count(session, actor, every, today, then),
    }


def _count(session: Session, actor: Actor, filters: Filters, today: date, then: Then | None) -> int:
    if grid.knows(filters, then):
        part = grid.parts(actor, filters, WHOLE, today=today, then=then).subquery("part")
        statement = select(func.coalesce(func.sum(part.c.number), 0))
        return int(session.execute(statement).scalar_one())
    every = [func.count(grid.of_day(then).condition)]
    statement = grid.towers(every, actor, filters, today=today, then=then)
    return int(session.execute(statement).scalar_one())


def _where(number: Any, condition: Any) -> Any:
    """A number of the rows with a condition, nothing where there is none: it is not sent then."""
    return func.nullif(number.filter(condition), 0)


def _drawn(point: Any, at: Tile) -> Any:
    bounds = func.ST_MakeEnvelope(*at.bounds, 3857)
    return func.ST_AsMVTGeom(point, bounds, EXTENT, 0, False).label("geom")
