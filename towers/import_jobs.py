"""The work on long lists, as the worker runs it: checked, imported or taken back."""

from __future__ import annotations

import uuid
from pathlib import Path

from flask import current_app
from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.models import User
from accounts.security import actor_of
from core import clock
from core.db import transaction
from core.jobs import Running
from core.policy import SYSTEM, Actor
from towers.imports import batches, undoing
from towers.imports.models import ImportBatch
from towers.imports.states import AT_WORK, State
from towers.imports.watching import OfJob, interruptible


def uploads() -> Path:
    """The folder of uploaded lists."""
    folder: Path = current_app.config["SETTINGS"].instance / "uploads"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def work_on_list(job: Running, *, batch: str, by: str | None) -> None:
    """Check or import the list of a batch, as its state says; a cancelled one leaves nothing."""
    with transaction() as session:
        found = _at_work(session, job, batch)
        if found is None:
            return
        with interruptible(job, session):
            batches.work(
                session,
                uploads(),
                found,
                watch=OfJob(job),
                by=_actor(session, by),
                now=clock.now(),
            )


def undo_import(job: Running, *, batch: str, by: str | None) -> None:
    """Take an import back; what stands in the way by now becomes the batch's error."""
    with transaction() as session:
        found = _at_work(session, job, batch)
        if found is None:
            return
        with interruptible(job, session):
            OfJob(job).step("undoing")
            undoing.undo_or_say_why(session, found, by=_actor(session, by), now=clock.now())


JOBS = {
    batches.JOB[State.CHECKING]: work_on_list,
    batches.JOB[State.IMPORTING]: work_on_list,
    batches.JOB[State.UNDOING]: undo_import,
}


def _at_work(session: Session, job: Running, batch: str) -> ImportBatch | None:
    """The batch, if this job is still the one that should work on it."""
    found = session.get(ImportBatch, uuid.UUID(batch))
    if found is None or found.state not in AT_WORK or found.job_id != job.id:
        return None
    return found


def _actor(session: Session, by: str | None) -> Actor:
    """Who began the work, with what they may do now."""
    if by is None:
        return SYSTEM
    return actor_of(session, session.scalars(select(User).where(User.id == uuid.UUID(by))).one())
