"""The page of the statistics, its charts as drawings, and its numbers as files."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from areas import queries as areas
from core import clock
from core.db import current_session
from core.downloads import FORMS
from core.errors import Invalid, NotFound
from core.formats import texts_of
from core.guard import current_actor
from core.i18n import translate
from core.policy import guard
from core.problems import field_texts
from core.words import N_
from inspections.queries import statistics as queries
from inspections.queries.statistics import BY
from inspections.rules.statistics import Period, usual_period
from inspections.statistics import drawings, tables
from inspections.statistics.asked import Asked, asked, day_of, period_of
from towers import queries as towers
from towers.downloads import Taking, filters_in_words, take
from towers.rules import StructureType
from towers.schemas import filters_from

VOCABULARIES = (
    "statistic", "statistic_definition", "statistic_by", "task_kind", "condition", "structure_type",
)  # fmt: skip
CHARTS = ("months", "conditions", "weeks")


def statistics_routes(blueprint: Blueprint) -> None:
    """Add the statistics to the feature's pages."""
    blueprint.add_url_rule("/statistics", view_func=statistics)
    blueprint.add_url_rule("/statistics/<chart>.svg", view_func=statistics_chart)
    for ending in ("csv", "xlsx"):
        blueprint.add_url_rule(
            f"/statistics.{ending}", view_func=statistics_export, defaults={"ending": ending}
        )
        blueprint.add_url_rule(
            f"/statistics/<chart>.{ending}",
            view_func=statistics_chart_export,
            defaults={"ending": ending},
        )


def asked_period() -> Period:
    """The period in this page's address; raises `Invalid`."""
    start, end = (day_of(name, request.args.get(name, "")) for name in ("from", "to"))
    return period_of(start, end, today=clock.today())


def asked_here(period: Period) -> Asked:
    """What this page's address asks for. An old or mistyped filter is left out."""
    filters = filters_from(request.args)
    by = request.args.get("by", "")
    return asked(
        period,
        by=by if by in BY else "commune",
        commune=filters.commune,
        owner=filters.owner,
        structure_type=filters.structure_type,
    )


def texts() -> dict[str, dict[str, str]]:
    return {name: texts_of(name) for name in VOCABULARIES}


@guard("statistics.view")
def statistics() -> ResponseReturnValue:
    status, errors = 200, None
    try:
        wanted = asked_here(asked_period())
    except Invalid as error:
        status, errors = error.status, field_texts(error)
        wanted = asked_here(usual_period(clock.today()))
    session, words = current_session(), texts()
    found = queries.statistics(session, wanted.scope, wanted.period, wanted.by)
    page = render_template(
        "inspections/statistics.html",
        asked=wanted,
        filters=wanted.scope.filters,
        given={
            "from": request.args.get("from") or wanted.period.start.isoformat(),
            "to": request.args.get("to") or wanted.period.end.isoformat(),
        },
        errors=errors,
        found=found,
        charts=[
            drawings.months(wanted, queries.by_month(session, wanted.scope, wanted.period), words),
            drawings.conditions(wanted, found.whole.now, words),
            drawings.weeks(wanted, queries.due_by_week(session, wanted.scope), words),
        ],
        texts=words,
        ways=list(BY),
        communes=areas.commune_choices(session),
        owners=towers.owners_with_towers(session, current_actor()),
        structure_types=list(StructureType),
        forms=[FORMS[ending] for ending in ("xlsx", "csv")],
    )
    return page, status


def the_chart(name: str) -> str:
    if name not in CHARTS:
        raise NotFound()
    return name


@guard("statistics.view")
def statistics_chart(chart: str) -> Response:
    """One chart as a drawing with its title, to be kept or printed."""
    name = the_chart(chart)
    session, wanted, words = current_session(), asked_here(asked_period()), texts()
    if name == "months":
        counted = queries.by_month(session, wanted.scope, wanted.period)
        made = drawings.months(wanted, counted, words)
    elif name == "weeks":
        made = drawings.weeks(wanted, queries.due_by_week(session, wanted.scope), words)
    else:
        found = queries.statistics(session, wanted.scope, wanted.period, wanted.by)
        made = drawings.conditions(wanted, found.whole.now, words)
    drawing = made.drawing.headed(made.note)
    response = Response(
        render_template("core/bars.svg", drawing=drawing), content_type="image/svg+xml"
    )
    filename = f"thong-ke-{name}-{wanted.period.end.isoformat()}.svg"
    response.headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response


@guard("statistics.export")
def statistics_export(ending: str) -> Response:
    """The numbers of all groups, without end; `?plain=1`: CSV without the mark for Excel."""
    wanted = asked_here(asked_period())
    return _file(wanted, tables.numbers(wanted, texts()), ending, "thong-ke")


@guard("statistics.export")
def statistics_chart_export(chart: str, ending: str) -> Response:
    """The numbers of one chart."""
    wanted = asked_here(asked_period())
    table = tables.TABLES[the_chart(chart)](wanted, texts())
    return _file(wanted, table, ending, f"thong-ke-{chart}")


def _file(wanted: Asked, table: tables.Table, ending: str, name: str) -> Response:
    """The numbers as a file; never so many rows that a job would have to make them."""
    period = drawings.days_of(wanted)
    return take(
        Taking(
            what="statistics",
            form=FORMS[ending],
            query=request.args,
            filters=filters_in_words(wanted.scope.filters, current_actor()),
            table=table.with_about([(translate(N_("Period")), period)]),
            name=name,
            facts={"period": period, "table": name},
        )
    )
