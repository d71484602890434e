"""The numbers of the statistics, each defined once, counted by the database in three statements.

Towers are those in the reader's scope that stand: neither planned nor dismantled, nor built in a
later year. What has a state is counted at the end of a day, from what was recorded: a violation is
open from the day on which it was found until the day before it ended, with the severity and the
deadline that count now; a withdrawn one never was. What happens in a period is counted whether the
tower still stands or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    Date,
    Double,
    Integer,
    Select,
    Text,
    and_,
    case,
    cast,
    column,
    func,
    literal,
    or_,
    select,
    text,
    true,
    tuple_,
    type_coerce,
    union_all,
    values,
)
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import InstrumentedAttribute, Session

from accounts.models import Organisation
from areas.models import Area
from core import policy
from core.policy import Actor
from inspections.models import Inspection, LoadAssessment, Violation, ViolationEvent
from inspections.queries.facts import COUNTING, dangerous_alone
from inspections.rules.statistics import FLOWS, STOCKS, Numbers, Period, weeks_from
from towers.models import StructureKind, Tower
from towers.queries import Filters, narrowed

WEEKS = 12
Rows = Select[*tuple[Any, ...]]
Key = ColumnElement[Any] | InstrumentedAttribute[Any]
# So many groups are shown at once; the files have all of them.
MOST_GROUPS = 500
BY: dict[str, InstrumentedAttribute[Any]] = {
    "commune": Tower.commune_id,
    "owner": Tower.owner_id,
    "structure_type": Tower.structure_type,
}


@dataclass(frozen=True)
class Scope:
    """Whose numbers are counted: the reader's, of the towers that some filters leave, and of these
    those for which all of `only` hold."""

    actor: Actor
    filters: Filters
    today: date
    zone: ZoneInfo
    only: tuple[ColumnElement[bool], ...] = ()

    @property
    def wanted(self) -> list[ColumnElement[bool]]:
        """Predicates on `Tower`; which of them stand is asked of each day."""
        every = replace(self.filters, include_dismantled=True)
        return [
            policy.visible(self.actor, "statistics"),
            *narrowed(self.actor, every, self.today),
            *self.only,
        ]

    @property
    def whole(self) -> bool:
        """Whether these are all towers."""
        return self.actor.communes is None and self.filters == Filters() and not self.only

    def of(self, tower_id: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
        """The predicate that something belongs to one of the towers."""
        if self.whole:
            return true()
        return tower_id.in_(select(Tower.id).where(*self.wanted))


# Definitions


def stands(day: date) -> ColumnElement[bool]:
    """Whether a tower stands on a day: not planned, not yet dismantled, not built later.

    One that was dismantled on a day that nobody knows is left out of every day.
    """
    return and_(
        Tower.lifecycle != "planned",
        or_(Tower.lifecycle != "dismantled", func.coalesce(Tower.lifecycle_since > day, False)),
        func.coalesce(Tower.built_year <= day.year, True),
    )


def open_on(day: date) -> ColumnElement[bool]:
    """Whether a violation was open at the end of a day."""
    return and_(
        Violation.state != "withdrawn",
        Violation.found_on <= day,
        or_(Violation.ended_on.is_(None), Violation.ended_on > day),
    )


def overdue_on(day: date) -> ColumnElement[bool]:
    """Whether its deadline had passed on a day; on the day of the deadline it has not."""
    return Violation.deadline < day


def found_in(period: Period) -> ColumnElement[bool]:
    """Whether a violation was found within a period."""
    return and_(
        Violation.state != "withdrawn", Violation.found_on.between(period.start, period.end)
    )


def closed_in(period: Period) -> ColumnElement[bool]:
    """Whether a violation was closed within a period; what was withdrawn was not closed."""
    return and_(Violation.state == "closed", Violation.ended_on.between(period.start, period.end))


def days_to_closure() -> ColumnElement[float]:
    """The days from the day on which a violation was found to that on which it was closed."""
    return cast(type_coerce(Violation.ended_on - Violation.found_on, Integer), Double)


def pending_on(day: date, zone: ZoneInfo) -> ColumnElement[bool]:
    """Whether a load-safety assessment was asked for and not answered at the end of a day."""
    return and_(
        LoadAssessment.requested_on <= day,
        or_(LoadAssessment.answered_at.is_(None), answered_on(zone) > day),
    )


def answered_on(zone: ZoneInfo) -> ColumnElement[date]:
    """The local day on which a load-safety assessment was answered."""
    return cast(func.timezone(str(zone), LoadAssessment.answered_at), Date)


def last_assessed_on(day: date, zone: ZoneInfo) -> Rows:
    """Whether the last assessment of each tower that was answered up to a day found danger that
    no violation carried by then."""
    raised = cast(func.timezone(str(zone), ViolationEvent.at), Date) <= day
    return (
        select(LoadAssessment.tower_id, dangerous_alone(raised).label("dangerous"))
        .ext(distinct_on(LoadAssessment.tower_id))
        .where(answered_on(zone) <= day)
        .order_by(
            LoadAssessment.tower_id, LoadAssessment.answered_at.desc(), LoadAssessment.id.desc()
        )
    )


def last_full_on(day: date) -> Rows:
    """The last full inspection of each tower up to a day, as `facts` takes it for the condition."""
    return (
        select(
            Inspection.tower_id,
            Inspection.inspected_on,
            Inspection.complete,
            Inspection.structure_type,
        )
        .ext(distinct_on(Inspection.tower_id))
        .where(
            Inspection.status.in_(COUNTING),
            Inspection.kind != "reinspection",
            Inspection.inspected_on <= day,
        )
        .order_by(
            Inspection.tower_id,
            Inspection.inspected_on.desc(),
            Inspection.submitted_at.desc(),
            Inspection.id.desc(),
        )
    )


# Statements


def towers_on(scope: Scope, day: date, by: Key, suffix: str = "") -> Rows:
    """The stocks of each group of towers, and of all together, at the end of a day.

    `inspected` are the towers whose last full inspection was complete, of the type that the tower
    has, and no longer ago than the interval of this type. The condition follows as
    `rules.condition` says.
    """
    opened = (
        select(
            Violation.tower_id,
            func.count().label("open"),
            func.count().filter(Violation.severity == "critical").label("critical"),
            func.count().filter(overdue_on(day)).label("overdue"),
        )
        .where(open_on(day), scope.of(Violation.tower_id))
        .group_by(Violation.tower_id)
        .subquery()
    )
    pending = (
        select(LoadAssessment.tower_id)
        .distinct()
        .where(pending_on(day, scope.zone), scope.of(LoadAssessment.tower_id))
        .subquery()
    )
    assessed = last_assessed_on(day, scope.zone).where(scope.of(LoadAssessment.tower_id)).subquery()
    last = last_full_on(day).where(scope.of(Inspection.tower_id)).subquery()
    complete = and_(last.c.complete, last.c.structure_type == Tower.structure_type)
    until = last.c.inspected_on + func.make_interval(0, StructureKind.interval_months)
    inspected = func.coalesce(and_(complete, cast(until, Date) >= day), False)
    condition = case(
        (
            or_(opened.c.critical > 0, func.coalesce(assessed.c.dangerous, False)),
            literal("dangerous"),
        ),
        (pending.c.tower_id.is_not(None), literal("assessment_needed")),
        (opened.c.open > 0, literal("needs_follow_up")),
        (last.c.tower_id.is_(None), literal("never")),
        (inspected, literal("ok")),
        (and_(complete, StructureKind.interval_months.is_not(None)), literal("out_of_date")),
        else_=literal("incomplete"),
    )
    each = (
        select(
            by.label("key"),
            inspected.label("inspected"),
            func.coalesce(opened.c.open, 0).label("open"),
            func.coalesce(opened.c.critical, 0).label("critical"),
            func.coalesce(opened.c.overdue, 0).label("overdue"),
            condition.label("condition"),
        )
        .join(StructureKind, StructureKind.key == Tower.structure_type)
        .outerjoin(opened, opened.c.tower_id == Tower.id)
        .outerjoin(pending, pending.c.tower_id == Tower.id)
        .outerjoin(assessed, assessed.c.tower_id == Tower.id)
        .outerjoin(last, last.c.tower_id == Tower.id)
        .where(*scope.wanted, stands(day))
        .subquery()
    )
    sums: dict[str, ColumnElement[Any]] = {
        "towers": func.count(),
        "inspected": func.count().filter(each.c.inspected),
        **{name: func.coalesce(func.sum(each.c[name]), 0) for name in STOCKS[2:5]},
        **{name: func.count().filter(each.c.condition == name) for name in STOCKS[5:]},
    }
    return _grouped(each.c.key, {f"{name}{suffix}": one for name, one in sums.items()})


def _violations_in(scope: Scope, period: Period, by: Key, suffix: str) -> Rows:
    """The flows of each group and of all: found, closed, and the median of days to closure."""
    closed = closed_in(period)
    each = (
        select(
            by.label("key"),
            found_in(period).label("found"),
            closed.label("closed"),
            case((closed, days_to_closure())).label("days"),
        )
        .join(Tower, Tower.id == Violation.tower_id)
        .where(*scope.wanted, or_(found_in(period), closed))
        .subquery()
    )
    return _grouped(
        each.c.key,
        {
            f"found{suffix}": func.count().filter(each.c.found),
            f"closed{suffix}": func.count().filter(each.c.closed),
            # What was not closed has no days and is left out.
            f"median_days{suffix}": func.percentile_cont(0.5).within_group(each.c.days),
        },
    )


def _grouped(key: ColumnElement[Any], sums: dict[str, ColumnElement[Any]]) -> Rows:
    return select(
        key.label("key"),
        (func.grouping(key) == 1).label("whole"),
        *(one.label(name) for name, one in sums.items()),
    ).group_by(func.grouping_sets(tuple_(), tuple_(key)))


def numbers(scope: Scope, period: Period, by: str) -> Rows:
    """One row for all towers together (`whole`) and one for each group, the largest group first.

    Each has the columns of `Numbers` for the period, and with `_before` those for the period
    before it, beside the group's `key` and `name`: code and name of a commune, number and name of
    an owner, a structure type. A group without anything to count is left out.
    """
    grouped_by = BY[by]
    parts = [
        part.subquery()
        for one, suffix in ((period, ""), (period.before, "_before"))
        for part in (
            towers_on(scope, one.end, grouped_by, suffix),
            _violations_in(scope, one, grouped_by, suffix),
        )
    ]
    keys = union_all(*(select(part.c.key, part.c.whole) for part in parts)).subquery()
    groups = select(keys.c.key, keys.c.whole).distinct().subquery("groups")
    counted = [
        (one if one.name.startswith("median_days") else func.coalesce(one, 0)).label(one.name)
        for part in parts
        for one in part.c
        if one.name not in {"key", "whole"}
    ]
    code, name = _named(by, groups.c.key)
    statement = select(groups.c.whole, code.label("key"), name.label("name"), *counted)
    for part in parts:
        statement = statement.outerjoin(
            part,
            and_(part.c.key.is_not_distinct_from(groups.c.key), part.c.whole == groups.c.whole),
        )
    if by == "commune":
        statement = statement.outerjoin(Area, Area.id == groups.c.key)
    elif by == "owner":
        statement = statement.outerjoin(Organisation, Organisation.id == groups.c.key)
    return statement.select_from(groups).order_by(
        groups.c.whole.desc(), text("towers DESC"), text("name"), text("key")
    )


def _named(by: str, key: ColumnElement[Any]) -> tuple[Key, Key]:
    if by == "commune":
        return Area.code, Area.name
    if by == "owner":
        return cast(Organisation.id, Text), Organisation.name
    return key, key


@dataclass(frozen=True)
class Group:
    """The numbers of some towers now and of the period before; no key: of what has none."""

    key: str | None
    name: str | None
    now: Numbers
    before: Numbers


@dataclass(frozen=True)
class Statistics:
    """All towers together and by group; `more` says whether groups are left out."""

    whole: Group
    groups: Sequence[Group]
    more: bool


def statistics(session: Session, scope: Scope, period: Period, by: str) -> Statistics:
    """The numbers of a period beside those of the period before it."""
    # Row of the whole, and one more than is shown.
    rows = session.execute(numbers(scope, period, by).limit(MOST_GROUPS + 2)).all()
    found = [(row.whole, _group(row._mapping)) for row in rows]
    groups = [group for whole, group in found if not whole]
    whole = next(group for is_whole, group in found if is_whole)
    return Statistics(whole, groups[:MOST_GROUPS], len(groups) > MOST_GROUPS)


def _group(row: Any) -> Group:
    now, before = (
        Numbers(**{name: _plain(row[f"{name}{suffix}"]) for name in (*STOCKS, *FLOWS)})
        for suffix in ("", "_before")
    )
    return Group(row["key"], row["name"], now, before)


def _plain(value: Any) -> Any:
    """Sums come as decimals, though they are whole."""
    return value if value is None or isinstance(value, float) else int(value)


@dataclass(frozen=True)
class Month:
    """How many violations were found and closed in the days of a month that a period has."""

    first: date
    found: int
    closed: int


def months(scope: Scope, period: Period) -> Rows:
    """The violations found and closed in each month of a period, months without any too."""

    def counted(day: Any, found: int, wanted: ColumnElement[bool]) -> Rows:
        first = cast(func.date_trunc("month", day), Date)
        return (
            select(
                first.label("month"),
                (func.count() * found).label("found"),
                (func.count() * (1 - found)).label("closed"),
            )
            .where(wanted, scope.of(Violation.tower_id))
            .group_by(first)
        )

    counts = union_all(
        counted(Violation.found_on, 1, found_in(period)),
        counted(Violation.ended_on, 0, closed_in(period)),
    ).subquery()
    every = values(column("month", Date), name="every").data([(one,) for one in period.months])
    return (
        select(
            every.c.month,
            *(
                cast(func.coalesce(func.sum(counts.c[name]), 0), Integer).label(name)
                for name in ("found", "closed")
            ),
        )
        .select_from(every)
        .outerjoin(counts, counts.c.month == every.c.month)
        .group_by(every.c.month)
        .order_by(every.c.month)
    )


def by_month(session: Session, scope: Scope, period: Period) -> list[Month]:
    return [Month(*row) for row in session.execute(months(scope, period))]


# The kinds of tasks that come due, as the follow-up list orders them.
KINDS = ("critical", "assessment", "major", "minor")
# What is overdue, and what is due after the last week, in place of a Monday.
OVERDUE, LATER = date.min, date.max


@dataclass(frozen=True)
class Due:
    """How many tasks come due by kind: in a week that begins on a Monday, before today, later."""

    overdue: dict[str, int]
    weeks: dict[date, dict[str, int]]
    later: dict[str, int]


def weeks(scope: Scope) -> Rows:
    """The deadlines of open violations and unanswered assessments of the towers that stand now.

    A row a week with a column for each of `KINDS`, between `OVERDUE` and `LATER`. The first week
    is the one of today, without its days that are over.
    """
    mondays = weeks_from(scope.today, WEEKS)

    def counted(thing: Any, kind: Key, wanted: ColumnElement[bool]) -> Rows:
        deadline = thing.deadline
        monday = case(
            (deadline < scope.today, literal(OVERDUE)),
            (deadline >= mondays[-1] + timedelta(weeks=1), literal(LATER)),
            else_=cast(func.date_trunc("week", deadline), Date),
        )
        return (
            select(monday.label("monday"), kind.label("kind"), func.count().label("number"))
            .join(Tower, Tower.id == thing.tower_id)
            .where(wanted, *scope.wanted, stands(scope.today))
            .group_by(text("monday"), text("kind"))
        )

    counts = union_all(
        counted(Violation, Violation.severity, Violation.state == "open"),
        counted(LoadAssessment, literal("assessment"), LoadAssessment.answered_at.is_(None)),
    ).subquery()
    every = values(column("monday", Date), name="every").data(
        [(one,) for one in (OVERDUE, *mondays, LATER)]
    )
    return (
        select(
            every.c.monday,
            *(
                cast(
                    func.coalesce(func.sum(counts.c.number).filter(counts.c.kind == kind), 0),
                    Integer,
                ).label(kind)
                for kind in KINDS
            ),
        )
        .select_from(every)
        .outerjoin(counts, counts.c.monday == every.c.monday)
        .group_by(every.c.monday)
        .order_by(every.c.monday)
    )


def due_by_week(session: Session, scope: Scope) -> Due:
    found = {
        row.monday: {kind: row._mapping[kind] for kind in KINDS}
        for row in session.execute(weeks(scope))
    }
    overdue, later = found.pop(OVERDUE), found.pop(LATER)
    return Due(overdue, found, later)
