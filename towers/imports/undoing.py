"""Taking an import back, as long as nothing depends on it: from its entries in the history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core import audit, policy
from core.db import allow_long_statements
from core.errors import Conflict, DomainError
from core.policy import Actor
from core.problems import as_domain_error
from core.words import N_
from towers import services
from towers.fields import KEPT, ORGANISATIONS
from towers.imports.batches import begin
from towers.imports.models import ImportBatch
from towers.imports.states import State

NAMED = 20
# What history keeps of a tower under the name of its column.
COLUMNS = (
    *(field.column for field in (*KEPT, *ORGANISATIONS) if field.name != "code"),
    "commune_id", "commune_distance_m", "former_commune_id", "source_srid", "source_x", "source_y",
)  # fmt: skip


@dataclass(frozen=True)
class Obstacle:
    """What stands in the way of undoing: so many towers, the first of them, and why.

    `kind` is `changed` for towers that were changed later, `merged` for those that were merged into
    others since, else the table that refers to them. `kept` are the codes of the towers into which
    the merged ones went, in the order of `codes`.
    """

    kind: str
    number: int
    codes: tuple[str, ...]
    kept: tuple[str, ...] = ()


def obstacles(session: Session, batch: ImportBatch) -> list[Obstacle]:
    """Everything that depends on an import; nothing where it can be undone."""
    allow_long_statements(session)
    _entries(session, batch)
    found = [
        _obstacle(
            session,
            "changed",
            "SELECT e.code FROM undone e WHERE e.changed_later",
        ),
        _merged(session, batch),
    ]
    for table, column in _referring(session, "tower"):
        found.append(
            _obstacle(
                session,
                table,
                f"SELECT e.code FROM undone e WHERE e.added"  # noqa: S608 - names of the catalogue
                f" AND EXISTS (SELECT FROM {table} r WHERE r.{column} = e.id)",
            )
        )
    return [one for one in found if one.number]


def _merged(session: Session, batch: ImportBatch) -> Obstacle:
    """The towers of an import that were merged into others since, however often."""
    rows = session.execute(
        text(
            """
            WITH RECURSIVE gone AS (
                SELECT m.old_code, m.into_id FROM tower_merge m
                WHERE m.old_id IN (
                    SELECT object_id::uuid FROM audit_entry
                    WHERE batch = :batch AND kind = 'tower'
                        AND action IN ('tower.create', 'tower.edit')
                )
                UNION
                SELECT g.old_code, m.into_id FROM gone g JOIN tower_merge m ON m.old_id = g.into_id
            )
            SELECT g.old_code, t.code, count(*) OVER () AS number
            FROM gone g JOIN tower t ON t.id = g.into_id ORDER BY g.old_code LIMIT :limit
            """
        ),
        {"batch": batch.id, "limit": NAMED},
    ).all()
    number = rows[0].number if rows else 0
    old, kept = ((row[0] for row in rows), (row[1] for row in rows))
    return Obstacle("merged", number, tuple(old), tuple(kept))


def _referring(session: Session, table: str) -> list[tuple[str, str]]:
    """The tables and columns whose rows would stand in the way of deleting one of a table."""
    rows = session.execute(
        text(
            """
            SELECT c.conrelid::regclass::text, a.attname
            FROM pg_constraint c
                JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
            WHERE c.contype = 'f' AND c.confrelid = cast(:table AS regclass)
                AND c.confdeltype IN ('a', 'r')
            ORDER BY 1, 2
            """
        ),
        {"table": table},
    )
    return [(row[0], row[1]) for row in rows]


def _entries(session: Session, batch: ImportBatch) -> None:
    """`undone`: the towers that an import added or changed, and what they were before.

    A tower was changed since when its last change is not that of the import. An organisation of
    before that was merged into another one since is that one.
    """
    session.execute(text("DROP TABLE IF EXISTS pg_temp.undone"))
    session.execute(
        text(
            """
            CREATE TEMPORARY TABLE undone ON COMMIT DROP AS
            SELECT t.id, t.code, t.structure_type, e.action = 'tower.create' AS added,
                e.before, e.id AS entry_id, t.updated_at <> e.at AS changed_later
            FROM audit_entry e JOIN tower t ON t.id = e.object_id::uuid
            WHERE e.batch = :batch AND e.kind = 'tower'
                AND e.action IN ('tower.create', 'tower.edit')
            """
        ),
        {"batch": batch.id},
    )
    for column in (field.column for field in ORGANISATIONS):
        session.execute(text(FOLLOWED), {"column": column})
    session.execute(text("ANALYZE pg_temp.undone"))


FOLLOWED = """
    WITH RECURSIVE merged AS (
        SELECT old_id, into_id FROM organisation_merge
        UNION
        SELECT m.old_id, n.into_id FROM merged m JOIN organisation_merge n ON n.old_id = m.into_id
    )
    UPDATE undone u SET before = u.before || jsonb_build_object(cast(:column AS text), o.id)
    FROM merged m JOIN organisation o ON o.id = m.into_id
    WHERE u.before->>cast(:column AS text) = m.old_id::text
