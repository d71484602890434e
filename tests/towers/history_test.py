"""The tower as it was: made backwards from its history, whatever was done to it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from core.geo import Position
from core.policy import SYSTEM
from tests import doors, makers
from tests.doors import answered, refused
from tests.towers.imported import load
from towers import services
from towers.coordinates import Reading
from towers.fields import BY_NAME, KEPT
from towers.models import Tower
from towers.parts import ANCHOR, INSTALLATION, PARTS, PERMIT
from towers.queries import history
from towers.queries import parts as parts_queries
from towers.services import parts
from towers.services.merge import merge_towers

START = datetime(2026, 1, 1, tzinfo=UTC)
HERE = Position(10.46, 105.63)
LEAST = {field.name: field.empty for field in KEPT} | {"code": "T-1", "name": "Trạm"}

EDITS: dict[str, st.SearchStrategy[Any]] = {
    "name": st.sampled_from(["Trạm", "Trạm hai", "=1+1"]),
    "height_m": st.none() | st.decimals(1, 99, places=1),
    "services": st.lists(st.sampled_from(["bts", "microwave"]), unique=True).map(sorted),
    "structure_type": st.sampled_from(["guyed_mast", "monopole"]),
    "hardened": st.none() | st.booleans(),
    "lifecycle_since": st.none() | st.dates(),
    "built_year": st.none() | st.integers(1950, 2020),
    "note": st.sampled_from(["", "ghi chú", "khác"]),
    "source": st.sampled_from(["", "hồ sơ"]),
}
STEP = st.one_of(
    st.tuples(st.just("edit"), st.fixed_dictionaries({}, optional=EDITS)),
    st.tuples(st.just("move"), st.sampled_from([0.0, 0.0001, 0.0002])),
    st.tuples(st.just("owner"), st.sampled_from([0, 1, None])),
    st.tuples(st.just("add"), st.sampled_from(sorted(PARTS))),
    st.tuples(st.just("change"), st.sampled_from(sorted(PARTS))),
    st.tuples(st.just("remove"), st.sampled_from(sorted(PARTS))),
    st.tuples(st.just("footprint"), st.booleans()),
    st.tuples(st.just("import"), st.sampled_from(["", "12", "33,5"])),
)


class Life:
    """One tower and a clock; every step is taken by the real services."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.now = START
        self.number = 0
        self.owners = [makers.organisation(session), makers.organisation(session)]
        self.tower: Tower = services.create_tower(
            session,
            reading=Reading.of(HERE),
            values={**LEAST, "owner": None, "manager": None},
            by=SYSTEM,
            now=self.now,
        )

    def part_values(self, name: str) -> dict[str, Any]:
        self.number += 1
        if name == ANCHOR.name:
            return {
                "number": self.number,
                "position": Position(10.46, 105.63 + self.number / 100_000),
                "note": "",
            }
        if name == PERMIT.name:
            empty = {field.name: field.empty for field in PERMIT.fields}
            return {**empty, "kind": "emf_result", "number": f"số {self.number}"}
        empty = {field.name: field.empty for field in INSTALLATION.fields}
        antennas = [
            {
                "kind": "Panel", "quantity": self.number, "height_m": Decimal("30.0"),
                "azimuth_deg": None, "wind_area_m2": None, "weight_kg": None,
            }
        ]  # fmt: skip
        return {**empty, "operator": self.owners[0], "service": "bts", "antennas": antennas}

    def take(self, step: tuple[str, Any]) -> None:
        self.now += timedelta(hours=1)
        what, value = step
        common: dict[str, Any] = {"by": SYSTEM, "now": self.now}
        if what == "edit":
            services.update_tower(self.session, self.tower, values=value, **common)
        elif what == "move":
            there = Reading.of(Position(10.46 + value, 105.63))
            services.update_tower(self.session, self.tower, reading=there, values={}, **common)
        elif what == "owner":
            owner = None if value is None else self.owners[value]
            services.update_tower(self.session, self.tower, values={"owner": owner}, **common)
        elif what == "footprint":
            square = [[105.63, 10.46], [105.631, 10.46], [105.631, 10.461], [105.63, 10.46]]
            drawn = {"type": "Polygon", "coordinates": [square]} if value else None
            parts.set_footprint(self.session, self.tower, drawn, **common)
        elif what == "import":
            text = "code,name,latitude,longitude,height_m,note\nT-1,Từ danh sách,10.4602,105.63,"
            load(self.session, "ds.csv", f'{text}"{value}",nhập\n'.encode(), now=self.now)
            self.session.refresh(self.tower)
        else:
            self.take_part(what, PARTS[value], common)

    def take_part(self, what: str, kind: Any, common: dict[str, Any]) -> None:
        if what == "add":
            values = self.part_values(kind.name)
            parts.add_part(self.session, self.tower, kind, values=values, **common)
            return
        present = parts_queries.listed(self.session, kind, self.tower.id)
        if not present:
            return
        if what == "remove":
            parts.remove_part(self.session, self.tower, kind, present[0], **common)
        else:
            values = self.part_values(kind.name)
            parts.change_part(self.session, self.tower, kind, present[0], values=values, **common)

    def state(self) -> dict[str, Any]:
        """Everything about the tower now, read afresh from the database."""
        self.session.flush()
        self.session.expire_all()
        found = parts.state(self.session, self.tower)
        return {name: history.canonical(name, value) for name, value in found.items()}


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(steps=st.lists(STEP, max_size=12))
def test_any_life_of_a_tower_can_be_read_backwards(
    app: Flask, session: Session, steps: list[tuple[str, Any]]
) -> None:
    trial = session.begin_nested()
    makers.commune(session, code="90001", box=(105.0, 10.0, 106.0, 10.46015))
    life = Life(session)
    recorded = [(life.now, life.state())]
    for step in steps:
        life.take(step)
        recorded.append((life.now, life.state()))
    now = parts.state(session, life.tower)
    for moment, state in recorded:
        for at in (moment, moment + timedelta(minutes=59)):
            assert history.state_at(session, life.tower, now, at) == state
    assert history.state_at(session, life.tower, now, START - timedelta(seconds=1)) is None
    trial.rollback()
    session.expunge_all()


