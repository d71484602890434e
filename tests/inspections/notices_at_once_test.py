"""Notices that are issued at the same moment, on connections that really commit."""

from __future__ import annotations

import uuid
from pathlib import Path
from threading import Barrier, Thread

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from inspections.notice_models import Notice
from inspections.services import notices
from tests import makers
from tests.inspections import noticed
from tests.inspections.visits import MINOR, NOW, TODAY, inspected, published, violations


@pytest.fixture
def database(cluster, migrated: str):
    """A database of its own: what is committed here goes with it."""
    name = f"notices_{uuid.uuid4().hex[:12]}"
    urls = cluster.create_database(name, migrated)
    engine = create_engine(urls.app_url)
    yield engine
    engine.dispose()
    cluster.drop_database(name)


def test_numbers_have_no_gap_and_no_twin(app, database, tmp_path: Path) -> None:
    """Six are issued at once by two people, two of them about towers that the others hold too;
    one breaks after it had its number. The numbers are 1 to 5."""
    press = noticed.press_in(tmp_path)
    with Session(database) as session:
        published(session)
        inspector = makers.actor(session, "inspector")
        owner = makers.organisation(session)
        people = [makers.actor(session, "staff") for _ in range(2)]
        towers = [makers.tower(session, owner=owner) for _ in range(6)]
        for tower in towers:
            inspected(session, tower, by=inspector, **MINOR)
        found = [violations(session, tower)["sit_fence"].id for tower in towers]
        drafts = []
        for number in found:
            draft = notices.Draft(owner.id, (number,))
            made, _ = notices.draft_notice(session, uuid.uuid4(), draft, by=people[0], now=NOW)
            drafts.append(made.id)
        session.commit()
    barrier, results = Barrier(len(drafts)), {}

    def issue(place: int) -> None:
        with app.app_context(), Session(database) as session:
            notice = session.get_one(Notice, drafts[place])
            barrier.wait(timeout=30)
            notices.issue(session, notice, press=press, by=people[1], now=NOW, today=TODAY)
            results[place] = notice.number
            if place == 0:
                session.rollback()
            else:
                session.commit()

    threads = [Thread(target=issue, args=(place,)) for place in range(len(drafts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 6
    with Session(database) as session:
        numbers = session.execute(
            text("SELECT number FROM notice WHERE number IS NOT NULL ORDER BY number")
        ).scalars()
        assert list(numbers) == [1, 2, 3, 4, 5]


def test_one_draft_is_issued_once(app, database, tmp_path: Path) -> None:
    press = noticed.press_in(tmp_path)
    with Session(database) as session:
        case = noticed.case(session, tmp_path)
        notice_id = noticed.drafted(session, case).id
        issuer = case.issuer
        session.commit()
    barrier, errors = Barrier(2), []

    def issue() -> None:
        with app.app_context(), Session(database) as session:
            barrier.wait(timeout=30)
            notice = session.get_one(Notice, notice_id, with_for_update={"of": Notice})
            try:
                notices.issue(session, notice, press=press, by=issuer, now=NOW, today=TODAY)
                session.commit()
            except notices.Conflict as error:
                errors.append(error)

    threads = [Thread(target=issue) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == 1
    with Session(database) as session:
        row = "SELECT (SELECT count(*) FROM notice_document), (SELECT last FROM notice_number)"
        assert session.execute(text(row)).one() == (2, 1)
