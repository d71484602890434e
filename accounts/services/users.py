"""Changing accounts; passwords come hashed from the doors."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from accounts import tokens
from accounts.models import AccessToken, Organisation, Role, User
from accounts.queries import user_by_email
from accounts.rules import Role as RoleName
from accounts.rules import is_email
from areas.models import Area
from core import audit, policy
from core.errors import Conflict, Invalid, NotFound
from core.policy import Actor
from core.words import N_

MIN_PASSWORD = 12


def check_password(password: str, email: str) -> None:
    """Raise `Invalid` for a password that is too short or is the address itself."""
    if len(password) < MIN_PASSWORD:
        message = N_("A password has at least %(least)s characters")
        raise Invalid(message, fields={"password": [message]}, least=MIN_PASSWORD)
    if len(password) > 200:
        message = N_("This password is too long")
        raise Invalid(message, fields={"password": [message]})
    if password.strip().lower() in {email.lower(), email.partition("@")[0].lower()}:
        message = N_("The password must not be the e-mail address")
        raise Invalid(message, fields={"password": [message]})


def _roles(session: Session, names: Collection[str]) -> list[Role]:
    known = {role.name: role for role in session.scalars(select(Role))}
    if not names or not set(names) <= set(known):
        message = N_("Choose at least one role")
        raise Invalid(message, fields={"roles": [message]})
    return [known[name] for name in sorted(set(names))]


def create_user(
    session: Session,
    *,
    email: str,
    name: str,
    password_hash: str,
    roles: Collection[str],
    everywhere: bool,
    territories: Sequence[Area] = (),
    organisation: Organisation | None = None,
    demo: bool = False,
    by: Actor,
    now: datetime,
) -> User:
    """Make an account; raises `Conflict` for a known address."""
    policy.require(by, "user.edit")
    email = email.strip()
    if not is_email(email):
        message = N_("This is not an e-mail address.")
        raise Invalid(message, fields={"email": [message]})
    if user_by_email(session, email) is not None:
        message = N_("There is already an account with this address")
        raise Conflict(message, fields={"email": [message]})
    made = User(
        id=uuid.uuid4(),
        email=email,
        name=name.strip()[:200],
        password=password_hash,
        fs_uniquifier=uuid.uuid4().hex,
        active=True,
        everywhere=everywhere,
        territories=list(territories),
        organisation=organisation,
        roles=_roles(session, roles),
        demo=demo,
        created_at=now,
    )
    session.add(made)
    session.flush()
    audit.record(session, "user.create", "user", made.id, by=by, now=now, after=_plain(made))
    return made


def update_user(
    session: Session,
    user: User,
    *,
    name: str,
    roles: Collection[str],
    everywhere: bool,
    territories: Sequence[Area],
    organisation: Organisation | None,
    active: bool,
    by: Actor,
    now: datetime,
) -> User:
    """Change an account. A change of roles, territory or activity ends its sessions.

    Raises `Conflict` where nobody would be left to administer.
    """
    policy.require(by, "user.edit", user)
    before = _plain(user)
    chosen = _roles(session, roles)
    keeps = active and any(role.name == RoleName.ADMIN for role in chosen)
    if not keeps and is_last_admin(session, user):
        raise Conflict(N_("This is the last active administrator: make another one first"))
    user.name = name.strip()[:200]
    user.roles = chosen
    user.everywhere = everywhere
    user.territories = list(territories)
    user.organisation_id = organisation.id if organisation else None
    user.active = active
    session.flush()
    after = _plain(user)
    if after == before:
        return user
    user.version += 1
    if {key for key in after if after[key] != before[key]} - {"name"}:
        user.fs_uniquifier = uuid.uuid4().hex
    if not active:
        tokens.revoke_all(session, user, now=now)
    session.flush()
    audit.record(session, "user.edit", "user", user.id, by=by, now=now, before=before, after=after)
    return user


def set_password(
    session: Session, user: User, password_hash: str, *, by: Actor, now: datetime
) -> None:
    """Give an account a new password; every session of it ends."""
    if by.id != user.id:
        policy.require(by, "user.edit", user)
    user.password = password_hash
    user.fs_uniquifier = uuid.uuid4().hex
    session.flush()
    audit.record(session, "user.password", "user", user.id, by=by, now=now)


def revoke_token(
    session: Session, user: User, token_id: uuid.UUID, *, by: Actor, now: datetime
) -> None:
    """End one token of a user; raises `NotFound` for another's."""
    token = session.get(AccessToken, token_id)
    if token is None or token.user_id != user.id:
        raise NotFound()
    token.revoked_at = token.revoked_at or now
    session.flush()
    audit.record(
        session, "token.revoke", "user", user.id, by=by, now=now, after={"token": str(token_id)}
    )


def is_last_admin(session: Session, user: User) -> bool:
    """Whether nobody else who may sign in is an administrator."""
    if not user.active or not any(role.name == RoleName.ADMIN for role in user.roles):
        return False
    others = session.scalar(
        select(func.count())
        .select_from(User)
        .where(User.active, User.id != user.id, User.roles.any(Role.name == RoleName.ADMIN))
    )
    return not others


def _plain(user: User) -> dict[str, Any]:
    return {
        "email": user.email,
        "name": user.name,
        "roles": sorted(role.name for role in user.roles),
        "everywhere": user.everywhere,
        # By name too: an area and its heir may have one code.
        "territories": sorted(f"{area.code} {area.name}" for area in user.territories),
        "organisation_id": str(user.organisation_id) if user.organisation_id else None,
        "active": user.active,
    }
