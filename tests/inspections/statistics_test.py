"""The statistics: a small province counted by hand, and random histories counted in Python."""

from __future__ import annotations

import statistics as arithmetic
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from core.policy import SYSTEM
from inspections.models import Inspection, LoadAssessment, Violation
from inspections.queries import statistics as queries
from inspections.queries.statistics import Scope
from inspections.rules.condition import Facts, add_months, condition, condition_on
from inspections.rules.statistics import Numbers, Period
from tests import makers
from tests.inspections.visits import TODAY, published
from towers.models import StructureKind, Tower
from towers.queries import Filters

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
YEAR = Period(date(2025, 11, 24), TODAY)


@pytest.fixture
def version(session):
    return published(session)


@pytest.fixture
def inspector(session):
    return makers.user(session, "inspector")


def scope(actor=SYSTEM, **filters) -> Scope:
    return Scope(actor, Filters(**filters), TODAY, ZONE)


def day(text: str) -> date:
    return date.fromisoformat(text)


def noon(when: date) -> datetime:
    return datetime.combine(when, time(12), ZONE)


def inspected(session, tower, version, inspector, on: date, **columns) -> Inspection:
    made = Inspection(
        id=uuid.uuid4(),
        tower_id=tower.id,
        checklist_version_id=version.id,
        inspector_id=inspector.id,
        inspected_on=on,
        submitted_at=noon(on),
        body_hash=b"",
        **{
            "kind": "periodic",
            "status": "accepted",
            "structure_type": tower.structure_type,
            "complete": True,
            **columns,
        },
    )
    session.add(made)
    return made


def violation(session, tower, version, found: date, ended: date | None = None, **columns):
    state = columns.pop("state", "closed" if ended else "open")
    made = Violation(
        tower_id=tower.id,
        item_key=uuid.uuid4().hex,
        checklist_version_id=version.id,
        found_on=found,
        ended_on=ended,
        state=state,
        stage="found" if state == "open" else state,
        **{"severity": "major", "deadline": found + timedelta(days=30), **columns},
    )
    session.add(made)
    return made


def assessment(session, tower, on: date, answered: date | None = None, outcome="safe"):
    made = LoadAssessment(
        tower_id=tower.id,
        requested_at=noon(on),
        requested_on=on,
        deadline=on + timedelta(days=60),
        answered_at=noon(answered) if answered else None,
        assessed_on=answered,
        outcome=outcome if answered else None,
    )
    session.add(made)
    return made


def counted(session, period=YEAR, by="commune", **more) -> queries.Statistics:
    session.flush()
    return queries.statistics(session, scope(**more), period, by)


@pytest.fixture
def province(session, version, inspector):
    """Two communes, two owners, ten towers; every number below is counted by hand from it.

    North has five lattice towers of A that stand: `ok` (inspected last year), `late` (six years
    ago; every 60 months), `never`, `part` (an incomplete inspection), `bad` (a critical violation
    and an overdue major one, found this year). South has three guyed masts of B: `old` (40 months
    ago; every 36 months), `asked` (an assessment waits), `fixed` (two violations closed this year
    after 10 and 30 days, one of the year before after 100; inspected this year). One is planned
    and one was dismantled in March.
    """
    north = makers.commune(session, code="90001", name="Xã Bắc")
    south = makers.commune(session, code="90002", name="Xã Nam", box=(107, 10, 108, 11))
    a, b = makers.organisation(session, "A"), makers.organisation(session, "B")

    def lattice(code, **columns):
        return makers.tower(session, code=code, commune=north, owner=a, **columns)

    def guyed(code):
        return makers.tower(session, code=code, commune=south, owner=b, structure_type="guyed_mast")

    towers = {code: lattice(code) for code in ("ok", "late", "never", "part", "bad")}
    towers |= {code: guyed(code) for code in ("old", "asked", "fixed")}
    lattice("planned", lifecycle="planned")
    gone = lattice("gone", lifecycle="dismantled", lifecycle_since=day("2026-03-01"))

    def seen(code, on, **columns):
        inspected(session, towers[code], version, inspector, day(on), **columns)

    seen("ok", "2025-06-01")
    seen("late", "2020-10-01")
    seen("part", "2026-01-10", complete=False)
    seen("bad", "2026-02-01")
    seen("bad", "2026-05-01", kind="reinspection", complete=False)
    seen("bad", "2026-06-01", status="returned")
    seen("old", "2023-07-23")
    seen("asked", "2024-01-01")
    seen("fixed", "2026-01-01")
    inspected(session, gone, version, inspector, day("2025-01-01"))
    bad, fixed = towers["bad"], towers["fixed"]
    violation(session, bad, version, day("2026-02-01"), severity="critical", deadline=TODAY)
    violation(session, bad, version, day("2026-02-01"), deadline=TODAY - timedelta(days=1))
    violation(session, bad, version, day("2026-02-01"), day("2026-02-02"), state="withdrawn")
    violation(session, fixed, version, day("2026-01-01"), day("2026-01-11"))
    violation(session, fixed, version, day("2026-01-01"), day("2026-01-31"))
    violation(session, fixed, version, day("2025-05-01"), day("2025-08-09"), severity="critical")
    violation(session, gone, version, day("2025-01-01"), severity="critical")
    assessment(session, towers["asked"], day("2026-10-01"))
    session.flush()
    return {"towers": towers, "north": north, "south": south, "a": a, "b": b}


