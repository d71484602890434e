"""The register as a file: what is asked for, who may have it, and what is written down about it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Response, redirect, request, url_for
from flask_babel import format_datetime
from werkzeug.datastructures import MultiDict

from accounts import queries as accounts
from core import clock
from core import exports as exporting
from core.db import current_session, transaction
from core.downloads import FORMS, Form, download, form_of, is_long
from core.errors import Invalid
from core.exports import Export
from core.formats import texts_of
from core.guard import current_actor
from core.i18n import current_language, translate
from core.policy import Actor, guard
from core.tables import Table
from core.words import N_
from towers import exports
from towers.coordinate_systems import WGS84, System, named_systems
from towers.exports import Choice, described
from towers.fields import Group
from towers.queries import Filters, campaign_name, understood
from towers.schemas import filters_from

AS_GIVEN = "given"


def export_texts() -> dict[str, dict[str, str]]:
    """The words of the register's columns and filters, in the reader's language."""
    return {name: texts_of(name) for name in exports.vocabularies()}


@dataclass(frozen=True)
class Taking:
    """What somebody takes along: `what` is the list, `query` its arguments, `filters` in words."""

    what: str
    form: Form
    query: MultiDict[str, str]
    filters: Sequence[tuple[str, str]]
    table: Table
    name: str
    facts: Mapping[str, Any] = field(default_factory=dict)


def filters_in_words(filters: Filters, actor: Actor) -> list[tuple[str, str]]:
    """The filters of the register as its readers call them."""
    session, names = current_session(), {}
    if filters.owner and (owner := accounts.organisation(session, actor, filters.owner)):
        names["owner"] = owner.name
    if filters.campaign:
        names["campaign"] = campaign_name(session, actor, filters.campaign)
    return described(filters, export_texts(), names)


def begin_export(taking: Taking, *, put_off: bool, export_id: uuid.UUID | None = None) -> Export:
    """Write down that the reader takes a list along, and leave a long one to a job."""
    with transaction() as session:
        made = exporting.begin(
            session,
            export_id or uuid.uuid4(),
            taking.what,
            taking.form.ending,
            dict(taking.query.lists()),
            taking.filters,
            language=current_language(),
            by=current_actor(),
            now=clock.now(),
            facts=taking.facts,
        )
        if put_off:
            exporting.put_off(session, made)
    return made


def about_of(export: Export) -> list[tuple[str, str]]:
    """What a list says of itself."""
    shown = "; ".join(f"{what}: {value}" for what, value in export.filters)
    return [
        (translate(N_("Exported at")), format_datetime(export.created_at, "dd/MM/yyyy HH:mm")),
        (translate(N_("Exported by")), export.actor),
        (translate(N_("Filters")), shown or translate(N_("None, the whole list"))),
        (translate(N_("Number of the export")), str(export.id)),
    ]


def take(taking: Taking) -> Response:
    """The list as a file; one that is long for its form is made by a job, whose page is shown."""
    session = current_session()
    put_off = is_long(session, taking.table, taking.form)
    export = begin_export(taking, put_off=put_off)
    if put_off:
        address = url_for("towers.export_page", export_id=export.id)
        return redirect(address, 303)  # type: ignore[return-value]

    number = export.id

    def done(rows: int) -> None:
        # In the session that read the rows: a stream outlives that of its request.
        exporting.finish(session, session.get_one(Export, number), rows, now=clock.now())
        session.commit()

    table = taking.table.with_about((*taking.table.about, *about_of(export)), str(export.id))
    return download(session, table, taking.form, name=taking.name, day=clock.today(), done=done)


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
        return take(taken_register(form, request.args, current_actor()))


def taken_register(form: Form, query: MultiDict[str, str], actor: Actor) -> Taking:
    """The register in the actor's scope as an address asks for it.

    Raises `Invalid` for what the form cannot hold.
    """
    choice = asked_choice(form, query, tuple(query.getlist("field")))
    filters = understood(current_session(), actor, filters_from(query))
    table = exports.table(actor, filters, choice, today=clock.today(), texts=export_texts())
    system = _system_text(choice)
    return Taking(
        what="tower",
        form=form_of(form.ending),
        query=query,
        filters=filters_in_words(filters, actor),
        table=table.with_about([(translate(N_("Coordinate system")), system)]),
        name="cot-ang-ten",
        facts={"system": system},
    )


def _system_text(choice: Choice) -> str:
    if choice.as_given:
        return translate(N_("As it was given for each"))
    return f"{choice.system.name} (EPSG:{choice.system.srid})"
