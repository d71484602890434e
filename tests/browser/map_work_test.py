"""Work on the violation map: its list, areas drawn by keyboard and by hand, towers picked out."""

from __future__ import annotations

import math
import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

SIGNS = ".leaflet-marker-pane .leaflet-marker-icon:has([data-towers])"
NUMBERS = re.compile(r"\d+")


def test_the_map_and_its_list_lead_to_work(walk, province):
    one = walk(province, "vi", signed_in="staff@example.org")
    page, inside = one.page, one.map()
    one.open("/map")
    rows = page.locator("#list-rows tr")
    said, count = page.locator("#list-count"), page.locator("#map-count")
    expect(rows).to_have_count(50)
    expect(count).to_have_text(re.compile(r"\d"))
    matching = NUMBERS.findall(count.inner_text())[1]
    expect(said).to_have_text(one.text("%(shown)s of %(total)s towers", shown=50, total=matching))

    # The row that is looked at is marked on the map, and the sign that is pointed at in the list.
    first = rows.first.locator("a.main")
    expect(inside.locator(".leaflet-mark-pane path")).to_have_count(0)
    first.focus()
    expect(inside.locator(".leaflet-mark-pane path")).to_have_count(2)
    first.blur()
    expect(inside.locator(".leaflet-mark-pane path")).to_have_count(0)
    worst = rows.first.get_attribute("data-tower")
    sign = inside.locator(f".leaflet-marker-icon:has([data-towers~='{worst}'])")
    sign.focus()
    expect(page.locator("#list-rows tr.marked")).to_have_attribute("data-tower", worst)
    sign.blur()
    expect(page.locator("#list-rows tr.marked")).to_have_count(0)
    page.locator("#list-more").press("Enter")
    expect(rows).to_have_count(100)
    expect(rows.nth(50).locator("a.main")).to_be_focused()

    # A box by keyboard: a corner where the map looks, another one further on.
    before = page.url
    inside.get_by_role("button", name=one.text("Draw an area"), exact=True).press("Enter")
    inside.get_by_role("button", name=one.text("Box"), exact=True).press("Enter")
    page.keyboard.press("Enter")
    middle = page.evaluate("location.hash")
    for key in ("ArrowLeft", "ArrowUp", "ArrowLeft"):
        here = page.url
        page.keyboard.press(key)
        expect(page).not_to_have_url(here)
    page.keyboard.press("Enter")
    page.wait_for_url("**area=**")
    corners = re.search(r"area=([^#]*)#", page.url)[1].split("*")
    assert len(corners) == 4
    _, latitude, longitude = middle.split("/")
    assert f"{longitude}_{latitude}" in corners
    expect(count).to_have_text(re.compile(r"\d"))
    number = NUMBERS.findall(count.inner_text())[1]
    assert 0 < int(number) < int(matching)
    expect(said).to_have_text(re.compile(rf"\b{number}\b"))
    one.look("map-area")
    one.press("As a list")
    expect(page.locator(".list-head .count")).to_have_text(re.compile(rf"\b{number}\b"))
    page.go_back()
    expect(said).to_have_text(re.compile(rf"\b{number}\b"))
    page.go_back()
    expect(page).to_have_url(re.compile(r"/map#"))
    assert page.url.split("#")[0] == before.split("#")[0]

    # Freehand, and past the beginning: an area that nowhere crosses itself.
    expect(rows).to_have_count(50)
    inside.get_by_role("button", name=one.text("Draw an area"), exact=True).click()
    inside.get_by_role("button", name=one.text("Freehand"), exact=True).click()
    box = page.locator("#map").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x + 130, y)
    page.mouse.down()
    for step in range(1, 75):
        round_ = step * 2 * math.pi / 70
        radius = 130 - step / 2
        page.mouse.move(
            x + radius * math.cos(round_) + 6 * (step > 68), y + radius * math.sin(round_)
        )
    page.mouse.up()
    page.wait_for_url("**area=**")
    page.locator("#to-campaign summary").click()
    page.get_by_role("link", name=one.text("Plan a new campaign")).click()
    expect(page.locator("#chosen")).to_have_text(re.compile(r"[1-9]"))
    expect(page.locator(".wrong-summary")).to_have_count(0)

    # Picked out in a row and in a popup; the window keeps them from page to page.
    one.open("/map?condition=needs_follow_up")
    rows.first.locator("button").click()
    inside.locator(SIGNS).last.click()
    inside.locator(".popup .chooser").click()
    basket = page.locator("#basket")
    chosen = one.text("Chosen towers: %(number)s", number=2)
    expect(basket.locator("strong")).to_have_text(chosen)
    one.look_wide_and_narrow("map-basket")
    basket.get_by_role("link", name=one.text("Show these alone")).click()
    expect(rows).to_have_count(2)
    expect(rows.locator("button[aria-pressed=true]")).to_have_count(2)
    expect(basket.locator("strong")).to_have_text(chosen)
    basket.get_by_role("button").click()
    expect(basket).to_be_hidden()
