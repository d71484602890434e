"""The map of days that are over: a slider by keyboard, a player, and the way back to today."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_map_of_days_that_are_over(walk, province):
    one = walk(province, "vi", signed_in="staff@example.org")
    page, inside = one.page, one.map()
    one.open("/map")
    count, legend = page.locator("#map-count"), page.locator("[data-count]")
    expect(count).to_have_text(re.compile(r"\d"))
    today = count.inner_text()

    def told(on: str) -> dict[str, int]:
        return page.request.get(f"{one.server.url}/tiles/towers/counts.json?on={on}").json()

    def shown(text: str) -> list[int]:
        return [int(number.replace(".", "")) for number in re.findall(r"[\d.]+", text)]

    inside.get_by_role("button", name=one.text("Past days")).click()
    line, slider = inside.locator(".time-line"), inside.get_by_label(one.text("Day"), exact=True)
    expect(line).to_have_text(one.text("Today"))
    # A step of the arrow is a week.
    expect(slider).to_be_focused()
    for _ in range(60):
        page.keyboard.press("ArrowLeft")
    last = date.fromisoformat(inside.get_by_label(one.text("Show the day")).get_attribute("max"))
    on = (last - timedelta(weeks=60)).isoformat()
    expect(page).to_have_url(re.compile(f"on={on}"))
    day = "/".join(reversed(on.split("-")))
    expect(count).to_contain_text(day)
    expect(line).to_have_text(
        re.compile(one.text("As it was at the end of %(day)s, not as it is today").split("%")[0])
    )
    expected = told(on)
    in_view, matching, total = shown(count.inner_text().split(day)[0])[:3]
    assert (matching, total) == (expected["matching"], expected["total"])
    assert in_view == matching == sum(int(text) for text in legend.all_inner_texts())
    one.look("map-time")
    # The list beside the map is of that day too.
    listed = page.locator("#list-count")
    expect(listed).to_contain_text(re.compile(rf"\D{expected['matching']}\D"))
    first = page.locator("#list-rows tr").first
    worst = page.request.get(f"{one.server.url}/map/list.json?bbox=100,5,110,15&on={on}").json()[
        "rows"
    ][0]
    expect(first).to_have_attribute("data-tower", worst["id"])

    # The address can be shared; filters narrow the same day.
    page.reload()
    expect(count).to_contain_text(day)
    one.unfold_filters()
    one.field("overdue").check()
    one.press("Show")
    expect(page).to_have_url(re.compile(f"overdue=1.*on={on}"))
    expect(count).to_contain_text(day)

    # Played by month it goes on towards today, and stops where it is told to.
    inside.get_by_label(one.text("Step"), exact=True).select_option("month")
    inside.get_by_role("button", name=one.text("Play")).click()
    expect(count).not_to_contain_text(day)
    inside.get_by_role("button", name=one.text("Pause")).click()
    expect(inside.get_by_role("button", name=one.text("Play"))).to_be_visible()

    # What only today knows is said.
    one.open(f"/map?height_from=10&on={on}")
    expect(inside.locator(".time-chosen")).to_contain_text(one.text("height"))

    # A tower says how it was, and what it is.
    one.open(f"/map?condition=needs_follow_up&on={on}")
    sign = inside.locator(".leaflet-marker-pane .leaflet-marker-icon:has(svg.sign)").first
    sign.focus()
    page.keyboard.press("Enter")
    expect(inside.locator(".popup.past")).to_contain_text(
        one.text("At the end of %(day)s", day=day)
    )

    one.open("/map")
    inside.get_by_role("button", name=one.text("Past days")).click()
    expect(slider).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(count).not_to_have_text(today)
    inside.get_by_role("button", name=one.text("Back to today")).click()
    expect(count).to_have_text(today)
    expect(line).to_have_text(one.text("Today"))
    assert "on=" not in page.url
