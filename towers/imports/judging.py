"""What becomes of each row: new, changed or the same; where it lies.

`judged` has every good row with the tower it means, by the number of its row.
"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from areas.places import limit_metres, placing
from core.geo import SRID
from towers.fields import BY_NAME, ORGANISATIONS, Field, Kind
from towers.imports.rows import RowReader

# A name that so many rows have tells nothing, such as "BTS".
COMMON_NAME = 5
# Within so many degrees, a centimetre, a position is the same: other systems and spreadsheets do
# not bring the last digits back.
SAME = 1e-7
POINT = f"ST_SetSRID(ST_MakePoint(s.lon, s.lat), {SRID})"


def organisations_of(reader: RowReader) -> tuple[Field, ...]:
    return tuple(of for of in ORGANISATIONS if of in reader.given)


def said(of: Field) -> str:
    """What a row says about a field, as the column of `tower` keeps it; NULL where nothing."""
    return f"{of.name}.id" if of.kind is Kind.ORGANISATION else f"s.{of.name}"


def joined_organisations(reader: RowReader) -> str:
    return " ".join(
        f"LEFT JOIN named {of.name} ON {of.name}.key = lower(s.{of.name})"
        for of in organisations_of(reader)
    )


def name_organisations(session: Session, reader: RowReader) -> None:
    """The organisations that the list names, in `named`; those nobody knows get a key of theirs."""
    parts = [
        f"SELECT {of.name} AS name, '{of.name}' AS kind FROM staging WHERE {of.name} IS NOT NULL"  # noqa: S608
        for of in organisations_of(reader)
    ] or ["SELECT NULL::text AS name, NULL::text AS kind WHERE false"]
    session.execute(text("DROP TABLE IF EXISTS pg_temp.named"))
    session.execute(
        text(
            f"""
            CREATE TEMPORARY TABLE named ON COMMIT DROP AS
            WITH given AS ({" UNION ".join(parts)}), each AS (
                SELECT lower(name) AS key, min(name) AS name, min(kind) AS kind
                FROM given GROUP BY lower(name)
            )
            SELECT e.key, e.name, e.kind, coalesce(o.id, gen_random_uuid()) AS id,
                o.id IS NULL AS fresh
            FROM each e LEFT JOIN organisation o ON lower(o.name) = e.key
            """  # noqa: S608 - our own columns
        )
    )
    session.execute(text("ANALYZE pg_temp.named"))


def judge(session: Session, reader: RowReader) -> None:
    """Say of every good row whether it is new, changed or the same.

    An empty cell keeps what is known. What is compared to find duplicates stands beside it.
    """
    session.execute(text("ANALYZE pg_temp.staging"))
    differs = [
        f"abs(ST_X(t.geom) - s.lon) >= {SAME} OR abs(ST_Y(t.geom) - s.lat) >= {SAME}",
    ]
    differs += [
        f"coalesce({said(of)}, t.{of.column}) IS DISTINCT FROM t.{of.column}" for of in reader.given
    ]
    names = (
        f"LEFT JOIN (SELECT name FROM staging GROUP BY name HAVING count(*) >= {COMMON_NAME}) c"  # noqa: S608
        " ON c.name = s.name"
    )
    name = "CASE WHEN c.name IS NULL THEN s.name END"
    if BY_NAME["name"] not in reader.given:
        names, name = "", "NULL::text"
    owned = BY_NAME["owner"] in reader.given
    session.execute(text("DROP TABLE IF EXISTS pg_temp.judged"))
    session.execute(
        text(
            f"""
            CREATE TEMPORARY TABLE judged ON COMMIT DROP AS
            SELECT s.line, coalesce(t.id, gen_random_uuid()) AS id,
                CASE WHEN t.id IS NULL THEN 'new' WHEN {" OR ".join(differs)} THEN 'changed'
                    ELSE 'same' END AS verdict,
                CASE WHEN t.id IS NULL OR {differs[0]} THEN {POINT} END AS geom,
                {"owner.id" if owned else "NULL::uuid"} AS owner_id,
                s.code, {digits("s.code")} AS code_digits,
                {name} AS name, {digits(name)} AS name_digits
            FROM staging s LEFT JOIN tower t ON t.code = s.code {joined_organisations(reader)}
                {names}
            """  # noqa: S608 - our own columns
        )
    )
    session.execute(text("CREATE INDEX judged_geom ON pg_temp.judged USING gist (geom)"))
    session.execute(text("ANALYZE pg_temp.judged"))


def digits(column: str) -> str:
    """The numbers in a text: station 2 is never station 3, but 02 is 2."""
    return f"ltrim(translate({column}, translate({column}, '0123456789', ''), ''), '0')"


def place(session: Session) -> None:
    """Find the commune of every new or moved position, in `located`."""
    session.execute(text("DROP TABLE IF EXISTS pg_temp.located"))
    points = "(SELECT line, geom FROM judged WHERE geom IS NOT NULL)"
    session.execute(
        text(
            f"CREATE TEMPORARY TABLE located ON COMMIT DROP AS {placing(points, 'line')}"  # noqa: S608
            " SELECT line, commune_id, metres FROM placed"
        ),
        {"nearest_m": limit_metres(session)},
    )


def hold_changed(session: Session) -> None:
    """Hold the towers that will be changed, so that nobody else changes them meanwhile."""
    session.execute(
        text(
            "SELECT FROM tower WHERE id IN (SELECT id FROM judged WHERE verdict = 'changed')"
            " ORDER BY id FOR NO KEY UPDATE"
        )
    )


def counted(session: Session) -> dict[str, int]:
    """How many rows have each verdict."""
    rows = session.execute(text("SELECT verdict, count(*) FROM judged GROUP BY verdict"))
    return {verdict: number for verdict, number in rows}
