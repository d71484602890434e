"""The map is taken along: a file that needs no network."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, expect
from sqlalchemy.orm import Session

from tests import doors, makers
from tests.maps.tiles import scattered

pytestmark = pytest.mark.browser

SIGNS = ".leaflet-marker-icon:has(svg.sign)"
CLUSTERS = ".leaflet-marker-icon:has(svg.cluster)"


def test_the_map_in_one_file_opens_without_network(
    chromium: Browser, app: Flask, session: Session, tmp_path: Path, screenshots: Path
) -> None:
    hostile = makers.HOSTILE + "</script><img src=x onerror=alert(1)>"
    seen = hostile.partition("\u202e")[0].strip()
    owner = makers.organisation(session, name=hostile)
    commune = makers.commune(session, name=hostile)
    for number in range(3):
        makers.tower(
            session, code=f"H-{number}", name=hostile, owner=owner, commune=commune,
            latitude=10.2 + number / 5, longitude=105.3,
        )  # fmt: skip
    session.commit()
    staff = doors.client_of(app, session, makers.user(session, "staff", name=hostile))
    file = tmp_path / "map.html"
    file.write_bytes(staff.get("/map/towers.html?lang=en").data)

    context = chromium.new_context(offline=True, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("requestfailed", lambda request: said.append(request.url))
    page.goto(file.as_uri())
    expect(page.locator(SIGNS)).to_have_count(3)
    expect(page.locator(".leaflet-land-pane path")).to_have_count(1)
    expect(page.locator(".archipelago")).to_contain_text(["Hoàng Sa", "Trường Sa"])
    expect(page.locator(".synthetic-note")).to_be_visible()
    expect(page.locator("header.taken .number")).to_contain_text("3 towers")
    page.get_by_text("About this map").click()
    expect(page.locator("header.taken dl")).to_contain_text(seen)
    page.get_by_text("About this map").click()
    page.locator(SIGNS).first.click()
    popup = page.locator(".popup")
    expect(popup).to_contain_text(f"H-0 · {seen}")
    expect(popup.locator("img, script, a")).to_have_count(0)
    page.screenshot(path=screenshots / "map-one-file.png")

    # Many stand together, each of them counted.
    scattered(session, 450, [commune], seed=1)
    session.commit()
    file.write_bytes(staff.get("/map/towers.html?include_dismantled=1").data)
    page.goto(file.as_uri())
    expect(page.locator(CLUSTERS).first).to_be_visible()
    numbers = [int(text) for text in page.locator(CLUSTERS).all_inner_texts()]
    assert sum(numbers) + page.locator(SIGNS).count() == 453
    expect(page.locator("header.taken .number")).to_contain_text("453 cột")
    page.screenshot(path=screenshots / "map-one-file-many.png")
    assert said == []
    context.close()
