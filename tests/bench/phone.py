"""The field app on a cheap phone: Chromium whose processor is four times as slow."""

from __future__ import annotations

import os
from collections.abc import Iterator
from statistics import median
from typing import Any

from playwright.sync_api import Page, sync_playwright

from core.settings import Settings
from tests.bench.figures import Figure
from tests.bench.stage import Stage
from tests.browser.conftest import FLAGS
from tests.browser.server import serving

TOWERS = 20_000
SLOWER = 4
OPENED, ANSWERED = 5, 20

# As many towers on the phone as one can hold, each like the first one that was fetched.
FILL = """async (number) => {
  const name = (await indexedDB.databases()).map((one) => one.name).find((one) => one !== "thap-canh-phone");
  const db = await new Promise((done) => { const asked = indexedDB.open(name); asked.onsuccess = () => done(asked.result); });
  const towers = await new Promise((done) => {
    const asked = db.transaction("towers").objectStore("towers").getAll(); asked.onsuccess = () => done(asked.result);
  });
  const kept = db.transaction(["towers", "facts"], "readwrite");
  const index = [];
  for (let count = 0; count < number; count += 1) {
    const like = towers[count % towers.length];
    const tower = count < towers.length ? like : { ...like, code: `MORE-${count}` };
    kept.objectStore("towers").put(tower);
    index.push([tower.code, tower.name, tower.lat, tower.lon, tower.condition, tower.commune, tower.open.length, tower.structure_type]);
  }
  kept.objectStore("facts").put({ name: "index", value: index });
  await new Promise((done) => { kept.oncomplete = done; });
  db.close();
}"""  # noqa: E501

# From the tap until the first items of the form have been painted.
OPEN = """async (place) => {
  window.location.hash = "#/work";
  await new Promise((done) => setTimeout(done, 600));
  const begun = performance.now();
  window.location.hash = place;
  while (!document.querySelector(".item")) await new Promise((done) => requestAnimationFrame(done));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - begun;
}"""

# From the tap until the answer is on the disk.
ANSWER = """async (count) => {
  const buttons = [...document.querySelectorAll(".item .choices.two .choice")];
  const before = Number(document.documentElement.dataset.stored || 0);
  const begun = performance.now();
  buttons[count % buttons.length].click();
  while (Number(document.documentElement.dataset.stored || 0) === before) {
    await new Promise((done) => { const channel = new MessageChannel(); channel.port1.onmessage = done; channel.port2.postMessage(0); });
  }
  return performance.now() - begun;
}"""  # noqa: E501


def signed_in(page: Page, url: str, email: str, password: str) -> None:
    page.goto(f"{url}/field/sign-in")
    page.locator("main [name=email]").fill(email)
    page.locator("main [name=password]").fill(password)
    page.locator("main [name=password]").press("Enter")
    page.locator("#device button").click()
    page.locator(".tabs").wait_for()


def fetched(page: Page, url: str) -> None:
    page.goto(f"{url}/field#/phone")
    for _ in ("size", "fetch"):
        page.locator("main .btn-primary").first.click()
        page.locator("main p.size").wait_for(state="hidden" if _ == "fetch" else "visible")
    page.locator("main p.mb-2").first.wait_for()


def measure(stage: Stage) -> Iterator[Figure]:
    urls = stage.province(1_000)
    kept = (stage.folder / "demo-accounts.txt").read_text().splitlines()
    passwords = dict(line.split("  ") for line in kept)
    settings: Any = Settings(
        instance=stage.folder, database_url=urls.app_url, migration_database_url=urls.owner_url
    ).with_secret()
    with serving(settings, passwords) as server, sync_playwright() as playwright:
        # A window without a folder would store in memory.
        context = playwright.chromium.launch_persistent_context(
            stage.folder / "phone",
            executable_path=os.environ.get("CHROMIUM") or "/usr/bin/chromium",
            args=FLAGS,
            viewport={"width": 390, "height": 844},
            has_touch=True,
            is_mobile=True,
            geolocation={"latitude": 10.46, "longitude": 105.63, "accuracy": 10},
            permissions=["geolocation"],
        )
        page = context.pages[0]
        email = "inspector@example.org"
        signed_in(page, server.url, email, passwords[email])
        fetched(page, server.url)
        page.evaluate(FILL, TOWERS)
        # A visit of the last of them.
        page.goto(f"{server.url}/field#/tower/MORE-{TOWERS - 1}")
        page.reload()
        page.locator("main section").last.locator(".btn.wide").click()
        page.locator(".item").first.wait_for()
        place = page.evaluate("() => window.location.hash")
        context.set_offline(True)
        slow = context.new_cdp_session(page)
        slow.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        opened = [page.evaluate(OPEN, place) for _ in range(OPENED)]
        answered = []
        for count in range(ANSWERED):
            # Nobody taps faster than this.
            page.wait_for_timeout(250)
            answered.append(page.evaluate(ANSWER, count))
        context.close()
    yield Figure("E form opens, 20,000 towers on a slow phone", median(opened), "ms", most=1000)
    yield Figure("E answer to stored on a slow phone", median(answered), "ms", most=50)
    yield Figure("E answer to stored on a slow phone, slowest of 20", max(answered), "ms")
