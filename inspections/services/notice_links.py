"""Links in notices: a way to one notice without an account.

The token is 256 random bits. It stands in the documents and is told once; the database has its
hash.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from core import audit, policy, store
from core.errors import Conflict, NotFound
from core.i18n import N_
from core.policy import Actor
from inspections.notice_models import Notice, NoticeLink
from inspections.queries import notices as queries
from inspections.rules.notice import NoticeState

PATH = "/n/"


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
