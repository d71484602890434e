"""Requests side by side, on real connections that commit: nobody overwrites unseen."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from accounts.models import Organisation, Role, User
from accounts.services import users as services
from core.cluster import PrivateCluster
from core.db import database
from core.errors import Conflict
from core.policy import SYSTEM
from core.settings import Settings
from inspections.models import Inspection, Submission
from tests import doors, makers
from tests.conftest import Note
from towers.models import Tower

AT_ONCE = 6


@dataclass(frozen=True)
class Place:
    """An application with a database of its own, in which everything stays."""

    app: Flask
    staff: str
    inspector: str
    admin: str
    tower: Tower

    def session(self) -> Session:
        with self.app.app_context():
            return database().new_session()

    def visit(self, **facts: Any) -> dict[str, Any]:
        with self.app.app_context():
            return doors.visit(self.tower.code, **facts)


@pytest.fixture(scope="module")
def place(cluster: PrivateCluster, migrated: str, settings: Settings) -> Iterator[Place]:
    from app import create_app

    name = f"races_{uuid.uuid4().hex[:12]}"
    urls = cluster.create_database(name, migrated)
    app = create_app(
        replace(
            settings, database_url=urls.app_url, migration_database_url=urls.owner_url, pool_size=10
        )
    )
    with app.app_context():
        session = database().new_session()
        doors.published(session)
        tower = makers.tower(session)
        tokens = {
            role: makers.token(session, makers.user(session, role))
            for role in ("staff", "inspector", "admin")
        }
        session.commit()
        session.close()
        engine = database().engine
    yield Place(app=app, tower=tower, **tokens)
    engine.dispose()
    cluster.drop_database(name)


def at_once(place: Place, token: str, ask: Callable[..., object]) -> list[int]:
    """The statuses of the same question asked by several at once; `ask(client, number)`."""
    statuses: list[int] = []
    barrier = threading.Barrier(AT_ONCE)

    def one(number: int) -> None:
        client = place.app.test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        barrier.wait(timeout=20)
        statuses.append(ask(client, number).status_code)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(statuses) == AT_ONCE
    return sorted(statuses)


def kept_once(figure: Note, statuses: list[int]) -> None:
    """One of them changed it, all others learnt that it is another one by now."""
    figure("P3", "changes of one version at one moment", len(statuses))
    figure("P3", "updates lost", statuses.count(200) - 1, wrong=True)
    assert statuses == [200] + [412] * (AT_ONCE - 1)


def test_one_of_several_changes_of_a_tower_is_kept(place: Place, figure: Note) -> None:
    statuses = at_once(
        place,
        place.staff,
        lambda client, number: client.patch(
            f"/api/v1/towers/{place.tower.code}",
            json={"note": f"lần {number}"},
            headers={"If-Match": '"v1"'},
        ),
    )
    kept_once(figure, statuses)
    with place.session() as session:
        assert session.get_one(Tower, place.tower.id).version == 2


def test_one_inspection_sent_by_many_at_once_is_one(place: Place) -> None:
    body = {**place.visit(), "id": str(uuid.uuid4())}
    statuses = at_once(
        place, place.inspector, lambda client, number: client.post("/api/v1/inspections", json=body)
    )
    assert statuses == [200] * (AT_ONCE - 1) + [201]
    with place.session() as session:
        kept = select(func.count()).where(Submission.inspection_id == uuid.UUID(body["id"]))
        assert session.scalar(kept) == 1


def test_one_of_several_corrections_is_kept(place: Place, figure: Note) -> None:
    body = place.visit(submit=False)
    number_of = uuid.uuid4()
    first = place.app.test_client()
    first.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {place.inspector}"
    doors.answered(first.post("/api/v1/inspections", json={**body, "id": str(number_of)}), 201)
    statuses = at_once(
        place,
        place.inspector,
        lambda client, number: client.put(
            f"/api/v1/inspections/{number_of}",
            json={**body, "note": f"lần {number}"},
            headers={"If-Match": '"v1"'},
        ),
    )
    kept_once(figure, statuses)
    with place.session() as session:
        assert session.get_one(Inspection, number_of).version == 2


def test_one_photo_sent_by_many_at_once_is_one(place: Place) -> None:
    body = place.visit(submit=False)
    number_of, photo = uuid.uuid4(), uuid.uuid4()
    first = place.app.test_client()
    first.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {place.inspector}"
    doors.answered(first.post("/api/v1/inspections", json={**body, "id": str(number_of)}), 201)
    statuses = at_once(
        place,
        place.inspector,
        lambda client, number: doors.send_photo(client, number_of, photo_id=photo),
    )
    assert statuses == [200] * (AT_ONCE - 1) + [201]


def test_one_of_several_same_codes_and_names_is_registered(place: Place) -> None:
    body = {"code": "CUNG-MA", "name": "x", "latitude": 10.4, "longitude": 105.6, "owner": "Một"}
    statuses = at_once(
        place, place.staff, lambda client, number: client.post("/api/v1/towers", json=body)
    )
    assert statuses == [201] + [409] * (AT_ONCE - 1)
    with place.session() as session:
        assert session.scalar(select(func.count()).where(Organisation.name == "Một")) == 1


@pytest.mark.parametrize("kind", ["user", "organisation"])
def test_one_of_several_saved_forms_is_kept(place: Place, kind: str) -> None:
    with place.session() as session:
        if kind == "user":
            made = makers.user(session, "staff")
            path, fields = f"/users/{made.id}", {"roles": "staff", "active": "1"}
        else:
            made = makers.organisation(session)
            path, fields = f"/organisations/{made.id}/edit", {"kind": "owner"}
        session.commit()
    statuses = at_once(
        place,
        place.admin,
        lambda client, number: client.post(
            path, data={**fields, "name": f"Tên {number}", "version": "1"}
        ),
    )
    assert statuses == [302] + [409] * (AT_ONCE - 1)
    with place.session() as session:
        assert session.get_one(User if kind == "user" else Organisation, made.id).version == 2


def test_one_of_several_merges_of_two_towers_is_done(place: Place) -> None:
    with place.session() as session:
        codes = [makers.tower(session).code for _ in range(2)]
        session.commit()
    # Half of them want the one to stay, half the other.
    statuses = at_once(
        place,
        place.staff,
        lambda client, number: client.post(
            "/api/v1/tower-merges",
            json={"keep": codes[number % 2], "drop": codes[1 - number % 2], "drop_version": 1},
            headers={"If-Match": '"v1"'},
        ),
    )
    assert statuses[0] == 201
    assert set(statuses[1:]) <= {404, 409, 410, 412}
    with place.session() as session:
        assert session.scalar(select(func.count()).where(Tower.code.in_(codes))) == 1


def test_a_visit_to_a_tower_that_is_merged_at_that_moment_is_not_lost(place: Place) -> None:
    with place.session() as session:
        keep, drop = (makers.tower(session).code for _ in range(2))
        session.commit()
    with place.app.app_context():
        bodies = [{**doors.visit(drop), "id": str(uuid.uuid4())} for _ in range(AT_ONCE)]
    merging = {"keep": keep, "drop": drop, "drop_version": 1}

    def ask(client, number):
        if number == 0:
            client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {place.staff}"
            return client.post("/api/v1/tower-merges", json=merging, headers={"If-Match": '"v1"'})
        return client.post("/api/v1/inspections", json=bodies[number])

    statuses = at_once(place, place.inspector, ask)
    assert set(statuses) <= {201, 409, 412, 503}
    # Whoever came too late, or merged too early, sends again.
    again = place.app.test_client()
    again.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {place.inspector}"
    for body in bodies[1:]:
        assert again.post("/api/v1/inspections", json=body).status_code in {200, 201}
    with place.session() as session:
        of = session.scalars(
            select(Tower.code)
            .join(Inspection, Inspection.tower_id == Tower.id)
            .where(Inspection.id.in_([uuid.UUID(body["id"]) for body in bodies[1:]]))
        ).all()
    assert len(of) == AT_ONCE - 1
    assert len(set(of)) == 1


def test_one_of_several_decisions_about_a_proposal_counts(place: Place, figure: Note) -> None:
    number_of = str(uuid.uuid4())
    first = place.app.test_client()
    first.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {place.inspector}"
    found = {"id": number_of, "kind": "new", "values": {"latitude": 11.5, "longitude": 106.5}}
    doors.answered(first.post("/api/v1/proposals", json=found), 201)
    statuses = at_once(
        place,
        place.staff,
        lambda client, number: client.post(
            f"/api/v1/proposals/{number_of}/decision",
            json={"decision": "accept", "values": {"code": f"RACE-{number}", "name": "x"}},
            headers={"If-Match": '"v1"'},
        ),
    )
    kept_once(figure, statuses)
    with place.session() as session:
        made = session.scalar(select(func.count()).where(Tower.code.like("RACE-%")))
        assert made == 1


def test_a_burst_of_passwords_is_slowed_down_like_one_after_another(place: Place) -> None:
    """Five at most are looked at, however many come at one moment."""

    def attempt(client: Any, number: int) -> Any:
        del client.environ_base["HTTP_AUTHORIZATION"]
        page = client.get("/sign-in").get_data(as_text=True)
        ready.wait(timeout=20)
        given = {"email": "ai@example.org", "password": "khong-dung-mat-khau"}
        return client.post("/sign-in", data={**given, "csrf_token": doors.csrf_of(page)})

    ready = threading.Barrier(AT_ONCE)
    statuses = [*at_once(place, "", attempt), *at_once(place, "", attempt)]
    assert sorted(statuses) == [200] * 5 + [429] * 7


def test_two_administrators_who_disable_each_other_leave_one(place: Place) -> None:
    with place.session() as session:
        session.execute(update(User).values(active=False))
        two = [makers.user(session, "admin") for _ in range(2)]
        tokens = [makers.token(session, one) for one in two]
        session.commit()

    def disable(client: Any, number: int) -> Any:
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {tokens[number % 2]}"
        other = two[1 - number % 2]
        given = {"name": "x", "roles": ["admin"], "everywhere": "1", "version": "1"}
        return client.post(f"/users/{other.id}", data=given)

    statuses = at_once(place, "", disable)
    with place.session() as session:
        left = select(func.count()).where(User.active, User.roles.any(Role.name == "admin"))
        assert session.scalar(left) == 1, statuses
        session.execute(update(User).values(active=True))
        session.commit()
    assert 302 in statuses and not any(status >= 500 for status in statuses), statuses


def test_who_is_disabled_at_this_moment_is_no_administrator_any_more(place: Place) -> None:
    """The one who comes second waits for the first, and is refused."""

    def disable(session: Session, number: uuid.UUID) -> None:
        services.update_user(
            session,
            session.get_one(User, number),
            name="x",
            roles=["admin"],
            everywhere=True,
            territories=[],
            organisation=None,
            active=False,
            by=SYSTEM,
            now=makers.NOW,
        )

    def second() -> None:
        with place.session() as session, pytest.raises(Conflict):
            asked.set()
            disable(session, two[1])
        refused.set()

    asked, refused = threading.Event(), threading.Event()
    with place.session() as session:
        session.execute(update(User).values(active=False))
        two = [makers.user(session, "admin").id for _ in range(2)]
        session.commit()
        disable(session, two[0])
        thread = threading.Thread(target=second)
        thread.start()
        assert asked.wait(timeout=20)
        assert not refused.wait(timeout=0.5)
        session.commit()
        thread.join(timeout=20)
        assert refused.is_set()
        session.execute(update(User).values(active=True))
        session.commit()
