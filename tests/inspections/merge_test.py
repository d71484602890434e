"""Two entries of one structure: no inspection is lost, and no defect counts twice."""

from __future__ import annotations

import uuid

import pytest
from geoalchemy2 import WKTElement
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.audit import AuditEntry
from core.errors import Conflict, Forbidden, Invalid
from core.geo import SRID
from core.policy import SYSTEM
from inspections.models import Inspection, LoadAssessment, Violation, ViolationEvent
from inspections.queries import lists
from inspections.rules.violation import EventKind
from inspections.services import condition
from inspections.services.assessments import request_assessment
from inspections.services.steps import Step, take_step
from tests import doors, makers
from tests.inspections.visits import (
    CRITICAL,
    FIXED,
    MAJOR,
    MINOR,
    NOW,
    TODAY,
    correct,
    days,
    events,
    inspected,
    passing,
    published,
    violations,
    visit,
)
from towers.models import Document, GuyAnchor, Tower, TowerMerge
from towers.queries import parts
from towers.queries.merges import successors, with_predecessors
from towers.services.merge import merge_towers


@pytest.fixture
def inspector(session: Session):
    return makers.actor(session, "inspector")


@pytest.fixture
def pair(session: Session) -> tuple[Tower, Tower]:
    published(session)
    keep = makers.tower(session, code="DT-1", name="Trạm Một", built_year=2010)
    drop = makers.tower(
        session, code="DT-2", name="Trạm 1", latitude=10.4602, height_m=45, address="Ấp 3",
        structure_type=keep.structure_type,
    )  # fmt: skip
    return keep, drop


@pytest.fixture(autouse=True)
def recomputation_agrees(session: Session):
    yield
    session.flush()
    session.expire_all()
    assert [code for code, differs in condition.recompute(session) if differs] == []


def merged(session: Session, keep: Tower, drop: Tower, take=(), by=None) -> uuid.UUID:
    session.expire_all()
    old = drop.id
    merge_towers(
        session, keep, drop, take=take, by=by or makers.actor(session, "staff"), now=NOW + days(30),
        today=TODAY + days(30),
    )  # fmt: skip
    session.expire_all()
    return old


def test_every_inspection_moves_and_the_condition_follows(session, pair, inspector) -> None:
    keep, drop = pair
    first = inspected(session, keep, by=inspector, now=NOW - days(90))
    second = inspected(session, drop, by=inspector, **MAJOR)
    assert (keep.condition, drop.condition) == ("ok", "needs_follow_up")
    old = merged(session, keep, drop)
    assert session.get(Tower, old) is None
    assert {first.tower_id, second.tower_id} == {keep.id}
    assert (keep.condition, keep.open_violations) == ("needs_follow_up", 1)
    assert keep.last_inspected_on == second.inspected_on
    assert set(violations(session, keep)) == {"clb_ladder"}


def test_fields_are_chosen_one_by_one_and_the_row_that_left_is_kept(session, pair) -> None:
    keep, drop = pair
    old = merged(session, keep, drop, take=["height_m", "address", "position"])
    assert (keep.code, keep.name, keep.height_m, keep.address) == ("DT-1", "Trạm Một", 45, "Ấp 3")
    assert keep.built_year == 2010
    record = session.get_one(TowerMerge, old)
    assert (record.old_code, record.into_id) == ("DT-2", keep.id)
    assert (record.snapshot["name"], record.snapshot["height_m"]) == ("Trạm 1", "45.0")
    assert (record.snapshot["latitude"], record.snapshot["condition"]) == (10.4602, "unchecked")
    assert successors(session) == {"DT-2": "DT-1"}
    assert set(with_predecessors(session, keep)) == {keep.id, old}


GROUND = "POLYGON((105.63 10.46, 105.6301 10.46, 105.6301 10.4601, 105.63 10.46))"


def test_the_ground_of_the_tower_that_leaves_is_taken_where_the_other_has_none(
    session, pair
) -> None:
    keep, drop = pair
    drop.footprint = WKTElement(GROUND, srid=SRID)
    session.flush()
    old = merged(session, keep, drop)
    ground = parts.footprint(session, keep.id)
    assert ground is not None and ground["type"] == "Polygon"
    assert session.get_one(TowerMerge, old).snapshot["footprint"] == ground
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "tower.merge")).one()
    assert entry.after["footprint"] == ground


