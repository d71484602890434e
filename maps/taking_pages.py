"""The doors by which a map is taken along."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, Response, request

from areas import queries as areas
from areas.rules import Level
from core import clock
from core import exports as exporting
from core.db import current_session, transaction
from core.downloads import HTML, Form
from core.errors import TooLarge
from core.exports import Export
from core.formats import day
from core.guard import current_actor
from core.i18n import current_language, translate
from core.policy import guard
from core.words import N_
from maps import exports
from maps.doors import map_filters
from maps.queries import taken, tiles
from towers.downloads import about_of, filters_in_words
from towers.queries import Filters

blueprint = Blueprint("taking", __name__, template_folder="templates")
SOURCE = N_(
    "Register of towers in Tháp Canh; land by Natural Earth."
    " Hoàng Sa and Trường Sa belong to Vietnam."
)
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
        areas.with_boundaries(session, Level.COMMUNE),
        about,
        title=translate(N_("Violation map")),
        day=day(today),
        language=current_language(),
    )
    return finished(export, content, HTML, len(found))


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
