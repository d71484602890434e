"""Sign-in: Flask-Security on our session, and our own tokens in `Authorization: Bearer`."""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from flask import Flask, current_app, g, request
from flask_login import current_user
from flask_security import (
    ChangePasswordForm,
    Security,
    SQLAlchemySessionUserDatastore,
    hash_password,
)
from flask_wtf import CSRFProtect
from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from accounts import tokens
from accounts.models import Role, User, user_role, user_territory
from accounts.rules import SHUT_OUT
from accounts.tokens import OfDevice
from areas.queries import commune_ids
from core import clock, limits
from core.db import current_session, db
from core.errors import Unauthenticated
from core.i18n import N_
from core.policy import ANONYMOUS, PUBLIC, SIGNED_IN, Actor
from core.settings import Settings

# Routes that Flask-Security brings, each with its action; those that are not here are refused.
ENDPOINT_ACTIONS = {
    "static": PUBLIC,
    "security.static": PUBLIC,
    "security.login": PUBLIC,
    "security.logout": PUBLIC,
    "security.change_password": SIGNED_IN,
    "security.verify": SIGNED_IN,
    "security.two_factor_setup": SIGNED_IN,
    "security.two_factor_setup_validate": SIGNED_IN,
    "security.two_factor_token_validation": PUBLIC,
    "security.two_factor_rescue": PUBLIC,
    "security.tf_select": PUBLIC,
    "security.mf_recovery": PUBLIC,
    "security.mf_recovery_codes": SIGNED_IN,
}


def normalise_password(password: str) -> str:
    """One form of a password everywhere: NFKD, as Flask-Security's sign-in form makes it."""
    return unicodedata.normalize("NFKD", password)


