"""Links in notices: a way to one notice without an account, and what owners answer through it.

The token is 256 random bits. It stands in the documents and is told once; the database has its
hash. An owner's word is an event of the violation: a claim, or a request; it closes nothing.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import uuid
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import audit, policy, store
from core.errors import Conflict, FieldText, Invalid, NotFound, TooMany
from core.files import FileStore
from core.i18n import N_
from core.policy import Actor
from inspections.notice_models import Notice, NoticeLink, NoticeReply, NoticeReplyFile
from inspections.queries import notices as queries
from inspections.rules.notice import NoticeState, ReplyKind
from inspections.rules.violation import EventKind
from inspections.services.steps import Step, take_step
from towers.services.documents import Sent

PATH = "/n/"
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


def hash_of(token: str) -> bytes:
    """256 random bits need no slow hash: nobody can guess them."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def make_link(session: Session, notice: Notice, *, by: Actor, now: datetime) -> str:
    """Make a link to an issued notice and return its token; it cannot be read again later."""
    policy.require(by, "notice.issue")
    if notice.state != NoticeState.ISSUED:
        raise Conflict(N_("Only an issued notice has a link"))
    token = secrets.token_urlsafe(32)
    days = int(store.value_of(session, "notice_link_days"))
    link = NoticeLink(
        id=uuid.uuid4(),
        hash=hash_of(token),
        made_at=now,
        made_by_id=by.id,
        expires_at=now + timedelta(days=days),
    )
    notice.links.append(link)
    session.flush()
    audit.record(
        session,
        "notice.link",
        "notice",
        notice.id,
        by=by,
        now=now,
        after={"link": str(link.id), "expires_at": link.expires_at.isoformat()},
    )
    return token


def revoke_link(session: Session, link: NoticeLink, *, by: Actor, now: datetime) -> None:
    """End a link at once; ending it twice is a `Conflict`."""
    policy.require(by, "notice.issue")
    policy.require(by, "notice.view", link.notice)
    session.refresh(link, with_for_update={"of": NoticeLink})
    if link.revoked_at is not None:
        raise Conflict(N_("This link was revoked before"))
    link.revoked_at, link.revoked_by_id = now, by.id
    session.flush()
    audit.record(
        session,
        "notice.revoke",
        "notice",
        link.notice_id,
        by=by,
        now=now,
        after={"link": str(link.id)},
    )


def opened(session: Session, token: str, *, now: datetime) -> NoticeLink:
    """The link that a token opens; raises `NotFound`, the same for unknown, ended and revoked."""
    link = queries.live_link(session, hash_of(token), now)
    if link is None:
        raise NotFound(N_("This link is not valid or has ended: ask the department for a new one"))
    return link


def owner_of(link: NoticeLink) -> Actor:
    """Whoever holds the link: may claim and ask, and nothing else."""
    return Actor(
        id=None,
        email=f"link {link.id}",
        roles=frozenset({"owner_by_link"}),
        communes=None,
        name=link.notice.owner.name,
    )


def answer(
    session: Session, link: NoticeLink, reply: Reply, *, kept: FileStore, now: datetime, today: date
) -> tuple[NoticeReply, bool]:
    """Take what an owner says of one violation; returns it and whether it is new.

    A claim needs a photo or a file. It is written down as an event with its evidence; whether it is
    true is seen by a re-inspection. Sending it again is harmless.
    """
    # Replies to one notice come one after another: the limit holds, and a resend finds the first.
    session.refresh(link.notice, with_for_update={"of": Notice})
    known = session.get(NoticeReply, reply.id)
    if known is not None:
        if known.link_id != link.id or known.body_hash != reply.digest():
            raise Conflict(N_("Another answer was sent under this number before"))
        return known, False
    if link.notice.state != NoticeState.ISSUED:
        raise NotFound()
    _check(session, link, reply)
    named = {item.violation_id for item in link.notice.items}
    if reply.violation_id not in named:
        raise NotFound()
    violation = next(
        item.violation for item in link.notice.items if item.violation_id == reply.violation_id
    )
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
        by=owner_of(link),
        now=now,
        today=today,
    )
    made = NoticeReply(
        id=reply.id,
        body_hash=reply.digest(),
        notice_id=link.notice_id,
        link_id=link.id,
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
        link.notice_id,
        by=owner_of(link),
        now=now,
        after={
            "reply": str(reply.id),
            "violation": str(violation.id),
            "files": [one.sha256.hex() for one in made.files],
        },
    )
    return made, True


def _check(session: Session, link: NoticeLink, reply: Reply) -> None:
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
    sent = session.scalar(select(func.count()).where(NoticeReply.notice_id == link.notice_id))
    if (sent or 0) >= MOST_REPLIES:
        raise TooMany(N_("Very much was sent about this notice: ask the department"))
