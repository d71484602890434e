"""The list of the register, the towers round a place, and the box that leads to both."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

from flask import Blueprint, jsonify, redirect, render_template, request, url_for
from flask import session as session_of_reader
from sqlalchemy import Row
from werkzeug.wrappers import Response

from core import clock
from core.db import current_session
from core.guard import current_actor
from core.i18n import translate
from core.pages import local_target
from core.policy import guard
from core.slots import Panel
from core.words import N_
from towers import lists, queries
from towers.coordinates import Reading
from towers.doors import effective, filter_choices, place_in
from towers.downloads import export_choices
from towers.queries import Filters
from towers.schemas import filters_from

# The box in the bar at the top of every page.
TOPBAR_PANELS = (
    Panel("towers/_search.html", lambda _: {"q": request.args.get("q", "")}, "tower.view"),
)
# What the list can show of a tower beside its code; what it shows to who chose nothing.
COLUMNS = {
    "name": N_("Name"),
    "condition": N_("Condition"),
    "worst_severity": N_("Severity"),
    "open_violations": N_("Open violations"),
    "next_deadline": N_("Next deadline"),
    "structure_type": N_("Structure type"),
    "services": N_("Services"),
    "height_m": N_("Height (m)"),
    "commune": N_("Commune"),
    "owner": N_("Owner"),
    "address": N_("Address"),
    "built_year": N_("Year built"),
    "lifecycle": N_("Life cycle"),
    "last_inspected_on": N_("Last full inspection"),
    "ok_until": N_("Satisfactory until"),
    "position": N_("Coordinates (WGS 84)"),
    "updated_at": N_("Last changed"),
}
# The fields of `lists.LISTED` that a column shows, where it is not one of its own name alone.
SHOWN = {
    "name": ("name", "lifecycle"),
    "condition": ("condition", "condition_reason", "ok_until"),
    "commune": ("commune_name", "commune_distance_m"),
    "owner": ("owner_name",),
    "position": ("latitude", "longitude"),
}
USUAL = (
    "name", "condition", "next_deadline", "structure_type", "height_m", "commune", "owner",
)  # fmt: skip
AROUND = ("name", "condition", "structure_type", "commune", "owner")
# The orders that the form offers; the heads of the table turn them round.
SORT_TEXTS = {
    "relevance": N_("Best match, then code"),
    "code": N_("Code"),
    "name": N_("Name"),
    "deadline": N_("Next deadline, earliest first"),
    "-height": N_("Height, tallest first"),
    "inspected": N_("Last inspection, longest ago first"),
    "-inspected": N_("Last inspection, latest first"),
    "-updated": N_("Last changed first"),
}
PAGE_SIZES = ("50", "100", "200")
MOST_SUGGESTED = 8
SUGGESTED = frozenset({"code", "name", "commune_name", *SHOWN["condition"]})


def browsing_routes(blueprint: Blueprint) -> None:
    """Add these views to the pages of the register."""
    blueprint.add_url_rule("/towers", view_func=index)
    blueprint.add_url_rule("/towers/columns", view_func=choose_columns, methods=["POST"])
    blueprint.add_url_rule("/search", view_func=search_box)
    blueprint.add_url_rule("/search.json", view_func=suggestions)


@guard("tower.view")
def index() -> str:
    session, actor, today = current_session(), current_actor(), clock.today()
    place = place_in(request.args.get("q", ""))
    if place.reading is not None:
        return around(place.reading)
    asked = request.args.get("sort", "")
    sort = asked if asked in lists.SORTS else lists.RELEVANCE
    limit = request.args.get("limit", "")
    columns = chosen_columns()
    filters, page = lists.searched(
        lists.listed,
        session,
        actor,
        filters_from(request.args),
        today=today,
        limit=int(limit) if limit in PAGE_SIZES else None,
        cursor=request.args.get("cursor"),
        sort=sort,
        only=shown(columns),
    )
    if request.args.get("count") == "all":
        count = lists.Count(lists.count(session, actor, filters, today=today))
    else:
        count = lists.counted(session, actor, filters, today=today, at_least=len(page.rows))
    return render_template(
        "towers/index.html",
        page=page,
        filters=filters,
        sort=sort,
        columns=named(columns),
        all_columns=named(COLUMNS),
        sorts=[(key, translate(text)) for key, text in SORT_TEXTS.items()],
        page_sizes=PAGE_SIZES,
        count=count,
        problem=place.problem,
        today=today,
        effective=effective,
        **filter_choices(),
        **export_choices(),
    )


def around(reading: Reading) -> str:
    """The towers nearest to a position that was searched for; the other filters still hold."""
    today = clock.today()
    return render_template(
        "towers/around.html",
        q=request.args["q"],
        reading=reading,
        notes=[translate(text, **facts) for text, facts in reading.notes],
        columns=named(AROUND),
        near=lists.around(
            current_session(),
            current_actor(),
            filters_from(request.args),
            reading.position,
            today=today,
            only=shown(AROUND),
        ),
        today=today,
        effective=effective,
    )


@guard("tower.view")
def choose_columns() -> Response:
    """Keep the columns of the list for this reader's session; without any, the usual ones."""
    chosen = [one for one in COLUMNS if one in request.form.getlist("column")]
    if chosen and "usual" not in request.form:
        session_of_reader["tower_columns"] = chosen
    else:
        session_of_reader.pop("tower_columns", None)
    return redirect(local_target(request.form.get("next")))


