"""One table from errors to HTTP: problem+json (RFC 9457) under `/api`, a page elsewhere."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any

import structlog
from flask import Flask, Response, jsonify, redirect, render_template, request, url_for
from flask_wtf.csrf import CSRFError
from psycopg import errors as pg
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import MethodNotAllowed as NotThisMethod

from core.errors import (
    BY_STATUS,
    BadRequest,
    Broken,
    Conflict,
    DomainError,
    FieldText,
    Forbidden,
    Invalid,
    Moved,
    StorageFull,
    Unauthenticated,
    Unavailable,
)
from core.i18n import N_, gettext, translate
from core.redaction import redacted

log = structlog.get_logger()

# No room, no quota left, a file longer than allowed.
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
BUSY = (pg.QueryCanceled, pg.LockNotAvailable, pg.OperationalError, pg.DeadlockDetected)


def wants_json() -> bool:
    """Whether the requester is a program: under `/api`, or asking for JSON on a data address."""
    if request.path.startswith("/api/"):
        return True
    accepts = request.accept_mimetypes
    return accepts.best_match(["text/html", "application/json"]) == "application/json" or (
        request.path.endswith((".json", ".geojson", ".mvt", ".pmtiles"))
    )


def as_domain_error(error: Exception) -> DomainError:
    """Translate what libraries raise into our own family; the unexpected becomes `Broken`."""
    if isinstance(error, DomainError):
        return error
    if isinstance(error, CSRFError):
        return BadRequest(N_("This form has expired: open the page again and send it once more"))
    if isinstance(error, HTTPException):
        kind = BY_STATUS.get(error.code or 500, BadRequest if (error.code or 500) < 500 else Broken)
        # flask-smorest keeps the messages of a schema in `data`.
        data = getattr(error, "data", None) or {}
        messages = data.get("messages")
        if messages:
            return Invalid(fields=flat_messages(messages))
        return kind()
    if isinstance(error, PoolTimeout):
        return Unavailable()
    if isinstance(error, DBAPIError):
        return _database_error(error)
    if isinstance(error, OSError) and error.errno in FULL:
        return StorageFull()
    return Broken()


def _database_error(error: DBAPIError) -> DomainError:
    cause = error.orig
    if isinstance(cause, pg.UniqueViolation):
        return Conflict(N_("There is already one with the same code, name or number"))
    if isinstance(cause, pg.CheckViolation):
        if cause.diag.constraint_name == "ck_tower_envelope":
            return Invalid(
                N_("The position lies outside the area of this deployment"),
                fields={
                    field: [N_("The position lies outside the area of this deployment")]
                    for field in ("latitude", "longitude")
                },
            )
        return Invalid()
    if isinstance(cause, pg.ForeignKeyViolation):
        return Conflict(N_("Other records depend on this one"))
    if isinstance(cause, pg.ReadOnlySqlTransaction):
        return Forbidden(N_("You are looking as another person: nothing can be changed"))
    if isinstance(cause, pg.DataError | pg.UntranslatableCharacter):
        return Invalid(N_("A value cannot be stored: it has characters or a size not allowed"))
    if isinstance(cause, pg.DiskFull):
        return StorageFull()
    if isinstance(error, OperationalError) or isinstance(cause, BUSY):
        return Unavailable()
    return Broken()


def flat_messages(messages: object, path: str = "") -> dict[str, list[str]]:
    """Flatten marshmallow's nested messages to `{"a.b": ["…"]}`; webargs' location is dropped."""
    flat: dict[str, list[str]] = {}
    if isinstance(messages, dict):
        for key, value in messages.items():
            name = str(key)
            below = (
                path
                if not path and name in {"json", "query", "form", "files"}
                else (f"{path}.{name}" if path else name)
            )
            for inner, texts in flat_messages(value, below).items():
                flat.setdefault(inner, []).extend(texts)
    elif isinstance(messages, list):
        for message in messages:
            if isinstance(message, dict | list):
                for inner, texts in flat_messages(message, path).items():
                    flat.setdefault(inner, []).extend(texts)
            else:
                flat.setdefault(path or "_", []).append(str(message))
    else:
        flat.setdefault(path or "_", []).append(str(messages))
    return flat


def field_texts(error: DomainError) -> dict[str, list[str]]:
    """What is wrong with each field, in the reader's language."""
    return {
        name: [_field_text(text, error.facts) for text in texts]
        for name, texts in error.fields.items()
    }


def errors_of(error: DomainError, place: str = "form") -> dict[str, list[str]]:
    """What a page shows beside its fields; an error without a field stands at `place`."""
    return field_texts(error) or {place: [error.text()]}


def _field_text(text: FieldText, facts: Mapping[str, Any]) -> str:
    if isinstance(text, tuple):
        return translate(text[0], **text[1])
    # Without a fact to fill in, a percent sign is only a percent sign.
    return translate(text, **facts) if "%(" in text else translate(text)


def problem(error: DomainError) -> Response:
    """The error as problem+json."""
    body = {
        "type": f"/problems/{error.code}",
        "title": translate(error.title),
        "status": error.status,
        "code": error.code,
        "detail": error.text(),
    }
    if error.fields:
        body["fields"] = field_texts(error)
    facts = {key: value for key, value in error.facts.items() if key not in body}
    if facts:
        body["facts"] = facts
    response = jsonify(body)
    response.status_code = error.status
    response.content_type = "application/problem+json"
    _headers(response, error)
    return response


def _headers(response: Response, error: DomainError) -> None:
    if error.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="thap-canh"'
    if error.status in {429, 503}:
        response.headers["Retry-After"] = str(error.facts.get("retry_after", 5))


def page(error: DomainError) -> Response:
    """The error as a page that says what to do next."""
    advice = {
        403: gettext("Ask an administrator if you need this."),
        404: gettext("Check the address, or go back to the list."),
        409: gettext("Open the page again to see the current state."),
        413: gettext("Choose a smaller file."),
        503: gettext("Nothing was lost. Wait a few seconds and load the page again."),
    }.get(error.status, "")
    response = Response(
        render_template(
            "core/error.html",
            broken=True,
            status=error.status,
            title=translate(error.title),
            message=error.text(),
            advice=advice,
        ),
        status=error.status,
        mimetype="text/html",
    )
    _headers(response, error)
    return response


def answer(error: Exception) -> Response:
    """What the requester gets for any error."""
    known = as_domain_error(error)
    if known.status >= 500:
        log.error("request failed", path=redacted(request.path), exc_info=error)
    response = _answer(known)
    if isinstance(error, NotThisMethod) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response


def _answer(known: DomainError) -> Response:
    if wants_json():
        return problem(known)
    if isinstance(known, Moved) and request.method in {"GET", "HEAD"}:
        address = {**(request.view_args or {}), **request.args.to_dict(flat=False), **known.to}
        return redirect(url_for(request.endpoint or "", **address), 301)  # type: ignore[return-value]
    if isinstance(known, Unauthenticated) and request.method in {"GET", "HEAD"}:
        target = request.full_path if request.query_string else request.path
        return redirect(url_for("security.login", next=target))  # type: ignore[return-value]
    return page(known)


def init_app(app: Flask) -> None:
    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        # A redirect is an answer, not an error.
        if error.code is not None and error.code < 400:
            return error.get_response()  # type: ignore[return-value]
        return answer(error)

    @app.errorhandler(Exception)
    def any_error(error: Exception) -> Response:
        return answer(error)
