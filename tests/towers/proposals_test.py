"""Proposals: what somebody found, what stands nearby, and what staff make of it."""

from __future__ import annotations

import uuid
from decimal import Decimal

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from accounts.models import Organisation
from core.audit import AuditEntry
from core.geo import to_position
from tests import doors, makers
from tests.doors import answered, refused
from towers.models import Document, Tower, TowerProposal

HERE = {"latitude": 10.5, "longitude": 105.5}
NEW = {"kind": "new", "values": {**HERE, "structure_type": "monopole", "height_m": 24.04}}


@pytest.fixture
def commune(session: Session):
    return makers.commune(session)


@pytest.fixture
def inspector(sign_in, commune) -> FlaskClient:
    return sign_in("inspector", territories=[commune])


@pytest.fixture
def staff(sign_in) -> FlaskClient:
    return sign_in("staff")


@pytest.fixture
def tower(session: Session, commune) -> Tower:
    made = makers.tower(session, code="DT-1", latitude=10.46, longitude=105.63, commune=commune)
    session.commit()
    return made


def propose(client: FlaskClient, status: int = 201, **body):
    response = client.post("/api/v1/proposals", json={"id": str(uuid.uuid4()), **NEW, **body})
    return answered(response, status) if status < 400 else refused(response, status)


def correct(client: FlaskClient, values: dict, status: int = 201, **body):
    return propose(client, status, kind="correction", tower="DT-1", values=values, **body)


def decide(client: FlaskClient, made: dict, status: int = 200, version: int = 1, **body):
    path = f"/api/v1/proposals/{made['id']}/decision"
    response = client.post(path, json=body, headers={"If-Match": f'"v{version}"'})
    return answered(response, status) if status < 400 else refused(response, status)


# New towers


def test_a_found_tower_is_registered_with_where_it_came_from(
    app: Flask, session: Session, inspector: FlaskClient, staff: FlaskClient
) -> None:
    values = {**NEW["values"], "owner": "Chủ mới", "services": ["bts"]}
    made = propose(inspector, values=values, note="cột mới dựng", accuracy_m=7.4)
    assert (made["state"], made["near"], made["accuracy_m"]) == ("open", [], 7.4)
    photo = answered(
        doors.send_document(
            inspector, proposal=made["id"], content=doors.picture(), name="a.jpg", kind="photo"
        ),
        201,
    )
    # Nobody becomes an organisation by being proposed.
    assert session.scalar(select(func.count()).select_from(Organisation)) == 0
    done = decide(staff, made, decision="accept", values={"code": "DT-9", "name": "Trụ Mới"})
    assert (done["state"], done["result"], done["version"]) == ("accepted", "DT-9", 2)
    registered = answered(staff.get("/api/v1/towers/DT-9"), 200)
    assert registered["height_m"] == 24.0
    assert (registered["latitude"], registered["longitude"]) == (10.5, 105.5)
    assert registered["owner"]["name"] == "Chủ mới"
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "tower.create")).one()
    assert entry.after["proposal"] == made["id"]
    listed = answered(staff.get("/api/v1/documents?tower=DT-9"), 200)["items"]
    assert [one["id"] for one in listed] == [photo["id"]]
    seen = answered(inspector.get(f"/api/v1/proposals/{made['id']}"), 200)
    assert (seen["state"], seen["result"]) == ("accepted", "DT-9")


def test_near_towers_are_shown_before_anything_is_kept(
    app: Flask, session: Session, tower: Tower, inspector: FlaskClient
) -> None:
    near = {"values": {"latitude": 10.4601, "longitude": 105.6301}}
    before = doors.counts(session)
    told = propose(inspector, 409, **near)
    assert told["code"] == "near_towers"
    assert [(one["code"], one["metres"]) for one in told["facts"]["near"]] == [("DT-1", 16)]
    assert doors.counts(session) == before
    made = propose(inspector, confirmed=True, **near)
    assert [one["code"] for one in made["near"]] == ["DT-1"]
    # 600 m away is not near.
    propose(inspector, values={"latitude": 10.4654, "longitude": 105.63})


def test_sending_again_is_harmless_and_another_finding_conflicts(
    app: Flask, session: Session, inspector: FlaskClient, sign_in, commune
) -> None:
    number = str(uuid.uuid4())
    first = propose(inspector, id=number)
    assert propose(inspector, 200, id=number) == first
    refused_again = propose(inspector, 409, id=number, note="khác")
    assert refused_again["code"] == "conflict"
    propose(sign_in("local_officer", territories=[commune]), 404, id=number)
    assert session.scalar(select(func.count()).select_from(TowerProposal)) == 1


def test_original_coordinates_are_kept_until_the_register(
    app: Flask, session: Session, inspector: FlaskClient, staff: FlaskClient
) -> None:
    given = {"source_srid": 32648, "source_x": 554_782.0, "source_y": 1_160_787.0}
    made = propose(inspector, values=given)
    decide(staff, made, decision="accept", values={"code": "DT-9", "name": "x"})
    registered = session.scalars(select(Tower)).one()
    assert (registered.source_srid, registered.source_x, registered.source_y) == (
        32648, 554_782.0, 1_160_787.0,
    )  # fmt: skip
    assert round(to_position(registered.geom).longitude, 3) == 105.501


