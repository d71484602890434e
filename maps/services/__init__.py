"""Folding the grid of the tiles: what was appended is summed where readers find it quickly; and the
figures of communes, counted again where something has changed."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import delete, insert, text
from sqlalchemy.orm import Session

from core.policy import SYSTEM
from inspections.rules.statistics import COMMUNE_FIGURES
from maps.models import FINEST, PAST_FINEST, commune_change, commune_figure
from maps.queries import figures
from maps.rules import CELLS, end_of_month

KEY = "commune_id, lifecycle, condition, worst_severity"
SIGN = "condition, worst_severity, overdue"
DAYS = "ok_until, next_deadline"
DUE = "level, next_deadline, x, y, condition, worst_severity, ok_until"
SUMS = "sum(number) AS number, sum(sum_x) AS sum_x, sum(sum_y) AS sum_y"
COARSER = FINEST - PAST_FINEST
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
# What rows change on the day of their moment, and what the calendar will on the days after their
# own: there they are taken away as they counted the day before, and put back.
TURNS = f"""
    INSERT INTO tower_turn (day, x, y, {KEY}, overdue, number, sum_x, sum_y)
    SELECT turned.day, x, y, commune_id, lifecycle,
        CASE WHEN condition = 'ok' AND ok_until < counts_as_of THEN 'unchecked' ELSE condition END
            AS condition,
        worst_severity, coalesce(next_deadline < counts_as_of, false) AS overdue,
        sum(sign * number) AS number, sum(sign * sum_x) AS sum_x, sum(sign * sum_y) AS sum_y
    FROM (
        SELECT x >> {COARSER} AS x, y >> {COARSER} AS y, {KEY}, {DAYS},
            CAST(timezone(:zone, at) AS date) AS of, {SUMS}
        FROM gone GROUP BY 1, 2, {KEY}, {DAYS}, of {SOMETHING}
    ) AS dated,
    LATERAL (
        SELECT of AS day, of AS counts_as_of, 1 AS sign
        UNION ALL
        SELECT turning.day, turning.day - before, 1 - 2 * before
        FROM (SELECT ok_until + 1 UNION SELECT next_deadline + 1) AS turning (day),
            generate_series(0, 1) AS before
        WHERE turning.day > of
    ) AS turned
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
    {SOMETHING}
    {_add("tower_turn", f"day, x, y, {KEY}, overdue")}
"""  # noqa: S608 - our own statements
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
    {_cells("SELECT gone.*, 1 AS sign, CAST(:today AS date) AS day FROM gone")},
    due AS (
        INSERT INTO tower_due ({DUE}, number, sum_x, sum_y)
        SELECT level, next_deadline, x >> ({FINEST} - level), y >> ({FINEST} - level), condition,
            worst_severity, CASE WHEN condition = 'ok' THEN ok_until END, {SUMS}
        FROM gone, generate_series({CELLS}, {FINEST}) AS level
        WHERE next_deadline IS NOT NULL AND lifecycle <> 'dismantled'
        GROUP BY 1, 2, 3, 4, 5, 6, 7
        {SOMETHING}
        {_add("tower_due", DUE)}
    ),
    turned AS ({TURNS})
    UPDATE tower_fold SET day = :today, folded = folded + (SELECT count(*) FROM gone)
    RETURNING (SELECT count(*) FROM gone),
        (SELECT min(CAST(timezone(:zone, at) AS date)) FROM gone)
"""  # noqa: S608 - our own statements
# The sums at the end of a day, from those of an earlier one and what the days between changed.
PAST = f"""
    INSERT INTO tower_past (day, level, x, y, {KEY}, overdue, number, sum_x, sum_y)
    SELECT :day, level, x, y, {KEY}, overdue, {SUMS} FROM (
        SELECT level, x, y, {KEY}, overdue, number, sum_x, sum_y FROM tower_past
        WHERE day = :before
        UNION ALL
        SELECT level, x >> ({PAST_FINEST} - level), y >> ({PAST_FINEST} - level), {KEY}, overdue,
            number, sum_x, sum_y
        FROM (
            SELECT x, y, {KEY}, overdue, {SUMS} FROM tower_turn
            WHERE day > :before AND day <= :day GROUP BY x, y, {KEY}, overdue {SOMETHING}
        ) AS changed, generate_series({CELLS}, {PAST_FINEST}) AS level
    ) AS counted
    GROUP BY level, x, y, {KEY}, overdue
    {SOMETHING}
"""  # noqa: S608 - our own statements


def fold(session: Session, *, today: date, zone: ZoneInfo) -> int:
    """Sum up what was appended, as of today; returns how many rows that were.

    `zone` is the one in whose days the department counts. Whoever folds at the same time waits;
    writers and readers do not.
    """
    then = session.execute(text("SELECT day FROM tower_fold FOR UPDATE")).scalar_one()
    days = {"then": then, "today": today}
    if then != today:
        session.execute(text(TURN), days)
    elif not session.execute(text("SELECT EXISTS (SELECT FROM tower_change)")).scalar_one():
        return 0
    folded, first = session.execute(text(FOLD), {"today": today, "zone": str(zone)}).one()
    session.execute(text("DELETE FROM tower_day WHERE number = 0"))
    session.execute(text("DELETE FROM tower_cell WHERE number = 0"))
    session.execute(text("DELETE FROM tower_overview WHERE number = 0"))
    session.execute(text("DELETE FROM tower_due WHERE number = 0"))
    # What moved within its cell leaves no number behind, but another place.
    session.execute(text("DELETE FROM tower_turn WHERE number = 0 AND sum_x = 0 AND sum_y = 0"))
    _sum_up_months(session, first, today=today)
    return int(folded)


def _sum_up_months(session: Session, first: date | None, *, today: date) -> None:
    """The sums at the end of each month that is over; anew from the first day that changed."""
    if first is not None:
        session.execute(text("DELETE FROM tower_past WHERE day >= :first"), {"first": first})
    last, begun = session.execute(
        text("SELECT (SELECT max(day) FROM tower_past), (SELECT min(day) FROM tower_turn)")
    ).one()
    if begun is None:
        return
    before = last or begun - timedelta(days=1)
    while (day := end_of_month(before + timedelta(days=1))) < today:
        session.execute(text(PAST), {"day": day, "before": before})
        before = day


def keep_figures(session: Session, *, today: date, zone: ZoneInfo) -> int:
    """Count the communes again whose kept figures do not count today; returns how many those are.

    Whoever does it at the same time waits; readers and writers do not. What is written while this
    counts leaves a mark of its own, and is counted the next time.
    """
    session.execute(text("LOCK TABLE commune_figure IN SHARE ROW EXCLUSIVE MODE"))
    marked = session.scalars(delete(commune_change).returning(commune_change.c.commune_id))
    communes = set(marked) | figures.outdated(session, today)
    rows = [
        {
            "commune_id": key,
            "day": today,
            **{name: getattr(numbers, name) for name in COMMUNE_FIGURES},
        }
        for key, numbers in figures.count(session, SYSTEM, communes, today=today, zone=zone)
    ]
    known = commune_figure.c.commune_id
    session.execute(delete(commune_figure).where(known.in_(communes - {None})))
    if None in communes:
        session.execute(delete(commune_figure).where(known.is_(None)))
    if rows:
        session.execute(insert(commune_figure), rows)
    return len(communes)
