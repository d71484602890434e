"""The page of the audit, for administrators, and its files."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

from flask import Blueprint, Response, render_template, request
from flask_babel import format_datetime

from accounts.audit_doors import action_of, changes_of, means_of, names_of, wanted_of
from core import audit_lists, clock, seals
from core import exports as exporting
from core.audit_lists import FILTERS, Wanted
from core.db import current_session, transaction
from core.downloads import FORMS, download, form_of, is_long
from core.errors import Invalid, TooLarge
from core.exports import Export
from core.formats import texts_of
from core.guard import current_actor
from core.i18n import current_language, translate
from core.policy import guard
from core.words import N_

FORMATS = {ending: FORMS[ending] for ending in ("csv", "xlsx")}


def audit_routes(blueprint: Blueprint) -> None:
    """Add the audit to the feature's blueprint."""
    blueprint.add_url_rule("/audit", view_func=audit)
    blueprint.add_url_rule("/audit/export", view_func=export_audit)


def given() -> dict[str, str]:
    return {name: request.args.get(name, "")[:300] for name in FILTERS}


def asked_day(text: str, name: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        message = N_("This is not a day of the calendar")
        raise Invalid(message, fields={name: [message]}) from error


def asked() -> Wanted:
    """What the address asks for; raises `Invalid` for a day that is none."""
    found = given()
    return wanted_of(
        who=found["who"].replace("\x00", ""),
        action=found["action"].replace("\x00", ""),
        kind=found["kind"].replace("\x00", ""),
        thing=found["object"].replace("\x00", ""),
        since=asked_day(found["since"], "since"),
        until=asked_day(found["until"], "until"),
    )


@guard("audit.view")
def audit() -> tuple[str, int] | str:
    session, found = current_session(), given()
    errors: dict[str, Any] = {}
    try:
        wanted = asked()
    except Invalid as error:
        wanted, errors = Wanted(), dict(error.fields)
        errors = {name: [translate(str(one)) for one in texts] for name, texts in errors.items()}
    page = audit_lists.listed(
        session,
        current_actor(),
        wanted,
        zone=clock.zone(),
        cursor=request.args.get("cursor"),
    )
    shown = render_template(
        "accounts/audit.html",
        page=page,
        names=names_of(page.rows),
        changes={one.id: changes_of(one) for one in page.rows},
        done={one.id: action_of(one) for one in page.rows},
        means={one.id: means_of(one) for one in page.rows},
        given=found,
        narrowed=any(found.values()),
        errors=errors,
        actions=sorted(texts_of("audit_action").items(), key=lambda pair: pair[1]),
        kinds=sorted(texts_of("audit_kind").items(), key=lambda pair: pair[1]),
        sealed=seals.newest(session),
        formats=FORMATS.values(),
    )
    return (shown, 422) if errors else shown


@guard("audit.export")
def export_audit() -> Response:
    """`format` (csv or xlsx) and the filters of the page; that it was taken is written down."""
    form, actor, session = (
        form_of(request.args.get("format", "csv"), FORMATS),
        current_actor(),
        (current_session()),
    )
    table = audit_lists.table(actor, asked(), clock.zone())
    if is_long(session, table, form):
        raise TooLarge(N_("This is too long for a workbook made at once: narrow it, or take CSV"))
    filters = [(translate(FILTERS[name]), text) for name, text in given().items() if text]
    with transaction() as session:
        made = exporting.begin(
            session, uuid.uuid4(), "audit", form.ending, dict(request.args.lists()), filters,
            language=current_language(), by=actor, now=clock.now(), facts={},
        )  # fmt: skip
    number = made.id

    def done(rows: int) -> None:
        # In the session that read the rows: a stream outlives that of its request.
        exporting.finish(session, session.get_one(Export, number), rows, now=clock.now())
        session.commit()

    table = table.with_about(
        [
            (translate(N_("Exported at")), format_datetime(made.created_at, "dd/MM/yyyy HH:mm")),
            (translate(N_("Exported by")), made.actor),
            (
                translate(N_("Filters")),
                "; ".join(f"{what}: {text}" for what, text in filters)
                or translate(N_("None, the whole list")),
            ),
            (translate(N_("Number of the export")), str(number)),
        ],
        str(number),
    )
    return download(session, table, form, name="nhat-ky", day=clock.today(), done=done)
