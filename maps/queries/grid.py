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
    PAST_FINEST,
    tower_cell,
    tower_change,
    tower_day,
    tower_fold,
    tower_overview,
    tower_past,
    tower_turn,
)
from maps.rules import Tile
from towers.models import Tower
from towers.past_models import tower_span
from towers.policy import counted, sees_every_tower
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


def answers(filters: Filters, tile: Tile, then: Then | None = None) -> bool:
    """Whether the grid, and not the register or its spans, is asked for a tile."""
    return tile.level <= (FINEST if then is None else PAST_FINEST) and knows(filters, then)


def parts(
    actor: Actor, filters: Filters, tile: Tile, *, today: date, then: Then | None = None
) -> Select[Any]:
    """The towers of a tile in scope and filtered, in its cells."""
    if not answers(filters, tile, then):
        return _live(actor, filters, tile, today, then)
    kept = _kept(actor, filters, tile, today) if then is None else _past(actor, filters, tile, then)
    every = union_all(*kept).subquery("kept")
    here: list[ColumnElement[bool]] = []
    if filters.condition:
        here.append(every.c.condition.in_(filters.condition))
    if filters.overdue:
        here.append(every.c.overdue)
    return select(every).where(*here)


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
    """The towers of a tile: those on its western and northern edge, not on the others.

    The grid counts by the same `tile_at`, so that both put a tower on an edge on the same side.
    """
    x, y = func.ST_X(of.geom_3857), func.ST_Y(of.geom_3857)
    box = func.ST_MakeEnvelope(*tile.reach, 3857)
    return (
        of.geom_3857.op("&&")(box),
        func.tile_at(x, tile.z) == tile.x,
        func.tile_at(-y, tile.z) == tile.y,
    )


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


def _kept(actor: Actor, filters: Filters, tile: Tile, today: date) -> Sequence[Select[Any]]:
    """What the grid has of a tile: it counts as of today, whatever the day of its last fold."""

    def of(table: Any, day: Day, sign: int) -> Select[Any]:
        return _by_day(table, tile, day, sign).where(*_wanted(actor, filters, table.c))

    if filters.due_within is not None:
        return [
            of(table, today, 1).where(due_within(filters.due_within, today, table.c))
            for table in (tower_day, tower_change)
        ]
    # Between that day and today some towers have changed without a write.
    then = select(tower_fold.c.day).scalar_subquery()
    turned = turned_between(then, today)
    return (
        _folded(actor, filters, tile),
        of(tower_day, then, -1).where(turned),
        of(tower_day, today, 1).where(turned),
        of(tower_change, today, 1),
    )


def _wanted(actor: Actor, filters: Filters, of: Any) -> list[ColumnElement[bool]]:
    return [counted(actor, of.commune_id), *kept_facts(filters, of)]


def _folded(actor: Actor, filters: Filters, tile: Tile) -> Select[Any]:
    """The cells of a tile as the last fold left them: of all communes together where that will do,
    which are a twentieth of the rows."""
    together = replace(filters, condition=(), severity=(), overdue=False)
    if sees_every_tower(actor) and not together.any:
        table, wanted = (
            tower_overview,
            kept_facts(replace(filters, include_dismantled=True), tower_overview.c),
        )
    else:
        table, wanted = tower_cell, _wanted(actor, filters, tower_cell.c)
    first, last, top, bottom = tile.cells(tile.level)
    return select(
        table.c.x,
        table.c.y,
        table.c.condition,
        table.c.worst_severity,
        table.c.overdue,
        table.c.number,
        table.c.sum_x,
        table.c.sum_y,
    ).where(
        table.c.level == tile.level,
        table.c.x.between(first, last),
        table.c.y.between(top, bottom),
        *wanted,
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
        condition_on(day, of).label("condition"),
        of.worst_severity,
        overdue_on(day, of).label("overdue"),
        (of.number * sign).label("number"),
        (of.sum_x * sign).label("sum_x"),
        (of.sum_y * sign).label("sum_y"),
    ).where(of.x.between(first, last), of.y.between(top, bottom))


def _past(actor: Actor, filters: Filters, tile: Tile, then: Then) -> Sequence[Select[Any]]:
    """What the grid has of a tile at the end of a day that is over.

    The sums of the last day before it that has some, if there is one, and what changed since.
    """
    kept = select(func.max(tower_past.c.day)).where(tower_past.c.day <= then.day).scalar_subquery()
    past, turn = tower_past.c, tower_turn.c
    shift = PAST_FINEST - tile.level
    first, last, top, bottom = tile.cells(tile.level)
    west, east, north, south = tile.cells(PAST_FINEST)
    facts = ("condition", "worst_severity", "overdue", "number", "sum_x", "sum_y")
    return (
        select(past.x, past.y, *(past[name] for name in facts)).where(
            past.day == kept,
            past.level == tile.level,
            past.x.between(first, last),
            past.y.between(top, bottom),
            *_wanted(actor, filters, past),
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
            *_wanted(actor, filters, turn),
        ),
        _by_day(tower_change, tile, then.day, 1).where(
            tower_change.c.at < then.end, *_wanted(actor, filters, tower_change.c)
        ),
    )
