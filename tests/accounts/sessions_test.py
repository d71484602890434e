"""Sessions can be seen and ended; who looks as another changes nothing."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select, update
from sqlalchemy.orm import Session

from accounts.models import User, UserSession
from core import clock
from core.audit import AuditEntry
from core.db import database
from tests import doors, makers
from tests.doors import PASSWORD, csrf_of, signed_in


def rows(session: Session, person: User) -> list[UserSession]:
    session.commit()
    found = select(UserSession).where(UserSession.user_id == person.id)
    return list(session.scalars(found.order_by(UserSession.created_at)))


def post(client: FlaskClient, path: str, **fields: str):
    token = csrf_of(client.get("/account").get_data(as_text=True))
    return client.post(path, data={**fields, "csrf_token": token})


def test_a_session_is_listed_and_ended_by_its_person(app: Flask, session: Session) -> None:
    person = doors.with_password(session, "staff")
    other = signed_in(app, person.email)
    client = app.test_client()
    client.environ_base.update(HTTP_USER_AGENT="Trình duyệt <b>7</b>", REMOTE_ADDR="203.0.113.7")
    page = client.get("/sign-in").get_data(as_text=True)
    given = {"email": person.email, "password": PASSWORD, "csrf_token": csrf_of(page)}
    client.post("/sign-in", data=given)
    shown = client.get("/account").get_data(as_text=True)
    assert "203.0.113.7" in shown
    assert "Trình duyệt &lt;b&gt;7&lt;/b&gt;" in shown
    first, second = rows(session, person)
    assert post(client, f"/account/sessions/{first.id}/end").status_code == 302
    assert other.get("/towers").status_code == 302
    assert client.get("/towers").status_code == 200
    assert post(client, f"/account/sessions/{second.id}/end").status_code == 302
    assert client.get("/towers").status_code == 302


def test_only_an_administrator_ends_the_session_of_another(app: Flask, session: Session) -> None:
    person = doors.with_password(session, "staff")
    client = signed_in(app, person.email)
    (row,) = rows(session, person)
    inspector = doors.browser_of(app, session, makers.user(session, "inspector"))
    admin = doors.browser_of(app, session, makers.user(session, "admin"))
    assert inspector.post(f"/account/sessions/{row.id}/end").status_code == 404
    assert admin.post(f"/account/sessions/{row.id}/end").status_code == 404
    path = f"/users/{person.id}/sessions/{row.id}/end"
    assert inspector.post(path).status_code == 403
    assert client.get("/towers").status_code == 200
    assert admin.post(path).status_code == 302
    assert client.get("/towers").status_code == 302


def test_signing_out_ends_the_session_on_the_server(app: Flask, session: Session) -> None:
    person = doors.with_password(session, "staff")
    client, thief = signed_in(app, person.email), app.test_client()
    cookie = client.get_cookie("session")
    assert cookie
    left = post(client, "/sign-out")
    # A shared computer: neither Back nor its cache shows what was looked at.
    assert left.headers["Clear-Site-Data"] == '"cache"'
    thief.set_cookie("session", cookie.value)
    assert thief.get("/towers").status_code == 302
    assert rows(session, person)[0].ended_at is not None


@pytest.mark.parametrize(("lasting", "hours"), [(False, 12), (True, 30 * 24)])
def test_a_session_ends_when_nobody_uses_it(
    app: Flask, session: Session, lasting: bool, hours: int
) -> None:
    person = doors.with_password(session, "staff")
    client = app.test_client()
    page = client.get("/sign-in").get_data(as_text=True)
    given = {"email": person.email, "password": PASSWORD, "csrf_token": csrf_of(page)}
    client.post("/sign-in", data={**given, **({"remember": "y"} if lasting else {})})
    assert client.get_cookie("remember_token") is None
    (row,) = rows(session, person)
    assert (row.lasting, row.expires_at - row.created_at) == (lasting, timedelta(hours=hours))
    session.execute(update(UserSession).values(seen_at=clock.now() - timedelta(minutes=6)))
    session.commit()
    assert client.get("/towers").status_code == 200
    session.refresh(row)
    assert clock.now() - row.seen_at < timedelta(minutes=1)
    session.execute(update(UserSession).values(expires_at=clock.now()))
    session.commit()
    assert client.get("/towers").status_code == 302


def test_a_request_of_a_session_asks_no_more_than_before(app: Flask, session: Session) -> None:
    """Whose it is, whether it lasts and what it may: three statements, as without sessions."""
    person = doors.with_password(session, "staff")
    client = signed_in(app, person.email)
    client.get("/account/nothing")
    asked: list[str] = []

    def note(connection, cursor, statement, *more) -> None:
        if not statement.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
            asked.append(statement)

    engine = database().engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        client.get("/api/v1/nothing")
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert len(asked) == 3, asked


# Looking at the service as another


@pytest.fixture
def admin(app: Flask, session: Session) -> FlaskClient:
    person = doors.with_password(session, "admin", name="Quản Trị")
    client = signed_in(app, person.email)
    client.person = person  # type: ignore[attr-defined]
    return client


def test_an_administrator_looks_as_another_and_changes_nothing(
    app: Flask, session: Session, world: doors.World, admin: FlaskClient
) -> None:
    inspector, tower = world.people["inspector"], world.there.tower.code
    assert admin.get(f"/towers/{tower}").status_code == 200
    assert post(admin, f"/users/{inspector.id}/view-as").status_code == 302
    page = admin.get("/towers").get_data(as_text=True)
    assert 'class="onlooker"' in page
    assert tower not in page
    assert world.here.tower.code in page
    assert admin.get(f"/towers/{tower}").status_code == 404
    assert admin.get("/users").status_code == 403
    before = doors.counts(session)
    token = csrf_of(page)
    body = doors.visit(world.here.tower.code)
    for path, given in (
        ("/api/v1/inspections", {"json": body}),
        ("/account/tokens", {"data": {"name": "x"}}),
        ("/password", {"data": {"password": PASSWORD}}),
        (f"/users/{inspector.id}/view-as", {"data": {}}),
    ):
        answer = admin.post(path, headers={"X-CSRFToken": token}, **given)
        assert answer.status_code == 403, path
    # What a page writes when it is looked at is refused as well, by the database.
    assert admin.get("/follow-up.csv").status_code == 403
    assert doors.counts(session) == before
    ended = admin.post("/account/view-as/end", data={"csrf_token": token})
    assert ended.status_code == 302
    assert admin.get("/users").status_code == 200
    told = session.execute(
        select(AuditEntry.action, AuditEntry.actor, AuditEntry.object_id)
        .where(AuditEntry.action.like("user.view%"))
        .order_by(AuditEntry.id)
    ).all()
    who = admin.person.email  # type: ignore[attr-defined]
    assert told == [
        ("user.view_as", who, str(inspector.id)),
        ("user.view_end", who, str(inspector.id)),
    ]


def test_looking_as_another_ends_by_itself_and_with_the_right_to(
    app: Flask, session: Session, admin: FlaskClient
) -> None:
    staff = makers.user(session, "staff")
    session.commit()
    post(admin, f"/users/{staff.id}/view-as")
    assert admin.get("/users").status_code == 403
    session.execute(update(UserSession).values(viewing_until=clock.now()))
    session.commit()
    assert admin.get("/users").status_code == 200
    post(admin, f"/users/{staff.id}/view-as")
    post(admin, "/sign-out")
    assert admin.get("/users").status_code == 302


def test_nobody_else_looks_as_another_and_no_token_does(app: Flask, session: Session) -> None:
    staff, other = doors.with_password(session, "staff"), makers.user(session, "admin")
    session.commit()
    path = f"/users/{other.id}/view-as"
    assert post(signed_in(app, staff.email), path).status_code == 403
    program = doors.client_of(app, session, other)
    assert program.post(f"/users/{staff.id}/view-as").status_code == 401
    assert session.scalar(select(UserSession.id).where(UserSession.viewing_id.is_not(None))) is None


def test_a_disabled_person_and_oneself_cannot_be_looked_through(
    app: Flask, session: Session, admin: FlaskClient
) -> None:
    gone = makers.user(session, "staff")
    gone.active = False
    session.commit()
    me = admin.person.id  # type: ignore[attr-defined]
    for person in (gone.id, me):
        assert post(admin, f"/users/{person}/view-as").status_code == 409


def test_the_page_of_a_user_shows_sessions_and_offers_to_look(
    app: Flask, session: Session, admin: FlaskClient
) -> None:
    person = doors.with_password(session, "staff")
    signed_in(app, person.email)
    page = admin.get(f"/users/{person.id}").get_data(as_text=True)
    assert f"/users/{person.id}/view-as" in page
    assert re.search(rf"/users/{person.id}/sessions/[0-9a-f-]+/end", page)
