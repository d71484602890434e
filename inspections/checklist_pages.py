"""Pages of the checklist: its versions, as pages and files, and how a draft begins."""

from __future__ import annotations

import tempfile
from pathlib import Path

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask import Response as FlaskResponse
from flask_babel import ngettext
from werkzeug.wrappers import Response

from core import clock
from core.db import current_session, transaction
from core.errors import DomainError, Invalid
from core.guard import current_actor
from core.i18n import gettext as _
from core.policy import guard
from core.words import N_
from inspections import checklist_files as files
from inspections.checklist_doors import held_draft, the_version, version_page
from inspections.doors import refused
from inspections.queries import lists
from inspections.services import checklists, drafts


def checklist_routes(blueprint: Blueprint) -> None:
    """Add the pages of the checklist to the feature's blueprint."""
    blueprint.add_url_rule("/checklists", view_func=checklist_index)
    blueprint.add_url_rule("/checklists", view_func=begin_draft, methods=["POST"])
    here, draft = "/checklists/<int:number>", "/checklists/<int:draft>"
    blueprint.add_url_rule(here, view_func=checklist)
    for ending in files.MEDIA_TYPES:
        blueprint.add_url_rule(
            f"{here}.{ending}", view_func=checklist_file, defaults={"ending": ending}
        )
    blueprint.add_url_rule(f"{draft}/import", view_func=import_checklist, methods=["POST"])


@guard("checklist.view")
def checklist_index() -> str:
    session = current_session()
    page = lists.checklist_versions(session, cursor=request.args.get("cursor"))
    standing = {one.status: one for one in page.rows}
    return render_template(
        "inspections/checklists/index.html",
        page=page,
        numbers={one.id: len(checklists.catalogue_of(session, one).items) for one in page.rows},
        published=standing.get("published"),
        draft=standing.get("draft"),
    )


@guard("checklist.edit")
def begin_draft() -> Response | tuple[str, int]:
    given = request.form.get("based_on", "")
    if not given.isascii() or not given.isdigit() or len(given) > 6:
        raise Invalid(fields={"based_on": [N_("This is missing.")]})
    with transaction() as session:
        draft, new = drafts.begin(session, int(given), by=current_actor(), now=clock.now())
    if new:
        flash(_("The draft is a copy of the version in force. Nobody is inspected by it yet."))
    return redirect(url_for("inspections.checklist", number=draft.version), 303)


@guard("checklist.view")
def checklist(number: int) -> str:
    return version_page(the_version(number))


@guard("checklist.view")
def checklist_file(number: int, ending: str) -> FlaskResponse:
    """A version as a file that can be read in again."""
    version = the_version(number)
    write = {"yaml": files.write_yaml, "xlsx": files.write_workbook}[ending]
    response = FlaskResponse(write(version.content), content_type=files.MEDIA_TYPES[ending])
    name = f"{version.catalogue}-{version.version}.{ending}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@guard("checklist.edit")
def import_checklist(draft: int) -> Response | tuple[str, int]:
    """Put what a file says in place of the draft's content."""
    sent = request.files.get("file")
    try:
        if sent is None or not sent.filename:
            raise Invalid(N_("Choose a file"), fields={"file": [N_("Choose a file")]})
        with tempfile.TemporaryDirectory(prefix="thap-canh-") as folder:
            path = Path(folder) / "file"
            sent.save(path)
            document = files.read_file(path, sent.filename)
        with held_draft(draft) as (session, held):
            found = drafts.replace(session, held, document, by=current_actor(), now=clock.now())
    except DomainError as error:
        texts = refused(error, "file")
        return version_page(the_version(draft), texts), error.status
    if not found:
        flash(_("The file says the same as the draft: nothing was changed."), "info")
        return redirect(url_for("inspections.checklist", number=draft), 303)
    number = len(found.items)
    flash(ngettext("%(num)s item was changed.", "%(num)s items were changed.", number), "success")
    return redirect(url_for("inspections.checklist_changes", number=draft), 303)
