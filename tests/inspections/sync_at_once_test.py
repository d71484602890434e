"""Phones that send the same thing many times at once, over connections that really commit."""

from __future__ import annotations

import contextvars
import itertools
import os
import random
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, func, select, text
from sqlalchemy.orm import Session

from core.db import database, make_engine
from inspections.field_models import Receipt, Upload
from inspections.models import Inspection, Photo, Submission
from inspections.operations import Sent
from inspections.rules.sync import in_order
from tests import doors, makers
from tests.conftest import Note, Settled, asked_of
from tests.inspections.phones import Phone, inspection, operation, phone, photo
from tests.inspections.visits import NOW, published

MANY = 50
# `make evidence FULL=1` sends all 720.
ORDERS = int(os.environ.get("QUEUE_ORDERS") or 10)


@dataclass
class Committed:
    """An application whose requests commit, in a database of its own."""

    app: Flask
    phone: Phone
    towers: list[str]

    def at_once(self, *works: Callable[[], Any]) -> list[Any]:
        """What each work gives, begun together in threads of their own."""
        barrier, results = Barrier(len(works)), [None] * len(works)

        def run(place: int, work: Callable[[], Any]) -> None:
            barrier.wait(timeout=60)
            results[place] = work()

        threads = [
            Thread(target=contextvars.Context().run, args=(run, *pair)) for pair in enumerate(works)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=120)
        return results

    def another(self) -> Phone:
        """The same phone, on a connection of its own."""
        client = self.app.test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {self.phone.token}"
        return Phone(client, self.phone.id, self.phone.token)

    def count(self, model: type, **wanted: Any) -> int:
        with database().new_session() as session:
            return session.scalar(select(func.count()).select_from(model).filter_by(**wanted))


@pytest.fixture(scope="module")
def committed(cluster, migrated: str, settings, whole_app: Flask) -> Iterator[Committed]:
    from sqlalchemy.orm import sessionmaker

    urls = cluster.create_database("at_once", migrated)
    engine = make_engine(urls.app_url, settings)
    with whole_app.app_context(), asked_of(engine, sessionmaker(engine, expire_on_commit=False)):
        with database().new_session() as session:
            published(session)
            person = makers.user(session, "inspector")
            towers = [makers.tower(session) for _ in range(6)]
            session.commit()
            own = phone(whole_app, doors.client_of(whole_app, session, person))
            codes = [one.code for one in towers]
        yield Committed(whole_app, own, codes)
    engine.dispose()
    cluster.drop_database("at_once")


def test_the_same_sent_fifty_times_at_once_is_one(committed: Committed, figure: Note) -> None:
    picture = photo("once", "sit_fence")
    sent = inspection(committed.towers[0], photos=[picture.facts()])
    number = uuid.UUID(sent["body"]["id"])
    phones = [committed.another() for _ in range(MANY)]
    results = committed.at_once(*(lambda one=one: one.send(sent)[0] for one in phones))
    # Whom a busy service puts off sends it again.
    while late := [one for one in results if one["verdict"] == "retry"]:
        results = [one for one in results if one["verdict"] != "retry"]
        results += [committed.phone.send(sent)[0] for _ in late]
    figure("P2", "identical sends at one moment", len(results))
    rows = committed.count(Inspection, id=number)
    figure("P2", "rows too many or too few", abs(rows - 1), wrong=True)
    assert sorted({one["verdict"] for one in results}) == ["accepted", "known"]
    assert len({one["receipt"]["signature"] for one in results}) == 1
    assert rows == 1
    assert committed.count(Submission, inspection_id=number) == 1
    assert committed.count(Receipt, inspection_id=number) == 1


def test_a_photo_that_many_finish_at_once_is_one(committed: Committed) -> None:
    picture = photo("many", size=(1200, 900))
    sent = inspection(committed.towers[1], photos=[picture.facts()])
    number = sent["body"]["id"]
    committed.phone.send(sent)
    committed.phone.begin(number, picture)
    phones = [committed.another() for _ in range(6)]

    def whole(one: Phone) -> tuple[int, Any]:
        answer = one.patch(picture, 0, picture.content)
        return answer.status_code, answer.get_json()

    answers = committed.at_once(*(lambda one=one: whole(one) for one in phones))
    # Others found that the bytes were there already, or that the photo was.
    assert {status for status, _ in answers} <= {200, 409}
    assert any(body.get("state") == "safe" for _, body in answers)
    for status, body in answers:
        assert status == 200 or body["code"] == "wrong_offset"
    assert committed.count(Photo, id=uuid.UUID(picture.id)) == 1
    assert committed.count(Upload) == 0
    asked = committed.phone.client.get(f"/api/v1/uploads/{picture.id}")
    assert doors.answered(asked, 200)["state"] == "safe"


