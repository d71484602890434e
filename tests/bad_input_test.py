"""Bad input on every door: each operation refuses it in words, and nothing is written.

`docs/BAD_INPUT.md` says of each thing that people send by mistake, or to do harm, what it is
answered with and which test shows it; what it says is true here.
"""

from __future__ import annotations

import ast
import functools
import io
import re
import uuid
from pathlib import Path
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, event, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from accounts.models import Role, SignInFailure
from core.db import database
from core.settings import ROOT
from tests import doors, hostile, makers
from tests.accounts.two_factor_test import set_up, with_password_alone
from tests.authz import address, of, prints, routes
from tests.browser.walk import catalogue, vietnamese
from tests.core.api_test import BAD_CURSORS

pytestmark = pytest.mark.slow

ENGLISH = {"Accept-Language": "en"}

# The table


def lines() -> list[list[str]]:
    """The cells of the rows of every table in the document, by their heading."""
    found: list[list[str]] = []
    heading = ""
    for line in (ROOT / "docs" / "BAD_INPUT.md").read_text("utf-8").splitlines():
        if line.startswith("## "):
            heading = line[3:]
        elif line.startswith("|") and not line.startswith(("| what", "|--")):
            found.append([heading, *(cell.strip() for cell in line.strip("|").split(" | "))])
    return found


@functools.cache
def named_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return frozenset(one.name for one in tree.body if isinstance(one, ast.FunctionDef))


def test_the_table_is_true() -> None:
    """Every named test is there, and every text is one that we say, in both languages."""
    table = lines()
    assert len(table) >= 90
    said = {one for one in catalogue() if isinstance(one, str)}
    for heading, what, answer, shown in table:
        named = re.findall(r"`([\w/]+_test\.py)::(\w+)`", shown)
        assert named, (heading, what)
        for path, name in named:
            assert name in named_in(f"tests/{path}"), (path, name)
        for text in re.findall("“([^”]+)”", answer):
            assert any(one.startswith(text.removesuffix("…")) for one in said), (what, text)
        assert re.search(r"\b(2\d\d|302|4\d\d|503)\b|“", answer), (heading, what, answer)


# Every operation that takes JSON


@pytest.fixture
def everybody(app: Flask, session: Session, world: doors.World) -> FlaskClient:
    """Somebody with every role in the department: nothing is refused for want of one."""
    person = makers.user(session, "staff")
    wanted = select(Role).where(Role.name.in_(("admin", "staff", "inspector")))
    person.roles = list(session.scalars(wanted))
    return doors.client_of(app, session, person)


def sent(
    client: FlaskClient,
    method: str,
    path: str,
    data: bytes,
    kind: str = "application/json",
    length: int | None = None,
) -> TestResponse:
    """The answer to a body; `length` is what its head says of it."""
    said = {} if length is None else {"CONTENT_LENGTH": str(length)}
    headers = {**ENGLISH, "Content-Type": kind, "If-Match": "*"}
    return client.open(path, method=method, data=data, headers=headers, environ_overrides=said)


def test_no_operation_reads_json_that_is_not_plain(
    app: Flask, session: Session, world: doors.World, everybody: FlaskClient
) -> None:
    document = doors.answered(everybody.get("/api/openapi.json"), 200)
    asked = list(hostile.json_operations(app, document))
    assert len(asked) >= 58
    before = doors.counts(session)
    for method, rule in asked:
        path = address(rule, of(world.here, world))
        send = functools.partial(sent, everybody, method, path)
        for name, (data, says) in hostile.JSON.items():
            problem = doors.refused(send(data), 400)
            assert problem["detail"].startswith(says), (method, rule, name, problem)
        for kind in hostile.OTHER_TYPES:
            doors.refused(send(b'{"x": 1}', kind), 415)
        doors.refused(send(b"{}", length=hostile.TOO_LARGE), 413)
        # Of the right shape as JSON, of another than asked for.
        for data in (b"null", b'"x"', b"7", b"true", b'[[[{"x": {}}]]]', b'{"no such field": 1}'):
            doors.refused(send(data), (400, 404, 409, 422))
    assert doors.counts(session) == before


