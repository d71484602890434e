"""The map in Chromium: how soon its towers are drawn, what a step of zoom takes, what it holds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from core.settings import Settings
from tests.bench.figures import Figure
from tests.bench.lists import MILLION, TOWERS
from tests.bench.stage import Stage
from tests.browser.conftest import FLAGS
from tests.browser.server import serving

FEW = 1_000
VISITS = 5
# From the whole province down to single towers, where most of them stand.
STEPS = (9, 10, 11, 12, 13, 14)
# From the step until signs and numbers of the new view are there.
STEP = """(zoom) => new Promise((done) => {
  const map = Object.values(window).find((one) => one instanceof L.Map);
  const begun = performance.now();
  map.once("towerscounted", () => requestAnimationFrame(() => done(performance.now() - begun)));
  map.setZoom(zoom, { animate: false });
})"""
SIGNS = ".leaflet-marker-icon"


@dataclass(frozen=True)
class Look:
    """Milliseconds to the first signs, those of a step, and MiB of the page's JavaScript."""

    first: float
    step: float
    heap: float


def look(browser: Browser, url: str, token: str) -> Look:
    """One visit of somebody whose browser has nothing of ours yet."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, extra_http_headers={"Authorization": token}
    )
    page = context.new_page()
    begun = perf_counter()
    page.goto(f"{url}/map#{STEPS[0]}/10.45/105.95", wait_until="commit")
    inside = page.frame_locator("#map")
    inside.locator(SIGNS).first.wait_for(state="attached")
    first = (perf_counter() - begun) * 1000
    page.locator("#map-count", has_text="1").wait_for()
    frame: Any = page.locator("#map").element_handle().content_frame()
    steps = [frame.evaluate(STEP, zoom) for zoom in STEPS[1:]]
    metrics = context.new_cdp_session(page)
    metrics.send("HeapProfiler.enable")
    metrics.send("HeapProfiler.collectGarbage")
    heap = metrics.send("Runtime.getHeapUsage")["usedSize"] / 2**20
    context.close()
    return Look(first, median(steps), heap)


def looks(stage: Stage, browser: Browser, towers: int) -> Look:
    """The medians of some visits; the first one is for the server."""
    urls = stage.province(towers)
    app = stage.app(urls)
    token = stage.client(app, urls, "staff@example.org").environ_base["HTTP_AUTHORIZATION"]
    settings: Any = Settings(
        instance=stage.folder, database_url=urls.app_url, migration_database_url=urls.owner_url
    ).with_secret()
    with serving(settings, {}) as server:
        seen = [look(browser, server.url, str(token)) for _ in range(VISITS + 1)][1:]
    return Look(*(median(getattr(one, name) for one in seen) for name in ("first", "step", "heap")))


def measure(stage: Stage) -> Iterator[Figure]:
    yield from _measure(stage, TOWERS)


def measure_million(stage: Stage) -> Iterator[Figure]:
    yield from _measure(stage, MILLION)


def _measure(stage: Stage, towers: int) -> Iterator[Figure]:
    program = os.environ.get("CHROMIUM") or "/usr/bin/chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        few, many = looks(stage, browser, FEW), looks(stage, browser, towers)
        browser.close()
    about = f"D map in Chromium, {towers:,} towers"
    yield Figure(f"{about}, first signs", many.first, f"ms, {few.first:.0f} with {FEW:,}")
    yield Figure(f"{about}, first signs against {FEW:,}", many.first / few.first, "×", most=1.5)
    yield Figure(f"{about}, step of the zoom", many.step, f"ms, {few.step:.0f} with {FEW:,}")
    yield Figure(f"{about}, step of the zoom against {FEW:,}", many.step / few.step, "×", most=1.5)
    yield Figure(f"{about}, heap", many.heap, "MiB", most=40)
