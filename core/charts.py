"""Bar charts as drawings: where each bar and text stands, for `core/bars.svg` to write down.

A drawing is made of plain shapes with colours of their own, so that it looks the same inside a
page, as a file and on paper. Each ink is a colour and a pattern: who sees no colours, or prints in
black, tells them apart by the pattern.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import ceil

WIDTH = 460
LINE = 18
# An average letter of the font at 12 units.
LETTER = 6.6


@dataclass(frozen=True)
class Ink:
    colour: str
    pattern: str = ""


INKS = {
    "dangerous": Ink("#b3261e"),
    "assessment_needed": Ink("#7a3e9d", "rising"),
    "needs_follow_up": Ink("#c26a00", "upright"),
    "ok": Ink("#0b7a5b", "dotted"),
    "unchecked": Ink("#5b6472", "falling"),
    "one": Ink("#0f6c8f"),
    "other": Ink("#c26a00", "rising"),
}


@dataclass(frozen=True)
class Series:
    """The values of one ink, in the order of the chart's categories."""

    label: str
    ink: str
    values: Sequence[int]


@dataclass(frozen=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    ink: str
    # What it says to who points at it.
    text: str


@dataclass(frozen=True)
class Words:
    x: float
    y: float
    text: str
    anchor: str = "start"
    size: int = 12
    bold: bool = False


@dataclass(frozen=True)
class Drawing:
    """Shapes in a box of `WIDTH` by `height`; `key` tells the drawings of a page apart."""

    key: str
    title: str
    description: str
    height: float
    bars: Sequence[Bar]
    words: Sequence[Words]
    lines: Sequence[tuple[float, float, float, float]] = ()
    width: float = WIDTH
    inks: dict[str, Ink] = field(default_factory=lambda: INKS)

    def headed(self, note: str) -> Drawing:
        """The drawing with its title and a note above, as a file of its own needs it."""
        head = 3 * LINE
        return replace(
            self,
            height=self.height + head,
            bars=[replace(one, y=one.y + head) for one in self.bars],
            words=[
                Words(4, LINE, self.title, size=14, bold=True),
                Words(4, 2 * LINE, note, size=11),
                *(replace(one, y=one.y + head) for one in self.words),
            ],
            lines=[(x, y + head, to_x, to_y + head) for x, y, to_x, to_y in self.lines],
        )


def columns(
    key: str,
    title: str,
    description: str,
    categories: Sequence[str],
    series: Sequence[Series],
    *,
    written: Callable[[int], str],
    stacked: bool = False,
) -> Drawing:
    """Upright bars: those of a category beside one another, or `stacked`, over its name.

    Names that have no room are left out in equal steps; `written` writes a number for the reader.
    """
    groups = list(zip(*(one.values for one in series), strict=True))
    most = max((sum(values) if stacked else max(values) for values in groups), default=0)
    steps = scale(most)
    keys, words, top = _legend(series)
    left = 14 + LETTER * len(written(steps[-1]))
    plot, high = WIDTH - left - 6, 170
    bottom = top + 8 + high
    for step in steps:
        words.append(Words(left - 6, _up(bottom, high, step, steps) + 4, written(step), "end", 11))
    room = plot / max(1, len(groups))
    every = ceil(LETTER * (1 + max((len(one) for one in categories), default=1)) / room)
    bars = list(keys)
    for place, (name, values) in enumerate(zip(categories, groups, strict=True)):
        start = left + place * room
        if place % every == 0:
            words.append(Words(start + room / 2, bottom + 17, name, "middle", 11))
        wide = room * 0.72 / (1 if stacked else len(series))
        under = 0
        for number, (one, value) in enumerate(zip(series, values, strict=True)):
            x = start + room * 0.14 + (0 if stacked else number * wide)
            y, end = (_up(bottom, high, at, steps) for at in (under + value, under))
            if value:
                said = f"{name} · {one.label}: {written(value)}"
                bars.append(Bar(x, y, wide, end - y, one.ink, said))
            under += value if stacked else 0
    lines = [(left, y, WIDTH - 6.0, y) for y in (_up(bottom, high, step, steps) for step in steps)]
    return Drawing(key, title, description, bottom + 28, bars, words, lines)


def rows(
    key: str,
    title: str,
    description: str,
    values: Sequence[tuple[str, str, int]],
    *,
    written: Callable[[int], str],
) -> Drawing:
    """Level bars, one below the other: of each the name, the ink and the number."""
    most = max((value for _, _, value in values), default=0)
    bars, words, y = [], [], 4.0
    for name, ink, value in values:
        words.append(Words(4, y + 13, name))
        words.append(Words(WIDTH - 6, y + 13, written(value), "end", bold=True))
        if value:
            wide = (WIDTH - 10) * value / most
            bars.append(Bar(4, y + LINE, wide, 14, ink, f"{name}: {written(value)}"))
        y += 2 * LINE + 6
    return Drawing(key, title, description, y, bars, words)


def scale(most: int, steps: int = 5) -> list[int]:
    """Round whole numbers from 0 to at least `most`, no more than so many above 0."""
    step = next(one for one in _round_steps() if one * steps >= most)
    return [step * number for number in range(max(1, ceil(most / step)) + 1)]


def _round_steps() -> Iterator[int]:
    ten = 1
    while True:
        yield from (ten, 2 * ten, 5 * ten)
        ten *= 10


def _up(bottom: float, high: float, value: int, steps: Sequence[int]) -> float:
    return bottom - high * value / steps[-1]


def _legend(series: Sequence[Series]) -> tuple[list[Bar], list[Words], float]:
    """What each ink means, in as many lines as it takes, and where the last line ends."""
    bars, words, x, y = [], [], 4.0, 4.0
    for one in series:
        wide = 34 + LETTER * len(one.label)
        if x > 4 and x + wide > WIDTH:
            x, y = 4.0, y + LINE
        bars.append(Bar(x, y, 14, 12, one.ink, one.label))
        words.append(Words(x + 19, y + 11, one.label))
        x += wide
    return bars, words, y + LINE
