"""A back-test says which past answers a draft would judge otherwise, by commune."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from core.errors import Conflict
from core.policy import Actor
from inspections.models import ChecklistVersion
from inspections.queries import back_tests as found_by
from inspections.services import back_tests, checklists, drafts
from tests import makers
from tests.inspections import visits
from tests.makers import NOW


@pytest.fixture
def staff(session: Session) -> Actor:
    visits.published(session)
    return makers.actor(session, "staff")


@pytest.fixture
def draft(session: Session, staff: Actor) -> ChecklistVersion:
    return drafts.begin(session, 1, by=staff, now=NOW)[0]


def change(session: Session, draft: ChecklistVersion, by: Actor, key: str, **changes: Any) -> None:
    item = copy.deepcopy(next(one for one in draft.content["items"] if one["key"] == key))
    item.update(changes)
    drafts.put_item(session, draft, key, item, by=by, now=NOW)


def level(op: str, value: Any, severity: str) -> dict[str, Any]:
    return {"op": op, "value": value, "severity": severity}


def settlement(millimetres: float) -> dict[str, Any]:
    return {"fnd_settlement": {"outcome": "ok", "value": millimetres}}


def told(session: Session, draft: ChecklistVersion, by: Actor) -> dict[str, tuple[Any, Any]]:
    _, done = back_tests.start(session, draft, by=by, now=NOW)
    assert done
    rows = found_by.findings(session, by, draft.id).rows
    return {row.code: (row.before, row.after) for row in rows}


def test_each_past_judgement_that_would_change_is_found(
    session: Session, staff: Actor, draft: ChecklistVersion, tmp_path: Path
) -> None:
    """Limits of 10 and 25 mm become 5 and 20: three of five towers come out otherwise."""
    inspector = makers.actor(session, "inspector")
    commune = makers.commune(session, code="90001")
    for number, millimetres in enumerate((4, 7, 12, 22, 30)):
        tower = makers.tower(session, code=f"T-{number}", commune=commune)
        draft_visit = visits.visit(settlement(millimetres), submit=False)
        inspection = visits.record(session, tower, draft_visit, by=inspector)
        if millimetres > 10:
            visits.photograph(session, inspection, "fnd_settlement", tmp_path, by=inspector)
        visits.correct(session, inspection, visits.visit(settlement(millimetres)), by=inspector)
    change(
        session,
        draft,
        staff,
        "fnd_settlement",
        levels=[level(">", 5, "major"), level(">", 20, "critical")],
    )
    assert told(session, draft, staff) == {"T-1": (None, "major"), "T-3": ("major", "critical")}
    assert found_by.by_commune(session, staff, draft.id) == [
        found_by.Count("90001", commune.name, inspections=2, more=1, fewer=0, other=1)
    ]


def failing(session: Session, code: str = "T-1", **facts: Any) -> None:
    """A tower without a ladder and without a fence."""
    inspector = makers.actor(session, "inspector")
    tower = makers.tower(session, code=code, **facts)
    visits.inspected(session, tower, by=inspector, **visits.MAJOR, **visits.MINOR)


def test_a_removed_item_takes_its_violations_away(
    session: Session, staff: Actor, draft: ChecklistVersion
) -> None:
    failing(session)
    drafts.remove_item(session, draft, "sit_fence", by=staff, now=NOW)
    assert told(session, draft, staff) == {"T-1": ("minor", None)}


def test_an_item_that_no_longer_applies_judges_nothing(
    session: Session, staff: Actor, draft: ChecklistVersion
) -> None:
    failing(session)
    change(session, draft, staff, "sit_fence", applies_to=["monopole"])
    assert told(session, draft, staff) == {"T-1": ("minor", None)}


def test_texts_days_and_sources_change_no_judgement(
    session: Session, staff: Actor, draft: ChecklistVersion
) -> None:
    failing(session)
    change(session, draft, staff, "sit_fence", vi="Rào", en="Fence", source="x", how="climb")
    assert told(session, draft, staff) == {}


def test_a_new_item_has_no_answers_to_judge(
    session: Session, staff: Actor, draft: ChecklistVersion
) -> None:
    failing(session)
    item = copy.deepcopy(draft.content["items"][-1])
    drafts.put_item(session, draft, "sit_camera", item, by=staff, now=NOW)
    assert told(session, draft, staff) == {}


def test_an_answer_of_another_kind_is_counted_and_not_judged(
    session: Session, staff: Actor, draft: ChecklistVersion
) -> None:
    failing(session)
    change(
        session,
        draft,
        staff,
        "sit_fence",
        answer={"type": "count", "unit": "m", "min": 0, "max": 100},
        levels=[level("<", 10, "minor")],
    )
    assert told(session, draft, staff) == {}
    test, _ = back_tests.start(session, draft, by=staff, now=NOW)
    assert (test.answers, test.unjudged, test.inspections) == (1, 1, 1)


def test_drafts_returned_and_voided_inspections_do_not_count(
    session: Session, staff: Actor, draft: ChecklistVersion
) -> None:
    inspector, tower = makers.actor(session, "inspector"), makers.tower(session)
    inspection = visits.inspected(session, tower, by=inspector, **visits.MINOR)
    inspection.status = "returned"
    visits.record(session, tower, visits.visit(visits.MINOR, submit=False), by=inspector)
    drafts.remove_item(session, draft, "sit_fence", by=staff, now=NOW)
    assert told(session, draft, staff) == {}


def test_every_version_that_judged_is_tested(
    session: Session, staff: Actor, draft: ChecklistVersion
) -> None:
    """Under the first version a fence was minor, under the second major; the third leaves it."""
    failing(session, "T-1")
    change(session, draft, staff, "sit_fence", levels=[{"op": "fail", "severity": "major"}])
    back_tests.start(session, draft, by=staff, now=NOW)
    drafts.publish(session, draft, by=staff, now=NOW)
    failing(session, "T-2")
    third, _ = drafts.begin(session, 2, by=staff, now=NOW)
    drafts.remove_item(session, third, "doc_storm_plan", by=staff, now=NOW)
    assert told(session, third, staff) == {"T-1": ("minor", "major")}


def test_the_list_can_be_narrowed_and_paged(
    session: Session, staff: Actor, draft: ChecklistVersion
) -> None:
    here = makers.commune(session, code="90001")
    for number in range(3):
        failing(session, f"T-{number}", commune=here if number else None)
    drafts.remove_item(session, draft, "sit_fence", by=staff, now=NOW)
    told(session, draft, staff)
    page = found_by.findings(session, staff, draft.id, limit=2)
    rest = found_by.findings(session, staff, draft.id, limit=2, cursor=page.next_cursor)
    assert [row.code for row in (*page.rows, *rest.rows)] == ["T-0", "T-1", "T-2"]
    assert rest.next_cursor is None
    of_here = found_by.findings(session, staff, draft.id, commune="90001").rows
    assert [row.code for row in of_here] == ["T-1", "T-2"]
    assert not found_by.findings(session, staff, draft.id, kind="more").rows


def test_another_edit_makes_a_test_old(
    session: Session, staff: Actor, draft: ChecklistVersion
) -> None:
    failing(session)
    drafts.remove_item(session, draft, "sit_fence", by=staff, now=NOW)
    told(session, draft, staff)
    change(session, draft, staff, "clb_ladder", source="another")
    with pytest.raises(Conflict):
        drafts.publish(session, draft, by=staff, now=NOW)
    told(session, draft, staff)
    drafts.publish(session, draft, by=staff, now=NOW)
    assert checklists.current(session).id == draft.id


def test_a_wide_test_is_a_job(
    session: Session, staff: Actor, draft: ChecklistVersion, monkeypatch
) -> None:
    monkeypatch.setattr(back_tests, "AT_ONCE", 0)
    failing(session)
    drafts.remove_item(session, draft, "sit_fence", by=staff, now=NOW)
    test, done = back_tests.start(session, draft, by=staff, now=NOW)
    assert not done
    assert test.job_id is not None
    with pytest.raises(Conflict):
        back_tests.start(session, draft, by=staff, now=NOW)
    with pytest.raises(Conflict):
        drafts.publish(session, draft, by=staff, now=NOW)
    with pytest.raises(Conflict):
        drafts.discard(session, draft, by=staff, now=NOW)
    assert back_tests.of_job(session, draft.id, test.job_id + 1) is None
    assert back_tests.of_job(session, draft.id, test.job_id) is test
    seen: list[tuple[int, int]] = []
    back_tests.run(session, test, draft, now=NOW, tell=lambda *at: seen.append(at))
    assert seen == [(1, 1)]
    assert back_tests.of_job(session, draft.id, test.job_id) is None
    drafts.publish(session, draft, by=staff, now=NOW)
