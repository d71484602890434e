"""A load-safety assessment is answered with conditions, which then are followed up."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import FilePayload, expect

pytestmark = pytest.mark.browser

CONDITIONS = "Tháo hai ăng ten trên tầng <b>45 m</b>, căng lại bốn dây co"
PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)
REPORT: FilePayload = {"name": "bao-cao.pdf", "mimeType": "application/pdf", "buffer": PDF}


@pytest.mark.parametrize("language", ["vi", "en"])
def test_conditions_of_an_assessment_are_followed_up(walk, province, language):
    one = walk(province, language, phone=language == "en", signed_in="staff@example.org")
    page = one.page
    one.open("/assessments")
    first = page.locator("table.data tbody a.main").first
    code = first.inner_text()
    first.click()
    expect(page.locator("h1")).to_contain_text(code)

    # Conditions that nobody names are none: what was typed stays, the file is chosen again.
    page.locator("[name=outcome][value=safe_with_conditions]").check()
    one.field("assessor").fill("Viện Khảo sát (hư cấu)")
    one.field("assessed_on").fill("2026-01-15")
    one.field("file").set_input_files(REPORT)
    with one.refused(422):
        one.press("Answer the assessment")
    expect(page.locator(".wrong-summary")).to_be_visible()
    expect(page.locator("[name=outcome][value=safe_with_conditions]")).to_be_checked()
    expect(one.field("assessor")).to_have_value("Viện Khảo sát (hư cấu)")
    one.look("assessment-refused")

    one.field("conclusion").fill(CONDITIONS)
    one.field("file").set_input_files(REPORT)
    one.press("Answer the assessment")
    one.sees("The assessment was answered.")
    expect(page.locator("main")).to_contain_text(CONDITIONS)
    one.look("assessment-answered")

    # The conditions are a major violation with a deadline, in the list of what is to be done.
    page.get_by_role("link", name=one.text("The violation that follows this up")).click()
    page.wait_for_url("**/violations/*")
    expect(page.locator("main")).to_contain_text(CONDITIONS)
    expect(page.locator("main .severity.major").first).to_be_visible()
    one.look("violation-of-an-assessment")
    one.open(f"/follow-up?q={code}")
    row = page.locator("table.data tbody tr").filter(has_text="45 m")
    expect(row).to_have_count(1)
    one.open(f"/towers/{code}")
    state = page.locator("main .state").first
    expect(state).to_have_class(re.compile("needs_follow_up|dangerous"))
