"""The doors by which a map is taken along."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import Any

from flask import Blueprint, Response, render_template, request

from areas import queries as areas
from areas.rules import Level
from core import clock, documents, store
from core import exports as exporting
from core.db import current_session, transaction
from core.downloads import HTML, PDF, PNG, Form
from core.errors import TooLarge
from core.exports import Export
from core.formats import day
from core.geo import Envelope
from core.guard import current_actor
from core.i18n import current_language, translate
from core.policy import guard
from core.words import N_
from maps import exports, printing
from maps.doors import map_filters
from maps.printing import Sheet
from maps.queries import base, taken, tiles
from maps.sheet import FIRST, PAPERS, Paper
from towers.doors import asked_filters
from towers.downloads import about_of, filters_in_words
from towers.queries import Filters

blueprint = Blueprint("taking", __name__, template_folder="templates")
SOURCE = N_(
    "Register of towers in Tháp Canh; land and borders by Natural Earth."
    " Hoàng Sa and Trường Sa belong to Vietnam."
)
IMAGES = {form.ending: form for form in (PDF, PNG)}
# Enough for a page that is printed, and for a wall of slides.
DOTS_PER_INCH = 200
# A browser keeps so many towers in hand without getting slow.
MOST_TOWERS = 20_000


@blueprint.get("/map/towers.html")
@guard("tower.export")
def one_file() -> Response:
    """The towers that the filters find, on a map in one file that needs no network."""
    session, actor, today = current_session(), current_actor(), clock.today()
    filters = map_filters()
    number = tiles.counts(session, actor, filters, today=today)["matching"]
    if number > MOST_TOWERS:
        raise TooLarge(
            N_(
                "The map in one file holds at most %(most)s towers, and these filters find"
                " %(number)s: narrow them by commune, condition or owner, or draw an area"
            ),
            most=MOST_TOWERS,
            number=number,
        )
    export = begun(HTML, filters)
    found = taken.towers(session, actor, filters, today=today, most=MOST_TOWERS)
    about = [*about_of(export), (translate(N_("Source")), translate(SOURCE))]
    content = exports.one_file(
        found,
        {
            "/map/communes.geojson": areas.with_boundaries(session, Level.COMMUNE),
            "/map/provinces.geojson": base.provinces(session),
        },
        about,
        title=translate(N_("Violation map")),
        day=day(today),
        language=current_language(),
    )
    return finished(export, content, HTML, len(found))


@blueprint.get("/map/print")
@guard("tower.view")
def print_view() -> str:
    """The map on a sheet: `paper`, the `bbox` that was looked at, and the filters of the map."""
    return sheet_page(Asked.here(), tools=True)


@blueprint.get("/map/print.pdf", defaults={"ending": "pdf"})
@blueprint.get("/map/print.png", defaults={"ending": "png"})
@guard("tower.export")
def printed(ending: str) -> Response:
    """The same sheet as a document or a picture."""
    asked, form = Asked.here(), IMAGES[ending]
    export = begun(form, asked.filters, paper=asked.paper.key)
    made = asked.sheet()
    content = documents.pdf(sheet_page(asked, made, number=str(export.id)))
    if form is PNG:
        content = documents.png(content, dots_per_inch=DOTS_PER_INCH)
    return finished(export, content, form, made.shown)


@dataclass(frozen=True)
class Asked:
    """The sheet that an address asks for; what is no paper or no box is left out."""

    filters: Filters
    box: Envelope | None
    paper: Paper

    @classmethod
    def here(cls) -> Asked:
        filters = asked_filters()
        paper = PAPERS.get(request.args.get("paper", ""), FIRST)
        return cls(replace(filters, bbox=None), filters.bbox, paper)

    def sheet(self) -> Sheet:
        return printing.sheet(
            current_session(),
            current_actor(),
            self.filters,
            self.paper,
            self.box,
            today=clock.today(),
        )


def sheet_page(
    asked: Asked, made: Sheet | None = None, *, tools: bool = False, number: str = ""
) -> str:
    """The page of a sheet; with `tools` for a window, else for paper alone."""
    return render_template(
        "maps/sheet.html",
        sheet=made or asked.sheet(),
        papers=PAPERS.values(),
        signs=printing.signs(),
        country=printing.country(),
        filters=printing.said(filters_in_words(asked.filters, current_actor()), asked.paper.lines),
        agency=store.value_of(current_session(), "notice_agency"),
        now=clock.now(),
        source_text=translate(SOURCE),
        number=number,
        tools=tools,
    )


def begun(form: Form, filters: Filters, **facts: Any) -> Export:
    """Write down that the reader takes the map along."""
    with transaction() as session:
        return exporting.begin(
            session,
            uuid.uuid4(),
            "map",
            form.ending,
            dict(request.args.lists()),
            filters_in_words(filters, current_actor()),
            language=current_language(),
            by=current_actor(),
            now=clock.now(),
            facts=facts,
        )


def finished(export: Export, content: bytes, form: Form, towers: int) -> Response:
    """The made file, and the number of its towers written down."""
    with transaction() as session:
        exporting.finish(session, export, towers, now=clock.now())
    response = Response(content, content_type=form.media_type)
    filename = f"ban-do-vi-pham-{clock.today().isoformat()}.{form.ending}"
    response.headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    response.headers["Export-Id"] = str(export.id)
    return response
