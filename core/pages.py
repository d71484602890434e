"""Doors without a subject: the choice of language."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, current_app, redirect, request
from werkzeug.wrappers import Response

from core.errors import BadRequest
from core.i18n import LANGUAGE_COOKIE
from core.policy import PUBLIC, guard

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


@blueprint.before_app_request
def limit_plain_bodies() -> None:
    """Only files may be large: other bodies are read whole, and parsed, before anybody looks."""
    if request.mimetype != "multipart/form-data":
        config = current_app.config
        request.max_content_length = min(
            config["MAX_CONTENT_LENGTH"], config["MAX_FORM_MEMORY_SIZE"]
        )


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
