"""What a phone brought twice: its pages, the decision of staff, and the versions afterwards."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from tests.inspections.phones import Phone, operation, photo

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("language", ["vi", "en"])
def test_what_a_phone_brought_is_decided_about(walk, province, language):
    inspector = walk(province, language, signed_in="inspector@example.org")
    page = inspector.page
    inspector.open("/devices")
    expect(page.locator("h1")).to_be_visible()
    csrf = page.locator("input[name=csrf_token]").first.get_attribute("value")
    made = page.request.post(
        f"{province.url}/api/v1/devices",
        data={"id": str(uuid.uuid4()), "name": "Samsung A05 – tổ 2", "app_version": "1.0.0"},
        headers={"X-CSRFToken": csrf, "Referer": province.url},
    )
    assert made.status == 201, made.text()
    bearer = {"Authorization": f"Bearer {made.json()['token']}"}
    inspector.open("/devices")
    inspector.sees("In use")
    inspector.look_wide_and_narrow("own-phones-one")

    def send(*operations):
        body = {"device_time": datetime.now(UTC).isoformat(), "operations": list(operations)}
        answer = inspector.page.request.post(
            f"{province.url}/api/v1/sync", data=body, headers=bearer
        )
        return [one["verdict"] for one in answer.json()["results"]]

    pack = page.request.get(f"{province.url}/api/v1/field/towers?limit=30", headers=bearer)
    towers = pack.json()["items"]
    place = 3 if language == "vi" else 5
    code = towers[place]["code"]
    first = operation(
        "inspection",
        {
            "id": str(uuid.uuid4()),
            "tower": code,
            "kind": "periodic",
            "inspected_on": "2024-03-05",
            "structure_type": towers[place]["structure_type"],
            "note": "Bản đầu",
            "answers": {"sit_fence": {"outcome": "ok", "value": "yes"}},
            "photos": [photo("one").facts(), photo("two").facts()],
        },
    )
    changed = {**first["body"], "note": "Bản sửa trên điện thoại khi không có mạng"}
    changed["answers"] = {
        "sit_fence": {"outcome": "ok", "value": "no", "note": "Rào đổ phía sông"},
    }
    assert send(first, {**first, "body": changed}) == ["accepted", "review"]

    staff = walk(province, language, signed_in="staff@example.org")
    page = staff.page
    staff.open(f"/inspections/{first['body']['id']}")
    staff.sees("%(arrived)s of %(expected)s photos", arrived=0, expected=2)
    staff.open("/field/review")
    staff.look_wide_and_narrow("field-review-one")
    page.locator("table.data tbody a.main").first.click()
    page.wait_for_url(re.compile(r"/field/review/[0-9a-f-]{36}$"))
    staff.look_wide_and_narrow("field-item")
    staff.press("Take it")
    staff.sees("Your decision was saved.")
    staff.open(f"/inspections/{first['body']['id']}/versions")
    expect(page.locator("main")).to_contain_text("Bản sửa trên điện thoại")
    staff.look_wide_and_narrow("versions")
    staff.open("/field/import")
    own = Phone(None, made.json()["id"], made.json()["token"])
    queue = own.queue_file(made.json()["user"]["id"], first, {"id": "x"})
    page.locator("input[name=file]").set_input_files(
        {
            "name": "queue.json",
            "mimeType": "application/json",
            "buffer": queue,
        }
    )
    staff.press("Import")
    staff.sees("sent before")
    staff.look_wide_and_narrow("field-import-done")
