"""The groups of a draft and the order of groups and items: by pages, by API, and what they say."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from inspections.rules.documents import differences
from tests import doors, makers
from tests.doors import answered, counts, refused

PATH = "/api/v1/checklists/2"


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    doors.published(session)
    client = doors.client_of(app, session, makers.user(session, "staff"))
    assert client.post("/checklists", data={"based_on": "1"}).status_code == 303
    return client


def content(staff: FlaskClient) -> dict[str, Any]:
    return answered(staff.get(PATH), 200)["content"]


def revision(staff: FlaskClient) -> str:
    return staff.get(PATH).headers["ETag"].strip('"v')


def groups(staff: FlaskClient) -> list[str]:
    return [one["key"] for one in content(staff)["groups"]]


def items(staff: FlaskClient, group: str = "foundation") -> list[str]:
    return [one["key"] for one in content(staff)["items"] if one["group"] == group]


def sent(staff: FlaskClient, path: str, **form: Any) -> Any:
    data = {"revision": revision(staff), **form}
    return staff.post(f"/checklists/2/{path}", data=data)


def test_an_item_moves_up_down_and_to_a_place_of_its_group(staff: FlaskClient) -> None:
    first, second, third, *rest = items(staff)
    everything = [one["key"] for one in content(staff)["items"]]
    moved = sent(staff, f"items/{first}/place", to="down")
    assert moved.status_code == 303
    assert items(staff) == [second, first, third, *rest]
    # The page has the button in the focus that was pressed, at the item where it now stands.
    page = staff.get(moved.headers["Location"]).get_data(as_text=True)
    row = page.split(f'<tr id="i-{first}">')[1].split("</tr>")[0]
    assert "autofocus" in row
    assert page.count("autofocus") == 1
    assert sent(staff, f"items/{first}/place", to="up").status_code == 303
    assert [one["key"] for one in content(staff)["items"]] == everything
    assert sent(staff, f"items/{third}/place", to="place", place="1").status_code == 303
    assert items(staff) == [third, first, second, *rest]
    others = [key for key in everything if key not in items(staff)]
    assert [one["key"] for one in content(staff)["items"] if one["key"] in others] == others
    page = html.unescape(staff.get("/checklists/2/changes?lang=en").get_data(as_text=True))
    assert "The items stand in another order." in page
    (told,) = answered(staff.get(f"{PATH}/differences"), 200)["moved"]
    assert told == {"key": third, "before": 3, "after": 1}


@pytest.mark.parametrize("place", ["0", "99", "x", "", "²", "1" * 20])
def test_a_place_that_is_none_changes_nothing(staff: FlaskClient, session, place: str) -> None:
    before, rows = items(staff), counts(session)
    assert sent(staff, f"items/{before[0]}/place", to="place", place=place).status_code == 422
    assert sent(staff, "groups/foundation/place", to="place", place=place).status_code == 422
    assert (items(staff), counts(session)) == (before, rows)


def test_groups_are_added_named_moved_and_removed(staff: FlaskClient) -> None:
    before = groups(staff)
    names = {"vi": "Phòng máy", "en": "Equipment room"}
    assert sent(staff, "groups", key="equipment_room", **names).status_code == 303
    assert groups(staff) == [*before, "equipment_room"]
    assert sent(staff, "groups/equipment_room/place", to="place", place="1").status_code == 303
    assert sent(staff, "groups/equipment_room/place", to="down").status_code == 303
    assert groups(staff) == [before[0], "equipment_room", *before[1:]]
    renamed = {"vi": "Nhà trạm", "en": "Shelter"}
    assert sent(staff, "groups/equipment_room", **renamed).status_code == 303
    assert content(staff)["groups"][1] == {"key": "equipment_room", **renamed}
    page = staff.get("/checklists/2").get_data(as_text=True)
    assert page.index('id="g-equipment_room"') < page.index(f'id="g-{before[1]}"')
    assert "equipment_room: Nhà trạm / Shelter" in staff.get("/checklists/2/changes").get_data(
        as_text=True
    )
    assert sent(staff, f"groups/{before[0]}/remove").status_code == 409
    assert sent(staff, "groups/equipment_room/remove").status_code == 303
    assert groups(staff) == before


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"key": "foundation"}, 409), ({"key": "1x"}, 422), ({"key": ""}, 422),
        ({"vi": " "}, 422), ({"en": "x" * 201}, 422),
    ],
)  # fmt: skip
def test_a_wrong_group_keeps_what_was_typed(staff: FlaskClient, session, wrong, status) -> None:
    before = counts(session)
    form = {"key": "shelter", "vi": "Nhà trạm", "en": "Shelter <b>", **wrong}
    response = sent(staff, "groups", **form)
    assert response.status_code == status
    page = html.unescape(response.get_data(as_text=True))
    for value in form.values():
        assert f'value="{value}"' in page
    assert re.search(rf'id="f-{next(iter(wrong))}-wrong"', page)
    if "key" not in wrong:
        again = sent(staff, "groups/foundation", **form)
        assert again.status_code == 422
        assert f'value="{form["vi"]}"' in html.unescape(again.get_data(as_text=True))
    assert counts(session) == before


def test_a_draft_that_changed_meanwhile_is_not_touched(staff: FlaskClient) -> None:
    first, second, *_ = items(staff)
    assert sent(staff, f"items/{first}/place", to="down", revision="0").status_code == 412
    assert sent(staff, "groups/foundation/place", to="down", revision="9").status_code == 412
    assert sent(staff, "groups/nothing", vi="a", en="b").status_code == 404
    assert items(staff)[:2] == [first, second]


def test_programs_do_the_same_with_if_match(staff: FlaskClient) -> None:
    first, second, *_ = items(staff)
    names = {"vi": "Nhà trạm", "en": "Shelter"}
    path = f"{PATH}/items/{first}/place"
    refused(staff.post(path, json={"place": 2}), 428)
    refused(staff.post(path, json={"place": 2}, headers={"If-Match": '"v9"'}), 412)
    for body in ({"place": 0}, {"place": "2"}, {"place": 900}, {}):
        refused(staff.post(path, json=body, headers={"If-Match": '"v1"'}), 422)
    answered(staff.post(path, json={"place": 2}, headers={"If-Match": '"v1"'}), 200)
    assert items(staff)[:2] == [second, first]
    group = f"{PATH}/groups/shelter"
    answered(staff.put(group, json=names, headers={"If-Match": '"v2"'}), 201)
    answered(staff.post(f"{group}/place", json={"place": 1}, headers={"If-Match": '"v3"'}), 200)
    assert groups(staff)[0] == "shelter"
    answered(staff.put(group, json={**names, "en": "Hut"}, headers={"If-Match": '"v4"'}), 200)
    refused(staff.delete(f"{PATH}/groups/foundation", headers={"If-Match": '"v5"'}), 409)
    answered(staff.delete(group, headers={"If-Match": '"v5"'}), 200)
    refused(staff.delete(group, headers={"If-Match": '"v6"'}), 404)


@settings(max_examples=60, deadline=None)
@given(st.permutations(list("abcdef")))
def test_what_was_moved_brings_the_old_order_into_the_new_one(order: list[str]) -> None:
    def document(keys: list[str]) -> dict[str, Any]:
        return {"items": [{"key": key, "group": "g"} for key in keys]}

    before = sorted(order)
    found = differences(document(before), document(order))
    assert found.reordered == (order != before)
    again = [key for key in before if key not in {one.key for one in found.moved}]
    for move in sorted(found.moved, key=lambda one: one.after):
        assert before[move.before - 1] == move.key
        again.insert(move.after - 1, move.key)
    assert again == order
