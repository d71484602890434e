"""Two languages: Vietnamese first, English beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from babel.support import NullTranslations
from flask import Flask, current_app, g, has_request_context, request
from flask_babel import Babel, get_translations
from flask_babel import force_locale as _force_locale
from flask_babel import get_locale as _babel_locale

from core.words import N_

__all__ = ["N_", "current_language", "force_locale", "gettext", "init_app", "translate"]

LANGUAGE_COOKIE = "language"


def gettext(message: str, **facts: Any) -> str:
    """The text in the reader's language with its facts filled in."""
    text = _reader().texts.ugettext(message)
    return text % facts if facts else text


def translate(message: str, **facts: Any) -> str:
    """Translate a text that was marked elsewhere by `N_`; an empty text stays empty."""
    return gettext(message, **facts) if message else ""


class _Reader(NamedTuple):
    """A language and its texts."""

    language: str
    texts: NullTranslations


def _reader() -> _Reader:
    """For whom texts are written now.

    A page asks for hundreds of texts, and Flask-Babel looks for language and catalogue each time:
    they are found once a request.
    """
    try:
        found: _Reader = g.reader
    except RuntimeError:
        return _Reader("vi", NullTranslations())  # outside of any application
    except AttributeError:
        found = g.reader = _found_reader()
    return found


def _found_reader() -> _Reader:
    language = str(_babel_locale().language)
    catalogues: dict[str, NullTranslations] = current_app.extensions["texts"]
    if language not in catalogues:
        catalogues[language] = get_translations()
    return _Reader(language, catalogues[language])


@contextmanager
def force_locale(language: str) -> Iterator[None]:
    """Write texts in this language while the block runs."""
    with _force_locale(language):
        kept = g.pop("reader", None)
        try:
            yield
        finally:
            g.pop("reader", None)
            if kept is not None:
                g.reader = kept


def current_language() -> str:
    return _reader().language


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
        gettext=lambda text: _reader().texts.ugettext(text),
        ngettext=lambda one, many, number: _reader().texts.ungettext(one, many, number),
        newstyle=True,
    )
