"""Pages of organisations: list, one with its people and history, form, merge of two."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from accounts import queries
from accounts.doors import require_version, the_organisation
from accounts.models import Organisation, OrganisationMerge
from accounts.rules import CONTACT_LENGTHS, MAX_CONTACTS, OrganisationKind
from accounts.services import organisations as services
from core import audit, clock, merging, policy
from core.db import current_session, transaction
from core.errors import DomainError, Invalid
from core.formats import label
from core.guard import current_actor
from core.i18n import gettext as _
from core.i18n import translate
from core.paging import Behind
from core.policy import guard
from core.problems import errors_of
from core.slots import Event, EventSource, columns, panels, timeline
from core.words import N_

# Empty rows of the form, for people who are added without a script.
BLANK_CONTACTS = 2
LATEST_EVENTS = 14


def organisation_routes(blueprint: Blueprint) -> None:
    """Add the pages of organisations to the feature's blueprint."""
    one = "/organisations/<uuid:organisation_id>"
    blueprint.add_url_rule("/organisations", view_func=organisations)
    blueprint.add_url_rule("/organisations/new", view_func=new_organisation)
    blueprint.add_url_rule("/organisations/new", view_func=create_organisation, methods=["POST"])
    blueprint.add_url_rule(one, view_func=organisation)
    blueprint.add_url_rule(f"{one}/edit", view_func=edit_organisation)
    blueprint.add_url_rule(f"{one}/edit", view_func=update_organisation, methods=["POST"])
    blueprint.add_url_rule(f"{one}/delete", view_func=delete_organisation, methods=["POST"])
    blueprint.add_url_rule(f"{one}/merge", view_func=choose_same_organisation)
    blueprint.add_url_rule(f"{one}/merge", view_func=merge_organisation, methods=["POST"])


@guard("organisation.view")
def organisations() -> str:
    kind = request.args.get("kind", "")
    q = request.args.get("q", "").replace("\x00", "")[:200]
    page = queries.organisations(
        current_session(),
        current_actor(),
        kind=kind if kind in set(OrganisationKind) else None,
        q=q,
        cursor=request.args.get("cursor"),
    )
    return render_template(
        "accounts/organisations.html",
        page=page,
        columns=columns("organisations", page.rows),
        kinds=list(OrganisationKind),
        kind=kind,
        q=q,
    )


def form(
    organisation: Organisation | None,
    given: dict[str, Any],
    contacts: list[dict[str, str]],
    errors: Any = None,
) -> str:
    blank = dict.fromkeys(CONTACT_LENGTHS, "")
    return render_template(
        "accounts/organisation_form.html",
        organisation=organisation,
        given=given,
        contacts=[*contacts, *([blank] * BLANK_CONTACTS)],
        errors=errors,
        kinds=list(OrganisationKind),
    )


@guard("organisation.edit")
def new_organisation() -> str:
    return form(None, {"kind": "owner"}, [])


@guard("organisation.edit")
def create_organisation() -> Response | tuple[str, int]:
    return save(None)


def given_contacts() -> list[dict[str, str]]:
    """The people of the form in their order, as they were typed."""
    typed = {key: request.form.getlist(f"contact_{key}") for key in CONTACT_LENGTHS}
    length = min(max(len(one) for one in typed.values()), MAX_CONTACTS + BLANK_CONTACTS)
    people = [
        {key: values[place] if place < len(values) else "" for key, values in typed.items()}
        for place in range(length)
    ]
    return [one for one in people if any(value.strip() for value in one.values())]


def save(found: Organisation | None) -> Response | tuple[str, int]:
    given = {key: request.form.get(key, "") for key in services.ORGANISATION_FIELDS}
    contacts = given_contacts()
    try:
        with transaction() as session:
            if found is not None:
                services.hold(session, found.id)
                require_version(found.version)
            saved = services.save_organisation(
                session, found, given, contacts=contacts, by=current_actor(), now=clock.now()
            )
    except DomainError as error:
        again = the_organisation(found.id) if found is not None else None
        return form(again, given, contacts, errors_of(error)), error.status
    flash(_("The organisation was saved."), "success")
    return redirect(url_for("accounts.organisation", organisation_id=saved.id))