def test_staff_may_put_a_better_position_in_the_place_of_the_found_one(
    app: Flask, session: Session, inspector: FlaskClient, staff: FlaskClient
) -> None:
    given = {"source_srid": 32648, "source_x": 554_782.0, "source_y": 1_160_787.0}
    made = propose(inspector, values=given)
    better = {"code": "DT-9", "name": "x", "latitude": 10.51, "longitude": 105.51}
    decide(staff, made, decision="accept", values=better)
    registered = session.scalars(select(Tower)).one()
    assert (registered.source_srid, to_position(registered.geom).latitude) == (4326, 10.51)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"values": {"structure_type": "monopole"}}, 422),
        ({"values": {"latitude": 10.5}}, 422),
        ({"values": {"latitude": 50.0, "longitude": 105.5}}, 422),
        ({"values": {"latitude": 10.5, "longitude": 106.5}}, 422),
        ({"values": {**HERE, "height_m": -1}}, 422),
        ({"values": {**HERE, "services": ["x"]}}, 422),
        ({"values": {**HERE, "colour": "red"}}, 422),
        ({"values": {**HERE, "owner": str(uuid.uuid4())}}, 422),
        ({"values": {**HERE, "code": "a b"}}, 422),
        ({"kind": "rumour"}, 422),
        ({"tower": "DT-1"}, 422),
        ({"kind": "correction"}, 422),
        ({"kind": "correction", "tower": "KHONG-CO"}, 404),
        ({"note": "x" * 4001}, 422),
        ({"accuracy_m": -1}, 422),
        ({"accuracy_m": 1e9}, 422),
        ({"id": "x"}, 422),
        ({"note": "a\x00b"}, 400),
    ],
)
def test_a_wrong_finding_is_refused(
    app: Flask, session: Session, tower: Tower, inspector: FlaskClient, body, status
) -> None:
    before = doors.counts(session)
    propose(inspector, status, **body)
    assert doors.counts(session) == before


# Corrections


def test_only_what_differs_is_kept_and_taken(
    app: Flask, session: Session, tower: Tower, inspector: FlaskClient, staff: FlaskClient
) -> None:
    values = {
        "name": tower.name,
        "height_m": 45.5,
        "services": ["radio_tv", "bts"],
        "built_year": None,
        "address": "",
        "owner": "VNPT",
        **{"latitude": 10.46, "longitude": 105.63},
    }
    made = correct(inspector, values)
    assert made["values"] == {"height_m": 45.5, "services": ["bts", "radio_tv"], "owner": "VNPT"}
    assert made["base"] == {"height_m": 42.0, "services": ["bts"], "owner": None}
    decide(staff, made, decision="accept", leave_out=["services"])
    session.refresh(tower)
    assert (tower.height_m, tower.services, tower.owner.name) == (Decimal("45.5"), ["bts"], "VNPT")
    assert tower.version == 2
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "tower.edit")).one()
    assert entry.after["proposal"] == made["id"]
    assert set(entry.before) == {"height_m", "owner_id"}


def test_a_moved_tower_keeps_its_commune_right(
    app: Flask, session: Session, tower: Tower, inspector: FlaskClient, staff: FlaskClient
) -> None:
    made = correct(inspector, {"latitude": 10.47, "longitude": 105.63})
    assert (made["latitude"], list(made["base"])) == (10.47, ["latitude", "longitude"])
    decide(staff, made, decision="accept", leave_out=["latitude"], status=422)
    decide(staff, made, decision="accept")
    session.refresh(tower)
    assert to_position(tower.geom).latitude == 10.47


def test_a_correction_that_corrects_nothing_is_told(
    app: Flask, session: Session, tower: Tower, inspector: FlaskClient
) -> None:
    correct(inspector, {"name": tower.name, "height_m": 42}, 422)


def test_a_code_that_is_taken_leaves_the_proposal_open(
    app: Flask, session: Session, tower: Tower, inspector: FlaskClient, staff: FlaskClient
) -> None:
    made = propose(inspector)
    told = decide(staff, made, 409, decision="accept", values={"code": "DT-1", "name": "Trụ Mới"})
    assert "code" in told["fields"]
    missing = decide(staff, made, 422, decision="accept")
    assert set(missing["fields"]) == {"code", "name"}
    assert answered(staff.get(f"/api/v1/proposals/{made['id']}"), 200)["state"] == "open"
    assert session.scalar(select(func.count()).select_from(Tower)) == 1


# Decisions


def test_a_refusal_has_a_reason_that_the_proposer_reads(
    app: Flask, session: Session, tower: Tower, inspector: FlaskClient, staff: FlaskClient
) -> None:
    made = correct(inspector, {"height_m": 99})
    decide(staff, made, 422, decision="refuse", reason="  ")
    decide(staff, made, decision="refuse", reason="đã đo lại: 42 m")
    seen = answered(inspector.get(f"/api/v1/proposals/{made['id']}"), 200)
    assert (seen["state"], seen["reason"]) == ("refused", "đã đo lại: 42 m")
    page = inspector.get(f"/proposals/{made['id']}").get_data(as_text=True)
    assert "đã đo lại: 42 m" in page
    decide(staff, made, 409, version=2, decision="accept")
    session.refresh(tower)
    assert tower.version == 1


