"""What is removed once its time is over, by the clock; what went is written into the audit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Flask, current_app
from sqlalchemy.orm import Session

from core import audit, clock, store
from core.db import current_session, transaction
from core.jobs import Body, Running
from core.policy import SYSTEM

JOB = "retention"
# One transaction removes at most so many, so that nobody waits for it.
AT_ONCE = 1000


@dataclass(frozen=True)
class Removal:
    """What goes after `setting` days: `remove(session, before, limit)` returns how many went."""

    setting: str
    what: str
    remove: Callable[[Session, datetime, int], int]


def init_app(app: Flask, removals: Sequence[Removal]) -> None:
    app.extensions["removals"] = tuple(removals)


def remove_old(job: Running, *, timestamp: int | None = None) -> None:
    """Remove what is older than the settings say."""
    remove_now(clock.now(), job.check)


def remove_now(now: datetime, check: Callable[[], None] = lambda: None) -> dict[str, int]:
    """Remove what is too old at a moment; returns how much of what."""
    removals: Sequence[Removal] = current_app.extensions["removals"]
    gone = {}
    for one in removals:
        days = int(store.value_of(current_session(), one.setting))
        before = now - timedelta(days=days)
        number = 0
        while True:
            check()
            with transaction() as session:
                some = one.remove(session, before, AT_ONCE)
                if some:
                    # In the transaction that removes: neither is there without the other.
                    audit.record(
                        session, "retention.remove", "retention", one.what, by=SYSTEM, now=now,
                        after={"removed": some, "before": before.isoformat(), "days": days},
                    )  # fmt: skip
            number += some
            if some < AT_ONCE:
                break
        gone[one.what] = number
    return gone


JOBS: dict[str, Body] = {JOB: remove_old}
