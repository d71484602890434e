"""One pass over a list, in one transaction: read, judge, and write where nothing speaks against it.

A check does everything but the writing, and is rolled back.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from core import audit, policy, store
from core.db import allow_long_statements
from core.errors import Invalid
from core.policy import Actor
from core.words import N_
from towers.imports import duplicates, judging, places, review, staging, writing
from towers.imports.report import Outcome
from towers.imports.rows import RowReader
from towers.imports.watching import Unwatched, Watch
from towers.mapping import ColumnMapping, guess
from towers.readers import opened

# Two imports that write wait for each other: they may name the same new code.
WRITING = 7_305_001

# The database looks up the keys of every row by the same small statements: a plan of its own for
# each took 40 % of the time of writing. Few and long statements gain nothing by being compiled.
PLANNER = {
    "plan_cache_mode": "auto",
    "jit": "off",
    "work_mem": "32MB",
    "default_statistics_target": "10",
}


@dataclass(frozen=True)
class Source:
    """A list: where its file lies, what it was called, and how it is to be read.

    Without a mapping the headers decide.
    """

    path: Path
    filename: str
    mapping: Mapping[str, Any] | None = None
    part: str | None = None


@dataclass
class Counts:
    """What an import did, or would do, in rows."""

    rows: int = 0
    new: int = 0
    changed: int = 0
    same: int = 0
    bad: int = 0
    duplicate: int = 0
    suspicious: int = 0

    def as_json(self) -> dict[str, int]:
        return asdict(self)


@dataclass
class Result:
    """The counts, whether anything was written, and the headers that no field took."""

    counts: Counts = field(default_factory=Counts)
    written: bool = False
    ignored: tuple[str, ...] = ()
    notes: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)


def run(
    session: Session,
    source: Source,
    *,
    outcome: Outcome,
    batch: uuid.UUID,
    write: bool,
    good_rows: bool = False,
    watch: Watch | None = None,
    by: Actor,
    now: datetime,
) -> Result:
    """Put a list into the register by code: new ones in, known ones brought up to date.

    A column that the list does not have leaves that field as it is. With any bad row nothing is
    written, unless `good_rows`; what is said about single rows goes to `outcome` either way. The
    caller's transaction decides whether it stays: without `write` it must be rolled back. Raises
    what reading the file raises, and `Cancelled`.
    """
    policy.require(by, "tower.import")
    if by.communes is not None:
        raise Invalid(N_("Only staff who see the whole register can import lists"))
    if watch is not None:
        # Who is told how far it is can also wait for another import to end.
        session.execute(text("SET LOCAL lock_timeout = 0"))
    watch = watch or Unwatched()
    allow_long_statements(session)
    for name, value in PLANNER.items():
        session.execute(text(f"SET LOCAL {name} = '{value}'"))
    result = Result()
    with opened(source.path, source.filename, part=source.part) as listing:
        mapping = (
            ColumnMapping.from_json(source.mapping, listing.headers)
            if source.mapping
            else guess(listing)
        )
        mapping.require_whole()
        result.ignored, result.notes = mapping.ignored, listing.notes
        reader = RowReader(mapping, store.envelope(session))
        staging.create(session, reader)
        watch.step("reading")
        outcome.begin(mapping.headers)
        with outcome.refused() as refused:
            result.counts.rows, result.counts.bad = staging.fill(
                session, listing.rows, reader, refused, watch
            )
    _judge(session, reader, result.counts, watch, write=write)
    may_write = write and (good_rows or not result.counts.bad)
    watch.step("reporting")
    outcome.finish(session, reader)
    if may_write:
        watch.step("writing")
        origin = writing.Origin(str(batch), source.filename, by, now)
        _write(session, reader, result.counts, origin)
        result.written = True
    session.expire_all()
    return result


def _judge(
    session: Session, reader: RowReader, counts: Counts, watch: Watch, *, write: bool
) -> None:
    watch.step("judging")
    staging.number_made_codes(session, reader)
    counts.bad += staging.refuse_repeated(session) + staging.refuse_left(session)
    if write:
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITING})
    places.derive_former(session, reader)
    judging.name_organisations(session, reader)
    judging.judge(session, reader)
    watch.step("duplicates")
    if duplicates.find_duplicates(session):
        review.leave_out_known(session)
    watch.step("placing")
    judging.place(session)
    counts.suspicious = places.suspect(session, reader)
    verdicts = judging.counted(session)
    counts.new, counts.changed = verdicts.get("new", 0), verdicts.get("changed", 0)
    counts.same, counts.duplicate = verdicts.get("same", 0), verdicts.get("duplicate", 0)
    if counts.changed:
        if write:
            judging.hold_changed(session)
        writing.compare(session, reader)


def _write(session: Session, reader: RowReader, counts: Counts, origin: writing.Origin) -> None:
    writing.write_organisations(session, reader, origin)
    if counts.changed:
        writing.write_changed(session, reader, origin)
    if counts.new:
        writing.write_new(session, reader, origin)
    if counts.duplicate:
        review.keep(session, reader, origin)
    if counts.new or counts.changed or counts.duplicate:
        audit.record(
            session,
            "tower.import",
            "import",
            origin.batch,
            by=origin.by,
            now=origin.now,
            after={"source": origin.source, **counts.as_json()},
            batch=uuid.UUID(origin.batch),
        )
