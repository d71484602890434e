"""Links in notices: what opens them, what they take, and that they close nothing."""

from __future__ import annotations

import hashlib
import io
import uuid
from contextlib import ExitStack
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from core.audit import AuditEntry
from core.errors import Conflict, Forbidden, Invalid, NotFound, TooMany, Unauthenticated
from core.policy import SYSTEM, allows
from core.store import set_value
from inspections.models import ViolationEvent
from inspections.notice_models import NoticeReply, NoticeReplyFile
from inspections.rules.notice import ReplyKind
from inspections.rules.violation import EventKind
from inspections.services import notice_links, notice_replies, notices
from inspections.services.steps import Step, take_step
from tests import doors, makers
from tests.inspections import noticed
from tests.inspections.visits import NOW, TODAY, picture
from towers.services.documents import checked


@pytest.fixture
def case(session, tmp_path):
    return noticed.case(session, tmp_path)


@pytest.fixture
def told(session, case):
    """An issued notice and the token of its link."""
    return noticed.issued(session, case)


def answer(session, case, token, item="clb_ladder", *, files=("anh.jpg",), number=None, **facts):
    kept = case.press.notices
    given = {"kind": ReplyKind.CLAIM, "name": "Lê Văn Bảy", "text": "Đã thay thang", **facts}
    link = notice_links.opened(session, token, now=NOW)
    with ExitStack() as stack:
        sent = []
        for name in files:
            content = picture() if name.endswith("jpg") else doors.PDF
            arrival = stack.enter_context(kept.arriving(io.BytesIO(content)))
            sent.append(checked(arrival, name, kept))
        reply = notice_replies.Reply(
            id=number or uuid.uuid4(),
            violation_id=given.pop("violation_id", case.violations[item].id),
            files=tuple(sent),
            **given,
        )
        speaker = notice_replies.by_link(link)
        return notice_replies.answer(session, speaker, reply, kept=kept, now=NOW, today=TODAY)


def test_only_the_hash_of_a_token_is_kept(session, told) -> None:
    notice, token = told
    assert len(token) >= 43
    (link,) = notice.links
    assert link.hash == hashlib.sha256(token.encode()).digest()
    for table in ("notice", "notice_link", "violation_event", "audit_entry", "notice_document"):
        rows = session.execute(text(f"SELECT row_to_json(t)::text FROM {table} t")).scalars()
        assert all(token not in row for row in rows), table


def test_a_claim_is_an_event_with_its_evidence_and_closes_nothing(session, case, told) -> None:
    notice, token = told
    reply, new = answer(session, case, token, files=("anh.jpg", "hồ sơ.pdf"))
    violation = case.violations["clb_ladder"]
    assert new
    assert (violation.stage, violation.state, violation.ended_on) == ("claimed", "open", None)
    event = session.get_one(ViolationEvent, reply.event_id)
    assert (event.kind, event.party, event.reason, event.by_id) == (
        "claimed_fixed", "Lê Văn Bảy", "Đã thay thang", None,
    )  # fmt: skip
    first, second = reply.files
    assert (first.media_type, second.filename) == ("image/jpeg", "hồ sơ.pdf")
    assert case.press.notices.path(first.sha256).read_bytes() == picture()
    assert case.press.notices.path(first.sha256, "full").exists()
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "notice.claim")).one()
    assert entry.actor == f"link {notice.links[0].id}"
    assert entry.actor_id is None


def test_a_request_for_more_time_waits_for_staff(session, case, told) -> None:
    _, token = told
    wanted = TODAY + timedelta(days=90)
    violation = case.violations["clb_ladder"]
    before = violation.deadline
    answer(
        session, case, token, files=(), kind=ReplyKind.EXTENSION, wanted_on=wanted, text="Chờ thép"
    )
    assert violation.deadline == before
    take_step(session, violation, Step(EventKind.EXTENDED), by=case.issuer, now=NOW, today=TODAY)
    assert violation.deadline == wanted


