"""Rows of the follow-up list are given to an inspector, many at once, after a look."""

from __future__ import annotations

import re
import uuid

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.audit import AuditEntry
from core.errors import Conflict, Invalid
from inspections.models import LoadAssessment, Violation
from inspections.queries import follow_up
from inspections.queries.follow_up import WorkFilters
from inspections.services import assign
from tests import doors, makers
from tests.doors import answered, refused
from tests.inspections.follow_up_test import assessment, violation
from tests.inspections.visits import NOW, TODAY, published

PATH = "/api/v1/follow-up/assignments"


@pytest.fixture
def person(session: Session):
    return makers.user(session, "inspector", name="Nguyễn Văn Thanh")


@pytest.fixture
def rows(session: Session):
    """Two violations of one tower and its assessment, and a violation of another one."""
    version, commune = published(session), makers.commune(session, code="90001")
    here, there = makers.tower(session, code="A", commune=commune), makers.tower(session, code="B")
    made = [
        violation(session, here, version, "clb_ladder"),
        violation(session, here, version, "ant_mount", "critical"),
        assessment(session, here),
        violation(session, there, version, "clb_ladder"),
    ]
    session.commit()
    return made


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    return doors.client_of(app, session, makers.user(session, "staff"))


def give(session: Session, by, ids, person, **facts):
    filters = WorkFilters(ids=tuple(ids))
    plan = assign.plan(session, filters, person.id, by=by, today=TODAY, **facts)
    done = assign.assign(
        session, filters, person.id, seen=plan.digest, by=by, now=NOW, today=TODAY, **facts
    )
    session.expire_all()
    return done


def assignees(session: Session) -> dict[uuid.UUID, uuid.UUID | None]:
    session.expire_all()
    return {
        one.id: one.assignee_id
        for kind in (Violation, LoadAssessment)
        for one in session.scalars(select(kind))
    }


def test_chosen_rows_and_whole_towers(session: Session, rows, person) -> None:
    by = makers.actor(session, "staff")
    give(session, by, [rows[0].id], person)
    assert [assignees(session)[one.id] for one in rows] == [person.id, None, None, None]
    done = give(session, by, [rows[0].id], person, whole_towers=True)
    assert (len(done.rows), len(done.changing)) == (3, 2)
    assert [assignees(session)[one.id] for one in rows] == [person.id] * 3 + [None]
    listed = follow_up.follow_up(session, by, WorkFilters(assignee=person.id), today=TODAY).rows
    assert {row.id for row in listed} == {one.id for one in rows[:3]}
    assert {row.assignee for row in listed} == {"Nguyễn Văn Thanh"}
    rest = follow_up.follow_up(session, by, WorkFilters(unassigned=True), today=TODAY).rows
    assert [row.id for row in rest] == [rows[3].id]
    told = session.scalars(select(AuditEntry).where(AuditEntry.action.like("%.assign"))).all()
    assert sorted(one.action for one in told) == [
        "assessment.assign", "violation.assign", "violation.assign",
    ]  # fmt: skip
    assert {one.after["assignee"] for one in told} == {"Nguyễn Văn Thanh"}


def test_what_was_looked_at_is_what_is_given(session: Session, rows, person) -> None:
    by = makers.actor(session, "staff")
    filters = WorkFilters(ids=(rows[0].id, rows[3].id))
    plan = assign.plan(session, filters, person.id, by=by, today=TODAY)
    give(session, by, [rows[3].id], makers.user(session, "inspector"))
    with pytest.raises(Conflict):
        assign.assign(session, filters, person.id, seen=plan.digest, by=by, now=NOW, today=TODAY)
    assert assignees(session)[rows[0].id] is None


def test_an_inspector_gets_nothing_outside_their_territory(session: Session, rows) -> None:
    by = makers.actor(session, "staff")
    commune = rows[0].tower.commune
    local = makers.user(session, "inspector", territories=[commune])
    give(session, by, [rows[0].id], local)
    with pytest.raises(Conflict, match="could not see"):
        give(session, by, [rows[0].id, rows[3].id], local)
    assert assignees(session)[rows[3].id] is None


