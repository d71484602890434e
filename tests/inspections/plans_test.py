"""The lists of work use their indexes, and one statement more or less for any number of rows."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import text

from core import tables
from core.db import current_session
from core.policy import SYSTEM
from inspections import exports
from inspections.queries import facts, lists
from inspections.queries.follow_up import WorkFilters
from inspections.texts import item_texts
from tests import makers
from tests.plans import Crowd, the_one

FOLLOW_UP = ("listed.urgency", "ORDER BY listed.urgency")


@pytest.mark.parametrize("path", ["/follow-up", "/api/v1/follow-up"])
def test_the_follow_up_list_is_read_in_its_order(crowd: Crowd, path):
    page = the_one(crowd.get(path), *FOLLOW_UP)
    assert {"ix_violation_open_urgency", "ix_load_assessment_pending_deadline"} <= page.indexes
    for table in ("tower", "violation", "load_assessment"):
        assert not page.reads_whole(table), page.plan


@pytest.mark.parametrize("path", ["/follow-up", "/api/v1/follow-up"])
@pytest.mark.parametrize(
    ("query", "index"),
    [
        ({"severity": "critical"}, "ix_violation_open_urgency"),
        ({"overdue": "true"}, "ix_violation_open_urgency"),
        ({"due_within": 30}, "ix_violation_open_urgency"),
        ({"commune": "80123"}, "ix_tower_commune_id_code"),
        ({"condition": "dangerous"}, "pk_tower"),
        ({"q": "tram c4ca4238"}, "ix_tower_search"),
    ],
    ids=str,
)
def test_the_filtered_follow_up_list_uses_an_index(crowd: Crowd, path, query, index):
    page = the_one(crowd.get(path, **query), *FOLLOW_UP)
    assert index in page.indexes, page.plan
    assert not page.reads_whole("violation"), page.plan
    assert not page.reads_whole("tower"), page.plan


@pytest.mark.parametrize("path", ["/follow-up", "/"])
def test_a_page_of_work_takes_few_statements(crowd: Crowd, path):
    assert len(crowd.get(path)) <= 12


def test_the_rows_of_an_inspector_are_found_by_an_index(crowd: Crowd):
    page = the_one(crowd.get("/follow-up", assignee=str(uuid.UUID(int=1))), *FOLLOW_UP)
    assert "ix_violation_open_assignee" in page.indexes, page.plan
    assert not page.reads_whole("violation"), page.plan


def test_what_stands_at_the_towers_of_an_inspector_is_found_by_indexes(crowd: Crowd):
    with crowd.engine.connect() as connection:
        inspector = connection.execute(
            text("SELECT DISTINCT inspector_id FROM assignment WHERE inspector_id IS NOT NULL")
        ).scalar_one()
    page = the_one(crowd.get("/follow-up", assignee=str(inspector)), *FOLLOW_UP)
    used = {"ix_assignment_live_inspector_id", "uq_violation_open_tower_id_item_key"}
    assert used <= page.indexes, page.plan
    for table in ("violation", "load_assessment", "assignment"):
        assert not page.reads_whole(table), page.plan


@pytest.mark.parametrize("campaign", [1, 2])
def test_the_rows_of_a_campaign_are_found_by_indexes(crowd: Crowd, campaign: int):
    number = str(uuid.UUID(int=campaign))
    page = the_one(crowd.get("/follow-up", campaign=number), *FOLLOW_UP)
    assert not page.reads_whole("violation"), page.plan
    assert not page.reads_whole("tower"), page.plan


def test_a_page_far_behind_in_the_follow_up_list_starts_there(crowd: Crowd):
    cursor = crowd.cursor_behind(5, "/api/v1/follow-up")
    page = the_one(crowd.get("/api/v1/follow-up", cursor=cursor), *FOLLOW_UP)
    assert "ix_violation_open_urgency" in page.indexes
    assert "Index Cond: (ROW(urgency, deadline, id) > ROW(" in page.plan, page.plan


@pytest.mark.parametrize("path", ["/inspections", "/api/v1/inspections"])
def test_the_list_of_inspections_is_read_in_its_order(crowd: Crowd, path):
    page = the_one(crowd.get(path), "FROM inspection")
    assert "ix_inspection_moment_id" in page.indexes, page.plan
    assert not page.reads_whole("inspection")


@pytest.mark.parametrize("path", ["/violations", "/api/v1/violations"])
def test_the_list_of_violations_is_read_in_its_order(crowd: Crowd, path):
    page = the_one(crowd.get(path), "FROM violation")
    assert "ix_violation_found_on_id" in page.indexes, page.plan
    assert not page.reads_whole("violation")


def test_the_dashboard_reads_its_lists_by_indexes(crowd: Crowd):
    asked = crowd.get("/")
    urgent = the_one(asked, *FOLLOW_UP)
    assert "ix_violation_open_urgency" in urgent.indexes
    latest = the_one(asked, "inspection.id, inspection.tower_id")
    assert "ix_inspection_moment_id" in latest.indexes, latest.plan


def test_the_facts_of_a_tower_use_indexes(crowd: Crowd):
    with crowd.engine.connect() as connection:
        tower = connection.execute(text("SELECT id FROM tower LIMIT 1")).scalar_one()
    (asked,) = crowd.asked(lambda: list(facts.facts(current_session(), [tower])))
    for table in ("tower", "violation", "inspection", "load_assessment"):
        assert not asked.reads_whole(table), asked.plan


def test_one_inspection_and_one_violation_use_indexes(crowd: Crowd):
    with crowd.engine.connect() as connection:
        inspection = connection.execute(text("SELECT id FROM inspection LIMIT 1")).scalar_one()
        violation = connection.execute(text("SELECT id FROM violation LIMIT 1")).scalar_one()

    def read() -> None:
        session = current_session()
        assert lists.inspection(session, SYSTEM, inspection) is not None
        assert lists.found_by(session, inspection)
        assert lists.violation(session, SYSTEM, violation) is not None

    for one in crowd.asked(read):
        for table in ("tower", "violation", "violation_event", "inspection", "photo", "answer"):
            assert not one.reads_whole(table), one.plan


@pytest.mark.parametrize(
    "path", ["/follow-up", "/violations", "/api/v1/follow-up", "/api/v1/violations"]
)
def test_the_number_of_statements_does_not_grow_with_the_rows(crowd: Crowd, path):
    few = crowd.get(path, severity="critical", overdue="true")
    many = crowd.get(path, severity="minor", overdue="true")
    assert len(few) == len(many)


@pytest.mark.parametrize("name", ["follow-up", "violations", "inspections"])
def test_the_largest_page_takes_no_more_statements(crowd: Crowd, name):
    path = f"/api/v1/{name}"
    assert len(crowd.get(path, limit=1)) == len(crowd.get(path, limit=500))


def test_an_export_may_last_longer_than_a_page(crowd: Crowd):
    """The whole list is one statement, which ends when its reader has received it."""

    def limit() -> str:
        return current_session().execute(text("SHOW statement_timeout")).scalar_one()

    with crowd.app.test_request_context():
        session = current_session()
        assert limit() == "15s"
        listed = exports.table(
            SYSTEM,
            WorkFilters(),
            today=makers.NOW.date(),
            labels={name: {"": ""} for name in exports.VOCABULARIES},
            items=item_texts(session, "vi"),
        )
        assert b"T-00" in b"".join(tables.csv(session, listed, excel=False))
        assert limit() == "30min"
        session.rollback()
        assert limit() == "15s"
