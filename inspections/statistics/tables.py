"""The statistics for other programs: the rows of the page with what each number means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, case, cast, func, literal, select, union_all
from sqlalchemy import Numeric as Decimals

from core.i18n import translate
from core.tables import Column, Kind, Table
from core.words import N_
from inspections.queries import statistics as queries
from inspections.queries.statistics import KINDS, LATER, OVERDUE
from inspections.rules.statistics import REASONS
from inspections.statistics.asked import Asked

Texts = Mapping[str, Mapping[str, str]]
CONDITIONS = ("dangerous", "assessment_needed", "needs_follow_up", "ok", *REASONS)
# Numbers and the shares made of them: of what they are a part.
COUNTS = (
    "towers", "inspected", "critical", "open", "overdue", *REASONS, "dangerous",
    "assessment_needed", "needs_follow_up", "ok", "found", "closed",
)  # fmt: skip
SHARES = {"inspected": "towers", "critical": "towers", "overdue": "open", "unchecked": "towers"}
PARTS = {"unchecked": REASONS}


def numbers(asked: Asked, texts: Texts) -> Table:
    """One row for all towers and one for each group; `texts` holds words by vocabulary."""
    rows = queries.numbers(asked.scope, asked.period, asked.by).subquery("rows")
    labels, meanings = texts["statistic"], texts["statistic_definition"]
    columns = [
        Column("key", translate(N_("Code")), width=16),
        Column("name", texts["statistic_by"][asked.by], width=34),
    ]
    cells: list[ColumnElement[Any]] = [
        case((rows.c.whole, literal("")), else_=func.coalesce(rows.c.key, "")).label("key"),
        _name(rows, asked.by, texts).label("name"),
    ]
    for suffix in ("", "_before"):
        before = f" – {translate(N_('period before'))}" if suffix else ""
        for name in COUNTS:
            label = labels.get(name) or texts["condition"][name]
            columns.append(
                Column(
                    f"{name}{suffix}",
                    label + before,
                    Kind.WHOLE,
                    14,
                    meaning=meanings.get(name, ""),
                )
            )
            cells.append(rows.c[f"{name}{suffix}"])
        columns.append(
            Column(
                f"median_days{suffix}",
                labels["closure"] + before,
                Kind.NUMBER,
                14,
                meaning=meanings["closure"],
                unit=translate(N_("days")),
            )
        )
        cells.append(rows.c[f"median_days{suffix}"])
        for name, whole in SHARES.items():
            unit = translate(N_("per 100 towers")) if name == "critical" else "%"
            columns.append(
                Column(
                    f"{name}_share{suffix}",
                    f"{labels[name]} ({unit}){before}",
                    Kind.NUMBER,
                    16,
                    meaning=f"{meanings[name]} {_too_few(asked)}",
                    unit=unit,
                )
            )
            cells.append(_share(rows, name, whole, suffix, asked.least))
    return Table(
        name="statistics",
        title=translate(N_("Statistics")),
        columns=tuple(columns),
        statement=select(*cells).order_by(
            rows.c.whole.desc(), rows.c.towers.desc(), rows.c.name, rows.c.key
        ),
    )


def _too_few(asked: Asked) -> str:
    return translate(N_("Empty where there are fewer than %(least)s.")) % {"least": asked.least}


def _share(rows: Any, name: str, whole: str, suffix: str, least: int) -> ColumnElement[Any]:
    """Per hundred with one decimal, nothing where the whole is smaller than `least`."""
    part = sum((rows.c[f"{one}{suffix}"] for one in PARTS.get(name, (name,))), start=literal(0))
    of = rows.c[f"{whole}{suffix}"]
    share = func.round(cast(part, Decimals) * 100 / func.nullif(of, 0), 1)
    return case((of >= max(least, 1), share)).label(f"{name}_share{suffix}")


def _name(rows: Any, by: str, texts: Texts) -> ColumnElement[Any]:
    nameless = {"commune": N_("Outside all communes"), "owner": N_("No owner is known")}
    shown: ColumnElement[Any] = func.coalesce(rows.c.name, literal(translate(nameless.get(by, ""))))
    if by == "structure_type":
        kinds = texts["structure_type"].items()
        shown = case(*((rows.c.key == key, literal(text)) for key, text in kinds), else_=shown)
    return case((rows.c.whole, literal(translate(N_("All towers")))), else_=shown)


def months(asked: Asked, texts: Texts) -> Table:
    rows = queries.months(asked.scope, asked.period).subquery("rows")
    labels = texts["statistic"]
    return _simple(
        translate(N_("Violations found and closed by month")),
        select(
            func.to_char(rows.c.month, "MM/YYYY").label("month"), rows.c.found, rows.c.closed
        ).order_by(rows.c.month),
        {"month": translate(N_("Month")), "found": labels["found"], "closed": labels["closed"]},
        texts["statistic_definition"],
    )


def weeks(asked: Asked, texts: Texts) -> Table:
    rows = queries.weeks(asked.scope).subquery("rows")
    week = case(
        (rows.c.monday == OVERDUE, literal(translate(N_("Overdue")))),
        (rows.c.monday == LATER, literal(translate(N_("Later")))),
        else_=func.to_char(rows.c.monday, "DD/MM/YYYY"),
    )
    return _simple(
        translate(N_("Deadlines coming due by week")),
        select(week.label("week"), *(rows.c[kind] for kind in KINDS)).order_by(rows.c.monday),
        {"week": translate(N_("Week from Monday")), **texts["task_kind"]},
    )


def conditions(asked: Asked, texts: Texts) -> Table:
    whole = queries.numbers(asked.scope, asked.period, asked.by).subquery("rows")
    lines = union_all(
        *(
            select(
                literal(place).label("place"),
                literal(condition_text(name, texts)).label("condition"),
                whole.c[name].label("towers"),
            ).where(whole.c.whole)
            for place, name in enumerate(CONDITIONS)
        )
    ).subquery()
    return _simple(
        translate(N_("Conditions")),
        select(lines.c.condition, lines.c.towers).order_by(lines.c.place),
        {"condition": translate(N_("Condition")), "towers": texts["statistic"]["towers"]},
    )


def condition_text(name: str, texts: Texts) -> str:
    """The text of a condition; an unchecked one says why."""
    if name in REASONS:
        return f"{texts['condition']['unchecked']}: {texts['statistic'][name]}"
    return texts["condition"][name]


def _simple(
    title: str,
    statement: Select[Any],
    labels: Mapping[str, str],
    meanings: Mapping[str, str] | None = None,
) -> Table:
    """A table whose first column is a text and whose others are whole numbers."""
    columns = tuple(
        Column(
            name,
            label,
            Kind.WHOLE if place else Kind.TEXT,
            width=16 if place else 36,
            meaning=(meanings or {}).get(name, ""),
        )
        for place, (name, label) in enumerate(labels.items())
    )
    return Table(name="statistics", title=title, columns=columns, statement=statement)


TABLES = {"months": months, "weeks": weeks, "conditions": conditions}
