"""How many towers stand where, from the grid where it knows the filters, else from the register.

Both come as `parts`: rows of `x`, `y` (a cell), `condition`, `worst_severity` and `overdue` as they
count today, `number`, `sum_x`, `sum_y`. Parts of one cell may be many, and some take away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Double,
    Integer,
    Select,
    and_,
    bindparam,
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
    tower_due,
    tower_fold,
    tower_overview,
)
from maps.rules import CELLS, Block, Tile
from towers.models import Tower
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

# Farther than any place on earth whose position is known, in metres: what lies at a pole.
FARTHEST = 20_037_508
SIDES = ("west", "south", "east", "north")


@dataclass(frozen=True)
class AnyTile:
    """Any tile of a zoom: a statement made with it is asked for one by the parameters `of` it."""

    z: int

    x = bindparam("tile_x", type_=Integer)
    y = bindparam("tile_y", type_=Integer)
    bounds = tuple(bindparam(f"tile_{side}", type_=Double) for side in SIDES)
    reach = tuple(bindparam(f"beyond_{side}", type_=Double) for side in SIDES)

    @staticmethod
    def of(tile: Tile) -> dict[str, Any]:
        return {
            "tile_x": tile.x,
            "tile_y": tile.y,
            **{f"tile_{side}": metres for side, metres in zip(SIDES, tile.bounds, strict=True)},
            **{f"beyond_{side}": metres for side, metres in zip(SIDES, tile.reach, strict=True)},
        }

    @property
    def level(self) -> int:
        """The level of the grid whose cells it has."""
        return self.z + CELLS

    def cells(self, level: int) -> tuple[Any, Any, Any, Any]:
        """First and last column, first and last row of its cells of a level."""
        if level == self.z:
            return self.x, self.x, self.y, self.y
        wide = 1 << (level - self.z)
        first, top = self.x * wide, self.y * wide
        return first, first + (wide - 1), top, top + (wide - 1)


Cells = AnyTile | Block


def knows(filters: Filters) -> bool:
    """Whether the grid can answer for these filters."""
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


def answers(filters: Filters, tile: Cells) -> bool:
    """Whether the grid, and not the register, is asked for such a tile."""
    return tile.level <= FINEST and knows(filters)


def parts(
    actor: Actor, filters: Filters, tile: Cells, *, today: date, turned: bool = True
) -> Select[Any]:
    """The towers of a tile in scope and filtered, in its cells.

    Where the last fold was of today, nothing has `turned` since: without looking for it the answer
    is the same, and quicker.
    """
    if not answers(filters, tile):
        return _live(actor, filters, tile, today)
    every = union_all(*_kept(actor, filters, tile, today, turned)).subquery("kept")
    here: list[ColumnElement[bool]] = []
    if filters.condition:
        here.append(every.c.condition.in_(filters.condition))
    if filters.overdue:
        here.append(every.c.overdue)
    return select(every).where(*here)


def within(tile: Cells, of: Any = Tower) -> tuple[ColumnElement[bool], ...]:
    """The towers of a tile: those on its western and northern edge, not on the others.

    The grid counts by the same `tile_at`, so that both put a tower on an edge on the same side.
    """
    x, y = func.ST_X(of.geom_3857), func.ST_Y(of.geom_3857)
    box = func.ST_MakeEnvelope(*tile.reach, 3857)
    return (
        of.geom_3857.op("&&")(box),
        *among(tile, tile.z, func.tile_at(x, tile.z), func.tile_at(-y, tile.z)),
    )


def among(tile: Cells, level: int, x: Any, y: Any) -> tuple[ColumnElement[bool], ...]:
    """Whether a cell of a level lies in the tile."""
    first, last, top, bottom = tile.cells(level)
    if first is last:
        return x == first, y == top
    return x.between(first, last), y.between(top, bottom)


def _live(actor: Actor, filters: Filters, tile: Cells, today: date) -> Select[Any]:
    placed = select(*each(tile, today))
    return filtered(placed, actor, filters, today=today).where(*within(tile))


def each(tile: Cells, day: date, of: Any = Tower) -> list[Any]:
    """The columns of `parts` for towers one by one, as they count on a day."""
    x, y = func.ST_X(of.geom_3857), func.ST_Y(of.geom_3857)
    sums = [
        cast(func.round(func.least(func.greatest(metres, -FARTHEST), FARTHEST) * 10), BigInteger)
        for metres in (x, y)
    ]
    return [
        func.tile_at(x, tile.level, type_=Integer).label("x"),
        func.tile_at(-y, tile.level, type_=Integer).label("y"),
        condition_on(day, of).label("condition"),
        of.worst_severity,
        overdue_on(day, of).label("overdue"),
        literal(1, Integer).label("number"),
        sums[0].label("sum_x"),
        sums[1].label("sum_y"),
    ]


def _kept(
    actor: Actor, filters: Filters, tile: Cells, today: date, turned: bool
) -> Sequence[Select[Any]]:
    """What the grid has of a tile: it counts as of today, whatever the day of its last fold."""

    def of(table: Any, day: Day, sign: int) -> Select[Any]:
        return _by_day(table, tile, day, sign).where(*_wanted(actor, filters, table.c))

    if filters.due_within is not None:
        changing = of(tower_change, today, 1)
        folded = (
            _due(filters, tile, today)
            if together(actor, filters)
            else of(tower_day, today, 1).where(due_within(filters.due_within, today, tower_day.c))
        )
        soon = due_within(filters.due_within, today, tower_change.c)
        return folded, changing.where(soon)
    now = (_folded(actor, filters, tile), of(tower_change, today, 1))
    if not turned:
        return now
    # Between that day and today some towers have changed without a write.
    then = select(tower_fold.c.day).scalar_subquery()
    changed = turned_between(then, today)
    return (*now, of(tower_day, then, -1).where(changed), of(tower_day, today, 1).where(changed))


def _wanted(actor: Actor, filters: Filters, of: Any) -> list[ColumnElement[bool]]:
    return [counted(actor, of.commune_id), *kept_facts(filters, of)]


def together(actor: Actor, filters: Filters) -> bool:
    """Whether all communes can be counted together, without dismantled towers."""
    others = replace(filters, condition=(), severity=(), overdue=False, due_within=None)
    return sees_every_tower(actor) and not others.any


def _due(filters: Filters, tile: Cells, today: date) -> Select[Any]:
    """The cells of a tile with what is due soon, as the last fold left them."""
    of, days = tower_due.c, filters.due_within
    assert days is not None
    wanted = kept_facts(replace(filters, include_dismantled=True), of)
    return (
        select(
            of.x,
            of.y,
            condition_on(today, of).label("condition"),
            of.worst_severity,
            overdue_on(today, of).label("overdue"),
            of.number,
            of.sum_x,
            of.sum_y,
        )
        .where(of.level == tile.level, due_within(days, today, of))
        .where(*among(tile, tile.level, of.x, of.y), *wanted)
    )


def _folded(actor: Actor, filters: Filters, tile: Cells) -> Select[Any]:
    """The cells of a tile as the last fold left them: of all communes together where that will do,
    which are a twentieth of the rows."""
    if together(actor, filters):
        table, wanted = (
            tower_overview,
            kept_facts(replace(filters, include_dismantled=True), tower_overview.c),
        )
    else:
        table, wanted = tower_cell, _wanted(actor, filters, tower_cell.c)
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
        *among(tile, tile.level, table.c.x, table.c.y),
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


def _by_day(table: Any, tile: Cells, day: Day, sign: int) -> Select[Any]:
    """Rows of the finest level in a tile, as they count on a day."""
    of = table.c
    shift = FINEST - tile.level
    return select(
        of.x.op(">>")(shift).label("x"),
        of.y.op(">>")(shift).label("y"),
        condition_on(day, of).label("condition"),
        of.worst_severity,
        overdue_on(day, of).label("overdue"),
        (of.number * sign).label("number"),
        (of.sum_x * sign).label("sum_x"),
        (of.sum_y * sign).label("sum_y"),
    ).where(*among(tile, FINEST, of.x, of.y))
