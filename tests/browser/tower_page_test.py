"""A tower's papers kept on its page, and a position that is checked while it is typed."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("language", "phone"), [("vi", True), ("en", False)])
def test_a_permit_is_added_changed_and_removed_on_the_page(walk, province, language, phone):
    one = walk(province, language, phone=phone, signed_in="staff@example.org")
    page, panel = one.page, one.page.locator("#permits")
    one.open("/towers/DT-00003")
    panel.get_by_role("link", name=one.text("Add"), exact=True).click()
    page.wait_for_url("**/permits/new")
    one.field("kind").select_option("emf_result")
    one.field("number").fill(f"đo-{language}")
    one.field("expires_on").fill("2020-05-31")
    one.press("Save")
    row = panel.locator("tr", has_text=f"đo-{language}")
    expect(row).to_contain_text(one.text("Expired"))
    row.get_by_role("link", name=one.text("Edit"), exact=True).click()
    one.look("permit-edit")
    one.field("expires_on").fill("2090-05-31")
    one.press("Save")
    expect(row).to_contain_text(one.text("Valid"))
    one.look("tower-with-permit")
    page.once("dialog", lambda dialog: dialog.dismiss())
    row.get_by_role("button", name=one.text("Remove"), exact=True).click()
    expect(row).to_be_visible()
    page.once("dialog", lambda dialog: dialog.accept())
    row.get_by_role("button", name=one.text("Remove"), exact=True).click()
    expect(row).to_have_count(0)
    for part in ("installations", "anchors"):
        one.open("/towers/DT-00003")
        links = page.locator(f"a[href*='/{part}/'][href$='/edit']")
        if links.count():
            links.first.click()
            one.look(f"{part}-edit")


@pytest.mark.parametrize(("language", "phone"), [("vi", False), ("en", True)])
def test_a_position_is_checked_while_it_is_typed(walk, province, language, phone):
    one = walk(province, language, phone=phone, signed_in="staff@example.org")
    said = one.page.locator("#position-check")
    one.open("/towers/new")
    one.field("anything").fill("VN-2000 105°00′: X=1156833.58 Y=569044.81")
    expect(said).to_contain_text("WGS 84: 10.4603")
    expect(one.field("srid")).to_have_value("5897")
    expect(one.field("longitude")).to_have_value("569044.810")
    expect(said).to_contain_text("VN-2000 / TM-3 105°45′")
    place = re.search(r"10\.4603\d+, (105\.\d+)", said.inner_text())
    assert place
    # The same numbers with the meridian of the other half of the province: 82 km away.
    one.field("srid").select_option("9210")
    expect(one.field("anything")).to_have_value("")
    one.field("stated_commune").select_option(label="Phường Cao Lãnh")
    expect(said).to_contain_text(one.text("Perhaps:"))
    one.look("position-doubtful")
    right = said.locator("li", has_text="VN-2000 / TM-3 105°00′").first
    right.get_by_role("button").click()
    expect(one.field("srid")).to_have_value("5897")
    expect(said).to_contain_text(place[0])
    expect(said).not_to_contain_text(one.text("Perhaps:"))
    one.field("latitude").fill("không phải số")
    expect(said.locator(".wrong")).to_be_visible()
    one.map("#picker").locator(".leaflet-container").click(position={"x": 120, "y": 120})
    expect(one.field("srid")).to_have_value("4326")
    expect(said).to_contain_text("VN-2000")


def test_a_form_that_comes_after_its_map_shows_the_position_too(walk, province):
    """The map may be ready before the script of the form listens."""
    one = walk(province, "vi", signed_in="staff@example.org")
    page, place = one.page, "/towers/DT-00003/edit"
    script = one.open_without("**/towers-form.js*", place, until="**/map/extent.json*")
    sign = page.frame_locator("#picker").locator(".leaflet-marker-icon svg.sign")
    page.frame_locator("#picker").locator(".leaflet-control-zoom-in").wait_for()
    expect(sign).to_have_count(0)
    script.continue_()
    expect(sign).to_have_count(1)
