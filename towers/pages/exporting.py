"""Pages of exports: what somebody took along, how far a long list has come, and its file."""

from __future__ import annotations

import uuid

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask import Response as FlaskResponse
from werkzeug.wrappers import Response

from core import clock
from core import exports as exporting
from core.db import current_session, transaction
from core.downloads import KNOWN_FORMS
from core.guard import current_actor
from core.i18n import gettext as _
from core.i18n import translate
from core.policy import guard
from towers.export_jobs import file_of, the_export


def export_pages(blueprint: Blueprint) -> None:
    """Add the pages of exports to the feature's blueprint."""
    blueprint.add_url_rule("/exports", view_func=export_list)
    here = "/exports/<uuid:export_id>"
    blueprint.add_url_rule(here, view_func=export_page)
    blueprint.add_url_rule(f"{here}/file", view_func=export_file)
    blueprint.add_url_rule(f"{here}/cancel", view_func=cancel_export, methods=["POST"])


@guard("export.view")
def export_list() -> str:
    page = exporting.listed(current_session(), current_actor(), cursor=request.args.get("cursor"))
    return render_template("towers/exports/index.html", page=page, forms=KNOWN_FORMS)


@guard("export.view")
def export_page(export_id: uuid.UUID) -> str:
    export = the_export(export_id)
    return render_template(
        "towers/exports/detail.html",
        export=export,
        form=KNOWN_FORMS[export.format],
        progress=exporting.progress_of(current_session(), export),
        problem=translate(export.error["message"], **export.error["facts"])
        if export.error
        else None,
    )


@guard("export.view")
def export_file(export_id: uuid.UUID) -> FlaskResponse:
    return file_of(the_export(export_id))


@guard("export.view")
def cancel_export(export_id: uuid.UUID) -> Response:
    with transaction() as session:
        exporting.cancel(session, the_export(export_id), by=current_actor(), now=clock.now())
    flash(_("The list is not made."), "success")
    return redirect(url_for("towers.export_page", export_id=export_id))
