"""The towers of a campaign: on the map, in the register, in what is taken along."""

from __future__ import annotations

import csv
import io
import uuid
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from tests import doors, makers
from tests.doors import answered
from tests.maps.tiles import all_numbers, all_towers


@pytest.fixture
def campaign(world: doors.World, session: Session) -> uuid.UUID:
    """A campaign of the tower here, beside which another tower stands."""
    makers.tower(session, code="TRU-beside", longitude=105.51, commune=world.here.commune)
    session.commit()
    # That of the world has had the tower there, too.
    number, staff = uuid.uuid4(), world["staff"]
    days = {"begins_on": "2030-01-01", "ends_on": "2030-01-31"}
    body = {"id": str(number), "name": f"Đợt {world.here.words}", "kind": "campaign", **days}
    choice = {"codes": [world.here.tower.code]}
    answered(staff.post("/api/v1/campaigns", json={**body, "choice": choice}), 201)
    path, tag = f"/api/v1/campaigns/{number}/state", {"If-Match": "*"}
    answered(staff.post(path, json={"state": "running"}, headers=tag), 200)
    return number


def codes(world: doors.World, role: str, **query: Any) -> set[str]:
    found = answered(world[role].get("/api/v1/towers", query_string=query), 200)
    return {one["code"] for one in found["items"]}


def test_map_counts_list_and_register_have_its_towers_alone(
    world: doors.World, session: Session, campaign: uuid.UUID
) -> None:
    staff, here = world["staff"], world.here.tower
    assert codes(world, "staff") == {"TRU-here", "TRU-there", "TRU-beside"}
    assert codes(world, "staff", campaign=campaign) == {here.code}
    assert codes(world, "staff", campaign=campaign, q="beside") == set()
    query = {"campaign": str(campaign)}
    assert all_numbers(staff, session, 5, **query)["number"] == 1
    assert [one["id"] for one in all_towers(staff, session, 12, **query)] == [str(here.id)]
    counts = answered(staff.get("/tiles/towers/counts.json", query_string=query), 200)
    assert (counts["matching"], counts["total"]) == (1, 3)
    for address in ("/map/list.json", "/map/print"):
        shown = staff.get(address, query_string={"bbox": "104,9,108,12", "zoom": "9", **query})
        assert shown.status_code == 200, address
        assert here.code in shown.get_data(as_text=True)
        assert "TRU-beside" not in shown.get_data(as_text=True)


def test_a_tile_shows_what_a_campaign_got_since(
    world: doors.World, session: Session, campaign: uuid.UUID
) -> None:
    """The version of the register does not know of it."""
    staff, address = world["staff"], "/tiles/towers/counts.json"
    query = {"campaign": str(campaign)}
    before = staff.get(address, query_string=query)
    added = {"choice": {"codes": ["TRU-beside"]}}
    answered(
        staff.post(f"/api/v1/campaigns/{campaign}/towers", json=added, headers={"If-Match": "*"}),
        200,
    )
    tag = {"If-None-Match": before.headers["ETag"]}
    after = staff.get(address, query_string=query, headers=tag)
    assert (answered(before, 200)["matching"], answered(after, 200)["matching"]) == (1, 2)


def test_who_may_not_see_a_campaign_learns_nothing_by_it(
    world: doors.World, campaign: uuid.UUID
) -> None:
    assert codes(world, "inspector", campaign=campaign) == {"TRU-here"}
    assert codes(world, "elsewhere") == {"TRU-there"}
    assert codes(world, "elsewhere", campaign=campaign) == set()
    assert codes(world, "staff", campaign=uuid.uuid4()) == set()
    # The campaign that runs there is offered, and no other one.
    page = world["elsewhere"].get("/map").get_data(as_text=True)
    assert str(world.there.campaign) in page and str(campaign) not in page


def test_forms_offer_it_and_exports_call_it_by_its_name(
    app: Flask, world: doors.World, campaign: uuid.UUID
) -> None:
    staff, name = world["staff"], f"Đợt {world.here.words}"
    page = staff.get(f"/map?campaign={campaign}").get_data(as_text=True)
    assert f'<option value="{campaign}" selected>{name}</option>' in page
    # The register offers no choice, and keeps the one that an address has.
    page = staff.get(f"/towers?campaign={campaign}").get_data(as_text=True)
    assert f'name="campaign" value="{campaign}" checked' in page
    taken = staff.get(f"/towers/export?campaign={campaign}").get_data(as_text=True)
    assert len(list(csv.DictReader(io.StringIO(taken)))) == 1
    told = staff.get("/exports?lang=vi").get_data(as_text=True)
    assert name in told
    # Not by the word for a kind of inspection.
    assert "Thuộc đợt kiểm tra" in told
