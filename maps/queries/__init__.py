"""What the map asks beside its tiles: the towers of a campaign, and where to look first."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date
from typing import Any

from geoalchemy2 import Geometry
from sqlalchemy import Integer, Select, cast, func, select
from sqlalchemy.orm import Session

from core.policy import Actor
from inspections.queries.campaigns import Wanted, is_done, live, standing_on
from towers.models import Tower
from towers.past_models import tower_span
from towers.queries import Filters, filtered
from towers.queries.past import Then, filtered_then

# More single signs than this cannot be told apart, and slow a phone down.
MOST_SIGNS = 400
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


def _in_cells(zoom: int) -> Select[Any]:
    """Each tower with its cell of the grid of a zoom."""
    cell = WORLD_METRES / (TILE_PIXELS * 2**zoom) * CLUSTER_PIXELS
    return select(
        cast(func.floor(func.ST_X(Tower.geom_3857) / cell), Integer).label("column"),
        cast(func.floor(func.ST_Y(Tower.geom_3857) / cell), Integer).label("row"),
        func.ST_X(Tower.geom).label("x"),
        func.ST_Y(Tower.geom).label("y"),
    )


def _cells(session: Session, statement: Select[Any]) -> list[dict[str, Any]]:
    """The cells of `_in_cells` with a `standing`: their numbers by it, and their middle."""
    placed = statement.subquery()
    grouped = (
        select(
            placed.c.column,
            placed.c.row,
            placed.c.standing,
            func.count().label("number"),
            func.sum(placed.c.x).label("x"),
            func.sum(placed.c.y).label("y"),
        )
        .group_by(placed.c.column, placed.c.row, placed.c.standing)
        .order_by(placed.c.column, placed.c.row, placed.c.standing)
    )
    cells: dict[tuple[int, int], dict[str, Any]] = {}
    for one in session.execute(grouped):
        made = cells.setdefault(
            (one.column, one.row), {"number": 0, "x": 0.0, "y": 0.0, "standings": {}}
        )
        made["number"] += one.number
        made["x"] += one.x
        made["y"] += one.y
        made["standings"][one.standing] = one.number
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
    standing = standing_on(today, is_done()).label("standing")
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
    placed = live(actor, wanted, _in_cells(zoom).add_columns(standing), today=today)
    return found | {"clusters": _cells(session, placed.where(here))}


def extent(
    session: Session, actor: Actor, filters: Filters, *, today: date, then: Then | None = None
) -> tuple[float, float, float, float] | None:
    """West, south, east, north of the matching towers in degrees, `None` without any.

    Of today, or of those that matched at the end of a day that is over.
    """
    if then is None:
        whole = select(func.ST_Extent(Tower.geom).label("box"))
        found: Any = filtered(whole, actor, filters, today=today).subquery()
        box = found.c.box
    else:
        whole = select(func.ST_Extent(tower_span.c.geom_3857).label("box"))
        found = filtered_then(whole, actor, filters, then).subquery()
        box = func.ST_Transform(func.ST_SetSRID(cast(found.c.box, Geometry), 3857), 4326)
    row = session.execute(
        select(func.ST_XMin(box), func.ST_YMin(box), func.ST_XMax(box), func.ST_YMax(box))
    ).one()
    return None if row[0] is None else (row[0], row[1], row[2], row[3])
