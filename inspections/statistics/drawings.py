"""The three charts of the statistics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from core.charts import Drawing, Series, columns, rows
from core.formats import day, number
from core.i18n import translate
from core.words import N_
from inspections.queries.statistics import KINDS, Due, Month
from inspections.rules.statistics import REASONS, Numbers
from inspections.statistics.asked import Asked
from inspections.statistics.tables import CONDITIONS, Texts, condition_text

written: Callable[[int], str] = partial(number, digits=0)
TASK_INKS = {
    "critical": "dangerous",
    "assessment": "assessment_needed",
    "major": "needs_follow_up",
    "minor": "unchecked",
}


@dataclass(frozen=True)
class Chart:
    """A drawing with the same numbers as a table, and a note for both."""

    drawing: Drawing
    headers: list[str]
    lines: list[list[str]]
    note: str = ""


def months(asked: Asked, found: list[Month], texts: Texts) -> Chart:
    """Violations found and closed, a pair of bars a month."""
    labels = texts["statistic"]
    title = translate(N_("Violations found and closed by month"))
    names = [f"{one.first:%m/%y}" for one in found]
    drawing = columns(
        "months",
        title,
        translate(N_("%(found)s violations were found and %(closed)s were closed."))
        % {
            "found": written(sum(one.found for one in found)),
            "closed": written(sum(one.closed for one in found)),
        },
        names,
        [
            Series(labels["found"], "other", [one.found for one in found]),
            Series(labels["closed"], "one", [one.closed for one in found]),
        ],
        written=written,
    )
    return Chart(
        drawing,
        [translate(N_("Month")), labels["found"], labels["closed"]],
        [[f"{one.first:%m/%Y}", written(one.found), written(one.closed)] for one in found],
        days_of(asked),
    )


def weeks(asked: Asked, due: Due, texts: Texts) -> Chart:
    """What comes due, a pile of bars a week; what is overdue or far away stands in the table."""
    kinds = texts["task_kind"]
    overdue, later = (written(sum(one.values())) for one in (due.overdue, due.later))
    note = translate(
        N_("As of %(day)s. Not in the drawing: %(overdue)s overdue, %(later)s due later.")
    ) % {"day": day(asked.scope.today), "overdue": overdue, "later": later}
    drawing = columns(
        "weeks",
        translate(N_("Deadlines coming due by week")),
        note,
        [f"{monday:%d/%m}" for monday in due.weeks],
        [
            Series(kinds[kind], TASK_INKS[kind], [one[kind] for one in due.weeks.values()])
            for kind in KINDS
        ],
        written=written,
        stacked=True,
    )
    named = [
        (translate(N_("Overdue")), due.overdue),
        *((f"{monday:%d/%m/%Y}", one) for monday, one in due.weeks.items()),
        (translate(N_("Later")), due.later),
    ]
    return Chart(
        drawing,
        [translate(N_("Week from Monday")), *(kinds[kind] for kind in KINDS)],
        [[name, *(written(one[kind]) for kind in KINDS)] for name, one in named],
        note,
    )


def conditions(asked: Asked, now: Numbers, texts: Texts) -> Chart:
    """The towers by condition, at the end of the period; every tower stands in one of them."""
    values = [
        (
            condition_text(name, texts),
            "unchecked" if name in REASONS else name,
            int(getattr(now, name)),
        )
        for name in CONDITIONS
    ]
    note = translate(N_("%(towers)s towers on %(day)s")) % {
        "towers": written(now.towers),
        "day": day(asked.period.end),
    }
    drawing = rows("conditions", translate(N_("Conditions")), note, values, written=written)
    return Chart(
        drawing,
        [translate(N_("Condition")), texts["statistic"]["towers"]],
        [[name, written(value)] for name, _, value in values],
        note,
    )


def days_of(asked: Asked) -> str:
    """The days of the period as a text."""
    return translate(N_("%(first)s to %(last)s")) % {
        "first": day(asked.period.start),
        "last": day(asked.period.end),
    }
