"""The statistics under `/api/v1`: every number with its denominator, and what it means."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify
from flask.views import MethodView
from marshmallow import fields

from core import clock
from core.api import Blueprint, StrictSchema
from core.db import current_session
from core.formats import texts_of
from core.policy import guard
from core.validation import length, one_of
from inspections.queries import statistics as queries
from inspections.queries.statistics import BY, Due, Group, Month
from inspections.rules.statistics import REASONS, Numbers, Period
from inspections.statistics.asked import asked, period_of
from towers.rules import StructureType

blueprint = Blueprint("api_statistics", __name__, url_prefix="/api/v1/statistics")
TYPES = tuple(StructureType)


class StatisticsQuery(StrictSchema):
    """The period (both days included; a year without them), what to count, and in which groups."""

    start = fields.Date(data_key="from", load_default=None)
    end = fields.Date(data_key="to", load_default=None)
    by = fields.String(load_default="commune", validate=one_of(tuple(BY)))
    commune = fields.List(
        fields.String(validate=length(1, 20)), load_default=list, validate=length(0, 500)
    )
    owner = fields.UUID(load_default=None)
    structure_type = fields.List(fields.String(validate=one_of(TYPES)), load_default=list)


class RatioBody(StrictSchema):
    """`part` of `whole`; `value` per hundred is null where `whole` is smaller than `least`."""

    part = fields.Integer(required=True)
    whole = fields.Integer(required=True)
    value = fields.Float(required=True, allow_none=True)


class MedianBody(StrictSchema):
    """The middle of so many durations in days; null of none."""

    days = fields.Float(required=True, allow_none=True)
    closed = fields.Integer(required=True)


class StatisticsNumbersBody(StrictSchema):
    """What is counted of some towers; `conditions` counts each tower once."""

    towers = fields.Integer(required=True)
    inspected = fields.Nested(RatioBody, required=True)
    critical = fields.Nested(RatioBody, required=True)
    overdue = fields.Nested(RatioBody, required=True)
    unchecked = fields.Nested(RatioBody, required=True)
    closure = fields.Nested(MedianBody, required=True)
    found = fields.Integer(required=True)
    reasons = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    conditions = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)


class GroupBody(StrictSchema):
    """The numbers of a commune, owner or structure type; `key` is null for what has none."""

    key = fields.String(required=True, allow_none=True)
    name = fields.String(required=True, allow_none=True)
    now = fields.Nested(StatisticsNumbersBody, required=True)
    before = fields.Nested(StatisticsNumbersBody, required=True)


class MonthBody(StrictSchema):
    month = fields.String(required=True, metadata={"description": "as 2026-11"})
    found = fields.Integer(required=True)
    closed = fields.Integer(required=True)


class DueBody(StrictSchema):
    """Tasks that come due in the week from a Monday, by kind; null: overdue, or due later."""

    monday = fields.Date(required=True, allow_none=True)
    when = fields.String(required=True, validate=one_of(("overdue", "week", "later")))
    tasks = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)


class StatisticsBody(StrictSchema):
    """The statistics; `least` is the smallest whole of which a percentage is said."""

    period = fields.Dict(keys=fields.String(), values=fields.Date(), required=True)
    before = fields.Dict(keys=fields.String(), values=fields.Date(), required=True)
    by = fields.String(required=True)
    least = fields.Integer(required=True)
    definitions = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    whole = fields.Nested(GroupBody, required=True)
    groups = fields.List(fields.Nested(GroupBody), required=True)
    more = fields.Boolean(required=True)
    months = fields.List(fields.Nested(MonthBody), required=True)
    due = fields.List(fields.Nested(DueBody), required=True)


@blueprint.route("")
class Statistics(MethodView):
    @guard("statistics.view")
    @blueprint.arguments(StatisticsQuery, location="query")
    @blueprint.response(200, StatisticsBody)
    def get(self, query: dict[str, Any]) -> Response:
        """Numbers with their denominators for the towers that the reader may see.

        Those of the period stand beside those of the period before it. At most 500 groups are
        listed, the largest first; `more` says whether there are others.
        """
        session = current_session()
        period = period_of(query.pop("start"), query.pop("end"), today=clock.today())
        wanted = asked(period, **query)
        found = queries.statistics(session, wanted.scope, period, wanted.by)
        months = queries.by_month(session, wanted.scope, period)
        due = queries.due_by_week(session, wanted.scope)
        return jsonify(
            period=_period(period),
            before=_period(period.before),
            by=wanted.by,
            least=wanted.least,
            definitions=texts_of("statistic_definition"),
            whole=_group(found.whole, wanted.least),
            groups=[_group(group, wanted.least) for group in found.groups],
            more=found.more,
            months=[_month(month) for month in months],
            due=_due(due),
        )


def _period(period: Period) -> dict[str, str]:
    return {"from": period.start.isoformat(), "to": period.end.isoformat()}


def _group(group: Group, least: int) -> dict[str, Any]:
    return {
        "key": group.key,
        "name": group.name,
        "now": _numbers(group.now, least),
        "before": _numbers(group.before, least),
    }


def _numbers(one: Numbers, least: int) -> dict[str, Any]:
    ratios = {
        name: {"part": ratio.part, "whole": ratio.whole, "value": ratio.value(least)}
        for name, ratio in one.ratios.items()
    }
    conditions = ("dangerous", "assessment_needed", "needs_follow_up", "ok", "unchecked")
    return {
        **ratios,
        "towers": one.towers,
        "found": one.found,
        "closure": {"days": one.closure.days, "closed": one.closure.number},
        "reasons": {name: getattr(one, name) for name in REASONS},
        "conditions": {name: getattr(one, name) for name in conditions},
    }


def _month(month: Month) -> dict[str, Any]:
    return {"month": f"{month.first:%Y-%m}", "found": month.found, "closed": month.closed}


def _due(due: Due) -> list[dict[str, Any]]:
    return [
        {"monday": None, "when": "overdue", "tasks": due.overdue},
        *(
            {"monday": monday.isoformat(), "when": "week", "tasks": tasks}
            for monday, tasks in due.weeks.items()
        ),
        {"monday": None, "when": "later", "tasks": due.later},
    ]
