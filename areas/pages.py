"""Pages of administrative areas."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from areas import queries, services
from core import clock
from core.db import current_session, transaction
from core.errors import DomainError, Invalid
from core.guard import current_actor
from core.i18n import gettext as _
from core.policy import guard
from core.problems import field_texts
from core.words import N_

blueprint = Blueprint("areas", __name__, template_folder="templates")


def index_page(given: dict[str, str] | None = None, errors: object = None) -> str:
    session = current_session()
    return render_template(
        "areas/index.html",
        provinces=queries.provinces(session),
        communes=queries.communes(session),
        synthetic=queries.any_synthetic(session),
        given=given or {},
        errors=errors,
    )


@blueprint.get("/areas")
@guard("area.view")
def index() -> str:
    return index_page()


@blueprint.post("/areas")
@guard("area.load")
def load() -> Response | tuple[str, int]:
    given = {
        key: request.form.get(key, "")
        for key in ("province_code", "province_name", "source", "valid_from")
    }
    try:
        upload = request.files.get("file")
        if upload is None or not upload.filename:
            message = N_("Choose a file")
            raise Invalid(message, fields={"file": [message]})
        try:
            since = date.fromisoformat(given["valid_from"])
        except ValueError as error:
            message = N_("This is not a date (write 2026-12-31).")
            raise Invalid(message, fields={"valid_from": [message]}) from error
        with transaction() as session:
            number = services.load_areas(
                session,
                services.read_features(upload.stream.read(services.MAX_BYTES + 1)),
                province_code=given["province_code"],
                province_name=given["province_name"],
                synthetic="synthetic" in request.form,
                source=given["source"] or upload.filename[:200],
                valid_from=since,
                by=current_actor(),
                now=clock.now(),
            )
    except DomainError as error:
        return index_page(given, field_texts(error) or {"file": [error.text()]}), error.status
    flash(_("%(number)s communes were loaded.", number=number), "success")
    return redirect(url_for("areas.index"))
