"""Vector tiles made in the database, how many towers there are, and the version of both."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, case, cast, func, literal, select
from sqlalchemy.orm import Session

from core.policy import Actor
from maps.models import tower_change, tower_fold
from maps.queries import grid
from maps.rules import NEAR, Tile
from towers.models import Tower
from towers.queries import Filters, condition_on, filtered, overdue_on
from towers.rules import Condition
from towers.schemas import SEVERITIES

EXTENT = 4096
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
    session: Session, actor: Actor, filters: Filters, at: Tile, *, today: date
) -> tuple[int, bytes]:
    """A tile with every tower of it, or from afar with clusters that count each of them once.

    The version of what it says comes first, of the very same moment.
    """
    if at.z >= NEAR:
        rows, layer = towers(actor, filters, at, today=today), "towers"
    else:
        rows, layer = clusters(actor, filters, at, today=today), "clusters"
    shown = rows.subquery("shown")
    made = select(func.ST_AsMVT(shown.table_valued(), layer, EXTENT, "geom")).select_from(shown)
    number, data = session.execute(select(_version(), made.scalar_subquery())).one()
    return number, bytes(data)


def towers(actor: Actor, filters: Filters, at: Tile, *, today: date) -> Select[Any]:
    """The towers of a tile, as little of each as signs need."""
    return filtered(
        select(
            cast(Tower.id, Text).label("id"),
            condition_on(today).label("condition"),
            Tower.worst_severity.label("severity"),
            overdue_on(today).label("overdue"),
            _drawn(Tower.geom_3857, at),
        ),
        actor,
        filters,
        today=today,
    ).where(*grid.within(at))


def clusters(actor: Actor, filters: Filters, at: Tile, *, today: date) -> Select[Any]:
    """The cells of a tile: the middle of their towers, numbers by condition, the worst of each."""
    part = grid.parts(actor, filters, at, today=today).c
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
        .group_by(part.x, part.y)
        .having(number > 0)
        .subquery("cell")
    )
    point = func.ST_SetSRID(func.ST_MakePoint(cells.c.east, cells.c.north), 3857)
    said = [column for column in cells.c if column.name not in {"east", "north"}]
    return select(*said, _drawn(point, at))


def counts(session: Session, actor: Actor, filters: Filters, *, today: date) -> dict[str, int]:
    """How many towers match and how many there are, in the reader's scope."""
    return {
        "matching": _count(session, actor, filters, today),
        "total": _count(session, actor, replace(Filters(), include_dismantled=True), today),
    }


def _count(session: Session, actor: Actor, filters: Filters, today: date) -> int:
    if grid.knows(filters):
        part = grid.parts(actor, filters, WHOLE, today=today)
        statement = select(func.coalesce(func.sum(part.c.number), 0))
    else:
        every = select(func.count()).select_from(Tower)
        statement = filtered(every, actor, filters, today=today)
    return int(session.execute(statement).scalar_one())


def _where(number: Any, condition: Any) -> Any:
    """A number of the rows with a condition, nothing where there is none: it is not sent then."""
    return func.nullif(number.filter(condition), 0)


def _drawn(point: Any, at: Tile) -> Any:
    bounds = func.ST_MakeEnvelope(*at.bounds, 3857)
    return func.ST_AsMVTGeom(point, bounds, EXTENT, 0, False).label("geom")
