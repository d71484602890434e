"""Messages to owners about what a notice asked of them: wanted, their own alone, in time."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.models import OrganisationContact
from core import store
from core.policy import SYSTEM
from inspections.reminder_models import Reminder
from inspections.rules.violation import EventKind
from inspections.services import notices
from inspections.services.steps import Step, take_step
from tests import makers
from tests.inspections import noticed
from tests.inspections.noticed import Case
from tests.inspections.reminding import make, send_all
from tests.inspections.visits import NOW, TODAY, days


@pytest.fixture
def case(session: Session, tmp_path: Path) -> Case:
    """Violations of one owner that a notice is about; the department wants owners reminded."""
    made = noticed.case(session, tmp_path, code="CUA-A", owner="Viễn thông A")
    made.owner.responsible_email = "a@owner.example.vn"
    noticed.issued(session, made)
    store.set_value(session, "owner_reminders", True, by=SYSTEM, now=NOW)
    return made


def deadline(case: Case):
    return case.violations["clb_ladder"].deadline


def to_owners(session: Session) -> list[Reminder]:
    session.expire_all()
    return list(
        session.scalars(
            select(Reminder).where(Reminder.audience == "owner").order_by(Reminder.recipient)
        )
    )


def test_owners_are_told_nothing_unless_the_department_wants_it(
    session: Session, case: Case
) -> None:
    store.set_value(session, "owner_reminders", False, by=SYSTEM, now=NOW)
    assert make(session, deadline(case) + days(1)) > 0
    assert to_owners(session) == []


def test_an_owner_hears_of_what_a_notice_asked_and_of_nobody_else(
    session: Session, case: Case
) -> None:
    other = noticed.case_beside(session, case)
    other.owner.name, other.owner.email = "Công ty B", "b@owner.example.vn"
    person = makers.user(session, "inspector", email="thanh@example.vn")
    for one in (case, other):
        one.violations["clb_ladder"].assignee_id = person.id
    # Nothing was issued to the other owner about this one.
    unissued = noticed.case_beside(session, case)
    unissued.owner.email = "c@owner.example.vn"
    notice, _ = noticed.issued(session, other)
    day = deadline(case) - days(1)
    make(session, day)
    make(session, day)
    found = to_owners(session)
    assert {one.recipient for one in found} == {"a@owner.example.vn", "b@owner.example.vn"}
    first, second = (
        next(one for one in found if one.tower_id == tower.id and one.kind == "due_soon")
        for tower in (case.tower, other.tower)
    )
    assert first.subject.startswith("Đến hạn ngày ")
    for said in ("CUA-A", "Viễn thông A", "01/TB-SKHCN", "đường liên kết"):
        assert said in first.body, first.body
    for hidden in ("Công ty B", other.tower.code, notice.reference, "thanh@example.vn"):
        assert hidden not in first.body + first.subject
    assert "Công ty B" in second.body and "Viễn thông A" not in second.body


def test_each_occasion_is_told_once(session: Session, case: Case) -> None:
    for ahead in (-1, 0, 1, 2, 40):
        make(session, deadline(case) + days(ahead))
    kinds = [
        (one.violation_id, one.kind)
        for one in to_owners(session)
    ]  # fmt: skip
    assert len(kinds) == len(set(kinds))
    assert {kind for _, kind in kinds} == {"due_soon", "overdue"}


def test_where_messages_go(session: Session, case: Case) -> None:
    case.owner.responsible_email = ""
    make(session, deadline(case) + days(1))
    assert to_owners(session) == []
    contact = {"place": 1, "name": "Bảy", "email": "bay@owner.example.vn"}
    case.owner.contacts.append(OrganisationContact(**contact))
    session.flush()
    make(session, deadline(case) + days(1))
    assert {one.recipient for one in to_owners(session)} == {"bay@owner.example.vn"}


@pytest.mark.parametrize("how", ["claimed", "withdrawn", "sold", "unwanted"])
def test_what_no_longer_concerns_the_owner_is_not_sent(
    session: Session, case: Case, mailbox, how: str
) -> None:
    box, server = mailbox
    make(session, deadline(case) + days(1))
    told = to_owners(session)
    assert told
    facts = {"by": case.issuer, "now": NOW, "today": TODAY}
    if how == "claimed":
        for violation in case.violations.values():
            take_step(session, violation, Step(EventKind.CLAIMED_FIXED, reason="Đã sửa"), **facts)
    elif how == "withdrawn":
        (notice,) = session.scalars(select(notices.Notice)).all()
        notices.withdraw(session, notice, reason="Sai", **facts)
    elif how == "sold":
        case.tower.owner_id = makers.organisation(session).id
    else:
        store.set_value(session, "owner_reminders", False, by=SYSTEM, now=NOW)
    session.flush()
    send_all(session, server)
    assert {one.state for one in to_owners(session)} == {"obsolete"}
    assert [one["To"] for one in box.messages if "owner" in one["To"]] == []


def test_a_message_reaches_the_owner(session: Session, case: Case, mailbox) -> None:
    box, server = mailbox
    make(session, deadline(case) + days(1))
    send_all(session, server)
    assert {one["To"] for one in box.messages} == {"a@owner.example.vn"}
    assert {one.state for one in to_owners(session)} == {"sent"}
