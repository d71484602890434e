"""A load-safety assessment is answered with its report: the only way out of that condition."""

from __future__ import annotations

import io
import uuid
from datetime import timedelta

import pytest
from sqlalchemy import select

from core.audit import AuditEntry
from core.errors import Conflict, Forbidden, Invalid, NotFound
from inspections.models import LoadAssessment
from inspections.queries import assessments as queries
from inspections.queries import follow_up
from inspections.queries.follow_up import WorkFilters
from inspections.services import condition
from inspections.services.assessments import Report, answer_assessment, request_assessment
from tests import doors, makers
from tests.doors import answered
from tests.inspections.visits import MINOR, NOW, TODAY, days, inspected, published
from towers.models import Document


@pytest.fixture
def staff(session):
    return makers.actor(session, "staff")


@pytest.fixture
def tower(session):
    published(session)
    made = makers.tower(session)
    inspected(session, made, by=makers.actor(session, "inspector"))
    return made


@pytest.fixture(autouse=True)
def recomputation_agrees(session):
    yield
    session.expire_all()
    assert [code for code, differs in condition.recompute(session) if differs] == []


def ask(session, tower, by, **facts):
    made = request_assessment(
        session, tower, reason="Treo thêm ăng ten", by=by, now=NOW, today=TODAY, **facts
    )
    condition.refresh(session, tower)
    return made


def report_of(session, tower) -> Document:
    made = Document(
        id=uuid.uuid4(),
        tower_id=tower.id,
        kind="assessment",
        title="Báo cáo",
        filename="bao-cao.pdf",
        media_type="application/pdf",
        byte_size=9,
        sha256=b"0" * 32,
        received_at=NOW,
    )
    session.add(made)
    session.flush()
    return made


def reply(session, made, outcome, by, *, document=None, when=1, **facts):
    said = {"assessed_on": TODAY, "assessor": "Viện KHCN Xây dựng", "conclusion": "Gỡ hai ăng ten"}
    answer_assessment(
        session,
        made,
        Report(outcome=outcome, **{**said, **facts}),
        document or report_of(session, made.tower),
        by=by,
        now=NOW + days(when),
        today=TODAY + timedelta(days=when),
    )


@pytest.mark.parametrize(
    ("outcome", "state"),
    [("safe", "ok"), ("safe_with_conditions", "needs_follow_up"), ("dangerous", "dangerous")],
)
def test_the_report_decides_what_comes_after(session, tower, staff, outcome, state) -> None:
    made = ask(session, tower, staff)
    assert tower.condition == "assessment_needed"
    reply(session, made, outcome, staff)
    assert (made.outcome, tower.condition) == (outcome, state)
    rows = follow_up.follow_up(session, staff, WorkFilters(), today=TODAY).rows
    assert [row.item_key for row in rows] == ([] if outcome == "safe" else ["load_safety"])
    entry = session.scalars(
        select(AuditEntry).where(AuditEntry.action == "assessment.answer")
    ).one()
    assert (entry.after["outcome"], entry.after["document"]) == (outcome, str(made.document_id))


def test_an_inspection_does_not_end_the_need_for_an_assessment(session, tower, staff) -> None:
    ask(session, tower, staff)
    inspected(session, tower, by=makers.actor(session, "inspector"), now=NOW + days(2))
    assert tower.condition == "assessment_needed"


def test_a_dangerous_tower_stays_so_until_another_report_says_more(session, tower, staff) -> None:
    reply(session, ask(session, tower, staff), "dangerous", staff)
    inspected(session, tower, by=makers.actor(session, "inspector"), now=NOW + days(5))
    assert tower.condition == "dangerous"
    again = ask(session, tower, staff)
    assert tower.condition == "dangerous"
    reply(session, again, "safe", staff, when=30)
    assert tower.condition == "ok"


def test_what_was_found_still_counts_beside_a_safe_report(session, tower, staff) -> None:
    inspected(session, tower, by=makers.actor(session, "inspector"), now=NOW + days(1), **MINOR)
    reply(session, ask(session, tower, staff), "safe", staff, when=2)
    assert tower.condition == "needs_follow_up"


@pytest.mark.parametrize(
    ("outcome", "facts", "field"),
    [
        ("fine", {}, "outcome"),
        ("safe", {"assessed_on": TODAY + timedelta(days=2)}, "assessed_on"),
        ("safe", {"assessed_on": TODAY.replace(year=1950)}, "assessed_on"),
        ("safe", {"assessor": " "}, "assessor"),
        ("safe", {"assessor": "x" * 301}, "assessor"),
        ("safe_with_conditions", {"conclusion": ""}, "conclusion"),
        ("dangerous", {"conclusion": " "}, "conclusion"),
        ("safe", {"conclusion": "x" * 8001}, "conclusion"),
    ],
)
def test_an_answer_is_whole(session, tower, staff, outcome, facts, field) -> None:
    made = ask(session, tower, staff)
    with pytest.raises(Invalid) as caught:
        reply(session, made, outcome, staff, **facts)
    assert set(caught.value.fields) == {field}
    assert tower.condition == "assessment_needed"


def test_the_report_is_a_document_of_that_tower(session, tower, staff) -> None:
    made = ask(session, tower, staff)
    elsewhere = report_of(session, makers.tower(session))
    with pytest.raises(Invalid) as caught:
        reply(session, made, "safe", staff, document=elsewhere)
    assert set(caught.value.fields) == {"document"}


