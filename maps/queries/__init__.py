"""What the map draws: towers one by one when few, clusters with true counts when many."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, case, cast, func, select
from sqlalchemy.orm import Session

from core import policy
from core.policy import Actor
from inspections.queries.campaigns import Wanted, is_done, live, standing_on
from towers.models import Tower
from towers.queries import Filters, condition_on, filtered, overdue_on
from towers.rules import Condition

# More single signs than this cannot be told apart, and slow a phone down.
MOST_SIGNS = 400
# Dangerous towers stand one by one above the clusters, unless there are more of them than this.
MOST_DANGEROUS = 300
# From this zoom on towers stand one by one however many there are.
NEAR_ZOOM = 17
CLUSTER_PIXELS = 72
# Width of the world in Web Mercator, in metres at the equator, and of its tile at zoom 0 in pixels.
WORLD_METRES = 40_075_016.685578488
TILE_PIXELS = 256


@dataclass(frozen=True)
class Box:
    """What is looked at: west, south, east, north in degrees of EPSG:4326."""

    west: float
    south: float
    east: float
    north: float

    def in_mercator(self) -> Any:
        """The box as an envelope in EPSG:3857, whose world ends at 85.06 degrees."""
        return func.ST_Transform(
            func.ST_MakeEnvelope(
                max(self.west, -180.0),
                max(self.south, -85.06),
                min(self.east, 180.0),
                min(self.north, 85.06),
                4326,
            ),
            3857,
        )


def inside(statement: Select[Any], actor: Actor, filters: Filters, box: Box, today: date) -> Select:
    """A statement over towers in scope, filtered, and inside the box by the spatial index."""
    return filtered(statement, actor, filters, today=today).where(
        Tower.geom_3857.op("&&")(box.in_mercator())
    )


def features(
    session: Session, actor: Actor, filters: Filters, *, box: Box, zoom: int, today: date
) -> dict[str, Any]:
    """Signs or clusters of a box; `shown` counts every tower in it, none is ever left out."""
    number = (
        session.scalar(inside(select(func.count()).select_from(Tower), actor, filters, box, today))
        or 0
    )
    if number <= MOST_SIGNS or zoom >= NEAR_ZOOM:
        return {"shown": number, "towers": signs(session, actor, filters, box, today)}
    dangerous = Tower.condition == Condition.DANGEROUS
    unsafe = signs(session, actor, filters, box, today, dangerous, limit=MOST_DANGEROUS + 1)
    if len(unsafe) > MOST_DANGEROUS:
        return {"shown": number, "clusters": clusters(session, actor, filters, box, zoom, today)}
    others = clusters(session, actor, filters, box, zoom, today, ~dangerous)
    return {"shown": number, "towers": unsafe, "clusters": others}


def signs(
    session: Session,
    actor: Actor,
    filters: Filters,
    box: Box,
    today: date,
    *only: ColumnElement[bool],
    limit: int | None = None,
) -> list[list[Any]]:
    """Each tower (of `only`) as [id, longitude, latitude, condition, overdue]."""
    statement = (
        inside(
            select(
                Tower.id,
                func.ST_X(Tower.geom),
                func.ST_Y(Tower.geom),
                condition_on(today),
                overdue_on(today),
            ),
            actor,
            filters,
            box,
            today,
        )
        .where(*only)
        .order_by(Tower.code)
        .limit(limit)
    )
    return [
        [str(row[0]), round(row[1], 6), round(row[2], 6), row[3], row[4]]
        for row in session.execute(statement)
    ]


def clusters(
    session: Session,
    actor: Actor,
    filters: Filters,
    box: Box,
    zoom: int,
    today: date,
    *only: ColumnElement[bool],
) -> list[dict[str, Any]]:
    """Towers (of `only`) by the cells of a grid: their number by condition, and their middle."""
    condition = condition_on(today)
    placed = inside(
        _in_cells(zoom).add_columns(
            condition.label("condition"), cast(overdue_on(today), Integer).label("overdue")
        ),
        actor,
        filters,
        box,
        today,
    ).where(*only)
    return _cells(session, placed, "conditions")


def _in_cells(zoom: int) -> Select[Any]:
    """Each tower with its cell of the grid of a zoom."""
    cell = WORLD_METRES / (TILE_PIXELS * 2**zoom) * CLUSTER_PIXELS
    return select(
        cast(func.floor(func.ST_X(Tower.geom_3857) / cell), Integer).label("column"),
        cast(func.floor(func.ST_Y(Tower.geom_3857) / cell), Integer).label("row"),
        func.ST_X(Tower.geom).label("x"),
        func.ST_Y(Tower.geom).label("y"),
    )


def _cells(session: Session, statement: Select[Any], word: str) -> list[dict[str, Any]]:
    """The cells of `_in_cells` with a `condition` and 0 or 1 for `overdue`; `word` names the
    numbers by condition."""
    placed = statement.subquery()
    grouped = (
        select(
            placed.c.column,
            placed.c.row,
            placed.c.condition,
            func.count().label("number"),
            func.sum(placed.c.x).label("x"),
            func.sum(placed.c.y).label("y"),
            func.sum(placed.c.overdue).label("overdue"),
        )
        .group_by(placed.c.column, placed.c.row, placed.c.condition)
        .order_by(placed.c.column, placed.c.row, placed.c.condition)
    )
    cells: dict[tuple[int, int], dict[str, Any]] = {}
    for one in session.execute(grouped):
        made = cells.setdefault(
            (one.column, one.row), {"number": 0, "x": 0.0, "y": 0.0, "overdue": 0, word: {}}
        )
        made["number"] += one.number
        made["x"] += one.x
        made["y"] += one.y
        made["overdue"] += one.overdue
        made[word][one.condition] = one.number
    for made in cells.values():
        made["x"] = round(made["x"] / made["number"], 6)
        made["y"] = round(made["y"] / made["number"], 6)
    return list(cells.values())


def campaign_features(
    session: Session, actor: Actor, campaign_id: uuid.UUID, box: Box, zoom: int, *, today: date
) -> dict[str, Any]:
    """The towers of a campaign in a box: signs with where each stands, or clusters of them.

    `box` of the answer is west, south, east, north of all its towers, `None` without any.
    """
    wanted = Wanted(campaign=campaign_id)
    here = Tower.geom_3857.op("&&")(box.in_mercator())
    standing = standing_on(today, is_done()).label("condition")
    whole = func.ST_Extent(Tower.geom)
    corners = session.execute(
        live(
            actor,
            wanted,
            select(
                func.ST_XMin(whole), func.ST_YMin(whole), func.ST_XMax(whole), func.ST_YMax(whole),
                func.count(),
            ),
            today=today,
        )
    ).one()  # fmt: skip
    found: dict[str, Any] = {
        "box": None if corners[0] is None else list(corners[:4]),
        "total": corners[4],
    }
    place = (func.ST_X(Tower.geom), func.ST_Y(Tower.geom))
    signs = select(Tower.id, *place, standing, Tower.code)
    rows = session.execute(
        live(actor, wanted, signs, today=today)
        .where(here)
        .order_by(Tower.code)
        .limit(None if zoom >= NEAR_ZOOM else MOST_SIGNS + 1)
    ).all()
    if zoom >= NEAR_ZOOM or len(rows) <= MOST_SIGNS:
        return found | {
            "towers": [[str(row[0]), round(row[1], 6), round(row[2], 6), row[3]] for row in rows]
        }
    late = case((standing == "overdue", 1), else_=0).label("overdue")
    placed = live(actor, wanted, _in_cells(zoom).add_columns(standing, late), today=today)
    return found | {"clusters": _cells(session, placed.where(here), "standings")}


def extent(
    session: Session, actor: Actor, filters: Filters, *, today: date
) -> tuple[float, float, float, float] | None:
    """West, south, east, north of the matching towers in degrees, `None` without any."""
    box = func.ST_Extent(Tower.geom)
    row = session.execute(
        filtered(
            select(func.ST_XMin(box), func.ST_YMin(box), func.ST_XMax(box), func.ST_YMax(box)),
            actor,
            filters,
            today=today,
        )
    ).one()
    return None if row[0] is None else (row[0], row[1], row[2], row[3])


def counts(session: Session, actor: Actor, filters: Filters, *, today: date) -> dict[str, Any]:
    """How many towers match and how many there are, in the reader's scope."""
    matching = session.scalar(
        filtered(select(func.count()).select_from(Tower), actor, filters, today=today)
    )
    total = session.scalar(
        select(func.count()).select_from(Tower).where(policy.visible(actor, "tower"))
    )
    return {"matching": matching or 0, "total": total or 0}
