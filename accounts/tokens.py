"""Access tokens: made once, shown once, kept as a hash."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, bindparam, or_, select
from sqlalchemy.orm import Session

from accounts.models import AccessToken, Device, User
from core import audit, store
from core.errors import Invalid
from core.policy import Actor
from core.words import N_

PREFIX = "tc_"
# Which token was shown, for the audit.
NUMBER = select(AccessToken.id).where(AccessToken.hash == bindparam("token_hash")).scalar_subquery()
# Of which phone it is, none for a program.
PHONE = (
    select(AccessToken.device_id)
    .where(AccessToken.hash == bindparam("token_hash"))
    .scalar_subquery()
)
# Of which user a live token is held, if they may sign in; one statement that is never made anew.
OPENS = and_(
    User.active,
    User.id
    == select(AccessToken.user_id)
    .where(
        AccessToken.hash == bindparam("token_hash"),
        AccessToken.revoked_at.is_(None),
        or_(AccessToken.expires_at.is_(None), AccessToken.expires_at > bindparam("now")),
    )
    .scalar_subquery(),
)


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
    device_id: uuid.UUID | None = None,
) -> str:
    """Make a token for a user and return it; it cannot be read again later."""
    token = PREFIX + secrets.token_urlsafe(32)
    row = AccessToken(
        user_id=user.id,
        name=name,
        hash=_hash(token),
        expires_at=expires_at,
        device_id=device_id,
    )
    session.add(row)
    session.flush()
    audit.record(
        session, "token.issue", "user", user.id, by=by, now=now, after={"token": str(row.id)}
    )
    return token


def issue_to_program(
    session: Session, user: User, *, name: str, days: str, by: Actor, now: datetime
) -> str:
    """Make a token that lasts so many days, as somebody wrote them, or as long as it may.

    Raises `Invalid` for what is no number of days, or more than the setting `token_days`.
    """
    most = int(store.value_of(session, "token_days"))
    if days and not (days.isascii() and days.isdecimal() and 1 <= int(days[:10]) <= most):
        message = N_("A number of days is a whole number from 1 to %(most)s")
        raise Invalid(message, fields={"days": [(message, {"most": most})]}, most=most)
    ends = now + timedelta(days=int(days or most))
    return issue(session, user, name=name, by=by, now=now, expires_at=ends)


def asked(token: str, *, now: datetime) -> dict[str, object]:
    """What `OPENS` asks about."""
    return {"token_hash": _hash(token), "now": now}


@dataclass(frozen=True)
class OfDevice:
    """Whose phone a token belongs to, and why it no longer opens anything (`None` while it may)."""

    device_id: uuid.UUID
    user_id: uuid.UUID
    email: str
    name: str
    shut: str | None


def of_device(session: Session, token: str) -> OfDevice | None:
    """The phone of a token, live or not; `None` for a token that was made for something else."""
    row = session.execute(
        select(Device.id, User.id, User.email, User.name, Device.revoked_at, User.active)
        .join(AccessToken, AccessToken.device_id == Device.id)
        .join(User, User.id == AccessToken.user_id)
        .where(AccessToken.hash == _hash(token))
    ).one_or_none()
    if row is None:
        return None
    device_id, user_id, email, name, revoked_at, active = row
    shut = "disabled_account" if not active else "revoked_device" if revoked_at else None
    return OfDevice(device_id, user_id, email, name, shut)


def signer(
    session: Session, device_id: uuid.UUID, content: bytes, signature: str
) -> AccessToken | None:
    """The token of a phone, live or not, by whose hash it signed a text; `None` where it did not.

    `signature` is HMAC-SHA-256 in hexadecimal digits.
    """
    given = signature.encode()
    found = session.scalars(
        select(AccessToken)
        .where(AccessToken.device_id == device_id)
        .order_by(AccessToken.created_at.desc(), AccessToken.id)
    )
    for row in found:
        if hmac.compare_digest(hmac.digest(row.hash, content, "sha256").hex().encode(), given):
            return row
    return None


def revoke_all(session: Session, user: User, *, now: datetime) -> None:
    """End every token of a user."""
    for row in session.scalars(
        select(AccessToken).where(AccessToken.user_id == user.id, AccessToken.revoked_at.is_(None))
    ):
        row.revoked_at = now
    session.flush()
