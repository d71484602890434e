"""Drawn pictures of masts for the demo, each labelled as a drawing."""

from __future__ import annotations

import io
from random import Random

from PIL import Image, ImageDraw


def picture(random: Random) -> bytes:
    """A drawn mast under a sky, with a mark that says it is only a drawing."""
    width, height = 960, 720
    image = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(image)
    for y in range(height):
        shade = y / height
        draw.line(
            [(0, y), (width, y)],
            fill=(int(120 + 90 * shade), int(165 + 55 * shade), int(205 + 30 * shade)),
        )
    ground = height - random.randrange(90, 170)
    draw.rectangle([0, ground, width, height], fill=(104, 132, 84))
    middle, top = width // 2 + random.randrange(-120, 120), random.randrange(40, 120)
    lean = random.randrange(-26, 26)
    for side in (-1, 1):
        draw.line(
            [(middle + side * 70, ground + 20), (middle + lean + side * 12, top)],
            fill=(150, 45, 35),
            width=9,
        )
    steps = 11
    for step in range(steps):
        one, two = step / steps, (step + 1) / steps

        def at(share: float, side: int) -> tuple[float, float]:
            spread = 70 + (12 - 70) * share
            return middle + lean * share + side * spread, ground + 20 + (top - ground - 20) * share

        draw.line([at(one, -1), at(two, 1)], fill=(200, 200, 195), width=4)
        draw.line([at(one, 1), at(two, -1)], fill=(150, 45, 35), width=4)
    draw.rectangle([20, height - 60, 330, height - 20], fill=(255, 255, 255))
    draw.text((32, height - 48), "MINH HOA / DEMO - not a real photo", fill=(20, 30, 40))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=80)
    return out.getvalue()
