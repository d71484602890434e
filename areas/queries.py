"""Reading provinces and communes; the commune of a point."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from areas.models import Area
from areas.rules import Level
from core.geo import Position, to_point


def current(level: str | None = None):
    """A select of the areas that are valid now, in Vietnamese order of their names."""
    statement = select(Area).where(Area.valid_to.is_(None))
    if level:
        statement = statement.where(Area.level == level)
    return statement.order_by(Area.name.collate("vi-x-icu"), Area.id)


def communes(session: Session) -> Sequence[Area]:
    return session.scalars(current(Level.COMMUNE)).all()


def provinces(session: Session) -> Sequence[Area]:
    return session.scalars(current(Level.PROVINCE)).all()


def area_by_code(session: Session, level: str, code: str) -> Area | None:
    """The area that carries a code today, or `None`."""
    return session.scalar(
        select(Area).where(Area.level == level, Area.code == code, Area.valid_to.is_(None))
    )


def commune_of(session: Session, position: Position) -> Area | None:
    """The commune whose boundary covers a point (EPSG:4326), or `None` outside all of them."""
    return session.scalar(
        select(Area)
        .where(
            Area.level == Level.COMMUNE,
            Area.valid_to.is_(None),
            func.ST_Covers(Area.geom, to_point(position)),
        )
        .order_by(Area.code)
        .limit(1)
    )


def commune_ids(session: Session, territory: Iterable[Area]) -> frozenset[int]:
    """The communes of a territory: its own ones and those of its provinces."""
    ids = [area.id for area in territory]
    if not ids:
        return frozenset()
    return frozenset(
        session.scalars(
            select(Area.id).where(
                Area.level == Level.COMMUNE, or_(Area.id.in_(ids), Area.parent_id.in_(ids))
            )
        )
    )


def any_synthetic(session: Session) -> bool:
    """Whether boundaries are shown that are not the real ones."""
    return bool(session.scalar(select(select(Area.id).where(Area.synthetic).exists())))