def test_the_province_is_what_was_counted_by_hand(session, province) -> None:
    found = counted(session)
    assert found.whole.now == Numbers(
        towers=8,
        inspected=4,  # ok, bad, asked, fixed
        open=2,
        critical=1,
        overdue=1,
        dangerous=1,
        assessment_needed=1,
        needs_follow_up=0,
        ok=2,
        never=1,
        incomplete=1,
        out_of_date=2,  # late, old
        found=4,
        closed=2,
        median_days=20.0,
    )
    assert found.whole.before == Numbers(
        towers=9,  # the dismantled one stood
        inspected=4,  # ok, old, asked, gone
        open=1,
        critical=1,
        overdue=1,
        dangerous=1,  # gone
        ok=3,
        never=4,
        out_of_date=1,  # late
        found=2,
        closed=1,
        median_days=100.0,
    )


def test_groups_add_up_to_the_whole(session, province) -> None:
    north, south = counted(session).groups
    assert (north.key, north.name, north.now.towers) == ("90001", "Xã Bắc", 5)
    assert (south.key, south.name, south.now.towers) == ("90002", "Xã Nam", 3)
    assert (north.now.critical, north.now.inspected, north.now.closed) == (1, 2, 0)
    assert north.now.median_days is None
    assert (south.now.critical, south.now.inspected, south.now.closed) == (0, 2, 2)
    assert south.now.median_days == 20.0
    owners = counted(session, by="owner")
    assert [(one.name, one.now.towers, one.now.unchecked) for one in owners.groups] == [
        ("A", 5, 3),
        ("B", 3, 1),
    ]
    kinds = counted(session, by="structure_type")
    assert {one.key: one.now.towers for one in kinds.groups} == {
        "lattice_self_support": 5,
        "guyed_mast": 3,
    }
    for found in (owners, kinds):
        assert found.whole == counted(session).whole


def test_filters_narrow_the_whole(session, province) -> None:
    assert counted(session, commune=("90002",)).whole.now.towers == 3
    assert counted(session, owner=province["a"].id).whole.now.towers == 5
    guyed = counted(session, structure_type=("guyed_mast",))
    assert (guyed.whole.now.towers, guyed.whole.now.closed) == (3, 2)
    assert [group.key for group in guyed.groups] == ["90002"]


def test_only_the_readers_territory_is_counted(session, province) -> None:
    local = makers.actor(session, "local_officer", territories=[province["south"]])
    found = counted(session, actor=local)
    assert found.whole.now.towers == 3
    assert [group.key for group in found.groups] == ["90002"]
    months = queries.by_month(session, scope(local), YEAR)
    assert sum(month.found for month in months) == 2
    assert sum(queries.due_by_week(session, scope(local)).weeks[day("2026-11-30")].values()) == 1
    operator = makers.actor(session, "operator")
    assert counted(session, actor=operator).whole.now == Numbers()


def test_an_empty_register_has_zeros(session, version) -> None:
    found = counted(session)
    assert (found.whole.now, found.groups, found.more) == (Numbers(), [], False)
    assert all(one.value(1) is None for one in found.whole.now.ratios.values())


