"""Tiles of the towers: each tower once, true numbers from afar, for whom and when they count."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from areas.models import Area
from core import clock
from maps import services
from maps.queries import tiles
from maps.tiles import Kept
from tests import doors, makers
from tests.doors import answered, refused
from tests.maps.tiles import all_numbers, all_towers, asked, scattered, truth
from towers.models import Tower

NUMBER = 90


@dataclass(frozen=True)
class Place:
    communes: list[Area]
    staff: FlaskClient


@pytest.fixture
def place(app: Flask, session: Session) -> Place:
    """Two communes whose towers are folded yesterday, folded today and not folded at all."""
    communes = [makers.commune(session, code=f"9000{number}") for number in (1, 2)]
    today = clock.today()
    scattered(session, NUMBER // 3, communes, seed=1)
    services.fold(session, today=today - timedelta(days=9), zone=clock.zone())
    scattered(session, NUMBER // 3, communes, seed=2)
    services.fold(session, today=today - timedelta(days=5), zone=clock.zone())
    scattered(session, NUMBER // 3, communes, seed=3)
    staff = doors.client_of(app, session, makers.user(session, "staff"))
    session.commit()
    return Place(communes, staff)


@pytest.mark.parametrize("z", [11, 12, 17])
def test_every_tower_is_in_one_tile_of_a_near_zoom(place: Place, session: Session, z: int) -> None:
    found = all_towers(place.staff, session, z, include_dismantled="1")
    today = clock.today()
    expected = [
        {
            "id": str(one.id),
            "condition": "unchecked"
            if one.condition == "ok" and one.ok_until < today
            else one.condition,
            "overdue": one.next_deadline is not None and one.next_deadline < today,
            **({"severity": one.worst_severity} if one.worst_severity else {}),
        }
        for one in session.scalars(select(Tower))
    ]
    assert len(expected) == NUMBER
    assert sorted(found, key=lambda one: one["id"]) == sorted(expected, key=lambda one: one["id"])


@pytest.mark.parametrize("most", [0, 20, 90])
def test_the_tiles_of_every_zoom_count_each_tower_once(
    place: Place, session: Session, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Whether all stand in clusters, some, or none."""
    monkeypatch.setattr(tiles, "MOST_AFAR", most)
    monkeypatch.setattr(tiles, "MOST_NEAR", most)
    expected = truth(session)
    for z in (0, 3, 7, 10, 11, 12, 15, 16):
        assert all_numbers(place.staff, session, z) == expected, z


def test_the_dangerous_stand_one_by_one_beside_their_clusters(
    app: Flask, place: Place, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "MOST_NEAR", 0)
    unsafe = (
        "SELECT id::text FROM tower WHERE condition = 'dangerous' AND lifecycle <> 'dismantled'"
    )
    expected = sorted(session.scalars(text(unsafe)))
    for most, shown in ((len(expected), expected), (len(expected) - 1, [])):
        monkeypatch.setattr(tiles, "MOST_AFAR", most)
        app.extensions["kept_tiles"].clear()
        layers = asked(place.staff, 0, 0, 0)
        assert sorted(one["id"] for one in layers.get("towers", [])) == shown
        assert ("dangerous" in layers["clusters"][0]) == (not shown)
    # As for everything else, the filters hold.
    monkeypatch.setattr(tiles, "MOST_AFAR", 20)
    assert "towers" not in asked(place.staff, 0, 0, 0, condition=["ok", "unchecked"])


