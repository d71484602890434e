"""Known towers that a list moves far, or to the place of another one: such rows are doubted.

A wrong meridian moves all towers of a list by kilometres, and each may still lie in a commune.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from core import store
from core.words import N_
from towers.imports.duplicates import box
from towers.places import NEIGHBOUR_M

# No mistake moves a tower by less: an ignored datum does by 226 m.
LEAST_M = NEIGHBOUR_M

MOVED = N_("%(code)s moves %(metres)s m away from where the register has it")
MET = N_("%(code)s comes to %(metres)s m from %(other)s")


def find_shifts(session: Session) -> None:
    """Fill `shifted` with the known towers that the list moves, and put into `doubted` those that
    it moves farther than is usual, or near to a tower that they did not stand near to."""
    facts = {
        "near": float(store.value_of(session, "duplicate_metres")),
        "far": float(store.value_of(session, "moved_metres")),
        "least": LEAST_M,
        "moved": MOVED,
        "met": MET,
    }
    session.execute(text("DROP TABLE IF EXISTS pg_temp.shifted"))
    session.execute(
        text(
            "CREATE TEMPORARY TABLE shifted (line integer, code text, metres float8, lon float8,"
            " lat float8, other text, other_metres float8) ON COMMIT DROP"
        )
    )
    if not session.scalar(text(f"SELECT EXISTS (SELECT {SHIFTED})")):
        return
    # Whether a neighbour goes on too is looked up for each.
    session.execute(text("CREATE INDEX judged_id ON pg_temp.judged (id)"))
    session.execute(text(FIND), facts)
    session.execute(text(DOUBT), facts)


SHIFTED = "FROM judged j WHERE j.verdict = 'changed' AND j.geom IS NOT NULL"
# Where the others will stand, and where they stood; a new one has no place of before.
OTHERS = f"""
    SELECT o.code, o.geom, o.geom AS before FROM tower o
    WHERE o.geom && {box(":near", "j.geom")} AND o.id <> j.id
        AND NOT EXISTS (SELECT FROM judged k WHERE k.id = o.id AND k.geom IS NOT NULL)
    UNION ALL
    SELECT k.code, k.geom, b.geom FROM judged k LEFT JOIN tower b ON b.id = k.id
    WHERE k.geom && {box(":near", "j.geom")} AND k.line <> j.line
        AND k.verdict IN ('new', 'changed')
"""  # noqa: S608 - our own columns
FIND = f"""
    INSERT INTO shifted
    SELECT line, code, metres, lon, lat, other, other_metres
    FROM (
        SELECT j.line, t.code, ST_DistanceSphere(t.geom, j.geom) AS metres, ST_X(t.geom) AS lon,
            ST_Y(t.geom) AS lat, met.code AS other, met.metres AS other_metres
        FROM judged j JOIN tower t ON t.id = j.id LEFT JOIN LATERAL (
            SELECT o.code, ST_DistanceSphere(o.geom, j.geom) AS metres FROM ({OTHERS}) o
            WHERE ST_DistanceSphere(o.geom, j.geom) < :near
                AND coalesce(ST_DistanceSphere(o.before, t.geom) >= :near, true)
            ORDER BY 2, 1 LIMIT 1
        ) met ON true
        WHERE j.verdict = 'changed' AND j.geom IS NOT NULL
    ) found
    WHERE metres > :least OR :far > 0 AND metres > :far OR other IS NOT NULL
"""  # noqa: S608 - our own columns
DOUBT = """
    INSERT INTO doubted (line, reasons)
    SELECT m.line, CASE WHEN :far > 0 AND m.metres > :far THEN jsonb_build_array(
            jsonb_build_object('column', '', 'value', '', 'message', cast(:moved AS text),
                'facts', jsonb_build_object('code', m.code, 'metres', round(m.metres))))
            ELSE '[]'::jsonb END
        || CASE WHEN m.other IS NOT NULL THEN jsonb_build_array(
            jsonb_build_object('column', '', 'value', '', 'message', cast(:met AS text),
                'facts', jsonb_build_object('code', m.code, 'other', m.other,
                    'metres', round(m.other_metres))))
            ELSE '[]'::jsonb END
    FROM shifted m WHERE :far > 0 AND m.metres > :far OR m.other IS NOT NULL
    ON CONFLICT (line) DO UPDATE SET reasons = doubted.reasons || excluded.reasons
"""
