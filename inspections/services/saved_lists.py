"""Filters of the follow-up list that a person keeps by a name."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import audit, policy
from core.errors import Conflict, Invalid
from core.i18n import N_
from core.policy import Actor
from inspections.models import SavedList

MAX_NAME = 100
MOST_LISTS = 100
MAX_QUERY = 4_000


def lists_of(session: Session, actor: Actor) -> Sequence[SavedList]:
    """What a person has kept, by name."""
    return session.scalars(
        select(SavedList)
        .where(policy.visible(actor, "saved_list"))
        .order_by(SavedList.name.collate("vi-x-icu"), SavedList.id)
    ).all()


def own_list(session: Session, actor: Actor, list_id: uuid.UUID) -> SavedList | None:
    return session.scalar(
        select(SavedList).where(SavedList.id == list_id, policy.visible(actor, "saved_list"))
    )


def shared_list(session: Session, list_id: uuid.UUID) -> SavedList | None:
    """A list by its address, whoever keeps it: filters tell nothing that their reader may not see,
    since each reader's territory comes first."""
    return session.get(SavedList, list_id)


def save(
    session: Session,
    list_id: uuid.UUID,
    name: str,
    query: Mapping[str, Sequence[str]],
    *,
    by: Actor,
    now: datetime,
) -> tuple[SavedList, bool]:
    """Keep filters by a name, and whether they are new; the same again changes nothing.

    Raises `Invalid` for a name that does not do, `Conflict` for one that is taken or an id that
    another list has.
    """
    policy.require(by, "saved_list.save")
    name = _checked(name, query)
    kept = {key: list(values) for key, values in query.items()}
    known = session.get(SavedList, list_id)
    if known is not None:
        if (known.user_id, known.name, known.query) == (by.id, name, kept):
            return known, False
        raise Conflict(N_("Another list was saved under this id"))
    _refuse_twin(session, list_id, name, by)
    number = session.scalar(select(func.count()).where(SavedList.user_id == by.id)) or 0
    if number >= MOST_LISTS:
        raise Conflict(N_("You have saved %(most)s lists: remove one first"), most=MOST_LISTS)
    assert by.id is not None
    made = SavedList(id=list_id, user_id=by.id, name=name, query=kept, saved_at=now)
    session.add(made)
    session.flush()
    _record(session, "saved_list.save", made, by=by, now=now)
    return made, True


def change(
    session: Session,
    saved: SavedList,
    name: str,
    query: Mapping[str, Sequence[str]],
    *,
    by: Actor,
    now: datetime,
) -> None:
    """Give a list another name or other filters."""
    policy.require(by, "saved_list.save", saved)
    name = _checked(name, query)
    _refuse_twin(session, saved.id, name, by)
    saved.name, saved.query = name, {key: list(values) for key, values in query.items()}
    saved.saved_at, saved.version = now, saved.version + 1
    session.flush()
    _record(session, "saved_list.change", saved, by=by, now=now)


def remove(session: Session, saved: SavedList, *, by: Actor, now: datetime) -> None:
    policy.require(by, "saved_list.save", saved)
    _record(session, "saved_list.remove", saved, by=by, now=now)
    session.delete(saved)
    session.flush()


def _checked(name: str, query: Mapping[str, Sequence[str]]) -> str:
    name = name.strip()
    if not 1 <= len(name) <= MAX_NAME:
        message = N_("A name has 1 to %(most)s letters")
        raise Invalid(fields={"name": [(message, {"most": MAX_NAME})]})
    if sum(len(key) + sum(map(len, values)) for key, values in query.items()) > MAX_QUERY:
        raise Invalid(N_("These are too many filters to be saved"))
    return name


def _refuse_twin(session: Session, list_id: uuid.UUID, name: str, by: Actor) -> None:
    twin = session.scalar(
        select(SavedList.id).where(
            SavedList.user_id == by.id,
            func.lower(SavedList.name) == func.lower(name),
            SavedList.id != list_id,
        )
    )
    if twin is not None:
        message = N_("You have saved a list by this name already")
        raise Conflict(message, fields={"name": [message]})


def _record(session: Session, action: str, saved: SavedList, *, by: Actor, now: datetime) -> None:
    audit.record(
        session,
        action,
        "saved_list",
        saved.id,
        by=by,
        now=now,
        after={"name": saved.name, "query": saved.query},
    )
