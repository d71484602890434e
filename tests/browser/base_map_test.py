"""The base map: names that no map of ours is without, dark and light, influence zones, a place."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import FrameLocator, expect

from tests.browser.server import commands

pytestmark = pytest.mark.browser

ARCHIPELAGOS = {
    "vi": ("Quần đảo Hoàng Sa\n(Việt Nam)", "Quần đảo Trường Sa\n(Việt Nam)"),
    "en": ("Hoàng Sa archipelago\n(Vietnam)", "Trường Sa archipelago\n(Vietnam)"),
}
# How many pixels of the layer's pictures are drawn on.
DRAWN = """(all) => all.reduce((sum, canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return sum + data.filter((value, place) => place % 4 === 3 && value).length;
}, 0)"""


def names_the_archipelagos(inside: FrameLocator, language: str) -> None:
    names = inside.locator(".name.archipelago")
    expect(names).to_have_count(2)
    assert names.all_text_contents() == list(ARCHIPELAGOS[language])


def test_base_map(walk, province, tmp_path):
    river = {"type": "LineString", "coordinates": [[105.2, 10.2], [105.9, 10.6], [106.6, 10.3]]}
    feature = {"type": "Feature", "properties": {"ten": "Sông <b>Thử</b>"}, "geometry": river}
    path = tmp_path / "river.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    load = ("maps", "layer", "load", str(path), "--kind", "river", "--source", "Nguồn thử")
    commands(province.settings, load)

    english = walk(province, "en", signed_in="staff@example.org")
    english.open("/map#3/13/110")
    names_the_archipelagos(english.map(), "en")
    expect(english.map().locator(".name.archipelago").first).to_be_in_viewport()

    one = walk(province, "vi", signed_in="staff@example.org")
    page, inside = one.page, one.map()
    one.open("/map#10/10.377/114.366")
    expect(inside.locator(".name.small-island", has_text="Ba Bình")).to_contain_text(
        "Quần đảo Trường Sa (Việt Nam)"
    )
    one.open("/map#8/10.4/105.9")
    page.reload()
    names_the_archipelagos(inside, "vi")
    # What was loaded is drawn and named as text, and says where it comes from.
    expect(inside.locator(".name.river-name")).to_have_text("Sông <b>Thử</b>")
    expect(inside.locator(".sources")).to_contain_text("Nguồn thử")
    assert inside.locator("canvas.base-tile").evaluate_all(DRAWN) > 300
    one.look("base-map")

    # Dark: here, and on every other map of this reader.
    root = inside.locator("html")
    expect(root).to_have_attribute("data-bs-theme", "light")
    inside.get_by_role("button", name=one.text("Dark map")).click()
    expect(root).to_have_attribute("data-bs-theme", "dark")
    one.look("base-map-dark")
    listed = page.request.get(f"{province.url}/api/v1/towers?limit=1").json()["items"][0]
    one.open(f"/towers/{listed['code']}")
    small = one.map("iframe.map.small")
    expect(small.locator("html")).to_have_attribute("data-bs-theme", "dark")
    names_the_archipelagos(small, "vi")

    # Influence zones are drawn when somebody asks for them, and no longer when not.
    one.open(f"/map#17/{listed['latitude']}/{listed['longitude']}")
    expect(inside.locator(".leaflet-marker-icon svg.sign").first).to_be_visible()
    expect(inside.locator("path.fall-zone")).to_have_count(0)
    inside.get_by_role("button", name=one.text("Layers")).focus()
    page.keyboard.press("Enter")
    zones = inside.get_by_label(one.text("Expected influence zones"))
    zones.press("Space")
    expect(inside.locator("path.fall-zone").first).to_be_visible()
    expect(inside.get_by_text(one.text("An expectation, not a legal corridor."))).to_be_visible()
    one.look("base-map-zones")
    zones.press("Space")
    expect(inside.locator("path.fall-zone")).to_have_count(0)

    # A place, as papers have it.
    inside.locator(".leaflet-container").click(button="right", position={"x": 60, "y": 200})
    said = inside.locator(".popup.point")
    expect(said).to_contain_text("VN-2000 / TM-3")
    expect(said).to_contain_text("X (Bắc)")
    one.look("base-map-point")
    commands(province.settings, ("maps", "layer", "remove", "1"))
