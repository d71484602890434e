"""The checklist at a desk: a draft is begun, changed, tested against the past, and published."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.server import Server, commands, prepared, serving

pytestmark = pytest.mark.browser

LONG = "Fence, gate, lock and whatever keeps people from climbing " * 8


@pytest.fixture(scope="module")
def department(cluster, migrated: str, instance: Path) -> Iterator[Server]:
    """A small province of its own: what is published here judges nobody else's inspections."""
    with prepared(cluster, migrated, "browser_checklist", instance) as settings:
        commands(settings, ("demo", "load", "--towers", "60"))
        kept = (settings.instance / "demo-accounts.txt").read_text()
        passwords = dict(line.split("  ") for line in kept.splitlines())
        with serving(settings, passwords) as running:
            yield running


@pytest.mark.parametrize(("language", "phone"), [("vi", False), ("en", True)])
def test_a_checklist_is_changed_and_published(walk, department, language, phone, tmp_path: Path):
    one = walk(department, language, phone=phone, signed_in="staff@example.org")
    page = one.page
    one.open("/checklists")
    one.look("checklists")
    one.press("Begin a draft")
    page.wait_for_url(re.compile(r"/checklists/\d+$"))
    number = page.url.rpartition("/")[2]
    one.look("checklist-draft")

    page.locator("#i-sit_fence a.btn").click()
    one.look("checklist-item")
    shown = page.locator("[data-for='yes_no']")
    expect(shown).to_be_visible()
    page.locator("[name='type']").select_option("measurement")
    expect(shown).to_be_hidden()
    page.locator("[name='type']").select_option("yes_no")
    severity = "critical" if language == "vi" else "minor"
    page.locator("[name='level.0.severity']").select_option(severity)
    page.locator("[name='en']").fill("")
    with one.refused(422):
        one.press("Save in the draft")
        expect(page.locator(".wrong-summary")).to_be_visible()
        one.look("checklist-item-wrong")
    page.locator("[name='en']").fill(LONG.strip())
    one.press("Save in the draft")
    expect(page.locator(f"#i-sit_fence .limit.{severity}")).to_be_visible()

    # By keyboard an item goes down and up again: the focus goes with it.
    page.wait_for_load_state()
    item = page.locator("#i-sit_fence")
    place = item.locator("[name='place']")
    before = place.input_value()
    item.locator("button[value='down']").press("Enter")
    expect(place).to_have_value(str(int(before) + 1))
    expect(item.locator("button[value='up']")).to_be_focused()
    page.keyboard.press("Enter")
    expect(place).to_have_value(before)
    expect(item.locator("button:focus")).to_have_count(1)

    with page.expect_download() as download:
        page.get_by_role("link", name="Excel").click()
    path = tmp_path / "checklist.xlsx"
    download.value.save_as(path)
    page.locator("#import > summary").click()
    page.locator("#f-file").set_input_files(path)
    one.press("Read the file")
    one.sees("The file says the same as the draft: nothing was changed.")

    one.open(f"/checklists/{number}/items/new")
    one.look("checklist-item-new")
    one.open(f"/checklists/{number}/changes")
    one.sees("A draft is published once it was tested as it is.")
    one.press("Test the draft")
    expect(page.locator("#back-test .tiles")).to_be_visible()
    one.look("checklist-changes")
    one.press("By commune, and which inspections")
    one.look("checklist-back-test")
    one.open(f"/checklists/{number}/changes")
    page.on("dialog", lambda dialog: dialog.accept())
    page.locator("#back-test button.btn-primary").click()
    page.wait_for_url(re.compile(rf"/checklists/{number}$"))
    expect(page.locator(".state.ok")).to_be_visible()
    one.open("/checklists")
    expect(page.locator("tbody tr").first).to_contain_text(one.text("In force"))
