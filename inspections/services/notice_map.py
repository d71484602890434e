"""The small map of a notice: communes and towers from our own data, as a picture."""

from __future__ import annotations

import functools
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import shapely
from PIL import Image, ImageDraw, ImageFont
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from areas.models import Area
from areas.rules import Level
from core.geo import SRID, to_position
from towers.models import Tower

WIDTH, HEIGHT = 1400, 800
MARGIN = 0.12
# A map of one tower shows at least so much around it, in degrees of latitude.
LEAST = 0.03
PAPER, LAND, BORDER, FAINT = "white", "#eef3ee", "#8a9a92", "#dde3e0"
NAME, POINT = "#5c6b64", "#b3261e"
TYPEFACE = "Arimo"


@dataclass(frozen=True)
class Place:
    """A tower on the map: the number that the notice's table gives it."""

    number: str
    tower: Tower


@dataclass(frozen=True)
class Frame:
    """Degrees to pixels; a degree of longitude is as wide as it is at this latitude."""

    west: float
    north: float
    scale: float
    narrowing: float

    def point(self, x: float, y: float) -> tuple[float, float]:
        return (x - self.west) * self.narrowing * self.scale, (self.north - y) * self.scale


def frame_of(points: Sequence[tuple[float, float]], bounds: Iterable[float]) -> Frame:
    """What shows all points, and as much of the outlines around them as there is room for."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    outline = list(bounds)
    if outline and not any(math.isnan(one) for one in outline):
        xs += outline[0::2]
        ys += outline[1::2]
    middle_x, middle_y = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
    narrowing = math.cos(math.radians(middle_y))
    high = max((max(ys) - min(ys)) * (1 + 2 * MARGIN), LEAST)
    wide = max((max(xs) - min(xs)) * narrowing * (1 + 2 * MARGIN), LEAST)
    scale = min(HEIGHT / high, WIDTH / wide)
    return Frame(
        west=middle_x - WIDTH / 2 / scale / narrowing,
        north=middle_y + HEIGHT / 2 / scale,
        scale=scale,
        narrowing=narrowing,
    )


def draw(session: Session, places: Sequence[Place]) -> bytes:
    """A PNG of the towers in their communes, with a scale; nothing of it comes from elsewhere."""
    communes = sorted({one.tower.commune_id for one in places if one.tower.commune_id})
    rows = session.execute(
        select(Area.name, Area.synthetic, func.ST_AsBinary(func.ST_Simplify(Area.geom, 0.0005)))
        .where(Area.id.in_(communes), Area.geom.is_not(None))
        .order_by(Area.id)
    ).all()
    outlines = [
        (name, synthetic, shapely.from_wkb(bytes(shape))) for name, synthetic, shape in rows
    ]
    positions = [to_position(one.tower.geom) for one in places]
    points = [(one.longitude, one.latitude) for one in positions]
    bounds = shapely.total_bounds([shape for _, _, shape in outlines]) if outlines else ()
    frame = frame_of(points, bounds)
    image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    pen = ImageDraw.Draw(image)
    for shape in _around(session, frame):
        _outline(pen, frame, shape, PAPER, FAINT, 2)
    for _, _, shape in outlines:
        _outline(pen, frame, shape, LAND, BORDER, 3)
    for name, _, shape in outlines:
        spot = shape.representative_point()
        _write(pen, frame.point(spot.x, spot.y), name, 26, NAME)
    drawn: dict[tuple[float, float], list[str]] = {}
    for place, (x, y) in zip(places, points, strict=True):
        drawn.setdefault((x, y), []).append(place.number)
    for spot, numbers in drawn.items():
        x, y = frame.point(*spot)
        pen.ellipse((x - 13, y - 13, x + 13, y + 13), fill=POINT, outline="white", width=4)
        _write(pen, (x, y - 36), ", ".join(numbers), 30, POINT, bold=True)
    _scale(pen, frame)
    if any(synthetic for _, synthetic, _ in outlines):
        _write(pen, (WIDTH / 2, 26), "Ranh giới minh họa, không phải ranh giới thật", 26, POINT)
    pen.rectangle((0, 0, WIDTH - 1, HEIGHT - 1), outline=BORDER, width=2)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _around(session: Session, frame: Frame) -> list[Any]:
    """The outlines of all communes of today in the frame, without their names."""
    east = frame.west + WIDTH / frame.scale / frame.narrowing
    south = frame.north - HEIGHT / frame.scale
    box = func.ST_MakeEnvelope(frame.west, south, east, frame.north, SRID)
    shapes = session.scalars(
        select(func.ST_AsBinary(func.ST_Simplify(Area.geom, 0.001)))
        .where(Area.level == Level.COMMUNE, Area.valid_to.is_(None), Area.geom.op("&&")(box))
        .order_by(Area.id)
    )
    return [shapely.from_wkb(bytes(shape)) for shape in shapes if shape is not None]


def _outline(
    pen: ImageDraw.ImageDraw, frame: Frame, shape: Any, fill: str, edge: str, width: int
) -> None:
    for part in getattr(shape, "geoms", [shape]):
        points = [frame.point(x, y) for x, y in part.exterior.coords]
        pen.polygon(points, fill=fill)
        pen.line(points, fill=edge, width=width)


@functools.cache
def _font(size: int, *, bold: bool) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(f"{TYPEFACE}-{'Bold' if bold else 'Regular'}.ttf", size)


def _write(
    pen: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    size: int,
    colour: str,
    *,
    bold: bool = False,
) -> None:
    """A text around a point, readable on whatever is below it."""
    pen.text(
        at,
        text,
        font=_font(size, bold=bold),
        fill=colour,
        anchor="mm",
        stroke_width=4,
        stroke_fill="white",
    )


def _scale(pen: ImageDraw.ImageDraw, frame: Frame) -> None:
    """A bar of a round length, at most a quarter of the width; a degree has 111.32 km."""
    most = WIDTH / 4 / frame.scale * 111.32
    power = 10 ** math.floor(math.log10(most))
    length = max(one for one in (power, 2 * power, 5 * power) if one <= most)
    pixels = length / 111.32 * frame.scale
    left, y = 40, HEIGHT - 40
    pen.line(
        (left, y - 12, left, y, left + pixels, y, left + pixels, y - 12), fill="black", width=4
    )
    text = f"{length:g} km" if length >= 1 else f"{length * 1000:g} m"
    _write(pen, (left + pixels / 2, y - 24), text, 26, "black")