def new_password() -> str:
    """A password that can be read out on the telephone: 20 characters, about 100 bits."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(4))


def hashed(password: str) -> str:
    """The password as it is stored, from its one normal form."""
    return hash_password(normalise_password(password))


def actor_of(session: Session, user: User) -> Actor:
    """The user as the policy sees them, with the territory resolved to communes."""
    territory = [area.id for area in user.territories]
    return _actor(session, user, (role.name for role in user.roles), territory)


def _actor(
    session: Session,
    person: User | Row[Any],
    roles: Iterable[str],
    territory: Sequence[int] | Select[int],
) -> Actor:
    return Actor(
        id=person.id,
        email=person.email,
        name=person.name or person.email,
        roles=frozenset(roles),
        communes=None if person.everywhere else commune_ids(session, territory),
        organisation_id=person.organisation_id,
    )


ROLES = (
    select(func.array_agg(Role.name))
    .join(user_role, user_role.c.role_id == Role.id)
    .where(user_role.c.user_id == User.id)
    .scalar_subquery()
)
BY_TOKEN = select(
    User.id, User.email, User.name, User.everywhere, User.organisation_id, ROLES.label("roles")
).where(tokens.OPENS)


def actor_by_token(session: Session, token: str) -> Actor | None:
    """The actor to whom a live token belongs, or `None`.

    Requests of programs ask this, thousands an hour: as objects it would take three times as long.
    """
    found = session.execute(BY_TOKEN, tokens.asked(token, now=clock.now())).one_or_none()
    if found is None:
        return None
    territory = select(user_territory.c.area_id).where(user_territory.c.user_id == found.id)
    return _actor(session, found, found.roles or (), territory)


def _shut_out(session: Session, token: str) -> Actor | None:
    """Who owns a phone that was revoked, or whose account was disabled, where it may still bring
    what was done before: it is taken from it and shown to staff. `None` anywhere else."""
    if request.endpoint not in current_app.extensions["kept_from_shut_out"]:
        return None
    phone = tokens.of_device(session, token)
    if phone is None or phone.shut is None:
        return None
    g.device = phone
    return Actor(
        id=phone.user_id,
        email=phone.email,
        name=phone.name or phone.email,
        roles=frozenset({SHUT_OUT}),
    )


def current_device() -> OfDevice | None:
    """The phone that makes this request, `None` where a browser or a program does."""
    if "device" not in g:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        bearer = scheme.lower() == "bearer"
        g.device = tokens.of_device(current_session(), token.strip()) if bearer else None
    device: OfDevice | None = g.device
    return device


def find_actor() -> Actor:
    """Who makes this request: a token on any route, else the session.

    Raises `Unauthenticated` for a token that is not (or no longer) good: such a request must
    not go on as somebody else.
    """
    header = request.headers.get("Authorization", "")
    scheme, _, token = header.partition(" ")
    session = current_session()
    if scheme.lower() == "bearer":
        actor = actor_by_token(session, token.strip()) or _shut_out(session, token.strip())
        if actor is None:
            raise Unauthenticated(N_("This token is unknown, expired or revoked"))
        return actor
    if current_user.is_authenticated:
        return actor_of(session, current_user)
    return ANONYMOUS


class ChangePassword(ChangePasswordForm):
    """Refuses the present password as the new one in whichever form a keyboard wrote it."""

    def validate(self, **kwargs: Any) -> bool:
        # The library compares the two before it normalises the new one.
        for field in (self.new_password, self.new_password_confirm):
            if isinstance(field.data, str):
                field.data = normalise_password(field.data)
        return bool(super().validate(**kwargs))


class TokenAwareCSRF(CSRFProtect):
    """CSRF protection for cookies; a request with a bearer token cannot be forged by a page.

    Under `/api` nobody without a session can do anything: the guard answers that with 401.
    """

    def protect(self, *args: Any, **kwargs: Any) -> None:
        if request.headers.get("Authorization", "").lower().startswith("bearer "):
            return
        if request.path.startswith("/api/") and not current_user.is_authenticated:
            return
        super().protect(*args, **kwargs)


# Tests sign in some hundred times: what takes a fifth of a second, so that nobody guesses many
# passwords, would take most of their time.
QUICK = {"argon2__time_cost": 1, "argon2__memory_cost": 64, "argon2__parallelism": 1}


def init_app(app: Flask, settings: Settings, *, kept_from: Iterable[str] = ()) -> Security:
    """Sign-in. `kept_from` names the endpoints where a phone that was shut out may still send."""
    app.extensions["kept_from_shut_out"] = frozenset(kept_from)
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SECURITY_PASSWORD_SALT=settings.secret_key,
        SECURITY_PASSWORD_HASH="argon2",  # noqa: S106 - a method, not a password
        SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS=QUICK if settings.testing else {},
        SECURITY_PASSWORD_LENGTH_MIN=12,
        SECURITY_PASSWORD_CONFIRM_REQUIRED=True,
        SECURITY_CHANGEABLE=True,
        SECURITY_SEND_PASSWORD_CHANGE_EMAIL=False,
        SECURITY_SEND_REGISTER_EMAIL=False,
        SECURITY_REGISTERABLE=False,
        SECURITY_TRACKABLE=False,
        SECURITY_CONFIRMABLE=False,
        SECURITY_RETURN_GENERIC_RESPONSES=True,
        SECURITY_LOGIN_URL="/sign-in",
        SECURITY_LOGOUT_URL="/sign-out",
        SECURITY_LOGOUT_METHODS=["POST"],
        SECURITY_CHANGE_URL="/password",
        # Its commands know neither our rules nor the audit: `flask accounts` does.
        SECURITY_CLI_USERS_NAME=False,
        SECURITY_CLI_ROLES_NAME=False,
        SECURITY_POST_LOGIN_VIEW="/",
        SECURITY_POST_LOGOUT_VIEW="/sign-in",
        SECURITY_EMAIL_VALIDATOR_ARGS={"check_deliverability": False, "test_environment": True},
        SECURITY_TWO_FACTOR=settings.two_factor,
        SECURITY_TWO_FACTOR_ENABLED_METHODS=["authenticator"],
        # There is no mail server to rely on: an administrator helps, or a recovery code.
        SECURITY_TWO_FACTOR_RESCUE_EMAIL=False,
        SECURITY_MULTI_FACTOR_RECOVERY_CODES=settings.two_factor,
        SECURITY_TOTP_SECRETS={"1": settings.secret_key},
        SECURITY_TOTP_ISSUER="Thap Canh",
        SECURITY_I18N_DIRNAME=["builtin", str(settings.root / "translations")],
        WTF_CSRF_TIME_LIMIT=12 * 3600,
        WTF_CSRF_CHECK_DEFAULT=True,
        WTF_CSRF_SSL_STRICT=False,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.https,
        REMEMBER_COOKIE_HTTPONLY=True,
        REMEMBER_COOKIE_SAMESITE="Lax",
        REMEMBER_COOKIE_SECURE=settings.https,
        PERMANENT_SESSION_LIFETIME=timedelta(days=7),
    )
    TokenAwareCSRF(app)
    store = SQLAlchemySessionUserDatastore(db.session, User, Role)
    security = Security(app, store, change_password_form=ChangePassword)
    limits.limit(
        app,
        settings.sign_in_limit,
        ("security.login", "security.two_factor_token_validation", "security.mf_recovery"),
        methods=["POST"],
    )
    return security
