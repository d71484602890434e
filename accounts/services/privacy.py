"""What is held of a person, by the data dictionary: to be given to them, or to be taken away.

What proves who did what and when stays: the law that demands the proof goes before the wish.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, delete, func, select, text
from sqlalchemy.orm import Session

from accounts.models import AccessToken, AccountLink, User, UserSession
from accounts.queries import user_by_email
from accounts.services.users import is_last_admin
from core import audit, policy
from core.audit import AuditEntry
from core.dictionary import Class, ColumnEntry, Names, TableEntry, dictionary
from core.errors import Conflict, NotFound
from core.policy import Actor
from core.words import N_


class Fate(StrEnum):
    """What becomes of what is held."""

    DELETED = "deleted"
    EMPTIED = "emptied"
    PSEUDONYM = "pseudonym"
    STAYS = "stays"


@dataclass(frozen=True)
class Person:
    """Somebody by their address, with or without an account."""

    email: str
    account: uuid.UUID | None = None
    name: str = ""

    @property
    def asked(self) -> dict[str, Any]:
        return {
            "id": str(self.account) if self.account else "",
            "email": self.email.lower(),
        }


@dataclass(frozen=True)
class Held:
    """So many rows that name a person in some columns, and what an erasure does with them."""

    table: str
    column: str
    rows: int
    fate: Fate
    why: str


def person_of(session: Session, email: str) -> Person:
    """Who has an address, as an account or as a contact; raises `NotFound` for nobody."""
    user = user_by_email(session, email)
    if user is not None:
        return Person(user.email, user.id, user.name)
    found = Person(email.strip())
    if not any(one.rows for one in held(session, found)):
        raise NotFound(N_("Nothing is held of anybody with this address"))
    return found


def _where(columns: list[ColumnEntry]) -> str:
    """The condition that one of the columns names the person."""
    parts = []
    for one in columns:
        if one.person is Names.NAME:
            parts.append(f't."{one.beside}"::text = :id')
        elif one.person is Names.ID:
            parts.append(f't."{one.name}"::text = :id')
        else:
            parts.append(f'lower(t."{one.name}") = :email')
    return f"({' OR '.join(parts)})"


# What becomes of columns that the dictionary has emptied.
ERASED = {"empty": Fate.EMPTIED, "pseudonym": Fate.PSEUDONYM}
SAYS_NOTHING = N_("Says nothing without the person")


def fate_of(table: TableEntry, column: ColumnEntry) -> tuple[Fate, str]:
    """What an erasure does with what a column says of a person, and why."""
    if table.deleted:
        return Fate.DELETED, SAYS_NOTHING
    if column.person is Names.ID:
        return Fate.STAYS, N_("Names the account, which has a pseudonym then")
    if column.kind is Class.EVIDENCE:
        return Fate.STAYS, N_("Proof of who did what and when, which nobody may change")
    if column.person is Names.ADDRESS:
        return Fate.EMPTIED, N_("An address of nobody is of no use")
    return Fate.PSEUDONYM, N_("Replaced by the pseudonym")


WHAT_AN_ACCOUNT_WAS = N_("What was changed of the account, its name and address among it: proof")


def held(session: Session, person: Person) -> list[Held]:
    """What is held of a person, table by table."""
    found = []
    for table in dictionary().tables.values():
        for column in table.of_people:
            if table.name == "user" and column.person is not Names.EMAIL:
                continue
            number = session.scalar(
                text(f'SELECT count(*) FROM "{table.name}" t WHERE {_where([column])}'),  # noqa: S608
                person.asked,
            )
            if number:
                found.append(Held(table.name, column.name, number, *fate_of(table, column)))
        for column in table.erased if table.name != "user" else ():
            number = session.scalar(
                text(
                    f'SELECT count("{column.name}") FROM "{table.name}" t'  # noqa: S608
                    f" WHERE {_where(table.of_people)}"
                ),
                person.asked,
            )
            if number:
                fate = ERASED[column.erase]
                found.append(Held(table.name, column.name, number, fate, SAYS_NOTHING))
    told = session.scalar(
        select(func.count()).where(
            AuditEntry.kind == "user", AuditEntry.object_id == person.asked["id"]
        )
    )
    if told:
        found.append(Held("audit_entry", "before, after", told, Fate.STAYS, WHAT_AN_ACCOUNT_WAS))
    return found


def rows_of(session: Session, table: TableEntry, person: Person) -> Iterator[str]:
    """The rows of a table that name a person, each as JSON, without secrets."""
    secrets = [one.name for one in table.columns.values() if one.secret]
    yield from session.execute(
        text(
            "SELECT (to_jsonb(t) - cast(:secrets AS text[]))::text"  # noqa: S608 - our own names
            f' FROM "{table.name}" t WHERE {_where(table.of_people)}'
        ),
        {**person.asked, "secrets": secrets},
        execution_options={"yield_per": 500},
    ).scalars()


def files_of(session: Session, name: str, person: Person) -> list[str]:
    """The hashes of the files that rows of a person name."""
    table = dictionary().tables[name]
    if not table.of_people:
        return []
    return list(
        session.scalars(
            text(
                "SELECT DISTINCT encode(sha256, 'hex')"  # noqa: S608 - our own names
                f' FROM "{name}" t WHERE sha256 IS NOT NULL AND {_where(table.of_people)}'
            ),
            person.asked,
        )
    )


def record_export(session: Session, person: Person, *, by: Actor, now: datetime) -> None:
    """Write down that everything about a person was taken along."""
    policy.require(by, "user.edit")
    audit.record(session, "privacy.export", "user", person.account or "contact", by=by, now=now)


def code_of(person: Person, plan: list[Held]) -> str:
    """What confirms exactly this plan: a few letters that change when it does."""
    said = json.dumps([person.asked, [[one.table, one.column, one.rows] for one in plan]])
    return hashlib.sha256(said.encode()).hexdigest()[:8]


WRONG_CODE = N_("This does not confirm what would be done now: look at the plan again")


def erase(
    session: Session, person: Person, code: str, *, by: Actor, now: datetime
) -> tuple[str, list[Held]]:
    """Take a person away as far as no proof needs them; returns the pseudonym and what was done.

    Raises `Conflict` where `code` confirms another plan, or where the person is the last
    administrator.
    """
    policy.require(by, "user.edit")
    user = (
        session.get(User, person.account, with_for_update={"of": User}) if person.account else None
    )
    if user is not None and is_last_admin(session, user):
        raise Conflict(N_("This is the last active administrator: make another one first"))
    plan = held(session, person)
    if code != code_of(person, plan):
        raise Conflict(WRONG_CODE)
    pseudonym = f"erased-{uuid.uuid4().hex[:12]}@erased.invalid"
    for table in dictionary().tables.values():
        if table.name == "user" or not table.of_people:
            continue
        if table.deleted:
            session.execute(
                text(f'DELETE FROM "{table.name}" t WHERE {_where(table.of_people)}'),  # noqa: S608
                person.asked,
            )
            continue
        for column in table.erased:
            session.execute(
                text(
                    f'UPDATE "{table.name}" t SET "{column.name}" = :said'  # noqa: S608
                    f" WHERE {_where(table.of_people)}"
                ),
                {**person.asked, "said": pseudonym if column.erase == "pseudonym" else None},
            )
        for column in table.of_people:
            fate = fate_of(table, column)[0]
            if fate in {Fate.PSEUDONYM, Fate.EMPTIED}:
                session.execute(
                    text(
                        f'UPDATE "{table.name}" t SET "{column.name}" = :pseudonym'  # noqa: S608
                        f" WHERE {_where([column])}"
                    ),
                    {**person.asked, "pseudonym": pseudonym if fate is Fate.PSEUDONYM else ""},
                )
    if user is not None:
        session.refresh(user)
        _pseudonymise(user, pseudonym)
    session.flush()
    audit.record(
        session, "user.erase", "user", person.account or pseudonym, by=by, now=now,
        after={"pseudonym": pseudonym,
               "rows": {f"{one.table}.{one.column}": f"{one.rows} {one.fate}" for one in plan}},
    )  # fmt: skip
    return pseudonym, plan


def _pseudonymise(user: User, pseudonym: str) -> None:
    user.email, user.name = pseudonym, ""
    user.password, user.active = None, False
    user.fs_uniquifier = uuid.uuid4().hex
    user.tf_primary_method = user.tf_totp_secret = user.mf_recovery_codes = None
    user.tf_last_counter = None
    user.organisation_id = user.openid_subject = None
    user.everywhere = False
    user.version += 1


def remove_ended_tokens(session: Session, before: datetime, limit: int) -> int:
    """Delete tokens that were revoked or expired long ago; returns how many."""
    ended = func.least(AccessToken.revoked_at, AccessToken.expires_at)
    return _remove_ended(session, AccessToken, ended, before, limit)


def remove_ended_links(session: Session, before: datetime, limit: int) -> int:
    """Delete links that were used or ended long ago; returns how many."""
    ended = func.least(AccountLink.used_at, AccountLink.revoked_at, AccountLink.expires_at)
    return _remove_ended(session, AccountLink, ended, before, limit)


def remove_ended_sessions(session: Session, before: datetime, limit: int) -> int:
    """Delete sessions that ended long ago, also of who never signs in again; returns how many."""
    ended = func.least(UserSession.ended_at, UserSession.expires_at)
    return _remove_ended(session, UserSession, ended, before, limit)


def _remove_ended(
    session: Session,
    model: type[AccessToken | AccountLink | UserSession],
    ended: ColumnElement[datetime],
    before: datetime,
    limit: int,
) -> int:
    old = select(model.id).where(ended < before).limit(limit).with_for_update(skip_locked=True)
    gone = session.execute(delete(model).where(model.id.in_(old)).returning(model.id)).all()
    return len(gone)