def test_a_tower_in_no_commune_has_its_own_group(session, province) -> None:
    makers.tower(session)
    assert [(one.key, one.now.towers) for one in counted(session).groups][-1] == (None, 1)


def test_found_and_closed_by_month(session, province) -> None:
    months = queries.by_month(session, scope(), YEAR)
    assert len(months) == 13
    assert {one.first: (one.found, one.closed) for one in months if one.found or one.closed} == {
        day("2026-01-01"): (2, 2),
        day("2026-02-01"): (2, 0),
    }


def test_deadlines_by_week(session, version) -> None:
    tower = makers.tower(session)
    gone = makers.tower(session, lifecycle="dismantled")
    for after, severity in (
        (-1, "major"),
        (0, "critical"),
        (6, "major"),
        (7, "minor"),
        (84, "minor"),
    ):
        violation(
            session,
            tower,
            version,
            TODAY,
            severity=severity,
            deadline=TODAY + timedelta(days=after),
        )
    violation(session, gone, version, TODAY, deadline=TODAY)
    assessment(session, tower, TODAY - timedelta(days=60))
    session.flush()
    due = queries.due_by_week(session, scope())
    assert TODAY.weekday() == 0
    assert list(due.weeks)[:2] == [TODAY, TODAY + timedelta(days=7)]
    assert len(due.weeks) == 12
    assert due.overdue == {"critical": 0, "assessment": 0, "major": 1, "minor": 0}
    assert due.weeks[TODAY] == {"critical": 1, "assessment": 1, "major": 1, "minor": 0}
    assert due.weeks[TODAY + timedelta(days=7)]["minor"] == 1
    assert due.later["minor"] == 1


# Random histories


@dataclass(frozen=True)
class Visit:
    after: int
    kind: str
    status: str
    complete: bool


@dataclass(frozen=True)
class Defect:
    found: int
    lasts: int | None
    severity: str
    remedy: int
    withdrawn: bool


@dataclass(frozen=True)
class Request:
    after: int
    answered: int
    outcome: str


@dataclass(frozen=True)
class History:
    """What happened at one tower, in days after the first of 2023."""

    structure_type: str
    lifecycle: str
    since: int | None
    built: int | None
    group: int
    visits: Sequence[Visit]
    defects: Sequence[Defect]
    requests: Sequence[Request]


FIRST = date(2023, 1, 1)
LAST = (TODAY - FIRST).days
moments = st.integers(0, LAST)
histories = st.builds(
    History,
    structure_type=st.sampled_from(["lattice_self_support", "guyed_mast", "unknown"]),
    lifecycle=st.sampled_from(["active", "planned", "abandoned", "dismantled"]),
    since=st.none() | moments,
    built=st.none() | st.integers(2022, 2027),
    group=st.integers(0, 2),
    visits=st.lists(
        st.builds(
            Visit,
            moments,
            st.sampled_from(["periodic", "campaign", "reinspection"]),
            st.sampled_from(["submitted", "accepted", "returned", "voided"]),
            st.booleans(),
        ),
        max_size=3,
        unique_by=lambda one: one.after,
    ),
    defects=st.lists(
        st.builds(
            Defect,
            moments,
            st.none() | st.integers(0, 400),
            st.sampled_from(["critical", "major", "minor"]),
            st.integers(0, 400),
            st.booleans(),
        ),
        max_size=3,
    ),
    requests=st.lists(
        st.builds(
            Request,
            moments,
            st.integers(0, 300),
            st.sampled_from(["safe", "safe_with_conditions", "dangerous"]),
        ),
        max_size=2,
        unique_by=lambda one: one.after + one.answered,
    ),
)
periods = st.tuples(moments, st.integers(0, 400)).map(
    lambda pair: Period(
        FIRST + timedelta(days=pair[0]), min(FIRST + timedelta(days=sum(pair)), TODAY)
    )
)


def after(days: int) -> date:
    return FIRST + timedelta(days=days)


