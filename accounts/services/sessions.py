"""Sessions of browsers: begun at sign-in, seen, ended; and looking at the service as another."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from accounts import tokens
from accounts.models import User, UserSession
from accounts.rules import SignInWay
from core import audit, policy, store
from core.errors import Conflict, NotFound
from core.policy import Actor
from core.words import N_

# A request says that its session is alive no oftener than this.
SEEN_EVERY = timedelta(minutes=5)


@dataclass(frozen=True)
class Browser:
    """From where somebody signs in: the network address, and what the browser calls itself."""

    address: str = ""
    agent: str = ""


def begin(
    session: Session,
    user: User,
    *,
    way: SignInWay,
    lasting: bool,
    browser: Browser,
    now: datetime,
) -> UserSession:
    """Begin a session."""
    made = UserSession(
        id=uuid.uuid4(),
        user_id=user.id,
        way=way,
        lasting=lasting,
        address=browser.address[:100],
        agent=browser.agent[:300],
        created_at=now,
        seen_at=now,
        expires_at=now + _idle(session, lasting),
    )
    session.add(made)
    session.flush()
    return made


def _idle(session: Session, lasting: bool) -> timedelta:
    if lasting:
        return timedelta(days=store.value_of(session, "session_days"))
    return timedelta(hours=store.value_of(session, "session_hours"))


def note_seen(session: Session, row: UserSession, *, browser: Browser, now: datetime) -> None:
    """Write down that a session is in use. It never lasts longer than `session_days` in all."""
    longest = row.created_at + timedelta(days=store.value_of(session, "session_days"))
    row.seen_at = now
    row.address = browser.address[:100]
    row.expires_at = min(now + _idle(session, row.lasting), longest)
    session.flush()


def end(session: Session, row: UserSession, *, now: datetime) -> None:
    """End a session, as signing out does."""
    row.ended_at = row.ended_at or now
    row.viewing_id = row.viewing_until = None
    session.flush()


def revoke(
    session: Session, user: User, session_id: uuid.UUID, *, by: Actor, now: datetime
) -> None:
    """End one session of a user; raises `NotFound` for another's."""
    row = session.get(UserSession, session_id)
    if row is None or row.user_id != user.id:
        raise NotFound()
    if by.id != user.id:
        policy.require(by, "user.edit", user)
    end(session, row, now=now)
    audit.record(
        session, "session.revoke", "user", user.id, by=by, now=now, after={"session": str(row.id)}
    )


def end_all(session: Session, user: User, *, now: datetime, but: UserSession | None = None) -> None:
    """End everything that acts as a user: each session `but` one, and each token.

    The cookie of the one that stays has to name the user's new mark.
    """
    user.fs_uniquifier = uuid.uuid4().hex
    session.execute(
        update(UserSession)
        .where(
            UserSession.user_id == user.id,
            UserSession.ended_at.is_(None),
            UserSession.id.is_distinct_from(but.id if but else None),
        )
        .values(ended_at=now, viewing_id=None, viewing_until=None)
    )
    tokens.revoke_all(session, user, now=now)


def view_as(
    session: Session, row: UserSession, user: User, *, by: Actor, now: datetime
) -> datetime:
    """Let a session look at the service as another user; returns until when.

    Raises `Conflict` for oneself and for somebody who may not sign in.
    """
    policy.require(by, "user.view_as", user)
    if user.id == by.id or not user.active:
        raise Conflict(N_("Choose another person, who may sign in"))
    until = now + timedelta(minutes=store.value_of(session, "view_as_minutes"))
    row.viewing_id, row.viewing_until = user.id, until
    session.flush()
    _tell(session, "user.view_as", user.id, by=by, now=now, after={"until": until.isoformat()})
    return until


def end_view(session: Session, row: UserSession, *, by: Actor, now: datetime) -> None:
    """Look at the service as oneself again."""
    if row.viewing_id is None:
        return
    user_id, row.viewing_id, row.viewing_until = row.viewing_id, None, None
    session.flush()
    _tell(session, "user.view_end", user_id, by=by, now=now, after={})


def _tell(
    session: Session,
    action: str,
    user_id: uuid.UUID,
    *,
    by: Actor,
    now: datetime,
    after: dict[str, Any],
) -> None:
    audit.record(session, action, "user", user_id, by=by, now=now, after=after)