def shown(columns: Iterable[str]) -> frozenset[str]:
    """The fields of `lists.LISTED` that a table with these columns shows."""
    return frozenset({"code", *chain(*(SHOWN.get(one, (one,)) for one in columns))})


def named(columns: Iterable[str]) -> dict[str, str]:
    """Columns with their names in the reader's language."""
    return {one: translate(COLUMNS[one]) for one in columns}


def chosen_columns() -> tuple[str, ...]:
    """The columns in the address, else those that the reader has chosen, else the usual ones."""
    asked = request.args.getlist("column") or session_of_reader.get("tower_columns") or USUAL
    return tuple(one for one in COLUMNS if one in asked) or USUAL


@guard("tower.view")
def search_box() -> Response:
    """Where the box of every page leads: to the tower whose code was typed, else to the list."""
    text = request.args.get("q", "").replace("\x00", "")[:200].strip()
    code = queries.one_code(current_session(), current_actor(), text)
    if code is not None:
        return redirect(url_for("towers.detail", code=code))
    return redirect(url_for("towers.index", q=text) if text else url_for("towers.index"))


@guard("tower.view")
def suggestions() -> Response:
    """The first towers for what has been typed so far, as the box below it shows them."""
    session, actor, today = current_session(), current_actor(), clock.today()
    text = request.args.get("q", "").replace("\x00", "")[:200].strip()
    if not text:
        return jsonify(items=[], nearly=False)
    place = place_in(text)
    if place.reading is not None:
        found = lists.around(
            session,
            actor,
            Filters(),
            place.reading.position,
            today=today,
            limit=MOST_SUGGESTED,
            only=SUGGESTED,
        )
        return jsonify(items=[suggestion(one, one.metres) for one in found], nearly=False)
    filters, page = lists.searched(
        lists.listed,
        session,
        actor,
        Filters(q=text, include_dismantled=True),
        today=today,
        limit=MOST_SUGGESTED,
        cursor=None,
        only=SUGGESTED,
    )
    return jsonify(items=[suggestion(one) for one in page.rows], nearly=filters.nearly)


def suggestion(tower: Row[Any], metres: float | None = None) -> dict[str, Any]:
    condition, _reason = effective(tower, clock.today())
    return {
        "code": tower.code,
        "name": tower.name,
        "commune": tower.commune_name,
        "condition": condition,
        "metres": None if metres is None else round(metres),
        "url": url_for("towers.detail", code=tower.code),
    }
