"""Towers through the API: made, read, changed with the version in hand, refused with reasons."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.models import Organisation
from core import clock
from core.audit import AuditEntry
from core.policy import SYSTEM
from tests import doors, makers
from tests.doors import answered, counts, refused
from tests.makers import NOW
from towers.models import Tower
from towers.services.merge import merge_towers

BODY: dict[str, Any] = {
    "code": "DT-0042",
    "name": "Trạm Cao Lãnh",
    "structure_type": "guyed_mast",
    "services": ["bts", "microwave"],
    "height_m": 42.5,
    "host_building_height_m": 0,
    "latitude": 10.46,
    "longitude": 105.63,
    "owner": "Viễn thông Đồng Tháp",
    "address": "Đường 30 Tháng 4",
    "built_year": 2012,
    "lifecycle": "active",
    "note": "gần trường học",
    "source": "biên bản",
}


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    return doors.client_of(app, session, makers.user(session, "staff", name="Cán Bộ"))


def test_a_tower_is_made_and_read(staff: FlaskClient, session: Session) -> None:
    makers.commune(session, code="90001")
    session.commit()
    response = staff.post("/api/v1/towers", json=BODY)
    made = answered(response, 201)
    assert response.headers["Location"] == "/api/v1/towers/DT-0042"
    assert response.headers["ETag"] == '"v1"'
    for name, value in BODY.items():
        if name != "owner":
            assert made[name] == value, name
    assert made["owner"]["name"] == BODY["owner"]
    assert made["commune"]["code"] == "90001"
    assert (made["condition"], made["condition_reason"]) == ("unchecked", "never")
    assert answered(staff.get("/api/v1/towers/DT-0042"), 200) == made
    (entry,) = session.scalars(select(AuditEntry).where(AuditEntry.kind == "tower"))
    assert entry.action == "tower.create"
    assert entry.after["name"] == BODY["name"]


def test_four_fields_are_enough(staff: FlaskClient) -> None:
    least = {name: BODY[name] for name in ("code", "name", "latitude", "longitude")}
    made = answered(staff.post("/api/v1/towers", json=least), 201)
    assert (made["structure_type"], made["services"], made["owner"]) == ("unknown", [], None)


def test_an_owner_is_found_by_name_in_any_case_or_by_id(
    staff: FlaskClient, session: Session
) -> None:
    owner = makers.organisation(session, name="Viettel")
    session.commit()
    first = answered(staff.post("/api/v1/towers", json={**BODY, "owner": "VIETTEL"}), 201)
    second = answered(
        staff.post("/api/v1/towers", json={**BODY, "code": "DT-2", "owner": str(owner.id)}), 201
    )
    assert first["owner"] == second["owner"] == {"id": str(owner.id), "name": "Viettel"}
    problem = refused(
        staff.post("/api/v1/towers", json={**BODY, "code": "DT-3", "owner": str(uuid.uuid4())}),
        422,
    )
    assert list(problem["fields"]) == ["owner"]


def test_names_are_kept_in_one_unicode_form(staff: FlaskClient) -> None:
    import unicodedata

    decomposed = unicodedata.normalize("NFD", BODY["name"])
    made = answered(staff.post("/api/v1/towers", json={**BODY, "name": f" {decomposed} "}), 201)
    assert made["name"] == BODY["name"]


BAD: list[tuple[str, Any]] = [
    *(("code", value) for value in (None, 1, "", " ", "a b", "a/b", "a?b", "a#b", "a%b", "a\\b",
                                    "x" * 65, "a\nb", "a\u00a0b", ["a"], "a\u0007")),
    *(("name", value) for value in (None, "", "   ", 5, "x" * 301, {"a": 1})),
    *(("structure_type", value) for value in ("ladder", "", None, 1)),
    *(("services", value) for value in ("bts", ["wifi"], [None], [["bts"]], {})),
    *(("height_m", value) for value in (0, -1, 1000.1, "high", [], 0.01, True)),
    *(("host_building_height_m", value) for value in (-0.1, 1001, "x")),
    *(("latitude", value) for value in (91, -91, "x", None, [10.4])),
    *(("longitude", value) for value in (181, -180.5, None, {})),
    *(("owner", value) for value in (7, "x" * 301, ["a"])),
    *(("address", value) for value in (None, "x" * 1001)),
    *(("built_year", value) for value in (1899, 2201, "x", 2000.5, "2012", 10**30)),
    *(("lifecycle", value) for value in ("dead", None)),
    *(("note", value) for value in ("x" * 4001, 3)),
    *(("source", value) for value in ("x" * 301,)),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), BAD)
def test_a_wrong_field_is_named_and_nothing_is_written(
    staff: FlaskClient, session: Session, field: str, value: Any
) -> None:
    before = counts(session)
    problem = refused(staff.post("/api/v1/towers", json={**BODY, field: value}), 422)
    assert {name.partition(".")[0] for name in problem["fields"]} == {field}
    assert counts(session) == before


@pytest.mark.parametrize(
    "place",
    [(45.0, 5.0), (105.63, 10.46), (0, 0), (10.46, -105.63), (-10.46, 105.63)],
)
def test_a_place_outside_the_deployment_is_refused(
    staff: FlaskClient, session: Session, place: tuple[float, float]
) -> None:
    before = counts(session)
    body = {**BODY, "latitude": place[0], "longitude": place[1]}
    problem = refused(staff.post("/api/v1/towers", json=body), 422)
    assert "latitude" in problem["fields"]
    assert counts(session) == before


def test_the_texts_of_a_place_outside_carry_their_numbers(staff: FlaskClient) -> None:
    body = {**BODY, "latitude": 45, "longitude": 5}
    problem = refused(
        staff.post("/api/v1/towers", json=body, headers={"Accept-Language": "en"}), 422
    )
    assert "45" in problem["detail"]
    assert "%(" not in str(problem)


def test_half_a_position_is_refused(staff: FlaskClient) -> None:
    answered(staff.post("/api/v1/towers", json=BODY), 201)
    problem = refused(
        staff.patch(
            "/api/v1/towers/DT-0042", json={"latitude": 10.5}, headers={"If-Match": '"v1"'}
        ),
        422,
    )
    assert list(problem["fields"]) == ["longitude"]


def test_a_known_code_is_a_conflict(staff: FlaskClient, session: Session) -> None:
    answered(staff.post("/api/v1/towers", json=BODY), 201)
    before = counts(session)
    problem = refused(staff.post("/api/v1/towers", json={**BODY, "owner": "Ai khác"}), 409)
    assert list(problem["fields"]) == ["code"]
    assert counts(session) == before


@pytest.mark.parametrize("code", ["new", "import", ".", ".."])
def test_a_code_that_is_the_address_of_another_page_is_refused(
    staff: FlaskClient, session: Session, code: str
) -> None:
    before = counts(session)
    problem = refused(staff.post("/api/v1/towers", json={**BODY, "code": code}), 422)
    assert list(problem["fields"]) == ["code"]
    page = staff.post("/towers/new", data={**_form(BODY), "code": code})
    assert page.status_code == 422
    assert counts(session) == before


def _form(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value if isinstance(value, list) else str(value) for name, value in body.items()}


def test_a_change_names_its_version(staff: FlaskClient, session: Session) -> None:
    answered(staff.post("/api/v1/towers", json=BODY), 201)
    before = counts(session)
    refused(staff.patch("/api/v1/towers/DT-0042", json={"note": "x"}), 428)
    for tag in ('"v2"', '"v0"', "v1", 'W/"v1"', '""'):
        response = staff.patch(
            "/api/v1/towers/DT-0042", json={"note": "x"}, headers={"If-Match": tag}
        )
        refused(response, 412)
    assert counts(session) == before
    changed = staff.patch(
        "/api/v1/towers/DT-0042", json={"note": "x"}, headers={"If-Match": '"v1"'}
    )
    assert answered(changed, 200)["note"] == "x"
    assert changed.headers["ETag"] == '"v2"'
    answered(
        staff.patch("/api/v1/towers/DT-0042", json={"note": "y"}, headers={"If-Match": "*"}), 200
    )


def test_one_of_several_versions_may_be_named(staff: FlaskClient) -> None:
    answered(staff.post("/api/v1/towers", json=BODY), 201)
    answered(
        staff.patch(
            "/api/v1/towers/DT-0042", json={"note": "x"}, headers={"If-Match": '"v0", "v1"'}
        ),
        200,
    )


def test_a_late_change_is_told_what_differs(staff: FlaskClient) -> None:
    answered(staff.post("/api/v1/towers", json=BODY), 201)
    tag = {"If-Match": '"v1"'}
    answered(staff.patch("/api/v1/towers/DT-0042", json={"note": "trước"}, headers=tag), 200)
    problem = refused(
        staff.patch(
            "/api/v1/towers/DT-0042",
            json={"note": "sau", "height_m": 42.5, "owner": "Khác"},
            headers=tag,
        ),
        412,
    )
    assert problem["facts"]["current"] == '"v2"'
    assert problem["facts"]["differing"] == {
        "note": {"yours": "sau", "present": "trước"},
        "owner": {"yours": "Khác", "present": BODY["owner"]},
    }


def test_the_same_again_changes_nothing(staff: FlaskClient, session: Session) -> None:
    first = answered(staff.post("/api/v1/towers", json=BODY), 201)
    before = counts(session)
    put = staff.put("/api/v1/towers/DT-0042", json=BODY, headers={"If-Match": '"v1"'})
    assert answered(put, 200) == first
    assert put.headers["ETag"] == '"v1"'
    assert counts(session) == before


def test_put_empties_what_it_leaves_out(staff: FlaskClient) -> None:
    answered(staff.post("/api/v1/towers", json=BODY), 201)
    least = {name: BODY[name] for name in ("code", "name", "latitude", "longitude")}
    put = staff.put("/api/v1/towers/DT-0042", json=least, headers={"If-Match": '"v1"'})
    changed = answered(put, 200)
    assert changed["owner"] is None
    assert changed["height_m"] is None
    assert changed["address"] == changed["note"] == changed["source"] == ""
    refused(
        staff.put("/api/v1/towers/DT-0042", json={"code": "X"}, headers={"If-Match": '"v2"'}), 422
    )


def test_a_code_can_be_changed_but_not_to_a_known_one(staff: FlaskClient, session: Session) -> None:
    answered(staff.post("/api/v1/towers", json=BODY), 201)
    answered(staff.post("/api/v1/towers", json={**BODY, "code": "DT-2"}), 201)
    tag = {"If-Match": '"v1"'}
    before = counts(session)
    refused(staff.patch("/api/v1/towers/DT-2", json={"code": "DT-0042"}, headers=tag), 409)
    assert counts(session) == before
    answered(staff.patch("/api/v1/towers/DT-2", json={"code": "DT-3"}, headers=tag), 200)
    gone = refused(staff.get("/api/v1/towers/DT-2"), 410)
    assert gone["facts"]["to"] == {"code": "DT-3"}
    assert answered(staff.get("/api/v1/towers/DT-3"), 200)["version"] == 2


def test_a_code_that_a_tower_left_leads_to_it(staff: FlaskClient, session: Session) -> None:
    """A sign with the old code still hangs at the site."""
    for code in ("DT-2", "DT-3"):
        answered(staff.post("/api/v1/towers", json={**BODY, "code": code}), 201)

    def recoded(code: str, new: str, version: int) -> None:
        tag = {"If-Match": f'"v{version}"'}
        answered(staff.patch(f"/api/v1/towers/{code}", json={"code": new}, headers=tag), 200)

    recoded("DT-2", "DT-22", 1)
    recoded("DT-22", "DT-222", 2)
    for old in ("DT-2", "DT-22"):
        assert refused(staff.get(f"/api/v1/towers/{old}"), 410)["facts"]["to"] == {"code": "DT-222"}
        page = staff.get(f"/towers/{old}")
        assert (page.status_code, page.headers["Location"]) == (301, "/towers/DT-222")
    # No new tower hangs up the same sign, but two towers may exchange their codes.
    problem = refused(staff.post("/api/v1/towers", json={**BODY, "code": "DT-2"}), 409)
    assert "DT-222" in problem["detail"]
    recoded("DT-3", "DT-2", 1)
    recoded("DT-222", "DT-3", 3)
    assert answered(staff.get("/api/v1/towers/DT-2"), 200)["version"] == 2
    assert answered(staff.get("/api/v1/towers/DT-3"), 200)["version"] == 4
    assert refused(staff.get("/api/v1/towers/DT-22"), 410)["facts"]["to"] == {"code": "DT-3"}
    # Also once the tower has become another one.
    session.commit()
    keep, drop = (
        session.scalars(select(Tower).where(Tower.code == code)).one() for code in ("DT-2", "DT-3")
    )
    merge_towers(session, keep, drop, by=SYSTEM, now=NOW, today=NOW.date())
    session.commit()
    assert refused(staff.get("/api/v1/towers/DT-22"), 410)["facts"]["to"] == {"code": "DT-2"}


def test_a_new_life_cycle_counts_from_the_day_of_the_change(staff: FlaskClient) -> None:
    """A tower that was active since 2010 is not dismantled since then."""
    answered(staff.post("/api/v1/towers", json={**BODY, "lifecycle_since": "2010-01-01"}), 201)

    def changed(version: int, **data: Any) -> tuple[str, str | None]:
        tag = {"If-Match": f'"v{version}"'}
        made = answered(staff.patch("/api/v1/towers/DT-0042", json=data, headers=tag), 200)
        return made["lifecycle"], made["lifecycle_since"]

    assert changed(1, note="khác") == ("active", "2010-01-01")
    assert changed(2, lifecycle="inactive") == ("inactive", clock.today().isoformat())
    assert changed(3, lifecycle="dismantled", lifecycle_since="2026-01-05") == (
        "dismantled",
        "2026-01-05",
    )
    assert changed(4, lifecycle="dismantled", note="nữa") == ("dismantled", "2026-01-05")
    assert changed(5, lifecycle="active", lifecycle_since=None) == ("active", None)


def test_a_moved_tower_changes_its_commune(staff: FlaskClient, session: Session) -> None:
    makers.commune(session, code="90001")
    makers.commune(session, code="90002", box=(106.0, 10.0, 107.0, 11.0))
    session.commit()
    answered(staff.post("/api/v1/towers", json=BODY), 201)
    for longitude, code in ((106.5, "90002"), (108.0, None)):
        moved = answered(
            staff.patch(
                "/api/v1/towers/DT-0042",
                json={"latitude": 10.5, "longitude": longitude},
                headers={"If-Match": "*"},
            ),
            200,
        )
        assert (moved["commune"] or {}).get("code") == code


def test_derived_columns_cannot_be_set(staff: FlaskClient) -> None:
    for field, value in (("condition", "ok"), ("version", 7), ("demo", True), ("commune", "x")):
        problem = refused(staff.post("/api/v1/towers", json={**BODY, field: value}), 422)
        assert list(problem["fields"]) == [field]


def test_staff_of_one_commune_register_only_there(app: Flask, session: Session) -> None:
    here = makers.commune(session)
    client = doors.client_of(app, session, makers.user(session, "staff", territories=[here]))
    before = counts(session)
    problem = refused(client.post("/api/v1/towers", json={**BODY, "longitude": 107.5}), 422)
    assert set(problem["fields"]) == {"latitude", "longitude"}
    assert counts(session) == before
    made = answered(client.post("/api/v1/towers", json=BODY), 201)
    before = counts(session)
    moved = {"latitude": 10.5, "longitude": 107.5}
    refused(client.patch("/api/v1/towers/DT-0042", json=moved, headers={"If-Match": '"v1"'}), 422)
    assert counts(session) == before
    assert answered(client.get("/api/v1/towers/DT-0042"), 200) == made


def test_pages_of_the_list_are_whole_and_in_order(staff: FlaskClient, session: Session) -> None:
    names = ["Ấp 1", "An", "Đông", "Dư", "ă", "Âu", "Z", "an"]
    for number, name in enumerate(names):
        makers.tower(session, code=f"C-{number}", name=name)
    session.commit()
    for sort in ("code", "name"):
        seen: list[str] = []
        cursor = None
        for _ in range(10):
            query = {"limit": "3", "sort": sort, **({"cursor": cursor} if cursor else {})}
            page = answered(staff.get("/api/v1/towers", query_string=query), 200)
            seen += [item["code" if sort == "code" else "name"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert sorted(seen) == sorted([f"C-{n}" for n in range(8)] if sort == "code" else names)
        if sort == "name":
            assert seen.index("Dư") < seen.index("Đông") < seen.index("Z")
            assert seen.index("An") < seen.index("Âu")


@pytest.mark.parametrize(
    ("query", "codes"),
    [
        ({"q": "cao lanh"}, {"A"}),
        ({"q": "CAO LÃNH"}, {"A"}),
        ({"q": "lãnh cao"}, {"A"}),
        ({"q": "sa dec"}, {"B"}),
        ({"q": "%"}, set()),
        ({"condition": "dangerous"}, {"A"}),
        ({"condition": ["dangerous", "unchecked"]}, {"A", "B", "C"}),
        ({"condition": "ok"}, set()),
        ({"severity": "critical"}, {"A"}),
        ({"overdue": "true"}, {"A"}),
        ({"due_within": "3650"}, {"B"}),
        ({"structure_type": "monopole"}, {"B"}),
        ({"commune": "90001"}, {"A"}),
        ({"include_dismantled": "true"}, {"A", "B", "C", "D"}),
        ({}, {"A", "B", "C"}),
    ],
)
def test_filters(
    staff: FlaskClient, session: Session, query: dict[str, Any], codes: set[str]
) -> None:
    commune = makers.commune(session, code="90001")
    makers.tower(
        session, code="A", name="Trạm Cao Lãnh", commune=commune, condition="dangerous",
        condition_reason=None, worst_severity="critical", next_deadline=doors.day("2020-01-01"),
        open_violations=1,
    )  # fmt: skip
    makers.tower(
        session, code="B", name="Trạm Sa Đéc", structure_type="monopole",
        condition="needs_follow_up", condition_reason=None, worst_severity="minor",
        next_deadline=_soon(), open_violations=1,
    )  # fmt: skip
    # Its time is over: what was fine counts as unchecked today.
    makers.tower(
        session, code="C", name="Hồng Ngự", condition="ok", condition_reason=None,
        ok_until=doors.day("2020-01-01"),
    )  # fmt: skip
    makers.tower(session, code="D", name="Đã tháo", lifecycle="dismantled")
    session.commit()
    if query == {"condition": ["dangerous", "unchecked"]}:
        codes = {"A", "C"}
    page = answered(staff.get("/api/v1/towers", query_string=query), 200)
    assert {item["code"] for item in page["items"]} == codes


def _soon():
    from datetime import timedelta

    from core import clock

    return clock.today() + timedelta(days=5)


def test_a_new_owner_of_a_refused_tower_is_not_kept(staff: FlaskClient, session: Session) -> None:
    answered(staff.post("/api/v1/towers", json=BODY), 201)
    refused(staff.post("/api/v1/towers", json={**BODY, "owner": "Mới tinh"}), 409)
    session.commit()
    assert session.scalar(select(Organisation).where(Organisation.name == "Mới tinh")) is None
