"""Importing a list: every row checked, all or the good ones, the same list twice changes nothing.

Stands between the services and the doors: it uses both registers (towers, organisations).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from areas.places import limit_metres, placing
from core import audit, policy, store
from core.db import allow_long_statements
from core.errors import Invalid
from core.geo import Envelope, Position
from core.policy import Actor
from core.words import N_
from towers import services
from towers.fields import BY_NAME, FIELDS, ORGANISATIONS, Field, Kind, Unreadable
from towers.fields import read as read_field
from towers.former import link_former_communes
from towers.mapping import ColumnMapping, MappedList, MappedRow, read_place
from towers.queries.merges import successors
from towers.readers import MAX_CELL
from towers.rules import code_problem

MAX_REPORTED = 1_000

# How each kind of field is staged; the same types as the columns of `tower`, without their limits.
SQL_TYPES = {
    Kind.CODE: 'text COLLATE "C"',
    Kind.LINE: "text",
    Kind.TEXT: "text",
    Kind.NUMBER: "numeric",
    Kind.WHOLE: "integer",
    Kind.YEAR: "smallint",
    Kind.DAY: "date",
    Kind.CHOICE: "text",
    Kind.CHOICES: "text[]",
    Kind.FLAG: "boolean",
    Kind.ORGANISATION: "text",
}
STAGED = tuple(field for field in FIELDS if field.kind is not Kind.COORDINATE)
STAGING = f"""
CREATE TEMPORARY TABLE staging (
    line integer NOT NULL, named boolean NOT NULL, lon float8 NOT NULL, lat float8 NOT NULL,
    source_srid integer NOT NULL, source_x float8 NOT NULL, source_y float8 NOT NULL,
    {", ".join(f"{field.name} {SQL_TYPES[field.kind]}" for field in STAGED)}
) ON COMMIT DROP
"""
COLUMNS = (
    "line", "named", "lon", "lat", "source_srid", "source_x", "source_y",
    *(field.name for field in STAGED),
)  # fmt: skip


@dataclass(frozen=True)
class BadCell:
    """What is wrong with one row: its number, column and value, and why."""

    number: int
    column: str
    value: str
    message: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Report:
    """What an import did, or would do."""

    rows: int = 0
    new: int = 0
    changed: int = 0
    same: int = 0
    bad: int = 0
    problems: list[BadCell] = field(default_factory=list)
    ignored: tuple[str, ...] = ()
    sample: list[dict[str, Any]] = field(default_factory=list)
    batch: uuid.UUID = field(default_factory=uuid.uuid4)

    def add(self, problems: list[BadCell]) -> None:
        self.bad += 1
        if len(self.problems) < MAX_REPORTED:
            self.problems.extend(problems)


def import_towers(
    session: Session,
    listing: MappedList,
    *,
    good_rows: bool = False,
    source: str,
    by: Actor,
    now: datetime,
) -> Report:
    """Put a list into the register by code: new ones in, known ones brought up to date.

    A column that the list does not have leaves that field as it is. With any bad row nothing is
    written, unless `good_rows`; the report names the bad ones either way. The caller's
    transaction decides whether it stays (a preview rolls back).
    """
    policy.require(by, "tower.import")
    allow_long_statements(session)
    report = Report(ignored=listing.ignored)
    session.execute(text("DROP TABLE IF EXISTS pg_temp.staging"))
    session.execute(text(STAGING))
    _stage(session, listing, report)
    if report.bad and not good_rows:
        return report
    if by.communes is not None:
        raise Invalid(N_("Only staff who see the whole register can import lists"))
    session.execute(text("ANALYZE pg_temp.staging"))
    _organisations(session)
    _judge(session, report)
    _write(session, source=source, report=report, by=by, now=now)
    _link_former_communes(session)
    audit.record(
        session,
        "tower.import",
        "import",
        report.batch,
        by=by,
        now=now,
        after={
            "source": source,
            "rows": report.rows,
            "new": report.new,
            "changed": report.changed,
            "same": report.same,
            "bad": report.bad,
        },
    ) if report.new or report.changed else None
    session.expire_all()
    return report


def _link_former_communes(session: Session) -> None:
    """Look up what the written rows say of the commune of before the reform."""
    ids = session.scalars(
        text(
            "SELECT t.id FROM judged j JOIN tower t ON t.code = j.code"
            " WHERE j.verdict <> 'same' AND (j.former_commune <> '' OR t.former_commune <> '')"
        )
    ).all()
    if ids:
        link_former_communes(session, ids)


def _stage(session: Session, listing: MappedList, report: Report) -> None:
    envelope, merged = store.envelope(session), successors(session)
    driver = session.connection().connection.driver_connection
    assert driver is not None
    copying = f"COPY staging ({', '.join(COLUMNS)}) FROM STDIN"
    with driver.cursor() as cursor, cursor.copy(copying) as copy:
        for row in _clean_rows(listing, envelope, merged, report):
            copy.write_row(row)


def _clean_rows(
    listing: MappedList, envelope: Envelope, merged: Mapping[str, str], report: Report
) -> Iterator[tuple[Any, ...]]:
    codes: dict[str, int] = {}
    made: dict[str, int] = {}
    for row in listing.rows:
        report.rows += 1
        clean, problems = check_row(row, listing.mapping, envelope, made)
        code = clean.get("code", "")
        if not problems and code in codes:
            problems = [
                BadCell(
                    row.number,
                    "code",
                    code,
                    N_("This code already stands in row %(other)s"),
                    {"other": codes[code]},
                )
            ]
        if not problems and code in merged:
            # A list that still has the duplicate would bring it back.
            message = N_("%(code)s was merged into %(kept)s: change that tower instead")
            facts = {"code": code, "kept": merged[code]}
            problems = [BadCell(row.number, "code", code, message, facts)]
        if problems:
            report.add(problems)
            continue
        codes[code] = row.number
        if len(report.sample) < 5:
            report.sample.append(clean)
        yield (row.number, *(clean.get(name) for name in COLUMNS[1:]))


def check_row(
    row: MappedRow, mapping: ColumnMapping, envelope: Envelope, made: dict[str, int]
) -> tuple[dict[str, Any], list[BadCell]]:
    """The typed values of a row, or what is wrong with it.

    `made` counts the codes made from call signs so far, so that a second structure at the same
    place gets a number of its own.
    """
    values = row.values
    problems: list[BadCell] = []

    def bad(column: str, message: str, **facts: Any) -> None:
        problems.append(BadCell(row.number, column, values.get(column, "")[:200], message, facts))

    for column, message, facts, value in row.problems:
        problems.append(BadCell(row.number, column, value, message, facts))
    if any(column == "_geometry" for column, *_ in row.problems):
        return {}, problems
    for column, value in values.items():
        if len(value) > MAX_CELL:
            bad(column, N_("This text is too long"))
    reading, wrong = read_place(values, mapping, envelope)
    for column, message, facts in wrong:
        bad(column, message, **facts)
    clean: dict[str, Any] = {}
    if reading is not None:
        clean["lat"], clean["lon"] = reading.position.latitude, reading.position.longitude
        clean["source_srid"] = reading.system.srid
        clean["source_x"], clean["source_y"] = reading.x, reading.y
    code = values.get("code", "")
    if not code and reading is not None and values.get("call_sign"):
        code = _made_code(values["call_sign"], reading.position, made)
    if not code:
        bad("code", N_("The code is missing"))
    elif problem := code_problem(code):
        bad("code", problem)
    clean["code"] = code
    name = values.get("name") or values.get("call_sign") or code
    if len(name) > 300:
        bad("name", N_("A name has 1 to 300 characters"))
    clean["name"] = name
    clean["named"] = bool(values.get("name"))
    _optional(values, clean, bad)
    return clean, problems


def _made_code(call_sign: str, position: Position, made: dict[str, int]) -> str:
    """A code from call sign and place, about 1 m: `KNKN848-38.63708N81.28478W`."""
    latitude, longitude = position.latitude, position.longitude
    north = f"{abs(latitude):.5f}{'N' if latitude >= 0 else 'S'}"
    east = f"{abs(longitude):.5f}{'E' if longitude >= 0 else 'W'}"
    base = f"{''.join(call_sign.split())}-{north}{east}"
    made[base] = made.get(base, 0) + 1
    return base if made[base] == 1 else f"{base}-{made[base]}"


def _optional(values: dict[str, str], clean: dict[str, Any], bad: Any) -> None:
    """The fields that may be empty; an empty cell leaves a known value as it is."""
    for column, written in values.items():
        field = BY_NAME.get(column)
        if not written or field is None or field.required:
            continue
        try:
            clean[column] = read_field(field, written)
        except Unreadable as error:
            bad(column, error.text, **error.facts)


def _organisations(session: Session) -> None:
    """Organisations that the list names and nobody knows yet."""
    session.execute(
        text(
            """
            INSERT INTO organisation (id, name, kind)
            SELECT gen_random_uuid(), min(name), min(kind) FROM (
                SELECT owner AS name, 'owner' AS kind FROM staging WHERE owner IS NOT NULL
                UNION ALL
                SELECT manager, 'manager' FROM staging WHERE manager IS NOT NULL
            ) AS named GROUP BY lower(name)
            ON CONFLICT (lower(name)) DO NOTHING
            """
        )
    )


# What a row may change of its tower, as columns of `tower`, and what follows from its position.
CHANGEABLE = tuple(field.column for field in STAGED if field.kind is not Kind.CODE)
FOLLOWING = ("commune_id", "commune_distance_m", "source_srid", "source_x", "source_y")


def _wanted(field: Field) -> str:
    """What a row makes of a field: an empty cell keeps what is known."""
    if field.name == "name":
        return "CASE WHEN s.named OR t.id IS NULL THEN s.name ELSE t.name END"
    if field.kind is Kind.ORGANISATION:
        return f"coalesce({field.name}.id, t.{field.column})"
    empty = {"": ", ''", None: "", "[]": ", '{}'"}.get(
        str(field.empty) if isinstance(field.empty, list) else field.empty, f", '{field.empty}'"
    )
    return f"coalesce(s.{field.name}, t.{field.name}{empty})"


# Within so many degrees, a centimetre, a position is the same: other systems and spreadsheets do
# not bring the last digits back.
SAME = 1e-7
IN_PLACE = f"abs(ST_X(t.geom) - s.lon) < {SAME} AND abs(ST_Y(t.geom) - s.lat) < {SAME}"
ORIGIN = ("source_srid", "source_x", "source_y")

JUDGED = f"""
CREATE TEMPORARY TABLE judged ON COMMIT DROP AS
WITH wanted AS (
    SELECT s.line, s.code, t.id, t.version,
        {", ".join(f"{_wanted(one)} AS {one.column}" for one in STAGED if one.column != "code")},
        {", ".join(f"t.{column} AS old_{column}" for column in (*CHANGEABLE, *FOLLOWING))},
        CASE WHEN {IN_PLACE} THEN t.geom
            ELSE ST_SetSRID(ST_MakePoint(s.lon, s.lat), 4326) END AS geom,
        t.geom AS old_geom,
        {", ".join(f"CASE WHEN {IN_PLACE} THEN t.{c} ELSE s.{c} END AS {c}" for c in ORIGIN)}
    FROM staging s
    LEFT JOIN tower t ON t.code = s.code
    {
    " ".join(
        f"LEFT JOIN organisation {one.name} ON lower({one.name}.name) = lower(s.{one.name})"
        for one in ORGANISATIONS
    )
}
)
SELECT *, CASE WHEN id IS NULL THEN 'new'
    WHEN ({", ".join(CHANGEABLE)}, ST_X(geom), ST_Y(geom)) IS DISTINCT FROM
         ({", ".join(f"old_{column}" for column in CHANGEABLE)}, ST_X(old_geom), ST_Y(old_geom))
    THEN 'changed' ELSE 'same' END AS verdict
