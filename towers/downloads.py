"""The register as a file: what is asked for, who may have it, and what is written down about it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request
from flask_babel import format_datetime

from accounts import queries as accounts
from core import audit, clock
from core.db import current_session, transaction
from core.downloads import FORMS, Form, download, form_of
from core.errors import Invalid
from core.formats import texts_of
from core.guard import current_actor
from core.i18n import translate
from core.policy import guard
from core.words import N_
from towers import exports
from towers.coordinate_systems import WGS84, System, named_systems
from towers.doors import asked_filters
from towers.exports import Choice, described
from towers.fields import Group
from towers.queries import Filters

AS_GIVEN = "given"


def export_texts() -> dict[str, dict[str, str]]:
    """The words of the register's columns and filters, in the reader's language."""
    return {name: texts_of(name) for name in exports.vocabularies()}


def begin_export(action: str, filters: Filters, **facts: Any) -> list[tuple[str, str]]:
    """Write down that the reader takes a list along; returns what the list says of itself."""
    session, actor, now = current_session(), current_actor(), clock.now()
    owner = accounts.organisation(session, actor, filters.owner) if filters.owner else None
    narrowed = described(filters, export_texts(), owner.name if owner else None)
    export_id = uuid.uuid4()
    with transaction():
        audit.record(
            session,
            action,
            "export",
            export_id,
            by=actor,
            now=now,
            after={**facts, "filters": dict(narrowed)},
        )
    shown = "; ".join(f"{what}: {value}" for what, value in narrowed)
    return [
        (translate(N_("Exported at")), format_datetime(now, "dd/MM/yyyy HH:mm")),
        (translate(N_("Exported by")), actor.name or actor.email),
        (translate(N_("Filters")), shown or translate(N_("None, the whole list"))),
        (translate(N_("Number of the export")), str(export_id)),
    ]


def asked_choice(form: Form, args: Mapping[str, str], names: tuple[str, ...]) -> Choice:
    """What the address asks for; raises `Invalid` for what this form cannot hold."""
    wanted = args.get("srid", "")
    system = _system(wanted)
    if (system != WGS84 or wanted == AS_GIVEN) and not form.any_system:
        message = N_(
            "%(format)s always has WGS 84 by its standard: take CSV, Excel or GeoPackage"
            " for another coordinate system"
        )
        raise Invalid(message, fields={"srid": [message]}, format=form.name)
    words = args.get("values", "")
    if words not in {"", "labels", "keys"}:
        raise Invalid(fields={"values": [N_("Choose one of the answers")]})
    return Choice(
        columns=names,
        system=system,
        as_given=wanted == AS_GIVEN,
        labelled=words == "labels" or (form.spreadsheet and words != "keys"),
    )


def _system(wanted: str) -> System:
    if wanted in {"", AS_GIVEN}:
        return WGS84
    for one in named_systems():
        if str(one.srid) == wanted:
            return one
    message = N_("Choose one of the coordinate systems of the list")
    raise Invalid(message, fields={"srid": [message]})


def export_choices() -> dict[str, Any]:
    """What the form for an export offers."""
    groups: list[tuple[str, list[tuple[str, str]]]] = [
        (
            texts_of("field_group")[group],
            [(one.name, translate(one.label)) for one in exports.FIELDS if one.group is group],
        )
        for group in Group
    ]
    computed = [(one.name, translate(one.label)) for one in exports.DERIVED]
    return {
        "export_forms": list(FORMS.values()),
        "export_systems": named_systems(),
        "export_columns": [*groups, (translate(N_("Computed by the system")), computed)],
    }


def export_routes(blueprint: Blueprint) -> None:
    """Add the export to the pages of the register."""

    @blueprint.get("/towers/export")
    @guard("tower.export")
    def export() -> Response:
        """`format`, `srid` (an EPSG code or `given`), `field` (many), `values` (labels or keys)."""
        form = form_of(request.args.get("format", "csv"))
        choice = asked_choice(form, request.args, tuple(request.args.getlist("field")))
        filters = asked_filters()
        # Refused before it is written down.
        table = exports.table(
            current_actor(), filters, choice, today=clock.today(), texts=export_texts()
        )
        about = begin_export(
            "tower.export", filters, format=form.ending, system=_system_text(choice)
        )
        system = (translate(N_("Coordinate system")), _system_text(choice))
        return download(
            current_session(),
            table.with_about((system, *about)),
            form,
            name="cot-ang-ten",
            day=clock.today(),
        )


def _system_text(choice: Choice) -> str:
    if choice.as_given:
        return translate(N_("As it was given for each"))
    return f"{choice.system.name} (EPSG:{choice.system.srid})"
