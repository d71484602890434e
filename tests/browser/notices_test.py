"""A notice from the follow-up list to its owner and back, in both languages."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests import doors

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_notice_reaches_its_owner_and_is_answered(walk, province, language):
    staff = walk(province, language, signed_in="staff@example.org")
    page = staff.page
    staff.open("/follow-up")
    page.locator("input[name=row]").first.check()
    staff.press("Draft a notice about the marked ones")
    expect(page.locator("input[name=violation]:checked")).to_have_count(1)
    page.locator("input[name=violation]:not(:checked):enabled").first.check()
    staff.look("notice-form")
    staff.press("Save the draft")
    expect(page).to_have_url(re.compile(r"/notices/[0-9a-f-]{36}$"))
    staff.sees("You drafted this notice: somebody else must look at it and issue it.")
    staff.look("notice-draft")
    address = urlsplit(page.url).path
    page.goto(f"{province.url}{address}/edit")
    staff.field("note").fill("Đề nghị cử người phối hợp.")
    staff.look("notice-edit")
    staff.press("Save the draft")

    chief = walk(province, language, signed_in="chief@example.org")
    page = chief.page
    chief.open(address)
    assert page.request.get(f"{province.url}{address}/document.pdf").body().startswith(b"%PDF")
    chief.press("Issue")
    chief.sees("The notice was issued. Its documents hold the link for the owner.")
    chief.field("served_to").fill("Bà Hoa, văn thư")
    chief.press("Record the service")
    chief.look("notice-served")
    chief.press("Make another link")
    link = page.locator(".secret").inner_text()
    chief.look("notice-link")

    owner = walk(province, language, phone=True)
    owner = walk(province, language, phone=True)
    page = owner.page
    owner.open(urlsplit(link).path)
    owner.choose_language()
    owner.look("notice-owner")
    page.get_by_text(owner.text("Report that it is fixed")).first.click()
    form = page.locator("details[open] form")
    form.locator("[name=name]").fill("Lê Văn Bảy, giám đốc")
    form.locator("[name=text]").fill("Đã thay và siết lại")
    photo = {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": doors.picture(seed=language)}
    form.locator("[name=files]").set_input_files(photo)
    owner.look("notice-owner-form")
    form.locator("button.btn-primary").click()
    owner.sees("Thank you. What you sent was recorded; the department will look at it.")
    owner.look("notice-owner-sent")

    page = chief.page
    chief.open(address)
    expect(page.locator("#replies")).to_contain_text("Lê Văn Bảy, giám đốc")
    expect(page.locator("#replies img")).to_have_count(1)
    chief.look("notice-answered")
    for _ in range(2):
        page.locator("#links form button").first.click()
        chief.sees("The link was revoked.")
    with owner.refused(404):
        owner.open(urlsplit(link).path)
    assert "/violations/" in page.locator("table.data a.main").first.get_attribute("href")