def test_a_crowded_near_tile_comes_as_clusters_until_there_is_nowhere_nearer_to_go(
    app: Flask, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "MOST_NEAR", 5)
    for number in range(6):
        makers.tower(session, latitude=10.5, longitude=105.5 + number / 100_000)
    staff = doors.client_of(app, session, makers.user(session, "staff"))
    for z in (11, 15):
        assert all_towers(staff, session, z) == []
        assert all_numbers(staff, session, z) == truth(session)
    assert len(all_towers(staff, session, 16)) == 6


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ({"condition": ["ok", "dangerous"]}, "(condition = 'ok' AND ok_until >= :today"
         " OR condition = 'dangerous')"),
        ({"condition": "unchecked"}, "(condition = 'unchecked'"
         " OR condition = 'ok' AND ok_until < :today)"),
        ({"severity": "major"}, "worst_severity = 'major'"),
        ({"overdue": "1"}, "next_deadline < :today"),
        ({"due_within": "7"}, "next_deadline BETWEEN :today AND CAST(:today AS date) + 7"),
        ({"due_within": "20", "condition": "dangerous"}, "condition = 'dangerous'"
         " AND next_deadline BETWEEN :today AND CAST(:today AS date) + 20"),
        ({"commune": "90001"}, "commune_id = (SELECT id FROM area WHERE code = '90001')"),
        ({"without_commune": "1"}, "commune_id IS NULL"),
        ({"structure_type": "monopole", "overdue": "1"}, "structure_type = 'monopole'"
         " AND next_deadline < :today"),
        ({"q": "Thử Nghiệm"}, "true"),
    ],
    ids=str,
)  # fmt: skip
def test_filters_narrow_far_and_near_tiles_and_numbers_alike(
    place: Place, session: Session, query: dict[str, Any], where: str
) -> None:
    expected = truth(session, f"lifecycle <> 'dismantled' AND {where}")
    assert 0 < expected["number"] < NUMBER
    for z in (0, 7, 10):
        assert all_numbers(place.staff, session, z, **query) == expected
    assert len(all_towers(place.staff, session, 11, **query)) == expected["number"]
    counts = answered(place.staff.get("/tiles/towers/counts.json", query_string=query), 200)
    assert counts == {"matching": expected["number"], "total": NUMBER}


def test_towers_due_for_inspection_are_those_whose_interval_ends(
    place: Place, session: Session
) -> None:
    """Every 36 months a guyed mast, every 60 a pole; who was never inspected is due as well."""
    session.execute(text("UPDATE tower SET last_inspected_on = date '2024-01-10' WHERE code > ''"))
    session.execute(text("UPDATE tower SET last_inspected_on = NULL WHERE condition = 'unchecked'"))
    session.commit()
    for day, due in (
        ("2027-01-10", "last_inspected_on IS NULL"),
        ("2027-01-11", "(last_inspected_on IS NULL OR structure_type = 'guyed_mast')"),
        ("2029-01-11", "true"),
    ):
        expected = truth(session, f"lifecycle <> 'dismantled' AND {due}")
        query = {"inspection_due_before": day}
        for z in (0, 10):
            assert all_numbers(place.staff, session, z, **query) == expected, day
        found = answered(place.staff.get("/tiles/towers/counts.json", query_string=query), 200)
        assert found == {"matching": expected["number"], "total": NUMBER}
    # What was made is not kept when another interval counts.
    session.execute(text("UPDATE structure_kind SET interval_months = 240"))
    session.commit()
    expected = truth(session, "lifecycle <> 'dismantled' AND last_inspected_on IS NULL")
    assert all_numbers(place.staff, session, 10, inspection_due_before="2029-01-11") == expected


def test_a_cluster_names_its_worst(
    app: Flask, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "MOST_AFAR", 2)
    for longitude, condition, severity in (
        (105.50, "needs_follow_up", "minor"), (105.51, "unchecked", None),
        (105.52, "needs_follow_up", "major"),
    ):  # fmt: skip
        makers.tower(
            session, longitude=longitude, latitude=10.5, condition=condition,
            condition_reason=None, worst_severity=severity,
        )  # fmt: skip
    staff = doors.client_of(app, session, makers.user(session, "staff"))
    (cluster,) = asked(staff, 0, 0, 0)["clusters"]
    assert cluster == {
        "number": 3, "needs_follow_up": 2, "unchecked": 1, "worst": "needs_follow_up",
        "severity": "major",
    }  # fmt: skip


