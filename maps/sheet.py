"""A sheet of paper with a map on it: its sizes, its frame and its scale."""

from __future__ import annotations

import math
from dataclasses import dataclass

from core.geo import Envelope
from maps.models import FINEST
from maps.rules import HALF, Block, block_of

# Where EPSG:3857 ends.
FARTHEST_NORTH = 85.06
# A frame is not narrower than this, in metres of EPSG:3857: nothing drawn here is more exact.
LEAST = 200.0
# About as wide as the sign of a cluster with room around it.
CELL_MM = 13.0


@dataclass(frozen=True)
class Paper:
    """A size of paper and how it lies; all lengths in millimetres.

    `frame` is the map's width and height; what else is said stands beside it, or below where the
    paper stands upright.
    """

    key: str
    size: tuple[int, int]
    frame: tuple[int, int]
    # As many lines of filters as there is room for.
    lines: int

    @property
    def name(self) -> str:
        """A4 or A3, as printers call it."""
        return self.key[:2].upper()

    @property
    def upright(self) -> bool:
        return self.size[1] > self.size[0]


PAPERS = {
    paper.key: paper
    for paper in (
        Paper("a4-landscape", (297, 210), (217, 184), 6),
        Paper("a4-portrait", (210, 297), (190, 186), 12),
        Paper("a3-landscape", (420, 297), (330, 270), 30),
    )
}
FIRST = PAPERS["a4-landscape"]


@dataclass(frozen=True)
class Frame:
    """What a drawing shows: a box in metres of EPSG:3857, and its size in millimetres."""

    west: float
    south: float
    east: float
    north: float
    width: float
    height: float

    @property
    def unit(self) -> float:
        """Metres of EPSG:3857 in a millimetre."""
        return (self.east - self.west) / self.width

    def at(self, east: float, north: float) -> tuple[float, float]:
        """Millimetres to the right and down of a place in metres of EPSG:3857."""
        return (east - self.west) / self.unit, (self.north - north) / self.unit

    def holds(self, x: float, y: float) -> bool:
        return 0 <= x <= self.width and 0 <= y <= self.height

    @property
    def metres(self) -> float:
        """Metres on the ground in a millimetre, in the middle of the frame."""
        middle = (self.south + self.north) / 2
        return self.unit / math.cosh(middle * math.pi / HALF)

    @property
    def bar(self) -> tuple[int, float]:
        """A round number of metres for the bar of the scale, and its length in millimetres."""
        most = 45 * self.metres
        ten = 10 ** math.floor(math.log10(most))
        round_number = next(step * ten for step in (5, 2, 1) if step * ten <= most)
        return max(1, int(round_number)), round_number / self.metres

    @property
    def block(self) -> Block:
        """The cells in which towers are counted that stand too close for signs of their own.

        Where those of the grid are only somewhat too wide they will do: they are there already.
        """
        level = round(math.log2(2 * HALF / (CELL_MM * self.unit)))
        level = FINEST if level == FINEST + 1 else min(max(level, 0), 24)
        return block_of(self.west, self.south, self.east, self.north, level)


def mercator(longitude: float, latitude: float) -> tuple[float, float]:
    """East and north in metres of EPSG:3857 of degrees."""
    latitude = min(max(latitude, -FARTHEST_NORTH), FARTHEST_NORTH)
    angle = math.radians(latitude)
    return longitude / 180 * HALF, math.asinh(math.tan(angle)) / math.pi * HALF


def framed(box: Envelope, size: tuple[int, int], *, room: float = 0.0) -> Frame:
    """The frame of this size that shows a box in degrees whole, with some `room` around it.

    A box that was looked at beyond 180 degrees is the same one on this side.
    """
    turns = 360 * round((box.west + box.east) / 720)
    west, south = mercator(max(box.west - turns, -180.0), box.south)
    east, north = mercator(min(box.east - turns, 180.0), box.north)
    width, height = size
    unit = max((east - west) / width, (north - south) / height, LEAST / width) * (1 + room)
    x, y = (west + east) / 2, (south + north) / 2
    half_width, half_height = unit * width / 2, unit * height / 2
    return Frame(x - half_width, y - half_height, x + half_width, y + half_height, width, height)
