"""The layers of the map that are off at first: figures of communes, presets, density, own files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.makers import HOSTILE

pytestmark = pytest.mark.browser

DROP = """({ name, text }) => {
  const data = new DataTransfer();
  data.items.add(new File([text], name));
  document.querySelector(".leaflet-container")
    .dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
}"""
# How many pixels of the density are painted.
PAINTED = """() => {
  const canvas = document.querySelector("canvas.heat");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value, place) => place % 4 === 3 && value > 60).length;
}"""


def storm(*names: str) -> str:
    """A track with a name, and places along it."""
    track = {"type": "LineString", "coordinates": [[108.2, 9.9], [105.9, 10.4], [104.9, 10.9]]}
    shapes = [track, *({"type": "Point", "coordinates": [106.5, 10.2]} for _ in names[1:])]
    return json.dumps(
        {
            "type": "FeatureCollection",
            "features": [
                {"type": "Feature", "geometry": shape, "properties": {"name": name}}
                for shape, name in zip(shapes, names, strict=True)
            ],
        }
    )


def test_layers_that_are_asked_for(walk, province, tmp_path: Path):
    one = walk(province, "vi", signed_in="staff@example.org")
    page, inside = one.page, one.map()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(f"{request.method} {request.url}"))
    one.open("/map#9/10.45/105.95")
    count = page.locator("#map-count")
    expect(count).to_have_text(re.compile(r"\d"))
    late = re.compile(r"figures|heat|own_files|inspection_due|severity")
    assert [address for address in asked if late.search(address)] == []

    toggle = inside.get_by_role("button", name=one.text("Layers"))
    toggle.focus()
    page.keyboard.press("Enter")

    def press(name: str, **facts: object) -> None:
        inside.get_by_label(one.text(name, **facts)).press("Space")

    # Figures: all communes stand in the legend; each says its part and its whole.
    press("Communes by figure")
    legend = inside.locator(".figures-legend")
    counts = legend.locator("li .count")
    expect(counts.first).to_have_text(re.compile(r"\d"))
    communes = inside.locator(".leaflet-figures-pane path")
    assert sum(int(text) for text in counts.all_inner_texts()) == communes.count() > 100
    expect(legend.locator(".whole")).to_have_text(re.compile(r"\(\d+ trên \d"))
    legend.locator("select").select_option("inspected")
    expect(legend.locator(".whole")).to_have_text(re.compile(r"%.*\(\d+/\d+\)"))
    expect(communes.first).to_have_attribute(
        "aria-label", re.compile(one.text("Inspected within the interval"))
    )
    communes.nth(40).press("Enter")
    popup = inside.locator(".popup")
    expect(popup.locator("dt")).to_have_count(4)
    one.look("map-figures")
    page.keyboard.press("Escape")

    # A preset takes the place of the other towers, and has a number of its own.
    everything = count.inner_text()
    press("Due for inspection within %(days)s days", days=90)
    expect(count).not_to_have_text(everything)
    expect(inside.get_by_label(one.text("Towers by condition"))).not_to_be_checked()
    on_map = int(re.findall(r"\d+", count.inner_text())[1])
    press("Overdue")
    expect(inside.locator(".leaflet-control-layers-selector:checked")).to_have_count(3)
    expect(count).not_to_have_text(re.compile(rf"\D{on_map}/"))
    # A link shows what its sender saw.
    expect(page).to_have_url(re.compile(r"layers=-towers,overdue,figures"))
    overdue = count.inner_text()
    page.reload()
    expect(count).to_have_text(overdue)
    toggle.focus()
    page.keyboard.press("Enter")
    expect(inside.get_by_label(one.text("Communes by figure"))).to_be_checked()
    expect(inside.get_by_label(one.text("Towers by condition"))).not_to_be_checked()

    # Density.
    press("Density of towers to be mended")
    expect(inside.locator(".heat-legend")).to_have_text(re.compile(r"\d+.*km"))
    (frame,) = [frame for frame in page.frames if "/map/document" in frame.url]
    assert frame.evaluate(PAINTED) > 500

    # Files of the reader: chosen, dropped, wrong, kept, removed; and never sent.
    sent = len(asked)
    (tmp_path / "bão.geojson").write_text(storm(HOSTILE, "Cấp 11"), encoding="utf-8")
    (tmp_path / "vn2000.geojson").write_text(
        '{"type": "Point", "coordinates": [556677.5, 1145678.2]}', encoding="utf-8"
    )
    inside.locator("input[type=file]").set_input_files(
        [tmp_path / "bão.geojson", tmp_path / "vn2000.geojson"]
    )
    names, said = inside.locator(".own-name"), inside.locator(".own-files [role=status]")
    expect(names).to_have_text([" ".join(HOSTILE.split()), "Cấp 11"], use_inner_text=False)
    expect(said).to_contain_text(
        one.text("It has positions that are not degrees, longitude before latitude (WGS 84).")
    )
    frame.evaluate(DROP, {"name": "<img src=x>.json", "text": "PK\x03\x04"})
    expect(said).to_have_text(f"“<img src=x>.json”: {one.text('It is no GeoJSON.')}")
    frame.evaluate(DROP, {"name": "b.json", "text": storm("Mắt bão")})
    expect(names).to_have_count(3)
    one.look("map-own-files")
    assert {text.split(" ")[0] for text in asked[sent:]} <= {"GET"}
    page.reload()
    expect(names).to_have_count(3)
    for remaining in (1, 0):
        inside.locator(".own-files li").first.get_by_role("button").last.click()
        expect(inside.locator(".own-files li")).to_have_count(remaining)
    page.reload()
    expect(count).to_have_text(re.compile(r"\d"))
    expect(inside.locator(".own-files-button")).to_be_visible()
    expect(names).to_have_count(0)
