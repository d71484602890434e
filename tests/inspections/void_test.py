"""A wrong record is voided by two people: one asks, another confirms; nothing is deleted."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from core import store
from core.audit import AuditEntry
from core.errors import Conflict, Forbidden, Invalid, NotFound
from core.policy import SYSTEM
from inspections.models import LoadAssessment
from inspections.services import condition
from inspections.services.review import accept_inspection, ask_to_void, decide_void
from tests import makers
from tests.doors import answered, client_of
from tests.inspections.visits import (
    FIXED,
    MAJOR,
    NOW,
    ZONE,
    correct,
    days,
    events,
    inspected,
    passing,
    published,
    record,
    violations,
    visit,
)


@pytest.fixture
def inspector(session):
    return makers.actor(session, "inspector")


@pytest.fixture
def staff(session):
    return makers.actor(session, "staff")


@pytest.fixture
def second(session):
    return makers.actor(session, "staff")


@pytest.fixture
def tower(session):
    published(session)
    return makers.tower(session)


@pytest.fixture(autouse=True)
def recomputation_agrees(session):
    yield
    session.flush()
    assert [code for code, differs in condition.recompute(session) if differs] == []


def ask(session, inspection, by, reason="Nhầm trạm"):
    ask_to_void(session, inspection, reason=reason, by=by, now=NOW)


def decide(session, inspection, by, *, confirm=True):
    decide_void(session, inspection, confirm=confirm, by=by, now=NOW + days(1), zone=ZONE)


def test_a_voided_inspection_no_longer_counts(session, tower, inspector, staff, second) -> None:
    made = visit({**passing(tower), **MAJOR}, assessment_requested=True, assessment_reason="Cũ")
    inspection = record(session, tower, made, by=inspector)
    accept_inspection(session, inspection, by=staff, now=NOW)
    ask(session, inspection, staff)
    assert (inspection.status, tower.condition) == ("accepted", "assessment_needed")
    decide(session, inspection, second)
    assert (inspection.status, inspection.voided_by_id) == ("voided", second.id)
    (one,) = violations(session, tower).values()
    assert events(session, one) == [("found", "major"), ("withdrawn", None)]
    assert one.state == "withdrawn"
    assert session.scalars(select(LoadAssessment)).all() == []
    assert (tower.condition, tower.condition_reason) == ("unchecked", "never")
    # What it said stays readable.
    assert len(inspection.answers) == len(passing(tower))
    actions = session.scalars(
        select(AuditEntry.action)
        .where(AuditEntry.object_id == str(inspection.id))
        .order_by(AuditEntry.id)
    ).all()
    assert actions[-2:] == ["inspection.void_asked", "inspection.voided"]


def test_a_voided_reinspection_opens_what_it_closed(
    session, tower, inspector, staff, second
) -> None:
    inspected(session, tower, by=inspector, **MAJOR)
    again = inspected(
        session, tower, by=inspector, kind="reinspection", only=FIXED, now=NOW + days(1)
    )
    ask(session, again, staff)
    decide(session, again, second)
    (one,) = violations(session, tower).values()
    assert (one.state, tower.condition) == ("open", "needs_follow_up")


def test_nobody_voids_alone(session, tower, inspector, staff) -> None:
    inspection = inspected(session, tower, by=inspector)
    ask(session, inspection, staff)
    with pytest.raises(Forbidden):
        decide(session, inspection, staff)
    assert inspection.status == "submitted"
    store.set_value(session, "two_people", False, by=SYSTEM, now=NOW)
    decide(session, inspection, staff)
    assert inspection.status == "voided"


def test_a_refused_request_changes_nothing(session, tower, inspector, staff, second) -> None:
    inspection = inspected(session, tower, by=inspector, **MAJOR)
    ask(session, inspection, inspector)
    decide(session, inspection, second, confirm=False)
    assert (inspection.status, inspection.void_asked_at) == ("submitted", None)
    assert tower.condition == "needs_follow_up"
    ask(session, inspection, staff, "Sai ngày")
    decide(session, inspection, staff, confirm=False)
    with pytest.raises(Conflict):
        decide(session, inspection, second)


def test_what_is_voided_stays_so(session, tower, inspector, staff, second) -> None:
    inspection = inspected(session, tower, by=inspector)
    ask(session, inspection, staff)
    with pytest.raises(Conflict):
        ask(session, inspection, second)
    decide(session, inspection, second)
    for step in (
        lambda: ask(session, inspection, staff),
        lambda: decide(session, inspection, staff),
        lambda: accept_inspection(session, inspection, by=staff, now=NOW),
        lambda: correct(session, inspection, visit({**passing(tower), **MAJOR}), by=inspector),
    ):
        with pytest.raises(Conflict):
            step()


def test_a_draft_is_discarded_not_voided(session, tower, inspector, staff) -> None:
    draft = record(session, tower, visit({}, submit=False), by=inspector)
    with pytest.raises(Conflict):
        ask(session, draft, staff)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 4001])
def test_voiding_needs_its_reason(session, tower, inspector, staff, reason) -> None:
    inspection = inspected(session, tower, by=inspector)
    with pytest.raises(Invalid) as caught:
        ask(session, inspection, staff, reason)
    assert set(caught.value.fields) == {"reason"}


def test_an_inspector_asks_about_own_visits_and_decides_none(
    session, tower, inspector, staff
) -> None:
    inspection = inspected(session, tower, by=inspector)
    with pytest.raises(Forbidden):
        ask(session, inspection, makers.actor(session, "inspector"))
    ask(session, inspection, inspector)
    with pytest.raises(Forbidden):
        decide(session, inspection, inspector)
    stranger = makers.actor(session, "staff", territories=[makers.commune(session)])
    with pytest.raises(NotFound):
        decide(session, inspection, stranger)


def test_over_the_api_and_the_page(app, session, tower, inspector) -> None:
    inspection = inspected(session, tower, by=inspector, **MAJOR)
    one, two = (client_of(app, session, makers.user(session, "staff")) for _ in range(2))
    address = f"/api/v1/inspections/{inspection.id}"
    tag = {"If-Match": one.get(address).headers["ETag"]}
    body = {"reason": "Nhầm trạm"}
    answered(one.post(f"{address}/void-request", json=body), 428)
    answered(one.post(f"{address}/void-request", json=body, headers={"If-Match": '"v9"'}), 412)
    assert answered(one.post(f"{address}/void-request", json=body, headers=tag), 200)["void_reason"]
    tag = {"If-Match": one.get(address).headers["ETag"]}
    confirm = {"decision": "confirm"}
    answered(one.post(f"{address}/void-decision", json=confirm, headers=tag), 403)
    page = f"/inspections/{inspection.id}"
    assert 'value="confirm"' not in one.get(page).get_data(as_text=True)
    assert 'value="confirm"' in two.get(page).get_data(as_text=True)
    version = {"version": answered(two.get(address), 200)["version"]}
    assert two.post(f"{page}/void", data={"decision": "?", **version}).status_code == 422
    assert one.post(f"{page}/void", data={**confirm, **version}).status_code == 403
    assert two.post(f"{page}/void", data={**confirm, **version}).status_code == 302
    assert answered(two.get(address), 200)["status"] == "voided"
    answered(two.post(f"{address}/void-decision", json=confirm), 428)
    session.expire_all()
