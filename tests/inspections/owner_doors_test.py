"""Owners answer to notices by the API, with the link or signed in, and see nothing of others."""

from __future__ import annotations

import io
import uuid
from pathlib import Path

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.audit import AuditEntry
from core.errors import Forbidden, NotFound
from core.policy import allows
from inspections.models import ViolationEvent
from inspections.notice_models import Notice, NoticeReply
from inspections.rules.violation import EventKind
from inspections.services import notice_replies, notices
from inspections.services.steps import Step, take_step
from tests import doors, makers
from tests.doors import answered, refused
from tests.inspections import noticed
from tests.inspections.noticed import Case
from tests.inspections.visits import NOW, TODAY, days

LINK = "/api/v1/notice-links/"
OWN = "/api/v1/own-notices"


@pytest.fixture
def case(session: Session, tmp_path: Path) -> Case:
    return noticed.case(session, tmp_path, code="CUA-A", owner="Viễn thông A")


@pytest.fixture
def told(session: Session, case: Case) -> tuple[Notice, str]:
    """An issued notice about the two violations, and the token of its link."""
    made = noticed.issued(session, case)
    session.commit()
    return made


@pytest.fixture
def operator(app: Flask, session: Session, case: Case) -> FlaskClient:
    """A person of the owner, with a token."""
    person = makers.user(session, "operator", organisation=case.owner, everywhere=False)
    return doors.client_of(app, session, person)


def claim(case: Case, item: str = "clb_ladder", **fields):
    return {
        "id": str(uuid.uuid4()),
        "violation": str(case.violations[item].id),
        "kind": "claim",
        "name": "Lê Văn Bảy",
        "text": "Đã thay thang",
        "files": [(io.BytesIO(doors.picture()), "anh.jpg")],
        **fields,
    }


def anew(form: dict) -> dict:
    """The same form, its file at the beginning."""
    return {**form, "files": [(io.BytesIO(doors.picture()), "anh.jpg")]}


def test_the_api_of_a_link_takes_each_answer_once(
    app: Flask, session: Session, case: Case, told: tuple[Notice, str]
) -> None:
    client, address = app.test_client(), LINK + told[1]
    found = client.get(address)
    body = answered(found, 200)
    assert found.headers["Cache-Control"].startswith("no-store")
    assert found.headers["Referrer-Policy"] == "no-referrer"
    assert (body["reference"], body["owner"]) == ("01/TB-SKHCN", "Viễn thông A")
    assert {one["item"] for one in body["violations"]} == {"clb_ladder", "ant_mount"}
    assert all(one["possible"] == ["claim", "extension"] for one in body["violations"])
    form = claim(case)
    first = answered(client.post(f"{address}/replies", data=form), 201)
    assert answered(client.post(f"{address}/replies", data=anew(form)), 200) == first
    refused(client.post(f"{address}/replies", data=anew({**form, "text": "Khác"})), 409)
    (file,) = first["files"]
    assert file["filename"] == "anh.jpg"
    wanted = (case.violations["ant_mount"].deadline + days(90)).isoformat()
    more = claim(case, "ant_mount", kind="extension", wanted_on=wanted, files=[])
    assert answered(client.post(f"{address}/replies", data=more), 201)["wanted_on"] == wanted
    said = answered(client.get(address), 200)
    assert len(said["replies"]) == 2
    assert {one["stage"] for one in said["violations"]} == {"claimed", "notified"}


def test_what_the_api_of_a_link_refuses_is_not_written(
    app: Flask, session: Session, case: Case, told: tuple[Notice, str]
) -> None:
    other = noticed.case_beside(session, case)
    session.commit()
    before = doors.counts(session)
    client, address = app.test_client(), LINK + told[1]
    for form, status in (
        (claim(case, files=[]), 422),
        (claim(case, files=[(io.BytesIO(b"MZ"), "a.jpg")]), 422),
        (claim(case, kind="closed"), 422),
        (claim(case, id="7"), 422),
        (claim(case, kind="extension", files=[], wanted_on="x"), 422),
        (claim(case, violation=str(other.violations["clb_ladder"].id)), 404),
        (claim(case, violation=str(uuid.UUID(int=1))), 404),
    ):
        refused(client.post(f"{address}/replies", data=form), status)
    refused(client.post(f"{address}/replies", json={}), 422)
    refused(client.post(f"{LINK}{'A' * 43}/replies", data=claim(case)), 404)
    refused(client.get(f"{LINK}x"), 404)
    assert doors.counts(session) == before


def test_the_token_of_the_api_is_written_into_no_log(app: Flask, told) -> None:
    with structlog.testing.capture_logs() as said:
        answered(app.test_client().get(LINK + told[1]), 200)
    assert [one["path"] for one in said] == [f"{LINK}…"]
    assert told[1] not in str(said)


