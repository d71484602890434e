"""What every operation of the API shares: strict input, one kind of problem, two languages."""

from __future__ import annotations

import base64
import json
import uuid

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from tests import doors, makers
from tests.core.guard_test import routes
from tests.doors import refused

TOWER = {"code": "T-1", "name": "Trạm", "latitude": 10.4, "longitude": 105.6}
LISTS = (
    "/api/v1/areas",
    "/api/v1/towers",
    "/api/v1/inspections",
    "/api/v1/violations",
    "/api/v1/follow-up",
)
# An identifier that nothing has; the same in each process that runs tests.
NOBODY = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


@pytest.fixture
def staff(app: Flask, session: Session) -> FlaskClient:
    return doors.client_of(app, session, makers.user(session, "staff"))


def send(client: FlaskClient, body: str | bytes, **headers: str):
    return client.post(
        "/api/v1/towers", data=body, headers={"Content-Type": "application/json", **headers}
    )


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "null\x00",
        "{} {}",
        '{"code": "A", "code": "B"}',
        '{"code": "A", "\\u0063ode": "B"}',
        '{"height_m": NaN}',
        '{"height_m": Infinity}',
        '{"height_m": -Infinity}',
        '{"height_m": 1e999}',
        '{"height_m": -1e999}',
        '{"name": "\\u0000"}',
        '{"name": "\\ud800"}',
        '{"name": "\\udc00x"}',
        '{"\\ud800": 1}',
        '{"name": "a\nb"}',
        '{"name": "\x07"}',
        b'{"name": "\xff\xfe"}',
        b"\xef\xbb\xbf{}",
        '{"code": "A",}',
        "[" * 100_000,
        '{"a":' * 50_000 + "1" + "}" * 50_000,
        "{'code': 'A'}",
        '{"height_m": 0x1F}',
        '{"height_m": 1' + "0" * 5000 + "}",
    ],
    ids=range(25),
)
def test_json_that_is_not_plain_is_refused(
    staff: FlaskClient, session: Session, body: str | bytes
) -> None:
    before = doors.counts(session)
    refused(send(staff, body), (400, 422))
    assert doors.counts(session) == before


@pytest.mark.parametrize("body", ["null", "[]", "1", '"x"', "true", "[{}]"])
def test_json_that_is_no_object_is_refused(staff: FlaskClient, body: str) -> None:
    refused(send(staff, body), 422)


@pytest.mark.parametrize("depth", [1, 31, 32, 33])
def test_depth_has_a_limit(staff: FlaskClient, depth: int) -> None:
    body = '{"note":' + "[" * (depth - 1) + "]" * (depth - 1) + "}" if depth > 1 else "{}"
    problem = refused(send(staff, body), (400, 422))
    assert problem["status"] == (400 if depth > 32 else 422)


def test_brackets_in_texts_are_not_depth(staff: FlaskClient) -> None:
    body = {**TOWER, "note": "[" * 100 + '"\\' + "{" * 100}
    doors.answered(send(staff, json.dumps(body)), 201)


def test_unknown_fields_are_named(staff: FlaskClient) -> None:
    problem = refused(send(staff, json.dumps({**TOWER, "heigth_m": 3, "id": "x"})), 422)
    assert set(problem["fields"]) == {"heigth_m", "id"}


def test_unknown_parameters_are_named(staff: FlaskClient) -> None:
    for path in LISTS:
        problem = refused(staff.get(path, query_string={"limti": "3"}), 422)
        assert list(problem["fields"]) == ["limti"], path


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "x", "1.5", "", "1e3", "99999999999999"])
def test_a_bad_limit_is_refused(staff: FlaskClient, limit: str) -> None:
    for path in LISTS:
        problem = refused(staff.get(path, query_string={"limit": limit}), 422)
        assert list(problem["fields"]) == ["limit"], path


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