def test_sending_again_is_harmless_and_another_answer_is_a_conflict(session, case, told) -> None:
    _, token = told
    number = uuid.uuid4()
    first, _ = answer(session, case, token, number=number)
    again, new = answer(session, case, token, number=number)
    assert (again.id, new) == (first.id, False)
    assert len(session.scalars(select(NoticeReplyFile)).all()) == 1
    with pytest.raises(Conflict):
        answer(session, case, token, number=number, text="Khác")


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"files": ()}, "files"),
        ({"name": " "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"text": ""}, "text"),
        ({"text": "a\x00b"}, "text"),
        ({"kind": ReplyKind.EXTENSION, "files": ()}, "wanted_on"),
        ({"kind": ReplyKind.EXTENSION, "files": (), "wanted_on": TODAY}, "deadline"),
        ({"files": ("a.jpg",) * 9}, "files"),
    ],
)
def test_what_is_no_answer(session, case, told, facts, field) -> None:
    _, token = told
    with pytest.raises(Invalid) as refused:
        answer(session, case, token, **facts)
    assert list(refused.value.fields) == [field]
    assert session.scalars(select(NoticeReply)).all() == []
    assert case.violations["clb_ladder"].stage == "notified"


def test_a_link_is_about_its_own_notice_only(session, case, told) -> None:
    _, token = told
    other = noticed.case_beside(session, case)
    noticed.issued(session, other)
    foreign = other.violations["clb_ladder"]
    with pytest.raises(NotFound):
        answer(session, case, token, violation_id=foreign.id)
    assert foreign.stage == "notified"


def test_ended_revoked_withdrawn_and_invented_links_are_alike(session, case, told) -> None:
    notice, token = told
    link = notice.links[0]
    texts = set()

    def refused(one, now=NOW) -> None:
        with pytest.raises(NotFound) as error:
            notice_links.opened(session, one, now=now)
        texts.add(error.value.message)

    assert notice_links.opened(session, token, now=link.expires_at - timedelta(seconds=1)) is link
    refused(token, link.expires_at)
    refused(token[:-1])
    refused("")
    refused("\udc80")
    another = notice_links.make_link(session, notice, by=case.issuer, now=NOW)
    notice_links.revoke_link(session, link, by=case.issuer, now=NOW)
    refused(token)
    assert notice_links.opened(session, another, now=NOW).id != link.id
    with pytest.raises(Conflict):
        notice_links.revoke_link(session, link, by=case.issuer, now=NOW)
    facts = {"by": case.issuer, "now": NOW, "today": TODAY}
    notices.withdraw(session, notice, reason="Sai", **facts)
    refused(another)
    assert len(texts) == 1


def test_how_long_a_link_lives_is_a_setting(session, case) -> None:
    set_value(session, "notice_link_days", 7, by=SYSTEM, now=NOW)
    notice, _ = noticed.issued(session, case)
    assert notice.links[0].expires_at == NOW + timedelta(days=7)


def test_a_draft_has_no_link_and_inspectors_make_none(session, case, told) -> None:
    notice, _ = told
    with pytest.raises(Forbidden):
        notice_links.make_link(session, notice, by=makers.actor(session, "inspector"), now=NOW)
    second = noticed.case_beside(session, case)
    with pytest.raises(Conflict):
        draft = noticed.drafted(session, second)
        notice_links.make_link(session, draft, by=case.issuer, now=NOW)


def test_whoever_holds_a_link_may_claim_and_ask_and_nothing_else(session, case, told) -> None:
    owner = notice_links.owner_of(told[0].links[0])
    assert allows(owner, "violation.claim")
    for action in (
        "violation.view", "violation.follow_up", "violation.decide", "violation.export",
        "notice.view", "notice.draft", "notice.issue", "tower.view", "inspection.view",
        "organisation.view", "document.view", "user.view", "user.edit",
    ):  # fmt: skip
        assert not allows(owner, action), action
    violation = case.violations["clb_ladder"]
    for kind in (EventKind.SERVED, EventKind.EXTENDED, EventKind.ANNULLED, EventKind.NOTIFIED):
        with pytest.raises(Unauthenticated):
            take_step(session, violation, Step(kind, party="x"), by=owner, now=NOW, today=TODAY)


def test_a_link_takes_only_so_much(session, case, told, monkeypatch) -> None:
    monkeypatch.setattr(notice_replies, "MOST_REPLIES", 1)
    answer(session, case, told[1])
    with pytest.raises(TooMany):
        answer(session, case, told[1], item="ant_mount")
