"""The forms of the sign-in library with our rules: passwords, and patience after failures."""

from __future__ import annotations

from typing import Any

import structlog
from flask import current_app, request
from flask_security import (
    ChangePasswordForm,
    LoginForm,
    MfRecoveryForm,
    PasswordUtil,
    TwoFactorVerifyCodeForm,
)

from accounts import known_browsers
from accounts.models import User
from accounts.passwords import normalised
from accounts.queries import user_by_email
from accounts.services import slowing
from accounts.services import users as services
from accounts.services.slowing import Attempt
from core import clock, limits
from core.db import current_session, transaction
from core.errors import Invalid
from core.problems import field_texts

log = structlog.get_logger()


class Passwords(PasswordUtil):
    """Which new passwords are taken, wherever the library asks."""

    def normalize(self, password: str) -> str:
        return normalised(password)

    def validate(
        self, password: str, is_register: bool, **kwargs: Any
    ) -> tuple[list[str] | None, str]:
        given, user = normalised(password), kwargs["user"]
        try:
            services.check_password(
                current_session(), given, user, second_factor=user.second_factor_due
            )
        except Invalid as error:
            return field_texts(error)["password"], given
        return None, given


class ChangePassword(ChangePasswordForm):
    """Refuses the present password as the new one in whichever form a keyboard wrote it."""

    def validate(self, **kwargs: Any) -> bool:
        # The library compares the two before it normalises the new one.
        for field in (self.new_password, self.new_password_confirm):
            if isinstance(field.data, str):
                field.data = normalised(field.data)
        return bool(super().validate(**kwargs))


class SignIn(LoginForm):
    """Address and password; whoever is wrong too often waits, known or not."""

    def validate(self, **kwargs: Any) -> bool:
        attempt = None
        if self.email.data and self.password.data:
            attempt = _attempt_as(self.email.data)
            _count(attempt)
        good, session = bool(super().validate(**kwargs)), current_session()
        if good and isinstance(self.user, User):
            settings = current_app.config["SETTINGS"]
            self.user.second_factor_due = services.second_factor_due(
                session, self.user, in_use=settings.two_factor and settings.require_second_factor
            )
        return _judged(good, attempt)


class VerifyCode(TwoFactorVerifyCodeForm):
    """The code of an authenticator app."""

    def validate(self, **kwargs: Any) -> bool:
        return _patiently(self, super().validate, **kwargs)


class RecoveryForm(MfRecoveryForm):
    """A recovery code in the place of the second factor."""

    def validate(self, **kwargs: Any) -> bool:
        return _patiently(self, super().validate, **kwargs)


def _patiently(form: Any, validate: Any, **kwargs: Any) -> bool:
    """Whether a code is right; after too many wrong ones of a person the next has to wait.

    Wherever they come from: who guesses codes has the password, and can keep nobody out without.
    """
    person, attempt = form.user.id, None
    if form.code.data:
        place = known_browsers.known_as(person) or "anywhere"
        attempt = Attempt(f"second factor of {person}", place)
        _count(attempt)
    return _judged(bool(validate(**kwargs)), attempt)


def _attempt_as(said: str) -> Attempt:
    """The attempt of this request to be somebody; one account is one, however it was written."""
    try:
        address = current_app.extensions["security"]._mail_util.normalize(said)
    except ValueError:
        address = said
    user = user_by_email(current_session(), address)
    browser = known_browsers.known_as(user.id) if user else None
    network = limits.network(request.remote_addr or "", of_ipv4=24)
    account = slowing.known(user.id) if user else slowing.unknown(address)
    return Attempt(account, browser or network, in_all=browser is None)


def _count(attempt: Attempt) -> None:
    with transaction() as session:
        slowing.count(session, attempt, now=clock.now())


def _judged(good: bool, attempt: Attempt | None) -> bool:
    if attempt is None:
        return good
    if good:
        slowing.forgive(current_session(), attempt, now=clock.now())
    else:
        log.warning("sign-in refused", address=request.remote_addr)
    return good
