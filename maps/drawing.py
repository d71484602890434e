"""The signs of towers on paper: where each stands, so that none hides another."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.charts import INKS
from maps.queries.printing import Shown
from towers.rules import Condition

# All lengths are millimetres.
SIGN = 1.9
# How often signs look for room.
STEPS = 6
RING = 1.1
# More codes than this are not read any more.
MOST_CODES = 60
# An average letter and a line of what is written, and the space before it.
LETTER, LINE, SPACE = 1.35, 2.4, 0.8
# Dashes and gaps of the parts of a ring, for those who cannot tell colours apart.
WEAVES = {
    Condition.DANGEROUS: "1.5 .25",
    Condition.ASSESSMENT_NEEDED: "1 .35",
    Condition.NEEDS_FOLLOW_UP: ".5 .25",
    Condition.UNCHECKED: ".2 .25",
}


# Left, above, right, below.
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Arc:
    """A part of a ring; the whole of it has no path."""

    path: str
    colour: str
    weave: str


@dataclass(frozen=True)
class Mark:
    """A sign of one tower, or a ring with a number of several and its parts by condition."""

    x: float
    y: float
    radius: float
    condition: str = ""
    overdue: bool = False
    text: str = ""
    arcs: tuple[Arc, ...] = ()
    code: str = ""

    @property
    def box(self) -> Box:
        reach = self.radius
        return self.x - reach, self.y - reach, self.x + reach, self.y + reach


@dataclass(frozen=True)
class Label:
    """A text around the place where its middle stands."""

    x: float
    y: float
    text: str

    @property
    def box(self) -> Box:
        wide = LETTER * len(self.text)
        return self.x - wide / 2, self.y - LINE / 2, self.x + wide / 2, self.y + LINE / 2


def radius_of(number: int) -> float:
    return SIGN if number == 1 else min(5.4, 2.7 + 0.75 * math.log10(number))


def marks(towers: Sequence[Shown], *, written: Callable[[int], str]) -> list[Mark]:
    """The signs in the order in which they are drawn, the dangerous last and on their very spot."""
    dangerous = _gathered([one for one in towers if set(one.numbers) == {Condition.DANGEROUS}])
    others = _gathered([one for one in towers if set(one.numbers) != {Condition.DANGEROUS}])
    for _ in range(STEPS):
        moved = [_aside(one, dangerous) for one in others]
        if moved == others:
            break
        others = _gathered(moved)
    drawn = [_mark(one, written) for one in others]
    drawn += [_mark(one, written) for one in dangerous]
    return drawn


def _gathered(towers: Sequence[Shown]) -> list[Shown]:
    """Those that would hide one another together, the smaller ones at the greater."""
    found = list(towers)
    while True:
        apart: list[Shown] = []
        for one in sorted(found, key=lambda tower: -tower.number):
            for place, other in enumerate(apart):
                if _away(one, other) < 0.8 * _reach(one, other):
                    # It stands somewhere else now, perhaps before a third one.
                    apart[place] = _sum(other, one)
                    break
            else:
                apart.append(one)
        if len(apart) == len(found):
            return apart
        found = apart


def _away(one: Shown, other: Shown) -> float:
    return math.hypot(one.x - other.x, one.y - other.y)


def _reach(one: Shown, other: Shown) -> float:
    """How far from one another they touch."""
    return radius_of(one.number) + radius_of(other.number)


def _sum(one: Shown, other: Shown) -> Shown:
    number = one.number + other.number
    numbers = {
        name: one.numbers.get(name, 0) + other.numbers.get(name, 0)
        for name in {*one.numbers, *other.numbers}
    }
    x = (one.x * one.number + other.x * other.number) / number
    y = (one.y * one.number + other.y * other.number) / number
    return Shown(x, y, numbers)


def _aside(one: Shown, signs: Sequence[Shown]) -> Shown:
    """What makes room for the dangerous, which stay on their spots: a ring only stands at about the
    middle of its towers, and a sign that lies under another one says nothing."""
    for _ in range(STEPS):
        near = [other for other in signs if _away(one, other) < 0.85 * _reach(one, other)]
        if not near:
            break
        for other in near:
            room = 0.9 * _reach(one, other)
            angle = math.atan2(one.y - other.y, one.x - other.x)
            x, y = other.x + room * math.cos(angle), other.y + room * math.sin(angle)
            one = replace(one, x=x, y=y)
    return one


def _mark(one: Shown, written: Callable[[int], str]) -> Mark:
    radius = radius_of(one.number)
    if one.number == 1:
        (condition,) = one.numbers
        return Mark(one.x, one.y, radius, condition, one.overdue, code=one.code)
    number = one.number
    text = written(number) if number < 10_000 else f"{round(number / 1000)}k"
    return Mark(one.x, one.y, radius, text=text, arcs=_arcs(one, radius - RING / 2))


def _arcs(one: Shown, radius: float) -> tuple[Arc, ...]:
    """The parts of a ring, from above to the right."""
    arcs: list[Arc] = []
    done = 0
    for condition in Condition:
        here = one.numbers.get(condition, 0)
        if not here:
            continue
        begin, end = (2 * math.pi * part / one.number for part in (done, done + here))
        (x, y), (to_x, to_y) = (
            (one.x + radius * math.sin(angle), one.y - radius * math.cos(angle))
            for angle in (begin, end)
        )
        far = int(end - begin > math.pi)
        path = f"M{x:.2f} {y:.2f}A{radius:.2f} {radius:.2f} 0 {far} 1 {to_x:.2f} {to_y:.2f}"
        if here == one.number:
            path = ""
        arcs.append(Arc(path, INKS[condition].colour, WEAVES.get(condition, "")))
        done += here
    return tuple(arcs)


class Writing:
    """Where texts stand in a drawing of some size: beside the signs, and not on one another."""

    def __init__(self, drawn: Sequence[Mark], width: float, height: float) -> None:
        self._taken = [one.box for one in drawn]
        self._width, self._height = width, height

    def codes(self, drawn: Sequence[Mark]) -> list[Label]:
        """The codes of single towers where these are few enough, and where there is room."""
        single = [one for one in drawn if one.code]
        if len(single) > MOST_CODES:
            return []
        # What is drawn last is the worst, and finds room first.
        return self._placed(_beside(one) for one in reversed(single))

    def names(self, communes: Sequence[Any]) -> list[Label]:
        """The names of communes that have room for them."""
        return self._placed(
            [
                Label(one.x, one.y + down, one.name)
                for down in (0, -3, 3, -5, 5, -7, 7)
                if abs(down) < one.tall / 2 - LINE / 2
            ]
            for one in communes
            if LETTER * len(one.name) * 0.6 < one.wide
        )

    def _placed(self, wanted: Iterable[Sequence[Label]]) -> list[Label]:
        found: list[Label] = []
        for places in wanted:
            free = next((one for one in places if self._is_free(one.box)), None)
            if free is not None:
                self._taken.append(free.box)
                found.append(free)
        return found

    def _is_free(self, box: Box) -> bool:
        inside = box[0] > 0 and box[1] > 0 and box[2] < self._width and box[3] < self._height
        return inside and not any(_meet(box, other) for other in self._taken)


def _beside(mark: Mark) -> list[Label]:
    """Where the code of a tower may stand: to the right, to the left, below, above."""
    aside = mark.radius + SPACE + LETTER * len(mark.code) / 2
    down = mark.radius + LINE / 2
    return [
        Label(mark.x + x, mark.y + y, mark.code)
        for x, y in ((aside, 0), (-aside, 0), (0, down), (0, -down))
    ]


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
