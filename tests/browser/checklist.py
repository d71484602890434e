"""An inspector at the checklist: real answers of the shipped catalogue, and a real photo."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from PIL import Image, ImageDraw
from playwright.sync_api import expect

from tests.browser.walk import Walk
from tests.inspections import visits
from towers.models import Tower

# Of a ground guyed mast: 1.125 % out of plumb, an earth of 15 ohm, no fence. Each with the
# severity, the days to remedy it and the document that the catalogue gives.
FAILING: dict[str, dict[str, Any]] = {
    "str_plumb": {"inputs": {"offset_mm": "450", "measured_height_m": "40"}},
    "gnd_resistance": {"value": "15", "record_also": {"method": "clamp", "weather": "dry"}},
    "sit_fence": {"value": "no"},
}
FOUND = {
    "str_plumb": ("critical", 7, None),
    "gnd_resistance": ("major", 30, "QCVN 9:2016/BTTTT"),
    "sit_fence": ("minor", 30, None),
}
FIXED: dict[str, dict[str, Any]] = {
    "str_plumb": {"inputs": {"offset_mm": "20", "measured_height_m": "40"}},
    "gnd_resistance": {"value": "4"},
    "sit_fence": {"value": "yes"},
}
# The photo is asked for where these fail.
WITH_PHOTO = ("str_plumb", "gnd_resistance")
NOT_CHECKED = "doc_storm_plan"
# Where the browser says that it is.
PLACE = "10.46030, 105.63250 ± 8 m"
ITEMS = {item.key: item for item in visits.CATALOGUE.items}


def passing(structure_type: str) -> dict[str, dict[str, Any]]:
    """A passing answer to every item of a structure 42 m high with a base station."""
    tower = Tower(structure_type=structure_type, services=["bts"], height_m=42)
    return visits.passing(tower, structure_type)


def photo(text: str) -> bytes:
    """A JPEG as a phone makes it, with the place where it was taken in its EXIF."""
    picture = Image.new("RGB", (1200, 900), (120, 165, 205))
    draw = ImageDraw.Draw(picture)
    draw.polygon([(560, 880), (600, 80), (640, 880)], fill=(150, 45, 35))
    draw.text((40, 40), text, fill=(20, 30, 40))
    exif = Image.Exif()
    exif[0x010F] = "A phone"
    exif.get_ifd(0x8825).update({1: "N", 2: (10.0, 27.0, 37.0), 3: "E", 4: (105.0, 37.0, 57.0)})
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=85, exif=exif)
    return out.getvalue()


def fill_in(walk: Walk, answers: Mapping[str, Mapping[str, Any]]) -> None:
    """Answer items of the open checklist."""
    page = walk.page
    page.locator("[name='methods'][value='climb']").check()
    for key, answer in answers.items():
        item = page.locator(f"[data-item='{key}']")
        for name, value in answer.get("inputs", {}).items():
            item.locator(f"[name='input.{key}.{name}']").fill(str(value))
        if (value := answer.get("value")) is not None:
            radio = item.locator(f"[name='value.{key}'][value='{value}']")
            if radio.count():
                radio.check()
            else:
                item.locator(f"[name='value.{key}']").fill(str(value))
        for name, value in answer.get("record_also", {}).items():
            item.locator(f"[name='also.{key}.{name}']").select_option(value)


def leave_out(walk: Walk, key: str, reason: str) -> None:
    """Say that an item could not be checked, and why."""
    item = walk.page.locator(f"[data-item='{key}']")
    if not item.locator("details").evaluate("one => one.open"):
        item.locator("summary").click()
    item.locator(f"[name='outcome.{key}']").select_option("not_checked")
    item.locator(f"[name='reason.{key}']").fill(reason)


def add_photo(walk: Walk, key: str) -> None:
    item = walk.page.locator(f"[data-item='{key}']")
    # A line of a re-inspection shows its photos openly.
    if item.locator("details:not([open])").count():
        item.locator("summary").click()
    item.locator(f"[name='photo.{key}']").set_input_files(
        {"name": f"{key}.jpg", "mimeType": "image/jpeg", "buffer": photo(key)}
    )


def inspect(walk: Walk, code: str, name: str) -> None:
    """A whole periodic inspection of a guyed mast that finds three violations."""
    page = walk.page
    walk.open(f"/towers/{code}")
    walk.press("Inspect")
    walk.look(f"{name}-start")
    walk.press("Start")
    page.wait_for_url("**/inspections/*/edit")
    walk.look(f"{name}-checklist-empty")

    answers = {**passing("guyed_mast"), **FAILING}
    del answers[NOT_CHECKED]
    fill_in(walk, answers)
    leave_out(walk, NOT_CHECKED, "Chủ trạm vắng mặt")
    expect(page.locator("#answered")).to_have_text(str(len(answers) + 1))
    page.locator("#locate").click()
    expect(page.locator("#located")).to_have_text(PLACE)
    walk.field("note").fill("Trạm nằm sát bờ kênh")
    walk.field("assessment_reason").fill("Có thêm biển quảng cáo")

    walk.press("Save the draft")
    walk.sees("The draft was saved. It counts only when it is submitted.")
    walk.open(f"/towers/{code}")
    walk.press("Inspect")
    walk.sees("You have an unfinished inspection")
    walk.look(f"{name}-resume")
    page.locator("main section .btn-primary").click()
    expect(page.locator("#answered")).to_have_text(str(len(answers) + 1))
    expect(page.locator(f"[name='reason.{NOT_CHECKED}']")).to_have_value("Chủ trạm vắng mặt")
    expect(page.locator("[name='input.str_plumb.offset_mm']")).to_have_value("450")
    # Nothing of a draft is lost.
    expect(page.locator("#located")).to_have_text(PLACE)
    expect(walk.field("note")).to_have_value("Trạm nằm sát bờ kênh")
    expect(walk.field("assessment_reason")).to_have_value("Có thêm biển quảng cáo")
    expect(page.locator("#asked")).to_have_text(str(len(answers) + 1))
    expect(page.locator(".parts a.done")).to_have_count(page.locator(".parts a").count())

    with walk.refused(422):
        walk.press("Submit")
    summary = page.locator(".wrong-summary")
    expect(summary).to_be_focused()
    expect(summary).to_contain_text(
        walk.text("Your answers are kept as a draft, but not submitted yet. Please correct:")
    )
    for key in WITH_PHOTO:
        named = f"{ITEMS[key].text(walk.language)}: "
        expect(summary).to_contain_text(named + walk.text("This answer needs at least one photo"))
    walk.look(f"{name}-checklist-refused")
    summary.get_by_role("link").first.click()
    expect(page.locator(".item.failing").first).to_be_in_viewport()
    for key in WITH_PHOTO:
        add_photo(walk, key)
    walk.press("Submit")
    walk.sees("The inspection was submitted.")
    expect(page.locator(".photos img")).to_have_count(len(WITH_PHOTO))
    expect(page.locator("dl.facts")).to_contain_text("10.460300, 105.632500 ± 8 m")
    expect(page.locator("dl.facts")).to_contain_text("Trạm nằm sát bờ kênh")
