"""The choice of language, health, and problems as pages."""

from __future__ import annotations

import io

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from tests import doors, makers
from tests.doors import csrf_of


def test_the_language_is_chosen_and_kept(app: Flask, session: Session) -> None:
    client = doors.client_of(app, session, makers.user(session, "staff"))
    assert 'lang="vi"' in client.get("/").get_data(as_text=True)
    response = client.post("/language", data={"language": "en", "next": "/towers?q=x"})
    assert (response.status_code, response.headers["Location"]) == (302, "/towers?q=x")
    assert "HttpOnly" in response.headers["Set-Cookie"]
    assert '<html lang="en">' in client.get("/").get_data(as_text=True)
    # An address may ask for a language once.
    assert '<html lang="vi">' in client.get("/?lang=vi").get_data(as_text=True)
    assert '<html lang="en">' in client.get("/?lang=xx").get_data(as_text=True)


@pytest.mark.parametrize("page", ["/towers", "/follow-up", "/map"])
def test_any_argument_of_an_address_is_only_an_argument(
    app: Flask, session: Session, page: str
) -> None:
    client = doors.client_of(app, session, makers.user(session, "staff"))
    query = {name: "x" for name in ("endpoint", "ending", "path", "_external", "_method", "self")}
    response = client.get(page, query_string=query)
    assert response.status_code == 200
    assert "endpoint=x" in response.get_data(as_text=True)


def test_before_sign_in_the_language_can_be_chosen_too(app: Flask) -> None:
    client = app.test_client()
    token = csrf_of(client.get("/sign-in").get_data(as_text=True))
    client.post("/language", data={"language": "en", "csrf_token": token})
    assert '<html lang="en">' in client.get("/sign-in").get_data(as_text=True)


@pytest.mark.parametrize("language", ["", "xx", "EN", "vi\x00", "../en"])
def test_an_unknown_language_is_refused(app: Flask, session: Session, language: str) -> None:
    client = doors.client_of(app, session, makers.user(session, "staff"))
    assert client.post("/language", data={"language": language}).status_code == 400


@pytest.mark.parametrize(
    "target",
    ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)",
     "evil", "/\r\nSet-Cookie: x=1", "http:///x", "", "////evil.example", "/\t/evil.example"],
)  # fmt: skip
def test_the_way_back_stays_here(app: Flask, session: Session, target: str) -> None:
    client = doors.client_of(app, session, makers.user(session, "staff"))
    response = client.post("/language", data={"language": "en", "next": target})
    assert response.headers["Location"] == "/"


