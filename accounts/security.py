"""Sign-in: Flask-Security on our sessions, and our own tokens in `Authorization: Bearer`."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog
from flask import Flask, Response, after_this_request, current_app, g, request
from flask import session as cookie
from flask_login import current_user, user_logged_out
from flask_security import (
    Security,
    SQLAlchemySessionUserDatastore,
    hash_password,
    tf_disabled,
    tf_profile_changed,
    user_authenticated,
)
from flask_security.utils import set_request_attr
from flask_wtf import CSRFProtect
from sqlalchemy import Row, Select, bindparam, func, select
from sqlalchemy.orm import Session

from accounts import known_browsers, tokens
from accounts.models import Role, User, UserSession, user_role, user_territory
from accounts.passwords import normalised
from accounts.rules import SHUT_OUT, SignInWay
from accounts.second_factor import OneTimeCodes, RecoveryCodes
from accounts.services import sessions
from accounts.services import users as services
from accounts.services.sessions import Browser
from accounts.sign_in_forms import ChangePassword, Passwords, RecoveryForm, SignIn, VerifyCode
from accounts.tokens import OfDevice
from areas.queries import commune_ids
from core import clock, limits
from core.db import current_session, db, transaction
from core.errors import Unauthenticated
from core.guard import route_action
from core.i18n import N_
from core.policy import ANONYMOUS, PUBLIC, SIGNED_IN, Actor, allows
from core.settings import Settings
from core.store import Setting

log = structlog.get_logger()

# Routes that Flask-Security brings, each with its action; those that are not here are refused.
ENDPOINT_ACTIONS = {
    "static": PUBLIC,
    "security.static": PUBLIC,
    "security.login": PUBLIC,
    "security.logout": PUBLIC,
    "security.change_password": SIGNED_IN,
    "security.verify": SIGNED_IN,
    # During sign-in too, where a role must have one: the library knows whose turn it is.
    "security.two_factor_setup": PUBLIC,
    "security.two_factor_setup_validate": SIGNED_IN,
    "security.two_factor_token_validation": PUBLIC,
    "security.two_factor_rescue": PUBLIC,
    "security.tf_select": PUBLIC,
    "security.mf_recovery": PUBLIC,
    "security.mf_recovery_codes": SIGNED_IN,
}


def hashed(password: str) -> str:
    """The password as it is stored, from its one normal form."""
    return hash_password(normalised(password))


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
    User.id,
    User.email,
    User.name,
    User.everywhere,
    User.organisation_id,
    ROLES.label("roles"),
    tokens.NUMBER.label("token"),
    tokens.PHONE.label("phone"),
).where(tokens.OPENS)


def actor_by_token(session: Session, token: str) -> Actor | None:
    """The actor to whom a live token belongs, or `None`.

    Requests of programs ask this, thousands an hour: as objects it would take three times as long.
    """
    found = session.execute(BY_TOKEN, tokens.asked(token, now=clock.now())).one_or_none()
    if found is None:
        return None
    g.via = f"token {found.token}"
    territory = select(user_territory.c.area_id).where(user_territory.c.user_id == found.id)
    # Whoever finds a phone administers no accounts with it.
    roles = set(found.roles or ()) - ({"admin"} if found.phone else set())
    return _actor(session, found, roles, territory)


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
        g.via = "session"
        actor = actor_of(session, current_user)
        return viewed_actor(session, actor) or actor
    return ANONYMOUS


# Who signed in with this cookie, in which session, and for which roles a second factor is due.
BY_SESSION = (
    select(User, UserSession, Setting.value)
    .join(UserSession, UserSession.user_id == User.id)
    .outerjoin(Setting, Setting.key == "required_second_factor")
    .where(
        UserSession.id == bindparam("session_id"),
        User.fs_uniquifier == bindparam("uniquifier"),
        User.active,
        UserSession.ended_at.is_(None),
        UserSession.expires_at > bindparam("now"),
    )
)
SESSION_KEY = "sid"


def load_user(uniquifier: str) -> User | None:
    """The user of this request's cookie; `None` where its session has ended.

    Who has to have a second factor and has none signs in again, and sets it up then.
    """
    now = clock.now()
    try:
        session_id = uuid.UUID(str(cookie.get(SESSION_KEY)))
    except ValueError:
        return None
    found = (
        current_session()
        .execute(BY_SESSION, {"session_id": session_id, "uniquifier": uniquifier, "now": now})
        .one_or_none()
    )
    if found is None:
        return None
    user, row, required = found
    user.second_factor_due = second_factor_in_use() and any(
        role.name in (required or ()) for role in user.roles
    )
    if user.second_factor_due and not user.tf_primary_method and row.way != SignInWay.OPENID:
        return None
    if now - row.seen_at > sessions.SEEN_EVERY:
        with transaction() as session:
            sessions.note_seen(session, row, browser=this_browser(), now=now)
    set_request_attr("fs_authn_via", "session")
    set_request_attr("fs_paa", cookie.get("fs_paa", 0))
    g.user_session = row
    return user


def second_factor_in_use() -> bool:
    """Whether anybody can be made to have a second factor here."""
    settings: Settings = current_app.config["SETTINGS"]
    return settings.two_factor and settings.require_second_factor


def current_user_session() -> UserSession:
    """The session of this request; raises `Unauthenticated` where a token asks."""
    row: UserSession | None = g.get("user_session")
    if row is None:
        raise Unauthenticated(N_("This needs a sign-in: a token is not enough"))
    return row


def viewed_actor(session: Session, actor: Actor) -> Actor | None:
    """As whom an administrator looks at the service, while that lasts."""
    row = g.get("user_session")
    if row is None or row.viewing_until is None or row.viewing_until <= clock.now():
        return None
    viewed = session.get(User, row.viewing_id)
    if viewed is None or not viewed.active or not allows(actor, "user.view_as"):
        return None
    return replace(actor_of(session, viewed), onlooker=actor.name)


def this_browser() -> Browser:
    return Browser(request.remote_addr or "", request.headers.get("User-Agent", ""))


def begin_session(
    app: Flask, user: User, authn_via: Sequence[str] | None = None, **more: Any
) -> None:
    """Somebody signed in, or changed their password: a session of its own begins."""
    session, now = current_session(), clock.now()
    # A cookie that signs in by itself could not be ended: a session that lasts is one of ours.
    lasting, way = cookie.pop("_remember", None) == "set", SignInWay.PASSWORD
    if "openid" in (authn_via or ()):
        way = SignInWay.OPENID
    elif user.tf_primary_method:
        way = SignInWay.SECOND_FACTOR
    if "change" in (authn_via or ()):
        before = g.get("user_session")
        if before is not None:
            lasting, way = before.lasting, SignInWay(before.way)
        services.password_changed(session, user, by=actor_of(session, user), now=now)
        cookie["_user_id"] = user.get_id()
    row = sessions.begin(session, user, way=way, lasting=lasting, browser=this_browser(), now=now)
    cookie[SESSION_KEY] = str(row.id)
    cookie.permanent = lasting
    known_browsers.remember(user.id)
    g.user_session = row
    log.info("signed in", user=str(user.id), way=way.value)


def end_session(app: Flask, **more: Any) -> None:
    """Somebody signed out; what their browser kept of pages and photos goes with them."""
    row = g.pop("user_session", None)
    cookie.pop(SESSION_KEY, None)
    if row is not None and row.ended_at is None:
        with transaction() as session:
            sessions.end(session, row, now=clock.now())

    @after_this_request
    def forget(response: Response) -> Response:
        response.headers["Clear-Site-Data"] = '"cache"'
        return response


def second_factor_set_up(app: Flask, user: User, **more: Any) -> None:
    _tell_second_factor(user, "set_up")


def second_factor_switched_off(app: Flask, user: User, **more: Any) -> None:
    user.mf_recovery_codes = None
    user.tf_last_counter = None
    _tell_second_factor(user, "switched_off")


def _tell_second_factor(user: User, what: str) -> None:
    """Write it down; whoever is signed in without, or with the former one, is so no longer."""
    session, now = current_session(), clock.now()
    services.second_factor_changed(session, user, what, by=actor_of(session, user), now=now)
    sessions.end_all(session, user, now=now, but=g.get("user_session"))
    cookie["_user_id"] = user.get_id()


class TokenAwareCSRF(CSRFProtect):
    """CSRF protection for cookies; a request with a bearer token cannot be forged by a page.

    Nobody without a session can do anything but what is open to everybody: the guard says so next,
    before a body is read, which looking for the token would do.
    """

    def protect(self, *args: Any, **kwargs: Any) -> None:
        if request.headers.get("Authorization", "").lower().startswith("bearer "):
            return
        if not current_user.is_authenticated and (
            request.endpoint is None
            or request.path.startswith("/api/")
            or route_action(current_app, request.endpoint, request.method) != PUBLIC
        ):
            return
        super().protect(*args, **kwargs)


# Tests sign in some hundred times: what takes a fifth of a second, so that nobody guesses many
# passwords, would take most of their time.
QUICK = {"argon2__time_cost": 1, "argon2__memory_cost": 64, "argon2__parallelism": 1}


# Where somebody could try one password, code or link after another.
GUESSED_AT = (
    "security.login",
    "security.verify",
    "security.change_password",
    "security.two_factor_token_validation",
    "security.two_factor_setup_validate",
    "security.mf_recovery",
    "accounts.use_link",
    "accounts.ask_for_link",
)
# What somebody does who looks at the service as another, and wants to be themselves again.
FOR_ONLOOKERS = ("accounts.end_view_as", "security.logout", "core.choose_language")


def init_app(app: Flask, settings: Settings, *, kept_from: Iterable[str] = ()) -> Security:
    """Sign-in. `kept_from` names the endpoints where a phone that was shut out may still send."""
    app.extensions["kept_from_shut_out"] = frozenset(kept_from)
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SECURITY_PASSWORD_SALT=settings.secret_key,
        SECURITY_PASSWORD_HASH="argon2",  # noqa: S106 - a method, not a password
        SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS=QUICK if settings.testing else {},
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
        SECURITY_TWO_FACTOR_POST_SETUP_VIEW="/tf-setup",
        # There is no mail server to rely on: an administrator helps, or a recovery code.
        SECURITY_TWO_FACTOR_RESCUE_EMAIL=False,
        SECURITY_MULTI_FACTOR_RECOVERY_CODES=settings.two_factor,
        # A clock may be wrong by a minute; no code is taken twice.
        SECURITY_TWO_FACTOR_AUTHENTICATOR_VALIDITY=60,
        SECURITY_MULTI_FACTOR_RECOVERY_CODES_N=10,
        SECURITY_TOTP_SECRETS={"1": settings.secret_key},
        SECURITY_TOTP_ISSUER="Thap Canh",
        SECURITY_I18N_DIRNAME=["builtin", str(settings.root / "translations")],
        WTF_CSRF_TIME_LIMIT=12 * 3600,
        WTF_CSRF_CHECK_DEFAULT=True,
        WTF_CSRF_SSL_STRICT=False,
        # With this prefix no other host of the domain can set or widen it (RFC 6265bis, 4.1.3.2).
        SESSION_COOKIE_NAME="__Host-session" if settings.https else "session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.https,
        # How long a session lasts stands in its row; the cookie is never the reason why one ends.
        PERMANENT_SESSION_LIFETIME=timedelta(days=400),
    )
    TokenAwareCSRF(app)
    store = SQLAlchemySessionUserDatastore(db.session, User, Role)
    security = Security(
        app,
        store,
        login_form=SignIn,
        change_password_form=ChangePassword,
        two_factor_verify_code_form=VerifyCode,
        mf_recovery_form=RecoveryForm,
        password_util_cls=Passwords,
        totp_cls=OneTimeCodes,
        mf_recovery_codes_util_cls=RecoveryCodes,
    )
    app.login_manager.user_loader(load_user)  # type: ignore[attr-defined]
    user_authenticated.connect(begin_session, app)
    user_logged_out.connect(end_session, app)
    tf_profile_changed.connect(second_factor_set_up, app)
    tf_disabled.connect(second_factor_switched_off, app)
    limits.limit(app, settings.sign_in_limit, GUESSED_AT, methods=["POST"])
    return security
