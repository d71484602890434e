"""A messy list on its way into the demo province, in both languages, step by step."""

from __future__ import annotations

import re
from io import BytesIO

import openpyxl
import pytest
from playwright.sync_api import FilePayload, expect

from tests.browser.walk import Walk
from tests.towers import messy

pytestmark = pytest.mark.browser


def payload(walk: Walk, name: str, content: bytes) -> FilePayload:
    """The file with codes and places of its own for each language."""
    if walk.language == "en":
        content = content.replace(b"NB-", b"NE-").replace(b"CU-", b"CE-")
    return {"name": name, "mimeType": "text/csv", "buffer": content}


def upload(walk: Walk, name: str, content: bytes) -> None:
    walk.open("/towers/import")
    walk.field("file").set_input_files(payload(walk, name, content))
    walk.press("Upload and look at the columns")
    walk.page.wait_for_url("**/towers/imports/*")


def figures(walk: Walk) -> list[int]:
    texts = walk.page.locator(".tiles .figure").all_inner_texts()
    return [int(re.sub(r"\D", "", text)) for text in texts]


def undo(walk: Walk) -> None:
    """Take the import of this page back."""
    walk.press("Undo this import …")
    walk.look("import-undo")
    walk.press("Undo this import")
    walk.sees("This import was undone")


@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_messy_list_goes_in(walk, province, language: str) -> None:
    staff = walk(province, language, signed_in="staff@example.org")
    page = staff.page
    # Another place for each language: what stands near is a probable duplicate.
    north_m = 0 if language == "vi" else 1500
    upload(staff, "cu.csv", messy.known(north_m))
    staff.press("Check the list")
    staff.press("Import all rows")
    staff.sees("What the import did")
    known = page.url
    assert figures(staff)[:2] == [2, 2]

    upload(staff, "Danh sách cột ăng ten năm 2026.csv", messy.messy(north_m))
    # What every column means was guessed below the titles; one name more is given.
    staff.look("import-columns")
    chosen = page.locator("table.columns select")
    expect(chosen.nth(0)).to_have_value("")
    for place, field in enumerate(
        ("code", "name", "structure_type", "height_m", "latitude", "longitude", "system"), start=1
    ):
        expect(chosen.nth(place)).to_have_value(field)
    staff.field("save_as").fill(f"Sở {language}")
    staff.press("Check the list")
    staff.sees("What the import would do")
    assert figures(staff) == [12, 4, 1, 1, 4, 2, 2]
    rows = page.locator("#wrong-rows tbody td:first-child").all_inner_texts()
    assert {int(row) for row in rows} == set(messy.WRONG)
    staff.sees("The central meridian is another one (27 to 82 km away or more)")
    drawn = staff.map("iframe.map").locator("canvas")
    expect(drawn.first).to_be_visible()
    staff.look("import-check")

    with page.expect_download() as download:
        staff.press("Row report (XLSX)")
    sheet = openpyxl.load_workbook(BytesIO(download.value.path().read_bytes())).active
    assert sheet is not None
    told = [row[0] for row in sheet.iter_rows(min_row=2, values_only=True)]
    assert told == sorted({*messy.WRONG, *messy.SUSPICIOUS, *messy.DUPLICATE})

    staff.press("Import the good rows")
    staff.sees("What the import did")
    assert figures(staff) == [12, 4, 1, 1, 4, 2, 2]
    staff.look("import-result")
    messy_import = page.url

    # One of the probable duplicates is the same structure, the other one is not.
    review = page.locator("#review tbody tr")
    expect(review).to_have_count(2)
    review.nth(0).get_by_role("button", name=staff.text("The same: update")).click()
    staff.sees("The structure was updated")
    review = page.locator("#review tbody tr", has=page.locator("form"))
    review.get_by_role("button", name=staff.text("Another one: register")).click()
    staff.sees("Registered as another structure")
    staff.look("import-review")

    # The same list again asks nothing and changes nothing.
    upload(staff, "Danh sách cột ăng ten năm 2026.csv", messy.messy(north_m))
    expect(page.locator("#f-mapping option")).to_contain_text([f"Sở {language}"])
    staff.press("Use it")
    staff.press("Check the list")
    staff.sees("What the import would do")
    new, changed, duplicates = (figures(staff)[place] for place in (1, 2, 5))
    # The updated structure has another name now, which the list would set back.
    assert (new, changed, duplicates) == (0, 1, 0)

    # A tower was updated since: the import stays; what it was built on can go.
    page.goto(messy_import)
    staff.press("Undo this import …")
    staff.sees("Towers that were changed later")
    staff.look("import-obstacles")
    page.goto(known)
    staff.press("Undo this import …")
    staff.sees("Towers that were changed later")
    staff.open("/towers/imports")
    staff.look("imports")


@pytest.mark.parametrize("language", ["vi", "en"])
def test_an_import_is_undone_and_a_bad_file_refused(walk, province, language: str) -> None:
    staff = walk(province, language, signed_in="staff@example.org")
    page = staff.page
    prefix = f"UN{language}"
    longitude = 105.9 if language == "vi" else 106.1
    content = f"mã,vĩ độ,kinh độ\n{prefix}-1,10.4,{longitude}\n{prefix}-2,10.41,{longitude}\n"
    upload(staff, "ngắn.csv", content.encode())
    staff.press("Check the list")
    staff.press("Import all rows")
    staff.sees("What the import did")
    undo(staff)
    staff.open(f"/towers?q={prefix}-1")
    expect(page.locator(f"td.code:has-text('{prefix}-1')")).to_have_count(0)

    staff.open("/towers/import")
    staff.field("file").set_input_files(payload(staff, "không.csv", b"\x00\x01\x02"))
    with staff.refused(422):
        staff.press("Upload and look at the columns")
        expect(page.locator("#upload-error")).to_contain_text(staff.text("This is not a text file"))
        staff.look("import-refused")


def test_the_steps_fit_a_phone(walk, province) -> None:
    staff = walk(province, "vi", phone=True, signed_in="staff@example.org")
    content = "mã,tên,vĩ độ,kinh độ\nPH-1,Trạm,10.5,105.2\nPH-2,Trạm,95,105\n"
    upload(staff, "danh sách có tên rất dài để xem có xuống dòng được không.csv", content.encode())
    staff.look("import-columns")
    staff.press("Check the list")
    staff.sees("What the import would do")
    staff.look("import-check")
    staff.press("Import the good rows")
    staff.sees("What the import did")
    staff.look("import-result")
