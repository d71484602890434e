"""Recording a visit: from its answers to violations, condition and history."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import func, select

from core.audit import AuditEntry
from core.errors import Conflict, Forbidden, Invalid, NotFound
from inspections.models import Answer, Inspection, Submission, Violation
from inspections.services import checklists, condition
from inspections.services.record import (
    DifferentBody,
    discard_draft,
    keep_conflict,
    open_items,
    record_inspection,
)
from tests import makers
from tests.inspections.visits import (
    CRITICAL,
    MAJOR,
    MINOR,
    NOW,
    TODAY,
    ZONE,
    correct,
    days,
    events,
    inspected,
    passing,
    photograph,
    published,
    record,
    violations,
    visit,
)
from towers.models import StructureKind

NOT_CHECKED = {"outcome": "not_checked", "reason": "Trời mưa"}


@pytest.fixture
def inspector(session):
    return makers.actor(session, "inspector")


@pytest.fixture
def tower(session):
    published(session)
    return makers.tower(session)


@pytest.fixture(autouse=True)
def recomputation_agrees(session):
    """After every test, deriving all conditions again finds no difference."""
    yield
    session.flush()
    assert [code for code, differs in condition.recompute(session) if differs] == []


def test_a_clean_visit_makes_the_tower_ok(session, tower, inspector) -> None:
    inspection = inspected(session, tower, by=inspector)
    assert (inspection.status, inspection.complete) == ("submitted", True)
    assert inspection.submitted_at == NOW
    assert (tower.condition, tower.condition_reason) == ("ok", None)
    assert tower.ok_until == date(2031, 11, 23)
    assert tower.last_inspected_on == TODAY
    assert violations(session, tower) == {}
    stored = session.scalar(select(func.count()).where(Answer.inspection_id == inspection.id))
    assert stored == len(passing(tower))


@pytest.mark.parametrize(
    ("structure_type", "until"),
    [
        ("guyed_mast", date(2029, 11, 23)),
        ("rooftop_guyed", date(2029, 11, 23)),
        ("lattice_self_support", date(2031, 11, 23)),
        ("monopole", date(2031, 11, 23)),
        ("rooftop_pole", date(2031, 11, 23)),
        ("concrete_pole", date(2031, 11, 23)),
    ],
)
def test_the_interval_is_36_months_for_guyed_and_60_for_others(
    session, tower, inspector, structure_type, until
) -> None:
    other = makers.tower(session, structure_type=structure_type)
    inspected(session, other, by=inspector)
    assert (other.condition, other.ok_until) == ("ok", until)


def test_the_interval_is_data(session, tower, inspector) -> None:
    session.get_one(StructureKind, "lattice_self_support").interval_months = 12
    session.flush()
    inspected(session, tower, by=inspector)
    assert tower.ok_until == date(2027, 11, 23)


def test_failing_answers_become_violations(session, tower, inspector) -> None:
    inspected(session, tower, by=inspector, **MAJOR, **MINOR)
    found = violations(session, tower)
    assert {key: one.severity for key, one in found.items()} == {
        "clb_ladder": "major",
        "sit_fence": "minor",
    }
    assert {one.deadline for one in found.values()} == {date(2026, 12, 23)}
    assert all((one.state, one.found_on) == ("open", TODAY) for one in found.values())
    assert events(session, found["clb_ladder"]) == [("found", "major")]
    assert (tower.condition, tower.worst_severity) == ("needs_follow_up", "major")
    assert (tower.open_violations, tower.next_deadline) == (2, date(2026, 12, 23))
    assert tower.ok_until is None


def test_a_critical_answer_makes_the_tower_dangerous(session, tower, inspector, tmp_path) -> None:
    inspected(
        session, tower, by=inspector, folder=tmp_path, photos=["ant_mount"], **CRITICAL, **MINOR
    )
    assert (tower.condition, tower.worst_severity) == ("dangerous", "critical")
    assert tower.next_deadline == date(2026, 11, 26)


def test_the_legal_basis_goes_along_and_none_is_invented(session, tower, inspector) -> None:
    no = {"outcome": "ok", "value": "no"}
    inspected(session, tower, by=inspector, doc_permit=no, clb_ladder=no)
    found = violations(session, tower)
    assert found["doc_permit"].legal_basis["document"]
    assert found["clb_ladder"].legal_basis is None


def test_deadlines_count_local_calendar_days(session, tower, inspector) -> None:
    """18:00 UTC is 01:00 of the next day in Đồng Tháp."""
    late = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
    inspected(session, tower, by=inspector, now=late, **MAJOR)
    (one,) = violations(session, tower).values()
    assert (one.found_on, one.deadline) == (date(2026, 11, 24), date(2026, 12, 24))


def test_the_day_of_the_visit_may_be_today_where_the_department_is(
    session, tower, inspector
) -> None:
    late = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
    inspected(session, tower, by=inspector, now=late, inspected_on=date(2026, 11, 24))
    assert tower.last_inspected_on == date(2026, 11, 24)
    with pytest.raises(Invalid) as caught:
        inspected(session, tower, by=inspector, now=late, inspected_on=date(2026, 11, 25))
    assert "inspected_on" in caught.value.fields


@pytest.mark.parametrize("gap", ["left out", "not checked"])
def test_an_unfinished_checklist_leaves_the_tower_unchecked(session, tower, inspector, gap) -> None:
    answers = passing(tower)
    if gap == "left out":
        del answers["str_weld_flange"]
    else:
        answers["str_weld_flange"] = NOT_CHECKED
    inspection = inspected(session, tower, by=inspector, only=answers)
    assert not inspection.complete
    assert (tower.condition, tower.condition_reason) == ("unchecked", "incomplete")


def test_a_later_unfinished_visit_takes_ok_away(session, tower, inspector) -> None:
    inspected(session, tower, by=inspector)
    tomorrow = NOW + days(1)
    inspected(session, tower, by=inspector, now=tomorrow, str_weld_flange=NOT_CHECKED)
    assert (tower.condition, tower.condition_reason) == ("unchecked", "incomplete")


def test_the_last_visit_is_the_one_made_last_not_the_one_sent_last(
    session, tower, inspector
) -> None:
    inspected(session, tower, by=inspector)
    inspected(
        session,
        tower,
        by=inspector,
        now=NOW + days(1),
        inspected_on=date(2026, 11, 1),
        str_weld_flange=NOT_CHECKED,
    )
    assert (tower.condition, tower.last_inspected_on) == ("ok", TODAY)


def test_a_draft_means_nothing_yet(session, tower, inspector) -> None:
    inspection = record(
        session, tower, visit({**passing(tower), **MAJOR}, submit=False), by=inspector
    )
    assert (inspection.status, inspection.submitted_at) == ("draft", None)
    assert inspection.draft["clb_ladder"]["value"] == "no"
    assert violations(session, tower) == {}
    assert (tower.condition, tower.condition_reason) == ("unchecked", "never")
    correct(session, inspection, visit({**passing(tower), **MAJOR}), by=inspector)
    assert (inspection.status, inspection.draft) == ("submitted", None)
    assert set(violations(session, tower)) == {"clb_ladder"}


def test_a_failing_answer_needs_its_photo(session, tower, inspector, tmp_path) -> None:
    answers = {**passing(tower), **CRITICAL}
    with pytest.raises(Invalid) as caught:
        record(session, tower, visit(answers), by=inspector)
    assert set(caught.value.fields) == {"answers.ant_mount"}
    draft = record(session, tower, visit(answers, submit=False), by=inspector)
    photograph(session, draft, "sit_fence", tmp_path, by=inspector)
    with pytest.raises(Invalid):
        correct(session, draft, visit(answers), by=inspector)


def test_wrong_answers_are_all_named_and_nothing_is_written(session, tower, inspector) -> None:
    answers = {
        **passing(tower),
        "fnd_settlement": {"outcome": "ok", "value": 5000},
        "guy_broken": {"outcome": "ok", "value": 0},
        "nobody": {"outcome": "ok", "value": 0},
    }
    session.commit()
    with pytest.raises(Invalid) as caught:
        record(session, tower, visit(answers), by=inspector)
    assert set(caught.value.fields) == {
        "answers.fnd_settlement",
        "answers.guy_broken",
        "answers.nobody",
    }
    session.rollback()
    assert session.scalar(select(func.count()).select_from(Inspection)) == 0
    session.refresh(tower)
    assert tower.condition == "unchecked"


def test_no_answer_is_no_visit(session, tower, inspector) -> None:
    with pytest.raises(Invalid) as caught:
        record(session, tower, visit({}), by=inspector)
    assert "answers" in caught.value.fields


def test_the_structure_type_is_determined_first(session, tower, inspector) -> None:
    unknown = makers.tower(session, structure_type="unknown")
    answers = passing(unknown, "monopole")
    with pytest.raises(Invalid) as caught:
        record(session, unknown, visit(answers), by=inspector)
    assert set(caught.value.fields) == {"structure_type"}
    with pytest.raises(Invalid):
        record(session, unknown, visit(answers, structure_type="unknown"), by=inspector)
    inspection = record(session, unknown, visit(answers, structure_type="monopole"), by=inspector)
    assert (unknown.structure_type, inspection.structure_type) == ("monopole", "monopole")
    assert (unknown.condition, unknown.ok_until) == ("ok", date(2031, 11, 23))
    assert session.scalar(
        select(AuditEntry.after).where(AuditEntry.action == "tower.determine")
    ) == {"structure_type": "monopole"}


def test_an_inspector_does_not_overrule_the_register(session, tower, inspector) -> None:
    with pytest.raises(Invalid) as caught:
        record(session, tower, visit(passing(tower), structure_type="monopole"), by=inspector)
    assert "structure_type" in caught.value.fields


def test_a_rooftop_mast_on_a_house_of_unknown_height_may_need_lights(
    session, tower, inspector
) -> None:
    """The height above ground is unknown, so what counts from 45 m is asked."""
    roof = makers.tower(session, structure_type="rooftop_pole", height_m=6)
    assert {"mrk_lights", "mrk_paint", "mrk_height_approval"} <= set(passing(roof))
    low = makers.tower(
        session, structure_type="rooftop_pole", height_m=6, host_building_height_m=12
    )
    assert "mrk_lights" not in passing(low)
    high = makers.tower(
        session, structure_type="rooftop_pole", height_m=6, host_building_height_m=39
    )
    assert "mrk_lights" in passing(high)
    assert "mrk_lights" not in passing(tower)


# Sending again.


def test_the_same_body_again_is_the_first_answer_again(session, tower, inspector) -> None:
    number = uuid.uuid4()
    made = visit({**passing(tower), **MAJOR})
    first, new = record_inspection(session, number, tower, made, by=inspector, now=NOW, zone=ZONE)
    assert new
    again, new = record_inspection(
        session, number, tower, made, by=inspector, now=NOW + days(3), zone=ZONE
    )
    assert (again, new) == (first, False)
    assert len(violations(session, tower)) == 1
    assert session.scalar(select(func.count()).select_from(Submission)) == 1


def test_the_order_of_keys_does_not_make_another_body(session, tower, inspector) -> None:
    number, answers = uuid.uuid4(), passing(tower)
    record(session, tower, visit(answers), by=inspector, inspection_id=number)
    turned = visit(dict(reversed(answers.items())))
    _, new = record_inspection(session, number, tower, turned, by=inspector, now=NOW, zone=ZONE)
    assert not new


def test_a_resend_of_the_first_body_after_a_correction_changes_nothing(
    session, tower, inspector
) -> None:
    number = uuid.uuid4()
    made = visit({**passing(tower), **MAJOR})
    inspection = record(session, tower, made, by=inspector, inspection_id=number)
    correct(session, inspection, visit(passing(tower)), by=inspector)
    again, new = record_inspection(session, number, tower, made, by=inspector, now=NOW, zone=ZONE)
    assert not new
    assert again.version == 2
    assert tower.condition == "ok"


def test_a_resend_of_the_draft_after_its_submission_changes_nothing(
    session, tower, inspector
) -> None:
    number = uuid.uuid4()
    draft = visit(passing(tower), submit=False)
    inspection = record(session, tower, draft, by=inspector, inspection_id=number)
    correct(session, inspection, visit(passing(tower)), by=inspector)
    again, new = record_inspection(session, number, tower, draft, by=inspector, now=NOW, zone=ZONE)
    assert (again.status, new) == ("submitted", False)


def test_another_body_under_a_known_id_is_kept_for_review(session, tower, inspector) -> None:
    number = uuid.uuid4()
    record(session, tower, visit(passing(tower)), by=inspector, inspection_id=number)
    other = visit({**passing(tower), **MAJOR})
    with pytest.raises(DifferentBody):
        record(session, tower, other, by=inspector, inspection_id=number)
    keep_conflict(session, number, other, by=inspector, now=NOW)
    assert session.scalars(
        select(Submission.outcome).where(Submission.inspection_id == number).order_by(Submission.id)
    ).all() == ["submitted", "conflict"]
    assert violations(session, tower) == {}
    # What was kept for review was not accepted: it is refused again.
    with pytest.raises(DifferentBody):
        record(session, tower, other, by=inspector, inspection_id=number)


def test_the_id_of_somebody_elses_visit_tells_nothing(session, tower, inspector) -> None:
    number = uuid.uuid4()
    made = visit(passing(tower))
    record(session, tower, made, by=inspector, inspection_id=number)
    stranger = makers.actor(session, "inspector")
    with pytest.raises(NotFound):
        record(session, tower, made, by=stranger, inspection_id=number)


# Who may.


@pytest.mark.parametrize("role", ["staff", "admin", "local_officer", "operator"])
def test_only_inspectors_record(session, tower, role) -> None:
    with pytest.raises(Forbidden):
        record(session, tower, visit(passing(tower)), by=makers.actor(session, role))


def test_a_tower_outside_the_territory_is_not_there(session, tower) -> None:
    commune = makers.commune(session)
    stranger = makers.actor(session, "inspector", territories=[commune])
    with pytest.raises(NotFound):
        record(session, tower, visit(passing(tower)), by=stranger)
    near = makers.tower(session, commune=commune)
    record(session, near, visit(passing(near)), by=stranger)
    assert near.condition == "ok"


# Correcting.


def test_a_corrected_answer_withdraws_its_violation_by_an_event(session, tower, inspector) -> None:
    inspection = inspected(session, tower, by=inspector, **MAJOR, **MINOR)
    correct(
        session, inspection, visit({**passing(tower), **MINOR}), by=inspector, now=NOW + days(1)
    )
    found = violations(session, tower)
    assert (found["clb_ladder"].state, found["clb_ladder"].ended_on) == (
        "withdrawn",
        date(2026, 11, 24),
    )
    assert events(session, found["clb_ladder"]) == [("found", "major"), ("withdrawn", None)]
    assert found["sit_fence"].state == "open"
    assert events(session, found["sit_fence"]) == [("found", "minor")]
    assert (tower.condition, tower.worst_severity) == ("needs_follow_up", "minor")
    assert inspection.version == 2


def test_a_correction_counts_its_deadline_from_the_first_submission(
    session, tower, inspector
) -> None:
    inspection = inspected(session, tower, by=inspector)
    correct(
        session, inspection, visit({**passing(tower), **MAJOR}), by=inspector, now=NOW + days(20)
    )
    (one,) = violations(session, tower).values()
    assert (one.found_on, one.deadline) == (TODAY, date(2026, 12, 23))
    assert inspection.submitted_at == NOW


def test_a_corrected_severity_stays_one_violation(session, tower, inspector) -> None:
    age = {"gnd_test_age": {"outcome": "ok", "value": 400}}
    inspection = inspected(session, tower, by=inspector, **age)
    older = {"gnd_test_age": {"outcome": "ok", "value": 800}}
    correct(session, inspection, visit({**passing(tower), **older}), by=inspector)
    (one,) = violations(session, tower).values()
    assert (one.state, one.severity) == ("open", "major")
    assert events(session, one) == [("found", "minor"), ("withdrawn", None), ("found", "major")]


def test_every_submitted_version_is_kept(session, tower, inspector) -> None:
    inspection = inspected(session, tower, by=inspector, **MAJOR)
    correct(session, inspection, visit(passing(tower)), by=inspector)
    correct(session, inspection, visit({**passing(tower), **MINOR}), by=inspector)
    bodies = session.scalars(
        select(Submission.body)
        .where(Submission.inspection_id == inspection.id)
        .order_by(Submission.id)
    ).all()
    ladders = [body["answers"]["clb_ladder"]["value"] for body in bodies]
    assert ladders == ["no", "yes", "yes"]
    assert session.scalars(
        select(AuditEntry.action)
        .where(AuditEntry.object_id == str(inspection.id))
        .order_by(AuditEntry.id)
    ).all() == ["inspection.create", "inspection.correct", "inspection.correct"]


def test_the_same_correction_again_changes_nothing(session, tower, inspector) -> None:
    inspection = inspected(session, tower, by=inspector)
    made = visit({**passing(tower), **MAJOR})
    correct(session, inspection, made, by=inspector)
    correct(session, inspection, made, by=inspector)
    assert inspection.version == 2
    (one,) = violations(session, tower).values()
    assert events(session, one) == [("found", "major")]


def test_what_cannot_be_corrected(session, tower, inspector) -> None:
    inspection = inspected(session, tower, by=inspector)
    with pytest.raises(NotFound):
        correct(session, inspection, visit(passing(tower)), by=makers.actor(session, "inspector"))
    with pytest.raises(Conflict):
        correct(session, inspection, visit(passing(tower), submit=False), by=inspector)
    with pytest.raises(Conflict):
        correct(session, inspection, visit(passing(tower), kind="complaint"), by=inspector)


def test_only_ones_own_draft_can_be_discarded(session, tower, inspector) -> None:
    draft = record(session, tower, visit(passing(tower), submit=False), by=inspector)
    with pytest.raises(NotFound):
        discard_draft(session, draft, by=makers.actor(session, "inspector"), now=NOW)
    discard_draft(session, draft, by=inspector, now=NOW)
    assert session.get(Inspection, draft.id, populate_existing=True) is None
    submitted = inspected(session, tower, by=inspector)
    with pytest.raises(Conflict):
        discard_draft(session, submitted, by=inspector, now=NOW)


# The same defect again.


def test_the_same_defect_found_again_continues_the_open_violation(
    session, tower, inspector
) -> None:
    inspected(session, tower, by=inspector, **MAJOR)
    inspected(session, tower, by=inspector, now=NOW + days(10), **MAJOR)
    assert session.scalar(select(func.count()).select_from(Violation)) == 1
    (one,) = violations(session, tower).values()
    assert (one.found_on, one.deadline) == (TODAY, date(2026, 12, 23))
    assert events(session, one) == [("found", "major"), ("found", "major")]


def test_a_full_visit_that_finds_it_in_order_closes_nothing(session, tower, inspector) -> None:
    inspected(session, tower, by=inspector, **MAJOR)
    inspected(session, tower, by=inspector, now=NOW + days(10))
    (one,) = violations(session, tower).values()
    assert one.state == "open"
    assert tower.condition == "needs_follow_up"


def test_while_another_visit_still_says_so_a_violation_stays(session, tower, inspector) -> None:
    first = inspected(session, tower, by=inspector, **MAJOR)
    inspected(session, tower, by=inspector, now=NOW + days(10), **MAJOR)
    correct(session, first, visit(passing(tower)), by=inspector, now=NOW + days(11))
    (one,) = violations(session, tower).values()
    assert (one.state, one.deadline) == ("open", date(2027, 1, 2))


def test_a_corrected_old_visit_does_not_make_a_newer_critical_finding_milder(
    session, tower, inspector, tmp_path
) -> None:
    def tilt(offset: int) -> dict:
        return {
            "str_plumb": {
                "outcome": "ok",
                "inputs": {"offset_mm": str(offset), "measured_height_m": "40"},
            }
        }

    def seen(offset: int, when: int):
        return inspected(
            session,
            tower,
            by=inspector,
            folder=tmp_path,
            photos=["str_plumb"],
            now=NOW + days(when),
            **tilt(offset),
        )

    first = seen(110, 0)
    seen(500, 5)
    assert tower.condition == "dangerous"
    correct(session, first, visit({**passing(tower), **tilt(200)}), by=inspector, now=NOW + days(6))
    assert (tower.condition, tower.worst_severity) == ("dangerous", "critical")


# The version that judged.


def test_the_version_that_judged_is_stored(session, tower, inspector) -> None:
    document = checklists.shipped_document()
    document["version"] = 2
    ladder = next(item for item in document["items"] if item["key"] == "clb_ladder")
    ladder["levels"][0]["severity"] = "minor"
    second = checklists.publish(session, document, by=makers.SYSTEM, now=NOW)
    inspection = inspected(session, tower, by=inspector, **MAJOR)
    assert inspection.checklist_version_id == second.id
    assert violations(session, tower)["clb_ladder"].severity == "minor"
    offline = makers.tower(session)
    record(
        session,
        offline,
        visit({**passing(offline), **MAJOR}, checklist_version=1),
        by=inspector,
    )
    assert violations(session, offline)["clb_ladder"].severity == "major"
    with pytest.raises(NotFound):
        record(session, tower, visit(passing(tower), checklist_version=99), by=inspector)


def test_a_dismantled_tower_keeps_its_violations_but_leaves_the_lists(
    session, tower, inspector
) -> None:
    from inspections.queries import follow_up
    from inspections.queries.follow_up import WorkFilters
    from towers import lists, queries

    inspected(session, tower, by=inspector, **MAJOR)
    reader = makers.actor(session, "staff")
    shown = WorkFilters()
    asked = WorkFilters(include_dismantled=True)
    assert len(follow_up.follow_up(session, reader, shown, today=TODAY).rows) == 1
    tower.lifecycle = "dismantled"
    session.flush()
    assert follow_up.follow_up(session, reader, shown, today=TODAY).rows == []
    assert follow_up.count(session, reader, shown, today=TODAY) == 0
    assert lists.towers(session, reader, shown, today=TODAY).rows == []
    assert queries.counts_by_condition(session, reader, today=TODAY) == {}
    assert len(follow_up.follow_up(session, reader, asked, today=TODAY).rows) == 1
    assert [one.code for one in lists.towers(session, reader, asked, today=TODAY).rows] == [
        tower.code
    ]
    assert open_items(session, tower) == {"clb_ladder"}
