"""Changing organisations and the people one speaks to there."""

from __future__ import annotations

import unicodedata
import uuid
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.models import Organisation, OrganisationContact, OrganisationMerge, User
from accounts.queries import organisation_by_name, organisation_by_tax_code
from accounts.rules import (
    CONTACT_LENGTHS,
    LENGTHS,
    MAX_CONTACTS,
    OrganisationKind,
    is_email,
    tax_code,
)
from core import audit, merging, policy
from core.errors import Conflict, FieldText, Invalid
from core.merging import Follower, Merge
from core.policy import Actor
from core.words import N_

ORGANISATION_FIELDS = tuple(LENGTHS)

Contact = Mapping[str, str]


def snapshot(organisation: Organisation) -> dict[str, Any]:
    """The organisation as plain JSON values, for history."""
    return {
        **{key: getattr(organisation, key) for key in ORGANISATION_FIELDS},
        "contacts": [contact_values(one) for one in organisation.contacts],
    }


def contact_values(contact: OrganisationContact) -> dict[str, str]:
    return {key: getattr(contact, key) for key in CONTACT_LENGTHS}


def save_organisation(
    session: Session,
    organisation: Organisation | None,
    values: Mapping[str, str],
    *,
    contacts: Sequence[Contact] | None = None,
    by: Actor,
    now: datetime,
) -> Organisation:
    """Make or change an organisation; a value that is not given is emptied.

    `contacts` are all of its people in their order; `None` leaves them as they are. The same
    values change nothing, not even the version. Raises `Invalid` with a text for each field that
    is wrong, and `Conflict` where the name or the tax code is taken.
    """
    policy.require(by, "organisation.edit")
    checked = _checked(values)
    people = None if contacts is None else _checked_contacts(contacts)
    _require_unique(session, organisation, checked)
    new = organisation is None
    organisation = organisation or Organisation(id=uuid.uuid4(), version=0, created_at=now)
    before = None if new else snapshot(organisation)
    known = before["contacts"] if before else []
    after = {**checked, "contacts": known if people is None else people}
    if after == before:
        return organisation
    for key, value in checked.items():
        setattr(organisation, key, value)
    if after["contacts"] != known:
        organisation.contacts = [
            OrganisationContact(place=place, **one) for place, one in enumerate(after["contacts"])
        ]
    organisation.version += 1
    session.add(organisation)
    session.flush()
    changed = [key for key, value in after.items() if before is None or value != before[key]]
    audit.record(
        session,
        "organisation.create" if new else "organisation.edit",
        "organisation",
        organisation.id,
        by=by,
        now=now,
        before={key: before[key] for key in changed} if before else None,
        after={key: after[key] for key in changed},
    )
    return organisation


def _normal(value: str) -> str:
    return unicodedata.normalize("NFC", value).strip()


def _checked(values: Mapping[str, str]) -> dict[str, str]:
    """The fields in their one form; raises `Invalid` for all that is wrong at once."""
    checked = {key: _normal(values.get(key) or "") for key in LENGTHS}
    wrong: dict[str, list[FieldText]] = _too_long(checked, LENGTHS)
    if not 1 <= len(checked["name"]) <= LENGTHS["name"]:
        wrong["name"] = [N_("A name has 1 to 300 characters")]
    if checked["kind"] not in set(OrganisationKind):
        wrong["kind"] = [N_("Choose one of the kinds")]
    for key in ("email", "responsible_email"):
        if checked[key] and not is_email(checked[key]):
            wrong[key] = [N_("This is not an e-mail address.")]
    checked["tax_code"], problem = tax_code(checked["tax_code"])
    if problem:
        wrong["tax_code"] = [problem]
    if wrong:
        raise Invalid(fields=wrong)
    return checked


def _checked_contacts(contacts: Sequence[Contact]) -> list[dict[str, str]]:
    """The people in their one form; who has neither name nor anything else is left out."""
    people = [{key: _normal(one.get(key) or "") for key in CONTACT_LENGTHS} for one in contacts]
    wrong: dict[str, list[FieldText]] = {}
    for place, one in enumerate(people):
        found = _too_long(one, CONTACT_LENGTHS)
        if any(one.values()) and not one["name"]:
            found["name"] = [N_("A contact needs a name")]
        if one["email"] and not is_email(one["email"]):
            found["email"] = [N_("This is not an e-mail address.")]
        wrong.update({f"contacts.{place}.{key}": texts for key, texts in found.items()})
    people = [one for one in people if any(one.values())]
    if len(people) > MAX_CONTACTS:
        wrong["contacts"] = [N_("An organisation has at most 50 contacts")]
    if wrong:
        raise Invalid(fields=wrong)
    return people