def test_one_decision_of_two_wins(
    app: Flask, session: Session, inspector: FlaskClient, staff: FlaskClient
) -> None:
    made = propose(inspector)
    path = f"/api/v1/proposals/{made['id']}/decision"
    refused(staff.post(path, json={"decision": "refuse", "reason": "x"}), 428)
    decide(staff, made, decision="refuse", reason="x")
    decide(staff, made, 412, decision="accept", values={"code": "DT-9", "name": "x"})


def test_only_its_proposer_withdraws_an_open_proposal(
    app: Flask, session: Session, inspector: FlaskClient, staff: FlaskClient, sign_in, commune
) -> None:
    made = propose(inspector)
    path, tag = f"/api/v1/proposals/{made['id']}/withdrawal", {"If-Match": '"v1"'}
    refused(sign_in("local_officer", territories=[commune]).post(path, headers=tag), 404)
    refused(staff.post(path, headers=tag), 403)
    refused(inspector.post(path), 428)
    assert answered(inspector.post(path, headers=tag), 200)["state"] == "withdrawn"
    refused(inspector.post(path, headers={"If-Match": '"v2"'}), 409)
    refused(
        doors.send_document(inspector, proposal=made["id"], content=doors.picture(), name="a.jpg"),
        409,
    )


def test_inspectors_do_not_decide_and_staff_do_not_propose(
    app: Flask, session: Session, inspector: FlaskClient, staff: FlaskClient
) -> None:
    made = propose(inspector)
    decide(inspector, made, 403, decision="refuse", reason="x")
    propose(staff, 403)


# Who sees what


def test_proposals_are_seen_in_their_territory_and_by_their_proposer(
    app: Flask, session: Session, tower: Tower, inspector: FlaskClient, sign_in, commune
) -> None:
    new, correction = propose(inspector), correct(inspector, {"height_m": 50})
    away = makers.commune(session, box=(106.0, 10.0, 107.0, 11.0))
    ids = {new["id"], correction["id"]}

    def seen(client: FlaskClient, query: str = "") -> set[str]:
        listed = answered(client.get(f"/api/v1/proposals{query}"), 200)
        return {one["id"] for one in listed["items"]}

    officer = sign_in("local_officer", territories=[commune])
    foreign = sign_in("inspector", territories=[away])
    assert seen(officer) == seen(inspector) == ids
    assert seen(foreign) == set()
    for number in ids:
        refused(foreign.get(f"/api/v1/proposals/{number}"), 404)
        assert foreign.get(f"/proposals/{number}").status_code == 404
    photo = answered(
        doors.send_document(inspector, proposal=new["id"], content=doors.picture(), name="a.jpg"),
        201,
    )
    refused(foreign.get(photo["file"]), 404)
    assert officer.get(photo["file"]).status_code == 200
    refused(
        doors.send_document(officer, proposal=new["id"], content=doors.picture(), name="a.jpg"), 404
    )
    # Moved to another territory, the proposer still sees what became of it.
    inspector.person.territories = [away]
    session.commit()
    assert seen(inspector) == ids
    assert seen(inspector, "?mine=true") == ids
    assert seen(officer, "?mine=true") == set()
    assert seen(officer, "?kind=new") == {new["id"]}
    assert seen(officer, "?tower=DT-1") == {correction["id"]}
    assert seen(officer, "?state=refused") == set()


def test_staff_see_how_many_wait(
    app: Flask, session: Session, inspector: FlaskClient, staff: FlaskClient
) -> None:
    badge = 'class="badge"'
    assert badge not in staff.get("/towers").get_data(as_text=True)
    made = propose(inspector)
    propose(inspector, values={"latitude": 10.6, "longitude": 105.5})
    page = staff.get("/towers").get_data(as_text=True)
    assert badge in page
    assert page.partition(badge)[2].partition(">")[2].startswith("2<")
    assert badge not in inspector.get("/towers").get_data(as_text=True)
    decide(staff, made, decision="refuse", reason="x")
    page = staff.get("/towers").get_data(as_text=True)
    assert page.partition(badge)[2].partition(">")[2].startswith("1<")


def test_the_list_is_paged_the_latest_first(
    app: Flask, session: Session, inspector: FlaskClient
) -> None:
    made = [propose(inspector, values={"latitude": 10.1 + n / 10, "longitude": 105.5})["id"]
            for n in range(5)]  # fmt: skip
    found: list[str] = []
    cursor = ""
    while cursor is not None:
        query = f"&cursor={cursor}" if cursor else ""
        page = answered(inspector.get(f"/api/v1/proposals?limit=2{query}"), 200)
        found += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]
    assert found == made[::-1]
    refused(inspector.get("/api/v1/proposals?cursor=abc"), 400)
    assert session.scalar(select(func.count()).select_from(Document)) == 0
