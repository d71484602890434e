"""The tile server that the department may allow: one host, by its own word, nobody else's."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from core import clock, store
from core.errors import Invalid
from core.policy import SYSTEM
from tests import doors, makers
from tests.doors import answered

ADDRESS = "https://tiles.example.vn:8443/osm/{z}/{x}/{y}.png?key=a1"


@pytest.fixture
def reader(app: Flask, session: Session) -> FlaskClient:
    return doors.client_of(app, session, makers.user(session, "inspector"))


def allow(session: Session, key: str, value: object) -> None:
    store.set_value(session, key, value, by=SYSTEM, now=clock.now())
    session.commit()


def test_no_other_host_is_asked_until_the_department_allows_one(
    reader: FlaskClient, session: Session
) -> None:
    before = reader.get("/map/document")
    assert "https:" not in before.headers["Content-Security-Policy"]
    assert answered(reader.get("/map/base.json"), 200)["tiles"] is None

    allow(session, "tile_server", ADDRESS)
    after = reader.get("/map/document")
    assert after.data == before.data
    policy = after.headers["Content-Security-Policy"]
    assert "img-src 'self' https://tiles.example.vn:8443 data: blob:;" in policy
    assert policy.count("https:") == 1
    host = "https://tiles.example.vn:8443"
    told = answered(reader.get("/map/base.json"), 200)["tiles"]
    assert told == {"url": ADDRESS, "attribution": host}
    allow(session, "tile_attribution", "© Sở <b>{{7*7}}</b>")
    told = answered(reader.get("/map/base.json"), 200)["tiles"]
    assert told["attribution"] == "© Sở <b>{{7*7}}</b>"

    allow(session, "tile_server", "")
    again = reader.get("/map/picker").headers["Content-Security-Policy"]
    assert "https:" not in again
    # The pages around the maps ask nobody either way.
    assert "tiles.example" not in reader.get("/map").headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "value",
    [
        "http://tiles.example.vn/{z}/{x}/{y}.png",
        "https://tiles.example.vn/{z}/{x}.png",
        "https://tiles.example.vn/{z}/{x}/{y}/{s}.png",
        "https://{s}.example.vn/{z}/{x}/{y}.png",
        "https://*.example.vn/{z}/{x}/{y}.png",
        "https://user:word@tiles.example.vn/{z}/{x}/{y}.png",
        "https://tiles.example.vn; script-src *//{z}/{x}/{y}.png",
        "https://tiles.example.vn/{z}/{x}/{y}.png 'unsafe-eval'",
        "https://localhost/{z}/{x}/{y}.png",
        "https://tiles.example.vn/{z}/{x}/{y}.png\n",
        "//tiles.example.vn/{z}/{x}/{y}.png",
        "javascript:alert(1)//{z}{x}{y}",
        "https://tiles.example.vn/{z}/{x}/{y}/" + "a" * 300,
        7,
        None,
        ["https://tiles.example.vn/{z}/{x}/{y}.png"],
    ],
)
def test_an_address_that_is_no_template_is_refused(session: Session, value: object) -> None:
    with pytest.raises(Invalid):
        store.set_value(session, "tile_server", value, by=SYSTEM, now=clock.now())
    assert store.kept_value(session, "tile_server") == ""
