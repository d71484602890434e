"""What the worker does about the grid of the tiles and the figures of communes, every minute."""

from __future__ import annotations

from core import clock
from core.db import allow_long_statements, transaction
from core.jobs import Body, Running
from maps import services

JOB = "maps.fold"


def fold(job: Running, *, timestamp: int | None = None) -> None:
    """Fold what writers have appended to the grid, then count the communes that have changed."""
    with transaction() as session:
        allow_long_statements(session)
        job.progress(services.fold(session, today=clock.today(), zone=clock.zone()))
    with transaction() as session:
        allow_long_statements(session)
        services.keep_figures(session, today=clock.today(), zone=clock.zone())


JOBS: dict[str, Body] = {JOB: fold}
