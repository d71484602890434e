"""The main job, end to end, as an administrator, staff and an inspector do it, in both languages.

From empty: areas, a tower in the form, a list, an inspection, the map, the follow-up list with its
downloads, an assessment, and the re-inspection that closes what was found.
"""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from playwright.sync_api import Download, FilePayload, Page, expect

from areas.cli import DEMO
from tests.browser import checklist
from tests.browser.checklist import FAILING, FIXED, FOUND, ITEMS
from tests.browser.walk import Walk

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SEVERITIES = {"critical": "Critical", "major": "Major", "minor": "Minor"}
# Where the towers of each language stand, in degrees, so that none is near another's, and in
# which commune of the synthetic boundaries the one is that is registered by a click.
PLACES = {"vi": (10.45, 105.75), "en": (10.40, 106.32)}
COMMUNES = {"vi": "Xã Mỹ Thọ", "en": "Xã Long Hưng"}
OWNER = "Công ty Sóng Việt (hư cấu)"


def today() -> date:
    return datetime.now(ZoneInfo("Asia/Ho_Chi_Minh")).date()


def written(day: date) -> str:
    return day.strftime("%d/%m/%Y")


@pytest.mark.parametrize("language", ["vi", "en"])
def test_main_job(walk, server, language):
    prefix = language.upper()
    admin = walk(server, language, signed_in="admin@example.org")
    load_areas(admin)

    staff = walk(server, language, signed_in="staff@example.org")
    mast = f"{prefix}-COT/01".replace("/", ".")
    register_by_click(staff, mast)
    register_by_typing(staff, f"{prefix}-02", mast)
    import_list(staff, prefix)

    inspector = walk(server, language, signed_in="inspector@example.org")
    checklist.inspect(inspector, mast, "inspection")
    see_what_was_found(inspector, mast)
    find_on_the_map(staff, mast)
    follow_up(staff, mast)
    ask_for_an_assessment(staff, f"{prefix}-11")
    close_by_reinspection(inspector, mast)
    answer_what_was_left_out(inspector, mast)


def load_areas(walk: Walk) -> None:
    page = walk.page
    walk.open("/")
    walk.look("dashboard-empty")
    walk.open("/areas")
    walk.look("areas-before")
    walk.open("/areas/load")
    page.locator("[name=file]").set_input_files(DEMO)
    walk.field("synthetic").check()
    walk.press("Check the file")
    walk.sees("What loading would do")
    walk.look("areas-looked-at")
    walk.press("Load")
    walk.sees("The areas were loaded")
    walk.open("/areas?level=commune")
    expect(page.locator("table.data tbody tr")).to_have_count(50)
    walk.sees("Synthetic boundaries, not the real ones")
    walk.look("areas-loaded")


def register_by_click(walk: Walk, code: str) -> None:
    """A click on the map gives the position."""
    page = walk.page
    latitude, longitude = PLACES[walk.language]
    walk.open("/towers")
    walk.press("Register a tower")
    walk.field("code").fill(code)
    walk.field("name").fill("Trạm Tân Hộ Cơ <b>số 1</b>")
    walk.field("structure_type").select_option("guyed_mast")
    walk.field("owner").fill(OWNER)
    walk.field("height_m").fill(walk.decimal("42.5"))
    page.locator("[name=services][value=bts]").check()

    # The map goes where the typed position is; a click there is then the position.
    walk.field("latitude").fill(str(latitude))
    walk.field("longitude").fill(str(longitude))
    walk.field("longitude").blur()
    picker = walk.map("#picker")
    expect(picker.locator(".leaflet-marker-icon svg.sign")).to_have_count(1)
    picker.locator(".leaflet-container").click(position={"x": 200, "y": 100})
    expect(walk.field("latitude")).not_to_have_value(str(latitude))
    clicked = [float(walk.field(name).input_value()) for name in ("latitude", "longitude")]
    assert clicked == [pytest.approx(latitude, abs=0.2), pytest.approx(longitude, abs=0.5)]
    walk.look("tower-form-clicked")
    walk.press("Save")
    walk.sees("Tower %(code)s was registered.", code=code)
    expect(page.locator("main")).to_contain_text(f"{clicked[0]:.6f}, {clicked[1]:.6f}")
    expect(page.locator("dl.facts").first).to_contain_text(COMMUNES[walk.language])
    expect(page.locator("dl.facts").first).to_contain_text(OWNER)
    expect(page.locator("main .state.unchecked")).to_be_visible()
    small = walk.map("iframe.map.small")
    expect(small.locator(".leaflet-marker-icon svg.sign")).to_have_count(1)
    walk.look("tower-new")


