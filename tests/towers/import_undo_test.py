"""Taking an import back: everything as before, or the reason why not."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from accounts.models import Organisation
from accounts.services.organisations import merge_organisations
from core.audit import AuditEntry
from core.errors import Conflict
from core.policy import SYSTEM
from tests import makers
from tests.inspections.visits import inspected, published
from tests.makers import NOW
from tests.towers.imported import Imported, load_lines
from towers import services
from towers.imports import undoing
from towers.imports.models import ImportBatch
from towers.models import Tower
from towers.services.merge import merge_towers

LATER = NOW + timedelta(hours=1)
HEADER = "code,name,structure_type,height_m,latitude,longitude,owner,services,note"


def whole(session: Session) -> list[dict[str, Any]]:
    """Every tower with every column, but for its version and its last change."""
    session.expire_all()
    rows = session.execute(
        text("SELECT to_jsonb(t) - 'version' - 'updated_at' AS row FROM tower t ORDER BY code")
    )
    return [row.row for row in rows]


def finished(session: Session, made: Imported) -> ImportBatch:
    batch = session.get(ImportBatch, made.batch)
    assert batch is not None
    batch.state, batch.counts = "done", made.counts.as_json()
    session.flush()
    return batch


def tower_of(session: Session, code: str) -> Tower:
    return session.scalars(select(Tower).where(Tower.code == code)).one()


def test_everything_is_as_it_was_before(session: Session) -> None:
    commune = makers.commune(session)
    load_lines(
        session,
        "A,Cũ,monopole,30,10.5,105.5,VNPT,bts,ghi chú cũ",
        "B,Khác,guyed_mast,,10.6,105.6,,,",
        header=HEADER,
    )
    before = whole(session)
    assert before[0]["commune_id"] == commune.id
    organisations = set(session.scalars(select(Organisation.name)))
    made = load_lines(
        session,
        "A,Mới,guyed_mast,42,12,107,Chủ mới,bts;microwave,ghi chú mới",
        "B,Khác,guyed_mast,,10.6,105.6,,,",
        "C,Ba,monopole,20,10.7,105.7,Chủ mới,,",
        header=HEADER,
    )
    assert made.short == (3, 1, 1, 1, 0)
    assert whole(session) != before
    batch = finished(session, made)
    undoing.undo(session, batch, by=SYSTEM, now=LATER)
    assert whole(session) == before
    assert set(session.scalars(select(Organisation.name))) == organisations
    assert batch.state == "undone"
    history = session.scalars(
        select(AuditEntry.action).where(AuditEntry.batch == batch.id).order_by(AuditEntry.id)
    ).all()
    assert history.count("tower.undo") == 2
    with pytest.raises(Conflict):
        undoing.undo(session, batch, by=SYSTEM, now=LATER)
    # The list can go in again.
    assert load_lines(session, "C,Ba,,,10.7,105.7,,,", header=HEADER).counts.new == 1


def test_a_tower_that_was_changed_later_stands_in_the_way(session: Session) -> None:
    made = load_lines(session, "A,X,,,10.5,105.5,")
    batch = finished(session, made)
    assert undoing.obstacles(session, batch) == []
    tower = session.scalars(select(Tower)).one()
    services.update_tower(session, tower, values={"note": "x"}, by=SYSTEM, now=LATER)
    before = whole(session)
    assert [(one.kind, one.number, one.codes) for one in undoing.obstacles(session, batch)] == [
        ("changed", 1, ("A",))
    ]
    with pytest.raises(Conflict):
        undoing.undo(session, batch, by=SYSTEM, now=LATER)
    assert whole(session) == before


def test_a_tower_that_was_merged_away_stands_in_the_way(session: Session) -> None:
    load_lines(session, "B,X,,30,10.6,105.6,")
    made = load_lines(session, "A,X,,,10.5,105.5,", "B,X,,31,10.6,105.6,", "C,X,,,10.7,105.7,")
    batch = finished(session, made)
    first, second = (tower_of(session, code) for code in "AB")
    keep = makers.tower(session, code="KEEP")
    later = makers.tower(session, code="LATER")
    for one in (first, second):
        merge_towers(session, keep, one, by=SYSTEM, now=LATER, today=LATER.date())
    merge_towers(session, later, keep, by=SYSTEM, now=LATER, today=LATER.date())
    (found,) = undoing.obstacles(session, batch)
    assert (found.kind, found.number, found.codes) == ("merged", 2, ("A", "B"))
    assert found.kept == ("LATER", "LATER")
    with pytest.raises(Conflict):
        undoing.undo(session, batch, by=SYSTEM, now=LATER)
    assert tower_of(session, "C")


def test_an_organisation_that_was_merged_away_is_the_one_that_was_kept(session: Session) -> None:
    header = "code,latitude,longitude,owner,manager"
    load_lines(session, "A,10.5,105.5,Chủ cũ,Quản lý cũ", header=header)
    made = load_lines(session, "A,10.5,105.5,Chủ mới,Quản lý mới", header=header)
    batch = finished(session, made)
    for old in ("Chủ cũ", "Quản lý cũ"):
        for name in ("giữ", "mãi"):
            keep = makers.organisation(session, f"{old} {name}")
            gone = session.scalars(select(Organisation).where(Organisation.name == old)).one()
            merge_organisations(session, keep, gone, by=SYSTEM, now=LATER, today=LATER.date())
            old = keep.name
    assert undoing.obstacles(session, batch) == []
    undoing.undo(session, batch, by=SYSTEM, now=LATER)
    session.expire_all()
    tower = tower_of(session, "A")
    assert (tower.owner.name, tower.manager.name) == ("Chủ cũ giữ mãi", "Quản lý cũ giữ mãi")
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "tower.undo")).one()
    assert entry.after["owner_id"] == str(tower.owner_id)


def test_what_the_database_refuses_ends_a_job_with_the_reason(session: Session) -> None:
    made = load_lines(session, "A,X,,,10.5,105.5,")
    batch = finished(session, made)
    batch.state = "undoing"
    tower = tower_of(session, "A")
    session.execute(
        insert(AuditEntry).values(
            at=tower.updated_at, actor="", action="tower.edit", kind="tower",
            object_id=str(tower.id), before={"owner_id": str(uuid.uuid4())}, after={},
            batch=batch.id,
        )
    )  # fmt: skip
    undoing.undo_or_say_why(session, batch, by=SYSTEM, now=LATER)
    assert batch.state == "done"
    assert batch.error is not None and batch.error["message"]
    assert tower_of(session, "A")


def test_an_inspection_of_a_new_tower_stands_in_the_way(session: Session) -> None:
    published(session)
    made = load_lines(session, "A,X,monopole,30,10.5,105.5,")
    batch = finished(session, made)
    tower = session.scalars(select(Tower)).one()
    inspected(session, tower, by=makers.actor(session, "inspector"))
    found = undoing.obstacles(session, batch)
    assert [(one.kind, one.number) for one in found] == [("inspection", 1)]
    with pytest.raises(Conflict):
        undoing.undo(session, batch, by=SYSTEM, now=LATER)


def test_an_organisation_that_is_used_elsewhere_stays(session: Session) -> None:
    made = load_lines(session, "A,X,,,10.5,105.5,Chủ mới", "B,Y,,,10.6,105.6,Chủ khác")
    owner = session.scalars(select(Organisation).where(Organisation.name == "Chủ mới")).one()
    makers.tower(session, code="Z", owner=owner)
    undoing.undo(session, finished(session, made), by=SYSTEM, now=LATER)
    assert set(session.scalars(select(Organisation.name))) == {"Chủ mới"}


def test_a_changed_type_is_judged_again(session: Session) -> None:
    published(session)
    tower = makers.tower(session, code="A", structure_type="lattice_self_support")
    inspected(session, tower, by=makers.actor(session, "inspector"))
    assert tower.condition == "ok"
    made = load_lines(
        session,
        "A,10.46,105.63,guyed_mast",
        header="code,latitude,longitude,structure_type",
    )
    session.refresh(tower)
    assert tower.condition == "unchecked"
    undoing.undo(session, finished(session, made), by=SYSTEM, now=LATER)
    session.refresh(tower)
    assert (tower.structure_type, tower.condition) == ("lattice_self_support", "ok")


def test_only_what_was_done_can_be_undone(session: Session) -> None:
    made = load_lines(session, "A,X,,,10.5,105.5,")
    batch = finished(session, made)
    for state in ("uploaded", "checked", "importing", "failed", "cancelled", "undone"):
        batch.state = state
        session.flush()
        with pytest.raises(Conflict):
            undoing.undo(session, batch, by=SYSTEM, now=LATER)
