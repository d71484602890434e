"""Pages of a visit: start, fill in, submit, correct, review; with every wrong input named."""

from __future__ import annotations

import html
import io
import re
import uuid
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from inspections.models import Inspection, Photo
from inspections.rules.catalogue import HOW
from tests import doors, makers
from tests.doors import answered, counts, picture


@pytest.fixture
def inspector(app: Flask, session: Session) -> FlaskClient:
    doors.published(session)
    makers.tower(session, code="T-1")
    makers.tower(session, code="T-2", structure_type="unknown")
    return doors.client_of(app, session, makers.user(session, "inspector"))


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    return doors.client_of(app, session, makers.user(session, "staff"))


def begin(client: FlaskClient, code: str = "T-1", **form: str) -> str:
    """Start a visit; returns the address of its form."""
    response = client.post(f"/towers/{code}/inspect", data={"kind": "periodic", **form})
    assert response.status_code == 302, response.get_data(as_text=True)
    return response.headers["Location"]


def save(client: FlaskClient, address: str, action: str = "submit", **fields: Any):
    page = client.get(address).get_data(as_text=True)
    version = re.findall(r'name="version" value="(\d+)"', page)[0]
    made = {"version": version, "action": action, "methods": list(HOW)}
    return client.post(address, data={**made, **fields})


def test_a_visit_from_start_to_review(inspector: FlaskClient, staff: FlaskClient) -> None:
    assert inspector.get("/towers/T-1/inspect").status_code == 200
    address = begin(inspector)
    response = save(
        inspector,
        address,
        **{
            "value.clb_ladder": "no",
            "note.clb_ladder": "bậc thang gãy",
            "value.str_leg_defect": "yes",
            "outcome.sit_fence": "not_checked",
            "reason.sit_fence": "khóa cổng",
            "value.fnd_settlement": "3,5",
            "photo.str_leg_defect": (io.BytesIO(picture()), "anh.jpg"),
            "note": "Ghi chú chung",
            "position_latitude": "10.46",
            "position_longitude": "105.63",
            "position_accuracy": "9.5",
        },
    )
    assert response.status_code == 302, html.unescape(response.get_data(as_text=True))
    detail = response.headers["Location"]
    page = html.unescape(inspector.get(detail).get_data(as_text=True))
    for text in ("bậc thang gãy", "khóa cổng", "Ghi chú chung", "/api/v1/photos/"):
        assert text in page, text
    tower = answered(inspector.get("/api/v1/towers/T-1"), 200)
    assert (tower["condition"], tower["open_violations"]) == ("dangerous", 2)
    for path in ("/", "/towers", "/violations", "/follow-up", "/inspections"):
        assert "T-1" in staff.get(path).get_data(as_text=True), path
    accepted = {"decision": "accept", "version": shown_version(staff, detail)}
    assert staff.post(f"{detail}/review", data=accepted).status_code == 302
    assert 'href="' + detail + '/edit"' not in inspector.get(detail).get_data(as_text=True)
    late = save_raw(inspector, address, version="3")
    assert late.status_code == 409


def save_raw(client: FlaskClient, address: str, **fields: str):
    return client.post(address, data={"action": "submit", **fields})


def test_a_draft_is_kept_and_can_be_discarded(inspector: FlaskClient, session: Session) -> None:
    address = begin(inspector)
    response = save(inspector, address, "draft", **{"value.clb_ladder": "no", "note": "dở dang"})
    assert response.status_code == 302
    page = html.unescape(inspector.get(address).get_data(as_text=True))
    assert "dở dang" in page
    assert re.search(r'name="value.clb_ladder" value="no" checked', page)
    start = inspector.get("/towers/T-1/inspect").get_data(as_text=True)
    assert address.removesuffix("/edit") in start
    gone = inspector.post(address.removesuffix("edit") + "discard")
    assert gone.headers["Location"] == "/towers/T-1"
    session.commit()
    assert session.scalar(select(Inspection.id)) is None
    assert inspector.get(address).status_code == 404


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "answers"),
        ({"value.fnd_settlement": "nhiều"}, "answers.fnd_settlement"),
        ({"value.fnd_settlement": "-5"}, "answers.fnd_settlement"),
        ({"value.fnd_settlement": "1e300"}, "answers.fnd_settlement"),
        ({"value.clb_ladder": "maybe"}, "answers.clb_ladder"),
        ({"outcome.sit_fence": "not_checked"}, "answers.sit_fence"),
        ({"outcome.sit_fence": "x", "value.sit_fence": "yes"}, "answers.sit_fence"),
        ({"value.str_leg_defect": "yes"}, "answers.str_leg_defect"),
        ({"value.guy_tension_x": "1"}, "answers.guy_tension_x"),
        ({"value.clb_ladder": "yes", "inspected_on": "9999-12-31"}, "inspected_on"),
        ({"value.clb_ladder": "yes", "inspected_on": "0001-01-01"}, "inspected_on"),
        ({"value.clb_ladder": "yes", "inspected_on": "hôm qua"}, "inspected_on"),
        ({"value.clb_ladder": "yes", "note": "x" * 8001}, "note"),
        ({"value.clb_ladder": "yes", "position_latitude": "x", "position_longitude": "1"},
         "position"),
        ({"value.clb_ladder": "yes", "position_latitude": "95", "position_longitude": "1"},
         "position"),
    ],
    ids=range(15),
)  # fmt: skip
def test_wrong_answers_are_named_and_nothing_is_lost(
    inspector: FlaskClient, session: Session, fields: dict[str, str], words: str
) -> None:
    address = begin(inspector)
    kept = {"value.doc_design": "no", "note.doc_design": "vẫn còn đây"}
    if not fields:
        kept = {}
    response = save(inspector, address, **kept, **fields)
    assert response.status_code == 422
    page = html.unescape(response.get_data(as_text=True))
    assert f'href="#f-{words}"' in page
    assert (
        f'id="f-{words}"' in page
        or words in {"answers", "position"}
        or (words == "answers.guy_tension_x")
    )
    if kept:
        assert "vẫn còn đây" in page
    assert answered(inspector.get("/api/v1/towers/T-1"), 200)["condition"] == "unchecked"
    assert answered(inspector.get("/api/v1/violations"), 200)["items"] == []