def register_by_typing(walk: Walk, code: str, neighbour: str) -> None:
    """Swapped degrees are refused, a near tower is shown, and nothing typed is lost."""
    page = walk.page
    walk.open(f"/towers/{neighbour}/edit")
    latitude, longitude = (walk.field(one).input_value() for one in ("latitude", "longitude"))
    walk.open("/towers/new")
    walk.field("code").fill(code)
    walk.field("name").fill("Trạm gõ tay")
    walk.field("structure_type").select_option("unknown")
    walk.field("latitude").fill(walk.decimal(longitude))
    walk.field("longitude").fill(walk.decimal(latitude))
    with walk.refused(422):
        walk.press("Save")
    walk.sees("Latitude and longitude are probably swapped")
    walk.look("tower-form-refused")
    expect(walk.field("name")).to_have_value("Trạm gõ tay")
    walk.field("latitude").fill(walk.decimal(latitude))
    walk.field("longitude").fill(walk.decimal(longitude))
    with walk.refused(409):
        walk.press("Save")
    walk.sees("Is it one of these? They stand within 100 m.")
    expect(page.locator(".wrong-summary")).to_contain_text(neighbour)
    walk.look("tower-form-near")
    walk.field("confirmed").check()
    walk.press("Save")
    walk.sees("Tower %(code)s was registered.", code=code)
    expect(page.locator("main")).to_contain_text(walk.text("Not yet determined"))


def import_list(walk: Walk, prefix: str) -> None:
    page = walk.page
    latitude, longitude = PLACES[walk.language]
    rows = [
        "code,name,structure_type,height_m,latitude,longitude,owner",
        f"{prefix}-11,Trạm đơn thân,monopole,30,{latitude + 0.01},{longitude},Công ty A (hư cấu)",
        f"{prefix}-12,Trạm giàn,lattice_self_support,60,{latitude + 0.02},{longitude},",
        f"{prefix}-13,Trạm sai,monopole,25,95.2,{longitude},Công ty A (hư cấu)",
        f"{prefix}-14,Trạm chưa rõ,,18,{latitude + 0.03},{longitude},Công ty B (hư cấu)",
    ]
    file: FilePayload = {
        "name": "danh-sach.csv",
        "mimeType": "text/csv",
        "buffer": "\r\n".join(rows).encode("utf-8-sig"),
    }
    walk.open("/towers")
    walk.press("Import a list")
    send_list(walk, file)
    figures = page.locator(".tile .figure")
    expect(figures).to_have_text(["4", "3", "0", "0", "1", "0", "0"])
    wrong = page.locator("#wrong-rows tbody tr")
    # The pair is wrong: row 4 is named once for both of its columns.
    expect(wrong).to_have_count(1)
    cells = wrong.first.locator("td")
    expect(cells.nth(0)).to_have_text("4")
    expect(cells.nth(1)).to_have_text(walk.text("Latitude"))
    expect(cells.nth(2)).to_have_text("95.2")
    expect(cells.nth(3)).to_have_text(
        walk.text("Latitude lies between -90 and 90, longitude between -180 and 180")
    )
    walk.look("import-preview")
    walk.press("Import the good rows")
    walk.sees("What the import did")
    expect(figures).to_have_text(["4", "3", "0", "0", "1", "0", "0"])
    walk.look("import-done")
    walk.press("To the register")
    walk.unfold_filters()
    walk.field("q").fill(f"{prefix}-1")
    walk.press("Show")
    codes = page.locator("table.data tbody tr td.code")
    expect(codes).to_have_text([f"{prefix}-11", f"{prefix}-12", f"{prefix}-14"])
    # The same list again changes nothing.
    walk.open("/towers/import")
    send_list(walk, file)
    expect(figures).to_have_text(["4", "0", "0", "3", "1", "0", "0"])
    walk.press("Cancel")
    walk.sees("The import was cancelled; nothing was written.")


