"""The tiles and numbers of days that are over, and from which day on there are any."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    Date,
    Select,
    Text,
    cast,
    func,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import Session

from core.policy import Actor
from maps.models import FINEST, PAST_FINEST, tower_change, tower_past, tower_turn
from maps.queries import grid, tiles
from maps.queries.grid import AnyTile
from maps.rules import NEAR, Tile
from towers.past_models import tower_span
from towers.policy import counted
from towers.queries import Filters, condition_on, kept_facts, overdue_on
from towers.queries.past import Then, filtered_then
from towers.rules import Condition

EVERY = Filters(include_dismantled=True)
# From afar the towers of a tile stand one by one only where no more than so many would have to be
# looked through for them.
MOST_LOOKED_THROUGH = 10_000


def first_day(session: Session, zone: ZoneInfo) -> date | None:
    """The first local day at whose end towers are known, `None` where none ever were."""
    of = tower_change.c
    appended = select(func.min(of.at)).where(of.number != 0)
    return session.scalar(
        select(
            func.least(
                select(func.min(tower_turn.c.day)).scalar_subquery(),
                cast(func.timezone(str(zone), appended.scalar_subquery()), Date),
            )
        )
    )


def knows(filters: Filters) -> bool:
    """Whether the grid can answer for these filters: of days that are over it has no deadlines."""
    return filters.due_within is None and grid.knows(filters)


def answers(filters: Filters, z: int) -> bool:
    """Whether the grid, and not the spans of towers, is asked for tiles of a zoom."""
    return AnyTile(z).level <= PAST_FINEST and knows(filters)


def parts(actor: Actor, filters: Filters, at: AnyTile, then: Then) -> Select[Any]:
    """The towers of a tile at the end of a day, in its cells; `grid.parts` has those of today."""
    if not answers(filters, at.z):
        return _live(actor, filters, at, then)
    every = union_all(*_summed(actor, filters, at, then)).subquery("kept")
    here: list[ColumnElement[bool]] = []
    if filters.condition:
        here.append(every.c.condition.in_(filters.condition))
    if filters.overdue:
        here.append(every.c.overdue)
    return select(every).where(*here)


def _live(actor: Actor, filters: Filters, at: AnyTile, then: Then) -> Select[Any]:
    placed = select(*grid.each(at, then.day, tower_span.c))
    return filtered_then(placed, actor, filters, then).where(*grid.within(at, tower_span.c))


def _summed(actor: Actor, filters: Filters, at: AnyTile, then: Then) -> Sequence[Select[Any]]:
    """What the grid has of a tile at the end of a day.

    The sums of the last day before it that has some, if there is one, and what changed since.
    """
    kept = select(func.max(tower_past.c.day)).where(tower_past.c.day <= then.day).scalar_subquery()
    past, turn, change = tower_past.c, tower_turn.c, tower_change.c
    shift, finest = PAST_FINEST - at.level, FINEST - at.level
    facts = ("condition", "worst_severity", "overdue", "number", "sum_x", "sum_y")

    def wanted(of: Any) -> list[ColumnElement[bool]]:
        return [counted(actor, of.commune_id), *kept_facts(filters, of)]

    return (
        select(past.x, past.y, *(past[name] for name in facts)).where(
            past.day == kept,
            past.level == at.level,
            *grid.among(at, at.level, past.x, past.y),
            *wanted(past),
        ),
        select(
            turn.x.op(">>")(shift).label("x"),
            turn.y.op(">>")(shift).label("y"),
            *(turn[name] for name in facts),
        ).where(
            turn.day > func.coalesce(kept, cast("-infinity", Date)),
            turn.day <= then.day,
            *grid.among(at, PAST_FINEST, turn.x, turn.y),
            *wanted(turn),
        ),
        select(
            change.x.op(">>")(finest).label("x"),
            change.y.op(">>")(finest).label("y"),
            condition_on(then.day, change).label("condition"),
            change.worst_severity,
            overdue_on(then.day, change).label("overdue"),
            change.number,
            change.sum_x,
            change.sum_y,
        ).where(change.at < then.end, *grid.among(at, FINEST, change.x, change.y), *wanted(change)),
    )


def tile(
    session: Session, actor: Actor, filters: Filters, at: Tile, then: Then
) -> tuple[int, bytes]:
    """A tile as it was at the end of a day, with the version of the register; see `tiles.tile`."""
    # The version first: what is read after it may be newer, never older.
    version, anywhere, place = tiles.version(session), AnyTile(at.z), AnyTile.of(at)
    single = _towers(actor, filters, anywhere, then)
    numbers = parts(actor, filters, anywhere, then).subquery("part").c
    number = func.sum(numbers.number)
    unsafe = number.filter(numbers.condition == Condition.DANGEROUS)
    said = select(func.coalesce(number, 0), func.coalesce(unsafe, 0))
    every, dangerous = session.execute(said, place).one()
    layers = []
    if at.z >= tiles.ALONE or (
        every <= (tiles.MOST_NEAR if at.z >= NEAR else tiles.MOST_AFAR)
        and _can_be_looked_through(session, actor, filters, at, then)
    ):
        layers.append(tiles.as_layer(single, "towers"))
    else:
        apart = 0 < dangerous <= tiles.MOST_AFAR
        part = parts(actor, filters, anywhere, then).cte("part")
        others = part.c.condition != Condition.DANGEROUS if apart else true()
        layers.append(tiles.as_layer(tiles.clusters(part, anywhere, where=others), "clusters"))
        if apart:
            only = single.where(tower_span.c.condition == Condition.DANGEROUS)
            layers.append(tiles.as_layer(only, "towers"))
    found = session.execute(select(*layers), place).one()
    return version, b"".join(bytes(one) for one in found if one is not None)


def _can_be_looked_through(
    session: Session, actor: Actor, filters: Filters, at: Tile, then: Then
) -> bool:
    """Whether few enough towers stand in a tile to look through them for those that match."""
    if not filters.any or not answers(filters, at.z):
        return True
    whole = parts(actor, EVERY, AnyTile(at.z), then).subquery("whole")
    there = select(func.coalesce(func.sum(whole.c.number), 0))
    return bool(session.execute(there, AnyTile.of(at)).scalar_one() <= MOST_LOOKED_THROUGH)


def _towers(actor: Actor, filters: Filters, at: AnyTile, then: Then) -> Select[Any]:
    of = tower_span.c
    columns = (
        cast(of.tower_id, Text).label("id"),
        condition_on(then.day, of).label("condition"),
        of.worst_severity.label("severity"),
        overdue_on(then.day, of).label("overdue"),
        tiles.drawn(of.geom_3857, at),
    )
    return filtered_then(select(*columns), actor, filters, then).where(
        *grid.within(at, tower_span.c)
    )


def counts(session: Session, actor: Actor, filters: Filters, then: Then) -> dict[str, int]:
    """How many towers matched and how many there were, in the reader's scope."""
    return {
        "matching": _count(session, actor, filters, then),
        "total": _count(session, actor, EVERY, then),
    }


def _count(session: Session, actor: Actor, filters: Filters, then: Then) -> int:
    part = parts(actor, filters, AnyTile(0), then).subquery("part")
    statement = select(func.coalesce(func.sum(part.c.number), 0))
    return int(session.execute(statement, AnyTile.of(tiles.WHOLE)).scalar_one())