def test_numbers_follow_the_calendar_without_a_write(
    place: Place, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = clock.today()
    seen = []
    for days in (-12, -1, 0, 1, 2, 15):
        monkeypatch.setattr(clock, "today", lambda days=days: today + timedelta(days=days))
        seen.append(truth(session))
        assert all_numbers(place.staff, session, 6) == seen[-1]
        within = truth(
            session,
            "lifecycle <> 'dismantled' AND next_deadline BETWEEN :today"
            " AND CAST(:today AS date) + 3",
        )
        assert all_numbers(place.staff, session, 6, due_within="3") == within
    assert len({tuple(sorted(one.items())) for one in seen}) == len(seen)


def test_folding_changes_no_number(place: Place, session: Session) -> None:
    before = [all_numbers(place.staff, session, z) for z in (0, 5, 10)]
    assert services.fold(session, today=clock.today(), zone=clock.zone()) > 0
    session.commit()
    assert [all_numbers(place.staff, session, z) for z in (0, 5, 10)] == before
    assert services.fold(session, today=clock.today(), zone=clock.zone()) == 0


def test_a_tower_that_goes_leaves_nothing_behind(place: Place, session: Session) -> None:
    for one in session.scalars(select(Tower)):
        one.geom = makers.to_point(makers.Position(latitude=10.7, longitude=105.2))
        one.condition, one.condition_reason, one.ok_until = "unchecked", "never", None
    session.flush()
    services.fold(session, today=clock.today(), zone=clock.zone())
    session.execute(text("DELETE FROM tower"))
    services.fold(session, today=clock.today(), zone=clock.zone())
    for table in ("tower_change", "tower_day", "tower_cell", "tower_overview", "tower_due"):
        assert session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 0


@pytest.mark.parametrize(
    "query", [{}, {"condition": "ok"}, {"structure_type": "monopole"}], ids=str
)
def test_a_reader_sees_the_towers_of_the_own_territory(
    app: Flask, place: Place, session: Session, query: dict[str, str]
) -> None:
    mine = place.communes[0]
    person = makers.user(session, "inspector", territories=[mine])
    reader = doors.client_of(app, session, person)
    here = {"commune": mine.code}
    assert all_numbers(reader, session, 8, **query) == all_numbers(
        place.staff, session, 8, **query, **here
    )
    assert all_towers(reader, session, 11, **query) == all_towers(
        place.staff, session, 11, **query, **here
    )
    counts = answered(reader.get("/tiles/towers/counts.json", query_string=query), 200)
    in_it = session.execute(
        text("SELECT count(*) FROM tower WHERE commune_id = :mine"), {"mine": mine.id}
    ).scalar_one()
    assert 0 < counts["matching"] <= counts["total"] == in_it < NUMBER
    # A territory without a commune has no tower, those without a commune neither.
    nobody = doors.client_of(app, session, makers.user(session, "inspector", everywhere=False))
    assert all_numbers(nobody, session, 8, **query) == {}
    assert all_towers(nobody, session, 11, **query) == []


def test_whoever_may_see_no_tower_gets_no_tile(app: Flask, session: Session) -> None:
    operator = doors.client_of(app, session, makers.user(session, "operator", everywhere=False))
    for address in ("/tiles/towers/0/0/0.mvt", "/tiles/towers/counts.json"):
        refused(operator.get(address), 403)
        assert app.test_client().get(address).status_code in {302, 401}


@pytest.mark.parametrize(
    "address", ["/tiles/towers/6/50/30.mvt", "/tiles/towers/12/3246/1926.mvt",
                "/tiles/towers/counts.json", "/tiles/towers/6/50/30.mvt?owner={owner}"]
)  # fmt: skip
def test_a_tile_is_sent_again_only_when_it_could_differ(
    app: Flask, place: Place, session: Session, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    address = address.format(owner=makers.organisation(session).id)
    session.commit()
    first = place.staff.get(address)
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert {"Cookie", "Authorization"} <= set(first.vary)
    tag = {"If-None-Match": first.headers["ETag"]}
    again = place.staff.get(address, headers=tag)
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]

    # Who reads less gets an answer of their own, whatever the browser keeps.
    person = makers.user(session, "inspector", territories=[place.communes[0]])
    other = doors.client_of(app, session, person)
    assert other.get(address, headers=tag).status_code == 200

    services.fold(session, today=clock.today(), zone=clock.zone())
    session.commit()
    assert place.staff.get(address, headers=tag).status_code == 304, "the same towers stand there"

    session.execute(text("UPDATE tower SET note = 'x' WHERE id = (SELECT min(id::text)::uuid"
                         " FROM tower)"))  # fmt: skip
    session.commit()
    later = place.staff.get(address, headers=tag)
    assert later.status_code == 200

    tag = {"If-None-Match": later.headers["ETag"]}
    assert place.staff.get(address, headers=tag).status_code == 304
    tomorrow = clock.today() + timedelta(days=1)
    monkeypatch.setattr(clock, "today", lambda: tomorrow)
    assert place.staff.get(address, headers=tag).status_code == 200


def test_what_was_made_is_kept_for_those_who_may_see_the_same(
    app: Flask, place: Place, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of four answers two are made: for staff, and for who reads in one commune only."""
    made = []
    usual = tiles.tile
    monkeypatch.setattr(tiles, "tile", lambda *a, **k: made.append(a[1]) or usual(*a, **k))
    address = "/tiles/towers/6/50/30.mvt"
    person = makers.user(session, "inspector", territories=[place.communes[0]])
    mine = doors.client_of(app, session, person)
    other_staff = doors.client_of(app, session, makers.user(session, "staff"))
    of_all, of_one, again, others = (
        one.get(address) for one in (place.staff, mine, other_staff, mine)
    )
    assert [len(made), of_all.data, of_one.data] == [2, again.data, others.data]
    assert of_all.data != of_one.data
    assert of_all.headers["ETag"] == again.headers["ETag"] != of_one.headers["ETag"]
    # Another filter, another tile and another day are made of their own.
    place.staff.get(f"{address}?condition=ok")
    place.staff.get("/tiles/towers/5/25/15.mvt")
    tomorrow = clock.today() + timedelta(days=1)
    monkeypatch.setattr(clock, "today", lambda: tomorrow)
    place.staff.get(address)
    assert len(made) == 5


def test_no_more_is_kept_than_there_is_room_for() -> None:
    kept = Kept(64_000)
    for number in range(100):
        kept.put("asking", number, (1, bytes(1500)))
    held = [number for number in range(100) if kept.get("asking", number) is not None]
    assert held == list(range(68, 100))
    kept.put("asking", "too large for the others", (1, bytes(5000)))
    assert kept.get("asking", "too large for the others") is None
    nothing = Kept(0)
    nothing.put("asking", 1, (1, b""))
    assert nothing.get("asking", 1) is None


def test_of_two_answers_made_at_once_the_newer_one_is_kept() -> None:
    kept = Kept(64_000)
    for version in (7, 9, 8):
        kept.put("asking", "tile", (version, str(version).encode()))
    assert kept.get("asking", "tile") == (9, b"9")


def test_what_is_kept_is_given_only_while_the_register_is_as_it_was(
    place: Place, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    usual = tiles.tile
    monkeypatch.setattr(tiles, "tile", lambda *a, **k: made.append(a) or usual(*a, **k))
    address = "/tiles/towers/6/50/30.mvt"
    for _ in range(2):
        before = place.staff.get(address)
    session.execute(text("DELETE FROM tower WHERE condition = 'dangerous'"))
    session.commit()
    after = [place.staff.get(address) for _ in range(2)]
    assert len(made) == 2
    assert after[0].data == after[1].data != before.data
    assert after[0].headers["ETag"] == after[1].headers["ETag"] != before.headers["ETag"]


def test_what_the_version_does_not_know_is_told_by_its_bytes(
    place: Place, session: Session
) -> None:
    address = "/tiles/towers/6/50/30.mvt?q=Thử"
    tag = {"If-None-Match": place.staff.get(address).headers["ETag"]}
    assert place.staff.get(address, headers=tag).status_code == 304
    session.execute(text("DELETE FROM tower WHERE lifecycle = 'active'"))
    session.commit()
    assert place.staff.get(address, headers=tag).status_code == 200


@pytest.mark.parametrize(
    "address",
    ["0/1/0", "0/0/1", "23/0/0", "99999999999999999999/0/0", "5/32/0", "5/0/32", "-1/0/0",
     "5/99999999999999999999/0", "5/1.0/0", "5/x/0", "5/0/0%00"],
)  # fmt: skip
def test_what_is_no_tile_is_not_found(place: Place, address: str) -> None:
    assert place.staff.get(f"/tiles/towers/{address}.mvt").status_code == 404


@pytest.mark.parametrize(
    "query", ["condition=broken", "owner=me", "due_within=-1", "commune=%00", "area=1_2", "q=%00"]
)
def test_filters_that_are_none_are_refused(place: Place, query: str) -> None:
    status = place.staff.get(f"/tiles/towers/6/50/30.mvt?{query}").status_code
    assert status == place.staff.get(f"/map?{query}").status_code
    assert status < 500


@pytest.mark.parametrize("most", [0, 50])
def test_tiles_hold_the_whole_world(
    app: Flask, session: Session, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(tiles, "MOST_AFAR", most)
    session.execute(
        text("UPDATE setting SET value = '[-180, -90, 180, 90]' WHERE key = 'envelope'")
    )
    for latitude, longitude in ((0, 0), (89.9, 180), (-89.9, -180), (0, 180), (85.05, -180)):
        makers.tower(session, latitude=latitude, longitude=longitude)
    staff = doors.client_of(app, session, makers.user(session, "staff"))
    for z in (0, 1, 2):
        found = [asked(staff, z, x, y) for x in range(2**z) for y in range(2**z)]
        alone = sum(len(one.get("towers", [])) for one in found)
        together = sum(one["number"] for tile in found for one in tile.get("clusters", []))
        assert alone + together == 5
        assert (together if most == 0 else alone) == 5
    ends = [(x, y) for x in (0, 1024, 2047) for y in (0, 1024, 2047)]
    assert sum(len(asked(staff, 11, *one).get("towers", [])) for one in ends) == 5
