"""Writing what was judged: organisations, new and changed towers, and their history.

A handful of statements for any number of rows; nothing is read back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from core.policy import Actor
from towers import services
from towers.fields import BY_NAME, Field
from towers.former import link_former_communes
from towers.imports import places
from towers.imports.judging import joined_organisations, organisations_of, said
from towers.imports.rows import RowReader

# The communes of so many towers are looked up together.
LINKED_AT_ONCE = 10_000


@dataclass(frozen=True)
class Origin:
    """What an import writes into everything it makes."""

    batch: str
    source: str
    by: Actor
    now: datetime

    @property
    def facts(self) -> dict[str, Any]:
        return {
            "batch": self.batch,
            "source": self.source[:300],
            "actor": self.by.email,
            "actor_id": str(self.by.id) if self.by.id else None,
            "now": self.now,
        }


def original(reader: RowReader) -> tuple[str, str, str]:
    """System, x and y of a row as they were given."""
    return ("s.srid", "s.x", "s.y") if reader.placed else ("4326", "s.lon", "s.lat")


def value_of(of: Field, reader: RowReader) -> str:
    """What a new tower gets in the column of a field, where the list says nothing too."""
    if of.name == "name":
        texts = ["s.name"] if of in reader.given else []
        texts += ["s.call_sign"] if "call_sign" in reader.columns else []
        return f"coalesce({', '.join([*texts, 's.code'])})"
    if of.name == "source":
        return "coalesce(s.source, :source)" if of in reader.given else ":source"
    column = said(of) if of in reader.given else "NULL"
    if of.empty is None:
        return column
    empty = "'{}'" if isinstance(of.empty, list) else f"'{of.empty}'"
    return f"coalesce({column}, {empty})"


def always(reader: RowReader) -> tuple[Field, ...]:
    """The fields that a new tower gets: the given ones, and those it cannot be without."""
    needed = (BY_NAME[name] for name in ("name", "structure_type", "source"))
    more = [of for of in needed if of not in reader.given]
    return (*reader.given, *more)


def write_organisations(session: Session, reader: RowReader, origin: Origin) -> None:
    """Keep the organisations that nobody knew and that a row names which is written."""
    if not session.scalar(text("SELECT EXISTS (SELECT FROM named WHERE fresh)")):
        return
    wanted = " UNION ".join(
        f"SELECT lower(s.{of.name}) FROM staging s JOIN judged j ON j.line = s.line"  # noqa: S608
        " WHERE j.verdict IN ('new', 'changed')"
        for of in organisations_of(reader)
    )
    session.execute(
        text(
            f"""
            WITH made AS (
                INSERT INTO organisation (id, name, kind)
                SELECT id, name, kind FROM named WHERE fresh AND key IN ({wanted})
                RETURNING id, name, kind
            )
            INSERT INTO audit_entry (at, actor_id, actor, action, kind, object_id, after, batch)
            SELECT :now, :actor_id, :actor, 'organisation.create', 'organisation', id::text,
                jsonb_build_object('name', name, 'kind', kind), cast(:batch AS uuid)
            FROM made
            """  # noqa: S608 - our own columns
        ),
        origin.facts,
    )


def write_new(session: Session, reader: RowReader, origin: Origin) -> None:
    """Add the new towers."""
    fields = always(reader)
    columns = [of.column for of in fields]
    srid, x, y = original(reader)
    stated = BY_NAME["former_commune"] in reader.given
    session.execute(
        text(
            f"""
            INSERT INTO tower (id, code, {", ".join(columns)}, geom, source_srid, source_x,
                source_y, commune_id, commune_distance_m, former_commune_id, condition_reason,
                created_at, updated_at)
            SELECT j.id, s.code, {", ".join(value_of(of, reader) for of in fields)}, j.geom,
                {srid}, {x}, {y}, l.commune_id, l.metres,
                {"st.former_id" if stated else "NULL"}, 'never', :now, :now
            FROM judged j JOIN staging s ON s.line = j.line
                LEFT JOIN located l ON l.line = j.line {joined_organisations(reader)}
                {places.joined_former(reader) if stated else ""}
            WHERE j.verdict = 'new'
            """  # noqa: S608 - our own columns
        ),
        origin.facts,
    )
    told = [f"'{of.column}', {said(of)}" for of in reader.given]
    if BY_NAME["name"] not in reader.given:
        told.append(f"'name', {value_of(BY_NAME['name'], reader)}")
    told += ["'code', s.code", "'latitude', s.lat", "'longitude', s.lon"]
    told.append("'commune_id', l.commune_id")
    if reader.placed:
        told += [f"'source_srid', {srid}", f"'source_x', {x}", f"'source_y', {y}"]
    session.execute(
        text(
            f"""
            INSERT INTO audit_entry (at, actor_id, actor, action, kind, object_id, after, batch)
            SELECT :now, :actor_id, :actor, 'tower.create', 'tower', j.id::text,
                jsonb_build_object({", ".join(told)}), cast(:batch AS uuid)
            FROM judged j JOIN staging s ON s.line = j.line
                LEFT JOIN located l ON l.line = j.line {joined_organisations(reader)}
            WHERE j.verdict = 'new'
            """  # noqa: S608 - our own columns
        ),
        origin.facts,
    )


LIFE, SINCE = BY_NAME["lifecycle"], BY_NAME["lifecycle_since"]


def brought(reader: RowReader) -> dict[str, str]:
    """What a changed tower gets in each column: what its row says, else what it has.

    Since when it is in another life cycle nobody knows whose row does not say it.
    """
    found = {of.column: f"coalesce({said(of)}, t.{of.column})" for of in reader.given}
    if LIFE in reader.given:
        kept = "CASE WHEN s.lifecycle <> t.lifecycle THEN NULL ELSE t.lifecycle_since END"
        found[SINCE.column] = f"coalesce({said(SINCE)}, {kept})" if SINCE in reader.given else kept
    return found


# What a moved tower gets beside its position.
PLACE = ("geom", "commune_id", "commune_distance_m", "source_srid", "source_x", "source_y")


def compare(session: Session, reader: RowReader) -> None:
    """`altered`: what the changed rows change, as history keeps it: before and after."""
    session.execute(text("DROP TABLE IF EXISTS pg_temp.altered"))
    old = [f"'{column}', t.{column}" for column in brought(reader)]
    new = [f"'{column}', {value}" for column, value in brought(reader).items()]
    srid, x, y = original(reader)
    moved = {
        "latitude": ("ST_Y(t.geom)", "s.lat"),
        "longitude": ("ST_X(t.geom)", "s.lon"),
        "commune_id": ("t.commune_id", "l.commune_id"),
        "commune_distance_m": ("t.commune_distance_m", "l.metres"),
        "source_srid": ("t.source_srid", srid),
        "source_x": ("t.source_x", x),
        "source_y": ("t.source_y", y),
    }
    for name, (before, after) in moved.items():
        old.append(f"'{name}', {before}")
        new.append(f"'{name}', CASE WHEN j.geom IS NULL THEN {before} ELSE {after} END")
    session.execute(
        text(
            f"""
            CREATE TEMPORARY TABLE altered ON COMMIT DROP AS
            SELECT j.line, j.id, difference.before, difference.after,
                {"s.structure_type <> t.structure_type" if _typed(reader) else "false"} AS retyped
            FROM judged j JOIN staging s ON s.line = j.line JOIN tower t ON t.id = j.id
                LEFT JOIN located l ON l.line = j.line {joined_organisations(reader)}
                CROSS JOIN LATERAL (
                    SELECT jsonb_object_agg(key, o.value) AS before,
                        jsonb_object_agg(key, n.value) AS after
                    FROM jsonb_each(jsonb_build_object({", ".join(old)})) o
                        JOIN jsonb_each(jsonb_build_object({", ".join(new)})) n USING (key)
                    WHERE o.value <> n.value
                ) AS difference
            WHERE j.verdict = 'changed'
            """  # noqa: S608 - our own columns
        )
    )


def _typed(reader: RowReader) -> bool:
    return BY_NAME["structure_type"] in reader.given


def write_changed(session: Session, reader: RowReader, origin: Origin) -> None:
    """Bring the changed towers up to date; `compare` was called before."""
    srid, x, y = original(reader)
    kept = [f"{column} = {value}" for column, value in brought(reader).items()]
    for name, value in zip(PLACE, ("j.geom", "l.commune_id", "l.metres", srid, x, y), strict=True):
        kept.append(f"{name} = CASE WHEN j.geom IS NULL THEN t.{name} ELSE {value} END")
    session.execute(
        text(
            f"""
            UPDATE tower t SET {", ".join(kept)}, version = t.version + 1, updated_at = :now
            FROM judged j JOIN staging s ON s.line = j.line
                LEFT JOIN located l ON l.line = j.line {joined_organisations(reader)}
            WHERE j.id = t.id AND j.verdict = 'changed'
            """  # noqa: S608 - our own columns
        ),
        origin.facts,
    )
    session.execute(
        text(
            """
            INSERT INTO audit_entry
                (at, actor_id, actor, action, kind, object_id, before, after, batch)
            SELECT :now, :actor_id, :actor, 'tower.edit', 'tower', id::text, before, after,
                cast(:batch AS uuid)
            FROM altered
            """
        ),
        origin.facts,
    )
    moved = session.scalars(
        text(
            "SELECT id FROM altered WHERE after ?| ARRAY['former_commune', 'former_district']"
            " ORDER BY line"
        )
    )
    for ids in moved.partitions(LINKED_AT_ONCE):
        link_former_communes(session, ids)
    retyped = session.scalars(text("SELECT id FROM altered WHERE retyped")).all()
    if retyped:
        services.was_retyped(session, retyped)
