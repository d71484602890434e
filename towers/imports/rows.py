"""What a row of a list says: its values as COPY takes them, or what is wrong with it.

A list may have a million rows, so everything that is the same for all of them is decided once, and
a value that was read before is not read again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import orjson

from core.geo import Envelope
from core.words import N_
from towers.coordinate_systems import WGS84
from towers.coordinate_texts import LATITUDE, LONGITUDE
from towers.coordinates import NUMBER
from towers.fields import BY_NAME, FIELDS, Field, Kind, Unreadable, read
from towers.mapping import FORMULA_ERRORS, ColumnMapping, read_place, texts_of
from towers.readers import MAX_CELL, Row
from towers.rules import code_problem

NULL = r"\N"
# What COPY reads in its own way within a text.
SPECIAL = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
NUL = N_("A text has a character that cannot be stored")
TOO_LONG = N_("This text is too long")
FORMULA_FAILED = N_("A formula of the sheet has failed here: mend it, or empty the cell")
POSITION = frozenset((LATITUDE, LONGITUDE, "position", "system"))
# So many different texts of a column are remembered.
REMEMBERED = 20_000

# The same types as the columns of `tower`, without their limits.
SQL_TYPES = {
    Kind.CODE: 'text COLLATE "C"',
    Kind.LINE: "text",
    Kind.TEXT: "text",
    Kind.NUMBER: "numeric",
    Kind.WHOLE: "integer",
    Kind.YEAR: "smallint",
    Kind.DAY: "date",
    Kind.CHOICE: "text",
    Kind.CHOICES: "text[]",
    Kind.FLAG: "boolean",
    Kind.ORGANISATION: "text",
}
FORMER = BY_NAME["former_commune"]
STAGED = tuple(field for field in FIELDS if field.kind is not Kind.COORDINATE)


@dataclass(frozen=True)
class BadCell:
    """What is wrong with one row: its number, column and value, and why."""

    number: int
    column: str
    value: str
    message: str
    facts: Mapping[str, Any] = field(default_factory=dict)


def copied(value: Any) -> str:
    """A value as the text format of COPY has it."""
    if value is None or value == "":
        return NULL
    if isinstance(value, str):
        return value.translate(SPECIAL)
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, list):
        return "{" + ",".join(value) + "}"
    return value.isoformat() if isinstance(value, date) else str(value)


def _read(of: Field, text: str) -> Any:
    """As `read`; a column of numbers with gaps, as programs write it, has 2015.0 for a year."""
    return read(of, text.removesuffix(".0") if of.kind is Kind.YEAR else text)


class _Known(dict[str, str]):
    """The texts of a column that were read already, as COPY takes their values."""

    def __init__(self, of: Field, empty: frozenset[str]) -> None:
        super().__init__()
        self.of, self.empty = of, empty

    def __missing__(self, text: str) -> str:
        if text in FORMULA_ERRORS:
            raise Unreadable(FORMULA_FAILED)
        empty = not text or text.lower() in self.empty
        made = NULL if empty else copied(_read(self.of, text))
        if len(self) >= REMEMBERED:
            self.clear()
        self[text] = made
        return made


def _line(of: Field, empty: frozenset[str]) -> Callable[[str], str]:
    def converted(text: str) -> str:
        if not text or (len(text) < 16 and text.lower() in empty):
            return NULL
        if text[0] == "#" and text in FORMULA_ERRORS:
            raise Unreadable(FORMULA_FAILED)
        if len(text) > of.longest or "\x00" in text:
            return copied(read(of, text))
        return text if text.isprintable() and "\\" not in text else text.translate(SPECIAL)

    return converted


class RowReader:
    """Reads the rows of one list.

    `columns` are those of the staging table, in the order of what `read` gives; `placed` says
    whether rows have coordinates of their own beside the position, in a system of their own.
    `given` are the fields that the list says something about: those of its columns, and the former
    commune that `places.derive_former` makes of a stated one.
    """

    def __init__(self, mapping: ColumnMapping, envelope: Envelope) -> None:
        self.mapping, self.envelope = mapping, envelope
        self.empty = frozenset(mapping.empty)
        places = {name: where[0] for name, where in mapping.columns.items() if len(where) == 1}
        self.places: dict[str, int] = {n: p for n, p in places.items() if p is not None}
        self.code_at = self.places.get("code")
        self.call_sign_at = self.places.get("call_sign")
        self.stated_at = self.places.get("stated_commune")
        self.written = tuple(
            of for of in STAGED if of.name in self.places and of.kind is not Kind.CODE
        )
        derived = (FORMER,) if self.stated_at is not None and FORMER not in self.written else ()
        self.given = (*self.written, *derived)
        self.converters = [(self.places[of.name], self._converter(of)) for of in self.written]
        if self.stated_at is not None:
            self.converters.insert(0, (self.stated_at, self._converter(FORMER)))
        self.placed = (
            mapping.srid != WGS84.srid or "system" in self.places or "position" in self.places
        )
        # The usual list has decimal degrees in two columns.
        self.degrees: tuple[int, int] | None = None
        if not self.placed and {LATITUDE, LONGITUDE} <= set(self.places):
            self.degrees = self.places[LATITUDE], self.places[LONGITUDE]
        self.columns = (
            "line", "cells", "code", "lon", "lat",
            *(("srid", "x", "y") if self.placed else ()),
            *(("call_sign", "made") if self.call_sign_at is not None else ()),
            *(("stated_commune",) if self.stated_at is not None else ()),
            *(of.name for of in self.written),
        )  # fmt: skip

    def _converter(self, of: Field) -> Callable[[str], str]:
        if of.kind in {Kind.LINE, Kind.TEXT}:
            return _line(of, self.empty)
        return _Known(of, self.empty).__getitem__

    def read(self, row: Row) -> tuple[str, list[BadCell]]:
        """The row as a line of COPY, or what is wrong with it."""
        cells = row.cells
        if not row.problems:
            try:
                return self._quickly(row, cells), []
            except (Unreadable, _Unusual):
                pass
        return self._carefully(row)

    def _quickly(self, row: Row, cells: list[str]) -> str:
        """The usual row; raises where anything has to be looked at."""
        if self.degrees is None or self.code_at is None:
            raise _Unusual
        first, second = self.degrees
        lat, lon = cells[first], cells[second]
        if not (NUMBER.match(lat) and NUMBER.match(lon)):
            raise _Unusual
        lat, lon = lat.replace(",", "."), lon.replace(",", ".")
        north, east, box = float(lat), float(lon), self.envelope
        if not (box.west <= east <= box.east and box.south <= north <= box.north):
            raise _Unusual
        if north == 0 == east:
            raise _Unusual
        code = cells[self.code_at]
        if not code or code_problem(code) or code.lower() in self.empty:
            raise _Unusual
        if max(map(len, cells)) > MAX_CELL:
            raise _Unusual
        values = [str(row.number), original(cells), code, lon, lat]
        if self.call_sign_at is not None:
            values += [copied(cells[self.call_sign_at]), "f"]
        values += [convert(cells[place]) for place, convert in self.converters]
        return "\t".join(values) + "\n"

    def _carefully(self, row: Row) -> tuple[str, list[BadCell]]:
        """Every cell of the row, and everything that is wrong with it."""
        values = texts_of(row, self.mapping)
        problems = [
            BadCell(row.number, column, value, message, facts)
            for column, message, facts, value in row.problems
        ]

        def bad(column: str, message: str, facts: Mapping[str, Any]) -> None:
            problems.append(
                BadCell(row.number, column, self._shown(column, values), message, facts)
            )

        if any(problem.column == "_geometry" for problem in problems):
            return "", problems
        for column, value in values.items():
            if len(value) > MAX_CELL:
                bad(column, TOO_LONG, {})
            elif "\x00" in value:
                bad(column, NUL, {})
            elif value in FORMULA_ERRORS:
                bad(column, FORMULA_FAILED, {})
        failed = {column for column, value in values.items() if value in FORMULA_ERRORS}
        reading, wrong = (
            (None, []) if failed & POSITION else read_place(values, self.mapping, self.envelope)
        )
        for column, message, facts in wrong:
            bad(column, message, facts)
        code, call_sign = values.get("code", ""), values.get("call_sign", "")
        made = not code and bool(call_sign)
        if made and reading is not None:
            code = _made_code(call_sign, reading.position.latitude, reading.position.longitude)
        if not code and not (made and reading is None):
            bad("code", N_("The code is missing"), {})
        elif code and "code" not in failed and (problem := code_problem(code)):
            bad("call_sign" if made else "code", problem, {})
        texts = [str(row.number), original(row.cells), copied(code)]
        if reading is not None:
            position = reading.position
            texts += [repr(position.longitude), repr(position.latitude)]
            if self.placed:
                texts += [str(reading.system.srid), repr(reading.x), repr(reading.y)]
        if self.call_sign_at is not None:
            if len(call_sign) > BY_NAME["name"].longest:
                bad("call_sign", TOO_LONG, {})
            texts += [copied(call_sign), "t" if made else "f"]
        stated = (("stated_commune", FORMER),) if self.stated_at is not None else ()
        for name, of in (*stated, *((of.name, of) for of in self.written)):
            if name in failed:
                continue
            try:
                text = values.get(name, "")
                texts.append(copied(_read(of, text)) if text else NULL)
            except Unreadable as error:
                bad(name, error.text, error.facts)
        return ("" if problems else "\t".join(texts) + "\n"), problems

    @staticmethod
    def _shown(column: str, values: Mapping[str, str]) -> str:
        return values.get(column, "")[:200]


class _Unusual(Exception):
    """A row that has to be looked at carefully."""


def original(cells: list[str]) -> str:
    """The cells as they stood in the file, as a JSON text that COPY takes."""
    # Outside of texts JSON has no backslash, and inside each stands for itself.
    return orjson.dumps(cells).decode().replace("\\", r"\\")


def _made_code(call_sign: str, latitude: float, longitude: float) -> str:
    """A code from call sign and place, about 1 m: `KNKN848-38.63708N81.28478W`."""
    north = f"{abs(latitude):.5f}{'N' if latitude >= 0 else 'S'}"
    east = f"{abs(longitude):.5f}{'E' if longitude >= 0 else 'W'}"
    return f"{''.join(call_sign.split())}-{north}{east}"