def send_list(walk: Walk, file: FilePayload) -> None:
    """Upload a list and check it with the columns as they are guessed."""
    walk.field("file").set_input_files(file)
    walk.press("Upload and look at the columns")
    walk.page.wait_for_url("**/towers/imports/*")
    walk.press("Check the list")
    walk.sees("What the import would do")


def see_what_was_found(walk: Walk, code: str) -> None:
    """Three violations with severity, deadline and basis; the tower is dangerous."""
    page = walk.page
    walk.look("inspection")
    walk.open(f"/towers/{code}")
    expect(page.locator("main .state.dangerous").first).to_have_text(walk.text("Dangerous"))
    rows = page.locator("#violations tbody tr")
    expect(rows).to_have_count(len(FOUND))
    # The most severe stands first.
    for number, (key, (severity, days, document)) in enumerate(FOUND.items()):
        row = rows.nth(number)
        expect(row).to_contain_text(ITEMS[key].text(walk.language))
        expect(row).to_contain_text(walk.text(SEVERITIES[severity]))
        expect(row).to_contain_text(written(today() + timedelta(days=days)))
        expect(row).to_contain_text(document or walk.text("Technical recommendation"))
    expect(page.locator("#photos img")).to_have_count(len(checklist.WITH_PHOTO))
    page.locator("#photos a").first.click()
    expect(page.locator("dialog#lightbox img")).to_be_visible()
    page.keyboard.press("Escape")
    walk.look("tower-dangerous")
    rows.filter(has_text=ITEMS["gnd_resistance"].text(walk.language)).get_by_role("link").click()
    expect(page.locator("h1")).to_have_text(ITEMS["gnd_resistance"].text(walk.language))
    walk.look("violation")


def find_on_the_map(walk: Walk, code: str) -> None:
    """The dangerous tower has its sign; a click opens a popup whose link leads to the tower."""
    page = walk.page
    walk.open("/map")
    wait_for_count(page, r"\d")
    walk.look("map-all")
    walk.unfold_filters()
    walk.field("q").fill(code)
    walk.choose("condition", walk.text("Dangerous"))
    walk.press("Show")
    expect(page).to_have_url(re.compile(r"/map\?.*condition=dangerous"))
    wait_for_count(page, r"^1 ")
    expect(page.locator("[data-count=dangerous]")).to_have_text("1")
    signs = walk.map().locator(".leaflet-marker-pane .leaflet-marker-icon:has(svg.sign)")
    expect(signs).to_have_count(1)
    expect(signs.locator("use")).to_have_attribute("href", re.compile("#condition-dangerous$"))
    drawn = signs.locator("use").evaluate("one => one.getBBox().width")
    assert drawn > 0, "the sign is empty"
    signs.click()
    popup = walk.map().locator(".leaflet-popup-content")
    expect(popup).to_contain_text(code)
    expect(popup).to_contain_text("<b>số 1</b>")
    expect(popup).to_contain_text(walk.text("Dangerous"))
    close = walk.map().locator(".leaflet-popup-close-button")
    expect(close).to_have_attribute("aria-label", walk.text("Close"))
    expect(popup.get_by_role("link")).to_have_text(walk.text("Open the tower"))
    walk.look("map-popup")
    popup.get_by_role("link").click()
    expect(page).to_have_url(f"{walk.server.url}/towers/{code}")
    page.go_back()
    expect(page).to_have_url(re.compile(r"/map\?.*condition=dangerous"))
    wait_for_count(page, r"^1 ")
    expect(walk.field("condition").and_(page.locator(":checked"))).to_have_value("dangerous")
    # Nothing of it is satisfactory.
    walk.unfold_filters()
    walk.choose("condition", walk.text("Satisfactory"))
    walk.press("Show")
    wait_for_count(page, r"^0 ")
    expect(signs).to_have_count(0)
    page.go_back()
    wait_for_count(page, r"^1 ")
    expect(signs).to_have_count(1)
    # The list of the same filters.
    walk.press("Follow-up list")
    expect(page).to_have_url(re.compile(r"/follow-up\?.*condition=dangerous"))


