"""What people do with a list: upload it, say what its columns are, check, import, cancel it.

Services of the doors: they flush and never commit. The file and what was found out about its rows
lie in the folder of uploads, under the batch's id, until they are cleared away.
"""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core import audit, jobs, paging, policy, store
from core.errors import Conflict, DomainError, Invalid, NotFound, TooLarge
from core.jobs import Progress
from core.paging import Page
from core.policy import Actor
from core.problems import as_domain_error
from core.words import N_
from towers.imports.models import ImportBatch, ImportMapping
from towers.imports.report import Outcome
from towers.imports.running import Result, Source, run
from towers.imports.states import AT_WORK, OPEN, State
from towers.imports.watching import Watch
from towers.mapping import ColumnMapping, guess
from towers.readers import MAX_BYTES, SeveralParts, ending_of, opened, parts

# A list so small is checked and imported while its reader waits.
AT_ONCE_BYTES = 1_000_000
SAMPLE_ROWS = 6
CHUNK = 1 << 20
CHOOSE_PART = N_("Choose the sheet or layer first")

JOB = {
    State.CHECKING: "towers.check_list",
    State.IMPORTING: "towers.import_list",
    State.UNDOING: "towers.undo_import",
}


def folder_of(uploads: Path, batch: ImportBatch) -> Path:
    return uploads / str(batch.id)


def outcome_of(uploads: Path, batch: ImportBatch) -> Outcome:
    return Outcome(folder_of(uploads, batch))


def receive(
    session: Session,
    uploads: Path,
    filename: str,
    stream: IO[bytes],
    *,
    part: str | None = None,
    by: Actor,
    now: datetime,
) -> ImportBatch:
    """Keep an uploaded list and say what is in it; `part` is its sheet or layer.

    Raises `Invalid`, `TooLarge` or `UnsupportedMedia` where it is none; nothing is kept then.
    """
    require_whole_register(by)
    filename = Path(filename.replace("\\", "/")).name.replace("\x00", "")[-200:]
    ending_of(filename)
    clear(session, uploads, now=now)
    batch = ImportBatch(
        id=uuid.uuid4(),
        filename=filename,
        state=State.UPLOADED,
        actor_id=str(by.id) if by.id else None,
        actor=by.email,
        created_at=now,
    )
    folder = folder_of(uploads, batch)
    folder.mkdir(parents=True, mode=0o700)
    try:
        batch.size, batch.sha256 = _keep(stream, folder / "file")
        describe(uploads, batch, part=part)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    session.add(batch)
    session.flush()
    audit.record(
        session,
        "import.upload",
        "import",
        batch.id,
        by=by,
        now=now,
        after={"filename": filename, "size": batch.size, "sha256": batch.sha256},
        batch=batch.id,
    )
    return batch


def require_whole_register(by: Actor) -> None:
    """Raise what somebody is told who may not import lists."""
    policy.require(by, "tower.import")
    if by.communes is not None:
        raise Invalid(N_("Only staff who see the whole register can import lists"))


def _keep(stream: IO[bytes], path: Path) -> tuple[int, str]:
    """Write a stream to a file; returns its size and SHA-256."""
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        while chunk := stream.read(CHUNK):
            size += len(chunk)
            if size > MAX_BYTES:
                raise TooLarge(
                    N_("The file may have at most %(limit)s MB"), limit=MAX_BYTES // 1_000_000
                )
            digest.update(chunk)
            file.write(chunk)
    return size, digest.hexdigest()


def describe(uploads: Path, batch: ImportBatch, *, part: str | None) -> None:
    """Look into the file: its format, headers and first rows, and guess what its columns mean.

    Where it has several sheets or layers and nobody said which, only their names are known.
    """
    path = folder_of(uploads, batch) / "file"
    names = parts(path, batch.filename)
    try:
        with opened(path, batch.filename, part=part) as listing:
            sample = []
            for row in listing.rows:
                sample.append([row.number, [cell[:200] for cell in row.cells]])
                if len(sample) == SAMPLE_ROWS:
                    break
            if not sample:
                raise Invalid(N_("The file has no rows below its headers"))
            batch.facts = {
                **{key: value for key, value in asdict(listing.facts).items() if value},
                "headers": list(listing.headers),
                "sample": sample,
                "parts": list(names),
            }
            mapping = guess(listing)
            batch.mapping = {**mapping.as_json(), "doubled": list(mapping.doubled)}
    except SeveralParts as error:
        batch.facts, batch.mapping = {"parts": list(error.names)}, None


