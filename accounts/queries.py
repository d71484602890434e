"""Reading accounts and organisations."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from accounts.models import Organisation, User
from core import policy
from core.policy import Actor


def user_by_email(session: Session, email: str) -> User | None:
    """The user with an address, whatever its case."""
    return session.scalar(select(User).where(func.lower(User.email) == email.strip().lower()))


def users(session: Session, actor: Actor) -> Sequence[User]:
    """The accounts that the actor may see, by address."""
    return session.scalars(
        select(User)
        .where(policy.visible(actor, "user"))
        .order_by(func.lower(User.email))
        .limit(500)
    ).all()


def user(session: Session, actor: Actor, user_id: uuid.UUID) -> User | None:
    return session.scalar(select(User).where(User.id == user_id, policy.visible(actor, "user")))


def organisations(
    session: Session, actor: Actor, *, kind: str | None = None, q: str = "", limit: int = 500
) -> Sequence[Organisation]:
    """Organisations in Vietnamese order of their names."""
    statement = select(Organisation).where(policy.visible(actor, "organisation"))
    if kind:
        statement = statement.where(Organisation.kind == kind)
    if q.strip():
        statement = statement.where(
            func.strpos(func.search_form(Organisation.name), func.search_form(q.strip())) > 0
        )
    return session.scalars(
        statement.order_by(Organisation.name.collate("vi-x-icu"), Organisation.id).limit(limit)
    ).all()


def organisation(session: Session, actor: Actor, organisation_id: uuid.UUID) -> Organisation | None:
    return session.scalar(
        select(Organisation).where(
            Organisation.id == organisation_id, policy.visible(actor, "organisation")
        )
    )


def organisation_by_name(session: Session, name: str) -> Organisation | None:
    return session.scalar(
        select(Organisation).where(func.lower(Organisation.name) == func.lower(name.strip()))
    )
