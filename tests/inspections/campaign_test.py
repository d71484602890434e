"""Campaigns: their towers by filters and drawn areas, their states, and what counts as done."""

from __future__ import annotations

import uuid
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.audit import AuditEntry
from core.errors import Conflict, Forbidden, Invalid, NotFound
from core.policy import Actor
from inspections.campaign_models import Assignment, Campaign
from inspections.queries import campaigns as queries
from inspections.rules.campaign import Kind, State, Worker, shared_out, standing
from inspections.services import campaigns as services
from inspections.services import review
from inspections.services.campaign_plans import Choice
from tests import makers
from tests.inspections import visits
from tests.inspections.campaigns import campaign, live, move, plan, standings
from tests.inspections.visits import TODAY, ZONE
from tests.makers import NOW
from towers.queries import Filters

SQUARE = ((105.5, 10.3), (105.7, 10.3), (105.7, 10.5), (105.5, 10.5))


@pytest.fixture
def staff(session: Session) -> Actor:
    return makers.actor(session, "staff")


@pytest.fixture
def inspector(session: Session) -> Actor:
    visits.published(session)
    return makers.actor(session, "inspector")


def actions(session: Session, made: Campaign) -> list[str]:
    return list(
        session.scalars(
            select(AuditEntry.action)
            .where(AuditEntry.object_id == str(made.id))
            .order_by(AuditEntry.id)
        )
    )


# Which towers


def test_towers_are_chosen_by_the_filters_of_the_register(session, staff) -> None:
    commune = makers.commune(session, code="90001")
    owner = makers.organisation(session)
    for code, facts in (
        ("A", {"commune": commune, "owner": owner, "structure_type": "guyed_mast"}),
        ("B", {"commune": commune, "owner": owner}),
        ("C", {"commune": commune}),
        ("D", {"owner": owner, "condition": "dangerous", "condition_reason": None}),
        ("E", {"lifecycle": "dismantled", "commune": commune}),
    ):
        makers.tower(session, code=code, **facts)
    for filters, wanted in (
        ({"commune": ("90001",)}, "ABC"),
        ({"owner": owner.id}, "ABD"),
        ({"structure_type": ("guyed_mast",)}, "A"),
        ({"condition": ("dangerous",)}, "D"),
        ({}, "ABCD"),
    ):
        number, _ = services.preview(session, Choice(Filters(**filters)), by=staff, today=TODAY)
        made = campaign(session, staff, filters=Filters(**filters))
        assert "".join(live(session, made)) == wanted
        assert number == len(wanted)


def test_towers_that_fall_due_are_chosen_by_the_interval_of_their_structure(session, staff) -> None:
    """Exactly what the intervals of the department say: 36 months for guyed masts, else 60."""
    for code, structure, inspected in (
        ("GUYED", "guyed_mast", date(2023, 12, 31)),
        ("LATTICE", "lattice_self_support", date(2023, 12, 31)),
        ("NEVER", "lattice_self_support", None),
    ):
        makers.tower(session, code=code, structure_type=structure, last_inspected_on=inspected)
    for day, wanted in ((date(2026, 12, 31), ["NEVER"]), (date(2027, 1, 1), ["GUYED", "NEVER"])):
        made = campaign(session, staff, filters=Filters(inspection_due_before=day))
        assert list(live(session, made)) == wanted


def test_towers_are_chosen_by_a_drawn_area(session, staff) -> None:
    makers.tower(session, code="IN", latitude=10.4, longitude=105.6)
    makers.tower(session, code="EDGE", latitude=10.3, longitude=105.6)
    makers.tower(session, code="OUT", latitude=10.4, longitude=105.71)
    made = campaign(session, staff, filters=Filters(area=SQUARE))
    assert list(live(session, made)) == ["EDGE", "IN"]
    session.refresh(made, ["area"])
    assert made.area is not None


