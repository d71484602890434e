"""The groups of a draft of the checklist, and the order of its groups and items."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from core.errors import Conflict, Invalid, NotFound
from core.i18n import N_
from core.policy import Actor
from inspections.models import ChecklistVersion
from inspections.rules.catalogue import KEY
from inspections.services.drafts import replace

MOST_LETTERS = 200


def put_group(
    session: Session,
    draft: ChecklistVersion,
    key: str,
    *,
    vi: str,
    en: str,
    by: Actor,
    now: datetime,
) -> bool:
    """Add a group to a draft behind the others, or name it otherwise; returns whether it is new.

    The code of a group never changes. Raises `Invalid` for a code or name that cannot be.
    """
    wrong: dict[str, list[Any]] = {}
    if not KEY.match(key):
        wrong["key"] = [
            N_("The code of a group begins with a letter and has letters, digits and _ only")
        ]
    for name, text in (("vi", vi), ("en", en)):
        if not 1 <= len(text.strip()) <= MOST_LETTERS:
            message = N_("Give the group a name of at most %(most)s letters")
            wrong[name] = [(message, {"most": MOST_LETTERS})]
    if wrong:
        raise Invalid(fields=wrong)
    groups = [dict(one) for one in draft.content["groups"]]
    made = {"key": key, "vi": vi.strip(), "en": en.strip()}
    place = _find(groups, key)
    if place is None:
        groups.append(made)
    else:
        groups[place] |= made
    replace(session, draft, {**draft.content, "groups": groups}, by=by, now=now)
    return place is None


def remove_group(
    session: Session, draft: ChecklistVersion, key: str, *, by: Actor, now: datetime
) -> None:
    """Take a group out of a draft; raises `NotFound`, and `Conflict` while it has items."""
    groups = list(draft.content["groups"])
    del groups[_place(groups, key, _no_group(key))]
    if any(one["group"] == key for one in draft.content["items"]):
        raise Conflict(N_("This group has items: move them to another group first"))
    replace(session, draft, {**draft.content, "groups": groups}, by=by, now=now)


def move_group(
    session: Session, draft: ChecklistVersion, key: str, place: int, *, by: Actor, now: datetime
) -> None:
    """Put a group at a place from 1 on; raises `NotFound` and `Invalid`."""
    groups = list(draft.content["groups"])
    moved = _moved(groups, _place(groups, key, _no_group(key)), place)
    replace(session, draft, {**draft.content, "groups": moved}, by=by, now=now)


def move_item(
    session: Session, draft: ChecklistVersion, key: str, place: int, *, by: Actor, now: datetime
) -> None:
    """Put an item at a place of its group, from 1 on; raises `NotFound` and `Invalid`.

    The items of other groups keep theirs.
    """
    items = list(draft.content["items"])
    missing = NotFound(N_("The checklist has no item %(key)s"), key=key)
    group = items[_place(items, key, missing)]["group"]
    places = [at for at, one in enumerate(items) if one["group"] == group]
    own = [items[at] for at in places]
    for at, one in zip(places, _moved(own, _place(own, key, missing), place), strict=True):
        items[at] = one
    replace(session, draft, {**draft.content, "items": items}, by=by, now=now)


def _no_group(key: str) -> NotFound:
    return NotFound(N_("The checklist has no group %(key)s"), key=key)


def _find(rows: Sequence[Any], key: str) -> int | None:
    return next((at for at, one in enumerate(rows) if one["key"] == key), None)


def _place(rows: Sequence[Any], key: str, missing: NotFound) -> int:
    found = _find(rows, key)
    if found is None:
        raise missing
    return found


def _moved(rows: Sequence[Any], at: int, place: int) -> list[Any]:
    if not 1 <= place <= len(rows):
        message = N_("The place is a number from 1 to %(most)s")
        facts = {"most": len(rows)}
        raise Invalid(message, fields={"place": [(message, facts)]}, **facts)
    left = [one for number, one in enumerate(rows) if number != at]
    return [*left[: place - 1], rows[at], *left[place - 1 :]]
