"""Reading accounts and organisations."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Row, func, or_, select
from sqlalchemy.orm import Session

from accounts.models import Organisation, OrganisationContact, Role, User, UserSession
from accounts.rules import tax_code
from core import paging, policy
from core.paging import Page
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


def people_with_role(session: Session, role: str) -> Sequence[Row[uuid.UUID, str]]:
    """What a choice of people offers: ids and names of those who may sign in, in their order."""
    name = func.coalesce(func.nullif(User.name, ""), User.email)
    return session.execute(
        select(User.id, name)
        .where(User.active, User.roles.any(Role.name == role))
        .order_by(name.collate("vi-x-icu"), User.id)
        .limit(2000)
    ).all()


def names_of(session: Session, ids: Sequence[uuid.UUID]) -> Sequence[Row[uuid.UUID, str]]:
    """People by their ids, whether they may still sign in or not."""
    name = func.coalesce(func.nullif(User.name, ""), User.email)
    return session.execute(select(User.id, name).where(User.id.in_(ids))).all()


def person_with_role(session: Session, user_id: uuid.UUID, role: str) -> User | None:
    """Somebody who may sign in and has a role."""
    return session.scalar(
        select(User).where(User.id == user_id, User.active, User.roles.any(Role.name == role))
    )


def live_sessions(session: Session, user: User, *, now: datetime) -> Sequence[UserSession]:
    """Where a user is signed in, the one used last first."""
    return session.scalars(
        select(UserSession)
        .where(
            UserSession.user_id == user.id,
            UserSession.ended_at.is_(None),
            UserSession.expires_at > now,
        )
        .order_by(UserSession.seen_at.desc(), UserSession.id)
        .limit(100)
    ).all()


def user(session: Session, actor: Actor, user_id: uuid.UUID) -> User | None:
    return session.scalar(select(User).where(User.id == user_id, policy.visible(actor, "user")))


def organisations(
    session: Session,
    actor: Actor,
    *,
    kind: str | None = None,
    q: str = "",
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[Organisation]:
    """One page of organisations in Vietnamese order of their names.

    `q` is found in the name with or without marks, or is a tax code.
    """
    limit = paging.clamp(limit)
    statement = select(Organisation).where(policy.visible(actor, "organisation"))
    if kind:
        statement = statement.where(Organisation.kind == kind)
    if q.strip():
        statement = statement.where(
            or_(
                func.strpos(func.search_form(Organisation.name), func.search_form(q.strip())) > 0,
                Organisation.tax_code == tax_code(q)[0],
            )
        )
    keys = (Organisation.name.collate("vi-x-icu"), Organisation.id)
    statement = paging.keyset(statement, keys, (paging.text_value, uuid.UUID), cursor)
    rows = session.scalars(statement.limit(limit + 1)).all()
    return paging.page_of(rows, limit, lambda row: [row.name, row.id])


def organisation_names(session: Session, actor: Actor) -> Sequence[Row[uuid.UUID, str]]:
    """What a choice of organisations offers: ids and names in Vietnamese order."""
    return session.execute(
        select(Organisation.id, Organisation.name)
        .where(policy.visible(actor, "organisation"))
        .order_by(Organisation.name.collate("vi-x-icu"), Organisation.id)
        .limit(2000)
    ).all()


def organisation(session: Session, actor: Actor, organisation_id: uuid.UUID) -> Organisation | None:
    return session.scalar(
        select(Organisation).where(
            Organisation.id == organisation_id, policy.visible(actor, "organisation")
        )
    )


def message_address() -> ColumnElement[str]:
    """Where messages to an organisation of a query go, empty where it has no address.

    To the person responsible, else to the organisation, else to the first person there.
    """
    person = (
        select(OrganisationContact.email)
        .where(
            OrganisationContact.organisation_id == Organisation.id, OrganisationContact.email != ""
        )
        .order_by(OrganisationContact.place, OrganisationContact.id)
        .limit(1)
        .correlate(Organisation)
        .scalar_subquery()
    )
    return func.coalesce(
        func.nullif(Organisation.responsible_email, ""),
        func.nullif(Organisation.email, ""),
        person,
        "",
    )


def organisation_by_name(session: Session, name: str) -> Organisation | None:
    return session.scalar(
        select(Organisation).where(func.lower(Organisation.name) == func.lower(name.strip()))
    )


def organisation_by_tax_code(session: Session, code: str) -> Organisation | None:
    """The organisation with a tax code as it is printed."""
    return session.scalar(select(Organisation).where(Organisation.tax_code == code))
