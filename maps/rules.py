"""Tiles by their numbers, in the squares of EPSG:3857 that all maps of the web share; what a layer
of the base map may be; and the classes of values that get a colour each."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

# Half the width of the world in metres, and a place that is farther than any other.
HALF = 20_037_508.342789244
BEYOND = 1e9
# More than the last digits of a place and of an edge may differ, in metres.
EDGE = 0.001
# Down to here the grid knows how many towers stand in a tile, from here on the register is asked.
NEAR = 11
LAST = 22
# A tile has 2 ** CELLS cells in a row and a column: about 64 pixels each, room for one sign.
CELLS = 2


class LayerKind(StrEnum):
    """What a layer of the base map draws: by it lines, surfaces and names look."""

    RIVER = "river"
    ROAD = "road"
    BORDER = "border"
    PLACE = "place"
    # A file of pictures, which lies beside the database.
    PICTURES = "pictures"


# The types of geometry of each kind, as the first bytes of WKB number them.
POINTS, LINES, SURFACES = frozenset({1, 4}), frozenset({2, 5}), frozenset({3, 6})
SHAPES = {
    LayerKind.RIVER: LINES | SURFACES,
    LayerKind.ROAD: LINES,
    LayerKind.BORDER: LINES | SURFACES,
    LayerKind.PLACE: POINTS,
    LayerKind.PICTURES: frozenset(),
}


@dataclass(frozen=True)
class Tile:
    """A tile: `x` counts from the west, `y` from the north, both from 0."""

    z: int
    x: int
    y: int

    @property
    def exists(self) -> bool:
        return 0 <= self.z <= LAST and 0 <= self.x < 2**self.z and 0 <= self.y < 2**self.z

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in metres of EPSG:3857.

        Neighbours share the very same number, so that a tower on an edge is in one of them.
        """
        return (
            _edge(self.z, self.x),
            -_edge(self.z, self.y + 1),
            _edge(self.z, self.x + 1),
            -_edge(self.z, self.y),
        )

    @property
    def reach(self) -> tuple[float, float, float, float]:
        """A little more, and without end where the world of the tiles ends and poles go on."""
        west, south, east, north = self.bounds
        west, south, east, north = west - EDGE, south - EDGE, east + EDGE, north + EDGE
        last = 2**self.z - 1
        return (
            -BEYOND if self.x == 0 else west,
            -BEYOND if self.y == last else south,
            BEYOND if self.x == last else east,
            BEYOND if self.y == 0 else north,
        )


@dataclass(frozen=True)
class Block:
    """Cells of a level side by side, the first and last column and row of them: what a sheet of
    paper shows, which ends where no tile does."""

    level: int
    first: int
    last: int
    top: int
    bottom: int

    @property
    def reach(self) -> tuple[float, float, float, float]:
        """A little more than these cells, in the order and metres of that of a tile."""
        end = 2**self.level - 1
        return (
            -BEYOND if self.first == 0 else _edge(self.level, self.first) - EDGE,
            -BEYOND if self.bottom == end else -_edge(self.level, self.bottom + 1) - EDGE,
            BEYOND if self.last == end else _edge(self.level, self.last + 1) + EDGE,
            BEYOND if self.top == 0 else -_edge(self.level, self.top) + EDGE,
        )

    @property
    def z(self) -> int:
        """Its cells are tiles of this zoom."""
        return self.level

    def cells(self, level: int) -> tuple[int, int, int, int]:
        """First and last column, first and last row of its cells of a level."""
        deeper = level - self.level
        return (
            self.first << deeper,
            ((self.last + 1) << deeper) - 1,
            self.top << deeper,
            ((self.bottom + 1) << deeper) - 1,
        )


def block_of(west: float, south: float, east: float, north: float, level: int) -> Block:
    """The cells of a level that cover a box in metres of EPSG:3857."""
    wide = 2 * HALF / 2**level

    def at(metres: float) -> int:
        return min(max(int((metres + HALF) // wide), 0), 2**level - 1)

    return Block(level, at(west), at(east), at(-north), at(-south))


def _edge(z: int, number: int) -> float:
    return number * 2 * HALF / 2**z - HALF


# More shades of a colour cannot be told apart.
CLASSES = 5


@dataclass(frozen=True)
class ValueClass:
    """The values from `low` to `high`, both of which occur, and how many have them."""

    low: float
    high: float
    number: int


def quantile_classes(values: Sequence[float], most: int = CLASSES) -> list[ValueClass]:
    """Some values in classes of about as many each, ascending; equal ones are in one class.

    So there are fewer classes where few values differ, and none without values.
    """
    ordered = sorted(values)
    places = range(1, most + 1) if len(ordered) > most else ()
    ends = {ordered[len(ordered) * place // most - 1] for place in places} or set(ordered)
    found, first = [], 0
    for end in sorted(ends):
        after = bisect_right(ordered, end)
        found.append(ValueClass(ordered[first], end, after - first))
        first = after
    return found


def end_of_month(day: date) -> date:
    """The last day of the month in which a day lies."""
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1) - timedelta(days=1)
