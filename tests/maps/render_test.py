"""The documents that Folium makes: constant, whole, and of our own files alone."""

from __future__ import annotations

import re

import pytest

from core.dist import DIST
from maps.render import documents

ALL = [documents.violation_map, documents.tower_map, documents.picker_map]


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_document_is_whole_and_of_our_files_alone(make, language: str) -> None:
    page, policy = make(language)
    assert f'<html lang="{language}">' in page
    assert page.count("<script>") == page.count("</script>") - page.count("<script ")
    assert "{{" not in page
    assert "{%" not in page
    for place in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert place.startswith(f"{DIST}/"), place
    assert len(re.findall(r"'sha256-[A-Za-z0-9+/]{43}='", policy)) == page.count("<script>")
    assert "thapCanh." in page


def test_each_document_calls_what_it_needs() -> None:
    calls = {make.__name__: set(re.findall(r"thapCanh\.(\w+)\(", make("vi")[0])) for make in ALL}
    shared = {
        "addLand", "addIslands", "addBorders", "addBaseLayers", "addScale", "addCommunes",
    }  # fmt: skip
    assert calls["violation_map"] == shared | {
        "addTowers", "addFallZones", "addCommuneFigures", "addHeat", "addLayerSwitch",
        "addOwnFiles", "addThemeSwitch", "addPoint",
        "addBeside", "addAreaDrawing",
        "addTimeSlider",
    }  # fmt: skip
    assert calls["tower_map"] == shared | {"addOneTower"}
    assert calls["picker_map"] == shared | {"addPicker"}


def test_a_layer_that_nobody_asked_for_is_hidden() -> None:
    page, _ = documents.violation_map("vi")
    assert re.search(r"\btowers_\w+\.addTo\(", page)
    assert not re.search(r"\bfall_zones_\w+\.addTo\(", page)


def test_what_is_called_exists_in_our_script() -> None:
    from core.settings import ROOT

    script = (ROOT / "maps" / "assets" / "map.js").read_text(encoding="utf-8")
    for make in ALL:
        for name in set(re.findall(r"thapCanh\.(\w+)\(", make("vi")[0])):
            assert re.search(rf"\b{name}\b", script), name


def test_what_is_asked_for_on_demand_is_not_shown_at_first() -> None:
    page, _ = documents.violation_map("vi")
    for function in ("addCommuneFigures", "addHeat"):
        (name,) = re.findall(rf"var (\w+) = thapCanh\.{function}\(", page)
        assert f"{name}.addTo(" not in page
    (towers,) = re.findall(r"var (\w+) = thapCanh\.addTowers\(", page)
    assert f"{towers}.addTo(" in page