def clear(session: Session, uploads: Path, *, now: datetime) -> int:
    """Remove the files of lists that were uploaded long ago; returns how many.

    The batches themselves stay, and can be undone.
    """
    days = int(store.value_of(session, "upload_days"))
    before = (now - timedelta(days=days)).timestamp()
    old = [
        one
        for one in (uploads.iterdir() if uploads.exists() else ())
        if one.is_dir() and one.stat().st_mtime < before
    ]
    for folder in old:
        shutil.rmtree(folder, ignore_errors=True)
    return len(old)


# Looking up


def batch_by_id(session: Session, by: Actor, batch_id: uuid.UUID) -> ImportBatch:
    """Raises `NotFound` for a batch that is not there or not the reader's."""
    found = session.scalar(
        select(ImportBatch).where(policy.visible(by, "import"), ImportBatch.id == batch_id)
    )
    if found is None:
        raise NotFound()
    return found


def listed(
    session: Session, by: Actor, *, cursor: str | None = None, limit: int | None = None
) -> Page[ImportBatch]:
    """The lists, the newest first."""
    limit = paging.clamp(limit)
    statement = paging.keyset(
        select(ImportBatch).where(policy.visible(by, "import")),
        (ImportBatch.created_at, ImportBatch.id),
        (datetime.fromisoformat, uuid.UUID),
        cursor,
        descending=True,
    )
    rows = session.scalars(statement.limit(limit + 1)).all()
    return paging.page_of(rows, limit, lambda row: [row.created_at, row.id])


def source_of(uploads: Path, batch: ImportBatch) -> Source:
    """The batch's list as it is read; raises `NotFound` where its file was cleared away."""
    path = folder_of(uploads, batch) / "file"
    if not path.exists():
        raise NotFound(N_("The uploaded file is gone: upload it again"))
    return Source(path, batch.filename, batch.mapping, batch.facts.get("part"))


# Columns


def mapping_of(batch: ImportBatch) -> ColumnMapping:
    """What the columns of a list mean, as guessed or chosen.

    Raises `Invalid` before its sheet or layer was chosen.
    """
    if batch.mapping is None:
        raise Invalid(CHOOSE_PART)
    made = ColumnMapping.from_json(batch.mapping, batch.facts["headers"])
    return replace(made, doubled=tuple(batch.mapping.get("doubled", ())))


def choose_part(
    session: Session, uploads: Path, batch: ImportBatch, part: str, *, version: int | None = None
) -> None:
    """Read another sheet or layer of the file; raises `Invalid` where it has none of this name."""
    require_open(batch, version)
    source_of(uploads, batch)
    if part not in batch.facts["parts"]:
        raise Invalid(N_("The file has no sheet or layer with this name"))
    describe(uploads, batch, part=part)
    batch.state, batch.counts, batch.error = State.UPLOADED, {}, None
    batch.version += 1
    session.flush()


def choose_columns(
    session: Session, batch: ImportBatch, mapping: ColumnMapping, *, version: int | None = None
) -> None:
    """Say what the columns of a list mean; raises `Invalid` where something is missing."""
    require_open(batch, version)
    mapping.require_whole()
    batch.mapping = mapping.as_json()
    batch.state, batch.counts, batch.error = State.UPLOADED, {}, None
    batch.version += 1
    session.flush()


def require_open(batch: ImportBatch, version: int | None = None) -> None:
    """Raise `Conflict` where a batch is at work or at its end, or was changed meanwhile."""
    if batch.state not in OPEN:
        raise Conflict(N_("This list is being worked on, or was imported already"))
    if version is not None and version != batch.version:
        raise Conflict(N_("Somebody else went on with this list: look at it again"))


def digest_of(headers: Sequence[str]) -> str:
    return hashlib.sha256("\x1f".join(headers).encode()).hexdigest()


