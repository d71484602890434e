"""Folding the grid of the tiles: what was appended is summed where readers find it quickly."""

from __future__ import annotations

from datetime import date

from sqlalchemy import text
from sqlalchemy.orm import Session

from maps.models import FINEST
from maps.rules import CELLS

KEY = "commune_id, lifecycle, condition, worst_severity"
SIGN = "condition, worst_severity, overdue"
DAYS = "ok_until, next_deadline"
SUMS = "sum(number) AS number, sum(sum_x) AS sum_x, sum(sum_y) AS sum_y"
SOMETHING = "HAVING sum(number) <> 0 OR sum(sum_x) <> 0 OR sum(sum_y) <> 0"


def _add(table: str, key: str) -> str:
    return (
        f"ON CONFLICT ({key}) DO UPDATE SET number = {table}.number + EXCLUDED.number,"
        f" sum_x = {table}.sum_x + EXCLUDED.sum_x, sum_y = {table}.sum_y + EXCLUDED.sum_y"
    )


def _cells(rows: str) -> str:
    """Add rows of the finest level (`sign`, and the `day` on which they are to count) to the cells
    of every level and to the overview: some parts of a WITH."""
    return f"""
        counted AS (
            SELECT x, y, commune_id, lifecycle, worst_severity,
                CASE WHEN condition = 'ok' AND ok_until < day THEN 'unchecked' ELSE condition END
                    AS condition,
                coalesce(next_deadline < day, false) AS overdue,
                sum(sign * number) AS number, sum(sign * sum_x) AS sum_x, sum(sign * sum_y) AS sum_y
            FROM ({rows}) AS dated GROUP BY 1, 2, 3, 4, 5, 6, 7
        ),
        levelled AS (
            SELECT level, x >> ({FINEST} - level) AS x, y >> ({FINEST} - level) AS y, {KEY},
                overdue, {SUMS}
            FROM counted, generate_series({CELLS}, {FINEST}) AS level
            GROUP BY 1, 2, 3, {KEY}, overdue
            {SOMETHING}
        ),
        celled AS (
            INSERT INTO tower_cell (level, x, y, {KEY}, overdue, number, sum_x, sum_y)
            SELECT level, x, y, {KEY}, overdue, number, sum_x, sum_y FROM levelled
            {_add("tower_cell", f"level, x, y, {KEY}, overdue")}
        ),
        seen AS (
            INSERT INTO tower_overview (level, x, y, {SIGN}, number, sum_x, sum_y)
            SELECT level, x, y, {SIGN}, {SUMS} FROM levelled WHERE lifecycle <> 'dismantled'
            GROUP BY level, x, y, {SIGN}
            {SOMETHING}
            {_add("tower_overview", f"level, x, y, {SIGN}")}
        )
    """  # noqa: S608 - our own statements


# What counts otherwise today than on the day of the last fold is taken away and put back.
TURNED = _cells(
    """
    SELECT kept.*, turned.* FROM tower_day AS kept,
        (VALUES (-1, CAST(:then AS date)), (1, CAST(:today AS date))) AS turned (sign, day)
    WHERE kept.ok_until >= least(CAST(:then AS date), :today)
            AND kept.ok_until < greatest(CAST(:then AS date), :today)
        OR kept.next_deadline >= least(CAST(:then AS date), :today)
            AND kept.next_deadline < greatest(CAST(:then AS date), :today)
    """
)
TURN = f"WITH {TURNED} SELECT"
# One statement: it deletes the very rows that it adds, whatever others append meanwhile.
FOLD = f"""
    WITH gone AS (DELETE FROM tower_change RETURNING *),
    dated AS (
        INSERT INTO tower_day (x, y, {KEY}, {DAYS}, number, sum_x, sum_y)
        SELECT x, y, {KEY}, {DAYS}, {SUMS} FROM gone
        WHERE ok_until IS NOT NULL OR next_deadline IS NOT NULL
        GROUP BY x, y, {KEY}, {DAYS}
        {SOMETHING}
        {_add("tower_day", f"x, y, {KEY}, {DAYS}")}
    ),
    {_cells("SELECT gone.*, 1 AS sign, CAST(:today AS date) AS day FROM gone")}
    UPDATE tower_fold SET day = :today, folded = folded + (SELECT count(*) FROM gone)
    RETURNING (SELECT count(*) FROM gone)
"""  # noqa: S608 - our own statements


def fold(session: Session, *, today: date) -> int:
    """Sum up what was appended, as of today; returns how many rows that were.

    Whoever folds at the same time waits; writers and readers do not.
    """
    then = session.execute(text("SELECT day FROM tower_fold FOR UPDATE")).scalar_one()
    days = {"then": then, "today": today}
    if then != today:
        session.execute(text(TURN), days)
    elif not session.execute(text("SELECT EXISTS (SELECT FROM tower_change)")).scalar_one():
        return 0
    folded = session.execute(text(FOLD), {"today": today}).scalar_one()
    session.execute(text("DELETE FROM tower_day WHERE number = 0"))
    session.execute(text("DELETE FROM tower_cell WHERE number = 0"))
    session.execute(text("DELETE FROM tower_overview WHERE number = 0"))
    return int(folded)
