"""Several phones at once, on connections of their own that really commit."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.orm import Session

from accounts.security import actor_of
from core.audit import AuditEntry
from core.db import database
from core.errors import DomainError, PreconditionFailed
from core.policy import Actor
from inspections.models import (
    ChecklistVersion,
    Inspection,
    LoadAssessment,
    Submission,
    Violation,
    ViolationEvent,
)
from inspections.services import condition
from inspections.services.record import DifferentBody, record_inspection
from inspections.services.review import return_inspection
from tests import makers
from tests.inspections.visits import (
    FIXED,
    MAJOR,
    NOW,
    ZONE,
    correct,
    days,
    inspected,
    passing,
    published,
    visit,
)
from towers.models import Tower

CLEARED = (
    "DELETE FROM violation_event WHERE violation_id IN"
    " (SELECT id FROM violation WHERE tower_id = :tower)",
    "DELETE FROM violation WHERE tower_id = :tower",
    "DELETE FROM load_assessment WHERE tower_id = :tower",
    "DELETE FROM submission WHERE by_id = ANY(:people)",
    "DELETE FROM inspection WHERE tower_id = :tower",
    "DELETE FROM audit_entry WHERE id > :last_entry",
    "DELETE FROM tower WHERE id = :tower",
    # What a tower was is kept beyond it, in the shared database only to the next test.
    "DELETE FROM tower_span WHERE tower_id = :tower",
    # What was published stays; only these tests have to forget it.
    "ALTER TABLE checklist_version DISABLE TRIGGER USER",
    "DELETE FROM checklist_version WHERE id > :last_version",
    "ALTER TABLE checklist_version ENABLE TRIGGER USER",
    "DELETE FROM user_role WHERE user_id = ANY(:people)",
    'DELETE FROM "user" WHERE id = ANY(:people)',
)


@dataclass
class Field:
    """A tower, its inspector and staff in a database where commits stay until the end."""

    tower_id: uuid.UUID
    inspector: Actor
    staff: Actor
    new_session: Callable[[], Session]

    def at_once(self, *works: Callable[[Session, Tower], Any]) -> list[Any]:
        """Run each work in a transaction and thread of its own; gives results or errors."""
        barrier = Barrier(len(works))
        results: list[Any] = [None] * len(works)

        def run(number: int, work: Callable[[Session, Tower], Any]) -> None:
            with self.new_session() as session:
                tower = session.get_one(Tower, self.tower_id)
                barrier.wait(timeout=30)
                try:
                    results[number] = work(session, tower)
                    session.commit()
                except Exception as error:
                    session.rollback()
                    results[number] = error

        threads = [Thread(target=run, args=pair) for pair in enumerate(works)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        return results

    def count(self, model: type, **wanted: Any) -> int:
        with self.new_session() as session:
            return session.scalar(select(func.count()).select_from(model).filter_by(**wanted))

    def differing(self) -> list[str]:
        with self.new_session() as session:
            return [code for code, differs in condition.recompute(session) if differs]


@pytest.fixture
def field(whole_app, settings) -> Iterator[Field]:
    with whole_app.app_context():
        new_session = database().new_session
        with new_session() as session:
            ids: dict[str, Any] = {
                "last_entry": session.scalar(select(func.coalesce(func.max(AuditEntry.id), 0))),
                "last_version": session.scalar(
                    select(func.coalesce(func.max(ChecklistVersion.id), 0))
                ),
            }
            published(session)
            tower = makers.tower(session)
            people = [makers.user(session, role) for role in ("inspector", "staff")]
            inspector, staff = (actor_of(session, person) for person in people)
            session.commit()
            ids |= {"tower": tower.id, "people": [person.id for person in people]}
        yield Field(tower.id, inspector, staff, new_session)
        owner = create_engine(settings.migration_database_url)
        with owner.begin() as connection:
            for statement in CLEARED:
                connection.execute(text(statement), ids)
        owner.dispose()


def sent(field: Field, number: uuid.UUID, **answers: Any) -> Callable[[Session, Tower], bool]:
    def work(session: Session, tower: Tower) -> bool:
        made = visit({**passing(tower), **answers})
        _, new = record_inspection(
            session, number, tower, made, by=field.inspector, now=NOW, zone=ZONE
        )
        return new

    return work


def test_identical_submissions_at_once_make_one_row(field) -> None:
    number = uuid.uuid4()
    results = field.at_once(*[sent(field, number, **MAJOR)] * 8)
    assert sorted(results) == [False] * 7 + [True]
    assert field.count(Inspection, id=number) == 1
    assert field.count(Submission, inspection_id=number) == 1
    assert field.count(Violation, tower_id=field.tower_id) == 1
    assert field.count(ViolationEvent, inspection_id=number) == 1
    assert field.differing() == []


def test_different_bodies_at_once_under_one_id_keep_the_first(field) -> None:
    number = uuid.uuid4()
    results = field.at_once(
        sent(field, number), sent(field, number, **MAJOR), sent(field, number, **FIXED)
    )
    # FIXED says of the ladder what passes anyway: it is the same body as the first.
    assert sum(one is True for one in results) == 1
    assert all(isinstance(one, bool | DifferentBody) for one in results)
    assert field.count(Inspection, id=number) == 1
    assert field.count(Submission, inspection_id=number) == 1
    assert field.differing() == []


def test_two_inspections_of_one_tower_at_once_are_both_recorded(field) -> None:
    """Neither waits for the other for ever, and one defect stays one violation."""
    for _ in range(5):
        numbers = [uuid.uuid4() for _ in range(4)]
        results = field.at_once(*(sent(field, number, **MAJOR) for number in numbers))
        assert results == [True] * 4
    assert field.count(Violation, tower_id=field.tower_id) == 1
    assert field.count(ViolationEvent) == 20
    assert field.differing() == []


def test_a_return_and_a_new_finding_at_once_agree_on_the_violation(field) -> None:
    for _ in range(5):
        with field.new_session() as session:
            tower = session.get_one(Tower, field.tower_id)
            first = inspected(session, tower, by=field.inspector, **MAJOR)
            session.commit()

        def give_back(session: Session, tower: Tower, number: uuid.UUID = first.id) -> None:
            return_inspection(
                session,
                session.get_one(Inspection, number),
                reason="Ảnh mờ",
                by=field.staff,
                now=NOW,
                zone=ZONE,
            )

        later = uuid.uuid4()
        results = field.at_once(give_back, sent(field, later, **MAJOR))
        assert results == [None, True]
        with field.new_session() as session:
            states = session.scalars(select(Violation.state).where(Violation.state == "open")).all()
            assert states == ["open"]
            tower = session.get_one(Tower, field.tower_id)
            assert (tower.condition, tower.open_violations) == ("needs_follow_up", 1)
        assert field.differing() == []


def test_two_corrections_of_the_same_version_do_not_overwrite_each_other(field) -> None:
    number = uuid.uuid4()
    field.at_once(sent(field, number))
    barrier = Barrier(2)

    def corrected(reason: str) -> Callable[[Session, Tower], int]:
        def work(session: Session, tower: Tower) -> int:
            inspection = session.get_one(Inspection, number)
            assert inspection.version == 1
            barrier.wait(timeout=30)
            made = visit({**passing(tower), **MAJOR}, note=reason)
            return correct(session, inspection, made, by=field.inspector).version

        return work

    results = field.at_once(corrected("một"), corrected("hai"))
    refused = [one for one in results if isinstance(one, PreconditionFailed)]
    assert len(refused) == 1, results
    assert [one for one in results if one not in refused] == [2]


def test_identical_corrections_at_once_are_one(field) -> None:
    number = uuid.uuid4()
    field.at_once(sent(field, number))
    barrier = Barrier(2)

    def work(session: Session, tower: Tower) -> int:
        inspection = session.get_one(Inspection, number)
        barrier.wait(timeout=30)
        made = visit({**passing(tower), **MAJOR})
        return correct(session, inspection, made, by=field.inspector).version

    assert field.at_once(work, work) == [2, 2]


def test_requests_for_an_assessment_at_once_make_one(field) -> None:
    def asked(session: Session, tower: Tower) -> None:
        made = visit(passing(tower), assessment_requested=True)
        record_inspection(
            session, uuid.uuid4(), tower, made, by=field.inspector, now=NOW, zone=ZONE
        )

    results = field.at_once(*[asked] * 4)
    assert results == [None] * 4
    assert field.count(LoadAssessment, tower_id=field.tower_id) == 1
    assert field.differing() == []


def test_a_first_type_is_determined_once(field) -> None:
    with field.new_session() as session:
        session.get_one(Tower, field.tower_id).structure_type = "unknown"
        session.commit()

    def determined(kind: str) -> Callable[[Session, Tower], None]:
        def work(session: Session, tower: Tower) -> None:
            made = visit(passing(tower, kind), structure_type=kind, inspected_on=NOW.date())
            record_inspection(
                session,
                uuid.uuid4(),
                tower,
                made,
                by=field.inspector,
                now=NOW + days(1),
                zone=ZONE,
            )

        return work

    results = field.at_once(determined("monopole"), determined("guyed_mast"))
    assert sum(isinstance(one, DomainError) for one in results) == 1, results
    with field.new_session() as session:
        kinds = session.scalars(
            select(Inspection.structure_type).where(Inspection.tower_id == field.tower_id)
        ).all()
        assert kinds == [session.get_one(Tower, field.tower_id).structure_type]
    assert field.differing() == []
