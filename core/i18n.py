"""Two languages: Vietnamese first, English beside it."""

from __future__ import annotations

from typing import Any

from babel.support import NullTranslations
from flask import Flask, current_app, has_request_context, request
from flask_babel import Babel, force_locale, get_translations
from flask_babel import get_locale as _babel_locale

from core.words import N_

__all__ = ["N_", "current_language", "force_locale", "gettext", "init_app", "translate"]

LANGUAGE_COOKIE = "language"


def gettext(message: str, **facts: Any) -> str:
    """The text in the reader's language with its facts filled in."""
    text = _texts().ugettext(message)
    return text % facts if facts else text


def translate(message: str, **facts: Any) -> str:
    """Translate a text that was marked elsewhere by `N_`; an empty text stays empty."""
    return gettext(message, **facts) if message else ""


def _texts() -> NullTranslations:
    """The texts of the reader's language.

    A page asks for hundreds of texts, and Flask-Babel looks for their catalogue each time.
    """
    locale = _babel_locale()
    if locale is None:
        return NullTranslations()
    catalogues: dict[str, NullTranslations] = current_app.extensions["texts"]
    if locale.language not in catalogues:
        catalogues[locale.language] = get_translations()
    return catalogues[locale.language]


def current_language() -> str:
    locale = _babel_locale()
    return locale.language if locale else "vi"


def _choose(languages: tuple[str, ...]) -> str:
    """Explicit choice first, then the account's language, then what an API client asks for."""
    if not has_request_context():
        return languages[0]
    for chosen in (request.args.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        if chosen in languages:
            return chosen
    if request.path.startswith("/api/"):
        return request.accept_languages.best_match(languages) or languages[0]
    return languages[0]


def init_app(app: Flask, languages: tuple[str, ...]) -> None:
    app.config["BABEL_DEFAULT_LOCALE"] = languages[0]
    app.config["BABEL_DEFAULT_TIMEZONE"] = app.config["TIMEZONE"]
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(app.config["SETTINGS"].root / "translations")
    Babel(app, locale_selector=lambda: _choose(languages))
    app.extensions["texts"] = {}
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        gettext=lambda text: _texts().ugettext(text),
        ngettext=lambda one, many, number: _texts().ungettext(one, many, number),
        newstyle=True,
    )
