"""The demo province: plausible, clearly made up, consistent with the rules, and removable."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.orm import Session

from areas.models import Area
from core import clock
from core.db import current_session
from core.geo import to_position
from core.pictures import COPIES
from core.policy import SYSTEM
from core.settings import Settings
from inspections.campaign_models import Assignment, Campaign
from inspections.doors import photo_store
from inspections.models import ChecklistVersion, Inspection, Photo, Violation, ViolationEvent
from inspections.notice_models import Notice
from inspections.queries import statistics
from inspections.rules.evaluation import GivenAnswer, Structure, evaluate
from inspections.rules.statistics import Period
from inspections.services.checklists import catalogue_of
from tests import makers
from towers.coordinate_systems import system, to_wgs84
from towers.models import Document, Installation, Permit, Tower, TowerProposal
from towers.past_models import tower_span
from towers.queries import Filters, condition_on
from towers.queries.parts import anchors
from towers.queries.past import filtered_then, then
from towers.rules import PermitState, permit_state
from towers.vocabularies import unusual

TOWERS = 800


@pytest.fixture(scope="module")
def house(
    cluster, migrated: str, settings: Settings, tmp_path_factory
) -> Iterator[Callable[..., Flask]]:
    """Makes applications with a database and a folder of their own: empty, or a copy of another."""
    from app import create_app

    numbers = itertools.count(1)
    made: list[tuple[Flask, str]] = []

    def new(copied: Flask | None = None) -> Flask:
        name = f"demo_{next(numbers)}"
        if copied is not None:
            # A database can be copied while nobody is connected to it.
            copied.extensions["database"].engine.dispose()
        template = next((name for app, name in made if app is copied), migrated)
        urls = cluster.create_database(name, template)
        app = create_app(
            replace(
                settings,
                database_url=urls.app_url,
                migration_database_url=urls.owner_url,
                instance=tmp_path_factory.mktemp(name),
            )
        )
        made.append((app, name))
        return app

    yield new
    for app, name in made:
        app.extensions["database"].engine.dispose()
        cluster.drop_database(name)


@pytest.fixture(scope="module")
def province(house: Callable[..., Flask]) -> Flask:
    """A loaded province that tests only read."""
    app = house()
    run(app, "demo", "load", "--towers", str(TOWERS))
    return app


@pytest.fixture(scope="module")
def small(house: Callable[..., Flask]) -> Flask:
    """Thirty towers, to be copied."""
    app = house()
    run(app, "demo", "load", "--towers", "30")
    return app


@pytest.fixture
def session(province: Flask) -> Iterator[Session]:
    with province.app_context():
        yield current_session()


def run(app: Flask, *arguments: str, code: int = 0) -> str:
    result = app.test_cli_runner().invoke(args=arguments)
    assert result.exit_code == code, result.output
    return result.output


def towers_of(app: Flask) -> list[tuple]:
    with app.app_context():
        return [
            tuple(row)
            for row in current_session().execute(
                select(
                    Tower.code,
                    Tower.name,
                    Tower.structure_type,
                    Tower.height_m,
                    func.ST_AsText(Tower.geom),
                    Tower.condition,
                    Tower.next_deadline,
                ).order_by(Tower.code)
            )
        ]


def test_it_has_as_many_towers_as_were_asked_for(session: Session):
    assert session.scalar(select(func.count()).select_from(Tower)) == TOWERS
    today = select(func.count()).select_from(Area).where(Area.level == "commune")
    assert session.scalar(today.where(Area.valid_to.is_(None))) == 102
    assert session.scalar(today.where(Area.valid_to.is_not(None))) == 305


def test_everything_says_that_it_is_made_up(session: Session):
    for tower in session.scalars(select(Tower)):
        assert tower.demo
        assert "không có thật" in tower.source
        assert tower.owner.name.endswith("(hư cấu)")
        assert tower.owner.demo
    assert session.scalar(select(func.bool_and(Area.synthetic)).where(Area.geom.is_not(None)))
    assert session.scalar(select(func.bool_and(Inspection.demo)))


def test_every_tower_stands_in_its_commune(session: Session):
    outside = session.scalars(
        select(Tower.code)
        .join(Area, Area.id == Tower.commune_id)
        .where(~func.ST_Covers(Area.geom, Tower.geom))
    ).all()
    assert outside == []
    assert len(set(session.scalars(select(Tower.commune_id)))) > 90


def test_the_mix_of_structures_is_plausible(session: Session):
    kinds = Counter(session.scalars(select(Tower.structure_type)))
    assert set(kinds) == {
        "lattice_self_support",
        "guyed_mast",
        "rooftop_guyed",
        "rooftop_pole",
        "monopole",
        "concrete_pole",
    }
    assert kinds["lattice_self_support"] > kinds["guyed_mast"] > kinds["concrete_pole"]
    for tower in session.scalars(select(Tower)):
        on_roof = tower.structure_type.startswith("rooftop")
        assert (tower.host_building_height_m is not None) == on_roof
        assert 3 <= tower.height_m <= (24 if on_roof else 72)
        assert 1990 < tower.built_year <= clock.today().year


def test_the_shares_of_faults_lie_between_those_that_departments_found(session: Session):
    """Tuyên Quang: 42 of 126 faulty; Thái Nguyên: 51 and 7 dangerous of 1,600."""
    conditions = Counter(session.scalars(select(Tower.condition)))
    assert set(conditions) == {
        "dangerous",
        "assessment_needed",
        "needs_follow_up",
        "ok",
        "unchecked",
    }
    full = Inspection.kind == "periodic"
    visits = session.scalar(select(func.count()).select_from(Inspection).where(full))
    faulty = session.scalar(select(func.count(Violation.tower_id.distinct())))
    assert 0.2 < faulty / visits < 0.45
    assert 0.002 < conditions["dangerous"] / TOWERS < 0.05
    assert 0.05 < conditions["unchecked"] / TOWERS < 0.4


def test_work_is_spread_over_two_years_and_none_lies_in_the_future(session: Session):
    today = clock.today()
    days = session.scalars(select(Inspection.inspected_on)).all()
    assert max(days) <= today
    assert 600 < (today - min(days)).days <= 730
    months = Counter((day.year, day.month) for day in days)
    assert len(months) >= 23
    overdue, coming = (
        session.scalar(
            select(func.count()).select_from(Violation).where(Violation.state == "open", when)
        )
        for when in (Violation.deadline < today, Violation.deadline >= today)
    )
    assert overdue > 0 and coming > 0


def test_a_province_made_before_work_begins_has_no_work_of_that_day_done(
    house: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
):
    midnight = clock.now().astimezone(ZoneInfo("Asia/Ho_Chi_Minh")).replace(hour=0, minute=5)
    now = midnight.astimezone(UTC)
    monkeypatch.setattr(clock, "now", lambda: now)
    app = house()
    run(app, "demo", "load", "--towers", "400")
    with app.app_context():
        session = current_session()
        assert session.scalar(select(func.max(Inspection.inspected_on))) == midnight.date()
        for moment in (Inspection.submitted_at, ViolationEvent.at, Photo.received_at):
            assert session.scalar(select(func.max(moment))) <= now


def test_recomputing_the_conditions_finds_no_difference(province: Flask):
    assert f"{TOWERS} towers, 0 differ" in run(province, "recompute-conditions")


def test_the_violations_are_those_that_the_rules_find(session: Session):
    """Every full inspection judged again, from its stored answers and its structure."""
    version = session.scalars(select(ChecklistVersion)).one()
    catalogue = catalogue_of(session, version)
    found: dict[object, dict[str, tuple]] = {}
    for event, violation in session.execute(
        select(ViolationEvent, Violation)
        .join(Violation, Violation.id == ViolationEvent.violation_id)
        .where(ViolationEvent.kind == "found")
    ):
        found.setdefault(event.inspection_id, {})[violation.item_key] = (
            violation.severity,
            (violation.deadline - violation.found_on).days,
            violation.legal_basis,
        )
    judged = 0
    for inspection in session.scalars(select(Inspection).where(Inspection.kind == "periodic")):
        evaluation = evaluate(
            catalogue,
            Structure(
                inspection.structure_type,
                frozenset(inspection.tower.services),
                inspection.height_m,
                inspection.overall_height_m,
            ),
            {answer.item_key: GivenAnswer.from_json(answer.given) for answer in inspection.answers},
        )
        assert not evaluation.problems
        assert evaluation.complete == inspection.complete
        assert found.pop(inspection.id, {}) == {
            key: (one.severity, one.remedy_days, one.legal_basis)
            for key, one in evaluation.failing.items()
        }
        judged += 1
    assert judged > TOWERS / 2
    assert found == {}


def test_a_violation_is_closed_by_a_reinspection_only(session: Session):
    kinds: dict[object, list[ViolationEvent]] = {}
    for event in session.scalars(select(ViolationEvent).order_by(ViolationEvent.id)):
        kinds.setdefault(event.violation_id, []).append(event)
    states, told = Counter(), Counter()
    for violation in session.scalars(select(Violation)):
        first, *others = kinds[violation.id]
        states[violation.state] += 1
        assert first.kind == "found"
        if violation.state == "open":
            # Or what a notice adds.
            steps = [one.kind for one in others]
            assert steps in ([], ["confirmed", "notified"], ["confirmed", "notified", "served"])
            told[violation.stage] += 1
        else:
            (again,) = others
            visit = session.get(Inspection, again.inspection_id)
            assert (again.kind, again.outcome) == ("reinspected", "fixed")
            assert visit.kind == "reinspection"
            assert visit.inspected_on == violation.ended_on > violation.found_on
    assert states["open"] > 0 and states["closed"] > 0
    assert told["found"] > 0 and told["notified"] > 0 and told["served"] > 0


@pytest.mark.parametrize("days", [650, 365, 40])
def test_it_has_the_conditions_of_two_years(session: Session, days: int):
    """What the spans say of a day is what the statistics count from the records."""
    day = clock.today() - timedelta(days=days)
    scope = statistics.Scope(SYSTEM, Filters(), clock.today(), clock.zone())
    counted = statistics.statistics(session, scope, Period(day, day), "commune").whole.now
    columns = select(condition_on(day, tower_span.c), func.count()).join(
        Tower, Tower.id == tower_span.c.tower_id
    )
    stood = statistics.stands(day)
    found = dict(
        session.execute(
            filtered_then(columns, SYSTEM, Filters(), then(day, clock.zone()))
            .where(stood)
            .group_by(text("1"))
        ).all()
    )
    names = ("dangerous", "assessment_needed", "needs_follow_up", "ok")
    assert {name: found.get(name, 0) for name in names} == {
        name: getattr(counted, name) for name in names
    }
    assert found["ok"] and found["needs_follow_up"]


def test_the_department_is_at_work(session: Session):
    """One notice was served, one issued, one waits as a draft; a campaign is half done with."""
    notices = session.scalars(select(Notice).order_by(Notice.issued_at.nulls_last())).all()
    assert [(one.state, one.served_on is not None) for one in notices] == [
        ("issued", True),
        ("issued", False),
        ("draft", False),
    ]
    assert all(len(one.documents) == 2 and one.items for one in notices[:2])
    campaign = session.scalars(select(Campaign)).one()
    assert campaign.state == "running"
    given = session.scalars(select(Assignment)).all()
    # What was inspected since it began needs nobody any more.
    assert all(one.campaign_id == campaign.id for one in given)
    assert any(one.inspector_id for one in given)


def test_towers_have_papers_people_and_what_stands_at_them(session: Session, province: Flask):
    towers = {one.id: one for one in session.scalars(select(Tower))}
    installed = session.scalars(select(Installation)).all()
    assert {one.tower_id for one in installed} == set(towers), "each carries something"
    assert all(one.service in towers[one.tower_id].services for one in installed)
    assert any(len(one.antennas) == 3 for one in installed)
    today = clock.today()
    permits = session.scalars(select(Permit)).all()
    states = Counter(permit_state(one.expires_on, today=today, soon_days=90) for one in permits)
    assert all(states[state] > 0 for state in PermitState), states
    assert states["expired"] + states["soon"] < len(permits) / 4
    guyed = [
        one for one in towers.values() if one.structure_type in {"guyed_mast", "rooftop_guyed"}
    ]
    for one in guyed:
        found = anchors(session, one.id)
        assert len(found) == one.anchor_count >= 3
        assert one.guy_levels >= 1
        for anchor in found:
            assert anchor.distance_m == pytest.approx(float(one.anchor_radius_m), rel=0.05)
    assert not any(one.guy_levels for one in towers.values() if one not in guyed)
    assert sum(one.manager_id is not None for one in towers.values()) > len(towers) / 4
    former = [one for one in towers.values() if one.former_district]
    assert len(former) > len(towers) / 4
    assert all(
        session.get(Area, one.former_commune_id).name == one.former_commune for one in former
    )
    unlike = [one for one in towers.values()
              if unusual(one.structure_type, one.planning_class, one.bts_category)]  # fmt: skip
    assert len(unlike) < len(towers) / 20
    original = [one for one in towers.values() if one.source_srid in {5897, 9210}]
    assert len(original) > len(towers) / 6
    for one in original:
        there = to_wgs84(one.source_x, one.source_y, system(one.source_srid))
        here = to_position(one.geom)
        assert there.latitude == pytest.approx(here.latitude, abs=1e-7)
        assert there.longitude == pytest.approx(here.longitude, abs=1e-7)


def test_the_pictures_lie_in_the_store(session: Session, province: Flask):
    photos = session.scalars(select(Photo)).all()
    assert len(photos) == 30
    assert len({photo.sha256 for photo in photos}) == 30, "one picture at two towers is flagged"
    folder = province.config["SETTINGS"].instance
    names = {path.name for path in folder.rglob("*") if path.is_file()}
    for photo in photos:
        assert any(photo.sha256.hex() in name for name in names)


def test_the_passwords_of_the_accounts_are_kept_for_their_owner_alone(province: Flask):
    path: Path = province.config["SETTINGS"].instance / "demo-accounts.txt"
    accounts = dict(line.split() for line in path.read_text().splitlines())
    assert set(accounts) == {
        "admin@example.org", "staff@example.org", "chief@example.org", "inspector@example.org",
    }  # fmt: skip
    assert len(set(accounts.values())) == 4
    assert path.stat().st_mode & 0o077 == 0


def test_the_same_seed_makes_the_same_province(house: Callable[..., Flask], small: Flask):
    again = house()
    run(again, "demo", "load", "--towers", "30")
    assert towers_of(again) == towers_of(small)


def test_a_second_load_adds_other_towers_with_codes_of_their_own(
    house: Callable[..., Flask], small: Flask
):
    app = house(small)
    run(app, "demo", "load", "--towers", "20", "--seed", "9")
    towers = towers_of(app)
    assert [row[0] for row in towers] == [f"DT-{number:05d}" for number in range(1, 51)]
    assert towers[:30] == towers_of(small)
    assert {row[4] for row in towers[:30]}.isdisjoint(row[4] for row in towers[30:])
    assert "50 towers, 0 differ" in run(app, "recompute-conditions")


def test_removing_leaves_an_empty_ready_system(house: Callable[..., Flask], small: Flask):
    app = house(small)
    accounts = app.config["SETTINGS"].instance / "demo-accounts.txt"
    accounts.write_text("staff@example.org  secret\n")
    run(app, "demo", "remove", "--yes")
    owner = create_engine(app.config["SETTINGS"].migration_database_url)
    with owner.connect() as connection:
        for table in (
            "tower",
            "guy_anchor",
            "installation",
            "antenna",
            "permit",
            "inspection",
            "answer",
            "submission",
            "photo",
            "violation",
            "violation_event",
            "load_assessment",
            '"user"',
            "access_token",
            "organisation",
            "area",
        ):
            assert connection.scalar(text(f"SELECT count(*) FROM {table}")) == 0, table
        assert connection.scalar(text("SELECT count(*) FROM checklist_version")) == 1
        last = connection.execute(
            text("SELECT action, before FROM audit_entry ORDER BY id DESC LIMIT 1")
        ).one()
        assert tuple(last) == ("demo.remove", {"towers": 30})
    owner.dispose()
    assert not accounts.exists()
    run(app, "demo", "load", "--if-new")
    assert towers_of(app) == []
    run(app, "demo", "load", "--towers", "10")
    assert len(towers_of(app)) == 10


def test_removing_takes_the_files_of_the_pictures_along(
    house: Callable[..., Flask], province: Flask
):
    app = house(province)
    with app.app_context():
        pictures = current_session().scalars(select(Photo.sha256)).all()
        files = photo_store()
        for sha256 in pictures:
            for variant in ("original", *COPIES):
                files.write(files.path(sha256, variant), b"drawn")
    assert pictures
    run(app, "demo", "remove", "--yes")
    assert not [path for path in files.folder.rglob("*") if path.is_file()]


def test_removing_keeps_real_towers_unless_told_otherwise(
    house: Callable[..., Flask], small: Flask
):
    app = house(small)
    with app.app_context():
        session = current_session()
        makers.tower(session, code="REAL-1")
        session.commit()
    refused = run(app, "demo", "remove", "--yes", code=1)
    assert "1 towers do not belong to the demo" in refused
    assert len(towers_of(app)) == 31
    run(app, "demo", "remove", "--yes", "--everything")
    assert towers_of(app) == []


def test_a_large_province_keeps_only_failing_answers(house: Callable[..., Flask], monkeypatch):
    """50 answers a tower would fill disks; conditions and violations stay as they are."""
    monkeypatch.setattr("inspections.demo.province.ALL_ANSWERS_UP_TO", 99)
    app = house()
    run(app, "demo", "load", "--towers", "100")
    with app.app_context():
        session = current_session()
        found, answers = (
            session.scalar(text(f"SELECT count(*) FROM {rows}"))
            for rows in (
                "violation",
                "answer a JOIN inspection i ON i.id = a.inspection_id WHERE i.kind = 'periodic'",
            )
        )
    assert 0 < found == answers
    run(app, "recompute-conditions")


def test_proposals_wait_for_a_decision(session: Session) -> None:
    found = session.scalars(select(TowerProposal).order_by(TowerProposal.created_at)).all()
    assert [(one.kind, one.state) for one in found] == [
        ("correction", "open"), ("new", "open"), ("new", "open"),
    ]  # fmt: skip
    assert all(one.commune_id for one in found)
    assert session.scalar(select(func.count()).select_from(Document)) == 2