@pytest.mark.parametrize("accuracy", ["nan", "inf", "-5", "x", "1e999", "99999999", ""])
def test_an_odd_accuracy_never_breaks_the_form(inspector: FlaskClient, accuracy: str) -> None:
    response = save(
        inspector,
        begin(inspector),
        **{
            "value.clb_ladder": "yes",
            "position_latitude": "10.4",
            "position_longitude": "105.6",
            "position_accuracy": accuracy,
        },
    )
    assert response.status_code in {302, 422}, response.status_code


@pytest.mark.parametrize("content", [b"no photo", picture()[:900], b""])
def test_a_broken_photo_is_refused_and_answers_stay(
    inspector: FlaskClient, session: Session, content: bytes
) -> None:
    address = begin(inspector)
    response = save(
        inspector,
        address,
        **{
            "value.clb_ladder": "no",
            "note.clb_ladder": "vẫn còn đây",
            "photo.clb_ladder": (io.BytesIO(content), "anh.jpg"),
        },
    )
    assert response.status_code in {415, 422}
    assert "vẫn còn đây" in html.unescape(response.get_data(as_text=True))
    assert counts(session)["photo"] == 0


def test_an_old_form_keeps_what_was_typed(inspector: FlaskClient) -> None:
    address = begin(inspector)
    save(inspector, address, "draft", **{"value.clb_ladder": "no"})
    late = save_raw(inspector, address, version="1", note="viết muộn")
    assert late.status_code == 409
    assert "viết muộn" in html.unescape(late.get_data(as_text=True))


@pytest.mark.parametrize(
    ("code", "form"),
    [
        ("T-1", {"kind": "party"}),
        ("T-1", {"kind": ""}),
        ("T-1", {"kind": "reinspection"}),
        ("T-2", {"kind": "periodic"}),
        ("T-2", {"kind": "periodic", "structure_type": "unknown"}),
        ("T-2", {"kind": "periodic", "structure_type": "ladder"}),
        ("T-1", {"kind": "periodic", "structure_type": "monopole"}),
    ],
)
def test_a_visit_that_cannot_start_says_why(
    inspector: FlaskClient, session: Session, code: str, form: dict[str, str]
) -> None:
    before = counts(session)
    response = inspector.post(f"/towers/{code}/inspect", data=form)
    assert response.status_code in {409, 422}
    assert 'role="alert"' in response.get_data(as_text=True)
    assert counts(session) == before


def test_starting_twice_with_one_number_is_one_visit(
    inspector: FlaskClient, session: Session
) -> None:
    number = str(uuid.uuid4())
    assert begin(inspector, id=number) == begin(inspector, id=number)
    assert counts(session)["inspection"] == 1


def test_a_review_without_a_reason_says_so(inspector: FlaskClient, staff: FlaskClient) -> None:
    detail = save(inspector, begin(inspector), **{"value.clb_ladder": "no"}).headers["Location"]
    said = {"decision": "return", "version": shown_version(staff, detail)}
    response = staff.post(f"{detail}/review?lang=en", data=said)
    assert response.status_code == 422
    page = response.get_data(as_text=True)
    assert "Say why the inspection is returned" in page
    assert 'value="accept"' in page
    staff.post(f"{detail}/review", data={**said, "reason": "thiếu ảnh"})
    assert "thiếu ảnh" in html.unescape(inspector.get(detail).get_data(as_text=True))


def test_an_unknown_decision_decides_nothing(inspector: FlaskClient, staff: FlaskClient) -> None:
    detail = save(inspector, begin(inspector), **{"value.clb_ladder": "no"}).headers["Location"]
    said = {"decision": "", "reason": "x", "version": shown_version(staff, detail)}
    assert staff.post(f"{detail}/review", data=said).status_code == 422
    status = answered(staff.get(f"/api/v1{detail}"), 200)["status"]
    assert status == "submitted"


def shown_version(client: FlaskClient, detail: str) -> str:
    """The version that the forms of a page were made from."""
    found = re.search(r'name="version" value="(\d+)"', client.get(detail).get_data(as_text=True))
    assert found
    return found.group(1)


