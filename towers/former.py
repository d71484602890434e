"""The commune of before the reform that the papers of a tower name: a text, and its area."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from areas.names import match_area
from areas.rules import REFORM, Level
from core.policy import Actor
from towers.models import Tower

LAST_DAY = REFORM - timedelta(days=1)


def link_former_communes(session: Session, tower_ids: Sequence[uuid.UUID] | None = None) -> int:
    """Link towers to the commune that their papers name, and unlink where none or several fit.

    Of all towers without ids. A text that stands at a thousand towers is looked up once. Returns
    how many links changed.
    """
    pairs = select(Tower.former_commune, Tower.former_district).distinct()
    pairs = pairs.where(Tower.former_commune != "")
    if tower_ids is not None:
        pairs = pairs.where(Tower.id.in_(tower_ids))
    named = [tuple(row) for row in session.execute(pairs)]
    found = [former_commune_id(session, commune, district) for commune, district in named]
    changed = session.execute(
        text(
            """
            WITH named AS (
                SELECT * FROM unnest(cast(:communes AS text[]), cast(:districts AS text[]),
                    cast(:areas AS integer[])) AS n(commune, district, area_id)
            ), wanted AS (
                SELECT t.id, n.area_id FROM tower t
                LEFT JOIN named n
                    ON n.commune = t.former_commune AND n.district = t.former_district
                WHERE cast(:ids AS uuid[]) IS NULL OR t.id = ANY(cast(:ids AS uuid[]))
            )
            UPDATE tower t SET former_commune_id = w.area_id FROM wanted w
            WHERE w.id = t.id AND t.former_commune_id IS DISTINCT FROM w.area_id
            RETURNING t.id
            """
        ),
        {
            "communes": [commune for commune, _ in named],
            "districts": [district for _, district in named],
            "areas": found,
            "ids": None if tower_ids is None else list(tower_ids),
        },
    ).all()
    return len(changed)


def former_commune_id(session: Session, commune: str, district: str) -> int | None:
    """The commune of before the reform that papers name; `None` where none or several fit."""
    found = match_area(session, commune, level=Level.COMMUNE, day=LAST_DAY, within=district).one
    return found.id if found else None


def follow_areas(session: Session, *, keep: bool, by: Actor, now: datetime) -> None:
    """Look the texts of all towers up again after areas changed; nobody has to be told."""
    if keep:
        link_former_communes(session)
