"""Reading documents: those of a tower or a proposal, in the reader's scope."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, lazyload

from accounts.models import User
from core import policy
from core.policy import Actor
from towers.models import Document

# More than anybody reads on one page; a tower with more has its oldest left out.
LIMIT = 200


def document(session: Session, actor: Actor, document_id: uuid.UUID) -> Document | None:
    """One document. Removed ones are there only for those who may remove."""
    found = session.scalar(
        select(Document)
        .where(Document.id == document_id, policy.visible(actor, "document"))
        .options(joinedload(Document.tower))
    )
    if found is not None and found.removed_at and not policy.may(actor, "document.remove", found):
        return None
    return found


def documents(
    session: Session,
    actor: Actor,
    *,
    tower_id: uuid.UUID | None = None,
    proposal_id: uuid.UUID | None = None,
    removed: bool = False,
) -> Sequence[Document]:
    """The documents of one tower or one proposal, the latest first; or those that were removed."""
    person = joinedload(Document.by).options(lazyload(User.roles), lazyload(User.territories))
    remover = joinedload(Document.removed_by).options(
        lazyload(User.roles), lazyload(User.territories)
    )
    statement = select(Document).where(policy.visible(actor, "document"))
    if tower_id:
        statement = statement.where(Document.tower_id == tower_id)
    if proposal_id:
        statement = statement.where(Document.proposal_id == proposal_id)
    statement = statement.where(
        Document.removed_at.is_not(None) if removed else Document.removed_at.is_(None)
    )
    return session.scalars(
        statement.options(person, remover)
        .order_by(Document.received_at.desc(), Document.id)
        .limit(LIMIT)
    ).all()
