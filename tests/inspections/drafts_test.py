"""A draft of the checklist: one at a time, edited by its revision, published when it was tested."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.audit import AuditEntry
from core.errors import Conflict, Forbidden, Invalid, NotFound
from core.policy import Actor
from inspections.models import BackTest, ChecklistVersion
from inspections.services import checklists, drafts
from inspections.services.record import Visit
from tests import makers
from tests.inspections import visits
from tests.makers import NOW


@pytest.fixture
def staff(session: Session) -> Actor:
    visits.published(session)
    return makers.actor(session, "staff")


def begun(session: Session, by: Actor) -> ChecklistVersion:
    return drafts.begin(session, checklists.current(session).version, by=by, now=NOW)[0]


def item_of(version: ChecklistVersion, key: str) -> dict[str, Any]:
    return copy.deepcopy(next(one for one in version.content["items"] if one["key"] == key))


def milder(version: ChecklistVersion) -> dict[str, Any]:
    """A fence that is missing has 60 days instead of 30."""
    item = item_of(version, "sit_fence")
    item["levels"][0]["remedy_days"] = 60
    return item


def passed_back_test(session: Session, draft: ChecklistVersion) -> None:
    session.merge(
        BackTest(
            checklist_version_id=draft.id,
            revision=draft.revision,
            started_at=NOW,
            finished_at=NOW,
            actor="test",
        )
    )
    session.flush()


def test_a_draft_is_a_copy_of_the_published_version(session: Session, staff: Actor) -> None:
    draft, new = drafts.begin(session, 1, by=staff, now=NOW)
    assert (new, draft.version, draft.status, draft.based_on) == (True, 2, "draft", 1)
    assert {**draft.content, "version": 1} == checklists.shipped_document()
    assert checklists.current(session).version == 1


def test_there_is_one_draft_at_a_time(session: Session, staff: Actor) -> None:
    first = begun(session, staff)
    again, new = drafts.begin(session, 1, by=staff, now=NOW)
    assert (again.id, new) == (first.id, False)


def test_a_draft_of_a_version_that_no_longer_judges_is_refused(
    session: Session, staff: Actor
) -> None:
    with pytest.raises(Conflict):
        drafts.begin(session, 7, by=staff, now=NOW)


@pytest.mark.parametrize("role", ["admin", "inspector", "local_officer"])
def test_only_staff_edit(session: Session, staff: Actor, role: str) -> None:
    with pytest.raises(Forbidden):
        drafts.begin(session, 1, by=makers.actor(session, role), now=NOW)


def test_staff_of_one_commune_do_not_edit_what_all_are_inspected_by(
    session: Session, staff: Actor
) -> None:
    here = makers.actor(session, "staff", territories=[makers.commune(session)])
    with pytest.raises(Forbidden):
        drafts.begin(session, 1, by=here, now=NOW)


def test_an_item_is_changed_added_and_removed(session: Session, staff: Actor) -> None:
    draft = begun(session, staff)
    assert not drafts.put_item(session, draft, "sit_fence", milder(draft), by=staff, now=NOW)
    fresh = {**item_of(draft, "sit_fence"), "vi": "Camera giám sát", "en": "Camera"}
    assert drafts.put_item(session, draft, "sit_camera", fresh, by=staff, now=NOW)
    drafts.remove_item(session, draft, "doc_storm_plan", by=staff, now=NOW)
    assert draft.revision == 4
    catalogue = checklists.catalogue_of(session, draft)
    keys = [item.key for item in catalogue.items]
    assert "doc_storm_plan" not in keys
    # Behind the last of its group.
    of_group = [item.key for item in catalogue.items if item.group == "site"]
    assert of_group[-1] == "sit_camera"
    fence = catalogue.item("sit_fence")
    assert fence is not None
    assert fence.levels[0].remedy_days == 60
    told = session.scalars(
        select(AuditEntry).where(AuditEntry.action == "checklist.change").order_by(AuditEntry.id)
    ).all()
    assert [one.after["items"][0]["kind"] for one in told if one.after] == [
        "changed",
        "added",
        "removed",
    ]


def test_the_same_content_again_is_no_change(session: Session, staff: Actor) -> None:
    draft = begun(session, staff)
    assert not drafts.replace(session, draft, draft.content, by=staff, now=NOW)
    assert draft.revision == 1


def test_a_broken_item_is_refused_by_its_code_and_nothing_changes(
    session: Session, staff: Actor
) -> None:
    draft = begun(session, staff)
    before = copy.deepcopy(draft.content)
    document = copy.deepcopy(draft.content)
    document["items"][3]["how"] = "by magic"
    document["items"][7]["levels"] = [{"severity": "awful"}]
    with pytest.raises(Invalid) as caught:
        drafts.replace(session, draft, document, by=staff, now=NOW)
    assert set(caught.value.fields) == {document["items"][place]["key"] for place in (3, 7)}
    assert (draft.revision, draft.content) == (1, before)
    with pytest.raises(Invalid):
        drafts.put_item(session, draft, "sit fence", milder(draft), by=staff, now=NOW)
    with pytest.raises(NotFound):
        drafts.remove_item(session, draft, "nothing", by=staff, now=NOW)


def test_publishing_retires_the_version_before(session: Session, staff: Actor) -> None:
    draft = begun(session, staff)
    drafts.put_item(session, draft, "sit_fence", milder(draft), by=staff, now=NOW)
    passed_back_test(session, draft)
    drafts.publish(session, draft, by=staff, now=NOW)
    assert checklists.current(session).id == draft.id
    first = checklists.by_number(session, 1)
    session.refresh(first)
    assert first.status == "retired"
    assert begun(session, staff).version == 3


def test_what_was_not_tested_as_it_is_now_is_not_published(session: Session, staff: Actor) -> None:
    draft = begun(session, staff)
    drafts.put_item(session, draft, "sit_fence", milder(draft), by=staff, now=NOW)
    with pytest.raises(Conflict):
        drafts.publish(session, draft, by=staff, now=NOW)
    passed_back_test(session, draft)
    drafts.remove_item(session, draft, "doc_storm_plan", by=staff, now=NOW)
    with pytest.raises(Conflict):
        drafts.publish(session, draft, by=staff, now=NOW)
    assert checklists.current(session).version == 1


def test_a_draft_without_any_difference_is_not_published(session: Session, staff: Actor) -> None:
    draft = begun(session, staff)
    passed_back_test(session, draft)
    with pytest.raises(Conflict):
        drafts.publish(session, draft, by=staff, now=NOW)


def test_a_published_version_is_not_held_for_editing(session: Session, staff: Actor) -> None:
    with pytest.raises(Conflict):
        drafts.held(session, 1)
    with pytest.raises(NotFound):
        drafts.held(session, 9)


@pytest.mark.parametrize(
    "values", [{"content": {"items": []}}, {"version": 9}, {"status": "draft"}]
)
def test_the_database_keeps_what_was_published(session: Session, staff: Actor, values) -> None:
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(update(ChecklistVersion).values(**values))
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(text("DELETE FROM checklist_version"))


def test_a_discarded_draft_is_gone_and_told(session: Session, staff: Actor) -> None:
    draft = begun(session, staff)
    drafts.discard(session, draft, by=staff, now=NOW)
    assert session.scalar(select(func.count()).select_from(ChecklistVersion)) == 1
    told = session.scalars(select(AuditEntry).where(AuditEntry.action == "checklist.discard")).one()
    assert told.before is not None
    assert told.before["content"]["items"]


def test_a_draft_judges_no_inspection(session: Session, staff: Actor) -> None:
    begun(session, staff)
    inspector, tower = makers.actor(session, "inspector"), makers.tower(session)
    made = visits.visit({}, submit=False, checklist_version=2)
    with pytest.raises(Invalid) as caught:
        visits.record(session, tower, made, by=inspector)
    assert list(caught.value.fields) == ["checklist_version"]
    assert visits.record(session, tower, visit(), by=inspector).checklist_version.version == 1


def visit() -> Visit:
    return visits.visit({}, submit=False)


def test_an_inspection_begun_under_the_former_version_goes_on_with_it(
    session: Session, staff: Actor
) -> None:
    inspector, tower = makers.actor(session, "inspector"), makers.tower(session)
    begun_before = visits.record(session, tower, visit(), by=inspector)
    draft = begun(session, staff)
    drafts.remove_item(session, draft, "sit_fence", by=staff, now=NOW)
    passed_back_test(session, draft)
    drafts.publish(session, draft, by=staff, now=NOW)
    made = visits.correct(
        session, begun_before, visits.visit({**visits.passing(tower), **visits.MINOR}), by=inspector
    )
    assert (made.checklist_version.version, made.complete) == (1, True)
    found = visits.violations(session, tower)["sit_fence"]
    assert found.checklist_version.version == 1
    assert visits.record(session, tower, visit(), by=inspector).checklist_version.version == 2
