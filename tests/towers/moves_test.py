"""Assigning towers anew: who moves after boundaries changed, what history says, what is refused."""

from __future__ import annotations

import html
import re
from datetime import date, timedelta
from decimal import Decimal
from urllib.parse import quote

import pytest
from sqlalchemy import select

from areas import queries as areas
from areas.services.following import Consequence
from core import store
from core.audit import AuditEntry
from core.errors import Forbidden, NotFound
from core.policy import SYSTEM
from tests import makers
from tests.areas.provinces import boundary, load
from towers import moves
from towers.lists import towers
from towers.models import Tower
from towers.queries import Filters

WEST, EAST = (105.0, 10.0, 105.5, 10.5), (105.5, 10.0, 106.0, 10.5)
LATER = date(2026, 3, 1)


@pytest.fixture
def two(session, app):
    """Two communes, and a tower in each, one in a gap and one far away."""
    load(session, boundary(), boundary("2", "Xã Hai", EAST))
    for code, longitude in (("A", 105.2), ("B", 105.7), ("GAP", 106.01), ("FAR", 107.0)):
        makers.tower(session, code=code, latitude=10.2, longitude=longitude)
    moves.reassign(session, why="test", by=SYSTEM, now=makers.NOW)
    session.commit()
    return session


def commune_of(session, code: str) -> tuple[str | None, Decimal | None]:
    session.expire_all()
    tower = session.scalars(select(Tower).where(Tower.code == code)).one()
    return (tower.commune.name if tower.commune else None), tower.commune_distance_m


def entries(session, code: str) -> list[AuditEntry]:
    tower = session.scalars(select(Tower.id).where(Tower.code == code)).one()
    return session.scalars(
        select(AuditEntry)
        .where(AuditEntry.object_id == str(tower), AuditEntry.action == "tower.reassign")
        .order_by(AuditEntry.id)
    ).all()


def test_every_tower_has_its_commune_or_the_nearest_or_none(two) -> None:
    assert commune_of(two, "A") == ("Xã Một", None)
    assert commune_of(two, "B") == ("Xã Hai", None)
    name, metres = commune_of(two, "GAP")
    assert name == "Xã Hai"
    assert metres == pytest.approx(Decimal(1095), abs=Decimal(3))
    assert commune_of(two, "FAR") == (None, None)


def test_a_second_time_nothing_moves(two) -> None:
    before = len(two.scalars(select(AuditEntry)).all())
    made = moves.reassign(two, why="test", by=SYSTEM, now=makers.NOW)
    assert (made.flows, made.batch, made.towers) == ((), None, 0)
    assert len(two.scalars(select(AuditEntry)).all()) == before


def test_changing_boundaries_moves_the_towers_and_reports_it(two) -> None:
    change = load(
        two,
        boundary("1", "Xã Một", (105.0, 10.0, 105.8, 10.5)),
        boundary("2", "Xã Hai", (105.8, 10.0, 106.0, 10.5)),
    )
    (consequence,) = [one for one in change.consequences if one.template == "towers/_moves.html"]
    made = consequence.facts["moves"]
    assert [(str(flow.old), str(flow.new), flow.towers) for flow in made.flows] == [
        ("2 Xã Hai", "1 Xã Một", 1)
    ]
    assert [(move.code, move.old.name, move.new.name) for move in made.first] == [
        ("B", "Xã Hai", "Xã Một")
    ]
    assert "1 towers: 2 Xã Hai -> 1 Xã Một" in consequence.lines
    assert commune_of(two, "B") == ("Xã Một", None)


def test_the_history_of_each_tower_says_where_it_came_from(two) -> None:
    hai = areas.area_by_code(two, "commune", "2")
    load(two, boundary("1", "Xã Một", (105.0, 10.0, 105.8, 10.5)), boundary("2", "Xã Hai",
         (105.8, 10.0, 106.0, 10.5)))  # fmt: skip
    *_, last = entries(two, "B")
    assert last.before == {"commune_id": hai.id, "commune_distance_m": None}
    assert last.after["commune_id"] == areas.area_by_code(two, "commune", "1").id
    assert (last.at, last.actor) == (makers.NOW, "system")
    assert len(entries(two, "A")) == 1


