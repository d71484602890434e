"""The figures of communes: those of the statistics, for whom, whatever was written meanwhile."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from areas.models import Area
from core import clock, store
from core.policy import SYSTEM
from inspections.queries import statistics
from inspections.queries.statistics import Scope
from inspections.rules.statistics import Period
from maps import services
from maps.rules import quantile_classes
from tests import doors, makers
from tests.doors import answered, refused
from tests.inspections.statistics_test import inspected, violation
from tests.inspections.visits import published
from tests.maps.tiles import scattered
from towers.queries import Filters

NAMES = ("critical", "inspected", "overdue")


@dataclass(frozen=True)
class Place:
    communes: list[Area]
    staff: FlaskClient


@pytest.fixture
def place(app: Flask, session: Session) -> Place:
    """Three communes and what was found in them; of some towers nobody knows a commune."""
    version, person = published(session), makers.user(session, "inspector")
    communes = [
        makers.commune(session, code=f"9000{number}", name=f"Xã {number}") for number in (1, 2, 3)
    ]
    random, today = Random(5), clock.today()
    for tower in scattered(session, 60, communes, seed=5):
        if random.random() < 0.6:
            ago = timedelta(days=random.randint(0, 2500))
            inspected(session, tower, version, person, today - ago)
        for _ in range(random.choice((0, 0, 1, 3))):
            found = today - timedelta(days=random.randint(0, 60))
            severity = random.choice(("minor", "major", "critical"))
            violation(session, tower, version, found, severity=severity)
    store.set_value(session, "statistics_least", 5, by=SYSTEM, now=clock.now())
    session.commit()
    return Place(communes, doors.client_of(app, session, makers.user(session, "staff")))


def shown(client: FlaskClient, **query: Any) -> dict[str, Any]:
    return answered(client.get("/map/figures.json", query_string=query), 200)


def of_map(client: FlaskClient, **query: Any) -> dict[str, Any]:
    return {
        one["code"]: {"towers": one["towers"], **{name: plain(one[name]) for name in NAMES}}
        for one in shown(client, **query)["communes"]
    }


def plain(ratio: dict[str, Any]) -> dict[str, Any]:
    return {name: ratio[name] for name in ("part", "whole", "value")}


def of_statistics(session: Session, **filters: Any) -> dict[str, Any]:
    """What the statistics of a period that ends today count of each commune."""
    today = clock.today()
    scope = Scope(SYSTEM, Filters(**filters), today, clock.zone())
    found = statistics.statistics(session, scope, Period(today, today), "commune")
    least = store.value_of(session, "statistics_least")
    return {
        str(group.key): {
            "towers": group.now.towers,
            **{
                name: {"part": one.part, "whole": one.whole, "value": one.value(least)}
                for name, one in group.now.ratios.items()
                if name in NAMES
            },
        }
        for group in found.groups
        if group.key is not None and group.now.towers
    }


def keep(session: Session) -> int:
    return services.keep_figures(session, today=clock.today(), zone=clock.zone())


THEIRS = "tower_id IN (SELECT id FROM tower WHERE {some})"
CHANGES = (
    f"UPDATE violation SET severity = 'critical' WHERE {THEIRS}",
    f"UPDATE violation SET deadline = '2020-01-01' WHERE {THEIRS}",
    f"UPDATE inspection SET complete = false WHERE {THEIRS}",
    f"UPDATE inspection SET inspected_on = '1990-01-01' WHERE {THEIRS}",
    "UPDATE tower SET commune_id = :other WHERE {some}",
    "UPDATE tower SET commune_id = NULL WHERE {some}",
    "UPDATE tower SET lifecycle = 'planned' WHERE {some}",
    "UPDATE tower SET built_year = 2200 WHERE {some}",
    "UPDATE tower SET structure_type = 'rooftop_guyed' WHERE {some}",
    f"DELETE FROM violation WHERE {THEIRS}",
    "UPDATE violation SET state = 'closed', stage = 'closed', ended_on = :today",
    "UPDATE structure_kind SET interval_months = 3",
    "DELETE FROM inspection",
)


def test_the_map_says_what_the_statistics_say_after_every_change(
    place: Place, session: Session
) -> None:
    seen = [of_statistics(session)]
    assert of_map(place.staff) == seen[0]
    page = answered(place.staff.get("/api/v1/statistics"), 200)["groups"]
    assert {one["key"]: one["now"]["critical"] for one in page if one["key"]} == {
        code: one["critical"] for code, one in seen[0].items()
    }
    assert keep(session) == 4
    session.commit()
    assert keep(session) == 0
    some = "code IN (SELECT code FROM tower ORDER BY code LIMIT 12 OFFSET :first)"
    for number, change in enumerate(CHANGES):
        other = place.communes[number % 3].id
        facts = {"other": other, "today": clock.today(), "first": number * 4}
        statement = text(change.format(some=some))
        known = {name: facts[name] for name in statement.compile().params}
        session.execute(statement, known)
        session.commit()
        seen.append(of_statistics(session))
        assert of_map(place.staff) == seen[-1], change
        if number % 2:
            assert keep(session) > 0
            session.commit()
            assert of_map(place.staff) == seen[-1], change
    assert sum(one != other for one, other in itertools.pairwise(seen)) > 6


def test_midnight_changes_them_without_a_write(
    place: Place, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(session)
    session.commit()
    today = clock.today()
    before = of_map(place.staff)
    monkeypatch.setattr(clock, "today", lambda: today + timedelta(days=20))
    assert of_map(place.staff) == of_statistics(session) != before
    assert keep(session) == 4
    assert of_map(place.staff) == of_statistics(session)


@pytest.mark.parametrize("kept", [True, False])
def test_a_reader_gets_the_communes_of_the_own_territory(
    app: Flask, place: Place, session: Session, kept: bool
) -> None:
    if kept:
        keep(session)
    mine = place.communes[1]
    person = makers.user(session, "inspector", territories=[mine])
    reader = doors.client_of(app, session, person)
    assert of_map(reader) == {mine.code: of_map(place.staff)[mine.code]}
    assert shown(reader)["outside"] == 0 < shown(place.staff)["outside"]
    # The whole is that of what the reader sees.
    towers = of_map(reader)[mine.code]["towers"]
    assert {one["key"]: one["whole"]["whole"] for one in shown(reader)["figures"]}[
        "inspected"
    ] == towers
    nobody = doors.client_of(app, session, makers.user(session, "inspector", everywhere=False))
    assert shown(nobody)["communes"] == []
    operator = doors.client_of(app, session, makers.user(session, "operator", everywhere=False))
    refused(operator.get("/map/figures.json"), 403)


def test_filters_say_which_towers_count_but_not_in_which_state(
    place: Place, session: Session
) -> None:
    everything = shown(place.staff)
    assert everything["left_out"] is False
    guyed = shown(place.staff, structure_type="guyed_mast", condition="ok", overdue="1")
    assert guyed["left_out"] is True
    assert of_map(place.staff, structure_type="guyed_mast", condition="ok") == of_statistics(
        session, structure_type=("guyed_mast",)
    )
    assert of_map(place.staff, commune="90002").keys() == {"90002"}
    assert 0 < guyed["communes"][0]["towers"] < everything["communes"][0]["towers"]


def test_of_few_no_value_is_said_and_no_class(place: Place, session: Session) -> None:
    store.set_value(session, "statistics_least", 10_000, by=SYSTEM, now=clock.now())
    session.commit()
    found = shown(place.staff)
    assert found["least"] == 10_000
    assert [one["classes"] for one in found["figures"]] == [[], [], []]
    for one in found["communes"]:
        assert {(one[name]["value"], one[name]["class"]) for name in NAMES} == {(None, None)}
        assert one["inspected"]["whole"] == one["towers"] > 0


def test_classes_have_all_communes_that_have_a_value(place: Place) -> None:
    found = shown(place.staff)
    for figure in found["figures"]:
        placed = [one[figure["key"]] for one in found["communes"]]
        for place_, it in enumerate(figure["classes"]):
            values = [one["value"] for one in placed if one["class"] == place_]
            assert (min(values), max(values), len(values)) == (it["low"], it["high"], it["number"])


def test_an_unchanged_answer_is_not_sent_again(place: Place, session: Session) -> None:
    tag = {"If-None-Match": place.staff.get("/map/figures.json").headers["ETag"]}
    assert place.staff.get("/map/figures.json", headers=tag).status_code == 304
    session.execute(text("DELETE FROM inspection"))
    session.commit()
    assert place.staff.get("/map/figures.json", headers=tag).status_code == 200


def test_nothing_is_said_of_nothing(app: Flask, session: Session) -> None:
    staff = doors.client_of(app, session, makers.user(session, "staff"))
    makers.commune(session)
    session.commit()
    found = shown(staff)
    assert (found["communes"], found["outside"]) == ([], 0)
    assert [plain(one["whole"]) for one in found["figures"]] == [
        {"part": 0, "whole": 0, "value": None}
    ] * 3


@pytest.mark.parametrize("seed", range(30))
def test_quantile_classes_hold_every_value_once_in_order(seed: int) -> None:
    random = Random(seed)
    values = [random.choice((0.0, 1.0, 2.5, 3.0, 7.0, 8.0, 9.5, 12.0)) for _ in range(seed * 2)]
    found = quantile_classes(values)
    assert len(found) <= 5
    assert sum(one.number for one in found) == len(values)
    for one in found:
        assert one.number == sum(one.low <= value <= one.high for value in values)
        assert one.low in values and one.high in values
    assert all(one.high < other.low for one, other in itertools.pairwise(found))


def test_quantile_classes_are_about_as_large() -> None:
    assert [one.number for one in quantile_classes(list(range(100)))] == [20] * 5
    zeros = quantile_classes([0] * 60 + list(range(1, 41)))
    assert [(one.low, one.high, one.number) for one in zeros] == [
        (0, 0, 60), (1, 20, 20), (21, 40, 20),
    ]  # fmt: skip
