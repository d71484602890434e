"""Changing accounts; passwords come hashed from the doors."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from accounts import passwords
from accounts.models import AccessToken, Organisation, Role, User
from accounts.queries import user_by_email
from accounts.rules import Role as RoleName
from accounts.rules import is_email
from accounts.services import links, sessions, slowing
from areas.models import Area
from core import audit, policy, store
from core.errors import Conflict, Invalid, NotFound
from core.policy import Actor
from core.words import N_

# Two administrators who disable each other at one moment would leave none.
ADMINISTRATORS = 7_210_434


def second_factor_due(session: Session, user: User, *, in_use: bool) -> bool:
    """Whether this person signs in with a second factor only; `in_use` where there is one."""
    return in_use and not {role.name for role in user.roles}.isdisjoint(
        store.value_of(session, "required_second_factor") or ()
    )


def check_password(session: Session, password: str, user: User, *, second_factor: bool) -> None:
    """Raise `Invalid` for a new password that is too short or easy to guess.

    `second_factor`: this person cannot sign in without one, so that fewer letters will do.
    """
    key = "password_length_two_factor" if second_factor else "password_length"
    context = [user.email, user.name, user.organisation.name if user.organisation else ""]
    wrong = passwords.wrong_with(password, least=store.value_of(session, key), context=context)
    if wrong is not None:
        message, facts = (wrong, {}) if isinstance(wrong, str) else wrong
        raise Invalid(message, fields={"password": [wrong]}, **facts)


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
    password_hash: str | None,
    roles: Collection[str],
    everywhere: bool,
    territories: Sequence[Area] = (),
    organisation: Organisation | None = None,
    demo: bool = False,
    by: Actor,
    now: datetime,
) -> User:
    """Make an account; raises `Conflict` for a known address.

    Without a password nobody signs in until they have used an invitation.
    """
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
    """Change an account. A change of roles, territory or activity ends its sessions and tokens.

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
        sessions.end_all(session, user, now=now)
    if not active:
        links.end_all(session, user, now=now)
    session.flush()
    audit.record(session, "user.edit", "user", user.id, by=by, now=now, before=before, after=after)
    return user


def set_password(
    session: Session, user: User, password_hash: str, *, by: Actor, now: datetime
) -> None:
    """Give an account a new password; its sessions, tokens and links end."""
    if by.id != user.id:
        policy.require(by, "user.edit", user)
    user.password = password_hash
    password_changed(session, user, by=by, now=now)


def password_changed(session: Session, user: User, *, by: Actor, now: datetime) -> None:
    """What follows from a new password, whoever set it."""
    slowing.forget(session, user.id)
    sessions.end_all(session, user, now=now)
    links.end_all(session, user, now=now)
    session.flush()
    audit.record(session, "user.password", "user", user.id, by=by, now=now)


def second_factor_changed(
    session: Session, user: User, what: str, *, by: Actor, now: datetime
) -> None:
    """Write down that the second factor was set up, switched off, or got new recovery codes."""
    audit.record(
        session, "user.second_factor", "user", user.id, by=by, now=now, after={"change": what}
    )


def remove_second_factor(session: Session, user: User, *, by: Actor, now: datetime) -> None:
    """Take the second factor from somebody who lost it; its sessions and tokens end."""
    policy.require(by, "user.edit", user)
    user.tf_primary_method = user.tf_totp_secret = user.tf_last_counter = None
    user.mf_recovery_codes = None
    sessions.end_all(session, user, now=now)
    session.flush()
    second_factor_changed(session, user, "removed", by=by, now=now)


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
    """Whether nobody else who may sign in is an administrator.

    Who asks has to wait until whoever asked before has changed what they asked for.
    """
    if not user.active or not any(role.name == RoleName.ADMIN for role in user.roles):
        return False
    session.execute(select(func.pg_advisory_xact_lock(ADMINISTRATORS)))
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
