"""Pages of the register: tower and form; the list and the search are in `browsing`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from accounts import queries as accounts
from areas import queries as areas
from core import clock, store
from core.db import current_session, transaction
from core.errors import Conflict, DomainError
from core.guard import current_actor
from core.i18n import gettext as _
from core.policy import guard
from core.problems import errors_of
from core.words import N_
from towers import queries, services
from towers.browsing import browsing_routes
from towers.coordinate_systems import WGS84, named_systems
from towers.coordinates import Reading
from towers.doors import the_tower
from towers.downloads import export_routes
from towers.fields import FIELDS, Group
from towers.forms import checked, given_tower, is_untouched, shown_tower
from towers.models import Tower
from towers.pages.documents import document_routes
from towers.pages.exporting import export_pages
from towers.pages.history import history_routes
from towers.pages.importing import import_routes
from towers.pages.merge import merge_routes
from towers.pages.parts import part_routes
from towers.pages.position import (
    Doubts,
    checked_place,
    confirmation_of,
    doubts_about,
    position_routes,
    stated_commune,
)
from towers.pages.proposals import proposal_routes
from towers.pages.tower import tower_routes
from towers.pages.vocabularies import vocabulary_routes

blueprint = Blueprint("towers", "towers", template_folder="templates")
for add_routes in (
    tower_routes,
    history_routes,
    part_routes,
    position_routes,
    vocabulary_routes,
    document_routes,
    proposal_routes,
    merge_routes,
    import_routes,
    browsing_routes,
    export_routes,
    export_pages,
):
    add_routes(blueprint)

DUPLICATE_METRES = 100.0


# Forms


def doubts_before_saving(
    given: dict[str, Any], reading: Reading | None, tower: Tower | None
) -> Doubts | None:
    """What is asked about a position before it is saved; `None` where nothing is, or it was asked.

    A confirmation counts for the position and commune that it was given for, and no others.
    """
    if reading is None or given["place_confirmed"] == confirmation_of(given):
        return None
    stated = stated_commune(given["stated_commune"])
    return doubts_about(checked_place(reading, stated, tower), stated) or None


def alike_codes(given: dict[str, Any], code: str, tower: Tower | None = None) -> Sequence[Tower]:
    """The towers that a new code may mean; none where it is not new, or was confirmed."""
    if given["confirmed"] or (tower is not None and code == tower.code):
        return ()
    return queries.alike_codes(current_session(), current_actor(), code, but=tower)


def form(
    tower: Tower | None,
    given: dict[str, Any],
    *,
    errors: Any = None,
    near: Any = (),
    alike: Any = (),
    doubts: Doubts | None = None,
) -> str:
    return render_template(
        "towers/form.html",
        tower=tower,
        given=given,
        errors=errors,
        near=near,
        alike=alike,
        doubts=doubts,
        confirmation=confirmation_of(given) if doubts else "",
        communes=areas.commune_choices(current_session()),
        groups=[(group, [one for one in FIELDS if one.group is group]) for group in Group],
        systems=named_systems(),
        organisations=accounts.organisation_names(current_session(), current_actor()),
    )


# What a form that nobody filled in yet says beside the fields.
UNASKED = {"anything": "", "stated_commune": "", "place_confirmed": ""}


@blueprint.get("/towers/new")
@guard("tower.create")
def new() -> str:
    given: dict[str, Any] = {field.name: field.empty for field in FIELDS}
    for name in ("latitude", "longitude"):
        given[name] = request.args.get(name, "")
    return form(None, {**given, **UNASKED, "srid": str(WGS84.srid)})


@blueprint.post("/towers/new")
@guard("tower.create")
def create() -> Response | str | tuple[str, int]:
    given = given_tower(request.form)
    try:
        reading, values = checked(given, store.envelope(current_session()))
        near = queries.nearest(
            current_session(), current_actor(), reading.position, metres=DUPLICATE_METRES
        )
        near = () if given["confirmed"] else near
        alike = alike_codes(given, values["code"])
        doubts = doubts_before_saving(given, reading, None)
        if near or alike or doubts:
            return form(None, given, near=near, alike=alike, doubts=doubts), 409
        with transaction() as session:
            made = services.create_tower(
                session,
                reading=reading,
                values=services.with_organisations(
                    session, values, by=current_actor(), now=clock.now()
                ),
                by=current_actor(),
                now=clock.now(),
            )
    except DomainError as error:
        return form(None, given, errors=errors_of(error)), error.status
    flash(_("Tower %(code)s was registered.", code=made.code), "success")
    return redirect(url_for("towers.detail", code=made.code))


@blueprint.get("/towers/<code>/edit")
@guard("tower.edit")
def edit(code: str) -> str:
    tower = the_tower(code)
    return form(tower, shown_tower(tower))


@blueprint.post("/towers/<code>/edit")
@guard("tower.edit")
def update(code: str) -> Response | str | tuple[str, int]:
    tower, given = the_tower(code), given_tower(request.form)
    try:
        reading: Reading | None
        reading, values = checked(given, store.envelope(current_session()))
        # The form shows rounded coordinates; an untouched position must not move the tower.
        if is_untouched(tower, given):
            reading = None
        alike = alike_codes(given, values["code"], tower)
        doubts = doubts_before_saving(given, reading, tower)
        if alike or doubts:
            return form(tower, given, alike=alike, doubts=doubts), 409
        with transaction() as session:
            services.hold(session, tower.id)
            if request.form.get("version", "") != str(tower.version):
                raise Conflict(
                    N_(
                        "Somebody changed this tower in the meantime. Your input is kept below:"
                        " compare it with the tower's page and save again"
                    )
                )
            # The form still shows the day of the old life cycle: nobody gave one of the new.
            unsaid = values["lifecycle_since"] == tower.lifecycle_since
            if unsaid and values["lifecycle"] != tower.lifecycle:
                del values["lifecycle_since"]
            services.update_tower(
                session,
                tower,
                reading=reading,
                values=services.with_organisations(
                    session, values, by=current_actor(), now=clock.now()
                ),
                by=current_actor(),
                now=clock.now(),
                today=clock.today(),
            )
            code = tower.code
    except DomainError as error:
        return form(the_tower(code), given, errors=errors_of(error)), error.status
    flash(_("Tower %(code)s was saved.", code=code), "success")
    return redirect(url_for("towers.detail", code=code))
