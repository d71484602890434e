"""The past that is told from records is the past that was: after any steps, at each of them."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from sqlalchemy import func, select

from core.errors import DomainError
from inspections.models import Inspection, LoadAssessment
from inspections.services import condition, retelling
from inspections.services.assessments import Report, answer_assessment, request_assessment
from inspections.services.review import (
    accept_inspection,
    ask_to_void,
    decide_void,
    return_inspection,
)
from tests import makers
from tests.inspections.assess_answer_test import report_of
from tests.inspections.visits import CRITICAL, FIXED, MAJOR, MINOR, NOW, ZONE, inspected, published
from towers.past_models import tower_span
from towers.services import update_tower

# Days before there was a history.
START = NOW - timedelta(days=120)
STEPS = ("visit", "look_again", "accept", "give_back", "void", "ask", "answer", "edit")


class Life:
    """Steps in the life of a tower by the real services, each at its moment."""

    def __init__(self, session: Any, seed: int) -> None:
        self.session, self.random = session, Random(seed)
        published(session)
        self.staff = makers.actor(session, "staff")
        self.second = makers.actor(session, "staff")
        self.inspector = makers.actor(session, "inspector")
        self.tower = makers.tower(
            session, structure_type="guyed_mast", created_at=START, condition="unchecked"
        )
        self.now = START

    @property
    def today(self) -> Any:
        return self.now.astimezone(ZONE).date()

    def one_of(self, *statuses: str) -> Inspection | None:
        found = self.session.scalars(
            select(Inspection).where(Inspection.status.in_(statuses)).order_by(Inspection.id)
        ).all()
        return self.random.choice(found) if found else None

    def visit(self) -> None:
        defects = self.random.choice(({}, {}, MAJOR, MINOR, CRITICAL, {**MAJOR, **MINOR}))
        day = self.today - timedelta(days=self.random.randint(0, 3))
        photos = ("ant_mount",) if defects is CRITICAL else ()
        inspected(self.session, self.tower, by=self.inspector, now=self.now, inspected_on=day,
                  photos=photos, **defects)  # fmt: skip

    def look_again(self) -> None:
        inspected(self.session, self.tower, by=self.inspector, now=self.now, kind="reinspection",
                  only=FIXED)  # fmt: skip

    def accept(self) -> None:
        if one := self.one_of("submitted"):
            accept_inspection(self.session, one, by=self.staff, now=self.now)

    def give_back(self) -> None:
        if one := self.one_of("submitted"):
            return_inspection(self.session, one, reason="Thiếu ảnh", by=self.staff, now=self.now,
                              zone=ZONE)  # fmt: skip

    def void(self) -> None:
        if one := self.one_of("submitted", "accepted"):
            ask_to_void(self.session, one, reason="Nhầm cột", by=self.staff, now=self.now)
            decide_void(self.session, one, confirm=True, by=self.second, now=self.now, zone=ZONE)

    def ask(self) -> None:
        request_assessment(self.session, self.tower, reason="Treo thêm", by=self.staff,
                           now=self.now, today=self.today)  # fmt: skip
        condition.refresh(self.session, self.tower)

    def answer(self) -> None:
        asked = self.session.scalar(
            select(LoadAssessment).where(LoadAssessment.answered_at.is_(None))
        )
        if asked is not None:
            outcome = self.random.choice(("safe", "conditional", "dangerous"))
            report = Report(outcome, self.today, "Viện", "Gia cố chân cột")
            answer_assessment(self.session, asked, report, report_of(self.session, self.tower),
                              by=self.staff, now=self.now, today=self.today)  # fmt: skip

    def edit(self) -> None:
        values = self.random.choice(
            [{"lifecycle": "inactive"}, {"lifecycle": "active"}, {"structure_type": "monopole"},
             {"structure_type": "guyed_mast"}, {"name": "Tên khác"}]
        )  # fmt: skip
        update_tower(self.session, self.tower, values=values, by=self.staff, now=self.now)


def facts(tower: Any) -> tuple[Any, ...]:
    return (tower.condition, tower.ok_until, tower.worst_severity, tower.next_deadline,
            tower.lifecycle, tower.structure_type)  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_what_is_told_is_what_was(session, seed: int) -> None:
    life = Life(session, seed)
    was = []
    for _ in range(14):
        life.now += timedelta(days=life.random.randint(0, 5), minutes=7)
        step = life.random.choice(STEPS)
        try:
            with session.begin_nested():
                getattr(life, step)()
        except DomainError:
            # Not possible now: nothing was to be re-inspected, somebody asked already, …
            session.expire_all()
        session.flush()
        session.refresh(life.tower)
        was.append((life.now, facts(life.tower)))
    assert sum(list(retelling.retell(session))) == 1
    told = session.execute(
        select(tower_span)
        .where(tower_span.c.retold, tower_span.c.tower_id == life.tower.id)
        .order_by(tower_span.c.since)
    ).all()
    assert told[0].since == START
    for one, following in pairwise(told):
        assert one.until == following.since
        assert facts(one) != facts(following)
    for moment, known in was:
        (then,) = [one for one in told if one.since <= moment < one.until]
        assert facts(then) == known, moment
    # What was recorded since is evidence; and there is nothing left to tell.
    recorded = select(func.min(tower_span.c.since)).where(
        ~tower_span.c.retold, tower_span.c.tower_id == life.tower.id
    )
    first = session.scalar(recorded)
    assert told[-1].until == first
    assert list(retelling.retell(session)) == []
