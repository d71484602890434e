"""The figures of communes for the map: the numbers of the statistics, in classes of colours."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from core import clock, store
from core.db import current_session
from core.formats import texts_of
from core.guard import current_actor
from core.policy import guard
from inspections.rules.statistics import Ratio
from maps.doors import map_filters
from maps.queries import figures
from maps.queries.figures import Figures
from maps.rules import ValueClass, quantile_classes

blueprint = Blueprint("map_figures", __name__)
# As the statistics name them; the first is shown first.
FIGURES = ("critical", "inspected", "overdue")


@blueprint.get("/map/figures.json")
@guard("statistics.view")
def commune_figures() -> Response:
    """Each figure of each commune in which the reader sees towers, and the classes of each figure.

    Filters that ask for a state do not narrow them; `left_out` says whether there are any.
    """
    session, filters = current_session(), map_filters()
    today = clock.today()
    least = int(store.value_of(session, "statistics_least"))
    found = figures.by_commune(session, current_actor(), filters, today=today, zone=clock.zone())
    names, definitions = texts_of("statistic"), texts_of("statistic_definition")
    classes = {name: _classes(found, name, least) for name in FIGURES}
    response = jsonify(
        day=today.isoformat(),
        least=least,
        left_out=figures.which_towers(filters) != filters,
        figures=[
            {
                "key": name,
                "name": names[name],
                "definition": definitions[name],
                "whole": _ratio(found.whole.ratios[name], least),
                "classes": [vars(one) for one in classes[name]],
            }
            for name in FIGURES
        ],
        communes=[
            {
                "id": area.id,
                "code": area.code,
                "name": area.name,
                "towers": numbers.towers,
                **{name: _figure(numbers.ratios[name], classes[name], least) for name in FIGURES},
            }
            for area, numbers in found.communes
        ],
        outside=found.outside.towers,
    )
    response.add_etag()
    response.make_conditional(request)
    return response


def _classes(found: Figures, name: str, least: int) -> list[ValueClass]:
    values = [numbers.ratios[name].value(least) for _, numbers in found.communes]
    return quantile_classes([value for value in values if value is not None])


def _ratio(ratio: Ratio, least: int) -> dict[str, Any]:
    return {"part": ratio.part, "whole": ratio.whole, "value": ratio.value(least)}


def _figure(ratio: Ratio, classes: list[ValueClass], least: int) -> dict[str, Any]:
    """A ratio and the place of its class, `None` where the whole is too small for a value."""
    said = _ratio(ratio, least)
    value = said["value"]
    below = None if value is None else sum(one.high < value for one in classes)
    return {**said, "class": below}