def plain_count(histories: Sequence[History], period: Period, months: dict) -> Numbers:
    """The numbers of one period by the rules, one tower after another."""
    end, found = period.end, {field.name: 0 for field in fields(Numbers)}
    durations: list[int] = []
    for one in histories:
        defects = [defect for defect in one.defects if not _is_withdrawn(defect)]
        for defect in defects:
            found["found"] += period.start <= after(defect.found) <= end
            ended = _ended(defect)
            if ended and period.start <= ended <= end:
                durations.append((ended - after(defect.found)).days)
        gone = one.lifecycle == "dismantled" and (one.since is None or after(one.since) <= end)
        if one.lifecycle == "planned" or gone or (one.built or 0) > end.year:
            continue
        opened = [
            defect
            for defect in defects
            if after(defect.found) <= end and (_ended(defect) is None or _ended(defect) > end)
        ]
        visits = [
            visit
            for visit in one.visits
            if visit.kind != "reinspection"
            and visit.status in {"submitted", "accepted"}
            and after(visit.after) <= end
        ]
        last = max(visits, key=lambda visit: visit.after, default=None)
        interval = months[one.structure_type]
        answers = sorted(
            (ask for ask in one.requests if after(ask.after + ask.answered) <= end),
            key=lambda ask: ask.after + ask.answered,
        )
        stored = condition(
            Facts(
                open_severities=[defect.severity for defect in opened],
                assessment_pending=any(
                    after(ask.after) <= end < after(ask.after + ask.answered)
                    for ask in one.requests
                ),
                last_full_inspection_on=after(last.after) if last else None,
                last_full_complete=bool(last and last.complete),
                interval_months=interval,
                assessed_dangerous=bool(answers) and answers[-1].outcome == "dangerous",
            )
        )
        name, reason = condition_on(*stored, end)
        found[reason or name] += 1
        found["towers"] += 1
        found["inspected"] += bool(
            last and last.complete and interval and add_months(after(last.after), interval) >= end
        )
        found["open"] += len(opened)
        found["critical"] += sum(defect.severity == "critical" for defect in opened)
        found["overdue"] += sum(after(defect.found + defect.remedy) < end for defect in opened)
    found["closed"] = len(durations)
    return Numbers(**{**found, "median_days": arithmetic.median(durations) if durations else None})


def _is_withdrawn(defect: Defect) -> bool:
    return defect.withdrawn and defect.lasts is not None


def _ended(defect: Defect) -> date | None:
    """The end of a defect; one that would end in the future is still open."""
    if defect.lasts is None or defect.found + defect.lasts > LAST:
        return None
    return after(defect.found + defect.lasts)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(histories, max_size=6), periods)
def test_sql_counts_as_python_does(session, version, inspector, made, period) -> None:
    with session.begin_nested() as trial:
        communes = [makers.commune(session, name=f"Xã {number}") for number in range(3)]
        for one in made:
            _write(session, one, communes[one.group], version, inspector)
        months = dict(
            session.execute(select(StructureKind.key, StructureKind.interval_months)).all()
        )
        found = counted(session, period)
        assert found.whole.now == plain_count(made, period, months)
        assert found.whole.before == plain_count(made, period.before, months)
        by_name = {group.name: group for group in found.groups}
        for number, commune in enumerate(communes):
            mine = [one for one in made if one.group == number]
            group = by_name.get(commune.name)
            now = plain_count(mine, period, months)
            before = plain_count(mine, period.before, months)
            assert (
                (group.now, group.before) == (now, before) if group else now == before == Numbers()
            )
        by_month = queries.by_month(session, scope(), period)
        assert sum(month.found for month in by_month) == found.whole.now.found
        assert sum(month.closed for month in by_month) == found.whole.now.closed
        trial.rollback()


def _write(session, one: History, commune, version, inspector) -> Tower:
    tower = makers.tower(
        session,
        structure_type=one.structure_type,
        lifecycle=one.lifecycle,
        lifecycle_since=None if one.since is None else after(one.since),
        built_year=one.built,
        commune=commune,
    )
    for visit in one.visits:
        inspected(
            session, tower, version, inspector, after(visit.after),
            kind=visit.kind, status=visit.status, complete=visit.complete,
        )  # fmt: skip
    for defect in one.defects:
        ended = (
            after(defect.found + (defect.lasts or 0)) if _is_withdrawn(defect) else _ended(defect)
        )
        state = "withdrawn" if _is_withdrawn(defect) else "closed" if ended else "open"
        violation(
            session, tower, version, after(defect.found), ended,
            state=state, severity=defect.severity, deadline=after(defect.found + defect.remedy),
        )  # fmt: skip
    for ask in one.requests:
        assessment(session, tower, after(ask.after), after(ask.after + ask.answered), ask.outcome)
    return tower