def test_its_own_ground_stays_and_the_other_is_kept_with_the_row_that_left(session, pair) -> None:
    keep, drop = pair
    keep.footprint = WKTElement(GROUND, srid=SRID)
    drop.footprint = WKTElement(GROUND.replace("105.6301", "105.6302"), srid=SRID)
    own = parts.footprint(session, keep.id)
    old = merged(session, keep, drop)
    assert parts.footprint(session, keep.id) == own
    left = session.get_one(TowerMerge, old).snapshot["footprint"]
    assert [105.6302, 10.46] in left["coordinates"][0]


def test_the_day_of_a_life_cycle_goes_with_it(session, pair) -> None:
    keep, drop = pair
    keep.lifecycle_since = TODAY - days(900)
    drop.lifecycle, drop.lifecycle_since = "dismantled", TODAY - days(9)
    session.flush()
    merged(session, keep, drop, take=["lifecycle"])
    assert (keep.lifecycle, keep.lifecycle_since) == ("dismantled", TODAY - days(9))


def test_the_same_defect_goes_on_once_with_both_histories(session, pair, inspector) -> None:
    keep, drop = pair
    inspected(session, keep, by=inspector, now=NOW - days(60), **MAJOR)
    inspected(session, drop, by=inspector, now=NOW, **MAJOR)
    older, newer = violations(session, keep)["clb_ladder"], violations(session, drop)["clb_ladder"]
    deadline = older.deadline
    merged(session, keep, drop)
    assert (older.state, newer.state) == ("open", "withdrawn")
    assert newer.continued_in_id == older.id
    assert events(session, older) == [("found", "major"), ("found", "major")]
    assert events(session, newer) == [("found", "major"), ("continued", None)]
    assert (older.deadline, older.found_on) == (deadline, (NOW - days(60)).date())
    assert keep.open_violations == 1
    # What was said is told as it was: when, and by whom.
    copied = lists.events_of(session, older.id)[1]
    assert (copied.at, copied.by_id) == (NOW, inspector.id)
    assert list(lists.continued_by(session, older)) == [newer]


def test_the_defect_found_first_goes_on_whichever_tower_stays(session, pair, inspector) -> None:
    keep, drop = pair
    inspected(session, drop, by=inspector, now=NOW - days(60), **MINOR)
    inspected(session, keep, by=inspector, now=NOW, **MINOR)
    older, newer = violations(session, drop)["sit_fence"], violations(session, keep)["sit_fence"]
    merged(session, keep, drop)
    assert (older.state, newer.state) == ("open", "withdrawn")
    assert older.tower_id == newer.tower_id == keep.id


def test_the_one_that_has_come_further_with_its_owner_goes_on(session, pair, inspector) -> None:
    keep, drop = pair
    inspected(session, keep, by=inspector, now=NOW - days(60), **MAJOR)
    inspected(session, drop, by=inspector, now=NOW - days(20), **MAJOR)
    notified = violations(session, drop)["clb_ladder"]
    staff = makers.actor(session, "staff")
    for kind in (EventKind.CONFIRMED, EventKind.NOTIFIED):
        take_step(session, notified, Step(kind), by=staff, now=NOW, today=TODAY)
    merged(session, keep, drop)
    assert (notified.state, notified.stage, notified.tower_id) == ("open", "notified", keep.id)
    assert notified.found_on == (NOW - days(60)).date()
    # What was found first stands first, whenever it was written down.
    assert [kind for kind, _ in events(session, notified)] == [
        "found", "found", "confirmed", "notified",
    ]  # fmt: skip


def test_measures_taken_at_one_entry_count_for_the_structure(
    session, pair, inspector, tmp_path
) -> None:
    keep, drop = pair
    for tower, ago in ((keep, 9), (drop, 8)):
        inspected(
            session, tower, by=inspector, folder=tmp_path, photos=["ant_mount"],
            now=NOW - days(ago), **CRITICAL,
        )  # fmt: skip
    goes_on, ends = (violations(session, tower)["ant_mount"] for tower in pair)
    staff = makers.actor(session, "staff")
    secured = Step(EventKind.EMERGENCY_MEASURES, reason="đã neo tạm")
    take_step(session, ends, secured, by=staff, now=NOW, today=TODAY)
    assert goes_on.emergency_by is not None
    merged(session, keep, drop)
    assert goes_on.emergency_by is None


def test_a_correction_after_the_merge_finds_its_own_words(session, pair, inspector) -> None:
    keep, drop = pair
    inspected(session, keep, by=inspector, now=NOW - days(60), **MAJOR)
    second = inspected(session, drop, by=inspector, now=NOW, **MAJOR)
    goes_on = violations(session, keep)["clb_ladder"]
    merged(session, keep, drop)
    correct(session, second, visit(passing(keep)), by=inspector, now=NOW + days(31))
    assert events(session, goes_on)[-1] == ("withdrawn", None)
    assert goes_on.state == "open"
    assert session.scalar(select(func.count()).select_from(Violation)) == 2
    assert list(lists.found_by(session, second.id)) == [goes_on]