def test_json_in_pieces_is_bounded_too(everybody: FlaskClient, monkeypatch) -> None:
    """A body in chunks tells no length beforehand."""
    monkeypatch.setattr("core.api.MAX_JSON_BYTES", 1000)
    answer = everybody.post(
        "/api/v1/towers", input_stream=io.BytesIO(b"[" + b" " * 5000 + b"]"),
        headers={"Content-Type": "application/json", "Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )  # fmt: skip
    doors.refused(answer, 413)


def test_json_with_more_values_than_anything_has_is_refused(everybody: FlaskClient) -> None:
    """A few megabytes of brackets would take a hundred times as much."""
    answer = everybody.post(
        "/api/v1/towers/bulk", data=b"[" + b"[]," * 600_000 + b"[]]", headers=ENGLISH,
        content_type="application/json",
    )  # fmt: skip
    assert doors.refused(answer, 413)["detail"] == "The JSON has more than 500000 values"


# Every parameter


WRONG = {
    "limit": ("0", "-1", "x", "1e3", "99999999999999999999", ""),
    "cursor": tuple(BAD_CURSORS[::4]),
    "sort": ("code; drop table tower", "-", "password"),
    "bbox": ("1,2", "9,9,1,1", "a,b,c,d", "nan,nan,nan,nan", "1e999,0,1,1"),
    "since": ("2026-02-30", "yesterday", "0000-00-00"),
    "count": ("perhaps",),
    "no_such_parameter": ("1",),
}


def asked_with(rule: str, world: doors.World, query: dict[str, str]) -> str:
    """The address of something that there is, with these parameters behind it."""
    values = of(world.here, world)
    if rule.startswith("/api/v1/areas/"):
        values["code"] = "90001"
    place = address(rule, values)
    return f"{place}{'&' if '?' in place else '?'}{urlencode(query)}"


def test_no_operation_takes_a_parameter_that_it_does_not_know(
    app: Flask, world: doors.World, everybody: FlaskClient
) -> None:
    document = doors.answered(everybody.get("/api/openapi.json"), 200)
    asked: set[str] = set()
    for rule, method, _ in routes(app):
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)
        operation = document["paths"].get(path, {}).get(method.lower(), {})
        known = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
        if not known or method != "GET":
            continue
        for name in (known | {"no_such_parameter"}) & WRONG.keys():
            asked.add(name)
            for value in WRONG[name]:
                place = asked_with(rule, world, {name: value})
                who = world["operator"] if "/own-" in rule else everybody
                answer = who.get(place, headers=ENGLISH)
                assert answer.status_code in {400, 422}, (place, answer.get_data(as_text=True))
                problem = answer.get_json()
                if answer.status_code == 422:
                    assert name in problem["fields"], (place, problem)
    assert asked == WRONG.keys()


def test_no_page_breaks_at_a_parameter(
    app: Flask, world: doors.World, everybody: FlaskClient
) -> None:
    """Pages leave out what they do not understand, or say so."""
    texts = ("q", "sort", "bbox", "owner", "commune", "condition", "status", "on", "lang", "tower",
             "kind", "severity", "next", "sheet", "mapping")  # fmt: skip
    numbers = ("limit", "area", "since", "until", "day", "page", "zoom", "from", "to", "due_within")
    query = dict.fromkeys(texts, "\x00'\u202e{{7*7}}") | dict.fromkeys(numbers, "9" * 30)
    for rule, method, _ in routes(app):
        if method == "GET" and not rule.startswith("/api/") and not prints((method, rule)):
            answer = everybody.get(asked_with(rule, world, query))
            assert answer.status_code < 500, (rule, answer.status_code)


DAYS = {"date": ("0001-01-01", "9999-12-31")}
DAYS["date-time"] = tuple(f"{day}T{hour}:00+00:00" for day in DAYS["date"] for hour in ("00", "23"))
PAGE_DAYS = (
    ("/statistics", "from"), ("/statistics", "to"), ("/audit", "since"), ("/audit", "until"),
    ("/areas", "on"), ("/towers", "inspection_due_before"), ("/towers/<code>/history", "at"),
    ("/map/list.json", "on"),
)  # fmt: skip


def test_the_first_and_the_last_day_of_the_calendar_break_nothing(
    app: Flask, world: doors.World, everybody: FlaskClient
) -> None:
    """Nor a day before or after them, which nobody can compute."""
    document = doors.answered(everybody.get("/api/openapi.json"), 200)
    asked = [(rule, {name: day}) for rule, name in PAGE_DAYS for day in DAYS["date"]]
    for rule, method, _ in routes(app):
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)
        known = document["paths"].get(path, {}).get(method.lower(), {}).get("parameters", ())
        asked += [
            (rule, {one["name"]: value})
            for one in known
            for value in DAYS.get(one["schema"].get("format", ""), ())
            if method == "GET"
        ]
    assert len(asked) > 30
    for rule, query in asked:
        answer = everybody.get(asked_with(rule, world, query))
        assert answer.status_code < 500, (rule, query, answer.status_code)