"""


def _obstacle(session: Session, kind: str, codes: str) -> Obstacle:
    number = session.scalar(text(f"SELECT count(*) FROM ({codes}) c")) or 0  # noqa: S608
    first: list[str] = []
    if number:
        first = list(session.scalars(text(f"{codes} ORDER BY code LIMIT :limit"), {"limit": NAMED}))
    return Obstacle(kind, number, tuple(first))


# So many entries are taken back while their reader waits.
AT_ONCE_ENTRIES = 5_000


def start(session: Session, batch: ImportBatch, *, by: Actor, now: datetime) -> None:
    """Take an import back: at once when it is small, else as a job. Raises as `undo` does."""
    policy.require(by, "tower.import")
    session.refresh(batch, with_for_update=True)
    if batch.state != State.DONE:
        raise Conflict(N_("Only an import that was done can be undone"))
    if obstacles(session, batch):
        raise Conflict(IN_THE_WAY)
    entries = batch.counts.get("new", 0) + batch.counts.get("changed", 0)
    batch.error = None
    if entries <= AT_ONCE_ENTRIES:
        undo(session, batch, by=by, now=now)
    else:
        begin(session, batch, State.UNDOING, at_once=False, by=by)


IN_THE_WAY = N_("The import cannot be undone any more: look at what depends on it")


def undo(session: Session, batch: ImportBatch, *, by: Actor, now: datetime) -> None:
    """Remove the towers that an import added, and give the others back what it changed.

    Organisations that it made and nobody uses go too, and its open rows of the review list.
    Raises `Conflict` where something depends on the import.
    """
    policy.require(by, "tower.import")
    session.refresh(batch, with_for_update=True)
    if batch.state not in (State.DONE, State.UNDOING):
        raise Conflict(N_("Only an import that was done can be undone"))
    if obstacles(session, batch):
        raise Conflict(IN_THE_WAY)
    facts = {
        "now": now,
        "actor": by.email,
        "actor_id": str(by.id) if by.id else None,
        "batch": batch.id,
    }
    session.execute(text("SET LOCAL plan_cache_mode = auto"))
    _restore(session, facts)
    session.execute(
        text(
            """
            WITH gone AS (
                DELETE FROM tower t USING undone u WHERE u.id = t.id AND u.added
                RETURNING t.id, t.code
            )
            INSERT INTO audit_entry (at, actor_id, actor, action, kind, object_id, before, batch)
            SELECT :now, :actor_id, :actor, 'tower.undo', 'tower', id::text,
                jsonb_build_object('code', code), :batch
            FROM gone
            """
        ),
        facts,
    )
    session.execute(
        text("DELETE FROM import_duplicate WHERE batch_id = :batch AND state = 'open'"), facts
    )
    _remove_organisations(session, facts)
    batch.state, batch.finished_at = State.UNDONE, now
    batch.version += 1
    session.flush()
    audit.record(session, "import.undo", "import", batch.id, by=by, now=now, batch=batch.id)
    session.expire_all()


def undo_or_say_why(session: Session, batch: ImportBatch, *, by: Actor, now: datetime) -> None:
    """The same for a job: what is in the way becomes the error of the batch, which stays done."""
    try:
        with session.begin_nested():
            undo(session, batch, by=by, now=now)
    except (DomainError, IntegrityError) as error:
        session.refresh(batch)
        message = as_domain_error(error).message
        batch.state, batch.error = State.DONE, {"message": message, "facts": {}}
        batch.version += 1
        session.flush()


def _restore(session: Session, facts: dict[str, object]) -> None:
    """Give changed towers back what the history says they had."""
    session.execute(
        text(
            f"""
            WITH given AS MATERIALIZED (
                SELECT u.id, u.before, jsonb_populate_record(t, u.before - 'latitude' - 'longitude')
                    AS old
                FROM undone u JOIN tower t ON t.id = u.id WHERE NOT u.added
            ), restored AS (
                UPDATE tower t SET ({", ".join(COLUMNS)}) = (
                        SELECT {", ".join(f"(g.old).{name}" for name in COLUMNS)}
                    ),
                    geom = CASE WHEN g.before ?| ARRAY['latitude', 'longitude'] THEN ST_SetSRID(
                        ST_MakePoint(coalesce((g.before->>'longitude')::float8, ST_X(t.geom)),
                            coalesce((g.before->>'latitude')::float8, ST_Y(t.geom))), 4326)
                        ELSE t.geom END,
                    version = t.version + 1, updated_at = :now
                FROM given g WHERE g.id = t.id
                RETURNING t.id, g.before
            )
            INSERT INTO audit_entry
                (at, actor_id, actor, action, kind, object_id, before, after, batch)
            SELECT :now, :actor_id, :actor, 'tower.undo', 'tower', r.id::text, e.after, r.before,
                :batch
            FROM restored r JOIN undone u ON u.id = r.id JOIN audit_entry e ON e.id = u.entry_id
            """  # noqa: S608 - our own columns
        ),
        facts,
    )
    retyped = session.scalars(
        text(
            "SELECT u.id FROM undone u JOIN tower t ON t.id = u.id"
            " WHERE NOT u.added AND t.structure_type <> u.structure_type"
        )
    ).all()
    if retyped:
        services.was_retyped(session, retyped)


def _remove_organisations(session: Session, facts: dict[str, object]) -> None:
    """Remove organisations that the import made, as long as nothing refers to them."""
    session.execute(
        text(
            """
            CREATE TEMPORARY TABLE made_then ON COMMIT DROP AS
            SELECT object_id::uuid AS id FROM audit_entry
            WHERE batch = :batch AND action = 'organisation.create'
            """
        ),
        facts,
    )
    free = " AND ".join(
        f"NOT EXISTS (SELECT FROM {table} r WHERE r.{column} = o.id)"
        for table, column in _referring(session, "organisation")
    )
    session.execute(
        text(
            f"""
            WITH gone AS (
                DELETE FROM organisation o USING made_then m WHERE m.id = o.id AND o.version = 1
                    AND {free or "true"}
                RETURNING o.id, o.name
            )
            INSERT INTO audit_entry (at, actor_id, actor, action, kind, object_id, before, batch)
            SELECT :now, :actor_id, :actor, 'organisation.undo', 'organisation', id::text,
                jsonb_build_object('name', name), :batch
            FROM gone
            """  # noqa: S608 - names of the catalogue
        ),
        facts,
    )
    session.execute(text("DROP TABLE made_then"))
