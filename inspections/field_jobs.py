"""What the worker tidies of the field: pieces of photos that nobody went on with."""

from __future__ import annotations

import uuid
from datetime import timedelta
from pathlib import Path

from core import clock, store
from core.db import current_session, transaction
from core.jobs import Running
from inspections import photo_uploads
from inspections.services import uploads

JOB = "field.clear_uploads"


def clear_uploads(job: Running, *, timestamp: int = 0) -> None:
    """Forget abandoned uploads, then remove files of pieces that no upload names: a killed process
    may have left some. The rows go first, so that nobody goes on with a file that is going."""
    folder = photo_uploads.pieces()
    while True:
        job.check()
        with transaction() as session:
            gone = uploads.abandoned(session, now=clock.now())
        for number in gone:
            uploads.forget_pieces(uploads.path_of(folder, number))
        if not gone:
            break
    session = current_session()
    days = int(store.value_of(session, "partial_upload_days"))
    oldest = (clock.now() - timedelta(days=days)).timestamp()
    old = {number: path for number, path in _left(folder) if path.stat().st_mtime < oldest}
    for number in uploads.without_rows(session, list(old)):
        uploads.forget_pieces(old[number])


def _left(folder: Path) -> list[tuple[uuid.UUID, Path]]:
    found = []
    for path in folder.glob("*.part"):
        try:
            found.append((uuid.UUID(path.stem), path))
        except ValueError:
            continue
    return found


JOBS = {JOB: clear_uploads}
