"""A real PostGIS made by the migrations; every test in a transaction that is rolled back.

Each process that runs tests owns a private cluster under a folder of its own.
"""

from __future__ import annotations

import contextvars
import gc
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from core import migrate
from core.db import database, make_engine
from core.policy import SYSTEM, Actor
from core.settings import ROOT, Settings
from tests import doors, makers
from tests.plans import crowd  # noqa: F401 - a fixture

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests begin first, so that no process has one left when others are done.

    Those in a browser alternate with the others, which leave a core idle more often.
    """
    places: dict[bool, dict[Path, int]] = {True: {}, False: {}}
    for item in items:
        in_browser = item.get_closest_marker("browser") is not None
        if in_browser or item.get_closest_marker("slow"):
            places[in_browser].setdefault(item.path, len(places[in_browser]))
    order, last = places[True] | places[False], len(items)
    items.sort(key=lambda item: order.get(item.path, last))


@pytest.fixture(scope="session")
def instance() -> Iterator[Path]:
    """An instance folder of this run alone."""
    with tempfile.TemporaryDirectory(prefix="thap-canh-test-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def cluster(instance: Path):
    """The private cluster of this run, stopped and removed at its end."""
    from core.cluster import cluster_for

    private = cluster_for(ROOT, instance)
    private.fleeting = True
    private.start()
    yield private
    private.destroy()


@pytest.fixture(scope="session")
def migrated(cluster) -> str:
    """The name of a migrated database of which tests make copies: to migrate takes seconds."""
    name = "migrated"
    urls = cluster.create_database(name)
    migrate.upgrade(urls.owner_url, urls.app_url)
    return name


@pytest.fixture(scope="session")
def database_urls(cluster, migrated: str) -> tuple[str, str]:
    """Owner's and application's URL of the database whose tests commit nothing."""
    urls = cluster.create_database("shared", migrated)
    return urls.owner_url, urls.app_url


@pytest.fixture(scope="session")
def settings(database_urls: tuple[str, str], instance: Path) -> Settings:
    owner, application = database_urls
    return replace(
        Settings(),
        instance=instance,
        database_url=application,
        migration_database_url=owner,
        secret_key="only-for-tests-" + uuid.uuid4().hex,
        sign_in_limit="1000 per minute",
        testing=True,
    )


class Visitor(FlaskClient):
    """A client whose every request has a context of its own, as on a server.

    Inside the context of the `app` fixture all requests would share one `g`, in which the
    libraries keep who signed in and which language was chosen. Streamed answers are read to
    their end inside it.
    """

    def open(self, *args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("buffered", True)
        return contextvars.Context().run(super().open, *args, **kwargs)


@pytest.fixture(scope="session")
def whole_app(settings: Settings) -> Flask:
    from app import create_app

    app = create_app(settings)
    app.test_client_class = Visitor
    # What is there by now stays to the end of the run: nothing to look through for garbage again.
    gc.collect()
    gc.freeze()
    return app


@dataclass(frozen=True)
class Settled:
    """A database of its own in which there is a world already."""

    engine: Engine
    world: doors.World


@pytest.fixture(scope="session")
def settled(cluster, migrated: str, settings: Settings, whole_app: Flask) -> Iterator[Settled]:
    """Made once: a world takes as long as ten other tests."""
    urls = cluster.create_database("settled", migrated)
    engine = make_engine(urls.app_url, settings)
    with whole_app.app_context(), asked_of(engine, sessionmaker(engine, expire_on_commit=False)):
        session = database().new_session()
        made = doors.world(whole_app, session)
        session.close()
        whole_app.extensions["kept_tiles"].clear()
    yield Settled(engine, made)
    engine.dispose()


@contextmanager
def asked_of(engine: Engine, sessions: sessionmaker) -> Iterator[None]:
    """Within the block the application asks another database."""
    store = database()
    usual = store.engine, store.sessions
    store.engine, store.sessions = engine, sessions
    try:
        yield
    finally:
        store.engine, store.sessions = usual


@pytest.fixture
def app(whole_app: Flask, request: pytest.FixtureRequest) -> Iterator[Flask]:
    """The application, all of whose sessions share one transaction that is rolled back.

    It asks the database with a world in it where the test has the fixture `world`.
    """
    there = "settled" in request.fixturenames
    with whole_app.app_context():
        engine = request.getfixturevalue("settled").engine if there else database().engine
        connection = engine.connect()
        outer = connection.begin()
        sessions = sessionmaker(
            connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
        )
        try:
            with asked_of(engine, sessions):
                yield whole_app
        finally:
            outer.rollback()
            connection.close()
            # What was rolled back lets the version of the tiles count anew.
            whole_app.extensions["kept_tiles"].clear()


@pytest.fixture
def world(app: Flask, session: Session, settled: Settled) -> doors.World:
    """Two communes, a person of each role, and all that there can be: see `tests.doors`."""
    return doors.entered(app, session, settled.world)


@pytest.fixture
def session(app: Flask) -> Iterator[Session]:
    """A session of the test itself; commit what requests shall see."""
    made = database().new_session()
    yield made
    made.close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


Note = Callable[..., None]


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Note:
    """`figure("P3", "routes asked", 31)` notes how much was done for a promise of `SECURITY.md`.

    With `wrong=True` it is what there must be none of. Note before asserting: `make evidence` reads
    it out of the report of the tests, which has it from every process.
    """

    def note(promise: str, what: str, number: int, *, wrong: bool = False) -> None:
        record_property(f"{promise} {'wrong' if wrong else 'done'}", f"{number} {what}")

    return note


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def system() -> Actor:
    return SYSTEM


@pytest.fixture(scope="session")
def reference() -> Callable[[str], Path]:
    """`reference("domain/checklist.yaml")`: a file beside the checkout; skips where it is not."""

    def find(name: str) -> Path:
        path = ROOT.parent / "shared" / name
        if not path.exists():
            pytest.skip(f"../shared/{name} is not there: it does not come with the project")
        return path

    return find


@pytest.fixture
def sign_in(app: Flask, session: Session) -> Callable[..., FlaskClient]:
    """`sign_in("staff")` gives a client whose requests carry that role's token.

    Keyword arguments go to `makers.user` (`everywhere`, `territories`, `organisation`).
    """

    def enter(role: str, **facts) -> FlaskClient:
        person = makers.user(session, role, **facts)
        token = makers.token(session, person)
        session.commit()
        client = app.test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        client.person = person  # type: ignore[attr-defined]
        return client

    return enter
