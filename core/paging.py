"""Keyset pages: a cursor holds the last row's sort values; page 1,000 costs as page 1."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, and_, or_, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from core.errors import BadRequest
from core.i18n import N_

Row = TypeVar("Row")

DEFAULT_LIMIT = 50
MAX_LIMIT = 1000


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
        if isinstance(value, uuid.UUID | Decimal)
        else value
        for value in values
    ]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def decode(
    cursor: str, kinds: Sequence[Callable[[Any], Any]] | Callable[[Any], Sequence[Any]]
) -> list[Any]:
    """The sort values in a cursor; raises `BadRequest` for one that this list never gave.

    `kinds` reads each value; where they depend on the first one, a function of it gives them.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        values = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if callable(kinds) and isinstance(values, list) and values:
            kinds = kinds(values[0])
        if not isinstance(values, list) or callable(kinds) or len(values) != len(kinds):
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


def exact_number(value: Any) -> Decimal:
    """A number of a numeric column as `encode` writes it."""
    try:
        number = Decimal(text_value(value))
    except InvalidOperation as error:
        raise ValueError("not a number") from error
    if not number.is_finite() or abs(number) > 10**9:
        raise ValueError("not a number of a column")
    return number


def moment(value: Any) -> datetime:
    """A moment in UTC, of a year that every zone has."""
    found = datetime.fromisoformat(value)
    if found.tzinfo is None:
        raise ValueError("a moment without its zone")
    found = found.astimezone(UTC)
    if not 1900 <= found.year <= 9000:
        raise ValueError("a moment of no time here")
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
    behind = decode(cursor, kinds) if cursor else None
    return _ordered(statement, keys, behind, descending=descending)


def _ordered(
    statement: Select[Any],
    keys: Sequence[ColumnElement[Any] | InstrumentedAttribute[Any]],
    behind: Sequence[Any] | None,
    *,
    descending: bool,
) -> Select[Any]:
    """The rows behind some sort values, in the order of `keys`."""
    if behind is not None:
        here, there = tuple_(*keys), tuple_(*behind)
        statement = statement.where(here < there if descending else here > there)
    return statement.order_by(*(key.desc() if descending else key.asc() for key in keys))


@dataclass(frozen=True)
class Part:
    """A stretch of a list: the rows that fulfil `where`, ordered by `keys` in one direction.

    `names` are the attributes of a row that hold its keys.
    """

    keys: Sequence[ColumnElement[Any] | InstrumentedAttribute[Any]]
    kinds: Sequence[Callable[[Any], Any]]
    names: Sequence[str]
    where: ColumnElement[bool] | None = None
    descending: bool = False


def page_of_parts(
    parts: Sequence[Part],
    statement: Select[Any],
    fetch: Callable[[Select[Any]], Sequence[Row]],
    *,
    limit: int,
    cursor: str | None,
) -> Page[Row]:
    """A page of a list that goes through its parts one after another: by relevance, or first the
    rows that have a value and then those that have none.

    Each part reads an index in its order. A part is only asked when those before it are at their
    end, so a page takes as many statements as it meets parts, whatever the rows.
    """
    first, behind = 0, None
    if cursor:
        first, *behind = decode(cursor, lambda number: _kinds_of(parts, number))
    rows: list[tuple[int, Row]] = []
    for number in range(first, len(parts)):
        part = parts[number]
        asked = statement if part.where is None else statement.where(part.where)
        asked = _ordered(asked, part.keys, behind, descending=part.descending)
        behind = None
        rows += [(number, row) for row in fetch(asked.limit(limit + 1 - len(rows)))]
        if len(rows) > limit:
            number, row = rows[limit - 1]
            values = [getattr(row, name) for name in parts[number].names]
            return Page([one for _, one in rows[:limit]], encode([number, *values]))
    return Page([one for _, one in rows], None)


def _kinds_of(parts: Sequence[Part], number: Any) -> Sequence[Callable[[Any], Any]]:
    number = whole_number(number)
    if not 0 <= number < len(parts):
        raise ValueError("no part of this list")
    return (whole_number, *parts[number].kinds)


def page_of(rows: Sequence[Row], limit: int, key: Callable[[Row], Sequence[Any]]) -> Page[Row]:
    """A page from `limit + 1` fetched rows."""
    if len(rows) > limit:
        return Page(rows[:limit], encode(key(rows[limit - 1])))
    return Page(rows, None)


@dataclass(frozen=True)
class Behind:
    """A place in a timeline, the latest first: what happened earlier, or then with a smaller key.

    Keys are ASCII, compared letter by letter. What only has its day happened at noon.
    """

    at: datetime
    key: str

    def holds(self, at: datetime, key: str) -> bool:
        return (at, key) < (self.at, self.key)

    def before(self, at: ColumnElement[Any], key: ColumnElement[Any]) -> ColumnElement[bool]:
        """The same for columns."""
        return or_(at < self.at, and_(at == self.at, key.collate("C") < self.key))

    def before_day(
        self, day: ColumnElement[Any], key: ColumnElement[Any], zone: ZoneInfo
    ) -> ColumnElement[bool]:
        """The same for the column of a local day."""
        here = self.at.astimezone(zone).date()
        noon = at_noon(here, zone)
        if noon == self.at:
            return or_(day < here, and_(day == here, key.collate("C") < self.key))
        return day <= here if noon < self.at else day < here


def at_noon(day: date, zone: ZoneInfo) -> datetime:
    """Where a day stands among moments."""
    return datetime.combine(day, time(12), zone)


# Behind every key at one moment; and before everything that happened.
ANY = "~"
LATEST = Behind(datetime(9000, 1, 1, tzinfo=UTC), ANY)