def test_a_reinspection_corrected_after_the_merge_closes_what_goes_on(
    session, pair, inspector
) -> None:
    keep, drop = pair
    inspected(session, keep, by=inspector, now=NOW - days(60), **MAJOR)
    inspected(session, drop, by=inspector, now=NOW - days(50), **MAJOR)
    again = inspected(
        session, drop, by=inspector, now=NOW - days(5), kind="reinspection", only=MAJOR
    )
    goes_on = violations(session, keep)["clb_ladder"]
    merged(session, keep, drop)
    correct(session, again, visit(FIXED, kind="reinspection"), by=inspector, now=NOW + days(31))
    assert goes_on.state == "closed"
    assert keep.open_violations == 0


def test_a_reinspection_closes_the_merged_defect(session, pair, inspector) -> None:
    keep, drop = pair
    for tower, ago in ((keep, 60), (drop, 50)):
        inspected(session, tower, by=inspector, now=NOW - days(ago), **MAJOR)
    merged(session, keep, drop)
    inspected(session, keep, by=inspector, now=NOW + days(40), kind="reinspection", only=FIXED)
    assert keep.open_violations == 0
    states = session.scalars(select(Violation.state).order_by(Violation.state)).all()
    assert states == ["closed", "withdrawn"]


def test_three_entries_of_one_structure_become_one(session, pair, inspector) -> None:
    keep, drop = pair
    third = makers.tower(session, code="DT-3")
    for tower, ago in ((keep, 10), (drop, 20), (third, 30)):
        inspected(session, tower, by=inspector, now=NOW - days(ago), **MAJOR)
    merged(session, drop, third)
    merged(session, keep, drop)
    assert successors(session) == {"DT-2": "DT-1", "DT-3": "DT-1"}
    assert keep.open_violations == 1
    (goes_on,) = session.scalars(select(Violation).where(Violation.state == "open"))
    assert events(session, goes_on) == [("found", "major")] * 3


def test_the_photo_and_its_inspection_stay_together(session, pair, inspector, tmp_path) -> None:
    keep, drop = pair
    inspection = inspected(
        session, drop, by=inspector, folder=tmp_path, photos=["ant_mount"], **CRITICAL
    )
    merged(session, keep, drop)
    photos = lists.photos_of_tower(session, makers.actor(session, "staff"), keep.id)
    assert [one.inspection_id for one in photos] == [inspection.id]
    assert keep.condition == "dangerous"


def test_of_two_requests_for_an_assessment_the_earlier_stays(session, pair) -> None:
    keep, drop = pair
    staff = makers.actor(session, "staff")
    for tower, ago, reason in ((keep, 3, "rung"), (drop, 9, "nghiêng")):
        request_assessment(
            session, tower, reason=reason, by=staff, now=NOW - days(ago), today=TODAY - days(ago)
        )
        condition.refresh(session, tower)
    merged(session, keep, drop)
    left = session.scalars(select(LoadAssessment)).one()
    assert (left.reason, left.tower_id, left.requested_on) == ("nghiêng", keep.id, TODAY - days(9))
    assert keep.condition == "assessment_needed"
    told = session.scalars(select(AuditEntry).where(AuditEntry.action == "assessment.join")).one()
    assert told.before["reason"] == "rung"


def test_parts_of_the_register_move_too(session, pair) -> None:
    keep, drop = pair
    for tower in pair:
        for number in (1, 2):
            session.add(GuyAnchor(tower_id=tower.id, number=number, geom=tower.geom))
    session.flush()
    merged(session, keep, drop)
    numbers = session.scalars(select(GuyAnchor.number).order_by(GuyAnchor.number)).all()
    assert numbers == [1, 2, 3, 4]


def test_a_code_that_left_is_not_given_to_another_tower(session, pair) -> None:
    from core.geo import Position
    from towers.coordinates import Reading
    from towers.services import create_tower, update_tower

    keep, drop = pair
    merged(session, keep, drop)
    values = {"code": "DT-2", "name": "x", "structure_type": "unknown", "services": []}
    with pytest.raises(Conflict) as caught:
        create_tower(
            session, reading=Reading.of(Position(10.5, 105.5)), values=values, by=SYSTEM, now=NOW
        )
    assert caught.value.facts["kept"] == "DT-1"
    # Its own tower may take it back; then it leads there by itself, and the other code too.
    update_tower(session, keep, values={"code": "DT-2"}, by=SYSTEM, now=NOW)
    assert successors(session) == {"DT-1": "DT-2"}


