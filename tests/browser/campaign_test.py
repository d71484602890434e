"""From an area drawn with a finger to the inspector's list: a campaign in both languages."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def draw(one, corners: list[tuple[float, float]]) -> None:
    """Taps at shares of the map's width and height."""
    page = one.page
    tools = one.map("#choose").locator(".drawing-tools")
    tools.get_by_role("button", name=one.text("Draw an area"), exact=True).tap()
    frame = page.locator("#choose")
    frame.scroll_into_view_if_needed()
    for number, (x, y) in enumerate(corners, 1):
        box = frame.bounding_box()
        assert box is not None
        page.touchscreen.tap(box["x"] + box["width"] * x, box["y"] + box["height"] * y)
        # No tap is lost and none counts twice.
        said = one.text("Tap the corners of the area, %(number)s so far.", number=number)
        expect(tools).to_contain_text(said)


@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_campaign_is_drawn_planned_assigned_and_walked(walk, province, language):
    staff = walk(province, language, phone=True, signed_in="staff@example.org")
    page = staff.page
    staff.open("/campaigns/new")
    whole = page.locator("#chosen").inner_text()
    expect(staff.map("#choose").locator(".leaflet-marker-icon").first).to_be_visible()
    draw(staff, [(0.3, 0.5), (0.75, 0.5), (0.75, 0.85), (0.3, 0.85)])
    staff.look("campaign-drawing")
    finish = staff.text("Finish")
    staff.map("#choose").get_by_role("button", name=finish, exact=True).tap()
    page.wait_for_url("**area=**")
    chosen = page.locator("#chosen")
    expect(chosen).not_to_have_text(whole)
    number = int(re.sub(r"\D", "", chosen.inner_text()))
    assert 0 < number < 600
    staff.look("campaign-drawn")
    staff.field("name").fill("Kiểm tra trước mùa mưa bão")
    staff.field("begins_on").fill("2026-01-01")
    staff.field("ends_on").fill("2035-12-31")
    page.locator("main form[method=post] button.btn-primary").tap()
    page.wait_for_url(re.compile(r"/campaigns/[0-9a-f-]{36}$"))
    here = page.url
    page.locator("summary", has_text=staff.text("Assign towers to inspectors")).tap()
    page.locator("#f-inspectors summary").tap()
    page.locator("#f-inspectors input").first.check()
    page.keyboard.press("Escape")
    staff.look("campaign-assign")
    staff.press("Assign")
    staff.press("Start")
    expect(page.locator(".tile .figure").nth(1)).not_to_have_text("0")
    frame = page.frame_locator("iframe.map")
    expect(frame.locator(".leaflet-marker-icon").first).to_be_visible()
    staff.look("campaign")
    for form in ("edit", "towers"):
        staff.open(here.removeprefix(province.url) + f"/{form}")
        staff.look(f"campaign-{form}")

    inspector = walk(province, language, phone=True, signed_in="inspector@example.org")
    page = inspector.page
    page.context.grant_permissions(["geolocation"])
    page.context.set_geolocation({"latitude": 10.46, "longitude": 105.63})
    inspector.open("/assignments")
    inspector.look("assignments-mine")
    page.locator("#near button").tap()
    page.wait_for_url("**/assignments/near")
    expect(page.locator(".task").first).to_contain_text(re.compile(r"\d k?m\b"))
    inspector.look("assignments-near")
    page.locator(".task").first.get_by_role("link", name=inspector.text("Details")).tap()
    page.wait_for_url(re.compile(r"/assignments/[0-9a-f-]{36}$"))
    inspector.look("assignment")
    page.get_by_role("link", name=inspector.text("Inspect"), exact=True).tap()
    page.wait_for_url("**/inspect?kind=campaign")
    expect(page.locator("[name=kind][value=campaign]")).to_be_checked()