@pytest.mark.parametrize(
    ("corners", "said"),
    [
        (((105.5, 10.3), (105.7, 10.5), (105.7, 10.3), (105.5, 10.5)), "crosses itself"),
        (((5.5, 10.3), (5.7, 10.3), (5.7, 10.5)), "outside the area of this deployment"),
        (((10.3, 105.5), (10.3, 105.7), (10.5, 105.7)), "outside the area of this deployment"),
        (((105.5, 10.3), (105.6, 10.3), (105.7, 10.3)), "crosses itself"),
    ],
)
def test_a_drawn_area_that_is_not_sound_makes_nothing(session, staff, corners, said) -> None:
    makers.tower(session)
    choice = Choice(Filters(area=corners))
    with pytest.raises(Invalid) as error:
        services.create_campaign(
            session, uuid.uuid4(), plan(), choice, by=staff, now=NOW, today=TODAY
        )
    assert "area" in error.value.fields
    assert said in error.value.message
    with pytest.raises(Invalid):
        services.preview(session, choice, by=staff, today=TODAY)
    assert session.scalar(select(func.count()).select_from(Campaign)) == 0


def test_a_choice_without_towers_makes_no_campaign(session, staff) -> None:
    with pytest.raises(Invalid):
        campaign(session, staff, filters=Filters(commune=("90001",)))
    makers.tower(session, code="A")
    with pytest.raises(Invalid):
        campaign(session, staff, codes=["A", "KHONG-CO"])


def test_staff_of_one_commune_plan_for_its_towers_alone(session) -> None:
    here, there = makers.commune(session), makers.commune(session)
    makers.tower(session, code="HERE", commune=here)
    makers.tower(session, code="THERE", commune=there)
    local = makers.actor(session, "staff", territories=[here])
    made = campaign(session, local)
    assert list(live(session, made)) == ["HERE"]
    other = makers.actor(session, "staff", territories=[there])
    assert queries.campaign(session, other, made.id) is None
    with pytest.raises(NotFound):
        move(session, made, State.CLOSED, other)
    with pytest.raises(Invalid):
        campaign(session, local, codes=["THERE"])
    for role in ("inspector", "local_officer", "admin"):
        with pytest.raises(Forbidden):
            campaign(session, makers.actor(session, role))


def test_the_same_number_with_the_same_body_is_one_campaign(session, staff) -> None:
    makers.tower(session)
    number = uuid.uuid4()
    facts = {"by": staff, "now": NOW, "today": TODAY}
    first, new = services.create_campaign(session, number, plan(), Choice(), **facts)
    assert new
    again, new = services.create_campaign(session, number, plan(), Choice(), **facts)
    assert (again.id, new) == (first.id, False)
    with pytest.raises(Conflict):
        services.create_campaign(session, number, plan(name="Khác"), Choice(), **facts)
    with pytest.raises(NotFound):
        other = {**facts, "by": makers.actor(session, "staff")}
        services.create_campaign(session, number, plan(), Choice(), **other)
    assert actions(session, first) == ["campaign.create"]


def test_towers_come_and_go_later_and_leave_a_trace(session, staff) -> None:
    for code in "ABC":
        makers.tower(session, code=code)
    made = campaign(session, staff, codes=["A", "B"], state=State.PLANNED)
    facts = {"by": staff, "now": NOW}
    assert services.add_towers(session, made, Choice(), today=TODAY, **facts) == 1
    assert services.add_towers(session, made, Choice(), today=TODAY, **facts) == 0
    rows = live(session, made)
    assert list(rows) == ["A", "B", "C"]
    gone = [rows["A"].id, rows["C"].id]
    with pytest.raises(Invalid):
        services.remove_towers(session, made, gone, reason=" ", **facts)
    assert services.remove_towers(session, made, gone, reason="trùng đợt khác", **facts) == 2
    assert list(live(session, made)) == ["B"]
    row = session.get_one(Assignment, gone[0], populate_existing=True)
    assert (row.ending, row.reason, row.ended_by_id) == ("removed", "trùng đợt khác", staff.id)
    assert actions(session, made) == ["campaign.create", "campaign.add", "campaign.remove"]
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "campaign.remove")).one()
    assert entry.after == {"towers": 2, "codes": ["A", "C"], "reason": "trùng đợt khác"}
    assert services.add_towers(session, made, Choice(codes=("A",)), today=TODAY, **facts) == 1
    assert list(live(session, made)) == ["A", "B"]


