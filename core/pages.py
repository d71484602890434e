"""Doors without a subject: the choice of language, the certificate that phones are to trust."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Blueprint, current_app, redirect, render_template, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from core import store
from core.authority import authority_file, fingerprint_of
from core.errors import BadRequest, NotFound
from core.guard import route_action
from core.i18n import LANGUAGE_COOKIE
from core.policy import PUBLIC, guard

View = TypeVar("View", bound=Callable[..., Any])
blueprint = Blueprint("core", __name__, template_folder="templates")


def local_target(target: str | None) -> str:
    """The path to go back to; anything that would leave this site becomes `/`."""
    if not target:
        return "/"
    parts = urlsplit(target)
    if parts.scheme or parts.netloc or not parts.path.startswith("/"):
        return "/"
    if parts.path.startswith(("//", "/\\")) or any(ord(letter) < 32 for letter in target):
        return "/"
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def service_address(session: Session) -> str:
    """The address of this service as readers outside reach it, without a slash at its end."""
    return str(store.value_of(session, "public_url") or request.host_url.rstrip("/"))


def large_body(limit: int, *, known: Callable[..., Any] | None = None) -> Callable[[View], View]:
    """Let a view take files of so many bytes in all, more than others may.

    `known` gets what stands in the address and raises where nothing should be read: for views that
    are open to whoever holds a key.
    """

    def mark(view: View) -> View:
        view.__dict__.update(max_body=limit, known=known)
        return view

    return mark


@blueprint.get("/static/<version>/<path:filename>")
@guard(PUBLIC)
def earlier_file(version: str, filename: str) -> Response:
    """A page of before an upgrade asks for what it has not loaded yet; `static` has the others."""
    response = current_app.send_static_file(filename)
    response.cache_control.max_age = None
    response.cache_control.no_cache = True
    return response


@blueprint.before_app_request
def limit_bodies() -> None:
    """Only files may be large: other bodies are read whole, and parsed, before anybody looks.

    Whoever needs no account sends none, but where a key opens the view.
    """
    config, endpoint = current_app.config, request.endpoint or ""
    request.max_content_length = min(config["MAX_CONTENT_LENGTH"], config["MAX_FORM_MEMORY_SIZE"])
    if request.mimetype != "multipart/form-data" or endpoint not in current_app.view_functions:
        return
    view: Any = current_app.view_functions[endpoint]
    kind = getattr(view, "view_class", None)
    method = getattr(kind, request.method.lower(), None) if kind else view
    large, known = getattr(method, "max_body", 0), getattr(method, "known", None)
    if known is not None:
        known(**(request.view_args or {}))
    elif route_action(current_app, endpoint, request.method) == PUBLIC:
        return
    request.max_content_length = max(config["MAX_CONTENT_LENGTH"], large)


@blueprint.post("/language")
@guard(PUBLIC)
def choose_language() -> Response:
    language = request.form.get("language", "")
    if language not in current_app.config["SETTINGS"].languages:
        raise BadRequest()
    response = redirect(local_target(request.form.get("next")))
    response.set_cookie(
        LANGUAGE_COOKIE,
        language,
        max_age=365 * 24 * 3600,
        samesite="Lax",
        httponly=True,
        secure=request.is_secure,
    )
    return response


def _authority() -> bytes:
    """The certificate of the local authority; raises `NotFound` where the service has none."""
    settings = current_app.config["SETTINGS"]
    path = authority_file(settings.instance)
    if not settings.tls or not path.exists():
        raise NotFound()
    return path.read_bytes()


@blueprint.get("/authority")
@guard(PUBLIC)
def authority() -> str:
    """How a phone comes to trust this service."""
    return render_template("core/authority.html", fingerprint=fingerprint_of(_authority()))


@blueprint.get("/authority.crt")
@guard(PUBLIC)
def authority_certificate() -> Response:
    """The certificate that phones install."""
    response = Response(_authority(), mimetype="application/x-x509-ca-cert")
    response.headers["Content-Disposition"] = 'attachment; filename="thap-canh.crt"'
    return response
