"""Signing in, staying signed in, and every way in which that ends."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urljoin, urlsplit

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from accounts import tokens
from accounts.cli import hashed
from accounts.models import AccessToken, UserSession
from core import clock, store
from core.policy import SYSTEM
from core.settings import Settings
from tests import doors, makers
from tests.doors import PASSWORD, csrf_of, signed_in
from tests.inspections.phones import phone


def admin_edit(app: Flask, session: Session, person, **changes):
    """An administrator saves the form of an account with some changes."""
    admin = doors.client_of(app, session, makers.user(session, "admin"))
    session.refresh(person)
    data = {
        "name": person.name,
        "roles": [role.name for role in person.roles],
        "everywhere": "1",
        "active": "1",
        "version": str(person.version),
        **changes,
    }
    response = admin.post(
        f"/users/{person.id}", data={key: value for key, value in data.items() if value}
    )
    assert response.status_code == 302, response.get_data(as_text=True)
    return response


def test_a_person_signs_in_and_out(app: Flask, session: Session) -> None:
    person = doors.with_password(session, "staff")
    client = signed_in(app, person.email)
    page = client.get("/")
    assert page.status_code == 200
    out = client.post("/sign-out", data={"csrf_token": csrf_of(page.get_data(as_text=True))})
    assert out.status_code == 302
    assert client.get("/").headers["Location"].startswith("/sign-in")


def test_the_address_may_be_typed_in_any_case(app: Flask, session: Session) -> None:
    person = doors.with_password(session, "staff", email="Nguyen.An@example.org")
    assert signed_in(app, "nguyen.an@EXAMPLE.org").get("/").status_code == 200
    assert person.email == "Nguyen.An@example.org"


def test_a_service_takes_its_time_to_hash_a_password(app: Flask, settings: Settings) -> None:
    """As much memory and as many passes as the library advises; only tests are quicker."""
    from app import create_app

    with create_app(replace(settings, testing=False)).app_context():
        assert hashed(PASSWORD).startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert hashed(PASSWORD).startswith("$argon2id$v=19$m=64,t=1,p=1$")


@pytest.mark.parametrize("typed", ["mật khẩu rất dài 47", "mật khẩu rất dài 47"])
def test_a_password_is_one_in_every_unicode_form(app: Flask, session: Session, typed: str) -> None:
    person = makers.user(session, "staff", password=hashed("mật khẩu rất dài 47"))
    session.commit()
    assert signed_in(app, person.email, typed).get("/").status_code == 200


def sign_in_answer(app: Flask, email: str, password: str, asker: str = ""):
    client = app.test_client()
    if asker:
        client.environ_base["HTTP_X_FORWARDED_FOR"] = asker
    token = csrf_of(client.get("/sign-in").get_data(as_text=True))
    return client.post("/sign-in", data={"email": email, "password": password, "csrf_token": token})


def test_an_unknown_address_and_a_wrong_password_look_alike(app: Flask, session: Session) -> None:
    person = doors.with_password(session, "staff")
    idle = doors.with_password(session, "staff")
    idle.active = False
    session.commit()
    answers = {
        (response.status_code, body)
        for email, password in (
            (person.email, "khong-dung-mat-khau"),
            ("khong-co@example.org", "khong-dung-mat-khau"),
            (idle.email, "khong-dung-mat-khau"),
        )
        for response in [sign_in_answer(app, email, password)]
        for body in [re.sub(r'value="[^"]*"', "", response.get_data(as_text=True))]
    }
    assert len(answers) == 1
    ((status, body),) = answers
    assert status == 200
    assert 'role="alert"' in body or "wrong" in body


def test_a_disabled_person_cannot_sign_in(app: Flask, session: Session) -> None:
    person = doors.with_password(session, "staff")
    person.active = False
    session.commit()
    assert sign_in_answer(app, person.email, PASSWORD).status_code == 200


def test_after_too_many_attempts_the_answer_is_429_in_words(app: Flask, settings: Settings) -> None:
    from dataclasses import replace

    from app import create_app

    slow = create_app(replace(settings, sign_in_limit="3 per minute"))
    slow.extensions["database"].sessions = app.extensions["database"].sessions
    slow.test_client_class = app.test_client_class
    answers = [sign_in_answer(slow, "ai-do@example.org", "khong-dung-mat-khau") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[-1].headers["Retry-After"]
    assert "<h1" in answers[-1].get_data(as_text=True)
    # Looking at the page is not an attempt.
    assert slow.test_client().get("/sign-in").status_code == 200
    # Whoever says to be somebody else is still the same.
    assert sign_in_answer(slow, "ai@example.org", "x", "203.0.113.9").status_code == 429


def test_a_trusted_proxy_says_whose_attempts_they_are(app: Flask, settings: Settings) -> None:
    from app import create_app

    behind = create_app(replace(settings, sign_in_limit="1 per minute", proxies=1))
    behind.extensions["database"].sessions = app.extensions["database"].sessions
    behind.test_client_class = app.test_client_class
    answers = [
        sign_in_answer(behind, "ai@example.org", "x", asker).status_code
        # What the asker itself said stands before what the proxy adds.
        for asker in ("192.0.2.7", "192.0.2.7", "192.0.2.8", "192.0.2.9, 192.0.2.7")
    ]
    assert answers == [200, 429, 200, 429]


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "http:evil.example",
        "javascript:alert(1)",
        "/%09/evil.example",
        "/\t/evil.example",
        " //evil.example",
        "///evil.example",
    ],
)
def test_signing_in_never_leads_to_another_host(app: Flask, session: Session, target: str) -> None:
    person = doors.with_password(session, "staff")
    client = app.test_client()
    page = client.get("/sign-in", query_string={"next": target}).get_data(as_text=True)
    response = client.post(
        "/sign-in",
        query_string={"next": target},
        data={
            "email": person.email,
            "password": PASSWORD,
            "csrf_token": csrf_of(page),
            "next": target,
        },
    )
    if response.status_code == 200:
        # A hostile link: the form comes again, and nobody is signed in or led away.
        assert 'role="alert"' in response.get_data(as_text=True)
        assert client.get("/").status_code == 302
        return
    assert response.status_code == 302
    place = response.headers["Location"]
    # A browser reads a backslash as a slash, so neither may stand there as itself.
    assert "\\" not in place
    assert urlsplit(urljoin("http://localhost/sign-in", place)).netloc == "localhost", place
    assert not place.lower().startswith("javascript:")


def test_signing_in_leads_to_the_page_that_was_asked_for(app: Flask, session: Session) -> None:
    person = doors.with_password(session, "staff")
    client = app.test_client()
    asked = client.get("/follow-up?severity=critical")
    assert asked.status_code == 302
    page = client.get(asked.headers["Location"]).get_data(as_text=True)
    form = page[page.index('action="/sign-in"') :]
    found = re.search(r'name="next"[^>]*value="([^"]*)"', form)
    response = client.post(
        "/sign-in",
        data={
            "email": person.email,
            "password": PASSWORD,
            "csrf_token": csrf_of(page),
            **({"next": found.group(1)} if found else {}),
        },
    )
    assert response.headers["Location"].endswith("/follow-up?severity=critical")


def test_the_session_ends_when_the_password_is_changed(app: Flask, session: Session) -> None:
    person = doors.with_password(session, "staff")
    client, other = signed_in(app, person.email), signed_in(app, person.email)
    page = client.get("/password").get_data(as_text=True)
    response = client.post(
        "/password",
        data={
            "password": PASSWORD,
            "new_password": "mot-mat-khau-khac-9",
            "new_password_confirm": "mot-mat-khau-khac-9",
            "csrf_token": csrf_of(page),
        },
    )
    assert response.status_code == 302, response.get_data(as_text=True)
    assert other.get("/").status_code == 302
    assert signed_in(app, person.email, "mot-mat-khau-khac-9").get("/").status_code == 200


@pytest.mark.parametrize(
    "given",
    [
        {"password": "sai", "new_password": "mot-mat-khau-khac-9"},
        {"password": PASSWORD, "new_password": "ngan"},
        {"password": PASSWORD, "new_password": "mot-mat-khau-khac-9", "again": "khac"},
        {"password": PASSWORD, "new_password": PASSWORD},
    ],
)
def test_a_bad_change_of_password_changes_nothing(
    app: Flask, session: Session, given: dict[str, str]
) -> None:
    person = doors.with_password(session, "staff")
    client = signed_in(app, person.email)
    page = client.get("/password").get_data(as_text=True)
    response = client.post(
        "/password",
        data={
            "password": given["password"],
            "new_password": given["new_password"],
            "new_password_confirm": given.get("again", given["new_password"]),
            "csrf_token": csrf_of(page),
        },
    )
    assert response.status_code == 200
    assert client.get("/").status_code == 200
    assert signed_in(app, person.email).get("/").status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"roles": ["inspector"]},
        {"everywhere": ""},
        {"active": ""},
    ],
    ids=["role", "territory", "disabled"],
)
def test_the_session_ends_when_rights_change(
    app: Flask, session: Session, changes: dict[str, object]
) -> None:
    person = doors.with_password(session, "staff")
    client = signed_in(app, person.email)
    assert client.get("/").status_code == 200
    admin_edit(app, session, person, **changes)
    assert client.get("/").status_code == 302


def test_a_new_name_ends_no_session(app: Flask, session: Session) -> None:
    person = doors.with_password(session, "staff")
    client = signed_in(app, person.email)
    admin_edit(app, session, person, name="Tên Mới")
    assert "Tên Mới" in client.get("/").get_data(as_text=True)


def test_an_administrator_learns_nobodys_password(app: Flask, session: Session) -> None:
    """They hand over a link by which the person sets their own (ASVS 5.0, 6.4.1)."""
    person = doors.with_password(session, "staff")
    client = signed_in(app, person.email)
    admin = doors.browser_of(app, session, makers.user(session, "admin"))
    page = admin.get(f"/users/{person.id}").get_data(as_text=True)
    assert f"/users/{person.id}/password" not in page
    assert admin.post(f"/users/{person.id}/password").status_code == 404
    shown = admin.post(f"/users/{person.id}/link", data={"show": "1"}).get_data(as_text=True)
    (path,) = re.findall(r"/password/new/[\w-]{40,}", shown)
    new = "mot-mat-khau-khac-9"
    theirs = app.test_client()
    token = csrf_of(theirs.get(path).get_data(as_text=True))
    given = {"password": new, "again": new, "csrf_token": token}
    assert theirs.post(path, data=given).status_code == 302
    assert client.get("/").status_code == 302
    assert signed_in(app, person.email, new).get("/").status_code == 200
    assert admin.get(path).status_code == 404


# Tokens


def test_a_token_ends_when_it_is_revoked(app: Flask, session: Session) -> None:
    person = makers.user(session, "staff")
    client = doors.client_of(app, session, person)
    assert client.get("/api/v1/towers").status_code == 200
    row = session.scalars(select(AccessToken)).one()
    browser = doors.browser_of(app, session, person)
    assert browser.post(f"/account/tokens/{row.id}/revoke").status_code == 302
    doors.refused(client.get("/api/v1/towers"), 401)
    assert client.get("/towers").status_code == 302


def test_a_token_of_somebody_else_cannot_be_revoked(app: Flask, session: Session) -> None:
    other = makers.user(session, "staff")
    makers.token(session, other)
    row = session.scalars(select(AccessToken).where(AccessToken.user_id == other.id)).one()
    browser = doors.browser_of(app, session, makers.user(session, "admin"))
    assert browser.post(f"/account/tokens/{row.id}/revoke").status_code == 404
    session.refresh(row)
    assert row.revoked_at is None


def test_no_token_makes_or_ends_what_lets_somebody_in(app: Flask, session: Session) -> None:
    """Whoever found a phone or a token makes nothing of it that would outlast it."""
    person = makers.user(session, "admin")
    client = doors.client_of(app, session, person)
    own = phone(app, client)
    browser = doors.browser_of(app, session, person)
    (row,) = session.scalars(select(UserSession).where(UserSession.user_id == person.id))
    token = session.scalars(select(AccessToken.id).where(AccessToken.device_id.is_(None))).one()
    before = doors.counts(session)
    # A phone carries no role of an administrator in the first place.
    for bearer, administering in ((client, 401), (own.client, 403)):
        for path, status in (
            ("/account/tokens", 401),
            (f"/account/tokens/{token}/revoke", 401),
            (f"/account/sessions/{row.id}/end", 401),
            (f"/users/{person.id}/sessions/{row.id}/end", administering),
            (f"/devices/{own.id}/revoke", 401),
        ):
            assert bearer.post(path, data={"name": "x"}).status_code == status, path
        new = {"id": str(uuid.uuid4()), "name": "Máy của kẻ trộm"}
        doors.refused(bearer.post("/api/v1/devices", json=new), 401)
    doors.refused(own.client.delete(f"/api/v1/devices/{own.id}"), 401)
    assert doors.counts(session) == before
    assert browser.get("/towers").status_code == 200
    # Its token goes on; the person has no other role.
    doors.refused(own.client.get("/api/v1/towers"), 403)


def test_a_new_token_ends_by_itself(app: Flask, session: Session) -> None:
    person = doors.with_password(session, "staff")
    store.set_value(session, "token_days", 90, by=SYSTEM, now=makers.NOW)
    browser = doors.browser_of(app, session, person)
    assert 'name="days" type="text" value="90"' in browser.get("/account").get_data(as_text=True)
    for days, lasts in (("", 90), ("7", 7), ("90", 90)):
        given = {"name": f"sau {days}", "days": days}
        assert browser.post("/account/tokens", data=given).status_code == 200
        row = session.scalars(select(AccessToken).where(AccessToken.name == given["name"].strip()))
        ends = row.one().expires_at
        assert ends
        assert timedelta(0) <= clock.now() + timedelta(days=lasts) - ends < timedelta(minutes=1)
    for days in ("0", "91", "-1", "x", "1e3", "٣", "9" * 40):
        answer = browser.post("/account/tokens", data={"name": "y", "days": days})
        assert (answer.status_code, 'role="alert"' in answer.get_data(as_text=True)) == (422, True)
    assert session.scalar(select(func.count()).select_from(AccessToken)) == 3


def test_a_token_ends_at_its_time(app: Flask, session: Session) -> None:
    person = makers.user(session, "staff")
    now = clock.now()
    statuses = []
    for expires_at in (now - timedelta(seconds=1), now + timedelta(hours=1)):
        token = tokens.issue(session, person, name="", by=SYSTEM, now=now, expires_at=expires_at)
        session.commit()
        response = app.test_client().get(
            "/api/v1/towers", headers={"Authorization": f"Bearer {token}"}
        )
        statuses.append(response.status_code)
    assert statuses == [401, 200]


@pytest.mark.parametrize(
    "header",
    ["Bearer tc_khong-co", "Bearer ", "bearer x y", "BEARER tc_", "Bearer \x7f", "Bearer ê"],
)
def test_a_bad_token_is_refused_even_with_a_good_session(
    app: Flask, session: Session, header: str
) -> None:
    person = doors.with_password(session, "staff")
    client = signed_in(app, person.email)
    assert client.get("/api/v1/towers").status_code == 200
    before = doors.counts(session)
    doors.refused(client.get("/api/v1/towers", headers={"Authorization": header}), 401)
    doors.refused(
        client.post("/api/v1/towers", json={}, headers={"Authorization": header}), (400, 401)
    )
    assert client.get("/towers", headers={"Authorization": header}).status_code == 302
    assert doors.counts(session) == before


def test_tokens_end_when_the_account_is_disabled(app: Flask, session: Session) -> None:
    person = makers.user(session, "staff")
    client = doors.client_of(app, session, person)
    admin_edit(app, session, person, active="")
    doors.refused(client.get("/api/v1/towers"), 401)
    session.refresh(person)
    admin_edit(app, session, person, active="1")
    doors.refused(client.get("/api/v1/towers"), 401)


def test_a_token_works_on_pages_without_a_csrf_token(app: Flask, session: Session) -> None:
    client = doors.client_of(app, session, makers.user(session, "staff"))
    response = client.post("/organisations/new", data={"name": "Viễn thông A", "kind": "owner"})
    assert response.status_code == 302
    assert "Viễn thông A" in client.get("/organisations").get_data(as_text=True)


def test_a_new_token_is_shown_once_and_kept_as_a_hash(app: Flask, session: Session) -> None:
    person = doors.with_password(session, "staff")
    client = signed_in(app, person.email)
    page = client.get("/account").get_data(as_text=True)
    made = client.post(
        "/account/tokens", data={"name": "máy tính", "csrf_token": csrf_of(page)}
    ).get_data(as_text=True)
    (token,) = set(re.findall(r"tc_[\w-]{40,}", made))
    again = client.get("/account").get_data(as_text=True)
    assert token not in again
    assert "máy tính" in again
    bearer = {"Authorization": f"Bearer {token}"}
    assert app.test_client().get("/api/v1/towers", headers=bearer).status_code == 200
    (row,) = session.scalars(select(AccessToken).where(AccessToken.user_id == person.id))
    assert token.encode() not in row.hash


# CSRF


@pytest.mark.parametrize("token", [None, "wrong", ""])
@pytest.mark.parametrize(
    "path",
    ["/sign-out", "/language", "/account/tokens", "/organisations/new", "/towers/new", "/sign-in"],
)
def test_a_form_without_its_token_changes_nothing(
    app: Flask, session: Session, path: str, token: str | None
) -> None:
    person = doors.with_password(session, "staff")
    client = signed_in(app, person.email)
    before = doors.counts(session)
    data = {"name": "x", "kind": "owner", "language": "en"}
    if token is not None:
        data["csrf_token"] = token
    response = client.post(path, data=data)
    assert response.status_code == 400, path
    assert response.mimetype == "text/html"
    assert "<h1" in response.get_data(as_text=True)
    assert doors.counts(session) == before
    assert client.get("/").status_code == 200


def test_the_api_wants_the_token_of_a_session_too(app: Flask, session: Session) -> None:
    person = doors.with_password(session, "staff")
    client = signed_in(app, person.email)
    body = {"code": "T-1", "name": "T", "latitude": 10.4, "longitude": 105.6}
    before = doors.counts(session)
    doors.refused(client.post("/api/v1/towers", json=body), 400)
    assert doors.counts(session) == before
    token = csrf_of(client.get("/").get_data(as_text=True))
    doors.answered(client.post("/api/v1/towers", json=body, headers={"X-CSRFToken": token}), 201)


def test_cookies_are_hidden_from_scripts_and_other_sites(app: Flask, session: Session) -> None:
    person = doors.with_password(session, "staff")
    client = app.test_client()
    page = client.get("/sign-in")
    response = client.post(
        "/sign-in",
        data={
            "email": person.email,
            "password": PASSWORD,
            "remember": "y",
            "csrf_token": csrf_of(page.get_data(as_text=True)),
        },
    )
    cookies = page.headers.getlist("Set-Cookie") + response.headers.getlist("Set-Cookie")
    set_ones = [cookie for cookie in cookies if "Max-Age=0" not in cookie]
    assert set_ones
    for cookie in set_ones:
        assert "HttpOnly" in cookie, cookie
        assert "SameSite=Lax" in cookie, cookie


def test_the_commands_of_the_library_that_know_no_audit_are_not_offered(app: Flask) -> None:
    assert {"accounts", "towers"} < set(app.cli.commands)
    assert not {"users", "roles"} & set(app.cli.commands)