def test_only_inspectors_who_may_sign_in(session: Session, rows, person) -> None:
    by = makers.actor(session, "staff")
    person.active = False
    session.flush()
    for one in (person, makers.user(session, "local_officer")):
        with pytest.raises(Invalid, match="inspectors"):
            give(session, by, [rows[0].id], one)


def test_the_api_gives_all_or_none(staff: FlaskClient, session: Session, rows, person) -> None:
    body = {
        "rows": [{"id": str(one.id), "assignee": None} for one in rows],
        "assignee": str(person.id),
    }
    before = doors.counts(session)
    foreign = {**body, "rows": [*body["rows"], {"id": str(uuid.uuid4()), "assignee": None}]}
    refused(staff.post(PATH, json=foreign), 422)
    wrong = {**body, "rows": [{"id": str(rows[0].id), "assignee": str(uuid.uuid4())}]}
    refused(staff.post(PATH, json=wrong), 409)
    assert doors.counts(session) == before
    assert answered(staff.post(PATH, json=body), 200) == {"rows": 4, "changed": 4}
    # Sending it again is harmless, and taking the rows back is the same way.
    assert answered(staff.post(PATH, json=body), 200) == {"rows": 4, "changed": 0}
    (first, *_) = answered(staff.get(f"/api/v1/follow-up?assignee={person.id}"), 200)["items"]
    assert first["assignee"] == {"id": str(person.id), "name": "Nguyễn Văn Thanh"}
    back = {
        "rows": [{"id": str(one.id), "assignee": str(person.id)} for one in rows],
        "assignee": None,
    }
    assert answered(staff.post(PATH, json=back), 200)["changed"] == 4
    assert set(assignees(session).values()) == {None}


def test_the_page_shows_first_and_then_gives(app: Flask, session: Session, rows, person) -> None:
    boss = doors.with_password(session, "staff")
    browser = doors.signed_in(app, boss.email)
    token = doors.csrf_of(browser.get("/follow-up").get_data(as_text=True))
    data = {"csrf_token": token, "assignee": str(person.id), "everything": "1"}
    page = browser.post("/follow-up/assign?severity=major", data=data).get_data(as_text=True)
    assert set(assignees(session).values()) == {None}
    assert "Nguyễn Văn Thanh" in page
    seen = re.search(r'name="seen" value="([0-9a-f]+)"', page)
    assert seen
    done = browser.post("/follow-up/assign?severity=major", data={**data, "seen": seen[1]})
    assert (done.status_code, done.location) == (302, "/follow-up?severity=major")
    given = assignees(session)
    assert [given[one.id] for one in rows] == [person.id, None, None, person.id]
    late = browser.post("/follow-up/assign?severity=major", data={**data, "seen": "0" * 64})
    assert late.status_code == 409
    nothing = browser.post("/follow-up/assign", data={"csrf_token": token, "assignee": "nobody"})
    assert nothing.status_code == 422


def test_two_towers_that_become_one_keep_who_sees_to_it(session: Session, rows, person) -> None:
    """Which of two twins goes on is told elsewhere; nobody's work is lost by it."""
    from core.merging import Merge
    from inspections.services import merge as merging
    from tests.inspections.visits import MAJOR, inspected

    inspector = makers.actor(session, "inspector")
    towers = [makers.tower(session) for _ in range(2)]
    twins = []
    for tower in towers:
        inspected(session, tower, by=inspector, **MAJOR)
        twins.append(session.scalars(select(Violation).where(Violation.tower_id == tower.id)).one())
    twins[1].assignee_id = person.id
    session.flush()
    facts = Merge(towers[0].id, towers[1].id, makers.actor(session, "staff"), NOW, TODAY)
    merging._continue_twins(session, facts)
    session.expire_all()
    goes_on = next(twin for twin in twins if twin.state == "open")
    assert goes_on.assignee_id == person.id