def test_the_property_sees_what_was_not_written_down(app: Flask, session: Session) -> None:
    life = Life(session)
    before = life.state()
    life.now += timedelta(hours=1)
    life.tower.note = "an entry is missing"
    session.flush()
    now = life.state()
    assert history.state_at(session, life.tower, now, START) != before


# Through the doors


@pytest.fixture
def told(app: Flask, session: Session):
    """A tower that was registered, renamed, given an owner and a permit; its reader."""
    staff = doors.client_of(app, session, makers.user(session, "staff", email="mai@example.org"))
    body = {"code": "T-1", "name": "Trạm Một", "latitude": 10.46, "longitude": 105.63}
    answered(staff.post("/api/v1/towers", json={**body, "height_m": 30}), 201)
    change = {"name": "Trạm Hai", "owner": "Viễn thông A", "height_m": 31.5, "hardened": True}
    answered(staff.patch("/api/v1/towers/T-1", json=change, headers={"If-Match": '"v1"'}), 200)
    permit = {"kind": "bts_certificate", "number": "7/GCN", "expires_on": "2029-05-01"}
    answered(
        staff.post("/api/v1/towers/T-1/permits", json=permit, headers={"If-Match": '"v2"'}), 201
    )
    return staff


def test_the_history_names_every_change_the_latest_first(told) -> None:
    found = answered(told.get("/api/v1/towers/T-1/history"), 200)
    assert [one["action"] for one in found["items"]] == [
        "permit.add",
        "tower.edit",
        "tower.create",
    ]
    assert {one["actor"] for one in found["items"]} == {"mai@example.org"}
    edit = {one["name"]: (one["before"], one["after"]) for one in found["items"][1]["changes"]}
    assert edit["name"] == ("Trạm Một", "Trạm Hai")
    assert edit["height_m"] == ("30.0", "31.5")
    assert edit["hardened"] == (None, True)
    assert edit["owner_id"][0] is None
    (permit,) = found["items"][0]["changes"]
    assert permit["before"] is None
    assert permit["after"]["number"] == "7/GCN"
    assert "state" not in found


