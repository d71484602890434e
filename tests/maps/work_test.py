"""What is done with the towers of the map: those of an area, and those picked out one by one."""

from __future__ import annotations

import html
import re
import uuid
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.settings import ROOT
from inspections.campaign_models import Campaign
from inspections.rules.campaign import State
from inspections.services import saved_lists
from tests import doors, makers
from tests.doors import answered, refused
from towers.models import Tower
from towers.queries import Filters
from towers.schemas import MOST_TOWERS, towers_of

AREA = "105.10000_10.10000*105.30000_10.10000*105.30000_10.30000*105.10000_10.30000"


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    """Staff with two towers inside the area and one beside it."""
    for code, longitude in (("IN-1", 105.15), ("IN-2", 105.25), ("BESIDE-3", 105.45)):
        makers.tower(session, code=code, latitude=10.2, longitude=longitude)
    return doors.client_of(app, session, makers.user(session, "staff"))


def links(page: str) -> dict[str, list[dict[str, list[str]]]]:
    """The paths that a page leads to, with the arguments of each of their links."""
    found: dict[str, list[dict[str, list[str]]]] = {}
    for link in re.findall(r'href="(/[^"#]+)"', page):
        parts = urlsplit(html.unescape(link))
        found.setdefault(parts.path, []).append(parse_qs(parts.query))
    return found


def test_every_button_takes_along_the_area_and_not_the_view(staff: FlaskClient) -> None:
    page = staff.get(f"/map?area={AREA}&condition=unchecked&bbox=100,5,101,6").text
    led = links(page)
    for path in ("/towers", "/follow-up", "/campaigns/new"):
        assert {"area": [AREA], "condition": ["unchecked"]} in led[path], path
    (form,) = re.findall(
        r'<form class="sheet" method="get" action="/towers/export">.*?</form>', page, re.S
    )
    assert f'name="area" value="{AREA}"' in form
    assert 'name="bbox"' not in form


def test_list_counts_export_and_campaign_have_exactly_these_towers(staff: FlaskClient) -> None:
    inside = {"IN-1", "IN-2"}
    listed = answered(staff.get(f"/map/list.json?bbox=100,5,110,15&area={AREA}"), 200)
    assert {row["code"] for row in listed["rows"]} == inside
    counts = answered(staff.get(f"/tiles/towers/counts.json?area={AREA}"), 200)
    assert counts == {"matching": 2, "total": 3}
    for path in (f"/towers?area={AREA}", f"/towers/export?format=csv&area={AREA}"):
        text = staff.get(path).text
        assert {code for code in (*inside, "BESIDE-3") if code in text} == inside, path
    planned = staff.get(f"/campaigns/new?area={AREA}&lang=en").text
    assert re.search(r'id="chosen"[^>]*>2 ', planned)


def test_towers_can_be_added_to_campaigns_that_are_not_over(
    session: Session, world: doors.World
) -> None:
    before = answered(world["staff"].get("/map/campaigns.json"), 200)["campaigns"]
    assert before
    for one in before:
        campaign = session.get_one(Campaign, uuid.UUID(one["id"]))
        campaign.state, campaign.ended_at = State.CLOSED, makers.NOW
    session.commit()
    assert answered(world["staff"].get("/map/campaigns.json"), 200)["campaigns"] == []


def test_who_plans_no_campaign_is_offered_none(world: doors.World) -> None:
    assert "to-campaign" in world["staff"].get("/map").text
    assert "to-campaign" not in world["inspector"].get("/map").text


def picked(*towers: Tower) -> str:
    """These towers as an address has them."""
    return Filters(towers=tuple(one.id for one in towers)).towers_text


def test_towers_picked_out_are_shown_listed_exported_and_planned(
    staff: FlaskClient, session: Session
) -> None:
    by_code = {one.code: one for one in session.scalars(select(Tower))}
    chosen = picked(by_code["IN-2"], by_code["BESIDE-3"])
    rows = answered(staff.get(f"/map/list.json?bbox=100,5,110,15&towers={chosen}"), 200)["rows"]
    assert {row["code"] for row in rows} == {"IN-2", "BESIDE-3"}
    assert answered(staff.get(f"/tiles/towers/counts.json?towers={chosen}"), 200)["matching"] == 2
    for path in (f"/towers?towers={chosen}", f"/towers/export?format=csv&towers={chosen}"):
        text = staff.get(path).text
        assert {code for code in by_code if code in text} == {"IN-2", "BESIDE-3"}, path
    planned = staff.get(f"/campaigns/new?towers={chosen}&lang=en").text
    assert re.search(r'id="chosen"[^>]*>2 ', planned)
    assert f'name="towers" value="{chosen}" checked' in planned
    # Programs may give ids as they get them.
    ids = f"{by_code['IN-1'].id}.{by_code['IN-2'].id}"
    page = answered(staff.get(f"/api/v1/towers?towers={ids}"), 200)
    assert [one["code"] for one in page["items"]] == ["IN-1", "IN-2"]


def test_the_most_that_can_be_picked_out_fit_an_address_and_a_saved_list(
    staff: FlaskClient, session: Session
) -> None:
    most = Filters(towers=tuple(uuid.uuid4() for _ in range(MOST_TOWERS)))
    # Beside the longest drawn area an address would have no room for them.
    assert len(most.towers_text) < saved_lists.MAX_QUERY - len("towers")
    assert towers_of(most.towers_text) == most.towers
    assert staff.get(f"/map?towers={most.towers_text}").status_code == 200
    script = (ROOT / "maps" / "assets" / "_basket.js").read_text(encoding="utf-8")
    assert f"MOST_CHOSEN = {MOST_TOWERS};" in script


@pytest.mark.parametrize("bad", ["x", "A" * 22 + ".", "*" * 22, f"{'A' * 22}x", "Ă" * 22])
def test_what_is_no_tower_is_refused_to_programs_and_left_out_of_pages(
    staff: FlaskClient, bad: str
) -> None:
    refused(staff.get("/api/v1/towers", query_string={"towers": bad}), 422)
    many = ".".join(["A" * 22] * (MOST_TOWERS + 1))
    refused(staff.get("/api/v1/towers", query_string={"towers": many}), 422)
    page = staff.get("/map", query_string={"towers": bad})
    assert page.status_code == 200
    assert 'name="towers"' not in page.text.replace('type="hidden" name="towers"', "")


def test_who_picks_out_a_tower_outside_the_territory_finds_nothing(world: doors.World) -> None:
    both = picked(world.here.tower, world.there.tower)
    rows = answered(world["inspector"].get(f"/map/list.json?bbox=100,5,110,15&towers={both}"), 200)
    assert [row["code"] for row in rows["rows"]] == [world.here.tower.code]
    counts = answered(world["inspector"].get(f"/tiles/towers/counts.json?towers={both}"), 200)
    assert counts == {"matching": 1, "total": 1}
