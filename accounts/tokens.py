"""Access tokens: made once, shown once, kept as a hash."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from accounts.models import AccessToken, User
from core import audit
from core.policy import Actor

PREFIX = "tc_"


def _hash(token: str) -> bytes:
    # 256 random bits need no slow hash: nobody can guess them.
    return hashlib.sha256(token.encode()).digest()


def issue(
    session: Session,
    user: User,
    *,
    name: str,
    by: Actor,
    now: datetime,
    expires_at: datetime | None = None,
) -> str:
    """Make a token for a user and return it; it cannot be read again later."""
    token = PREFIX + secrets.token_urlsafe(32)
    row = AccessToken(user_id=user.id, name=name, hash=_hash(token), expires_at=expires_at)
    session.add(row)
    session.flush()
    audit.record(
        session, "token.issue", "user", user.id, by=by, now=now, after={"token": str(row.id)}
    )
    return token


def owner(session: Session, token: str, *, now: datetime) -> User | None:
    """The active user to whom a live token belongs, or `None`."""
    # Every request asks this: the user's roles and territory come in the same statement.
    user = joinedload(AccessToken.user)
    row = session.scalar(
        select(AccessToken)
        .where(AccessToken.hash == _hash(token))
        .options(user.joinedload(User.roles), user.joinedload(User.territories))
    )
    if row is None or row.revoked_at is not None:
        return None
    if row.expires_at is not None and row.expires_at <= now:
        return None
    return row.user if row.user.active else None


def revoke_all(session: Session, user: User, *, now: datetime) -> None:
    """End every token of a user."""
    for row in session.scalars(
        select(AccessToken).where(AccessToken.user_id == user.id, AccessToken.revoked_at.is_(None))
    ):
        row.revoked_at = now
    session.flush()