def test_a_look_writes_nothing_and_says_the_same(two) -> None:
    parts = (
        boundary("1", "Xã Một", (105.0, 10.0, 105.8, 10.5)),
        boundary("2", "Xã Hai", (105.8, 10.0, 106.0, 10.5)),
    )
    before = len(two.scalars(select(AuditEntry)).all())
    looked = load(two, *parts, keep=False).consequences[0].facts["moves"]
    two.rollback()
    assert commune_of(two, "B") == ("Xã Hai", None)
    assert len(two.scalars(select(AuditEntry)).all()) == before
    kept = load(two, *parts).consequences[0].facts["moves"]
    assert (looked.flows, looked.first) == (kept.flows, kept.first)
    assert looked.batch is None
    assert kept.batch is not None


def test_a_tower_can_leave_the_territory_and_come_back(two) -> None:
    store.set_value(two, "nearest_commune_m", 500, by=SYSTEM, now=makers.NOW)
    made = moves.reassign(two, why="test", by=SYSTEM, now=makers.NOW)
    assert (made.towers, made.outside) == (1, 1)
    assert commune_of(two, "GAP") == (None, None)
    load(two, boundary("2", "Xã Hai", (105.5, 10.0, 106.009, 10.5)))
    name, metres = commune_of(two, "GAP")
    assert (name, metres) == ("Xã Hai", pytest.approx(Decimal("109.6"), abs=Decimal(1)))


def test_another_distance_alone_is_counted_apart(two) -> None:
    change = load(two, boundary("2", "Xã Hai", (105.5, 10.0, 106.005, 10.5)))
    made = change.consequences[0].facts["moves"]
    assert (made.towers, made.measured) == (0, 1)
    assert made.first[0].code == "GAP"


def test_a_redrawn_commune_takes_its_towers_along(two) -> None:
    old = areas.area_by_code(two, "commune", "1").id
    change = load(two, boundary("1", "Xã Một", (105.0, 10.0, 105.49, 10.5)), since=LATER)
    made = change.consequences[0].facts["moves"]
    assert (made.towers, made.measured) == (0, 1)
    tower = two.scalars(select(Tower).where(Tower.code == "A")).one()
    assert tower.commune_id != old
    assert tower.commune.valid_from == LATER


def test_territories_follow_the_towers(two) -> None:
    one = areas.area_by_code(two, "commune", "1")
    officer = makers.actor(two, "local_officer", territories=[one])

    def seen() -> list[str]:
        page = towers(two, officer, Filters(), today=makers.NOW.date())
        return [tower.code for tower in page.rows]

    assert seen() == ["A"]
    load(two, boundary("1", "Xã Một", (105.0, 10.0, 106.0, 10.5)), boundary("2", "Xã Hai",
         (106.5, 10.0, 106.6, 10.5)))  # fmt: skip
    assert seen() == ["A", "B", "GAP"]


def test_a_batch_can_be_looked_at_later(two) -> None:
    made = load(
        two, boundary("1", "Xã Một", (105.0, 10.0, 106.005, 10.5)), boundary("2", "Xã Hai",
        (106.5, 10.0, 106.6, 10.5)),
    ).consequences[0].facts["moves"]  # fmt: skip
    assert made.batch is not None
    entry, later = moves.batch_of(two, made.batch)
    assert entry.after["why"] == "area.load"
    assert (later.flows, later.first) == (made.flows, made.first)
    assert moves.batches(two)[0].object_id == str(made.batch)
    assert moves.every_move(two, made.batch) == list(made.first)
    with pytest.raises(NotFound):
        moves.batch_of(two, makers.tower(two).id)


