"""The map on a sheet of paper: all that stands in its drawing, and beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup
from sqlalchemy.orm import Session

from areas import queries as areas
from core.formats import number
from core.geo import Envelope
from core.policy import Actor
from maps import queries
from maps.drawing import Label, Mark, Writing, marks
from maps.islands import islands_text
from maps.land import land_path
from maps.queries import printing, tiles
from maps.sheet import Frame, Paper, framed, mercator
from towers.queries import Filters
from towers.rules import Condition

SIGNS = Path(__file__).resolve().parents[1] / "core" / "assets" / "conditions.svg"
# Where Việt Nam lies with its two archipelagos, and how large the small map of it is.
COUNTRY = Envelope(101.5, 6.5, 117.5, 23.8)
COUNTRY_MM = (42, 47)
# Of filters, a line has so many letters, and none of them more lines.
LETTERS, MOST_LINES = 38, 8
# Where a map looks that is to show nothing yet.
NOWHERE = COUNTRY


@dataclass(frozen=True)
class Island:
    """An archipelago of Việt Nam by its name in each language, in millimetres of a drawing."""

    names: dict[str, str]
    x: float
    y: float


@dataclass(frozen=True)
class Sheet:
    """What a sheet says: `counts` are those of the towers that are drawn, by condition;
    `matching` of `total` towers are found by the filters."""

    paper: Paper
    frame: Frame
    land: str
    communes: Sequence[Any]
    area: str
    marks: Sequence[Mark]
    codes: Sequence[Label]
    names: Sequence[Label]
    islands: Sequence[Island]
    counts: dict[str, int]
    matching: int
    total: int
    synthetic: bool

    @property
    def shown(self) -> int:
        return sum(self.counts.values())

    @property
    def scale(self) -> int:
        """One to how many, in the middle, to two digits: it changes from the south to the north."""
        exact = self.frame.metres * 1000
        step = 10 ** (len(str(int(exact))) - 2)
        return round(exact / step) * step


def sheet(
    session: Session,
    actor: Actor,
    filters: Filters,
    paper: Paper,
    box: Envelope | None,
    *,
    today: date,
) -> Sheet:
    """The filtered towers in the reader's scope in a box that was looked at; without one, in that
    of all of them."""
    if box is not None:
        frame = framed(box, paper.frame)
    else:
        found = queries.extent(session, actor, filters, today=today) or areas.extent(session)
        frame = framed(Envelope(*found) if found else NOWHERE, paper.frame, room=0.06)
    shown = printing.towers(session, actor, filters, frame, today=today)
    inside = printing.communes(session, frame)
    drawn = marks(shown, written=lambda count: number(count, 0))
    writing = Writing(drawn, frame.width, frame.height)
    return Sheet(
        paper=paper,
        frame=frame,
        land=land_path(frame),
        communes=inside,
        area=_outline(filters, frame),
        marks=drawn,
        codes=writing.codes(drawn),
        names=writing.names(inside),
        islands=[one for one in islands(frame) if frame.holds(one.x, one.y)],
        counts={one: sum(part.numbers.get(one, 0) for part in shown) for one in Condition},
        **tiles.counts(session, actor, filters, today=today),
        synthetic=any(one.synthetic for one in inside),
    )


def _outline(filters: Filters, frame: Frame) -> str:
    """The area that was drawn, as the data of a path."""
    corners = [frame.at(*mercator(x, y)) for x, y in filters.area]
    return "M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in corners) + "Z" if corners else ""


def islands(frame: Frame) -> list[Island]:
    """Hoàng Sa and Trường Sa where they lie in a drawing, or beside it."""
    return [
        Island(
            {"vi": one["vi"], "en": one["en"]},
            *frame.at(*mercator(one["longitude"], one["latitude"])),
        )
        for one in json.loads(islands_text())["islands"]
    ]


def said(filters: Sequence[tuple[str, str]], lines: int) -> list[tuple[str, str]]:
    """The filters in so many lines; what is left out is marked."""
    found: list[tuple[str, str]] = []
    for place, (what, value) in enumerate(filters):
        # Those that come after it want a line each.
        free = max(1, lines - (len(filters) - place - 1))
        if lines <= 1 and place < len(filters) - 1:
            return [*found, ("…", "")]
        room = max(LETTERS * min(free, MOST_LINES) - len(what), LETTERS // 2)
        found.append((what, value if len(value) <= room else f"{value[: room - 1]}…"))
        lines -= -(-(len(what) + len(found[-1][1]) + 2) // LETTERS)
    return found


@dataclass(frozen=True)
class Country:
    """The small map that says where a sheet lies, and names the archipelagos on every one."""

    frame: Frame
    land: str
    islands: Sequence[Island]

    def box(self, frame: Frame) -> tuple[float, float, float, float]:
        """A frame in it: left, above, width and height, large enough to be seen."""
        (left, above), (right, below) = (
            self.frame.at(x, y) for x, y in ((frame.west, frame.north), (frame.east, frame.south))
        )
        width, height = max(right - left, 1.2), max(below - above, 1.2)
        return (left + right - width) / 2, (above + below - height) / 2, width, height


@cache
def country() -> Country:
    frame = framed(COUNTRY, COUNTRY_MM)
    return Country(frame, land_path(frame), islands(frame))


@cache
def signs() -> dict[str, Markup]:
    """The shapes of each condition's sign, 16 units wide and tall."""
    text = SIGNS.read_text(encoding="utf-8")
    found = re.findall(r'<symbol id="condition-(\w+)"[^>]*>(.*?)</symbol>', text, re.DOTALL)
    return {name: Markup(shapes) for name, shapes in found}  # noqa: S704
