"""How a visit was made decides what it can say: who stays below judges nothing above."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from core.errors import Invalid
from core.policy import Actor
from inspections.rules.catalogue import HOW
from inspections.rules.evaluation import (
    NOT_SEEN,
    GivenAnswer,
    Structure,
    applicable_items,
    evaluate,
)
from tests import doors, makers
from tests.doors import answered, refused
from tests.inspections import visits
from towers.models import Tower

FROM_BELOW = ("ground", "documents", "instrument")
LATTICE = Structure("lattice_self_support", frozenset({"bts"}))
ITEMS = {item.key: item for item in visits.CATALOGUE.items}


def given(key: str, outcome: str) -> GivenAnswer:
    return GivenAnswer.from_json({**visits.passing_item(ITEMS[key]), "outcome": outcome})


@pytest.mark.parametrize("key", sorted(ITEMS))
@pytest.mark.parametrize("method", HOW)
def test_an_item_is_answered_only_by_its_own_way(key: str, method: str) -> None:
    item = ITEMS[key]
    structure = Structure(sorted(item.applies_to)[0], frozenset({"bts"}))
    answers = {key: given(key, "ok")}
    problems = evaluate(visits.CATALOGUE, structure, answers, {method}).problems
    assert bool(problems) == (item.how != method)
    assert not evaluate(visits.CATALOGUE, structure, answers).problems


@pytest.mark.parametrize("outcome", ["not_checked", "not_applicable"])
def test_what_was_not_seen_can_be_said_to_be_so(outcome: str) -> None:
    answers = {"clb_ladder": GivenAnswer(outcome, reason="không trèo")}
    assert not evaluate(visits.CATALOGUE, LATTICE, answers, {"ground"}).problems


def test_a_visit_from_below_is_never_complete() -> None:
    answers = {
        item.key: given(item.key, "ok")
        for item in applicable_items(visits.CATALOGUE, LATTICE)
        if item.how != "climb"
    }
    evaluation = evaluate(visits.CATALOGUE, LATTICE, answers, FROM_BELOW)
    assert not evaluation.problems
    assert not evaluation.complete
    assert {ITEMS[key].how for key in evaluation.missing} == {"climb"}


@pytest.fixture
def tower(session: Session) -> Tower:
    visits.published(session)
    return makers.tower(session, code="T-1")


@pytest.fixture
def inspector(session: Session) -> Actor:
    return makers.actor(session, "inspector")


def test_a_record_keeps_how_it_was_made(session: Session, tower: Tower, inspector: Actor) -> None:
    whole = visits.passing(tower)
    made = visits.record(session, tower, visits.visit(whole, methods=HOW), by=inspector)
    assert (made.methods, made.complete) == (list(HOW), True)
    below = {key: one for key, one in whole.items() if ITEMS[key].how != "climb"}
    made = visits.record(session, tower, visits.visit(below, methods=FROM_BELOW), by=inspector)
    assert (made.methods, made.complete) == (list(FROM_BELOW), False)


def test_without_any_way_nothing_can_be_said(
    session: Session, tower: Tower, inspector: Actor
) -> None:
    with pytest.raises(Invalid) as caught:
        visits.record(session, tower, visits.visit(visits.MINOR, methods=()), by=inspector)
    assert "methods" in caught.value.fields


def test_a_violation_that_is_climbed_to_is_not_closed_from_the_ground(
    session: Session, tower: Tower, inspector: Actor, tmp_path: Path
) -> None:
    visits.inspected(session, tower, by=inspector, **visits.MAJOR)
    again = visits.visit(visits.FIXED, kind="reinspection", methods=("ground",))
    with pytest.raises(Invalid) as caught:
        visits.record(session, tower, again, by=inspector)
    assert (NOT_SEEN["climb"], {}) in caught.value.fields["answers.clb_ladder"]
    assert visits.violations(session, tower)["clb_ladder"].state == "open"
    draft = visits.visit(visits.FIXED, kind="reinspection", methods=("climb",), submit=False)
    made = visits.record(session, tower, draft, by=inspector)
    visits.photograph(session, made, "clb_ladder", tmp_path, by=inspector)
    climbed = visits.visit(visits.FIXED, kind="reinspection", methods=("climb",))
    visits.correct(session, made, climbed, by=inspector)
    assert visits.violations(session, tower)["clb_ladder"].state == "closed"


def body(**facts: Any) -> dict[str, Any]:
    return {**doors.visit("T-1", **facts), "id": str(uuid.uuid4())}


def test_the_api_takes_and_tells_it(app: Flask, session: Session, tower: Tower) -> None:
    client = doors.client_of(app, session, makers.user(session, "inspector"))
    path = "/api/v1/inspections"
    problem = refused(client.post(path, json=body(methods=["ground"])), 422)
    assert list(problem["fields"]) == ["answers.clb_ladder"]
    made = answered(client.post(path, json=body(methods=["climb", "ground", "climb"])), 201)
    assert made["methods"] == ["ground", "climb"]
    assert answered(client.post(path, json=body()), 201)["methods"] is None
    for wrong in ([], ["flying"], "climb", [1]):
        (field,) = refused(client.post(path, json=body(methods=wrong)), 422)["fields"]
        assert field.partition(".")[0] == "methods"


def test_the_page_says_what_was_not_examined(app: Flask, session: Session, tower: Tower) -> None:
    client = doors.client_of(app, session, makers.user(session, "inspector"))
    start = client.post("/towers/T-1/inspect", data={"kind": "periodic"}).headers["Location"]
    form = client.get(f"{start}?lang=en").get_data(as_text=True)
    ticked = re.findall(r'name="methods" value="(\w+)" checked', form)
    assert ticked == list(FROM_BELOW)
    sent = {"version": "1", "action": "submit", "value.clb_ladder": "yes"}
    page = client.post(f"{start}?lang=en", data={**sent, "methods": ["ground"]})
    assert page.status_code == 422
    assert "nobody climbed" in page.get_data(as_text=True)
    sent = {"version": "2", "action": "submit", "value.sit_fence": "yes"}
    done = client.post(start, data={**sent, "methods": ["ground"]})
    assert done.status_code == 302, done.get_data(as_text=True)
    shown = client.get(done.headers["Location"] + "?lang=en").get_data(as_text=True)
    assert "Not examined" in shown
    assert ITEMS["clb_ladder"].text("en") in shown.split("Not examined")[1]