def test_a_merge_wants_two_towers_known_fields_and_staff(session, pair) -> None:
    keep, drop = pair
    with pytest.raises(Conflict):
        merged(session, keep, keep)
    for wrong in (["code"], ["condition"], ["x"]):
        with pytest.raises(Invalid):
            merged(session, keep, drop, take=wrong)
    for role in ("inspector", "admin", "local_officer"):
        with pytest.raises(Forbidden):
            merged(session, keep, drop, by=makers.actor(session, role))
    assert session.scalar(select(func.count()).select_from(Tower)) == 2


# Doors


def test_addresses_of_the_tower_that_left_lead_to_the_one_that_stayed(session, world, sign_in):
    keep = makers.tower(session, code="GIU-1", longitude=105.5, commune=world.here.commune)
    session.commit()
    staff = world["staff"]
    old, document = world.here.tower.code, world.here.document
    path = f"/towers/{keep.code}/merge"
    shown = staff.get(f"{path}?lang=en&other={old}").get_data(as_text=True)
    for line in ("Inspections: 1", "Violations: 2", "Documents: 1", "Proposals: 1"):
        assert line in shown
    form = {
        "other": old, "version": "1", "other_version": "1", "take.name": "other",
        "take.height_m": "keep", "confirmed": "1",
    }  # fmt: skip
    before = doors.counts(session)
    for change, status in (
        ({"confirmed": None}, 422),
        ({"version": "2"}, 409),
        ({"other_version": ""}, 409),
        ({"other": keep.code}, 422),
        ({"other": "KHONG-CO"}, 422),
        ({"other": "a\x00b"}, 422),
    ):
        data = {key: value for key, value in {**form, **change}.items() if value is not None}
        assert staff.post(path, data=data).status_code == status, change
    assert doors.counts(session) == before
    assert staff.post(path, data=form).status_code == 302
    session.expire_all()
    assert keep.name == world.here.words.replace("TRU-here", "Trạm here Ngọc Điểm")
    for page in ("", "/edit", "/merge"):
        moved = staff.get(f"/towers/{old}{page}?lang=en")
        assert (moved.status_code, moved.headers["Location"]) == (
            301,
            f"/towers/GIU-1{page}?lang=en",
        )
    gone = doors.refused(staff.get(f"/api/v1/towers/{old}"), 410)
    assert gone["facts"]["to"] == {"code": "GIU-1"}
    doors.refused(world["elsewhere"].get(f"/api/v1/towers/{old}"), 404)
    listed = doors.answered(staff.get("/api/v1/documents?tower=GIU-1"), 200)
    assert [one["id"] for one in listed["items"]] == [str(document)]
    history = staff.get("/towers/GIU-1?lang=en").get_data(as_text=True)
    assert "A duplicate was merged into this tower" in history
    assert "Document added" in history
    assert session.get_one(Document, document).tower_id == keep.id


def test_a_phone_that_was_away_still_brings_its_visit(session, world) -> None:
    keep = makers.tower(session, code="GIU-1", longitude=105.5, commune=world.here.commune)
    session.commit()
    old = world.here.tower.code
    body = {"keep": "GIU-1", "drop": old, "drop_version": 1, "take": ["height_m"]}
    staff, tag = world["staff"], {"If-Match": '"v1"'}
    doors.refused(staff.post("/api/v1/tower-merges", json=body), 428)
    for change, status in (
        ({"drop_version": 2}, 412),
        ({"drop": "GIU-1"}, 409),
        ({"drop": "KHONG-CO"}, 404),
        ({"take": ["code"]}, 422),
        ({"take": "name"}, 422),
    ):
        response = staff.post("/api/v1/tower-merges", json={**body, **change}, headers=tag)
        doors.refused(response, status)
    doors.answered(staff.post("/api/v1/tower-merges", json=body, headers=tag), 201)
    session.expire_all()
    number = str(uuid.uuid4())
    brought = {**doors.visit(old), "id": number, "kind": "complaint"}
    made = doors.answered(world["inspector"].post("/api/v1/inspections", json=brought), 201)
    assert made["tower"] == "GIU-1"
    corrected = world["inspector"].put(
        f"/api/v1/inspections/{number}",
        json={**doors.visit(old, note="đã sửa"), "kind": "complaint"},
        headers={"If-Match": '"v1"'},
    )
    doors.answered(corrected, 200)
    assert session.get_one(Inspection, uuid.UUID(number)).tower_id == keep.id
    found = session.scalars(
        select(ViolationEvent.violation_id).where(ViolationEvent.inspection_id == uuid.UUID(number))
    ).all()
    assert world.here.violation in found
