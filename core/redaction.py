"""What opens something is written into no log: tokens, cookies, and links that are keys."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, MutableMapping
from typing import Any

GONE = "…"
# Headers and cookies as they stand in messages and tracebacks, of whatever library.
PATTERNS = (
    re.compile(r"(?i)(\b(?:bearer|basic)[\s'\"]+)[\w.~+/=-]+"),
    re.compile(
        r"(?i)(\bauthorization['\"]?\s*[:=,]\s*['\"]?)(?!['\"]?(?:bearer|basic)\b)[^\s'\",:=]+"
    ),
    re.compile(r"(?i)(\b(?:session|remember_token|csrf_token)=)[^;\s&'\"]+"),
)
_links: list[re.Pattern[str]] = []


def know_links(prefixes: Iterable[str]) -> None:
    """Say behind which addresses the next part of the path is a key, as `/n/`."""
    found = "|".join(sorted(re.escape(one) for one in set(prefixes)))
    _links[:] = [re.compile(rf"(?i)({found})[^/?#\s'\"\\\\]+")] if found else []


def redacted(text: str) -> str:
    """The text without what opens something."""
    for pattern in (*_links, *PATTERNS):
        text = pattern.sub(rf"\1{GONE}", text)
    return text


def redact_event(logger: Any, method: str, event: MutableMapping[str, Any]) -> Any:
    """For structlog: every text of an event, its traceback included."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = redacted(value)
    return event


class Redacting(logging.Filter):
    """For the standard library's loggers: the message as it would be written, and its traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redacted(record.getMessage()), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redacted(record.exc_text)
        return True