def test_an_account_sees_what_was_issued_to_its_organisation_and_nothing_else(
    app: Flask, session: Session, case: Case, operator: FlaskClient
) -> None:
    unissued = noticed.drafted(session, case)
    session.commit()
    assert answered(operator.get(OWN), 200)["items"] == []
    assert answered(operator.get(f"{OWN}/violations"), 200)["items"] == []
    refused(operator.get(f"{OWN}/{unissued.id}"), 404)
    notices.discard_draft(session, unissued, by=case.drafter, now=NOW)
    # One of the two is told, and somebody else is told of their own.
    mine, _ = noticed.issued(session, case, violations=(case.violations["clb_ladder"].id,))
    other = noticed.case_beside(session, case)
    other.owner.name = "Công ty B"
    theirs, _ = noticed.issued(session, other)
    session.commit()
    assert [one["id"] for one in answered(operator.get(OWN), 200)["items"]] == [str(mine.id)]
    (row,) = answered(operator.get(f"{OWN}/violations"), 200)["items"]
    assert (row["id"], row["notice"]) == (str(case.violations["clb_ladder"].id), str(mine.id))
    body = answered(operator.get(f"{OWN}/{mine.id}"), 200)
    assert [one["item"] for one in body["violations"]] == ["clb_ladder"]
    nobody = makers.user(session, "operator", everywhere=False)
    stranger = doors.client_of(app, session, nobody)
    before = doors.counts(session)
    unnamed = claim(case, "ant_mount")
    refused(operator.post(f"{OWN}/{mine.id}/replies", data=unnamed), 404)
    for part in ("", "/notice.pdf", f"/photos/{uuid.UUID(int=1)}"):
        refused(operator.get(f"{OWN}/{theirs.id}{part}"), 404)
        assert operator.get(f"/own-notices/{theirs.id}{part}").status_code == 404
    refused(operator.post(f"{OWN}/{theirs.id}/replies", data=claim(other)), 404)
    refused(operator.post(f"{OWN}/{mine.id}/replies", data=claim(other)), 404)
    for page in ("/own-notices", "/own-violations", f"/own-notices/{mine.id}"):
        text = operator.get(page).get_data(as_text=True)
        assert "Công ty B" not in text and other.tower.code not in text, page
    for elsewhere in (
        f"/api/v1/violations/{row['id']}", f"/api/v1/notices/{mine.id}", "/api/v1/towers/CUA-A",
    ):  # fmt: skip
        refused(operator.get(elsewhere), 403)
    # Without an organisation nothing is one's own.
    assert answered(stranger.get(OWN), 200)["items"] == []
    refused(stranger.get(f"{OWN}/{mine.id}"), 404)
    assert doors.counts(session) == before


def test_what_is_withdrawn_or_sold_is_no_longer_ones_own(
    session: Session, case: Case, told: tuple[Notice, str], operator: FlaskClient
) -> None:
    notice, _ = told
    case.tower.owner_id = makers.organisation(session).id
    session.commit()
    assert answered(operator.get(f"{OWN}/{notice.id}"), 200)["violations"] == []
    assert answered(operator.get(f"{OWN}/violations"), 200)["items"] == []
    refused(operator.post(f"{OWN}/{notice.id}/replies", data=claim(case)), 404)
    notices.withdraw(session, notice, reason="Sai", by=case.issuer, now=NOW, today=TODAY)
    session.commit()
    refused(operator.get(f"{OWN}/{notice.id}"), 404)
    assert answered(operator.get(OWN), 200)["items"] == []


def test_an_account_answers_in_its_own_name(
    session: Session, case: Case, told: tuple[Notice, str], operator: FlaskClient
) -> None:
    address, form = f"{OWN}/{told[0].id}/replies", claim(case)
    first = answered(operator.post(address, data=form), 201)
    assert answered(operator.post(address, data=anew(form)), 200) == first
    reply = session.scalars(select(NoticeReply)).one()
    event = session.get_one(ViolationEvent, reply.event_id)
    assert reply.link_id is None and reply.by_id == event.by_id is not None
    assert (event.kind, event.party) == ("claimed_fixed", "Lê Văn Bảy")
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "notice.claim")).one()
    assert entry.actor_id == str(reply.by_id)
    assert case.violations["clb_ladder"].state == "open"


def test_an_account_may_claim_and_ask_and_nothing_else(session: Session, case: Case, told) -> None:
    person = makers.actor(session, "operator", organisation=case.owner, everywhere=False)
    speaker = notice_replies.by_account(told[0], person).by
    assert allows(speaker, "violation.claim")
    for action in ("violation.view", "violation.follow_up", "notice.view", "tower.view"):
        assert not allows(speaker, action), action
        assert not allows(person, action), action
    with pytest.raises(NotFound):
        stranger = makers.actor(session, "operator", organisation=makers.organisation(session))
        notice_replies.by_account(told[0], stranger)
    violation = case.violations["clb_ladder"]
    facts = {"now": NOW, "today": TODAY}
    for by, kind in (
        (speaker, EventKind.SERVED),
        (speaker, EventKind.EXTENDED),
        (person, EventKind.SERVED),
        # Nobody claims beside a notice.
        (person, EventKind.CLAIMED_FIXED),
    ):
        with pytest.raises(Forbidden):
            take_step(session, violation, Step(kind, reason="x", party="x"), by=by, **facts)


def test_a_person_of_the_owner_answers_on_the_pages(
    app: Flask, session: Session, case: Case, told: tuple[Notice, str]
) -> None:
    person = doors.with_password(session, "operator", organisation=case.owner, everywhere=False)
    client, path = doors.signed_in(app, person.email), f"/own-notices/{told[0].id}"
    assert "/own-violations" in client.get("/").get_data(as_text=True)
    for language, words in (("vi", "Báo cáo đã khắc phục"), ("en", "Report that it is fixed")):
        page = client.get(f"{path}?lang={language}").get_data(as_text=True)
        assert words in page and "CUA-A" in page
    none = client.post(path, data={**claim(case, files=[]), "csrf_token": doors.csrf_of(page)})
    assert none.status_code == 422
    sent = client.post(path, data={**claim(case), "csrf_token": doors.csrf_of(page)})
    assert sent.status_code == 302
    assert "Đã thay thang" in client.get(path).get_data(as_text=True)
    assert "báo đã khắc phục" in client.get("/own-violations").get_data(as_text=True)
    without = client.post(path, data=claim(case))
    assert without.status_code == 400
