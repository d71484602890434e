"""A tower that is not in the register: found with a phone, decided at a desk, with its papers."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests import doors

pytestmark = pytest.mark.browser

# 60 m from the mast VI-PHONE, as a receiver tells it.
FOUND = {"latitude": 10.7005, "longitude": 105.4002, "accuracy": 7.0}


def test_a_tower_is_found_proposed_registered_and_documented(walk, register):
    one = walk(register, "vi", phone=True, signed_in="inspector@example.org")
    page = one.page
    page.context.grant_permissions(["geolocation"])
    page.context.set_geolocation(FOUND)
    one.open("/towers/propose")
    one.look("propose-where")
    one.press("Take my position")
    expect(page.locator("#located")).to_have_text("± 7 m")
    expect(page.locator("#f-position")).to_have_value("10.700500, 105.400200")
    one.press("Next")
    one.sees("2. Is it one of these?")
    expect(page.locator(".near")).to_contain_text("VI-PHONE")
    one.look("propose-near")
    one.press("None of these: go on")
    photo = {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": doors.picture(seed="found")}
    page.locator("#f-photo").set_input_files(photo)
    one.field("name").fill("Trụ lạ sau chợ")
    one.field("height_m").fill("24,5")
    one.field("note").fill("Cột mới dựng, chưa có biển tên.")
    one.look("propose-what")
    one.press("Send the proposal")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Trụ lạ sau chợ")
    expect(page.locator(".documents img")).to_have_count(1)
    one.look("proposal-sent")
    address = page.url.split("?")[0]

    desk = walk(register, "vi", signed_in="staff@example.org")
    page = desk.page
    expect(page.locator(".menu .badge")).to_have_text("1")
    page.goto(address)
    expect(desk.map("iframe.map").locator(".place")).to_have_count(1)
    desk.look("proposal-to-decide")
    desk.field("code").fill("MOI-1")
    desk.press("Accept and register")
    expect(page).to_have_url(f"{register.url}/towers/MOI-1")
    expect(page.locator(".menu .badge")).to_have_count(0)
    expect(page.locator("#documents img")).to_have_count(1)

    # A large file shows how far it is; a wrong one is told where it was chosen.
    page.locator("#documents details > summary").get_by_text(desk.text("Add a document")).click()
    wrong = {"name": "x.pdf", "mimeType": "application/pdf", "buffer": b"not a pdf"}
    page.locator("#f-file").set_input_files(wrong)
    with desk.refused(415):
        page.locator("#documents form[data-upload] button").click()
        expect(page.locator("[data-upload-wrong]")).to_contain_text(".pdf")
    desk.look("document-refused")
    large = doors.PDF + b"%" * 5_000_000
    right = {"name": "giay phep.pdf", "mimeType": "application/pdf", "buffer": large}
    page.locator("#f-file").set_input_files(right)
    page.locator("#documents form[data-upload] button").click()
    expect(page.locator("#documents")).to_contain_text("giay phep.pdf")
    desk.look("document-added")
