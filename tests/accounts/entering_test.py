"""Invitations and lost passwords: a link that works once, kept as a hash, sent or handed over."""

from __future__ import annotations

import email as email_
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from email.policy import default
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from accounts.link_jobs import send_link
from accounts.models import AccountLink, User
from core import store
from core.policy import SYSTEM
from core.settings import Settings
from tests import doors, makers
from tests.doors import PASSWORD, csrf_of, signed_in
from tests.mailing import mail_server

NEW = {
    "name": "Lê Thị Mận",
    "password": "bon con vit boi qua ao",
    "again": "bon con vit boi qua ao",
}
FORM = {
    "email": "moi@example.org",
    "name": "",
    "roles": ["staff"],
    "everywhere": "1",
    "active": "1",
}


@pytest.fixture
def admin(app: Flask, session: Session) -> FlaskClient:
    return doors.client_of(app, session, makers.user(session, "admin"))


def path_of(page: str) -> str:
    (found,) = set(re.findall(r"/password/new/[\w-]{40,}", page))
    return found


def invited(admin: FlaskClient, **facts: Any) -> str:
    """The path of an invitation that is handed over."""
    return path_of(admin.post("/users/new", data={**FORM, **facts}).get_data(as_text=True))


def fill(app: Flask, path: str, **changes: str):
    client = app.test_client()
    page = client.get(path)
    if page.status_code != 200:
        return page
    token = csrf_of(page.get_data(as_text=True))
    return client.post(path, data={**NEW, **changes, "csrf_token": token})


def test_an_invited_person_sets_name_and_password_once(
    app: Flask, admin: FlaskClient, session: Session
) -> None:
    path = invited(admin)
    token = path.rpartition("/")[2]
    shown = app.test_client().get(path)
    assert shown.headers["Cache-Control"] == "no-store"
    assert shown.headers["Referrer-Policy"] == "no-referrer"
    assert "Đã mời" in admin.get("/users").get_data(as_text=True)
    assert fill(app, path).headers["Location"] == "/sign-in"
    session.commit()
    made = session.scalars(select(User).where(User.email == FORM["email"])).one()
    assert made.name == NEW["name"]
    assert signed_in(app, made.email, NEW["password"]).get("/towers").status_code == 200
    for client in (app.test_client(), admin):
        assert client.get(path).status_code == 404
    row = session.scalars(select(AccountLink)).one()
    assert token.encode() not in row.hash
    kept = session.execute(
        text("SELECT string_agg(coalesce(after::text, ''), ' ') FROM audit_entry")
    )
    assert token not in str(kept.scalar())


@pytest.mark.parametrize(
    "changes",
    [
        {"password": "ngan qua", "again": "ngan qua"},
        {"again": "bon con vit boi qua hoo"},
        {"password": "moi@example.org 1", "again": "moi@example.org 1"},
        {"password": "matkhau123456789", "again": "matkhau123456789"},
        {"password": "", "again": ""},
        {"password": "x" * 300, "again": "x" * 300},
    ],
)
def test_a_bad_password_is_named_and_the_link_stays_good(
    app: Flask, admin: FlaskClient, session: Session, changes: dict[str, str]
) -> None:
    path = invited(admin)
    before = doors.counts(session)
    response = fill(app, path, **changes)
    assert response.status_code == 422
    page = response.get_data(as_text=True)
    assert "-wrong" in page
    assert "Lê Thị Mận" in page
    assert doors.counts(session) == before
    assert fill(app, path).status_code == 302


def test_links_end_at_their_time_with_the_next_one_and_with_the_account(
    app: Flask, admin: FlaskClient, session: Session
) -> None:
    first = invited(admin)
    made = session.scalars(select(User).where(User.email == FORM["email"])).one()
    second = path_of(admin.post(f"/users/{made.id}/link").get_data(as_text=True))
    answers = [fill(app, first), fill(app, "/password/new/" + "A" * 43)]
    made.active = False
    session.commit()
    answers.append(fill(app, second))
    made.active = True
    session.execute(update(AccountLink).values(expires_at=makers.NOW - timedelta(days=1)))
    session.commit()
    answers.append(fill(app, second))
    assert [answer.status_code for answer in answers] == [404] * 4
    # Used, ended or made up: nobody learns which.
    texts = {re.sub(r'value="[^"]*"', "", one.get_data(as_text=True)) for one in answers}
    assert len({re.sub(r"/password/new/[\w-]+", "", one) for one in texts}) == 1


def test_a_new_password_by_a_link_ends_sessions_and_tokens(
    app: Flask, admin: FlaskClient, session: Session
) -> None:
    person = doors.with_password(session, "staff", name="Người Cũ")
    browser, program = signed_in(app, person.email), doors.client_of(app, session, person)
    path = path_of(admin.post(f"/users/{person.id}/link").get_data(as_text=True))
    # Until it is used, nothing changes.
    assert browser.get("/towers").status_code == 200
    assert fill(app, path).status_code == 302
    assert browser.get("/towers").status_code == 302
    assert program.get("/api/v1/towers").status_code == 401
    assert signed_in(app, person.email, NEW["password"]).get("/towers").status_code == 200