def _too_long(values: Mapping[str, str], lengths: Mapping[str, int]) -> dict[str, list[FieldText]]:
    found: dict[str, list[FieldText]] = {}
    for key, longest in lengths.items():
        if len(values[key]) > longest:
            found[key] = [N_("This text is too long")]
        elif "\x00" in values[key]:
            found[key] = [N_("A text has a character that cannot be stored")]
    return found


def _require_unique(
    session: Session, organisation: Organisation | None, values: Mapping[str, str]
) -> None:
    namesake = organisation_by_name(session, values["name"])
    if namesake is not None and namesake is not organisation:
        message = N_("There is already an organisation with this name")
        raise Conflict(message, fields={"name": [message]})
    if not values["tax_code"]:
        return
    same = organisation_by_tax_code(session, values["tax_code"])
    if same is not None and same is not organisation:
        message = N_("“%(name)s” has this tax code: merge the two if they are the same")
        raise Conflict(message, fields={"tax_code": [message]}, name=same.name)


def owner_named(
    session: Session, name: str, *, by: Actor, now: datetime, kind: str = "owner"
) -> Organisation | None:
    """The organisation with a name, made as of a kind where it is new; `None` without a name."""
    if not name.strip():
        return None
    known = organisation_by_name(session, name)
    if known is not None:
        return known
    return save_organisation(session, None, {"name": name, "kind": kind}, by=by, now=now)


def merge_organisations(
    session: Session,
    keep: Organisation,
    drop: Organisation,
    *,
    by: Actor,
    now: datetime,
    today: date,
) -> Organisation:
    """Make one organisation of two that are the same: every reference moves to `keep`.

    What `keep` leaves empty is taken from `drop`, whose people are added to its own. The row of
    `drop` leaves; its values stay in `organisation_merge`, its history is shown with `keep`'s.
    Raises `Conflict` for one and the same organisation.
    """
    policy.require(by, "organisation.merge", keep)
    policy.require(by, "organisation.merge", drop)
    if keep.id == drop.id:
        raise Conflict(N_("Choose another organisation: this one is the same"))
    before, other = snapshot(keep), snapshot(drop)
    name, old_version = drop.name, drop.version
    merge = Merge(keep=keep.id, drop=drop.id, by=by, now=now, today=today)
    session.add(
        OrganisationMerge(
            old_id=drop.id, old_name=name, into_id=keep.id, at=now, by_id=by.id, snapshot=other
        )
    )
    moved = merging.counts(session, "organisation", drop.id)
    merging.move(session, "organisation", merge)
    session.delete(drop)
    session.flush()
    values = {key: before[key] or other[key] for key in ORGANISATION_FIELDS}
    people = [
        *before["contacts"],
        *(one for one in other["contacts"] if one not in before["contacts"]),
    ]
    save_organisation(session, keep, values, contacts=people, by=by, now=now)
    for action, kept, left in (
        ("organisation.merge", keep.id, {"merged": name, "version": old_version}),
        ("organisation.merged_away", merge.drop, {"into": before["name"]}),
    ):
        audit.record(
            session,
            action,
            "organisation",
            kept,
            by=by,
            now=now,
            after={**left, "moved": dict(moved)},
        )
    merging.finish(session, "organisation", merge)
    return keep


def hold(session: Session, *ids: uuid.UUID) -> None:
    """Hold organisations until the transaction ends, always in the same order.

    Raises `Conflict` where one was deleted or merged while this transaction waited for it.
    """
    held = session.scalars(
        select(Organisation)
        .where(Organisation.id.in_(ids))
        .order_by(Organisation.id)
        .with_for_update(of=Organisation)
        .execution_options(populate_existing=True)
    ).all()
    if len(held) < len(set(ids)):
        raise Conflict(N_("This organisation was deleted or merged in the meantime"))


def delete_organisation(
    session: Session, organisation: Organisation, *, by: Actor, now: datetime
) -> None:
    """Delete an organisation that nothing refers to; raises `Conflict` with what does."""
    policy.require(by, "organisation.edit", organisation)
    references = merging.counts(session, "organisation", organisation.id)
    if references:
        raise Conflict(
            N_("Other records refer to this organisation: merge it into the right one instead"),
            references=dict(references),
        )
    before, number = snapshot(organisation), organisation.id
    session.delete(organisation)
    session.flush()
    audit.record(
        session, "organisation.delete", "organisation", number, by=by, now=now, before=before
    )


def _note_users(session: Session, merge: Merge) -> None:
    """An account that changes its organisation says so in its own history."""
    for user_id in session.scalars(select(User.id).where(User.organisation_id == merge.drop)):
        audit.record(
            session,
            "user.edit",
            "user",
            user_id,
            by=merge.by,
            now=merge.now,
            before={"organisation_id": str(merge.drop)},
            after={"organisation_id": str(merge.keep)},
        )


FOLLOWERS = (Follower(N_("Accounts"), User.organisation_id, before=_note_users),)
