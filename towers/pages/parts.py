"""Forms of installations, permits, anchors and the footprint, and the list of ending permits."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from accounts import queries as accounts
from accounts.models import Organisation
from core import clock, store
from core.api import strict_json
from core.db import current_session, transaction
from core.errors import BadRequest, Conflict, DomainError, Invalid, NotFound
from core.geo import to_position
from core.guard import current_actor
from core.i18n import gettext as _
from core.policy import guard
from core.problems import field_texts
from core.slots import Panel
from core.words import N_
from towers import services
from towers.bodies import new_or_known
from towers.coordinate_systems import WGS84, named_systems
from towers.coordinates import read_pair
from towers.doors import soon_days, the_part, the_tower
from towers.fields import Field, Kind, Unreadable, read
from towers.forms import chosen_system
from towers.models import GuyAnchor, Installation, Tower
from towers.part_schemas import ENDING_STATES
from towers.parts import ANCHOR, ANTENNA_FIELDS, BY_PLURAL, INSTALLATION, PartKind
from towers.queries import parts as queries
from towers.queries.parts import Part, PermitFilters
from towers.rules import PermitKind, PermitState, permit_state
from towers.services import parts

CHANGED_MEANWHILE = N_(
    "Somebody changed this tower in the meantime. Your input is kept below:"
    " compare it with the tower's page and save again"
)
# Empty rows of antennas in the form, for those without scripts.
SPARE_ROWS = 3
# Farther the dashboard does not count.
COUNTED = 1_000
TITLES = {
    "installation": (N_("Add an installation"), N_("Edit the installation")),
    "permit": (N_("Add a permit or certificate"), N_("Edit the permit or certificate")),
    "anchor": (N_("Add a guy anchor"), N_("Edit the guy anchor")),
}


def part_routes(blueprint: Blueprint) -> None:
    """Add the forms of parts and the list of permits to the feature's blueprint."""
    blueprint.add_url_rule("/towers/permits", view_func=permits)
    for plural in BY_PLURAL:
        chosen = {"plural": plural}
        below = f"/towers/<code>/{plural}"
        for rule, view, method in (
            (f"{below}/new", new_part, "GET"),
            (f"{below}/new", create_part, "POST"),
            (f"{below}/<uuid:part_id>/edit", edit_part, "GET"),
            (f"{below}/<uuid:part_id>/edit", update_part, "POST"),
            (f"{below}/<uuid:part_id>/remove", remove_part, "POST"),
        ):
            blueprint.add_url_rule(rule, view_func=view, methods=[method], defaults=chosen)
    blueprint.add_url_rule("/towers/<code>/footprint/edit", view_func=edit_footprint)
    blueprint.add_url_rule(
        "/towers/<code>/footprint/edit", view_func=save_footprint, methods=["POST"]
    )


@contextmanager
def tower_in_form(code: str) -> Iterator[tuple[Session, Tower]]:
    """The tower of a form, held for one change; raises `Conflict` where the form is an old one."""
    with transaction() as session:
        tower = the_tower(code)
        services.hold(session, tower.id)
        if request.form.get("version", "") != str(tower.version):
            raise Conflict(CHANGED_MEANWHILE)
        yield session, tower


def back_to(tower: Tower, anchor: str) -> Response:
    return redirect(url_for("towers.detail", code=tower.code) + f"#{anchor}")


# What is typed and shown


def given_part(kind: PartKind) -> dict[str, Any]:
    """What was typed, as it was typed."""
    given: dict[str, Any] = {
        field.name: request.form.get(field.name, "").strip() for field in kind.columns
    }
    given["position"] = request.form.get("position", "").strip()
    given["srid"] = request.form.get("srid", str(WGS84.srid))
    columns = {
        field.name: request.form.getlist(f"antenna_{field.name}") for field in ANTENNA_FIELDS
    }
    length = min(max((len(one) for one in columns.values()), default=0), 1_000)
    rows = [
        {name: texts[row].strip() if row < len(texts) else "" for name, texts in columns.items()}
        for row in range(length)
    ]
    given["antennas"] = [row for row in rows if any(row.values())]
    return given


def shown_part(kind: PartKind, part: Part | None) -> dict[str, Any]:
    """A part as its form shows it, an empty one for a new part."""
    shown: dict[str, Any] = {
        field.name: _shown(getattr(part, field.name)) if part else "" for field in kind.columns
    }
    shown |= {"position": "", "srid": str(WGS84.srid), "antennas": []}
    if isinstance(part, GuyAnchor):
        position = to_position(part.geom)
        shown["position"] = f"{position.latitude:.7f}, {position.longitude:.7f}"
    if isinstance(part, Installation):
        shown["antennas"] = [
            {field.name: _shown(getattr(one, field.name)) for field in ANTENNA_FIELDS}
            for one in part.antennas
        ]
    return shown


