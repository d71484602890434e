"""Pages of the groups of a draft of the checklist, and of the order in which all of it stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from core import clock
from core.errors import Conflict, DomainError, Invalid, NotFound
from core.guard import current_actor
from core.i18n import gettext as _
from core.policy import guard
from core.words import N_
from inspections.checklist_doors import held_draft, the_version, version_page
from inspections.doors import refused
from inspections.models import ChecklistVersion
from inspections.services import checklist_order as services


def checklist_order_routes(blueprint: Blueprint) -> None:
    """Add these pages to the feature's blueprint."""
    groups = "/checklists/<int:draft>/groups"
    for rule, view in (
        (groups, add_group),
        (f"{groups}/<key>", rename_group),
        (f"{groups}/<key>/remove", remove_group),
        (f"{groups}/<key>/place", place_group),
        ("/checklists/<int:draft>/items/<key>/place", place_item),
    ):
        blueprint.add_url_rule(rule, view_func=view, methods=["POST"])


def changed(
    draft: int,
    change: Callable[[Session, ChecklistVersion], Any],
    anchor: str = "",
    *,
    group: str = "",
) -> Response | tuple[str, int]:
    """Change a draft as the form showed it, then its page where the change was made.

    `group` is the one whose names were typed.
    """
    try:
        with held_draft(draft) as (session, held):
            change(session, held)
    except DomainError as error:
        texts = refused(error)
        return version_page(
            the_version(draft), texts, given={**request.form, "group": group}
        ), error.status
    # With an anchor in the address browsers give no field the focus.
    here: dict[str, Any] = {"moved": anchor} if anchor else {"_anchor": "groups"}
    address = url_for("inspections.checklist", number=draft, **here)
    return redirect(address, 303)


def given_place(rows: Any, key: str) -> int:
    """Where a form puts one of some rows: one up, one down, or at a place; raises `Invalid`."""
    step, text = request.form.get("to", ""), request.form.get("place", "")
    here = next((at for at, one in enumerate(rows, 1) if one["key"] == key), None)
    if here is not None and step in ("up", "down"):
        return min(max(here + (1 if step == "down" else -1), 1), len(rows))
    if not text.isascii() or not text.isdigit() or len(text) > 4:
        raise Invalid(fields={"place": [N_("This is not a whole number.")]})
    return int(text)


@guard("checklist.edit")
def add_group(draft: int) -> Response | tuple[str, int]:
    key = request.form.get("key", "").strip()

    def add(session: Session, held: ChecklistVersion) -> None:
        if any(one["key"] == key for one in held.content["groups"]):
            message = N_("The checklist has a group %(key)s already")
            raise Conflict(message, fields={"key": [(message, {"key": key})]}, key=key)
        _put(session, held, key)

    return changed(draft, add)


@guard("checklist.edit")
def rename_group(draft: int, key: str) -> Response | tuple[str, int]:
    known(draft, key)
    return changed(draft, lambda session, held: _put(session, held, key), f"g-{key}", group=key)


def known(draft: int, key: str) -> None:
    """Raise `NotFound` for a group that a draft has not."""
    if all(one["key"] != key for one in the_version(draft).content["groups"]):
        raise NotFound(N_("The checklist has no group %(key)s"), key=key)


def _put(session: Session, held: ChecklistVersion, key: str) -> None:
    vi, en = (request.form.get(name, "") for name in ("vi", "en"))
    services.put_group(session, held, key, vi=vi, en=en, by=current_actor(), now=clock.now())
    flash(_("The group was saved in the draft."), "success")


@guard("checklist.edit")
def remove_group(draft: int, key: str) -> Response | tuple[str, int]:
    return changed(
        draft,
        lambda session, held: services.remove_group(
            session, held, key, by=current_actor(), now=clock.now()
        ),
    )


@guard("checklist.edit")
def place_group(draft: int, key: str) -> Response | tuple[str, int]:
    def move(session: Session, held: ChecklistVersion) -> None:
        place = given_place(held.content["groups"], key)
        services.move_group(session, held, key, place, by=current_actor(), now=clock.now())

    return changed(draft, move, f"g-{key}")


@guard("checklist.edit")
def place_item(draft: int, key: str) -> Response | tuple[str, int]:
    def move(session: Session, held: ChecklistVersion) -> None:
        items = held.content["items"]
        group = next((one["group"] for one in items if one["key"] == key), None)
        place = given_place([one for one in items if one["group"] == group], key)
        services.move_item(session, held, key, place, by=current_actor(), now=clock.now())

    return changed(draft, move, f"i-{key}")
