"""The review list: rows that are probably known structures wait for a person's decision."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from accounts.services.organisations import owner_named
from core import audit, policy
from core.errors import Conflict, Invalid, NotFound
from core.geo import from_xy
from core.merging import Follower
from core.policy import Actor
from core.words import N_
from towers import services
from towers.coordinate_systems import system
from towers.coordinates import Reading
from towers.fields import BY_NAME, Kind, read
from towers.imports.models import ImportDuplicate
from towers.imports.rows import RowReader
from towers.imports.states import DuplicateState
from towers.imports.writing import Origin, original
from towers.models import Tower
from towers.queries import merges

FOLLOWERS = (Follower(N_("Decided rows of imports"), ImportDuplicate.tower_id),)
DIGEST = "md5(s.code || E'\\n' || s.cells)"


def leave_out_known(session: Session) -> None:
    """Leave out the rows that were asked about before: the same list asks once."""
    session.execute(
        text(
            f"""
            WITH asked AS MATERIALIZED (
                SELECT s.line, {DIGEST} AS digest FROM staging s
                WHERE s.line IN (SELECT line FROM suspect)
            ), known AS MATERIALIZED (
                SELECT a.line FROM asked a JOIN import_duplicate d ON d.digest = a.digest
            ), left_out AS (
                DELETE FROM suspect WHERE line IN (SELECT line FROM known)
            )
            UPDATE judged SET verdict = 'same' WHERE line IN (SELECT line FROM known)
            """  # noqa: S608 - a constant
        )
    )


def keep(session: Session, reader: RowReader, origin: Origin) -> None:
    """Put the probable duplicates of this list into the review list."""
    srid, x, y = original(reader)
    given = [f"'{of.name}', s.{of.name}" for of in reader.given]
    given += ["'code', s.code", "'longitude', s.lon", "'latitude', s.lat"]
    given += [f"'srid', {srid}", f"'x', {x}", f"'y', {y}"]
    if "call_sign" in reader.columns:
        given.append("'call_sign', s.call_sign")
    session.execute(
        text(
            f"""
            INSERT INTO import_duplicate (batch_id, line, code, digest, given, candidates)
            SELECT cast(:batch AS uuid), s.line, s.code, {DIGEST},
                jsonb_strip_nulls(jsonb_build_object({", ".join(given)})), p.candidates
            FROM (SELECT * FROM staging WHERE line IN (SELECT line FROM suspect)) s JOIN (
                SELECT p.line, jsonb_agg(jsonb_build_object('tower_id', p.tower_id,
                    'line', p.other_line, 'code', coalesce(t.code, o.code),
                    'metres', round(p.metres), 'likeness', round(p.likeness::numeric, 2),
                    'near', p.near) ORDER BY p.metres) AS candidates
                FROM suspect p LEFT JOIN tower t ON t.id = p.tower_id
                    LEFT JOIN (
                        SELECT line, code FROM staging
                        WHERE line IN (SELECT other_line FROM suspect)
                    ) o ON o.line = p.other_line
                GROUP BY p.line
            ) p ON p.line = s.line
            """  # noqa: S608 - our own columns
        ),
        origin.facts,
    )


def waiting(
    session: Session, batch_id: uuid.UUID, *, limit: int = 200
) -> Sequence[ImportDuplicate]:
    """The rows of a batch that wait or waited for a decision, the open ones first."""
    return session.scalars(
        select(ImportDuplicate)
        .where(ImportDuplicate.batch_id == batch_id)
        .order_by(ImportDuplicate.state != DuplicateState.OPEN, ImportDuplicate.line)
        .limit(limit)
    ).all()


def open_number(session: Session, batch_id: uuid.UUID) -> int:
    return (
        session.scalar(
            select(func.count()).where(
                ImportDuplicate.batch_id == batch_id,
                ImportDuplicate.state == DuplicateState.OPEN,
            )
        )
        or 0
    )


def one(session: Session, batch_id: uuid.UUID, duplicate_id: uuid.UUID) -> ImportDuplicate:
    """A row of the review list; raises `NotFound`."""
    found = session.get(ImportDuplicate, duplicate_id)
    if found is None or found.batch_id != batch_id:
        raise NotFound()
    return found


def decide(
    session: Session,
    row: ImportDuplicate,
    decision: str,
    *,
    code: str = "",
    move: bool = False,
    by: Actor,
    now: datetime,
) -> Tower | None:
    """Update the tower with this code by the row, register the row, or skip it.

    Returns the tower, if there is one; a tower that was merged since stands for the one that it
    was merged into. `move` takes the row's position too. Raises `Conflict`
    where somebody decided already, and what the services raise.
    """
    policy.require(by, "tower.import")
    session.refresh(row, with_for_update=True)
    if row.state != DuplicateState.OPEN:
        raise Conflict(N_("This row was decided already"))
    tower: Tower | None = None
    if decision == DuplicateState.UPDATED:
        tower = merges.current(session, by, code)
        if tower is None:
            raise Invalid(
                N_("There is no tower with this code in your territory"),
                fields={"code": [N_("There is no tower with this code in your territory")]},
            )
        values = _values(session, row, by=by, now=now)
        # The tower keeps its own code.
        del values["code"]
        services.update_tower(
            session,
            tower,
            reading=_reading(row) if move else None,
            values=values,
            by=by,
            now=now,
        )
    elif decision == DuplicateState.REGISTERED:
        values = _values(session, row, by=by, now=now)
        empty = {of.name: of.empty for of in BY_NAME.values() if _is_kept(of.name)}
        name = row.given.get("name") or row.given.get("call_sign") or row.code
        tower = services.create_tower(
            session,
            reading=_reading(row),
            values={**empty, **values, "name": name},
            by=by,
            now=now,
        )
    elif decision != DuplicateState.SKIPPED:
        raise Invalid(N_("Choose one of the answers"))
    row.state, row.decided_by, row.decided_at = decision, by.email, now
    row.tower_id = tower.id if tower else None
    row.version += 1
    session.flush()
    audit.record(
        session,
        "import.decide",
        "import_duplicate",
        row.id,
        by=by,
        now=now,
        after={
            "decision": decision,
            "row": row.line,
            "code": row.code,
            "tower": tower.code if tower else None,
        },
        batch=row.batch_id,
    )
    return tower


def _is_kept(name: str) -> bool:
    return BY_NAME[name].kind is not Kind.COORDINATE and name not in {"code", "name"}


def _reading(row: ImportDuplicate) -> Reading:
    given = row.given
    position = from_xy(given["longitude"], given["latitude"])
    return Reading(position, system(given["srid"]), given["x"], given["y"])


def _values(session: Session, row: ImportDuplicate, *, by: Actor, now: datetime) -> dict[str, Any]:
    """What the row says, as the services take it; organisations are made where they are new."""
    values: dict[str, Any] = {}
    for name, value in row.given.items():
        of = BY_NAME.get(name)
        if of is None or of.kind is Kind.COORDINATE:
            continue
        if of.kind is Kind.ORGANISATION:
            values[name] = owner_named(session, value, by=by, now=now)
        else:
            values[name] = read(of, _text(value))
    return values


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(value) if isinstance(value, list) else str(value)