# Its states


def test_a_cancelled_campaign_withdraws_what_is_open_and_keeps_what_is_done(
    session, staff, inspector
) -> None:
    done = makers.tower(session, code="DONE")
    makers.tower(session, code="OPEN")
    made = campaign(session, staff)
    visits.inspected(session, done, by=inspector)
    with pytest.raises(Invalid):
        move(session, made, State.CANCELLED, staff)
    assert move(session, made, State.CANCELLED, staff, reason="bão đã tan") == 1
    assert list(live(session, made)) == ["DONE"]
    assert queries.ended(session, staff, made.id, "cancelled") == 1
    entry = session.scalars(
        select(AuditEntry).where(AuditEntry.action == "campaign.cancelled")
    ).one()
    assert entry.after == {"state": "cancelled", "reason": "bão đã tan", "withdrawn": 1}
    for state in State:
        with pytest.raises(Conflict):
            move(session, made, state, staff, reason="x")
    with pytest.raises(Conflict):
        services.edit_campaign(session, made, plan(name="Tên mới"), by=staff, now=NOW)
    with pytest.raises(Conflict):
        services.add_towers(session, made, Choice(), by=staff, now=NOW, today=TODAY)


def test_an_impossible_step_says_what_is_possible(session, staff) -> None:
    makers.tower(session)
    made = campaign(session, staff, state=State.PLANNED)
    with pytest.raises(Conflict) as error:
        move(session, made, State.CLOSED, staff)
    assert error.value.facts == {"state": "planned", "possible": ["running", "cancelled"]}


def test_what_was_due_at_the_end_moves_with_it(session, staff) -> None:
    for code in "AB":
        makers.tower(session, code=code)
    made = campaign(session, staff)
    live(session, made)["A"].due_on = date(2026, 11, 25)
    session.flush()
    services.edit_campaign(session, made, plan(ends_on=date(2026, 12, 15)), by=staff, now=NOW)
    days = {code: row.due_on for code, row in live(session, made).items()}
    assert days == {"A": date(2026, 11, 25), "B": date(2026, 12, 15)}
    with pytest.raises(Conflict):
        services.edit_campaign(session, made, plan(kind=Kind.PERIODIC), by=staff, now=NOW)
    with pytest.raises(Invalid):
        services.edit_campaign(session, made, plan(ends_on=date(2026, 10, 1)), by=staff, now=NOW)


# What is done


def test_an_inspection_by_anyone_within_the_campaign_is_what_counts(
    session, staff, inspector
) -> None:
    towers = {code: makers.tower(session, code=code) for code in ("NOW", "BEFORE", "DRAFT", "NONE")}
    made = campaign(session, staff, begins_on=date(2026, 11, 20))
    visit = visits.inspected(session, towers["NOW"], by=inspector)
    visits.inspected(session, towers["BEFORE"], by=inspector, inspected_on=date(2026, 11, 19))
    draft = visits.visit(visits.passing(towers["DRAFT"]), submit=False)
    visits.record(session, towers["DRAFT"], draft, by=inspector)
    found = standings(session, staff, made)
    assert found == {
        "NOW": "done", "BEFORE": "unassigned", "DRAFT": "unassigned", "NONE": "unassigned",
    }  # fmt: skip
    page = queries.assignments(
        session, staff, queries.Wanted(campaign=made.id, standing=("done",)), today=TODAY
    )
    assert [(row.code, row.inspection_id) for row in page.rows] == [("NOW", visit.id)]


def test_what_was_returned_is_open_again_until_it_is_sent_anew(session, staff, inspector) -> None:
    tower = makers.tower(session, code="A")
    made = campaign(session, staff)
    visit = visits.inspected(session, tower, by=inspector)
    assert standings(session, staff, made) == {"A": "done"}
    review.return_inspection(session, visit, reason="thiếu ảnh", by=staff, now=NOW, zone=ZONE)
    session.flush()
    assert standings(session, staff, made) == {"A": "unassigned"}
    again = visits.visit(visits.passing(tower), note="đã bổ sung")
    visits.correct(session, visit, again, by=inspector)
    assert standings(session, staff, made) == {"A": "done"}


