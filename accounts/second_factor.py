"""The second factor, where the sign-in library leaves room: no code is good twice."""

from __future__ import annotations

import hmac
from typing import Any

from flask import current_app
from flask_security import MfRecoveryCodesUtil, Totp

from accounts.models import User
from accounts.rules import recovery_code
from core.db import current_session


def _person(user: Any) -> User:
    """The user behind what the library hands on, which may stand for the present one."""
    found = getattr(user, "_get_current_object", lambda: user)()
    assert isinstance(found, User)
    return found


class OneTimeCodes(Totp):
    """Codes of an authenticator app; the step of the clock that was used last is kept."""

    def verify_totp(self, token: str, totp_secret: str, user: Any, window: int = 0) -> bool:
        person = _person(user)
        # Two requests with one code follow each other.
        current_session().refresh(person, ["tf_last_counter"], with_for_update={"of": User})
        if totp_secret != person.tf_totp_secret:
            # Another secret is being set up: nothing of it was used yet.
            person.tf_last_counter = None
        return bool(super().verify_totp(token, totp_secret, person, window))

    def get_last_counter(self, user: Any) -> int | None:
        return _person(user).tf_last_counter

    def set_last_counter(self, user: Any, tmatch: Any) -> None:
        _person(user).tf_last_counter = tmatch.counter


class RecoveryCodes(MfRecoveryCodesUtil):
    """Codes for whoever lost their telephone: shown when they are made, kept as hashes."""

    def create_recovery_codes(self, user: Any) -> list[str]:
        number = current_app.config["SECURITY_MULTI_FACTOR_RECOVERY_CODES_N"]
        made: list[str] = current_app.extensions["security"].totp_factory.generate_recovery_codes(
            number
        )
        person = _person(user)
        person.mf_recovery_codes = [self._hash(person, code) for code in made]
        return made

    def get_recovery_codes(self, user: Any) -> list[str]:
        """Nobody can read them again."""
        return []

    def check_recovery_code(self, user: Any, code: str) -> bool:
        person = _person(user)
        # Two requests with one code follow each other.
        current_session().refresh(person, ["mf_recovery_codes"], with_for_update={"of": User})
        given = self._hash(person, code)
        return any(hmac.compare_digest(given, one) for one in person.mf_recovery_codes or ())

    def delete_recovery_code(self, user: Any, code: str) -> bool:
        person = _person(user)
        given = self._hash(person, code)
        left = [one for one in person.mf_recovery_codes or () if one != given]
        used = len(left) < len(person.mf_recovery_codes or ())
        person.mf_recovery_codes = left
        return used

    def _hash(self, person: User, code: str) -> str:
        # With a secret that is not in the database: 48 bits alone could be tried one by one.
        key = str(current_app.config["SECRET_KEY"]).encode()
        return hmac.new(key, f"{person.id} {recovery_code(code)}".encode(), "sha256").hexdigest()
