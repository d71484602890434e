"""Sign-in with a second factor: set up, asked for, lost, required of some."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from accounts.models import SignInFailure, User
from core import clock, store
from core.audit import AuditEntry
from core.policy import SYSTEM
from core.settings import Settings
from tests import doors, makers
from tests.accounts.sessions_test import post
from tests.doors import PASSWORD, csrf_of


@pytest.fixture
def careful_app(app: Flask, settings: Settings) -> Flask:
    """The application where some roles must have one, in the same transaction as the test."""
    return another(app, replace(settings, require_second_factor=True))


def another(app: Flask, settings: Settings) -> Flask:
    from app import create_app

    made = create_app(settings)
    made.test_client_class = type(app.test_client())
    made.extensions["database"] = app.extensions["database"]
    return made


def code(key: str, *, steps: int = 0) -> str:
    return pyotp.TOTP(key).at(datetime.now(UTC) + timedelta(seconds=30 * steps))


def key_of(page: str) -> str:
    found = re.search(r"([A-Z2-7]{4}-){3,}[A-Z2-7]{4}", page)
    assert found, page
    return found.group(0).replace("-", "")


def set_up(client: FlaskClient) -> str:
    """Switch the second factor on; returns the key that the telephone has."""
    page = post(client, "/tf-setup", setup="authenticator").get_data(as_text=True)
    assert 'src="data:image/svg+xml;base64,' in page
    key = key_of(page)
    target = re.search(r'action="(/tf-setup/[^"]+)"', page)
    assert target
    assert post(client, target.group(1), code="000000").status_code == 302
    assert "chưa" in client.get("/account").get_data(as_text=True).lower()
    assert post(client, target.group(1), code=code(key, steps=-1)).status_code == 302
    return key


def with_password_alone(app: Flask, person: User, password: str = PASSWORD) -> FlaskClient:
    """A browser in which the password was right, and nothing else was asked yet."""
    client = app.test_client()
    token = csrf_of(client.get("/sign-in").get_data(as_text=True))
    given = {"email": person.email, "password": password, "csrf_token": token}
    assert client.post("/sign-in", data=given).status_code == 302
    return client


def send_code(client: FlaskClient, given: str, path: str = "/tf-validate"):
    token = csrf_of(client.get(path).get_data(as_text=True))
    return client.post(path, data={"code": given, "csrf_token": token})


def test_the_second_factor_is_set_up_asked_for_and_switched_off(
    app: Flask, session: Session
) -> None:
    person = doors.with_password(session, "staff")
    client = doors.signed_in(app, person.email)
    key = set_up(client)
    again = with_password_alone(app, person)
    assert again.get("/towers").status_code == 302, "the password alone must not be enough"
    assert send_code(again, "000000").status_code == 200
    assert again.get("/towers").status_code == 302
    now = code(key)
    assert send_code(again, now).status_code == 302
    assert again.get("/towers").status_code == 200
    # Whoever looked over the shoulder has the same code.
    thief = with_password_alone(app, person)
    assert send_code(thief, now).status_code == 200
    assert thief.get("/towers").status_code == 302
    assert post(again, "/tf-setup", setup="disable").status_code == 302
    assert doors.signed_in(app, person.email).get("/towers").status_code == 200
    told = session.scalars(
        select(AuditEntry.after).where(AuditEntry.action == "user.second_factor")
    ).all()
    assert [one["change"] for one in told if one] == ["set_up", "switched_off"]


def test_a_change_of_the_second_factor_ends_everything_else(app: Flask, session: Session) -> None:
    """Whoever had the password alone is out once there is a second factor."""
    person = doors.with_password(session, "staff")
    client, thief = doors.signed_in(app, person.email), doors.signed_in(app, person.email)
    program = doors.client_of(app, session, person)
    key = set_up(client)
    assert client.get("/towers").status_code == 200
    assert thief.get("/towers").status_code == 302
    doors.refused(program.get("/api/v1/towers"), 401)
    other = with_password_alone(app, person)
    assert send_code(other, code(key)).status_code == 302
    assert other.get("/towers").status_code == 200
    assert post(client, "/tf-setup", setup="disable").status_code == 302
    assert client.get("/towers").status_code == 200
    assert other.get("/towers").status_code == 302


def test_recovery_codes_are_shown_once_and_each_works_once(app: Flask, session: Session) -> None:
    person = doors.with_password(session, "staff")
    client = doors.signed_in(app, person.email)
    set_up(client)
    shown = post(client, "/mf-recovery-codes", generate_new_codes="y").get_data(as_text=True)
    codes = re.findall(r"\b[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}\b", shown)
    assert len(set(codes)) == 10
    session.refresh(person)
    kept = " ".join(person.mf_recovery_codes or ())
    for page in ("/mf-recovery-codes", "/mf-recovery-codes?show_codes=y", "/tf-setup"):
        again = client.get(page, headers={"Accept": "text/html"}).get_data(as_text=True)
        assert not any(one in again or one in kept for one in codes)
    first = with_password_alone(app, person)
    assert send_code(first, "0000-0000-0000", "/mf-recovery").status_code == 200
    # However somebody wrote it down.
    assert (
        send_code(first, f" {codes[0].upper().replace('-', ' ')}", "/mf-recovery").status_code
        == 302
    )
    assert first.get("/towers").status_code == 200
    second = with_password_alone(app, person)
    assert send_code(second, codes[0], "/mf-recovery").status_code == 200
    assert second.get("/towers").status_code == 302
    assert send_code(second, codes[1], "/mf-recovery").status_code == 302
    session.refresh(person)
    assert len(person.mf_recovery_codes or ()) == 8


def test_whoever_guesses_codes_waits(app: Flask, session: Session) -> None:
    person = doors.with_password(session, "staff")
    key = set_up(doors.signed_in(app, person.email))
    client = with_password_alone(app, person)
    answers = [send_code(client, f"00000{one}").status_code for one in range(6)]
    assert answers == [200] * 5 + [429]
    # Another browser, and a recovery code, wait as well.
    other = with_password_alone(app, person)
    assert send_code(other, "0000-0000-0000", "/mf-recovery").status_code == 429
    session.execute(update(SignInFailure).values(last_at=clock.now() - timedelta(minutes=20)))
    session.commit()
    assert send_code(client, code(key)).status_code == 302


def test_an_administrator_takes_away_what_was_lost(app: Flask, session: Session) -> None:
    person = doors.with_password(session, "staff")
    client = doors.signed_in(app, person.email)
    set_up(client)
    admin = doors.client_of(app, session, makers.user(session, "admin"))
    assert admin.post(f"/users/{person.id}/second-factor").status_code == 302
    assert client.get("/towers").status_code == 302
    assert doors.signed_in(app, person.email).get("/towers").status_code == 200


def test_some_roles_cannot_sign_in_without(careful_app: Flask, session: Session) -> None:
    staff = doors.with_password(session, "staff")
    inspector = doors.with_password(session, "inspector")
    with careful_app.app_context():
        assert doors.signed_in(careful_app, inspector.email).get("/towers").status_code == 200
        client = with_password_alone(careful_app, staff)
        assert client.get("/towers").status_code == 302
        page = client.get("/tf-setup").get_data(as_text=True)
        assert 'value="disable"' not in page
        given = {"setup": "authenticator", "csrf_token": csrf_of(page)}
        shown = client.post("/tf-setup", data=given).get_data(as_text=True)
        key = key_of(shown)
        done = client.post("/tf-validate", data={"code": code(key), "csrf_token": csrf_of(shown)})
        assert done.status_code == 302
        assert client.get("/towers").status_code == 200
        page = client.get("/tf-setup").get_data(as_text=True)
        assert 'value="disable"' not in page
        post(client, "/tf-setup", setup="disable")
        session.refresh(staff)
        assert staff.tf_primary_method == "authenticator", "nobody of this role switches it off"
        # Fewer letters will do for a password that is not alone.
        for new, status in (("vit boi", 200), ("vit boi ao", 302)):
            token = csrf_of(client.get("/password").get_data(as_text=True))
            given = {"password": PASSWORD, "new_password": new, "new_password_confirm": new}
            answer = client.post("/password", data={**given, "csrf_token": token})
            assert answer.status_code == status
        store.set_value(session, "required_second_factor", [], by=SYSTEM, now=makers.NOW)
        session.commit()
        assert post(client, "/tf-setup", setup="disable").status_code == 302
        free = doors.signed_in(careful_app, staff.email, "vit boi ao")
        assert free.get("/towers").status_code == 200


def test_who_is_signed_in_without_signs_in_again_once_it_is_required(
    app: Flask, careful_app: Flask, session: Session
) -> None:
    staff = doors.with_password(session, "staff")
    store.set_value(session, "required_second_factor", [], by=SYSTEM, now=makers.NOW)
    session.commit()
    with careful_app.app_context():
        client = doors.signed_in(careful_app, staff.email)
        assert client.get("/towers").status_code == 200
        roles = ["staff", "admin"]
        store.set_value(session, "required_second_factor", roles, by=SYSTEM, now=makers.NOW)
        session.commit()
        assert client.get("/towers").status_code == 302


def test_its_pages_do_not_exist_where_it_is_off(
    app: Flask, session: Session, settings: Settings
) -> None:
    plain = another(app, replace(settings, two_factor=False))
    person = doors.with_password(session, "staff")
    with plain.app_context():
        client = doors.signed_in(plain, person.email)
        assert client.get("/tf-setup").status_code == 404
