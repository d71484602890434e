"""Pages of the items of a draft of the checklist."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from core import clock
from core.db import current_session
from core.errors import Conflict, DomainError, NotFound
from core.guard import current_actor
from core.i18n import current_language
from core.i18n import gettext as _
from core.policy import guard
from core.words import N_
from inspections.checklist_doors import held_draft, the_version, version_page
from inspections.doors import refused
from inspections.item_forms import SPARE, item_from, shown_level
from inspections.labels import VOCABULARIES
from inspections.models import ChecklistVersion
from inspections.rules.catalogue import (
    ANSWER_TYPES,
    BASES,
    FUNCTIONS,
    HOW,
    OPERATORS,
    SEVERITIES,
)
from inspections.services import checklists, drafts


def checklist_item_routes(blueprint: Blueprint) -> None:
    """Add the pages of the items of a draft to the feature's blueprint."""
    items = "/checklists/<int:draft>/items"
    blueprint.add_url_rule(f"{items}/new", view_func=new_item)
    blueprint.add_url_rule(f"{items}/new", view_func=add_item, methods=["POST"])
    blueprint.add_url_rule(f"{items}/<key>/edit", view_func=edit_item)
    blueprint.add_url_rule(f"{items}/<key>/edit", view_func=save_item, methods=["POST"])
    blueprint.add_url_rule(f"{items}/<key>/remove", view_func=remove_item, methods=["POST"])


@guard("checklist.edit")
def new_item(draft: int) -> str:
    return item_page(the_version(draft), "", {"group": request.args.get("group", "")})


@guard("checklist.edit")
def add_item(draft: int) -> Response | tuple[str, int]:
    return put_item(draft, request.form.get("key", "").strip(), new=True)


@guard("checklist.edit")
def edit_item(draft: int, key: str) -> str:
    version = the_version(draft)
    return item_page(version, key, item_of(version, key))


@guard("checklist.edit")
def save_item(draft: int, key: str) -> Response | tuple[str, int]:
    item_of(the_version(draft), key)
    return put_item(draft, key)


def item_of(version: ChecklistVersion, key: str) -> dict[str, Any]:
    found = next((one for one in version.content["items"] if one["key"] == key), None)
    if found is None:
        raise NotFound(N_("The checklist has no item %(key)s"), key=key)
    return dict(found)


def put_item(draft: int, key: str, *, new: bool = False) -> Response | tuple[str, int]:
    item = item_from(request.form)
    try:
        with held_draft(draft) as (session, held):
            if new and any(one["key"] == key for one in held.content["items"]):
                message = N_("The checklist has an item %(key)s already")
                raise Conflict(message, fields={"key": [(message, {"key": key})]}, key=key)
            drafts.put_item(session, held, key, item, by=current_actor(), now=clock.now())
    except DomainError as error:
        texts = refused(error)
        page = item_page(the_version(draft), "" if new else key, {**item, "key": key}, texts)
        return page, error.status
    flash(_("The item was saved in the draft."), "success")
    return redirect(url_for("inspections.checklist", number=draft, _anchor=f"i-{key}"), 303)


def item_page(version: ChecklistVersion, key: str, item: dict[str, Any], errors: Any = None) -> str:
    """The form of an item; without a `key` it is new."""
    language = current_language()
    catalogue = checklists.catalogue_of(current_session(), version)
    answer = item.get("answer") or {}
    derived = answer.get("derived") or {}

    def spare(rows: Any) -> list[Any]:
        return [*(rows or []), *({} for _number in range(SPARE))]

    return render_template(
        "inspections/checklists/item.html",
        version=version,
        key=key,
        item=item,
        answer=answer,
        derived=derived,
        errors=errors,
        inputs=[*(derived.get("inputs") or []), *({} for _number in range(2))][:2],
        choices=spare(answer.get("values")),
        record_also=spare(answer.get("record_also")),
        levels=[shown_level(one) for one in spare(item.get("levels"))],
        groups=[(one.key, one.label.in_language(language)) for one in catalogue.groups],
        types=[
            (one_key, one.label.in_language(language))
            for one_key, one in catalogue.structure_types.items()
            if one.inspectable
        ],
        derived_items=[
            (one.key, one.text(language))
            for one in catalogue.items
            if one.answer.derived and one.key != key
        ],
        answer_types=ANSWER_TYPES,
        severities=SEVERITIES,
        operators=OPERATORS,
        functions=FUNCTIONS,
        hows=HOW,
        bases=BASES,
        words=VOCABULARIES["input"],
    )


@guard("checklist.edit")
def remove_item(draft: int, key: str) -> Response | tuple[str, int]:
    try:
        with held_draft(draft) as (session, held):
            drafts.remove_item(session, held, key, by=current_actor(), now=clock.now())
    except DomainError as error:
        texts = refused(error)
        return version_page(the_version(draft), texts), error.status
    flash(_("The item was taken out of the draft. What was answered to it stays."), "info")
    return redirect(url_for("inspections.checklist", number=draft), 303)
