"""The map of a whole province: clusters, the layer control, a place that is kept, its words."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from pypdfium2 import PdfDocument

pytestmark = pytest.mark.browser

SIGNS = ".leaflet-marker-pane .leaflet-marker-icon:has(svg.sign)"
CLUSTERS = ".leaflet-marker-pane .leaflet-marker-icon:has(svg.cluster)"


@pytest.mark.parametrize("language", ["vi", "en"])
def test_map_of_a_province(walk, province, language):
    one = walk(province, language, signed_in="staff@example.org")
    page, inside = one.page, one.map()
    one.open("/map")
    count = page.locator("#map-count")
    expect(count).to_have_text(re.compile(r"\d"))
    shown, matching, total = (int(text) for text in re.findall(r"\d+", count.inner_text()))
    assert shown == matching < total, "dismantled towers are left out"
    legend = page.locator("[data-count]")
    counted = [int(text) for text in legend.all_inner_texts()]
    assert sum(counted) == matching
    # The words are those of the reader's language, in the frame too.
    words = one.text("%(shown)s in view · %(matching)s of %(total)s towers")
    expect(count).to_have_text(words % {"shown": shown, "matching": matching, "total": total})
    expect(inside.locator("html")).to_have_attribute("lang", language)
    expect(inside.locator(".synthetic-note")).to_have_text(
        one.text("Synthetic boundaries, not the real ones")
    )

    for name in ("Zoom in", "Zoom out", "Layers"):
        expect(inside.get_by_role("button", name=one.text(name), exact=True)).to_be_visible()

    # From afar towers stand together, and nothing is lost by it.
    out = inside.locator(".leaflet-control-zoom-out")
    for _ in range(3):
        before = page.url
        out.click()
        expect(page).not_to_have_url(before)
    expect(inside.locator(CLUSTERS).first).to_be_visible()
    expect(legend.first).to_have_text(str(counted[0]))
    one.look("map-clusters")
    # The parts of a ring differ by more than their colours: what is in order is one plain stroke.
    arcs = inside.locator("svg.cluster circle[stroke-dasharray]")
    weaves = arcs.evaluate_all(
        "all => all.map((a) => ['stroke', 'stroke-dasharray'].map((name) => a.getAttribute(name)))"
    )
    plain = {colour for colour, weave in weaves if float(weave.split()[0]) > 10}
    woven = {colour for colour, weave in weaves if len(weave.split()) > 2}
    assert len(plain) == 1 and len(woven) >= 2 and not plain & woven
    kept = page.url
    assert re.search(r"/map#\d+/", kept)

    # A place survives going to a tower and back.
    one.open("/towers")
    page.go_back()
    expect(page).to_have_url(kept)
    expect(inside.locator(CLUSTERS).first).to_be_visible()
    # Nor does it move with the window.
    size = page.viewport_size
    for more in (1, 3, 0):
        page.set_viewport_size({"width": size["width"] + more, "height": size["height"] + more})
        page.wait_for_timeout(400)
    expect(page).to_have_url(kept)

    # A click on a cluster goes nearer.
    inside.locator(CLUSTERS).first.click()
    expect(page).not_to_have_url(kept)

    # The print view shows on a sheet what the map shows, and prints as one page.
    expect(count).to_have_text(re.compile(r"\d"))
    page.wait_for_timeout(600)
    with page.context.expect_page() as opened:
        page.get_by_role("link", name=one.text("Print view")).click()
    sheet = opened.value
    west, south, east, north = (
        float(text) for text in re.search(r"bbox=([^&]+)", sheet.url)[1].split("%2C")
    )
    zoom, latitude, longitude = (
        float(text) for text in re.search(r"#(.+)", page.url)[1].split("/")
    )
    assert west < longitude < east and south < latitude < north
    assert (east - west) == pytest.approx(
        page.locator("#map").evaluate("frame => frame.clientWidth") / 256 / 2**zoom * 360, rel=0.01
    )
    legend_said = [int(text) for text in sheet.locator(".legend b").all_inner_texts()]
    looked_at = int(re.findall(r"\d+", count.inner_text())[0])
    assert sum(legend_said) >= looked_at * 0.9 > 0, "paper is wider or taller than the window"
    expect(sheet.locator("svg.country")).to_contain_text("Hoàng Sa")
    sheet.screenshot(path=one.screenshots / f"map-print-{language}.png")
    with PdfDocument(sheet.pdf(prefer_css_page_size=True)) as paper:
        assert len(paper) == 1
        assert [round(side / 72 * 25.4) for side in paper[0].get_size()] == [297, 210]
    sheet.close()

    # The layer control hides the towers and shows them again.
    one.open("/map?condition=needs_follow_up")
    expect(inside.locator(SIGNS).first).to_be_visible()
    drawn = inside.locator(SIGNS).count()
    toggle = inside.get_by_role("button", name=one.text("Layers"))
    toggle.focus()
    page.keyboard.press("Enter")
    towers = inside.get_by_label(one.text("Towers by condition"))
    one.look("map-layers")
    towers.press("Space")
    expect(inside.locator(SIGNS)).to_have_count(0)
    towers.press("Space")
    expect(inside.locator(SIGNS)).to_have_count(drawn)

    # Filters of the form: each narrows what is drawn to what the register says.
    for name, value in (
        ("structure_type", "Ground guyed mast"),
        ("overdue", None),
        ("severity", "Major"),
    ):
        one.open("/map")
        one.unfold_filters()
        if value is None:
            one.field(name).check()
        else:
            one.choose(name, one.text(value))
        one.press("Show")
        expect(count).to_have_text(re.compile(r"\d"))
        on_map = int(re.findall(r"\d+", count.inner_text())[1])
        page.goto(page.url.replace("/map", "/towers").split("#")[0])
        listed = page.locator(".list-head .count")
        assert on_map == int(re.findall(r"\d+", listed.inner_text())[0]) > 0

    one.open("/map")
    one.unfold_filters()
    assert one.field("owner").locator("option").count() > 2
    assert one.field("commune").count() > 2


# Whether land is drawn at places, given in degrees, of the map at zoom 2 around 65° N, 170° W.
LAND = """(places) => {
  const path = document.querySelector(".leaflet-land-pane path");
  const box = document.querySelector(".leaflet-container").getBoundingClientRect();
  const world = 256 * 2 ** 2;
  const at = ([latitude, longitude]) => [
    world * (longitude + 180) / 360,
    world * (0.5 - Math.log(Math.tan(Math.PI / 4 + latitude * Math.PI / 360)) / (2 * Math.PI)),
  ];
  // The map stands at whole pixels also where its window is an odd number of them wide.
  const [left, top] = [box.x + Math.floor(box.width / 2), box.y + Math.floor(box.height / 2)];
  const [x0, y0] = at([65, -170]);
  return places.map((place) => {
    const [x, y] = at(place);
    const point = new DOMPoint(left + x - x0, top + y - y0);
    return path.isPointInFill(point.matrixTransform(path.getScreenCTM().inverse()));
  });
}"""


def test_land_and_sea_are_told_apart_where_coasts_cross_180_degrees(walk, province):
    """A list of another continent shows them: no band of land lies across the Arctic Ocean."""
    one = walk(province, "vi", signed_in="staff@example.org")
    one.open("/map#2/65/-170")
    expect(one.map().locator(".leaflet-land-pane path")).to_have_attribute("d", re.compile("L"))
    (frame,) = [frame for frame in one.page.frames if "/map/document" in frame.url]
    land = [(66.5, -173), (65.5, -155), (60, -110)]
    sea = [(71.2, -140), (70.9, -170), (68.5, -166.5), (67.5, -168), (55, -150), (71.2, -60)]
    assert frame.evaluate(LAND, land) == [True] * len(land)
    assert frame.evaluate(LAND, sea) == [False] * len(sea)
    one.look("map-180-degrees")


def test_a_page_that_comes_after_its_map_has_the_count_too(walk, province):
    """The map is a document of its own: under load it may tell before anybody listens."""
    one = walk(province, "vi", signed_in="staff@example.org")
    page, place = one.page, "/map#9/10.45/105.95"
    script = one.open_without("**/maps-page.js*", place, until="**/tiles/towers/counts.json?*")
    page.frame_locator("#map").locator(SIGNS).first.wait_for()
    expect(page.locator("#map-count")).not_to_have_text(re.compile(r"\d"))
    script.continue_()
    expect(page.locator("#map-count")).to_have_text(re.compile(r"\d"))
    counted = page.locator("[data-count]")
    expect(counted.first).to_have_text(re.compile(r"\d"))


def test_map_says_when_it_cannot_load(walk, province):
    """The network fails: the map says so, and a button tries again."""
    one = walk(province, "vi", signed_in="staff@example.org")
    page, inside = one.page, one.map()
    page.route("**/tiles/towers/*/*/*", lambda route: route.abort("connectionfailed"))
    one.open("/map")
    status = inside.locator(".status[role='status']")
    expect(status).to_contain_text(one.text("The towers could not be loaded."))
    page.unroute("**/tiles/towers/*/*/*")
    status.get_by_role("button", name=one.text("Try again")).click()
    expect(inside.locator(SIGNS).first).to_be_visible()
    expect(status).to_be_hidden()
    # What the browser itself says of a broken line is no fault of the page.
    broken = "CONNECTION_FAILED"
    assert any(broken in text for text in one.troubles)
    one.troubles[:] = [text for text in one.troubles if broken not in text]
