"""Pages of the register: list, tower, form and import."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import select
from werkzeug.wrappers import Response

from accounts import queries as accounts
from accounts.models import Organisation
from accounts.services import owner_named
from areas import queries as areas
from core import clock, store
from core.audit import AuditEntry
from core.db import current_session, transaction
from core.errors import Conflict, DomainError, Invalid
from core.geo import to_position
from core.guard import current_actor
from core.i18n import gettext as _
from core.policy import guard
from core.problems import field_texts
from core.slots import panels
from core.words import N_
from towers import queries, services
from towers.coordinate_systems import WGS84, named_systems
from towers.coordinates import Reading, read_columns
from towers.doors import effective, the_tower
from towers.fields import FIELDS, KEPT, ORGANISATIONS, Group, Kind, Unreadable, read
from towers.models import Tower
from towers.rules import Condition, StructureType
from towers.schemas import SEVERITIES, filters_from

blueprint = Blueprint("towers", "towers", template_folder="templates")

DUPLICATE_METRES = 100.0


def filter_choices() -> dict[str, Any]:
    """What the filter forms of lists and map offer."""
    session = current_session()
    return {
        "conditions": list(Condition),
        "severities": SEVERITIES,
        "structure_types": list(StructureType),
        "communes": areas.communes(session),
        "owners": queries.owners_with_towers(session, current_actor()),
    }


@blueprint.get("/towers")
@guard("tower.view")
def index() -> str:
    session, actor, today = current_session(), current_actor(), clock.today()
    filters = filters_from(request.args)
    sort = request.args.get("sort", "code")
    page = queries.towers(
        session,
        actor,
        filters,
        today=today,
        cursor=request.args.get("cursor"),
        sort=sort if sort in queries.SORTS else "code",
    )
    return render_template(
        "towers/index.html",
        page=page,
        filters=filters,
        sort=sort,
        matching=queries.count(session, actor, filters, today=today),
        total=queries.count(session, actor, queries.Filters(include_dismantled=True), today=today),
        today=today,
        effective=effective,
        **filter_choices(),
    )


@blueprint.get("/towers/<code>")
@guard("tower.view")
def detail(code: str) -> str:
    tower, today = the_tower(code), clock.today()
    condition, reason = effective(tower, today)
    history = (
        current_session()
        .scalars(
            select(AuditEntry)
            .where(AuditEntry.kind == "tower", AuditEntry.object_id == str(tower.id))
            .order_by(AuditEntry.id.desc())
            .limit(50)
        )
        .all()
    )
    return render_template(
        "towers/detail.html",
        tower=tower,
        position=to_position(tower.geom),
        condition=condition,
        reason=reason,
        today=today,
        history=history,
        commune_names=areas.names_of(
            current_session(),
            {
                values["commune_id"]
                for entry in history
                for values in (entry.before, entry.after)
                if values and values.get("commune_id")
            },
        ),
        panels=panels("tower", tower),
        map_panels=panels("tower_map", tower),
        interval=queries.intervals(current_session()).get(tower.structure_type),
    )


# Forms


def given_tower() -> dict[str, Any]:
    """What was typed, as it was typed, so that nothing is lost when something is wrong."""
    given: dict[str, Any] = {
        field.name: request.form.getlist(field.name)
        if field.kind is Kind.CHOICES
        else request.form.get(field.name, "").strip()
        for field in FIELDS
    }
    given["srid"] = request.form.get("srid", str(WGS84.srid))
    given["confirmed"] = "confirmed" in request.form
    return given


def checked(given: dict[str, Any]) -> tuple[Reading, dict[str, Any]]:
    """The typed values of a form; raises `Invalid` with a text for each field that is wrong.

    Organisations come as the names that were typed.
    """
    wrong: dict[str, list[Any]] = {}
    values: dict[str, Any] = {}
    for field in FIELDS:
        if field.kind is Kind.COORDINATE:
            continue
        text = given[field.name]
        try:
            values[field.name] = read(field, ",".join(text) if isinstance(text, list) else text)
        except Unreadable as error:
            wrong[field.name] = [(error.text, error.facts)]
    of = next((one for one in named_systems() if str(one.srid) == given["srid"]), None)
    if of is None:
        raise Invalid(fields={**wrong, "srid": [N_("Choose one of the answers")]})
    reading, problems = read_columns(
        given["latitude"], given["longitude"], store.envelope(current_session()), of
    )
    for name, message, facts in problems:
        wrong.setdefault(name, []).append((message, facts))
    if wrong or reading is None:
        raise Invalid(fields=wrong)
    return reading, values


def with_organisations(values: dict[str, Any]) -> dict[str, Any]:
    """The values with organisations in the place of their names; a new name makes one."""
    made = {
        field.name: owner_named(
            current_session(), values[field.name] or "", by=current_actor(), now=clock.now()
        )
        for field in ORGANISATIONS
    }
    return {**values, **made}


def shown_position(tower: Tower) -> dict[str, str]:
    """The tower's coordinates as the form shows them: as they were given, where that is known."""
    of = next((one for one in named_systems() if one.srid == tower.source_srid), WGS84)
    if of == WGS84 or tower.source_x is None or tower.source_y is None:
        position = to_position(tower.geom)
        x, y = position.longitude, position.latitude
        of = WGS84
    else:
        x, y = tower.source_x, tower.source_y
    digits = 3 if of.metric else 6
    return {"srid": str(of.srid), "latitude": f"{y:.{digits}f}", "longitude": f"{x:.{digits}f}"}