@guard("organisation.view")
def organisation(organisation_id: uuid.UUID) -> str:
    found, session = the_organisation(organisation_id), current_session()
    history: Sequence[audit.AuditEntry] = ()
    if policy.may(current_actor(), "organisation.edit", found):
        ids = merging.with_predecessors(session, OrganisationMerge, found.id)
        history = audit.history(session, "organisation", ids)
    return render_template(
        "accounts/organisation.html",
        organisation=found,
        panels=panels("organisation", found),
        timeline=timeline(
            "organisation", found, limit=LATEST_EVENTS, cursor=request.args.get("timeline")
        ),
        history=history,
    )


def history_events(found: Organisation, limit: int, behind: Behind) -> list[Event]:
    """The changes of an organisation and of those that were merged into it."""
    session = current_session()
    ids = merging.with_predecessors(session, OrganisationMerge, found.id)
    return [
        Event(
            entry.at,
            label(entry.action, "audit_action"),
            entry.actor,
            "#history",
            "edit",
            key=audit.key_of(entry),
        )
        for entry in audit.behind(session, "organisation", ids, behind, limit=limit)
    ]


# Who changed it stands in its history, which those see who may change it.
ORGANISATION_EVENTS = (EventSource(history_events, "organisation.edit", "change"),)


@guard("organisation.edit")
def edit_organisation(organisation_id: uuid.UUID) -> str:
    found = the_organisation(organisation_id)
    given = services.snapshot(found)
    return form(found, given, given["contacts"])


@guard("organisation.edit")
def update_organisation(organisation_id: uuid.UUID) -> Response | tuple[str, int]:
    return save(the_organisation(organisation_id))


@guard("organisation.edit")
def delete_organisation(organisation_id: uuid.UUID) -> Response:
    found = the_organisation(organisation_id)
    with transaction() as session:
        services.hold(session, found.id)
        require_version(found.version)
        services.delete_organisation(session, found, by=current_actor(), now=clock.now())
    flash(_("The organisation was deleted."), "success")
    return redirect(url_for("accounts.organisations"))


def chosen_other(keep: Organisation, given: str) -> Organisation | None:
    """The organisation to be merged into `keep`, by its id, tax code or name."""
    session, actor = current_session(), current_actor()
    given = given.replace("\x00", "").strip()
    try:
        found = queries.organisation(session, actor, uuid.UUID(given))
    except ValueError:
        found = queries.organisation_by_name(session, given)
        if found is None and given:
            found = queries.organisation_by_tax_code(session, given)
    return found if found and found.id != keep.id else None


@guard("organisation.merge")
def choose_same_organisation(organisation_id: uuid.UUID) -> str | tuple[str, int]:
    keep = the_organisation(organisation_id)
    return merge_form(keep, request.args.get("other", ""))


def merge_form(keep: Organisation, typed: str, error: str = "", status: int = 200) -> Any:
    session = current_session()
    other = chosen_other(keep, typed)
    if typed and other is None and not error:
        error, status = _("There is no other organisation with this name or tax code"), 422
    page = render_template(
        "accounts/organisation_merge.html",
        keep=keep,
        other=other,
        typed=typed,
        error=error,
        fields=services.ORGANISATION_FIELDS,
        names=[
            one.name
            for one in queries.organisation_names(session, current_actor())
            if one.id != keep.id
        ],
        moving=[
            (translate(label), number)
            for label, number in merging.counts(session, "organisation", other.id)
        ]
        if other
        else [],
    )
    return (page, status) if status != 200 else page


@guard("organisation.merge")
def merge_organisation(organisation_id: uuid.UUID) -> Response | str | tuple[str, int]:
    keep = the_organisation(organisation_id)
    typed = request.form.get("other", "")
    try:
        with transaction() as session:
            drop = chosen_other(keep, typed)
            if drop is None:
                raise Invalid(N_("There is no other organisation with this name or tax code"))
            if "confirmed" not in request.form:
                raise Invalid(N_("Confirm that the two are the same organisation"))
            services.hold(session, keep.id, drop.id)
            require_version(keep.version)
            require_version(drop.version, "other_version")
            services.merge_organisations(
                session,
                keep,
                drop,
                by=current_actor(),
                now=clock.now(),
                today=clock.today(),
            )
    except DomainError as error:
        return merge_form(the_organisation(organisation_id), typed, error.text(), error.status)
    flash(_("The two organisations are one now."), "success")
    return redirect(url_for("accounts.organisation", organisation_id=organisation_id))