def test_it_is_answered_once_and_by_staff_of_its_territory(session, tower, staff) -> None:
    made = ask(session, tower, staff)
    with pytest.raises(Forbidden):
        reply(session, made, "safe", makers.actor(session, "inspector"))
    stranger = makers.actor(session, "staff", territories=[makers.commune(session)])
    with pytest.raises(NotFound):
        reply(session, made, "safe", stranger)
    reply(session, made, "safe", staff)
    with pytest.raises(Conflict):
        reply(session, made, "dangerous", staff)


@pytest.mark.parametrize("day", [-1, 3654])
def test_a_deadline_lies_ahead(session, tower, staff, day) -> None:
    with pytest.raises(Invalid) as caught:
        ask(session, tower, staff, deadline=TODAY + timedelta(days=day))
    assert set(caught.value.fields) == {"deadline"}
    assert ask(session, tower, staff, deadline=TODAY).deadline == TODAY


def test_open_requests_are_listed_by_their_deadlines(session, tower, staff) -> None:
    late, soon = makers.tower(session), makers.tower(session)
    requests = {
        one: ask(session, one, staff, deadline=TODAY + timedelta(days=number))
        for one, number in ((late, 9), (tower, 5), (soon, 1))
    }
    first = queries.assessments(session, staff, state="open", limit=2)
    assert first.rows == [requests[soon], requests[tower]]
    rest = queries.assessments(session, staff, state="open", limit=2, cursor=first.next_cursor)
    assert (rest.rows, rest.next_cursor) == ([requests[late]], None)
    reply(session, requests[soon], "safe", staff)
    assert len(queries.assessments(session, staff, state="open").rows) == 2
    assert queries.assessments(session, staff, state="answered").rows == [requests[soon]]
    assert queries.assessments(session, staff, overdue_on=TODAY + timedelta(days=6)).rows == [
        requests[tower]
    ]
    assert queries.assessments(session, staff, q=late.code).rows == [requests[late]]
    stranger = makers.actor(session, "staff", territories=[makers.commune(session)])
    assert queries.assessments(session, stranger).rows == []


def test_over_the_api(app, session, tower) -> None:
    client = doors.client_of(app, session, makers.user(session, "staff"))
    asked = {"tower": tower.code, "reason": "Nghiêng", "deadline": "2030-01-31"}
    made = answered(client.post("/api/v1/inspections/assessment-requests", json=asked), 201)
    address = f"/api/v1/assessments/{made['id']}"
    assert answered(client.get(address), 200)["deadline"] == "2030-01-31"
    tag = {"If-Match": client.get(address).headers["ETag"]}
    document = uuid.uuid4()
    body = {"outcome": "dangerous", "assessed_on": "2026-11-20", "assessor": "Viện",
            "conclusion": "Chân cột gỉ thủng", "document": str(document)}  # fmt: skip
    refused = client.post(f"{address}/answer", json=body, headers=tag)
    assert set(answered(refused, 422)["fields"]) == {"document"}
    answered(doors.send_document(client, document, tower=tower.code), 201)
    answered(client.post(f"{address}/answer", json=body), 428)
    answered(client.post(f"{address}/answer", json=body, headers={"If-Match": '"v9"'}), 412)
    told = answered(client.post(f"{address}/answer", json=body, headers=tag), 200)
    assert (told["outcome"], told["document"]) == ("dangerous", str(document))
    assert answered(client.get(f"/api/v1/towers/{tower.code}"), 200)["condition"] == "dangerous"
    listed = answered(client.get("/api/v1/assessments?state=answered"), 200)["items"]
    assert [one["id"] for one in listed] == [made["id"]]


def test_on_the_page_report_and_answer_come_together_or_not_at_all(app, session, tower) -> None:
    client = doors.client_of(app, session, makers.user(session, "staff"))
    client.post(f"/towers/{tower.code}/assessment", data={"reason": "Sau bão"})
    (made,) = session.scalars(select(LoadAssessment)).all()
    page = f"/assessments/{made.id}"
    assert page in client.get("/assessments").get_data(as_text=True)
    before = doors.counts(session)

    def send(**fields):
        form = {"version": "1", "id": str(uuid.uuid4()), "outcome": "safe_with_conditions",
                "assessed_on": "2026-11-20", "assessor": "Viện", "conclusion": "Gỡ hai ăng ten",
                "file": (io.BytesIO(b"%PDF-1.4 bao cao"), "bao-cao.pdf"), **fields}  # fmt: skip
        return client.post(f"{page}/answer", data=form)

    for wrong in (
        {"conclusion": ""},
        {"assessed_on": "hôm qua"},
        {"outcome": ""},
        {"version": "7"},
        {"file": (io.BytesIO(b""), "")},
        {"file": (io.BytesIO(b"MZ"), "bao-cao.exe")},
    ):
        refused = send(**wrong)
        assert 400 <= refused.status_code < 500, wrong
        assert 'role="alert"' in refused.get_data(as_text=True)
    assert doors.counts(session) == before
    assert send().status_code == 302
    session.expire_all()
    assert (made.outcome, made.document.title) == ("safe_with_conditions", "bao-cao")
    assert str(made.document_id) in client.get(page).get_data(as_text=True)
    assert page in client.get(f"/towers/{tower.code}").get_data(as_text=True)
