"""Structured logs: one line an event, with the request's id."""

from __future__ import annotations

import logging
import sys
import time
import uuid

import structlog
from flask import Flask, Response, g, request

from core.redaction import know_links, redact_event, redacted


def configure(log_format: str) -> None:
    """`console` for people, `json` for machines; both go to standard error."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            redact_event,
            renderer,
        ],
        # In one write each: lines of several threads and processes do not run into each other.
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=False,
    )


def keep_links_secret(app: Flask) -> None:
    """Know the addresses of all routes that take a token; called when the routes are there."""
    rules = (str(rule) for rule in app.url_map.iter_rules())
    know_links(rule.partition("<token>")[0] for rule in rules if "<token>" in rule)


def init_app(app: Flask) -> None:
    log = structlog.get_logger()

    @app.before_request
    def begin() -> None:
        g.started = time.perf_counter()
        g.request_id = str(uuid.uuid4())
        structlog.contextvars.bind_contextvars(request_id=g.request_id)

    @app.after_request
    def end(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.get("request_id", "")
        if not request.path.startswith("/static/"):
            log.info(
                "request",
                method=request.method,
                path=redacted(request.path),
                status=response.status_code,
                ms=round((time.perf_counter() - g.get("started", time.perf_counter())) * 1000, 1),
            )
        structlog.contextvars.clear_contextvars()
        return response
