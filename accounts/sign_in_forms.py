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

from accounts.models import User
from accounts.passwords import normalised
from accounts.services import slowing
from accounts.services import users as services
from core import clock
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
        said, session = self.email.data or "", current_session()
        slowing.require_patience(session, said, now=clock.now())
        good = bool(super().validate(**kwargs))
        if not good and said and self.password.data:
            _count_failure(said)
        if good and isinstance(self.user, User):
            settings = current_app.config["SETTINGS"]
            self.user.second_factor_due = services.second_factor_due(
                session, self.user, in_use=settings.two_factor and settings.require_second_factor
            )
            slowing.forget(session, said)
        return good


class VerifyCode(TwoFactorVerifyCodeForm):
    """The code of an authenticator app."""

    def validate(self, **kwargs: Any) -> bool:
        return _patiently(self, super().validate, **kwargs)


class RecoveryForm(MfRecoveryForm):
    """A recovery code in the place of the second factor."""

    def validate(self, **kwargs: Any) -> bool:
        return _patiently(self, super().validate, **kwargs)


def _patiently(form: Any, validate: Any, **kwargs: Any) -> bool:
    """Whether a code is right; after too many wrong ones of a person the next has to wait."""
    said, session = f"second factor of {form.user.id}", current_session()
    slowing.require_patience(session, said, now=clock.now())
    good = bool(validate(**kwargs))
    if good:
        slowing.forget(session, said)
    elif form.code.data:
        _count_failure(said)
    return good


def _count_failure(said: str) -> None:
    log.warning("sign-in refused", address=request.remote_addr)
    # The view that asked writes nothing where the answer is no.
    current_session().rollback()
    with transaction() as session:
        slowing.note_failure(session, said, now=clock.now())
