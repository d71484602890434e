"""What a map on paper shows: communes and towers in a frame, in its millimetres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, true
from sqlalchemy.orm import Session

from areas.models import Area
from areas.queries import valid_on
from areas.rules import Level
from core.policy import Actor
from maps.queries import grid
from maps.queries.tiles import WORST
from maps.sheet import Frame
from towers.models import Tower
from towers.queries import Filters, condition_on, filtered, overdue_on
from towers.rules import Condition

# So many signs beside one another can be told apart on paper; so many dangerous ones stand beside
# the clusters of the others.
MOST_SIGNS = 400
MOST_DANGEROUS = 300
# What is nearer than this to a line is on it, in millimetres; strokes of what is cut lie outside.
FINEST_MM = 0.06
AROUND_MM = 3


@dataclass(frozen=True)
class Shown:
    """A tower, or several that stand close together: where, in millimetres, and how many in which
    condition. Only a single tower has a code."""

    x: float
    y: float
    numbers: dict[str, int] = field(default_factory=dict)
    overdue: bool = False
    code: str = ""

    @property
    def number(self) -> int:
        return sum(self.numbers.values())


def communes(session: Session, frame: Frame) -> Sequence[Any]:
    """The communes in a frame: `path` for a drawing, `name` and a place for it (`x`, `y`), how
    `wide` and `tall` they are there in millimetres, and whether they are `synthetic`."""
    around = AROUND_MM * frame.unit
    box = func.ST_MakeEnvelope(
        frame.west - around, frame.south - around, frame.east + around, frame.north + around, 3857
    )
    inside = func.ST_MakeEnvelope(frame.west, frame.south, frame.east, frame.north, 3857)
    flat = (
        select(
            Area.name,
            Area.code,
            Area.synthetic,
            func.ST_Simplify(
                func.ST_ClipByBox2D(func.ST_Transform(Area.geom, 3857), box),
                FINEST_MM * frame.unit,
            ).label("geom"),
        )
        .where(
            Area.level == Level.COMMUNE,
            valid_on(None),
            Area.geom.op("&&")(func.ST_Transform(inside, 4326)),
        )
        .subquery("flat")
    )
    seen = func.ST_ClipByBox2D(flat.c.geom, inside)
    labelled = func.ST_PointOnSurface(seen)
    # The drawing counts downwards, and `ST_AsSVG` turns the height over.
    scale = 1 / frame.unit
    path = func.ST_AsSVG(
        func.ST_TransScale(flat.c.geom, -frame.west, -frame.north, scale, scale), 1, 2
    )
    return session.execute(
        select(
            flat.c.name,
            flat.c.synthetic,
            path.label("path"),
            ((func.ST_X(labelled) - frame.west) * scale).label("x"),
            ((frame.north - func.ST_Y(labelled)) * scale).label("y"),
            ((func.ST_XMax(seen) - func.ST_XMin(seen)) * scale).label("wide"),
            ((func.ST_YMax(seen) - func.ST_YMin(seen)) * scale).label("tall"),
        )
        .where(~func.ST_IsEmpty(flat.c.geom), ~func.ST_IsEmpty(seen))
        .order_by(flat.c.code)
    ).all()


def towers(
    session: Session, actor: Actor, filters: Filters, frame: Frame, *, today: date
) -> list[Shown]:
    """The filtered towers of a frame in the reader's scope, each counted once.

    One by one while they are few; else in cells, with the dangerous one by one if these are few.
    """
    unsafe = Tower.condition == Condition.DANGEROUS
    alone = _single(session, actor, filters, frame, today, unsafe, most=MOST_DANGEROUS + 1)
    if len(alone) > MOST_DANGEROUS:
        alone = []
    cells = _cells(session, actor, filters, frame, today, dangerous=not alone)
    if len(alone) + sum(one.number for one in cells) <= MOST_SIGNS:
        return _single(session, actor, filters, frame, today)
    return [one for one in cells if frame.holds(one.x, one.y)] + alone


def _single(
    session: Session,
    actor: Actor,
    filters: Filters,
    frame: Frame,
    today: date,
    *only: ColumnElement[bool],
    most: int | None = None,
) -> list[Shown]:
    box = func.ST_MakeEnvelope(frame.west, frame.south, frame.east, frame.north, 3857)
    statement: Select[Any] = select(
        func.ST_X(Tower.geom_3857),
        func.ST_Y(Tower.geom_3857),
        condition_on(today),
        overdue_on(today),
        Tower.code,
    )
    rows = session.execute(
        filtered(statement, actor, filters, today=today)
        .where(Tower.geom_3857.op("&&")(box), *only)
        .order_by(Tower.code)
        .limit(most)
    )
    return [
        Shown(*frame.at(x, y), {condition: 1}, overdue, code)
        for x, y, condition, overdue, code in rows
    ]


def _cells(
    session: Session, actor: Actor, filters: Filters, frame: Frame, today: date, *, dangerous: bool
) -> list[Shown]:
    part = grid.parts(actor, filters, frame.block, today=today).subquery("part").c
    number = func.sum(part.number)
    rows = session.execute(
        select(
            func.sum(part.sum_x) / (number * 10.0),
            func.sum(part.sum_y) / (number * 10.0),
            func.coalesce(func.bool_or(part.overdue).filter(part.number > 0), False),
            *(func.coalesce(number.filter(part.condition == one), 0) for one in WORST),
        )
        .where(true() if dangerous else part.condition != Condition.DANGEROUS)
        .group_by(part.x, part.y)
        .having(number > 0)
        .order_by(part.x, part.y)
    )
    return [
        Shown(
            *frame.at(float(east), float(north)),
            {str(one): int(n) for one, n in zip(WORST, numbers, strict=True) if n},
            overdue,
        )
        for east, north, overdue, *numbers in rows
    ]
