"""New rows that are probably a structure that is known already, under another code.

Near and of the same owner, or of an unknown one; at the same place, whoever owns it; or somewhat
farther away with a similar code or name and the same numbers in it: a datum that was ignored moves
a tower by 226 m. At any distance where codes differ in case or marks alone. Such rows go to a
review list, never into the register by themselves; masts of several owners on one roof are decided
there once.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from core import store
from towers.imports.judging import digits

# From here on two codes or names are similar (0 to 1, by their trigrams).
LIKENESS = 0.6
# Numbers that so many rows have in common lead to too many pairs: their places are compared first.
COMMON_DIGITS = 50
# Of so many structures about a row the nearest ones are named.
LOOKED_AT, NAMED = 20, 3
NUMBERS = ("code_digits", "name_digits")


def box(metres: str, point: str = "n.geom") -> str:
    """What is so near to a point, and a little more.

    A degree has 110,574 m at least, one of longitude so many by the cosine.
    """
    return (
        f"ST_Expand({point},"
        f" {metres} / (110574 * cos(radians(least(abs(ST_Y({point})), 89)))), {metres} / 110574)"
    )


def find_duplicates(session: Session) -> int:
    """Fill `suspect` with the pairs of probable duplicates, and take their rows out of the new
    ones; returns how many rows these are.

    Of rows alike within the list the first goes on. A distance of 0 finds none.
    """
    facts = {
        "near": float(store.value_of(session, "duplicate_metres")),
        "alike": float(store.value_of(session, "similar_metres")),
        "same": float(store.value_of(session, "same_place_metres")),
        "likeness": LIKENESS,
        "looked_at": LOOKED_AT,
        "named": NAMED,
    }
    session.execute(text("DROP TABLE IF EXISTS pg_temp.suspect"))
    session.execute(
        text(
            "CREATE TEMPORARY TABLE suspect (line integer, tower_id uuid, other_line integer,"
            " metres float8, likeness real, near boolean) ON COMMIT DROP"
        )
    )
    session.execute(text("DROP TABLE IF EXISTS pg_temp.shared, pg_temp.crowded"))
    session.execute(text(SHARED))
    session.execute(text("ANALYZE pg_temp.shared"))
    session.execute(text(CROWDED), facts)
    session.execute(text("ANALYZE pg_temp.crowded"))
    if session.scalar(text("SELECT EXISTS (SELECT FROM tower)")):
        session.execute(text(_near(KNOWN, "greatest(:near, :alike, :same)", ALIKE)), facts)
    crowded = "n.line IN (SELECT line FROM crowded WHERE near)"
    session.execute(text(_near(ARRIVED, "greatest(:near, :same)", "false", only=crowded)), facts)
    common = "n.line IN (SELECT line FROM crowded WHERE NOT near)"
    session.execute(text(_near(ARRIVED, ":alike", ALIKE, only=common)), facts)
    for numbers in NUMBERS:
        session.execute(text(_alike_by(numbers)), facts)
    session.execute(text("DROP TABLE IF EXISTS pg_temp.coded"))
    for statement in CODED:
        session.execute(text(statement))
    session.execute(text(ONCE))
    session.execute(text("ANALYZE pg_temp.suspect"))
    return session.execute(
        text(
            "UPDATE judged SET verdict = 'duplicate'"
            " WHERE verdict = 'new' AND line IN (SELECT line FROM suspect)"
        )
    ).rowcount  # type: ignore[attr-defined]


# The new rows that are worth a look at their neighbours. Two points as near as `near` or `same` lie
# in one strip of land of twice that height, or else in one of those in between; and in their strip
# the next point to the east or west is as near at least. Also those whose numbers are none, or many
# others'.
CROWDED = f"""
    CREATE TEMPORARY TABLE crowded ON COMMIT DROP AS
    WITH new AS MATERIALIZED (
        SELECT line, ST_X(geom) AS x, ST_Y(geom) AS y, code_digits, name_digits
        FROM judged WHERE verdict = 'new'
    ), size AS MATERIALIZED (
        SELECT greatest(:near, :same, 1) / 110574 AS height,
            greatest(:near, :same, 1) / 110574 / cos(radians(least(max(abs(y)), 89))) AS width
        FROM new
    ), beside AS (
        SELECT line, width, x - lag(x) OVER one AS west, lead(x) OVER one - x AS east
        FROM new CROSS JOIN size
        WINDOW one AS (PARTITION BY floor(y / height / 2)::integer ORDER BY x)
        UNION ALL
        SELECT line, width, x - lag(x) OVER other, lead(x) OVER other - x
        FROM new CROSS JOIN size
        WINDOW other AS (PARTITION BY floor(y / height / 2 + 0.5)::integer ORDER BY x)
    )
    SELECT DISTINCT line, true AS near FROM beside WHERE least(west, east) <= width
    UNION ALL
    SELECT line, false FROM new
    WHERE code_digits = '' OR name_digits = ''
        OR code_digits IN (
            SELECT digits FROM shared WHERE of = 'code_digits' AND number > {COMMON_DIGITS}
        )
        OR name_digits IN (
            SELECT digits FROM shared WHERE of = 'name_digits' AND number > {COMMON_DIGITS}
        )