def test_health_is_open_and_says_little(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/healthz").get_json() == {"status": "ok"}
    # No worker runs beside the tests: pages work without it.
    assert client.get("/readyz").get_json() == {"status": "ready", "worker": "missing"}


def test_a_database_of_another_version_is_not_ready(app: Flask, database_urls) -> None:
    """The number of the version is changed by the owner, in a transaction that is rolled back."""
    from sqlalchemy import create_engine
    from sqlalchemy.orm import sessionmaker

    from core.db import database

    engine = create_engine(database_urls[0])
    with engine.connect() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
        usual = database().sessions
        database().sessions = sessionmaker(connection, join_transaction_mode="create_savepoint")
        try:
            response = app.test_client().get("/readyz")
        finally:
            database().sessions = usual
            connection.rollback()
    engine.dispose()
    assert response.status_code == 503
    assert response.headers["Retry-After"]


def test_while_the_database_is_down_the_service_lives_and_says_so(app: Flask) -> None:
    from sqlalchemy import create_engine
    from sqlalchemy.orm import sessionmaker

    from core.db import database

    usual = database().sessions
    gone = create_engine("postgresql+psycopg://u:geheim@127.0.0.1:1/x")
    database().sessions = sessionmaker(gone)
    client = app.test_client()
    token = {"Authorization": "Bearer tc_whatever"}
    try:
        assert client.get("/healthz").status_code == 200
        answers = [
            client.get("/readyz"),
            client.get("/towers", headers=token),
            client.get("/api/v1/towers", headers=token),
        ]
    finally:
        database().sessions = usual
        gone.dispose()
    for answer in answers:
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
        assert "geheim" not in answer.get_data(as_text=True)
    assert answers[-1].mimetype == "application/problem+json"


@pytest.mark.parametrize(
    ("role", "path", "status"),
    [("inspector", "/users", 403), ("staff", "/towers/KHONG-CO", 404), ("staff", "/xyz", 404)],
)
@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_problem_is_a_page_with_advice(
    app: Flask, session: Session, role: str, path: str, status: int, language: str
) -> None:
    client = doors.client_of(app, session, makers.user(session, role))
    response = client.get(path, query_string={"lang": language})
    page = response.get_data(as_text=True)
    assert response.status_code == status
    assert response.mimetype == "text/html"
    assert f'<html lang="{language}">' in page
    advice = {403: "Ask an administrator", 404: "Check the address"}[status]
    assert (advice in page) == (language == "en")


def test_another_method_is_405_with_the_ones_that_work(app: Flask, session: Session) -> None:
    client = doors.client_of(app, session, makers.user(session, "staff"))
    response = client.delete("/towers")
    assert response.status_code == 405
    assert "GET" in response.headers["Allow"]


def test_a_form_that_is_too_large_is_a_page(app: Flask, session: Session) -> None:
    client = doors.client_of(app, session, makers.user(session, "staff"))
    response = client.post("/towers/new", data={"note": "x" * (3 * 1024 * 1024)})
    assert response.status_code == 413
    assert response.mimetype == "text/html"
    refused = client.post("/api/v1/towers", json={"note": "x" * (3 * 1024 * 1024)})
    assert refused.status_code == 413
    assert refused.mimetype == "application/problem+json"
    many = {f"f{number}": "x" for number in range(1200)}
    response = client.post(
        "/towers/new", data=many, headers={"Content-Type": "multipart/form-data"}
    )
    assert response.status_code == 413


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/xyz", "/api/xyz", "/static/xyz.js"])
def test_an_address_that_is_none_is_told_to_strangers_too(
    app: Flask, path: str, method: str
) -> None:
    answer = app.test_client().open(path, method=method)
    assert answer.status_code in {404, 405}


class Watched(io.BytesIO):
    """A body with a large file, and how much of it was read."""

    read_bytes = 0

    def __init__(self, boundary: str) -> None:
        name = 'form-data; name="file"; filename="a.csv"'
        head = f"--{boundary}\r\nContent-Disposition: {name}\r\n\r\n"
        rows = "code;name\n" * 3_000_000
        super().__init__(f"{head}{rows}\r\n--{boundary}--\r\n".encode())

    def read(self, size: int | None = -1) -> bytes:
        part = super().read(size)
        self.read_bytes += len(part)
        return part

    def readinto(self, buffer) -> int:
        size = super().readinto(buffer)
        self.read_bytes += size
        return size


@pytest.mark.parametrize(
    ("path", "status"),
    [("/towers/import", 401), ("/field/import", 401), ("/towers/new", 401), ("/n/none", 404),
     ("/sign-in", 413), ("/language", 413), ("/api/v1/imports", 401),
     ("/api/v1/notice-links/none/replies", 404)],
)  # fmt: skip
def test_without_signing_in_nobody_makes_the_service_read_files(
    app: Flask, path: str, status: int
) -> None:
    client = app.test_client()
    client.get("/sign-in")
    body = Watched("here")
    answer = client.post(
        path,
        environ_overrides={
            "wsgi.input": body,
            "CONTENT_TYPE": "multipart/form-data; boundary=here",
            "CONTENT_LENGTH": str(len(body.getvalue())),
        },
    )
    assert answer.status_code == status
    assert body.read_bytes <= 2**21


def test_a_strange_host_is_no_host_of_ours(app: Flask) -> None:
    response = app.test_client().get("/towers", headers={"Host": "evil.example"})
    assert "evil.example" not in response.headers.get("Location", "")


def test_a_word_of_a_template_is_that_of_each_reader(whole_app: Flask) -> None:
    """Jinja asks a filter of constants once, when it compiles a page: ours are asked each time."""
    template = whole_app.jinja_env.from_string(
        '{{ "yes"|label("yes_no") }}'
        '{% for _, text in ("yes", "no")|zip_labels("yes_no") %} {{ text }}{% endfor %}'
    )
    said = []
    for language in ("vi", "en", "vi"):
        with whole_app.test_request_context(f"/?lang={language}"):
            said.append(template.render())
    assert said == ["Có Có Không", "Yes Yes No", "Có Có Không"]
