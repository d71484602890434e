"""Engine, session and the one place where a write is committed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask, current_app, g, has_request_context, request
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.orm import Session, sessionmaker

from core.settings import Settings


def make_engine(url: str, settings: Settings) -> Engine:
    """An engine whose connections cannot run for ever.

    `force_custom_plan`: a generic plan cannot see how large a box is, tiles were 4 to 14 times
    slower with it. `client_connection_check_interval` ends the queries of readers who left.
    """
    options = " ".join(
        f"-c {name}={value}"
        for name, value in {
            "plan_cache_mode": "force_custom_plan",
            # A province's tables and indexes lie in memory: jumping there costs as reading on.
            "random_page_cost": "1.1",
            "statement_timeout": settings.statement_timeout_ms,
            "lock_timeout": 5000,
            "idle_in_transaction_session_timeout": 120_000,
            "client_connection_check_interval": 2000,
            "timezone": "UTC",
        }.items()
    )
    engine = create_engine(
        url,
        pool_size=settings.pool_size,
        max_overflow=2,
        pool_timeout=10,
        # Errors are logged: what people wrote, and the hashes of their tokens, stay out of it.
        hide_parameters=True,
        connect_args={"options": options, "connect_timeout": 5, "application_name": "thap-canh"},
    )

    @event.listens_for(engine, "connect")
    def _no_pipeline(connection: Any, record: Any) -> None:
        connection.prepare_threshold = None

    _look_after_rest(engine)
    return engine


# Seconds after which a connection that nobody used is looked at before it is used again.
RESTED_S = 2.0


def _look_after_rest(engine: Engine) -> None:
    """Replace connections that broke while they rested, as after a restart of the server.

    Asked of every request, as `pool_pre_ping` does, this took 3 % of the time of a page. One that
    was used a moment ago is taken as it is; should it be broken, its request fails and all of the
    pool are replaced.
    """

    @event.listens_for(engine, "checkin")
    def _note(connection: Any, record: Any) -> None:
        record.info["used_at"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _look(connection: Any, record: Any, fairy: Any) -> None:
        used_at = record.info.get("used_at")
        if used_at is None or time.monotonic() - used_at < RESTED_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise DisconnectionError("broke while it rested") from error


class Database:
    """Sessions of one application; one session a request, opened at its first use."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.sessions = sessionmaker(engine, expire_on_commit=False)

    def new_session(self) -> Session:
        return self.sessions()


def init_app(app: Flask, engine: Engine) -> None:
    app.extensions["database"] = Database(engine)

    @app.teardown_appcontext
    def close(error: BaseException | None) -> None:
        session = g.pop("session", None)
        if session is None:
            return
        try:
            session.close()
        except DBAPIError:
            # The server went away after the answer was made: whoever waits for it gets it.
            session.invalidate()


def database() -> Database:
    return current_app.extensions["database"]


def current_session() -> Session:
    """The session of this request or command; what is not committed by a door is rolled back."""
    if "session" not in g:
        g.session = database().new_session()
    return g.session


# What the audit's columns take where they are left out, until the transaction ends.
SAY_ORIGIN = text(
    "SELECT set_config('thapcanh.address', :address, true), set_config('thapcanh.via', :via, true)"
)


def origin() -> dict[str, str]:
    """From where this work was asked for: an address, and the session, token or program.

    Whoever recognises somebody, or runs a job, says how in `g.via`.
    """
    if has_request_context():
        return {"address": request.remote_addr or "", "via": g.get("via", "link")}
    return {"address": "", "via": g.get("via", "console")}


@contextmanager
def transaction() -> Iterator[Session]:
    """Commit what the block did, or nothing of it. Opened by doors only, one a write."""
    session = current_session()
    try:
        session.execute(SAY_ORIGIN, origin())
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise


def allow_long_statements(session: Session) -> None:
    """Let the statements of this transaction run for minutes, as imports and exports may.

    The usual limit is for people who wait for a page. Who leaves still ends their query.
    """
    session.execute(text("SET LOCAL statement_timeout = '30min'"))


def read_only() -> None:
    """Let nothing be written until this request ends: the database refuses it."""

    def refuse(session: Session, transaction: Any, connection: Any) -> None:
        connection.execute(READ_ONLY)

    session = current_session()
    event.listen(session, "after_begin", refuse)
    if session.in_transaction():
        session.execute(READ_ONLY)


READ_ONLY = text("SET TRANSACTION READ ONLY")


class _Proxy:
    """`db.session` for code that wants an attribute, as Flask-Security does."""

    def __call__(self) -> Session:
        return current_session()

    def __getattr__(self, name: str) -> Any:
        return getattr(current_session(), name)


class _Db:
    session: Any = _Proxy()


db = _Db()