"""  # noqa: S608 - a constant
# The numbers that several new rows have.
SHARED = f"""
    CREATE TEMPORARY TABLE shared ON COMMIT DROP AS {
    " UNION ALL ".join(
        f"SELECT '{one}' AS of, {one} AS digits, count(*) AS number FROM judged"
        f" WHERE verdict = 'new' AND {one} <> '' GROUP BY {one} HAVING count(*) > 1"
        for one in NUMBERS
    )
}
"""  # noqa: S608 - constants
KNOWN = f"""
    SELECT t.id AS tower_id, NULL::integer AS other_line, t.geom, t.owner_id, t.code, t.name,
        {digits("t.code")} AS code_digits, {digits("t.name")} AS name_digits
    FROM tower t WHERE t.geom && n.around
"""  # noqa: S608 - our own columns
ARRIVED = """
    SELECT NULL::uuid AS tower_id, o.line AS other_line, o.geom, o.owner_id, o.code, o.name,
        o.code_digits, o.name_digits
    FROM judged o
    WHERE o.geom && n.around AND o.line < n.line AND o.verdict = 'new'
"""
SAME_OWNER = "coalesce(c.owner_id = n.owner_id, true)"
# Codes are the same letters and numbers, whatever stands between them: DTP-0012 is DTP12.
ALIKENESS = """
    greatest(
        CASE WHEN c.code_digits = n.code_digits
                AND regexp_replace(search_form(c.code), '[^a-z]', '', 'g')
                    = regexp_replace(search_form(n.code), '[^a-z]', '', 'g') THEN 1
            WHEN c.code_digits = n.code_digits
                THEN similarity(search_form(c.code), search_form(n.code)) END,
        CASE WHEN c.name_digits = n.name_digits
            THEN similarity(search_form(c.name), search_form(n.name)) END
    )
"""
ALIKE = f"m.metres < :alike AND {ALIKENESS} >= :likeness"


def _near(candidates: str, reach: str, alike: str, *, only: str = "true") -> str:
    """Keep for each new row the nearest candidates of its owner or at its place, or those that are
    alike."""
    return f"""
    INSERT INTO suspect
    SELECT n.line, found.tower_id, found.other_line, found.metres, found.likeness, found.near
    FROM (SELECT *, {box(reach)} AS around FROM judged n WHERE verdict = 'new' AND {only}) n
    CROSS JOIN LATERAL (
        SELECT * FROM (
            SELECT c.tower_id, c.other_line, m.metres, {ALIKENESS} AS likeness,
                m.metres < :near AND {SAME_OWNER} AS near
            FROM ({candidates}) c
            CROSS JOIN LATERAL (SELECT ST_DistanceSphere(c.geom, n.geom) AS metres OFFSET 0) m
            WHERE m.metres < :near AND {SAME_OWNER} OR m.metres < :same OR {alike}
            LIMIT :looked_at
        ) alike ORDER BY metres, other_line LIMIT :named
    ) found
    """  # noqa: S608 - our own columns


def _alike_by(numbers: str) -> str:
    """Keep the rows of the list alike to each other that have the same rare numbers."""
    return f"""
    INSERT INTO suspect
    SELECT n.line, NULL, c.line, m.metres, {ALIKENESS}, false
    FROM shared
        JOIN judged n ON n.{numbers} = shared.digits
        JOIN judged c ON c.{numbers} = shared.digits
        CROSS JOIN LATERAL (SELECT ST_DistanceSphere(c.geom, n.geom) AS metres OFFSET 0) m
    WHERE shared.of = '{numbers}' AND shared.number <= {COMMON_DIGITS}
        AND n.verdict = 'new' AND c.verdict = 'new' AND c.line < n.line AND {ALIKE}
    """  # noqa: S608 - our own columns


# Codes that are the same but for case and marks, however far apart their structures are.
CODED = (
    """
    CREATE TEMPORARY TABLE coded ON COMMIT DROP AS
    SELECT line, geom, search_form(code) AS form FROM judged
    WHERE verdict = 'new' AND search_form(code) <> ''
    """,
    "ANALYZE pg_temp.coded",
    """
    INSERT INTO suspect
    SELECT n.line, t.id, NULL, ST_DistanceSphere(t.geom, n.geom), 1, false
    FROM coded n JOIN tower t ON search_form(t.code) = n.form
    """,
    """
    INSERT INTO suspect
    SELECT n.line, NULL, c.line, ST_DistanceSphere(c.geom, n.geom), 1, false
    FROM (SELECT form, min(line) AS line FROM coded GROUP BY form HAVING count(*) > 1) first
        JOIN coded c ON c.line = first.line
        JOIN coded n ON n.form = first.form AND n.line > first.line
    """,
)
# The same pair may be found in two ways.
ONCE = """
    DELETE FROM suspect one USING suspect other
    WHERE one.line = other.line AND one.other_line IS NOT DISTINCT FROM other.other_line
        AND one.tower_id IS NOT DISTINCT FROM other.tower_id
        AND (other.near AND NOT one.near OR other.near = one.near AND other.ctid < one.ctid)
"""
