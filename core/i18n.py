"""Two languages: Vietnamese first, English beside it."""

from __future__ import annotations

from typing import Any

from flask import Flask, has_request_context, request
from flask_babel import Babel, force_locale
from flask_babel import get_locale as _babel_locale
from flask_babel import gettext as _babel_gettext

from core.words import N_

__all__ = ["N_", "current_language", "force_locale", "gettext", "init_app", "translate"]

LANGUAGE_COOKIE = "language"


def gettext(message: str, **facts: Any) -> str:
    """The text in the reader's language with its facts filled in."""
    return _babel_gettext(message, **facts)


def translate(message: str, **facts: Any) -> str:
    """Translate a text that was marked elsewhere by `N_`; an empty text stays empty."""
    return _babel_gettext(message, **facts) if message else ""


def current_language() -> str:
    locale = _babel_locale()
    return locale.language if locale else "vi"


def _choose(languages: tuple[str, ...]) -> str:
    """Explicit choice first, then the account's language, then what an API client asks for."""
    if not has_request_context():
        return languages[0]
    chosen = request.args.get("lang") or request.cookies.get(LANGUAGE_COOKIE)
    if chosen in languages:
        return chosen
    if request.path.startswith("/api/"):
        return request.accept_languages.best_match(languages) or languages[0]
    return languages[0]


def init_app(app: Flask, languages: tuple[str, ...]) -> None:
    app.config["BABEL_DEFAULT_LOCALE"] = languages[0]
    app.config["BABEL_DEFAULT_TIMEZONE"] = app.config["TIMEZONE"]
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(
        app.config["SETTINGS"].root / "translations"
    )
    Babel(app, locale_selector=lambda: _choose(languages))


