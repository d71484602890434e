"""Taking an import back, as long as nothing depends on it: from its entries in the history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from core import audit, policy
from core.db import allow_long_statements
from core.errors import Conflict
from core.policy import Actor
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

    `kind` is `changed` for towers that were changed later, else the table that refers to them.
    """

    kind: str
    number: int
    codes: tuple[str, ...]


def obstacles(session: Session, batch: ImportBatch) -> list[Obstacle]:
    """Everything that depends on an import; nothing where it can be undone."""
    allow_long_statements(session)
    _entries(session, batch)
    found = [
        _obstacle(
            session,
            "changed",
            "SELECT e.code FROM undone e WHERE e.changed_later",
        )
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

    A tower was changed since when its last change is not that of the import.
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
    session.execute(text("ANALYZE pg_temp.undone"))


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
    except Conflict as error:
        session.refresh(batch)
        batch.state, batch.error = State.DONE, {"message": error.message, "facts": {}}
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
