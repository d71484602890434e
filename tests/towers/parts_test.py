"""What belongs to a tower through the API: one version a tower, every change in its history."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.models import Organisation
from core import clock
from core.audit import AuditEntry
from tests import doors, makers
from tests.doors import answered, counts, refused
from towers.models import Tower

ANTENNA = {
    "kind": "Panel",
    "quantity": 3,
    "height_m": 40.5,
    "azimuth_deg": 120.0,
    "wind_area_m2": 0.65,
    "weight_kg": 24.5,
}
BODIES: dict[str, dict[str, Any]] = {
    "installations": {
        "operator": "VNPT Đồng Tháp",
        "service": "bts",
        "station_code": "DTP-0042",
        "since": "2019-05-01",
        "until": None,
        "note": "tầng trên",
        "antennas": [ANTENNA, {"kind": "Viba", "height_m": 30}],
    },
    "permits": {
        "kind": "bts_certificate",
        "number": "12/GCN",
        "issued_on": "2024-01-15",
        "expires_on": "2029-01-15",
        "issuer": "Cục Viễn thông",
        "organisation": "VNPT Đồng Tháp",
        "result": "đạt",
        "note": "",
    },
    "anchors": {"number": 1, "latitude": 10.46, "longitude": 105.6302, "note": "bờ kênh"},
}
SQUARE = [
    [105.6299, 10.4599], [105.6301, 10.4599], [105.6301, 10.4601], [105.6299, 10.4601],
    [105.6299, 10.4599],
]  # fmt: skip
FOOTPRINT = {"type": "Polygon", "coordinates": [SQUARE]}


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    makers.tower(session, code="T-1", latitude=10.46, longitude=105.63)
    return doors.client_of(app, session, makers.user(session, "staff"))


def match(version: int) -> dict[str, str]:
    return {"If-Match": f'"v{version}"'}


def url(part: str, part_id: object = "") -> str:
    return f"/api/v1/towers/T-1/{part}" + (f"/{part_id}" if part_id else "")


def added(staff: FlaskClient, part: str, version: int = 1, **changes: Any) -> dict[str, Any]:
    body = {**BODIES[part], **changes}
    return answered(staff.post(url(part), json=body, headers=match(version)), 201)


@pytest.mark.parametrize("part", sorted(BODIES))
def test_a_part_is_added_changed_and_removed_with_the_version_of_its_tower(
    staff: FlaskClient, session: Session, part: str
) -> None:
    response = staff.post(url(part), json=BODIES[part], headers=match(1))
    made = answered(response, 201)
    assert response.headers["ETag"] == '"v2"'
    assert response.headers["Location"] == url(part, made["id"])
    for name, value in BODIES[part].items():
        if name in {"operator", "organisation"}:
            assert made[name]["name"] == value
        elif name != "antennas":
            assert made[name] == value, name
    listed = staff.get(url(part))
    assert answered(listed, 200)["items"] == [made]
    assert listed.headers["ETag"] == '"v2"'
    assert answered(staff.get(url(part, made["id"])), 200) == made

    changed = {**BODIES[part], "note": "đã sửa"}
    response = staff.put(url(part, made["id"]), json=changed, headers=match(2))
    assert answered(response, 200)["note"] == "đã sửa"
    assert response.headers["ETag"] == '"v3"'
    again = staff.put(url(part, made["id"]), json=changed, headers=match(3))
    assert again.headers["ETag"] == '"v3"', "the same values are no new version"

    gone = staff.delete(url(part, made["id"]), headers=match(3))
    assert (gone.status_code, gone.headers["ETag"]) == (204, '"v4"')
    assert answered(staff.get(url(part)), 200)["items"] == []
    refused(staff.get(url(part, made["id"])), 404)

    entries = session.scalars(
        select(AuditEntry).where(AuditEntry.kind == "tower").order_by(AuditEntry.id)
    ).all()
    name = part.removesuffix("s")
    assert [one.action for one in entries] == [f"{name}.add", f"{name}.edit", f"{name}.remove"]
    key = f"{name}:{made['id']}"
    assert entries[0].before == {key: None}
    assert entries[1].after[key]["note"] == "đã sửa"
    assert entries[2].after == {key: None}
    tower = session.scalars(select(Tower)).one()
    assert tower.version == 4


@pytest.mark.parametrize("part", sorted(BODIES))
def test_without_the_version_in_hand_nothing_changes(
    staff: FlaskClient, session: Session, part: str
) -> None:
    made = added(staff, part)
    before = counts(session)
    for headers, status in (({}, 428), (match(1), 412), ({"If-Match": "v2"}, 412)):
        refused(staff.post(url(part), json=BODIES[part], headers=headers), status)
        refused(staff.put(url(part, made["id"]), json=BODIES[part], headers=headers), status)
        refused(staff.delete(url(part, made["id"]), headers=headers), status)
    assert counts(session) == before


BAD: list[tuple[str, str, Any]] = [
    *(("installations", "operator", value) for value in (None, "", "x" * 301, 7)),
    *(("installations", "service", value) for value in ("wifi", None, "")),
    *(("installations", "since", value) for value in ("1.5.2019", "1899-12-31", 2019)),
    ("installations", "until", "2019-04-30"),
    ("installations", "station_code", "x" * 101),
    ("installations", "antennas", [{"quantity": 0}]),
    ("installations", "antennas", [{"azimuth_deg": 360}]),
    ("installations", "antennas", [{"height_m": -1}]),
    ("installations", "antennas", [{"weight_kg": 1e9}]),
    ("installations", "antennas", [{"colour": "red"}]),
    ("installations", "antennas", [{}] * 201),
    ("installations", "antennas", "none"),
    *(("permits", "kind", value) for value in ("licence", None, "")),
    ("permits", "expires_on", "2024-01-14"),
    ("permits", "expires_on", "2300-01-01"),
    ("permits", "organisation", "x" * 301),
    ("permits", "number", "x" * 101),
    *(("anchors", "number", value) for value in (0, 101, 1.5, None, "1")),
    *(("anchors", "latitude", value) for value in (91, None, "x", 45)),
    ("anchors", "latitude", 10.5),
    ("anchors", "longitude", 10.46),
]


@pytest.mark.parametrize(("part", "field", "value"), BAD)
def test_a_wrong_field_of_a_part_is_named_and_nothing_is_written(
    staff: FlaskClient, session: Session, part: str, field: str, value: Any
) -> None:
    before = counts(session)
    body = {**BODIES[part], field: value}
    problem = refused(staff.post(url(part), json=body, headers=match(1)), 422)
    named = {name.partition(".")[0] for name in problem["fields"]}
    assert field in named
    assert "%(" not in str(problem)
    assert counts(session) == before


def test_an_operator_is_known_by_name_or_made_as_one(staff: FlaskClient, session: Session) -> None:
    first = added(staff, "installations")
    second = added(staff, "installations", 2, operator="vnpt đồng tháp")
    assert first["operator"] == second["operator"]
    made = session.scalars(select(Organisation)).one()
    assert made.kind == "operator"
    by_id = added(staff, "installations", 3, operator=str(made.id))
    assert by_id["operator"]["name"] == "VNPT Đồng Tháp"
    body = {**BODIES["installations"], "operator": str(uuid.uuid4())}
    problem = refused(staff.post(url("installations"), json=body, headers=match(4)), 422)
    assert list(problem["fields"]) == ["operator"]


def test_antennas_stand_by_height(staff: FlaskClient) -> None:
    made = added(staff, "installations")
    assert [(one["kind"], one["quantity"]) for one in made["antennas"]] == [
        ("Panel", 3),
        ("Viba", 1),
    ]
    fewer = {**BODIES["installations"], "antennas": [ANTENNA]}
    left = answered(staff.put(url("installations", made["id"]), json=fewer, headers=match(2)), 200)
    assert left["antennas"] == [ANTENNA]


def test_an_anchor_is_measured_from_the_mast_in_metres_on_the_ellipsoid(
    staff: FlaskClient, session: Session
) -> None:
    east = added(staff, "anchors")
    # 0.0002 degrees of longitude at 10.46 degrees north.
    assert east["distance_m"] == pytest.approx(21.89, abs=0.02)
    assert east["azimuth_deg"] == pytest.approx(90.0, abs=0.1)
    north = added(staff, "anchors", 2, number=2, latitude=10.4602, longitude=105.63)
    assert north["distance_m"] == pytest.approx(22.12, abs=0.02)
    assert north["azimuth_deg"] == pytest.approx(0.0, abs=0.1)
    at_the_mast = added(staff, "anchors", 3, number=3, longitude=105.63)
    assert (at_the_mast["distance_m"], at_the_mast["azimuth_deg"]) == (0.0, None)


def test_the_mast_moves_and_its_anchors_are_measured_anew(staff: FlaskClient) -> None:
    added(staff, "anchors")
    moved = {"latitude": 10.46, "longitude": 105.6304}
    answered(staff.patch("/api/v1/towers/T-1", json=moved, headers=match(2)), 200)
    (anchor,) = answered(staff.get(url("anchors")), 200)["items"]
    assert anchor["azimuth_deg"] == pytest.approx(270.0, abs=0.1)
    assert anchor["longitude"] == 105.6302


def test_two_anchors_of_one_number_are_a_conflict(staff: FlaskClient, session: Session) -> None:
    added(staff, "anchors")
    before = counts(session)
    problem = refused(staff.post(url("anchors"), json=BODIES["anchors"], headers=match(2)), 409)
    assert list(problem["fields"]) == ["number"]
    assert counts(session) == before


def test_a_tower_has_at_most_so_many_parts(
    staff: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("towers.services.parts.MOST_PARTS", 1)
    added(staff, "permits")
    problem = refused(staff.post(url("permits"), json=BODIES["permits"], headers=match(2)), 422)
    assert "1" in problem["detail"]


@pytest.mark.parametrize("part", sorted(BODIES))
def test_a_part_of_another_tower_is_not_there(
    staff: FlaskClient, session: Session, part: str
) -> None:
    made = added(staff, part)
    makers.tower(session, code="T-2", latitude=10.47)
    session.commit()
    before = counts(session)
    other = f"/api/v1/towers/T-2/{part}/{made['id']}"
    refused(staff.get(other), 404)
    refused(staff.put(other, json=BODIES[part], headers=match(1)), 404)
    refused(staff.delete(other, headers=match(1)), 404)
    assert counts(session) == before


def test_outside_the_territory_there_are_no_parts(world: doors.World) -> None:
    for part, body in BODIES.items():
        there = f"/api/v1/towers/{world.there.tower.code}/{part}"
        if part == "anchors":
            body = {**body, "number": 2, "latitude": 10.46, "longitude": 106.5}
        answered(world["staff"].post(there, json=body, headers={"If-Match": "*"}), 201)
        refused(world["inspector"].get(there), 404)
        refused(world["inspector"].post(there, json=body, headers={"If-Match": "*"}), 403)
        assert answered(world["elsewhere"].get(there), 200)["items"]
    listed = answered(world["inspector"].get("/api/v1/permits?state=valid"), 200)
    assert listed["items"] == []
    assert answered(world["elsewhere"].get("/api/v1/permits?state=valid&days=1"), 200)["items"]


# Footprint


def test_a_footprint_is_drawn_read_and_removed(staff: FlaskClient, session: Session) -> None:
    refused(staff.get(url("footprint")), 404)
    drawn = staff.put(url("footprint"), json=FOOTPRINT, headers=match(1))
    assert answered(drawn, 200) == FOOTPRINT
    assert drawn.headers["ETag"] == '"v2"'
    assert answered(staff.get(url("footprint")), 200) == FOOTPRINT
    same = staff.put(url("footprint"), json=FOOTPRINT, headers=match(2))
    assert same.headers["ETag"] == '"v2"'
    gone = staff.delete(url("footprint"), headers=match(2))
    assert (gone.status_code, gone.headers["ETag"]) == (204, '"v3"')
    refused(staff.get(url("footprint")), 404)
    actions = session.scalars(select(AuditEntry.action).where(AuditEntry.kind == "tower")).all()
    assert actions == ["footprint.edit", "footprint.remove"]


def ring(*corners: list[Any]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [list(corners)]}


def moved(x: float, y: float) -> dict[str, Any]:
    return ring(*([a + x, b + y] for a, b in SQUARE))


BOW_TIE = ring(SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3], SQUARE[0])
OUTSIDE_HOLE = {
    "type": "Polygon",
    "coordinates": [SQUARE, [[a + 0.001, b] for a, b in SQUARE]],
}
MANY = ring(*([105.63, 10.46] for _ in range(501)))
BAD_FOOTPRINTS: list[tuple[str, Any, str]] = [
    ("wrong type", {"type": "Point", "coordinates": [[[105.63, 10.46]]]}, "type Polygon"),
    ("several", {"type": "MultiPolygon", "coordinates": [[SQUARE]]}, "type Polygon"),
    ("empty", {"type": "Polygon", "coordinates": []}, "empty"),
    ("no rings", {"type": "Polygon", "coordinates": "x"}, "empty"),
    ("too short", ring(*SQUARE[:3]), "four positions"),
    ("not closed", ring(*SQUARE[:4]), "closed"),
    ("heights", ring(*([*one, 3.0] for one in SQUARE)), "flat"),
    ("measures", ring(*([*one, 3.0, 4.0] for one in SQUARE)), "flat"),
    ("no numbers", ring(*([str(a), b] for a, b in SQUARE)), "two numbers"),
    ("true", ring(*([True, b] for a, b in SQUARE)), "two numbers"),
    ("one number", ring(*([a] for a, b in SQUARE)), "two numbers"),
    ("crosses itself", BOW_TIE, "crosses itself at 105.63, 10.46"),
    ("hole outside", OUTSIDE_HOLE, "not valid"),
    ("too many", MANY, "501 corners"),
    ("swapped", ring(*([b, a] for a, b in SQUARE)), "longitude stands before"),
    ("outside", moved(20, 0), "outside the area"),
    ("not on earth", moved(400, 0), "outside the area"),
    ("far away", moved(0.1, 0), "from the mast"),
]


@pytest.mark.parametrize(
    ("body", "text"), [one[1:] for one in BAD_FOOTPRINTS], ids=[one[0] for one in BAD_FOOTPRINTS]
)
def test_each_wrong_footprint_has_its_own_words(
    staff: FlaskClient, session: Session, body: Any, text: str
) -> None:
    before = counts(session)
    response = staff.put(url("footprint"), json=body, headers={**match(1), "Accept-Language": "en"})
    problem = refused(response, 422)
    assert text in problem["fields"]["footprint"][0]
    assert "%(" not in str(problem)
    assert counts(session) == before
    session.expire_all()
    assert session.scalars(select(Tower)).one().version == 1


@pytest.mark.parametrize("text", ["1e999", "NaN", "-Infinity"])
def test_a_coordinate_that_is_not_finite_is_refused_before_anything_else(
    staff: FlaskClient, session: Session, text: str
) -> None:
    before = counts(session)
    response = staff.put(
        url("footprint"),
        data=f'{{"type": "Polygon", "coordinates": [[[{text}, 10.46]]]}}',
        content_type="application/json",
        headers={**match(1), "Accept-Language": "en"},
    )
    assert "finite" in refused(response, 400)["detail"]
    assert counts(session) == before


def test_a_number_too_large_for_a_float_is_refused(staff: FlaskClient) -> None:
    body = ring(*([10**400, b] for a, b in SQUARE))
    problem = refused(staff.put(url("footprint"), json=body, headers=match(1)), 422)
    assert list(problem["fields"]) == ["footprint"]


# Permits of the whole register


def test_permits_that_end_are_listed_by_their_end(staff: FlaskClient, session: Session) -> None:
    today = clock.today()
    ends = {"A": -400, "B": -1, "C": 0, "D": 90, "E": 91}
    version = 1
    for number, days in ends.items():
        last = (today + timedelta(days=days)).isoformat()
        body = {"kind": "other", "number": number, "issued_on": None, "expires_on": last}
        added(staff, "permits", version, **body)
        version += 1

    def numbers(query: str = "") -> str:
        rows = answered(staff.get(f"/api/v1/permits?{query}"), 200)["items"]
        return "".join(row["number"] for row in rows)

    assert numbers() == "ABCD"
    assert numbers("state=expired") == "AB"
    assert numbers("state=soon") == "CD"
    assert numbers("state=valid") == "E"
    assert numbers("days=1") == "ABC"
    assert numbers("kind=emf_result") == ""
    assert numbers("q=T-1") == "ABCD"
    assert numbers("q=T-2") == ""
    first = answered(staff.get("/api/v1/permits?limit=3"), 200)
    second = answered(staff.get(f"/api/v1/permits?limit=3&cursor={first['next_cursor']}"), 200)
    assert [row["number"] for row in (*first["items"], *second["items"])] == list("ABCD")
    assert second["next_cursor"] is None
    refused(staff.get("/api/v1/permits?cursor=x"), 400)
    states = {row["number"]: row["state"] for row in first["items"]}
    assert states == {"A": "expired", "B": "expired", "C": "soon"}


def test_a_paper_whose_place_a_later_one_took_is_not_asked_for(staff: FlaskClient) -> None:
    old = {"number": "old", "issued_on": "2015-01-01", "expires_on": "2020-01-01"}
    added(staff, "permits", 1, **old)
    listed = answered(staff.get("/api/v1/permits"), 200)["items"]
    assert [row["number"] for row in listed] == ["old"]
    added(staff, "permits", 2, **{**old, "number": "of another", "organisation": "Viettel"})
    assert len(answered(staff.get("/api/v1/permits"), 200)["items"]) == 2
    added(staff, "permits", 3, number="new")
    listed = answered(staff.get("/api/v1/permits"), 200)["items"]
    assert [row["number"] for row in listed] == ["of another"]
    both = answered(staff.get("/api/v1/permits?replaced=true"), 200)["items"]
    assert {row["number"] for row in both} == {"old", "of another"}


def test_an_endless_paper_takes_the_place_of_one_that_ended(staff: FlaskClient) -> None:
    added(staff, "permits", 1, number="old", issued_on="2015-01-01", expires_on="2020-01-01")
    added(staff, "permits", 2, number="new", issued_on="2019-06-01", expires_on=None)
    assert answered(staff.get("/api/v1/permits"), 200)["items"] == []