class Box:
    """A mail server that keeps what it takes."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.messages.append(email_.message_from_bytes(envelope.content, policy=default))
        return "250 taken"


@pytest.fixture
def sending(app: Flask, session: Session) -> Iterator[Box]:
    """The service with a mail server and an address of its own."""
    before, box = app.config["SETTINGS"], Box()
    with mail_server(box) as url:
        app.config["SETTINGS"] = replace(before, smtp_url=url, mail_from="thap@example.org")
        store.set_value(
            session, "public_url", "https://thap.example.org", by=SYSTEM, now=makers.NOW
        )
        session.commit()
        yield box
        app.config["SETTINGS"] = before


class Now:
    """A job of which nobody watches how far it is."""

    def check(self) -> None:
        return


def work(session: Session) -> int:
    """Do what the worker would: run the queued jobs of links; returns how many."""
    session.commit()
    rows = (
        session.execute(
            text("DELETE FROM procrastinate_jobs WHERE task_name = 'account_link' RETURNING args")
        )
        .scalars()
        .all()
    )
    session.commit()
    for arguments in rows:
        send_link(Now(), **arguments)  # type: ignore[arg-type]
    return len(rows)


def test_an_invitation_is_sent_by_the_worker(
    app: Flask, admin: FlaskClient, session: Session, sending: Box
) -> None:
    response = admin.post("/users/new", data=FORM)
    assert response.status_code == 302
    assert session.scalar(select(AccountLink.id)) is None
    assert work(session) == 1
    (message,) = sending.messages
    assert message["To"] == FORM["email"]
    found = re.search(r"https://thap\.example\.org(/password/new/\S+)", message.get_content())
    assert found
    assert fill(app, found.group(1)).status_code == 302
    shown = admin.post(
        f"/users/{session.scalars(select(User.id).where(User.email == FORM['email'])).one()}/link",
        data={"show": "1"},
    )
    assert "/password/new/" in shown.get_data(as_text=True)


def test_asking_for_a_link_answers_alike_and_writes_to_known_addresses_alone(
    app: Flask, session: Session, sending: Box
) -> None:
    person = doors.with_password(session, "staff")
    idle = doors.with_password(session, "staff")
    idle.active = False
    session.commit()
    pages = set()
    for said in (person.email, "khong-co@example.org", idle.email):
        client = app.test_client()
        # What the request calls the service is not what the message does.
        evil = "http://evil.example"
        page = client.get("/password/forgotten", base_url=evil).get_data(as_text=True)
        answer = client.post(
            "/password/forgotten",
            data={"email": said, "csrf_token": csrf_of(page)},
            base_url=evil,
        )
        pages.add(re.sub(r'value="[^"]*"', "", answer.get_data(as_text=True)))
    assert len(pages) == 1
    assert work(session) == 3
    (message,) = sending.messages
    assert message["To"] == person.email
    assert "evil" not in message.get_content()
    path = re.findall(r"/password/new/\S+", message.get_content())[0]
    # Asked again and again, there is one message.
    client = app.test_client()
    token = csrf_of(client.get("/password/forgotten").get_data(as_text=True))
    client.post("/password/forgotten", data={"email": person.email, "csrf_token": token})
    work(session)
    assert len(sending.messages) == 1
    assert signed_in(app, person.email).get("/towers").status_code == 200
    assert fill(app, path).status_code == 302
    assert signed_in(app, person.email, NEW["password"]).get("/towers").status_code == 200


def test_without_a_mail_server_the_page_says_whom_to_ask(app: Flask, session: Session) -> None:
    before = doors.counts(session)
    client = app.test_client()
    page = client.get("/password/forgotten").get_data(as_text=True)
    assert 'name="email"' not in page
    answer = client.post(
        "/password/forgotten",
        data={"email": "ai@example.org", "csrf_token": csrf_of(page)},
    )
    assert answer.status_code == 200
    assert doors.counts(session) == before


def test_what_is_set_needs_as_many_letters_as_the_setting_says(
    app: Flask, session: Session, settings: Settings
) -> None:
    person = doors.with_password(session, "staff")
    store.set_value(session, "password_length", 25, by=SYSTEM, now=makers.NOW)
    session.commit()
    client = signed_in(app, person.email)
    page = client.get("/password").get_data(as_text=True)
    given = {"password": PASSWORD, "csrf_token": csrf_of(page)}
    for new, status in (("bon con vit boi qua ao", 200), ("bon con vit boi qua ao sen xa", 302)):
        answer = client.post(
            "/password", data={**given, "new_password": new, "new_password_confirm": new}
        )
        assert answer.status_code == status
