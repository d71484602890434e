"""Notices to owners: drafted, issued under a number, served, extended, withdrawn.

Each step is said to the violations as well, as an event of theirs: what a notice did to them can be
read in their own life.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ScalarSelect, false, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from accounts.models import Organisation
from core import audit, policy, store
from core.errors import Conflict, FieldText, Forbidden, Invalid, NotFound
from core.files import FileStore
from core.i18n import N_
from core.policy import Actor
from inspections.models import Violation
from inspections.notice_models import Notice, NoticeDocument, NoticeItem, NoticeNumber
from inspections.queries import notices as queries
from inspections.rules.notice import (
    MOST_VIOLATIONS,
    DocumentForm,
    NoticeState,
    NoticeStep,
    possible,
    reference,
)
from inspections.rules.violation import EventKind, Stage
from inspections.services import notice_documents, notice_links
from inspections.services.steps import Step, take_step
from towers import services as towers
from towers.models import Tower

MAX_NOTE = 4_000
MAX_TEXT = 300
HOW = ("handed_over", "post", "electronic", "posted_up")


@dataclass(frozen=True)
class Draft:
    """What a notice says: to whom, about which violations in their order, and what beside them."""

    owner_id: uuid.UUID
    violations: tuple[uuid.UUID, ...]
    note: str = ""

    def digest(self) -> bytes:
        body = [str(self.owner_id), [str(one) for one in self.violations], self.note]
        return hashlib.sha256(json.dumps(body, ensure_ascii=False).encode()).digest()


@dataclass(frozen=True)
class Service:
    """On which local day whom the notice reached, and how (one of `HOW`)."""

    on: date
    to: str
    how: str


def draft_notice(
    session: Session, notice_id: uuid.UUID, draft: Draft, *, by: Actor, now: datetime
) -> tuple[Notice, bool]:
    """Draft a notice under the id that its client made; returns it and whether it is new.

    The same id with another content is a `Conflict`. Raises `Invalid` for violations that are not
    open ones of towers of this owner.
    """
    policy.require(by, "notice.draft")
    known = session.get(Notice, notice_id)
    if known is None:
        owner, violations = _checked(session, draft, by=by)
        made = session.execute(
            insert(Notice)
            .values(
                id=notice_id,
                body_hash=draft.digest(),
                owner_id=owner.id,
                note=draft.note.strip(),
                drafted_by_id=by.id,
                drafted_at=now,
            )
            .on_conflict_do_nothing(index_elements=["id"])
            .returning(Notice.id)
        ).scalar()
        known = session.get_one(Notice, notice_id, populate_existing=True)
        if made is not None:
            _name(known, violations)
            session.flush()
            audit.record(
                session,
                "notice.draft",
                "notice",
                notice_id,
                by=by,
                now=now,
                after={"owner": owner.name, "violations": [str(one.id) for one in violations]},
            )
            return known, True
    policy.require(by, "notice.view", known)
    if known.body_hash != draft.digest():
        raise Conflict(N_("Another notice was sent under this number before"))
    return known, False


def change_draft(
    session: Session, notice: Notice, draft: Draft, *, by: Actor, now: datetime
) -> None:
    """Replace what a draft says; its owner stays. Who changed it is its drafter from then on."""
    _require(notice, NoticeStep.CHANGE, "notice.draft", by)
    if draft.owner_id != notice.owner_id:
        message = N_("A notice cannot be turned to another owner: discard it and draft a new one")
        raise Invalid(message, fields={"owner": [message]})
    _, violations = _checked(session, draft, by=by, notice=notice)
    before = [str(one.violation_id) for one in notice.items]
    notice.items.clear()
    session.flush()
    _name(notice, violations)
    notice.note = draft.note.strip()
    notice.drafted_by_id = by.id
    _changed(
        session,
        notice,
        "notice.change",
        by=by,
        now=now,
        before={"violations": before},
        after={"violations": [str(one.id) for one in violations]},
    )


def discard_draft(session: Session, notice: Notice, *, by: Actor, now: datetime) -> None:
    """Give a draft up. It never had a number, so that none is missing."""
    _require(notice, NoticeStep.DISCARD, "notice.draft", by)
    notice.state = NoticeState.DISCARDED
    _changed(session, notice, "notice.discard", by=by, now=now)


def issue(
    session: Session,
    notice: Notice,
    *,
    press: notice_documents.Press,
    by: Actor,
    now: datetime,
    today: date,
) -> str:
    """Issue a draft: its number, its documents, its link, and `notified` on each violation.

    Returns the address of the link, which is told this once. Who issues confirms
    findings that nobody has confirmed yet. Raises `Forbidden` for its drafter, where two people
    are wanted, and `Conflict` for a violation that another notice is about.
    """
    _require(notice, NoticeStep.ISSUE, "notice.issue", by)
    if must_be_another(session, notice, by):
        raise Forbidden(N_("Somebody else than who drafted the notice must issue it"))
    # Everybody takes the towers in one order, then the number: whoever waits, waits for a while.
    violations = sorted((item.violation for item in notice.items), key=queries.lock_order)
    for violation in violations:
        towers.hold(session, violation.tower_id)
        session.refresh(violation)
        if violation.state != "open":
            raise Conflict(
                N_("A violation at %(tower)s is not open any more: take it out of the draft"),
                tower=violation.tower.code,
            )
        if violation.stage == Stage.NOTIFIED:
            raise Conflict(
                N_("A violation at %(tower)s is part of a notice that is not served yet"),
                tower=violation.tower.code,
            )
    number = _next_number(session, today.year)
    written = reference(number, str(store.value_of(session, "notice_symbol") or ""))
    for violation in violations:
        if violation.stage == Stage.FOUND:
            step = Step(EventKind.CONFIRMED)
            take_step(session, violation, step, by=by, now=now, today=today)
        step = Step(EventKind.NOTIFIED, reason=f"Thông báo số {written}")
        take_step(session, violation, step, by=by, now=now, today=today)
    notice.state = NoticeState.ISSUED
    notice.year, notice.number, notice.reference = today.year, number, written
    notice.issued_by_id, notice.issued_at, notice.issued_on = by.id, now, today
    session.flush()
    session.refresh(notice, ["issued_by"])
    token = notice_links.make_link(session, notice, by=by, now=now)
    link = press.address + notice_links.PATH + token
    made = notice_documents.documents(session, notice, link=link, press=press)
    for form, content in made.items():
        _keep(session, notice, form, content, press.notices)
    _changed(
        session,
        notice,
        "notice.issue",
        by=by,
        now=now,
        before={"state": NoticeState.DRAFT},
        after={
            "state": NoticeState.ISSUED,
            "reference": written,
            "documents": {one.form: one.sha256.hex() for one in notice.documents},
        },
    )
    return link


def must_be_another(session: Session, notice: Notice, actor: Actor) -> bool:
    """Whether somebody else than this one must issue a notice, as they drafted it themselves."""
    return notice.drafted_by_id == actor.id and bool(store.value_of(session, "notice_two_people"))


def _next_number(session: Session, year: int) -> int:
    """The next number of a year. Its row is held until the transaction ends: a number that is
    given back by a rollback goes to the next one, so that none is missing."""
    return session.execute(
        insert(NoticeNumber)
        .values(year=year, last=1)
        .on_conflict_do_update(
            index_elements=[NoticeNumber.year], set_={"last": NoticeNumber.last + 1}
        )
        .returning(NoticeNumber.last)
    ).scalar_one()


def _keep(
    session: Session, notice: Notice, form: DocumentForm, content: bytes, kept: FileStore
) -> None:
    """Keep a document as it leaves, before the row that names it."""
    sha256 = hashlib.sha256(content).digest()
    kept.write(kept.path(sha256), content)
    notice.documents.append(NoticeDocument(form=form, sha256=sha256, byte_size=len(content)))
    session.flush()


def serve(
    session: Session, notice: Notice, service: Service, *, by: Actor, now: datetime, today: date
) -> None:
    """Record that the notice reached its owner; each violation that waited for it is `served`."""
    _require(notice, NoticeStep.SERVE, "notice.issue", by)
    assert notice.issued_on is not None
    wrong: dict[str, list[FieldText]] = {}
    to = service.to.strip()
    if not 1 <= len(to) <= MAX_TEXT or "\x00" in to:
        wrong["served_to"] = [N_("Name who received it, in 1 to 300 characters")]
    if service.how not in HOW:
        wrong["served_how"] = [N_("Choose one of the answers")]
    if not notice.issued_on <= service.on <= today:
        wrong["served_on"] = [N_("The day lies between that of the notice and today")]
    if wrong:
        raise Invalid(fields=wrong)
    notice.served_on, notice.served_to, notice.served_how = service.on, to, service.how
    notice.served_by_id = by.id
    reason = f"Thông báo số {notice.reference}, ngày {service.on:%d/%m/%Y}"
    for violation in queries.present(session, notice):
        if violation.stage == Stage.NOTIFIED and queries.is_latest(session, notice, violation):
            step = Step(EventKind.SERVED, reason=reason, party=to)
            take_step(session, violation, step, by=by, now=now, today=today)
    _changed(
        session,
        notice,
        "notice.serve",
        by=by,
        now=now,
        after={"served_on": service.on.isoformat(), "served_to": to, "served_how": service.how},
    )


def withdraw(
    session: Session, notice: Notice, *, reason: str, by: Actor, now: datetime, today: date
) -> None:
    """Take a notice back, with a reason. Its number, documents and events stay; its links end.

    Violations that were closed since, or that a later notice is about, stay as they are.
    """
    _require(notice, NoticeStep.WITHDRAW, "notice.issue", by)
    reason = _reason(reason)
    told = f"Thông báo số {notice.reference}: {reason}"[:MAX_NOTE]
    for violation in queries.present(session, notice):
        if violation.stage in {Stage.NOTIFIED, Stage.SERVED, Stage.CLAIMED} and queries.is_latest(
            session, notice, violation
        ):
            step = Step(EventKind.NOTICE_WITHDRAWN, reason=told)
            take_step(session, violation, step, by=by, now=now, today=today)
    notice.state = NoticeState.WITHDRAWN
    notice.withdrawn_at, notice.withdrawn_by_id, notice.withdrawn_reason = now, by.id, reason
    for link in notice.links:
        if link.revoked_at is None:
            link.revoked_at, link.revoked_by_id = now, by.id
    _changed(
        session,
        notice,
        "notice.withdraw",
        by=by,
        now=now,
        before={"state": NoticeState.ISSUED},
        after={"state": NoticeState.WITHDRAWN, "reason": reason},
    )


def decide_extensions(
    session: Session,
    notice: Notice,
    violations: Sequence[uuid.UUID],
    *,
    grant: bool,
    reason: str,
    deadline: date | None,
    by: Actor,
    now: datetime,
    today: date,
) -> None:
    """Grant or refuse the extensions that wait for some of a notice's violations.

    Granted without a day, each gets the one that was asked for. Raises `Invalid` where none waits.
    """
    _require(notice, NoticeStep.DECIDE, "violation.decide", by)
    chosen = [one for one in queries.present(session, notice) if one.id in set(violations)]
    if not chosen or len(chosen) != len(set(violations)):
        message = N_("Choose violations of this notice")
        raise Invalid(message, fields={"violations": [message]})
    kind = EventKind.EXTENDED if grant else EventKind.EXTENSION_REFUSED
    for violation in chosen:
        step = Step(kind, reason=reason, deadline=deadline if grant else None)
        take_step(session, violation, step, by=by, now=now, today=today)
    _changed(
        session,
        notice,
        "notice.decide",
        by=by,
        now=now,
        after={
            "decision": str(kind),
            "violations": [str(one.id) for one in chosen],
            "reason": reason.strip(),
        },
    )


def _require(notice: Notice, step: NoticeStep, action: str, by: Actor) -> None:
    policy.require(by, action)
    policy.require(by, "notice.view", notice)
    steps = possible(NoticeState(notice.state), served=notice.served_on is not None)
    if step not in steps:
        raise Conflict(
            N_("This is not possible with a notice in this state"),
            state=notice.state,
            possible=sorted(steps),
        )


def _reason(text: str) -> str:
    text = text.strip()
    if not 1 <= len(text) <= MAX_NOTE or "\x00" in text:
        message = N_("Say why, in 1 to 4,000 characters")
        raise Invalid(message, fields={"reason": [message]})
    return text


def _checked(
    session: Session, draft: Draft, *, by: Actor, notice: Notice | None = None
) -> tuple[Organisation, list[Violation]]:
    """The owner and the violations of a draft in its order; raises `Invalid`."""
    wrong: dict[str, list[FieldText]] = {}
    if len(draft.note) > MAX_NOTE or "\x00" in draft.note:
        wrong["note"] = [N_("This text is too long")]
    owner = session.scalar(
        select(Organisation).where(
            Organisation.id == draft.owner_id, policy.visible(by, "organisation")
        )
    )
    if owner is None:
        wrong["owner"] = [N_("There is no such organisation")]
    numbers = list(dict.fromkeys(draft.violations))
    found = {
        one.id: one
        for one in session.scalars(
            select(Violation)
            .join(Tower, Tower.id == Violation.tower_id)
            .where(
                Violation.id.in_(numbers),
                Violation.state == "open",
                Tower.owner_id == draft.owner_id,
                policy.visible(by, "violation"),
            )
        )
    }
    if not 1 <= len(numbers) <= MOST_VIOLATIONS:
        wrong["violations"] = [(N_("Choose 1 to %(most)s violations"), {"most": MOST_VIOLATIONS})]
    elif len(found) != len(numbers):
        wrong["violations"] = [N_("Choose open violations of towers of this owner")]
    elif queries.drafted(session, numbers, but=notice.id if notice else None):
        wrong["violations"] = [N_("One of these violations stands in another draft already")]
    if wrong or owner is None:
        raise Invalid(fields=wrong)
    return owner, [found[one] for one in numbers]


def _name(notice: Notice, violations: Sequence[Violation]) -> None:
    for place, violation in enumerate(violations, 1):
        notice.items.append(NoticeItem(violation_id=violation.id, place=place))


def _changed(
    session: Session,
    notice: Notice,
    action: str,
    *,
    by: Actor,
    now: datetime,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
) -> None:
    notice.version += 1
    session.flush()
    audit.record(session, action, "notice", notice.id, by=by, now=now, before=before, after=after)


def the_document(notice: Notice, form: str) -> NoticeDocument:
    """A kept document of an issued notice; raises `NotFound`."""
    for one in notice.documents:
        if one.form == form:
            return one
    raise NotFound()


def drafts_waiting(actor: Actor) -> ScalarSelect[int]:
    """How many drafts wait for the reader to issue them, if they may; not those of their own."""
    return (
        select(func.count())
        .select_from(Notice)
        .where(
            policy.visible(actor, "notice") if policy.allows(actor, "notice.issue") else false(),
            Notice.state == NoticeState.DRAFT,
            Notice.drafted_by_id.is_distinct_from(actor.id),
        )
        .scalar_subquery()
    )
