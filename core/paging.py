"""Keyset pages: a cursor holds the last row's sort values; page 1,000 costs as page 1."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from core.errors import BadRequest
from core.i18n import N_

Row = TypeVar("Row")

DEFAULT_LIMIT = 50
MAX_LIMIT = 500


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows and the cursor of the next page; `None` after the last."""

    rows: Sequence[Row]
    next_cursor: str | None


def clamp(limit: int | None) -> int:
    return max(1, min(limit or DEFAULT_LIMIT, MAX_LIMIT))


def encode(values: Sequence[Any]) -> str:
    """An opaque cursor from the sort values of a row."""
    plain = [
        value.isoformat()
        if isinstance(value, date | datetime)
        else str(value)
        if isinstance(value, uuid.UUID)
        else value
        for value in values
    ]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def decode(cursor: str, kinds: Sequence[Callable[[Any], Any]]) -> list[Any]:
    """The sort values in a cursor; raises `BadRequest` for one that this list never gave."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        values = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if not isinstance(values, list) or len(values) != len(kinds):
            raise ValueError("another list's cursor")
        decoded = [kind(value) for kind, value in zip(kinds, values, strict=True)]
        if any(isinstance(value, str) and "\x00" in value for value in decoded):
            raise ValueError("a cursor with a NUL")
        return decoded
    # `uuid.UUID` asks what it is given for a method of texts: hence AttributeError.
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise BadRequest(
            N_("This cursor is not one of this list: start again from its first page")
        ) from error


def text_value(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")
    value.encode()
    return value


def whole_number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > 2**31:
        raise ValueError("not a whole number")
    return value


def moment(value: Any) -> datetime:
    found = datetime.fromisoformat(value)
    if found.tzinfo is None:
        raise ValueError("a moment without its zone")
    return found


def keyset(
    statement: Select[Any],
    keys: Sequence[ColumnElement[Any] | InstrumentedAttribute[Any]],
    kinds: Sequence[Callable[[Any], Any]],
    cursor: str | None,
    *,
    descending: bool = False,
) -> Select[Any]:
    """Order a statement by `keys` and start it behind the cursor."""
    if cursor:
        values = decode(cursor, kinds)
        here, there = tuple_(*keys), tuple_(*values)
        statement = statement.where(here < there if descending else here > there)
    return statement.order_by(*(key.desc() if descending else key.asc() for key in keys))


def page_of(rows: Sequence[Row], limit: int, key: Callable[[Row], Sequence[Any]]) -> Page[Row]:
    """A page from `limit + 1` fetched rows."""
    if len(rows) > limit:
        return Page(rows[:limit], encode(key(rows[limit - 1])))
    return Page(rows, None)
