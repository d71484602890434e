"""The API under `/api/v1`: flask-smorest with our one error table and a documentation page."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any, ClassVar, cast

import orjson
from flask import Flask, Request, Response, jsonify, render_template, request
from flask.json.provider import DefaultJSONProvider
from flask_smorest import Api
from flask_smorest import Blueprint as SmorestBlueprint
from marshmallow import RAISE, Schema, ValidationError
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import HTTPException

from core import problems, validation
from core.errors import (
    BadRequest,
    Invalid,
    PreconditionFailed,
    PreconditionRequired,
    TooLarge,
    UnsupportedMedia,
)
from core.i18n import N_, translate
from core.policy import PUBLIC, SIGNED_IN, guard

# Before any schema declares a field.
validation.install()

PROBLEM = "application/problem+json"
MAX_DEPTH = 32
# The largest that anybody sends are a thousand towers, or what a phone gathered in weeks. Each
# value takes some sixty bytes here, whatever it takes there.
MAX_JSON_BYTES = 8 * 2**20
MAX_VALUES = 500_000
MAX_DIGITS = 1_000
# A text, which may lack its end, or what begins, ends or parts values.
MARK = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{},]', re.DOTALL)
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class BoundedRequest(Request):
    """A request whose JSON is held whole and has to be small; files may be larger."""

    @property
    def max_content_length(self) -> int | None:
        limit = super().max_content_length
        if not self.is_json:
            return limit
        return MAX_JSON_BYTES if limit is None else min(limit, MAX_JSON_BYTES)

    @max_content_length.setter
    def max_content_length(self, value: int | None) -> None:
        self._max_content_length = value


class ProblemApi(Api):
    """flask-smorest whose errors are answered by `core.problems`."""

    def handle_http_exception(self, error: HTTPException) -> Response:
        return problems.answer(error)


class QuickJson(DefaultJSONProvider):
    """Answers in JSON, written by orjson: lists and feeds have thousands of values."""

    ensure_ascii = False

    def response(self, *args: Any, **kwargs: Any) -> Response:
        body = self._prepare_response_obj(args, kwargs)
        try:
            text = orjson.dumps(
                body,
                default=self.default,
                option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS | orjson.OPT_APPEND_NEWLINE,
            )
        except TypeError:
            # Numbers above 64 bits and lone surrogates, which an error may repeat to its sender.
            text = json.dumps(body, default=self.default).encode()
        make = cast(type[Response], self._app.response_class)
        return make(text, mimetype=self.mimetype)


class StrictParser(FlaskParser):
    """Reads JSON bodies by `strict_json`; arguments of other places as webargs does."""

    DEFAULT_UNKNOWN_BY_LOCATION: ClassVar[dict[str, str | None]] = {  # type: ignore[misc]
        "json": RAISE,
        "query": RAISE,
        "form": RAISE,
        "files": RAISE,
    }

    def load_json(self, req: Any, schema: Schema) -> Any:
        return json_body(req)


class Blueprint(SmorestBlueprint):
    """A blueprint of `/api/v1` with the strict parser."""

    ARGUMENTS_PARSER = StrictParser()


class StrictSchema(Schema):
    """A body or query in which an unknown field is an error, never ignored."""

    class Meta:
        unknown = RAISE
        ordered = True


def version_tag(version: int) -> str:
    """The ETag of a row: its version, the same for every reader."""
    return f'"v{version}"'


def with_tag(response: Response, version: int) -> Response:
    response.headers["ETag"] = version_tag(version)
    return response


def require_match(given: str | None, current: int, fields: dict[str, Any] | None = None) -> None:
    """Raise 428 without If-Match and 412 when the row has changed since the reader saw it."""
    if not given:
        raise PreconditionRequired(
            N_("Send the ETag of the version you are changing in the header If-Match")
        )
    if not {version_tag(current), "*"} & {one.strip() for one in given.split(",")}:
        facts: dict[str, Any] = {"now": fields} if fields else {}
        raise PreconditionFailed(current=version_tag(current), **facts)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError(N_("a key stands twice in one object"))
    return made


def _not_finite(value: str) -> Any:
    raise ValueError(N_("a number is not finite"))


def _whole(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(N_("a number is too long"))
    return int(text)


def strict_json(data: bytes, *, most_values: int = MAX_VALUES) -> Any:
    """Parse JSON and refuse what loose parsers let through: NaN, 1e999, double keys, depth.

    Raises `BadRequest` with the reason.
    """
    try:
        text = data.decode("utf-8")
        _check_shape(text, most_values)
        value = json.loads(
            text,
            object_pairs_hook=_no_duplicates,
            parse_constant=_not_finite,
            parse_int=_whole,
        )
        _refuse_unstorable(value)
        return value
    except json.JSONDecodeError as error:
        raise BadRequest(
            N_("The JSON cannot be read: it is wrong in line %(line)s, column %(column)s"),
            line=error.lineno,
            column=error.colno,
        ) from error
    except UnicodeDecodeError as error:
        raise BadRequest(N_("This is not a text in UTF-8.")) from error
    except ValueError as error:
        reason = translate(str(error))
        raise BadRequest(N_("The JSON cannot be read: %(reason)s"), reason=reason) from error


def _check_shape(text: str, most_values: int) -> None:
    """Refuse what is too deep, or has so many values that they would fill the memory."""
    depth = values = 0
    for found in MARK.finditer(text):
        mark = text[found.start()]
        if mark == '"':
            continue
        if mark in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise BadRequest(
                    N_("The JSON is nested deeper than %(limit)s levels"), limit=MAX_DEPTH
                )
        elif mark in "]}":
            depth -= 1
            continue
        values += 1
        if values > most_values:
            raise TooLarge(N_("The JSON has more than %(limit)s values"), limit=most_values)


def _refuse_unstorable(value: Any) -> None:
    """Infinite numbers, lone surrogates and NUL can be parsed but not stored."""
    if isinstance(value, dict):
        for key, inner in value.items():
            _refuse_unstorable(key)
            _refuse_unstorable(inner)
    elif isinstance(value, list):
        for inner in value:
            _refuse_unstorable(inner)
    elif isinstance(value, float):
        if value in (float("inf"), float("-inf")) or value != value:
            raise ValueError(N_("a number is not finite"))
    elif isinstance(value, str) and UNSTORABLE.search(value):
        raise ValueError(N_("a text has a character that cannot be stored"))


def json_body(request: Any) -> Any:
    """The JSON of a request, strictly; raises 415 for another content type, 413 for too much."""
    if request.mimetype not in {"application/json", "application/merge-patch+json"}:
        raise UnsupportedMedia(N_("Send JSON with the header Content-Type: application/json"))
    content, limit = request.get_data(), request.max_content_length
    # One that does not tell its length is cut off at the limit, without a word.
    if limit is not None and len(content) >= limit:
        raise TooLarge()
    return strict_json(content)


def form_uuid(name: str) -> uuid.UUID:
    """The number in a field of a form with files; raises `Invalid`."""
    try:
        return uuid.UUID(request.form.get(name, ""))
    except ValueError as error:
        raise Invalid(fields={name: [N_("This is not a UUID.")]}) from error


def form_sha256() -> bytes | None:
    """The hash that a device computed of the file it sends; `None` where it sent none."""
    given = request.form.get("sha256", "")
    try:
        return bytes.fromhex(given) if given else None
    except ValueError as error:
        message = N_("This is not a SHA-256 in hexadecimal digits")
        raise Invalid(message, fields={"sha256": [message]}) from error


def init_app(app: Flask) -> ProblemApi:
    app.config.update(
        API_TITLE="Tháp Canh",
        API_VERSION="v1",
        OPENAPI_VERSION="3.0.3",
        OPENAPI_URL_PREFIX=None,
        API_SPEC_OPTIONS={
            "info": {
                "description": "Tower safety: register, inspections, violations, follow-up.",
                "license": {"name": "AGPL-3.0-or-later"},
            },
            "components": {
                "securitySchemes": {
                    "session": {"type": "apiKey", "in": "cookie", "name": "session"},
                    "token": {"type": "http", "scheme": "bearer"},
                }
            },
            "security": [{"token": []}, {"session": []}],
        },
    )
    app.json = QuickJson(app)
    app.request_class = BoundedRequest
    api = ProblemApi(app)

    @app.get("/api/openapi.json")
    @guard(SIGNED_IN)
    def openapi_document() -> Response:
        return jsonify(document(api))

    @app.get("/api/docs")
    @guard(SIGNED_IN)
    def openapi_page() -> str:
        return render_template("core/api_docs.html")

    return api


def document(api: ProblemApi) -> dict[str, Any]:
    """The OpenAPI document as it is served: errors are problem+json."""
    spec: dict[str, Any] = json.loads(json.dumps(api.spec.to_dict()))
    for response in spec.get("components", {}).get("responses", {}).values():
        content = response.get("content")
        if content and "application/json" in content:
            response["content"] = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    spec["components"]["schemas"]["Problem"] = {
        "type": "object",
        "required": ["type", "title", "status", "code", "detail"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "code": {"type": "string"},
            "detail": {"type": "string"},
            "fields": {
                "type": "object",
                "additionalProperties": {"type": "array", "items": {"type": "string"}},
            },
            "facts": {"type": "object"},
        },
    }
    return spec


__all__ = [
    "PUBLIC",
    "Blueprint",
    "ProblemApi",
    "StrictSchema",
    "ValidationError",
    "form_sha256",
    "form_uuid",
    "init_app",
    "json_body",
    "require_match",
    "strict_json",
    "version_tag",
    "with_tag",
]