def _shown(value: Any) -> Any:
    if isinstance(value, Organisation):
        return value.name
    return "" if value is None else value


def checked_part(kind: PartKind, given: dict[str, Any]) -> dict[str, Any]:
    """The typed values as services take them; raises `Invalid` with a text for each wrong field."""
    wrong: dict[str, list[Any]] = {}
    values = _read_all(kind.columns, given, wrong, "")
    if kind is ANCHOR:
        of = chosen_system(given["srid"])
        if of is None:
            wrong["srid"] = [N_("Choose one of the answers")]
        else:
            chosen = None if of == WGS84 else of
            envelope = store.envelope(current_session())
            reading, problems = read_pair(given["position"], envelope, chosen)
            if reading is None:
                wrong["position"] = [(text, facts) for _, text, facts in problems]
            else:
                values["position"] = reading.position
    if kind is INSTALLATION:
        values["antennas"] = []
        for number, row in enumerate(given["antennas"], start=1):
            found: dict[str, list[Any]] = {}
            one = _read_all(ANTENNA_FIELDS, row, found, "")
            values["antennas"].append({**one, "quantity": one.get("quantity") or 1})
            for texts in found.values():
                wrong.setdefault("antennas", []).extend(
                    (N_("Row %(number)s: %(reason)s"), {"number": number, "reason": _said(text)})
                    for text in texts
                )
    if wrong:
        raise Invalid(fields=wrong)
    return values


def _said(text: tuple[str, dict[str, Any]]) -> str:
    return _(text[0], **text[1])


