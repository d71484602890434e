"""List pages with 100,000 towers, as ratios to the very statements that they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import psycopg
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, text

from core import paging
from tests.bench.figures import Figure, quickest
from tests.bench.stage import Stage, bare

TOWERS = 100_000
MILLION = 1_000_000
SECONDS = 1.5
Statement = tuple[str, Any]


@contextmanager
def captured(engine: Engine) -> Iterator[list[Statement]]:
    """What a block sends to the database, as the driver gets it."""
    sent: list[Statement] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        sent.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


def replay(connection: psycopg.Connection, statements: list[Statement]) -> None:
    """Run statements in one transaction, as a request does, and fetch their rows."""
    for statement, parameters in statements:
        try:
            cursor = connection.execute(statement, parameters)
        except psycopg.errors.QueryCanceled:
            # A count that is given up after its time; the rollback to its savepoint follows.
            continue
        if cursor.description:
            cursor.fetchall()
    connection.rollback()


class Reader:
    """Asks for pages as one account, and for their SQL alone."""

    def __init__(self, app: Flask, client: FlaskClient, connection: psycopg.Connection) -> None:
        self.engine: Engine = app.extensions["database"].engine
        self.client = client
        self.connection = connection

    def figure(self, name: str, path: str, *, most: float | None = 3, **query: Any) -> Figure:
        """The ratio of a page's time to that of its SQL alone, which may be `most`."""
        whole, sql, statements = self.seconds(path, **query)
        unit = f"× SQL of {sql * 1000:.1f} ms, {statements} statements"
        return Figure(name, whole / sql, unit, most=most)

    def seconds(self, path: str, **query: Any) -> tuple[float, float, int]:
        """The seconds of a page, those of its statements alone, and how many these are."""
        address = f"{path}?{urlencode(query, doseq=True)}"

        def page() -> None:
            answer = self.client.get(address)
            assert answer.status_code == 200, (address, answer.status_code, answer.data[:500])

        page()
        with captured(self.engine) as statements:
            page()
        whole, sql = quickest(SECONDS, page, lambda: replay(self.connection, statements))
        return whole, sql, len(statements)


# Statements of a page, sign-in included.
MOST_STATEMENTS = 12


def measure_follow_up_million(stage: Stage) -> Iterator[Figure]:
    """The follow-up list and the dashboard with a million towers and their open violations."""
    urls = stage.province(MILLION)
    app = stage.app(urls)
    with stage.as_owner(urls) as connection:
        pending = connection.execute(
            text("SELECT count(*) FROM violation WHERE state = 'open'")
        ).scalar_one()
        yield Figure("C open violations", float(pending), "of a million towers")
        deep = _deep(connection)
        person = connection.execute(
            text("SELECT id FROM \"user\" WHERE email = 'inspector@example.org'")
        ).scalar_one()
        # Every hundredth row is somebody's, as after a campaign.
        connection.execute(
            text(
                "UPDATE violation SET assignee_id = :person WHERE state = 'open'"
                " AND hashtext(id::text) % 100 = 0"
            ),
            {"person": person},
        )
        connection.execute(text("ANALYZE violation"))
    alone = bare(urls.app_url)
    try:
        reader = Reader(app, stage.client(app, urls, "staff@example.org"), alone)
        ask = named(reader, "follow-up page", "/follow-up", about="C")
        for name, query in {
            "first": {},
            "deep": {"cursor": paging.encode(list(deep))},
            "overdue major": {"severity": "major", "overdue": "true"},
            "due within 30 days": {"due_within": "30"},
            "of one inspector": {"assignee": str(person)},
            "of nobody, notified": {"unassigned": "1", "stage": "notified"},
            "search": {"q": "sa dec 12"},
        }.items():
            yield ask(name, **query)
        yield reader.figure("C dashboard", "/", most=3)
        for path in ("/follow-up", "/"):
            _, _, statements = reader.seconds(path)
            yield Figure(f"C statements of {path}", statements, "", most=MOST_STATEMENTS)
    finally:
        alone.close()


