"""Timelines of towers, violations, owners and areas: every event once, the latest first, paged."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import slots
from core.paging import LATEST, Behind, at_noon
from core.policy import SYSTEM
from core.slots import Event, EventSource
from inspections.queries.timelines import violation_days as days_of
from tests import makers
from tests.inspections import noticed
from tests.inspections.statistics_test import day, inspected, violation
from tests.inspections.visits import TODAY, published
from towers.models import Tower

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
NOON = at_noon(TODAY, ZONE)


def titles(page: str) -> list[str]:
    """The titles of the timeline on a page, each with its detail."""
    section = page.split('id="timeline"')[1].split("</section>")[0].split("</ul>")[0]
    return [" ".join(re.sub("<[^>]+>", " ", one).split()) for one in section.split("<li>")[1:]]


def whole_timeline(client, path: str) -> list[str]:
    """The titles of all pages of a timeline."""
    found: list[str] = []
    address = f"{path}?lang=en"
    for _ in range(60):
        page = client.get(address).get_data(as_text=True)
        found += titles(page)
        link = re.search(r'rel="next" href="([^"]*timeline=[^"]+)#timeline"', page)
        if link is None:
            return found
        address = link.group(1).replace("&amp;", "&")
    raise AssertionError("the timeline has no end")


# The mechanism

events = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 99)), unique=True, max_size=25
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(events, st.integers(1, 7))
def test_pages_hold_every_event_once_in_order(app, made, limit) -> None:
    """Three sources, four moments: pages cut through moments and sources alike."""

    def source(number: int) -> EventSource:
        def told(thing, most, behind):
            mine = [
                Event(NOON + timedelta(days=at), f"{number}-{key}", key=f"{key:03d}")
                for place, at, key in made
                if place == number
            ]
            mine = [one for one in mine if behind.holds(one.at, one.key)]
            return sorted(mine, key=lambda one: (one.at, one.key), reverse=True)[:most]

        return EventSource(told, "public")

    filled = app.extensions["slots"].events
    filled["made up"] = [source(number) for number in range(3)]
    try:
        with app.test_request_context():
            found, cursor = [], None
            while True:
                page = slots.timeline("made up", None, limit=limit, cursor=cursor)
                assert len(page.events) <= limit
                assert page.latest == (cursor is None)
                found += [(one.at, one.title) for one in page.events]
                cursor = page.earlier
                if cursor is None:
                    break
    finally:
        del filled["made up"]
    expected = sorted(made, key=lambda one: (one[1], -one[0], one[2]), reverse=True)
    assert found == [(NOON + timedelta(days=at), f"{place}-{key}") for place, at, key in expected]


@pytest.mark.parametrize("cursor", ["x", "W10", "WyIyMDI2IiwwLCIiXQ"])
def test_a_cursor_of_no_timeline_is_refused(app, session, sign_in, cursor) -> None:
    tower = makers.tower(session)
    client = sign_in("staff")
    assert client.get(f"/towers/{tower.code}?timeline={cursor}").status_code == 400


def test_a_place_is_the_same_in_python_and_in_the_database(session) -> None:
    tower = makers.tower(session)
    version = published(session)
    for number in range(3):
        violation(session, tower, version, TODAY - timedelta(days=number))
    violation(session, tower, version, TODAY - timedelta(days=9), TODAY)
    session.flush()
    every = days_of(session, SYSTEM, Tower.id == tower.id, LATEST, zone=ZONE, limit=50)
    assert len(every) == 5
    morning, evening = (datetime(2026, 11, 23, hour, tzinfo=UTC) for hour in (1, 11))
    for at in (NOON, morning, evening):
        for key in ("", "closed", "found", "~"):
            behind = Behind(at, key)
            found = days_of(session, SYSTEM, Tower.id == tower.id, behind, zone=ZONE, limit=50)
            assert found == [one for one in every if behind.holds(at_noon(one.day, ZONE), one.what)]


# The pages


@pytest.fixture
def years(session):
    """An owner with two towers in one commune and many days of violations and visits."""
    version, inspector = published(session), makers.user(session, "inspector", name="Lê Kiểm")
    commune = makers.commune(session, code="90001", name="Xã Bắc")
    owner = makers.organisation(session, "Chủ A")
    here, other = (
        makers.tower(session, code=code, commune=commune, owner=owner) for code in ("T-1", "T-2")
    )
    for number in range(20):
        on = day("2026-01-01") + timedelta(days=number)
        inspected(session, here, version, inspector, on)
        violation(session, here, version, on, on + timedelta(days=40))
        violation(session, other, version, on, severity="critical")
    foreign = makers.tower(session, code="T-9")
    violation(session, foreign, version, TODAY, severity="minor")
    session.commit()
    return {"commune": commune, "owner": owner, "here": here, "other": other}


def test_a_towers_timeline_goes_back_to_the_beginning(years, sign_in) -> None:
    found = whole_timeline(sign_in("staff"), "/towers/T-1")
    assert len([one for one in found if one.startswith("Periodic inspection")]) == 20
    assert len([one for one in found if one.startswith("1 violation found")]) == 20
    assert len([one for one in found if one.startswith("1 violation ended")]) == 20
    assert len(found) == 60


def test_an_owners_timeline_counts_by_day(years, sign_in) -> None:
    found = whole_timeline(sign_in("staff"), f"/organisations/{years['owner'].id}")
    days = [one for one in found if one.startswith("2 violations found")]
    assert len(days) == 20
    assert days[0] == "2 violations found 20/01/2026 Critical, Major · T-1, T-2"
    assert len([one for one in found if one.startswith("1 inspection ")]) == 20
    assert next(one for one in found if "registered" in one).startswith("2 towers registered")
    assert "T-9" not in " ".join(found)


def test_a_communes_timeline_counts_by_day(years, sign_in) -> None:
    found = whole_timeline(sign_in("staff"), f"/areas/{years['commune'].id}")
    assert len([one for one in found if one.startswith("2 violations found")]) == 20
    assert [one for one in found if one.startswith("First day")] == ["First day 01/07/2025"]
    assert "T-9" not in " ".join(found)


def test_days_are_told_in_their_order(years, sign_in) -> None:
    found = whole_timeline(sign_in("staff"), f"/areas/{years['commune'].id}")
    days = [datetime.strptime(re.search(r"\d\d/\d\d/\d{4}", one)[0], "%d/%m/%Y") for one in found]
    assert days == sorted(days, reverse=True)


def test_a_reader_elsewhere_is_told_nothing_of_the_towers(years, session, sign_in) -> None:
    elsewhere = makers.commune(session, code="90002")
    client = sign_in("local_officer", territories=[elsewhere])
    found = whole_timeline(client, f"/areas/{years['commune'].id}")
    assert found == ["First day 01/07/2025"]
    assert whole_timeline(client, f"/organisations/{years['owner'].id}") == []


def test_a_violations_timeline_is_its_chain(world) -> None:
    found = whole_timeline(world["staff"], f"/violations/{world.here.violation}")
    assert any(one.startswith("Found") for one in found)
    assert found == titles(
        world["staff"].get(f"/violations/{world.here.violation}?lang=en").get_data(as_text=True)
    )


def test_many_towers_of_a_day_are_cut_short(session) -> None:
    version = published(session)
    owner = makers.organisation(session)
    for number in range(6):
        violation(session, makers.tower(session, code=f"M-{number}", owner=owner), version, TODAY)
    session.flush()
    (one,) = days_of(session, SYSTEM, Tower.owner_id == owner.id, LATEST, zone=ZONE, limit=5)
    assert (one.number, one.towers, one.codes) == (6, 6, ["M-0", "M-1", "M-2", "M-3"])


def test_an_owners_timeline_has_the_notices_that_were_issued(session, sign_in, tmp_path) -> None:
    case = noticed.case(session, tmp_path)
    notice, _ = noticed.issued(session, case)
    other = noticed.case_beside(session, case)
    draft = noticed.drafted(session, other)
    session.commit()
    client = sign_in("staff")
    told = whole_timeline(client, f"/organisations/{case.owner.id}")
    (named,) = [one for one in told if "Notice" in one]
    assert named.startswith(f"Notice {notice.reference} issued")
    assert draft.reference == ""
    told = whole_timeline(client, f"/organisations/{other.owner.id}")
    assert not [one for one in told if "Notice" in one]
