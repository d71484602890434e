"""One-time links: an invitation, or a new password. Only their hashes are kept."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from accounts.models import AccountLink, User
from accounts.rules import LinkKind
from accounts.services import sessions, slowing
from core import audit, policy, store
from core.errors import NotFound
from core.policy import Actor
from core.words import N_

GONE = N_("This link was used, has ended or was never valid: ask for a new one")


def _hash(token: str) -> bytes:
    # 256 random bits need no slow hash: nobody can guess them.
    return hashlib.sha256(token.encode()).digest()


def kind_for(user: User) -> LinkKind:
    """An invitation as long as there is no password, then a reset."""
    return LinkKind.RESET if user.password else LinkKind.INVITATION


def make(session: Session, user: User, *, by: Actor, now: datetime) -> tuple[AccountLink, str]:
    """Make a link, in the place of those of before; its token cannot be read again later."""
    kind = kind_for(user)
    end_all(session, user, now=now)
    if kind is LinkKind.INVITATION:
        lasts = timedelta(days=store.value_of(session, "invitation_days"))
    else:
        lasts = timedelta(minutes=store.value_of(session, "reset_link_minutes"))
    token = secrets.token_urlsafe(32)
    made = AccountLink(
        user_id=user.id, kind=kind, hash=_hash(token), made_at=now, expires_at=now + lasts
    )
    session.add(made)
    session.flush()
    audit.record(
        session, "user.link", "user", user.id, by=by, now=now,
        after={"kind": kind.value, "expires_at": made.expires_at.isoformat()},
    )  # fmt: skip
    return made, token


def make_for(session: Session, user: User, *, by: Actor, now: datetime) -> tuple[AccountLink, str]:
    """The same by an administrator."""
    policy.require(by, "user.edit", user)
    if not user.active:
        raise NotFound()
    return make(session, user, by=by, now=now)


def find(session: Session, token: str, *, now: datetime, lock: bool = False) -> AccountLink:
    """The link that a token opens; raises `NotFound` alike for one used, ended or made up."""
    asked = select(AccountLink).where(
        AccountLink.hash == _hash(token),
        AccountLink.used_at.is_(None),
        AccountLink.revoked_at.is_(None),
        AccountLink.expires_at > now,
        AccountLink.user.has(User.active),
    )
    found = session.scalar(asked.with_for_update() if lock else asked)
    if found is None:
        raise NotFound(GONE)
    return found


def use(
    session: Session, link: AccountLink, *, name: str, password_hash: str, by: Actor, now: datetime
) -> None:
    """Set name and password of a link's person: it is used, and everything of before has ended."""
    user = link.user
    link.used_at = now
    if name.strip():
        user.name = name.strip()[:200]
    user.password = password_hash
    user.version += 1
    slowing.forget(session, user.id)
    sessions.end_all(session, user, now=now)
    end_all(session, user, now=now)
    session.flush()
    action = "user.accept" if link.kind == LinkKind.INVITATION else "user.password"
    audit.record(session, action, "user", user.id, by=by, now=now)


def end_all(session: Session, user: User, *, now: datetime) -> None:
    """End every link of a user that nobody has used."""
    session.execute(
        update(AccountLink)
        .where(
            AccountLink.user_id == user.id,
            AccountLink.used_at.is_(None),
            AccountLink.revoked_at.is_(None),
        )
        .values(revoked_at=now)
    )


def latest(session: Session, user: User) -> AccountLink | None:
    """The link that was made last for a user."""
    return session.scalar(
        select(AccountLink)
        .where(AccountLink.user_id == user.id)
        .order_by(AccountLink.made_at.desc())
        .limit(1)
    )
