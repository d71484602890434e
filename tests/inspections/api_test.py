"""Inspections through the API: sent again, corrected, reviewed, and every wrong body refused."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from inspections.models import Inspection, Submission
from tests import doors, makers
from tests.doors import ANSWERS, answered, counts, refused, visit

PATH = "/api/v1/inspections"


@pytest.fixture
def inspector(app: Flask, session: Session) -> FlaskClient:
    """An inspector, beside a tower `T-1` of known and one `T-2` of unknown type."""
    doors.published(session)
    makers.tower(session, code="T-1")
    makers.tower(session, code="T-2", structure_type="unknown")
    return doors.client_of(app, session, makers.user(session, "inspector"))


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    return doors.client_of(app, session, makers.user(session, "staff"))


def body(tower: str = "T-1", **facts: Any) -> dict[str, Any]:
    return {**visit(tower, **facts), "id": str(uuid.uuid4())}


def test_an_inspection_is_recorded_and_judged(inspector: FlaskClient) -> None:
    sent = body(
        note="Gió lớn", position={"latitude": 10.46, "longitude": 105.63, "accuracy_m": 7.5}
    )
    response = inspector.post(PATH, json=sent)
    made = answered(response, 201)
    assert response.headers["Location"] == f"{PATH}/{sent['id']}"
    assert response.headers["ETag"] == '"v1"'
    assert (made["status"], made["complete"], made["note"]) == ("submitted", False, "Gió lớn")
    assert made["position"] == sent["position"]
    assert made["answers"] == sent["answers"]
    assert made["judgements"]["clb_ladder"]["severity"] == "major"
    assert made["judgements"]["sit_fence"]["severity"] is None
    assert {one["item"] for one in made["violations"]} == {"clb_ladder", "gnd_air_terminal"}
    assert answered(inspector.get(f"{PATH}/{sent['id']}"), 200) == made
    tower = answered(inspector.get("/api/v1/towers/T-1"), 200)
    assert (tower["condition"], tower["open_violations"]) == ("needs_follow_up", 2)
    listed = answered(inspector.get("/api/v1/violations?tower=T-1"), 200)["items"]
    by_item = {one["item"]: one for one in listed}
    assert by_item["clb_ladder"]["recommendation"]
    assert by_item["clb_ladder"]["legal_basis"] is None
    assert not by_item["gnd_air_terminal"]["recommendation"]
    assert by_item["gnd_air_terminal"]["legal_basis"]["document"]
    one = answered(inspector.get(f"/api/v1/violations/{by_item['clb_ladder']['id']}"), 200)
    assert [event["kind"] for event in one["events"]] == ["found"]


def test_sending_it_again_is_harmless(inspector: FlaskClient, session: Session) -> None:
    sent = body()
    first = answered(inspector.post(PATH, json=sent), 201)
    before = counts(session)
    backwards = dict(reversed(sent.items()))
    for again in (sent, backwards):
        assert answered(inspector.post(PATH, json=again), 200) == first
    assert counts(session) == before


def test_another_body_under_a_known_number_is_kept_for_review(
    inspector: FlaskClient, session: Session
) -> None:
    sent = body()
    first = answered(inspector.post(PATH, json=sent), 201)
    problem = refused(inspector.post(PATH, json={**sent, "note": "khác"}), 409)
    assert problem["code"] == "different_body"
    assert answered(inspector.get(f"{PATH}/{sent['id']}"), 200) == first
    session.commit()
    kept = session.scalars(select(Submission).where(Submission.outcome == "conflict")).all()
    assert [one.body["note"] for one in kept] == ["khác"]


def test_a_conflict_that_is_sent_again_is_kept_once(
    inspector: FlaskClient, session: Session
) -> None:
    sent = body()
    answered(inspector.post(PATH, json=sent), 201)
    for _ in range(3):
        refused(inspector.post(PATH, json={**sent, "note": "khác"}), 409)
    session.commit()
    kept = session.scalars(select(Submission).where(Submission.outcome == "conflict")).all()
    assert len(kept) == 1


def test_the_number_of_somebody_else_is_not_there(
    app: Flask, inspector: FlaskClient, session: Session
) -> None:
    sent = body()
    answered(inspector.post(PATH, json=sent), 201)
    other = doors.client_of(app, session, makers.user(session, "inspector"))
    before = counts(session)
    refused(other.post(PATH, json=sent), 404)
    refused(other.post(PATH, json={**sent, "note": "khác"}), 404)
    put = {key: value for key, value in sent.items() if key != "id"}
    refused(other.put(f"{PATH}/{sent['id']}", json=put, headers={"If-Match": "*"}), 404)
    refused(doors.send_photo(other, uuid.UUID(sent["id"])), 404)
    assert counts(session) == before


def test_a_draft_counts_only_when_it_is_submitted(inspector: FlaskClient) -> None:
    sent = body(submit=False)
    made = answered(inspector.post(PATH, json=sent), 201)
    assert (made["status"], made["submitted_at"]) == ("draft", None)
    assert made["violations"] == []
    assert answered(inspector.get("/api/v1/towers/T-1"), 200)["condition"] == "unchecked"
    done = answered(
        inspector.put(f"{PATH}/{sent['id']}", json=visit("T-1"), headers={"If-Match": '"v1"'}),
        200,
    )
    assert (done["status"], done["version"]) == ("submitted", 2)
    assert len(done["violations"]) == 2


def test_a_correction_names_its_version_and_withdraws_what_it_takes_back(
    inspector: FlaskClient, session: Session
) -> None:
    sent = body()
    made = answered(inspector.post(PATH, json=sent), 201)
    corrected = visit("T-1", answers={**ANSWERS, "clb_ladder": {"outcome": "ok", "value": "yes"}})
    path = f"{PATH}/{sent['id']}"
    before = counts(session)
    refused(inspector.put(path, json=corrected), 428)
    refused(inspector.put(path, json=corrected, headers={"If-Match": '"v7"'}), 412)
    assert counts(session) == before
    response = inspector.put(path, json=corrected, headers={"If-Match": '"v1"'})
    assert answered(response, 200)["version"] == 2
    assert response.headers["ETag"] == '"v2"'
    states = {
        one["item"]: one["state"]
        for one in answered(inspector.get("/api/v1/violations?tower=T-1"), 200)["items"]
    }
    assert states == {"clb_ladder": "withdrawn", "gnd_air_terminal": "open"}
    assert made["version"] == 1


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"submit": False}, 409),
        ({"kind": "complaint"}, 409),
        ({"tower": "T-2"}, 422),
        ({"structure_type": "monopole"}, 422),
        ({"answers": {}}, 422),
    ],
)
def test_what_a_submitted_inspection_cannot_become(
    inspector: FlaskClient, session: Session, changes: dict[str, Any], status: int
) -> None:
    sent = body()
    answered(inspector.post(PATH, json=sent), 201)
    before = counts(session)
    put = {**visit("T-1"), **changes}
    refused(inspector.put(f"{PATH}/{sent['id']}", json=put, headers={"If-Match": "*"}), status)
    assert counts(session) == before


def test_a_type_that_nobody_knew_is_determined_first(
    inspector: FlaskClient, session: Session
) -> None:
    before = counts(session)
    problem = refused(inspector.post(PATH, json=body("T-2")), 422)
    assert list(problem["fields"]) == ["structure_type"]
    assert counts(session) == before
    answered(inspector.post(PATH, json=body("T-2", structure_type="lattice_self_support")), 201)
    tower = answered(inspector.get("/api/v1/towers/T-2"), 200)
    assert (tower["structure_type"], tower["version"]) == ("lattice_self_support", 2)


def far(days: int) -> str:
    return "day+" + str(days)


BAD: list[tuple[str, Any, int]] = [
    ("id", "1", 422),
    ("id", None, 422),
    ("tower", "KHONG-CO", 422),
    ("tower", "", 422),
    ("tower", 5, 422),
    ("tower", "x" * 65, 422),
    ("kind", "party", 422),
    ("kind", None, 422),
    ("inspected_on", far(1), 422),
    ("inspected_on", far(400), 422),
    ("inspected_on", "9999-12-31", 422),
    ("inspected_on", "0001-01-01", 422),
    ("inspected_on", "1899-12-31", 422),
    ("inspected_on", "2026-02-30", 422),
    ("inspected_on", "yesterday", 422),
    ("inspected_on", 20260101, 422),
    ("inspected_on", "2026-01-01T00:00:00", 422),
    ("checklist_version", 99, 404),
    ("checklist_version", 0, 422),
    ("checklist_version", "1", 422),
    ("checklist_version", 1.5, 422),
    ("structure_type", "ladder", 422),
    ("position", {"latitude": 91, "longitude": 1}, 422),
    ("position", {"latitude": 10}, 422),
    ("position", [10, 105], 422),
    ("position", {"latitude": 10, "longitude": 105, "accuracy_m": -1}, 422),
    ("position", {"latitude": 10, "longitude": 105, "altitude": 1}, 422),
    ("note", "x" * 8001, 422),
    ("note", None, 422),
    ("assessment_requested", "yes", 422),
    ("assessment_requested", 1, 422),
    ("submit", "true", 422),
    ("submit", None, 422),
    ("answers", [], 422),
    ("answers", {"clb_ladder": "no"}, 422),
    ("answers", {"clb_ladder": {}}, 422),
    ("answers", {"clb_ladder": {"outcome": "bad"}}, 422),
    ("answers", {"clb_ladder": {"outcome": "ok"}}, 422),
    ("answers", {"clb_ladder": {"outcome": "ok", "value": "maybe"}}, 422),
    ("answers", {"clb_ladder": {"outcome": "ok", "value": {"a": 1}}}, 422),
    ("answers", {"clb_ladder": {"outcome": "ok", "value": ["no"]}}, 422),
    ("answers", {"clb_ladder": {"outcome": "ok", "value": True}}, 422),
    ("answers", {"clb_ladder": {"outcome": "not_checked"}}, 422),
    ("answers", {"clb_ladder": {"outcome": "ok", "value": "yes", "extra": 1}}, 422),
    ("answers", {"no_such_item": {"outcome": "ok", "value": "yes"}}, 422),
    ("answers", {"guy_tension": {"outcome": "ok", "value": "1"}}, 422),
    ("answers", {"fnd_settlement": {"outcome": "ok", "value": "abc"}}, 422),
    ("answers", {"fnd_settlement": {"outcome": "ok", "value": 1e300}}, 422),
    ("answers", {"fnd_settlement": {"outcome": "ok", "value": -5}}, 422),
    ("answers", {"fnd_settlement": {"outcome": "ok", "value": [1]}}, 422),
    ("answers", {"fnd_anchor_bolt_missing": {"outcome": "ok", "value": 1.5}}, 422),
    ("answers", {"fnd_concrete": {"outcome": "ok", "value": "hairy"}}, 422),
    ("answers", {"str_plumb": {"outcome": "ok", "value": 3}}, 422),
    ("answers", {"str_plumb": {"outcome": "ok", "inputs": [1]}}, 422),
    ("answers", {"str_plumb": {"outcome": "ok", "inputs": {"moon": 3}}}, 422),
    ("answers", {"gnd_resistance": {"outcome": "ok", "value": 3, "record_also": {"x": []}}}, 422),
    ("answers", {"sit_fence": {"outcome": "ok", "value": "yes", "record_also": {"x": 1}}}, 422),
    ("answers", {"x" * 101: {"outcome": "ok"}}, 422),
    ("answers", {f"k{n}": {"outcome": "ok"} for n in range(501)}, 422),
    ("violations", [], 422),
    ("status", "accepted", 422),
    ("inspector", "me", 422),
]


@pytest.mark.parametrize(("field", "value", "status"), BAD, ids=range(len(BAD)))
def test_a_wrong_body_is_refused_and_nothing_is_written(
    inspector: FlaskClient, session: Session, field: str, value: Any, status: int
) -> None:
    if isinstance(value, str) and value.startswith("day+"):
        value = (clock.today() + timedelta(days=int(value[4:]))).isoformat()
    before = counts(session)
    problem = refused(inspector.post(PATH, json={**body(), field: value}), status)
    if status == 422:
        assert {name.partition(".")[0] for name in problem["fields"]} == {field}
    assert counts(session) == before


def test_odd_record_also_of_every_item_is_refused_or_taken_never_broken(
    inspector: FlaskClient, session: Session
) -> None:
    from inspections.services.checklists import shipped_document

    asking = [
        item
        for item in shipped_document()["items"]
        if item["answer"].get("record_also") or item["answer"].get("derived")
    ]
    assert asking
    for item in asking:
        for odd in ([], {}, [[1]], {"a": []}, True, None, "", "x" * 100, 1e30, -1):
            keys = [one["key"] for one in item["answer"].get("record_also", [])] or ["x"]
            answer = {
                "outcome": "ok",
                "value": odd,
                "inputs": dict.fromkeys(("offset_mm", "measured_kN"), odd),
                "record_also": dict.fromkeys(keys, odd),
            }
            response = inspector.post(PATH, json=body(answers={**ANSWERS, item["key"]: answer}))
            assert response.status_code in {201, 422}, (item["key"], odd, response.status_code)


def test_a_failing_answer_that_needs_a_photo_is_refused_without_one(
    inspector: FlaskClient, session: Session
) -> None:
    sent = body(answers={"str_leg_defect": {"outcome": "ok", "value": "yes"}})
    before = counts(session)
    problem = refused(inspector.post(PATH, json=sent), 422)
    assert list(problem["fields"]) == ["answers.str_leg_defect"]
    assert counts(session) == before
    answered(inspector.post(PATH, json={**sent, "submit": False}), 201)
    photo = doors.send_photo(inspector, uuid.UUID(sent["id"]), item="str_leg_defect")
    answered(photo, 201)
    put = visit("T-1", answers=sent["answers"])
    done = answered(inspector.put(f"{PATH}/{sent['id']}", json=put, headers={"If-Match": "*"}), 200)
    assert done["violations"][0]["severity"] == "critical"
    assert answered(inspector.get("/api/v1/towers/T-1"), 200)["condition"] == "dangerous"


def review(client: FlaskClient, number: str, tag: str | None = "*", **decision: Any):
    headers = {"If-Match": tag} if tag else {}
    return client.post(f"{PATH}/{number}/review", json=decision, headers=headers)


def test_a_returned_inspection_no_longer_counts_until_it_comes_again(
    inspector: FlaskClient, staff: FlaskClient
) -> None:
    sent = body()
    answered(inspector.post(PATH, json=sent), 201)
    back = answered(review(staff, sent["id"], decision="return", reason="thiếu ảnh"), 200)
    assert (back["status"], back["review_reason"]) == ("returned", "thiếu ảnh")
    assert answered(inspector.get("/api/v1/towers/T-1"), 200)["condition"] == "unchecked"
    again = inspector.put(f"{PATH}/{sent['id']}", json=visit("T-1"), headers={"If-Match": '"v2"'})
    assert answered(again, 200)["status"] == "submitted"
    assert answered(inspector.get("/api/v1/towers/T-1"), 200)["open_violations"] == 2
    assert answered(review(staff, sent["id"], decision="accept"), 200)["status"] == "accepted"


@pytest.mark.parametrize(
    ("tag", "decision", "status"),
    [
        (None, {"decision": "accept"}, 428),
        ('"v9"', {"decision": "accept"}, 412),
        ("*", {"decision": "void"}, 422),
        ("*", {}, 422),
        ("*", {"decision": "return"}, 422),
        ("*", {"decision": "return", "reason": "   "}, 422),
        ("*", {"decision": "return", "reason": "x" * 4001}, 422),
        ("*", {"decision": "accept", "by": "me"}, 422),
    ],
)
def test_a_wrong_review_changes_nothing(
    inspector: FlaskClient,
    staff: FlaskClient,
    session: Session,
    tag: str | None,
    decision: dict[str, Any],
    status: int,
) -> None:
    sent = body()
    made = answered(inspector.post(PATH, json=sent), 201)
    before = counts(session)
    refused(review(staff, sent["id"], tag, **decision), status)
    assert counts(session) == before
    assert answered(staff.get(f"{PATH}/{sent['id']}"), 200) == made


def test_no_status_can_be_jumped(
    inspector: FlaskClient, staff: FlaskClient, session: Session
) -> None:
    draft = body(submit=False)
    answered(inspector.post(PATH, json=draft), 201)
    before = counts(session)
    refused(review(staff, draft["id"], decision="accept"), 409)
    refused(review(staff, draft["id"], decision="return", reason="x"), 409)
    assert counts(session) == before
    done = body()
    answered(inspector.post(PATH, json=done), 201)
    answered(review(staff, done["id"], decision="accept"), 200)
    before = counts(session)
    refused(review(staff, done["id"], decision="return", reason="x"), 409)
    refused(review(staff, done["id"], decision="accept"), 409)
    put = visit("T-1", note="sau khi duyệt")
    refused(inspector.put(f"{PATH}/{done['id']}", json=put, headers={"If-Match": "*"}), 409)
    refused(doors.send_photo(inspector, uuid.UUID(done["id"])), 409)
    assert counts(session) == before


def test_a_load_safety_assessment_is_asked_for_once(
    staff: FlaskClient, inspector: FlaskClient, session: Session
) -> None:
    path = f"{PATH}/assessment-requests"
    before = counts(session)
    for wrong in ({}, {"tower": "T-1"}, {"tower": "T-1", "reason": " "},
                  {"tower": "KHONG-CO", "reason": "x"}, {"tower": "T-1", "reason": 5}):  # fmt: skip
        refused(staff.post(path, json=wrong), 422)
    assert counts(session) == before
    made = answered(staff.post(path, json={"tower": "T-1", "reason": "rung mạnh"}), 201)
    assert made["deadline"] > clock.today().isoformat()
    tower = answered(staff.get("/api/v1/towers/T-1"), 200)
    assert tower["condition"] == "assessment_needed"
    before = counts(session)
    refused(inspector.post(path, json={"tower": "T-1", "reason": "nữa"}), 409)
    assert counts(session) == before
    listed = answered(staff.get("/api/v1/follow-up"), 200)["items"]
    assert [(one["kind"], one["tower"], one["severity"]) for one in listed] == [
        ("assessment", "T-1", None)
    ]


def test_lists_are_whole_over_pages(inspector: FlaskClient, session: Session) -> None:
    for number in range(7):
        makers.tower(session, code=f"P-{number}")
    session.commit()
    sent = [body(f"P-{number}") for number in range(7)]
    for one in sent:
        answered(inspector.post(PATH, json=one), 201)
    for path, key, whole in (
        (PATH, "id", {one["id"] for one in sent}),
        ("/api/v1/violations", "tower", {f"P-{number}" for number in range(7)}),
        ("/api/v1/follow-up", "tower", {f"P-{number}" for number in range(7)}),
    ):
        seen: list[dict[str, Any]] = []
        cursor = None
        for _ in range(20):
            query = {"limit": "3", **({"cursor": cursor} if cursor else {})}
            page = answered(inspector.get(path, query_string=query), 200)
            assert len(page["items"]) <= 3
            seen += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert {one[key] for one in seen} == whole, path
        assert len({one["id"] for one in seen}) == len(seen), path
        at_once = answered(inspector.get(path, query_string={"limit": "500"}), 200)["items"]
        assert at_once == seen, path


def test_the_list_is_filtered(inspector: FlaskClient, staff: FlaskClient) -> None:
    draft, done = body(submit=False), body(kind="after_storm")
    for one in (draft, done):
        answered(inspector.post(PATH, json=one), 201)

    def ids(client: FlaskClient, **query: str) -> set[str]:
        found = answered(client.get(PATH, query_string=query), 200)["items"]
        return {one["id"] for one in found}

    assert ids(inspector, status="draft") == {draft["id"]}
    assert ids(inspector, kind="after_storm") == {done["id"]}
    assert ids(inspector, tower="T-2") == set()
    assert ids(inspector, mine="true") == {draft["id"], done["id"]}
    assert ids(staff, mine="true") == set()


def test_the_catalogue_is_read_whole(inspector: FlaskClient) -> None:
    (head,) = answered(inspector.get("/api/v1/checklists"), 200)["items"]
    assert (head["version"], head["status"]) == (1, "published")
    whole = answered(inspector.get("/api/v1/checklists/1"), 200)
    assert len(whole["content"]["items"]) == 52
    refused(inspector.get("/api/v1/checklists/2"), 404)


def test_without_a_catalogue_the_answer_says_so(app: Flask, session: Session) -> None:
    makers.tower(session, code="T-1")
    client = doors.client_of(app, session, makers.user(session, "inspector"))
    before = counts(session)
    refused(client.post(PATH, json=body()), 503)
    assert counts(session) == before
    session.commit()
    assert session.scalar(select(Inspection.id)) is None