def test_a_voided_inspection_fulfils_nothing(session, staff, inspector) -> None:
    tower = makers.tower(session, code="A")
    made = campaign(session, staff)
    visits.inspected(session, tower, by=inspector).status = "voided"
    session.flush()
    assert standings(session, staff, made) == {"A": "unassigned"}


def test_a_reinspection_fulfils_only_what_asks_for_one(session, staff, inspector) -> None:
    tower = makers.tower(session, code="A")
    first = NOW - timedelta(days=30)
    visits.inspected(session, tower, by=inspector, now=first, **visits.MAJOR)
    whole = campaign(session, staff)
    defects = campaign(session, staff, kind=Kind.REINSPECTION)
    visits.inspected(session, tower, by=inspector, kind="reinspection", only=visits.FIXED)
    assert standings(session, staff, whole) == {"A": "unassigned"}
    assert standings(session, staff, defects) == {"A": "done"}


def test_what_is_sent_after_the_end_of_a_campaign_does_not_count(session, staff, inspector) -> None:
    tower = makers.tower(session, code="A")
    made = campaign(session, staff, state=State.CLOSED)
    visits.inspected(session, tower, by=inspector, now=NOW + timedelta(hours=1))
    assert standings(session, staff, made) == {"A": "unassigned"}
    move(session, made, State.RUNNING, staff)
    assert standings(session, staff, made) == {"A": "done"}


# The rules


@pytest.mark.parametrize(
    ("done", "assigned", "days", "wanted"),
    [
        (True, False, -5, "done"), (False, True, -1, "overdue"), (False, False, -1, "overdue"),
        (False, True, 0, "assigned"), (False, False, 0, "unassigned"), (False, True, 1, "assigned"),
    ],
)  # fmt: skip
def test_where_an_assignment_stands(session, staff, done, assigned, days, wanted) -> None:
    """The rule and its SQL say the same."""
    due_on = TODAY + timedelta(days=days)
    said = standing(done=done, assigned=assigned, due_on=due_on, today=TODAY)
    assert said == wanted
    tower = makers.tower(session, code="A")
    made = campaign(session, staff, ends_on=max(due_on, date(2026, 11, 1)))
    row = live(session, made)["A"]
    row.due_on = due_on
    if assigned:
        row.inspector_id, row.assigned_at = makers.user(session, "inspector").id, NOW
    session.flush()
    if done:
        visits.published(session)
        visits.inspected(session, tower, by=makers.actor(session, "inspector"))
    assert standings(session, staff, made) == {"A": wanted}
    wanted_only = queries.Wanted(campaign=made.id, standing=(wanted,))
    assert queries.count_assignments(session, staff, wanted_only, today=TODAY) == 1


@given(
    st.dictionaries(st.integers(1, 30), st.integers(1, 500), max_size=30),
    st.integers(1, 6),
)
def test_towers_are_shared_out_by_whole_communes_and_evenly(towers, number) -> None:
    people = [Worker(uuid.UUID(int=one), None) for one in range(number)]
    shares, beyond = shared_out(towers, people)
    assert beyond == []
    assert set(shares) == set(towers)
    loads = [sum(towers[c] for c in shares if shares[c] == one.id) for one in people]
    # Nobody has more than the fewest and one commune on top of it.
    assert max(loads) - min(loads) <= max(towers.values(), default=0)


def test_nobody_gets_a_commune_outside_their_territory() -> None:
    here, there = uuid.UUID(int=1), uuid.UUID(int=2)
    people = [Worker(here, {1, 2}), Worker(there, {2, 3})]
    shares, beyond = shared_out({1: 9, 2: 5, 3: 1, 4: 7, None: 2}, people)
    assert shares == {1: here, 2: there, 3: there}
    assert set(beyond) == {4, None}
