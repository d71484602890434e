"""How numbers, dates and enum values are written in pages, in the reader's language."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from babel.numbers import format_decimal
from flask import Flask, current_app, request
from flask_babel import format_date, format_datetime, format_timedelta, to_user_timezone
from jinja2 import pass_context

from core.i18n import current_language, translate
from core.words import N_


def label(value: Any, vocabulary: str) -> str:
    """The text of a value of a vocabulary, the value itself where it has none."""
    if value is None or value == "":
        return ""
    labels: Mapping[str, Mapping[str, str]] = current_app.extensions["labels"]
    return translate(labels[vocabulary].get(str(value), str(value)))


def day(value: date | None) -> str:
    """A date as people here write it: 23/11/2026 in both languages."""
    return value.strftime("%d/%m/%Y") if value else "–"


def moment(value: datetime | None) -> str:
    return format_datetime(value, "dd/MM/yyyy HH:mm") if value else "–"


def clock_offset(seconds: int) -> str:
    """By how much a clock is off, in words."""
    time = format_timedelta(timedelta(seconds=abs(seconds)), threshold=1.5)
    if seconds < 0:
        return translate(N_("%(time)s behind"), time=time)
    return translate(N_("%(time)s ahead"), time=time)


def local_input(value: datetime) -> str:
    """A moment as a field of a form takes it, in the department's zone, to the second."""
    return to_user_timezone(value).strftime("%Y-%m-%dT%H:%M:%S")


def number(value: Decimal | float | int | None, digits: int = 1) -> str:
    if value is None:
        return "–"
    return written(value, digits, current_language())


def degrees(value: float) -> str:
    """Degrees with six decimals, about 0.1 m."""
    return f"{value:.6f}"


def dialled(number: str) -> str:
    """A phone number as an address takes it, digits and a leading plus; empty where it is none."""
    digits = re.sub(r"[^0-9]", "", number.partition("/")[0].partition(",")[0])
    if not 3 <= len(digits) <= 15:
        return ""
    return f"+{digits}" if number.strip().startswith("+") else digits


def zip_labels(values: Iterable[Any], vocabulary: str) -> list[tuple[str, str]]:
    """The values with their texts, as a select takes them."""
    return [(str(value), label(value, vocabulary)) for value in values]


def with_query(path: str = "", /, **changes: Any) -> str:
    """The address of this page, or of another path, with this page's arguments, some changed.

    `None` takes one away. Not by `url_for`, which takes some names for its own.
    """
    arguments = request.args.to_dict(flat=False)
    for name, value in changes.items():
        arguments.pop(name, None)
        if value is not None:
            arguments[name] = [str(value)]
    path = path or request.path
    return f"{path}?{urlencode(arguments, doseq=True)}" if arguments else path


def _of_reader(words: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that is asked for every reader: of constants alone, Jinja would ask it once, and
    keep the language of whoever came first."""

    @pass_context
    def asked(context: Any, *arguments: Any) -> Any:
        return words(*arguments)

    return asked


def init_app(app: Flask, labels: Mapping[str, Mapping[str, str]]) -> None:
    """Add the filters; `labels` holds for each vocabulary the English text of each value."""
    app.extensions["labels"] = labels
    app.jinja_env.filters.update(
        label=_of_reader(label),
        day=day,
        moment=moment,
        clock_offset=clock_offset,
        number=number,
        degrees=degrees,
        local_input=local_input,
        dialled=dialled,
        zip_labels=_of_reader(zip_labels),
        zip_with=lambda first, second: list(zip(first, second, strict=True)),
    )
    app.jinja_env.globals.update(
        with_query=with_query, language=current_language, format_date=format_date
    )


def texts_of(vocabulary: str) -> dict[str, str]:
    """The text of each value of a vocabulary in the reader's language."""
    labels: Mapping[str, Mapping[str, str]] = current_app.extensions["labels"]
    return {value: translate(text) for value, text in labels[vocabulary].items()}


@lru_cache(maxsize=10_000)
def written(value: Decimal | float | int, digits: int, language: str) -> str:
    """A number with at most so many decimals; heights and counts of lists come again and again."""
    pattern = "#,##0" if digits == 0 else "#,##0." + "#" * digits
    return format_decimal(value, pattern, locale=language)