def save_mapping(
    session: Session, name: str, mapping: ColumnMapping, *, by: Actor, now: datetime
) -> None:
    """Keep a mapping under a name; one of the same name is replaced."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= 100:
        message = N_("A name has 1 to 100 characters")
        raise Invalid(message, fields={"save_as": [message]})
    values = {
        "headers_digest": digest_of(mapping.headers),
        "mapping": mapping.as_json(),
        "actor": by.email,
        "saved_at": now,
    }
    session.execute(
        insert(ImportMapping)
        .values(name=name, **values)
        .on_conflict_do_update(index_elements=["name"], set_=values)
    )
    audit.record(
        session, "import.save_mapping", "import_mapping", name, by=by, now=now, after={"name": name}
    )


def mappings_for(session: Session, headers: Sequence[str]) -> Sequence[ImportMapping]:
    """The saved mappings that fit a list with these headers, the newest first."""
    return session.scalars(
        select(ImportMapping)
        .where(ImportMapping.headers_digest == digest_of(headers))
        .order_by(ImportMapping.saved_at.desc(), ImportMapping.name)
        .limit(50)
    ).all()


def mapping_named(session: Session, name: str) -> ImportMapping:
    found = session.get(ImportMapping, name)
    if found is None:
        raise NotFound(N_("There is no saved mapping with this name"))
    return found


# Work


def start(
    session: Session,
    uploads: Path,
    batch: ImportBatch,
    work: State,
    *,
    options: Mapping[str, Any] | None = None,
    at_once: bool | None = None,
    by: Actor,
    now: datetime,
) -> bool:
    """Begin to check or import a list; returns whether the caller should do it itself, at once.

    A long one becomes a job.
    """
    require_whole_register(by)
    source_of(uploads, batch)
    session.refresh(batch, with_for_update=True)
    require_open(batch)
    mapping_of(batch).require_whole()
    batch.options, batch.error = dict(options or {}), None
    return begin(session, batch, work, at_once=at_once, by=by)


def begin(
    session: Session, batch: ImportBatch, work: State, *, at_once: bool | None = None, by: Actor
) -> bool:
    """Set a batch to work: by a job when its file is long; returns whether it is not."""
    quick = batch.size <= AT_ONCE_BYTES if at_once is None else at_once
    batch.state, batch.finished_at, batch.job_id = work, None, None
    batch.version += 1
    session.flush()
    if not quick:
        batch.job_id = jobs.enqueue(
            session, JOB[work], batch=str(batch.id), by=str(by.id) if by.id else None
        )
        session.flush()
    return quick


def work(
    session: Session,
    uploads: Path,
    batch: ImportBatch,
    *,
    watch: Watch | None = None,
    by: Actor,
    now: datetime,
) -> Result:
    """Check or import the list of a batch that was begun; the caller commits.

    What is wrong with the list as a whole becomes the state of the batch; nothing is written then.
    """
    begun = batch.state
    importing = begun == State.IMPORTING
    result = Result()
    try:
        source = source_of(uploads, batch)
        with session.begin_nested() as trial:
            result = run(
                session,
                source,
                outcome=outcome_of(uploads, batch),
                batch=batch.id,
                write=importing,
                good_rows=bool(batch.options.get("good_rows")),
                watch=watch,
                by=by,
                now=now,
            )
            if not result.written:
                trial.rollback()
    except (DomainError, IntegrityError) as error:
        known = as_domain_error(error)
        session.refresh(batch)
        batch.error = {"message": known.message, "facts": _plain(known.facts)}
        batch.state = State.FAILED
        batch.finished_at = now
        batch.version += 1
        session.flush()
        return result
    session.refresh(batch, with_for_update=True)
    if batch.state != begun:
        raise jobs.Cancelled
    batch.counts = result.counts.as_json()
    batch.facts = {
        **batch.facts,
        "ignored": list(result.ignored),
        "notes": [[text, _plain(facts)] for text, facts in result.notes],
    }
    batch.state = State.DONE if result.written else State.CHECKED
    batch.finished_at = now
    if importing and not result.written:
        batch.error = {"message": NOTHING_WRITTEN, "facts": {"bad": result.counts.bad}}
    batch.version += 1
    session.flush()
    return result


NOTHING_WRITTEN = N_("%(bad)s rows are wrong, so nothing was written")


def _plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value if isinstance(value, int | float | str) else str(value)
        for key, value in facts.items()
    }


def cancel(session: Session, batch: ImportBatch, *, by: Actor, now: datetime) -> None:
    """Stop the work on a list, or give it up; nothing of it is written.

    Raises `Conflict` for a list that was imported.
    """
    require_whole_register(by)
    session.refresh(batch, with_for_update=True)
    if batch.state in AT_WORK:
        if batch.job_id is not None:
            jobs.cancel(session, batch.job_id)
        batch.state = AT_WORK[State(batch.state)]
    elif batch.state in OPEN:
        batch.state = State.CANCELLED
    else:
        raise Conflict(N_("This list was imported already: undo it instead"))
    batch.finished_at = now
    batch.version += 1
    session.flush()
    audit.record(session, "import.cancel", "import", batch.id, by=by, now=now, batch=batch.id)


def progress_of(session: Session, batch: ImportBatch) -> Progress | None:
    """How far the job of a batch is that is at work; `None` where none is."""
    if batch.state not in AT_WORK or batch.job_id is None:
        return None
    return jobs.progress(session, batch.job_id)


def release(session: Session, batch: ImportBatch) -> None:
    """Let a batch be started again whose job ended without having done its work."""
    progress = progress_of(session, batch)
    if batch.state in AT_WORK and (progress is None or progress.ended):
        batch.error = {
            "message": (progress and progress.note) or N_("The work was interrupted"),
            "facts": dict(progress.facts) if progress else {},
        }
        batch.state = State.FAILED if batch.state != State.UNDOING else State.DONE
        batch.version += 1
        session.flush()
