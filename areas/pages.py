"""Pages of administrative areas: the list of a day, one area, and loading a file."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from areas import queries
from areas.models import Area
from areas.readers import Boundaries, Choice, ColumnNeeded, read_boundaries
from areas.rules import Level, Validity
from areas.services.loading import Change, Terms, load_areas
from core import clock, uploads
from core.db import current_session, transaction
from core.errors import DomainError, Invalid, NotFound
from core.geofiles import ENDINGS, SeveralLayers
from core.guard import current_actor
from core.i18n import gettext as _
from core.i18n import translate
from core.paging import Behind, at_noon
from core.policy import guard
from core.problems import field_texts
from core.slots import Event, EventSource, panels, timeline
from core.uploads import Upload
from core.words import N_

LATEST_EVENTS = 14
blueprint = Blueprint("areas", __name__, template_folder="templates")

NOT_A_DATE = N_("This is not a date (write 2026-12-31).")


def asked_day() -> date | None:
    """The day in the address, `None` for today and for what is no day."""
    try:
        return date.fromisoformat(request.args.get("on", ""))
    except ValueError:
        return None


@blueprint.get("/areas")
@guard("area.view")
def index() -> str:
    session, day = current_session(), asked_day()
    level = request.args.get("level", "")
    narrowed: dict[str, Any] = {
        "level": level if level in set(Level) else None,
        "on": day,
        "q": request.args.get("q", "").replace("\x00", "")[:100],
    }
    return render_template(
        "areas/index.html",
        page=queries.listed(session, **narrowed, cursor=request.args.get("cursor")),
        matching=queries.count(session, **narrowed),
        levels=list(Level),
        day=day,
        **{key: value for key, value in narrowed.items() if key != "on"},
    )


@blueprint.get("/areas/<int:area_id>")
@guard("area.view")
def detail(area_id: int) -> str:
    session = current_session()
    area = queries.area(session, area_id)
    if area is None:
        raise NotFound()
    return render_template(
        "areas/detail.html",
        area=area,
        successors=queries.successors(session, area),
        predecessors=queries.predecessors(session, area),
        parts=queries.parts(session, area),
        has_boundary=queries.bounds_of(session, area) is not None,
        panels=panels("area", area),
        timeline=timeline("area", area, limit=LATEST_EVENTS, cursor=request.args.get("timeline")),
        map_panels=panels("area_map", area),
    )


def validity_events(area: Area, limit: int, behind: Behind) -> list[Event]:
    """The first and the last day of an area."""
    days = ((area.valid_from, "begin", N_("First day")), (area.valid_to, "end", N_("Last day")))
    told = [
        Event(at_noon(on, clock.zone()), translate(text), sign="area", day_only=True, key=key)
        for on, key, text in days
        if on is not None and behind.holds(at_noon(on, clock.zone()), key)
    ]
    return told[:limit]


AREA_EVENTS = (EventSource(validity_events, "area.view", "validity"),)


# Loading


TEXTS = (
    "level", "province_code", "province_name", "valid_from", "valid_to", "source",
    "code_column", "name_column", "layer", "srid",
)  # fmt: skip
FLAGS = ("synthetic", "complete")
DEFAULTS = {
    "level": "commune",
    "province_code": "82",
    "province_name": "Tỉnh Đồng Tháp",
    "valid_from": "2025-07-01",
}


def given_terms() -> dict[str, Any]:
    """What was typed, as it was typed, so that nothing is lost when something is wrong."""
    given: dict[str, Any] = {name: request.form.get(name, "").strip() for name in TEXTS}
    return {**given, **{name: name in request.form for name in FLAGS}}


def checked(given: dict[str, Any], filename: str) -> tuple[Terms, Choice]:
    """The typed values of the form; raises `Invalid` with a text for each that is wrong."""
    wrong: dict[str, list[str]] = {}
    days: dict[str, date | None] = {}
    for name in ("valid_from", "valid_to"):
        try:
            days[name] = date.fromisoformat(given[name]) if given[name] else None
        except ValueError:
            wrong[name] = [NOT_A_DATE]
    if given["level"] not in set(Level):
        wrong["level"] = [N_("Choose one of the answers")]
    srid = given["srid"]
    if srid and not (srid.isascii() and srid.isdigit() and len(srid) <= 6):
        wrong["srid"] = [N_("An EPSG code is a number such as 5897")]
    if wrong:
        raise Invalid(fields=wrong)
    terms = Terms(
        level=given["level"],
        validity=Validity(days["valid_from"], days["valid_to"]),
        province_code=given["province_code"][:20],
        province_name=given["province_name"][:200],
        synthetic=given["synthetic"],
        source=(given["source"] or filename)[:300],
        complete=given["complete"],
    )
    choice = Choice(
        code=given["code_column"],
        name=given["name_column"],
        layer=given["layer"],
        srid=int(srid) if srid else None,
    )
    return terms, choice


def load_page(given: dict[str, Any], **facts: Any) -> str:
    return render_template(
        "areas/load.html",
        given=given,
        levels=list(Level),
        endings=", ".join(ENDINGS),
        **{"change": None, "found": None, "upload": None, "errors": None, "done": False, **facts},
    )


def refused(given: dict[str, Any], error: DomainError, upload: Upload | None) -> tuple[str, int]:
    """The form again with what is wrong, and what can be chosen where something must be."""
    choices: dict[str, Any] = {}
    if isinstance(error, ColumnNeeded):
        choices["columns"] = error.columns
    if isinstance(error, SeveralLayers):
        choices["layers"] = error.names
    texts = field_texts(error)
    fields = {*TEXTS, *FLAGS, "file"}
    errors = {key: said for key, said in texts.items() if key in fields}
    features = {
        key.replace("feature", _("feature"), 1): said
        for key, said in texts.items()
        if key not in fields
    }
    page = load_page(
        given,
        upload=upload,
        errors=errors or ({} if features else {"file": [error.text()]}),
        features=features,
        **choices,
    )
    return page, error.status


@blueprint.get("/areas/load")
@guard("area.load")
def load_form() -> str:
    return load_page(dict(DEFAULTS))


@blueprint.post("/areas/load")
@guard("area.load")
def upload_file() -> str | tuple[str, int]:
    given = given_terms()
    upload = None
    try:
        upload = uploads.keep()
        found, change = run(upload, given, keep=False)
    except DomainError as error:
        return refused(given, error, upload)
    return load_page(given, upload=upload, found=found, change=change)


@blueprint.post("/areas/load/<token>")
@guard("area.load")
def confirm(token: str) -> str | tuple[str, int] | Response:
    """Load the file for real, look again after a change of the form, or forget it."""
    upload, given = uploads.kept(token), given_terms()
    if "cancel" in request.form:
        upload.discard()
        flash(_("Nothing was loaded."), "info")
        return redirect(url_for("areas.load_form"))
    keep = "keep" in request.form
    try:
        found, change = run(upload, given, keep=keep)
    except DomainError as error:
        return refused(given, error, upload)
    if keep:
        upload.discard()
    return load_page(given, upload=upload, found=found, change=change, done=keep)


def run(upload: Upload, given: dict[str, Any], *, keep: bool) -> tuple[Boundaries, Change]:
    """Load for real, or roll everything back after looking at what would happen."""
    terms, choice = checked(given, upload.filename)
    found = read_boundaries(upload.path, upload.filename, terms.level, choice)
    facts: dict[str, Any] = {
        "keep": keep, "today": clock.today(), "by": current_actor(), "now": clock.now(),
    }  # fmt: skip
    if keep:
        with transaction() as session:
            return found, load_areas(session, found.areas, terms, **facts)
    session = current_session()
    with session.begin_nested() as trial:
        change = load_areas(session, found.areas, terms, **facts)
        trial.rollback()
    return found, change
