"""Who inspects which tower until when: given, shared out by communes, given on, withdrawn."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.models import User
from core.audit import AuditEntry
from core.errors import Conflict, Forbidden, Invalid, NotFound
from core.policy import Actor
from inspections.campaign_models import Assignment, Campaign
from inspections.queries import campaigns as queries
from inspections.queries.campaigns import Wanted
from inspections.rules.campaign import Kind, State
from inspections.services import assignments as services
from inspections.services import campaign_works as works
from tests import makers
from tests.inspections import visits
from tests.inspections.campaigns import campaign, live, move, standings
from tests.inspections.visits import TODAY
from tests.makers import NOW
from towers.models import Tower
from towers.queries import Filters
from towers.services import merge

DUE = date(2026, 11, 28)


@pytest.fixture
def staff(session: Session) -> Actor:
    return makers.actor(session, "staff")


def give(session: Session, made: Campaign, people: list[User], by: Actor, **facts: Any):
    wanted = facts.pop("wanted", Wanted())
    return services.share_out(
        session,
        made,
        wanted,
        [person.id for person in people],
        by=by,
        now=facts.pop("now", NOW),
        today=TODAY,
        **facts,
    )


def people_of(session: Session, made: Campaign) -> dict[str, uuid.UUID | None]:
    return {code: row.inspector_id for code, row in live(session, made).items()}


def alone(session: Session, tower: Tower, person: User, by: Actor, **facts: Any):
    said = {"kind": Kind.COMPLAINT, "due_on": DUE, "note": "Dân phản ánh cột rung lắc", **facts}
    number = said.pop("id", None) or uuid.uuid4()
    return services.assign_tower(
        session, number, tower, person.id, by=by, now=NOW, today=TODAY, **said
    )


def test_towers_are_shared_out_evenly_by_whole_communes(session, staff) -> None:
    communes = [makers.commune(session, code=f"9000{one}") for one in range(4)]
    for commune, number in zip(communes, (6, 3, 2, 1), strict=True):
        for one in range(number):
            makers.tower(session, code=f"{commune.code}-{one}", commune=commune)
    first, second = makers.user(session, "inspector"), makers.user(session, "inspector")
    made = campaign(session, staff)
    given = give(session, made, [first, second], staff, due_on=DUE)
    assert sorted(given.values()) == [6, 6]
    rows = live(session, made)
    for commune in communes:
        has = {row.inspector_id for code, row in rows.items() if code.startswith(commune.code)}
        assert len(has) == 1
    assert {row.due_on for row in rows.values()} == {DUE}
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "campaign.assign")).one()
    assert entry.after == {
        "towers": 12, "inspectors": {first.email: 6, second.email: 6}, "due_on": "2026-11-28",
    }  # fmt: skip


def test_a_selection_is_given_by_commune_by_what_nobody_has_or_one_by_one(session, staff) -> None:
    here, there = makers.commune(session, code="90001"), makers.commune(session, code="90002")
    for code, commune in (("A", here), ("B", here), ("C", there), ("D", there)):
        makers.tower(session, code=code, commune=commune)
    one, two, three = (makers.user(session, "inspector") for _ in range(3))
    made = campaign(session, staff)
    give(session, made, [one], staff, wanted=Wanted(filters=Filters(commune=("90001",))))
    give(session, made, [two], staff, ids=[live(session, made)["C"].id])
    give(session, made, [three], staff, wanted=Wanted(nobody=True))
    found = people_of(session, made)
    assert found == {"A": one.id, "B": one.id, "C": two.id, "D": three.id}
    with pytest.raises(Invalid) as error:
        give(session, made, [three], staff, wanted=Wanted(nobody=True))
    assert "assignments" in error.value.fields


def test_the_worker_gives_the_chosen_ones_and_no_others(session, staff, monkeypatch) -> None:
    for code in ("A", "B", "C"):
        makers.tower(session, code=code)
    person = makers.user(session, "inspector")
    made = campaign(session, staff)
    monkeypatch.setattr(works, "AT_ONCE", 1)
    ids = [row.id for code, row in live(session, made).items() if code != "C"]
    assert give(session, made, [person], staff, ids=ids) is None
    work = works.of_campaign(session, made.id)
    services.share_now(session, made, work.said, by=staff, now=NOW, today=TODAY, tell=works.unheard)
    assert people_of(session, made) == {"A": person.id, "B": person.id, "C": None}


def test_who_had_a_tower_before_stays_on_record(session, staff) -> None:
    makers.tower(session, code="A")
    one = makers.user(session, "inspector", name="Người Trước")
    two = makers.user(session, "inspector", name="Người Sau")
    made = campaign(session, staff)
    give(session, made, [one], staff)
    kept = live(session, made)["A"]
    later = NOW + timedelta(days=1)
    give(session, made, [two], staff, now=later)
    row = live(session, made)["A"]
    assert (row.id, row.inspector_id, row.assigned_at) == (kept.id, two.id, later)
    before = session.scalars(select(Assignment).where(Assignment.ending == "reassigned")).one()
    assert (before.inspector_id, before.assigned_at, before.ended_at) == (one.id, NOW, later)
    assert before.ended_by_id == staff.id
    assert [past.inspector for past in queries.past(session, row)] == ["Người Trước"]
    give(session, made, [two], staff, due_on=DUE)
    assert len(queries.past(session, row)) == 1


def test_what_is_done_is_given_to_nobody(session, staff) -> None:
    visits.published(session)
    done = makers.tower(session, code="DONE")
    makers.tower(session, code="OPEN")
    made = campaign(session, staff)
    visits.inspected(session, done, by=makers.actor(session, "inspector"))
    person = makers.user(session, "inspector")
    assert give(session, made, [person], staff) == {person.id: 1}
    assert people_of(session, made) == {"DONE": None, "OPEN": person.id}
    with pytest.raises(Conflict):
        services.give_to(
            session, live(session, made)["DONE"], person.id, by=staff, now=NOW, today=TODAY
        )


@pytest.mark.parametrize("wrong", ["staff", "inactive", "nobody", "unknown"])
def test_only_an_active_inspector_gets_towers(session, staff, wrong) -> None:
    makers.tower(session, code="A")
    made = campaign(session, staff)
    person = makers.user(session, "staff" if wrong == "staff" else "inspector")
    person.active = wrong != "inactive"
    session.flush()
    ids = {"nobody": [], "unknown": [uuid.uuid4()]}.get(wrong, [person.id])
    with pytest.raises(Invalid) as error:
        services.share_out(session, made, Wanted(), ids, by=staff, now=NOW, today=TODAY)
    assert "inspectors" in error.value.fields
    assert people_of(session, made) == {"A": None}


def test_nobody_gets_towers_outside_their_territory(session, staff) -> None:
    here, there = makers.commune(session, code="90001"), makers.commune(session, name="Xã Kia")
    makers.tower(session, code="A", commune=here)
    makers.tower(session, code="B", commune=there)
    local = makers.user(session, "inspector", territories=[here])
    made = campaign(session, staff)
    with pytest.raises(Invalid) as error:
        give(session, made, [local], staff)
    assert error.value.facts == {"number": 1, "commune": "Xã Kia"}
    assert people_of(session, made) == {"A": None, "B": None}
    anybody = makers.user(session, "inspector")
    give(session, made, [local, anybody], staff)
    assert people_of(session, made) == {"A": local.id, "B": anybody.id}


def test_a_day_in_the_past_and_a_campaign_that_is_over_are_refused(session, staff) -> None:
    makers.tower(session)
    person = makers.user(session, "inspector")
    made = campaign(session, staff)
    with pytest.raises(Invalid):
        give(session, made, [person], staff, due_on=TODAY - timedelta(days=1))
    give(session, made, [person], staff, due_on=TODAY)
    move(session, made, State.CLOSED, staff)
    with pytest.raises(Conflict):
        give(session, made, [person], staff)


def test_one_tower_is_given_outside_every_campaign(session, staff) -> None:
    visits.published(session)
    tower = makers.tower(session, code="A")
    person = makers.user(session, "inspector")
    number = uuid.uuid4()
    made, new = alone(session, tower, person, staff, id=number)
    assert new
    again, new = alone(session, tower, person, staff, id=number)
    assert (again.id, new) == (made.id, False)
    with pytest.raises(Conflict):
        alone(session, tower, person, staff, id=number, note="khác")
    wanted = Wanted(inspector=person.id, running=True)
    page = queries.assignments(session, staff, wanted, today=TODAY)
    assert [(row.code, row.kind, row.standing) for row in page.rows] == [
        ("A", "complaint", "assigned")
    ]
    earlier = NOW - timedelta(days=1)
    visits.inspected(session, tower, by=makers.actor(session, "inspector"), now=earlier)
    assert queries.assignments(session, staff, wanted, today=TODAY).rows[0].standing == "assigned"
    visits.inspected(session, tower, by=makers.actor(session, "inspector"), kind="complaint")
    assert queries.assignments(session, staff, wanted, today=TODAY).rows[0].standing == "done"
    for role in ("inspector", "admin", "local_officer"):
        with pytest.raises(Forbidden):
            alone(session, tower, person, makers.actor(session, role))


def test_one_assignment_is_given_on_or_withdrawn_with_a_reason(session, staff) -> None:
    here, there = makers.commune(session), makers.commune(session)
    tower = makers.tower(session, commune=here)
    one, two = makers.user(session, "inspector"), makers.user(session, "inspector")
    made, _ = alone(session, tower, one, staff)
    services.give_to(session, made, two.id, due_on=TODAY, by=staff, now=NOW, today=TODAY)
    assert (made.inspector_id, made.due_on, made.version) == (two.id, TODAY, 2)
    far = makers.user(session, "inspector", territories=[there])
    with pytest.raises(Invalid):
        services.give_to(session, made, far.id, by=staff, now=NOW, today=TODAY)
    with pytest.raises(NotFound):
        stranger = makers.actor(session, "staff", territories=[there])
        services.withdraw(session, made, reason="x", by=stranger, now=NOW)
    with pytest.raises(Invalid):
        services.withdraw(session, made, reason=" ", by=staff, now=NOW)
    services.withdraw(session, made, reason="gọi nhầm", by=staff, now=NOW)
    assert queries.assignment(session, staff, made.id) is None
    entries = session.scalars(
        select(AuditEntry.action)
        .where(AuditEntry.object_id == str(made.id))
        .order_by(AuditEntry.id)
    )
    assert list(entries) == ["assignment.give", "assignment.reassign", "assignment.withdraw"]


def test_an_inspector_sees_their_own_of_running_campaigns_by_day_and_by_distance(
    session, staff
) -> None:
    person = makers.actor(session, "inspector")
    user = session.get_one(User, person.id)
    near = makers.tower(session, code="NEAR", latitude=10.401)
    far = makers.tower(session, code="FAR", latitude=10.5)
    makers.tower(session, code="PLANNED", latitude=10.4)
    running = campaign(session, staff, codes=["FAR"])
    planned = campaign(session, staff, codes=["PLANNED"], state=State.PLANNED)
    for made in (running, planned):
        give(session, made, [user], staff, due_on=TODAY)
    alone(session, near, user, staff)
    alone(session, far, makers.user(session, "inspector"), staff)
    mine = Wanted(inspector=person.id, running=True)
    page = queries.assignments(session, person, mine, today=TODAY)
    assert [row.code for row in page.rows] == ["FAR", "NEAR"]
    first = queries.assignments(session, person, mine, today=TODAY, limit=1)
    second = queries.assignments(session, person, mine, today=TODAY, cursor=first.next_cursor)
    assert [row.code for row in (*first.rows, *second.rows)] == ["FAR", "NEAR"]
    here = makers.to_position(near.geom)
    rows = queries.nearest_assignments(session, person, mine, here, today=TODAY)
    assert [row.code for row in rows] == ["NEAR", "FAR"]
    assert rows[0].metres == 0
    assert 10_900 < rows[1].metres < 11_000


def test_a_campaign_in_numbers_by_inspector_and_commune(session, staff) -> None:
    """Every number is a part of the one above it, and all add up."""
    visits.published(session)
    here = makers.commune(session, code="90001", name="Xã Một")
    there = makers.commune(session, code="90002", name="Xã Hai")
    towers = {
        code: makers.tower(session, code=code, commune=commune)
        for code, commune in (("A", here), ("B", here), ("C", there), ("D", None))
    }
    person = makers.user(session, "inspector", name="Nguyễn Văn Kiểm")
    made = campaign(session, staff)
    ids = {code: row.id for code, row in live(session, made).items()}
    give(session, made, [person], staff, ids=[ids["A"], ids["B"], ids["C"]], due_on=TODAY)
    visits.inspected(session, towers["A"], by=makers.actor(session, "inspector"))
    tomorrow = TODAY + timedelta(days=1)
    found = queries.progress(session, staff, made.id, today=tomorrow)
    assert vars(found.total) == {"towers": 4, "assigned": 3, "done": 1, "overdue": 2}
    assert found.total.share == 25
    by_name = {name: vars(numbers) for name, numbers in found.communes.values()}
    assert by_name == {
        "Xã Một": {"towers": 2, "assigned": 2, "done": 1, "overdue": 1},
        "Xã Hai": {"towers": 1, "assigned": 1, "done": 0, "overdue": 1},
        "": {"towers": 1, "assigned": 0, "done": 0, "overdue": 0},
    }
    assert vars(found.inspectors[person.id][1])["towers"] == 3
    assert vars(found.inspectors[None][1]) == {
        "towers": 1, "assigned": 0, "done": 0, "overdue": 0,
    }  # fmt: skip
    of_list = queries.progress_of(session, staff, [made.id], today=tomorrow)
    assert of_list == {made.id: found.total}
    local = makers.actor(session, "local_officer", territories=[there])
    assert queries.progress(session, local, made.id, today=tomorrow).total.towers == 1
    assert list(standings(session, local, made)) == ["C"]


def test_two_towers_that_are_one_stand_in_a_campaign_once(session, staff) -> None:
    keep, drop = makers.tower(session, code="KEEP"), makers.tower(session, code="DROP")
    person = makers.user(session, "inspector")
    both = campaign(session, staff)
    give(session, both, [person], staff, ids=[live(session, both)["DROP"].id], due_on=DUE)
    single = campaign(session, staff, codes=["DROP"])
    merge.merge_towers(session, keep=keep, drop=drop, by=staff, now=NOW, today=TODAY)
    assert people_of(session, both) == {"KEEP": person.id}
    assert live(session, both)["KEEP"].due_on == DUE
    assert people_of(session, single) == {"KEEP": None}
    assert queries.ended(session, staff, both.id, "merged") == 1