def test_history_is_read_page_by_page(told) -> None:
    first = answered(told.get("/api/v1/towers/T-1/history?limit=2"), 200)
    rest = answered(
        told.get(f"/api/v1/towers/T-1/history?limit=2&cursor={first['next_cursor']}"), 200
    )
    assert [one["action"] for one in rest["items"]] == ["tower.create"]
    assert rest["next_cursor"] is None
    for cursor in ("x", "W10", "WyJhIl0"):
        refused(told.get(f"/api/v1/towers/T-1/history?cursor={cursor}"), 400)


def test_at_a_moment_the_tower_is_what_it_was(told) -> None:
    items = answered(told.get("/api/v1/towers/T-1/history"), 200)["items"]
    at = {one["action"]: one["at"].replace("+", "%2B") for one in items}
    then = answered(told.get(f"/api/v1/towers/T-1/history?at={at['tower.create']}"), 200)
    assert [one["action"] for one in then["items"]] == ["tower.create"]
    assert (then["state"]["name"], then["state"]["height_m"]) == ("Trạm Một", "30.0")
    assert then["state"]["owner_id"] is None
    later = answered(told.get(f"/api/v1/towers/T-1/history?at={at['tower.edit']}"), 200)["state"]
    assert later["name"] == "Trạm Hai"
    assert not any(name.startswith("permit:") for name in later)
    now = answered(told.get("/api/v1/towers/T-1/history?at=2199-01-01T00:00:00Z"), 200)["state"]
    assert any(name.startswith("permit:") for name in now)
    before = answered(told.get("/api/v1/towers/T-1/history?at=2001-01-01T00:00:00Z"), 200)
    assert (before["items"], before["state"]) == ([], None)


@pytest.mark.parametrize(
    "at",
    [
        "yesterday",
        "2026-13-01",
        "9" * 50,
        "2026-01-01T00:00:00+99:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_what_is_no_moment_is_refused(told, at: str) -> None:
    problem = refused(told.get("/api/v1/towers/T-1/history", query_string={"at": at}), 422)
    assert list(problem["fields"]) == ["at"]


def test_an_import_is_named_by_its_batch(told, session: Session) -> None:
    text = "code,name,latitude,longitude,height_m\nT-1,Trạm Ba,10.46,105.63,40\n"
    report = load(session, "ds.csv", text.encode(), now=doors.clock.now())
    session.commit()
    newest = answered(told.get("/api/v1/towers/T-1/history?limit=1"), 200)["items"][0]
    assert newest["batch"] == str(report.batch)
    changed = {one["name"] for one in newest["changes"]}
    assert changed == {"name", "height_m"}


def test_history_of_a_foreign_tower_is_not_there(world: doors.World) -> None:
    refused(world["inspector"].get(f"/api/v1/towers/{world.there.tower.code}/history"), 404)
    answered(world["elsewhere"].get(f"/api/v1/towers/{world.there.tower.code}/history"), 200)


def test_the_same_value_in_two_writings_is_no_change() -> None:
    assert history.same("height_m", 42, "42.0")
    assert history.same("note", None, "")
    assert not history.same("height_m", 42, "42.1")
    assert not history.same("hardened", None, False)
    assert BY_NAME["height_m"].digits == 1
    assert json.dumps(history.canonical("height_m", 42)) == '"42.0"'


def test_what_came_by_a_merge_was_not_there_before(app: Flask, session: Session) -> None:
    life = Life(session)
    life.take(("add", "permit"))
    before = life.state()
    other = makers.tower(session, code="T-2", latitude=10.47, longitude=105.63)
    makers.permit(session, other)
    makers.anchor(session, other)
    merged_at = life.now + timedelta(hours=1)
    merge_towers(
        session, life.tower, other, take=["name"], by=SYSTEM, now=merged_at, today=START.date()
    )
    session.expire_all()
    now = parts.state(session, life.tower)
    assert len([name for name in now if name.startswith("permit:")]) == 2
    assert history.state_at(session, life.tower, now, life.now) == before
    rows = history.entries(session, life.tower).rows
    assert {one.action for one in rows} >= {"tower.merge", "tower.merged_away", "permit.add"}
    (merge,) = [one for one in rows if one.action == "tower.merge"]
    assert len(history.changes(merge)) == 2, "the codes and numbers beside them are no values"
