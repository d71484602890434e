"""Slowing down who guesses: the next attempt waits, ever longer, and nobody is locked out.

An attempt is counted before the password is looked at, so that of many at one moment no more pass
than of many one after another. What is counted is an account, known or not, so that the answer
tells nothing: for each network alone, or for a browser in which its person has been before; and,
after many more failures within an hour, for all the others together.
"""

from __future__ import annotations

import hashlib
import math
import unicodedata
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from accounts.models import SignInFailure
from accounts.rules import FREE_FAILURES, wait_seconds
from core import store
from core.errors import TooMany

FORGOTTEN_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class Attempt:
    """Of whom it is, from where, and whether it counts for all networks together as well."""

    account: str
    place: str
    in_all: bool = False


def known(user_id: uuid.UUID) -> str:
    """The account of somebody, however their address was written."""
    return f"user {user_id}"


def unknown(said: str) -> str:
    """The account that nobody has, in one form of what was typed."""
    return f"nobody {unicodedata.normalize('NFKC', said).strip().casefold()}"


def _digest(said: str) -> bytes:
    # An unknown address is somebody's too: it is not kept as it was typed.
    return hashlib.sha256(said.encode("utf-8", "replace")).digest()


def _counts(session: Session, attempt: Attempt, now: datetime) -> dict[bytes, int]:
    """Where an attempt counts, and how many failures are free there."""
    counts = {_digest(attempt.place): FREE_FAILURES}
    if attempt.in_all:
        # Of this hour alone: a few wrong attempts a day, for weeks, do not add up.
        free = store.value_of(session, "sign_in_hourly_failures")
        counts[_digest(f"all {now:%Y-%m-%d %H}")] = free
    return counts


def count(session: Session, attempt: Attempt, *, now: datetime) -> None:
    """Count an attempt as a failure until it is `forgiven`; raises `TooMany` while it has to wait.

    What is older than a day is forgotten, of everybody.
    """
    who = _digest(attempt.account)
    lock = int.from_bytes(who[:8], "big", signed=True)
    session.execute(select(func.pg_advisory_xact_lock(lock)))
    most = 60.0 * store.value_of(session, "sign_in_wait_minutes")
    counts = _counts(session, attempt, now)
    for place, free in counts.items():
        row = session.get(SignInFailure, (who, place), populate_existing=True)
        if row is None or row.last_at < now - FORGOTTEN_AFTER:
            continue
        until = row.last_at + timedelta(seconds=wait_seconds(row.failures, free=free, most=most))
        if until > now:
            raise TooMany(retry_after=math.ceil((until - now).total_seconds()))
    session.execute(delete(SignInFailure).where(SignInFailure.last_at < now - FORGOTTEN_AFTER))
    rows = insert(SignInFailure).values(
        [{"who": who, "place": place, "failures": 1, "last_at": now} for place in counts]
    )
    session.execute(
        rows.on_conflict_do_update(
            index_elements=["who", "place"],
            set_={"failures": SignInFailure.failures + 1, "last_at": now},
        )
    )


def forgive(session: Session, attempt: Attempt, *, now: datetime) -> None:
    """Who was right begins anew in their place; what others did stays."""
    mine, *all_of_them = _counts(session, attempt, now)
    of_account = SignInFailure.who == _digest(attempt.account)
    session.execute(delete(SignInFailure).where(of_account, SignInFailure.place == mine))
    session.execute(
        update(SignInFailure)
        .where(of_account, SignInFailure.place.in_(all_of_them), SignInFailure.failures > 0)
        .values(failures=SignInFailure.failures - 1)
    )


def forget(session: Session, user_id: uuid.UUID) -> None:
    """A new password: what was tried of the former one counts no longer, wherever it was."""
    session.execute(delete(SignInFailure).where(SignInFailure.who == _digest(known(user_id))))