@pytest.mark.parametrize("path", ["/towers", "/map/list.json?bbox=100,5,115,20", "/api/v1/towers"])
def test_a_statement_that_takes_too_long_is_a_503(world: doors.World, path: str) -> None:
    engine = database().engine

    def slow(connection, cursor, statement, parameters, context, executemany) -> None:
        if "FROM tower" in statement:
            cursor.execute("SET LOCAL statement_timeout = 1")
            cursor.execute("SELECT pg_sleep(1)")

    event.listen(engine, "before_cursor_execute", slow)
    try:
        answer = world["staff"].get(path, headers=ENGLISH)
    finally:
        event.remove(engine, "before_cursor_execute", slow)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    busy = "The service is busy: try again in a moment"
    assert any(text in answer.get_data(as_text=True) for text in (busy, vietnamese(busy)))


# Every file


NAMES = (
    "../../../etc/passwd", "..\\..\\x\r\nX: 1", "a\x00b" + "x" * 5000,
    "{{31337*31337}}<script>alert(1)</script>\u202egpj;a\"c",
)  # fmt: skip
FILE_DOORS = tuple({one.rule: one for one in hostile.BOMBS}.values())


@pytest.mark.parametrize("door", FILE_DOORS, ids=lambda one: one.rule)
def test_a_hostile_name_of_a_file_is_only_a_name(
    app: Flask, session: Session, world: doors.World, door: hostile.Bomb
) -> None:
    instance = app.config["SETTINGS"].instance
    for stem in NAMES:
        ending = Path(door.filename).suffix
        name = f"{stem}{ending}"
        answer = send_file(world, door, name, b"nothing of the kind")
        # A name that ends the head of its part leaves none: then nothing was sent.
        assert answer.status_code < 500, (name, answer.status_code)
        assert b"982007569" not in answer.data
        assert b"<script>alert" not in answer.data
    for path in instance.rglob("*"):
        assert not any(stem in path.name for stem in NAMES if len(stem) > 3), path


def send_file(world: doors.World, door: hostile.Bomb, name: str, content: bytes):
    values = {**of(world.here, world, door.role), "new": uuid.uuid4()}
    data = {key: text.format(**values) for key, text in door.fields.items()}
    path = address(door.rule, values)
    return world[door.role].post(
        path, data={**data, door.file: (io.BytesIO(content), name)},
        headers={**ENGLISH, **({"If-Match": "*"} if door.tag else {})},
    )  # fmt: skip


# Before sign-in

CODES = (
    "\x00", "\u0661\u0662\u0663\u0664\u0665\u0666", "1" * 100_000, "-1", "0x1F", "1e5",
    "\ud7ff\u202e", hostile.ALL, " ", "0000-0000-0000-0000",
)  # fmt: skip


def test_no_door_before_sign_in_breaks(app: Flask, session: Session) -> None:
    """Names, passwords, codes, links and states of any letters: nobody comes in, nothing breaks."""
    person = doors.with_password(session, "staff")
    set_up(doors.signed_in(app, person.email))
    for text in CODES:
        client = app.test_client()
        token = doors.csrf_of(client.get("/sign-in").get_data(as_text=True))
        given = {"csrf_token": token, "email": text, "password": text, "next": text}
        asked = [
            client.post("/sign-in", data=given),
            client.post("/sign-in", data={**given, "email": person.email}),
            client.post("/password/forgotten", data=given),
            client.get("/password/new/x", query_string={"token": text}),
            client.post("/password/new/" + "x" * 43, data={**given, "again": text, "name": text}),
            client.get("/sign-in", query_string={"next": text}),
            client.get("/sign-in/openid/back", query_string={"code": text, "state": text}),
            client.post("/tf-validate", data={**given, "code": text}),
            client.post("/language", data={**given, "language": text}),
        ]
        session.execute(delete(SignInFailure))
        session.commit()
        half = with_password_alone(app, person)
        for path in ("/tf-validate", "/mf-recovery"):
            token = doors.csrf_of(half.get(path).get_data(as_text=True))
            asked.append(half.post(path, data={"code": text, "csrf_token": token}))
        for number, answer in enumerate(asked):
            assert answer.status_code < 500, (text[:20], number)
            assert b"982007569" not in answer.data and b"<script>alert" not in answer.data
        for one in (client, half):
            assert one.get("/towers").status_code == 302, text[:20]
