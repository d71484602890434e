"""Vector tiles made in the database, how many towers there are, and the version of both."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    Select,
    Text,
    case,
    cast,
    func,
    literal,
    select,
    true,
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
    if _few(session, actor, filters, at, today, then):
        layers = [_layer(towers(actor, filters, at, today=today, then=then), "towers")]
    else:
        unsafe = _dangerous(session, actor, filters, at, today, then)
        others = clusters(actor, filters, at, today=today, then=then, dangerous=unsafe is None)
        layers = [_layer(others, "clusters")]
        if unsafe is not None:
            layers.append(_layer(unsafe, "towers"))
    number, *parts = session.execute(select(_version(), *layers)).one()
    return number, b"".join(bytes(part) for part in parts)


def _layer(rows: Select[Any], name: str) -> ScalarSelect[bytes]:
    shown = rows.subquery("shown")
    made = select(func.ST_AsMVT(shown.table_valued(), name, EXTENT, "geom")).select_from(shown)
    return made.scalar_subquery()


def _few(
    session: Session,
    actor: Actor,
    filters: Filters,
    at: Tile,
    today: date,
    then: Then | None,
) -> bool:
    """Whether the towers of a tile can stand in it one by one."""
    if at.z >= ALONE:
        return True
    most = MOST_NEAR if at.z >= NEAR else MOST_AFAR
    if at.z < NEAR and grid.knows(filters, then):
        number = _number(session, actor, filters, at, today, then)
        if number > most or then is None:
            return number <= most
        every = replace(Filters(), include_dismantled=True)
        return _number(session, actor, every, at, today, then) <= MOST_LOOKED_THROUGH
    of = grid.of_day(then)
    here = grid.towers([of.condition], actor, filters, today=today, then=then)
    here = here.where(*grid.within(at, of)).limit(most + 1)
    number = session.execute(select(func.count()).select_from(here.subquery())).scalar_one()
    return bool(number <= most)


def _number(
    session: Session,
    actor: Actor,
    filters: Filters,
    at: Tile,
    today: date,
    then: Then | None,
) -> int:
    """How many towers a tile has, by the grid if it knows the filters."""
    part = grid.parts(actor, filters, at, today=today, then=then)
    return int(session.execute(select(func.coalesce(func.sum(part.c.number), 0))).scalar_one())


def _dangerous(
    session: Session,
    actor: Actor,
    filters: Filters,
    at: Tile,
    today: date,
    then: Then | None,
) -> Select[Any] | None:
    """The dangerous towers among those of a tile, if they can stand in it one by one."""
    stored = grid.of_day(then).condition
    unsafe = stored == Condition.DANGEROUS
    found = towers(actor, filters, at, today=today, then=then).where(unsafe)
    some = found.with_only_columns(stored).limit(MOST_AFAR + 1).subquery()
    number = session.execute(select(func.count()).select_from(some)).scalar_one()
    return found if 0 < number <= MOST_AFAR else None


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


def clusters(
    actor: Actor,
    filters: Filters,
    at: Tile,
    *,
    today: date,
    then: Then | None = None,
    dangerous: bool = True,
) -> Select[Any]:
    """The cells of a tile: the middle of their towers, numbers by condition, the worst of each;
    with the `dangerous` towers or without them."""
    part = grid.parts(actor, filters, at, today=today, then=then).c
    number = func.sum(part.number)
    numbers = {one: _where(number, part.condition == one) for one in WORST}
    severities = {one: _where(number, part.worst_severity == one) for one in SEVERITIES}
    cells = (
        select(
            number.label("number"),
            *(counted.label(one) for one, counted in numbers.items()),
            _where(number, part.overdue).label("overdue"),
            case(*((counted > 0, literal(one)) for one, counted in numbers.items())).label("worst"),
            case(*((counted > 0, literal(one)) for one, counted in severities.items())).label(
                "severity"
            ),
            (func.sum(part.sum_x) / (number * 10.0)).label("east"),
            (func.sum(part.sum_y) / (number * 10.0)).label("north"),
        )
        .where(true() if dangerous else part.condition != Condition.DANGEROUS)
        .group_by(part.x, part.y)
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
        return _number(session, actor, filters, WHOLE, today, then)
    every = [func.count(grid.of_day(then).condition)]
    statement = grid.towers(every, actor, filters, today=today, then=then)
    return int(session.execute(statement).scalar_one())


def _where(number: Any, condition: Any) -> Any:
    """A number of the rows with a condition, nothing where there is none: it is not sent then."""
    return func.nullif(number.filter(condition), 0)


def _drawn(point: Any, at: Tile) -> Any:
    bounds = func.ST_MakeEnvelope(*at.bounds, 3857)
    return func.ST_AsMVTGeom(point, bounds, EXTENT, 0, False).label("geom")
