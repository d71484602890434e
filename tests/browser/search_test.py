"""The box of every page by keyboard: it is reached by `/`, and its list is read by its keys."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_box_is_reached_and_chosen_from_by_keyboard(walk, register, language):
    one = walk(register, language, signed_in="staff@example.org")
    page, press = one.page, one.page.keyboard.press
    box, listed = page.locator("#search-q"), page.locator("#search-found")

    one.open("/")
    press("/")
    expect(box).to_be_focused()
    expect(box).to_have_attribute("aria-expanded", "false")
    page.keyboard.type("tap")
    option = listed.locator("[role=option]")
    expect(option).to_have_count(1)
    expect(option.first).to_contain_text("VI-TAP")
    expect(box).to_have_attribute("aria-expanded", "true")
    one.look("search-suggestions")

    press("ArrowDown")
    expect(option.first).to_have_attribute("aria-selected", "true")
    chosen = option.first.get_attribute("id")
    expect(box).to_have_attribute("aria-activedescendant", chosen)
    # One step further stands what was typed.
    press("ArrowDown")
    expect(option.first).to_have_attribute("aria-selected", "false")
    press("Escape")
    expect(listed).to_be_hidden()
    expect(box).to_have_value("tap")
    press("ArrowDown")
    expect(listed).to_be_visible()
    press("ArrowDown")
    press("Enter")
    page.wait_for_url("**/towers/VI-TAP")

    # In a field `/` is a letter.
    one.open("/towers/new")
    page.locator("#f-address").fill("30")
    press("/")
    expect(page.locator("#f-address")).to_have_value("30/")

    # A code leads to its tower by Enter alone, another text to the list.
    box.fill("en-phone")
    press("Enter")
    page.wait_for_url("**/towers/EN-PHONE")
    box.fill("tram")
    press("Enter")
    page.wait_for_url("**/towers?q=tram")
    expect(page.locator("a.main").first).to_be_visible()
    one.look("search-list")