def test_what_nobody_has_read_is_not_decided_about(
    app: Flask, inspector: FlaskClient, staff: FlaskClient, session: Session
) -> None:
    address = begin(inspector)
    detail = save(inspector, address, **{"value.clb_ladder": "no"}).headers["Location"]
    read = shown_version(staff, detail)
    changed = {"value.clb_ladder": "no", "note": "sửa lại"}
    assert save(inspector, address, **changed).status_code == 302
    before = counts(session)
    for step, said in (
        ("review", {"decision": "accept"}),
        ("review", {"decision": "return", "reason": "lý do đã gõ"}),
        ("void-request", {"reason": "lý do đã gõ"}),
    ):
        for version in ({"version": read}, {}):
            answer = staff.post(f"{detail}/{step}?lang=en", data={**said, **version})
            assert answer.status_code == 409
            page = html.unescape(answer.get_data(as_text=True))
            assert "Somebody changed this in the meantime" in page
            # What is new is there to be read, and what was typed is kept.
            assert "sửa lại" in page
            assert said.get("reason", "") in page
    assert counts(session) == before
    now = {"version": shown_version(staff, detail)}
    assert staff.post(f"{detail}/void-request", data={"reason": "nhầm", **now}).status_code == 302
    second = doors.client_of(app, session, makers.user(session, "staff"))
    assert second.post(f"{detail}/void", data={"decision": "confirm", **now}).status_code == 409
    now = {"version": shown_version(second, detail)}
    assert second.post(f"{detail}/void", data={"decision": "confirm", **now}).status_code == 302
    assert answered(staff.get(f"/api/v1{detail}"), 200)["status"] == "voided"


def test_an_assessment_is_asked_for_with_a_reason(staff: FlaskClient, session: Session) -> None:
    makers.tower(session, code="T-9")
    session.commit()
    before = counts(session)
    staff.post("/towers/T-9/assessment", data={"reason": " "})
    assert counts(session) == before
    staff.post("/towers/T-9/assessment", data={"reason": "nghiêng"})
    assert answered(staff.get("/api/v1/towers/T-9"), 200)["condition"] == "assessment_needed"


def test_a_closed_violation_needs_a_reinspection(
    inspector: FlaskClient,
) -> None:
    save(inspector, begin(inspector), **{"value.clb_ladder": "no"})
    address = begin(inspector, kind="reinspection")
    page = inspector.get(address).get_data(as_text=True)
    lines, others = page.split('class="panel mt-3 others"')
    assert re.findall(r'data-item="(\w+)"', lines) == ["clb_ladder"]
    assert "clb_ladder" not in others
    refused = save(inspector, address, **{"value.clb_ladder": "yes"})
    assert refused.status_code == 422
    proof = (io.BytesIO(picture()), "thang.jpg")
    done = save(inspector, address, **{"value.clb_ladder": "yes", "photo.clb_ladder": proof})
    assert done.status_code == 302
    (one,) = answered(inspector.get("/api/v1/violations"), 200)["items"]
    assert one["state"] == "closed"
    # It asked for what was found alone: it is neither complete nor incomplete.
    rows = inspector.get("/inspections?kind=reinspection").get_data(as_text=True)
    assert re.findall(r'data-label="Đầy đủ">([^<]*)<', html.unescape(rows)) == ["–"]
    assert answered(inspector.get("/api/v1/follow-up"), 200)["items"] == []


def test_a_reinspection_shows_the_earlier_photo_beside_the_new_one(
    inspector: FlaskClient, session: Session
) -> None:
    before = (io.BytesIO(picture()), "truoc.jpg")
    save(inspector, begin(inspector), **{"value.clb_ladder": "no", "photo.clb_ladder": before})
    address = begin(inspector, kind="reinspection")
    (first,) = session.scalars(select(Photo.id))
    line = inspector.get(address).get_data(as_text=True).split('class="panel mt-3 others"')[0]
    assert f"/api/v1/photos/{first}/thumbnail" in line
    number = address.split("/")[-2]
    api = f"/api/v1/inspections/{number}"
    (asked,) = answered(inspector.get(api), 200)["lines"]
    assert (asked["item"], asked["earlier_photos"]) == ("clb_ladder", [str(first)])
    assert (asked["earlier_answer"]["value"], asked["outcome"]) == ("no", None)
    now = (io.BytesIO(picture(seed="sau")), "sau.jpg")
    fields = {"value.clb_ladder": "yes", "value.sit_fence": "no", "photo.clb_ladder": now}
    detail = save(inspector, address, **fields).headers["Location"]
    (told,) = answered(inspector.get(api), 200)["lines"]
    assert (told["outcome"], len(told["photos"])) == ("fixed", 1)
    page = inspector.get(detail).get_data(as_text=True)
    for photo in (str(first), told["photos"][0]):
        assert f"/api/v1/photos/{photo}/thumbnail" in page
    found = answered(inspector.get("/api/v1/violations?state=open"), 200)["items"]
    assert [one["item"] for one in found] == ["sit_fence"]