BAD_CURSORS = [
    "x",
    "%%%",
    "é",
    "\x00",
    encoded(None),
    encoded({}),
    encoded([]),
    encoded(["\x00"]),
    encoded(["\ud800"]),
    encoded([1]),
    encoded([[]]),
    encoded(["a", "b", "c", "d", "e"]),
    encoded(["commune", 7]),
    encoded([1, 2, 3]),
    encoded([1, "2026-01-01", 5]),
    encoded([1, "2026-01-01", []]),
    encoded([1, "2026-01-01", None]),
    encoded([2**40, "2026-01-01", NOBODY]),
    encoded([1.5, "2026-01-01", NOBODY]),
    encoded([True, "2026-01-01", NOBODY]),
    encoded([1, "2026-99-01", NOBODY]),
    encoded(["2026-01-01", {}]),
    encoded([5, 5]),
    encoded([float("nan"), 1]),
    base64.urlsafe_b64encode(b"[" * 300).decode(),
    base64.urlsafe_b64encode(b"\xff\xfe[1]").decode(),
    "A" * 500,
]


@pytest.mark.parametrize("cursor", BAD_CURSORS, ids=range(len(BAD_CURSORS)))
def test_a_cursor_of_nobody_is_refused(staff: FlaskClient, cursor: str) -> None:
    for path in LISTS:
        response = staff.get(path, query_string={"cursor": cursor})
        refused(response, (400, 422))
    for page in ("/towers", "/inspections", "/violations", "/follow-up"):
        response = staff.get(page, query_string={"cursor": cursor})
        assert response.status_code in {400, 422}, (page, response.status_code)


def test_a_moment_without_its_zone_is_no_cursor(staff: FlaskClient) -> None:
    cursor = encoded(["2026-01-01T00:00:00", str(uuid.uuid4())])
    refused(staff.get("/api/v1/inspections", query_string={"cursor": cursor}), 400)


@pytest.mark.parametrize(
    "moment",
    [
        "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1899-12-31T00:00:00Z",
        "9001-01-01T00:00:00+00:00",
    ],
)  # fmt: skip
def test_a_moment_that_no_calendar_here_has_is_no_cursor(
    staff: FlaskClient, session: Session, moment: str
) -> None:
    commune = makers.commune(session, code="90001")
    tower = makers.tower(session, code="T-1", commune=commune)
    owner = makers.organisation(session)
    session.commit()
    cursor = encoded([moment, 0, "x"])
    for path in (
        f"/api/v1/towers/{tower.code}/timeline",
        f"/api/v1/organisations/{owner.id}/timeline",
        "/api/v1/areas/commune/90001/timeline",
    ):
        refused(staff.get(path, query_string={"cursor": cursor}), 400)
    page = staff.get(f"/towers/{tower.code}", query_string={"timeline": cursor})
    assert page.status_code == 400
    cursor = encoded([moment, str(uuid.uuid4())])
    refused(staff.get("/api/v1/inspections", query_string={"cursor": cursor}), 400)


def test_extreme_cursors_of_the_right_kind_only_end_the_list(staff: FlaskClient) -> None:
    far = str(uuid.UUID(int=2**128 - 1))
    for path, values in (
        ("/api/v1/towers", [0, "\uffff" * 60]),
        ("/api/v1/areas", ["zzz", "zzz", 0]),
        ("/api/v1/violations", ["0001-01-01", str(uuid.UUID(int=0))]),
        ("/api/v1/inspections", ["1900-01-02T00:00:00+14:00", far]),
        ("/api/v1/inspections", ["1900-01-02T00:00:00+23:59", str(uuid.UUID(int=0))]),
        ("/api/v1/follow-up", [32767, "9999-12-31", far]),
    ):
        body = doors.answered(staff.get(path, query_string={"cursor": encoded(values)}), 200)
        assert (body["items"], body["next_cursor"]) == ([], None), path


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/api/v1/towers", {"sort": "name; drop table tower"}),
        ("/api/v1/towers", {"sort": ""}),
        ("/api/v1/towers", {"condition": "green"}),
        ("/api/v1/towers", {"owner": "me"}),
        ("/api/v1/towers", {"overdue": "perhaps"}),
        ("/api/v1/towers", {"due_within": "-1"}),
        ("/api/v1/towers", {"due_within": "99999"}),
        ("/api/v1/towers", {"q": "x" * 201}),
        ("/api/v1/follow-up", {"severity": "awful"}),
        ("/api/v1/follow-up", {"structure_type": "ladder"}),
        ("/api/v1/inspections", {"tower": "KHONG-CO"}),
        ("/api/v1/inspections", {"tower": "\x00"}),
        ("/api/v1/inspections", {"status": "draft,submitted"}),
        ("/api/v1/inspections", {"kind": "x"}),
        ("/api/v1/violations", {"state": "lost"}),
        ("/api/v1/violations", {"tower": "KHONG-CO"}),
        ("/api/v1/areas", {"level": "village"}),
        ("/api/v1/areas/boundaries", {"level": "village"}),
        ("/api/v1/photos", {}),
        ("/api/v1/photos", {"inspection": "1"}),
    ],
)
def test_bad_parameters_are_422_and_named(
    staff: FlaskClient, path: str, query: dict[str, str]
) -> None:
    problem = refused(staff.get(path, query_string=query), 422)
    named = [name.partition(".")[0] for name in problem.get("fields", {})]
    assert named == (list(query) or ["inspection"])


