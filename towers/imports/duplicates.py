"""New rows that are probably a structure that is known already, under another code.

Near and of the same owner, or of an unknown one; or somewhat farther away with a similar code or
name and the same numbers in it: a datum that was ignored moves a tower by 226 m. Such rows go to a
review list, never into the register by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from core import store
from towers.fields import BY_NAME
from towers.imports.rows import RowReader

# From here on two codes or names are similar (0 to 1, by their trigrams).
LIKENESS = 0.6
# A name that so many rows have tells nothing, such as "BTS".
COMMON_NAME = 5
# Of so many structures about a row the nearest ones are named.
LOOKED_AT, NAMED = 20, 3


@dataclass(frozen=True)
class Reach:
    """How near a structure must be, in metres: whatever it is called, and when it is alike."""

    near: float
    alike: float

    @property
    def widest(self) -> float:
        return max(self.near, self.alike)


def reach_of(session: Session) -> Reach:
    return Reach(
        near=float(store.value_of(session, "duplicate_metres")),
        alike=float(store.value_of(session, "similar_metres")),
    )


def digits(column: str) -> str:
    """The numbers in a text, without zeros before them: station 2 is never station 3."""
    return f"regexp_replace(regexp_replace({column}, '\\D+', ' ', 'g'), '(^| )0+', '\\1', 'g')"


def find_duplicates(session: Session, reader: RowReader) -> int:
    """Fill `suspect` with the pairs of probable duplicates, and take their rows out of the new
    ones; returns how many rows these are.

    Of rows alike within the list the first goes on.
    """
    reach = reach_of(session)
    session.execute(text("DROP TABLE IF EXISTS pg_temp.suspect"))
    session.execute(
        text(
            "CREATE TEMPORARY TABLE suspect (line integer, tower_id uuid, other_line integer,"
            " metres float8, likeness real, near boolean) ON COMMIT DROP"
        )
    )
    _describe_new(session, reader)
    facts = {
        "near": reach.near,
        "alike": reach.alike,
        "widest": reach.widest,
        "likeness": LIKENESS,
        "looked_at": LOOKED_AT,
        "named": NAMED,
    }
    known = f"""
        SELECT t.id AS tower_id, NULL::integer AS other_line, t.geom, t.owner_id, t.code, t.name,
            {digits("t.code")} AS code_digits, {digits("t.name")} AS name_digits
        FROM tower t WHERE t.geom && n.box
    """  # noqa: S608 - our own columns
    if session.scalar(text("SELECT EXISTS (SELECT FROM tower)")):
        session.execute(text(_pairs(known)), facts)
    others = """
        SELECT NULL::uuid AS tower_id, o.line AS other_line, o.geom, o.owner_id, o.code, o.name,
            o.code_digits, o.name_digits
        FROM arrived o WHERE o.geom && n.box AND o.line < n.line
    """
    session.execute(text(_pairs(others)), facts)
    return session.execute(
        text(
            "UPDATE judged SET verdict = 'duplicate'"
            " WHERE verdict = 'new' AND line IN (SELECT line FROM suspect)"
        )
    ).rowcount  # type: ignore[attr-defined]


def _describe_new(session: Session, reader: RowReader) -> None:
    """`arrived`: the new rows with what is compared of them."""
    has_name = BY_NAME["name"] in reader.given
    owned = BY_NAME["owner"] in reader.given
    session.execute(text("DROP TABLE IF EXISTS pg_temp.arrived"))
    name = "CASE WHEN c.name IS NULL THEN s.name END" if has_name else "NULL::text"
    common = (
        f"""
        LEFT JOIN (
            SELECT name FROM staging GROUP BY name HAVING count(*) >= {COMMON_NAME}
        ) c ON c.name = s.name
        """  # noqa: S608 - a constant
        if has_name
        else ""
    )
    session.execute(
        text(
            f"""
            CREATE TEMPORARY TABLE arrived ON COMMIT DROP AS
            SELECT s.line, j.geom, {"owner.id" if owned else "NULL::uuid"} AS owner_id, s.code,
                {name} AS name, {digits("s.code")} AS code_digits,
                {digits(name)} AS name_digits
            FROM judged j JOIN staging s ON s.line = j.line
            {"LEFT JOIN named owner ON owner.key = lower(s.owner)" if owned else ""}
            {common}
            WHERE j.verdict = 'new'
            """  # noqa: S608 - our own columns
        )
    )
    session.execute(text("CREATE INDEX ON pg_temp.arrived USING gist (geom)"))
    session.execute(text("ANALYZE pg_temp.arrived"))


def _pairs(candidates: str) -> str:
    """The statement that keeps the nearest candidates alike to each new row.

    A degree of latitude has 110,574 m at least, one of longitude so many by the cosine.
    """
    return f"""
    INSERT INTO suspect
    SELECT n.line, found.tower_id, found.other_line, found.metres, found.likeness,
        found.metres <= :near AND found.same_owner
    FROM (
        SELECT *, ST_Expand(geom, :widest / (110574 * cos(radians(ST_Y(geom)))),
            :widest / 110574) AS box
        FROM arrived
    ) n
    CROSS JOIN LATERAL (
        SELECT * FROM (
            SELECT c.tower_id, c.other_line, m.metres, l.likeness,
                coalesce(c.owner_id = n.owner_id, true) AS same_owner
            FROM ({candidates}) c
            CROSS JOIN LATERAL (SELECT ST_DistanceSphere(c.geom, n.geom) AS metres OFFSET 0) m
            CROSS JOIN LATERAL (
                SELECT greatest(
                    CASE WHEN c.code_digits = n.code_digits
                        THEN similarity(search_form(c.code), search_form(n.code)) END,
                    CASE WHEN c.name_digits = n.name_digits
                        THEN similarity(search_form(c.name), search_form(n.name)) END
                ) AS likeness OFFSET 0
            ) l
            WHERE m.metres <= :near AND coalesce(c.owner_id = n.owner_id, true)
                OR m.metres <= :alike AND l.likeness >= :likeness
            LIMIT :looked_at
        ) alike ORDER BY metres, other_line LIMIT :named
    ) found
    """  # noqa: S608 - our own columns
