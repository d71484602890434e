"""An inspector below the mast: the whole inspection on a phone, with a finger."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser import checklist

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("language", ["vi", "en"])
def test_inspection_on_a_phone(walk, register, language):
    code = f"{language.upper()}-PHONE"
    one = walk(register, language, phone=True, signed_in="inspector@example.org")
    page = one.page
    one.look("dashboard-inspector")
    page.locator(".burger").tap()
    one.look("menu")
    page.get_by_role("navigation").get_by_role("link", name=one.text("Towers")).tap()
    one.unfold_filters()
    one.field("q").fill(code)
    one.press("Show")
    page.locator("table.data a.main").tap()
    expect(page).to_have_url(f"{register.url}/towers/{code}")
    checklist.inspect(one, code, "inspection")
    one.look("inspection")
    one.open(f"/towers/{code}")
    expect(page.locator("main .state.dangerous").first).to_be_visible()
    one.look("tower-dangerous")

    # The map answers to a finger as well.
    one.open(f"/map?q={code}")
    sign = one.map().locator(".leaflet-marker-pane .leaflet-marker-icon:has(svg.sign)")
    expect(sign).to_have_count(1)
    sign.tap()
    expect(one.map().locator(".leaflet-popup-content")).to_contain_text(code)
    one.look("map-popup")


def test_second_tap_takes_an_answer_back(walk, register):
    one = walk(register, "vi", phone=True, signed_in="inspector@example.org")
    page = one.page
    one.open("/towers/VI-TAP/inspect")
    one.press("Start")
    page.wait_for_url("**/inspections/*/edit")
    fence = page.locator("[data-item=sit_fence]")
    yes, no = fence.get_by_role("radio").all()
    labels = fence.locator(".choices label")
    labels.nth(1).tap()
    expect(no).to_be_checked()
    expect(page.locator("#answered")).to_have_text("1")
    labels.nth(1).tap()
    expect(no).not_to_be_checked()
    expect(page.locator("#answered")).to_have_text("0")
    # Arrow keys go round the answers and never take one back.
    labels.nth(0).tap()
    yes.focus()
    for chosen in (no, yes, no, yes):
        page.keyboard.press("ArrowDown")
        expect(chosen).to_be_checked()
    # A failing answer that needs a photo shows where it goes.
    leg = page.locator("[data-item=str_leg_defect]")
    expect(leg.locator("input[type=file]")).to_be_hidden()
    leg.locator(".choices label").nth(0).tap()
    expect(leg.locator("input[type=file]")).to_be_visible()
    # What the design tension makes needless is not asked.
    other = page.locator("[data-item=guy_tension_pct_bs]")
    expect(other).to_be_visible()
    page.locator("[name='input.guy_tension_dev.design_kN']").fill("40")
    expect(other).to_be_hidden()
