"""Phones that work in the field: each signs in by a token of its own, and can be revoked."""

from __future__ import annotations

import unicodedata
import uuid
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from accounts import tokens
from accounts.models import AccessToken, Device, User
from core import audit, policy, store
from core.errors import Conflict, Invalid, NotFound
from core.policy import Actor
from core.words import N_

MAX_NAME = 100
MAX_VERSION = 40
# Last seen is for people: to write it with every request of a phone would tell them no more.
SEEN_EVERY = timedelta(minutes=1)


class RevokedDevice(Conflict):
    """A phone that was revoked works again only under another id."""

    code = "revoked_device"


def register(
    session: Session,
    device_id: uuid.UUID,
    user: User,
    *,
    name: str,
    app_version: str,
    by: Actor,
    now: datetime,
) -> tuple[Device, str, datetime]:
    """Let a phone work for a user; returns it with its token and when that ends.

    The same id again gives a fresh token and ends the former one. Raises `Conflict` for a phone
    that was revoked, and `NotFound` for another's.
    """
    name = unicodedata.normalize("NFC", name).strip()
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        message = N_("Give the phone a name of up to 100 letters")
        raise Invalid(message, fields={"name": [message]})
    session.execute(
        insert(Device)
        .values(
            id=device_id,
            user_id=user.id,
            name=name,
            app_version=app_version,
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["id"])
    )
    device = session.get_one(Device, device_id, populate_existing=True, with_for_update=True)
    if device.user_id != user.id:
        raise NotFound()
    if device.revoked_at is not None:
        raise RevokedDevice(N_("This phone was revoked: register it anew"))
    device.name, device.app_version, device.last_seen_at = name, app_version, now
    _end_tokens(session, device_id, now)
    ends = now + timedelta(days=int(store.value_of(session, "device_days")))
    token = tokens.issue(
        session, user, name=name, by=by, now=now, expires_at=ends, device_id=device_id
    )
    session.flush()
    return device, token, ends


def revoke(session: Session, device: Device, *, by: Actor, now: datetime) -> None:
    """End a phone, as a lost one: what it sends from now on waits for staff. Again is no error."""
    if device.user_id != by.id:
        policy.require(by, "user.edit")
    if device.revoked_at is not None:
        return
    device.revoked_at = now
    _end_tokens(session, device.id, now)
    session.flush()
    audit.record(
        session,
        "device.revoke",
        "user",
        device.user_id,
        by=by,
        now=now,
        after={"device": str(device.id), "name": device.name},
    )


def sign_out(session: Session, device_id: uuid.UUID, *, by: Actor, now: datetime) -> None:
    """End the token of a phone whose person signed out on it; they sign in again on the same."""
    _end_tokens(session, device_id, now)
    audit.record(
        session, "token.revoke", "user", by.id, by=by, now=now, after={"device": str(device_id)}
    )


def _end_tokens(session: Session, device_id: uuid.UUID, now: datetime) -> None:
    session.execute(
        update(AccessToken)
        .where(AccessToken.device_id == device_id, AccessToken.revoked_at.is_(None))
        .values(revoked_at=now)
    )


def seen(session: Session, device_id: uuid.UUID, *, app_version: str, now: datetime) -> None:
    """Note that a phone has sent something, about once a minute."""
    session.execute(
        update(Device)
        .where(
            Device.id == device_id,
            func.coalesce(Device.last_seen_at, Device.created_at) < now - SEEN_EVERY,
        )
        .values(last_seen_at=now, app_version=app_version[:MAX_VERSION])
    )


def by_id(session: Session, by: Actor, device_id: uuid.UUID) -> Device:
    """One's own phone, or anybody's for who administers accounts; raises `NotFound`."""
    found = session.get(Device, device_id)
    if found is None or (found.user_id != by.id and not policy.may(by, "user.edit")):
        raise NotFound()
    return found


def of_user(session: Session, user_id: uuid.UUID) -> list[Device]:
    """The phones of a user, those that work first, the last seen first."""
    return list(
        session.scalars(
            select(Device)
            .where(Device.user_id == user_id)
            .order_by(
                Device.revoked_at.is_not(None),
                func.coalesce(Device.last_seen_at, Device.created_at).desc(),
                Device.id,
            )
            .limit(200)
        )
    )
