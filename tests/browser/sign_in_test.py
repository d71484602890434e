"""Somebody is invited, sets up a second factor, loses the telephone; an administrator looks on."""

from __future__ import annotations

from urllib.parse import urlsplit

import pyotp
import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

LONG = "bốn con vịt bơi qua ao sen"


def enter(one, email: str, password: str) -> None:
    one.field("email").fill(email)
    one.field("password").fill(password)
    one.press("Sign in")


@pytest.mark.parametrize("language", ["vi", "en"])
def test_from_the_invitation_to_the_second_factor(walk, server, language):
    email = f"moi-{language}@example.org"
    admin = walk(server, language, signed_in="admin@example.org")
    admin.open("/users/new")
    admin.field("email").fill(email)
    admin.page.locator("[name=roles][value=inspector]").check()
    admin.field("everywhere").check()
    admin.press("Make a link to hand over")
    link = urlsplit(admin.page.locator("main .secret").inner_text()).path
    admin.look_wide_and_narrow("link-once")

    one = walk(server, language, phone=language == "en")
    page = one.page
    one.open(link)
    one.choose_language()
    one.field("name").fill("Lê Thị Mận")
    one.field("password").fill("matkhau123456789")
    one.field("again").fill("matkhau123456789")
    with one.refused(422):
        one.press("Save")
    expect(page.locator(".wrong-summary")).to_be_visible()
    one.look_wide_and_narrow("invitation-refused")
    one.field("password").fill(LONG)
    one.field("again").fill(LONG)
    one.press("Save")
    one.sees("The password was set. Sign in with it now.")
    enter(one, email, LONG)
    expect(page.locator(".topbar")).to_contain_text("Lê Thị Mận")

    one.open("/account")
    one.look_wide_and_narrow("account-with-session")
    one.press("Second factor")
    one.press("Set it up")
    one.look_wide_and_narrow("second-factor-set-up")
    key = page.locator("main .secret").inner_text().replace("-", "")
    one.field("code").fill(pyotp.TOTP(key).now())
    one.press("Switch it on")
    one.open("/tf-setup")
    one.look_wide_and_narrow("second-factor-on")
    one.press("Recovery codes")
    one.look_wide_and_narrow("recovery-codes")
    one.press("Make new codes")
    code = page.locator("main .secret").first.inner_text()
    one.look_wide_and_narrow("recovery-codes-once")
    one.press("I have written them down")

    # Another browser: the telephone is lost, a written code helps.
    other = walk(server, language, phone=language == "vi")
    other.open("/sign-in")
    other.choose_language()
    other.press("Is the password lost?")
    other.look_wide_and_narrow("password-lost")
    other.open("/sign-in")
    enter(other, email, LONG)
    expect(other.field("code")).to_be_visible()
    other.look_wide_and_narrow("second-factor")
    other.press("Use a recovery code instead")
    other.look_wide_and_narrow("recovery-code")
    other.field("code").fill(code)
    other.press("Sign in")
    expect(other.page.locator(".topbar")).to_contain_text("Lê Thị Mận")

    # The administrator sees both browsers, looks at the service as this person, and stops.
    admin.open("/users")
    admin.page.get_by_role("link", name="Lê Thị Mận").last.click()
    expect(admin.page.locator("#sessions tbody tr")).to_have_count(2)
    admin.look_wide_and_narrow("user-with-sessions")
    admin.press("Look at the service as this person")
    banner = admin.page.locator(".onlooker")
    expect(banner).to_contain_text("Lê Thị Mận")
    admin.open("/towers")
    expect(banner).to_be_visible()
    admin.look_wide_and_narrow("looking-as-another")
    banner.get_by_role("button").click()
    expect(banner).to_have_count(0)
    expect(admin.page.locator("h1")).to_have_text(admin.text("Users"))
