"""The pages of campaigns and assignments: what is wrong is said beside what was typed."""

from __future__ import annotations

import uuid

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.models import User
from inspections.campaign_models import Assignment, Campaign
from tests import doors, makers
from tests.doors import counts

PLAN = {
    "name": "Trước mùa bão", "kind": "campaign", "begins_on": "2030-01-01",
    "ends_on": "2030-01-31", "note": "",
}  # fmt: skip
AREA = "105.5_10.3*105.7_10.3*105.7_10.5*105.5_10.5"


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    doors.published(session)
    makers.tower(session, code="IN", latitude=10.4, longitude=105.6)
    makers.tower(session, code="OUT", latitude=10.6, longitude=105.6)
    return doors.client_of(app, session, makers.user(session, "staff"))


@pytest.fixture
def inspector(session: Session) -> User:
    made = makers.user(session, "inspector")
    session.commit()
    return made


def text(response) -> str:
    return response.get_data(as_text=True)


def planned(session: Session, staff: FlaskClient, query: str = "") -> Campaign:
    response = staff.post(f"/campaigns/new?{query}", data={"id": str(uuid.uuid4()), **PLAN})
    assert response.status_code == 302, text(response)[:2000]
    session.expire_all()
    return session.scalars(select(Campaign)).one()


def codes(session: Session) -> list[str]:
    rows = session.scalars(select(Assignment).where(Assignment.ended_at.is_(None)))
    return sorted(row.tower.code for row in rows)


def test_the_number_is_seen_before_the_campaign_is_made(staff, session) -> None:
    before = counts(session)
    page = text(staff.get(f"/campaigns/new?area={AREA}&lang=en"))
    assert "1 tower is chosen" in page
    assert f"/map/choose?area={AREA}" in page
    assert "2 towers are chosen" in text(staff.get("/campaigns/new?lang=en"))
    crossed = "105.5_10.3*105.7_10.5*105.7_10.3*105.5_10.5"
    page = text(staff.get(f"/campaigns/new?area={crossed}&lang=en"))
    assert "The outline crosses itself" in page
    assert counts(session) == before
    planned(session, staff, f"area={AREA}")
    assert codes(session) == ["IN"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": " "}, "name"), ({"kind": "x"}, "kind"), ({"begins_on": ""}, "begins_on"),
        ({"ends_on": "31/01/2030"}, "ends_on"), ({"ends_on": "2029-01-01"}, "ends_on"),
    ],
)  # fmt: skip
def test_a_wrong_plan_keeps_what_was_typed(staff, session, wrong, field) -> None:
    before = counts(session)
    response = staff.post("/campaigns/new", data={**PLAN, "note": "Ghi chú dài", **wrong})
    assert response.status_code == 422
    assert f'id="f-{field}-wrong"' in text(response)
    assert "Ghi chú dài" in text(response)
    assert counts(session) == before


def test_towers_are_added_assigned_and_removed_on_the_page(staff, session, inspector) -> None:
    made = planned(session, staff, f"area={AREA}")
    path = f"/campaigns/{made.id}"
    assert "Add 1 tower<" in text(staff.get(f"{path}/towers?lang=en"))
    added = staff.post(f"{path}/towers", data={"version": made.version})
    assert added.status_code == 302
    assert codes(session) == ["IN", "OUT"]
    stale = staff.post(f"{path}/assignments", data={"version": 1, "which": "nobody"})
    assert stale.status_code == 409
    nobody = staff.post(f"{path}/assignments", data={"version": 2, "which": "nobody"})
    assert nobody.status_code == 422
    assert 'id="f-inspectors-wrong"' in text(nobody)
    share = {"version": 2, "which": "nobody", "inspectors": str(inspector.id)}
    assert staff.post(f"{path}/assignments", data=share).status_code == 302
    rows = session.scalars(select(Assignment).execution_options(populate_existing=True)).all()
    assert {row.inspector_id for row in rows} == {inspector.id}
    gone = {"version": 3, "assignments": str(rows[0].id)}
    assert staff.post(f"{path}/removals", data=gone).status_code == 422
    gone["reason"] = "trùng"
    assert staff.post(f"{path}/removals", data=gone).status_code == 302
    assert len(codes(session)) == 1
    assert "trùng" in text(staff.get(path))


def test_the_towers_of_a_campaign_are_narrowed_by_the_address(staff, session, inspector) -> None:
    made = planned(session, staff)
    path = f"/campaigns/{made.id}"
    for query, shown in (
        ("", {"IN", "OUT"}), ("q=OUT", {"OUT"}), ("standing=done", set()),
        ("standing=unassigned", {"IN", "OUT"}), ("inspector=nobody", {"IN", "OUT"}),
        (f"inspector={inspector.id}", set()), ("commune=90001", set()),
        ("standing=x", {"IN", "OUT"}),
    ):  # fmt: skip
        page = text(staff.get(f"{path}?{query}"))
        assert {code for code in ("IN", "OUT") if f">{code}</a>" in page} == shown, query


def test_it_is_started_ended_and_cancelled_with_a_reason(staff, session) -> None:
    made = planned(session, staff)
    path = f"/campaigns/{made.id}/state"
    impossible = staff.post(path, data={"version": 1, "state": "closed"})
    assert impossible.status_code == 409
    assert staff.post(path, data={"version": 1, "state": "running"}).status_code == 302
    without = staff.post(path, data={"version": 2, "state": "cancelled"})
    assert without.status_code == 422
    reason = {"version": 2, "state": "cancelled", "reason": "bão đã tan"}
    assert staff.post(path, data=reason).status_code == 302
    page = text(staff.get(f"/campaigns/{made.id}?lang=en"))
    assert "Cancelled: bão đã tan" in page
    assert "2 towers were withdrawn" in page


