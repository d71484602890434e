"""The light and the dark map: every text can be read on whatever lies below it."""

from __future__ import annotations

import re

import pytest

from core.settings import ROOT

CSS = (ROOT / "maps" / "assets" / "map.css").read_text(encoding="utf-8")
GROUNDS = ("map-sea", "map-land", "map-commune", "map-paper")
TEXTS = ("map-ink", "map-soft", "map-water-ink", "map-outline", "map-link", "map-tool")
SIGNS = ("dangerous", "assessment_needed", "needs_follow_up", "ok", "unchecked", "map-late")


def colours(selector: str) -> dict[str, str]:
    block = re.search(re.escape(selector) + r" \{(.*?)\}", CSS, re.DOTALL)
    assert block is not None, selector
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", block[1]))


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("selector", [":root", ':root[data-bs-theme="dark"]'])
def test_texts_and_rings_stand_out_from_the_ground(selector: str) -> None:
    theme = colours(selector)
    faint = {
        (text, ground): round(contrast(theme[text], theme[ground]), 2)
        for wanted, texts in ((4.5, TEXTS), (3, SIGNS))
        for text in texts
        for ground in GROUNDS
        if contrast(theme[text], theme[ground]) < wanted
    }
    assert not faint


def test_both_themes_have_the_same_colours() -> None:
    assert colours(":root").keys() == colours(':root[data-bs-theme="dark"]').keys()
