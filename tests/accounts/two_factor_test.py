"""Sign-in with a second factor, where a department has switched it on."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from core.settings import Settings
from tests import doors


@pytest.fixture
def careful_app(app: Flask, settings: Settings) -> Flask:
    """The application with `TWO_FACTOR=1`, in the same transaction as the test."""
    from app import create_app

    careful = create_app(replace(settings, two_factor=True))
    careful.test_client_class = type(app.test_client())
    careful.extensions["database"] = app.extensions["database"]
    return careful


def send(client: FlaskClient, address: str, **fields: str):
    page = client.get("/account" if "tf" in address else address).get_data(as_text=True)
    return client.post(address, data={**fields, "csrf_token": doors.csrf_of(page)})


def code(key: str, *, steps: int = 0) -> str:
    return pyotp.TOTP(key).at(datetime.now(UTC) + timedelta(seconds=30 * steps))


def test_the_second_factor_is_set_up_asked_for_and_switched_off(
    careful_app: Flask, session: Session
) -> None:
    person = doors.with_password(session, "staff")
    with careful_app.app_context():
        client = doors.signed_in(careful_app, person.email)
        shown = send(client, "/tf-setup", setup="authenticator").get_data(as_text=True)
        found = re.search(r"([A-Z2-7]{4}-){3,}[A-Z2-7]{4}", shown)
        assert found, shown
        key = found.group(0).replace("-", "")
        target = re.search(r'action="(/tf-setup/[^"]+)"', shown)
        assert target
        send(client, target.group(1), code="000000")
        without = doors.signed_in(careful_app, person.email)
        assert without.get("/towers").status_code == 200, "a wrong code must set up nothing"
        send(client, target.group(1), code=code(key))

        again = doors.signed_in(careful_app, person.email)
        assert again.get("/towers").status_code == 302, "the password alone must not be enough"
        page = again.get("/tf-validate").get_data(as_text=True)
        wrong = again.post(
            "/tf-validate", data={"code": "000000", "csrf_token": doors.csrf_of(page)}
        )
        assert wrong.status_code == 200
        assert again.get("/towers").status_code == 302
        right = again.post(
            "/tf-validate", data={"code": code(key, steps=1), "csrf_token": doors.csrf_of(page)}
        )
        assert right.status_code == 302
        assert again.get("/towers").status_code == 200

        assert send(again, "/tf-setup", setup="disable").status_code in {200, 302}
        free = doors.signed_in(careful_app, person.email)
        assert free.get("/towers").status_code == 200


def test_its_pages_do_not_exist_where_it_is_off(app: Flask, session: Session) -> None:
    person = doors.with_password(session, "staff")
    client = doors.signed_in(app, person.email)
    assert client.get("/tf-setup").status_code == 404
