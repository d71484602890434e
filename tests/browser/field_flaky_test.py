"""Home through a network that breaks at any byte, from a phone whose clock is years off."""

from __future__ import annotations

import hashlib
import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from core.files import FileStore
from tests.browser.field import Phone, Service, in_service
from tests.browser.walk import vietnamese
from tests.soak.proxy import network

pytestmark = pytest.mark.browser
AHEAD = timedelta(days=3 * 365 + 40)
# How much passes before a cut, on average: a part of a photo, or of the answer to it.
CUTTING = {"up": 60_000.0, "down": 900.0}
CUTS = 5
PATIENCE_S = 60
SETTLE_S = 12
WRONG_CLOCK = "The clock of this phone is wrong by %(minutes)s minutes. Set it by the network."
# What the app asks for the time is off: `Date`, and when a file was last changed, as the phone's
# camera writes it by the same clock. Timers run as ever. The app's service worker never asks for
# the time; the browser's own clock (cookies, caches) stays right.
CLOCK = """(() => {
  window.ahead = %d;
  const now = Date.now.bind(Date);
  window.Date = new Proxy(Date, {
    construct: (made, given, as) =>
      Reflect.construct(made, given.length ? given : [now() + window.ahead], as),
    get: (made, name) => (name === "now" ? () => now() + window.ahead : Reflect.get(made, name)),
  });
  const changed = Object.getOwnPropertyDescriptor(File.prototype, "lastModified").get;
  Object.defineProperty(File.prototype, "lastModified", {
    get() { return changed.call(this) + window.ahead; },
  });
})();"""
STORED = """async () => {
  const names = (await indexedDB.databases()).map((one) => one.name);
  const asked = (one) => new Promise((done) => { one.onsuccess = () => done(one.result); });
  const db = await asked(indexedDB.open(names.find((one) => one !== "thap-canh-phone")));
  const found = {};
  for (const name of ["drafts", "answers", "photos", "queue", "receipts"]) {
    found[name] = await asked(db.transaction(name).objectStore(name).getAll());
  }
  db.close();
  for (const photo of found.photos) delete photo.blob;
  return found;
}"""


@pytest.fixture(scope="module")
def service(cluster, migrated: str, instance: Path) -> Iterator[Service]:
    with in_service(cluster, migrated, "browser_flaky", instance) as running:
        yield running


def fill_in(one: Phone, code: str, photos: int, seed: int) -> dict[str, Any]:
    """Fill in a check with its photos; returns what the phone says of them, by their numbers."""
    one.start(code)
    one.answer("sit_fence", "No")
    for number in range(photos):
        one.photo("sit_fence", seed + number)
    one.page.locator("summary", has_text=one.text("Weather, people, date")).click()
    if code == "FIELD-2":
        one.page.get_by_label(one.text("Why so far away?")).fill("cầu bị hỏng")
    one.stored()
    return {photo["id"]: photo for photo in one.page.evaluate(STORED)["photos"]}


