"""How many towers stand where, from the grid where it knows the filters, else from the register.

Both come as `parts`: rows of `x`, `y` (a cell), `condition`, `worst_severity` and `overdue` as they
count today, `number`, `sum_x`, `sum_y`. Parts of one cell may be many, and some take away.

Of a day that is over (`then`) they come from the sums of an earlier day and what has changed since,
else from the spans of the towers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    Integer,
    Select,
    Subquery,
    and_,
    cast,
    func,
    literal,
    or_,
    select,
    union_all,
)

from core.policy import Actor
from maps.models import (
    FINEST,
    tower_cell,
    tower_change,
    tower_day,
    tower_fold,
    tower_past,
    tower_turn,
)
from maps.rules import Tile
from towers.models import Tower
from towers.past_models import tower_span
from towers.policy import counted
from towers.queries import (
    Day,
    Filters,
    condition_on,
    due_within,
    filtered,
    kept_facts,
    overdue_on,
)
from towers.queries.past import Then, filtered_then

# Farther than any place on earth whose position is known, in metres: what lies at a pole.
FARTHEST = 20_037_508


def knows(filters: Filters, then: Then | None = None) -> bool:
    """Whether the grid can answer for these filters, of a day that is over without deadlines."""
    if then is not None and filters.due_within is not None:
        return False
    others = replace(
        filters,
        condition=(),
        severity=(),
        overdue=False,
        due_within=None,
        commune=(),
        without_commune=False,
        lifecycle=(),
        include_dismantled=False,
    )
    return not others.any


def parts(
    actor: Actor, filters: Filters, tile: Tile, *, today: date, then: Then | None = None
) -> Subquery:
    """The towers of a tile in scope and filtered, in its cells."""
    if tile.level > FINEST or not knows(filters, then):
        return _live(actor, filters, tile, today, then).subquery("part")
    kept = _kept(filters, tile, today) if then is None else _past(tile, then)
    every = union_all(*kept).subquery("kept")
    here: list[ColumnElement[bool]] = [
        counted(actor, every.c.commune_id),
        *kept_facts(filters, every.c),
    ]
    if filters.condition:
        here.append(every.c.condition.in_(filters.condition))
    if filters.overdue:
        here.append(every.c.overdue)
    return select(every).where(*here).subquery("part")


def towers(
    columns: Sequence[Any], actor: Actor, filters: Filters, *, today: date, then: Then | None
) -> Select[Any]:
    """A statement over the filtered towers in scope: of today, or as they were then."""
    if then is None:
        return filtered(select(*columns), actor, filters, today=today)
    return filtered_then(select(*columns), actor, filters, then)


def of_day(then: Then | None) -> Any:
    """Where the facts of towers stand: in the register, or in the spans of the past."""
    return Tower if then is None else tower_span.c


def within(tile: Tile, of: Any = Tower) -> tuple[ColumnElement[bool], ...]:
    """The towers of a tile: those on its western and northern edge, not on the others."""
    west, south, east, north = tile.reach
    x, y = func.ST_X(of.geom_3857), func.ST_Y(of.geom_3857)
    box = func.ST_MakeEnvelope(west, south, east, north, 3857)
    return (of.geom_3857.op("&&")(box), x >= west, x < east, y > south, y <= north)


def _live(
    actor: Actor, filters: Filters, tile: Tile, today: date, then: Then | None
) -> Select[Any]:
    of = of_day(then)
    x, y = func.ST_X(of.geom_3857), func.ST_Y(of.geom_3857)
    level = tile.level
    places = [
        cast(func.round(func.least(func.greatest(metres, -FARTHEST), FARTHEST) * 10), BigInteger)
        for metres in (x, y)
    ]
    columns: list[Any] = [
        func.tile_at(x, level, type_=Integer).label("x"),
        func.tile_at(-y, level, type_=Integer).label("y"),
        condition_on(today, of).label("condition"),
        of.worst_severity,
        overdue_on(today, of).label("overdue"),
        literal(1, Integer).label("number"),
        places[0].label("sum_x"),
        places[1].label("sum_y"),
    ]
    return towers(columns, actor, filters, today=today, then=then).where(*within(tile, of))


def _kept(filters: Filters, tile: Tile, today: date) -> Sequence[Select[Any]]:
    """What the grid has of a tile: it counts as of today, whatever the day of its last fold."""
    if filters.due_within is not None:
        return [
            _by_day(table, tile, today, 1).where(due_within(filters.due_within, today, table.c))
            for table in (tower_day, tower_change)
        ]
    folded = tower_cell.c
    first, last, top, bottom = tile.cells(tile.level)
    cells = select(
        folded.x,
        folded.y,
        folded.commune_id,
        folded.lifecycle,
        folded.condition,
        folded.worst_severity,
        folded.overdue,
        folded.number,
        folded.sum_x,
        folded.sum_y,
    ).where(
        folded.level == tile.level,
        folded.x.between(first, last),
        folded.y.between(top, bottom),
    )
    # Between that day and today some towers have changed without a write.
    then = select(tower_fold.c.day).scalar_subquery()
    turned = turned_between(then, today)
    return (
        cells,
        _by_day(tower_day, tile, then, -1).where(turned),
        _by_day(tower_day, tile, today, 1).where(turned),
        _by_day(tower_change, tile, today, 1),
    )


def turned_between(one: Day, other: Day) -> ColumnElement[bool]:
    """The rows of `tower_day` that count otherwise on one of two days than on the other."""
    first, last = func.least(one, other), func.greatest(one, other)
    return or_(
        *(
            and_(day >= first, day < last)
            for day in (tower_day.c.ok_until, tower_day.c.next_deadline)
        )
    )


def _by_day(table: Any, tile: Tile, day: Day, sign: int) -> Select[Any]:
    """Rows of the finest level in a tile, as they count on a day."""
    of = table.c
    shift = FINEST - tile.level
    first, last, top, bottom = tile.cells(FINEST)
    return select(
        of.x.op(">>")(shift).label("x"),
        of.y.op(">>")(shift).label("y"),
        of.commune_id,
        of.lifecycle,
        condition_on(day, of).label("condition"),
        of.worst_severity,
        overdue_on(day, of).label("overdue"),
        (of.number * sign).label("number"),
        (of.sum_x * sign).label("sum_x"),
        (of.sum_y * sign).label("sum_y"),
    ).where(of.x.between(first, last), of.y.between(top, bottom))


def _past(tile: Tile, then: Then) -> Sequence[Select[Any]]:
    """What the grid has of a tile at the end of a day that is over.

    The sums of the last day before it that has some, if there is one, and what changed since.
    """
    from_day = select(func.max(tower_past.c.day)).where(tower_past.c.day <= then.day)
    kept = from_day.scalar_subquery()
    past, turn = tower_past.c, tower_turn.c
    shift = FINEST - tile.level
    first, last, top, bottom = tile.cells(tile.level)
    west, east, north, south = tile.cells(FINEST)
    facts = ("commune_id", "lifecycle", "condition", "worst_severity", "overdue",
             "number", "sum_x", "sum_y")  # fmt: skip
    return (
        select(past.x, past.y, *(past[name] for name in facts)).where(
            past.day == kept,
            past.level == tile.level,
            past.x.between(first, last),
            past.y.between(top, bottom),
        ),
        select(
            turn.x.op(">>")(shift).label("x"),
            turn.y.op(">>")(shift).label("y"),
            *(turn[name] for name in facts),
        ).where(
            turn.day > func.coalesce(kept, cast("-infinity", Date)),
            turn.day <= then.day,
            turn.x.between(west, east),
            turn.y.between(north, south),
        ),
        _by_day(tower_change, tile, then.day, 1).where(tower_change.c.at < then.end),
    )
