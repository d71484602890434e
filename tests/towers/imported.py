"""What tests of imports share: a list goes in, and what was said about its rows comes back."""

from __future__ import annotations

import tempfile
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.audit import AuditEntry
from core.i18n import translate
from core.policy import SYSTEM, Actor
from tests.doors import counts
from tests.makers import NOW
from towers.imports.models import ImportBatch
from towers.imports.report import Outcome
from towers.imports.running import Counts, Source, run
from towers.mapping import ColumnMapping

HEADER = "code,name,structure_type,height_m,latitude,longitude,owner"


@dataclass(frozen=True)
class Cell:
    """One thing that was said about a row."""

    number: int
    column: str
    value: str
    reason: str


@dataclass
class Imported:
    """What an import did: its counts, and what was said about rows, by what became of them."""

    batch: uuid.UUID
    counts: Counts
    written: bool
    ignored: tuple[str, ...]
    wrong: list[Cell] = field(default_factory=list)
    duplicate: list[Cell] = field(default_factory=list)
    suspicious: list[Cell] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)
    sample: list[dict[str, Any]] = field(default_factory=list)

    @property
    def short(self) -> tuple[int, int, int, int, int]:
        counts = self.counts
        return counts.rows, counts.new, counts.changed, counts.same, counts.bad


def batch(session: Session, filename: str = "list.csv") -> ImportBatch:
    made = ImportBatch(
        id=uuid.uuid4(),
        filename=filename,
        sha256="",
        size=0,
        state="importing",
        actor="test",
        created_at=NOW,
    )
    session.add(made)
    session.flush()
    return made


def load(
    session: Session,
    name: str,
    content: bytes,
    *,
    good_rows: bool = False,
    write: bool = True,
    mapping: ColumnMapping | None = None,
    by: Actor = SYSTEM,
    now: datetime = NOW,
) -> Imported:
    """Import a file of this name and content, as the services do."""
    made = batch(session, name)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(content)
        outcome = Outcome(Path(folder))
        result = run(
            session,
            Source(path, name, mapping.as_json() if mapping else None),
            outcome=outcome,
            batch=made.id,
            write=write,
            good_rows=good_rows,
            by=by,
            now=now,
        )
        first = outcome.first()
    session.flush()
    said = {
        kind: [
            Cell(
                row["row"],
                one["column"],
                one["value"],
                translate(one["message"], **one["facts"]),
            )
            for row in first[kind]
            for one in row["reasons"]
        ]
        for kind in ("wrong", "duplicate", "suspicious")
    }
    return Imported(
        made.id,
        result.counts,
        result.written,
        result.ignored,
        **said,
        changes=first["changes"],
        sample=first["sample"],
    )


def load_lines(session: Session, *lines: str, header: str = HEADER, **options: Any) -> Imported:
    """Import these lines of CSV below a header."""
    return load(session, "list.csv", "\n".join([header, *lines, ""]).encode(), **options)


def kept(session: Session) -> dict[str, int]:
    """How many rows each table has, without what is written about the lists themselves."""
    session.expire_all()
    rows = counts(session)
    del rows["import_batch"]
    # Words that a search may take for those that were meant stay where nothing has them any more.
    del rows["tower_word"]
    about = select(func.count()).where(AuditEntry.kind == "import")
    rows["audit_entry"] -= session.scalar(about) or 0
    return rows