def _read_all(
    fields: tuple[Field, ...], given: dict[str, Any], wrong: dict[str, list[Any]], prefix: str
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field in fields:
        try:
            values[field.name] = read(field, str(given[field.name]))
        except Unreadable as error:
            wrong[prefix + field.name] = [(error.text, error.facts)]
    return values


def with_organisations(kind: PartKind, values: dict[str, Any]) -> dict[str, Any]:
    """The values with organisations in the place of their names; a new name makes one."""
    made = {
        field.name: new_or_known(values[field.name] or "", field.name)
        for field in kind.columns
        if field.kind is Kind.ORGANISATION
    }
    return {**values, **made}


def part_form(
    tower: Tower,
    kind: PartKind,
    given: dict[str, Any],
    part_id: uuid.UUID | None,
    errors: dict[str, list[str]] | None = None,
) -> str:
    return render_template(
        "towers/part_form.html",
        tower=tower,
        kind=kind,
        given=given,
        part_id=part_id,
        errors=errors,
        title=_(TITLES[kind.name][0 if part_id is None else 1]),
        antenna_fields=ANTENNA_FIELDS,
        rows=[*given["antennas"], *({} for _row in range(SPARE_ROWS))],
        systems=named_systems(),
        organisations=accounts.organisation_names(current_session(), current_actor()),
        mast=to_position(tower.geom),
    )


# Views


@guard("tower.edit")
def new_part(code: str, plural: str) -> str:
    kind = BY_PLURAL[plural]
    return part_form(the_tower(code), kind, shown_part(kind, None), None)


@guard("tower.edit")
def create_part(code: str, plural: str) -> Response | tuple[str, int]:
    kind = BY_PLURAL[plural]
    given = given_part(kind)
    try:
        values = checked_part(kind, given)
        with tower_in_form(code) as (session, tower):
            parts.add_part(
                session,
                tower,
                kind,
                values=with_organisations(kind, values),
                by=current_actor(),
                now=clock.now(),
            )
    except NotFound:
        raise
    except DomainError as error:
        return part_form(the_tower(code), kind, given, None, errors_of(error)), error.status
    flash(_("Saved."), "success")
    return back_to(tower, plural)


@guard("tower.edit")
def edit_part(code: str, part_id: uuid.UUID, plural: str) -> str:
    kind, tower = BY_PLURAL[plural], the_tower(code)
    part = the_part(current_session(), tower, kind, part_id)
    return part_form(tower, kind, shown_part(kind, part), part_id)


@guard("tower.edit")
def update_part(code: str, part_id: uuid.UUID, plural: str) -> Response | tuple[str, int]:
    kind = BY_PLURAL[plural]
    given = given_part(kind)
    try:
        values = checked_part(kind, given)
        with tower_in_form(code) as (session, tower):
            part = the_part(session, tower, kind, part_id)
            if shown_part(kind, part)["position"] == given["position"]:
                # The form shows rounded degrees; an untouched position moves nothing.
                values.pop("position", None)
            parts.change_part(
                session,
                tower,
                kind,
                part,
                values=with_organisations(kind, values),
                by=current_actor(),
                now=clock.now(),
            )
    except NotFound:
        raise
    except DomainError as error:
        return part_form(the_tower(code), kind, given, part_id, errors_of(error)), error.status
    flash(_("Saved."), "success")
    return back_to(tower, plural)


@guard("tower.edit")
def remove_part(code: str, part_id: uuid.UUID, plural: str) -> Response:
    kind = BY_PLURAL[plural]
    with tower_in_form(code) as (session, tower):
        part = the_part(session, tower, kind, part_id)
        parts.remove_part(session, tower, kind, part, by=current_actor(), now=clock.now())
    flash(_("Removed. History keeps what it was."), "success")
    return back_to(tower, plural)


def errors_of(error: DomainError) -> dict[str, list[str]]:
    """What is wrong by the fields of the form, in which a position is one."""
    found: dict[str, list[str]] = {}
    for name, texts in field_texts(error).items():
        shown = "position" if name in {"latitude", "longitude"} else name
        found[shown] = list(dict.fromkeys([*found.get(shown, ()), *texts]))
    return found or {"form": [error.text()]}


# Footprint


def footprint_form(tower: Tower, text: str, errors: dict[str, list[str]] | None = None) -> str:
    return render_template("towers/footprint_form.html", tower=tower, text=text, errors=errors)


@guard("tower.edit")
def edit_footprint(code: str) -> str:
    tower = the_tower(code)
    found = queries.footprint(current_session(), tower.id)
    return footprint_form(tower, json.dumps(found) if found else "")


@guard("tower.edit")
def save_footprint(code: str) -> Response | tuple[str, int]:
    text = request.form.get("footprint", "").strip()
    try:
        try:
            given = strict_json(text.encode("utf-8", "surrogatepass")) if text else None
        except BadRequest as error:
            raise Invalid(fields={"footprint": [error.text()]}) from error
        with tower_in_form(code) as (session, tower):
            parts.set_footprint(session, tower, given, by=current_actor(), now=clock.now())
    except NotFound:
        raise
    except DomainError as error:
        return footprint_form(the_tower(code), text, errors_of(error)), error.status
    flash(_("Saved."), "success")
    return back_to(tower, "map")


# Permits of the whole register


@guard("tower.view")
def permits() -> str:
    """Permits that are over and those about to be, the nearest end first."""
    session, actor, today = current_session(), current_actor(), clock.today()
    soon = soon_days(session)
    filters = asked_permits()
    page = queries.expiring(
        session, actor, filters, today=today, soon_days=soon, cursor=request.args.get("cursor")
    )
    return render_template(
        "towers/permits.html",
        page=page,
        filters=filters,
        kinds=list(PermitKind),
        states=ENDING_STATES,
        soon=soon,
        today=today,
        number=queries.expiring_counts(
            session, actor, filters, today=today, soon_days=soon, at_most=COUNTED + 1
        )[0],
        counted=COUNTED,
        state_of=lambda one: permit_state(one.expires_on, today=today, soon_days=soon),
    )


def asked_permits() -> PermitFilters:
    """The filters in the page's address; what is not known is left out."""
    kind, state = request.args.get("kind", ""), request.args.get("state", "")
    days = request.args.get("days", "")
    return PermitFilters(
        kind=kind if kind in set(PermitKind) else "",
        state=state if state in ENDING_STATES else "",
        q=request.args.get("q", "").replace("\x00", "")[:200].strip(),
        days=int(days) if days.isascii() and days.isdigit() and 0 < len(days) < 5 else 0,
        replaced=request.args.get("replaced") == "1",
    )


def ending_permits(thing: Any) -> dict[str, Any]:
    """What the dashboard says of permits."""
    session, actor, today = current_session(), current_actor(), clock.today()
    soon = soon_days(session)
    states = (PermitState.EXPIRED, PermitState.SOON)
    numbers = queries.expiring_counts(
        session,
        actor,
        *(PermitFilters(state=state) for state in states),
        today=today,
        soon_days=soon,
        at_most=COUNTED + 1,
    )
    counts = dict(zip(states, numbers, strict=True))
    return {"counts": counts, "counted": COUNTED, "soon": soon}


DASHBOARD_PANELS = (Panel("towers/_dashboard_permits.html", ending_permits, "tower.view"),)