def form(tower: Tower | None, given: dict[str, Any], *, errors: Any = None, near: Any = ()) -> str:
    return render_template(
        "towers/form.html",
        tower=tower,
        given=given,
        errors=errors,
        near=near,
        groups=[(group, [one for one in FIELDS if one.group is group]) for group in Group],
        systems=named_systems(),
        organisations=accounts.organisations(current_session(), current_actor()),
    )


@blueprint.get("/towers/new")
@guard("tower.create")
def new() -> str:
    given: dict[str, Any] = {field.name: field.empty for field in FIELDS}
    for name in ("latitude", "longitude"):
        given[name] = request.args.get(name, "")
    return form(None, {**given, "srid": str(WGS84.srid)})


@blueprint.post("/towers/new")
@guard("tower.create")
def create() -> Response | str | tuple[str, int]:
    given = given_tower()
    try:
        reading, values = checked(given)
        near = queries.nearest(
            current_session(), current_actor(), reading.position, metres=DUPLICATE_METRES
        )
        if near and not given["confirmed"]:
            return form(None, given, near=near), 409
        with transaction() as session:
            made = services.create_tower(
                session,
                reading=reading,
                values=with_organisations(values),
                by=current_actor(),
                now=clock.now(),
            )
    except DomainError as error:
        return form(None, given, errors=errors_of(error)), error.status
    flash(_("Tower %(code)s was registered.", code=made.code), "success")
    return redirect(url_for("towers.detail", code=made.code))


def errors_of(error: DomainError) -> dict[str, list[str]]:
    return field_texts(error) or {"form": [error.text()]}


@blueprint.get("/towers/<code>/edit")
@guard("tower.edit")
def edit(code: str) -> str:
    tower = the_tower(code)
    given: dict[str, Any] = {
        **{field.name: getattr(tower, field.name) for field in KEPT},
        **{field.name: getattr(tower, field.name) for field in ORGANISATIONS},
        **shown_position(tower),
    }
    for field in FIELDS:
        value = given[field.name]
        if isinstance(value, Organisation):
            given[field.name] = value.name
        elif field.kind is Kind.FLAG and value is not None:
            given[field.name] = "yes" if value else "no"
    return form(tower, given)


@blueprint.post("/towers/<code>/edit")
@guard("tower.edit")
def update(code: str) -> Response | str | tuple[str, int]:
    tower, given = the_tower(code), given_tower()
    try:
        reading: Reading | None
        reading, values = checked(given)
        # The form shows rounded coordinates; an untouched position must not move the tower.
        if shown_position(tower).items() <= given.items():
            reading = None
        with transaction() as session:
            session.refresh(tower, with_for_update={"of": Tower, "key_share": True})
            if request.form.get("version", "") != str(tower.version):
                raise Conflict(
                    N_(
                        "Somebody changed this tower in the meantime. Your input is kept below:"
                        " compare it with the tower's page and save again"
                    )
                )
            services.update_tower(
                session,
                tower,
                reading=reading,
                values=with_organisations(values),
                by=current_actor(),
                now=clock.now(),
            )
            code = tower.code
    except DomainError as error:
        return form(the_tower(code), given, errors=errors_of(error)), error.status
    flash(_("Tower %(code)s was saved.", code=code), "success")
    return redirect(url_for("towers.detail", code=code))
