"""What owners answer to a notice: through its link, or signed in to an account of theirs.

An owner's word is an event of the violation: a claim, or a request; it closes nothing.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import audit, policy
from core.errors import Conflict, FieldText, Invalid, NotFound, TooMany
from core.files import FileStore
from core.i18n import N_
from core.policy import Actor
from inspections.notice_models import Notice, NoticeItem, NoticeLink, NoticeReply, NoticeReplyFile
from inspections.rules.notice import NoticeState, ReplyKind
from inspections.rules.violation import EventKind
from inspections.services.notice_links import owner_of
from inspections.services.steps import Step, state_of, take_step
from towers.services.documents import Sent

MAX_NAME = 200
MAX_TEXT = 4_000
MOST_FILES = 8
# What one notice takes in all: whoever has the link cannot fill the disk.
MOST_REPLIES = 200
EVENTS = {
    ReplyKind.CLAIM: EventKind.CLAIMED_FIXED,
    ReplyKind.EXTENSION: EventKind.EXTENSION_REQUESTED,
}


@dataclass(frozen=True)
class Reply:
    """What somebody says for the owner of one violation; `wanted_on` asks for that local day."""

    id: uuid.UUID
    violation_id: uuid.UUID
    kind: ReplyKind
    name: str
    text: str
    wanted_on: date | None = None
    files: tuple[Sent, ...] = ()

    def digest(self) -> bytes:
        body = [
            str(self.violation_id), self.kind, self.name, self.text, str(self.wanted_on),
            [one.arrival.sha256.hex() for one in self.files],
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(body, ensure_ascii=False).encode()).digest()


@dataclass(frozen=True)
class Speaker:
    """Who answers to a notice for its owner; `link` is how they came, without an account."""

    notice: Notice
    by: Actor
    link: NoticeLink | None = None

    @property
    def items(self) -> list[NoticeItem]:
        """What they are asked about: an account only what still belongs to its organisation."""
        if self.link is not None:
            return self.notice.items
        return [
            item
            for item in self.notice.items
            if item.violation.tower.owner_id == self.by.organisation_id
        ]

    def possible(self, item: NoticeItem) -> frozenset[ReplyKind]:
        """What they can answer about a violation now."""
        if item.violation.continued_in_id is not None:
            return frozenset()
        steps = state_of(item.violation.events).possible
        return frozenset(kind for kind, event in EVENTS.items() if event in steps)


def by_link(link: NoticeLink) -> Speaker:
    """Whoever holds a link; `notice_links.opened` finds it."""
    return Speaker(link.notice, owner_of(link), link)


def by_account(notice: Notice, actor: Actor) -> Speaker:
    """A person of the owner, signed in: may claim and ask about this notice, and nothing else."""
    policy.require(actor, "own_notice.answer", notice)
    speaks = Actor(
        id=actor.id,
        email=actor.email,
        name=actor.name,
        roles=frozenset({"owner_by_account"}),
        communes=None,
        organisation_id=actor.organisation_id,
    )
    return Speaker(notice, speaks)


def answer(
    session: Session, speaker: Speaker, reply: Reply, *, kept: FileStore, now: datetime, today: date
) -> tuple[NoticeReply, bool]:
    """Take what an owner says of one violation; returns it and whether it is new.

    A claim needs a photo or a file. It is written down as an event with its evidence; whether it is
    true is seen by a re-inspection. Sending it again is harmless.
    """
    # Replies to one notice come one after another: the limit holds, and a resend finds the first.
    notice, by = speaker.notice, speaker.by
    link_id = speaker.link.id if speaker.link else None
    session.refresh(notice, with_for_update={"of": Notice})
    known = session.get(NoticeReply, reply.id)
    if known is not None:
        same = (known.notice_id, known.link_id, known.by_id) == (notice.id, link_id, by.id)
        if not same or known.body_hash != reply.digest():
            raise Conflict(N_("Another answer was sent under this number before"))
        return known, False
    if notice.state != NoticeState.ISSUED:
        raise NotFound()
    _check(session, notice, reply)
    named = {item.violation_id: item.violation for item in speaker.items}
    if reply.violation_id not in named:
        raise NotFound()
    violation = named[reply.violation_id]
    if violation.continued_in_id is not None:
        raise Conflict(N_("This entry was joined with another one: ask the department"))
    event = take_step(
        session,
        violation,
        Step(
            EVENTS[reply.kind],
            reason=reply.text.strip(),
            party=reply.name.strip(),
            deadline=reply.wanted_on,
        ),
        by=by,
        now=now,
        today=today,
    )
    made = NoticeReply(
        id=reply.id,
        body_hash=reply.digest(),
        notice_id=notice.id,
        link_id=link_id,
        by_id=by.id,
        violation_id=violation.id,
        event_id=event.id,
        kind=reply.kind,
        name=reply.name.strip(),
        text=reply.text.strip(),
        wanted_on=reply.wanted_on,
        received_at=now,
    )
    for place, sent in enumerate(reply.files, 1):
        kept.keep(sent.arrival)
        if sent.picture:
            sent.picture.write_copies(kept)
        made.files.append(
            NoticeReplyFile(
                id=uuid.uuid4(),
                place=place,
                filename=sent.filename,
                media_type=sent.type.media_type,
                byte_size=sent.arrival.size,
                sha256=sent.arrival.sha256,
            )
        )
    session.add(made)
    session.flush()
    audit.record(
        session,
        f"notice.{reply.kind}",
        "notice",
        notice.id,
        by=by,
        now=now,
        after={
            "reply": str(reply.id),
            "violation": str(violation.id),
            "files": [one.sha256.hex() for one in made.files],
        },
    )
    return made, True


def _check(session: Session, notice: Notice, reply: Reply) -> None:
    wrong: dict[str, list[FieldText]] = {}
    if not 1 <= len(reply.name.strip()) <= MAX_NAME or "\x00" in reply.name:
        wrong["name"] = [N_("Say who you are, in 1 to 200 characters")]
    if not 1 <= len(reply.text.strip()) <= MAX_TEXT or "\x00" in reply.text:
        wrong["text"] = [N_("Say what was done or why, in 1 to 4,000 characters")]
    if reply.kind is ReplyKind.CLAIM and not reply.files:
        wrong["files"] = [N_("Add at least one photo or file that shows it")]
    if reply.kind is ReplyKind.EXTENSION and reply.wanted_on is None:
        wrong["wanted_on"] = [N_("Name the day that you ask for")]
    if len(reply.files) > MOST_FILES:
        wrong["files"] = [(N_("Send at most %(most)s files at once"), {"most": MOST_FILES})]
    if wrong:
        raise Invalid(fields=wrong)
    sent = session.scalar(select(func.count()).where(NoticeReply.notice_id == notice.id))
    if (sent or 0) >= MOST_REPLIES:
        raise TooMany(N_("Very much was sent about this notice: ask the department"))