@pytest.mark.parametrize("q", ["%", "_", "\\", "'", "\x00", "\ud7ff", "‮", "a" * 200, " ", "%%%%"])
def test_any_words_can_be_searched_for(staff: FlaskClient, q: str) -> None:
    for path in ("/api/v1/towers", "/api/v1/areas", "/api/v1/follow-up"):
        if path == "/api/v1/areas" and len(q) > 100:
            continue
        response = staff.get(path, query_string={"q": q})
        assert response.status_code == 200 or (q == "\x00" and response.status_code == 422), (
            path,
            response.status_code,
        )
    for path in ("/towers", "/follow-up", "/inspections", "/violations", "/organisations"):
        status = staff.get(path, query_string={"q": q}).status_code
        assert status == 200, (path, q, status)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/api/v1/towers/T-1"),
        ("DELETE", "/api/v1/violations"),
        ("PATCH", "/api/v1/inspections"),
        ("PUT", "/api/v1/towers"),
        ("POST", "/api/v1/follow-up"),
        ("TRACE", "/api/v1/towers"),
    ],
)
def test_another_method_is_405(staff: FlaskClient, method: str, path: str) -> None:
    response = staff.open(path, method=method)
    refused(response, 405)
    assert response.headers["Allow"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/nothing",
        "/api/",
        "/api/v1/towers/KHONG-CO",
        "/api/v1/towers/%00",
        "/api/v1/towers/%ff%fe",
        "/api/v1/towers/" + "x" * 3000,
        "/api/v1/inspections/1",
        "/api/v1/areas/village/1",
        "/api/v1/areas/commune/%00",
        "/api/v1/checklists/0",
        "/api/v1/checklists/99999999999999999999999",
        "/api/v1/checklists/-1",
        f"/api/v1/photos/{NOBODY}/original",
        f"/api/v1/photos/{NOBODY}/..%2f..",
    ],
)
def test_what_is_not_there_is_404(staff: FlaskClient, path: str) -> None:
    refused(staff.get(path), 404)


@pytest.mark.parametrize(
    ("headers", "cookie", "words"),
    [
        ({}, None, "Một số trường"),
        ({"Accept-Language": "en"}, None, "Some fields"),
        ({"Accept-Language": "de, en;q=0.5"}, None, "Some fields"),
        ({"Accept-Language": "de"}, None, "Một số trường"),
        ({"Accept-Language": "vi"}, "en", "Some fields"),
        ({"Accept-Language": "en"}, "xx", "Some fields"),
    ],
)
def test_a_problem_speaks_the_language_of_its_reader(
    staff: FlaskClient, headers: dict[str, str], cookie: str | None, words: str
) -> None:
    if cookie:
        staff.set_cookie("language", cookie)
    response = staff.post("/api/v1/towers", json={"code": "A"}, headers=headers)
    problem = refused(response, 422)
    assert problem["title"].startswith(words)
    missing = "This is missing." if words.isascii() else "Thiếu thông tin này."
    assert problem["fields"]["name"] == [missing]


def test_a_problem_is_whole_even_where_nothing_is_asked_for(app: Flask) -> None:
    client = app.test_client()
    for path in ("/api/v1/towers", "/map/extent.json"):
        refused(client.get(path, headers={"Accept": "*/*"}), 401)


def test_the_document_names_every_route_of_the_api(app: Flask, staff: FlaskClient) -> None:
    document = doors.answered(staff.get("/api/openapi.json"), 200)
    described = {
        (path, method.upper())
        for path, operations in document["paths"].items()
        for method in operations
        if method != "parameters"
    }
    import re

    here = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule), method)
        for rule, method, _ in routes(app)
        if rule.startswith("/api/v1/")
    }
    assert described == here
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method != "parameters":
                assert operation["summary"], (path, method)