FROM wanted
"""  # noqa: S608 - our own columns
PLACED = placing("(SELECT line, geom FROM judged WHERE verdict <> 'same')", "line")


def _history(prefix: str) -> str:
    """A row of `judged` as history keeps it: the new values, or the old ones with their prefix.

    What follows from a new position is read from the written row.
    """
    pairs = [f"'{column}', j.{prefix}{column}" for column in CHANGEABLE]
    pairs += [f"'{column}', {'j.old_' if prefix else 'w.'}{column}" for column in FOLLOWING]
    pairs += [f"'latitude', ST_Y(j.{prefix}geom)", f"'longitude', ST_X(j.{prefix}geom)"]
    return f"jsonb_build_object({', '.join(pairs)})"


def _judge(session: Session, report: Report) -> None:
    """Say of every row whether it is new, changed or the same, and count them."""
    session.execute(text("DROP TABLE IF EXISTS pg_temp.judged"))
    session.execute(text(JUDGED))
    session.execute(text("CREATE INDEX ON pg_temp.judged USING gist (geom)"))
    session.execute(text("ANALYZE pg_temp.judged"))
    for verdict, number in session.execute(
        text("SELECT verdict, count(*) FROM judged GROUP BY verdict")
    ):
        setattr(report, verdict, number)


def _write(
    session: Session,
    *,
    source: str,
    report: Report,
    by: Actor,
    now: datetime,
) -> None:
    """Write new and changed towers and their history, three statements for any number of rows."""
    facts = {
        "now": now,
        "source": source[:300],
        "actor": by.email,
        "actor_id": str(by.id) if by.id else None,
        "batch": str(report.batch),
        "nearest_m": limit_metres(session),
    }
    if report.changed:
        session.execute(
            text(
                f"""
                {PLACED}, written AS (
                    UPDATE tower t
                    SET {", ".join(f"{column} = j.{column}" for column in CHANGEABLE)},
                        geom = j.geom,
                        source_srid = j.source_srid, source_x = j.source_x, source_y = j.source_y,
                        commune_id = p.commune_id, commune_distance_m = p.metres,
                        version = t.version + 1, updated_at = :now
                    FROM judged j LEFT JOIN placed p ON p.line = j.line
                    WHERE j.id = t.id AND j.verdict = 'changed'
                    RETURNING t.id, j.line, {", ".join(f"t.{column}" for column in FOLLOWING)}
                )
                INSERT INTO audit_entry
                    (at, actor_id, actor, action, kind, object_id, before, after)
                SELECT :now, :actor_id, :actor, 'tower.edit', 'tower', w.id::text,
                    changed.before, changed.after || jsonb_build_object(
                        'import', cast(:batch AS text), 'source', cast(:source AS text))
                FROM written w JOIN judged j ON j.id = w.id CROSS JOIN LATERAL (
                    SELECT jsonb_object_agg(key, o.value) AS before,
                        jsonb_object_agg(key, n.value) AS after
                    FROM jsonb_each({_history("old_")}) o JOIN jsonb_each({_history("")}) n
                        USING (key)
                    WHERE o.value <> n.value
                ) AS changed
                """  # noqa: S608 - our own columns
            ),
            facts,
        )
        retyped = session.scalars(
            text(
                "SELECT id FROM judged WHERE verdict = 'changed'"
                " AND structure_type <> old_structure_type"
            )
        )
        services.was_retyped(session, retyped.all())
    if report.new:
        session.execute(
            text(
                f"""
                {PLACED}, written AS (
                    INSERT INTO tower (code, {", ".join(CHANGEABLE)}, geom, source_srid,
                        source_x, source_y, commune_id, commune_distance_m, condition_reason,
                        created_at, updated_at)
                    SELECT j.code, {
                    ", ".join(
                        "coalesce(nullif(j.source, ''), :source)"
                        if column == "source"
                        else f"j.{column}"
                        for column in CHANGEABLE
                    )
                }, j.geom, j.source_srid, j.source_x, j.source_y, p.commune_id, p.metres,
                        'never', :now, :now
                    FROM judged j LEFT JOIN placed p ON p.line = j.line
                    WHERE j.verdict = 'new'
                    RETURNING id, code, {", ".join(FOLLOWING)}
                )
                INSERT INTO audit_entry (at, actor_id, actor, action, kind, object_id, after)
                SELECT :now, :actor_id, :actor, 'tower.create', 'tower', w.id::text,
                    jsonb_strip_nulls({_history("")}) || jsonb_build_object('code', w.code,
                        'import', cast(:batch AS text), 'source', cast(:source AS text))
                FROM written w JOIN judged j ON j.code = w.code
                """  # noqa: S608 - our own columns
            ),
            facts,
        )