def test_the_version_of_a_moved_tower_goes_on(two) -> None:
    def version(code: str) -> int:
        two.expire_all()
        return two.scalars(select(Tower.version).where(Tower.code == code)).one()

    before = version("A"), version("B")
    load(two, boundary("2", "Xã Ba", EAST), boundary("1", "Xã Một", (105.0, 10.0, 105.1, 10.5)))
    assert (version("A") - before[0], version("B") - before[1]) == (1, 0)


@pytest.mark.parametrize("role", ["inspector", "local_officer", "operator"])
def test_others_may_not(two, role) -> None:
    with pytest.raises(Forbidden):
        moves.reassign(two, why="test", by=makers.actor(two, role), now=makers.NOW)


def test_staff_of_a_part_may_not(two) -> None:
    staff = makers.actor(two, "staff", territories=[areas.area_by_code(two, "commune", "1")])
    with pytest.raises(Forbidden):
        moves.reassign(two, why="test", by=staff, now=makers.NOW)


def test_a_consequence_without_moves_is_none(two) -> None:
    found = moves.follow_areas(two, keep=True, by=SYSTEM, now=makers.NOW)
    assert found is None
    assert Consequence("x", {}).lines == ()


# The command


def test_the_command_looks_and_then_assigns(app, two) -> None:
    tower = two.scalars(select(Tower).where(Tower.code == "A")).one()
    tower.commune_id = areas.area_by_code(two, "commune", "2").id
    two.commit()
    runner = app.test_cli_runner()
    looked = runner.invoke(args=["towers", "reassign", "--dry-run"])
    assert looked.exit_code == 0, looked.output
    assert "1 towers: 2 Xã Hai -> 1 Xã Một" in looked.output
    assert "would be assigned" in looked.output
    assert commune_of(two, "A")[0] == "Xã Hai"
    done = runner.invoke(args=["towers", "reassign"])
    assert "1 towers were assigned to another commune" in done.output
    assert "/towers/reassignments/" in done.output
    assert commune_of(two, "A")[0] == "Xã Một"


def test_the_page_and_the_list_show_the_gap_and_the_outside(two, sign_in) -> None:
    staff = sign_in("staff")
    gap = staff.get("/towers/GAP?lang=en").get_data(as_text=True)
    assert re.search(r"nearest commune, 1,09\d m away: the boundary has a gap here", gap)
    assert "Xã Hai" in gap
    outside = staff.get("/towers/FAR?lang=en").get_data(as_text=True)
    assert "outside the deployment's territory" in outside
    inside = staff.get("/towers/A?lang=en").get_data(as_text=True)
    assert "gap here" not in inside
    page = staff.get("/towers?lang=en").get_data(as_text=True)
    assert len(re.findall(r"1,09\d m away", page)) == 1
    assert page.count("outside the territory") == 1


def test_history_names_the_communes(two, sign_in) -> None:
    load(two, boundary("2", "Xã Hai", (106.5, 10.0, 106.6, 10.5)), boundary(
        "1", "Xã Một", (105.0, 10.0, 105.9, 10.5)))  # fmt: skip
    two.commit()
    page = sign_in("staff").get("/towers/B/history?lang=en").get_data(as_text=True)
    assert "Assigned to its commune anew" in page
    assert "Commune: Xã Hai → Xã Một" in page
    assert "reassignment" not in page


def test_an_earlier_state_knows_the_earlier_commune(two, sign_in) -> None:
    before = makers.NOW.isoformat()
    tower = two.scalars(select(Tower).where(Tower.code == "B")).one()
    tower.created_at = makers.NOW - timedelta(days=2)
    load(two, boundary("1", "Xã Một", (105.0, 10.0, 105.69, 10.5)), boundary(
        "2", "Xã Hai", (106.5, 10.0, 106.6, 10.5)), now=makers.NOW + timedelta(days=1))  # fmt: skip
    two.commit()
    page = sign_in("staff").get(f"/towers/B/history?lang=en&at={quote(before)}")
    text = html.unescape(re.sub(r"<[^>]+>", " ", page.get_data(as_text=True)))
    assert re.search(r"What differs.*Commune\s+Xã Hai\s+Xã Một", text, re.DOTALL)
