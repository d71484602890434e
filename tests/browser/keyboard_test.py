"""Without a mouse: sign-in, the skip link, the menu, the form of a tower and the map."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def focused(page: Page, attribute: str) -> str | None:
    return page.evaluate("name => document.activeElement.getAttribute(name)", attribute)


def tab_to(page: Page, selector: str, limit: int = 40) -> None:
    """Press Tab until the element has the focus; it must be shown, and seen to be focused."""
    for _ in range(limit):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            break
    else:
        raise AssertionError(f"Tab does not reach {selector}")
    expect(page.locator(selector)).to_be_in_viewport()
    seen = page.evaluate(
        """() => { const style = getComputedStyle(document.activeElement);
        return style.outlineStyle !== "none" || style.boxShadow !== "none"; }"""
    )
    assert seen, f"nothing shows that {selector} has the focus"


@pytest.mark.parametrize("language", ["vi", "en"])
def test_everything_is_reached_by_keyboard(walk, register, language):
    one = walk(register, language)
    page, press = one.page, one.page.keyboard.press

    one.open("/")
    if language == "en":
        tab_to(page, "button.language")
        press("Enter")
        expect(page.locator("html")).to_have_attribute("lang", "en")
    tab_to(page, "#f-email")
    page.keyboard.type("staff@example.org")
    press("Tab")
    assert focused(page, "id") == "f-password"
    page.keyboard.type(register.passwords["staff@example.org"])
    press("Enter")
    page.wait_for_url(f"{register.url}/")

    # The first Tab offers to skip the menu; what follows is in the content.
    press("Tab")
    assert focused(page, "class") == "skip"
    expect(page.locator("a.skip")).to_be_in_viewport()
    one.look("skip-link")
    press("Enter")
    assert focused(page, "id") == "content"
    press("Tab")
    assert page.evaluate("() => document.activeElement.closest('main') !== null")

    # A menu opens by Enter and closes by Escape.
    page.reload()
    tab_to(page, "nav li:last-child details.fold > summary")
    press("Enter")
    sheet = page.locator("nav li:last-child .sheet")
    expect(sheet).to_be_visible()
    press("Tab")
    assert page.evaluate("() => document.activeElement.closest('.sheet') !== null")
    press("Escape")
    expect(sheet).to_be_hidden()

    code = f"{language.upper()}-KEY"
    longitude = {"vi": "105.30", "en": "105.35"}[language]
    one.open("/towers/new")
    tab_to(page, "#f-code")
    page.keyboard.type(code)
    press("Tab")
    page.keyboard.type("Trạm bàn phím")
    press("Tab")
    assert focused(page, "name") == "structure_type"
    for _ in range(8):
        if page.locator("#f-structure_type").input_value() == "monopole":
            break
        press("ArrowUp")
    expect(page.locator("#f-structure_type")).to_have_value("monopole")
    tab_to(page, "[name=services][value=bts]")
    press("Space")
    tab_to(page, "#f-latitude")
    page.keyboard.type("10.80")
    press("Tab")
    page.keyboard.type(longitude)
    tab_to(page, "#f-height_m")
    page.keyboard.type("30")
    press("Enter")
    one.sees("Tower %(code)s was registered.", code=code)
    one.sees("Monopole")
    assert page.url == f"{register.url}/towers/{code}"

    # The signs of the map take the focus and open by Enter.
    one.open(f"/map?q={code}")
    sign = one.map().locator(".leaflet-marker-pane .leaflet-marker-icon:has(svg.sign)")
    expect(sign).to_have_count(1)
    expect(sign).to_have_attribute("role", "button")
    assert sign.get_attribute("title") or sign.get_attribute("aria-label")
    sign.focus()
    press("Enter")
    popup = one.map().locator(".leaflet-popup-content")
    expect(popup).to_contain_text(code)
    expect(popup.get_by_role("link")).to_be_focused()
    press("Enter")
    page.wait_for_url(f"{register.url}/towers/{code}")