def test_two_checks_come_home_once_through_a_network_that_cuts(service, phones, screenshots):
    with network(service.port, mean_bytes=math.inf, chance=random.Random(5)) as way:
        context = phones("flaky")
        context.add_init_script(CLOCK % (AHEAD.total_seconds() * 1000))
        # The phone knows no other address than that of the network.
        server = replace(service.server, url=f"http://127.0.0.1:{way.port}")
        one = Phone(context.pages[0], server, "vi", screenshots)
        one.begin("anna@example.org")
        one.fetch()

        one.silent = True
        # A cut piece may reach the file after the phone asked how far it is: it is told again.
        one.allowed.add(409)
        photos: dict[str, Any] = {}
        for code, number in (("FIELD-1", 3), ("FIELD-2", 2)):
            photos |= fill_in(one, code, number, len(photos))
            way.mean_bytes.update(CUTTING)
            one.send()
            one.page.wait_for_url("**/field#/sending")
        assert len(photos) == 5
        assert min(photo["byte_size"] for photo in photos.values()) > CUTTING["up"]

        # Somebody presses the button for as long as something waits.
        again = one.page.get_by_role("button", name=one.text("Send now"), exact=True)
        safe = one.page.locator(".sum.safe")
        until = time.monotonic() + PATIENCE_S

        def press_until(done: Callable[[Any], bool]) -> None:
            while not done(one.page.evaluate(STORED)):
                told = f"after {way.cuts} cuts: {one.page.locator('main').inner_text()}"
                assert time.monotonic() < until, told
                # It may all be over just now, by the app's own try.
                again.or_(safe).click()

        press_until(lambda found: all(row["state"] == "received" for row in found["queue"]))
        expect(again).to_be_visible()
        note = one.page.locator(".note.warn")
        expect(note).to_contain_text(vietnamese(WRONG_CLOCK).partition("%")[0])
        one.look("field-cut-off")

        # Who puts the clock right need not press: no pause lasts until the year of the wrong one.
        with one.page.expect_request("**/api/v1/uploads*", timeout=SETTLE_S * 1000):
            one.page.evaluate("() => { window.ahead = 0; }")
        press_until(lambda found: not found["queue"])
        expect(safe).to_contain_text(
            one.text("All %(checks)s checks and %(photos)s photos are safe", checks=2, photos=5)
        )
        one.look("field-safe-after-cuts")
        # The app begins anew with the wrong clock: no receipt is old for that.
        one.page.reload()
        expect(safe).to_be_visible()
        assert min(way.cuts.values()) >= CUTS, way.cuts

        left = one.page.evaluate(STORED)
        assert {name: len(rows) for name, rows in left.items()} == {
            "drafts": 0, "answers": 0, "photos": 0, "queue": 0, "receipts": 2,
        }  # fmt: skip
        assert all(receipt["receipt"]["complete"] for receipt in left["receipts"])

        # Each arrived once and whole, and what the wrong clock said is kept beside the right day.
        inspections = service.rows(
            "SELECT inspection.id, code, status, clock_offset_s, device_at, started_at,"
            " inspection.received_at, inspected_on,"
            " (inspection.received_at AT TIME ZONE 'Asia/Ho_Chi_Minh')::date AS arrived_on"
            " FROM inspection JOIN tower ON tower.id = tower_id ORDER BY code"
        )
        assert [(row.code, row.status) for row in inspections] == [
            ("FIELD-1", "submitted"), ("FIELD-2", "submitted"),
        ]  # fmt: skip
        for row in inspections:
            assert abs(row.clock_offset_s - AHEAD.total_seconds()) < 60
            assert row.inspected_on == row.arrived_on
            for said in (row.device_at, row.started_at):
                assert abs(said - row.received_at - AHEAD) < timedelta(minutes=5)
        receipts = service.rows("SELECT verdict, clock_offset_s FROM receipt")
        assert [row.verdict for row in receipts] == ["accepted", "accepted"]
        assert service.rows("SELECT id FROM review_item") == []
        assert service.rows("SELECT id FROM upload") == []

        arrived = service.rows("SELECT id, sha256, source, taken_at, received_at FROM photo")
        assert {str(row.id): row.sha256.hex() for row in arrived} == {
            number: photo["sha256"] for number, photo in photos.items()
        }
        assert len(arrived) == len(photos)
        store = FileStore(service.settings.instance / "photos", max_bytes=1, max_pixels=1)
        for row in arrived:
            assert hashlib.sha256(store.path(row.sha256).read_bytes()).digest() == row.sha256
            assert row.source == "camera"
            assert abs(row.taken_at - row.received_at - AHEAD) < timedelta(minutes=5)

        # Whoever reads the check sees that the phone's clock was off, and by how much.
        way.mean_bytes.update(up=math.inf, down=math.inf)
        one.open(f"/inspections/{inspections[0].id}")
        fact = one.page.locator("dt", has_text=one.text("Clock of the phone"))
        expect(fact.locator("xpath=following-sibling::dd")).to_contain_text("3 năm")
    assert one.troubles == []
