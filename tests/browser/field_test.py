"""Work in the field: without a signal, through reloads and dead batteries, and home again whole."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.field import Phone, Service, in_service

pytestmark = pytest.mark.browser
FULL = "The phone's storage is full: this photo was not kept. Free some room, then take it again."
SENT = (
    "SELECT tower.code FROM inspection JOIN tower ON tower.id = tower_id"
    " WHERE inspection.status = 'submitted'"
)

# Whether the token that a phone got last still opens something.
OPENS = (
    'SELECT access_token.revoked_at IS NULL FROM access_token JOIN "user" ON "user".id = user_id'
    " WHERE email = '{}' AND device_id IS NOT NULL ORDER BY access_token.created_at DESC LIMIT 1"
)


def opens(service: Service, email: str) -> bool:
    return service.rows(OPENS.format(email))[0][0]


@pytest.fixture(scope="module")
def service(cluster, migrated: str, instance: Path) -> Iterator[Service]:
    with in_service(cluster, migrated, "browser_field", instance) as running:
        yield running


def battery_dies(folder: Path) -> None:
    """Every process of the browser that works on this folder ends at once."""
    mark = f"--user-data-dir={folder}".encode()
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and mark in (process / "cmdline").read_bytes().split(b"\0"):
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:
            continue


def test_a_visit_below_the_mast_comes_home_once_and_whole(service, phones, screenshots, tmp_path):
    context = phones("anna")
    one = Phone(context.pages[0], service.server, "vi", screenshots)
    one.begin("anna@example.org")
    one.look("field-work-new")
    one.fetch()
    one.look("field-phone")

    # Out of the village: no network, and the service is away as well.
    one.offline()
    service.stop()
    one.page.reload()
    one.go("towers")
    expect(one.page.locator(".task-card")).to_have_count(3)
    # What somebody named a tower is a text, whatever it looks like.
    expect(one.page.locator("main")).to_contain_text("<img src=x onerror=alert(1)> ${alert(2)}")
    one.look("field-towers")
    one.go("map")
    expect(one.page.locator("#field-map canvas")).to_be_visible()
    expect(one.page.locator("#field-map path.land").first).to_be_attached()
    one.look("field-map")
    one.start("FIELD-1")
    one.answer("sit_fence", "No")
    expect(one.item("sit_fence").locator(".verdict")).to_be_visible()
    one.item("fnd_settlement").locator("input[inputmode]").fill("4,5")
    one.answer("fnd_concrete", "Not checked")
    one.item("fnd_concrete").get_by_label(one.text("Reason")).fill("ngập nước")
    # From the ground nothing can be said of what is checked by climbing.
    expect(one.page.locator(".item.unreached").first).to_be_visible()
    expect(one.page.locator(".item.unreached input, .item.unreached button")).to_have_count(0)
    one.photo("sit_fence", 1)
    # Where the phone has no room left it says so, and goes on when there is room again.
    with one.full_storage():
        one.choose_photo("sit_fence", 9)
        expect(one.page.get_by_role("alert")).to_contain_text(one.text(FULL))
        expect(one.item("sit_fence").locator(".thumb")).to_have_count(1)
    one.photo("sit_fence", 2)
    one.photo("fnd_settlement", 3, camera=False)
    one.stored()
    one.look("field-form")
    one.page.reload()
    expect(one.item("sit_fence").locator(".thumb")).to_have_count(2)

    battery_dies(tmp_path / "anna")
    context = phones("anna")
    context.set_offline(True)
    one = Phone(context.pages[0], service.server, "vi", screenshots)
    one.silent = True
    one.page.goto(f"{service.server.url}/field")
    one.sees("Unfinished on this phone")
    one.look("field-work-resume")
    one.page.get_by_role("link", name=one.text("Resume")).click()
    expect(one.item("fnd_settlement").locator("input[inputmode]")).to_have_value("4,5")
    expect(one.item("fnd_concrete").get_by_label(one.text("Reason"))).to_have_value("ngập nước")
    expect(one.item("sit_fence").locator(".thumb")).to_have_count(2)
    one.press("Finish")
    one.look("field-finish")
    one.press("Go on filling in")
    one.send()
    one.sees("Waiting for a network")
    one.look("field-waiting")
    assert service.rows("SELECT id FROM inspection") == []

    # Home: it starts by itself.
    service.start()
    one.online()
    one.sees("Everything is safe")
    one.look("field-safe")
    one.page.reload()
    one.sees("Everything is safe")
    (found,) = service.rows("SELECT status, distance_m, complete FROM inspection")
    assert (found.status, found.complete) == ("submitted", False)
    assert found.distance_m < 50
    photos = service.rows("SELECT item_key, source FROM photo ORDER BY item_key, source")
    assert [tuple(one) for one in photos] == [
        ("fnd_settlement", "file"), ("sit_fence", "camera"), ("sit_fence", "camera"),
    ]  # fmt: skip
    assert [row.item_key for row in service.rows("SELECT item_key FROM violation")] == ["sit_fence"]
    left = one.page.evaluate(
        """async () => {
          const names = (await indexedDB.databases()).map((one) => one.name);
          const found = {};
          for (const name of names.filter((one) => one !== "thap-canh-phone")) {
            const db = await new Promise((done) => {
              const asked = indexedDB.open(name); asked.onsuccess = () => done(asked.result);
            });
            for (const store of ["drafts", "answers", "photos", "queue", "receipts"]) {
              found[store] = await new Promise((done) => {
                const asked = db.transaction(store).objectStore(store).count();
                asked.onsuccess = () => done(asked.result);
              });
            }
          }
          return found;
        }"""
    )
    assert left == {"drafts": 0, "answers": 0, "photos": 0, "queue": 0, "receipts": 1}

    # The department sends it back: it returns with the reason and all that was said.
    service.send_back("Đo lại độ lún")
    one.fetch("Fetch again")
    one.go("work")
    one.sees("Returned")
    one.look("field-work-returned")
    one.page.locator(".task-card").first.click()
    expect(one.page.locator(".reason")).to_have_text("Đo lại độ lún")
    one.press("Correct it")
    expect(one.item("fnd_settlement").locator("input[inputmode]")).to_have_value("4,5")
    one.item("fnd_settlement").locator("input[inputmode]").fill("12")
    expect(one.item("fnd_settlement").locator(".verdict")).to_be_visible()
    one.stored()
    one.send()
    expect(one.page.locator(".receipt")).to_have_count(2)
    one.look("field-safe-again")
    (found,) = service.rows("SELECT status, draft FROM inspection")
    assert (found.status, found.draft) == ("submitted", None)
    assert {row.item_key for row in service.rows("SELECT item_key FROM violation")} == {
        "fnd_settlement", "sit_fence",
    }  # fmt: skip
    assert one.troubles == []


def test_two_people_on_one_phone_and_a_check_that_is_refused(service, phones, screenshots):
    context = phones("shared", "en-GB")
    one = Phone(context.pages[0], service.server, "en", screenshots)
    page = one.page
    page.on("dialog", lambda dialog: dialog.accept())
    one.begin("anna@example.org")
    one.fetch()

    # Two checks wait: one whose day the service cannot accept, and one that is in order.
    one.offline()
    for code, day in (("FIELD-2", "2031-01-01"), ("FIELD-1", "")):
        one.start(code)
        one.answer("sit_sign", "Not checked")
        one.press("No access")
        one.answer("sit_fence", "Yes")
        if code == "FIELD-2":
            page.locator("summary", has_text=one.text("Weather, people, date")).click()
            page.get_by_label(one.text("Date of the inspection")).fill(day)
            page.get_by_label(one.text("Why so far away?")).fill("the bridge is closed")
        else:
            page.locator("summary", has_text=one.text("Weather, people, date")).click()
            one.press("Rain")
        one.stored()
        one.send()
        one.sees("Waiting for a network")
    one.look("field-queue")

    # Were this phone never to find a network again, the department could read in what waits.
    page.locator("summary", has_text=one.text("This phone cannot send?")).click()
    with page.expect_download() as saved:
        one.press("Save into a file")
    service.read_in(saved.value.path())
    assert [row.code for row in service.rows(f"{SENT} AND weather = 'rain'")] == ["FIELD-1"]

    one.go("phone")
    one.press("Sign out on this phone")
    one.sees("Sign in")
    expect(page.locator(".welcome .note")).to_contain_text("2")
    one.look("field-others-wait")

    # The next one on this phone sees nothing of it, and sends nothing of it either.
    # The session of the browser that was left open ends before anybody can go on with it.
    # So does the token of whoever signed out without a network.
    assert opens(service, "anna@example.org")
    with page.expect_response("**/api/v1/devices/token") as ended:
        one.online()
    assert ended.value.status == 204
    assert not opens(service, "anna@example.org")
    page.goto(f"{one.server.url}/field/sign-in?lang=en")
    page.wait_for_url("**/field")
    one.begin("binh@example.org")
    one.go("sending")
    one.sees("Nothing waits to be sent")
    one.go("work")
    expect(page.locator("main")).not_to_contain_text("FIELD")
    assert service.rows(f"{SENT} AND code = 'FIELD-2'") == []

    one.go("phone")
    assert opens(service, "binh@example.org")
    one.press("Sign out on this phone")
    expect(page.locator(".welcome")).to_be_visible()
    assert not opens(service, "binh@example.org")
    one.begin("anna@example.org")
    one.go("sending")
    one.sees("Not taken: correct it and send it again")
    one.sees("The day of the inspection lies in the future")
    expect(page.locator("main .task-card")).to_have_count(1)
    one.look("field-refused")
    one.press("Open and correct")
    page.locator("summary", has_text=one.text("Weather, people, date")).click()
    page.get_by_label(one.text("Date of the inspection")).fill("2026-01-05")
    one.stored()
    one.send()
    one.sees("Everything is safe")
    assert len(service.rows(f"{SENT} AND code = 'FIELD-2'")) == 1
    # What was read in and sent as well is there once.
    assert len(service.rows(f"{SENT} AND weather = 'rain'")) == 1
    assert one.troubles == []