def wait_for_count(page: Page, pattern: str) -> None:
    expect(page.locator("#map-count")).to_have_text(re.compile(pattern))


def follow_up(walk: Walk, code: str) -> None:
    """The filters narrow the list, and every download has exactly its rows."""
    page = walk.page
    walk.open("/follow-up")
    walk.unfold_filters()
    walk.field("q").fill(code)
    walk.press("Show")
    rows = page.locator("table.data tbody tr")
    expect(rows).to_have_count(3)
    # The most urgent first.
    tasks = [ITEMS[key].text(walk.language) for key in ("str_plumb", "gnd_resistance", "sit_fence")]
    for number, task in enumerate(tasks):
        expect(rows.nth(number)).to_contain_text(task)
    walk.look("follow-up-of-one")
    walk.choose_other_language_and_back()

    read = read_csv(download(walk, "CSV"))
    assert [row[walk.text("What must be fixed")] for row in read] == tasks
    assert {row[walk.text("Tower code")] for row in read} == {code}
    severities = [row[walk.text("Severity")] for row in read]
    assert severities == [walk.text(SEVERITIES[FOUND[key][0]]) for key in FAILING]
    assert [row[walk.text("Legal basis")] for row in read] == [
        FOUND[key][2] or walk.text("Technical recommendation") for key in FAILING
    ]
    deadlines = [today() + timedelta(days=FOUND[key][1]) for key in FAILING]
    assert [row[walk.text("Deadline")] for row in read] == [one.isoformat() for one in deadlines]

    workbook = io.BytesIO(download(walk, "Excel").path().read_bytes())
    sheet = openpyxl.load_workbook(workbook).active
    assert sheet is not None
    head, *body = sheet.iter_rows(values_only=True)
    column = head.index(walk.text("What must be fixed"))
    assert [row[column] for row in body] == tasks
    column = head.index(walk.text("Deadline"))
    assert [row[column].date() for row in body] == deadlines
    # The header and the codes stay in sight.
    assert sheet.freeze_panes == "B2"
    assert sheet.auto_filter.ref

    collection = json.loads(download(walk, "GeoJSON").path().read_text())
    assert [one["properties"]["task"] for one in collection["features"]] == tasks
    assert {tuple(one["geometry"]["coordinates"]) for one in collection["features"]} == {
        (float(read[0][walk.text("Longitude")]), float(read[0][walk.text("Latitude")]))
    }

    # By commune, owner and structure type it is the same tower; by another owner it is not.
    walk.open("/follow-up")
    walk.unfold_filters()
    walk.choose("commune", COMMUNES[walk.language])
    walk.field("owner").select_option(label=OWNER)
    walk.choose("structure_type", walk.text("Ground guyed mast"))
    walk.press("Show")
    expect(rows.filter(has_text=code)).to_have_count(3)
    expect(rows.filter(has_not_text=code)).to_have_count(0)
    walk.unfold_filters()
    walk.choose("severity", walk.text("Critical"))
    walk.press("Show")
    expect(rows).to_have_count(1)
    assert len(read_csv(download(walk, "CSV"))) == 1
    walk.unfold_filters()
    walk.field("overdue").check()
    walk.press("Show")
    walk.sees("Nothing matches")
    page.go_back()
    expect(rows).to_have_count(1)


