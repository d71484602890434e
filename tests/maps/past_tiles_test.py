"""Tiles, numbers and popups of a day that is over: for whom, by which filters, on which days."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from accounts.models import Organisation
from areas.models import Area
from core import clock
from maps import services, work_pages
from maps.queries import tiles, worst_first
from tests import doors, makers
from tests.doors import answered, refused
from tests.maps.tiles import all_numbers, all_towers, scattered, states
from towers.models import Tower
from towers.past_models import tower_span

NUMBER = 40
# Days before today on which spans began; the towers of today began a moment ago.
BEGAN, CHANGED, LOOKED_AT = 40, 20, (30, 1)


@dataclass(frozen=True)
class Past:
    """What was told of each tower: the spans that were over when its row of today was made."""

    communes: list[Area]
    owner: Organisation
    towers: list[Tower]
    gone: uuid.UUID
    spans: list[dict[str, Any]]
    staff: FlaskClient

    def on(self, day: date) -> list[dict[str, Any]]:
        """The spans in which a day ended, as they counted on it."""
        end = datetime.combine(day + timedelta(days=1), time(), clock.zone())
        found = []
        for one in self.spans:
            if one["since"] < end <= one["until"]:
                over = one["condition"] == "ok" and one["ok_until"] < day
                late = one["next_deadline"] is not None and one["next_deadline"] < day
                condition = "unchecked" if over else one["condition"]
                found.append({**one, "condition": condition, "overdue": late})
        return found


def summed(spans: list[dict[str, Any]]) -> Counter[str]:
    sums: Counter[str] = Counter()
    for one in spans:
        sums.update({"number": 1, one["condition"]: 1})
        if one["overdue"]:
            sums["overdue"] += 1
    return sums


def ago(days: int) -> date:
    return clock.today() - timedelta(days=days)


@pytest.fixture
def past(app: Flask, session: Session) -> Past:
    random = Random(5)
    communes = [makers.commune(session, code=f"9000{number}") for number in (1, 2)]
    owner = makers.organisation(session)
    towers = scattered(session, NUMBER, communes, seed=1)
    towers[0].name = "Trạm Riêng"
    session.flush()
    gone = uuid.uuid4()
    spans = []
    for tower_id, geom in [(one.id, one.geom) for one in towers] + [(gone, towers[1].geom)]:
        turns = [(BEGAN, CHANGED), (CHANGED, None)]
        for since, until in turns if tower_id != gone else turns[:1]:
            facts = {"ok_until": None, "worst_severity": None, "next_deadline": None,
                     **states(random, ago(20))}  # fmt: skip
            spans.append(
                {
                    "tower_id": tower_id,
                    "since": datetime.combine(ago(since), time(9), clock.zone()),
                    "until": datetime.now(UTC)
                    if until is None
                    else datetime.combine(ago(until), time(9), clock.zone()),
                    "commune_id": random.choice([communes[0].id, communes[1].id, None]),
                    "lifecycle": random.choice(("active", "active", "dismantled")),
                    "owner_id": random.choice((owner.id, None)),
                    "structure_type": random.choice(("guyed_mast", "monopole")),
                    "retold": True,
                    **{key: facts[key] for key in facts if key in tower_span.c},
                    "geom_3857": geom,
                }
            )
    statement = insert(tower_span).values(
        geom_3857=text("ST_Transform(ST_GeomFromEWKT(:place), 3857)")
    )
    for one in spans:
        place = f"SRID=4326;{one.pop('geom_3857').data}"
        session.execute(statement.values(**one), {"place": place})
    staff = doors.client_of(app, session, makers.user(session, "staff"))
    session.commit()
    return Past(communes, owner, towers, gone, spans, staff)


@pytest.mark.parametrize("most", [0, 90])
def test_tiles_of_every_zoom_show_each_tower_of_that_day_once(
    past: Past, session: Session, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(tiles, "MOST_AFAR", most)
    monkeypatch.setattr(tiles, "MOST_NEAR", most)
    for days in LOOKED_AT:
        on = ago(days)
        expected = summed([one for one in past.on(on) if one["lifecycle"] != "dismantled"])
        for z in (0, 10, 11):
            assert all_numbers(past.staff, session, z, on=on) == expected, (z, on)
        if days == LOOKED_AT[0]:
            services.fold(session, today=clock.today(), zone=clock.zone())
            session.commit()


def test_near_by_they_stand_one_by_one(past: Past, session: Session) -> None:
    for days in LOOKED_AT:
        found = all_towers(past.staff, session, 12, on=ago(days), include_dismantled="1")
        expected = [
            {
                "id": str(one["tower_id"]),
                "condition": one["condition"],
                "overdue": one["overdue"],
                **({"severity": one["worst_severity"]} if one["worst_severity"] else {}),
            }
            for one in past.on(ago(days))
        ]
        assert len(expected) == NUMBER + (days > CHANGED)
        assert sorted(found, key=lambda one: one["id"]) == sorted(
            expected, key=lambda one: one["id"]
        )


Wanted = Callable[[dict[str, Any], Past], bool]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({"condition": ["ok", "dangerous"]}, lambda one, _:
         one["condition"] in {"ok", "dangerous"}),
        ({"condition": "unchecked"}, lambda one, _: one["condition"] == "unchecked"),
        ({"severity": "major"}, lambda one, _: one["worst_severity"] == "major"),
        ({"overdue": "1"}, lambda one, _: one["overdue"]),
        ({"due_within": "9"}, lambda one, _: one["next_deadline"] is not None
         and ago(10) <= one["next_deadline"] <= ago(1)),
        ({"commune": "90001"}, lambda one, past: one["commune_id"] == past.communes[0].id),
        ({"without_commune": "1"}, lambda one, _: one["commune_id"] is None),
        ({"structure_type": "monopole"}, lambda one, _: one["structure_type"] == "monopole"),
        ({"owner": "OWNER"}, lambda one, past: one["owner_id"] == past.owner.id),
        ({"area": "105_10*106_10*106_11*105_11"}, lambda one, past: any(
            tower.id == one["tower_id"] and makers.to_position(tower.geom).longitude <= 106
            for tower in past.towers)),
    ],
    ids=lambda one: str(one) if isinstance(one, dict) else "",
)  # fmt: skip
def test_filters_hold_as_they_counted_on_that_day(
    past: Past, session: Session, query: dict[str, Any], wanted: Wanted
) -> None:
    if "owner" in query:
        query = {"owner": past.owner.id}
    on = ago(10)
    listed = [one for one in past.on(on) if one["lifecycle"] != "dismantled" and wanted(one, past)]
    assert 0 < len(listed) < NUMBER
    for z in (6, 11):
        assert all_numbers(past.staff, session, z, on=on, **query) == summed(listed)
    counts = answered(
        past.staff.get("/tiles/towers/counts.json", query_string={**query, "on": on}), 200
    )
    assert counts == {
        "matching": len(listed), "total": NUMBER, "on": on.isoformat(), "by_today": [],
    }  # fmt: skip


RANKS = {"dangerous": 0, "assessment_needed": 1, "needs_follow_up": 2, "unchecked": 3, "ok": 4}


def listed_then(client: FlaskClient, **query: Any) -> list[dict[str, Any]]:
    """All pages of the list beside the map."""
    rows: list[dict[str, Any]] = []
    asked = {"bbox": "100,5,110,15", **query}
    while True:
        page = answered(client.get("/map/list.json", query_string=asked), 200)
        rows += page["rows"]
        if not page["next"]:
            return rows
        asked["cursor"] = page["next"]


def test_the_list_beside_the_map_has_the_towers_as_they_were(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work_pages, "ROWS", 40)
    for days in LOOKED_AT:
        rows = listed_then(past.staff, on=ago(days), include_dismantled="1")
        then = {str(one["tower_id"]): one for one in past.on(ago(days))}
        assert sorted(row["id"] for row in rows) == sorted(then)
        for row in rows:
            one = then[row["id"]]
            assert (row["condition"], row["severity"], row["overdue"]) == (
                one["condition"], one["worst_severity"], one["overdue"],
            )  # fmt: skip
        ranks = [RANKS[row["condition"]] for row in rows]
        assert ranks == sorted(ranks)
        # Whatever has left the register since is there, without a name.
        left = [row for row in rows if row["code"] is None]
        assert [row["id"] for row in left] == [str(past.gone)] * (days > CHANGED)
        assert all(row["name"] for row in rows if row not in left)


def test_of_a_past_day_too_many_to_be_sorted_are_said_not_listed(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worst_first, "MOST_THEN", 30)
    address = f"/map/list.json?bbox=100,5,110,15&on={ago(10)}"
    page = answered(past.staff.get(address), 200)
    assert page == {
        "rows": [], "next": None, "too_many": True, "count": {"number": 30, "more": True},
    }  # fmt: skip
    few = answered(past.staff.get(f"{address}&condition=dangerous"), 200)
    assert few["rows"]
    assert "too_many" not in few


def test_what_only_today_knows_chooses_by_today_and_says_so(past: Past, session: Session) -> None:
    mine = past.towers[0].id
    on = next(ago(days) for days in range(39, 0, -1)
              if any(one["tower_id"] == mine and one["lifecycle"] == "active"
                     for one in past.on(ago(days))))  # fmt: skip
    query = {"q": "Trạm Riêng", "height_from": "10", "on": on}
    (then,) = [one for one in past.on(on) if one["tower_id"] == mine]
    assert all_numbers(past.staff, session, 9, **query) == summed([then])
    counts = answered(past.staff.get("/tiles/towers/counts.json", query_string=query), 200)
    assert (counts["matching"], counts["by_today"]) == (1, ["q", "height_from"])
    query = {"inspection_due_before": "2026-12-01", "on": on}
    for address in ("/tiles/towers/0/0/0.mvt", "/tiles/towers/counts.json", "/map/extent.json"):
        refused(past.staff.get(address, query_string=query), 400)


def test_an_owner_is_found_under_the_names_that_were_merged_into_it(
    past: Past, session: Session
) -> None:
    into, between, on = makers.organisation(session), uuid.uuid4(), ago(10)
    for old, new in ((past.owner.id, between), (between, into.id)):
        session.execute(
            text(
                "INSERT INTO organisation_merge (old_id, into_id, at, snapshot, old_name)"
                " VALUES (:old, :new, now(), '{}', 'x')"
            ),
            {"old": old, "new": new},
        )
    session.commit()
    found = all_numbers(past.staff, session, 6, on=on, owner=into.id, include_dismantled="1")
    assert found == summed([one for one in past.on(on) if one["owner_id"] == past.owner.id])


@pytest.mark.parametrize(
    ("on", "said"),
    [
        (lambda: ago(-1), "chưa đến"),
        (lambda: ago(BEGAN + 1), "bắt đầu từ ngày"),
        (lambda: "2026-02-30", "2026-03-01"),
        (lambda: "x\x00", "2026-03-01"),
    ],
    ids=["future", "before", "no day", "nonsense"],
)
def test_days_that_cannot_be_shown_are_refused(past: Past, on: Any, said: str) -> None:
    query = {"on": on()}
    for address in ("/tiles/towers/3/6/3.mvt", "/tiles/towers/counts.json", "/map/extent.json",
                    f"/map/history/{past.gone}.json"):  # fmt: skip
        answer = refused(past.staff.get(address, query_string=query), 400)
        assert said in answer["detail"]
    page = past.staff.get("/map", query_string=query)
    assert page.status_code == 400 and said in page.text


def test_today_is_no_day_of_the_past(past: Past) -> None:
    for address in ("/tiles/towers/6/50/30.mvt", "/tiles/towers/counts.json"):
        plain = past.staff.get(address)
        assert past.staff.get(address, query_string={"on": clock.today()}).data == plain.data


def test_a_past_tile_is_sent_again_only_when_it_could_differ(past: Past, session: Session) -> None:
    address, query = "/tiles/towers/6/50/30.mvt", {"on": ago(10)}
    first = past.staff.get(address, query_string=query)
    tag = {"If-None-Match": first.headers["ETag"]}
    assert past.staff.get(address, query_string=query, headers=tag).status_code == 304
    for other in ({"on": ago(11)}, {}):
        assert past.staff.get(address, query_string=other, headers=tag).status_code == 200
    session.execute(text("DELETE FROM tower WHERE code = :code"), {"code": past.towers[0].code})
    session.commit()
    again = past.staff.get(address, query_string=query, headers=tag)
    assert (again.status_code, again.data) == (200, first.data), "what was stays what it was"


def test_readers_see_the_past_of_what_was_theirs(past: Past, app: Flask, session: Session) -> None:
    mine, on = past.communes[0], ago(30)
    person = makers.user(session, "inspector", territories=[mine])
    reader = doors.client_of(app, session, person)
    listed = [one for one in past.on(on) if one["commune_id"] == mine.id]
    for query in ({}, {"structure_type": "monopole"}):
        wanted = [one for one in listed if one["structure_type"] == "monopole" or not query]
        assert 0 < len(wanted) < NUMBER
        for z in (5, 11):
            found = all_numbers(reader, session, z, on=on, include_dismantled="1", **query)
            assert found == summed(wanted)
    counts = answered(reader.get("/tiles/towers/counts.json", query_string={"on": on}), 200)
    assert counts["total"] == len(listed)
    for one in past.on(on):
        status = reader.get(f"/map/history/{one['tower_id']}.json", query_string={"on": on})
        assert (status.status_code == 200) == (one["commune_id"] == mine.id)
    nobody = doors.client_of(app, session, makers.user(session, "inspector", everywhere=False))
    assert all_numbers(nobody, session, 8, on=on) == {}
    operator = doors.client_of(app, session, makers.user(session, "operator", everywhere=False))
    for address in ("/map/history.json", f"/map/history/{past.gone}.json"):
        refused(operator.get(address, query_string={"on": on}), 403)


def test_a_popup_says_how_a_tower_was_and_what_it_is(past: Past) -> None:
    tower, on = past.towers[2], ago(30)
    (then,) = [one for one in past.on(on) if one["tower_id"] == tower.id]
    said = answered(past.staff.get(f"/map/history/{tower.id}.json", query_string={"on": on}), 200)
    assert (said["condition"], said["overdue"]) == (then["condition"], then["overdue"])
    assert said["now"] == answered(past.staff.get(f"/map/towers/{tower.id}.json"), 200)
    address = f"/map/history/{past.gone}.json"
    assert answered(past.staff.get(address, query_string={"on": on}), 200)["now"] is None
    refused(past.staff.get(address, query_string={"on": ago(10)}), 404)
    now = answered(past.staff.get(f"/map/history/{tower.id}.json"), 200)
    assert now["condition"] == now["now"]["condition"]


def test_the_slider_is_told_how_far_it_goes(past: Past, app: Flask, session: Session) -> None:
    assert answered(past.staff.get("/map/history.json"), 200) == {
        "today": clock.today().isoformat(),
        "first": ago(BEGAN).isoformat(),
        "retold_until": clock.today().isoformat(),
    }
    only = {"on": ago(30), "commune": "90001", "structure_type": "monopole"}
    wanted = [one["tower_id"] for one in past.on(ago(30))
              if one["commune_id"] == past.communes[0].id and one["lifecycle"] != "dismantled"
              and one["structure_type"] == "monopole"]  # fmt: skip
    places = [makers.to_position(one.geom) for one in past.towers if one.id in wanted]
    box = answered(past.staff.get("/map/extent.json", query_string=only), 200)["box"]
    assert box == pytest.approx(
        [min(p.longitude for p in places), min(p.latitude for p in places),
         max(p.longitude for p in places), max(p.latitude for p in places)], abs=1e-6
    )  # fmt: skip


def test_a_register_without_a_past_begins_today(app: Flask, session: Session) -> None:
    staff = doors.client_of(app, session, makers.user(session, "staff"))
    today = clock.today().isoformat()
    assert answered(staff.get("/map/history.json"), 200) == {
        "today": today, "first": today, "retold_until": None,
    }  # fmt: skip
    refused(staff.get("/tiles/towers/counts.json", query_string={"on": ago(1)}), 400)
