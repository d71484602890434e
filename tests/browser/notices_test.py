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
    account_of_the_owner(walk, province, language, chief, address)
    chief.open(address)
    for _ in range(2):
        page.locator("#links form button").first.click()
        chief.sees("The link was revoked.")
    with owner.refused(404):
        owner.open(urlsplit(link).path)
    assert "/violations/" in page.locator("table.data a.main").first.get_attribute("href")


def account_of_the_owner(walk, province, language, chief, address):
    """The administrator gives a person of the owner an account, who asks for more time there."""
    notice = chief.page.request.get(f"{province.url}/api/v1{address}").json()
    email = f"owner-{language}@example.org"
    admin = walk(province, language, signed_in="admin@example.org")
    admin.open("/users/new")
    admin.field("email").fill(email)
    admin.field("name").fill("Nguyễn Thị Ngọc Điểm, phụ trách hạ tầng")
    admin.field("organisation").select_option(notice["owner"]["id"])
    admin.page.locator("input[name=roles][value=operator]").check()
    admin.press("Make a link to hand over")
    link = urlsplit(admin.page.locator("main .secret").inner_text()).path

    person = walk(province, language, phone=language == "en")
    page = person.page
    person.open(link)
    person.choose_language()
    for name in ("password", "again"):
        person.field(name).fill("năm cây cầu treo qua sông lớn")
    person.press("Save")
    person.sees("The password was set. Sign in with it now.")
    person.field("email").fill(email)
    person.field("password").fill("năm cây cầu treo qua sông lớn")
    person.press("Sign in")
    page.locator(".topbar .account summary").wait_for(state="attached")
    person.look("owner-first-page")
    person.press("To be fixed")
    person.look("own-violations")
    page.locator("main table a.main").last.click()
    person.look("own-notice")
    page.locator("main summary", has_text=person.text("Ask for more time")).first.click()
    form = page.locator("details[open] form")
    expect(form.locator("[name=name]")).to_have_value("Nguyễn Thị Ngọc Điểm, phụ trách hạ tầng")
    form.locator("[name=wanted_on]").fill("2031-01-31")
    form.locator("[name=text]").fill("Chờ vật tư")
    form.locator("button.btn-primary").click()
    person.sees("Thank you. What you sent was recorded; the department will look at it.")
    person.open("/own-notices")
    expect(page.locator("main")).to_contain_text(notice["reference"])
    person.look("own-notices")
    assert page.request.get(f"{province.url}{address}").status == 403