def download(walk: Walk, name: str) -> Download:
    """Take the list along in a form of the page."""
    export = walk.page.locator("details.download")
    if export.get_attribute("open") is None:
        export.locator("summary").click()
    with walk.page.expect_download() as waiting:
        walk.page.locator("main").get_by_role("link", name=name, exact=True).click()
    return waiting.value


def read_csv(downloaded: Download) -> list[dict[str, str]]:
    content = downloaded.path().read_bytes()
    assert content.startswith(b"\xef\xbb\xbf"), "Excel needs the mark"
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


def ask_for_an_assessment(walk: Walk, code: str) -> None:
    page = walk.page
    walk.open(f"/towers/{code}")
    page.locator("summary", has_text=walk.text("Request a load-safety assessment")).click()
    walk.field("reason").fill("Treo thêm hai ăng ten chưa thẩm tra")
    walk.press("Send the request")
    walk.sees("The load-safety assessment was requested.")
    expect(page.locator("main .state.assessment_needed").first).to_be_visible()
    walk.sees("Load-safety assessment requested on %(day)s", day=written(today()))
    walk.look("tower-assessment")
    walk.open(f"/follow-up?q={code}")
    expect(page.locator("table.data tbody tr")).to_have_count(1)
    walk.sees("Load-safety assessment")


def close_by_reinspection(walk: Walk, code: str) -> None:
    """Only a re-inspection closes violations; the condition follows."""
    page = walk.page
    walk.open("/violations?severity=critical")
    page.get_by_role("row").filter(has_text=code).get_by_role("link").first.click()
    walk.press("Re-inspect")
    expect(page.locator("[name=kind][value=reinspection]")).to_be_checked()
    walk.look("reinspection-start")
    walk.press("Start")
    page.wait_for_url("**/edit")
    expect(page.locator("[data-group=asked] [data-item]")).to_have_count(len(FIXED))
    expect(page.locator("#asked")).to_have_text(str(len(FIXED)))
    checklist.fill_in(walk, FIXED)
    for key in FIXED:
        checklist.add_photo(walk, key)
    walk.look("reinspection-form")
    walk.press("Submit")
    walk.sees("The inspection was submitted.")
    walk.look("reinspection")
    walk.open(f"/towers/{code}")
    rows = page.locator("#violations tbody tr")
    expect(rows.filter(has_text=walk.text("Closed"))).to_have_count(len(FOUND))
    expect(page.locator("main .state.unchecked").first).to_be_visible()
    walk.sees("the last inspection is incomplete")
    walk.look("tower-fixed")
    walk.open(f"/follow-up?q={code}")
    walk.sees("Nothing matches")


def answer_what_was_left_out(walk: Walk, code: str) -> None:
    """The inspector corrects the inspection until it is accepted: now it is complete."""
    page = walk.page
    walk.open("/inspections?mine=1&kind=periodic")
    page.get_by_role("row").filter(has_text=code).get_by_role("link").first.click()
    walk.press("Correct")
    page.wait_for_url("**/edit")
    page.locator(f"[name='outcome.{checklist.NOT_CHECKED}']").select_option("")
    page.locator(f"[name='value.{checklist.NOT_CHECKED}'][value=yes]").check()
    walk.press("Submit")
    walk.sees("The inspection was submitted.")
    walk.open(f"/towers/{code}")
    expect(page.locator("main .state.ok").first).to_be_visible()
    expect(page.locator("#violations tbody tr").filter(has_text=walk.text("Closed"))).to_have_count(
        len(FOUND)
    )
    walk.look("tower-ok")