def test_of_a_campaign_over_two_communes_each_reads_its_own_part(app, session) -> None:
    doors.published(session)
    here = makers.commune(session, code="90001")
    there = makers.commune(session, code="90002", box=(106.0, 10.0, 107.0, 11.0))
    for code, longitude in (("HERE", 105.6), ("THERE", 106.6)):
        makers.tower(
            session, code=code, longitude=longitude, commune=here if longitude < 106 else there
        )
    of_all = makers.user(session, "staff")
    of_here = makers.user(session, "staff", territories=[here])
    officer = makers.user(session, "local_officer", territories=[here])
    staff, planner, reader = (
        doors.client_of(app, session, one) for one in (of_all, of_here, officer)
    )

    def page(client: FlaskClient, made: Campaign) -> str:
        return text(client.get(f"/campaigns/{made.id}?lang=en"))

    made = planned(session, planner)
    assert codes(session) == ["HERE"]
    assert "History" in page(planner, made)
    # Whoever sees all towers adds one of which the planner may not know.
    choice = {"choice": {"codes": ["THERE"]}}
    added = staff.post(
        f"/api/v1/campaigns/{made.id}/towers", json=choice, headers={"If-Match": "*"}
    )
    doors.answered(added, 200)
    session.expire_all()
    cancelled = {"version": made.version, "state": "cancelled", "reason": "bão đã tan"}
    assert staff.post(f"/campaigns/{made.id}/state", data=cancelled).status_code == 302
    whole = page(staff, made)
    assert "2 towers were withdrawn" in whole
    assert of_all.email in whole
    for client in (planner, reader):
        own = page(client, made)
        assert "1 tower was withdrawn" in own
        assert (of_all.email in own, "2 towers" in own, "History" in own) == (False, False, False)


def test_an_inspector_begins_the_inspection_from_their_list(app, staff, session, inspector) -> None:
    path = "/towers/IN/assignments"
    given = {"inspectors": str(inspector.id), "kind": "complaint", "due_on": "2030-01-31"}
    assert staff.post(path, data=given).status_code == 302
    worker = doors.client_of(app, session, inspector)
    for page in (worker.get("/assignments"), worker.get("/"), worker.get("/towers/IN")):
        assert "/towers/IN/inspect?kind=complaint" in text(page)
    start = text(worker.get("/towers/IN/inspect?kind=complaint"))
    assert 'value="complaint" checked' in start
    near = worker.post("/assignments/near", data={"lat": "10.41", "lon": "105.6"})
    assert near.status_code == 200
    assert "1,1 km" in text(near)
    for wrong in (
        {},
        {"lat": "nan", "lon": "1"},
        {"lat": "91", "lon": "1"},
        {"lat": "x", "lon": ""},
    ):
        assert worker.post("/assignments/near", data=wrong).status_code == 400
    assert "/towers/IN/inspect" not in text(staff.get("/assignments"))


def test_one_assignment_is_given_on_or_withdrawn_on_its_page(staff, session, inspector) -> None:
    other = makers.user(session, "inspector", name="Người Sau")
    session.commit()
    given = {"inspectors": str(inspector.id), "kind": "complaint", "due_on": "2030-01-31"}
    staff.post("/towers/IN/assignments", data=given)
    made = session.scalars(select(Assignment)).one()
    path = f"/assignments/{made.id}"
    assert staff.post(f"{path}/give", data={"version": 1}).status_code == 422
    change = {"version": 1, "inspectors": str(other.id), "due_on": "2030-02-01"}
    assert staff.post(f"{path}/give", data=change).status_code == 302
    page = text(staff.get(path))
    assert "Người Sau" in page
    assert inspector.name in page
    assert staff.post(f"{path}/withdraw", data={"version": 2}).status_code == 422
    left = staff.post(f"{path}/withdraw", data={"version": 2, "reason": "nhầm"})
    assert left.status_code == 302
    assert staff.get(path).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"due_on": ""}, "due_on"), ({"due_on": "2020-01-01"}, "due_on"),
        ({"due_on": "31/01/2030"}, "due_on"), ({"inspectors": ""}, "inspectors"),
        ({"inspectors": "x"}, "inspectors"), ({"kind": "x"}, "kind"),
    ],
)  # fmt: skip
def test_a_wrong_assignment_keeps_what_was_typed(staff, session, inspector, wrong, field) -> None:
    before = counts(session)
    given = {
        "id": str(uuid.uuid4()), "inspectors": str(inspector.id), "kind": "after_storm",
        "due_on": "2030-01-31", "note": "Cột nghiêng sau bão <số 9>", **wrong,
    }  # fmt: skip
    response = staff.post("/towers/IN/assignments", data=given)
    assert response.status_code == 422
    page = text(response)
    assert f'id="f-{field}-wrong"' in page
    assert "Cột nghiêng sau bão &lt;số 9&gt;" in page
    assert f'value="{given["id"]}"' in page
    if field != "inspectors":
        assert f'value="{inspector.id}" selected' in page
    if field != "kind":
        assert 'value="after_storm" selected' in page
    assert counts(session) == before
