"""Browsers in which somebody has signed in: who guesses elsewhere does not make them wait.

A cookie names the accounts, signed so that nobody makes one up. It opens nothing: it only says that
failures in this browser count for themselves (OWASP, "device cookies").
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from datetime import timedelta

from flask import after_this_request, current_app, request
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.wrappers import Response

COOKIE = "browser"
# Browsers keep no cookie longer (RFC 6265bis, section 5.5).
LASTS = timedelta(days=400)
# A computer that several people share.
MOST_ACCOUNTS = 8


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt="known-browser")


def _name(user_id: uuid.UUID) -> str:
    return hashlib.sha256(str(user_id).encode()).hexdigest()[:16]


def _read() -> tuple[str, list[str]]:
    """The browser's own name, and those of the accounts; a new name and none without a cookie."""
    try:
        browser, accounts = _serializer().loads(
            request.cookies.get(COOKIE, ""), max_age=int(LASTS.total_seconds())
        )
    except BadSignature:
        return secrets.token_urlsafe(12), []
    return browser, accounts


def known_as(user_id: uuid.UUID) -> str | None:
    """The name of this browser, if this person has signed in in it."""
    browser, accounts = _read()
    return browser if _name(user_id) in accounts else None


def remember(user_id: uuid.UUID) -> None:
    """Let the answer to this request say that this person has signed in in this browser."""
    browser, accounts = _read()
    mine = _name(user_id)
    told = [mine, *(one for one in accounts if one != mine)][:MOST_ACCOUNTS]

    @after_this_request
    def tell(response: Response) -> Response:
        response.set_cookie(
            COOKIE,
            _serializer().dumps([browser, told]),
            max_age=LASTS,
            secure=current_app.config["SESSION_COOKIE_SECURE"],
            httponly=True,
            samesite="Lax",
        )
        return response
