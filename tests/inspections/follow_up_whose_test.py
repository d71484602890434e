"""Whose work a row of the follow-up list is, and the rows of a campaign's towers."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from inspections.queries import follow_up
from inspections.queries.follow_up import WorkFilters
from inspections.rules.campaign import Kind, State
from tests import doors, makers
from tests.doors import answered
from tests.inspections import campaigns
from tests.inspections.follow_up_test import assessment, violation
from tests.inspections.visits import MAJOR, NOW, TODAY, days, inspected, published


@pytest.fixture
def staff(session):
    return makers.actor(session, "staff")


@pytest.fixture
def version(session):
    return published(session)


@pytest.fixture
def lan(session):
    return makers.actor(session, "inspector", name="Lan")


def found(session, staff, *, today=TODAY, **filters):
    rows = follow_up.follow_up(session, staff, WorkFilters(**filters), today=today).rows
    number = follow_up.count(session, staff, WorkFilters(**filters), today=today)
    assert number == len(rows)
    return {row.code: row for row in rows}


def planned(session, staff, codes, inspector=None, state=State.RUNNING, **facts):
    """A re-inspection campaign of these towers, all of them one inspector's."""
    made = campaigns.campaign(
        session, staff, codes=codes, state=State.PLANNED, kind=Kind.REINSPECTION, **facts
    )
    for one in campaigns.live(session, made).values():
        if inspector is not None:
            one.inspector_id, one.assigned_at = inspector.id, NOW
    session.flush()
    if state is not State.PLANNED:
        campaigns.move(session, made, State.RUNNING, staff)
    if state not in {State.PLANNED, State.RUNNING}:
        campaigns.move(session, made, state, staff, reason="bão đã tan")
    return made


def test_a_campaign_has_the_rows_of_its_towers(session, staff, version) -> None:
    inside, waits, outside = (makers.tower(session, code=code) for code in ("A", "B", "C"))
    for one in (inside, outside):
        violation(session, one, version)
    assessment(session, waits)
    made = planned(session, staff, ["A", "B"])
    assert set(found(session, staff, campaign=made.id)) == {"A", "B"}
    assert set(found(session, staff, campaign=made.id, severity=("major",))) == {"A"}
    assert found(session, staff, campaign=uuid.uuid4()) == {}
    campaigns.move(session, made, State.CLOSED, staff)
    assert set(found(session, staff, campaign=made.id)) == {"A", "B"}, "what it left open"
    gone = campaigns.live(session, made)["A"]
    gone.ended_at, gone.ending = NOW, "removed"
    session.flush()
    assert set(found(session, staff, campaign=made.id)) == {"B"}


def test_a_reader_without_the_campaign_learns_nothing_by_it(session, staff, version) -> None:
    home, away = makers.commune(session), makers.commune(session, box=(105.9, 10, 106.3, 11))
    tower = makers.tower(session, code="A", commune=away)
    violation(session, tower, version)
    made = planned(session, staff, ["A"])
    reader = makers.actor(session, "staff", territories=[home])
    assert found(session, reader, campaign=made.id) == {}
    assert set(found(session, makers.actor(session, "staff", territories=[away]),
                     campaign=made.id)) == {"A"}  # fmt: skip


def test_an_inspector_has_what_is_given_and_what_stands_at_their_towers(
    session, staff, version, lan
) -> None:
    given, visits, other = (makers.tower(session, code=code) for code in ("A", "B", "C"))
    violation(session, given, version, assignee_id=lan.id)
    violation(session, visits, version)
    violation(session, visits, version, item="sit_fence", severity="minor")
    violation(session, other, version)
    planned(session, staff, ["B"], lan)
    rows = follow_up.follow_up(session, staff, WorkFilters(assignee=lan.id), today=TODAY).rows
    assert sorted((row.code, row.assignee, row.visitors) for row in rows) == [
        ("A", "Lan", None),
        ("B", None, ["Lan"]),
        ("B", None, ["Lan"]),
    ]


@pytest.mark.parametrize("state", [State.PLANNED, State.CLOSED, State.CANCELLED])
def test_only_what_is_to_be_inspected_now_counts(session, staff, version, lan, state) -> None:
    violation(session, makers.tower(session, code="A"), version)
    planned(session, staff, ["A"], lan, state)
    assert found(session, staff, assignee=lan.id) == {}
    assert found(session, staff)["A"].visitors is None


def test_a_tower_that_was_inspected_is_nobodys_any_more(session, staff, version, lan) -> None:
    tower = makers.tower(session, code="A")
    inspected(session, tower, by=lan, now=NOW - days(60), **MAJOR)
    planned(session, staff, ["A"], lan)
    assert set(found(session, staff, assignee=lan.id)) == {"A"}
    inspected(session, tower, by=lan, now=NOW, **MAJOR)
    assert found(session, staff, assignee=lan.id) == {}


def test_late_as_it_may_be_it_stays_theirs(session, staff, version, lan) -> None:
    violation(session, makers.tower(session, code="A"), version)
    planned(session, staff, ["A"], lan)
    assert set(found(session, staff, assignee=lan.id, today=TODAY + timedelta(days=400))) == {"A"}


def test_page_api_export_and_saved_list_know_the_campaign(app, session, version, lan) -> None:
    user = makers.user(session, "staff")
    client, staff = doors.client_of(app, session, user), makers.actor(session, "staff")
    for code in ("A", "B"):
        violation(session, makers.tower(session, code=f"T-{code}"), version)
    made = planned(session, staff, ["T-A"], lan, name="Phúc tra tháng 11")
    session.commit()
    query = f"campaign={made.id}"
    page = client.get(f"/follow-up?{query}").get_data(as_text=True)
    assert "T-A" in page and "T-B" not in page
    assert f'value="{made.id}" selected' in page and "Lan" in page
    (row,) = answered(client.get(f"/api/v1/follow-up?{query}"), 200)["items"]
    assert (row["tower"], row["assignee"], row["visitors"]) == ("T-A", None, ["Lan"])
    assert answered(client.get("/api/v1/follow-up?campaign=x"), 422)
    exported = client.get(f"/follow-up.csv?{query}").get_data().decode("utf-8-sig")
    assert "T-A" in exported and "Lan" in exported and "T-B" not in exported
    saved = client.post(f"/follow-up/saved?{query}", data={"name": "Phúc tra"})
    opened = client.get(saved.headers["Location"])
    assert query in opened.headers["Location"]
