"""Slowing down who guesses: the next attempt waits, ever longer, and nobody is locked out.

What is counted is what somebody says they are, known or not, so that the answer tells nothing.
"""

from __future__ import annotations

import hashlib
import math
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from accounts.models import SignInFailure
from accounts.rules import wait_seconds
from core import store
from core.errors import TooMany

FORGOTTEN_AFTER = timedelta(days=1)


def _who(said: str) -> bytes:
    # An unknown address is somebody's too: it is not kept as it was typed.
    return hashlib.sha256(said.strip().lower().encode("utf-8", "replace")).digest()


def require_patience(session: Session, said: str, *, now: datetime) -> None:
    """Raise `TooMany` while the next attempt has to wait."""
    row = session.get(SignInFailure, _who(said), populate_existing=True)
    if row is None or row.last_at < now - FORGOTTEN_AFTER:
        return
    most = 60.0 * store.value_of(session, "sign_in_wait_minutes")
    until = row.last_at + timedelta(seconds=wait_seconds(row.failures, most=most))
    if until > now:
        raise TooMany(retry_after=math.ceil((until - now).total_seconds()))


def note_failure(session: Session, said: str, *, now: datetime) -> None:
    """Count one more failure; what is older than a day is forgotten, of everybody."""
    session.execute(delete(SignInFailure).where(SignInFailure.last_at < now - FORGOTTEN_AFTER))
    row = insert(SignInFailure).values(who=_who(said), failures=1, last_at=now)
    session.execute(
        row.on_conflict_do_update(
            index_elements=["who"],
            set_={"failures": SignInFailure.failures + 1, "last_at": now},
        )
    )


def forget(session: Session, said: str) -> None:
    """Who got in begins anew."""
    session.execute(delete(SignInFailure).where(SignInFailure.who == _who(said)))
