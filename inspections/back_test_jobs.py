"""The back-test of a draft of the checklist, as the worker does it."""

from __future__ import annotations

from core import clock
from core.db import allow_long_statements, transaction
from core.jobs import Running
from inspections.models import ChecklistVersion
from inspections.services import back_tests


def back_test(job: Running, *, version: int) -> None:
    """Judge the past by a draft as it is when the work begins; a stopped one leaves nothing."""
    with transaction() as session:
        test = back_tests.of_job(session, version, job.id)
        if test is None:
            return
        allow_long_statements(session)
        draft = session.get_one(ChecklistVersion, version)
        back_tests.run(session, test, draft, now=clock.now(), tell=job.progress)


JOBS = {back_tests.JOB: back_test}