def test_a_photo_that_is_finished_meanwhile_is_never_unknown(committed: Committed) -> None:
    """Between two statements of one request another one keeps the photo and removes its upload."""
    picture = photo("meanwhile")
    sent = inspection(committed.towers[2], photos=[picture.facts()])
    committed.phone.send(sent)
    committed.phone.begin(sent["body"]["id"], picture)
    other, finished = committed.another(), []

    def finish(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if finished or not re.search(r"FROM (photo|upload)\b", statement):
            return
        finished.append(statement)
        bring = (other.patch, picture, 0, picture.content)
        thread = Thread(target=contextvars.Context().run, args=bring)
        thread.start()
        thread.join(timeout=60)

    engine = database().engine
    event.listen(engine, "after_cursor_execute", finish)
    try:
        asked = committed.phone.client.get(f"/api/v1/uploads/{picture.id}")
    finally:
        event.remove(engine, "after_cursor_execute", finish)
    assert finished
    assert committed.count(Photo, id=uuid.UUID(picture.id)) == 1
    doors.answered(asked, 200)
    again = committed.phone.patch(picture, 0, picture.content)
    assert doors.answered(again, 200)["state"] == "safe"


# Every table that a queue may touch, without what differs by itself from run to run.
STATE = (
    "SELECT id, tower_id, kind, status, inspected_on, version, note, draft::text, complete,"
    " encode(body_hash, 'hex') FROM inspection ORDER BY id",
    "SELECT inspection_id, item_key, given::text, outcome, severity FROM answer ORDER BY 1, 2",
    "SELECT inspection_id, outcome, body::text FROM submission ORDER BY 1, 2, 3",
    "SELECT tower_id, item_key, severity, state, deadline FROM violation ORDER BY 1, 2",
    "SELECT v.tower_id, v.item_key, e.kind, e.severity FROM violation_event e"
    " JOIN violation v ON v.id = e.violation_id ORDER BY 1, 2, 3, 4",
    "SELECT id, inspection_id, item_key FROM declared_photo ORDER BY id",
    "SELECT operation_id, verdict, version, encode(content_sha256, 'hex') FROM receipt"
    " ORDER BY 1, 4",
    "SELECT operation_id, reason, kind, body::text FROM review_item ORDER BY 1, 4",
    "SELECT id, kind, state, values::text FROM tower_proposal ORDER BY id",
    "SELECT action, kind, object_id, before::text, after::text FROM audit_entry"
    " WHERE actor_id IS NOT NULL ORDER BY 1, 2, 3, 4, 5",
    "SELECT id, condition, open_violations, worst_severity FROM tower ORDER BY id",
)


def state_of(session: Session) -> list[list[tuple[Any, ...]]]:
    return [[tuple(row) for row in session.execute(text(one))] for one in STATE]


def test_every_order_of_a_queue_is_taken_as_it_was_made(figure: Note) -> None:
    """All 720 orders of six operations, two of them of one moment and one without any."""
    minutes = (1, 2, 3, 3, 5, None)
    queue = [
        Sent(place, None, uuid.UUID(int=place), "", at and NOW + timedelta(minutes=at), {})
        for place, at in enumerate(minutes)
    ]
    orders = [in_order(order) == queue for order in itertools.permutations(queue)]
    figure("P4", "orders of six operations put right", len(orders))
    figure("P4", "orders taken otherwise", orders.count(False), wrong=True)
    assert all(orders)


def test_orders_of_a_queue_give_one_state(
    app: Flask, session: Session, settled: Settled, world: doors.World, figure: Note
) -> None:
    """Six operations that depend on each other: what they leave is the same to the last entry."""
    own = phone(app, world["inspector"])
    commune = world.here.commune
    one, two = (
        makers.tower(session, latitude=10.3 + step, longitude=105.3, commune=commune)
        for step in (0.0, 0.2)
    )
    session.commit()
    draft = inspection(two.code, minutes=1, submit=False, answers={})
    first = inspection(one.code, minutes=2, photos=[photo("order", "sit_fence").facts()])
    again = {**first["body"], "note": "khác"}
    queue = [
        draft,
        first,
        operation("discard", {"id": draft["body"]["id"]}, minutes=3),
        inspection(two.code, minutes=4, answers={"sit_fence": {"outcome": "ok", "value": "yes"}}),
        operation("inspection", again, minutes=5),
        operation(
            "proposal",
            {
                "id": str(uuid.uuid4()),
                "kind": "correction",
                "tower": one.code,
                "values": {"address": "Ấp 2"},
                "note": "",
            },
            minutes=6,
        ),
    ]
    states, verdicts = [], []
    outer = database().sessions.kw["bind"]
    orders = random.Random(6).sample(list(itertools.permutations(queue)), ORDERS)
    for order in (queue, queue[::-1], *orders):
        place = outer.begin_nested()
        results = {each["id"]: each["verdict"] for each in own.send(*order)}
        verdicts.append([results[each["id"]] for each in queue])
        with database().new_session() as fresh:
            found = state_of(fresh)
        if found not in states:
            states.append(found)
        place.rollback()
    figure("P4", "orders sent and compared, audit included", len(verdicts))
    figure("P4", "further states", len(states) - 1, wrong=True)
    assert len(states) == 1
    assert verdicts == [["accepted"] * 4 + ["review", "accepted"]] * (ORDERS + 2)
