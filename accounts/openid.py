"""The department's own sign-in service: who somebody is there, and what they may do here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.models import User
from accounts.queries import user_by_email
from accounts.rules import Role
from accounts.services import links
from accounts.services import users as services
from core import audit, store
from core.errors import Forbidden
from core.policy import SYSTEM
from core.words import N_

UNKNOWN = N_("Nobody here has this account: an administrator invites you first")


def person_of(session: Session, claims: Mapping[str, Any], *, now: datetime) -> User:
    """The known or invited person whom a sign-in service names by claims that were verified.

    By their subject once they have been here; before that by an address that the service has
    verified. Raises `Forbidden` for everybody else, and where a role is asked for and none given.
    """
    subject = f"{claims['iss']} {claims['sub']}"
    found = session.scalar(select(User).where(User.openid_subject == subject))
    if found is None:
        email = claims.get("email")
        if not isinstance(email, str) or claims.get("email_verified") is not True:
            raise Forbidden(UNKNOWN)
        found = user_by_email(session, email)
        # An address may pass to somebody else there; the account here does not follow it.
        if found is None or found.openid_subject is not None:
            raise Forbidden(UNKNOWN)
    if not found.active:
        raise Forbidden(UNKNOWN)
    roles = _roles(session, claims)
    if found.openid_subject is None:
        found.openid_subject = subject
        links.end_all(session, found, now=now)
        audit.record(
            session, "user.openid", "user", found.id, by=SYSTEM, now=now,
            after={"subject": subject},
        )  # fmt: skip
    if not found.name and isinstance(claims.get("name"), str):
        found.name = claims["name"].strip()[:200]
    if roles is not None:
        services.update_user(
            session,
            found,
            name=found.name,
            roles=roles,
            everywhere=found.everywhere,
            territories=found.territories,
            organisation=found.organisation,
            active=True,
            by=SYSTEM,
            now=now,
        )
    session.flush()
    return found


def _roles(session: Session, claims: Mapping[str, Any]) -> list[str] | None:
    """The roles that the service's claim gives, `None` where the department maps none.

    The settings `openid_claim` and `openid_roles` say which claim, and what its values are here.
    """
    claim, names = store.value_of(session, "openid_claim"), store.value_of(session, "openid_roles")
    if not claim or not names:
        return None
    given = claims.get(claim)
    values = given if isinstance(given, list) else [given]
    known = {role.value for role in Role}
    mapped = {names[one] for one in values if isinstance(one, str) and one in names}
    roles = sorted(mapped & known)
    if not roles:
        raise Forbidden(N_("Your account of the department has no role here"))
    return roles