def _deep(connection: Any) -> Any:
    """The place of a row in the second half of the follow-up list."""
    return connection.execute(
        text(
            "SELECT urgency, deadline, id FROM violation WHERE state = 'open'"
            " ORDER BY urgency, deadline, id OFFSET"
            " (SELECT count(*) * 6 / 10 FROM violation WHERE state = 'open') LIMIT 1"
        )
    ).one()


def measure(stage: Stage) -> Iterator[Figure]:
    return _measure(stage, TOWERS)


def measure_million(stage: Stage) -> Iterator[Figure]:
    """The same lists with a million towers, the size for which the goal was set."""
    return _measure(stage, MILLION)


def _measure(stage: Stage, towers: int) -> Iterator[Figure]:
    urls = stage.province(towers)
    app = stage.app(urls)
    with stage.as_owner(urls) as connection:
        deep = _deep(connection)
        code = connection.execute(
            text("SELECT code FROM tower ORDER BY code OFFSET :half LIMIT 1"), {"half": towers // 2}
        ).scalar_one()
        commune = connection.execute(
            text(
                "SELECT a.code FROM tower t JOIN area a ON a.id = t.commune_id"
                " GROUP BY a.code ORDER BY count(*) DESC, a.code LIMIT 1"
            )
        ).scalar_one()
        owner = connection.execute(
            text("SELECT owner_id FROM tower GROUP BY owner_id ORDER BY count(*), owner_id LIMIT 1")
        ).scalar_one()
    connection_alone = bare(urls.app_url)
    try:
        reader = Reader(app, stage.client(app, urls, "staff@example.org"), connection_alone)
        cursor = paging.encode(list(deep))
        for door, path in (("page", "/follow-up"), ("API", "/api/v1/follow-up")):
            ask = named(reader, f"follow-up {door}", path)
            yield ask("first")
            yield ask("deep", cursor=cursor)
            yield ask("overdue major", severity="major", overdue="true")
            yield ask("one commune", commune=commune)
            yield ask("one owner", owner=str(owner))
            yield ask("search", q="sa dec 12")
        cursor = paging.encode([0, code])
        for door, path in (("page", "/towers"), ("API", "/api/v1/towers")):
            ask = named(reader, f"tower list {door}", path)
            yield ask("first")
            yield ask("deep", cursor=cursor)
            yield ask("dangerous", condition="dangerous")
            yield ask("unchecked", condition="unchecked")
            yield ask("one owner", owner=str(owner))
            yield ask("one commune", commune=commune)
            yield ask("search", q="sa dec 12")
            yield ask("by name", sort="name")
        yield ask("first 500", limit=500)
        # Their SQL counts the whole province twice: the page itself is little beside it.
        yield reader.figure("C statistics page", "/statistics", most=3)
        yield reader.figure("C statistics page, by owner", "/statistics", most=3, by="owner")
        yield reader.figure("C statistics API", "/api/v1/statistics", most=3)
        whole, _, statements = reader.seconds("/statistics")
        yield Figure("C statistics page, statements", statements, "statements", most=12)
        yield Figure("C statistics page, whole", whole * 1000, "ms")
        for name, path in (
            ("dashboard", "/"),
            ("violations page", "/violations"),
            ("violations API", "/api/v1/violations"),
            ("inspections page", "/inspections"),
            ("inspections API", "/api/v1/inspections"),
        ):
            # Reported only: their SQL takes 3 ms, less than a page of 50 rows takes to be written.
            yield reader.figure(f"A {name}", path, most=None)
    finally:
        connection_alone.close()


def named(reader: Reader, list_name: str, path: str, *, about: str = "A") -> Callable[..., Figure]:
    """Figures of one list. The goal is that of its page: the API's 50 rows are read in a
    millisecond, less than sign-in by token and Flask take, so its ratios are reported only."""
    most = None if path.startswith("/api/") else 3
    return lambda name, **query: reader.figure(
        f"{about} {list_name}, {name}", path, most=most, **query
    )
