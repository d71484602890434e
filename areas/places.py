"""To which commune a point belongs: the one that covers it, else the nearest within a setting.

Official boundaries have gaps between neighbours, and a tower in a gap belongs to somebody all the
same. Farther away than `nearest_commune_m` begins what is no longer this deployment's territory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from areas.models import Area
from core import store
from core.geo import SRID, Position, to_xy


@dataclass(frozen=True)
class Placement:
    """The commune of a point, and how many metres away it is: `None` inside.

    Outside the deployment's territory both are `None`.
    """

    commune: Area | None
    metres: Decimal | None = None


def placement_of(session: Session, position: Position) -> Placement:
    return placements_of(session, [position])[0]


def placements_of(session: Session, positions: Sequence[Position]) -> list[Placement]:
    """For each point (EPSG:4326) its commune, in two statements for any number of points."""
    points = [to_xy(position) for position in positions]
    rows = session.execute(
        text(placing(GIVEN, "number") + "SELECT number, commune_id, metres FROM placed"),  # noqa: S608
        {
            "xs": [x for x, _ in points],
            "ys": [y for _, y in points],
            "nearest_m": limit_metres(session),
        },
    ).all()
    ids = {row.commune_id for row in rows}
    communes = {one.id: one for one in session.scalars(select(Area).where(Area.id.in_(ids)))}
    found = [Placement(None)] * len(positions)
    for number, commune_id, metres in rows:
        found[number - 1] = Placement(communes[commune_id], metres)
    return found


def limit_metres(session: Session) -> float:
    """Up to how far from a commune a point still belongs to it."""
    return float(store.value_of(session, "nearest_commune_m"))


GIVEN = f"""(
    SELECT number, ST_SetSRID(ST_MakePoint(x, y), {SRID}) AS geom
    FROM unnest(cast(:xs AS float8[]), cast(:ys AS float8[])) WITH ORDINALITY AS g(x, y, number)
)"""  # noqa: S608 - a constant


def placing(points: str, key: str) -> str:
    """The beginning of a statement, `WITH … placed`, that places all points of a list at once.

    `points` is a table, or a query in parentheses, with a column `key` and a point `geom`, named by
    our own code. `placed` has `key`, `commune_id` and `metres` for each point that has a commune.
    The statement needs the parameter `nearest_m`, see `limit_metres`.

    The communes look for their points, not each point for its commune: a boundary is then read
    and prepared once, which is 20 times faster. The nearest one is looked for only where no
    commune covers a point.
    """
    return f"""
    WITH covered AS MATERIALIZED (
        SELECT DISTINCT ON (p.{key}) p.{key}, a.id AS commune_id
        FROM area a JOIN {points} p ON ST_Covers(a.geom, p.geom)
        WHERE a.level = 'commune' AND a.valid_to IS NULL
        ORDER BY p.{key}, a.code
    ), lost AS MATERIALIZED (
        -- A degree has 110,574 m at least; of longitude so many by the cosine.
        SELECT p.{key}, geography(p.geom) AS place, ST_Expand(p.geom,
            :nearest_m / (110574.0 * cos(radians(least(abs(ST_Y(p.geom)), 89)))),
            :nearest_m / 110574.0) AS around
        FROM {points} p
        WHERE NOT EXISTS (SELECT FROM covered c WHERE c.{key} = p.{key})
    ), placed AS MATERIALIZED (
        SELECT {key}, commune_id, NULL::numeric AS metres FROM covered
        UNION ALL
        SELECT l.{key}, nearest.id, nearest.metres
        FROM lost l
        CROSS JOIN LATERAL (
            SELECT a.id, round(ST_Distance(geography(a.geom), l.place)::numeric, 1) AS metres
            FROM area a
            WHERE a.level = 'commune' AND a.valid_to IS NULL
                AND a.geom && l.around
                AND ST_DWithin(geography(a.geom), l.place, :nearest_m)
            ORDER BY geography(a.geom) <-> l.place, a.id LIMIT 1
        ) nearest
    )
    """  # noqa: S608 - names of our own code
